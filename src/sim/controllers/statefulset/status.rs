//! A StatefulSet's status (`stateful_set_control.go`: `updateStatus`, `completeRollingUpdate`).

use super::{Plan, Templates};
use crate::sim::controllers::pods::is_ready;
use crate::sim::controllers::revisions::{name_of, revision_of};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};

pub(super) fn status(
    set: &StatefulSet,
    templates: &Templates,
    plan: &mut Plan,
) -> StatefulSetStatus {
    let (current, update) = (name_of(&templates.current), name_of(&templates.update));
    let pods: Vec<_> = plan.pods.values().cloned().collect();
    let mut status = StatefulSetStatus {
        observed_generation: set.metadata.generation,
        replicas: pods.len() as i32,
        ready_replicas: Some(0),
        available_replicas: Some(0),
        current_replicas: Some(0),
        updated_replicas: Some(0),
        current_revision: Some(current.to_owned()),
        update_revision: Some(update.to_owned()),
        collision_count: Some(0),
        conditions: set.status.as_ref().and_then(|one| one.conditions.clone()),
    };
    let raise = |count: &mut Option<i32>| *count = Some(count.unwrap_or_default() + 1);
    for pod in &pods {
        if is_ready(pod) {
            raise(&mut status.ready_replicas);
        }
        if plan.is_healthy(pod) {
            raise(&mut status.available_replicas);
        }
        if pod.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let revision = revision_of(pod.metadata.labels.as_ref());
        if revision == Some(current) {
            raise(&mut status.current_replicas);
        }
        if revision == Some(update) {
            raise(&mut status.updated_replicas);
        }
    }
    let all = Some(status.replicas);
    if current != update && status.updated_replicas == all && status.ready_replicas == all {
        status.current_revision = Some(update.to_owned());
        status.current_replicas = status.updated_replicas;
    }
    if status.current_replicas == Some(0) {
        status.current_replicas = None;
    }
    if status.ready_replicas == Some(0) {
        status.ready_replicas = None;
    }
    if status.updated_replicas == Some(0) {
        status.updated_replicas = None;
    }
    status
}
