//! The states of a TaskRun's steps and what they left behind.

use super::ended_with;
use crate::sim::controllers::runtime::time::api_time;
use crate::sim::controllers::tekton::model::spec::TaskSpec;
use crate::sim::controllers::tekton::model::status::RunResult;
use crate::sim::controllers::tekton::model::value::ParamValue;
use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};
use serde::Deserialize;
use serde_json::{Value, json};

/// A line of what an entrypoint leaves behind.
#[derive(Clone, Debug, Deserialize)]
struct Entry {
    key: String,
    value: String,
    /// 1: a result of the Task; 3: Tekton's own.
    #[serde(rename = "type")]
    kind: i64,
}

fn entries(message: Option<&str>) -> Vec<Entry> {
    message
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// Returns the state of each step.
pub(super) fn states(found: &[&ContainerStatus], task: &TaskSpec) -> Vec<Value> {
    let mut has_failed = false;
    let mut states = Vec::new();
    for (status, spec) in found.iter().zip(&task.steps) {
        let mut state = serde_json::to_value(&status.state).unwrap_or_default();
        if !state.is_object() {
            state = json!({});
        }
        state["container"] = json!(status.name);
        let name = status.name.strip_prefix("step-").unwrap_or(&status.name);
        state["name"] = json!(name);
        if !status.image_id.is_empty() {
            state["imageID"] = json!(status.image_id);
        }
        if let Some(code) = ended_with(status) {
            let ignored = take_end(&mut state).is_some_and(|code| code != 0);
            let is_oom = state.pointer("/terminated/reason") == Some(&json!("OOMKilled"));
            state["terminationReason"] = json!(match (code, ignored) {
                (0, true) => "Continued",
                (0, false) => "Completed",
                _ if is_oom => "OOMKilled",
                _ if has_failed => "Skipped",
                _ => "Error",
            });
            has_failed = has_failed || (code != 0 && spec.on_error != "continue");
        }
        states.push(state);
    }
    states
}

/// Takes from the termination message when the step began; returns what it really ended with.
fn take_end(state: &mut Value) -> Option<i64> {
    let terminated = state.get_mut("terminated")?;
    let message = terminated.get("message").and_then(Value::as_str);
    let entries = entries(message);
    let find = |key: &str| entries.iter().find(|one| one.kind == 3 && one.key == key);
    if let Some(began) = find("StartedAt")
        && let Ok(time) = DateTime::parse_from_rfc3339(&began.value)
    {
        terminated["startedAt"] = json!(api_time(time.to_utc()));
    }
    let code = find("ExitCode").and_then(|entry| entry.value.parse::<i64>().ok());
    if let Some(code) = code {
        terminated["exitCode"] = json!(code);
    }
    let told: Vec<Value> = entries
        .iter()
        .filter(|entry| entry.kind != 3)
        .map(|entry| json!({"key": entry.key, "value": entry.value, "type": entry.kind}))
        .collect();
    if told.is_empty() {
        terminated.as_object_mut()?.remove("message");
    } else {
        terminated["message"] = json!(Value::Array(told).to_string());
    }
    code
}

/// Ends a step that was running when its run was abandoned.
pub(in crate::sim::controllers::tekton::task_run) fn end_step(
    step: &mut Value,
    reason: &str,
    now: DateTime<Utc>,
) {
    if step.get("terminated").is_some_and(Value::is_object) {
        return;
    }
    let began = step.pointer("/running/startedAt").cloned();
    let why = if reason == "TaskRunTimeout" {
        "TimeoutExceeded"
    } else {
        "Cancelled"
    };
    if let Some(fields) = step.as_object_mut() {
        fields.remove("running");
        fields.remove("waiting");
    }
    step["terminated"] = json!({
        "exitCode": 1,
        "reason": reason,
        "startedAt": began.unwrap_or_else(|| json!(api_time(now))),
        "finishedAt": api_time(now),
    });
    step["terminationReason"] = json!(why);
}

/// Returns the state of each sidecar.
pub(super) fn sidecars(status: &PodStatus) -> Vec<Value> {
    let all = status
        .container_statuses
        .iter()
        .chain(&status.init_container_statuses)
        .flatten();
    let state = |one: &ContainerStatus| {
        let name = one.name.strip_prefix("sidecar-")?;
        let mut state = serde_json::to_value(&one.state).ok()?;
        state["name"] = json!(name);
        state["container"] = json!(one.name);
        state["imageID"] = json!(one.image_id);
        Some(state)
    };
    all.filter_map(state).collect()
}

/// Returns the declared results that the steps wrote; the last to write one wins.
pub(super) fn results(found: &[&ContainerStatus], task: &TaskSpec) -> Vec<RunResult> {
    let mut results: Vec<RunResult> = Vec::new();
    let messages = found.iter().filter_map(|status| {
        let ended = status.state.as_ref()?.terminated.as_ref()?;
        ended.message.as_deref()
    });
    for entry in messages.flat_map(|message| entries(Some(message))) {
        let declared = task.results.iter().find(|one| one.name == entry.key);
        let Some(declared) = declared.filter(|_| entry.kind == 1) else {
            continue;
        };
        let value = ParamValue::result(&entry.value, &declared.kind);
        let result = RunResult {
            name: entry.key,
            kind: value.kind().to_owned(),
            value,
        };
        match results.iter_mut().find(|one| one.name == result.name) {
            Some(known) => *known = result,
            None => results.push(result),
        }
    }
    results
}
