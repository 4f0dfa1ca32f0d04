//! How many replicas canary and stable should have. Pure.
//!
//! Follows Argo Rollouts' `utils/replicaset/canary.go` and `resolveFenceposts`.

use crate::sim::controllers::deployment::arithmetic::{Rounding, scaled};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// One ReplicaSet as far as its size goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// `spec.replicas`.
    pub wanted: i32,
    /// `status.replicas`.
    pub created: i32,
    /// `status.availableReplicas`.
    pub available: i32,
}

/// How far the number of pods may leave the number that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub surge: i32,
    pub unavailable: i32,
}

impl Bounds {
    /// Settles both bounds of a canary; not both may be zero, or nothing could ever move.
    pub fn new(
        surge: Option<&IntOrString>,
        unavailable: Option<&IntOrString>,
        replicas: i32,
    ) -> Self {
        let quarter = IntOrString::String("25%".to_owned());
        let surge = scaled(surge.unwrap_or(&quarter), replicas, Rounding::Up);
        let mut unavailable = scaled(unavailable.unwrap_or(&quarter), replicas, Rounding::Down);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self {
            surge,
            unavailable: unavailable.min(replicas),
        }
    }
}

/// What a canary without a router is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basic {
    /// `spec.replicas`.
    pub replicas: i32,
    /// The canary's share.
    pub weight: i32,
    /// What the whole is, mostly 100.
    pub whole: i32,
    pub bounds: Bounds,
}

impl Basic {
    /// Returns the numbers to reach in the end: canary and stable.
    pub fn goal(&self) -> (i32, i32) {
        let (replicas, weight, whole) = (self.replicas, self.weight, self.whole.max(1));
        if replicas == 0 {
            return (0, 0);
        }
        let ceiling = div_ceil(replicas * weight, whole);
        let floor = (replicas * weight) / whole;
        let none_allowed =
            weight == whole || weight == 0 || (replicas == 1 && self.bounds.surge == 0);
        let mut choices = Vec::with_capacity(4);
        if ceiling < replicas || none_allowed {
            choices.push((ceiling, replicas));
        }
        if !is_tied(weight, replicas, whole) && (floor != 0 || none_allowed) {
            choices.push((floor, replicas));
        }
        if self.bounds.surge > 0 {
            choices.push((ceiling, replicas + 1));
            if !is_tied(weight, replicas + 1, whole) && (floor != 0 || none_allowed) {
                choices.push((floor, replicas + 1));
            }
        }
        // The first of equally good choices wins, which is the larger canary.
        let mut best: Option<(f64, (i32, i32))> = None;
        for (canary, total) in choices {
            let share = f64::from(canary * whole) / f64::from(total);
            let distance = (share - f64::from(weight)).abs();
            if best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, (canary, total)));
            }
        }
        match best {
            Some((_, (canary, total))) => (canary, total - canary),
            None => (0, replicas),
        }
    }

    /// Returns the numbers to write now: canary and stable, within the bounds.
    ///
    /// `stable` is none while there is no other revision to keep; `others` is what ReplicaSets that
    /// are neither still want.
    pub fn now(&self, canary: Option<Size>, stable: Option<Size>, others: i32) -> (i32, i32) {
        let (mut canary_goal, mut stable_goal) = self.goal();
        if stable.is_none() {
            (canary_goal, stable_goal) = (self.replicas, 0);
        }
        let most = self.replicas + self.bounds.surge;
        let present =
            others + canary.map_or(0, |one| one.wanted) + stable.map_or(0, |one| one.wanted);
        let mut room = most - present;
        let mut stable_count = stable.map_or(0, |one| one.wanted);
        let mut canary_count = canary.map_or(0, |one| one.wanted);
        if stable_count < stable_goal && room > 0 {
            let grown = stable_goal.min(stable_count + room);
            room -= grown - stable_count;
            stable_count = grown;
        }
        if canary.is_some() && canary_count < canary_goal && room > 0 {
            canary_count = canary_goal.min(canary_count + room);
        }
        if others > 0 {
            return (canary_count, stable_count);
        }
        let least = self.replicas - self.bounds.unavailable;
        let increasing = canary.is_none_or(|one| canary_goal >= one.wanted);
        let kept = counted(canary, !increasing) + counted(stable, increasing);
        if kept <= least {
            return (canary_count, stable_count);
        }
        let limits = Limits { most, least };
        let spare = kept - least;
        if !increasing {
            canary_count = drained(canary, canary_goal, (spare, canary_count));
            limits.adjust((canary, canary_count), (stable, stable_count))
        } else if stable.is_some() {
            stable_count = drained(stable, stable_goal, (spare, stable_count));
            let (stable_count, canary_count) =
                limits.adjust((stable, stable_count), (canary, canary_count));
            (canary_count, stable_count)
        } else {
            (canary_count, stable_count)
        }
    }
}

/// Rounds up a division of numbers that are not negative.
pub fn div_ceil(number: i32, by: i32) -> i32 {
    (number + by - 1) / by
}

/// Rounding up or down is equally wrong.
fn is_tied(weight: i32, replicas: i32, whole: i32) -> bool {
    2 * ((weight * replicas) % whole) == whole
}

/// Returns how many pods of a set count when the other one shrinks.
fn counted(set: Option<Size>, all: bool) -> i32 {
    set.map_or(0, |set| {
        if all || set.wanted < set.available {
            set.wanted
        } else {
            set.available
        }
    })
}

fn drained(set: Option<Size>, goal: i32, (spare, count): (i32, i32)) -> i32 {
    match set {
        Some(set) if set.wanted > goal => goal.max(set.wanted - spare),
        Some(_) | None => count,
    }
}

struct Limits {
    most: i32,
    least: i32,
}

impl Limits {
    /// Brings both counts within the limits; the first one is that which shrinks.
    fn adjust(
        &self,
        (draining, mut drain): (Option<Size>, i32),
        (keeping, mut keep): (Option<Size>, i32),
    ) -> (i32, i32) {
        let over = (keep + drain - self.most).max(0);
        let mut available = draining.map_or(0, |one| one.available.min(drain));
        if let Some(keeping) = keeping {
            keep -= over;
            available += keeping.available.min(keep);
            let lost = (keeping.available - keep).max(0);
            keep += lost.min((self.least - available).max(0));
            drain -= (keep + drain - self.most).max(0);
        }
        (drain, keep)
    }
}

/// What a canary behind a router is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Routed {
    /// `spec.replicas`.
    pub replicas: i32,
    /// The canary's share.
    pub weight: i32,
    /// What the whole is, mostly 100.
    pub whole: i32,
    /// A number of canary pods that a step has set.
    pub fixed: Option<i32>,
    /// The least number of pods of a ReplicaSet that has any.
    pub least: Option<i32>,
    /// Stable pods go as their traffic goes.
    pub dynamic: bool,
    /// The update was aborted.
    pub aborted: bool,
    /// What the router was told last: the shares of canary and stable.
    pub routed: Option<(i32, i32)>,
}

impl Routed {
    /// Returns the numbers to have: canary and stable.
    pub fn goal(&self) -> (i32, i32) {
        let by_weight = |weight: i32| div_ceil(weight * self.replicas, self.whole.max(1));
        let mut canary = match self.fixed {
            Some(fixed) => fixed,
            None => self.at_least(by_weight(self.weight)),
        };
        if !self.dynamic {
            return (canary, self.replicas);
        }
        let mut stable = by_weight(self.whole - self.weight);
        if let Some((canary_share, stable_share)) = self.routed {
            stable = stable.max(by_weight(stable_share));
            if self.aborted {
                canary = canary.max(by_weight(canary_share));
            }
        }
        (self.at_least(canary), self.at_least(stable))
    }

    fn at_least(&self, count: i32) -> i32 {
        match (count, self.least) {
            (0, _) | (_, None) => count,
            (count, Some(least)) => count.max(least),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(replicas: i32, weight: i32, surge: i32) -> Basic {
        Basic {
            replicas,
            weight,
            whole: 100,
            bounds: Bounds {
                surge,
                unavailable: 1,
            },
        }
    }

    #[test]
    fn a_share_between_none_and_all_keeps_a_pod_of_both() {
        assert_eq!(basic(5, 20, 2).goal(), (1, 4));
        assert_eq!(basic(5, 40, 2).goal(), (2, 3));
        assert_eq!(basic(10, 1, 1).goal(), (1, 10));
        assert_eq!(basic(10, 99, 1).goal(), (10, 1));
        assert_eq!(basic(1, 50, 1).goal(), (1, 1));
        assert_eq!(basic(0, 50, 1).goal(), (0, 0));
    }

    #[test]
    fn without_surge_some_shares_leave_no_canary_as_upstream_does() {
        for (replicas, weight) in [(2, 75), (5, 90), (10, 95)] {
            assert_eq!(basic(replicas, weight, 0).goal(), (0, replicas));
        }
    }

    #[test]
    fn bounds_of_zero_let_one_pod_go() {
        let zero = IntOrString::Int(0);

        let bounds = Bounds::new(Some(&zero), Some(&zero), 5);

        assert_eq!(
            bounds,
            Bounds {
                surge: 0,
                unavailable: 1
            }
        );
        assert_eq!(
            Bounds::new(None, None, 5),
            Bounds {
                surge: 2,
                unavailable: 1
            }
        );
    }

    #[test]
    fn behind_a_router_stable_stays_whole_unless_it_is_dynamic() {
        let routed = Routed {
            replicas: 5,
            weight: 20,
            whole: 100,
            ..Routed::default()
        };
        assert_eq!(routed.goal(), (1, 5));
        assert_eq!(
            Routed {
                least: Some(2),
                ..routed
            }
            .goal(),
            (2, 5)
        );
        assert_eq!(
            Routed {
                fixed: Some(3),
                ..routed
            }
            .goal(),
            (3, 5)
        );
        let dynamic = Routed {
            dynamic: true,
            ..routed
        };
        assert_eq!(dynamic.goal(), (1, 4));
        let behind = Routed {
            routed: Some((0, 100)),
            ..dynamic
        };
        assert_eq!(behind.goal(), (1, 5));
        let aborted = Routed {
            weight: 0,
            aborted: true,
            routed: Some((60, 40)),
            ..dynamic
        };
        assert_eq!(aborted.goal(), (3, 5));
    }
}
