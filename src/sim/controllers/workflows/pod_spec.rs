//! The pods of a workflow's nodes (`workflow/controller/workflowpod.go`).

use super::execute::Ready;
use super::library::text_at;
use super::node::pod_name;
use super::operate::Operation;
use super::template::Template;
use crate::sim::controllers::ownership::reference_to;
use crate::sim::steps::{NOTE, PodNote, StepNote, Turn};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The variable of the environment that holds the template a pod was made from.
pub(super) const TEMPLATE: &str = "ARGO_TEMPLATE";
const EXECUTOR: &str = "quay.io/argoproj/argoexec:v4.1.2";
const SCRIPT: &str = "/argo/staging/script";

/// Returns the pod of a node.
pub(super) fn pod_of(operation: &Operation<'_>, node: &str, ready: &Ready) -> Result<Pod, String> {
    let template = &ready.template;
    let name = pod_name(operation.name(), node, &ready.found.origin_template());
    let (main, note) = main_container(operation, node, ready)?;
    let mut containers = vec![executor("wait", &["argoexec", "wait"], &ready.raw), main];
    containers.extend(template.sidecars.iter().cloned());
    let mut init = vec![executor("init", &["argoexec", "init"], &ready.raw)];
    init.extend(template.init_containers.iter().cloned());
    let mut steps = BTreeMap::from([("main".to_owned(), note)]);
    let last = StepNote {
        turn: Turn::Last,
        ..StepNote::default()
    };
    steps.insert("wait".to_owned(), last);
    let mut spec = json!({
        "restartPolicy": "Never",
        "initContainers": init,
        "containers": containers,
        "volumes": volumes(operation, ready),
        "serviceAccountName": account(operation, ready),
    });
    for (field, own, shared) in [
        (
            "nodeSelector",
            &template.node_selector,
            &operation.spec.node_selector,
        ),
        (
            "tolerations",
            &template.tolerations,
            &operation.spec.tolerations,
        ),
        ("affinity", &template.affinity, &operation.spec.affinity),
        (
            "imagePullSecrets",
            &None,
            &operation.spec.image_pull_secrets,
        ),
    ] {
        if let Some(value) = own.as_ref().or(shared.as_ref()) {
            spec[field] = value.clone();
        }
    }
    if let Some(seconds) = active_deadline(operation, ready) {
        spec["activeDeadlineSeconds"] = json!(seconds);
    }
    let object = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": operation.namespace(),
            "labels": labels(operation, ready),
            "annotations": annotations(operation, node, ready, &PodNote { steps }),
            "ownerReferences": [reference_to(operation.workflow)],
        },
        "spec": spec,
    });
    serde_json::from_value(object).map_err(|error| format!("the pod cannot be made: {error}"))
}

fn labels(operation: &Operation<'_>, ready: &Ready) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    if let Some(shared) = &operation.spec.pod_metadata {
        labels.extend(shared.labels.clone());
    }
    labels.extend(ready.template.metadata.labels.clone());
    labels.insert(
        "workflows.argoproj.io/workflow".to_owned(),
        operation.name().to_owned(),
    );
    labels.insert(
        "workflows.argoproj.io/completed".to_owned(),
        "false".to_owned(),
    );
    if ready.options.on_exit {
        labels.insert(
            "workflows.argoproj.io/on-exit".to_owned(),
            "true".to_owned(),
        );
    }
    labels
}

fn annotations(
    operation: &Operation<'_>,
    node: &str,
    ready: &Ready,
    note: &PodNote,
) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    if let Some(shared) = &operation.spec.pod_metadata {
        annotations.extend(shared.annotations.clone());
    }
    annotations.extend(ready.template.metadata.annotations.clone());
    annotations.extend([
        (
            "kubectl.kubernetes.io/default-container".to_owned(),
            "main".to_owned(),
        ),
        (
            "workflows.argoproj.io/node-name".to_owned(),
            node.to_owned(),
        ),
        (
            "workflows.argoproj.io/node-id".to_owned(),
            operation.id_of(node),
        ),
        (NOTE.to_owned(), note.to_annotation()),
    ]);
    annotations
}

fn account(operation: &Operation<'_>, ready: &Ready) -> String {
    let own = &ready.template.service_account_name;
    let shared = &operation.spec.service_account_name;
    [own, shared]
        .into_iter()
        .find(|name| !name.is_empty())
        .cloned()
        .unwrap_or_else(|| "default".to_owned())
}

fn active_deadline(operation: &Operation<'_>, ready: &Ready) -> Option<i64> {
    let own = ready.template.active_deadline_seconds;
    let rest = operation
        .deadline()
        .filter(|_| !ready.options.on_exit)
        .map(|deadline| (deadline - operation.now).num_seconds().max(1));
    match (own, rest) {
        (Some(own), Some(rest)) => Some(own.min(rest)),
        (own, rest) => own.or(rest),
    }
}

fn executor(name: &str, command: &[&str], template: &Value) -> Value {
    json!({
        "name": name,
        "image": EXECUTOR,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": [{"name": TEMPLATE, "value": template.to_string()}],
        "volumeMounts": [{"name": "var-run-argo", "mountPath": "/var/run/argo"}],
    })
}

fn volumes(operation: &Operation<'_>, ready: &Ready) -> Vec<Value> {
    let mut volumes = vec![json!({"name": "var-run-argo", "emptyDir": {}})];
    volumes.extend(operation.status.persistent_volume_claims.iter().cloned());
    for volume in operation.spec.volumes.iter().chain(&ready.template.volumes) {
        let is_known = volumes.iter().any(|known| known["name"] == volume["name"]);
        if !is_known {
            volumes.push(volume.clone());
        }
    }
    volumes
}

/// Returns the container that does the work, and what it is as a step.
fn main_container(
    operation: &Operation<'_>,
    node: &str,
    ready: &Ready,
) -> Result<(Value, StepNote), String> {
    let template = &ready.template;
    let mut note = StepNote {
        template: ready.found.origin_template(),
        step: step_name(operation, node),
        parameters: parameters(operation, ready),
        outputs: BTreeMap::new(),
        files: BTreeMap::new(),
        artifacts_in: BTreeMap::new(),
        artifacts_out: BTreeMap::new(),
        script: None,
        resource: None,
        turn: Turn::AtOnce,
        continue_on_error: false,
    };
    for slot in &template.outputs.parameters {
        let from = slot.value_from.as_ref();
        let place = ["path", "jsonPath", "jqFilter"]
            .iter()
            .find_map(|field| text_at(from?, field));
        if let Some(place) = place {
            note.outputs.insert(slot.name.clone(), place);
        }
    }
    note_artifacts(operation, node, ready, &mut note);
    let mut main = program(template, &mut note)?;
    if !main.is_object() {
        main = Value::Object(Map::new());
    }
    main["name"] = json!("main");
    let mut env = main["env"].as_array().cloned().unwrap_or_default();
    env.push(json!({"name": TEMPLATE, "value": ready.raw.to_string()}));
    main["env"] = Value::Array(env);
    Ok((main, note))
}

/// Returns what the template runs, as far as it says.
fn program(template: &Template, note: &mut StepNote) -> Result<Value, String> {
    if let Some(container) = &template.container {
        Ok(container.clone())
    } else if let Some(script) = &template.script {
        note.script = text_at(script, "source");
        let mut container = script.clone();
        if let Some(map) = container.as_object_mut() {
            map.remove("source");
        }
        container["args"] = json!([SCRIPT]);
        Ok(container)
    } else if let Some(resource) = &template.resource {
        let action = text_at(resource, "action").unwrap_or_default();
        let manifest = text_at(resource, "manifest").unwrap_or_default();
        note.parameters.insert("manifest".to_owned(), manifest);
        note.parameters.insert("action".to_owned(), action.clone());
        note.resource = Some(resource.clone());
        Ok(json!({"image": EXECUTOR, "command": ["argoexec", "resource", action]}))
    } else {
        Err(
            "containerSet and data templates are not simulated: use container, script, \
                    steps or dag"
                .to_owned(),
        )
    }
}

/// Says which artifacts the step finds and leaves.
fn note_artifacts(operation: &Operation<'_>, node: &str, ready: &Ready, note: &mut StepNote) {
    for slot in &ready.template.inputs.artifacts {
        let Some(path) = text_at(slot, "path") else {
            continue;
        };
        let key = slot.pointer("/s3/key").and_then(Value::as_str);
        let raw = slot.pointer("/raw/data").and_then(Value::as_str);
        match key {
            Some(key) => note.artifacts_in.insert(path, key.to_owned()),
            None => note.files.insert(path, raw.unwrap_or_default().to_owned()),
        };
    }
    let pod = pod_name(operation.name(), node, &ready.found.origin_template());
    for slot in &ready.template.outputs.artifacts {
        if let (Some(name), Some(path)) = (text_at(slot, "name"), text_at(slot, "path")) {
            let own = slot
                .pointer("/s3/key")
                .and_then(Value::as_str)
                .map(str::to_owned);
            let key = own.unwrap_or_else(|| format!("{}/{pod}/{name}.tgz", operation.name()));
            note.artifacts_out.insert(path, key);
        }
    }
}

/// Returns the name that the step or task of a node has, attempts and items aside.
fn step_name(operation: &Operation<'_>, node: &str) -> String {
    let display = operation.node(node).map(|node| node.display_name.clone());
    let display = display.unwrap_or_default();
    display.split('(').next().unwrap_or_default().to_owned()
}

fn parameters(operation: &Operation<'_>, ready: &Ready) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = operation
        .globals
        .iter()
        .filter_map(|(name, value)| {
            let name = name.strip_prefix("workflow.parameters.")?;
            Some((name.to_owned(), value.clone()))
        })
        .collect();
    parameters.remove("json");
    for input in &ready.template.inputs.parameters {
        let value = input.value.clone().unwrap_or_default();
        parameters.insert(input.name.clone(), value);
    }
    parameters
}
