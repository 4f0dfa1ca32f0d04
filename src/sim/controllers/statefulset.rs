//! StatefulSets: pods with names, made and updated in order, each with its volumes.
//!
//! Follows `pkg/controller/statefulset/stateful_set_control.go`: ordered or parallel, partitions,
//! `OnDelete`, revisions.

mod identity;
mod status;

use super::ownership::{claim, owner_keys};
use super::pods::{available_from, is_finished, is_ready};
use super::revisions::{self, revision_of};
use super::runtime::{Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use chrono::{DateTime, Utc};
use identity::{claims_of, ordinal_of, pod_of};
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::DeleteParams;
use std::collections::BTreeMap;
use std::sync::Arc;

const MANAGER: &str = "kube-controller-manager";

/// The StatefulSet controller.
#[derive(Debug)]
pub struct StatefulSets {
    sets: Writer<StatefulSet>,
    pods: Writer<Pod>,
    claims: Writer<PersistentVolumeClaim>,
    revisions: Writer<ControllerRevision>,
    recorder: Recorder,
    clock: PlatformClock,
}

/// What a set's pods are to be made of.
struct Templates {
    current: Arc<ControllerRevision>,
    update: Arc<ControllerRevision>,
}

/// The set while its pods are looked through.
struct Plan {
    /// By ordinal.
    pods: BTreeMap<i32, Arc<Pod>>,
    ordinals: std::ops::Range<i32>,
    ordered: bool,
    min_ready: i32,
    now: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
}

impl Plan {
    /// The pod runs, is ready and has been for long enough.
    fn is_healthy(&mut self, pod: &Pod) -> bool {
        if !is_ready(pod) || pod.metadata.deletion_timestamp.is_some() {
            return false;
        }
        match available_from(pod, self.min_ready) {
            Some(from) if from > self.now => {
                self.next = Some(self.next.map_or(from, |next| next.min(from)));
                false
            }
            Some(_) => true,
            None => false,
        }
    }
}

impl StatefulSets {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let sets = runtime.informer::<StatefulSet>();
        let pods = runtime.informer::<Pod>();
        let claims = runtime.informer::<PersistentVolumeClaim>();
        let revisions = runtime.informer::<ControllerRevision>();
        let queue = runtime.queue();
        sets.feed(&queue, |change| [change.key()]);
        pods.feed(&queue, |change| owner_keys(change, "StatefulSet"));
        claims.required_by(&queue);
        revisions.required_by(&queue);
        let controller = Self {
            sets: sets.writer(MANAGER),
            pods: pods.writer(MANAGER),
            claims: claims.writer(MANAGER),
            revisions: revisions.writer(MANAGER),
            recorder: events.recorder("statefulset-controller"),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    /// Makes the first change that is due; ordered sets make one at a time.
    async fn settle(
        &self,
        set: &StatefulSet,
        templates: &Templates,
        plan: &mut Plan,
    ) -> Result<(), ReconcileError> {
        if !self.fill_up(set, templates, plan).await? {
            return Ok(());
        }
        if !self.take_away(set, plan).await? {
            return Ok(());
        }
        self.renew(set, templates, plan).await
    }

    /// Creates missing pods; false when an ordered set has to wait for one.
    async fn fill_up(
        &self,
        set: &StatefulSet,
        templates: &Templates,
        plan: &mut Plan,
    ) -> Result<bool, ReconcileError> {
        for ordinal in plan.ordinals.clone() {
            match plan.pods.get(&ordinal).cloned() {
                None => {
                    let pod = self.create(set, templates, ordinal).await?;
                    plan.pods.insert(ordinal, pod);
                    if plan.ordered {
                        return Ok(false);
                    }
                }
                Some(pod) if is_finished(&pod) && pod.metadata.deletion_timestamp.is_none() => {
                    self.delete(set, &pod).await?;
                    if plan.ordered {
                        return Ok(false);
                    }
                }
                Some(pod) => {
                    if plan.ordered && !plan.is_healthy(&pod) {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Deletes pods beyond the wanted number, highest first; false when one has to be awaited.
    async fn take_away(&self, set: &StatefulSet, plan: &mut Plan) -> Result<bool, ReconcileError> {
        let range = plan.ordinals.clone();
        let condemned: Vec<_> = plan
            .pods
            .iter()
            .filter(|(ordinal, _)| !range.contains(ordinal))
            .map(|(_, pod)| Arc::clone(pod))
            .rev()
            .collect();
        for pod in condemned {
            if pod.metadata.deletion_timestamp.is_none() {
                self.delete(set, &pod).await?;
            }
            if plan.ordered {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Replaces pods of an old revision, highest first, one at a time.
    async fn renew(
        &self,
        set: &StatefulSet,
        templates: &Templates,
        plan: &mut Plan,
    ) -> Result<(), ReconcileError> {
        let strategy = set
            .spec
            .as_ref()
            .and_then(|spec| spec.update_strategy.as_ref());
        if strategy.is_some_and(|one| one.type_.as_deref() == Some("OnDelete")) {
            return Ok(());
        }
        let partition = partition_of(set);
        for ordinal in plan.ordinals.clone().rev().filter(|one| *one >= partition) {
            let Some(pod) = plan.pods.get(&ordinal).cloned() else {
                return Ok(());
            };
            if is_outdated(&pod, templates) {
                if pod.metadata.deletion_timestamp.is_none() {
                    self.delete(set, &pod).await?;
                }
                return Ok(());
            }
            if !plan.is_healthy(&pod) {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn create(
        &self,
        set: &StatefulSet,
        templates: &Templates,
        ordinal: i32,
    ) -> Result<Arc<Pod>, ReconcileError> {
        let name = set.metadata.name.as_deref().unwrap_or_default();
        let pod_name = format!("{name}-{ordinal}");
        for claim in claims_of(set, ordinal) {
            if self.claims.informer().get(&ObjectKey::of(&claim)).is_some() {
                continue;
            }
            let claim_name = claim.metadata.name.clone().unwrap_or_default();
            match self.claims.create(&claim).await {
                Err(error) if !error.is_conflict() => return Err(error),
                Ok(_) | Err(_) => {}
            }
            self.recorder.normal(
                About::object(set),
                "SuccessfulCreate",
                format!("create Claim {claim_name} Pod {pod_name} in StatefulSet {name} success"),
            );
        }
        let revision = if ordinal < partition_of(set) {
            &templates.current
        } else {
            &templates.update
        };
        let pod = pod_of(set, revision, ordinal);
        match self.pods.create(&pod).await {
            Ok(pod) => {
                self.recorder.normal(
                    About::object(set),
                    "SuccessfulCreate",
                    format!("create Pod {pod_name} in StatefulSet {name} successful"),
                );
                Ok(pod)
            }
            Err(error) => {
                self.recorder.warning(
                    About::object(set),
                    "FailedCreate",
                    format!(
                        "create Pod {pod_name} in StatefulSet {name} failed error: {}",
                        error.message()
                    ),
                );
                Err(error)
            }
        }
    }

    async fn delete(&self, set: &StatefulSet, pod: &Pod) -> Result<(), ReconcileError> {
        self.pods.delete(pod, &DeleteParams::default()).await?;
        self.recorder.normal(
            About::object(set),
            "SuccessfulDelete",
            format!(
                "delete Pod {} in StatefulSet {} successful",
                pod.metadata.name.as_deref().unwrap_or_default(),
                set.metadata.name.as_deref().unwrap_or_default()
            ),
        );
        Ok(())
    }

    fn plan(&self, set: &StatefulSet, pods: Vec<Arc<Pod>>) -> Plan {
        let spec = set.spec.clone().unwrap_or_default();
        let name = set.metadata.name.as_deref().unwrap_or_default();
        let start = spec.ordinals.and_then(|one| one.start).unwrap_or(0);
        Plan {
            pods: pods
                .into_iter()
                .filter_map(|pod| Some((ordinal_of(name, &pod)?, pod)))
                .collect(),
            ordinals: start..start + spec.replicas.unwrap_or(1).max(0),
            ordered: spec.pod_management_policy.as_deref() != Some("Parallel"),
            min_ready: spec.min_ready_seconds.unwrap_or(0),
            now: self.clock.now(),
            next: None,
        }
    }
}

impl Controller for StatefulSets {
    type Key = ObjectKey;
    const NAME: &'static str = "statefulset";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(set) = self.sets.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let Some(spec) = &set.spec else {
            return Ok(Requeue::OnChange);
        };
        let pods = claim(&*set, &spec.selector, &self.pods).await?;
        let all = revisions::history(&*set, &spec.template, &self.revisions).await?;
        let Some(update) = all.last().cloned() else {
            return Ok(Requeue::OnChange);
        };
        let known = set
            .status
            .as_ref()
            .and_then(|one| one.current_revision.as_deref());
        let current = all
            .iter()
            .find(|one| Some(revisions::name_of(one)) == known)
            .unwrap_or(&update);
        let templates = Templates {
            current: Arc::clone(current),
            update,
        };
        let mut plan = self.plan(&set, pods);
        if set.metadata.deletion_timestamp.is_none() {
            self.settle(&set, &templates, &mut plan).await?;
        }
        let status = status::status(&set, &templates, &mut plan);
        let in_use: Vec<&str> = plan
            .pods
            .values()
            .filter_map(|pod| revision_of(pod.metadata.labels.as_ref()))
            .chain(status.current_revision.as_deref())
            .chain([revisions::name_of(&templates.update)])
            .collect();
        revisions::forget(&all, &in_use, spec.revision_history_limit, &self.revisions).await?;
        let old = set.status.clone().unwrap_or_default();
        self.sets.update_status(&*set, &old, &status).await?;
        Ok(Requeue::OnChange.or_at(plan.next))
    }
}

fn is_outdated(pod: &Pod, templates: &Templates) -> bool {
    revision_of(pod.metadata.labels.as_ref()) != Some(revisions::name_of(&templates.update))
}

fn partition_of(set: &StatefulSet) -> i32 {
    set.spec
        .as_ref()
        .and_then(|spec| {
            spec.update_strategy
                .as_ref()?
                .rolling_update
                .as_ref()?
                .partition
        })
        .unwrap_or(0)
}
