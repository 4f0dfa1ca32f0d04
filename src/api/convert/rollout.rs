//! Turns Rollouts of Argo Rollouts into [`domain::rollout`](crate::domain::rollout).
//!
//! Field meanings: Argo Rollouts `pkg/apis/rollouts/v1alpha1/types.go`.

mod spec;
mod status;

use super::loose::{Loose, Meta, annotation, at};
use crate::domain::kind::ARGO;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text};
use crate::domain::rollout::{
    BlueGreen, ContainerImage, Facts, Replicas, Rollout, Services, Strategy, phase_of, weights_of,
};
use serde_json::Value;

/// The kind of a Rollout.
pub fn rollout_kind() -> GroupKind {
    GroupKind::new(ARGO, "Rollout")
}

/// Reads one Rollout. `canary_available` is what its own ReplicaSet has, when that was looked at.
pub fn rollout(value: &Value, cluster: &Cluster, canary_available: Option<u32>) -> Rollout {
    let mut loose = Loose::default();
    let meta = Meta::read(value, cluster, &rollout_kind(), &mut loose);
    let mut facts = facts_with(value, &mut loose);
    facts.canary_available = canary_available;
    let (phase, message) = phase_of(&facts);
    let weights = weights_of(&facts);
    let router = spec::router(value, cluster, meta.object.namespace.as_ref(), &mut loose);
    let unobserved = facts.is_unobserved();
    Rollout {
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        created: meta.created,
        deleting: meta.deleting.clone(),
        labels: meta.labels.clone(),
        strategy: facts.strategy,
        phase,
        message,
        step_index: facts.step_index,
        weights,
        replicas: facts.replicas,
        current_hash: facts.current_hash,
        stable_hash: facts.stable_hash,
        pauses: facts.pauses,
        controller_pause: facts.controller_pause,
        spec_paused: facts.spec_paused,
        aborted: facts.aborted,
        aborted_at: loose.time(value, &["status", "abortedAt"]),
        promote_full: loose
            .flag(value, &["status", "promoteFull"])
            .unwrap_or(false),
        restart_at: loose.time(value, &["spec", "restartAt"]),
        restarted_at: loose.time(value, &["status", "restartedAt"]),
        unobserved,
        images: images(value, &["spec", "template", "spec"], &mut loose),
        workload: workload(value, &meta, &mut loose),
        services: services(value, &mut loose),
        router,
        blue_green: blue_green(value, facts.strategy, &mut loose),
        analyses: status::analyses(value, facts.step_index, &mut loose),
        conditions: facts.conditions,
        steps: facts.steps,
        application: application(value, &meta),
        findings: loose.findings(&meta.object),
        object: meta.object,
    }
}

/// Reads what the derivations need; what cannot be read counts as absent.
pub fn facts(value: &Value) -> Facts {
    facts_with(value, &mut Loose::default())
}

fn facts_with(value: &Value, loose: &mut Loose) -> Facts {
    let strategy = spec::strategy(value);
    let steps = spec::steps(value, loose);
    let has_router = at(value, &["spec", "strategy", "canary", "trafficRouting"]).is_some();
    let max = [
        "spec",
        "strategy",
        "canary",
        "trafficRouting",
        "maxTrafficWeight",
    ];
    let routed = ["status", "canary", "weights", "canary", "weight"];
    let post = ["spec", "strategy", "blueGreen", "postPromotionAnalysis"];
    let (conditions, condition_reasons) = status::conditions(value, loose);
    let stable = loose.text(value, &["status", "stableRS"]);
    Facts {
        strategy,
        generation: loose
            .integer(value, &["metadata", "generation"])
            .unwrap_or(0),
        observed_generation: observed_generation(value, loose),
        workload_unobserved: workload_unobserved(value),
        phase: loose.text(value, &["status", "phase"]),
        message: loose.text(value, &["status", "message"]),
        conditions,
        condition_reasons,
        controller_pause: loose
            .flag(value, &["status", "controllerPause"])
            .unwrap_or(false),
        pauses: status::pauses(value, loose),
        spec_paused: loose.flag(value, &["spec", "paused"]).unwrap_or(false),
        aborted: loose.flag(value, &["status", "abort"]).unwrap_or(false),
        restarting: restarting(value, loose),
        replicas: replicas(value, loose),
        current_hash: loose.text(value, &["status", "currentPodHash"]),
        stable_hash: stable,
        active_hash: loose.text(value, &["status", "blueGreen", "activeSelector"]),
        has_post_promotion: at(value, &post).is_some(),
        has_router,
        step_index: loose.count(value, &["status", "currentStepIndex"]),
        steps,
        max_weight: loose.count(value, &max).unwrap_or(100),
        routed_weight: loose.count(value, &routed),
        verified: loose.flag(value, &["status", "canary", "weights", "verified"]),
        canary_available: None,
    }
}

/// A string on the wire; a number is what very old controllers wrote.
fn observed_generation(value: &Value, loose: &mut Loose) -> Text {
    match at(value, &["status", "observedGeneration"]) {
        Some(Value::Number(number)) => number.to_string().into(),
        Some(_) | None => loose.text(value, &["status", "observedGeneration"]),
    }
}

fn workload_unobserved(value: &Value) -> bool {
    if at(value, &["spec", "workloadRef"]).is_none() {
        return false;
    }
    let written = annotation(value, "rollout.argoproj.io/workload-generation");
    let observed = at(value, &["status", "workloadObservedGeneration"]).and_then(Value::as_str);
    !written.is_empty() && observed.is_some_and(|observed| observed != written)
}

fn restarting(value: &Value, loose: &mut Loose) -> bool {
    let wanted = loose.time(value, &["spec", "restartAt"]);
    wanted.is_some() && wanted != loose.time(value, &["status", "restartedAt"])
}

fn replicas(value: &Value, loose: &mut Loose) -> Replicas {
    let mut count = |field: &str| loose.count(value, &["status", field]).unwrap_or(0);
    let mut replicas = Replicas {
        desired: 1,
        current: count("replicas"),
        updated: count("updatedReplicas"),
        ready: count("readyReplicas"),
        available: count("availableReplicas"),
    };
    replicas.desired = loose.count(value, &["spec", "replicas"]).unwrap_or(1);
    replicas
}

/// Returns the images of a Pod spec, containers before init containers.
pub(super) fn images(value: &Value, path: &[&str], loose: &mut Loose) -> Vec<ContainerImage> {
    let mut images = Vec::new();
    for (list, init) in [("containers", false), ("initContainers", true)] {
        let path: Vec<&str> = path.iter().copied().chain([list]).collect();
        for container in loose.list(value, &path) {
            images.push(ContainerImage {
                container: loose.text(container, &["name"]),
                image: loose.text(container, &["image"]),
                init,
            });
        }
    }
    images
}

fn workload(value: &Value, meta: &Meta, loose: &mut Loose) -> Option<ObjectRef> {
    let workload = at(value, &["spec", "workloadRef"])?;
    let version = loose.text(workload, &["apiVersion"]);
    let group = version.split_once('/').map_or("", |(group, _)| group);
    Some(ObjectRef {
        cluster: meta.object.cluster.clone(),
        kind: GroupKind::new(group, loose.text(workload, &["kind"])),
        namespace: meta.object.namespace.clone(),
        name: loose.text(workload, &["name"]),
    })
}

fn services(value: &Value, loose: &mut Loose) -> Services {
    let mut name =
        |strategy: &str, field: &str| loose.text(value, &["spec", "strategy", strategy, field]);
    Services {
        stable: name("canary", "stableService"),
        canary: name("canary", "canaryService"),
        active: name("blueGreen", "activeService"),
        preview: name("blueGreen", "previewService"),
    }
}

fn blue_green(value: &Value, strategy: Strategy, loose: &mut Loose) -> Option<BlueGreen> {
    if strategy != Strategy::BlueGreen {
        return None;
    }
    let spec = at(value, &["spec", "strategy", "blueGreen"])?;
    let seconds = loose.integer(spec, &["autoPromotionSeconds"]).unwrap_or(0);
    Some(BlueGreen {
        active: loose.text(value, &["status", "blueGreen", "activeSelector"]),
        preview: loose.text(value, &["status", "blueGreen", "previewSelector"]),
        auto_promotion: loose.flag(spec, &["autoPromotionEnabled"]).unwrap_or(true),
        auto_promotion_after: (seconds > 0)
            .then(|| chrono::TimeDelta::try_seconds(seconds))
            .flatten(),
    })
}

/// The Application that tracks the object: by annotation, or by label where that is used.
fn application(value: &Value, meta: &Meta) -> Option<Text> {
    let tracking = annotation(value, "argocd.argoproj.io/tracking-id");
    if let Some((name, _)) = tracking.split_once(':') {
        return Some(name.into());
    }
    let labelled = meta.label("argocd.argoproj.io/instance");
    (!labelled.is_empty()).then(|| labelled.into())
}
