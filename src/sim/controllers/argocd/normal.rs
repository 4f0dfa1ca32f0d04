//! One form for objects that mean the same, so that only real drift remains.
//!
//! What the API server adds or writes differently is settled here: bookkeeping metadata, status,
//! `stringData`, quantities, whole numbers written as floats, and empty lists and maps of
//! built-in kinds (gitops-engine `pkg/diff`, Argo CD `util/argo/normalizers`).

use super::key::{group_of, kind_of};
use super::{json, quantity};
use base64::Engine as _;
use serde_json::{Map, Number, Value};

/// Annotation with the manifest of the last client-side apply.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Metadata that only the server writes.
const SERVER_METADATA: [&str; 6] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Maps whose values are quantities.
const QUANTITY_MAPS: [&str; 10] = [
    "requests",
    "limits",
    "hard",
    "capacity",
    "default",
    "defaultRequest",
    "max",
    "min",
    "maxLimitRequestRatio",
    "overhead",
];
/// Members that are quantities.
const QUANTITIES: [&str; 3] = ["sizeLimit", "averageValue", "divisor"];
/// Members that are a number or a string.
const INT_OR_STRING: [&str; 6] = [
    "targetPort",
    "port",
    "maxSurge",
    "maxUnavailable",
    "minAvailable",
    "number",
];

/// Returns whether a group is one of Kubernetes' own, so that its list rules are known.
pub fn is_built_in(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// Takes away what only a server writes. Used on manifests before they are compared or applied.
pub fn strip(object: &mut Value) {
    json::remove(object, &["status"]);
    for name in SERVER_METADATA {
        json::remove(object, &["metadata", name]);
    }
}

/// Brings a manifest or a last-applied one into the form that the server would store.
pub fn settle(object: &mut Value) {
    strip(object);
    json::remove(object, &["metadata", "annotations", LAST_APPLIED]);
    if is_built_in(group_of(object)) {
        drop_nulls(object);
    }
    if kind_of(object) == "Secret" && group_of(object).is_empty() {
        encode_string_data(object);
    }
}

/// Secrets: `stringData` wins over `data` and is stored encoded.
fn encode_string_data(object: &mut Value) {
    let Some(Value::Object(plain)) = json::remove(object, &["stringData"]) else {
        return;
    };
    for (name, value) in plain {
        if let Some(text) = value.as_str() {
            let encoded = base64::engine::general_purpose::STANDARD.encode(text);
            json::put(object, &["data", &name], Value::String(encoded));
        }
    }
}

fn drop_nulls(value: &mut Value) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, member| !member.is_null());
        map.values_mut().for_each(drop_nulls);
    } else if let Some(list) = value.as_array_mut() {
        list.iter_mut().for_each(drop_nulls);
    }
}

/// Returns an object in the form in which equal things are equal.
pub fn canonical(object: &Value) -> Value {
    let mut value = object.clone();
    settle(&mut value);
    let built_in = is_built_in(group_of(&value));
    let kind = kind_of(&value);
    let aggregated = kind == "ClusterRole" && value.get("aggregationRule").is_some();
    if aggregated {
        // The control plane fills the rules of an aggregated role in.
        json::remove(&mut value, &["rules"]);
    }
    tidy(&mut value, built_in);
    value
}

fn tidy(value: &mut Value, built_in: bool) {
    if let Some(map) = value.as_object_mut() {
        for (name, member) in map.iter_mut() {
            settle_member(name, member);
            tidy(member, built_in);
        }
        map.retain(|_, member| !(member.is_null() || built_in && is_empty(member)));
    } else if let Some(list) = value.as_array_mut() {
        for item in list {
            tidy(item, built_in);
        }
    } else if let Some(whole) = value
        .as_f64()
        .filter(|_| value.is_f64())
        .and_then(whole_number)
    {
        *value = Value::Number(whole);
    }
}

fn settle_member(name: &str, member: &mut Value) {
    if QUANTITY_MAPS.contains(&name) {
        if let Some(map) = member.as_object_mut() {
            settle_quantities(map);
        }
    } else if QUANTITIES.contains(&name) {
        settle_quantity(member);
    } else if INT_OR_STRING.contains(&name)
        && let Some(number) = member.as_str().and_then(|text| text.parse::<i64>().ok())
    {
        *member = Value::Number(number.into());
    }
}

fn settle_quantities(map: &mut Map<String, Value>) {
    map.values_mut().for_each(settle_quantity);
}

fn settle_quantity(value: &mut Value) {
    if let Some(text) = quantity::canonical(value) {
        *value = Value::String(text);
    }
}

fn whole_number(number: f64) -> Option<Number> {
    (number.fract() == 0.0 && number.abs() < 9e15).then(|| Number::from(number as i64))
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Reads the manifest of the last client-side apply, settled; `None` when there is none.
pub fn last_applied(live: &Value) -> Option<Value> {
    let text = json::text(live, &["metadata", "annotations", LAST_APPLIED]);
    let mut value: Value = serde_json::from_str(text).ok()?;
    settle(&mut value);
    value.is_object().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn same(one: &Value, other: &Value) -> bool {
        canonical(one) == canonical(other)
    }

    #[test]
    fn server_bookkeeping_is_no_difference() {
        let bare = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
        let stored = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a",
            "uid": "1", "resourceVersion": "2", "creationTimestamp": "2026-11-21T10:00:00Z",
            "managedFields": [{}], "generation": 3, "annotations": {LAST_APPLIED: "{}"}},
            "data": {"k": "v"}, "status": {}});

        assert!(same(&bare, &stored));
    }

    #[test]
    fn amounts_and_numbers_have_one_form() {
        let with = |cpu: Value, replicas: Value, port: Value| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": replicas,
                "ports": [{"targetPort": port}], "resources": {"requests": {"cpu": cpu}}}})
        };

        assert!(same(
            &with(json!("1000m"), json!(3), json!("80")),
            &with(json!(1), json!(3.0), json!(80))
        ));
        assert!(!same(
            &with(json!("1"), json!(3), json!(80)),
            &with(json!("2"), json!(3), json!(80))
        ));
    }

    #[test]
    fn string_data_is_data() {
        let plain = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "b"}});
        let stored = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "Yg=="}});

        assert!(same(&plain, &stored));
    }

    #[test]
    fn emptiness_matters_only_in_custom_kinds() {
        let with = |api: &str, spec: Value| json!({"apiVersion": api, "kind": "K", "spec": spec});

        assert!(same(
            &with("apps/v1", json!({"a": {}})),
            &with("apps/v1", json!({}))
        ));
        assert!(!same(
            &with("example.com/v1", json!({"a": {}})),
            &with("example.com/v1", json!({}))
        ));
    }
}
