//! The Service and the Deployment that an EventListener is given.

use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::runtime::ObjectKey;
use crate::sim::controllers::tekton::model::EventListener;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

const IMAGE: &str = "ghcr.io/tektoncd/triggers/eventlistenersink:v0.37.0";

/// Returns what both are called.
pub(super) fn key(listener: &EventListener) -> ObjectKey {
    let key = ObjectKey::of(listener);
    ObjectKey::new(key.namespace, format!("el-{}", key.name))
}

fn labels(listener: &EventListener) -> Value {
    json!({
        "app.kubernetes.io/managed-by": "EventListener",
        "app.kubernetes.io/part-of": "Triggers",
        "eventlistener": listener.metadata.name,
    })
}

fn meta(listener: &EventListener) -> Value {
    let key = key(listener);
    json!({
        "name": key.name,
        "namespace": key.namespace,
        "labels": labels(listener),
        "ownerReferences": [reference_to(listener)],
    })
}

pub(super) fn service(listener: &EventListener) -> Service {
    let service = json!({
        "metadata": meta(listener),
        "spec": {
            "selector": labels(listener),
            "ports": [
                {"name": "http-listener", "port": 8080, "targetPort": 8080},
                {"name": "http-metrics", "port": 9000, "targetPort": 9000},
            ],
        },
    });
    serde_json::from_value(service).unwrap_or_default()
}

pub(super) fn deployment(listener: &EventListener) -> Deployment {
    let own = listener
        .spec
        .pointer("/resources/kubernetesResource/replicas");
    let deployment = json!({
        "metadata": meta(listener),
        "spec": {
            "replicas": own.and_then(Value::as_i64).unwrap_or(1),
            "selector": {"matchLabels": labels(listener)},
            "template": {
                "metadata": {"labels": labels(listener)},
                "spec": {
                    "serviceAccountName": listener.spec.get("serviceAccountName"),
                    "containers": [{
                        "name": "event-listener",
                        "image": IMAGE,
                        "ports": [{"containerPort": 8080}, {"containerPort": 9000}],
                        "readinessProbe": {"httpGet": {"path": "/live", "port": 8080}},
                    }],
                },
            },
        },
    });
    serde_json::from_value(deployment).unwrap_or_default()
}
