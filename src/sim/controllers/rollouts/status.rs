//! What a Rollout's status becomes at the end of a pass.
//!
//! Follows Argo Rollouts' `rollout/sync.go`.

use super::conditions::{self, AVAILABLE, COMPLETED, HEALTHY, PROGRESSING, REPLICA_FAILURE};
use super::model::RolloutStatus;
use super::pass::{Outcome, Pass};
use super::replica_sets::{WORKLOAD_GENERATION, created, hash_of, name_of, size};
use super::steps;
use k8s_openapi::api::apps::v1::ReplicaSet;
use std::sync::Arc;

impl Pass<'_> {
    /// Returns what every strategy reports.
    pub(super) fn base_status(&self) -> RolloutStatus {
        let old = &self.rollout.status;
        let mut new = self.new.clone();
        let set = self.sets.new_set();
        let hash = set.map_or(self.hash.as_str(), |set| hash_of(set));
        hash.clone_into(&mut new.current_pod_hash);
        new.replicas = self.sets.created();
        new.updated_replicas = set.map_or(0, |set| size(set).created);
        new.ready_replicas = self.sets.ready();
        new.collision_count = old.collision_count;
        new.conditions.clone_from(&old.conditions);
        conditions::remove(&mut new, conditions::INVALID_SPEC);
        new.stable_rs.clone_from(&old.stable_rs);
        new.promote_full = new.current_pod_hash != old.stable_rs && old.promote_full;
        new
    }

    /// Makes the status that of an update that begins anew.
    pub(super) fn reset_status(&mut self, new: &mut RolloutStatus) {
        self.pauses.clear();
        self.pauses.remove_abort();
        new.restarted_at.clone_from(&self.rollout.spec.restart_at);
        new.promote_full = false;
        new.blue_green.pre_promotion_analysis_run_status = None;
        new.blue_green.post_promotion_analysis_run_status = None;
        new.blue_green.scale_up_preview_check_point = false;
        new.canary.current_step_analysis_run_status = None;
        new.canary.current_background_analysis_run_status = None;
        new.current_step_index = (!self.rollout.steps().is_empty()).then_some(0);
    }

    /// Going back to a revision that is older than the stable one, and not too far.
    pub(super) fn is_rollback_within_window(&self) -> bool {
        let window = self.rollout.spec.rollback_window;
        let window = window.map_or(0, |window| window.revisions);
        let (Some(new), Some(stable)) = (self.sets.new_set(), self.sets.stable(&self.rollout))
        else {
            return false;
        };
        let (from, to) = (created(new), created(stable));
        if from >= to || window <= 0 {
            return false;
        }
        let between = self.sets.all.iter().filter(|set| {
            let age = created(set);
            from < age && age < to
        });
        between.count() < window as usize
    }

    /// Makes the present revision the stable one.
    pub(super) fn promote(&mut self, new: &mut RolloutStatus, reason: &str) {
        self.pauses.clear();
        self.pauses.remove_abort();
        new.promote_full = false;
        new.blue_green.scale_up_preview_check_point = false;
        if self.rollout.canary().is_some() {
            let count = self.rollout.steps().len() as i32;
            new.current_step_index = (count > 0).then_some(count);
        }
        if new.stable_rs == new.current_pod_hash {
            return;
        }
        new.stable_rs.clone_from(&new.current_pod_hash);
        let (revision, hash) = (self.rollout.revision(), &new.current_pod_hash);
        self.tell(
            "RolloutCompleted",
            format!("Rollout completed update to revision {revision} ({hash}): {reason}"),
        );
    }

    /// Sets the conditions of the new status.
    pub(super) fn set_conditions(&mut self, new: &mut RolloutStatus) {
        let old = &self.rollout.status;
        let paused = !old.pause_conditions.is_empty() || self.rollout.spec.paused;
        let healthy = conditions::is_healthy(&self.rollout, new);
        let mut became_unhealthy = false;
        if healthy && !paused {
            let saying = ("True", "RolloutHealthy", "Rollout is healthy".to_owned());
            conditions::set(new, HEALTHY, saying, self.now);
        } else if conditions::find(old, HEALTHY).is_some() {
            let message = "Rollout is not healthy".to_owned();
            let saying = ("False", "RolloutHealthy", message);
            became_unhealthy = conditions::set(new, HEALTHY, saying, self.now);
        }
        if self.is_aborted() {
            self.set_aborted(new);
        } else {
            self.set_progressing(new, healthy, became_unhealthy);
        }
        self.set_available(new);
        self.set_failure(new);
        self.set_completed(new);
    }

    fn set_aborted(&self, new: &mut RolloutStatus) {
        let mut message = format!(
            "Rollout aborted update to revision {}",
            self.rollout.revision()
        );
        if !self.pauses.abort_message().is_empty() {
            message = format!("{message}: {}", self.pauses.abort_message());
        }
        let saying = ("False", conditions::ABORTED, message.clone());
        if conditions::set(new, PROGRESSING, saying, self.now) {
            self.warn(conditions::ABORTED, message);
        }
    }

    fn set_progressing(&mut self, new: &mut RolloutStatus, healthy: bool, became_unhealthy: bool) {
        let set = self.sets.new_set().map(|set| name_of(set).to_owned());
        let about = |what: &str| match &set {
            Some(set) => format!("ReplicaSet \"{set}\" {what}"),
            None => format!("Rollout \"{}\" {what}", self.rollout.name()),
        };
        if healthy {
            let message = about("has successfully progressed.");
            let saying = ("True", conditions::NEW_SET_AVAILABLE, message);
            conditions::set(new, PROGRESSING, saying, self.now);
        } else if conditions::is_progressing(&self.rollout, new) || became_unhealthy {
            let saying = if became_unhealthy && conditions::is_completed(new) {
                let message = "Rollout does not have minimum availability".to_owned();
                ("True", "ReplicaSetNotAvailable", message)
            } else {
                ("True", "ReplicaSetUpdated", about("is progressing."))
            };
            conditions::put(new, PROGRESSING, saying, self.now);
        } else if !self.waits_on_purpose() && conditions::is_timed_out(&self.rollout, new, self.now)
        {
            let message = about("has timed out progressing.");
            let saying = ("False", conditions::TIMED_OUT, message.clone());
            conditions::set(new, PROGRESSING, saying, self.now);
            if self.rollout.spec.progress_deadline_abort {
                self.warn(conditions::ABORTED, message.clone());
                self.pauses.abort(message);
            }
        }
    }

    /// The current step may take any time.
    fn waits_on_purpose(&self) -> bool {
        steps::current(&self.rollout).is_some_and(|(_, step)| {
            step.experiment.is_some() || step.analysis.is_some() || step.pause.is_some()
        })
    }

    fn set_available(&self, new: &mut RolloutStatus) {
        let enough = if self.rollout.blue_green().is_some() {
            let active = self.sets.by_hash(&new.blue_green.active_selector);
            active.is_some_and(|active| self.is_saturated(active))
        } else {
            self.sets.available() >= self.rollout.replicas()
        };
        let (value, message) = if enough {
            ("True", "Rollout has minimum availability")
        } else {
            ("False", "Rollout does not have minimum availability")
        };
        let saying = (value, "AvailableReason", message.to_owned());
        conditions::set(new, AVAILABLE, saying, self.now);
    }

    fn set_failure(&self, new: &mut RolloutStatus) {
        let sets = self.sets.new_set().into_iter().chain(&self.sets.all);
        let mut failures = sets.filter_map(|set: &Arc<ReplicaSet>| {
            let conditions = set.status.as_ref()?.conditions.as_ref()?;
            conditions
                .iter()
                .find(|one| one.type_ == REPLICA_FAILURE)
                .cloned()
        });
        match failures.next() {
            Some(failure) => {
                let reason = failure.reason.unwrap_or_default();
                let message = failure.message.unwrap_or_default();
                let saying = (failure.status.as_str(), reason.as_str(), message);
                conditions::set(new, REPLICA_FAILURE, saying, self.now);
            }
            None => conditions::remove(new, REPLICA_FAILURE),
        }
    }

    fn set_completed(&self, new: &mut RolloutStatus) {
        let name = "RolloutCompleted";
        if conditions::is_completed(new) {
            let saying = ("True", name, name.to_owned());
            conditions::set(new, COMPLETED, saying, self.now);
            return;
        }
        let saying = ("False", name, name.to_owned());
        if conditions::set(new, COMPLETED, saying, self.now) {
            let (revision, hash) = (self.rollout.revision() + 1, &new.current_pod_hash);
            self.tell(
                "RolloutNotCompleted",
                format!("Rollout not completed, started update to revision {revision} ({hash})"),
            );
        }
    }

    /// Writes the status that a pass ends with.
    pub(super) async fn persist(&mut self, mut new: RolloutStatus) -> Outcome {
        self.pauses.settle(&self.rollout, &mut new, self.now);
        new.workload_observed_generation = match &self.rollout.spec.workload_ref {
            None => String::new(),
            Some(_) => self
                .rollout
                .metadata
                .annotations
                .as_ref()
                .and_then(|all| all.get(WORKLOAD_GENERATION).cloned())
                .unwrap_or_default(),
        };
        let generation = self.rollout.metadata.generation.unwrap_or_default();
        new.observed_generation = generation.to_string();
        let (phase, message) = conditions::phase(&self.rollout.spec, &new);
        phase.clone_into(&mut new.phase);
        new.message = message;
        let was_paused = !self.rollout.status.pause_conditions.is_empty();
        let pause = new.pause_conditions.first().map(|one| one.reason.clone());
        if !self.waits_on_purpose()
            && let Some(due) = conditions::deadline(&self.rollout, &new)
        {
            self.look_at(due);
        }
        let aborted = new.aborted_at.is_some();
        if !self.write_status(new).await? {
            return Ok(());
        }
        match pause {
            Some(reason) if !was_paused => {
                self.tell("RolloutPaused", format!("Rollout is paused ({reason})"));
            }
            None if was_paused && !aborted => self.tell("RolloutResumed", "Rollout is resumed"),
            Some(_) | None => {}
        }
        self.scale_workload().await
    }
}
