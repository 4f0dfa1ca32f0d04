//! Who owns what: controller references, adoption and release.
//!
//! Follows `pkg/controller/controller_ref_manager.go`: an owner claims what it owns and still
//! selects, adopts what it selects and nobody owns, and lets go of what it no longer selects.

use super::runtime::{Change, ObjectKey, ReconcileError, Watched, Writer, selector};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Returns the reference to the object's managing owner.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references
        .iter()
        .flatten()
        .find(|owner| owner.controller == Some(true))
}

/// Returns the reference that makes `owner` the managing owner of something.
pub fn reference_to<K: Watched<DynamicType = ()>>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.meta().name.clone().unwrap_or_default(),
        uid: owner.meta().uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Returns the keys of the owners of one kind, before and after a change of what they own.
pub fn owner_keys<K: Watched>(change: &Change<K>, kind: &str) -> Vec<ObjectKey> {
    change
        .sides()
        .filter_map(|object| {
            let owner = controller_of(object.meta())?;
            (owner.kind == kind).then(|| {
                let namespace = object.meta().namespace.clone().unwrap_or_default();
                ObjectKey::new(namespace, owner.name.clone())
            })
        })
        .collect()
}

/// Returns the children that an owner claims, after adopting and releasing.
pub async fn claim<O, K>(
    owner: &O,
    selector: &LabelSelector,
    children: &Writer<K>,
) -> Result<Vec<Arc<K>>, ReconcileError>
where
    O: Watched<DynamicType = ()>,
    K: Watched + Serialize,
{
    let meta = owner.meta();
    let uid = meta.uid.as_deref().unwrap_or_default();
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let deleting = meta.deletion_timestamp.is_some();
    let mut candidates: BTreeMap<ObjectKey, Arc<K>> = BTreeMap::new();
    let informer = children.informer();
    for child in informer
        .owned_by(uid)
        .into_iter()
        .chain(informer.selected(namespace, selector))
    {
        candidates.insert(ObjectKey::of(&*child), child);
    }
    let mut claimed = Vec::new();
    for (key, child) in candidates {
        let selected = selector::matches(selector, child.meta().labels.as_ref());
        let controller = controller_of(child.meta()).map(|owner| owner.uid.clone());
        match controller {
            Some(other) if other != uid => {}
            Some(_) if selected => claimed.push(child),
            Some(_) if deleting => {}
            Some(_) => release(children, &key, &child, uid).await?,
            None if !selected || deleting || child.meta().deletion_timestamp.is_some() => {}
            None => claimed.push(adopt(children, &key, &child, reference_to(owner)).await?),
        }
    }
    Ok(claimed)
}

async fn adopt<K: Watched + Serialize>(
    children: &Writer<K>,
    key: &ObjectKey,
    child: &Arc<K>,
    reference: OwnerReference,
) -> Result<Arc<K>, ReconcileError> {
    let mut owners = child.meta().owner_references.clone().unwrap_or_default();
    owners.push(reference);
    let patch = json!({"metadata": {"uid": child.meta().uid, "ownerReferences": owners}});
    children.patch(key, &patch).await
}

async fn release<K: Watched + Serialize>(
    children: &Writer<K>,
    key: &ObjectKey,
    child: &Arc<K>,
    uid: &str,
) -> Result<(), ReconcileError> {
    let mut owners = child.meta().owner_references.clone().unwrap_or_default();
    owners.retain(|owner| owner.uid != uid);
    let patch = json!({"metadata": {"uid": child.meta().uid, "ownerReferences": owners}});
    match children.patch(key, &patch).await {
        Err(error) if error.is_not_found() || error.code() == Some(422) => Ok(()),
        other => other.map(|_| ()),
    }
}
