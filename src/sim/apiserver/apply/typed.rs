//! Objects seen through their schema: which fields they have, how two merge, how they differ.
//!
//! A value is a map of fields, a set, a list of items with keys, or one piece. Lists with doubled or
//! missing keys are one piece, so that what a client sent is never lost.

use super::element::{Element, Path};
use super::field_set::FieldSet;
use crate::sim::apiserver::schema::node::{ListType, Node};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The parts of a list whose items can be told apart, in their order.
type Items<'a> = Vec<(Element, &'a Value)>;

/// How a value is taken apart.
enum Shape<'a> {
    Piece,
    Fields(&'a Map<String, Value>),
    Items(Items<'a>),
}

fn shape<'a>(node: Option<&Node>, value: &'a Value) -> Shape<'a> {
    match value {
        Value::Object(map) if !node.is_some_and(|node| node.atomic) => Shape::Fields(map),
        Value::Array(items) => node
            .and_then(|node| told_apart(node, items))
            .map_or(Shape::Piece, Shape::Items),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Shape::Piece
        }
    }
}

/// Names the items of a list, if its type and its contents allow it.
fn told_apart<'a>(node: &Node, items: &'a [Value]) -> Option<Items<'a>> {
    let named: Option<Items<'a>> = items
        .iter()
        .map(|item| Some((name_of(node, item)?, item)))
        .collect();
    let named = named?;
    let distinct: std::collections::BTreeSet<&Element> = named.iter().map(|one| &one.0).collect();
    (distinct.len() == named.len()).then_some(named)
}

fn name_of(node: &Node, item: &Value) -> Option<Element> {
    match &node.list {
        ListType::Atomic => None,
        ListType::Set => Some(Element::Value(item.to_string())),
        ListType::Map(keys) => {
            let known = node.items.as_deref().map(Node::resolve);
            let mut values = Map::new();
            for key in keys {
                let default = || known?.properties.get(key)?.default.clone();
                if let Some(value) = item.get(key).cloned().or_else(default) {
                    values.insert(key.clone(), value);
                }
            }
            (!values.is_empty()).then(|| Element::Key(Value::Object(values).to_string()))
        }
    }
}

fn child<'a>(node: Option<&'a Node>, name: &str) -> Option<&'a Node> {
    node?.known_field(name).map(Node::resolve)
}

fn item(node: Option<&Node>) -> Option<&Node> {
    node?.items.as_deref().map(Node::resolve)
}

/// Returns the fields that an object has.
pub(super) fn field_set(node: &Node, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    collect(Some(node.resolve()), value, &mut Vec::new(), &mut set);
    set
}

fn collect(node: Option<&Node>, value: &Value, path: &mut Path, set: &mut FieldSet) {
    match shape(node, value) {
        Shape::Piece => set.insert(path),
        Shape::Fields(map) => {
            for (name, value) in map {
                path.push(Element::field(name));
                collect(child(node, name), value, path, set);
                let is_empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if is_empty || !node.is_some_and(|node| node.names_field(name)) {
                    set.insert(path);
                }
                path.pop();
            }
        }
        Shape::Items(items) => {
            for (element, value) in items {
                path.push(element);
                collect(item(node), value, path, set);
                set.insert(path);
                path.pop();
            }
        }
    }
}

/// Brings a configuration into an object: what it names wins, the rest stays.
pub(super) fn merge(node: &Node, live: &Value, applied: &Value) -> Value {
    merged(Some(node.resolve()), live, applied)
}

fn merged(node: Option<&Node>, live: &Value, applied: &Value) -> Value {
    match (shape(node, live), shape(node, applied)) {
        (Shape::Fields(one), Shape::Fields(two)) => {
            let mut map = one.clone();
            for (name, value) in two {
                let value = match one.get(name) {
                    Some(live) => merged(child(node, name), live, value),
                    None => value.clone(),
                };
                map.insert(name.clone(), value);
            }
            Value::Object(map)
        }
        (Shape::Items(one), Shape::Items(two)) => Value::Array(merged_items(node, &one, &two)),
        // A null takes nothing away from a map or a list whose parts have owners.
        (Shape::Fields(_) | Shape::Items(_), Shape::Piece) if applied.is_null() => live.clone(),
        (Shape::Piece | Shape::Fields(_) | Shape::Items(_), _) => applied.clone(),
    }
}

/// Items keep the order of the configuration; those that only the object has stay before what followed them.
fn merged_items(node: Option<&Node>, live: &Items<'_>, applied: &Items<'_>) -> Vec<Value> {
    let wanted = |name: &Element| applied.iter().any(|(one, _)| one == name);
    let mut rest = live.iter().enumerate().peekable();
    let mut out = Vec::new();
    for (name, value) in applied {
        let found = live.iter().position(|(one, _)| one == name);
        while let Some((_, (other, own))) = rest.next_if(|(at, (other, _))| match found {
            Some(found) => *at <= found,
            None => !wanted(other),
        }) {
            if !wanted(other) {
                out.push((*own).clone());
            }
        }
        let merged = match found.and_then(|at| live.get(at)) {
            Some((_, live)) => merged(item(node), live, value),
            None => (*value).clone(),
        };
        out.push(merged);
    }
    let left = rest.filter(|(_, (other, _))| !wanted(other));
    out.extend(left.map(|(_, (_, own))| (*own).clone()));
    out
}

/// How two states of an object differ.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) added: FieldSet,
    pub(super) removed: FieldSet,
    pub(super) modified: FieldSet,
}

/// Compares two states of an object.
pub(super) fn compare(node: &Node, old: &Value, new: &Value) -> Comparison {
    let mut out = Comparison::default();
    let node = Some(node.resolve());
    compare_values(node, (Some(old), Some(new)), &mut Vec::new(), &mut out);
    out
}

type Both<'a> = (Option<&'a Value>, Option<&'a Value>);

fn compare_values(node: Option<&Node>, both: Both<'_>, path: &mut Path, out: &mut Comparison) {
    let (old, new) = both;
    let shapes = (
        old.map(|value| shape(node, value)),
        new.map(|value| shape(node, value)),
    );
    let nothing = Map::new();
    match shapes {
        (None, None) => {}
        (Some(Shape::Fields(one)), Some(Shape::Fields(two))) => {
            compare_fields(node, (one, two), path, out);
        }
        (Some(Shape::Fields(one)), None) if !one.is_empty() => {
            compare_fields(node, (one, &nothing), path, out);
            out.removed.insert(path);
        }
        (None, Some(Shape::Fields(two))) if !two.is_empty() => {
            compare_fields(node, (&nothing, two), path, out);
            out.added.insert(path);
        }
        (Some(Shape::Items(one)), Some(Shape::Items(two))) => {
            compare_items(node, (&one, &two), path, out);
        }
        (Some(Shape::Items(one)), None) if !one.is_empty() => {
            compare_items(node, (&one, &Vec::new()), path, out);
            out.removed.insert(path);
        }
        (None, Some(Shape::Items(two))) if !two.is_empty() => {
            compare_items(node, (&Vec::new(), &two), path, out);
            out.added.insert(path);
        }
        _ => compare_pieces(node, both, path, out),
    }
}

/// Compares values that are one piece, or that changed from one shape to another.
fn compare_pieces(node: Option<&Node>, both: Both<'_>, path: &mut Path, out: &mut Comparison) {
    match both {
        (None, Some(_)) => out.added.insert(path),
        (Some(_), None) => out.removed.insert(path),
        (Some(old), Some(new)) if old != new => {
            out.modified.insert(path);
            let before = owned_below(node, old, path);
            let after = owned_below(node, new, path);
            out.removed = out.removed.union(&before.difference(&after));
            out.added = out.added.union(&after.difference(&before));
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
}

fn owned_below(node: Option<&Node>, value: &Value, path: &mut Path) -> FieldSet {
    let mut set = FieldSet::default();
    if !matches!(shape(node, value), Shape::Piece) {
        collect(node, value, path, &mut set);
    }
    set
}

fn compare_fields(
    node: Option<&Node>,
    (old, new): (&Map<String, Value>, &Map<String, Value>),
    path: &mut Path,
    out: &mut Comparison,
) {
    let added = new.keys().filter(|name| !old.contains_key(*name));
    for name in old.keys().chain(added) {
        path.push(Element::field(name));
        let both = (old.get(name), new.get(name));
        compare_values(child(node, name), both, path, out);
        path.pop();
    }
}

fn compare_items(
    node: Option<&Node>,
    (old, new): (&Items<'_>, &Items<'_>),
    path: &mut Path,
    out: &mut Comparison,
) {
    let mut all: BTreeMap<&Element, Both<'_>> = BTreeMap::new();
    for (element, value) in old {
        all.entry(element).or_default().0 = Some(value);
    }
    for (element, value) in new {
        all.entry(element).or_default().1 = Some(value);
    }
    for (element, both) in all {
        path.push(element.clone());
        compare_values(item(node), both, path, out);
        path.pop();
    }
}

/// Returns the object without the given fields; a map or list that loses all its parts stays, empty.
pub(super) fn remove(node: &Node, value: &Value, gone: &FieldSet) -> Value {
    removed(Some(node.resolve()), value, gone)
}

fn removed(node: Option<&Node>, value: &Value, gone: &FieldSet) -> Value {
    let without = |element: &Element, node: Option<&Node>, value: &Value| {
        if gone.has(element) {
            return None;
        }
        Some(match gone.below(element) {
            Some(gone) => removed(node, value, gone),
            None => value.clone(),
        })
    };
    match shape(node, value) {
        Shape::Piece => value.clone(),
        Shape::Fields(map) => map
            .iter()
            .filter_map(|(name, value)| {
                let value = without(&Element::field(name), child(node, name), value)?;
                Some((name.clone(), value))
            })
            .collect::<Map<_, _>>()
            .into(),
        Shape::Items(items) => items
            .iter()
            .filter_map(|(element, value)| without(element, item(node), value))
            .collect(),
    }
}
