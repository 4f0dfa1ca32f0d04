//! One look at a Rollout: what is known, what was decided, and what was written so far.
//!
//! Follows Argo Rollouts' `rollout/context.go` and `rollout/controller.go`.

use super::Rollouts;
use super::conditions::{self, INVALID_SPEC, PROGRESSING};
use super::model::{HASH_LABEL, Rollout, RolloutStatus};
use super::pauses::Pauses;
use super::replica_sets::{Sets, deadline_of};
use super::run::Run;
use super::{model, references, validation, workload};
use crate::domain::clock::Clock;
use crate::sim::apiserver::schema::{FieldError, core_types};
use crate::sim::controllers::ownership::claim;
use crate::sim::controllers::runtime::{Informer, ObjectKey, ReconcileError};
use crate::sim::events::About;
use crate::sim::rng::{fnv32a, safe_encode};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::json;
use std::sync::Arc;

pub(super) type Outcome<T = ()> = Result<T, ReconcileError>;

/// After how many seconds an invalid Rollout is looked at again: what it names may have come.
const RECHECK: i64 = 20;

/// The analyses that the status names.
#[derive(Debug, Default)]
pub(super) struct CurrentRuns {
    pub(super) step: Option<Arc<Run>>,
    pub(super) background: Option<Arc<Run>>,
    pub(super) before: Option<Arc<Run>>,
    pub(super) after: Option<Arc<Run>>,
}

impl CurrentRuns {
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Run>> {
        [&self.step, &self.background, &self.before, &self.after]
            .into_iter()
            .flatten()
    }
}

/// One look at a Rollout.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    pub(super) controller: &'a Rollouts,
    /// The Rollout as it is stored.
    pub(super) stored: Arc<Rollout>,
    /// The same with the template and selector of its workload.
    pub(super) rollout: Rollout,
    pub(super) template: PodTemplateSpec,
    /// The letters that name the present template.
    pub(super) hash: String,
    pub(super) sets: Sets,
    pub(super) runs: CurrentRuns,
    pub(super) other_runs: Vec<Arc<Run>>,
    pub(super) experiment: Option<Arc<Run>>,
    pub(super) other_experiments: Vec<Arc<Run>>,
    /// The present revision was about to be scaled down: somebody goes back to it in time.
    pub(super) returns_in_time: bool,
    /// What the status is going to be, as far as it is known.
    pub(super) new: RolloutStatus,
    pub(super) pauses: Pauses,
    pub(super) now: DateTime<Utc>,
    /// When to look again.
    pub(super) due: Option<DateTime<Utc>>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(controller: &'a Rollouts, stored: Arc<Rollout>) -> Self {
        Self {
            controller,
            rollout: (*stored).clone(),
            template: PodTemplateSpec::default(),
            hash: String::new(),
            sets: Sets::default(),
            runs: CurrentRuns::default(),
            other_runs: Vec::new(),
            experiment: None,
            other_experiments: Vec::new(),
            returns_in_time: false,
            new: RolloutStatus::default(),
            pauses: Pauses::default(),
            now: controller.clock.now(),
            due: None,
            stored,
        }
    }

    /// Brings the world one step closer to what the Rollout asks for.
    pub(super) async fn run(&mut self) -> Outcome {
        if let Err(problem) = self.resolve().await? {
            return self.report_invalid(&problem).await;
        }
        if self.stored.spec.replicas.is_none() {
            return self.default_replicas().await;
        }
        if let Err(problem) = self.check().await? {
            self.look_at(self.now + TimeDelta::seconds(RECHECK));
            return self.report_invalid(&problem).await;
        }
        self.look_around().await?;
        self.note_pauses().await?;
        self.sync_revision(false).await?;
        if self.is_scaled() {
            return self.only_scale().await;
        }
        if self.rollout.blue_green().is_some() {
            self.blue_green().await
        } else {
            self.canary().await
        }
    }

    /// Takes the template of the workload, if there is one, and reads it.
    async fn resolve(&mut self) -> Outcome<Result<(), String>> {
        if let Err(problem) = workload::resolve(self.controller.client(), &mut self.rollout).await?
        {
            return Ok(Err(problem));
        }
        let template = self.rollout.spec.template.clone().unwrap_or_default();
        match serde_json::from_value(template) {
            Ok(template) => self.template = template,
            Err(problem) => {
                let value = serde_json::Value::Null;
                let error = FieldError::invalid("spec.template", &value, problem);
                return Ok(Err(error.to_string()));
            }
        }
        self.hash = template_hash(&self.template, self.rollout.status.collision_count);
        Ok(Ok(()))
    }

    /// An autoscaler cannot work with a number that is not there.
    async fn default_replicas(&mut self) -> Outcome {
        let mut changed = (*self.stored).clone();
        changed.spec.replicas = Some(1);
        let rollouts = &self.controller.rollouts;
        rollouts.update(&*self.stored, &changed).await.map(|_| ())
    }

    async fn check(&self) -> Outcome<Result<(), String>> {
        if let Err(error) = validation::check(&self.rollout, &self.template) {
            return Ok(Err(error.to_string()));
        }
        references::check(self).await
    }

    async fn report_invalid(&mut self, problem: &str) -> Outcome {
        let name = self.rollout.name();
        let message = format!("The Rollout \"{name}\" is invalid: {problem}");
        let mut new = self.rollout.status.clone();
        let known = conditions::find(&new, INVALID_SPEC);
        if known.is_none_or(|one| one.message != message) {
            let saying = ("True", "InvalidSpec", message);
            conditions::put(&mut new, INVALID_SPEC, saying, self.now);
        }
        self.write_conditions(new).await
    }

    /// Finds the ReplicaSets, AnalysisRuns and Experiments of the Rollout.
    async fn look_around(&mut self) -> Outcome {
        let controller = self.controller;
        let selector = self.rollout.spec.selector.clone().unwrap_or_default();
        let sets = claim(&self.rollout, &selector, &controller.sets).await?;
        self.sets = Sets::new(sets, &self.hash);
        let new = self.sets.new_set();
        // An aborted revision is about to be scaled down as well, but was never good.
        self.returns_in_time = self.rollout.status.aborted_at.is_none()
            && new.is_some_and(|set| deadline_of(set).is_some());
        let status = &self.rollout.status;
        let (canary, blue_green) = (&status.canary, &status.blue_green);
        let name = |run: &Option<model::RunStatus>| run.as_ref().map(|run| run.name.clone());
        let names = [
            name(&canary.current_step_analysis_run_status),
            name(&canary.current_background_analysis_run_status),
            name(&blue_green.pre_promotion_analysis_run_status),
            name(&blue_green.post_promotion_analysis_run_status),
        ];
        let current = canary.current_experiment.clone();
        let mut runs = self.owned(controller.runs.informer());
        let [step, background, before, after] = names.map(|name| take(&mut runs, name.as_deref()));
        self.runs = CurrentRuns {
            step,
            background,
            before,
            after,
        };
        self.other_runs = runs;
        let mut experiments = self.owned(controller.experiments.informer());
        self.experiment = take(&mut experiments, Some(&current));
        self.other_experiments = experiments;
        self.new = RolloutStatus {
            restarted_at: self.rollout.status.restarted_at.clone(),
            ..RolloutStatus::default()
        };
        let weights = &self.rollout.status.canary.weights;
        self.new.canary.weights.clone_from(weights);
        if self.rollout.is_fully_promoted() && self.is_aborted() {
            self.pauses.remove_abort();
        }
        Ok(())
    }

    fn owned(&self, informer: &Informer<Run>) -> Vec<Arc<Run>> {
        let uid = self.rollout.metadata.uid.as_deref().unwrap_or_default();
        let mut owned = informer.owned_by(uid);
        owned.retain(|run| run.is_of(uid));
        owned
    }

    /// Notes in the conditions that somebody has paused, resumed or retried.
    async fn note_pauses(&mut self) -> Outcome {
        let status = &self.rollout.status;
        let paused = !status.pause_conditions.is_empty() || self.rollout.spec.paused;
        let reason = conditions::find(status, PROGRESSING).map(|one| one.reason.clone());
        let reason = reason.unwrap_or_default();
        let aborted = reason == conditions::ABORTED;
        let mut new = status.clone();
        conditions::remove(&mut new, INVALID_SPEC);
        if !aborted && paused != (reason == conditions::ROLLOUT_PAUSED) {
            let saying = if paused {
                ("Unknown", conditions::ROLLOUT_PAUSED, "Rollout is paused")
            } else {
                ("Unknown", "RolloutResumed", "Rollout is resumed")
            };
            let saying = (saying.0, saying.1, saying.2.to_owned());
            conditions::set(&mut new, PROGRESSING, saying, self.now);
        }
        if aborted && !status.abort {
            let message = "Retrying Rollout after abort".to_owned();
            let saying = ("Unknown", "RolloutRetry", message);
            conditions::set(&mut new, PROGRESSING, saying, self.now);
        }
        let noted = conditions::find(status, conditions::PAUSED)
            .is_some_and(|condition| condition.status == "True");
        if paused != noted && !aborted {
            let value = if paused { "True" } else { "False" };
            let message = "Rollout is paused".to_owned();
            let saying = (value, conditions::ROLLOUT_PAUSED, message);
            conditions::set(&mut new, conditions::PAUSED, saying, self.now);
        }
        if new.conditions == status.conditions {
            return Ok(());
        }
        self.write_conditions(new).await
    }

    /// Writes a status of which only the conditions changed.
    pub(super) async fn write_conditions(&mut self, mut new: RolloutStatus) -> Outcome {
        let generation = self.rollout.metadata.generation.unwrap_or_default();
        new.observed_generation = generation.to_string();
        let (phase, message) = conditions::phase(&self.rollout.spec, &new);
        phase.clone_into(&mut new.phase);
        new.message = message;
        self.write_status(new).await.map(|_| ())
    }

    /// Writes the status; true when it changed.
    pub(super) async fn write_status(&mut self, new: RolloutStatus) -> Outcome<bool> {
        let old = &self.rollout.status;
        let rollouts = &self.controller.rollouts;
        let written = rollouts.update_status(&*self.stored, old, &new).await?;
        let changed = written.is_some();
        if let Some(written) = written {
            self.stored = written;
        }
        self.rollout.status = new;
        Ok(changed)
    }

    /// Asks to look again at a time, if nothing happens earlier.
    pub(super) fn look_at(&mut self, due: DateTime<Utc>) {
        if due > self.now {
            self.due = Some(self.due.map_or(due, |known| known.min(due)));
        }
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.pauses.is_aborted(&self.rollout)
    }

    /// Nothing may move: somebody has paused the Rollout, or an analysis was inconclusive.
    pub(super) fn is_halted(&self) -> bool {
        let status = &self.rollout.status;
        self.rollout.spec.paused || status.pause(model::INCONCLUSIVE_ANALYSIS).is_some()
    }

    pub(super) fn key(&self, name: &str) -> ObjectKey {
        ObjectKey::new(self.rollout.namespace(), name)
    }

    /// Records that something happened to the Rollout.
    pub(super) fn tell(&self, reason: &str, message: impl Into<String>) {
        let about = About::object(&*self.stored);
        self.controller.recorder.normal(about, reason, message);
    }

    /// Records that something went wrong with the Rollout.
    pub(super) fn warn(&self, reason: &str, message: impl Into<String>) {
        let about = About::object(&*self.stored);
        self.controller.recorder.warning(about, reason, message);
    }
}

fn take(runs: &mut Vec<Arc<Run>>, name: Option<&str>) -> Option<Arc<Run>> {
    let name = name.filter(|name| !name.is_empty())?;
    let index = runs.iter().position(|run| run.name() == name)?;
    Some(runs.remove(index))
}

/// Returns the letters that name a template among those of its Rollout.
///
/// Defaults are filled in first: a template taken back from a ReplicaSet, as an undo does, has them
/// and is still the same one.
fn template_hash(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    let mut template = template.clone();
    if let Some(meta) = &mut template.metadata {
        meta.creation_timestamp = None;
        if let Some(labels) = &mut meta.labels {
            labels.remove(HASH_LABEL);
        }
    }
    if let Some(spec) = &mut template.spec {
        spec.service_account = None;
    }
    let mut set =
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"template": template}});
    if let Some(kind) = core_types().find("apps", "v1", "ReplicaSet") {
        kind.schema().default(&mut set);
    }
    let mut bytes = set["spec"]["template"].to_string().into_bytes();
    if let Some(collisions) = collisions {
        bytes.extend(collisions.to_le_bytes());
    }
    safe_encode(&fnv32a(&bytes).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_with_its_defaults_written_out_is_the_same() {
        let short: PodTemplateSpec = serde_json::from_value(json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        }))
        .expect("a template");
        let long: PodTemplateSpec = serde_json::from_value(json!({
            "metadata": {"creationTimestamp": null, "labels": {"app": "web", HASH_LABEL: "abc"}},
            "spec": {
                "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "securityContext": {},
                "schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30,
                "containers": [{
                    "name": "web", "image": "web:1", "imagePullPolicy": "IfNotPresent", "resources": {},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                }],
            },
        }))
        .expect("a template");

        assert_eq!(template_hash(&short, None), template_hash(&long, None));
        assert_ne!(template_hash(&short, None), template_hash(&short, Some(1)));
    }
}
