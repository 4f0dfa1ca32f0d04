//! How much traffic the new version is to get, and gets.
//!
//! Wanted and actual weight are derived as the kubectl plugin does
//! (`pkg/kubectl-argo-rollouts/info/rollout_info.go`, `utils/replicaset/canary.go`
//! `GetCurrentSetWeight`). What the route object says and what Prometheus measures stand beside
//! them: only together do they show whether a canary gets what it was promised.

use super::{Facts, Strategy};

/// The weight of the new version in several views, out of `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// 100, unless the router counts otherwise.
    pub max: u32,
    /// What the steps want.
    pub set: u32,
    /// What the controller says it has: by Pods without a router, else what it told the router.
    pub actual: u32,
    /// What the route object says; known on a Rollout's own screen only.
    pub routed: Option<u32>,
    /// Share of the requests that reach the new version, in the same unit as the others.
    pub measured: Option<f64>,
    /// The router was asked whether it does as told; `None` when it cannot be asked.
    pub verified: Option<bool>,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            max: 100,
            set: 0,
            actual: 0,
            routed: None,
            measured: None,
            verified: None,
        }
    }
}

impl Weights {
    /// Returns whether the views disagree by more than measuring explains.
    pub fn disagree(&self) -> bool {
        let told = self.routed.is_some_and(|routed| routed != self.set);
        let slack = f64::from(self.max) * 0.1;
        let measured = self.measured.is_some_and(|measured| {
            (measured - f64::from(self.routed.unwrap_or(self.actual))).abs() > slack
        });
        told || measured || self.verified == Some(false)
    }
}

/// Returns wanted and actual weight. A blue-green is all or nothing.
pub fn weights_of(facts: &Facts) -> Weights {
    let max = facts.max_weight.max(1);
    if facts.strategy != Strategy::Canary {
        return Weights {
            max,
            set: max,
            actual: max,
            verified: facts.verified,
            ..Weights::default()
        };
    }
    let set = set_weight(facts, max);
    Weights {
        max,
        set,
        actual: actual_weight(facts, max, set),
        verified: facts.verified,
        ..Weights::default()
    }
}

fn current_step(facts: &Facts) -> Option<usize> {
    let index = facts.step_index? as usize;
    (index < facts.steps.len()).then_some(index)
}

fn set_weight(facts: &Facts, max: u32) -> u32 {
    if facts.aborted {
        return 0;
    }
    let Some(current) = current_step(facts) else {
        return max;
    };
    let mut done = facts.steps.iter().take(current + 1).rev();
    done.find_map(super::Step::weight).unwrap_or(0)
}

fn actual_weight(facts: &Facts, max: u32, set: u32) -> u32 {
    if current_step(facts).is_none() {
        return max;
    }
    if facts.replicas.available == 0 {
        return 0;
    }
    if facts.has_router {
        return facts.routed_weight.unwrap_or(set);
    }
    // Without a look at the ReplicaSet, the updated Pods stand for the available ones.
    let canary = facts.canary_available.unwrap_or(facts.replicas.updated);
    let share = u64::from(canary) * u64::from(max) / u64::from(facts.replicas.available);
    u32::try_from(share).unwrap_or(max).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rollout::{Replicas, Step};

    fn at(index: Option<u32>) -> Facts {
        Facts {
            strategy: Strategy::Canary,
            steps: vec![
                Step::SetWeight(20),
                Step::Pause { duration: None },
                Step::SetWeight(40),
            ],
            step_index: index,
            replicas: Replicas {
                desired: 5,
                current: 5,
                updated: 1,
                ready: 5,
                available: 5,
            },
            ..Facts::default()
        }
    }

    fn weights(facts: &Facts) -> (u32, u32) {
        let weights = weights_of(facts);
        (weights.set, weights.actual)
    }

    #[test]
    fn the_nearest_weight_at_or_before_the_step_is_wanted() {
        assert_eq!(weights(&at(Some(0))), (20, 20));
        assert_eq!(weights(&at(Some(1))), (20, 20));
        assert_eq!(weights(&at(Some(2))), (40, 20));
        assert_eq!(weights(&at(Some(3))), (100, 100));
        assert_eq!(weights(&at(None)), (100, 100));
    }

    #[test]
    fn an_aborted_canary_wants_nothing() {
        let facts = Facts {
            aborted: true,
            ..at(Some(0))
        };
        assert_eq!(weights(&facts), (0, 20));
    }

    #[test]
    fn a_router_is_believed_and_nothing_is_divided_by_zero() {
        let mut facts = at(Some(2));
        facts.has_router = true;
        assert_eq!(weights(&facts), (40, 40));
        facts.routed_weight = Some(25);
        assert_eq!(weights(&facts), (40, 25));
        facts.replicas.available = 0;
        assert_eq!(weights(&facts), (40, 0));
    }

    #[test]
    fn views_that_disagree_say_so() {
        let calm = Weights {
            set: 20,
            actual: 20,
            routed: Some(20),
            measured: Some(19.6),
            ..Weights::default()
        };
        assert!(!calm.disagree());
        let loud = [
            Weights {
                routed: Some(0),
                ..calm
            },
            Weights {
                measured: Some(2.0),
                ..calm
            },
            Weights {
                verified: Some(false),
                ..calm
            },
        ];
        assert!(loud.iter().all(Weights::disagree));
    }
}
