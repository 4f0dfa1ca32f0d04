//! Runs of pipelines and their schedules as cells and as the stable JSON.
//!
//! Members are only ever added; words are those of Argo Workflows and Tekton.

use super::documents::{finding, path};
use crate::app::columns::{progress_text, schedule_text, took_text};
use crate::domain::age::age_text;
use crate::domain::pipeline::{CronRun, RunRow, Trigger};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// Headings of [`run_cells`].
pub const RUN_COLUMNS: [&str; 9] = [
    "NAME", "SYSTEM", "STATUS", "STEPS", "TOOK", "COMMIT", "TRIGGER", "MESSAGE", "AGE",
];

/// Returns the cells of a run.
pub fn run_cells(row: &RunRow, now: DateTime<Utc>) -> Vec<String> {
    vec![
        row.object.name.to_string(),
        row.system.word().to_owned(),
        row.status_words().to_owned(),
        progress_text(row),
        took_text(row, now),
        crate::ui::text::short_revision(&row.commit.revision).to_owned(),
        row.trigger.words(),
        row.message.to_string(),
        age(row.created, now),
    ]
}

/// Headings of [`cron_cells`].
pub const CRON_COLUMNS: [&str; 9] = [
    "NAME", "STATUS", "SCHEDULE", "NEXT IN", "LAST", "GOOD", "BAD", "ACTIVE", "AGE",
];

/// Returns the cells of a schedule.
pub fn cron_cells(row: &CronRun, now: DateTime<Utc>) -> Vec<String> {
    vec![
        row.object.name.to_string(),
        row.status_words().to_owned(),
        schedule_text(row),
        row.next(now)
            .map(|next| age_text(now, next))
            .unwrap_or_default(),
        age(row.last, now),
        row.succeeded.to_string(),
        row.failed.to_string(),
        row.active.len().to_string(),
        age(row.created, now),
    ]
}

fn age(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    at.map(|at| age_text(at, now)).unwrap_or_default()
}

pub(super) fn seconds(span: Option<TimeDelta>) -> Option<i64> {
    span.map(|span| span.num_seconds())
}

/// Returns one run.
pub fn run(row: &RunRow, now: DateTime<Utc>) -> Value {
    json!({
        "kind": &*row.object.kind.kind,
        "namespace": row.object.namespace.as_deref(),
        "name": &*row.object.name,
        "uid": &*row.uid.0,
        "created": row.created,
        "deletingSince": row.deleting.as_ref().map(|deletion| deletion.since),
        "system": row.system.word(),
        "template": row.template.as_ref().map(path),
        "phase": row.phase.word(),
        "status": row.status_words(),
        "message": &*row.message,
        "progress": row.progress.map(|(done, total)| json!({ "done": done, "of": total })),
        "started": row.started,
        "finished": row.finished,
        "seconds": if row.phase.is_over() { seconds(row.duration(now)) } else { None },
        "usualSeconds": seconds(row.usual),
        "commit": {
            "revision": &*row.commit.revision, "repository": &*row.commit.repository,
            "image": &*row.commit.image,
        },
        "trigger": trigger(&row.trigger),
        "ending": &*row.ending,
        "failing": &*row.failing,
        "findings": row.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn trigger(trigger: &Trigger) -> Value {
    match trigger {
        Trigger::Manual => json!({ "by": "hand" }),
        Trigger::Cron(name) => json!({ "by": "cron", "name": &**name }),
        Trigger::Sensor { sensor, trigger } => {
            json!({ "by": "sensor", "name": &**sensor, "trigger": &**trigger })
        }
        Trigger::Listener {
            listener,
            trigger,
            event,
        } => json!({
            "by": "eventlistener", "name": &**listener, "trigger": &**trigger, "event": &**event,
        }),
        Trigger::Again(name) => json!({ "by": "resubmit", "name": &**name }),
        Trigger::Event(name) => json!({ "by": "event", "name": &**name }),
    }
}

/// Returns one schedule.
pub fn cron(row: &CronRun, now: DateTime<Utc>) -> Value {
    let texts = |all: &[crate::domain::object::Text]| -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    };
    let known = now > DateTime::UNIX_EPOCH;
    json!({
        "kind": "CronWorkflow",
        "namespace": row.object.namespace.as_deref(),
        "name": &*row.object.name,
        "uid": &*row.uid.0,
        "created": row.created,
        "status": row.status_words(),
        "suspended": row.suspended,
        "schedules": texts(&row.schedules),
        "timezone": &*row.timezone,
        "concurrencyPolicy": &*row.policy,
        "active": texts(&row.active),
        "last": row.last,
        "next": if known { row.next(now) } else { None },
        "succeeded": row.succeeded,
        "failed": row.failed,
        "template": row.template.as_ref().map(path),
        "problem": &*row.problem,
        "findings": row.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
