//! The pod of a TaskRun, as Tekton makes it: steps behind an entrypoint that waits for its turn.
//!
//! Follows `pkg/pod/pod.go` and `entrypoint.go`. Sidecars are init containers that go on running,
//! as with upstream's `enable-kubernetes-sidecar`. What the steps do is noted for the kubelet.

mod note;
mod step;

pub(super) use step::{result_path, step_container};

use super::workspace;
use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::tekton::model::TaskRun;
use crate::sim::controllers::tekton::model::spec::{TaskRunSpec, TaskSpec};
use crate::sim::steps::NOTE;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ENTRYPOINT_IMAGE: &str =
    "ghcr.io/tektoncd/pipeline/entrypoint-bff0a22da108bc2f16c818c97641a296:v1.15.0";
const SCRIPT_IMAGE: &str = "cgr.dev/chainguard/busybox:1.37.0";

/// Makes the pod; an error says what cannot be read.
pub(super) fn of(
    run: &TaskRun,
    spec: &TaskRunSpec,
    task: &TaskSpec,
    name: &str,
) -> Result<Pod, String> {
    let has_scripts = task.steps.iter().any(|step| !step.script.is_empty());
    let containers: Vec<Value> = task
        .steps
        .iter()
        .enumerate()
        .map(|(index, one)| step::container(task, spec, (index, one)))
        .collect();
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": run.metadata.namespace,
            "labels": labels(run),
            "annotations": annotations(run, spec, task),
            "ownerReferences": [reference_to(run)],
        },
        "spec": {
            "restartPolicy": "Never",
            "initContainers": helpers(task, has_scripts),
            "containers": containers,
            "volumes": volumes(run, spec, (task, has_scripts)),
        },
    });
    if !spec.service_account_name.is_empty() {
        pod["spec"]["serviceAccountName"] = json!(spec.service_account_name);
    }
    if let Some(Value::Object(template)) = &spec.pod_template {
        for (field, value) in template.iter().filter(|(field, _)| *field != "volumes") {
            pod["spec"][field] = value.clone();
        }
    }
    serde_json::from_value(pod).map_err(|error| error.to_string())
}

fn volumes(
    run: &TaskRun,
    spec: &TaskRunSpec,
    (task, has_scripts): (&TaskSpec, bool),
) -> Vec<Value> {
    let empty = |name: String| json!({"name": name, "emptyDir": {}});
    let mut volumes: Vec<Value> = step::FOLDERS
        .iter()
        .map(|(name, _)| empty((*name).to_owned()))
        .collect();
    volumes.push(empty("tekton-internal-bin".to_owned()));
    if has_scripts {
        volumes.push(empty("tekton-internal-scripts".to_owned()));
    }
    let runs = (0..task.steps.len()).map(|index| empty(format!("tekton-internal-run-{index}")));
    volumes.extend(runs);
    let bound = |name: &str| spec.workspaces.iter().find(|one| one.name == name);
    let bindings = task.workspaces.iter().filter_map(|one| bound(&one.name));
    volumes.extend(bindings.map(|binding| workspace::volume(run, binding)));
    volumes.extend(task.volumes.iter().cloned());
    volumes
}

fn labels(run: &TaskRun) -> BTreeMap<String, String> {
    let mut labels = run.metadata.labels.clone().unwrap_or_default();
    let name = run.metadata.name.clone().unwrap_or_default();
    labels.insert("tekton.dev/taskRun".to_owned(), name);
    let uid = run.metadata.uid.clone().unwrap_or_default();
    labels.insert("tekton.dev/taskRunUID".to_owned(), uid);
    labels.insert(
        "app.kubernetes.io/managed-by".to_owned(),
        "tekton-pipelines".to_owned(),
    );
    labels
}

fn annotations(run: &TaskRun, spec: &TaskRunSpec, task: &TaskSpec) -> BTreeMap<String, String> {
    let mut annotations = run.metadata.annotations.clone().unwrap_or_default();
    annotations.insert("tekton.dev/ready".to_owned(), "READY".to_owned());
    let note = note::of(run, spec, task).to_annotation();
    annotations.insert(NOTE.to_owned(), note);
    annotations
}

/// Returns the containers that put the entrypoint and the scripts into place, and the sidecars.
fn helpers(task: &TaskSpec, has_scripts: bool) -> Vec<Value> {
    let names = task
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| step_container(&step.name, index));
    let mut command = vec![
        "/ko-app/entrypoint".to_owned(),
        "init".to_owned(),
        "/ko-app/entrypoint".to_owned(),
        "/tekton/bin/entrypoint".to_owned(),
    ];
    command.extend(names);
    let mut helpers = vec![json!({
        "name": "prepare",
        "image": ENTRYPOINT_IMAGE,
        "workingDir": "/",
        "command": command,
        "volumeMounts": [
            {"name": "tekton-internal-bin", "mountPath": "/tekton/bin"},
            {"name": "tekton-internal-steps", "mountPath": "/tekton/steps"},
        ],
    })];
    if has_scripts {
        helpers.push(json!({
            "name": "place-scripts",
            "image": SCRIPT_IMAGE,
            "command": ["sh"],
            "args": ["-c", place_scripts(task)],
            "volumeMounts": [
                {"name": "tekton-internal-scripts", "mountPath": "/tekton/scripts"},
                {"name": "tekton-internal-bin", "mountPath": "/tekton/bin"},
            ],
        }));
    }
    for sidecar in &task.sidecars {
        let mut container = step::plain(task, sidecar);
        container["name"] = json!(format!("sidecar-{}", sidecar.name));
        container["restartPolicy"] = json!("Always");
        helpers.push(container);
    }
    helpers
}

fn place_scripts(task: &TaskSpec) -> String {
    let scripts = task.steps.iter().enumerate();
    scripts
        .filter(|(_, step)| !step.script.is_empty())
        .map(|(index, step)| {
            let path = step::script_path(index);
            format!(
                "touch {path} && chmod +x {path}\ncat > {path} << '_EOF_'\n{}\n_EOF_\n",
                step.script.trim_end()
            )
        })
        .collect()
}
