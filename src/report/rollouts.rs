//! Rollouts and AnalysisRuns as cells and as the stable JSON.
//!
//! Members are only ever added; words are Argo Rollouts' own.

use super::documents::{finding, path};
use crate::domain::age::age_text;
use crate::domain::analysis::{AnalysisRun, Limits, Measurement, MetricResult, Tally};
use crate::domain::rollout::{Rollout, Weights};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

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
    let steps: Vec<String> = row.steps.iter().map(|step| step.words()).collect();
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
        "waitsFor": crate::domain::rollout::forecast::waits_for(row, now),
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
