//! An Argo CD Application, as the cockpit knows it.
//!
//! [`Application`] is the row: small, because ten thousand of them are kept.
//! [`ApplicationDetail`] is what one open screen needs besides, fetched on demand.
//! Field meanings: Argo CD `pkg/apis/application/v1alpha1/types.go`.

use super::finding::Finding;
use super::object::{GroupKind, ObjectRef, ResourceVersion, Text, Uid};
use super::status::{Health, SyncStatus};
use chrono::{DateTime, Utc};

/// One row of the Applications screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    pub object: ObjectRef,
    pub uid: Uid,
    pub resource_version: ResourceVersion,
    pub created: Option<DateTime<Utc>>,
    /// Set while the object is being deleted.
    pub deleting: Option<Deletion>,
    /// Sorted by key.
    pub labels: Vec<(Text, Text)>,
    /// `default` when the spec leaves it out.
    pub project: Text,
    /// The effective source first; more than one entry for a multi-source Application.
    pub sources: Vec<Source>,
    /// Whether `spec.sources` is used, however many entries it has: revisions are then plural.
    pub multi_source: bool,
    pub destination: Destination,
    pub auto_sync: AutoSync,
    pub sync: SyncStatus,
    /// Revisions the verdict was made at, one for each source; empty before the first compare.
    pub revisions: Vec<Text>,
    pub health: Health,
    pub health_message: Option<Text>,
    /// Managed objects in all, and how many of them are not Synced.
    pub resources: u32,
    pub out_of_sync: u32,
    pub operation: OperationView,
    pub conditions: Vec<Condition>,
    pub reconciled_at: Option<DateTime<Utc>>,
    /// A refresh annotation is still there: the controller has not answered yet.
    pub refresh_pending: Option<Refresh>,
    /// The verdict was made for another spec (`status.sync.comparedTo` differs).
    pub verdict_outdated: bool,
    /// `argocd.argoproj.io/skip-reconcile` is set.
    pub skip_reconcile: bool,
    /// The ApplicationSet that rewrites this Application, when there is one.
    pub owner_set: Option<Text>,
    /// The parent Application (app of apps), from the tracking id or the instance label.
    pub parent: Option<Text>,
    pub images: Vec<Text>,
    /// Rollouts among the managed objects; their rows are those of the kind.
    pub rollouts: Vec<ObjectRef>,
    /// What could not be read of this object. The row is shown all the same.
    pub findings: Vec<Finding>,
}

/// A deletion that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub since: DateTime<Utc>,
    pub finalizers: Vec<Text>,
}

/// Where manifests come from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Source {
    pub repo: Text,
    /// Path inside the repository; empty for a chart.
    pub path: Text,
    /// Helm chart name; empty for a repository path.
    pub chart: Text,
    /// Branch, tag, commit or chart version; `HEAD` when the spec leaves it out.
    pub target_revision: Text,
}

/// Where manifests go; `server` or `name`, as the spec has it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Destination {
    pub server: Text,
    pub name: Text,
    pub namespace: Text,
}

/// `spec.syncPolicy.automated`, settled: on means present and `enabled` not false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AutoSync {
    /// Whether `automated` is there at all; prune and self-heal may only be patched then.
    pub present: bool,
    pub on: bool,
    pub prune: bool,
    pub self_heal: bool,
    pub allow_empty: bool,
}

/// Kind of refresh asked for by annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    Normal,
    Hard,
}

/// `status.conditions[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Such as `ComparisonError`; the suffix tells the severity.
    pub kind: Text,
    pub message: Text,
    pub since: Option<DateTime<Utc>>,
}

/// `operationState.phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Running,
    Terminating,
    Succeeded,
    Failed,
    Error,
    Unknown,
}

impl Phase {
    /// Returns the word Argo CD uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Terminating => "Terminating",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Error => "Error",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads Argo CD's word; anything else is [`Phase::Unknown`].
    pub fn from_word(word: &str) -> Self {
        match word {
            "Running" => Self::Running,
            "Terminating" => Self::Terminating,
            "Succeeded" => Self::Succeeded,
            "Failed" => Self::Failed,
            "Error" => Self::Error,
            _ => Self::Unknown,
        }
    }
}

/// What the last or current operation is doing; the recipe of Argo CD's states in finer grain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationView {
    /// No operation was ever seen.
    None,
    /// Asked for, and not yet taken up by the controller.
    Queued,
    /// `Running` or `Terminating`, with the controller's message.
    Active {
        phase: Phase,
        message: Text,
        started: Option<DateTime<Utc>>,
    },
    /// Waiting for an object or a hook: `message` names it.
    Waiting {
        message: Text,
        started: Option<DateTime<Utc>>,
    },
    /// Held back by a sync window.
    Blocked { message: Text },
    /// A person has to confirm a prune or a delete.
    NeedsConfirmation { message: Text },
    /// Failed, to be tried again at `at`; `limit` below 0 is without end.
    WaitingRetry {
        attempt: i64,
        limit: i64,
        at: DateTime<Utc>,
        message: Text,
    },
    /// `Terminating` or `Running` without an operation: only a new sync repairs it.
    Stuck { phase: Phase },
    /// Over: `Succeeded`, `Failed` or `Error`.
    Finished {
        phase: Phase,
        message: Text,
        at: Option<DateTime<Utc>>,
        by: Text,
    },
}

/// What an Application screen needs besides the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationDetail {
    pub row: Application,
    /// `status.resources[]`, in the order of the server.
    pub resources: Vec<ManagedResource>,
    /// Newest first; ids have gaps.
    pub history: Vec<HistoryEntry>,
    /// Results of the last or current operation.
    pub results: Vec<ResourceResult>,
    pub external_urls: Vec<Text>,
    /// `spec.syncPolicy.syncOptions`.
    pub sync_options: Vec<Text>,
}

/// One entry of `status.resources[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedResource {
    pub kind: GroupKind,
    pub version: Text,
    pub namespace: Text,
    pub name: Text,
    pub sync: SyncStatus,
    /// Stored health, absent on Argo CD 3.0 and later.
    pub health: Option<Health>,
    pub hook: bool,
    pub requires_pruning: bool,
    pub requires_deletion_confirmation: bool,
    pub wave: i64,
}

/// One entry of `status.history[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    pub id: i64,
    pub revisions: Vec<Text>,
    pub sources: Vec<Source>,
    pub deployed_at: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    /// User name, or `automated`.
    pub initiated_by: Text,
}

/// One entry of `operationState.syncResult.resources[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceResult {
    pub kind: GroupKind,
    pub namespace: Text,
    pub name: Text,
    /// Synced, `SyncFailed`, Pruned, `PruneSkipped`; empty for a hook.
    pub status: Text,
    pub message: Text,
    /// Hook type and phase for a hook; empty otherwise.
    pub hook: Text,
    pub hook_phase: Text,
    /// PreSync, Sync, PostSync or SyncFail.
    pub sync_phase: Text,
}
