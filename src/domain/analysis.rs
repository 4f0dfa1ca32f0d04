//! Analysis runs and experiments of Argo Rollouts.
//!
//! Words and limits follow Argo Rollouts `pkg/apis/rollouts/v1alpha1/analysis_types.go`; what a
//! metric's numbers mean follows `analysis/analysis.go`.

use super::finding::Finding;
use super::object::{ObjectRef, ResourceVersion, Text, Uid};
use super::status::Health;
use chrono::{DateTime, TimeDelta, Utc};

mod threshold;

pub use threshold::{Comparison, Threshold, thresholds_in};

/// `status.phase` of a run, a metric, a measurement or an experiment.
///
/// The derived order is Argo Rollouts' ranking, best to worst (`utils/analysis/helpers.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnalysisPhase {
    Successful,
    Running,
    Pending,
    Inconclusive,
    Error,
    Failed,
}

impl AnalysisPhase {
    /// Returns the word Argo Rollouts uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Successful => "Successful",
            Self::Running => "Running",
            Self::Pending => "Pending",
            Self::Inconclusive => "Inconclusive",
            Self::Error => "Error",
            Self::Failed => "Failed",
        }
    }

    /// Reads Argo Rollouts' word; an empty one is [`AnalysisPhase::Pending`], others are unknown.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "Successful" => Self::Successful,
            "Running" => Self::Running,
            "Pending" | "" => Self::Pending,
            "Inconclusive" => Self::Inconclusive,
            "Error" => Self::Error,
            "Failed" => Self::Failed,
            _ => return None,
        })
    }

    /// Returns the health that draws the same glyph and colour.
    pub fn health(self) -> Health {
        match self {
            Self::Successful => Health::Healthy,
            Self::Running | Self::Pending => Health::Progressing,
            Self::Inconclusive => Health::Unknown,
            Self::Error | Self::Failed => Health::Degraded,
        }
    }

    /// Returns whether nothing changes any more.
    pub fn is_over(self) -> bool {
        match self {
            Self::Successful | Self::Inconclusive | Self::Error | Self::Failed => true,
            Self::Running | Self::Pending => false,
        }
    }
}

/// Why a run was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnalysisRole {
    /// By an `analysis` step, counted from 0.
    Step(u32),
    Background,
    PrePromotion,
    PostPromotion,
    /// By an experiment.
    Experiment,
    /// By hand, or by something else.
    Standalone,
}

impl AnalysisRole {
    /// Returns the word of the label `rollout-type`, or what stands for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Step(_) => "Step",
            Self::Background => "Background",
            Self::PrePromotion => "PrePromotion",
            Self::PostPromotion => "PostPromotion",
            Self::Experiment => "Experiment",
            Self::Standalone => "Standalone",
        }
    }
}

/// An AnalysisRun, row and detail in one.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalysisRun {
    pub object: ObjectRef,
    pub uid: Uid,
    pub resource_version: ResourceVersion,
    pub created: Option<DateTime<Utc>>,
    pub deleting: bool,
    /// Sorted by key.
    pub labels: Vec<(Text, Text)>,
    pub phase: AnalysisPhase,
    pub message: Text,
    pub role: AnalysisRole,
    /// The Rollout or Experiment that made it.
    pub owner: Option<ObjectRef>,
    /// Revision of the Rollout.
    pub revision: Option<i64>,
    /// `rollouts-pod-template-hash`; empty when it has none.
    pub hash: Text,
    pub started: Option<DateTime<Utc>>,
    pub completed: Option<DateTime<Utc>>,
    pub metrics: Vec<MetricResult>,
    /// `spec.args`; values that come from Secrets are not there.
    pub args: Vec<(Text, Text)>,
    pub tally: Tally,
    pub dry_tally: Tally,
    /// `spec.terminate`.
    pub terminating: bool,
    pub findings: Vec<Finding>,
}

/// How many metrics ended how (`status.runSummary`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: u32,
    pub successful: u32,
    pub failed: u32,
    pub inconclusive: u32,
    pub error: u32,
}

/// One metric of a run: what it wants, and what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricResult {
    pub name: Text,
    pub phase: AnalysisPhase,
    pub message: Text,
    /// Such as `prometheus`, `web`, `job`.
    pub provider: Text,
    /// The query with its arguments filled in, when the provider has one.
    pub query: Text,
    /// Address of the provider, when it has one.
    pub address: Text,
    pub success_condition: Text,
    pub failure_condition: Text,
    /// What of the conditions can be drawn as a line.
    pub thresholds: Vec<Threshold>,
    pub interval: Option<TimeDelta>,
    pub limits: Limits,
    /// Newest last, at most as many as the run keeps.
    pub measurements: Vec<Measurement>,
    /// Measurements that counted, by outcome; errors do not count towards `limits.count`.
    pub counts: Counts,
    pub dry_run: bool,
}

/// When a metric is over, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `None`: it goes on until the run is ended.
    pub count: Option<u32>,
    /// `None`: never (-1).
    pub failure: Option<u32>,
    pub inconclusive: Option<u32>,
    pub consecutive_error: Option<u32>,
    /// 0: off.
    pub consecutive_success: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            count: Some(1),
            failure: Some(0),
            inconclusive: Some(0),
            consecutive_error: Some(4),
            consecutive_success: 0,
        }
    }
}

/// Outcomes of one metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub total: u32,
    pub successful: u32,
    pub failed: u32,
    pub inconclusive: u32,
    pub error: u32,
    pub consecutive_error: u32,
    pub consecutive_success: u32,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    pub phase: AnalysisPhase,
    pub started: Option<DateTime<Utc>>,
    pub finished: Option<DateTime<Utc>>,
    /// As the provider answered, such as `[0.993]`.
    pub value: Text,
    /// The first number in the value; `None` when there is none, or it is not a number.
    pub number: Option<f64>,
    pub message: Text,
}

impl MetricResult {
    /// Returns the newest measured number.
    pub fn last_number(&self) -> Option<f64> {
        self.measurements
            .iter()
            .rev()
            .find_map(|measured| measured.number)
    }

    /// Returns what it wants, as a person reads it: `≥ 0.95`, or the condition itself.
    pub fn wish(&self) -> String {
        let first = self.thresholds.iter().find(|one| one.of_success);
        match first.or_else(|| self.thresholds.first()) {
            Some(threshold) if threshold.of_success => threshold.words(),
            Some(threshold) => format!("not {}", threshold.words()),
            None if !self.success_condition.is_empty() => self.success_condition.to_string(),
            None if !self.failure_condition.is_empty() => {
                format!("not {}", self.failure_condition)
            }
            None => String::new(),
        }
    }

    /// Returns how far it is: `3 of 3`, or `3` when it has no end.
    pub fn progress(&self) -> String {
        match self.limits.count {
            Some(count) => format!("{} of {count}", self.counts.total),
            None => self.counts.total.to_string(),
        }
    }
}

impl AnalysisRun {
    /// Returns the metrics that ended badly, those that only try out last.
    pub fn failures(&self) -> Vec<&MetricResult> {
        let mut bad: Vec<&MetricResult> = self
            .metrics
            .iter()
            .filter(|metric| metric.phase >= AnalysisPhase::Inconclusive)
            .collect();
        bad.sort_by_key(|metric| metric.dry_run);
        bad
    }
}

/// An Experiment: some ReplicaSets beside each other for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    pub object: ObjectRef,
    pub uid: Uid,
    pub resource_version: ResourceVersion,
    pub created: Option<DateTime<Utc>>,
    pub deleting: bool,
    /// Sorted by key.
    pub labels: Vec<(Text, Text)>,
    pub phase: AnalysisPhase,
    pub message: Text,
    pub owner: Option<ObjectRef>,
    pub revision: Option<i64>,
    pub step: Option<u32>,
    pub hash: Text,
    pub duration: Option<TimeDelta>,
    /// When all its templates became available; the duration counts from here.
    pub available_at: Option<DateTime<Utc>>,
    pub templates: Vec<ExperimentTemplate>,
    /// Name of the analysis, name of its run, phase.
    pub analyses: Vec<(Text, Text, AnalysisPhase)>,
    pub terminating: bool,
    pub findings: Vec<Finding>,
}

/// One template of an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExperimentTemplate {
    pub name: Text,
    /// Such as `Progressing`, `Running`, `Successful`.
    pub status: Text,
    pub replicas: u32,
    pub ready: u32,
    pub available: u32,
}
