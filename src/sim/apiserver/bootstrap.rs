//! What is there when a server starts: the namespaces that every cluster has.

use super::core::Core;
use super::kinds::Kind;
use super::lifecycle;
use super::store::Draft;
use serde_json::{Value, json};
use std::sync::Arc;

/// Puts the first objects into an empty store.
pub(super) fn fill(core: &Arc<Core>) {
    let table = core.table();
    let Some(namespaces) = table.find("", "v1", "namespaces") else {
        return;
    };
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        put(core, &namespaces, "", json!({"metadata": {"name": name}}));
    }
}

/// Creates one object, unless it is there.
fn put(core: &Core, kind: &Kind, namespace: &str, mut object: Value) {
    if let Err(error) = lifecycle::prepare_create(core, kind, namespace, &mut object) {
        tracing::error!(%error, "a first object is not valid");
        return;
    }
    if core
        .store
        .create(&kind.shelf(), Draft::new(kind, object))
        .is_err()
    {
        tracing::debug!(kind = kind.kind, "a first object is there already");
    }
}
