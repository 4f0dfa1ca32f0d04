//! Fills in defaults: an absent field that has one gets it, then its own fields are filled.

use super::node::{Additional, Node};
use serde_json::Value;

/// Fills in the defaults of absent fields below a value.
pub(super) fn fill(node: &Node, value: &mut Value, typed: bool) {
    let typed = typed || node.reference.is_some();
    let node = node.resolve();
    match value {
        Value::Object(map) => {
            for (name, property) in &node.properties {
                let Some(default) = &property.default else {
                    continue;
                };
                // A null where null is not allowed counts as absent.
                let absent = match map.get(name) {
                    None => true,
                    Some(present) => present.is_null() && (typed || !property.nullable),
                };
                if absent {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (name, child) in map.iter_mut() {
                match (node.properties.get(name), &node.additional) {
                    (Some(known), _) => fill(known, child, typed),
                    (None, Additional::Each(known)) => fill(known, child, typed),
                    (None, Additional::Nothing | Additional::Anything) => {}
                }
            }
        }
        Value::Array(items) => {
            if let Some(item) = &node.items {
                for child in items {
                    fill(item, child, typed);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
