//! What the workload controllers ask of pods: made from a template, ready, available, expendable.
//!
//! Follows `pkg/api/v1/pod/util.go` and `pkg/controller/controller_utils.go`.

use super::runtime::time::utc;
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::{Pod, PodCondition, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// Makes a pod from a template; the API server appends letters to `base`.
pub fn pod_from(
    template: &PodTemplateSpec,
    namespace: Option<String>,
    base: String,
    owner: OwnerReference,
) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(base),
            namespace,
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// Returns the pod's phase, `Pending` when nobody has said.
pub fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending")
}

/// The pod is neither finished nor being deleted.
pub fn is_active(pod: &Pod) -> bool {
    !is_finished(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// All containers of the pod have ended for good.
pub fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// The pod's `Ready` condition is true.
pub fn is_ready(pod: &Pod) -> bool {
    ready_condition(pod).is_some_and(|condition| condition.status == "True")
}

fn ready_condition(pod: &Pod) -> Option<&PodCondition> {
    pod.status
        .as_ref()?
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "Ready")
}

fn ready_since(pod: &Pod) -> Option<DateTime<Utc>> {
    let condition = ready_condition(pod)?;
    condition.last_transition_time.as_ref().map(utc)
}

/// Returns when a ready pod counts as available: after `min_ready_seconds`.
pub fn available_from(pod: &Pod, min_ready_seconds: i32) -> Option<DateTime<Utc>> {
    if !is_ready(pod) {
        return None;
    }
    ready_since(pod).map(|since| since + TimeDelta::seconds(i64::from(min_ready_seconds.max(0))))
}

/// How many of some pods are ready and available, and when the next one becomes available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that have been ready for long enough.
    pub available: i32,
    /// When the next ready pod becomes available.
    pub next: Option<DateTime<Utc>>,
}

/// Counts ready and available pods.
pub fn census<'a>(
    pods: impl IntoIterator<Item = &'a Arc<Pod>>,
    min_ready_seconds: i32,
    now: DateTime<Utc>,
) -> Census {
    let mut census = Census::default();
    for from in pods
        .into_iter()
        .filter_map(|pod| available_from(pod, min_ready_seconds))
    {
        census.ready += 1;
        if from <= now {
            census.available += 1;
        } else {
            census.next = Some(census.next.map_or(from, |next| next.min(from)));
        }
    }
    census
}

/// Returns how often the pod's containers were restarted, at most.
pub fn restarts(pod: &Pod) -> i32 {
    pod.status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten())
        .map(|container| container.restart_count)
        .max()
        .unwrap_or_default()
}

/// Sorts pods by who is to go first when there are too many (upstream's `ActivePodsWithRanks`).
pub fn sort_expendable_first(pods: &mut [Arc<Pod>]) {
    let mut on_node: HashMap<String, i32> = HashMap::new();
    for node in pods.iter().filter_map(|pod| node_of(pod)) {
        *on_node.entry(node.to_owned()).or_default() += 1;
    }
    pods.sort_by_cached_key(|pod| {
        let node = node_of(pod);
        let running = match phase(pod) {
            "Pending" => 0,
            "Running" => 2,
            _ => 1,
        };
        let crowd = node
            .and_then(|node| on_node.get(node))
            .copied()
            .unwrap_or_default();
        (
            node.is_some(),
            running,
            is_ready(pod),
            deletion_cost(pod),
            Reverse(crowd),
            Reverse(ready_since(pod).filter(|_| is_ready(pod))),
            Reverse(restarts(pod)),
            Reverse(pod.metadata.creation_timestamp.as_ref().map(utc)),
        )
    });
}

/// Returns the node that a pod is bound to.
pub fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn deletion_cost(pod: &Pod) -> i32 {
    pod.metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get("controller.kubernetes.io/pod-deletion-cost"))
        .and_then(|cost| cost.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::controllers::runtime::time::api_time;
    use k8s_openapi::api::core::v1::{PodSpec, PodStatus};

    fn pod(name: &str, node: Option<&str>, ready_at: Option<i64>) -> Arc<Pod> {
        Arc::new(Pod {
            metadata: ObjectMeta {
                name: Some(name.into()),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                node_name: node.map(str::to_owned),
                ..PodSpec::default()
            }),
            status: Some(PodStatus {
                phase: Some(if node.is_some() { "Running" } else { "Pending" }.into()),
                conditions: ready_at.map(|at| {
                    vec![PodCondition {
                        type_: "Ready".into(),
                        status: "True".into(),
                        last_transition_time: Some(api_time(
                            DateTime::UNIX_EPOCH + TimeDelta::seconds(at),
                        )),
                        ..PodCondition::default()
                    }]
                }),
                ..PodStatus::default()
            }),
        })
    }

    #[test]
    fn unassigned_then_unready_then_youngest_pods_go_first() {
        let mut pods = vec![
            pod("old", Some("a"), Some(10)),
            pod("unready", Some("b"), None),
            pod("young", Some("c"), Some(90)),
            pod("waiting", None, None),
        ];

        sort_expendable_first(&mut pods);

        let names: Vec<_> = pods
            .iter()
            .filter_map(|pod| pod.metadata.name.as_deref())
            .collect();
        assert_eq!(names, ["waiting", "unready", "young", "old"]);
    }

    #[test]
    fn a_ready_pod_is_available_after_its_time() {
        let pods = [pod("a", Some("n"), Some(0)), pod("b", Some("n"), Some(25))];

        let census = census(&pods, 10, DateTime::UNIX_EPOCH + TimeDelta::seconds(30));

        assert_eq!((census.ready, census.available), (2, 1));
        assert_eq!(
            census.next,
            Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(35))
        );
    }
}
