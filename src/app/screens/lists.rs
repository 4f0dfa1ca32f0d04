//! The smaller screens: diff, history, events, contexts, help and the ledger.

use crate::app::viewports::scrolled;
use crate::domain::application::ApplicationDetail;
use crate::domain::finding::Finding;
use crate::domain::object::{ObjectRef, Text, Uid};
use crate::engine::protocol::{DiffBase, EventRow, ObjectDiff, Ticket};

/// Something that is on its way, there, or was refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Loaded<T> {
    Waiting,
    Ready(T),
    Failed(Finding),
}

impl<T> Loaded<T> {
    /// Returns what is there.
    pub fn ready(&self) -> Option<&T> {
        match self {
            Self::Ready(value) => Some(value),
            Self::Waiting | Self::Failed(_) => None,
        }
    }
}

/// A cursor in a list that does not change by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListCursor {
    pub position: usize,
    pub offset: usize,
}

impl ListCursor {
    pub(in crate::app) fn move_to(&mut self, position: usize, window: usize, total: usize) {
        self.position = position.min(total.saturating_sub(1));
        self.offset = scrolled(self.offset, self.position, window, total);
    }
}

/// What differs between live and target.
#[derive(Debug)]
pub struct DiffScreen {
    pub application: ObjectRef,
    /// `None`: every object that differs.
    pub object: Option<ObjectRef>,
    pub ticket: Option<Ticket>,
    pub content: Loaded<Vec<DiffLine>>,
    /// First visible line.
    pub top: usize,
    /// Cells hidden at the left.
    pub left: usize,
    /// Whether unchanged lines far from any change are shown.
    pub full: bool,
    /// What the lines were made from.
    pub diffs: Vec<ObjectDiff>,
}

/// A line of the diff screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffLine {
    /// Begins the lines of an object.
    Object {
        object: ObjectRef,
        against: DiffBase,
        added: usize,
        removed: usize,
    },
    /// Only a sentence: no difference, nothing to compare with.
    Note(Text),
    Same(Text),
    /// In the target only: a sync adds it.
    Added(Text),
    /// Live only: a sync takes it away.
    Removed(Text),
    /// This many equal lines are left out.
    Skipped(usize),
}

/// The history of an Application, for rollback.
#[derive(Debug)]
pub struct HistoryScreen {
    pub object: ObjectRef,
    pub uid: Option<Uid>,
    pub ticket: Option<Ticket>,
    pub detail: Loaded<Option<Box<ApplicationDetail>>>,
    pub cursor: ListCursor,
}

impl HistoryScreen {
    /// Takes news of the Application; the cursor stays on its entry.
    pub(in crate::app) fn take(&mut self, detail: Option<&ApplicationDetail>) {
        let current = |screen: &Self| {
            let history = &screen.detail.ready()?.as_ref()?.history;
            Some(history.get(screen.cursor.position)?.id)
        };
        let before = current(self);
        let uid = || detail.map(|detail| detail.row.uid.clone());
        self.uid = self.uid.clone().or_else(uid);
        self.detail = Loaded::Ready(detail.cloned().map(Box::new));
        let history = detail.map(|detail| detail.history.as_slice());
        let mut entries = history.unwrap_or_default().iter();
        if let Some(at) = entries.position(|entry| Some(entry.id) == before) {
            self.cursor.offset = (self.cursor.offset + at).saturating_sub(self.cursor.position);
            self.cursor.position = at;
        }
    }
}

/// Events about an object.
#[derive(Debug)]
pub struct EventsScreen {
    pub object: ObjectRef,
    pub ticket: Option<Ticket>,
    /// Oldest first.
    pub content: Loaded<Vec<EventRow>>,
    pub cursor: ListCursor,
}

/// Contexts of the kubeconfig; the list itself is [`crate::app::state::State::contexts`].
#[derive(Debug)]
pub struct ContextsScreen {
    pub ticket: Option<Ticket>,
    pub problem: Option<Finding>,
    pub loaded: bool,
    pub cursor: ListCursor,
}

/// All keys of the screen that was open, or all kinds (`ctrl-a`).
#[derive(Debug)]
pub struct HelpScreen {
    pub aliases: bool,
    pub rows: Vec<HelpRow>,
    pub top: usize,
}

/// A line of the help screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelpRow {
    /// Heading under which the line stands.
    pub group: Text,
    /// Keys, or short names of a kind.
    pub keys: String,
    pub title: String,
    /// What to type after `:`.
    pub word: String,
}

/// What was asked of the platform; entries are in [`crate::app::ledger::Ledger`], shown newest
/// first.
#[derive(Debug, Default)]
pub struct LedgerScreen {
    pub cursor: ListCursor,
}
