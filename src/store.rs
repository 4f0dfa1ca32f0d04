//! The world in memory: rows by kind, as the watches report them.
//!
//! One owner (the cockpit's state, or a report), no locks. [`Store::apply`] takes a batch and
//! says whether anything visible changed. A row keeps its [`RowId`] while it lives, so that a
//! view sorts ids and repairs its order from [`Table::changes_since`] alone.

mod haystacks;
mod row;
mod table;

pub use row::Row;
pub use table::{RowId, Table};

use crate::domain::object::{GroupKind, ObjectRef};
use crate::domain::rows::Delta;
use std::collections::HashMap;

/// All rows, by kind.
#[derive(Debug, Default)]
pub struct Store {
    tables: HashMap<GroupKind, Table>,
}

impl Store {
    /// Takes a batch in; returns whether anything changed that a person could see.
    pub fn apply(&mut self, delta: Delta) -> bool {
        let table = self.tables.entry(delta.kind.clone()).or_default();
        table.apply(delta)
    }

    /// Returns the rows of a kind, when any batch of it has arrived.
    pub fn table(&self, kind: &GroupKind) -> Option<&Table> {
        self.tables.get(kind)
    }

    /// Returns the present row of an object.
    pub fn row(&self, object: &ObjectRef) -> Option<&Row> {
        let own = self
            .table(&object.kind)
            .and_then(|table| table.find(object));
        // Runs of all systems are in one table, under their own names.
        own.or_else(|| {
            let is_run = crate::domain::pipeline::is_run(&object.kind);
            let runs = self.table(&crate::domain::pipeline::runs_kind());
            runs.filter(|_| is_run)?.find(object)
        })
    }

    /// Forgets everything; a new connection starts empty.
    pub fn clear(&mut self) {
        self.tables.clear();
    }

    /// Forgets one kind, because nothing watches it any longer.
    pub fn forget(&mut self, kind: &GroupKind) {
        self.tables.remove(kind);
    }
}
