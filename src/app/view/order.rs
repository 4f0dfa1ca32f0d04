//! The order of rows: sorted once, then repaired row by row.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "columns that are not numbers are compared as text"
)]

use crate::app::columns::{
    Beside, ColumnId, RegistryColumn, cell, compare_registry_rows, images_by_name, is_event,
    loudest, operation_text, revision_text,
};
use crate::app::screens::rollouts;
use crate::domain::application::{AutoSync, OperationView};
use crate::domain::image::{cves_kind, repository_of};
use crate::domain::object::GroupKind;
use crate::domain::pipeline::runs_kind;
use crate::domain::status::Health;
use crate::store::{Row, RowId, Store, Table};
use chrono::{DateTime, Utc};
use std::cmp::Ordering;
use std::collections::HashSet;

/// By which column, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub column: ColumnId,
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self {
            column: ColumnId::Name,
            descending: false,
        }
    }
}

impl Sort {
    /// Returns how a table of a kind is sorted at first: by name, runs and events the
    /// youngest and vulnerabilities the worst first.
    pub fn of_kind(kind: &GroupKind) -> Self {
        let column = if *kind == runs_kind() || is_event(kind) {
            ColumnId::Age
        } else if *kind == cves_kind() {
            ColumnId::Health
        } else if repository_of(kind).is_some() {
            ColumnId::Registry(RegistryColumn::Pushed)
        } else {
            ColumnId::Name
        };
        Self {
            column,
            descending: false,
        }
    }
}

/// Sorts all rows of a table.
pub(super) fn sorted(table: &Table, store: &Store, sort: Sort) -> Vec<RowId> {
    let mut rows: Vec<(RowId, &Row)> = table
        .ids()
        .filter_map(|id| Some((id, table.row(id)?)))
        .collect();
    let rollouts = store.table(&rollouts());
    rows.sort_unstable_by(|(_, left), (_, right)| compare(left, right, (sort, rollouts)));
    rows.into_iter().map(|(id, _)| id).collect()
}

/// Puts changed rows where they belong; all others are in order already.
pub(super) fn repair(
    order: &mut Vec<RowId>,
    (table, store): (&Table, &Store),
    changed: &HashSet<RowId>,
    sort: Sort,
) {
    let rollouts = store.table(&rollouts());
    order.retain(|id| !changed.contains(id));
    for id in changed {
        let Some(row) = table.row(*id) else { continue };
        let place = order.partition_point(|other| {
            table
                .row(*other)
                .is_some_and(|other| compare(other, row, (sort, rollouts)) == Ordering::Less)
        });
        order.insert(place, *id);
    }
}

fn compare(left: &Row, right: &Row, (sort, rollouts): (Sort, Option<&Table>)) -> Ordering {
    let first = match sort.column {
        ColumnId::Rollout => by_rollout(left, right, rollouts),
        column => by_column(left, right, column),
    };
    let first = if sort.descending {
        first.reverse()
    } else {
        first
    };
    // The same name may live in two namespaces; the rest keeps the order total.
    first
        .then_with(|| by_name(left, right))
        .then_with(|| left.object().cmp(right.object()))
}

fn by_name(left: &Row, right: &Row) -> Ordering {
    if let (Some(left), Some(right)) = (left.image(), right.image()) {
        return images_by_name(left, right);
    }
    left.object().name.cmp(&right.object().name)
}

fn by_column(left: &Row, right: &Row, column: ColumnId) -> Ordering {
    if let (Some(left), Some(right)) = (left.registry(), right.registry())
        && !matches!(
            column,
            ColumnId::Name | ColumnId::Namespace | ColumnId::Age | ColumnId::Labels
        )
    {
        return compare_registry_rows(left, right, column);
    }
    match column {
        ColumnId::Name => by_name(left, right),
        ColumnId::Namespace => left.object().namespace.cmp(&right.object().namespace),
        // The youngest first, as everywhere in this field.
        ColumnId::Age => begun(right).cmp(&begun(left)),
        ColumnId::Labels => left.labels().cmp(right.labels()),
        ColumnId::Cell(number) => by_cell(left, right, number),
        // Trouble first.
        ColumnId::Health if left.run().is_some() => {
            let phase = |row: &Row| row.run().map(|row| row.phase);
            phase(right).cmp(&phase(left))
        }
        ColumnId::Health => {
            let severity = |row: &Row| row.health().map(Health::severity);
            severity(right).cmp(&severity(left))
        }
        ColumnId::Rollout | ColumnId::Registry(_) => Ordering::Equal,
        ColumnId::Strategy
        | ColumnId::Step
        | ColumnId::Weight
        | ColumnId::Replicas
        | ColumnId::Images
        | ColumnId::Message
        | ColumnId::System
        | ColumnId::Trigger
        | ColumnId::Duration
        | ColumnId::Schedule
        | ColumnId::LastRun
        | ColumnId::NextRun => by_delivery(left, right, column),
        ColumnId::Project
        | ColumnId::Sync
        | ColumnId::Auto
        | ColumnId::Revision
        | ColumnId::Operation
        | ColumnId::Destination
        | ColumnId::Source => by_application(left, right, column),
    }
}

fn begun(row: &Row) -> Option<DateTime<Utc>> {
    let started = row.run().and_then(|run| run.started);
    row.created().or(started)
}

fn by_application(left: &Row, right: &Row, column: ColumnId) -> Ordering {
    let (Some(left), Some(right)) = (left.application(), right.application()) else {
        return Ordering::Equal;
    };
    match column {
        ColumnId::Project => left.project.cmp(&right.project),
        // Trouble first.
        ColumnId::Sync => (right.sync, right.out_of_sync).cmp(&(left.sync, left.out_of_sync)),
        ColumnId::Auto => switches(left.auto_sync).cmp(&switches(right.auto_sync)),
        ColumnId::Revision => revision_text(left).cmp(&revision_text(right)),
        ColumnId::Operation => by_operation(&left.operation, &right.operation),
        ColumnId::Destination => {
            let (a, b) = (&left.destination, &right.destination);
            (&a.name, &a.server, &a.namespace).cmp(&(&b.name, &b.server, &b.namespace))
        }
        ColumnId::Source => {
            let place = |source: &crate::domain::application::Source| {
                (source.repo.clone(), source.path.clone())
            };
            let (a, b) = (left.sources.first(), right.sources.first());
            a.map(place).cmp(&b.map(place))
        }
        _ => Ordering::Equal,
    }
}

/// Applications with a Rollout that needs a person come first, those without one last.
fn by_rollout(left: &Row, right: &Row, rollouts: Option<&Table>) -> Ordering {
    let rank = |row: &Row| {
        let loudest = loudest(row.application()?, rollouts)?;
        let busy = !loudest.is_fully_promoted();
        Some((loudest.phase, busy, loudest.weights.actual))
    };
    rank(right).cmp(&rank(left))
}

/// Columns of Rollouts and AnalysisRuns: numbers by value, what is furthest first.
fn by_delivery(left: &Row, right: &Row, column: ColumnId) -> Ordering {
    if let (Some(left), Some(right)) = (left.rollout(), right.rollout()) {
        let by_number = match column {
            ColumnId::Step => right.progress().cmp(&left.progress()),
            ColumnId::Weight => right.weights.actual.cmp(&left.weights.actual),
            ColumnId::Replicas => left.replicas.ready.cmp(&right.replicas.ready),
            _ => Ordering::Equal,
        };
        if by_number != Ordering::Equal {
            return by_number;
        }
    }
    if let (Some(left), Some(right)) = (left.run(), right.run()) {
        let by_number = match column {
            ColumnId::Step => right.progress.cmp(&left.progress),
            // The longest first; what still runs before all that is over.
            ColumnId::Duration => {
                let took =
                    |row: &crate::domain::pipeline::RunRow| row.duration(DateTime::<Utc>::MAX_UTC);
                took(right).cmp(&took(left))
            }
            _ => Ordering::Equal,
        };
        if by_number != Ordering::Equal {
            return by_number;
        }
    }
    if let (Some(left), Some(right)) = (left.cron(), right.cron())
        && matches!(column, ColumnId::LastRun | ColumnId::NextRun)
    {
        return right.last.cmp(&left.last);
    }
    let beside = Beside {
        now: DateTime::UNIX_EPOCH,
        rollouts: None,
    };
    cell(left, column, beside).cmp(&cell(right, column, beside))
}

fn switches(auto: AutoSync) -> (bool, bool, bool) {
    (auto.on, auto.self_heal, auto.prune)
}

/// What runs comes first, then the latest.
fn by_operation(left: &OperationView, right: &OperationView) -> Ordering {
    let over = |operation: &OperationView| match operation {
        OperationView::None => (2, None),
        OperationView::Finished { at, .. } => (1, *at),
        OperationView::Queued
        | OperationView::Active { .. }
        | OperationView::Waiting { .. }
        | OperationView::Blocked { .. }
        | OperationView::NeedsConfirmation { .. }
        | OperationView::WaitingRetry { .. }
        | OperationView::Stuck { .. } => (0, None),
    };
    let (left_rank, left_at): (u8, Option<DateTime<Utc>>) = over(left);
    let (right_rank, right_at) = over(right);
    left_rank
        .cmp(&right_rank)
        .then_with(|| right_at.cmp(&left_at))
        .then_with(|| {
            let epoch = DateTime::UNIX_EPOCH;
            operation_text(left, epoch).cmp(&operation_text(right, epoch))
        })
}

/// Numbers (also `3/4`, `12m`, `250Mi`) by value, other text by letters.
fn by_cell(left: &Row, right: &Row, number: usize) -> Ordering {
    let text = |row: &Row| -> Option<crate::domain::object::Text> {
        row.generic()?.cells.get(number).cloned()
    };
    let (left, right) = (text(left), text(right));
    let (left, right) = (
        left.as_deref().unwrap_or_default(),
        right.as_deref().unwrap_or_default(),
    );
    leading_number(left)
        .zip(leading_number(right))
        .map_or(Ordering::Equal, |(a, b)| a.total_cmp(&b))
        .then_with(|| left.cmp(right))
}

fn leading_number(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let number: f64 = digits.parse().ok()?;
    let factor = match unit {
        "m" => 0.001,
        "Ki" | "k" => 1_024.0,
        "Mi" | "M" => 1_048_576.0,
        "Gi" | "G" => 1_073_741_824.0,
        _ => 1.0,
    };
    Some(number * factor)
}
