//! The phase a client shows: Argo Rollouts `utils/rollout/rolloututil.go`, `GetRolloutPhase`.
//!
//! The stored phase is the truth, except while the controller has not yet seen the spec, the
//! promotion or the referenced workload: then a stored "Paused" or "Healthy" would be a lie.

use super::{Facts, RolloutPhase, Strategy};
use crate::domain::object::Text;

/// Returns the phase and the message that go with the facts.
pub fn phase_of(facts: &Facts) -> (RolloutPhase, Text) {
    if is_unobserved(facts) {
        return progressing("waiting for rollout spec update to be observed");
    }
    if facts.controller_pause && facts.pauses.is_empty() {
        return progressing("waiting for rollout to unpause");
    }
    if facts.workload_unobserved {
        return progressing(
            "waiting for rollout spec update to be observed for the reference workload",
        );
    }
    if !facts.phase.is_empty() {
        return (
            RolloutPhase::from_word(&facts.phase),
            Text::clone(&facts.message),
        );
    }
    derived(facts)
}

/// Returns whether the controller has not seen the spec yet.
///
/// Versions before 0.10 wrote a hash there; what is not a number, or is greater than the
/// generation, counts as seen.
pub(super) fn is_unobserved(facts: &Facts) -> bool {
    let observed = facts.observed_generation.parse::<i64>();
    observed.is_ok_and(|observed| observed < facts.generation)
}

fn progressing(message: &str) -> (RolloutPhase, Text) {
    (RolloutPhase::Progressing, message.into())
}

/// The controller's own calculation, for a status that has no phase.
fn derived(facts: &Facts) -> (RolloutPhase, Text) {
    if let Some(degraded) = degraded(facts) {
        return degraded;
    }
    if facts.spec_paused {
        return (RolloutPhase::Paused, "manually paused".into());
    }
    if let Some(pause) = facts.pauses.first() {
        return (RolloutPhase::Paused, Text::clone(&pause.reason));
    }
    if facts.restarting {
        return progressing("rollout is restarting");
    }
    let replicas = facts.replicas;
    if replicas.updated < replicas.desired {
        return progressing("more replicas need to be updated");
    }
    if replicas.available < replicas.updated {
        return progressing("updated replicas are still becoming available");
    }
    let waiting = match facts.strategy {
        Strategy::BlueGreen => blue_green(facts),
        Strategy::Canary => canary(facts),
        Strategy::Unknown => None,
    };
    waiting.map_or_else(|| (RolloutPhase::Healthy, "".into()), progressing)
}

fn degraded(facts: &Facts) -> Option<(RolloutPhase, Text)> {
    let reasons = facts.condition_reasons.iter();
    facts
        .conditions
        .iter()
        .zip(reasons)
        .find_map(|(condition, reason)| {
            if &*condition.kind == "InvalidSpec" {
                let message = format!("InvalidSpec: {}", condition.message);
                return Some((RolloutPhase::Degraded, message.into()));
            }
            let ended = ["RolloutAborted", "ProgressDeadlineExceeded"];
            ended.contains(&&**reason).then(|| {
                let message = format!("{reason}: {}", condition.message);
                (RolloutPhase::Degraded, message.into())
            })
        })
}

fn blue_green(facts: &Facts) -> Option<&'static str> {
    if facts.active_hash.is_empty() || facts.active_hash != facts.current_hash {
        return Some("active service cutover pending");
    }
    if facts.stable_hash.is_empty() || facts.stable_hash != facts.current_hash {
        return Some(if facts.has_post_promotion {
            "waiting for analysis to complete"
        } else {
            "waiting for post-promotion verification to complete"
        });
    }
    None
}

fn canary(facts: &Facts) -> Option<&'static str> {
    if !facts.has_router && facts.replicas.current > facts.replicas.updated {
        return Some("old replicas are pending termination");
    }
    if facts.stable_hash.is_empty() || facts.stable_hash != facts.current_hash {
        return Some("waiting for all steps to complete");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::application::Condition;
    use crate::domain::rollout::{Pause, Replicas};

    fn canary_facts() -> Facts {
        Facts {
            strategy: Strategy::Canary,
            generation: 4,
            observed_generation: "4".into(),
            replicas: Replicas {
                desired: 5,
                current: 5,
                updated: 5,
                ready: 5,
                available: 5,
            },
            current_hash: "b".into(),
            stable_hash: "b".into(),
            ..Facts::default()
        }
    }

    fn shown(facts: &Facts) -> (RolloutPhase, String) {
        let (phase, message) = phase_of(facts);
        (phase, message.to_string())
    }

    #[test]
    fn a_spec_the_controller_has_not_seen_overrides_the_stored_phase() {
        let facts = Facts {
            phase: "Paused".into(),
            observed_generation: "3".into(),
            ..canary_facts()
        };
        assert_eq!(
            shown(&facts),
            (
                RolloutPhase::Progressing,
                String::from("waiting for rollout spec update to be observed")
            )
        );
        for seen in ["4", "5", "6f7b8c", ""] {
            let facts = Facts {
                observed_generation: seen.into(),
                ..facts.clone()
            };
            assert_eq!(phase_of(&facts).0, RolloutPhase::Paused, "{seen}");
        }
    }

    #[test]
    fn a_promotion_on_its_way_is_progress() {
        let facts = Facts {
            phase: "Paused".into(),
            controller_pause: true,
            ..canary_facts()
        };
        assert_eq!(shown(&facts).1, "waiting for rollout to unpause");

        let pause = Pause {
            reason: "CanaryPauseStep".into(),
            since: None,
        };
        let facts = Facts {
            pauses: vec![pause],
            ..facts
        };
        assert_eq!(phase_of(&facts).0, RolloutPhase::Paused);
    }

    #[test]
    fn without_a_stored_phase_the_first_reason_wins() {
        let mut facts = canary_facts();
        assert_eq!(phase_of(&facts).0, RolloutPhase::Healthy);

        facts.stable_hash = "a".into();
        assert_eq!(shown(&facts).1, "waiting for all steps to complete");
        facts.replicas.current = 6;
        assert_eq!(shown(&facts).1, "old replicas are pending termination");
        facts.has_router = true;
        assert_eq!(shown(&facts).1, "waiting for all steps to complete");
        facts.replicas.available = 4;
        assert_eq!(
            shown(&facts).1,
            "updated replicas are still becoming available"
        );
        facts.replicas.updated = 4;
        assert_eq!(shown(&facts).1, "more replicas need to be updated");
        facts.restarting = true;
        assert_eq!(shown(&facts).1, "rollout is restarting");
        facts.spec_paused = true;
        assert_eq!(
            shown(&facts),
            (RolloutPhase::Paused, "manually paused".into())
        );
        facts.conditions = vec![Condition {
            kind: "Progressing".into(),
            message: "Rollout aborted update to revision 2".into(),
            since: None,
        }];
        facts.condition_reasons = vec!["RolloutAborted".into()];
        assert_eq!(
            shown(&facts).1,
            "RolloutAborted: Rollout aborted update to revision 2"
        );
    }

    #[test]
    fn a_blue_green_waits_for_its_switch_and_its_verification() {
        let mut facts = Facts {
            strategy: Strategy::BlueGreen,
            stable_hash: "a".into(),
            active_hash: "a".into(),
            ..canary_facts()
        };
        assert_eq!(shown(&facts).1, "active service cutover pending");
        facts.active_hash = "b".into();
        assert_eq!(
            shown(&facts).1,
            "waiting for post-promotion verification to complete"
        );
        facts.has_post_promotion = true;
        assert_eq!(shown(&facts).1, "waiting for analysis to complete");
        facts.stable_hash = "b".into();
        assert_eq!(phase_of(&facts).0, RolloutPhase::Healthy);
    }
}
