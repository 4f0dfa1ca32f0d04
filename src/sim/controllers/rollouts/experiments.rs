//! The Experiments of a canary: made at their step, and reacted on by their phase.
//!
//! Follows Argo Rollouts' `rollout/experiment.go`.

use super::analysis::cancel;
use super::model::{
    Destination, ExperimentStep, ExperimentTemplate, HASH_LABEL, INCONCLUSIVE_ANALYSIS,
    INCONCLUSIVE_EXPERIMENT, REVISION,
};
use super::pass::{Outcome, Pass};
use super::run::Run;
use super::steps;
use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::runtime::ReconcileError;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};
use std::sync::Arc;

impl Pass<'_> {
    /// The experiment of the current step has succeeded.
    pub(super) fn experiment_succeeded(&self) -> bool {
        let experiment = self.experiment.as_ref();
        experiment.is_some_and(|one| one.status.phase == "Successful")
    }

    /// Starts, ends and follows the experiment of the current step.
    pub(super) async fn sync_experiments(&mut self) -> Outcome {
        if self.is_aborted() || self.rollout.status.promote_full {
            let known = self.other_experiments.iter().chain(&self.experiment);
            let known: Vec<_> = known.cloned().collect();
            return cancel(&self.controller.experiments, &known).await;
        }
        if self.rollout.status.pause(INCONCLUSIVE_ANALYSIS).is_some() {
            return Ok(());
        }
        let step = steps::current(&self.rollout)
            .and_then(|(index, step)| Some((index, step.experiment.clone()?)));
        if let Some((index, step)) = step {
            self.follow_experiment(index, &step).await?;
        } else if let Some(known) = self.experiment.take() {
            self.other_experiments.push(known);
        }
        let others = self.other_experiments.clone();
        cancel(&self.controller.experiments, &others).await?;
        self.forget_runs(&others, &self.controller.experiments)
            .await
    }

    async fn follow_experiment(&mut self, index: usize, step: &ExperimentStep) -> Outcome {
        let base = format!(
            "{}-{}-{}-{index}",
            self.rollout.name(),
            self.hash,
            self.rollout.revision()
        );
        let known = self.experiment.take();
        let known = match known {
            Some(known) if is_of(known.name(), &base) => Some(known),
            Some(other) => {
                self.other_experiments.push(other);
                None
            }
            None => None,
        };
        let experiment = match known {
            Some(known) => known,
            // Without a stable revision there is nothing to compare with.
            None if self.sets.stable(&self.rollout).is_none() => return Ok(()),
            None => self.start_experiment(&base, step).await?,
        };
        self.other_experiments
            .retain(|other| other.name() != experiment.name());
        match experiment.status.phase.as_str() {
            "Inconclusive" => self.pauses.add(INCONCLUSIVE_EXPERIMENT),
            "Error" | "Failed" => self.pauses.abort(experiment.status.message.clone()),
            _ => {}
        }
        if experiment.status.phase != "Successful" {
            experiment
                .name()
                .clone_into(&mut self.new.canary.current_experiment);
        }
        self.experiment = Some(experiment);
        Ok(())
    }

    async fn start_experiment(&self, base: &str, step: &ExperimentStep) -> Outcome<Arc<Run>> {
        let spec = self.experiment_spec(step)?;
        let mut labels = self.rollout.metadata.labels.clone().unwrap_or_default();
        labels.insert(HASH_LABEL.to_owned(), self.hash.clone());
        let revision = self.rollout.revision().to_string();
        let mut collisions = 0;
        loop {
            let name = match collisions {
                0 => base.to_owned(),
                count => format!("{base}-{count}"),
            };
            let experiment = Run {
                api_version: "argoproj.io/v1alpha1".to_owned(),
                kind: "Experiment".to_owned(),
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    namespace: self.rollout.metadata.namespace.clone(),
                    labels: Some(labels.clone()),
                    annotations: Some([(REVISION.to_owned(), revision.clone())].into()),
                    owner_references: Some(vec![reference_to(&self.rollout)]),
                    ..ObjectMeta::default()
                },
                spec: spec.clone(),
                ..Run::default()
            };
            match self.controller.experiments.create(&experiment).await {
                Ok(made) => {
                    let message = format!("Created Experiment '{}'", made.name());
                    self.tell("ExperimentCreated", message);
                    return Ok(made);
                }
                Err(error) if error.reason() == "AlreadyExists" => {
                    let informer = self.controller.experiments.informer();
                    let taken = informer.get(&self.key(&name));
                    let uid = self.rollout.metadata.uid.as_deref().unwrap_or_default();
                    if let Some(taken) = taken.filter(|one| !one.is_finished() && one.is_of(uid)) {
                        return Ok(taken);
                    }
                    collisions += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn experiment_spec(&self, step: &ExperimentStep) -> Outcome<Value> {
        let mut spec = Map::new();
        if let Some(duration) = &step.duration {
            spec.insert("duration".to_owned(), json!(duration));
        }
        if let Some(seconds) = self.rollout.spec.progress_deadline_seconds {
            spec.insert("progressDeadlineSeconds".to_owned(), json!(seconds));
        }
        if !step.dry_run.is_empty() {
            spec.insert("dryRun".to_owned(), json!(step.dry_run));
        }
        let own = &step.analysis_run_metadata;
        if !(own.labels.is_empty() && own.annotations.is_empty()) {
            spec.insert("analysisRunMetadata".to_owned(), json!(own));
        }
        let templates: Outcome<Vec<Value>> = step
            .templates
            .iter()
            .map(|template| self.experiment_template(template))
            .collect();
        spec.insert("templates".to_owned(), Value::Array(templates?));
        let mut analyses = Vec::new();
        for one in &step.analyses {
            let given = json!(one.args);
            let given = given.as_array().map_or(&[][..], Vec::as_slice);
            let args = self.settled_args(given).map_err(ReconcileError::Other)?;
            let mut analysis = json!(one);
            analysis["args"] = Value::Array(args);
            analyses.push(analysis);
        }
        if !analyses.is_empty() {
            spec.insert("analyses".to_owned(), Value::Array(analyses));
        }
        Ok(Value::Object(spec))
    }

    fn experiment_template(&self, template: &ExperimentTemplate) -> Outcome<Value> {
        let set = match template.spec_ref.as_str() {
            "canary" => self.sets.new_set(),
            "stable" => self.sets.stable(&self.rollout),
            _ => {
                let problem = "Invalid template step SpecRef: must be canary or stable";
                return Err(ReconcileError::Other(problem.to_owned()));
            }
        };
        let spec = set.and_then(|set| set.spec.as_ref());
        let Some(spec) = spec else {
            let problem = format!("there is no {} ReplicaSet yet", template.spec_ref);
            return Err(ReconcileError::Other(problem));
        };
        let mut pods = spec.template.clone().unwrap_or_default();
        let mut selector = template
            .selector
            .clone()
            .unwrap_or_else(|| spec.selector.clone());
        let meta = pods.metadata.get_or_insert_default();
        for (name, value) in &template.metadata.labels {
            let labels = meta.labels.get_or_insert_default();
            labels.insert(name.clone(), value.clone());
            let selected = selector.match_labels.get_or_insert_default();
            selected.insert(name.clone(), value.clone());
        }
        for (name, value) in &template.metadata.annotations {
            let annotations = meta.annotations.get_or_insert_default();
            annotations.insert(name.clone(), value.clone());
        }
        let mut made = json!({"name": template.name, "template": pods, "selector": selector});
        if let Some(replicas) = template.replicas {
            made["replicas"] = json!(replicas);
        }
        if let Some(seconds) = spec.min_ready_seconds {
            made["minReadySeconds"] = json!(seconds);
        }
        if template.weight.is_some() || template.service.is_some() {
            made["service"] = json!(template.service.clone().unwrap_or_default());
        }
        Ok(made)
    }

    /// Returns the traffic that goes to the pods of a running experiment.
    pub(super) fn experiment_weights(&self) -> Vec<Destination> {
        let step = steps::current(&self.rollout).and_then(|(_, step)| step.experiment.as_ref());
        let running = self
            .experiment
            .as_ref()
            .filter(|one| one.status.phase == "Running");
        let (Some(step), Some(running)) = (step, running) else {
            return Vec::new();
        };
        let weight_of = |name: &str| {
            let template = step.templates.iter().find(|one| one.name == name);
            template.and_then(|template| template.weight)
        };
        let states = running.status.template_statuses.iter();
        states
            .filter_map(|state| {
                Some(Destination {
                    weight: weight_of(&state.name)?,
                    service_name: state.service_name.clone(),
                    pod_template_hash: state.pod_template_hash.clone(),
                })
            })
            .collect()
    }
}

/// An experiment's name is the base, or the base with a number behind it.
fn is_of(name: &str, base: &str) -> bool {
    name.strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
