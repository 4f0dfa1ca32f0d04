//! Experiments: runs ReplicaSets beside each other for a time, measures them, and takes them away.
//!
//! Follows Argo Rollouts' `experiments/`. The pods of an experiment that is over stay for
//! `scaleDownDelaySeconds`; the objects themselves stay until the experiment is deleted.

mod assessment;
pub mod model;
mod runs;
mod sets;

use super::analysis::model::AnalysisRun;
use super::ownership::{controller_of, owner_keys};
use super::runtime::time::api_time;
use super::runtime::{
    Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer, merge_patch,
};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Service;
use kube::Client;
use kube::api::DeleteParams;
use model::{Experiment, ExperimentStatus, TemplatePhase, TemplateSpec, TemplateStatus};
use serde_json::json;
use std::sync::Arc;

const MANAGER: &str = "rollouts-controller";
const SCALE_DOWN_DELAY: i32 = 30;

/// The Experiment controller.
pub struct Experiments {
    experiments: Writer<Experiment>,
    sets: Writer<ReplicaSet>,
    services: Writer<Service>,
    runs: Writer<AnalysisRun>,
    client: Client,
    recorder: Recorder,
    clock: PlatformClock,
}

impl Experiments {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let experiments = runtime.informer::<Experiment>();
        let sets = runtime.informer::<ReplicaSet>();
        let services = runtime.informer::<Service>();
        let runs = runtime.informer::<AnalysisRun>();
        let queue = runtime.queue();
        experiments.feed(&queue, |change| [change.key()]);
        sets.feed(&queue, |change| owner_keys(change, "Experiment"));
        runs.feed(&queue, |change| owner_keys(change, "Experiment"));
        services.required_by(&queue);
        let controller = Self {
            experiments: experiments.writer(MANAGER),
            sets: sets.writer(MANAGER),
            services: services.writer(MANAGER),
            runs: runs.writer(MANAGER),
            client: runtime.client().clone(),
            recorder: events.recorder(MANAGER),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    fn tell(&self, experiment: &Experiment, bad: bool, reason: &str, message: String) {
        let about = About::object(experiment);
        if bad {
            self.recorder.warning(about, reason, message);
        } else {
            self.recorder.normal(about, reason, message);
        }
    }

    /// Returns the ReplicaSet of a template.
    fn set(&self, experiment: &Experiment, template: &str) -> Option<Arc<ReplicaSet>> {
        let uid = experiment.metadata.uid.as_deref().unwrap_or_default();
        let mut owned = self.sets.informer().owned_by(uid).into_iter();
        owned.find(|set| {
            let owner = controller_of(&set.metadata);
            owner.is_some_and(|owner| owner.uid == uid) && sets::is_of(&set.metadata, template)
        })
    }

    /// Makes, scales and counts the pods of one template; returns when pods that stay are to go.
    async fn arrange(
        &self,
        experiment: &Experiment,
        template: &TemplateSpec,
        new: &mut ExperimentStatus,
    ) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        let before = experiment.status.template(&template.name).cloned();
        let before = before.unwrap_or_else(|| TemplateStatus {
            name: template.name.clone(),
            ..TemplateStatus::default()
        });
        let mut status = before.clone();
        let wanted = assessment::wanted(experiment, template);
        let now = self.clock.now();
        let mut due = None;
        let set = match self.set(experiment, &template.name) {
            Some(set) => {
                due = self
                    .scale(experiment, template, (&set, wanted), &mut status)
                    .await?;
                self.serve(experiment, template, (&set, wanted), &mut status)
                    .await?;
                self.set(experiment, &template.name)
            }
            None => self.create(experiment, template, &mut status).await?,
        };
        let counted = set
            .as_ref()
            .and_then(|set| set.status.clone())
            .unwrap_or_default();
        status.replicas = counted.replicas;
        status.updated_replicas = counted.replicas;
        status.ready_replicas = counted.ready_replicas.unwrap_or(0);
        status.available_replicas = counted.available_replicas.unwrap_or(0);
        let counts =
            |one: &TemplateStatus| (one.replicas, one.ready_replicas, one.available_replicas);
        if counts(&before) != counts(&status) {
            status.last_transition_time = Some(api_time(now));
        }
        assessment::settle(experiment, &mut status, wanted, now);
        if status.status != before.status {
            let (from, to) = (before.status.word(), status.status.word());
            let mut message = format!(
                "Template '{}' transitioned from {from} -> {to}",
                template.name
            );
            if !status.message.is_empty() {
                message = format!("{message}: {}", status.message);
            }
            self.tell(
                experiment,
                status.status.is_bad(),
                &format!("Template{to}"),
                message,
            );
        }
        new.set_template(status);
        Ok(due)
    }

    /// Makes the ReplicaSet of a template; why that cannot be goes into its status.
    async fn create(
        &self,
        experiment: &Experiment,
        template: &TemplateSpec,
        status: &mut TemplateStatus,
    ) -> Result<Option<Arc<ReplicaSet>>, ReconcileError> {
        if status.status.has_ended() {
            return Ok(None);
        }
        let outcome = match sets::set_of(experiment, template) {
            Ok(set) => self
                .sets
                .create(&set)
                .await
                .map_err(|error| match error.code() {
                    None => Err(error),
                    Some(_) => Ok(error.message()),
                }),
            Err(why) => Err(Ok(why)),
        };
        match outcome {
            Ok(set) => {
                status.last_transition_time = Some(api_time(self.clock.now()));
                Ok(Some(set))
            }
            Err(Err(error)) => Err(error),
            Err(Ok(why)) => {
                status.status = TemplatePhase::Error;
                status.message = format!(
                    "Failed to create ReplicaSet for template '{}': {why}",
                    template.name
                );
                Ok(None)
            }
        }
    }

    /// Brings a set to its size; pods that are not wanted any more stay for a while.
    async fn scale(
        &self,
        experiment: &Experiment,
        template: &TemplateSpec,
        (set, wanted): (&Arc<ReplicaSet>, i32),
        status: &mut TemplateStatus,
    ) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        let size = set
            .spec
            .as_ref()
            .and_then(|spec| spec.replicas)
            .unwrap_or(1);
        if size == wanted {
            return Ok(None);
        }
        let (key, now) = (ObjectKey::of(&**set), self.clock.now());
        let delay = experiment
            .spec
            .scale_down_delay_seconds
            .unwrap_or(SCALE_DOWN_DELAY);
        if wanted == 0 && delay > 0 {
            let annotations = set.metadata.annotations.as_ref();
            let deadline = annotations
                .and_then(|all| all.get(sets::SCALE_DOWN_DEADLINE))
                .and_then(|text| DateTime::parse_from_rfc3339(text).ok());
            let deadline = match deadline {
                Some(deadline) => deadline.to_utc(),
                None => {
                    let deadline = now + TimeDelta::seconds(i64::from(delay));
                    let text = deadline.to_rfc3339_opts(SecondsFormat::Secs, true);
                    let patch =
                        json!({"metadata": {"annotations": {sets::SCALE_DOWN_DEADLINE: text}}});
                    self.sets.patch(&key, &patch).await?;
                    deadline
                }
            };
            if deadline > now {
                return Ok(Some(deadline));
            }
        }
        self.sets
            .patch(&key, &json!({"spec": {"replicas": wanted}}))
            .await?;
        let direction = if wanted > size { "up" } else { "down" };
        let message = format!(
            "Scaled {direction} ReplicaSet {} from {size} to {wanted}",
            key.name
        );
        self.tell(experiment, false, "ScalingReplicaSet", message);
        status.last_transition_time = Some(api_time(now));
        tracing::trace!(template = template.name, "scaled {direction}");
        Ok(None)
    }

    /// Makes the Service of a template, and takes it away when the pods have gone.
    async fn serve(
        &self,
        experiment: &Experiment,
        template: &TemplateSpec,
        (set, wanted): (&Arc<ReplicaSet>, i32),
        status: &mut TemplateStatus,
    ) -> Result<(), ReconcileError> {
        let uid = experiment.metadata.uid.as_deref().unwrap_or_default();
        let mut known = self.services.informer().owned_by(uid).into_iter();
        let known = known.find(|service| sets::is_of(&service.metadata, &template.name));
        let gone = set.spec.as_ref().and_then(|spec| spec.replicas) == Some(0);
        match (known, sets::service_of(experiment, template, set)) {
            (None, Some(service)) if wanted > 0 => {
                let name = service.metadata.name.clone().unwrap_or_default();
                match self.services.create(&service).await {
                    Ok(_) => {
                        status.service_name = name;
                        sets::hash_of(set).clone_into(&mut status.pod_template_hash);
                    }
                    Err(error) if error.code().is_some() => {
                        status.status = TemplatePhase::Error;
                        status.message = format!(
                            "Failed to create Service {name} for template '{}': {}",
                            template.name,
                            error.message()
                        );
                    }
                    Err(error) => return Err(error),
                }
            }
            (Some(service), _) if wanted == 0 && gone => {
                self.services
                    .delete(&*service, &DeleteParams::background())
                    .await?;
                status.service_name.clear();
                status.pod_template_hash.clear();
            }
            (Some(_) | None, _) => {}
        }
        Ok(())
    }

    /// Writes what has changed in the status; an experiment has no status subresource.
    async fn save(
        &self,
        experiment: &Experiment,
        new: &ExperimentStatus,
    ) -> Result<(), ReconcileError> {
        let value = |status: &ExperimentStatus| {
            serde_json::to_value(status).map_err(|source| ReconcileError::Encoding {
                doing: format!("update experiments `{}`", ObjectKey::of(experiment)),
                source,
            })
        };
        let Some(patch) = merge_patch(&value(&experiment.status)?, &value(new)?) else {
            return Ok(());
        };
        let patch = json!({"metadata": {"uid": experiment.metadata.uid}, "status": patch});
        self.experiments
            .patch(&ObjectKey::of(experiment), &patch)
            .await?;
        Ok(())
    }
}

impl Controller for Experiments {
    type Key = ObjectKey;
    const NAME: &'static str = "experiment";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(experiment) = self.experiments.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        if experiment.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::OnChange);
        }
        let mut status = experiment.status.clone();
        let mut requeue = Requeue::OnChange;
        for template in &experiment.spec.templates {
            let due = self.arrange(&experiment, template, &mut status).await?;
            requeue = requeue.or_at(due);
        }
        for analysis in &experiment.spec.analyses {
            self.follow(&experiment, analysis, &mut status).await?;
        }
        let now = self.clock.now();
        assessment::assess(&experiment, &mut status, now);
        if status.phase != experiment.status.phase && status.phase.has_ended() {
            let phase = status.phase;
            let message = format!(
                "Experiment transitioned from {} -> {phase}",
                experiment.status.phase
            );
            self.tell(
                &experiment,
                phase.is_bad(),
                &format!("Experiment{phase}"),
                message,
            );
        }
        self.save(&experiment, &status).await?;
        Ok(requeue.or_at(assessment::next_look(&experiment, &status, now)))
    }
}
