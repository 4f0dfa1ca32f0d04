//! Runs of pipelines and their schedules as cells and as the stable JSON.
//!
//! Members are only ever added; words are those of Argo Workflows and Tekton.

use super::ReportError;
use super::documents::{finding, path};
use super::picture::{self, Picture};
use super::session::Session;
use crate::app::columns::{progress_text, schedule_text, took_text};
use crate::cli::Output;
use crate::domain::age::age_text;
use crate::domain::object::ObjectRef;
use crate::domain::pipeline::tree::RunTree;
use crate::domain::pipeline::{CronRun, Parameter, RunDetail, RunNode, RunRow, Trigger, why_run};
use crate::domain::rollout::span_text;
use crate::engine::protocol::{Ticket, Topic, Update};
use crate::ui::text::harmless;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

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

/// Prints one run with its steps.
pub async fn detail(
    session: &mut Session,
    object: ObjectRef,
    how: (Output, DateTime<Utc>),
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    picture::tell::<RunDetail>(session, Topic::Run(object), how, out).await
}

impl Picture for RunDetail {
    const GONE: &'static str = "the run is gone";
    const SETTLED: Option<Duration> = None;

    fn of(update: Update, ours: Ticket) -> Result<Option<Self>, Box<Update>> {
        let is_ours = matches!(&update, Update::Run { ticket, .. } if *ticket == ours);
        if is_ours && let Update::Run { detail, .. } = update {
            return Ok(detail.map(|one| *one));
        }
        Err(Box::new(update))
    }

    fn object(&self) -> &ObjectRef {
        &self.row.object
    }

    fn document(&self, now: DateTime<Utc>) -> Value {
        document(self, now)
    }

    fn print(&self, now: DateTime<Utc>, out: &mut dyn Write) -> Result<(), ReportError> {
        print(self, now, out)
    }
}

/// Returns a run with everything that is known of its steps.
pub fn document(detail: &RunDetail, now: DateTime<Utc>) -> Value {
    let mut document = run(&detail.row, now);
    document["parameters"] = detail.parameters.iter().map(parameter).collect();
    document["outputs"] = detail.outputs.iter().map(parameter).collect();
    document["nodes"] = detail.nodes.iter().map(node).collect();
    document["findings"] = detail.findings.iter().map(finding).collect();
    document["why"] = why_run(detail, now).iter().map(finding).collect();
    document
}

fn parameter(one: &Parameter) -> Value {
    json!({ "name": &*one.name, "value": one.value.as_deref(), "default": one.default.as_deref() })
}

fn node(node: &RunNode) -> Value {
    json!({
        "id": &*node.id, "name": &*node.name, "label": &*node.label, "type": node.kind.word(),
        "phase": node.phase.word(), "message": &*node.message, "template": &*node.template,
        "started": node.started, "finished": node.finished, "exitCode": node.exit_code,
        "retries": node.retries, "children": node.children, "boundary": node.boundary,
        "pod": node.pod.as_ref().map(path), "podGone": node.pod_gone,
        "inputs": node.inputs.iter().map(parameter).collect::<Vec<_>>(),
        "outputs": node.outputs.iter().map(parameter).collect::<Vec<_>>(),
    })
}

fn print(detail: &RunDetail, now: DateTime<Utc>, out: &mut dyn Write) -> Result<(), ReportError> {
    let row = &detail.row;
    let mut field = |name: &str, text: &str| -> Result<(), ReportError> {
        if !text.is_empty() {
            writeln!(out, "{name:<10} {}", harmless(text))?;
        }
        Ok(())
    };
    field("Name", &row.object.name)?;
    field(
        "Namespace",
        row.object.namespace.as_deref().unwrap_or_default(),
    )?;
    let colon = if row.message.is_empty() { "" } else { ": " };
    field(
        "Status",
        &format!("{}{colon}{}", row.status_words(), row.message),
    )?;
    field("Steps", &progress_text(row))?;
    field("Took", &took_text(row, now))?;
    field("Commit", &row.commit.revision)?;
    field("Of", &row.commit.repository)?;
    field("Trigger", &row.trigger.words())?;
    for one in &detail.parameters {
        let value = one.value.as_deref().unwrap_or_default();
        field("Parameter", &format!("{}={value}", one.name))?;
    }
    let tree = RunTree::of(&detail.nodes);
    let cells: Vec<Vec<String>> = tree
        .lines(&detail.nodes, &|_| false)
        .iter()
        .filter_map(|line| {
            let node = detail.nodes.get(line.node as usize)?;
            Some(vec![
                format!("{}{}", line.prefix, node.label),
                node.phase.word().to_owned(),
                node.duration(now).map(span_text).unwrap_or_default(),
                node.message.to_string(),
            ])
        })
        .collect();
    writeln!(out)?;
    super::table::write(out, &["STEP", "PHASE", "TOOK", "MESSAGE"], &cells)?;
    for finding in why_run(detail, now) {
        writeln!(out, "\n{}", super::sentence(&finding))?;
    }
    Ok(())
}
