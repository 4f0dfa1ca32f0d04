//! The order of the output: kustomize's `legacy` order unless `sortOptions` says otherwise.

use super::document::SortOptions;
use super::resource::{Resource, Set};

const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: [&str; 2] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

pub(super) fn sort(set: &mut Set, options: Option<&SortOptions>) {
    if options.and_then(|options| options.order.as_deref()) == Some("fifo") {
        return;
    }
    let custom = options.and_then(|options| options.legacy_sort_options.as_ref());
    match custom {
        Some(custom) => {
            let first: Vec<&str> = custom.order_first.iter().map(String::as_str).collect();
            let last: Vec<&str> = custom.order_last.iter().map(String::as_str).collect();
            set.sort_by_key(|resource| key(resource, &first, &last));
        }
        None => set.sort_by_key(|resource| key(resource, &FIRST, &LAST)),
    }
}

/// Kinds in the given order, then by group, version, kind, namespace and name.
fn key(resource: &Resource, first: &[&str], last: &[&str]) -> (usize, String, String, String) {
    let position = |list: &[&str]| list.iter().position(|kind| *kind == resource.kind());
    let rank = match (position(first), position(last)) {
        (Some(index), _) => index,
        (None, Some(index)) => 10_000 + index,
        (None, None) => 5_000,
    };
    let group = match resource.group() {
        "" => "~G",
        group => group,
    };
    let kind = format!("{group}_{}_{}", resource.version(), resource.kind());
    let namespace = match resource.namespace() {
        "" => "~X",
        namespace => namespace,
    };
    (rank, kind, namespace.to_owned(), resource.name().to_owned())
}
