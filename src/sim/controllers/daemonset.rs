//! DaemonSets: one pod on each node that the template accepts.
//!
//! Follows `pkg/controller/daemon`: pods are pinned by node affinity and bound by the scheduler;
//! updates replace at most `maxUnavailable` pods at a time, or none with `OnDelete`.

use super::deployment::arithmetic::{Rounding, scaled};
use super::ownership::{claim, owner_keys, reference_to};
use super::pods::{available_from, is_finished, is_ready, node_of, pod_from};
use super::revisions::{self, REVISION_LABEL, revision_of};
use super::runtime::{Controller, Informer, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use super::scheduler::tolerates;
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use chrono::{DateTime, Utc};
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, DaemonSetStatus};
use k8s_openapi::api::core::v1::{
    Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, Toleration,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::DeleteParams;
use std::collections::BTreeMap;
use std::sync::Arc;

const MANAGER: &str = "kube-controller-manager";

/// The DaemonSet controller.
#[derive(Debug)]
pub struct DaemonSets {
    sets: Writer<DaemonSet>,
    pods: Writer<Pod>,
    nodes: Informer<Node>,
    revisions: Writer<ControllerRevision>,
    recorder: Recorder,
    clock: PlatformClock,
}

impl DaemonSets {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let sets = runtime.informer::<DaemonSet>();
        let pods = runtime.informer::<Pod>();
        let nodes = runtime.informer::<Node>();
        let revisions = runtime.informer::<ControllerRevision>();
        let queue = runtime.queue();
        sets.feed(&queue, |change| [change.key()]);
        pods.feed(&queue, |change| owner_keys(change, "DaemonSet"));
        revisions.required_by(&queue);
        let all = sets.clone();
        nodes.feed(&queue, move |_| {
            let keys: Vec<_> = all.all().iter().map(|set| ObjectKey::of(&**set)).collect();
            keys
        });
        let controller = Self {
            sets: sets.writer(MANAGER),
            pods: pods.writer(MANAGER),
            nodes,
            revisions: revisions.writer(MANAGER),
            recorder: events.recorder("daemonset-controller"),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    async fn settle(
        &self,
        set: &DaemonSet,
        pods: &mut BTreeMap<String, Vec<Arc<Pod>>>,
        revision: &str,
    ) -> Result<(), ReconcileError> {
        let wanted = self.wanted_nodes(set);
        for node in &wanted {
            let on_node = pods.entry(node.clone()).or_default();
            for finished in on_node
                .extract_if(.., |pod| is_finished(pod))
                .collect::<Vec<_>>()
            {
                self.delete(set, &finished).await?;
            }
            if on_node.is_empty() {
                on_node.push(self.create(set, node, revision).await?);
            }
        }
        for (node, on_node) in pods.iter_mut() {
            let keep = usize::from(wanted.contains(node));
            while on_node.len() > keep {
                if let Some(surplus) = on_node
                    .pop()
                    .filter(|pod| pod.metadata.deletion_timestamp.is_none())
                {
                    self.delete(set, &surplus).await?;
                }
            }
        }
        Ok(())
    }

    /// Replaces pods of an old revision as far as their number allows.
    async fn renew(
        &self,
        set: &DaemonSet,
        pods: &BTreeMap<String, Vec<Arc<Pod>>>,
        revision: &str,
    ) -> Result<(), ReconcileError> {
        let strategy = set
            .spec
            .as_ref()
            .and_then(|spec| spec.update_strategy.as_ref());
        if strategy.is_some_and(|one| one.type_.as_deref() == Some("OnDelete")) {
            return Ok(());
        }
        let one = IntOrString::Int(1);
        let most = strategy
            .and_then(|strategy| strategy.rolling_update.as_ref()?.max_unavailable.as_ref())
            .unwrap_or(&one);
        let most = scaled(most, pods.len() as i32, Rounding::Up).max(1);
        let all = || pods.values().flatten();
        let mut unavailable = all().filter(|pod| !is_ready(pod)).count() as i32;
        for pod in all() {
            let outdated = revision_of(pod.metadata.labels.as_ref()) != Some(revision);
            if !outdated || pod.metadata.deletion_timestamp.is_some() {
                continue;
            }
            if is_ready(pod) {
                if unavailable >= most {
                    continue;
                }
                unavailable += 1;
            }
            self.delete(set, pod).await?;
        }
        Ok(())
    }

    async fn create(
        &self,
        set: &DaemonSet,
        node: &str,
        revision: &str,
    ) -> Result<Arc<Pod>, ReconcileError> {
        let spec = set.spec.clone().unwrap_or_default();
        let name = set.metadata.name.as_deref().unwrap_or_default();
        let namespace = set.metadata.namespace.clone();
        let mut pod = pod_from(
            &spec.template,
            namespace,
            format!("{name}-"),
            reference_to(set),
        );
        let labels = pod.metadata.labels.get_or_insert_default();
        labels.insert(REVISION_LABEL.to_owned(), revision.to_owned());
        let pod_spec = pod.spec.get_or_insert_default();
        let affinity = pod_spec.affinity.get_or_insert_default();
        let node_affinity: &mut NodeAffinity = affinity.node_affinity.get_or_insert_default();
        node_affinity.required_during_scheduling_ignored_during_execution = Some(NodeSelector {
            node_selector_terms: vec![NodeSelectorTerm {
                match_expressions: None,
                match_fields: Some(vec![NodeSelectorRequirement {
                    key: "metadata.name".to_owned(),
                    operator: "In".to_owned(),
                    values: Some(vec![node.to_owned()]),
                }]),
            }],
        });
        let tolerations = pod_spec.tolerations.get_or_insert_default();
        tolerations.extend(own_tolerations());
        let created = self.pods.create(&pod).await?;
        self.recorder.normal(
            About::object(set),
            "SuccessfulCreate",
            format!(
                "Created pod: {}",
                created.metadata.name.as_deref().unwrap_or_default()
            ),
        );
        Ok(created)
    }

    async fn delete(&self, set: &DaemonSet, pod: &Pod) -> Result<(), ReconcileError> {
        self.pods.delete(pod, &DeleteParams::default()).await?;
        self.recorder.normal(
            About::object(set),
            "SuccessfulDelete",
            format!(
                "Deleted pod: {}",
                pod.metadata.name.as_deref().unwrap_or_default()
            ),
        );
        Ok(())
    }

    fn wanted_nodes(&self, set: &DaemonSet) -> Vec<String> {
        let spec = set
            .spec
            .as_ref()
            .and_then(|spec| spec.template.spec.clone())
            .unwrap_or_default();
        let own = own_tolerations();
        let tolerations = spec.tolerations.unwrap_or_default();
        self.nodes
            .all()
            .iter()
            .filter(|node| {
                let labels = node.metadata.labels.as_ref();
                let selected =
                    spec.node_selector.iter().flatten().all(|(key, value)| {
                        labels.and_then(|labels| labels.get(key)) == Some(value)
                    });
                let taints = node
                    .spec
                    .iter()
                    .flat_map(|spec| spec.taints.iter().flatten());
                selected
                    && taints
                        .filter(|taint| taint.effect != "PreferNoSchedule")
                        .all(|taint| {
                            own.iter()
                                .chain(&tolerations)
                                .any(|one| tolerates(one, taint))
                        })
            })
            .filter_map(|node| node.metadata.name.clone())
            .collect()
    }

    fn status(
        &self,
        set: &DaemonSet,
        pods: &BTreeMap<String, Vec<Arc<Pod>>>,
        revision: &str,
    ) -> (DaemonSetStatus, Option<DateTime<Utc>>) {
        let now = self.clock.now();
        let wanted = self.wanted_nodes(set);
        let min_ready = set
            .spec
            .as_ref()
            .and_then(|spec| spec.min_ready_seconds)
            .unwrap_or(0);
        let mut status = DaemonSetStatus {
            desired_number_scheduled: wanted.len() as i32,
            observed_generation: set.metadata.generation,
            ..DaemonSetStatus::default()
        };
        let (mut updated, mut available, mut next) = (0, 0, None::<DateTime<Utc>>);
        for (node, on_node) in pods.iter().filter(|(_, on_node)| !on_node.is_empty()) {
            if !wanted.contains(node) {
                status.number_misscheduled += 1;
                continue;
            }
            status.current_number_scheduled += 1;
            let Some(pod) = on_node.first() else { continue };
            status.number_ready += i32::from(is_ready(pod));
            match available_from(pod, min_ready) {
                Some(from) if from <= now => available += 1,
                Some(from) => next = Some(next.map_or(from, |next| next.min(from))),
                None => {}
            }
            updated += i32::from(revision_of(pod.metadata.labels.as_ref()) == Some(revision));
        }
        let some = |count: i32| Some(count).filter(|count| *count > 0);
        status.updated_number_scheduled = some(updated);
        status.number_available = some(available);
        status.number_unavailable = some(status.desired_number_scheduled - available);
        (status, next)
    }
}

impl Controller for DaemonSets {
    type Key = ObjectKey;
    const NAME: &'static str = "daemonset";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(set) = self.sets.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let Some(spec) = &set.spec else {
            return Ok(Requeue::OnChange);
        };
        let all = revisions::history(&*set, &spec.template, &self.revisions).await?;
        let revision = all
            .last()
            .and_then(|one| {
                one.metadata
                    .labels
                    .as_ref()?
                    .get("controller.kubernetes.io/hash")
            })
            .cloned()
            .unwrap_or_default();
        let mut pods: BTreeMap<String, Vec<Arc<Pod>>> = BTreeMap::new();
        for pod in claim(&*set, &spec.selector, &self.pods).await? {
            let node = target_node(&pod).unwrap_or_default().to_owned();
            pods.entry(node).or_default().push(pod);
        }
        if set.metadata.deletion_timestamp.is_none() {
            self.settle(&set, &mut pods, &revision).await?;
            self.renew(&set, &pods, &revision).await?;
        }
        let (status, next) = self.status(&set, &pods, &revision);
        let old = set.status.clone().unwrap_or_default();
        self.sets.update_status(&*set, &old, &status).await?;
        Ok(Requeue::OnChange.or_at(next))
    }
}

/// Returns the node a pod runs on or is meant for.
fn target_node(pod: &Pod) -> Option<&str> {
    node_of(pod).or_else(|| {
        let affinity = pod
            .spec
            .as_ref()?
            .affinity
            .as_ref()?
            .node_affinity
            .as_ref()?;
        let required = affinity
            .required_during_scheduling_ignored_during_execution
            .as_ref()?;
        let field = required
            .node_selector_terms
            .first()?
            .match_fields
            .as_ref()?
            .first()?;
        field.values.as_ref()?.first().map(String::as_str)
    })
}

/// What every daemon puts up with.
fn own_tolerations() -> Vec<Toleration> {
    [
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ]
    .into_iter()
    .map(|(key, effect)| Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some(effect.to_owned()),
        ..Toleration::default()
    })
    .collect()
}
