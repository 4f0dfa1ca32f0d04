//! Workspaces of a TaskRun: the volumes behind them, and what refers to them.

use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::runtime::Watched;
use crate::sim::controllers::tekton::model::spec::{TaskSpec, WorkspaceBinding, WorkspaceSpec};
use crate::sim::controllers::tekton::names::claim_name;
use crate::sim::controllers::tekton::replace::Replacements;
use crate::sim::rng::{fnv32a, safe_encode};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Resource;
use serde_json::{Value, json};

/// What a workspace can be bound to, as volumes name it.
const SOURCES: [&str; 6] = [
    "emptyDir",
    "persistentVolumeClaim",
    "configMap",
    "secret",
    "projected",
    "csi",
];

/// Returns the volume's name of a workspace.
pub(super) fn volume_name(workspace: &str) -> String {
    let hash = safe_encode(&fnv32a(workspace.as_bytes()).to_string());
    let short: String = hash.chars().take(8).collect();
    format!("ws-{short}")
}

/// Returns where a workspace is mounted.
pub(super) fn mount_path(workspace: &WorkspaceSpec) -> String {
    if workspace.mount_path.is_empty() {
        format!("/workspace/{}", workspace.name)
    } else {
        workspace.mount_path.clone()
    }
}

/// Returns the claims that templates ask for.
pub(in crate::sim::controllers::tekton) fn claims<K: Watched<DynamicType = ()>>(
    owner: &K,
    bindings: &[WorkspaceBinding],
) -> Vec<PersistentVolumeClaim> {
    let claim = |binding: &WorkspaceBinding| {
        let template = binding.source.get("volumeClaimTemplate")?;
        let mut claim: PersistentVolumeClaim = serde_json::from_value(template.clone()).ok()?;
        claim.metadata.name = Some(claim_of(owner, binding)?);
        claim.metadata.namespace.clone_from(&owner.meta().namespace);
        claim.metadata.owner_references = Some(vec![reference_to(owner)]);
        claim.status = None;
        Some(claim)
    };
    bindings.iter().filter_map(claim).collect()
}

/// Returns the name of the claim that a binding's template stands for.
pub(in crate::sim::controllers::tekton) fn claim_of<K: Resource>(
    owner: &K,
    binding: &WorkspaceBinding,
) -> Option<String> {
    let template = binding.source.get("volumeClaimTemplate")?;
    let name = template.pointer("/metadata/name").and_then(Value::as_str);
    let uid = owner.meta().uid.as_deref().unwrap_or_default();
    Some(claim_name(name.unwrap_or_default(), &binding.name, uid))
}

/// Returns the volume behind a binding.
pub(super) fn volume<K: Resource>(owner: &K, binding: &WorkspaceBinding) -> Value {
    let mut volume = json!({"name": volume_name(&binding.name)});
    if let Some(claim) = claim_of(owner, binding) {
        volume["persistentVolumeClaim"] = json!({"claimName": claim});
        return volume;
    }
    for source in SOURCES {
        if let Some(value) = binding.source.get(source) {
            volume[source] = value.clone();
        }
    }
    volume
}

/// Adds what refers to the workspaces of a Task.
pub(super) fn replacements(
    known: &mut Replacements,
    task: &TaskSpec,
    bindings: &[WorkspaceBinding],
) {
    for workspace in &task.workspaces {
        let name = &workspace.name;
        let binding = bindings.iter().find(|one| &one.name == name);
        let path = binding.map(|_| mount_path(workspace)).unwrap_or_default();
        known.text(format!("workspaces.{name}.path"), path);
        known.text(
            format!("workspaces.{name}.bound"),
            binding.is_some().to_string(),
        );
        let volume = binding.map(|_| volume_name(name)).unwrap_or_default();
        known.text(format!("workspaces.{name}.volume"), volume);
        let claim = binding
            .and_then(|binding| binding.source.get("persistentVolumeClaim"))
            .and_then(|claim| claim.get("claimName"))
            .and_then(Value::as_str);
        known.text(
            format!("workspaces.{name}.claim"),
            claim.unwrap_or_default(),
        );
    }
}
