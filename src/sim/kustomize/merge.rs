//! Strategic merge as kustomize does it (kyaml's `merge2`).
//!
//! It differs from the API server's in one visible way: new entries of a list come first.

use serde_json::{Map, Value};

/// Applies a strategic merge patch; `None`: the patch deletes the object.
pub(super) fn merge(target: Value, patch: &Value, is_custom: bool) -> Option<Value> {
    match (target, patch) {
        (target, Value::Object(patch)) => match patch.get("$patch").and_then(Value::as_str) {
            Some("delete") => None,
            Some("replace") => Some(Value::Object(without_directives(patch))),
            _ => {
                let target = match target {
                    Value::Object(map) => map,
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_) => Map::new(),
                };
                Some(Value::Object(merge_maps(target, patch, is_custom)))
            }
        },
        (_, other) => Some(other.clone()),
    }
}

fn merge_maps(
    mut target: Map<String, Value>,
    patch: &Map<String, Value>,
    is_custom: bool,
) -> Map<String, Value> {
    for (field, value) in patch {
        if field.starts_with('$') {
            continue;
        }
        let old = target.remove(field);
        let new = match (old, value) {
            (_, Value::Null) => None,
            (Some(Value::Array(old)), Value::Array(new)) if !is_custom => {
                Some(merge_lists(field, old, new))
            }
            (None, Value::Array(new)) if !is_custom => Some(merge_lists(field, Vec::new(), new)),
            (old, value) => merge(old.unwrap_or(Value::Null), value, is_custom),
        };
        if let Some(new) = new {
            target.insert(field.clone(), new);
        }
    }
    target
}

fn merge_lists(field: &str, old: Vec<Value>, new: &[Value]) -> Value {
    if new.iter().any(|item| directive(item) == Some("replace")) {
        let kept = new.iter().filter(|item| directive(item).is_none());
        return Value::Array(kept.cloned().collect());
    }
    let keys = merge_keys(field, old.iter().chain(new));
    let Some((key, also)) = keys else {
        return Value::Array(new.to_vec());
    };
    let same = |left: &Value, right: &Value| {
        left.get(key) == right.get(key)
            && also.is_none_or(|(field, default)| {
                let of = |item: &Value| {
                    let text = item.get(field).and_then(Value::as_str);
                    text.unwrap_or(default).to_owned()
                };
                of(left) == of(right)
            })
    };
    let mut rest = old;
    let mut merged = Vec::new();
    for item in new {
        let place = rest.iter().position(|known| same(known, item));
        let known = place.map(|index| rest.remove(index));
        merged.extend(merge(known.unwrap_or(Value::Null), item, false));
    }
    merged.extend(rest);
    Value::Array(merged)
}

fn directive(item: &Value) -> Option<&str> {
    item.get("$patch").and_then(Value::as_str)
}

type Also = Option<(&'static str, &'static str)>;

/// The field that tells the entries of a list apart, by the list's name, as in the built-in
/// types' `x-kubernetes-patch-merge-key`; a list that is not here is replaced as a whole.
fn merge_keys<'v>(
    field: &str,
    mut items: impl Iterator<Item = &'v Value>,
) -> Option<(&'static str, Also)> {
    let key = match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "resourceClaims"
        | "schedulingGates"
        | "webhooks"
        | "secrets" => ("name", None),
        "volumeMounts" => ("mountPath", None),
        "volumeDevices" => ("devicePath", None),
        "hostAliases" => ("ip", None),
        "conditions" => ("type", None),
        "ownerReferences" => ("uid", None),
        "topologySpreadConstraints" => ("topologyKey", Some(("whenUnsatisfiable", ""))),
        "ports" => {
            let is_of_container = items.all(|item| item.get("port").is_none());
            let key = if is_of_container {
                "containerPort"
            } else {
                "port"
            };
            (key, Some(("protocol", "TCP")))
        }
        _ => return None,
    };
    Some(key)
}

fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter()
        .filter(|(field, _)| !field.starts_with('$'))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}
