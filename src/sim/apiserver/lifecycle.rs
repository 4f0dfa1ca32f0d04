//! What the server itself decides about an object that is created or updated.
//!
//! Identity, times, generation, which part a subresource may change, and the finalizers of
//! namespaces. Follows apiserver `pkg/registry/rest` (`BeforeCreate`, `BeforeUpdate`) and the
//! strategies of the built-in kinds. Pure: the store is not touched here.

use super::core::Core;
use super::error::{ApiError, Cause};
use super::json::{self, metadata_mut};
use super::kinds::Kind;
use serde_json::{Value, json};

/// Settles a new object: name, uid, times, generation, status.
pub(super) fn prepare_create(
    core: &Core,
    kind: &Kind,
    namespace: &str,
    object: &mut Value,
) -> Result<(), ApiError> {
    check_type(kind, object)?;
    let metadata = metadata_mut(object);
    for field in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "selfLink",
    ] {
        metadata.remove(field);
    }
    if metadata
        .remove("resourceVersion")
        .is_some_and(|version| !matches!(version.as_str(), None | Some("" | "0")))
    {
        return Err(ApiError::internal(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    settle_namespace(kind, namespace, object)?;
    settle_name(core, object);
    let metadata = metadata_mut(object);
    metadata.insert("uid".to_owned(), core.ids.uid().into());
    let now = json::timestamp(core.now());
    metadata.insert("creationTimestamp".to_owned(), now.into());
    if kind.has_generation() {
        metadata.insert("generation".to_owned(), 1.into());
    }
    if kind.status {
        json::set_or_remove(object, "status", None);
        if !kind.custom {
            // A built-in object always has a status, be it empty.
            object["status"] = json!({});
        }
    }
    if kind.is("", "Namespace") {
        adopt_namespace(object);
    }
    if kind.is("", "Pod") {
        object["status"] = json!({"phase": "Pending", "qosClass": qos_class(object)});
    }
    Ok(())
}

/// Refuses an object of another kind than the path names; fills in what is left out.
pub(super) fn check_type(kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
    if !object.is_object() {
        return Err(ApiError::bad_request(
            "the object provided is unrecognized (must be of type object)",
        ));
    }
    let wanted = kind.api_version();
    match json::text_at(object, &["apiVersion"]) {
        Some(given) if given != wanted => {
            return Err(ApiError::bad_request(format!(
                "the API version in the data ({given}) does not match the expected API version \
                 ({wanted})"
            )));
        }
        Some(_) | None => object["apiVersion"] = wanted.into(),
    }
    match json::text_at(object, &["kind"]) {
        Some(given) if given != kind.kind => Err(ApiError::bad_request(format!(
            "{given} in version \"{}\" cannot be handled as a {}: the kind does not match",
            kind.version, kind.kind
        ))),
        Some(_) | None => {
            object["kind"] = kind.kind.clone().into();
            Ok(())
        }
    }
}

fn settle_namespace(kind: &Kind, namespace: &str, object: &mut Value) -> Result<(), ApiError> {
    if !kind.namespaced {
        metadata_mut(object).remove("namespace");
        return Ok(());
    }
    if let Some(given) = json::meta_text(object, "namespace")
        && given != namespace
    {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    metadata_mut(object).insert("namespace".to_owned(), namespace.into());
    Ok(())
}

fn settle_name(core: &Core, object: &mut Value) {
    const LONGEST_BASE: usize = 58;
    if json::meta_text(object, "name").is_some() {
        return;
    }
    if let Some(base) = json::meta_text(object, "generateName") {
        let base: String = base.chars().take(LONGEST_BASE).collect();
        let name = format!("{base}{}", core.ids.suffix());
        metadata_mut(object).insert("name".to_owned(), name.into());
    }
}

fn adopt_namespace(object: &mut Value) {
    let name = json::name_of(object).to_owned();
    let labels = metadata_mut(object)
        .entry("labels")
        .or_insert_with(|| json!({}));
    json::map_mut(labels).insert("kubernetes.io/metadata.name".to_owned(), name.into());
    let finalizers = json::object_mut(object, "spec")
        .entry("finalizers")
        .or_insert_with(|| json!([]));
    if let Value::Array(list) = finalizers
        && !list.iter().any(|one| one == "kubernetes")
    {
        list.push("kubernetes".into());
    }
    object["status"] = json!({"phase": "Active"});
}

fn qos_class(pod: &Value) -> &'static str {
    let containers = json::at(pod, &["spec", "containers"])
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let read = |container: &Value, list: &str, what: &str| {
        json::at(container, &["resources", list, what]).cloned()
    };
    let mut any = false;
    let mut guaranteed = !containers.is_empty();
    for container in containers {
        for what in ["cpu", "memory"] {
            let limit = read(container, "limits", what);
            let request = read(container, "requests", what).or_else(|| limit.clone());
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && request == limit;
        }
    }
    match (guaranteed, any) {
        (true, _) => "Guaranteed",
        (false, true) => "Burstable",
        (false, false) => "BestEffort",
    }
}

/// Settles an update against the present object; `subresource` is empty for the main resource.
pub(super) fn prepare_update(
    kind: &Kind,
    subresource: &str,
    old: &Value,
    new: &mut Value,
) -> Result<(), ApiError> {
    check_type(kind, new)?;
    let name = json::name_of(old);
    if json::name_of(new) != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            json::name_of(new)
        )));
    }
    if let Some(given) = json::meta_text(new, "namespace")
        && json::meta_text(old, "namespace") != Some(given)
        && kind.namespaced
    {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    check_uid(kind, old, new)?;
    keep_identity(old, new);
    match subresource {
        "status" => keep_all_but(old, new, &["status"]),
        "finalize" => {
            let finalizers = json::at(new, &["spec", "finalizers"]).cloned();
            keep_all_but(old, new, &[]);
            let spec = json::object_mut(new, "spec");
            spec.insert(
                "finalizers".to_owned(),
                finalizers.unwrap_or_else(|| json!([])),
            );
        }
        _ => {
            if kind.status {
                json::set_or_remove(new, "status", old.get("status"));
            }
            if kind.is("", "Namespace") {
                json::set_or_remove(new, "spec", old.get("spec"));
            }
            check_finalizers(kind, old, new)?;
        }
    }
    count_generation(kind, old, new);
    Ok(())
}

fn check_uid(kind: &Kind, old: &Value, new: &Value) -> Result<(), ApiError> {
    let (present, given) = (json::meta_text(old, "uid"), json::meta_text(new, "uid"));
    match (present, given) {
        (Some(present), Some(given)) if present != given => Err(ApiError::conflict(
            kind,
            json::name_of(old),
            &format!(
                "Precondition failed: UID in precondition: {given}, UID in object meta: {present}"
            ),
        )),
        (_, _) => Ok(()),
    }
}

fn keep_identity(old: &Value, new: &mut Value) {
    for field in [
        "uid",
        "namespace",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "generateName",
    ] {
        let present = json::at(old, &["metadata", field]).cloned();
        let metadata = metadata_mut(new);
        match present {
            Some(present) => {
                metadata.insert(field.to_owned(), present);
            }
            None => {
                metadata.remove(field);
            }
        }
    }
    metadata_mut(new).remove("selfLink");
}

/// Takes only the named parts (and who manages them) from the new object.
fn keep_all_but(old: &Value, new: &mut Value, parts: &[&str]) {
    let mut kept = old.clone();
    for part in parts {
        json::set_or_remove(&mut kept, part, new.get(part));
    }
    match json::at(new, &["metadata", "managedFields"]).cloned() {
        Some(managed) => {
            metadata_mut(&mut kept).insert("managedFields".to_owned(), managed);
        }
        None => {
            metadata_mut(&mut kept).remove("managedFields");
        }
    }
    *new = kept;
}

fn check_finalizers(kind: &Kind, old: &Value, new: &Value) -> Result<(), ApiError> {
    if !json::is_deleting(old) {
        return Ok(());
    }
    let present = json::finalizers(old);
    let added: Vec<String> = json::finalizers(new)
        .into_iter()
        .filter(|one| !present.contains(one))
        .collect();
    if added.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = added.iter().map(|one| format!("\"{one}\"")).collect();
    let cause = Cause {
        reason: "FieldValueForbidden".to_owned(),
        message: format!(
            "Forbidden: no new finalizers can be added if the object is being deleted, found new \
             finalizers []string{{{}}}",
            list.join(", ")
        ),
        field: "metadata.finalizers".to_owned(),
    };
    Err(ApiError::invalid(kind, json::name_of(old), &[cause]))
}

/// Counts changes of what the user wants: everything but metadata and a separate status.
fn count_generation(kind: &Kind, old: &Value, new: &mut Value) {
    if !kind.has_generation() {
        return;
    }
    let changed = if kind.custom {
        let wanted = |object: &Value| {
            let mut object = object.clone();
            let map = json::map_mut(&mut object);
            map.remove("metadata");
            map.remove("apiVersion");
            if kind.status {
                map.remove("status");
            }
            object
        };
        wanted(old) != wanted(new)
    } else {
        old.get("spec") != new.get("spec")
    };
    if changed {
        bump_generation(new);
    }
}

/// Raises `metadata.generation` by one.
pub(super) fn bump_generation(object: &mut Value) {
    let present = json::at(object, &["metadata", "generation"])
        .and_then(Value::as_i64)
        .unwrap_or(0);
    metadata_mut(object).insert("generation".to_owned(), (present + 1).into());
}

/// Says whether nothing holds back an object whose deletion has begun.
pub(super) fn may_vanish(kind: &Kind, object: &Value) -> bool {
    if !json::is_deleting(object) || !json::finalizers(object).is_empty() {
        return false;
    }
    if kind.is("", "Namespace") {
        return json::texts_at(object, &["spec", "finalizers"]).is_empty();
    }
    // A pod is kept until its kubelet confirms that the containers have stopped.
    if kind.is("", "Pod") {
        let grace = json::at(object, &["metadata", "deletionGracePeriodSeconds"]);
        return grace.and_then(Value::as_i64).unwrap_or(0) == 0;
    }
    true
}
