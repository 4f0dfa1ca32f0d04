//! A change asked of the platform.
//!
//! An intent names its object and the uid it was aimed at; the engine checks both again when it
//! fires, so that a dialog left open never hits a new object of the same name.

use super::alert::Matcher;
use super::application::Refresh;
use super::image::ImageVerb;
use super::object::{GroupKind, ObjectRef, Text, Uid};
use super::pipeline::RunVerb;

/// Numbers an intent within one run; the ledger and outcomes refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntentId(pub u64);

/// What is asked, of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub target: ObjectRef,
    /// The life of the object that the user saw; the engine refuses another one.
    pub uid: Option<Uid>,
    pub verb: Verb,
}

/// The changes we can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Application: compare again.
    Refresh(Refresh),
    /// Application: apply the target state.
    Sync(SyncRequest),
    /// Application: stop the running operation.
    Terminate,
    /// Application: apply a history entry again. Needs auto-sync off.
    Rollback {
        history_id: i64,
        prune: bool,
        dry_run: bool,
    },
    /// Application: turn auto-sync, self-heal or prune on or off.
    Switch { switch: Switch, on: bool },
    /// Application: delete it, with or without what it manages.
    DeleteApplication(Cascade),
    /// Application: approve deletions or prunes that wait for confirmation.
    ConfirmDeletion,
    /// Workload: `kubectl rollout restart`.
    Restart,
    /// Workload: set `spec.replicas` through the scale subresource.
    Scale { replicas: u32 },
    /// Any object.
    Delete {
        propagation: Propagation,
        force: bool,
    },
    /// Any object: replace it by an edited manifest.
    Replace { manifest: Text },
    /// Rollout: go on; a running analysis, experiment or weight step is skipped.
    Promote,
    /// Rollout: skip every step that is left.
    PromoteFull,
    /// Rollout: give all traffic back to the stable version.
    Abort,
    /// Rollout: begin an aborted update again.
    Retry,
    /// Rollout: take no further step (`spec.paused`).
    Pause,
    /// Rollout: end a pause, skipping nothing.
    Resume,
    /// Rollout: make all Pods anew (`spec.restartAt`).
    RestartRollout,
    /// Rollout: write the template of an earlier revision back; `None` is the one before.
    Undo { revision: Option<i64> },
    /// Rollout: change the image of a container; `*` is all of them.
    SetImage { container: Text, image: Text },
    /// AnalysisRun or Experiment: end it.
    TerminateAnalysis,
    /// Alert: keep it quiet for a while.
    Silence(SilenceRequest),
    /// Silence: end it.
    ExpireSilence,
    /// A run, or what makes runs.
    Run(RunVerb),
    /// An image, a registry or a robot account.
    Image(ImageVerb),
}

/// Parameters of a silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilenceRequest {
    pub matchers: Vec<Matcher>,
    pub length_seconds: u32,
    pub comment: Text,
}

/// Parameters of a sync.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SyncRequest {
    /// Branch, tag or commit; `None` for the target revision of the spec.
    pub revision: Option<Text>,
    pub prune: bool,
    pub dry_run: bool,
    /// Delete and create again what cannot be changed in place.
    pub force: bool,
    /// Skip hooks (`syncStrategy.apply`).
    pub apply_only: bool,
    /// Empty for everything.
    pub resources: Vec<SyncResource>,
    /// `None` takes the options of the spec; a list replaces them.
    pub sync_options: Option<Vec<Text>>,
}

/// One object of a selective sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncResource {
    pub kind: GroupKind,
    pub namespace: Text,
    pub name: Text,
}

/// The switches of `spec.syncPolicy.automated`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Switch {
    AutoSync,
    SelfHeal,
    Prune,
}

/// What happens to the objects of a deleted Application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cascade {
    Foreground,
    Background,
    NonCascading,
}

/// Kubernetes deletion propagation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// How dangerous an intent is; decides what a dialog asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Risk {
    /// Changes no workload: a refresh, a dry run.
    Harmless,
    /// Changes workloads in a way that can be undone.
    Changes,
    /// Deletes something, or cannot be undone.
    Destroys,
}

/// Returns how dangerous an intent is.
pub fn risk_of(intent: &Intent) -> Risk {
    match &intent.verb {
        Verb::Refresh(_) | Verb::Rollback { dry_run: true, .. } => Risk::Harmless,
        Verb::Sync(request) if request.dry_run => Risk::Harmless,
        Verb::Sync(request) if request.prune || request.force => Risk::Destroys,
        Verb::Rollback { prune: true, .. }
        | Verb::DeleteApplication(_)
        | Verb::ConfirmDeletion
        | Verb::Switch {
            switch: Switch::Prune,
            on: true,
        }
        | Verb::Delete { .. }
        | Verb::Scale { replicas: 0 }
        | Verb::PromoteFull => Risk::Destroys,
        Verb::Run(verb) => verb.risk(),
        Verb::Image(verb) => verb.risk(),
        Verb::Sync(_)
        | Verb::Terminate
        | Verb::Rollback { .. }
        | Verb::Switch { .. }
        | Verb::Restart
        | Verb::Scale { .. }
        | Verb::Replace { .. }
        | Verb::Promote
        | Verb::Abort
        | Verb::Retry
        | Verb::Pause
        | Verb::Resume
        | Verb::RestartRollout
        | Verb::Undo { .. }
        | Verb::SetImage { .. }
        | Verb::TerminateAnalysis
        | Verb::Silence(_)
        | Verb::ExpireSilence => Risk::Changes,
    }
}

impl Verb {
    /// Returns the stable id used on the command line, in the ledger and in keymaps.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Refresh(Refresh::Normal) => "refresh",
            Self::Refresh(Refresh::Hard) => "hard-refresh",
            Self::Sync(_) => "sync",
            Self::Terminate | Self::TerminateAnalysis => "terminate",
            Self::Rollback { .. } => "rollback",
            Self::Switch {
                switch: Switch::AutoSync,
                ..
            } => "auto-sync",
            Self::Switch {
                switch: Switch::SelfHeal,
                ..
            } => "self-heal",
            Self::Switch {
                switch: Switch::Prune,
                ..
            } => "prune",
            Self::DeleteApplication(_) => "delete-app",
            Self::ConfirmDeletion => "confirm-deletion",
            Self::Restart | Self::RestartRollout => "restart",
            Self::Scale { .. } => "scale",
            Self::Delete { .. } => "delete",
            Self::Replace { .. } => "edit",
            Self::Promote => "promote",
            Self::PromoteFull => "promote-full",
            Self::Abort => "abort",
            Self::Retry => "retry",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Undo { .. } => "undo",
            Self::SetImage { .. } => "set-image",
            Self::Silence(_) => "silence",
            Self::ExpireSilence => "expire-silence",
            Self::Run(verb) => verb.id(),
            Self::Image(verb) => verb.id(),
        }
    }
}

/// What became of an intent. It only moves forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Sent, no answer yet.
    Requested,
    /// The API server took it; `detail` says what the server answered (dry runs end here).
    Accepted { detail: Text },
    /// A watch showed the effect.
    Observed { detail: Text },
    /// Refused or failed: a sentence and what to try.
    Failed { sentence: Text, hint: Option<Text> },
}

impl Verb {
    /// Returns whether this is an intent on a Rollout.
    pub fn is_for_rollouts(&self) -> bool {
        match self {
            Self::Promote
            | Self::PromoteFull
            | Self::Abort
            | Self::Retry
            | Self::Pause
            | Self::Resume
            | Self::RestartRollout
            | Self::Undo { .. }
            | Self::SetImage { .. } => true,
            Self::Refresh(_)
            | Self::Sync(_)
            | Self::Terminate
            | Self::Rollback { .. }
            | Self::Switch { .. }
            | Self::DeleteApplication(_)
            | Self::ConfirmDeletion
            | Self::Restart
            | Self::Scale { .. }
            | Self::Delete { .. }
            | Self::Replace { .. }
            | Self::TerminateAnalysis
            | Self::Silence(_)
            | Self::ExpireSilence
            | Self::Run(_)
            | Self::Image(_) => false,
        }
    }
}
