//! How many replicas each ReplicaSet of a Deployment should have. Pure.
//!
//! Follows `pkg/controller/deployment/util/deployment_util.go` and `rolling.go`.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// What of a percentage is kept when it does not come out even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// A part of a replica counts as one.
    Up,
    /// A part of a replica does not count.
    Down,
}

/// Returns a number of replicas, given as such or as a percentage of `total`.
pub fn scaled(value: &IntOrString, total: i32, rounding: Rounding) -> i32 {
    match value {
        IntOrString::Int(count) => *count,
        IntOrString::String(text) => {
            let percent: i64 = text
                .strip_suffix('%')
                .and_then(|number| number.parse().ok())
                .unwrap_or_default();
            let hundredths = percent * i64::from(total);
            let whole = match rounding {
                Rounding::Up => (hundredths + 99).div_euclid(100),
                Rounding::Down => hundredths.div_euclid(100),
            };
            whole as i32
        }
    }
}

/// How far a rolling update may leave the number of replicas that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slack {
    /// More pods than asked for.
    pub surge: i32,
    /// Fewer available pods than asked for.
    pub unavailable: i32,
}

impl Slack {
    /// Settles both bounds; not both may be zero, or nothing could ever move.
    pub fn new(
        surge: Option<&IntOrString>,
        unavailable: Option<&IntOrString>,
        wanted: i32,
    ) -> Self {
        let quarter = IntOrString::String("25%".to_owned());
        let surge = scaled(surge.unwrap_or(&quarter), wanted, Rounding::Up);
        let mut unavailable = scaled(unavailable.unwrap_or(&quarter), wanted, Rounding::Down);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self {
            surge,
            unavailable: unavailable.min(wanted),
        }
    }
}

/// One ReplicaSet as far as its size goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// `spec.replicas`.
    pub wanted: i32,
    /// `status.availableReplicas`.
    pub available: i32,
}

/// Returns how large the new ReplicaSet may become now.
pub fn grown(new: i32, all_wanted: i32, wanted: i32, surge: i32) -> i32 {
    let most = wanted + surge;
    if all_wanted >= most {
        return new;
    }
    new + (most - all_wanted).min(wanted - new).max(0)
}

/// Returns the sizes the old ReplicaSets (oldest first) should have now.
///
/// First the pods that are not available anyway are taken away, then available ones as far as the
/// minimum of available pods allows.
pub fn shrunk(old: &[Size], new: Size, wanted: i32, unavailable: i32) -> Vec<i32> {
    let mut sizes: Vec<i32> = old.iter().map(|size| size.wanted).collect();
    let old_total: i32 = sizes.iter().sum();
    if old_total == 0 {
        return sizes;
    }
    let minimum = wanted - unavailable;
    let new_unavailable = new.wanted - new.available;
    let mut may_go = old_total + new.wanted - minimum - new_unavailable;
    if may_go <= 0 {
        return sizes;
    }
    for (size, before) in sizes.iter_mut().zip(old) {
        let unhealthy = (before.wanted - before.available).max(0).min(may_go);
        *size -= unhealthy;
        may_go -= unhealthy;
    }
    let available: i32 = old.iter().map(|size| size.available).sum::<i32>() + new.available;
    let mut surplus = available - minimum;
    for size in &mut sizes {
        if surplus <= 0 {
            break;
        }
        let gone = (*size).min(surplus);
        *size -= gone;
        surplus -= gone;
    }
    sizes
}

/// Shares a change of the total among ReplicaSets in proportion to their size.
///
/// `sizes` are present sizes, newest first; the largest takes what rounding leaves.
pub fn proportional(sizes: &[i32], old_most: i32, new_most: i32) -> Vec<i32> {
    let total: i32 = sizes.iter().sum();
    let to_add = new_most - total;
    let mut result = sizes.to_vec();
    if to_add == 0 || total == 0 {
        return result;
    }
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(sizes.get(*index).copied().unwrap_or_default()));
    let mut added = 0;
    for index in &order {
        let Some(size) = result.get_mut(*index) else {
            continue;
        };
        if *size == 0 {
            continue;
        }
        let ideal = if new_most == 0 {
            -*size
        } else {
            let exact = f64::from(*size) * f64::from(new_most) / f64::from(old_most.max(1));
            exact.round() as i32 - *size
        };
        let left = to_add - added;
        let change = if to_add > 0 {
            ideal.min(left).max(0)
        } else {
            ideal.max(left).min(0)
        };
        *size += change;
        added += change;
    }
    if let Some(largest) = order.first().and_then(|index| result.get_mut(*index)) {
        *largest = (*largest + to_add - added).max(0);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> IntOrString {
        IntOrString::String(text.into())
    }

    #[test]
    fn surge_rounds_up_and_unavailable_rounds_down() {
        let slack = Slack::new(Some(&percent("25%")), Some(&percent("25%")), 3);

        assert_eq!(
            slack,
            Slack {
                surge: 1,
                unavailable: 0
            }
        );
    }

    #[test]
    fn both_zero_would_never_move_so_one_may_be_missing() {
        let none = IntOrString::Int(0);

        assert_eq!(Slack::new(Some(&none), Some(&none), 3).unavailable, 1);
    }

    #[test]
    fn a_rolling_update_never_leaves_its_bounds() {
        // Ten wanted, surge 3, 2 may be missing; the new set becomes available as it grows.
        let (wanted, slack) = (
            10,
            Slack {
                surge: 3,
                unavailable: 2,
            },
        );
        let (mut old, mut new) = (10, Size::default());
        for _ in 0..20 {
            new.wanted = grown(new.wanted, old + new.wanted, wanted, slack.surge);
            assert!(old + new.wanted <= wanted + slack.surge);
            let sizes = shrunk(
                &[Size {
                    wanted: old,
                    available: old,
                }],
                new,
                wanted,
                slack.unavailable,
            );
            old = sizes[0];
            assert!(old + new.available >= wanted - slack.unavailable);
            new.available = new.wanted;
        }
        assert_eq!((old, new.wanted), (0, 10));
    }

    #[test]
    fn a_broken_new_set_keeps_the_old_pods_that_work() {
        let new = Size {
            wanted: 1,
            available: 0,
        };
        let sizes = shrunk(
            &[Size {
                wanted: 3,
                available: 3,
            }],
            new,
            3,
            0,
        );

        assert_eq!(sizes, [3]);
    }

    #[test]
    fn unhealthy_old_pods_go_first() {
        let old = [
            Size {
                wanted: 2,
                available: 0,
            },
            Size {
                wanted: 3,
                available: 3,
            },
        ];
        let new = Size {
            wanted: 1,
            available: 0,
        };

        assert_eq!(shrunk(&old, new, 4, 1), [0, 3]);
    }

    #[test]
    fn scaling_in_the_middle_of_a_rollout_keeps_the_proportions() {
        assert_eq!(proportional(&[5, 10], 15, 30), [10, 20]);
        assert_eq!(proportional(&[5, 10], 15, 9), [3, 6]);
        assert_eq!(proportional(&[1, 2], 3, 0), [0, 0]);
    }
}
