//! ReplicaSets: keeps as many pods of a template as are asked for.
//!
//! Follows `pkg/controller/replicaset/replica_set.go`.

use super::ownership::{claim, owner_keys, reference_to};
use super::pods::{census, is_active, pod_from, sort_expendable_first};
use super::runtime::time::api_time;
use super::runtime::{Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer, selector};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::DeleteParams;
use std::sync::Arc;

const MANAGER: &str = "kube-controller-manager";
const BURST: usize = 500;

/// The ReplicaSet controller.
#[derive(Debug)]
pub struct ReplicaSets {
    sets: Writer<ReplicaSet>,
    pods: Writer<Pod>,
    recorder: Recorder,
    clock: PlatformClock,
}

impl ReplicaSets {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let sets = runtime.informer::<ReplicaSet>();
        let pods = runtime.informer::<Pod>();
        let queue = runtime.queue();
        sets.feed(&queue, |change| [change.key()]);
        pods.feed(&queue, |change| owner_keys(change, "ReplicaSet"));
        let orphans = (sets.clone(), queue.clone());
        pods.on_change(move |change| {
            // A pod without an owner may be one that a set would adopt.
            let Some(pod) = change
                .new
                .as_ref()
                .filter(|pod| super::ownership::controller_of(&pod.metadata).is_none())
            else {
                return;
            };
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            for set in orphans.0.in_namespace(namespace) {
                let selector = set.spec.as_ref().map(|spec| &spec.selector);
                if selector.is_some_and(|one| selector::matches(one, pod.metadata.labels.as_ref()))
                {
                    orphans.1.add(ObjectKey::of(&*set));
                }
            }
        });
        let controller = Self {
            sets: sets.writer(MANAGER),
            pods: pods.writer(MANAGER),
            recorder: events.recorder("replicaset-controller"),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    /// Creates or deletes pods until their number is right; returns why that failed.
    async fn settle(
        &self,
        set: &ReplicaSet,
        active: &mut Vec<Arc<Pod>>,
    ) -> Result<(), (&'static str, ReconcileError)> {
        let wanted = wanted(set) as usize;
        if active.len() < wanted {
            let missing = (wanted - active.len()).min(BURST);
            for _ in 0..missing {
                let pod = self
                    .create(set)
                    .await
                    .map_err(|error| ("FailedCreate", error))?;
                active.push(pod);
            }
        } else if active.len() > wanted {
            sort_expendable_first(active);
            let surplus = (active.len() - wanted).min(BURST);
            for pod in active.drain(..surplus).collect::<Vec<_>>() {
                self.delete(set, &pod)
                    .await
                    .map_err(|error| ("FailedDelete", error))?;
            }
        }
        Ok(())
    }

    async fn create(&self, set: &ReplicaSet) -> Result<Arc<Pod>, ReconcileError> {
        let empty = ReplicaSet::default().spec.unwrap_or_default();
        let template = set.spec.as_ref().unwrap_or(&empty).template.clone();
        let pod = pod_from(
            &template.unwrap_or_default(),
            set.metadata.namespace.clone(),
            format!("{}-", set.metadata.name.as_deref().unwrap_or_default()),
            reference_to(set),
        );
        match self.pods.create(&pod).await {
            Ok(pod) => {
                let name = pod.metadata.name.as_deref().unwrap_or_default();
                self.recorder.normal(
                    About::object(set),
                    "SuccessfulCreate",
                    format!("Created pod: {name}"),
                );
                Ok(pod)
            }
            Err(error) => {
                self.recorder.warning(
                    About::object(set),
                    "FailedCreate",
                    format!("Error creating: {}", error.message()),
                );
                Err(error)
            }
        }
    }

    async fn delete(&self, set: &ReplicaSet, pod: &Pod) -> Result<(), ReconcileError> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        self.pods.delete(pod, &DeleteParams::default()).await?;
        self.recorder.normal(
            About::object(set),
            "SuccessfulDelete",
            format!("Deleted pod: {name}"),
        );
        Ok(())
    }

    fn status(
        &self,
        set: &ReplicaSet,
        active: &[Arc<Pod>],
        failure: Option<&(&'static str, ReconcileError)>,
    ) -> (ReplicaSetStatus, Requeue) {
        let now = self.clock.now();
        let spec = set.spec.clone().unwrap_or_default();
        let census = census(active, spec.min_ready_seconds.unwrap_or(0), now);
        let template = spec.template.unwrap_or_default();
        let all_labels = LabelSelector {
            match_labels: template.metadata.and_then(|meta| meta.labels),
            match_expressions: None,
        };
        let labelled = active
            .iter()
            .filter(|pod| selector::matches(&all_labels, pod.metadata.labels.as_ref()))
            .count();
        let old = set.status.clone().unwrap_or_default();
        let mut conditions = old.conditions.clone().unwrap_or_default();
        let known = conditions
            .iter()
            .position(|one| one.type_ == "ReplicaFailure");
        match (failure, known) {
            (Some((reason, error)), None) => conditions.push(ReplicaSetCondition {
                type_: "ReplicaFailure".to_owned(),
                status: "True".to_owned(),
                reason: Some((*reason).to_owned()),
                message: Some(error.message()),
                last_transition_time: Some(api_time(now)),
            }),
            (None, Some(index)) => {
                conditions.remove(index);
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        let status = ReplicaSetStatus {
            replicas: active.len() as i32,
            fully_labeled_replicas: Some(labelled as i32).filter(|count| *count > 0),
            ready_replicas: Some(census.ready).filter(|count| *count > 0),
            available_replicas: Some(census.available).filter(|count| *count > 0),
            observed_generation: set.metadata.generation,
            conditions: (!conditions.is_empty()).then_some(conditions),
            ..ReplicaSetStatus::default()
        };
        (status, Requeue::OnChange.or_at(census.next))
    }
}

/// Returns how many pods a set asks for.
fn wanted(set: &ReplicaSet) -> i32 {
    let replicas = set.spec.as_ref().and_then(|spec| spec.replicas);
    replicas.unwrap_or(1).max(0)
}

impl Controller for ReplicaSets {
    type Key = ObjectKey;
    const NAME: &'static str = "replicaset";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(set) = self.sets.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let Some(selector) = set.spec.as_ref().map(|spec| spec.selector.clone()) else {
            return Ok(Requeue::OnChange);
        };
        let mut active = claim(&*set, &selector, &self.pods).await?;
        active.retain(|pod| is_active(pod));
        let outcome = if set.metadata.deletion_timestamp.is_none() {
            self.settle(&set, &mut active).await
        } else {
            Ok(())
        };
        let (status, requeue) = self.status(&set, &active, outcome.as_ref().err());
        let old = set.status.clone().unwrap_or_default();
        self.sets.update_status(&*set, &old, &status).await?;
        outcome.map_err(|(_, error)| error)?;
        Ok(requeue)
    }
}
