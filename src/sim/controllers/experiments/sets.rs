//! The ReplicaSets of an experiment, and the Services before them.
//!
//! Follows Argo Rollouts' `experiments/replicaset.go` and `experiments/service.go`.

use super::model::{Experiment, TemplateSpec};
use crate::sim::controllers::ownership::reference_to;
use crate::sim::rng::{fnv32a, safe_encode};
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::{PodTemplateSpec, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// The label that tells the pods of templates apart.
pub(super) const HASH_LABEL: &str = "rollouts-pod-template-hash";
/// The annotation that says until when pods that are not wanted stay.
pub(super) const SCALE_DOWN_DEADLINE: &str = "scale-down-deadline";
const EXPERIMENT_NAME: &str = "experiment.argoproj.io/name";
const TEMPLATE_NAME: &str = "experiment.argoproj.io/template-name";

fn annotations(experiment: &Experiment, template: &str) -> BTreeMap<String, String> {
    let name = experiment.metadata.name.clone().unwrap_or_default();
    BTreeMap::from([
        (EXPERIMENT_NAME.to_owned(), name),
        (TEMPLATE_NAME.to_owned(), template.to_owned()),
    ])
}

/// The object was made for a template.
pub(super) fn is_of(meta: &ObjectMeta, template: &str) -> bool {
    let annotations = meta.annotations.as_ref();
    annotations
        .and_then(|all| all.get(TEMPLATE_NAME))
        .map(String::as_str)
        == Some(template)
}

/// Returns the hash of a set's pods.
pub(super) fn hash_of(set: &ReplicaSet) -> &str {
    let labels = set.metadata.labels.as_ref();
    labels
        .and_then(|labels| labels.get(HASH_LABEL))
        .map_or("", String::as_str)
}

/// Returns the ReplicaSet of a template, still without pods.
pub(super) fn set_of(
    experiment: &Experiment,
    template: &TemplateSpec,
) -> Result<ReplicaSet, String> {
    let mut pods: PodTemplateSpec = serde_json::from_value(template.template.clone())
        .map_err(|error| format!("the pod template cannot be read: {error}"))?;
    let labels = pods
        .metadata
        .get_or_insert_default()
        .labels
        .get_or_insert_default();
    labels.remove(HASH_LABEL);
    let hash = safe_encode(&fnv32a(template.template.to_string().as_bytes()).to_string());
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
    let mut selector = template.selector.clone();
    selector
        .match_labels
        .get_or_insert_default()
        .insert(HASH_LABEL.to_owned(), hash.clone());
    let experiment_name = experiment.metadata.name.as_deref().unwrap_or_default();
    Ok(ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{experiment_name}-{}", template.name)),
            namespace: experiment.metadata.namespace.clone(),
            labels: Some(BTreeMap::from([(HASH_LABEL.to_owned(), hash)])),
            annotations: Some(annotations(experiment, &template.name)),
            owner_references: Some(vec![reference_to(experiment)]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(0),
            min_ready_seconds: template.min_ready_seconds,
            selector,
            template: Some(pods),
        }),
        status: None,
    })
}

/// Returns the Service of a template; none when its pods open no port.
pub(super) fn service_of(
    experiment: &Experiment,
    template: &TemplateSpec,
    set: &ReplicaSet,
) -> Option<Service> {
    let wanted = template.service.as_ref()?;
    let pods = set.spec.as_ref()?.template.as_ref()?.spec.as_ref()?;
    let ports: Vec<ServicePort> = pods
        .containers
        .iter()
        .flat_map(|container| container.ports.iter().flatten())
        .map(|port| ServicePort {
            name: port.name.clone(),
            protocol: port.protocol.clone(),
            port: port.container_port,
            target_port: Some(IntOrString::Int(port.container_port)),
            ..ServicePort::default()
        })
        .collect();
    let name = if wanted.name.is_empty() {
        set.metadata.name.clone()
    } else {
        Some(wanted.name.clone())
    };
    (!ports.is_empty()).then(|| Service {
        metadata: ObjectMeta {
            name,
            namespace: experiment.metadata.namespace.clone(),
            annotations: Some(annotations(experiment, &template.name)),
            owner_references: Some(vec![reference_to(experiment)]),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            selector: set.metadata.labels.clone(),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        status: None,
    })
}
