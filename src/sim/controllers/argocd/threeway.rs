//! Three-way merge: what an apply of the target would make of the live object.
//!
//! As `kubectl apply` does it: what the target names is set, what the last applied manifest named
//! and the target does not is removed, the rest of the live object stays. Lists of built-in kinds
//! merge by key where Kubernetes merges them (strategic merge), all others are replaced.

use super::key::group_of;
use super::normal::is_built_in;
use serde_json::{Map, Value};

/// How lists that do not merge by key are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// Replaced whole, as a patch does: for applying.
    Replace,
    /// Item by item while the lengths agree, so that fields the server filled in are no drift:
    /// for comparing.
    Align,
}

/// Returns the live object as it would be after applying `target`.
pub fn predict(last: Option<&Value>, target: &Value, live: &Value, lists: Lists) -> Value {
    let rules = Rules {
        keyed: is_built_in(group_of(target)),
        lists,
    };
    rules.merge(last, target, live, "")
}

#[derive(Clone, Copy)]
struct Rules {
    keyed: bool,
    lists: Lists,
}

impl Rules {
    fn merge(self, last: Option<&Value>, target: &Value, live: &Value, field: &str) -> Value {
        if let (Some(target), Some(live)) = (target.as_object(), live.as_object()) {
            return Value::Object(self.merge_maps(last.and_then(Value::as_object), target, live));
        }
        if let (Some(target), Some(live)) = (target.as_array(), live.as_array()) {
            let last = last.and_then(Value::as_array).map(Vec::as_slice);
            return Value::Array(self.merge_lists(last, target, live, field));
        }
        target.clone()
    }

    fn merge_maps(
        self,
        last: Option<&Map<String, Value>>,
        target: &Map<String, Value>,
        live: &Map<String, Value>,
    ) -> Map<String, Value> {
        let mut merged = live.clone();
        if let Some(last) = last {
            merged.retain(|name, _| target.contains_key(name) || !last.contains_key(name));
        }
        for (name, value) in target {
            if value.is_null() {
                merged.remove(name);
                continue;
            }
            let before = last.and_then(|last| last.get(name));
            let value = match live.get(name) {
                Some(live) => self.merge(before, value, live, name),
                None => value.clone(),
            };
            merged.insert(name.clone(), value);
        }
        merged
    }

    fn merge_lists(
        self,
        last: Option<&[Value]>,
        target: &[Value],
        live: &[Value],
        field: &str,
    ) -> Vec<Value> {
        if self.keyed {
            if let Some(key) = merge_key(field, target, live) {
                return self.merge_keyed(last.unwrap_or_default(), target, live, key);
            }
            if field == "finalizers" {
                return merge_set(last.unwrap_or_default(), target, live);
            }
        }
        if self.lists == Lists::Replace || target.len() != live.len() {
            return target.to_vec();
        }
        target
            .iter()
            .zip(live)
            .enumerate()
            .map(|(index, (item, live))| {
                let before = last.and_then(|last| last.get(index));
                self.merge(before, item, live, "")
            })
            .collect()
    }

    fn merge_keyed(
        self,
        last: &[Value],
        target: &[Value],
        live: &[Value],
        key: &str,
    ) -> Vec<Value> {
        let find = |list: &'_ [Value], item: &Value| -> Option<usize> {
            list.iter().position(|one| one.get(key) == item.get(key))
        };
        let wanted: Vec<Value> = target
            .iter()
            .map(
                |item| match find(live, item).and_then(|index| live.get(index)) {
                    Some(live) => {
                        let before = find(last, item).and_then(|index| last.get(index));
                        self.merge(before, item, live, "")
                    }
                    None => item.clone(),
                },
            )
            .collect();
        let others: Vec<Value> = live
            .iter()
            .filter(|item| find(target, item).is_none() && find(last, item).is_none())
            .cloned()
            .collect();
        interleave(wanted, others, |item| find(live, item))
    }
}

/// Joins wanted items (in the target's order) and the server's own (in the live order).
fn interleave(
    wanted: Vec<Value>,
    others: Vec<Value>,
    live_index: impl Fn(&Value) -> Option<usize>,
) -> Vec<Value> {
    let mut merged = Vec::with_capacity(wanted.len() + others.len());
    let mut wanted = wanted.into_iter().peekable();
    let mut others = others.into_iter().peekable();
    loop {
        let take_wanted = match (wanted.peek(), others.peek()) {
            (None, None) => return merged,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(one), Some(other)) => match (live_index(one), live_index(other)) {
                (Some(one), Some(other)) => one < other,
                _ => false,
            },
        };
        merged.extend(if take_wanted {
            wanted.next()
        } else {
            others.next()
        });
    }
}

fn merge_set(last: &[Value], target: &[Value], live: &[Value]) -> Vec<Value> {
    let mut merged: Vec<Value> = live
        .iter()
        .filter(|item| target.contains(item) || !last.contains(item))
        .cloned()
        .collect();
    let missing = target.iter().filter(|item| !live.contains(item)).cloned();
    merged.extend(missing);
    merged
}

/// Returns the key that items of a list are merged by, if all of them carry it.
fn merge_key(field: &str, target: &[Value], live: &[Value]) -> Option<&'static str> {
    let key = match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets"
        | "webhooks"
        | "validations"
        | "matchConditions"
        | "resourceClaims" => "name",
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "hostAliases" => "ip",
        "topologySpreadConstraints" => "topologyKey",
        "conditions" => "type",
        "ownerReferences" => "uid",
        "ports" => {
            let has = |key: &str| {
                target
                    .iter()
                    .chain(live)
                    .any(|item| item.get(key).is_some())
            };
            // Containers, Services and the items of NetworkPolicies differ.
            if has("containerPort") {
                "containerPort"
            } else if has("nodePort") || has("targetPort") || has("name") {
                "port"
            } else {
                return None;
            }
        }
        _ => return None,
    };
    let unique = |list: &[Value]| {
        list.iter().enumerate().all(|(index, item)| {
            item.get(key).is_some_and(|value| {
                list.iter()
                    .take(index)
                    .all(|earlier| earlier.get(key) != Some(value))
            })
        })
    };
    // One port in two protocols has two items of one key: such lists are taken whole.
    (unique(target) && unique(live)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn deployment(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec})
    }

    fn predicted(last: Option<Value>, target: Value, live: Value) -> Value {
        let last = last.map(deployment);
        let merged = predict(
            last.as_ref(),
            &deployment(target),
            &deployment(live),
            Lists::Align,
        );
        merged["spec"].clone()
    }

    #[test]
    fn what_the_server_added_stays() {
        let merged = predicted(None, json!({"a": 1}), json!({"a": 2, "defaulted": true}));

        assert_eq!(merged, json!({"a": 1, "defaulted": true}));
    }

    #[test]
    fn what_was_applied_and_is_no_longer_wanted_goes() {
        let merged = predicted(
            Some(json!({"a": 1, "b": 2})),
            json!({"a": 1}),
            json!({"a": 1, "b": 2, "c": 3}),
        );

        assert_eq!(merged, json!({"a": 1, "c": 3}));
    }

    #[test]
    fn containers_merge_by_name_and_injected_ones_keep_their_place() {
        let merged = predicted(
            Some(json!({"containers": [{"name": "app", "image": "a:1"}, {"name": "gone"}]})),
            json!({"containers": [{"name": "app", "image": "a:2"}]}),
            json!({"containers": [
                {"name": "injected", "image": "mesh"},
                {"name": "app", "image": "a:1", "imagePullPolicy": "IfNotPresent"},
                {"name": "gone"}]}),
        );

        assert_eq!(
            merged,
            json!({"containers": [
                {"name": "injected", "image": "mesh"},
                {"name": "app", "image": "a:2", "imagePullPolicy": "IfNotPresent"}]})
        );
    }

    #[test]
    fn a_new_order_of_wanted_items_is_a_change() {
        let merged = predicted(
            None,
            json!({"containers": [{"name": "b"}, {"name": "a"}]}),
            json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        );

        assert_eq!(
            merged,
            json!({"containers": [{"name": "b"}, {"name": "a"}]})
        );
    }

    #[test]
    fn other_lists_align_for_comparing_and_are_replaced_for_applying() {
        let target = deployment(json!({"rules": [{"host": "a"}]}));
        let live = deployment(json!({"rules": [{"host": "a", "pathType": "Prefix"}]}));

        assert_eq!(predict(None, &target, &live, Lists::Align), live);
        assert_eq!(predict(None, &target, &live, Lists::Replace), target);
    }

    #[test]
    fn lists_of_custom_kinds_are_whole() {
        let custom = |containers: Value| json!({"apiVersion": "example.com/v1", "kind": "X", "containers": containers});

        let merged = predict(
            None,
            &custom(json!([{"name": "a"}])),
            &custom(json!([{"name": "a"}, {"name": "b"}])),
            Lists::Align,
        );

        assert_eq!(merged, custom(json!([{"name": "a"}])));
    }

    #[test]
    fn service_ports_keep_what_the_server_chose() {
        let merged = predicted(
            None,
            json!({"ports": [{"port": 80, "targetPort": 8080}]}),
            json!({"ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP", "nodePort": 30123}]}),
        );

        assert_eq!(
            merged,
            json!({"ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP", "nodePort": 30123}]})
        );
    }

    #[test]
    fn null_in_the_target_removes() {
        assert_eq!(
            predicted(None, json!({"a": null, "b": 1}), json!({"a": 1, "b": 1})),
            json!({"b": 1})
        );
    }
}
