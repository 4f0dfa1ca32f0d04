//! Turns AnalysisRuns and Experiments of Argo Rollouts into
//! [`domain::analysis`](crate::domain::analysis).
//!
//! Field meanings: Argo Rollouts `pkg/apis/rollouts/v1alpha1/{analysis,experiment}_types.go`.

mod metric;

use super::loose::{Loose, Meta, annotation, at, owner};
use crate::domain::analysis::{
    AnalysisPhase, AnalysisRole, AnalysisRun, Experiment, ExperimentTemplate, Tally,
};
use crate::domain::duration::parse_duration;
use crate::domain::kind::ARGO;
use crate::domain::object::{Cluster, GroupKind, Text};
use chrono::TimeDelta;
use serde_json::Value;

/// The kind of an AnalysisRun.
pub fn analysis_run_kind() -> GroupKind {
    GroupKind::new(ARGO, "AnalysisRun")
}

/// The kind of an Experiment.
pub fn experiment_kind() -> GroupKind {
    GroupKind::new(ARGO, "Experiment")
}

/// Reads one AnalysisRun.
pub fn analysis_run(value: &Value, cluster: &Cluster) -> AnalysisRun {
    let mut loose = Loose::default();
    let meta = Meta::read(value, cluster, &analysis_run_kind(), &mut loose);
    let owner = owner(value, cluster, meta.object.namespace.as_ref()).map(|owner| owner.object);
    let status = ["status", "runSummary"];
    let dry = ["status", "dryRunSummary"];
    AnalysisRun {
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        created: meta.created,
        deleting: meta.deleting.is_some(),
        labels: meta.labels.clone(),
        phase: phase(value, &["status", "phase"], &mut loose),
        message: loose.text(value, &["status", "message"]),
        role: role(&meta, owner.as_ref().map(|owner| &owner.kind)),
        revision: revision(value),
        hash: meta.label("rollouts-pod-template-hash").into(),
        started: loose.time(value, &["status", "startedAt"]),
        completed: loose.time(value, &["status", "completedAt"]),
        metrics: metric::metrics(value, &mut loose),
        args: args(value, &mut loose),
        tally: tally(value, &status, &mut loose),
        dry_tally: tally(value, &dry, &mut loose),
        terminating: loose.flag(value, &["spec", "terminate"]).unwrap_or(false),
        owner,
        findings: loose.findings(&meta.object),
        object: meta.object,
    }
}

/// Reads one Experiment.
pub fn experiment(value: &Value, cluster: &Cluster) -> Experiment {
    let mut loose = Loose::default();
    let meta = Meta::read(value, cluster, &experiment_kind(), &mut loose);
    let owner = owner(value, cluster, meta.object.namespace.as_ref());
    let templates = loose.list(value, &["status", "templateStatuses"]);
    let templates = templates.iter().map(|one| ExperimentTemplate {
        name: loose.text(one, &["name"]),
        status: loose.text(one, &["status"]),
        replicas: loose.count(one, &["replicas"]).unwrap_or(0),
        ready: loose.count(one, &["readyReplicas"]).unwrap_or(0),
        available: loose.count(one, &["availableReplicas"]).unwrap_or(0),
    });
    let templates = templates.collect();
    let analyses = loose.list(value, &["status", "analysisRuns"]);
    let analyses = analyses.iter().map(|one| {
        let name = loose.text(one, &["name"]);
        let run = loose.text(one, &["analysisRun"]);
        (name, run, phase(one, &["phase"], &mut loose))
    });
    let analyses = analyses.collect();
    Experiment {
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        created: meta.created,
        deleting: meta.deleting.is_some(),
        labels: meta.labels.clone(),
        phase: phase(value, &["status", "phase"], &mut loose),
        message: loose.text(value, &["status", "message"]),
        owner: owner.map(|owner| owner.object),
        revision: revision(value),
        step: step_of_name(&meta.object.name),
        hash: meta.label("rollouts-pod-template-hash").into(),
        duration: parse_duration(loose.str(value, &["spec", "duration"])),
        available_at: loose.time(value, &["status", "availableAt"]),
        templates,
        analyses,
        terminating: loose.flag(value, &["spec", "terminate"]).unwrap_or(false),
        findings: loose.findings(&meta.object),
        object: meta.object,
    }
}

fn phase(value: &Value, path: &[&str], loose: &mut Loose) -> AnalysisPhase {
    let word = loose.str(value, path);
    AnalysisPhase::from_word(word).unwrap_or_else(|| {
        if let Some(found) = at(value, path) {
            loose.note(path, found, "a phase of Argo Rollouts");
        }
        AnalysisPhase::Pending
    })
}

fn role(meta: &Meta, owner: Option<&GroupKind>) -> AnalysisRole {
    let step = || meta.label("step-index").parse().unwrap_or(0);
    match meta.label("rollout-type") {
        "Step" => AnalysisRole::Step(step()),
        "Background" => AnalysisRole::Background,
        "PrePromotion" => AnalysisRole::PrePromotion,
        "PostPromotion" => AnalysisRole::PostPromotion,
        _ if owner.is_some_and(|kind| kind.is(ARGO, "Experiment")) => AnalysisRole::Experiment,
        _ => AnalysisRole::Standalone,
    }
}

fn revision(value: &Value) -> Option<i64> {
    annotation(value, "rollout.argoproj.io/revision")
        .parse()
        .ok()
}

/// `ROLLOUT-HASH-REVISION-STEP`.
fn step_of_name(name: &str) -> Option<u32> {
    name.rsplit('-').next()?.parse().ok()
}

fn args(value: &Value, loose: &mut Loose) -> Vec<(Text, Text)> {
    let args = loose.list(value, &["spec", "args"]);
    let args = args.iter().filter_map(|one| {
        let value = at(one, &["value"])?.as_str()?;
        Some((loose.text(one, &["name"]), Text::from(value)))
    });
    args.collect()
}

fn tally(value: &Value, path: &[&str; 2], loose: &mut Loose) -> Tally {
    let mut count = |field: &str| {
        let [status, summary] = *path;
        loose.count(value, &[status, summary, field]).unwrap_or(0)
    };
    Tally {
        count: count("count"),
        successful: count("successful"),
        failed: count("failed"),
        inconclusive: count("inconclusive"),
        error: count("error"),
    }
}

/// Reads a span as the controller writes it; a number counts seconds.
pub(super) fn span(value: &Value, path: &[&str]) -> Option<TimeDelta> {
    match at(value, path)? {
        Value::String(text) => parse_duration(text),
        Value::Number(number) => TimeDelta::try_seconds(number.as_i64()?),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
