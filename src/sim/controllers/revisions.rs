//! ControllerRevisions: the history of templates of StatefulSets and DaemonSets.
//!
//! Follows `pkg/controller/history/controller_history.go`: one revision per template, equal
//! templates share one, coming back to an old template gives its revision a new number.

use super::ownership::{controller_of, reference_to};
use super::runtime::{ReconcileError, Watched, Writer};
use crate::sim::rng::{fnv32a, safe_encode};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The label that tells which revision a pod is of.
pub const REVISION_LABEL: &str = "controller-revision-hash";

/// Returns the owner's revisions, oldest first, the last one being that of `template`.
pub async fn history<O: Watched<DynamicType = ()>>(
    owner: &O,
    template: &PodTemplateSpec,
    revisions: &Writer<ControllerRevision>,
) -> Result<Vec<Arc<ControllerRevision>>, ReconcileError> {
    let uid = owner.meta().uid.as_deref().unwrap_or_default();
    let mut all: Vec<_> = revisions
        .informer()
        .owned_by(uid)
        .into_iter()
        .filter(|one| controller_of(&one.metadata).is_some_and(|owner| owner.uid == uid))
        .collect();
    all.sort_by_key(|one| one.revision);
    let data = data_of(template)?;
    let highest = all.last().map_or(0, |one| one.revision);
    let known = all.iter().position(|one| {
        let own = one.data.as_ref().map(|data| &data.0);
        own.and_then(|own| own.pointer("/spec/template")) == data.pointer("/spec/template")
    });
    match known {
        Some(index) if index + 1 == all.len() => {}
        Some(index) => {
            let old = all.remove(index);
            let mut raised = (*old).clone();
            raised.revision = highest + 1;
            all.push(revisions.update(&*old, &raised).await?.unwrap_or(old));
        }
        None => {
            let revision = revision(owner, template, (data, highest + 1));
            all.push(revisions.create(&revision).await?);
        }
    }
    Ok(all)
}

/// Deletes the oldest revisions beyond the limit that nothing runs any more.
pub async fn forget(
    all: &[Arc<ControllerRevision>],
    in_use: &[&str],
    limit: Option<i32>,
    revisions: &Writer<ControllerRevision>,
) -> Result<(), ReconcileError> {
    let unused: Vec<_> = all
        .iter()
        .filter(|one| !in_use.contains(&name_of(one)))
        .collect();
    let surplus = unused
        .len()
        .saturating_sub(limit.unwrap_or(10).max(0) as usize);
    for one in unused.into_iter().take(surplus) {
        revisions.delete(&**one, &DeleteParams::default()).await?;
    }
    Ok(())
}

/// Returns a revision's name.
pub fn name_of(revision: &ControllerRevision) -> &str {
    revision.metadata.name.as_deref().unwrap_or_default()
}

/// Returns the template that a revision holds.
pub fn template_of(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let template = revision.data.as_ref()?.0.pointer("/spec/template")?;
    serde_json::from_value(template.clone()).ok()
}

/// Returns the revision that a pod is of.
pub fn revision_of(labels: Option<&BTreeMap<String, String>>) -> Option<&str> {
    labels?.get(REVISION_LABEL).map(String::as_str)
}

fn data_of(template: &PodTemplateSpec) -> Result<Value, ReconcileError> {
    let mut template =
        serde_json::to_value(template).map_err(|source| ReconcileError::Encoding {
            doing: "keep a pod template as a revision".to_owned(),
            source,
        })?;
    template["$patch"] = "replace".into();
    Ok(json!({"spec": {"template": template}}))
}

fn revision<O: Watched<DynamicType = ()>>(
    owner: &O,
    template: &PodTemplateSpec,
    (data, number): (Value, i64),
) -> ControllerRevision {
    let hash = safe_encode(&fnv32a(data.to_string().as_bytes()).to_string());
    let mut labels = template
        .metadata
        .as_ref()
        .and_then(|meta| meta.labels.clone())
        .unwrap_or_default();
    labels.insert("controller.kubernetes.io/hash".to_owned(), hash.clone());
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(format!(
                "{}-{hash}",
                owner.meta().name.as_deref().unwrap_or_default()
            )),
            namespace: owner.meta().namespace.clone(),
            labels: Some(labels),
            owner_references: Some(vec![reference_to(owner)]),
            ..ObjectMeta::default()
        },
        data: Some(RawExtension(data)),
        revision: number,
    }
}
