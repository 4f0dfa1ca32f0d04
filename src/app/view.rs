//! One table as a person sees it: which rows, in which order, where the cursor is, what is marked.
//!
//! The cursor and the marks follow the object (reference and uid), never the row number. The
//! order is repaired from the store's changes and sorted anew only when it must be.

mod order;

pub use order::Sort;

use super::columns::{
    BAR_CELLS, Beside, ColumnId, ColumnSpec, Detail, Placed, Shown, cell, columns_of, place,
};
use super::filter::Filter;
use super::viewports::{cycled, scrolled};
use crate::domain::object::{GroupKind, ObjectRef, Uid};
use crate::store::{Row, RowId, Store, Table};
use chrono::{DateTime, Utc};
use std::collections::{HashMap, HashSet};
use unicode_width::UnicodeWidthStr;

/// How many rows are measured at once for the widths of the columns.
const MEASURED: usize = 400;

/// A table of one kind.
#[derive(Clone, Debug)]
pub struct TableView {
    pub kind: GroupKind,
    pub filter: Filter,
    pub sort: Sort,
    pub detail: Detail,
    /// Only rows that need a person (ctrl-z).
    pub faults_only: bool,
    /// Index of the first visible row.
    pub offset: usize,
    cursor: Option<(ObjectRef, Uid)>,
    /// Where the cursor is, or was when its object went away.
    position: usize,
    marks: HashMap<ObjectRef, Uid>,
    /// The other end of a range of marks.
    anchor: Option<ObjectRef>,
    sorted: Vec<RowId>,
    visible: Vec<RowId>,
    seen: Option<u64>,
    columns: Vec<ColumnSpec>,
    natural: Vec<u16>,
    /// Widths are kept once rows have been measured; until the first list is complete they grow.
    frozen: bool,
}

impl TableView {
    /// Makes an empty view, sorted by name.
    pub fn new(kind: GroupKind) -> Self {
        Self {
            filter: Filter::default(),
            sort: Sort::of_kind(&kind),
            kind,
            detail: Detail::default(),
            faults_only: false,
            offset: 0,
            cursor: None,
            position: 0,
            marks: HashMap::new(),
            anchor: None,
            sorted: Vec::new(),
            visible: Vec::new(),
            seen: None,
            columns: Vec::new(),
            natural: Vec::new(),
            frozen: false,
        }
    }

    /// Returns the rows to show, in order.
    pub fn visible(&self) -> &[RowId] {
        &self.visible
    }

    /// Returns the rows of the window that starts at the offset.
    pub fn window(&self, rows: usize) -> &[RowId] {
        let start = self.offset.min(self.visible.len());
        let end = (start + rows).min(self.visible.len());
        self.visible.get(start..end).unwrap_or_default()
    }

    /// Returns how many rows there are before any filter.
    pub fn total(&self) -> usize {
        self.sorted.len()
    }

    /// Returns the cursor's index among the visible rows; absent when there are none.
    pub fn position(&self) -> Option<usize> {
        (!self.visible.is_empty()).then(|| self.position.min(self.visible.len() - 1))
    }

    /// Returns the row under the cursor.
    pub fn current<'store>(&self, store: &'store Store) -> Option<&'store Row> {
        let id = self.visible.get(self.position()?)?;
        store.table(&self.kind)?.row(*id)
    }

    /// Returns the object that the cursor follows.
    pub fn cursor(&self) -> Option<&(ObjectRef, Uid)> {
        self.cursor.as_ref()
    }

    /// Returns whether this life of an object is marked.
    pub fn is_marked(&self, object: &ObjectRef, uid: &Uid) -> bool {
        self.marks.get(object) == Some(uid)
    }

    /// Returns how many objects are marked.
    pub fn marked(&self) -> usize {
        self.marks.len()
    }

    /// Returns the marked rows that still live, in display order; the one under the cursor when
    /// nothing is marked.
    pub fn chosen<'store>(&self, store: &'store Store) -> Vec<&'store Row> {
        if self.marks.is_empty() {
            return self.current(store).into_iter().collect();
        }
        let Some(table) = store.table(&self.kind) else {
            return Vec::new();
        };
        let rows = self.sorted.iter().filter_map(|id| table.row(*id));
        rows.filter(|row| self.is_marked(row.object(), row.uid()))
            .collect()
    }

    /// Returns the columns, in display order.
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.columns
    }

    /// Returns the columns that fit into `width` cells.
    pub fn placed(&self, width: u16) -> Vec<Placed> {
        place(&self.columns, &self.natural, width)
    }

    /// Brings the view up to date with the store; returns whether a visible row may look
    /// different within `window` rows.
    pub fn refresh(
        &mut self,
        store: &Store,
        shown: Shown,
        window: usize,
        now: DateTime<Utc>,
    ) -> bool {
        let Some(table) = store.table(&self.kind) else {
            let was_empty = self.sorted.is_empty();
            self.forget_rows();
            self.columns = columns_of(&self.kind, None, shown, self.detail);
            return !was_empty;
        };
        if self.seen == Some(table.revision()) {
            return false;
        }
        let before = (
            self.window(window).to_vec(),
            self.total(),
            self.visible.len(),
        );
        let changed = self.seen.and_then(|seen| table.changes_since(seen));
        let touched = match changed {
            Some(changed)
                if changed.len() <= 256
                    && !self.columns.is_empty()
                    && !self.lacks_a_column(table, &changed) =>
            {
                let touched = before.0.iter().any(|id| changed.contains(id));
                order::repair(&mut self.sorted, (table, store), &changed, self.sort);
                touched
            }
            Some(_) | None => {
                self.columns = columns_of(&self.kind, Some(table), shown, self.detail);
                self.sorted = order::sorted(table, store, self.sort);
                true
            }
        };
        self.seen = Some(table.revision());
        self.measure(table, Beside::of(store, now));
        self.filter_rows(table, now);
        let after = (self.window(window), self.total(), self.visible.len());
        touched || after != (&*before.0, before.1, before.2)
    }

    /// Whether the first Application with a Rollout has come.
    fn lacks_a_column(&self, table: &Table, changed: &HashSet<RowId>) -> bool {
        let has = self.columns.iter().any(|spec| spec.id == ColumnId::Rollout);
        let mut apps = changed
            .iter()
            .filter_map(|id| table.row(*id)?.application());
        !has && apps.any(|app| !app.rollouts.is_empty())
    }

    /// Sorts and filters everything anew, after the filter, the sort or the columns changed.
    pub fn rebuild(&mut self, store: &Store, shown: Shown, now: DateTime<Utc>) {
        let columns = columns_of(&self.kind, store.table(&self.kind), shown, self.detail);
        self.frozen &= columns == self.columns;
        self.columns = columns;
        let Some(table) = store.table(&self.kind) else {
            return;
        };
        self.sorted = order::sorted(table, store, self.sort);
        self.seen = Some(table.revision());
        self.measure(table, Beside::of(store, now));
        self.filter_rows(table, now);
    }

    /// Takes another filter; the order stays.
    pub fn set_filter(&mut self, filter: Filter, store: &Store, now: DateTime<Utc>) {
        // Letter by letter, only what is still there can stay.
        let narrowed = filter.narrows(&self.filter);
        self.filter = filter;
        if let Some(table) = store.table(&self.kind) {
            let among = narrowed.then(|| std::mem::take(&mut self.visible));
            self.filter_rows_among(among.as_deref(), table, now);
        }
    }

    /// Keeps the widths from now on: the first list is complete.
    pub fn freeze_widths(&mut self) {
        self.frozen = !self.natural.is_empty() && !self.sorted.is_empty();
    }

    /// Forgets all rows, marks and the cursor: another connection starts.
    pub fn forget_rows(&mut self) {
        self.sorted.clear();
        self.visible.clear();
        self.seen = None;
        self.marks.clear();
        self.anchor = None;
    }

    /// Moves the cursor to a row, or as near as there is one, and keeps it in the window.
    pub fn move_to(&mut self, position: usize, store: &Store, window: usize) {
        if self.visible.is_empty() {
            return;
        }
        self.position = position.min(self.visible.len() - 1);
        self.cursor = self
            .current(store)
            .map(|row| (row.object().clone(), row.uid().clone()));
        self.keep_in(window);
    }

    /// Puts the cursor on an object, if it is visible.
    pub fn select(&mut self, object: &ObjectRef, store: &Store, window: usize) {
        let id = store
            .table(&self.kind)
            .and_then(|table| table.id_of(object));
        let position = id.and_then(|id| self.visible.iter().position(|seen| *seen == id));
        if let Some(position) = position {
            self.move_to(position, store, window);
        }
    }

    /// Scrolls so that the cursor is in the window.
    pub fn keep_in(&mut self, window: usize) {
        self.offset = scrolled(self.offset, self.position, window, self.visible.len());
    }

    /// Marks the row under the cursor, or takes its mark away.
    pub fn toggle_mark(&mut self, store: &Store) {
        let Some(row) = self.current(store) else {
            return;
        };
        let object = row.object().clone();
        if self.is_marked(&object, row.uid()) {
            self.marks.remove(&object);
        } else {
            self.marks.insert(object.clone(), row.uid().clone());
        }
        self.anchor = Some(object);
    }

    /// Marks all rows between the last marked one and the cursor.
    pub fn mark_range(&mut self, store: &Store) {
        let Some(table) = store.table(&self.kind) else {
            return;
        };
        let Some(here) = self.position() else { return };
        let anchor = self
            .anchor
            .as_ref()
            .and_then(|object| table.id_of(object))
            .and_then(|id| self.visible.iter().position(|seen| *seen == id))
            .unwrap_or(here);
        let range = self.visible.get(anchor.min(here)..=anchor.max(here));
        let rows = range.unwrap_or_default().iter();
        for row in rows.filter_map(|id| table.row(*id)) {
            self.marks.insert(row.object().clone(), row.uid().clone());
        }
    }

    /// Takes all marks away; returns whether there were any.
    pub fn clear_marks(&mut self) -> bool {
        let any = !self.marks.is_empty();
        self.marks.clear();
        self.anchor = None;
        any
    }

    fn filter_rows(&mut self, table: &Table, now: DateTime<Utc>) {
        self.filter_rows_among(None, table, now);
    }

    /// Filters all rows, or those of `among`.
    fn filter_rows_among(&mut self, among: Option<&[RowId]>, table: &Table, now: DateTime<Utc>) {
        let followed = self.cursor.clone();
        let mut filter = self.filter.prepared(now);
        let faults = self.faults_only;
        let ids = among.unwrap_or(&self.sorted).iter().copied();
        self.visible = ids
            .filter(|id| {
                let row = || table.row(*id);
                filter.matches(table.haystack(*id), row)
                    && (!faults || row().is_some_and(Row::is_faulty))
            })
            .collect();
        self.marks
            .retain(|object, uid| table.find(object).is_some_and(|row| row.uid() == &*uid));
        self.follow(followed, table);
    }

    // The object may be gone or hidden: the cursor then stays at its row number.
    fn follow(&mut self, followed: Option<(ObjectRef, Uid)>, table: &Table) {
        let found = followed.and_then(|(object, uid)| {
            let id = table.id_of(&object)?;
            let same_life = table.row(id)?.uid() == &uid;
            let at_old_place = self.visible.get(self.position) == Some(&id);
            let position = if at_old_place {
                Some(self.position)
            } else {
                self.visible.iter().position(|seen| *seen == id)
            };
            position.filter(|_| same_life)
        });
        // A row above came or went: the window moves with the cursor, so that nothing jumps.
        if let Some(found) = found {
            self.offset = (self.offset + found).saturating_sub(self.position);
            self.position = found;
        } else {
            self.position = self.position.min(self.visible.len().saturating_sub(1));
            let id = self.visible.get(self.position);
            self.cursor = id
                .and_then(|id| table.row(*id))
                .map(|row| (row.object().clone(), row.uid().clone()));
        }
        self.offset = self.offset.min(self.visible.len().saturating_sub(1));
    }

    fn measure(&mut self, table: &Table, beside: Beside<'_>) {
        if self.frozen && self.natural.len() == self.columns.len() {
            return;
        }
        // Ten thousand rows are measured by samples, others with each page of the first list;
        // the rest is cut by the column's maximum.
        let step = (self.sorted.len() / MEASURED).max(1);
        let first = self.seen.map_or(0, |seen| seen as usize % step);
        let before = std::mem::take(&mut self.natural);
        let same_columns = step > 1 && before.len() == self.columns.len();
        let before = before
            .into_iter()
            .map(|widest| widest * u16::from(same_columns));
        let columns = self.columns.iter().zip(before.chain(std::iter::repeat(0)));
        self.natural = columns
            .map(|(spec, before)| {
                let rows = self.sorted.iter().skip(first).step_by(step);
                let cells = rows.filter_map(|id| table.row(*id));
                let widest = cells.map(|row| cell(row, spec.id, beside).width()).max();
                let glyph = usize::from(spec.glyph) * 2;
                let bar = usize::from(spec.bar) * usize::from(BAR_CELLS);
                let glyph = glyph + bar;
                let widest = widest.unwrap_or_default() + glyph;
                before.max(widest.min(usize::from(u16::MAX)) as u16)
            })
            .collect();
    }

    /// Returns the column after or before the sorted one, in display order.
    pub fn neighbour_column(&self, step: isize) -> Option<ColumnId> {
        let here = self
            .columns
            .iter()
            .position(|spec| spec.id == self.sort.column)
            .unwrap_or_default();
        let next = cycled(here, step, self.columns.len());
        self.columns.get(next).map(|spec| spec.id)
    }
}
