//! How what steps put out reaches their controllers.
//!
//! Argo Workflows: the container `wait` writes a `WorkflowTaskResult` named like the node
//! (`workflow/executor/taskresult.go`). Tekton: the entrypoint writes the termination message, a
//! JSON list of `{key, value, type}` (`pkg/termination/write.go`; type 1 is a result, 3 is
//! internal).

use super::behaviour::Behaviour;
use super::note::StepNote;
use chrono::{DateTime, SecondsFormat, Utc};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

/// A step that has ended.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    pub note: &'a StepNote,
    pub behaviour: &'a Behaviour,
    pub started: DateTime<Utc>,
    pub exit_code: i32,
}

/// Returns the termination message of a Task's step.
pub fn termination_message(report: &Report<'_>) -> String {
    let mut entries = vec![json!({
        "key": "StartedAt",
        "value": report.started.to_rfc3339_opts(SecondsFormat::Millis, true),
        "type": 3,
    })];
    if report.exit_code != 0 && report.note.continue_on_error {
        let code = report.exit_code.to_string();
        entries.push(json!({"key": "ExitCode", "value": code, "type": 3}));
    }
    for (name, path) in &report.note.outputs {
        if let Some(value) = report.behaviour.output(name, path) {
            entries.push(json!({"key": name, "value": value, "type": 1}));
        }
    }
    Value::Array(entries).to_string()
}

/// Returns the object in which a Workflow's pod reports its outputs.
pub fn task_result(pod: &Pod, report: &Report<'_>) -> Option<Value> {
    let annotations = pod.metadata.annotations.as_ref()?;
    let node = annotations.get("workflows.argoproj.io/node-id")?;
    let workflow = pod
        .metadata
        .labels
        .as_ref()?
        .get("workflows.argoproj.io/workflow")?;
    let parameters: Vec<Value> = report
        .note
        .outputs
        .iter()
        .filter_map(|(name, path)| {
            let value = report.behaviour.output(name, path)?;
            Some(json!({"name": name, "value": value.strip_suffix('\n').unwrap_or(value)}))
        })
        .collect();
    let mut outputs = json!({
        "result": report.behaviour.lines.join("\n"),
        "exitCode": report.exit_code.to_string(),
    });
    if !parameters.is_empty() {
        outputs["parameters"] = Value::Array(parameters);
    }
    Some(json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTaskResult",
        "metadata": {
            "name": node,
            "namespace": pod.metadata.namespace,
            "labels": {
                "workflows.argoproj.io/workflow": workflow,
                "workflows.argoproj.io/report-outputs-completed": "true",
            },
            "ownerReferences": pod.metadata.owner_references,
        },
        "outputs": outputs,
    }))
}
