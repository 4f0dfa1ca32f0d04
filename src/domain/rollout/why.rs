//! Why a Rollout or an analysis is as it is, from what is known of it alone.

use super::forecast::waits_for;
use super::{Rollout, RolloutPhase};
use crate::domain::analysis::{AnalysisPhase, AnalysisRun, MetricResult};
use crate::domain::duration::short_span;
use crate::domain::finding::{Finding, Severity};
use chrono::{DateTime, Utc};
use std::borrow::Cow;

/// Returns what is to be said of a Rollout, most important first; nothing when all is well.
pub fn why_rollout(row: &Rollout, runs: &[AnalysisRun], now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(fault(row));
    if findings.is_empty() {
        findings.extend(waiting(row, now));
    }
    if findings.is_empty() {
        findings.extend(moving(row));
    }
    let bad = runs
        .iter()
        .filter(|run| run.phase >= AnalysisPhase::Inconclusive);
    findings.extend(bad.flat_map(why_analysis));
    if row.weights.disagree() {
        findings.push(disagreement(row));
    }
    let named = findings.into_iter().map(|one| {
        if one.subject.is_some() {
            one
        } else {
            one.about(row.object.clone())
        }
    });
    named.chain(row.findings.iter().cloned()).collect()
}

/// Returns the most important thing to say about a row; `None` when all is well.
pub fn why_rollout_row(row: &Rollout, now: DateTime<Utc>) -> Option<Finding> {
    why_rollout(row, &[], now).into_iter().next()
}

/// Returns the message of a row, the cause of an abort first: of
/// "`RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: Metric …`"
/// comes "`aborted: Metric …`". Other messages are returned as they are.
pub fn message_of(row: &Rollout) -> Cow<'_, str> {
    const BEFORE: &str = "RolloutAborted: Rollout aborted update to revision ";
    let rest = row.message.strip_prefix(BEFORE);
    let Some((_revision, cause)) = rest.and_then(|rest| rest.split_once(": ")) else {
        return Cow::Borrowed(&row.message);
    };
    let cause = cause
        .split_once(" phase error/failed: ")
        .map_or(cause, |(_what, cause)| cause);
    Cow::Owned(format!("aborted: {cause}"))
}

fn fault(row: &Rollout) -> Option<Finding> {
    if row.phase != RolloutPhase::Degraded {
        return None;
    }
    let (sentence, hint) = if row.aborted {
        (
            format!("the update was {}", message_of(row)),
            "retry it, undo it, or deliver a new version; the stable version has all traffic",
        )
    } else if row.message.starts_with("InvalidSpec") {
        (
            format!("its spec is invalid, so nothing moves: {}", row.message),
            "correct the field that is named, in git",
        )
    } else if row.message.starts_with("ProgressDeadlineExceeded") {
        (
            format!(
                "{} of {} new replicas are there, and no more came in time: {}",
                row.replicas.updated, row.replicas.desired, row.message
            ),
            "look at the Pods of the new version, then abort it or raise `progressDeadlineSeconds`",
        )
    } else {
        (
            format!("it is Degraded: {}", row.message),
            "look at its conditions and its Pods",
        )
    };
    Some(Finding::new(Severity::Error, sentence).with_hint(hint))
}

fn waiting(row: &Rollout, now: DateTime<Utc>) -> Option<Finding> {
    if row.phase != RolloutPhase::Paused && !row.is_unpausing() {
        return None;
    }
    if row.is_unpausing() {
        let sentence = "a promotion is on its way to the controller";
        let hint = "when it stays so, the controller is down";
        return Some(Finding::new(Severity::Info, sentence).with_hint(hint));
    }
    let pause = row.pauses.first();
    let since = pause
        .and_then(|pause| pause.since)
        .map_or(String::new(), |at| {
            format!(" since {}", short_span(now - at))
        });
    let step = match (row.progress(), row.current_step()) {
        (Some((index, total)), Some(step)) => {
            format!(" at step {} of {total} (`{}`)", index + 1, step.words())
        }
        (_, _) => String::new(),
    };
    let waits = waits_for(row, now);
    let reason = pause.map_or("spec.paused", |pause| &*pause.reason);
    let sentence = format!("it is paused{since}{step} by {reason} and waits for {waits}");
    let finding = Finding::new(Severity::Info, sentence);
    Some(match row.pause_ends() {
        Some(_) => finding,
        None if pause.is_none() => finding.with_hint("resume it to go on"),
        None => finding.with_hint("promote it to go on, or abort it"),
    })
}

fn moving(row: &Rollout) -> Option<Finding> {
    if row.phase != RolloutPhase::Progressing {
        return None;
    }
    let step = match (row.progress(), row.current_step()) {
        (Some((index, total)), Some(step)) => {
            format!("step {} of {total} (`{}`): ", index + 1, step.words())
        }
        (_, _) => String::new(),
    };
    let replicas = row.replicas;
    let counts = if replicas.available < replicas.desired {
        format!(
            "; {} of {} replicas are available",
            replicas.available, replicas.desired
        )
    } else {
        String::new()
    };
    let sentence = format!("{step}{}{counts}", row.message);
    Some(Finding::new(Severity::Info, sentence))
}

fn disagreement(row: &Rollout) -> Finding {
    let weights = row.weights;
    let mut parts = vec![format!("the steps want {}", weights.set)];
    parts.extend(
        weights
            .routed
            .map(|routed| format!("the route says {routed}")),
    );
    parts.extend(
        weights
            .measured
            .map(|share| format!("{share:.1} is measured")),
    );
    if weights.verified == Some(false) {
        parts.push(String::from("the router does not confirm it"));
    }
    let sentence = format!("the weights do not agree: {}", parts.join(", "));
    let hint = "weights move only when the new Pods are available; if it stays, look at the route";
    Finding::new(Severity::Warning, sentence).with_hint(hint)
}

/// Returns what is to be said of an analysis run, most important first.
pub fn why_analysis(run: &AnalysisRun) -> Vec<Finding> {
    let mut findings: Vec<Finding> = run
        .failures()
        .into_iter()
        .map(|metric| of_metric(run, metric))
        .collect();
    if findings.is_empty() && run.phase >= AnalysisPhase::Inconclusive {
        let sentence = format!("it is {}: {}", run.phase.word(), run.message);
        findings.push(Finding::new(Severity::Error, sentence));
    }
    let named = findings
        .into_iter()
        .map(|one| one.about(run.object.clone()));
    named.chain(run.findings.iter().cloned()).collect()
}

fn of_metric(run: &AnalysisRun, metric: &MetricResult) -> Finding {
    let wanted = metric.wish();
    let wanted = if wanted.is_empty() {
        String::new()
    } else {
        format!("; wanted {wanted}")
    };
    let decisive = metric
        .measurements
        .iter()
        .rev()
        .find(|one| one.phase == metric.phase)
        .or_else(|| metric.measurements.last());
    let measured = match decisive {
        Some(one) if one.phase == AnalysisPhase::Error => format!(" said `{}`", one.message),
        Some(one) => format!(" measured {}", one.value),
        None => String::from(" measured nothing"),
    };
    let try_out = if metric.dry_run {
        " (tried out only)"
    } else {
        ""
    };
    let sentence = format!(
        "analysis `{}`: metric `{}`{try_out}{measured}{wanted}; it is {}: {}",
        run.object.name,
        metric.name,
        metric.phase.word(),
        metric.message
    );
    let severity = if metric.dry_run {
        Severity::Info
    } else {
        Severity::Error
    };
    let hint = match metric.phase {
        AnalysisPhase::Error => "ask its query yourself; is its provider reachable?",
        AnalysisPhase::Inconclusive => "judge it yourself: promote or abort",
        AnalysisPhase::Failed => "look at the new version's logs and metrics",
        AnalysisPhase::Successful | AnalysisPhase::Running | AnalysisPhase::Pending => {
            "it is not decided yet"
        }
    };
    Finding::new(severity, sentence).with_hint(hint)
}
