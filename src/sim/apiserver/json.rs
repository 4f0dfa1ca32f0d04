//! Small readers and writers over JSON objects in the shape of Kubernetes.
//!
//! Nothing here fails: a missing or mistyped field reads as absent, so callers decide.

use serde_json::{Map, Value};

/// Follows `path` through nested objects.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |here, step| here.get(step))
}

/// Reads the text at `path`; an empty text counts as absent.
pub(super) fn text_at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// Reads `metadata.<field>` as text.
pub(super) fn meta_text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    text_at(object, &["metadata", field])
}

/// Reads `metadata.name`, or nothing.
pub(super) fn name_of(object: &Value) -> &str {
    meta_text(object, "name").unwrap_or_default()
}

/// Returns the object below `field`, making it (or replacing what is no object).
pub(super) fn object_mut<'a>(parent: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    let here = map_mut(parent);
    map_mut(here.entry(field).or_insert(Value::Null))
}

/// Turns a value into an object if it is none, and returns it.
pub(super) fn map_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            unreachable!("made an object just above")
        }
    }
}

/// Returns `metadata`, making it if needed.
pub(super) fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    object_mut(object, "metadata")
}

/// Sets or, with `None`, removes a top-level field.
pub(super) fn set_or_remove(object: &mut Value, field: &str, value: Option<&Value>) {
    let map = map_mut(object);
    match value {
        Some(value) => {
            map.insert(field.to_owned(), value.clone());
        }
        None => {
            map.remove(field);
        }
    }
}

/// Returns the texts of the array at `path`.
pub(super) fn texts_at(value: &Value, path: &[&str]) -> Vec<String> {
    at(value, path)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Returns `metadata.finalizers`.
pub(super) fn finalizers(object: &Value) -> Vec<String> {
    texts_at(object, &["metadata", "finalizers"])
}

/// Says whether deletion of the object has begun.
pub(super) fn is_deleting(object: &Value) -> bool {
    meta_text(object, "deletionTimestamp").is_some()
}

/// Writes an instant as Kubernetes does in `metadata` (whole seconds, UTC).
pub(super) fn timestamp(now: chrono::DateTime<chrono::Utc>) -> String {
    now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
