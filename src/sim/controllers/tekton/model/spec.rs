//! What the controllers read of specs: `pkg/apis/pipeline/v1/{pipeline,task,run}_types.go`.

use super::value::ParamValue;
use crate::sim::controllers::analysis::model::null_is_default;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A parameter with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Param {
    pub name: String,
    pub value: ParamValue,
}

/// A parameter as a Pipeline or Task declares it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ParamSpec {
    pub name: String,
    #[serde(rename = "type", deserialize_with = "null_is_default")]
    pub kind: String,
    pub default: Option<ParamValue>,
    #[serde(rename = "enum", deserialize_with = "null_is_default")]
    pub choices: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub properties: BTreeMap<String, Value>,
}

impl ParamSpec {
    /// Returns the declared type; without one the default's, and else a text.
    pub fn kind(&self) -> &str {
        match (self.kind.as_str(), &self.default) {
            ("", _) if !self.properties.is_empty() => "object",
            ("", Some(default)) => default.kind(),
            ("", None) => "string",
            (kind, _) => kind,
        }
    }
}

/// A result as a Pipeline or Task declares it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ResultSpec {
    pub name: String,
    #[serde(rename = "type", deserialize_with = "null_is_default")]
    pub kind: String,
    pub value: Option<ParamValue>,
}

/// A workspace as a Pipeline or Task declares it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkspaceSpec {
    pub name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub optional: bool,
    #[serde(deserialize_with = "null_is_default")]
    pub mount_path: String,
    #[serde(deserialize_with = "null_is_default")]
    pub read_only: bool,
}

/// A workspace as a run binds it: a name, and where its files are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkspaceBinding {
    pub name: String,
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub sub_path: String,
    /// `emptyDir`, `persistentVolumeClaim`, `volumeClaimTemplate` and so on.
    #[serde(flatten)]
    pub source: BTreeMap<String, Value>,
}

/// Which workspace of the Pipeline a task gets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TaskWorkspace {
    pub name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub workspace: String,
    #[serde(deserialize_with = "null_is_default")]
    pub sub_path: String,
}

/// A condition on running a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct When {
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub input: String,
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub operator: String,
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub values: Vec<String>,
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub cel: String,
}

/// A Task or Pipeline by name, or by a resolver.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Reference {
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub kind: String,
    #[serde(deserialize_with = "null_is_default")]
    pub api_version: String,
    #[serde(deserialize_with = "null_is_default")]
    pub resolver: String,
    #[serde(deserialize_with = "null_is_default")]
    pub params: Vec<Param>,
}

impl Reference {
    /// Returns the text of a resolver's parameter.
    pub fn param(&self, name: &str) -> String {
        let found = self.params.iter().find(|param| param.name == name);
        found.map(|param| param.value.to_text()).unwrap_or_default()
    }
}

/// Runs a task for each combination of values.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Matrix {
    #[serde(deserialize_with = "null_is_default")]
    pub params: Vec<Param>,
    #[serde(deserialize_with = "null_is_default")]
    pub include: Vec<Include>,
}

/// Adds parameters to combinations, or a combination of its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Include {
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub params: Vec<Param>,
}

/// A task of a Pipeline.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PipelineTask {
    pub name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub display_name: String,
    pub task_ref: Option<Reference>,
    pub task_spec: Option<Value>,
    pub pipeline_ref: Option<Value>,
    pub pipeline_spec: Option<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub params: Vec<Param>,
    #[serde(deserialize_with = "null_is_default")]
    pub when: Vec<When>,
    #[serde(deserialize_with = "null_is_default")]
    pub run_after: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub retries: u32,
    #[serde(deserialize_with = "null_is_default")]
    pub timeout: String,
    #[serde(deserialize_with = "null_is_default")]
    pub workspaces: Vec<TaskWorkspace>,
    pub matrix: Option<Matrix>,
    #[serde(deserialize_with = "null_is_default")]
    pub on_error: String,
}

impl PipelineTask {
    /// A failure of this task does not fail the run.
    pub fn failure_is_ignored(&self) -> bool {
        self.on_error == "continue"
    }
}

/// A Pipeline. Its tasks stay as written: what they refer to is filled in as it becomes known.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PipelineSpec {
    #[serde(deserialize_with = "null_is_default")]
    pub params: Vec<ParamSpec>,
    #[serde(deserialize_with = "null_is_default")]
    pub tasks: Vec<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub finally: Vec<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub workspaces: Vec<WorkspaceSpec>,
    #[serde(deserialize_with = "null_is_default")]
    pub results: Vec<ResultSpec>,
}

/// How long a PipelineRun and its parts may take.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Timeouts {
    pub pipeline: Option<String>,
    pub tasks: Option<String>,
    pub finally: Option<String>,
}

/// What pods and TaskRuns of a PipelineRun are like.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TaskRunTemplate {
    #[serde(deserialize_with = "null_is_default")]
    pub service_account_name: String,
    pub pod_template: Option<Value>,
}

/// What the TaskRun of one task is like.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TaskRunOverride {
    pub pipeline_task_name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub service_account_name: String,
    pub pod_template: Option<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub timeout: String,
}

/// A PipelineRun.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PipelineRunSpec {
    pub pipeline_ref: Option<Reference>,
    pub pipeline_spec: Option<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub params: Vec<Param>,
    /// `Cancelled`, `CancelledRunFinally`, `StoppedRunFinally`, `PipelineRunPending` or nothing.
    #[serde(deserialize_with = "null_is_default")]
    pub status: String,
    #[serde(deserialize_with = "null_is_default")]
    pub timeouts: Timeouts,
    #[serde(deserialize_with = "null_is_default")]
    pub task_run_template: TaskRunTemplate,
    #[serde(deserialize_with = "null_is_default")]
    pub task_run_specs: Vec<TaskRunOverride>,
    #[serde(deserialize_with = "null_is_default")]
    pub workspaces: Vec<WorkspaceBinding>,
}

/// A TaskRun.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TaskRunSpec {
    pub task_ref: Option<Reference>,
    pub task_spec: Option<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub params: Vec<Param>,
    #[serde(deserialize_with = "null_is_default")]
    pub service_account_name: String,
    pub pod_template: Option<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub workspaces: Vec<WorkspaceBinding>,
    /// `TaskRunCancelled` or nothing.
    #[serde(deserialize_with = "null_is_default")]
    pub status: String,
    #[serde(deserialize_with = "null_is_default")]
    pub status_message: String,
    #[serde(deserialize_with = "null_is_default")]
    pub retries: u32,
    pub timeout: Option<String>,
}

/// A Task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TaskSpec {
    #[serde(deserialize_with = "null_is_default")]
    pub params: Vec<ParamSpec>,
    #[serde(deserialize_with = "null_is_default")]
    pub steps: Vec<StepSpec>,
    #[serde(deserialize_with = "null_is_default")]
    pub sidecars: Vec<StepSpec>,
    #[serde(deserialize_with = "null_is_default")]
    pub step_template: Value,
    #[serde(deserialize_with = "null_is_default")]
    pub volumes: Vec<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub workspaces: Vec<WorkspaceSpec>,
    #[serde(deserialize_with = "null_is_default")]
    pub results: Vec<ResultSpec>,
}

/// A step: a container, and what is Tekton's own about it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StepSpec {
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub image: String,
    #[serde(deserialize_with = "null_is_default")]
    pub script: String,
    #[serde(deserialize_with = "null_is_default")]
    pub on_error: String,
    #[serde(deserialize_with = "null_is_default")]
    pub timeout: String,
    #[serde(rename = "ref")]
    pub reference: Option<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub compute_resources: Value,
    /// The fields of the container.
    #[serde(flatten)]
    pub container: BTreeMap<String, Value>,
}
