//! One AnalysisRun: its metrics, and the measurements of the one under the cursor.

use super::lists::{ListCursor, Loaded};
use crate::domain::analysis::{AnalysisRun, MetricResult};
use crate::domain::object::{ObjectRef, Uid};
use crate::engine::protocol::Ticket;

/// The screen of one AnalysisRun.
#[derive(Debug)]
pub struct AnalysisScreen {
    pub object: ObjectRef,
    /// The life that was opened; absent until known.
    pub uid: Option<Uid>,
    pub ticket: Option<Ticket>,
    /// `Ready(None)` after it was deleted.
    pub detail: Loaded<Option<Box<AnalysisRun>>>,
    /// Which metric.
    pub cursor: ListCursor,
}

impl AnalysisScreen {
    /// Makes the screen before anything has arrived.
    pub fn new(object: ObjectRef, uid: Option<Uid>) -> Self {
        Self {
            object,
            uid,
            ticket: None,
            detail: Loaded::Waiting,
            cursor: ListCursor::default(),
        }
    }

    /// Returns the run when it is there.
    pub fn run(&self) -> Option<&AnalysisRun> {
        self.detail.ready()?.as_deref()
    }

    /// Returns the metric under the cursor.
    pub fn metric(&self) -> Option<&MetricResult> {
        self.run()?.metrics.get(self.cursor.position)
    }
}
