//! Small readers and writers for objects whose shape nobody promised.
//!
//! An absent or wrongly typed field reads as empty; who needs to tell the two apart uses
//! [`serde_json::Value`] itself.

use serde_json::{Map, Value};

/// Follows members by name.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |node, name| node.get(name))
}

/// Returns a string, or the empty string.
pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// Returns a boolean; absent is false.
pub fn flag(value: &Value, path: &[&str]) -> bool {
    at(value, path).and_then(Value::as_bool).unwrap_or_default()
}

/// Returns an integer.
pub fn integer(value: &Value, path: &[&str]) -> Option<i64> {
    at(value, path).and_then(Value::as_i64)
}

/// Returns the items of an array; empty for anything else.
pub fn items<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Returns the strings of an array.
pub fn texts<'a>(value: &'a Value, path: &[&str]) -> Vec<&'a str> {
    items(value, path)
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

/// Returns the members of an object.
pub fn members<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Map<String, Value>> {
    at(value, path).and_then(Value::as_object)
}

/// Puts a value at a path, making objects on the way (whatever else is in the way is replaced).
pub fn put(value: &mut Value, path: &[&str], new: Value) {
    let Some((first, rest)) = path.split_first() else {
        *value = new;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Some(map) = value.as_object_mut() {
        put(
            map.entry((*first).to_owned()).or_insert(Value::Null),
            rest,
            new,
        );
    }
}

/// Takes the value at a path away.
pub fn remove(value: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let mut node = value;
    for name in parents {
        node = node.get_mut(name)?;
    }
    node.as_object_mut()?.remove(*last)
}

/// Takes an object away when it has become empty.
pub fn remove_if_empty(value: &mut Value, path: &[&str]) {
    if members(value, path).is_some_and(Map::is_empty) {
        remove(value, path);
    }
}

/// Returns the merge patch that turns `from` into `to`; `None` when they are equal.
///
/// Lists are replaced whole, as RFC 7386 has it.
pub fn merge_patch(from: &Value, to: &Value) -> Option<Value> {
    let (Some(old), Some(new)) = (from.as_object(), to.as_object()) else {
        return (from != to).then(|| to.clone());
    };
    let mut patch = Map::new();
    for (name, value) in new {
        match old.get(name) {
            Some(before) => {
                if let Some(change) = merge_patch(before, value) {
                    patch.insert(name.clone(), change);
                }
            }
            None => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_patch_names_only_what_changed() {
        let from = json!({"a": {"b": 1, "c": [1, 2]}, "d": "x", "e": true});
        let to = json!({"a": {"b": 1, "c": [1]}, "e": true, "f": {}});

        assert_eq!(
            merge_patch(&from, &to),
            Some(json!({"a": {"c": [1]}, "d": null, "f": {}}))
        );
        assert_eq!(merge_patch(&to, &to), None);
    }

    #[test]
    fn put_makes_the_way_and_remove_takes_the_end() {
        let mut value = json!({});

        put(&mut value, &["metadata", "annotations", "a"], json!("b"));
        assert_eq!(text(&value, &["metadata", "annotations", "a"]), "b");

        assert_eq!(
            remove(&mut value, &["metadata", "annotations", "a"]),
            Some(json!("b"))
        );
        remove_if_empty(&mut value, &["metadata", "annotations"]);
        assert_eq!(value, json!({"metadata": {}}));
    }
}
