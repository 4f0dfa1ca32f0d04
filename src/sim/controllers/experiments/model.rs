//! Experiments as the wire has them, as far as the controller reads and writes them.
//!
//! Follows Argo Rollouts' `pkg/apis/rollouts/v1alpha1/experiment_types.go`. Pod templates stay as they
//! are written, so that one that cannot be read spoils its experiment and no other.

use crate::sim::controllers::analysis::model::{Phase, null_is_default};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// ReplicaSets that run beside each other for a time.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Experiment {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: ExperimentSpec,
    #[serde(default)]
    pub status: ExperimentStatus,
}

/// What is to run, for how long, and how it is measured.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExperimentSpec {
    #[serde(deserialize_with = "null_is_default")]
    pub templates: Vec<TemplateSpec>,
    pub duration: Option<String>,
    pub progress_deadline_seconds: Option<i32>,
    pub scale_down_delay_seconds: Option<i32>,
    #[serde(deserialize_with = "null_is_default")]
    pub terminate: bool,
    #[serde(deserialize_with = "null_is_default")]
    pub analyses: Vec<AnalysisSpec>,
    #[serde(deserialize_with = "null_is_default")]
    pub dry_run: Vec<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub measurement_retention: Vec<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub analysis_run_metadata: RunMetadata,
}

/// One ReplicaSet.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateSpec {
    pub name: String,
    pub replicas: Option<i32>,
    pub min_ready_seconds: Option<i32>,
    #[serde(deserialize_with = "null_is_default")]
    pub selector: LabelSelector,
    pub template: Value,
    pub service: Option<ServiceSpec>,
}

/// The Service of a template; without a name it is called as its ReplicaSet.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ServiceSpec {
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
}

/// One analysis.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalysisSpec {
    pub name: String,
    pub template_name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub cluster_scope: bool,
    #[serde(deserialize_with = "null_is_default")]
    pub args: Vec<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub required_for_completion: bool,
}

/// What the AnalysisRuns carry.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct RunMetadata {
    #[serde(deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
}

/// How far the experiment is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExperimentStatus {
    pub phase: Phase,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_at: Option<Time>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub template_statuses: Vec<TemplateStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub analysis_runs: Vec<RunState>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How far a ReplicaSet is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateStatus {
    pub name: String,
    pub replicas: i32,
    pub updated_replicas: i32,
    pub ready_replicas: i32,
    pub available_replicas: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
    #[serde(skip_serializing_if = "TemplatePhase::is_unset")]
    pub status: TemplatePhase,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pod_template_hash: String,
}

/// How a ReplicaSet stands, from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum TemplatePhase {
    #[default]
    #[serde(rename = "")]
    Unset,
    Successful,
    Running,
    Progressing,
    Error,
    Failed,
    #[serde(other)]
    Unknown,
}

impl TemplatePhase {
    /// It is over.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Successful | Self::Error | Self::Failed)
    }

    /// It has gone wrong.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Error | Self::Failed)
    }

    /// Returns the word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unset => "",
            Self::Successful => "Successful",
            Self::Running => "Running",
            Self::Progressing => "Progressing",
            Self::Error => "Error",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_unset(&self) -> bool {
        *self == Self::Unset
    }
}

/// How an analysis stands.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunState {
    pub name: String,
    pub analysis_run: String,
    pub phase: Phase,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A condition of an experiment.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    #[serde(rename = "type")]
    pub type_: String,
    pub status: String,
    pub reason: String,
    pub message: String,
    pub last_update_time: Time,
    pub last_transition_time: Time,
}

impl ExperimentStatus {
    /// Returns how far a ReplicaSet is.
    pub fn template(&self, name: &str) -> Option<&TemplateStatus> {
        self.template_statuses.iter().find(|one| one.name == name)
    }

    /// Returns how an analysis stands.
    pub fn run(&self, name: &str) -> Option<&RunState> {
        self.analysis_runs.iter().find(|one| one.name == name)
    }

    /// Takes how far a ReplicaSet is.
    pub fn set_template(&mut self, status: TemplateStatus) {
        let known = self.template_statuses.iter_mut();
        match known.into_iter().find(|one| one.name == status.name) {
            Some(known) => *known = status,
            None => self.template_statuses.push(status),
        }
    }

    /// Takes how an analysis stands.
    pub fn set_run(&mut self, state: RunState) {
        let known = self.analysis_runs.iter_mut();
        match known.into_iter().find(|one| one.name == state.name) {
            Some(known) => *known = state,
            None => self.analysis_runs.push(state),
        }
    }
}

impl Resource for Experiment {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Experiment".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "argoproj.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "experiments".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
