//! Field ownership as `managedFields` records it.
//!
//! Used in two ways: to leave out of a comparison what other managers own
//! (`ignoreDifferences[].managedFieldsManagers`), and to know what an earlier server-side apply
//! of ours set, in place of the last-applied annotation.

use super::json;
use serde_json::{Map, Value};

/// Returns the field sets of a manager; every operation and subresource of it.
pub fn fields_of<'a>(live: &'a Value, managers: &[&str]) -> Vec<&'a Value> {
    json::items(live, &["metadata", "managedFields"])
        .iter()
        .filter(|entry| managers.contains(&json::text(entry, &["manager"])))
        .filter_map(|entry| entry.get("fieldsV1"))
        .collect()
}

/// Returns the part of a live object that a manager applied from the server's side.
pub fn applied_by(live: &Value, manager: &str) -> Option<Value> {
    let entry = json::items(live, &["metadata", "managedFields"])
        .iter()
        .find(|entry| {
            json::text(entry, &["manager"]) == manager
                && json::text(entry, &["operation"]) == "Apply"
                && json::text(entry, &["subresource"]).is_empty()
        })?;
    Some(project(live, entry.get("fieldsV1")?))
}

/// Keeps of a value only what a field set names.
fn project(value: &Value, fields: &Value) -> Value {
    // An empty set owns the whole value; `.` alone owns that it exists, not what is in it.
    let Some(fields) = fields.as_object().filter(|fields| !fields.is_empty()) else {
        return value.clone();
    };
    if let Some(map) = value.as_object() {
        let kept = map.iter().filter_map(|(name, member)| {
            let inner = fields.get(&format!("f:{name}"))?;
            Some((name.clone(), project(member, inner)))
        });
        return Value::Object(kept.collect());
    }
    let Some(list) = value.as_array() else {
        return value.clone();
    };
    let kept = list.iter().filter_map(|item| {
        let inner = fields.iter().find(|(name, _)| names_item(name, item))?.1;
        Some(with_key(project(item, inner), item, fields))
    });
    Value::Array(kept.collect())
}

/// Puts the key members back that identify a list item.
fn with_key(mut kept: Value, item: &Value, fields: &Map<String, Value>) -> Value {
    let keys = fields
        .keys()
        .find(|name| names_item(name, item))
        .and_then(|name| name.strip_prefix("k:"))
        .and_then(|keys| serde_json::from_str::<Map<String, Value>>(keys).ok());
    if let (Some(keys), Some(map)) = (keys, kept.as_object_mut()) {
        map.extend(keys);
    }
    kept
}

/// Returns whether `k:{…}` or `v:…` names a list item.
fn names_item(name: &str, item: &Value) -> bool {
    if let Some(keys) = name.strip_prefix("k:") {
        return serde_json::from_str::<Map<String, Value>>(keys)
            .is_ok_and(|keys| keys.iter().all(|(key, value)| item.get(key) == Some(value)));
    }
    name.strip_prefix("v:")
        .and_then(|value| serde_json::from_str::<Value>(value).ok())
        .is_some_and(|value| value == *item)
}

/// Removes what a field set names.
pub fn remove(value: &mut Value, fields: &Value) {
    let Some(fields) = fields.as_object() else {
        return;
    };
    for (name, inner) in fields {
        let whole = inner
            .as_object()
            .is_none_or(|inner| inner.keys().all(|name| name == "."));
        if let Some(member) = name.strip_prefix("f:") {
            if let Some(map) = value.as_object_mut() {
                if whole {
                    map.remove(member);
                } else if let Some(below) = map.get_mut(member) {
                    remove(below, inner);
                }
            }
        } else if let Some(list) = value.as_array_mut() {
            if whole {
                list.retain(|item| !names_item(name, item));
            } else if let Some(item) = list.iter_mut().find(|item| names_item(name, item)) {
                remove_from_item(item, name, inner);
            }
        }
    }
}

/// The members that name an item stay, or the lists would no longer line up.
fn remove_from_item(item: &mut Value, name: &str, inner: &Value) {
    let keys = name
        .strip_prefix("k:")
        .and_then(|keys| serde_json::from_str::<Map<String, Value>>(keys).ok());
    remove(item, inner);
    if let (Some(keys), Some(map)) = (keys, item.as_object_mut()) {
        map.extend(keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live() -> Value {
        json!({"metadata": {"name": "x", "labels": {"a": "1", "b": "2"}, "managedFields": [
            {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {
                "f:metadata": {"f:labels": {"f:a": {}}},
                "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:image": {}}}}}},
            {"manager": "hpa", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
            "spec": {"replicas": 3, "containers": [
                {"name": "app", "image": "a:1", "tty": true}, {"name": "mesh"}]}})
    }

    #[test]
    fn an_applied_part_is_what_its_manager_owns() {
        assert_eq!(
            applied_by(&live(), "argocd-controller"),
            Some(json!({"metadata": {"labels": {"a": "1"}},
                "spec": {"containers": [{"name": "app", "image": "a:1"}]}}))
        );
        assert_eq!(applied_by(&live(), "hpa"), None);
    }

    #[test]
    fn fields_of_trusted_managers_are_removed() {
        let object = live();
        let mut value = object.clone();
        for fields in fields_of(&object, &["hpa"]) {
            remove(&mut value, fields);
        }

        assert_eq!(value["spec"].get("replicas"), None);
        assert_eq!(value["spec"]["containers"], object["spec"]["containers"]);
    }

    #[test]
    fn list_items_keep_their_key() {
        let object = live();
        let mut value = object.clone();
        for fields in fields_of(&object, &["argocd-controller"]) {
            remove(&mut value, fields);
        }

        assert_eq!(
            value["spec"]["containers"],
            json!([{"name": "app", "tty": true}, {"name": "mesh"}])
        );
    }
}
