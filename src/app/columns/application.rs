//! The columns of Applications.

use super::{ColumnId, ColumnSpec, Detail, Shown};
use crate::domain::age::age_text;
use crate::domain::application::{Application, AutoSync, OperationView, Phase};
use crate::domain::kind::ARGO;
use crate::domain::object::GroupKind;
use crate::domain::status::SyncStatus;
use crate::store::{Row, Table};
use chrono::{DateTime, Utc};
use std::borrow::Cow;

pub(super) fn is_application(kind: &GroupKind) -> bool {
    kind.is(ARGO, "Application")
}

pub(super) fn columns(table: Option<&Table>, namespaced: Shown, detail: Detail) -> Vec<ColumnSpec> {
    use ColumnId as Id;
    let mut columns = Vec::with_capacity(12);
    if namespaced == Shown::AllNamespaces {
        columns.push(ColumnSpec::new(Id::Namespace, "NAMESPACE", 6, 20, 6));
    }
    columns.push(ColumnSpec::new(Id::Name, "NAME", 16, 44, 0));
    columns.push(ColumnSpec::new(Id::Project, "PROJECT", 7, 16, 5));
    columns.push(ColumnSpec::new(Id::Sync, "SYNC", 14, 15, 0).glyph());
    columns.push(ColumnSpec::new(Id::Health, "HEALTH", 13, 13, 0).glyph());
    columns.push(ColumnSpec::new(Id::Auto, "AUTO", 15, 15, 4));
    columns.push(ColumnSpec::new(Id::Revision, "REVISION", 8, 16, 3));
    // Where nobody uses Rollouts, their column would only take room.
    if table.is_some_and(has_rollouts) {
        columns.push(ColumnSpec::new(Id::Rollout, "ROLLOUT", 15, 15, 2));
    }
    columns.push(ColumnSpec::new(Id::Operation, "LAST OPERATION", 14, 26, 2));
    columns.push(ColumnSpec::new(Id::Destination, "DESTINATION", 12, 40, 7));
    columns.push(ColumnSpec::new(Id::Source, "SOURCE", 12, 60, 8));
    if detail == Detail::Wide {
        columns.push(ColumnSpec::new(Id::Labels, "LABELS", 6, 40, 9));
    }
    columns.push(ColumnSpec::new(Id::Age, "AGE", 4, 5, 1).numeric());
    columns
}

fn has_rollouts(table: &Table) -> bool {
    let apps = table.rows().filter_map(Row::application);
    apps.into_iter().any(|app| !app.rollouts.is_empty())
}

pub(super) fn cell(app: &Application, column: ColumnId, now: DateTime<Utc>) -> Cow<'_, str> {
    match column {
        ColumnId::Project => Cow::Borrowed(&*app.project),
        ColumnId::Sync => sync_text(app),
        ColumnId::Health => Cow::Borrowed(app.health.word()),
        ColumnId::Auto => Cow::Owned(switches_text(app.auto_sync)),
        ColumnId::Revision => Cow::Owned(revision_text(app)),
        ColumnId::Operation => Cow::Owned(operation_text(&app.operation, now)),
        ColumnId::Destination => Cow::Owned(destination_text(app)),
        ColumnId::Source => Cow::Owned(source_text(app)),
        ColumnId::Namespace
        | ColumnId::Name
        | ColumnId::Labels
        | ColumnId::Age
        | ColumnId::Rollout
        | ColumnId::Strategy
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
        | ColumnId::Registry(_)
        | ColumnId::Cell(_) => Cow::Borrowed(""),
    }
}

fn sync_text(app: &Application) -> Cow<'_, str> {
    if app.sync == SyncStatus::OutOfSync && app.out_of_sync > 0 {
        Cow::Owned(format!("{} {}", app.sync.word(), app.out_of_sync))
    } else {
        Cow::Borrowed(app.sync.word())
    }
}

/// Returns the switches in words: `manual`, `auto`, `auto heal prune`.
pub fn switches_text(auto: AutoSync) -> String {
    if !auto.on {
        return "manual".to_owned();
    }
    let mut text = "auto".to_owned();
    if auto.self_heal {
        text.push_str(" heal");
    }
    if auto.prune {
        text.push_str(" prune");
    }
    text
}

/// Returns the revisions the verdict was made at: commits in seven letters, else as they are.
pub fn revision_text(app: &Application) -> String {
    let short: Vec<String> = app
        .revisions
        .iter()
        .map(|revision| short_revision(revision))
        .collect();
    short.join(",")
}

pub(super) fn short_revision(revision: &str) -> String {
    let is_commit = revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
    if is_commit {
        revision.chars().take(7).collect()
    } else {
        revision.to_owned()
    }
}

/// Returns what the last or current operation is doing, with its age: `Running 40s`.
pub fn operation_text(operation: &OperationView, now: DateTime<Utc>) -> String {
    let (word, since) = match operation {
        OperationView::None => return String::new(),
        OperationView::Queued => ("Queued", None),
        OperationView::Active { phase, started, .. } => (phase_word(*phase), *started),
        OperationView::Waiting { started, .. } => ("Waiting", *started),
        OperationView::Blocked { .. } => ("Blocked", None),
        OperationView::NeedsConfirmation { .. } => ("Confirm?", None),
        OperationView::WaitingRetry { attempt, limit, .. } => {
            return if *limit < 0 {
                format!("Retry {attempt}")
            } else {
                format!("Retry {attempt}/{limit}")
            };
        }
        OperationView::Stuck { .. } => ("Stuck", None),
        OperationView::Finished { phase, at, .. } => (finished_word(*phase), *at),
    };
    match since {
        Some(since) => format!("{word} {}", age_text(since, now)),
        None => word.to_owned(),
    }
}

fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Running => "Running",
        Phase::Terminating => "Terminating",
        Phase::Succeeded => "Succeeded",
        Phase::Failed => "Failed",
        Phase::Error => "Error",
        Phase::Unknown => "Unknown",
    }
}

fn finished_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Succeeded => "Synced",
        Phase::Running | Phase::Terminating | Phase::Failed | Phase::Error | Phase::Unknown => {
            phase_word(phase)
        }
    }
}

fn destination_text(app: &Application) -> String {
    let destination = &app.destination;
    let cluster = match (&*destination.name, &*destination.server) {
        ("", "https://kubernetes.default.svc") => "in-cluster",
        ("", server) => server,
        (name, _) => name,
    };
    format!("{cluster} {}", destination.namespace)
        .trim()
        .to_owned()
}

fn source_text(app: &Application) -> String {
    let sources = app.sources.iter().map(|source| {
        let place = if source.chart.is_empty() {
            &source.path
        } else {
            &source.chart
        };
        let repo = source.repo.trim_start_matches("https://");
        let repo = repo.trim_end_matches(".git");
        format!("{repo} {place} @ {}", source.target_revision)
    });
    sources.collect::<Vec<_>>().join(" ")
}
