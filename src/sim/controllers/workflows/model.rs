//! Workflows and their templates as the wire has them, as far as the controller uses them.
//!
//! Follows Argo Workflows' `pkg/apis/workflow/v1alpha1/workflow_types.go`. Specs and templates stay
//! JSON until they are used: `{{…}}` is put in before anything in them is read.

use super::node::{NodeStatus, Outputs, Phase};
use k8s_openapi::ClusterResourceScope;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A workflow.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Workflow {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: Value,
    #[serde(default)]
    pub status: WorkflowStatus,
}

/// A stored workflow that others refer to.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct WorkflowTemplate {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: Value,
}

/// A stored workflow that all namespaces may refer to.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ClusterWorkflowTemplate {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: Value,
}

/// What a pod's `wait` container says its step put out.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct WorkflowTaskResult {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub outputs: Outputs,
}

/// A workflow that is started again and again.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct CronWorkflow {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: CronSpec,
    #[serde(default)]
    pub status: CronStatus,
}

/// When a cron workflow starts what.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CronSpec {
    pub workflow_spec: Value,
    /// The one schedule of versions before 3.6.
    pub schedule: String,
    pub schedules: Vec<String>,
    pub timezone: String,
    pub concurrency_policy: String,
    pub suspend: bool,
    pub starting_deadline_seconds: Option<i64>,
    pub successful_jobs_history_limit: Option<i64>,
    pub failed_jobs_history_limit: Option<i64>,
    pub workflow_metadata: Option<ObjectMeta>,
    pub stop_strategy: Option<Value>,
    pub when: String,
}

/// What became of a cron workflow so far.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CronStatus {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub active: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_scheduled_time: Option<Time>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    pub succeeded: i64,
    pub failed: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub phase: String,
}

/// Something that holds, or does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// How far a workflow is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowStatus {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub progress: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, NodeStatus>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub compressed_nodes: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub stored_workflow_template_spec: Value,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stored_templates: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub task_results_completion_status: BTreeMap<String, bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub persistent_volume_claims: Vec<Value>,
    /// The locks that are held or waited for.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub synchronization: Value,
}

/// A workflow's spec, with that of the template it refers to put under it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    pub(super) entrypoint: String,
    pub(super) synchronization: Option<Value>,
    pub(super) arguments: Arguments,
    pub(super) templates: Vec<Value>,
    pub(super) template_defaults: Option<Value>,
    pub(super) suspend: bool,
    pub(super) shutdown: String,
    pub(super) on_exit: String,
    pub(super) hooks: BTreeMap<String, Hook>,
    pub(super) ttl_strategy: Option<Lifetime>,
    #[serde(rename = "podGC")]
    pub(super) pod_gc: Option<PodGc>,
    pub(super) active_deadline_seconds: Option<i64>,
    pub(super) parallelism: Option<i64>,
    pub(super) service_account_name: String,
    pub(super) priority: Option<i64>,
    pub(super) volumes: Vec<Value>,
    pub(super) volume_claim_templates: Vec<Value>,
    pub(super) node_selector: Option<Value>,
    pub(super) tolerations: Option<Value>,
    pub(super) affinity: Option<Value>,
    pub(super) image_pull_secrets: Option<Value>,
    pub(super) pod_metadata: Option<Metadata>,
    pub(super) workflow_template_ref: Option<WorkflowTemplateRef>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WorkflowTemplateRef {
    pub(super) name: String,
    pub(super) cluster_scope: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Lifetime {
    pub(super) seconds_after_completion: Option<i64>,
    pub(super) seconds_after_success: Option<i64>,
    pub(super) seconds_after_failure: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodGc {
    pub(super) strategy: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// Values for parameters and artifacts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Arguments {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Value>,
}

impl Arguments {
    pub(super) fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.artifacts.is_empty()
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|one| one.name == name)
    }
}

/// A parameter, with or without a value.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Parameter {
    pub name: String,
    #[serde(deserialize_with = "any_text", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(deserialize_with = "any_text", skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<Value>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub global_name: String,
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// Reads what may be written as text, number or truth, as text.
fn any_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text_of(&Value::deserialize(deserializer)?))
}

pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(value.to_string())
        }
    }
}

/// A template that runs when something ends, or when an expression holds.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Hook {
    pub(super) template: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) template_ref: Option<TemplateRef>,
    pub(super) arguments: Arguments,
    pub(super) expression: String,
}

/// A template of another workflow template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateRef {
    pub name: String,
    pub template: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cluster_scope: bool,
}

/// Reads JSON into a type, forgiving nulls.
pub(super) fn read<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, String> {
    serde_json::from_value(without_nulls(value)).map_err(|error| error.to_string())
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

macro_rules! resource {
    ($type:ident, $scope:ident, $plural:literal) => {
        impl Resource for $type {
            type DynamicType = ();
            type Scope = $scope;

            fn kind((): &()) -> Cow<'_, str> {
                stringify!($type).into()
            }
            fn group((): &()) -> Cow<'_, str> {
                "argoproj.io".into()
            }
            fn version((): &()) -> Cow<'_, str> {
                "v1alpha1".into()
            }
            fn plural((): &()) -> Cow<'_, str> {
                $plural.into()
            }
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

resource!(Workflow, NamespaceResourceScope, "workflows");
resource!(
    WorkflowTemplate,
    NamespaceResourceScope,
    "workflowtemplates"
);
resource!(
    ClusterWorkflowTemplate,
    ClusterResourceScope,
    "clusterworkflowtemplates"
);
resource!(
    WorkflowTaskResult,
    NamespaceResourceScope,
    "workflowtaskresults"
);
resource!(CronWorkflow, NamespaceResourceScope, "cronworkflows");
