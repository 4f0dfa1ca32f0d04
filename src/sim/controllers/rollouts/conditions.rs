//! The conditions of a Rollout, and the phase that follows from its status. Pure.
//!
//! Follows Argo Rollouts' `utils/conditions/conditions.go` and `CalculateRolloutPhase`.

use super::model::{Condition, Rollout, RolloutSpec, RolloutStatus};
use crate::sim::controllers::runtime::time::{api_time, utc};
use chrono::{DateTime, TimeDelta, Utc};

pub const PROGRESSING: &str = "Progressing";
pub const AVAILABLE: &str = "Available";
pub const PAUSED: &str = "Paused";
pub const HEALTHY: &str = "Healthy";
pub const COMPLETED: &str = "Completed";
pub const INVALID_SPEC: &str = "InvalidSpec";
pub const REPLICA_FAILURE: &str = "ReplicaFailure";

pub const ABORTED: &str = "RolloutAborted";
pub const TIMED_OUT: &str = "ProgressDeadlineExceeded";
pub const ROLLOUT_PAUSED: &str = "RolloutPaused";
pub const NEW_SET_AVAILABLE: &str = "NewReplicaSetAvailable";

/// What a condition says: its status, reason and message.
pub type Saying<'a> = (&'a str, &'a str, String);

/// Returns the condition of a type.
pub fn find<'a>(status: &'a RolloutStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|one| one.kind == kind)
}

/// Removes the condition of a type.
pub fn remove(status: &mut RolloutStatus, kind: &str) {
    status.conditions.retain(|one| one.kind != kind);
}

/// Sets a condition; one of the same status and reason stays as it is. True when it changed.
pub fn set(
    status: &mut RolloutStatus,
    kind: &str,
    (value, reason, message): Saying<'_>,
    now: DateTime<Utc>,
) -> bool {
    let known = find(status, kind);
    if known.is_some_and(|one| one.status == value && one.reason == reason) {
        return false;
    }
    put(status, kind, (value, reason, message), now);
    true
}

/// Sets a condition anew; its transition time stays if its status does.
pub fn put(
    status: &mut RolloutStatus,
    kind: &str,
    (value, reason, message): Saying<'_>,
    now: DateTime<Utc>,
) {
    let since = find(status, kind)
        .filter(|one| one.status == value)
        .map(|one| one.last_transition_time.clone());
    remove(status, kind);
    status.conditions.push(Condition {
        kind: kind.to_owned(),
        status: value.to_owned(),
        last_update_time: api_time(now),
        last_transition_time: since.unwrap_or_else(|| api_time(now)),
        reason: reason.to_owned(),
        message,
    });
}

/// Returns when the progress deadline falls due; none while it is not counted.
pub fn deadline(rollout: &Rollout, status: &RolloutStatus) -> Option<DateTime<Utc>> {
    let progressing = find(status, PROGRESSING)?;
    if matches!(
        progressing.reason.as_str(),
        NEW_SET_AVAILABLE | ROLLOUT_PAUSED | ABORTED | TIMED_OUT
    ) {
        return None;
    }
    let since = utc(&progressing.last_update_time);
    Some(since + TimeDelta::seconds(i64::from(rollout.progress_deadline()) + 1))
}

/// The progress deadline has passed, or had passed before.
pub fn is_timed_out(rollout: &Rollout, status: &RolloutStatus, now: DateTime<Utc>) -> bool {
    find(status, PROGRESSING).is_some_and(|one| one.reason == TIMED_OUT)
        || deadline(rollout, status).is_some_and(|due| due <= now)
}

/// Something moved between two states of a Rollout's status.
pub fn is_progressing(rollout: &Rollout, new: &RolloutStatus) -> bool {
    let old = &rollout.status;
    let by_strategy = if rollout.blue_green().is_some() {
        old.blue_green.active_selector != new.blue_green.active_selector
            || old.blue_green.preview_selector != new.blue_green.preview_selector
    } else {
        let stepped = match (old.current_step_index, new.current_step_index) {
            (Some(old), Some(new)) => old != new,
            (Some(_) | None, _) => false,
        };
        stepped || old.stable_rs != new.stable_rs || old.current_step_hash != new.current_step_hash
    };
    by_strategy
        || new.updated_replicas != old.updated_replicas
        || new.replicas - new.updated_replicas < old.replicas - old.updated_replicas
        || new.ready_replicas > old.ready_replicas
        || new.available_replicas > old.available_replicas
}

/// All that is asked for is there and serves, and nothing else is left.
pub fn is_healthy(rollout: &Rollout, new: &RolloutStatus) -> bool {
    let replicas = rollout.replicas();
    let by_strategy = if let Some(blue_green) = rollout.blue_green() {
        new.blue_green.active_selector == new.current_pod_hash
            && (blue_green.preview_service.is_empty()
                || new.blue_green.preview_selector == new.current_pod_hash)
    } else {
        let steps = rollout.steps().len() as i32;
        let stepped = steps == 0 || new.current_step_index.is_none_or(|index| index == steps);
        stepped && is_completed(new) && new.replicas == replicas
    };
    let generation = rollout.metadata.generation.unwrap_or_default().to_string();
    by_strategy
        && new.updated_replicas == replicas
        && new.available_replicas == replicas
        && rollout.status.observed_generation == generation
}

/// The update is done: what is asked for is the stable revision.
pub fn is_completed(status: &RolloutStatus) -> bool {
    !status.stable_rs.is_empty() && status.stable_rs == status.current_pod_hash
}

/// Returns the phase and message of a Rollout, as its controller reports them.
pub fn phase(spec: &RolloutSpec, status: &RolloutStatus) -> (&'static str, String) {
    for condition in &status.conditions {
        if condition.kind == INVALID_SPEC {
            return ("Degraded", format!("{INVALID_SPEC}: {}", condition.message));
        }
        if [ABORTED, TIMED_OUT].contains(&condition.reason.as_str()) {
            return (
                "Degraded",
                format!("{}: {}", condition.reason, condition.message),
            );
        }
    }
    if spec.paused {
        return ("Paused", "manually paused".to_owned());
    }
    if let Some(pause) = status.pause_conditions.first() {
        return ("Paused", pause.reason.clone());
    }
    match unfinished(spec, status) {
        Some(message) => ("Progressing", message.to_owned()),
        None => ("Healthy", String::new()),
    }
}

fn unfinished(spec: &RolloutSpec, status: &RolloutStatus) -> Option<&'static str> {
    if spec.restart_at.is_some() && spec.restart_at != status.restarted_at {
        return Some("rollout is restarting");
    }
    if status.updated_replicas < spec.replicas.unwrap_or(1) {
        return Some("more replicas need to be updated");
    }
    if status.available_replicas < status.updated_replicas {
        return Some("updated replicas are still becoming available");
    }
    if let Some(blue_green) = &spec.strategy.blue_green {
        let active = &status.blue_green.active_selector;
        if active.is_empty() || *active != status.current_pod_hash {
            return Some("active service cutover pending");
        }
        if !is_completed(status) {
            let analysed = status
                .blue_green
                .post_promotion_analysis_run_status
                .as_ref();
            let done = analysed.is_some_and(|run| is_finished(&run.status));
            if blue_green.post_promotion_analysis.is_some() && !done {
                return Some("waiting for analysis to complete");
            }
            return Some("waiting for post-promotion verification to complete");
        }
    } else if let Some(canary) = &spec.strategy.canary {
        if canary.traffic_routing.is_none() && status.replicas > status.updated_replicas {
            return Some("old replicas are pending termination");
        }
        if !is_completed(status) {
            return Some("waiting for all steps to complete");
        }
    }
    None
}

/// An analysis or experiment of this phase has ended.
pub fn is_finished(phase: &str) -> bool {
    matches!(phase, "Successful" | "Failed" | "Error" | "Inconclusive")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn rollout(status: serde_json::Value) -> Rollout {
        serde_json::from_value(json!({
            "metadata": {"generation": 2},
            "spec": {"replicas": 2, "progressDeadlineSeconds": 60, "strategy": {"canary": {}}},
            "status": status,
        }))
        .expect("a rollout")
    }

    fn told(status: &serde_json::Value) -> (&'static str, String) {
        let rollout = rollout(status.clone());
        phase(&rollout.spec, &rollout.status)
    }

    #[test]
    fn the_phase_is_what_hinders_most() {
        let done = json!({
            "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
            "stableRS": "b", "currentPodHash": "b",
        });
        assert_eq!(told(&done), ("Healthy", String::new()));
        let mut stepping = done.clone();
        stepping["stableRS"] = json!("a");
        assert_eq!(told(&stepping).1, "waiting for all steps to complete");
        stepping["replicas"] = json!(3);
        assert_eq!(told(&stepping).1, "old replicas are pending termination");
        stepping["availableReplicas"] = json!(1);
        assert_eq!(
            told(&stepping).1,
            "updated replicas are still becoming available"
        );
        stepping["updatedReplicas"] = json!(1);
        assert_eq!(told(&stepping).1, "more replicas need to be updated");
        stepping["pauseConditions"] =
            json!([{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]);
        assert_eq!(told(&stepping), ("Paused", "CanaryPauseStep".to_owned()));
    }

    #[test]
    fn the_same_reason_keeps_the_known_message_and_a_new_one_the_transition() {
        let mut status = RolloutStatus::default();
        assert!(set(
            &mut status,
            PROGRESSING,
            ("True", "A", "one".into()),
            at(0)
        ));
        assert!(!set(
            &mut status,
            PROGRESSING,
            ("True", "A", "two".into()),
            at(5)
        ));
        assert!(set(
            &mut status,
            PROGRESSING,
            ("True", "B", "two".into()),
            at(9)
        ));

        let condition = find(&status, PROGRESSING).expect("it is there");

        assert_eq!(condition.last_transition_time, api_time(at(0)));
        assert_eq!(condition.last_update_time, api_time(at(9)));
    }

    #[test]
    fn standing_still_for_longer_than_the_deadline_is_too_long() {
        let mut status = RolloutStatus::default();
        put(
            &mut status,
            PROGRESSING,
            ("True", "ReplicaSetUpdated", String::new()),
            at(0),
        );
        let rollout = rollout(json!({}));

        assert!(!is_timed_out(&rollout, &status, at(60)));
        assert!(is_timed_out(&rollout, &status, at(61)));
        put(
            &mut status,
            PROGRESSING,
            ("Unknown", ROLLOUT_PAUSED, String::new()),
            at(0),
        );
        assert!(!is_timed_out(&rollout, &status, at(600)));
    }
}
