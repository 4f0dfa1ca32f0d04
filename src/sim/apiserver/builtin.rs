//! The kinds that are there from the start, and what the table of types does not say about them.

use super::kinds::Kind;
use super::schema::core_types;

/// Returns the built-in kinds.
pub(super) fn kinds() -> Vec<Kind> {
    core_types()
        .all()
        .iter()
        .filter(|core| core.kind != "ComponentStatus")
        .map(Kind::of_core)
        .collect()
}

/// Returns the fields that field selectors of a built-in kind may name.
pub(super) fn selectable(kind: &str) -> Vec<String> {
    let list: &[&str] = match kind {
        "Pod" => &[
            "spec.nodeName",
            "status.phase",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "Secret" => &["type"],
        "Namespace" => &["status.phase"],
        "Node" => &["spec.unschedulable"],
        "ReplicaSet" | "ReplicationController" => &["status.replicas"],
        "Job" => &["status.successful"],
        "Service" => &["spec.clusterIP", "spec.type"],
        "CertificateSigningRequest" => &["spec.signerName"],
        _ => &[],
    };
    list.iter().map(|one| (*one).to_owned()).collect()
}

/// Returns the warning that answers about a built-in kind carry.
pub(super) fn deprecation(kind: &str) -> Option<String> {
    (kind == "Endpoints").then(|| {
        "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned()
    })
}
