//! Hides the values of Secrets: runs of `+`, equal for equal values, different for different ones.

use crate::sim::controllers::argocd::{json, normal};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The first value is written as this many signs, the next different one as one more.
const SHORTEST: usize = 8;

/// Hides the values of one Secret in several forms; `stringData` becomes `data` first.
pub(super) fn hide<const COUNT: usize>(mut objects: [&mut Option<Value>; COUNT]) {
    let mut known: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for object in objects.iter_mut().filter_map(|object| object.as_mut()) {
        json::remove(object, &["metadata", "annotations", normal::LAST_APPLIED]);
        if object.get("stringData").is_some() {
            normal::settle(object);
        }
        let Some(data) = object.get_mut("data").and_then(Value::as_object_mut) else {
            continue;
        };
        hide_values(data, &mut known);
    }
}

fn hide_values(
    data: &mut Map<String, Value>,
    known: &mut BTreeMap<String, BTreeMap<String, String>>,
) {
    for (name, value) in data.iter_mut() {
        let masks = known.entry(name.clone()).or_default();
        let next = "+".repeat(SHORTEST + masks.len());
        let mask = masks.entry(value.to_string()).or_insert(next);
        *value = Value::String(mask.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as make;

    #[test]
    fn equal_values_look_equal_and_others_do_not() {
        let secret =
            |data: Value| Some(make!({"kind": "Secret", "apiVersion": "v1", "data": data}));
        let mut target =
            Some(make!({"kind": "Secret", "apiVersion": "v1", "stringData": {"a": "x", "b": "y"}}));
        let mut live = secret(make!({"a": "eA==", "b": "changed", "c": "z"}));

        hide([&mut target, &mut live]);

        let (target, live) = (target.unwrap_or_default(), live.unwrap_or_default());
        assert_eq!(target["data"]["a"], live["data"]["a"]);
        assert_ne!(target["data"]["b"], live["data"]["b"]);
        assert!(!target.to_string().contains("eA==") && !live.to_string().contains("changed"));
    }
}
