//! Strategic merge patch: a merge patch that knows how lists of the built-in types merge.
//!
//! Upstream: `k8s.io/apimachinery/pkg/util/strategicpatch`. Lists with a merge key merge item by
//! item, lists of scalars with the strategy `merge` become sets, all others are replaced. The
//! directives `$patch`, `$retainKeys`, `$deleteFromPrimitiveList` and `$setElementOrder` are
//! honoured. Custom resources have no such patch; the server answers 415 for them.

use super::schema::Schema;
use super::schema::node::Node;
use serde_json::{Map, Value};

const PATCH: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Why a patch cannot be applied (400 Bad Request).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategicError {
    /// An item of a list with a merge key lacks that key.
    #[error("map: {item} does not contain declared merge key: {key}")]
    NoMergeKey { item: String, key: String },
    /// A `$patch` directive that does not exist.
    #[error("Unknown value {value} for field $patch")]
    UnknownDirective { value: String },
    /// A directive with a value of the wrong type, or a patch that is no object.
    #[error("invalid patch: {0}")]
    Malformed(String),
}

type Outcome<T> = Result<T, StrategicError>;

/// Returns the object that a patch makes of the current one.
pub fn merge(current: &Value, patch: &Value, schema: &Schema) -> Outcome<Value> {
    let Value::Object(patch) = patch else {
        return Err(StrategicError::Malformed(
            "a strategic merge patch must be an object".to_owned(),
        ));
    };
    merge_value(current, patch, Some(schema.node()))
}

/// Merges a patch into whatever is there; what is no object counts as an empty one.
fn merge_value(current: &Value, patch: &Map<String, Value>, node: Option<&Node>) -> Outcome<Value> {
    let none = Map::new();
    let current = current.as_object().unwrap_or(&none);
    merge_object(current, patch, node)
}

fn merge_object(
    current: &Map<String, Value>,
    patch: &Map<String, Value>,
    node: Option<&Node>,
) -> Outcome<Value> {
    let node = node.map(Node::resolve);
    match patch.get(PATCH) {
        Some(Value::String(one)) if one == "replace" => {
            return Ok(Value::Object(without(patch, PATCH)));
        }
        Some(Value::String(one)) if one == "delete" => return Ok(Value::Object(Map::new())),
        Some(Value::String(one)) if one == "merge" => {}
        None => {}
        Some(other) => {
            return Err(StrategicError::UnknownDirective {
                value: other.to_string(),
            });
        }
    }
    let mut merged = current.clone();
    if let Some(keep) = patch.get(RETAIN) {
        let keep = names(keep)?;
        merged.retain(|name, _| keep.contains(name));
    }
    for (name, change) in patch {
        if name == PATCH || name == RETAIN {
            continue;
        }
        let child = node.and_then(|node| node.known_field(bare(name)));
        change_field(&mut merged, (name, change), child)?;
    }
    reorder(&mut merged, patch, node);
    Ok(Value::Object(merged))
}

/// Returns the field that a key of a patch is about.
fn bare(name: &str) -> &str {
    name.strip_prefix(DELETE_FROM)
        .or_else(|| name.strip_prefix(ORDER))
        .unwrap_or(name)
}

fn change_field(
    merged: &mut Map<String, Value>,
    (name, change): (&str, &Value),
    node: Option<&Node>,
) -> Outcome<()> {
    if name.starts_with(ORDER) {
        return Ok(());
    }
    if let Some(name) = name.strip_prefix(DELETE_FROM) {
        let gone = change.as_array().ok_or_else(|| {
            StrategicError::Malformed(format!("$deleteFromPrimitiveList/{name} must be a list"))
        })?;
        if let Some(list) = merged.get_mut(name).and_then(Value::as_array_mut) {
            list.retain(|item| !gone.contains(item));
        }
        return Ok(());
    }
    match change {
        Value::Null => {
            merged.remove(name);
        }
        Value::Object(patch) => {
            let deletes = patch.get(PATCH).is_some_and(|one| one == "delete");
            if deletes {
                merged.remove(name);
            } else {
                let current = merged.get(name).unwrap_or(&Value::Null);
                let value = merge_value(current, patch, node)?;
                merged.insert(name.to_owned(), value);
            }
        }
        Value::Array(items) => {
            let current = merged.get(name).and_then(Value::as_array);
            let current = current.map(Vec::as_slice).unwrap_or_default();
            let value = merge_list(current, items, node)?;
            merged.insert(name.to_owned(), Value::Array(value));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            merged.insert(name.to_owned(), change.clone());
        }
    }
    Ok(())
}

/// Says whether lists of a field merge, and by which key.
enum ListMerge<'a> {
    Replace,
    Set,
    ByKey(&'a str),
}

fn list_merge(node: Option<&Node>) -> ListMerge<'_> {
    let Some(node) = node else {
        return ListMerge::Replace;
    };
    let merges = node.strategy.split(',').any(|one| one == "merge");
    match (&node.merge_key, merges) {
        (Some(key), true) => ListMerge::ByKey(key),
        (None, true) => ListMerge::Set,
        (_, false) => ListMerge::Replace,
    }
}

fn merge_list(current: &[Value], patch: &[Value], node: Option<&Node>) -> Outcome<Vec<Value>> {
    let item = node.and_then(|node| node.resolve().items.as_deref());
    match list_merge(node) {
        ListMerge::Replace => Ok(patch.iter().map(clean).collect()),
        ListMerge::Set => {
            let mut merged = current.to_vec();
            for value in patch {
                if !merged.contains(value) {
                    merged.push(value.clone());
                }
            }
            Ok(merged)
        }
        ListMerge::ByKey(key) => merge_by_key(current, patch, (key, item)),
    }
}

fn merge_by_key(
    current: &[Value],
    patch: &[Value],
    (key, item): (&str, Option<&Node>),
) -> Outcome<Vec<Value>> {
    let replaces = patch.iter().any(|one| {
        let directive = one.get(PATCH);
        directive.is_some_and(|one| one == "replace") && one.get(key).is_none()
    });
    if replaces {
        let rest = patch.iter().filter(|one| one.get(PATCH).is_none());
        return Ok(rest.map(clean).collect());
    }
    let mut merged = current.to_vec();
    for change in patch {
        let Value::Object(change) = change else {
            return Err(StrategicError::Malformed(format!(
                "{change} is not an object, but items have the merge key {key}"
            )));
        };
        let Some(id) = change.get(key) else {
            return Err(StrategicError::NoMergeKey {
                item: Value::Object(change.clone()).to_string(),
                key: key.to_owned(),
            });
        };
        let same = |one: &Value| one.get(key) == Some(id);
        if change.get(PATCH).is_some_and(|one| one == "delete") {
            merged.retain(|one| !same(one));
        } else if let Some(found) = merged.iter_mut().find(|one| same(one)) {
            *found = merge_value(found, change, item)?;
        } else {
            merged.push(merge_value(&Value::Null, change, item)?);
        }
    }
    Ok(merged)
}

/// Brings lists into the order that `$setElementOrder` asks for; items it does not name stay behind their predecessors.
fn reorder(merged: &mut Map<String, Value>, patch: &Map<String, Value>, node: Option<&Node>) {
    for (name, order) in patch {
        let (Some(name), Some(order)) = (name.strip_prefix(ORDER), order.as_array()) else {
            continue;
        };
        let key = node
            .and_then(|node| node.known_field(name))
            .and_then(|node| node.merge_key.as_deref());
        let Some(list) = merged.get_mut(name).and_then(Value::as_array_mut) else {
            continue;
        };
        let id = |value: &Value| match key {
            Some(key) => value.get(key).cloned().unwrap_or_default(),
            None => value.clone(),
        };
        let wanted: Vec<Value> = order.iter().map(id).collect();
        *list = ordered(std::mem::take(list), &wanted, id);
    }
}

fn ordered(list: Vec<Value>, wanted: &[Value], id: impl Fn(&Value) -> Value) -> Vec<Value> {
    let place = |value: &Value| wanted.iter().position(|one| *one == id(value));
    // An item that the order does not name follows the item that it followed before.
    let mut last = None;
    let mut keyed: Vec<_> = list
        .into_iter()
        .map(|value| {
            let own = place(&value);
            if own.is_some() {
                last = own;
            }
            let rank = own.or(last).map_or(0, |one| one + 1);
            ((rank, own.is_none()), value)
        })
        .collect();
    keyed.sort_by_key(|(rank, _)| *rank);
    keyed.into_iter().map(|(_, value)| value).collect()
}

/// Returns a value that enters whole, without directives.
fn clean(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(name, _)| !name.starts_with("$patch") && !name.starts_with("$retainKeys"))
            .map(|(name, value)| (name.clone(), clean(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(clean).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn without(map: &Map<String, Value>, name: &str) -> Map<String, Value> {
    let mut rest = map.clone();
    rest.remove(name);
    rest
}

fn names(value: &Value) -> Outcome<Vec<String>> {
    let names: Option<Vec<String>> = value.as_array().and_then(|list| {
        list.iter()
            .map(|one| one.as_str().map(str::to_owned))
            .collect()
    });
    names.ok_or_else(|| StrategicError::Malformed("$retainKeys must be a list of names".to_owned()))
}

#[cfg(test)]
mod tests;
