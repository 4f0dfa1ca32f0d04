//! Custom resource definitions: writing one makes its kinds servable at once.
//!
//! A definition is held by a finalizer until the collector has removed all its objects.

use super::core::Core;
use super::crd::KindFromCrd;
use super::error::ApiError;
use super::json;
use super::kinds::Kind;
use super::store::{Draft, Stored};
use serde_json::{Value, json};

/// The finalizer that keeps a definition while objects of its kinds are left.
pub(super) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

pub(super) fn is_definition(kind: &Kind) -> bool {
    kind.is("apiextensions.k8s.io", "CustomResourceDefinition")
}

/// Refuses a definition that could not be served.
pub(super) fn check(kind: &Kind, definition: &Value) -> Result<(), ApiError> {
    if !is_definition(kind) {
        return Ok(());
    }
    KindFromCrd::all(definition)
        .map(drop)
        .map_err(|errors| ApiError::invalid_fields(kind, json::name_of(definition), &errors))
}

/// Fills in the names that a definition leaves out.
pub(super) fn complete(kind: &Kind, definition: &mut Value) {
    if !is_definition(kind) {
        return;
    }
    let name = json::text_at(definition, &["spec", "names", "kind"])
        .unwrap_or_default()
        .to_owned();
    let names = json::map_mut(
        json::object_mut(definition, "spec")
            .entry("names")
            .or_insert(Value::Null),
    );
    names
        .entry("listKind")
        .or_insert_with(|| format!("{name}List").into());
    names
        .entry("singular")
        .or_insert_with(|| name.to_lowercase().into());
    json::object_mut(definition, "spec")
        .entry("conversion")
        .or_insert_with(|| json!({"strategy": "None"}));
}

/// Registers the kinds of a definition that was written, and says so in its status.
pub(super) fn on_write(core: &Core, kind: &Kind, stored: &Stored) {
    if !is_definition(kind) {
        return;
    }
    let definition = stored.value();
    let (group, plural) = names(&definition);
    match KindFromCrd::all(&definition) {
        Ok(kinds) => {
            let served = kinds.into_iter().filter(|kind| kind.served);
            core.registry
                .replace(&group, &plural, served.map(Kind::of_definition).collect());
        }
        Err(errors) => {
            tracing::warn!(
                ?errors,
                name = &*stored.key.name,
                "a definition is not served"
            );
            return;
        }
    }
    establish(core, kind, stored, definition);
}

/// Takes the kinds of a definition that is gone out of service.
pub(super) fn on_delete(core: &Core, kind: &Kind, stored: &Stored) {
    if is_definition(kind) {
        let (group, plural) = names(&stored.value());
        core.registry.replace(&group, &plural, Vec::new());
    }
}

/// Returns group and plural of a definition.
pub(super) fn names(definition: &Value) -> (String, String) {
    let text = |path: &[&str]| {
        json::text_at(definition, path)
            .unwrap_or_default()
            .to_owned()
    };
    (text(&["spec", "group"]), text(&["spec", "names", "plural"]))
}

/// Writes the conditions `NamesAccepted` and `Established`, unless they are there.
fn establish(core: &Core, kind: &Kind, stored: &Stored, mut definition: Value) {
    let now = json::timestamp(core.now());
    let versions: Vec<Value> = json::at(&definition, &["spec", "versions"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    let present = definition.get("status").cloned().unwrap_or_default();
    let mut wanted = json!({
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": versions,
        "conditions": present.get("conditions").cloned().unwrap_or_default(),
    });
    if wanted["conditions"].as_array().is_none_or(Vec::is_empty) {
        wanted["conditions"] = json!([
            {
                "type": "NamesAccepted", "status": "True", "lastTransitionTime": now,
                "reason": "NoConflicts", "message": "no conflicts found",
            },
            {
                "type": "Established", "status": "True", "lastTransitionTime": now,
                "reason": "InitialNamesAccepted",
                "message": "the initial names have been accepted",
            },
        ]);
    }
    let mut finalizers = json::finalizers(&definition);
    let held = stored.deleting || finalizers.iter().any(|one| one == CLEANUP);
    if present == wanted && held {
        return;
    }
    definition["status"] = wanted;
    if !held {
        finalizers.push(CLEANUP.to_owned());
        json::metadata_mut(&mut definition).insert("finalizers".to_owned(), finalizers.into());
    }
    let draft = Draft::new(kind, definition);
    // When somebody wrote meanwhile, that write establishes it.
    drop(core.store.replace(&kind.shelf(), stored.version, draft));
}
