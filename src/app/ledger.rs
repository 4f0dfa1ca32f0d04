//! The ledger of intents: what the user asked for and what became of it.
//!
//! An entry moves forward only: requested → accepted → observed, or failed. "Accepted" is the
//! API server's word; "observed" needs a watch event. Nothing here talks to a cluster;
//! `engine::act` does.

use crate::domain::intent::{Intent, IntentId, Stage};
use chrono::{DateTime, Utc};

/// All intents of this run, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    entries: Vec<Entry>,
}

/// One intent and its timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub id: IntentId,
    pub intent: Intent,
    pub dry_run: bool,
    /// Never empty; the last one is where it stands.
    pub stages: Vec<(DateTime<Utc>, Stage)>,
}

impl Entry {
    /// Returns where the intent stands.
    pub fn stage(&self) -> &Stage {
        self.stages
            .last()
            .map_or(&Stage::Requested, |(_, stage)| stage)
    }

    /// Returns when the intent was asked for.
    pub fn asked_at(&self) -> Option<DateTime<Utc>> {
        self.stages.first().map(|(at, _)| *at)
    }

    /// Returns whether nothing more will happen to it.
    pub fn is_over(&self) -> bool {
        match self.stage() {
            Stage::Requested => false,
            Stage::Accepted { .. } => self.dry_run,
            Stage::Observed { .. } | Stage::Failed { .. } => true,
        }
    }
}

impl Ledger {
    /// Returns all entries, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns how many intents are still on their way.
    pub fn pending(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.is_over()).count()
    }

    /// Writes a new intent down and numbers it.
    pub(super) fn ask(&mut self, intent: Intent, dry_run: bool, now: DateTime<Utc>) -> IntentId {
        let id = IntentId(self.entries.len() as u64 + 1);
        self.entries.push(Entry {
            id,
            intent,
            dry_run,
            stages: vec![(now, Stage::Requested)],
        });
        id
    }

    /// Moves an intent on; returns its entry if it moved forward.
    pub(super) fn advance(
        &mut self,
        id: IntentId,
        stage: Stage,
        at: DateTime<Utc>,
    ) -> Option<&Entry> {
        let entry = self.entries.iter_mut().find(|entry| entry.id == id)?;
        if rank(&stage) <= rank(entry.stage()) {
            return None;
        }
        entry.stages.push((at, stage));
        Some(entry)
    }
}

fn rank(stage: &Stage) -> u8 {
    match stage {
        Stage::Requested => 0,
        Stage::Accepted { .. } => 1,
        Stage::Observed { .. } | Stage::Failed { .. } => 2,
    }
}
