//! The pods that stand for EventSources, Sensors and EventBuses, and the Services in front.
//!
//! As upstream makes them: labelled with the owner's name and controller. What they do is done by
//! the controllers here; the pods are what the cluster shows of it.

use super::model::{EventBus, text};
use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::runtime::{ReconcileError, Watched};
use crate::sim::rng::{fnv32a, safe_encode};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use serde_json::{Value, json};

const IMAGE: &str = "quay.io/argoproj/argo-events:v1.9.11";
const BUS_IMAGE: &str = "docker.io/library/nats:2.10.29";

/// What a Deployment runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    EventSource,
    Sensor,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::EventSource => "eventsource",
            Self::Sensor => "sensor",
        }
    }
}

/// What is there already was made by somebody else, or a moment ago.
pub(super) fn made<T>(outcome: Result<T, ReconcileError>) -> Result<(), ReconcileError> {
    match outcome {
        Ok(_) => Ok(()),
        Err(error) if error.is_conflict() => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn deployment<K: Watched<DynamicType = ()>>(
    owner: &K,
    role: Role,
    replicas: i64,
) -> Deployment {
    let (name, word) = (owner.name_any(), role.word());
    let uid = owner.uid().unwrap_or_default();
    let suffix = safe_encode(&fnv32a(uid.as_bytes()).to_string());
    let mut labels = json!({"controller": format!("{word}-controller"), "owner-name": name});
    labels[format!("{word}-name")] = name.as_str().into();
    let deployment = json!({
        "metadata": {
            "name": format!("{name}-{word}-{suffix}"),
            "namespace": owner.namespace(),
            "labels": labels,
            "ownerReferences": [reference_to(owner)],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{
                    "name": "main", "image": IMAGE, "args": [format!("{word}-service")],
                    "ports": [{"name": "metrics", "containerPort": 7777}],
                }]},
            },
        },
    });
    serde_json::from_value(deployment).unwrap_or_default()
}

pub(super) fn stateful_set(bus: &EventBus) -> StatefulSet {
    let name = bus.name_any();
    let replicas = ["/jetstream/replicas", "/nats/native/replicas"];
    let mut replicas = replicas.iter().filter_map(|place| bus.spec.pointer(place));
    let replicas = replicas.find_map(Value::as_i64).unwrap_or(3);
    let labels =
        json!({"controller": "eventbus-controller", "eventbus-name": name, "owner-name": name});
    let set = json!({
        "metadata": {
            "name": format!("eventbus-{name}-js"),
            "namespace": bus.namespace(),
            "labels": labels,
            "ownerReferences": [reference_to(bus)],
        },
        "spec": {
            "replicas": replicas,
            "serviceName": format!("eventbus-{name}-js-svc"),
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": BUS_IMAGE,
                    "ports": [{"name": "client", "containerPort": 4222}]}]},
            },
        },
    });
    serde_json::from_value(set).unwrap_or_default()
}

pub(super) fn service<K: Watched<DynamicType = ()>>(
    owner: &K,
    name: &str,
    wanted: &Value,
) -> Service {
    let own = owner.name_any();
    let mut spec = json!({
        "ports": wanted.get("ports"),
        "selector": {"controller": "eventsource-controller", "eventsource-name": own, "owner-name": own},
    });
    if !text(wanted, "clusterIP").is_empty() {
        spec["clusterIP"] = text(wanted, "clusterIP").into();
    }
    let service = json!({
        "metadata": {
            "name": name,
            "namespace": owner.namespace(),
            "ownerReferences": [reference_to(owner)],
        },
        "spec": spec,
    });
    serde_json::from_value(service).unwrap_or_default()
}
