//! The rows of one kind, under ids that stay while a row lives.

use super::haystacks::Haystacks;
use super::row::Row;
use crate::domain::object::{ObjectRef, Uid};
use crate::domain::rows::{Column, Delta, Rows};
use foldhash::HashMap;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Names a row while it lives; a later row may get the number of one that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(u32);

/// How many changes are remembered; who is further behind looks at all rows again.
const REMEMBERED: usize = 1_024;

/// The rows of one kind.
#[derive(Debug, Default)]
pub struct Table {
    columns: Option<Arc<[Column]>>,
    slots: Vec<Option<Row>>,
    haystacks: Haystacks,
    /// A haystack while it is written.
    scratch: String,
    index: HashMap<ObjectRef, RowId>,
    free: Vec<RowId>,
    revision: u64,
    changes: VecDeque<(u64, RowId)>,
    /// Changes at or before this revision are forgotten.
    forgotten: u64,
}

impl Table {
    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Returns the server's columns; absent for Applications.
    pub fn columns(&self) -> Option<&[Column]> {
        self.columns.as_deref()
    }

    /// Returns a row; absent when it is gone.
    pub fn row(&self, id: RowId) -> Option<&Row> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    /// Returns the lower-case text that filters search.
    pub fn haystack(&self, id: RowId) -> &str {
        self.haystacks.get(id.0 as usize)
    }

    /// Returns the row of an object.
    pub fn find(&self, object: &ObjectRef) -> Option<&Row> {
        self.row(*self.index.get(object)?)
    }

    /// Returns the id of an object's row.
    pub fn id_of(&self, object: &ObjectRef) -> Option<RowId> {
        self.index.get(object).copied()
    }

    /// Returns the ids of all rows, in no particular order.
    pub fn ids(&self) -> impl Iterator<Item = RowId> + '_ {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, slot)| slot.is_some())
            .map(|(number, _)| RowId(number as u32))
    }

    /// Returns all rows, in no particular order.
    pub fn rows(&self) -> impl Iterator<Item = &Row> + '_ {
        self.slots.iter().flatten()
    }

    /// Returns a number that grows with every visible change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns which rows changed, came or went after `revision`; `None` when it is too long ago.
    pub fn changes_since(&self, revision: u64) -> Option<HashSet<RowId>> {
        if revision < self.forgotten {
            return None;
        }
        let newer = self.changes.iter().rev();
        Some(
            newer
                .take_while(|(changed, _)| *changed > revision)
                .map(|(_, id)| *id)
                .collect(),
        )
    }

    pub(super) fn apply(&mut self, delta: Delta) -> bool {
        let before = self.revision;
        for (object, uid) in &delta.removed {
            self.remove_life(object, uid);
        }
        let mut stale: HashSet<ObjectRef> = HashSet::new();
        if delta.reset {
            stale.extend(self.index.keys().cloned());
        }
        match delta.rows {
            Rows::Applications(apps) => {
                for app in apps {
                    stale.remove(&app.object);
                    self.put(Row::Application(Box::new(app)));
                }
            }
            Rows::Rollouts(rows) => {
                for row in rows {
                    stale.remove(&row.object);
                    self.put(Row::Rollout(Box::new(row)));
                }
            }
            Rows::AnalysisRuns(rows) => {
                for row in rows {
                    stale.remove(&row.object);
                    self.put(Row::AnalysisRun(Box::new(row)));
                }
            }
            Rows::Runs(rows) => {
                for row in rows {
                    stale.remove(&row.object);
                    self.put(Row::Run(Box::new(row)));
                }
            }
            Rows::CronRuns(rows) => {
                for row in rows {
                    stale.remove(&row.object);
                    self.put(Row::Cron(Box::new(row)));
                }
            }
            Rows::Registry(rows) => {
                for row in rows {
                    stale.remove(row.object());
                    self.put(Row::Registry(row));
                }
            }
            Rows::Objects { columns, rows } => {
                self.set_columns(columns);
                for row in rows {
                    stale.remove(&row.object);
                    self.put(Row::Object(row));
                }
            }
        }
        for object in stale {
            self.remove(&object);
        }
        self.revision != before
    }

    fn set_columns(&mut self, columns: Option<Vec<Column>>) {
        let Some(columns) = columns else { return };
        if self.columns.as_deref() != Some(&*columns) {
            self.columns = Some(columns.into());
            self.revision += 1;
            self.forgotten = self.revision;
            self.changes.clear();
        }
    }

    fn put(&mut self, row: Row) {
        if let Some(id) = self.index.get(row.object()).copied() {
            self.replace(id, row);
            return;
        }
        let object = row.object().clone();
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            RowId(self.slots.len() as u32 - 1)
        });
        self.write_haystack(id, &row);
        if let Some(place) = self.slots.get_mut(id.0 as usize) {
            *place = Some(row);
        }
        self.index.insert(object, id);
        self.note(id);
    }

    fn replace(&mut self, id: RowId, row: Row) {
        let Some(Some(old)) = self.slots.get_mut(id.0 as usize) else {
            return;
        };
        old.take_invisible(&row);
        if *old == row {
            return;
        }
        self.write_haystack(id, &row);
        if let Some(place) = self.slots.get_mut(id.0 as usize) {
            *place = Some(row);
        }
        self.note(id);
    }

    fn write_haystack(&mut self, id: RowId, row: &Row) {
        self.scratch.clear();
        row.write_haystack(&mut self.scratch);
        if self.haystack(id) != self.scratch {
            self.haystacks.put(id.0 as usize, &self.scratch);
        }
    }

    // A delete that arrives late must not remove a new object of the same name.
    fn remove_life(&mut self, object: &ObjectRef, uid: &Uid) {
        if self.find(object).is_some_and(|row| row.uid() == uid) {
            self.remove(object);
        }
    }

    fn remove(&mut self, object: &ObjectRef) {
        let Some(id) = self.index.remove(object) else {
            return;
        };
        if let Some(place) = self.slots.get_mut(id.0 as usize) {
            *place = None;
        }
        self.haystacks.remove(id.0 as usize);
        self.free.push(id);
        self.note(id);
    }

    fn note(&mut self, id: RowId) {
        self.revision += 1;
        self.changes.push_back((self.revision, id));
        if self.changes.len() > REMEMBERED
            && let Some((revision, _)) = self.changes.pop_front()
        {
            self.forgotten = revision;
        }
    }
}
