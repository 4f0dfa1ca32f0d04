//! Runs of pipelines: one model for Argo Workflows, Tekton and GitHub Actions.
//!
//! A run has a row for the table and, when it is opened, a [`RunDetail`]: its nodes as an arena
//! that may be a graph (a node can have several parents). Words stay those of the systems.

pub mod cron;
mod detail;
pub mod graph;
pub mod template;
pub mod tree;
mod usual;
mod verb;
mod why;

pub use cron::CronRun;
pub use detail::{Artifact, NodeKind, Parameter, RunDetail, RunNode, failing_of};
pub use usual::{Durations, Pace};
pub use verb::{CancelWay, RunVerb};
pub use why::{forecast, why_run};

use super::application::Deletion;
use super::finding::Finding;
use super::object::{GroupKind, ObjectRef, ResourceVersion, Text, Uid};
use super::status::Health;
use chrono::{DateTime, TimeDelta, Utc};

/// Group of the kind under which runs of all systems are one table; no server has it.
pub const RUNS_GROUP: &str = "tiphys";

/// Returns the kind of the table of all runs. Its rows name the real objects.
pub fn runs_kind() -> GroupKind {
    GroupKind::new(RUNS_GROUP, "Run")
}

/// Group of Tekton Pipelines.
pub const TEKTON: &str = "tekton.dev";

/// Group of the runs of GitHub Actions; the cluster does not have it.
pub const ACTIONS: &str = "actions.github.com";

/// Returns whether objects of a kind are runs.
pub fn is_run(kind: &GroupKind) -> bool {
    System::of_kind(kind).is_some()
}

/// Who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum System {
    Workflows,
    Tekton,
    Actions,
}

impl System {
    /// Returns its name in a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Workflows => "Workflow",
            Self::Tekton => "Tekton",
            Self::Actions => "Actions",
        }
    }

    /// Returns the kind of its runs.
    pub fn kind(self) -> GroupKind {
        match self {
            Self::Workflows => GroupKind::new(super::kind::ARGO, "Workflow"),
            Self::Tekton => GroupKind::new(TEKTON, "PipelineRun"),
            Self::Actions => GroupKind::new(ACTIONS, "WorkflowRun"),
        }
    }

    /// Returns the system whose runs are of a kind.
    pub fn of_kind(kind: &GroupKind) -> Option<Self> {
        match (&*kind.group, &*kind.kind) {
            (super::kind::ARGO, "Workflow") => Some(Self::Workflows),
            (TEKTON, "PipelineRun" | "TaskRun") => Some(Self::Tekton),
            (ACTIONS, "WorkflowRun") => Some(Self::Actions),
            _ => None,
        }
    }
}

/// Where a run or one of its nodes stands; the derived order is calm to loud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    Succeeded,
    /// A condition said no.
    Skipped,
    /// What it depends on did not go as needed.
    Omitted,
    Pending,
    Running,
    /// It waits for a person.
    Suspended,
    Cancelled,
    Failed,
    /// It could not be carried out.
    Error,
}

impl Phase {
    /// Returns the word of Argo Workflows and Tekton.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Skipped => "Skipped",
            Self::Omitted => "Omitted",
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Suspended => "Suspended",
            Self::Cancelled => "Cancelled",
            Self::Failed => "Failed",
            Self::Error => "Error",
        }
    }

    /// Reads a word of Argo Workflows; an empty one is a run that nobody has looked at.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "" | "Pending" => Self::Pending,
            "Running" => Self::Running,
            "Succeeded" => Self::Succeeded,
            "Skipped" => Self::Skipped,
            "Omitted" => Self::Omitted,
            "Failed" => Self::Failed,
            "Error" => Self::Error,
            _ => return None,
        })
    }

    /// Returns whether nothing more will happen.
    pub fn is_over(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Suspended => false,
            Self::Succeeded
            | Self::Skipped
            | Self::Omitted
            | Self::Cancelled
            | Self::Failed
            | Self::Error => true,
        }
    }

    /// Returns whether it went wrong.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }

    /// Returns the health that stands for it, as Argo CD judges Workflows.
    pub fn health(self) -> Health {
        match self {
            Self::Succeeded | Self::Skipped | Self::Omitted => Health::Healthy,
            Self::Pending | Self::Running => Health::Progressing,
            Self::Suspended => Health::Suspended,
            Self::Cancelled => Health::Unknown,
            Self::Failed | Self::Error => Health::Degraded,
        }
    }
}

/// What source a run works on, as far as its parameters, labels and annotations tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// A commit, else a branch or tag; may be empty.
    pub revision: Text,
    pub repository: Text,
    /// What it builds; empty when it is not known.
    pub image: Text,
}

impl Commit {
    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.revision.is_empty() && self.repository.is_empty() && self.image.is_empty()
    }
}

/// Why a run began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Nobody left a trace: by hand, as far as can be told.
    Manual,
    /// A schedule; the name of its CronWorkflow.
    Cron(Text),
    /// A trigger of a Sensor.
    Sensor { sensor: Text, trigger: Text },
    /// A trigger of an EventListener, and the event's id.
    Listener {
        listener: Text,
        trigger: Text,
        event: Text,
    },
    /// Another run was submitted again.
    Again(Text),
    /// What GitHub says: `push`, `pull_request`.
    Event(Text),
}

impl Trigger {
    /// Returns it in a few words for a table.
    pub fn words(&self) -> String {
        match self {
            Self::Manual => String::from("by hand"),
            Self::Cron(name) => format!("cron {name}"),
            Self::Sensor { sensor, trigger } if trigger.is_empty() => sensor.to_string(),
            Self::Sensor { sensor, trigger } => format!("{sensor}/{trigger}"),
            Self::Listener { listener, .. } => listener.to_string(),
            Self::Again(name) => format!("again {name}"),
            Self::Event(name) => name.to_string(),
        }
    }
}

/// Where the nodes of a Workflow are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Nodes {
    #[default]
    Inline,
    /// Compressed in the object.
    Compressed,
    /// In a database that only argo-server reads.
    Offloaded,
    /// Why the compressed nodes could not be read.
    Unreadable(Text),
}

/// One run in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    pub object: ObjectRef,
    pub uid: Uid,
    pub resource_version: ResourceVersion,
    pub created: Option<DateTime<Utc>>,
    pub deleting: Option<Deletion>,
    pub labels: Vec<(Text, Text)>,
    pub system: System,
    /// What it was made from: a WorkflowTemplate, a Pipeline; absent when the run brings its own.
    pub template: Option<ObjectRef>,
    pub phase: Phase,
    /// The system's own words where they say more: `Failed (Terminated)`; else empty.
    pub status: Text,
    pub message: Text,
    /// Steps done and steps known.
    pub progress: Option<(u32, u32)>,
    pub started: Option<DateTime<Utc>>,
    pub finished: Option<DateTime<Utc>>,
    pub commit: Commit,
    pub trigger: Trigger,
    /// `spec.shutdown`, or how a Tekton run is being ended; empty when nobody ends it.
    pub ending: Text,
    /// How long runs of this template usually take, when enough have succeeded.
    pub usual: Option<TimeDelta>,
    /// The step to look at first, when something went wrong.
    pub failing: Text,
    pub nodes: Nodes,
    pub findings: Vec<Finding>,
}

impl RunRow {
    /// Returns how long it ran, or has run until now.
    pub fn duration(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let started = self.started?;
        let end = match self.finished {
            Some(finished) => finished,
            None if self.phase.is_over() => return None,
            None => now,
        };
        Some((end - started).max(TimeDelta::zero()))
    }

    /// Returns how its duration compares with what is usual.
    pub fn pace(&self, now: DateTime<Utc>) -> Pace {
        match (self.duration(now), self.usual) {
            (Some(took), Some(usual)) => Pace::of(took, usual),
            _ => Pace::Unknown,
        }
    }

    /// Returns the words for its phase.
    pub fn status_words(&self) -> &str {
        if self.status.is_empty() {
            self.phase.word()
        } else {
            &self.status
        }
    }

    /// Returns the name of what it was made from; the name of the run without its random end
    /// otherwise.
    pub fn family(&self) -> &str {
        match &self.template {
            Some(template) => &template.name,
            None => {
                let name = &*self.object.name;
                name.rsplit_once('-').map_or(name, |(stem, _)| stem)
            }
        }
    }
}

/// Orders runs for a list: the youngest first, then by name.
pub fn youngest_first(left: &RunRow, right: &RunRow) -> std::cmp::Ordering {
    let begun = |row: &RunRow| row.started.or(row.created);
    begun(right)
        .cmp(&begun(left))
        .then_with(|| left.object.cmp(&right.object))
}
