//! What the controllers write into statuses: `pkg/apis/pipeline/v1/*run_types.go`.

use super::spec::When;
use super::value::ParamValue;
use crate::sim::controllers::analysis::model::null_is_default;
use crate::sim::controllers::runtime::time::api_time;
use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The one condition's type.
pub const SUCCEEDED: &str = "Succeeded";

/// The condition that says how a run is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    pub reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
}

/// A result that a run has.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct RunResult {
    pub name: String,
    #[serde(
        rename = "type",
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub kind: String,
    pub value: ParamValue,
}

/// A TaskRun of a PipelineRun.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChildReference {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    pub pipeline_task_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub when_expressions: Vec<When>,
}

/// A task that is not run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SkippedTask {
    pub name: String,
    pub reason: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub when_expressions: Vec<When>,
}

/// How far a PipelineRun is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PipelineRunStatus {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finally_start_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_spec: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub child_references: Vec<ChildReference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped_tasks: Vec<SkippedTask>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<RunResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Value>,
}

/// How far a TaskRun is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TaskRunStatus {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pod_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sidecars: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<RunResult>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retries_status: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_spec: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Value>,
}

/// A status that holds the one condition.
pub trait Conditions {
    /// Returns the conditions.
    fn conditions(&self) -> &Vec<Condition>;

    /// Returns the conditions, to change them.
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;

    /// Returns the condition `Succeeded`.
    fn succeeded(&self) -> Option<&Condition> {
        self.conditions().iter().find(|one| one.kind == SUCCEEDED)
    }

    /// The run is over.
    fn is_done(&self) -> bool {
        self.succeeded()
            .is_some_and(|condition| matches!(condition.status.as_str(), "True" | "False"))
    }

    /// Says how the run is; the time of transition is kept while nothing changes.
    fn say(&mut self, status: &str, (reason, message): (&str, &str), now: DateTime<Utc>) {
        let known = self.succeeded();
        let is_same = known.is_some_and(|one| {
            one.status == status && one.reason == reason && one.message == message
        });
        if is_same {
            return;
        }
        let condition = Condition {
            kind: SUCCEEDED.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: Some(api_time(now)),
        };
        self.conditions_mut().retain(|one| one.kind != SUCCEEDED);
        self.conditions_mut().push(condition);
    }
}

impl Conditions for PipelineRunStatus {
    fn conditions(&self) -> &Vec<Condition> {
        &self.conditions
    }

    fn conditions_mut(&mut self) -> &mut Vec<Condition> {
        &mut self.conditions
    }
}

impl Conditions for TaskRunStatus {
    fn conditions(&self) -> &Vec<Condition> {
        &self.conditions
    }

    fn conditions_mut(&mut self) -> &mut Vec<Condition> {
        &mut self.conditions
    }
}

/// Reads a status of the wire; one that cannot be read counts as none.
pub fn read<S: Default + serde::de::DeserializeOwned>(value: &Value) -> S {
    serde_json::from_value(value.clone()).unwrap_or_default()
}
