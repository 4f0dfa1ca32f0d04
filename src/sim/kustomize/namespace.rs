//! The namespace of a kustomization, given to everything that can have one.

use super::fields;
use super::resource::Set;
use serde_json::{Value, json};

/// Kinds of the built-in groups that live outside namespaces.
const CLUSTER_SCOPED: [&str; 24] = [
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "CustomResourceDefinition",
    "FlowSchema",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PodSecurityPolicy",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// Like kustomize, takes kinds it does not know for namespaced ones.
pub(super) fn is_cluster_scoped(group: &str, kind: &str) -> bool {
    (!group.contains('.') || group.ends_with(".k8s.io")) && CLUSTER_SCOPED.contains(&kind)
}

pub(super) fn run(set: &mut Set, namespace: &str) {
    for resource in set.iter_mut() {
        if resource.kind() == "Namespace" && resource.group().is_empty() {
            resource.rename(namespace.to_owned());
        } else if !is_cluster_scoped(resource.group(), resource.kind()) {
            resource.set_namespace(namespace);
        }
        match resource.kind() {
            "RoleBinding" | "ClusterRoleBinding" => {
                let path = fields::parts("subjects");
                fields::visit(&mut resource.value, &path, &mut |subject| {
                    move_default_account(subject, namespace);
                });
            }
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
                set_if_present(
                    &mut resource.value,
                    "webhooks/clientConfig/service/namespace",
                    namespace,
                );
            }
            "APIService" => {
                set_if_present(&mut resource.value, "spec/service/namespace", namespace);
            }
            "CustomResourceDefinition" => {
                let path = "spec/conversion/webhook/clientConfig/service/namespace";
                set_if_present(&mut resource.value, path, namespace);
            }
            _ => {}
        }
    }
}

fn set_if_present(value: &mut Value, path: &str, namespace: &str) {
    fields::visit(value, &fields::parts(path), &mut |field| {
        *field = json!(namespace);
    });
}

/// Every namespace has an account named `default`, so that subject moves along.
fn move_default_account(subject: &mut Value, namespace: &str) {
    let is = |field: &str, wanted: &str| subject.get(field).and_then(Value::as_str) == Some(wanted);
    if is("kind", "ServiceAccount")
        && is("name", "default")
        && let Some(map) = subject.as_object_mut()
    {
        map.insert("namespace".to_owned(), json!(namespace));
    }
}
