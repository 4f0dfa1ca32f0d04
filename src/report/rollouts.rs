//! Rollouts and AnalysisRuns as cells and as the stable JSON.
//!
//! Members are only ever added; words are Argo Rollouts' own.

use super::ReportError;
use super::documents::{finding, path};
use super::picture::{self, Picture};
use super::session::Session;
use crate::cli::Output;
use crate::domain::age::age_text;
use crate::domain::analysis::{AnalysisRun, Limits, Measurement, MetricResult, Tally};
use crate::domain::object::ObjectRef;
use crate::domain::rollout::forecast::waits_for;
use crate::domain::rollout::{ReplicaSetView, Revision, RolloutDetail, Step};
use crate::domain::rollout::{Rollout, Weights};
use crate::domain::status::Health;
use crate::engine::protocol::{Ticket, Topic, Update};
use crate::ui::text::harmless;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

/// Headings of [`rollout_cells`], those of Argo Rollouts' own list and the images.
pub const ROLLOUT_COLUMNS: [&str; 12] = [
    "NAME",
    "STRATEGY",
    "STATUS",
    "MESSAGE",
    "STEP",
    "SET",
    "ACTUAL",
    "READY",
    "DESIRED",
    "UP-TO-DATE",
    "AVAILABLE",
    "AGE",
];

/// Returns the cells of a Rollout.
pub fn rollout_cells(row: &Rollout, now: DateTime<Utc>) -> Vec<String> {
    let step = row
        .progress()
        .map_or(String::from("-"), |(done, total)| format!("{done}/{total}"));
    vec![
        row.object.name.to_string(),
        row.strategy.word().to_owned(),
        row.phase.word().to_owned(),
        row.message.to_string(),
        step,
        row.weights.set.to_string(),
        row.weights.actual.to_string(),
        row.replicas.ready.to_string(),
        row.replicas.desired.to_string(),
        row.replicas.updated.to_string(),
        row.replicas.available.to_string(),
        age(row.created, now),
    ]
}

/// Headings of [`analysis_cells`].
pub const ANALYSIS_COLUMNS: [&str; 6] = ["NAME", "STATUS", "ROLE", "METRICS", "MESSAGE", "AGE"];

/// Returns the cells of an AnalysisRun.
pub fn analysis_cells(run: &AnalysisRun, now: DateTime<Utc>) -> Vec<String> {
    let metrics = run.metrics.iter().map(|metric| {
        let newest = metric.measurements.last();
        let value = newest.map_or("-", |measured| &measured.value);
        format!("{} {value}", metric.name)
    });
    vec![
        run.object.name.to_string(),
        run.phase.word().to_owned(),
        run.role.word().to_owned(),
        metrics.collect::<Vec<_>>().join(", "),
        run.message.to_string(),
        age(run.created, now),
    ]
}

fn age(created: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    created.map(|at| age_text(at, now)).unwrap_or_default()
}

/// Returns one Rollout.
pub fn rollout(row: &Rollout, now: DateTime<Utc>) -> Value {
    let steps: Vec<String> = row.steps.iter().map(Step::words).collect();
    let pauses: Vec<Value> = row
        .pauses
        .iter()
        .map(|pause| json!({ "reason": *pause.reason, "since": pause.since }))
        .collect();
    let images: Vec<Value> = row
        .images
        .iter()
        .map(|one| json!({ "container": *one.container, "image": *one.image, "init": one.init }))
        .collect();
    json!({
        "kind": "Rollout",
        "namespace": row.object.namespace.as_deref(),
        "name": &*row.object.name,
        "uid": &*row.uid.0,
        "created": row.created,
        "deletingSince": row.deleting.as_ref().map(|deletion| deletion.since),
        "strategy": row.strategy.word(),
        "phase": row.phase.word(),
        "message": &*row.message,
        "step": row.progress().map(|(done, total)| json!({ "index": done, "of": total })),
        "steps": steps,
        "weights": weights(&row.weights),
        "replicas": {
            "desired": row.replicas.desired, "current": row.replicas.current,
            "updated": row.replicas.updated, "ready": row.replicas.ready,
            "available": row.replicas.available,
        },
        "currentHash": &*row.current_hash,
        "stableHash": &*row.stable_hash,
        "pauses": pauses,
        "pauseEnds": row.pause_ends(),
        "waitsFor": waits_for(row, now),
        "paused": row.spec_paused,
        "aborted": row.aborted,
        "images": images,
        "analyses": row.analyses.iter().map(|link| json!({
            "role": link.role.word(), "name": *link.name, "phase": link.phase.word(),
            "message": *link.message,
        })).collect::<Vec<_>>(),
        "application": row.application.as_deref(),
        "findings": row.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn weights(weights: &Weights) -> Value {
    json!({
        "set": weights.set, "actual": weights.actual, "routed": weights.routed,
        "measured": weights.measured, "verified": weights.verified, "max": weights.max,
    })
}

/// Returns one AnalysisRun.
pub fn analysis_run(run: &AnalysisRun) -> Value {
    json!({
        "kind": "AnalysisRun",
        "namespace": run.object.namespace.as_deref(),
        "name": &*run.object.name,
        "uid": &*run.uid.0,
        "created": run.created,
        "phase": run.phase.word(),
        "message": &*run.message,
        "role": run.role.word(),
        "owner": run.owner.as_ref().map(path),
        "revision": run.revision,
        "hash": &*run.hash,
        "started": run.started,
        "completed": run.completed,
        "summary": tally(&run.tally),
        "dryRunSummary": tally(&run.dry_tally),
        "metrics": run.metrics.iter().map(metric).collect::<Vec<_>>(),
        "findings": run.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn tally(tally: &Tally) -> Value {
    json!({
        "count": tally.count, "successful": tally.successful, "failed": tally.failed,
        "inconclusive": tally.inconclusive, "error": tally.error,
    })
}

fn metric(metric: &MetricResult) -> Value {
    json!({
        "name": &*metric.name,
        "phase": metric.phase.word(),
        "message": &*metric.message,
        "provider": &*metric.provider,
        "query": &*metric.query,
        "successCondition": &*metric.success_condition,
        "failureCondition": &*metric.failure_condition,
        "limits": limits(&metric.limits),
        "count": metric.counts.total,
        "successful": metric.counts.successful,
        "failed": metric.counts.failed,
        "inconclusive": metric.counts.inconclusive,
        "error": metric.counts.error,
        "dryRun": metric.dry_run,
        "measurements": metric.measurements.iter().map(measurement).collect::<Vec<_>>(),
    })
}

fn limits(limits: &Limits) -> Value {
    json!({
        "count": limits.count, "failure": limits.failure, "inconclusive": limits.inconclusive,
        "consecutiveError": limits.consecutive_error,
        "consecutiveSuccess": limits.consecutive_success,
    })
}

fn measurement(one: &Measurement) -> Value {
    json!({
        "phase": one.phase.word(), "started": one.started, "finished": one.finished,
        "value": &*one.value, "number": one.number, "message": &*one.message,
    })
}

/// Prints one Rollout with its revisions, analyses and weights.
pub async fn detail(
    session: &mut Session,
    object: ObjectRef,
    how: (Output, DateTime<Utc>),
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    picture::tell::<RolloutDetail>(session, Topic::Rollout(object), how, out).await
}

impl Picture for RolloutDetail {
    const GONE: &'static str = "the Rollout is gone";
    // Its ReplicaSets, Pods and AnalysisRuns are watched one after the other.
    const SETTLED: Option<Duration> = Some(Duration::from_millis(700));

    fn of(update: Update, ours: Ticket) -> Result<Option<Self>, Box<Update>> {
        let is_ours = matches!(&update, Update::Rollout { ticket, .. } if *ticket == ours);
        if is_ours && let Update::Rollout { detail, .. } = update {
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

/// Returns a Rollout with everything that hangs on it.
pub fn document(detail: &RolloutDetail, now: DateTime<Utc>) -> Value {
    let mut document = rollout(&detail.row, now);
    document["revisions"] = detail.revisions.iter().map(revision).collect();
    document["services"] = detail
        .services
        .iter()
        .map(|one| json!({ "name": *one.name, "role": one.role.word(), "hash": one.hash }))
        .collect();
    document["routes"] = detail
        .routes
        .iter()
        .map(|one| {
            json!({
                "object": path(&one.object), "canary": one.canary, "stable": one.stable,
                "problem": one.problem,
            })
        })
        .collect();
    document["measuredBy"] = (*detail.measured_by).into();
    document["selfHeal"] = detail
        .keeper
        .as_ref()
        .is_some_and(|one| one.self_heal)
        .into();
    document["findings"] = detail.findings.iter().map(finding).collect();
    document
}

fn revision(revision: &Revision) -> Value {
    json!({
        "revision": revision.number,
        "replicaSets": revision.replica_sets.iter().map(replica_set).collect::<Vec<_>>(),
        "analyses": revision.analyses.iter().map(analysis_run).collect::<Vec<_>>(),
        "experiments": revision.experiments.iter().map(|one| json!({
            "name": *one.object.name, "phase": one.phase.word(), "message": *one.message,
        })).collect::<Vec<_>>(),
    })
}

fn replica_set(set: &ReplicaSetView) -> Value {
    let roles: Vec<&str> = set.roles.iter().map(|role| role.word()).collect();
    let images: Vec<&str> = set.images.iter().map(|image| &*image.image).collect();
    json!({
        "name": *set.object.name, "hash": *set.hash, "roles": roles, "images": images,
        "desired": set.desired, "ready": set.ready, "available": set.available,
        "health": set.health.map(Health::word), "scaleDownAt": set.scale_down_at,
        "pods": set.pods.iter().map(|pod| json!({
            "name": *pod.object.name, "status": *pod.status, "ready": pod.ready,
            "containers": pod.containers, "restarts": pod.restarts,
        })).collect::<Vec<_>>(),
    })
}

fn print(
    detail: &RolloutDetail,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let row = &detail.row;
    let mut field = |name: &str, text: &str| -> Result<(), ReportError> {
        Ok(writeln!(out, "{name:<12} {}", harmless(text))?)
    };
    field("Name", &row.object.name)?;
    field(
        "Namespace",
        row.object.namespace.as_deref().unwrap_or_default(),
    )?;
    let colon = if row.message.is_empty() { "" } else { ": " };
    field(
        "Status",
        &format!("{}{colon}{}", row.phase.word(), row.message),
    )?;
    let waits = waits_for(row, now);
    if !waits.is_empty() {
        field("Waits for", &waits)?;
    }
    field("Strategy", row.strategy.word())?;
    let steps = row
        .steps
        .iter()
        .zip(row.step_states())
        .map(|(step, state)| {
            let mark = match state {
                crate::domain::rollout::StepState::Done => "+",
                crate::domain::rollout::StepState::Current => ">",
                crate::domain::rollout::StepState::Ahead => "-",
            };
            format!("{mark} {}", step.words())
        });
    field("Steps", &steps.collect::<Vec<_>>().join(", "))?;
    field("Weight", &weight_text(&row.weights))?;
    let replicas = row.replicas;
    field(
        "Replicas",
        &format!(
            "{} wanted, {} there, {} updated, {} ready, {} available",
            replicas.desired,
            replicas.current,
            replicas.updated,
            replicas.ready,
            replicas.available
        ),
    )?;
    print_revisions(detail, now, out)?;
    for finding in &detail.findings {
        writeln!(out, "\n{}", super::sentence(finding))?;
    }
    Ok(())
}

fn print_revisions(
    detail: &RolloutDetail,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    for revision in &detail.revisions {
        writeln!(out, "\nrevision {}", revision.number)?;
        for set in &revision.replica_sets {
            print_set(set, out)?;
        }
        for run in &revision.analyses {
            let cells = analysis_cells(run, now);
            writeln!(out, "  {}", harmless(&cells.join("  ")))?;
        }
    }
    Ok(())
}

fn weight_text(weights: &Weights) -> String {
    let mut text = format!("wanted {}, actual {}", weights.set, weights.actual);
    if let Some(routed) = weights.routed {
        text = format!("{text}, routed {routed}");
    }
    if let Some(measured) = weights.measured {
        text = format!("{text}, measured {measured:.1}");
    }
    text
}

fn print_set(set: &ReplicaSetView, out: &mut dyn Write) -> Result<(), ReportError> {
    let roles: Vec<&str> = set.roles.iter().map(|role| role.word()).collect();
    let images: Vec<&str> = set.images.iter().map(|image| &*image.image).collect();
    let health = set.health.map_or("ScaledDown", |health| health.word());
    let line = format!(
        "  {}  {}  {}/{}  {health}  {}",
        set.object.name,
        roles.join(","),
        set.ready,
        set.desired,
        images.join(",")
    );
    writeln!(out, "{}", harmless(&line))?;
    for pod in &set.pods {
        let line = format!(
            "    {}  {}  {}/{}  {} restarts",
            pod.object.name, pod.status, pod.ready, pod.containers, pod.restarts
        );
        writeln!(out, "{}", harmless(&line))?;
    }
    Ok(())
}
