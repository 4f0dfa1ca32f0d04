//! The columns of runs of all systems, and of their schedules.

use super::application::short_revision;
use super::{ColumnId, ColumnSpec, Detail, Shown};
use crate::domain::age::age_text;
use crate::domain::pipeline::{CronRun, Pace, RunRow};
use crate::domain::rollout::span_text;
use chrono::{DateTime, Utc};
use std::borrow::Cow;

pub(super) fn columns(namespaced: Shown, detail: Detail) -> Vec<ColumnSpec> {
    use ColumnId as Id;
    let mut columns = Vec::with_capacity(13);
    if namespaced == Shown::AllNamespaces {
        columns.push(ColumnSpec::new(Id::Namespace, "NAMESPACE", 6, 24, 6).comfort(9));
    }
    columns.push(ColumnSpec::new(Id::Name, "NAME", 14, 44, 0).comfort(20));
    columns.push(ColumnSpec::new(Id::System, "SYSTEM", 8, 8, 5));
    columns.push(ColumnSpec::new(Id::Health, "PHASE", 11, 11, 0).glyph());
    columns.push(ColumnSpec::new(Id::Step, "STEPS", 5, 9, 1).comfort(9));
    columns.push(ColumnSpec::new(Id::Duration, "TOOK", 6, 15, 1).comfort(11));
    columns.push(ColumnSpec::new(Id::Revision, "COMMIT", 7, 16, 2).comfort(7));
    columns.push(ColumnSpec::new(Id::Trigger, "TRIGGER", 10, 28, 3).comfort(12));
    columns.push(ColumnSpec::new(Id::Message, "SAYS", 12, 70, 4).comfort(12));
    if detail == Detail::Wide {
        columns.push(ColumnSpec::new(Id::Source, "FROM", 10, 40, 7));
        columns.push(ColumnSpec::new(Id::Images, "IMAGE", 12, 40, 8));
        columns.push(ColumnSpec::new(Id::Labels, "LABELS", 6, 40, 9));
    }
    columns.push(ColumnSpec::new(Id::Age, "AGE", 4, 5, 1).numeric());
    columns
}

pub(super) fn cron_columns(namespaced: Shown, detail: Detail) -> Vec<ColumnSpec> {
    use ColumnId as Id;
    let mut columns = Vec::with_capacity(12);
    if namespaced == Shown::AllNamespaces {
        columns.push(ColumnSpec::new(Id::Namespace, "NAMESPACE", 6, 24, 6).comfort(9));
    }
    columns.push(ColumnSpec::new(Id::Name, "NAME", 14, 44, 0).comfort(20));
    columns.push(ColumnSpec::new(Id::Health, "STATE", 11, 11, 0).glyph());
    columns.push(ColumnSpec::new(Id::Schedule, "SCHEDULE", 9, 34, 1).comfort(14));
    columns.push(ColumnSpec::new(Id::NextRun, "NEXT IN", 7, 9, 1).numeric());
    columns.push(ColumnSpec::new(Id::LastRun, "LAST", 4, 5, 2).numeric());
    columns.push(ColumnSpec::new(Id::Step, "GOOD/BAD", 8, 11, 4));
    columns.push(ColumnSpec::new(Id::Strategy, "OVERLAP", 7, 8, 5));
    columns.push(ColumnSpec::new(Id::Message, "SAYS", 12, 60, 3).comfort(14));
    if detail == Detail::Wide {
        columns.push(ColumnSpec::new(Id::Source, "FROM", 10, 40, 7));
        columns.push(ColumnSpec::new(Id::Labels, "LABELS", 6, 40, 9));
    }
    columns.push(ColumnSpec::new(Id::Age, "AGE", 4, 5, 2).numeric());
    columns
}

pub(super) fn cell(row: &RunRow, column: ColumnId, now: DateTime<Utc>) -> Cow<'_, str> {
    match column {
        ColumnId::System => Cow::Borrowed(row.system.word()),
        ColumnId::Health => Cow::Borrowed(row.phase.word()),
        ColumnId::Step => Cow::Owned(progress_text(row)),
        ColumnId::Duration => Cow::Owned(took_text(row, now)),
        ColumnId::Revision => Cow::Owned(short_revision(&row.commit.revision)),
        ColumnId::Trigger => Cow::Owned(row.trigger.words()),
        ColumnId::Message => Cow::Owned(says(row)),
        ColumnId::Source => Cow::Borrowed(row.family()),
        ColumnId::Images => Cow::Borrowed(&*row.commit.image),
        ColumnId::Namespace
        | ColumnId::Name
        | ColumnId::Labels
        | ColumnId::Age
        | ColumnId::Weight
        | ColumnId::Replicas
        | ColumnId::Strategy
        | ColumnId::Project
        | ColumnId::Sync
        | ColumnId::Auto
        | ColumnId::Operation
        | ColumnId::Destination
        | ColumnId::Rollout
        | ColumnId::Schedule
        | ColumnId::LastRun
        | ColumnId::NextRun
        | ColumnId::Registry(_)
        | ColumnId::Cell(_) => Cow::Borrowed(""),
    }
}

pub(super) fn cron_cell(row: &CronRun, column: ColumnId, now: DateTime<Utc>) -> Cow<'_, str> {
    match column {
        ColumnId::Health => Cow::Borrowed(row.status_words()),
        ColumnId::Schedule => Cow::Owned(schedule_text(row)),
        ColumnId::NextRun => Cow::Owned(next_text(row, now)),
        ColumnId::LastRun => row
            .last
            .map_or(Cow::Borrowed("never"), |at| Cow::Owned(age_text(at, now))),
        ColumnId::Step => Cow::Owned(format!("{}/{}", row.succeeded, row.failed)),
        ColumnId::Strategy => Cow::Borrowed(&*row.policy),
        ColumnId::Message => Cow::Owned(cron_says(row)),
        ColumnId::Source => row
            .template
            .as_ref()
            .map_or(Cow::Borrowed(""), |one| Cow::Borrowed(&*one.name)),
        ColumnId::System
        | ColumnId::Duration
        | ColumnId::Revision
        | ColumnId::Trigger
        | ColumnId::Images
        | ColumnId::Namespace
        | ColumnId::Name
        | ColumnId::Labels
        | ColumnId::Age
        | ColumnId::Weight
        | ColumnId::Replicas
        | ColumnId::Project
        | ColumnId::Sync
        | ColumnId::Auto
        | ColumnId::Operation
        | ColumnId::Destination
        | ColumnId::Rollout
        | ColumnId::Registry(_)
        | ColumnId::Cell(_) => Cow::Borrowed(""),
    }
}

/// Returns how far a run is: `3/5`.
pub fn progress_text(row: &RunRow) -> String {
    row.progress
        .map_or(String::new(), |(done, total)| format!("{done}/{total}"))
}

/// Returns how long a run took or has taken, with what is usual when it is slower: `2m10s (58s)`.
pub fn took_text(row: &RunRow, now: DateTime<Utc>) -> String {
    let Some(took) = row.duration(now) else {
        return String::new();
    };
    let took = span_text(took);
    match (row.pace(now), row.usual) {
        (Pace::Slower(_), Some(usual)) => format!("{took} ({})", span_text(usual)),
        _ => took,
    }
}

/// What went wrong and where, else the system's message.
fn says(row: &RunRow) -> String {
    let mut words: Vec<&str> = Vec::new();
    // `Failed (PipelineRunTimeout)`: the phase stands in its own column.
    let inside = row.status.split_once('(').map(|(_, inside)| inside);
    let reason = inside.map_or("", |inside| inside.trim_end_matches(')'));
    if reason != row.phase.word() {
        words.push(reason);
    }
    let at = format!("at {}", row.failing);
    if row.phase.is_bad() && !row.failing.is_empty() {
        words.push(&at);
    }
    if words.iter().all(|word| word.is_empty()) || !row.message.starts_with("child '") {
        words.push(&row.message);
    }
    words.retain(|word| !word.is_empty());
    words.join(": ")
}

/// Returns the schedules with their time zone.
pub fn schedule_text(row: &CronRun) -> String {
    let schedules: Vec<&str> = row.schedules.iter().map(|one| &**one).collect();
    let schedules = schedules.join(", ");
    if row.timezone.is_empty() {
        schedules
    } else {
        format!("{schedules} {}", row.timezone)
    }
}

fn next_text(row: &CronRun, now: DateTime<Utc>) -> String {
    row.next(now)
        .map_or(String::new(), |next| age_text(now, next))
}

fn cron_says(row: &CronRun) -> String {
    if !row.problem.is_empty() {
        return row.problem.to_string();
    }
    match row.active.as_slice() {
        [] => String::new(),
        [one] => format!("{one} runs"),
        many => format!("{} runs are under way", many.len()),
    }
}
