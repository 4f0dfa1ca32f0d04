//! A canary: new pods take over step by step.
//!
//! Follows Argo Rollouts' `rollout/canary.go`.

use super::model::{CANARY_PAUSE, RolloutStatus};
use super::pass::{Outcome, Pass};
use super::pauses::{end_of, is_canary_over};
use super::replica_sets::{hash_of, size};
use super::status_text;
use super::steps;

impl Pass<'_> {
    /// Works on a canary: at most one step is completed.
    pub(super) async fn canary(&mut self) -> Outcome {
        if self.is_new_update() {
            return self.sync_canary().await;
        }
        self.sync_revision(true).await?;
        self.restart_pods().await?;
        self.sync_metadata().await?;
        self.forget_old_sets().await?;
        self.sync_canary_services().await?;
        self.route_traffic().await?;
        self.sync_experiments().await?;
        self.sync_runs().await?;
        if self.pauses.has_added() {
            return self.sync_canary().await;
        }
        if !self.scale_canary().await? {
            self.pause_canary();
        }
        self.sync_canary().await
    }

    /// The template or the steps are not those that the status speaks of.
    pub(super) fn is_new_update(&self) -> bool {
        let status = &self.rollout.status;
        self.rollout.canary().is_some() && status.current_step_hash != steps::hash(&self.rollout)
            || self.is_new_template()
    }

    /// The template is not the one that the status speaks of.
    pub(super) fn is_new_template(&self) -> bool {
        let known = &self.rollout.status.current_pod_hash;
        !known.is_empty() && *known != self.hash
    }

    /// Moves the sizes of all sets towards what the step asks for; true when one changed.
    pub(super) async fn scale_canary(&mut self) -> Outcome<bool> {
        if self.is_halted() {
            return Ok(false);
        }
        self.remove_deadlines().await?;
        if let Some(stable) = self.sets.other_stable(&self.rollout).cloned() {
            let wanted = if self.rollout.traffic_routing().is_some() {
                // The weights of the last pass: stable may shrink only after its traffic went.
                let weights = self.rollout.status.canary.weights.as_ref();
                steps::routed(&self.rollout, weights).goal().1
            } else {
                self.basic_counts().1
            };
            if self.scale(&stable, wanted).await? {
                return Ok(true);
            }
        }
        if self.scale_new().await? {
            return Ok(true);
        }
        self.shrink_others().await
    }

    fn pause_canary(&mut self) {
        let status = &self.rollout.status;
        if self.rollout.spec.paused || status.promote_full {
            return;
        }
        let Some(pause) = steps::current(&self.rollout).and_then(|(_, step)| step.pause.as_ref())
        else {
            return;
        };
        match status.pause(CANARY_PAUSE) {
            // Without a condition but with the mark, somebody has just resumed.
            None if !status.controller_pause => self.pauses.add(CANARY_PAUSE),
            None => {}
            Some(known) => {
                if let Some(seconds) = steps::pause_seconds(pause) {
                    let end = end_of(known, seconds);
                    self.look_at(end);
                }
            }
        }
    }

    /// The sets are as the step asks for.
    pub(super) fn is_at_desired_counts(&self, routed: bool) -> bool {
        let Some(new) = self.sets.new_set().map(|set| size(set)) else {
            return false;
        };
        let stable = self.sets.stable(&self.rollout).map(|set| size(set));
        let has_router = self.rollout.traffic_routing().is_some();
        let (canary_goal, stable_goal) = if has_router {
            let weights = self.new.canary.weights.as_ref().filter(|_| routed);
            steps::routed(&self.rollout, weights).goal()
        } else {
            self.basic_counts()
        };
        if new.wanted != canary_goal || !self.is_enough(new.available, canary_goal) {
            return false;
        }
        let dynamic = self
            .rollout
            .canary()
            .is_some_and(|canary| canary.dynamic_stable_scale);
        let stable_there =
            stable.is_some_and(|one| one.wanted == stable_goal && one.created == stable_goal);
        let stable_counts = !(has_router && dynamic);
        if stable_counts && !stable_there {
            return false;
        }
        let others = self.sets.others(&self.rollout);
        has_router || others.iter().all(|set| size(set).available == 0)
    }

    /// So many available pods are enough to go on.
    fn is_enough(&self, available: i32, wanted: i32) -> bool {
        let threshold = self
            .rollout
            .canary()
            .and_then(|canary| canary.replica_progress_threshold.as_ref());
        match threshold {
            None => available == wanted,
            Some(one) if one.kind == "Percent" => available * 100 >= one.value * wanted,
            Some(one) => available >= one.value.min(wanted),
        }
    }

    fn is_step_completed(&mut self) -> bool {
        if self.rollout.spec.paused {
            return false;
        }
        let Some((_, step)) = steps::current(&self.rollout) else {
            return false;
        };
        if let Some(pause) = &step.pause {
            return is_canary_over(&self.rollout, pause, self.now);
        }
        if step.set_canary_scale.is_some() || step.set_weight.is_some() {
            let weights = self.new.canary.weights.as_ref();
            let unverified = weights.is_some_and(|weights| weights.verified == Some(false));
            return self.is_at_desired_counts(true) && !(step.set_weight.is_some() && unverified);
        }
        if step.experiment.is_some() {
            return self.experiment_succeeded();
        }
        if step.analysis.is_some() {
            let run = self.runs.step.as_ref();
            return run.is_some_and(|run| run.status.phase == "Successful");
        }
        step.set_header_route.is_some() || step.set_mirror_route.is_some()
    }

    /// Ends a pass over a canary.
    async fn sync_canary(&mut self) -> Outcome {
        let mut new = self.canary_status();
        if self.is_new_update() {
            self.begin_canary(&mut new);
            self.set_conditions(&mut new);
            return self.persist(new).await;
        }
        let count = self.rollout.steps().len();
        let mut index = steps::current_index(&self.rollout);
        if self.rollout.status.promote_full || self.is_rollback_within_window() {
            self.pauses.clear();
            self.pauses.remove_abort();
            index = (count > 0).then_some(count);
        }
        if let Some(reason) = self.reason_to_promote() {
            self.promote(&mut new, &reason);
            self.set_conditions(&mut new);
            return self.persist(new).await;
        }
        self.refuse_plugin_step();
        if self.is_aborted() {
            let end = if new.stable_rs == new.current_pod_hash {
                count
            } else {
                0
            };
            new.current_step_index = (count > 0).then_some(end as i32);
            self.set_conditions(&mut new);
            return self.persist(new).await;
        }
        if self.is_step_completed()
            && let Some((at, step)) = steps::current(&self.rollout)
        {
            let text = steps::text(step);
            index = Some(at + 1);
            new.canary.current_step_analysis_run_status = None;
            self.tell(
                "RolloutStepCompleted",
                status_text::step_completed(at + 1, count, &text),
            );
            self.pauses.remove(CANARY_PAUSE);
        }
        new.current_step_index = index.map(|index| index as i32);
        self.set_conditions(&mut new);
        self.persist(new).await
    }

    fn canary_status(&self) -> RolloutStatus {
        let mut new = self.base_status();
        new.available_replicas = self.sets.available();
        new.hpa_replicas = self.sets.created();
        new.selector = status_text::selector(self.rollout.spec.selector.as_ref());
        new.canary
            .stable_ping_pong
            .clone_from(&self.rollout.status.canary.stable_ping_pong);
        new.current_step_hash = steps::hash(&self.rollout);
        new
    }

    fn begin_canary(&mut self, new: &mut RolloutStatus) {
        self.reset_status(new);
        let count = self.rollout.steps().len() as i32;
        let Some(set) = self.sets.new_set().filter(|_| count > 0) else {
            return;
        };
        if hash_of(set) == self.rollout.status.stable_rs {
            self.tell("SkipSteps", "Rollback to stable ReplicaSets");
        } else if self.is_rollback_within_window() && size(set).wanted > 0 {
            let message = "Rollback to active ReplicaSets within RollbackWindow";
            self.tell("SkipSteps", message);
        } else {
            return;
        }
        new.current_step_index = Some(count);
    }

    /// Returns why the present revision becomes the stable one now.
    fn reason_to_promote(&self) -> Option<String> {
        if self.sets.stable(&self.rollout).is_none() {
            return Some("Initial deploy".to_owned());
        }
        if self.is_aborted() {
            return None;
        }
        let wanted = self.rollout.replicas();
        let new = self.sets.new_set().map(|set| size(set))?;
        if new.available < wanted && !self.is_enough(new.available, wanted) {
            return None;
        }
        if self.rollout.status.promote_full {
            return Some("Full promotion requested".to_owned());
        }
        if self.is_rollback_within_window() {
            return Some("Rollback within window".to_owned());
        }
        let count = self.rollout.steps().len();
        let done = steps::current_index(&self.rollout).is_none_or(|index| index >= count);
        done.then(|| format!("Completed all {count} canary steps"))
    }

    /// Aborts at a step that only a plugin could do.
    fn refuse_plugin_step(&mut self) {
        let plugin = steps::current(&self.rollout).and_then(|(_, step)| step.plugin.as_ref());
        if let Some(plugin) = plugin.filter(|_| !self.is_aborted()) {
            let name = &plugin.name;
            let message =
                format!("Step plugin \"{name}\" is not simulated: no step plugins run here");
            self.pauses.abort(message);
        }
    }
}
