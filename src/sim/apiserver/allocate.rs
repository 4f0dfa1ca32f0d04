//! What the server itself fills in: addresses and ports of Services, selectors of Jobs.

use super::call::Call;
use super::json;
use serde_json::{Value, json};
use std::collections::HashSet;

/// First of the 2,768 ports for `NodePort` services.
const FIRST_NODE_PORT: u64 = 30_000;
const NODE_PORTS: u64 = 2_768;

/// Fills in what the server decides about an object.
pub(super) fn complete(call: &Call, old: Option<&Value>, object: &mut Value) {
    if call.kind.is("", "Service") && call.path.subresource.is_empty() {
        complete_service(call, old, object);
    }
    if call.kind.is("", "Secret") {
        merge_string_data(object);
    }
    if call.kind.is("batch", "Job") && old.is_none() {
        select_by_uid(object);
    }
}

/// Makes a new Job select its pods by its uid, unless it says that it brings its own selector
/// (`pkg/registry/batch/job/strategy.go`: `generateSelector`).
fn select_by_uid(job: &mut Value) {
    if json::at(job, &["spec", "manualSelector"]) == Some(&Value::Bool(true)) {
        return;
    }
    let name = json::name_of(job).to_owned();
    let uid = json::meta_text(job, "uid").unwrap_or_default().to_owned();
    let spec = json::object_mut(job, "spec");
    spec.entry("selector").or_insert_with(
        || json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid.clone()}}),
    );
    let template = spec.entry("template").or_insert_with(|| json!({}));
    let metadata = json::object_mut(template, "metadata");
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    for (label, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        json::map_mut(labels).insert(label.to_owned(), value.clone().into());
    }
}

/// Moves `stringData` of a secret into `data`, which is all that is kept.
fn merge_string_data(secret: &mut Value) {
    use base64::Engine as _;
    let Some(Value::Object(texts)) = json::map_mut(secret).remove("stringData") else {
        return;
    };
    let data = json::object_mut(secret, "data");
    for (name, text) in texts {
        let encoded =
            base64::engine::general_purpose::STANDARD.encode(text.as_str().unwrap_or_default());
        data.insert(name, encoded.into());
    }
}

fn complete_service(call: &Call, old: Option<&Value>, service: &mut Value) {
    let kind = json::text_at(service, &["spec", "type"])
        .unwrap_or("ClusterIP")
        .to_owned();
    if kind == "ExternalName" {
        return;
    }
    let given = json::text_at(service, &["spec", "clusterIP"]).map(str::to_owned);
    let kept = old
        .and_then(|old| json::text_at(old, &["spec", "clusterIP"]))
        .map(str::to_owned);
    let address = given.or(kept).unwrap_or_else(|| free_address(call));
    let spec = json::object_mut(service, "spec");
    spec.insert("clusterIP".to_owned(), address.clone().into());
    spec.insert("clusterIPs".to_owned(), json!([address]));
    spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
    spec.entry("ipFamilyPolicy")
        .or_insert_with(|| "SingleStack".into());
    spec.entry("internalTrafficPolicy")
        .or_insert_with(|| "Cluster".into());
    if kind == "NodePort" || kind == "LoadBalancer" {
        spec.entry("externalTrafficPolicy")
            .or_insert_with(|| "Cluster".into());
        complete_node_ports(call, old, service);
    }
}

fn services(call: &Call) -> Vec<Value> {
    call.core
        .store
        .snapshot("services", "", None)
        .map(|all| all.objects.iter().map(|one| one.value()).collect())
        .unwrap_or_default()
}

fn free_address(call: &Call) -> String {
    let taken: HashSet<String> = services(call)
        .iter()
        .filter_map(|one| json::text_at(one, &["spec", "clusterIP"]))
        .map(str::to_owned)
        .collect();
    loop {
        let number = call.core.ids.next() % 0xf_fffd + 2;
        let address = format!(
            "10.{}.{}.{}",
            96 + (number >> 16),
            (number >> 8) & 0xff,
            number & 0xff
        );
        if !taken.contains(&address) {
            return address;
        }
    }
}

fn complete_node_ports(call: &Call, old: Option<&Value>, service: &mut Value) {
    let ports_of = |service: &Value| {
        json::at(service, &["spec", "ports"])
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let kept = old.map(ports_of).unwrap_or_default();
    let mut taken: HashSet<u64> = services(call)
        .iter()
        .flat_map(ports_of)
        .filter_map(|port| port["nodePort"].as_u64())
        .collect();
    let mut ports = ports_of(service);
    for port in &mut ports {
        if port["nodePort"].as_u64().is_some_and(|number| number > 0) {
            continue;
        }
        let before = kept
            .iter()
            .find(|one| one["port"] == port["port"])
            .and_then(|one| one["nodePort"].as_u64());
        let number = before.unwrap_or_else(|| free_port(call, &taken));
        taken.insert(number);
        port["nodePort"] = number.into();
    }
    json::object_mut(service, "spec").insert("ports".to_owned(), ports.into());
}

fn free_port(call: &Call, taken: &HashSet<u64>) -> u64 {
    let start = call.core.ids.next() % NODE_PORTS;
    (0..NODE_PORTS)
        .map(|step| FIRST_NODE_PORT + (start + step) % NODE_PORTS)
        .find(|port| !taken.contains(port))
        .unwrap_or(FIRST_NODE_PORT)
}
