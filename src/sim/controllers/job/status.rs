//! When a Job is over, and the conditions that say so. Pure.

use super::Tally;
use crate::sim::controllers::runtime::time::{api_time, utc};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};
use std::collections::BTreeSet;

/// Why a job is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Complete,
    Failed {
        reason: &'static str,
        message: &'static str,
    },
}

/// Returns why the job is over, if it is.
pub(super) fn verdict_of(
    job: &Job,
    spec: &JobSpec,
    tally: &Tally,
    now: DateTime<Utc>,
) -> Option<Verdict> {
    let limit = spec.backoff_limit.unwrap_or(6);
    if tally.failed > limit || (tally.restarts > 0 && tally.restarts > limit) {
        return Some(Verdict::Failed {
            reason: "BackoffLimitExceeded",
            message: "Job has reached the specified backoff limit",
        });
    }
    let start = job
        .status
        .as_ref()
        .and_then(|status| status.start_time.as_ref());
    let overdue = spec
        .active_deadline_seconds
        .zip(start)
        .is_some_and(|(seconds, start)| utc(start) + TimeDelta::seconds(seconds) <= now);
    if overdue && spec.suspend != Some(true) {
        return Some(Verdict::Failed {
            reason: "DeadlineExceeded",
            message: "Job was active longer than specified deadline",
        });
    }
    let complete = match spec.completions {
        Some(completions) => tally.succeeded >= completions,
        None => tally.succeeded > 0 && tally.active.is_empty(),
    };
    complete.then_some(Verdict::Complete)
}

fn is_true(status: &JobStatus, name: &str) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|one| one.type_ == name && one.status == "True")
}

/// The job has ended, one way or the other.
pub(super) fn is_finished(job: &Job) -> bool {
    let status = job.status.as_ref();
    status.is_some_and(|status| is_true(status, "Complete") || is_true(status, "Failed"))
}

/// Returns when the job ended.
pub(super) fn finished_at(job: &Job) -> Option<DateTime<Utc>> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|one| matches!(one.type_.as_str(), "Complete" | "Failed") && one.status == "True")
        .and_then(|one| one.last_transition_time.as_ref())
        .map(utc)
}

fn set(
    status: &mut JobStatus,
    name: &str,
    (value, reason, message): (&str, &str, &str),
    now: DateTime<Utc>,
) {
    let conditions = status.conditions.get_or_insert_default();
    conditions.retain(|one| one.type_ != name);
    conditions.push(JobCondition {
        type_: name.to_owned(),
        status: value.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(api_time(now)),
        last_transition_time: Some(api_time(now)),
    });
}

/// Writes the end of a job into its status.
pub(super) fn conclude(status: &mut JobStatus, verdict: &Verdict, now: DateTime<Utc>) {
    match verdict {
        Verdict::Complete => {
            let why = (
                "True",
                "CompletionsReached",
                "Reached expected number of succeeded pods",
            );
            set(status, "SuccessCriteriaMet", why, now);
            set(status, "Complete", why, now);
            status.completion_time = Some(api_time(now));
        }
        Verdict::Failed { reason, message } => {
            set(status, "FailureTarget", ("True", reason, message), now);
            set(status, "Failed", ("True", reason, message), now);
        }
    }
    status.ready = Some(0);
    status.active = None;
}

/// Notes that the job is or is no longer suspended.
pub(super) fn set_suspended(status: &mut JobStatus, suspended: bool, now: DateTime<Utc>) {
    let known = status
        .conditions
        .iter()
        .flatten()
        .find(|one| one.type_ == "Suspended")
        .map(|one| one.status == "True");
    match (suspended, known) {
        (true, None | Some(false)) => {
            set(
                status,
                "Suspended",
                ("True", "JobSuspended", "Job suspended"),
                now,
            );
            status.start_time = None;
        }
        (false, Some(true)) => {
            set(
                status,
                "Suspended",
                ("False", "JobResumed", "Job resumed"),
                now,
            );
            status.start_time = Some(api_time(now));
        }
        (true, Some(true)) | (false, None | Some(false)) => {}
    }
}

/// Spells completed indexes as upstream does: `0,2-4`.
pub(super) fn spell_indexes(indexes: &BTreeSet<i32>) -> String {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for index in indexes {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == *index => *end = *index,
            Some(_) | None => ranges.push((*index, *index)),
        }
    }
    let spelled: Vec<String> = ranges
        .iter()
        .map(|(start, end)| match end - start {
            0 => start.to_string(),
            1 => format!("{start},{end}"),
            _ => format!("{start}-{end}"),
        })
        .collect();
    spelled.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(succeeded: i32, failed: i32) -> Tally {
        Tally {
            active: Vec::new(),
            ready: 0,
            succeeded,
            failed,
            indexes: BTreeSet::new(),
            restarts: 0,
            last_failure: None,
        }
    }

    #[test]
    fn a_job_ends_with_its_completions_or_beyond_its_back_off_limit() {
        let spec = JobSpec {
            completions: Some(2),
            backoff_limit: Some(1),
            ..JobSpec::default()
        };
        let verdict = |succeeded, failed| {
            let tally = tally(succeeded, failed);
            verdict_of(&Job::default(), &spec, &tally, DateTime::UNIX_EPOCH)
        };

        assert_eq!(verdict(1, 1), None);
        assert_eq!(verdict(2, 0), Some(Verdict::Complete));
        assert!(matches!(
            verdict(1, 2),
            Some(Verdict::Failed {
                reason: "BackoffLimitExceeded",
                ..
            })
        ));
    }

    #[test]
    fn indexes_are_spelled_as_ranges() {
        assert_eq!(
            spell_indexes(&BTreeSet::from([0, 2, 3, 4, 7, 8])),
            "0,2-4,7,8"
        );
    }
}
