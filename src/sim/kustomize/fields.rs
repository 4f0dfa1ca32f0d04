//! Walks to fields by slash-separated paths; lists on the way are entered by themselves.

use serde_json::{Map, Value};

/// Splits `spec/template/metadata`; `\/` stands for a slash inside a name, a trailing `[]`
/// (which only says that the field is a list) is dropped.
pub(super) fn parts(path: &str) -> Vec<String> {
    path.replace("\\/", "\u{0}")
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| part.trim_end_matches("[]").replace('\u{0}', "/"))
        .collect()
}

/// Calls `visit` for each value at the path that exists.
pub(super) fn visit(value: &mut Value, path: &[String], visit_value: &mut dyn FnMut(&mut Value)) {
    if let Value::Array(items) = value {
        for item in items {
            visit(item, path, visit_value);
        }
        return;
    }
    let Some((first, rest)) = path.split_first() else {
        visit_value(value);
        return;
    };
    if let Some(next) = value.get_mut(first.as_str()) {
        visit(next, rest, visit_value);
    }
}

/// Calls `visit` for each object at the path; with `create`, objects on the way are made.
pub(super) fn visit_objects(
    value: &mut Value,
    path: &[String],
    create: bool,
    visit_object: &mut dyn FnMut(&mut Map<String, Value>),
) {
    match value {
        Value::Array(items) => {
            for item in items {
                visit_objects(item, path, create, visit_object);
            }
        }
        Value::Object(map) => {
            let Some((first, rest)) = path.split_first() else {
                visit_object(map);
                return;
            };
            if create {
                let next = map.entry(first.clone()).or_insert(Value::Null);
                if next.is_null() {
                    *next = Value::Object(Map::new());
                }
                visit_objects(next, rest, create, visit_object);
            } else if let Some(next) = map.get_mut(first.as_str()) {
                visit_objects(next, rest, create, visit_object);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
