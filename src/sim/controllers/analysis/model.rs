//! AnalysisRuns as the wire has them, as far as the controller reads and writes them.
//!
//! Follows Argo Rollouts' `pkg/apis/rollouts/v1alpha1/analysis_types.go`. Metrics stay as they are
//! written: their arguments are put in before anything in them is read.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A run of measurements.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct AnalysisRun {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: RunSpec,
    #[serde(default)]
    pub status: RunStatus,
}

/// What is to be measured.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunSpec {
    #[serde(deserialize_with = "null_is_default")]
    pub metrics: Vec<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub args: Vec<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub terminate: bool,
    #[serde(deserialize_with = "null_is_default")]
    pub dry_run: Vec<Rule>,
    #[serde(deserialize_with = "null_is_default")]
    pub measurement_retention: Vec<Rule>,
    pub ttl_strategy: Option<Lifetime>,
}

/// Something said of the metrics whose names match.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// A regular expression.
    pub metric_name: String,
    /// How many measurements are kept.
    pub limit: i32,
}

/// When a run that has ended is deleted.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lifetime {
    pub seconds_after_completion: Option<i32>,
    pub seconds_after_failure: Option<i32>,
    pub seconds_after_success: Option<i32>,
}

/// How far the run is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunStatus {
    pub phase: Phase,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_results: Option<Vec<MetricResult>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_summary: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run_summary: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
}

/// How many metrics ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Summary {
    #[serde(skip_serializing_if = "is_zero")]
    pub count: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub successful: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub inconclusive: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub error: i32,
}

/// What came of one metric.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricResult {
    pub name: String,
    pub phase: Phase,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Measurement>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub count: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub successful: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub inconclusive: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub error: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub consecutive_error: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub consecutive_success: i32,
    #[serde(skip_serializing_if = "is_false")]
    pub dry_run: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// One measurement.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Measurement {
    pub phase: Phase,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Time>,
}

/// How a measurement, a metric, a run or an experiment stands, from best to worst.
///
/// The order is that of `analysisStatusOrder` in `utils/analysis/helpers.go`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum Phase {
    /// Nothing is said yet.
    #[default]
    #[serde(rename = "")]
    Unset,
    Successful,
    Running,
    Pending,
    Inconclusive,
    Error,
    Failed,
    /// A word that is not known here.
    #[serde(other)]
    Unknown,
}

impl Phase {
    /// It is over.
    pub fn has_ended(self) -> bool {
        match self {
            Self::Successful | Self::Failed | Self::Error | Self::Inconclusive => true,
            Self::Unset | Self::Running | Self::Pending | Self::Unknown => false,
        }
    }

    /// It is worse than another; one that is unset is as good as a success.
    pub fn is_worse_than(self, other: Self) -> bool {
        let rank = |phase: Self| {
            if phase == Self::Unset {
                Self::Successful
            } else {
                phase
            }
        };
        rank(self) > rank(other)
    }

    /// It deserves a warning.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }

    /// Returns the word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unset => "",
            Self::Successful => "Successful",
            Self::Running => "Running",
            Self::Pending => "Pending",
            Self::Inconclusive => "Inconclusive",
            Self::Error => "Error",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl RunStatus {
    /// Returns what came of a metric so far.
    pub fn result(&self, name: &str) -> Option<&MetricResult> {
        let mut results = self.metric_results.iter().flatten();
        results.find(|result| result.name == name)
    }

    /// Takes what came of a metric in place of what was known.
    pub fn set_result(&mut self, result: MetricResult) {
        let results = self.metric_results.get_or_insert_default();
        match results.iter_mut().find(|known| known.name == result.name) {
            Some(known) => *known = result,
            None => results.push(result),
        }
    }
}

impl Summary {
    /// Counts a metric that has ended.
    pub fn add(&mut self, phase: Phase) {
        match phase {
            Phase::Error => self.error += 1,
            Phase::Failed => self.failed += 1,
            Phase::Inconclusive => self.inconclusive += 1,
            Phase::Unset | Phase::Successful | Phase::Running | Phase::Pending | Phase::Unknown => {
                self.successful += 1;
            }
        }
    }
}

impl Resource for AnalysisRun {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "AnalysisRun".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "argoproj.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "analysisruns".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// An explicit null means what a missing field means.
pub(in crate::sim::controllers) fn null_is_default<'de, D, T>(
    deserializer: D,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(in crate::sim::controllers) fn is_zero(number: &i32) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !*value
}
