//! What measurements add up to: the phase of a metric and of a run, and what is due when. Pure.
//!
//! Follows Argo Rollouts' `analysis/analysis.go`: `generateMetricTasks`, `assessRunStatus`,
//! `assessMetricStatus`, `calculateNextReconcileTime` and `garbageCollectMeasurements`.

use super::metric::Metric;
use super::model::{AnalysisRun, Measurement, MetricResult, Phase, Rule, RunStatus, Summary};
use crate::sim::controllers::runtime::time::{api_time, utc};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// After an error, a measurement is tried again so much later.
const RETRY: TimeDelta = TimeDelta::seconds(10);
/// Measurements that are kept when nothing is said.
pub(super) const RETENTION: usize = 10;

/// A measurement that has to be worked on now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Task {
    /// Which metric of the run.
    pub(super) index: usize,
    /// The measurement that is under way.
    pub(super) begun: Option<Measurement>,
}

/// The rules of a run by the metrics that they match.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules<'a> {
    pub(super) dry_run: BTreeMap<String, &'a Rule>,
    pub(super) retention: BTreeMap<String, &'a Rule>,
}

/// Something that happened and is told as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) metric: String,
    pub(super) phase: Phase,
}

/// The run is ending: it was told to, or a metric that counts has gone wrong.
pub(super) fn is_terminating(run: &AnalysisRun) -> bool {
    let mut results = run.status.metric_results.iter().flatten();
    run.spec.terminate
        || results.any(|result| {
            !result.dry_run
                && matches!(
                    result.phase,
                    Phase::Failed | Phase::Error | Phase::Inconclusive
                )
        })
}

/// Returns when the next measurement of a metric is due, given its last one; none for never.
fn next_after(metric: &Metric, result: &MetricResult, last: &Measurement) -> Option<DateTime<Utc>> {
    let finished = last.finished_at.as_ref().map(utc)?;
    let count = metric.effective_count();
    if count.is_some_and(|count| i64::from(result.count) >= count) {
        return None;
    }
    if last.phase == Phase::Error {
        return Some(finished + RETRY);
    }
    Some(finished + metric.interval.unwrap_or(RETRY))
}

/// Returns the measurements to begin or to go on with.
pub(super) fn tasks(run: &AnalysisRun, metrics: &[Metric], now: DateTime<Utc>) -> Vec<Task> {
    let terminating = is_terminating(run);
    let mut tasks = Vec::new();
    for (index, metric) in metrics.iter().enumerate() {
        let result = run.status.result(&metric.name);
        if result.is_some_and(|result| result.phase.has_ended()) {
            continue;
        }
        let last = result.and_then(|result| Some((result, result.measurements.last()?)));
        let begun = last.map(|(_, last)| last);
        if let Some(begun) = begun.filter(|last| last.finished_at.is_none()) {
            let later = begun.resume_at.as_ref().is_some_and(|at| utc(at) > now);
            if !later {
                let begun = Some(begun.clone());
                tasks.push(Task { index, begun });
            }
            continue;
        }
        let due = match last {
            Some((result, last)) => next_after(metric, result, last),
            None => match (metric.initial_delay, &run.status.started_at) {
                (None, _) => Some(now),
                (Some(delay), Some(started)) => Some(utc(started) + delay),
                (Some(_), None) => None,
            },
        };
        if !terminating && due.is_some_and(|due| due <= now) {
            tasks.push(Task { index, begun: None });
        }
    }
    tasks
}

/// Returns when the run has to be looked at again.
pub(super) fn next_look(
    status: &RunStatus,
    metrics: &[Metric],
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let due = metrics.iter().filter_map(|metric| {
        let result = status.result(&metric.name);
        if result.is_some_and(|result| result.phase.has_ended()) {
            return None;
        }
        let last = result.and_then(|result| Some((result, result.measurements.last()?)));
        match last {
            Some((_, last)) if last.finished_at.is_none() => last.resume_at.as_ref().map(utc),
            Some((result, last)) => next_after(metric, result, last),
            None => {
                let started = status.started_at.as_ref().map_or(now, utc);
                metric.initial_delay.map(|delay| started + delay)
            }
        }
    });
    due.min()
}

/// Takes a measurement into what came of its metric.
pub(super) fn record(result: &mut MetricResult, measurement: Measurement, begun: bool) {
    match measurement.phase {
        Phase::Successful => {
            result.successful += 1;
            result.count += 1;
            result.consecutive_error = 0;
            result.consecutive_success += 1;
        }
        Phase::Failed => {
            result.failed += 1;
            result.count += 1;
            result.consecutive_error = 0;
            result.consecutive_success = 0;
        }
        Phase::Inconclusive => {
            result.inconclusive += 1;
            result.count += 1;
            result.consecutive_error = 0;
            result.consecutive_success = 0;
        }
        Phase::Error => {
            result.error += 1;
            result.consecutive_error += 1;
            result.consecutive_success = 0;
        }
        Phase::Unset | Phase::Running | Phase::Pending | Phase::Unknown => {}
    }
    if begun {
        result.measurements.pop();
    }
    result.measurements.push(measurement);
}

/// Says whether a metric has crossed a limit, and which.
fn crossed(metric: &Metric, result: &MetricResult) -> Option<(Phase, String)> {
    let limit = metric.consecutive_error_limit;
    if i64::from(result.consecutive_error) > limit {
        let count = result.consecutive_error;
        let why = format!("consecutiveErrors ({count}) > consecutiveErrorLimit ({limit})");
        return Some((Phase::Error, why));
    }
    let limit = metric.inconclusive_limit;
    if i64::from(result.inconclusive) > limit {
        let count = result.inconclusive;
        let why = format!("inconclusive ({count}) > inconclusiveLimit ({limit})");
        return Some((Phase::Inconclusive, why));
    }
    let limit = metric.failure_limit;
    if limit >= 0 && i64::from(result.failed) > limit {
        let why = format!("failed ({}) > failureLimit ({limit})", result.failed);
        return Some((Phase::Failed, why));
    }
    let wanted = metric.consecutive_success_limit;
    let unreached = wanted > 0 && i64::from(result.consecutive_success) < wanted;
    if unreached && has_count(metric, result) {
        let count = metric.effective_count().unwrap_or_default();
        let why = format!(
            "consecutiveSuccess ({}) < consecutiveSuccessLimit ({wanted}) when count ({count}) was reached",
            result.consecutive_success
        );
        let phase = if metric.failure_limit < 0 {
            Phase::Failed
        } else {
            Phase::Inconclusive
        };
        return Some((phase, why));
    }
    None
}

fn has_count(metric: &Metric, result: &MetricResult) -> bool {
    let count = metric.effective_count();
    count.is_some_and(|count| i64::from(result.count) >= count)
}

/// Returns the phase of a metric.
pub(super) fn metric_phase(metric: &Metric, result: &MetricResult, terminating: bool) -> Phase {
    if result.phase.has_ended() {
        return result.phase;
    }
    let Some(last) = result.measurements.last() else {
        return if terminating {
            Phase::Successful
        } else {
            Phase::Pending
        };
    };
    if !last.phase.has_ended() {
        return Phase::Running;
    }
    let wanted = metric.consecutive_success_limit;
    let lucky = wanted > 0 && i64::from(result.consecutive_success) >= wanted;
    match crossed(metric, result) {
        // A row of successes is enough, unless a limit was crossed before.
        Some((phase, _)) => phase,
        None if lucky || has_count(metric, result) || terminating => Phase::Successful,
        None => Phase::Running,
    }
}

/// Brings phases, messages and summaries of a run up to date; returns which metrics have ended.
pub(super) fn assess(
    run: &mut AnalysisRun,
    metrics: &[Metric],
    rules: &Rules<'_>,
    now: DateTime<Utc>,
) -> Vec<Ended> {
    let terminating = is_terminating(run);
    let mut overview = Overview {
        message: if run.spec.terminate {
            "Run Terminated".to_owned()
        } else {
            String::new()
        },
        ..Overview::default()
    };
    let status = &mut run.status;
    status.started_at.get_or_insert_with(|| api_time(now));
    for metric in metrics {
        let dry = rules.dry_run.contains_key(&metric.name);
        let summary = if dry {
            &mut overview.dry_run
        } else {
            &mut overview.summary
        };
        summary.count += 1;
        match status.result(&metric.name).cloned() {
            None => overview.going_on = true,
            Some(result) => {
                let result = overview.take(metric, result, terminating, dry);
                status.set_result(result);
            }
        }
    }
    status.run_summary = Some(overview.summary);
    status.dry_run_summary = Some(overview.dry_run);
    let nothing_known = overview.worst == Phase::Unset;
    let (phase, message) = if terminating && nothing_known {
        (Phase::Successful, overview.message)
    } else if !terminating && (nothing_known || overview.going_on) {
        (Phase::Running, String::new())
    } else {
        (overview.worst, overview.message)
    };
    if phase != status.phase {
        status.phase = phase;
        status.message = message;
        if phase.has_ended() {
            status.completed_at = Some(api_time(now));
        }
    }
    overview.ended
}

/// What the metrics that were looked at add up to.
#[derive(Default)]
struct Overview {
    worst: Phase,
    message: String,
    summary: Summary,
    dry_run: Summary,
    going_on: bool,
    ended: Vec<Ended>,
}

impl Overview {
    /// Looks at one more metric and returns its result brought up to date.
    fn take(
        &mut self,
        metric: &Metric,
        mut result: MetricResult,
        terminating: bool,
        dry: bool,
    ) -> MetricResult {
        let phase = metric_phase(metric, &result, terminating);
        if phase != result.phase {
            if phase.has_ended() {
                self.ended.push(Ended {
                    metric: metric.name.clone(),
                    phase,
                });
            }
            if let Some(last) = result.measurements.last() {
                result.message.clone_from(&last.message);
            }
            result.phase = phase;
        }
        if !phase.has_ended() {
            self.going_on = true;
            return result;
        }
        let why = crossed(metric, &result);
        let counted = why.as_ref().map_or(Phase::Successful, |(phase, _)| *phase);
        let why = why.map(|(_, why)| why);
        if dry {
            if self.worst == Phase::Unset {
                self.worst = Phase::Successful;
            }
            if let Some(why) = why {
                result.message = format!("Metric assessed {phase} due to {why}");
            }
            self.dry_run.add(counted);
            return result;
        }
        if self.worst == Phase::Unset || phase.is_worse_than(self.worst) {
            self.worst = phase;
            if let Some(why) = why {
                self.message = format!("Metric \"{}\" assessed {phase} due to {why}", metric.name);
                if !result.message.is_empty() {
                    self.message =
                        format!("{}: \"Error Message: {}\"", self.message, result.message);
                }
            }
        }
        self.summary.add(counted);
        result
    }
}

/// Returns how many measurements of a metric are kept.
pub(super) fn kept(rules: &Rules<'_>, metric: &str) -> usize {
    let limit = rules.retention.get(metric).map_or(0, |rule| rule.limit);
    match usize::try_from(limit) {
        Ok(limit) if limit > 0 => limit,
        Ok(_) | Err(_) => RETENTION,
    }
}

/// Drops the oldest measurements beyond what is kept; returns the metrics that had too many.
pub(super) fn trim(status: &mut RunStatus, rules: &Rules<'_>) -> Vec<String> {
    let mut trimmed = Vec::new();
    for result in status.metric_results.iter_mut().flatten() {
        let surplus = result
            .measurements
            .len()
            .saturating_sub(kept(rules, &result.name));
        if surplus > 0 {
            result.measurements.drain(..surplus);
            trimmed.push(result.name.clone());
        }
    }
    trimmed
}

/// Returns when a run that has ended is to be deleted, by its `ttlStrategy`.
pub(super) fn expires(run: &AnalysisRun) -> Option<DateTime<Utc>> {
    let lifetime = run.spec.ttl_strategy.as_ref()?;
    let ended = run.status.completed_at.as_ref().map(utc)?;
    let particular = match run.status.phase {
        Phase::Successful => lifetime.seconds_after_success,
        Phase::Failed => lifetime.seconds_after_failure,
        Phase::Unset
        | Phase::Running
        | Phase::Pending
        | Phase::Inconclusive
        | Phase::Error
        | Phase::Unknown => None,
    };
    let seconds = particular.or(lifetime.seconds_after_completion)?;
    Some(ended + TimeDelta::seconds(i64::from(seconds)))
}

#[cfg(test)]
mod tests;
