//! Columns: which a table has, what their cells say, and which fit.
//!
//! The name and the status never disappear; others go by priority when the window is narrow.
//! Natural widths are measured once and kept for the session, so that a layout never jumps
//! when data changes.

mod application;
mod images;
mod layout;
mod rollout;
mod runs;

pub use application::{operation_text, revision_text, switches_text};
pub use images::{
    RegistryColumn, expires_text, fix_text, guards_text, packages_text, says_text, short_tag,
    tags_text, updated_text, used_text,
};
pub(super) use images::{by_name as images_by_name, compare as compare_registry_rows};
pub use layout::{Placed, place};
pub use rollout::{BAR_CELLS, bar_share, loudest, rollout_text, tally_text};
pub use runs::{progress_text, schedule_text, took_text};

use super::screens::{analysis_runs, rollouts};
use crate::domain::age::age_text;
use crate::domain::kind::info_of;
use crate::domain::object::{GroupKind, Text};
use crate::domain::pipeline::cron::cron_kind;
use crate::domain::pipeline::runs_kind;
use crate::domain::rows::Column;
use crate::store::{Row, Store, Table};
use chrono::{DateTime, Utc};
use std::borrow::Cow;

/// Names a column, the same in every table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnId {
    Namespace,
    Name,
    Project,
    Sync,
    Health,
    Auto,
    Revision,
    Operation,
    Destination,
    Source,
    /// What the Rollouts of an Application are doing.
    Rollout,
    Strategy,
    Step,
    Weight,
    Replicas,
    Images,
    Message,
    /// Who carries a run out.
    System,
    /// Why a run began.
    Trigger,
    /// How long a run took.
    Duration,
    Schedule,
    LastRun,
    NextRun,
    Labels,
    Age,
    /// A column of what registries have.
    Registry(RegistryColumn),
    /// A column of the server's Table, by its number.
    Cell(usize),
}

/// What is known of a column before any row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    pub id: ColumnId,
    /// In upper case, as shown.
    pub title: Text,
    /// It is never narrower than this (nor than its title).
    pub min: u16,
    /// It is never wider than this, except for the last flexible one.
    pub max: u16,
    /// Columns that are kept may shrink to this before another one has to go.
    pub comfort: u16,
    /// 0 never disappears; the highest goes first.
    pub priority: u8,
    pub numeric: bool,
    /// Its cells begin with a glyph and a space, drawn from a typed status.
    pub glyph: bool,
    /// Its cells may begin with a bar.
    pub bar: bool,
}

impl ColumnSpec {
    fn new(id: ColumnId, title: &str, min: u16, max: u16, priority: u8) -> Self {
        Self {
            id,
            title: title.into(),
            min,
            max,
            comfort: min.max(max / 2),
            priority,
            numeric: false,
            glyph: false,
            bar: false,
        }
    }

    /// Shrinks to this width before other columns go, instead of to half of its most.
    fn comfort(mut self, width: u16) -> Self {
        self.comfort = self.min.max(width);
        self
    }

    fn numeric(mut self) -> Self {
        self.numeric = true;
        self
    }

    fn bar(mut self) -> Self {
        self.bar = true;
        self
    }

    fn glyph(mut self) -> Self {
        self.glyph = true;
        self
    }
}

/// Returns the columns of a table, in display order.
///
/// `namespaced` says whether rows of more than one namespace are shown; `wide` adds the columns
/// of ctrl-w.
pub fn columns_of(
    kind: &GroupKind,
    table: Option<&Table>,
    namespaced: Shown,
    detail: Detail,
) -> Vec<ColumnSpec> {
    if application::is_application(kind) {
        return application::columns(table, namespaced, detail);
    }
    if *kind == rollouts() {
        return rollout::columns(namespaced, detail);
    }
    if *kind == analysis_runs() {
        return rollout::run_columns(namespaced, detail);
    }
    if *kind == runs_kind() {
        return runs::columns(namespaced, detail);
    }
    if *kind == cron_kind() {
        return runs::cron_columns(namespaced, detail);
    }
    if let Some(columns) = images::columns(kind, namespaced, detail) {
        return columns;
    }
    let mut columns = Vec::new();
    let has_namespace = info_of(kind).is_none_or(|info| info.namespaced);
    if namespaced == Shown::AllNamespaces && has_namespace {
        columns.push(ColumnSpec::new(ColumnId::Namespace, "NAMESPACE", 6, 24, 1));
    }
    let server = table.and_then(Table::columns).unwrap_or_default();
    if is_event(kind) && detail == Detail::Normal && !server.is_empty() {
        columns.extend(event_columns(server));
        columns.push(ColumnSpec::new(ColumnId::Age, "AGE", 4, 5, 0).numeric());
        return columns;
    }
    columns.push(ColumnSpec::new(ColumnId::Name, "NAME", 12, 60, 0));
    for (number, column) in server.iter().enumerate() {
        let own = ["name", "namespace", "age"];
        let hidden = column.priority > 0 && detail == Detail::Normal;
        if hidden || own.iter().any(|own| column.name.eq_ignore_ascii_case(own)) {
            continue;
        }
        columns.push(server_column(number, &column.name, column.numeric));
    }
    if detail == Detail::Wide {
        columns.push(ColumnSpec::new(ColumnId::Labels, "LABELS", 6, 40, 9));
    }
    columns.push(ColumnSpec::new(ColumnId::Age, "AGE", 4, 5, 2).numeric());
    columns
}

/// Returns whether a kind is that of Kubernetes events, of the old group or the new one.
pub fn is_event(kind: &GroupKind) -> bool {
    kind.is("", "Event") || kind.is("events.k8s.io", "Event")
}

/// What happened to what: the name of an event says nothing to people.
fn event_columns(server: &[Column]) -> Vec<ColumnSpec> {
    let numbered = server.iter().enumerate();
    let columns = numbered.filter_map(|(number, column)| {
        let (min, comfort, max, priority) = match column.name.to_ascii_lowercase().as_str() {
            "type" => (7, 7, 7, 3),
            "reason" => (8, 13, 24, 0),
            "object" => (12, 24, 44, 0),
            "message" => (16, 40, 200, 0),
            "last seen" => (5, 9, 9, 4),
            _ => return None,
        };
        let title = column.name.to_uppercase();
        let id = ColumnId::Cell(number);
        Some(ColumnSpec::new(id, &title, min, max, priority).comfort(comfort))
    });
    columns.collect()
}

fn server_column(number: usize, name: &str, numeric: bool) -> ColumnSpec {
    let status = ["status", "ready", "phase", "health status", "state"];
    let is_status = status.iter().any(|word| name.eq_ignore_ascii_case(word));
    let priority = if is_status {
        0
    } else {
        3 + number.min(5) as u8
    };
    let spec = ColumnSpec::new(
        ColumnId::Cell(number),
        &name.to_uppercase(),
        4,
        32,
        priority,
    );
    if numeric { spec.numeric() } else { spec }
}

/// Whether rows of one namespace or of several are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    OneNamespace,
    AllNamespaces,
}

/// How much a table tells (ctrl-w).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Detail {
    #[default]
    Normal,
    Wide,
}

/// What a cell may need besides its row.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'store> {
    pub now: DateTime<Utc>,
    /// The rows of Rollouts, for what Applications say of theirs.
    pub rollouts: Option<&'store Table>,
}

impl<'store> Beside<'store> {
    /// Finds what cells may need in the store.
    pub fn of(store: &'store Store, now: DateTime<Utc>) -> Self {
        Self {
            now,
            rollouts: store.table(&rollouts()),
        }
    }
}

/// Returns what a cell says, without its glyph. Server text in it is not made harmless yet.
pub fn cell<'row>(row: &'row Row, column: ColumnId, beside: Beside<'_>) -> Cow<'row, str> {
    let now = beside.now;
    match column {
        ColumnId::Namespace => Cow::Borrowed(row.object().namespace.as_deref().unwrap_or_default()),
        ColumnId::Name => Cow::Borrowed(match row {
            Row::Registry(row) => images::name(row),
            Row::Application(_)
            | Row::Rollout(_)
            | Row::AnalysisRun(_)
            | Row::Run(_)
            | Row::Cron(_)
            | Row::Object(_) => &row.object().name,
        }),
        ColumnId::Age => row
            .created()
            .map_or(Cow::Borrowed(""), |at| Cow::Owned(age_text(at, now))),
        ColumnId::Labels => Cow::Owned(labels_text(row)),
        ColumnId::Cell(number) => {
            let cells = row.generic().map(|row| &*row.cells).unwrap_or_default();
            Cow::Borrowed(cells.get(number).map(|cell| &**cell).unwrap_or_default())
        }
        ColumnId::Rollout => {
            let app = row.application();
            let loudest = app.and_then(|app| loudest(app, beside.rollouts));
            Cow::Owned(loudest.map(rollout_text).unwrap_or_default())
        }
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
        | ColumnId::NextRun
        | ColumnId::Project
        | ColumnId::Sync
        | ColumnId::Health
        | ColumnId::Auto
        | ColumnId::Revision
        | ColumnId::Operation
        | ColumnId::Destination
        | ColumnId::Registry(_)
        | ColumnId::Source => match row {
            Row::Application(app) => application::cell(app, column, now),
            Row::Rollout(row) => rollout::cell(row, column),
            Row::AnalysisRun(run) => rollout::run_cell(run, column, now),
            Row::Run(row) => runs::cell(row, column, now),
            Row::Cron(row) => runs::cron_cell(row, column, now),
            Row::Registry(row) => images::cell(row, column, now),
            Row::Object(_) => Cow::Borrowed(""),
        },
    }
}

fn labels_text(row: &Row) -> String {
    let labels = row.labels().iter();
    let pairs: Vec<_> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}
