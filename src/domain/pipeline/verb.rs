//! What can be asked of runs, templates, schedules and event sources.

use crate::domain::intent::Risk;
use crate::domain::object::Text;

/// A change asked of a run or of what makes runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunVerb {
    /// Template or Pipeline: make a run.
    Submit {
        parameters: Vec<(Text, Text)>,
        /// Where to run it; of importance for templates of the whole cluster.
        namespace: Option<Text>,
    },
    /// Workflow: begin no further step.
    Suspend,
    /// Workflow: go on; all suspend nodes, or the one with this id.
    Resume {
        node: Option<Text>,
        /// Values for outputs that a person supplies.
        parameters: Vec<(Text, Text)>,
    },
    /// Workflow: end it; exit handlers still run.
    Stop,
    /// Workflow: end it at once.
    Terminate,
    /// Workflow: run again what failed.
    Retry,
    /// Any run: the same once more, as a new run.
    Resubmit,
    /// Tekton: end it.
    Cancel(CancelWay),
    /// CronWorkflow: make no runs, or make them again.
    SuspendCron { on: bool },
    /// CronWorkflow: make a run now.
    TriggerCron,
    /// EventSource: send an event to one of its endpoints.
    TestEvent { event: Text, payload: Text },
    /// Webhook: deliver it once more.
    Replay { id: Text },
}

/// How a Tekton run is ended (`spec.status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CancelWay {
    /// Everything at once.
    Now,
    /// Running tasks are cancelled, final tasks run.
    RunFinally,
    /// Running tasks end by themselves, then final tasks run.
    LetTasksEnd,
}

impl CancelWay {
    /// Every way, the gentlest last.
    pub const ALL: [Self; 3] = [Self::Now, Self::RunFinally, Self::LetTasksEnd];

    /// Returns what Tekton calls it.
    pub fn status(self) -> &'static str {
        match self {
            Self::Now => "Cancelled",
            Self::RunFinally => "CancelledRunFinally",
            Self::LetTasksEnd => "StoppedRunFinally",
        }
    }

    /// Returns the word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::RunFinally => "run-finally",
            Self::LetTasksEnd => "let-tasks-end",
        }
    }
}

impl RunVerb {
    /// Returns the stable id used on the command line and in the ledger.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Submit { .. } => "submit",
            Self::Suspend => "suspend",
            Self::Resume { .. } => "resume",
            Self::Stop => "stop",
            Self::Terminate => "terminate",
            Self::Retry => "retry",
            Self::Resubmit => "resubmit",
            Self::Cancel(_) => "cancel",
            Self::SuspendCron { on: true } => "suspend-cron",
            Self::SuspendCron { on: false } => "resume-cron",
            Self::TriggerCron => "trigger",
            Self::TestEvent { .. } => "test-event",
            Self::Replay { .. } => "replay",
        }
    }

    /// Returns how dangerous it is.
    pub fn risk(&self) -> Risk {
        match self {
            Self::Terminate | Self::Cancel(CancelWay::Now) => Risk::Destroys,
            Self::Submit { .. }
            | Self::Suspend
            | Self::Resume { .. }
            | Self::Stop
            | Self::Retry
            | Self::Resubmit
            | Self::Cancel(CancelWay::RunFinally | CancelWay::LetTasksEnd)
            | Self::SuspendCron { .. }
            | Self::TriggerCron
            | Self::TestEvent { .. }
            | Self::Replay { .. } => Risk::Changes,
        }
    }
}
