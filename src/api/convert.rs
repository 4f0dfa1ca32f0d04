//! Turns wire objects into the words of the domain.
//!
//! Servers omit fields freely, so every absence is settled here and nowhere else.
//! A field we cannot read becomes a [`Finding`] on the object, never a dropped row.

pub mod actions;
pub mod alert;
pub mod analysis;
pub mod application;
pub mod dashboard;
pub mod detail;
pub mod event;
pub mod harbor;
pub mod image_updater;
mod loose;
pub mod metric;
pub mod oci;
mod operation;
pub mod pod_images;
mod reader;
pub mod replica_set;
pub mod rollout;
pub mod route;
pub mod run_template;
mod spec;
pub mod tekton;
pub mod workflow;

use crate::domain::finding::Finding;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text};

/// The kind of an Argo CD Application.
pub fn application_kind() -> GroupKind {
    GroupKind::new(crate::domain::kind::ARGO, "Application")
}

/// Names an object whose parts were read from a server; an empty namespace is none.
pub fn object_ref(cluster: &Cluster, kind: &GroupKind, namespace: &Text, name: &Text) -> ObjectRef {
    ObjectRef {
        cluster: cluster.clone(),
        kind: kind.clone(),
        namespace: (!namespace.is_empty()).then(|| Text::clone(namespace)),
        name: Text::clone(name),
    }
}

/// Says of every finding which object it is about.
pub(crate) fn about(findings: Vec<Finding>, object: &ObjectRef) -> Vec<Finding> {
    let name = |finding: Finding| finding.about(object.clone());
    findings.into_iter().map(name).collect()
}
