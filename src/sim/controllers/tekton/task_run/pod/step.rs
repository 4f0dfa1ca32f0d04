//! The container of a step.

use crate::sim::controllers::tekton::model::spec::{StepSpec, TaskRunSpec, TaskSpec};
use crate::sim::controllers::tekton::task_run::workspace;
use serde_json::{Map, Value, json};

/// The folders that every step has.
pub(super) const FOLDERS: [(&str, &str); 4] = [
    ("tekton-internal-workspace", "/workspace"),
    ("tekton-internal-home", "/tekton/home"),
    ("tekton-internal-results", "/tekton/results"),
    ("tekton-internal-steps", "/tekton/steps"),
];
/// Fields of a step that no container has.
const NOT_OF_CONTAINERS: [&str; 8] = [
    "displayName",
    "description",
    "results",
    "when",
    "params",
    "stdoutConfig",
    "stderrConfig",
    "workspaces",
];

/// Returns where a step writes a result.
pub(in crate::sim::controllers::tekton::task_run) fn result_path(result: &str) -> String {
    format!("/tekton/results/{result}")
}

/// Returns the container's name of a step.
pub(in crate::sim::controllers::tekton::task_run) fn step_container(
    step: &str,
    index: usize,
) -> String {
    match step {
        "" => format!("step-unnamed-{index}"),
        step => format!("step-{step}"),
    }
}

/// Returns where the script of a step lies.
pub(super) fn script_path(index: usize) -> String {
    format!("/tekton/scripts/script-{index}")
}

/// Returns what a step and the template of all steps say about a container.
pub(super) fn plain(task: &TaskSpec, step: &StepSpec) -> Value {
    let common = task.step_template.as_object().cloned();
    let mut fields: Map<String, Value> = common.unwrap_or_default();
    for (field, value) in &step.container {
        match (fields.get_mut(field), value) {
            (Some(Value::Array(common)), Value::Array(own)) if field == "env" => {
                common.retain(|one| own.iter().all(|other| other["name"] != one["name"]));
                common.extend(own.iter().cloned());
            }
            _ => {
                fields.insert(field.clone(), value.clone());
            }
        }
    }
    for field in NOT_OF_CONTAINERS {
        fields.remove(field);
    }
    if !step.image.is_empty() {
        fields.insert("image".to_owned(), json!(step.image));
    }
    if let Some(resources) = fields.remove("computeResources") {
        fields.insert("resources".to_owned(), resources);
    }
    if step.compute_resources.is_object() {
        fields.insert("resources".to_owned(), step.compute_resources.clone());
    }
    Value::Object(fields)
}

/// Returns the container of a step, behind the entrypoint.
pub(super) fn container(
    task: &TaskSpec,
    spec: &TaskRunSpec,
    (index, step): (usize, &StepSpec),
) -> Value {
    let mut container = plain(task, step);
    let words = |field: &str| -> Vec<String> {
        let list = container.get(field).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let (command, arguments) = (words("command"), words("args"));
    let (program, rest) = match (step.script.is_empty(), command.split_first()) {
        (false, _) => (script_path(index), arguments),
        (true, Some((first, rest))) => {
            let rest = rest.iter().cloned().chain(arguments).collect();
            (first.clone(), rest)
        }
        (true, None) => (String::new(), arguments),
    };
    let mut own = flags(task, (index, step));
    if !program.is_empty() {
        own.extend(["-entrypoint".to_owned(), program]);
    }
    own.push("--".to_owned());
    own.extend(rest);
    container["name"] = json!(step_container(&step.name, index));
    container["command"] = json!(["/tekton/bin/entrypoint"]);
    container["args"] = json!(own);
    container["terminationMessagePath"] = json!("/tekton/termination");
    container["volumeMounts"] = Value::Array(mounts(task, spec, (index, step)));
    container
}

/// Returns what the entrypoint is told.
fn flags(task: &TaskSpec, (index, step): (usize, &StepSpec)) -> Vec<String> {
    let mut flags: Vec<String> = match index {
        0 => vec![
            "-wait_file".into(),
            "/tekton/downward/ready".into(),
            "-wait_file_content".into(),
        ],
        index => vec![
            "-wait_file".into(),
            format!("/tekton/run/{}/out", index - 1),
        ],
    };
    let pairs = [
        ("-post_file", format!("/tekton/run/{index}/out")),
        ("-termination_path", "/tekton/termination".to_owned()),
        ("-step_metadata_dir", format!("/tekton/run/{index}/status")),
        ("-on_error", step.on_error.clone()),
        ("-timeout", step.timeout.clone()),
        (
            "-results",
            task.results
                .iter()
                .map(|one| one.name.as_str())
                .collect::<Vec<_>>()
                .join(","),
        ),
    ];
    for (flag, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
        flags.extend([flag.to_owned(), value]);
    }
    flags
}

fn mounts(task: &TaskSpec, spec: &TaskRunSpec, (index, step): (usize, &StepSpec)) -> Vec<Value> {
    let own = step.container.get("volumeMounts").and_then(Value::as_array);
    let mut mounts: Vec<Value> = own.cloned().unwrap_or_default();
    for workspace in &task.workspaces {
        let binding = spec
            .workspaces
            .iter()
            .find(|one| one.name == workspace.name);
        let path = workspace::mount_path(workspace);
        let is_taken = mounts.iter().any(|one| one["mountPath"] == path);
        let Some(binding) = binding.filter(|_| !is_taken) else {
            continue;
        };
        let mut mount = json!({"name": workspace::volume_name(&binding.name), "mountPath": path});
        if !binding.sub_path.is_empty() {
            mount["subPath"] = json!(binding.sub_path);
        }
        if workspace.read_only {
            mount["readOnly"] = json!(true);
        }
        mounts.push(mount);
    }
    if !step.script.is_empty() {
        mounts.push(json!({
            "name": "tekton-internal-scripts", "mountPath": "/tekton/scripts", "readOnly": true,
        }));
    }
    for (name, path) in FOLDERS {
        mounts.push(json!({"name": name, "mountPath": path}));
    }
    mounts.push(json!({
        "name": "tekton-internal-bin", "mountPath": "/tekton/bin", "readOnly": true,
    }));
    for other in 0..task.steps.len() {
        mounts.push(json!({
            "name": format!("tekton-internal-run-{other}"),
            "mountPath": format!("/tekton/run/{other}"),
            "readOnly": other != index,
        }));
    }
    mounts
}
