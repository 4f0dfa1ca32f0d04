//! What one pass decides about pausing and aborting, and what the status becomes by it. Pure.
//!
//! Follows Argo Rollouts' `rollout/pause.go`.

use super::model::{PauseCondition, Rollout, RolloutStatus};
use super::steps::pause_seconds;
use super::{model, model::Pause};
use crate::sim::controllers::runtime::time::{api_time, utc};
use chrono::{DateTime, TimeDelta, Utc};

/// The decisions of one pass.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    added: Vec<&'static str>,
    removed: Vec<&'static str>,
    cleared: bool,
    /// Why the update is aborted; empty when nobody said.
    abort: Option<String>,
    abort_removed: bool,
}

impl Pauses {
    pub(super) fn add(&mut self, reason: &'static str) {
        self.added.push(reason);
    }

    pub(super) fn remove(&mut self, reason: &'static str) {
        self.removed.push(reason);
    }

    pub(super) fn clear(&mut self) {
        self.cleared = true;
    }

    pub(super) fn abort(&mut self, message: String) {
        self.abort = Some(message);
    }

    pub(super) fn remove_abort(&mut self) {
        self.abort_removed = true;
    }

    pub(super) fn has_added(&self) -> bool {
        !self.added.is_empty()
    }

    pub(super) fn is_aborted(&self, rollout: &Rollout) -> bool {
        !self.abort_removed && (self.abort.is_some() || rollout.status.abort)
    }

    pub(super) fn abort_message(&self) -> &str {
        self.abort.as_deref().unwrap_or_default()
    }

    /// Writes abort and pauses into the new status.
    pub(super) fn settle(&self, rollout: &Rollout, new: &mut RolloutStatus, now: DateTime<Utc>) {
        let old = &rollout.status;
        new.pause_conditions.clear();
        new.controller_pause = false;
        new.abort = self.abort.is_some() || (!self.abort_removed && old.abort);
        if new.abort {
            new.aborted_at = old.aborted_at.clone().or_else(|| Some(api_time(now)));
            return;
        }
        new.aborted_at = None;
        if self.cleared {
            return;
        }
        let mut paused = old.controller_pause;
        for known in &old.pause_conditions {
            if !self.removed.contains(&known.reason.as_str()) {
                new.pause_conditions.push(known.clone());
            }
        }
        for reason in &self.added {
            if old.pause(reason).is_none() {
                paused = true;
                new.pause_conditions.push(PauseCondition {
                    reason: (*reason).to_owned(),
                    start_time: api_time(now),
                });
            }
        }
        new.controller_pause = paused && !new.pause_conditions.is_empty();
    }

    /// The pause before a blue-green switch is over: there is none, its time has passed, or
    /// somebody has ended it.
    pub(super) fn is_blue_green_over(&self, rollout: &Rollout, now: DateTime<Utc>) -> bool {
        let Some(blue_green) = rollout.blue_green() else {
            return true;
        };
        let status = &rollout.status;
        if self.has_added() {
            return false;
        }
        if status.blue_green.scale_up_preview_check_point || !blue_green.pauses() {
            return true;
        }
        let pause = status.pause(model::BLUE_GREEN_PAUSE);
        if blue_green.auto_promotion_enabled == Some(false) && pause.is_none() {
            return status.controller_pause;
        }
        let seconds = blue_green.auto_promotion_seconds.unwrap_or(0);
        match pause {
            Some(pause) if seconds > 0 => is_past(pause, i64::from(seconds), now),
            Some(_) => false,
            // Somebody has ended the pause before its time.
            None => status.controller_pause,
        }
    }
}

/// The pause of a canary's step is over.
pub(super) fn is_canary_over(rollout: &Rollout, step: &Pause, now: DateTime<Utc>) -> bool {
    let status = &rollout.status;
    match status.pause(model::CANARY_PAUSE) {
        None => status.controller_pause,
        Some(pause) => pause_seconds(step).is_some_and(|seconds| is_past(pause, seconds, now)),
    }
}

/// Returns when a pause that began with a condition ends by itself.
pub(super) fn end_of(pause: &PauseCondition, seconds: i64) -> DateTime<Utc> {
    utc(&pause.start_time) + TimeDelta::seconds(seconds)
}

fn is_past(pause: &PauseCondition, seconds: i64, now: DateTime<Utc>) -> bool {
    end_of(pause, seconds) <= now
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
        serde_json::from_value(
            json!({"metadata": {}, "spec": {"strategy": {"canary": {}}}, "status": status}),
        )
        .expect("a rollout")
    }

    fn settled(pauses: &Pauses, old: serde_json::Value) -> RolloutStatus {
        let mut new = RolloutStatus::default();
        pauses.settle(&rollout(old), &mut new, at(7));
        new
    }

    #[test]
    fn a_pause_is_added_with_the_controllers_mark_and_only_once() {
        let mut pauses = Pauses::default();
        pauses.add(model::CANARY_PAUSE);

        let new = settled(&pauses, json!({}));

        assert!(new.controller_pause);
        let known = serde_json::to_value(&new).expect("JSON");
        let mut again = RolloutStatus::default();
        pauses.settle(&rollout(known), &mut again, at(90));
        assert_eq!(again.pause_conditions, new.pause_conditions);
    }

    #[test]
    fn an_abort_drops_the_pauses_and_keeps_its_first_time() {
        let mut pauses = Pauses::default();
        pauses.abort("broken".into());
        let paused = json!({"controllerPause": true, "abortedAt": "1970-01-01T00:00:03Z",
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "1970-01-01T00:00:01Z"}]});

        let new = settled(&pauses, paused);

        assert!(new.abort && !new.controller_pause && new.pause_conditions.is_empty());
        assert_eq!(new.aborted_at, Some(api_time(at(3))));
    }

    #[test]
    fn a_resumed_pause_is_over_and_a_timed_one_when_its_time_has_passed() {
        let step = |duration: serde_json::Value| {
            serde_json::from_value::<Pause>(json!({"duration": duration})).expect("a pause")
        };
        let paused = json!({"controllerPause": true,
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "1970-01-01T00:00:00Z"}]});

        assert!(is_canary_over(
            &rollout(json!({"controllerPause": true})),
            &Pause::default(),
            at(1)
        ));
        assert!(!is_canary_over(
            &rollout(paused.clone()),
            &Pause::default(),
            at(999)
        ));
        assert!(!is_canary_over(
            &rollout(paused.clone()),
            &step(json!("10s")),
            at(9)
        ));
        assert!(is_canary_over(&rollout(paused), &step(json!(10)), at(10)));
    }
}
