//! Finds and removes the fields that a schema does not know.

use super::field;
use super::node::{Field, Node, Type};
use serde_json::Value;

/// Lists the paths of fields that the schema does not know.
pub(super) fn unknown_fields(node: &Node, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    search(node, object, "", &mut found);
    found
}

fn search(node: &Node, value: &Value, path: &str, found: &mut Vec<String>) {
    let node = node.resolve();
    match value {
        Value::Object(map) if holds_fields(node) => {
            for (name, child) in map {
                let path = field(path, name);
                match node.field(name) {
                    Field::Known(known) => search(known, child, &path, found),
                    Field::Open => {}
                    Field::Unknown => found.push(path),
                }
            }
        }
        Value::Array(items) => {
            let Some(item) = &node.items else { return };
            for (index, child) in items.iter().enumerate() {
                search(item, child, &format!("{path}[{index}]"), found);
            }
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Says whether fields of a value are looked at: a value of the wrong type is for validation.
fn holds_fields(node: &Node) -> bool {
    match node.kind {
        Type::Object => true,
        Type::Any => !node.properties.is_empty() || node.preserve,
        Type::Array
        | Type::String
        | Type::Integer
        | Type::Number
        | Type::Boolean
        | Type::IntOrString => false,
    }
}

/// Removes fields that the schema does not know; with `typed` also nulls, which a typed decoder drops.
pub(super) fn prune(node: &Node, value: &mut Value, typed: bool) {
    let typed = typed || node.reference.is_some();
    let node = node.resolve();
    match value {
        Value::Object(map) if holds_fields(node) => {
            map.retain(|name, child| match node.field(name) {
                Field::Known(known) => {
                    prune(known, child, typed);
                    !(typed && child.is_null())
                }
                Field::Open => true,
                Field::Unknown => false,
            });
        }
        Value::Array(items) => {
            if let Some(item) = &node.items {
                for child in items {
                    prune(item, child, typed);
                }
            }
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
