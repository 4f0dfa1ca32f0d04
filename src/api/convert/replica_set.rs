//! ReplicaSets, Pods and Services as far as the tree of a Rollout needs them.

use super::loose::{Loose, Meta, annotation, at, owner};
use super::rollout::images;
use crate::domain::health::health_of;
use crate::domain::object::{Cluster, GroupKind, Text, Uid};
use crate::domain::rollout::{PodView, ReplicaSetView};
use crate::domain::status::Health;
use serde_json::Value;

/// The label that tells the ReplicaSets of a Rollout apart.
pub const HASH_LABEL: &str = "rollouts-pod-template-hash";

/// An object of the tree and the uid of what controls it.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned<T> {
    pub owner: Option<Uid>,
    pub view: T,
}

/// Reads one ReplicaSet; its role and its Pods are found by whoever knows the Rollout.
pub fn replica_set(value: &Value, cluster: &Cluster) -> Owned<ReplicaSetView> {
    let mut loose = Loose::default();
    let kind = GroupKind::new("apps", "ReplicaSet");
    let meta = Meta::read(value, cluster, &kind, &mut loose);
    let owner = owner(value, cluster, None).map(|owner| owner.uid);
    let hash = Text::from(meta.label(HASH_LABEL));
    let revision = annotation(value, "rollout.argoproj.io/revision");
    let deadline = annotation(value, "scale-down-deadline");
    let desired = loose.count(value, &["spec", "replicas"]).unwrap_or(1);
    let available = loose
        .count(value, &["status", "availableReplicas"])
        .unwrap_or(0);
    let view = ReplicaSetView {
        hash,
        revision: revision.parse().unwrap_or(0),
        roles: Vec::new(),
        created: meta.created,
        images: images(value, &["spec", "template", "spec"], &mut loose),
        desired,
        current: loose.count(value, &["status", "replicas"]).unwrap_or(0),
        ready: loose
            .count(value, &["status", "readyReplicas"])
            .unwrap_or(0),
        available,
        health: health(value, desired, available),
        scale_down_at: deadline.parse().ok(),
        pods: Vec::new(),
        object: meta.object,
        uid: meta.uid,
    };
    Owned { owner, view }
}

/// Argo Rollouts `pkg/kubectl-argo-rollouts/info/replicaset_info.go`, `getReplicaSetHealth`.
fn health(value: &Value, desired: u32, available: u32) -> Option<Health> {
    let conditions = at(value, &["status", "conditions"]).and_then(Value::as_array);
    let failed = conditions.into_iter().flatten().any(|one| {
        let is =
            |name: &str, wanted: &str| at(one, &[name]).and_then(Value::as_str) == Some(wanted);
        is("type", "ReplicaFailure") && is("status", "True")
    });
    if failed {
        Some(Health::Degraded)
    } else if desired == 0 {
        None
    } else if available < desired {
        Some(Health::Progressing)
    } else {
        Some(Health::Healthy)
    }
}

/// Reads one Pod; `status` is what `kubectl get pods` prints for it.
pub fn pod(value: &Value, cluster: &Cluster, status: &str) -> Owned<PodView> {
    let mut loose = Loose::default();
    let meta = Meta::read(value, cluster, &GroupKind::new("", "Pod"), &mut loose);
    let owner = owner(value, cluster, None).map(|owner| owner.uid);
    let statuses = loose.list(value, &["status", "containerStatuses"]);
    let ready = statuses
        .iter()
        .filter(|one| one.get("ready").and_then(Value::as_bool) == Some(true))
        .count();
    let restarts = statuses
        .iter()
        .filter_map(|one| one.get("restartCount")?.as_u64());
    let mut named = value.clone();
    if let Some(members) = named.as_object_mut() {
        members.entry("kind").or_insert_with(|| "Pod".into());
        members.entry("apiVersion").or_insert_with(|| "v1".into());
    }
    let view = PodView {
        created: meta.created,
        status: status.into(),
        health: health_of(&named).map_or(Health::Unknown, |verdict| verdict.health),
        ready: ready as u32,
        containers: loose.list(value, &["spec", "containers"]).len() as u32,
        restarts: restarts.sum::<u64>() as u32,
        image_states: Vec::new(),
        object: meta.object,
        uid: meta.uid,
    };
    Owned { owner, view }
}

/// Returns the name of a Service and the hash that it selects; empty when it selects none.
pub fn service_hash(value: &Value) -> (Text, Text) {
    let text = |path: &[&str]| at(value, path).and_then(Value::as_str).unwrap_or_default();
    (
        text(&["metadata", "name"]).into(),
        text(&["spec", "selector", HASH_LABEL]).into(),
    )
}
