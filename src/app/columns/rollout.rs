//! The columns of Rollouts and AnalysisRuns, and what a row of Applications says of its Rollouts.

use super::{ColumnId, ColumnSpec, Detail, Shown};
use crate::domain::age::age_text;
use crate::domain::analysis::AnalysisRun;
use crate::domain::application::Application;
use crate::domain::rollout::{Rollout, RolloutPhase, Strategy, attention_order, message_of};
use crate::store::Table;
use chrono::{DateTime, Utc};
use std::borrow::Cow;

/// Cells of the bar before a weight, and the blank after it.
pub const BAR_CELLS: u16 = 6;

pub(super) fn columns(namespaced: Shown, detail: Detail) -> Vec<ColumnSpec> {
    use ColumnId as Id;
    let mut columns = Vec::with_capacity(12);
    if namespaced == Shown::AllNamespaces {
        columns.push(ColumnSpec::new(Id::Namespace, "NAMESPACE", 6, 24, 4));
    }
    columns.push(ColumnSpec::new(Id::Name, "NAME", 14, 44, 0));
    columns.push(ColumnSpec::new(Id::Strategy, "STRATEGY", 8, 9, 6));
    columns.push(ColumnSpec::new(Id::Health, "PHASE", 13, 13, 0).glyph());
    columns.push(ColumnSpec::new(Id::Step, "STEP", 5, 6, 1));
    columns.push(ColumnSpec::new(Id::Weight, "WEIGHT", 11, 13, 2).bar());
    columns.push(ColumnSpec::new(Id::Replicas, "READY", 5, 9, 1));
    columns.push(ColumnSpec::new(Id::Images, "IMAGE", 12, 40, 5));
    columns.push(ColumnSpec::new(Id::Message, "MESSAGE", 16, 44, 3));
    if detail == Detail::Wide {
        columns.push(ColumnSpec::new(Id::Labels, "LABELS", 6, 40, 9));
    }
    columns.push(ColumnSpec::new(Id::Age, "AGE", 4, 5, 1).numeric());
    columns
}

pub(super) fn run_columns(namespaced: Shown, detail: Detail) -> Vec<ColumnSpec> {
    use ColumnId as Id;
    let mut columns = Vec::with_capacity(9);
    if namespaced == Shown::AllNamespaces {
        columns.push(ColumnSpec::new(Id::Namespace, "NAMESPACE", 6, 24, 4));
    }
    columns.push(ColumnSpec::new(Id::Name, "NAME", 16, 54, 0));
    columns.push(ColumnSpec::new(Id::Health, "PHASE", 14, 14, 0).glyph());
    columns.push(ColumnSpec::new(Id::Strategy, "MADE BY", 10, 13, 3));
    columns.push(ColumnSpec::new(Id::Step, "METRICS", 7, 24, 1));
    columns.push(ColumnSpec::new(Id::Message, "MESSAGE", 16, 60, 2));
    if detail == Detail::Wide {
        columns.push(ColumnSpec::new(Id::Labels, "LABELS", 6, 40, 9));
    }
    columns.push(ColumnSpec::new(Id::Age, "AGE", 4, 5, 1).numeric());
    columns
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table has its own columns; the others are empty in it"
)]
pub(super) fn cell(row: &Rollout, column: ColumnId) -> Cow<'_, str> {
    match column {
        ColumnId::Strategy => Cow::Borrowed(row.strategy.word()),
        ColumnId::Health => Cow::Borrowed(row.phase.word()),
        ColumnId::Step => Cow::Owned(step_text(row)),
        ColumnId::Weight => Cow::Owned(weight_text(row)),
        ColumnId::Replicas => {
            let replicas = row.replicas;
            Cow::Owned(format!("{}/{}", replicas.ready, replicas.desired))
        }
        ColumnId::Images => Cow::Owned(images_text(row)),
        ColumnId::Message => message_of(row),
        _ => Cow::Borrowed(""),
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table has its own columns; the others are empty in it"
)]
pub(super) fn run_cell(run: &AnalysisRun, column: ColumnId, now: DateTime<Utc>) -> Cow<'_, str> {
    match column {
        ColumnId::Health => Cow::Borrowed(run.phase.word()),
        ColumnId::Strategy => Cow::Borrowed(run.role.word()),
        ColumnId::Step => Cow::Owned(tally_text(run)),
        ColumnId::Message => Cow::Owned(run_message(run, now)),
        _ => Cow::Borrowed(""),
    }
}

fn step_text(row: &Rollout) -> String {
    row.progress()
        .map_or(String::new(), |(done, total)| format!("{done}/{total}"))
}

/// Wanted and actual weight; one number when they agree.
fn weight_text(row: &Rollout) -> String {
    let weights = &row.weights;
    if weights.set == weights.actual {
        weights.set.to_string()
    } else {
        format!("{}/{}", weights.set, weights.actual)
    }
}

fn images_text(row: &Rollout) -> String {
    let images = row.images.iter().filter(|image| !image.init);
    let names: Vec<&str> = images
        .map(|one| one.image.rsplit('/').next().unwrap_or(&one.image))
        .collect();
    names.join(" ")
}

/// `2 good`, `1 failed 1 good`: what went wrong first.
pub fn tally_text(run: &AnalysisRun) -> String {
    let tally = run.tally;
    let counts = [
        (tally.failed, "failed"),
        (tally.error, "error"),
        (tally.inconclusive, "unclear"),
        (tally.successful, "good"),
    ];
    let words: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if words.is_empty() {
        format!("0 of {}", run.metrics.len())
    } else {
        words.join(" ")
    }
}

fn run_message(run: &AnalysisRun, now: DateTime<Utc>) -> String {
    if !run.message.is_empty() {
        return run.message.to_string();
    }
    match (run.completed, run.started) {
        (Some(completed), Some(started)) => format!("took {}", age_text(started, completed)),
        (None, Some(started)) => format!("running for {}", age_text(started, now)),
        (_, None) => String::new(),
    }
}

/// Returns the Rollout of an Application that most needs a person.
pub fn loudest<'table>(
    app: &Application,
    rollouts: Option<&'table Table>,
) -> Option<&'table Rollout> {
    let table = rollouts?;
    let rows = app
        .rollouts
        .iter()
        .filter_map(|object| table.find(object)?.rollout());
    rows.min_by(|left, right| attention_order(left, right))
}

/// Returns what a row of Applications says of a Rollout: `40% 3/6`, `aborted`; nothing while
/// nothing is being rolled out.
pub fn rollout_text(row: &Rollout) -> String {
    if row.aborted {
        return "aborted".to_owned();
    }
    match (row.phase, row.is_fully_promoted()) {
        (RolloutPhase::Degraded, _) => return "degraded".to_owned(),
        (RolloutPhase::Healthy, true) => return String::new(),
        (_, true) => return row.phase.word().to_lowercase(),
        (_, false) => {}
    }
    match row.strategy {
        Strategy::BlueGreen if row.phase == RolloutPhase::Paused => "preview waits".to_owned(),
        Strategy::BlueGreen => "preview".to_owned(),
        Strategy::Canary | Strategy::Unknown => {
            let weights = &row.weights;
            let share = weights.actual * 100 / weights.max.max(1);
            format!("{share}% {}", step_text(row)).trim_end().to_owned()
        }
    }
}

/// Returns the share of the traffic to draw as a bar before the text; absent without an update
/// that goes by weight.
pub fn bar_share(row: &Rollout) -> Option<f64> {
    let goes_by_weight = row.strategy == Strategy::Canary
        && !row.is_fully_promoted()
        && !row.aborted
        && row.phase != RolloutPhase::Degraded;
    let weights = &row.weights;
    goes_by_weight.then(|| f64::from(weights.actual) / f64::from(weights.max.max(1)))
}
