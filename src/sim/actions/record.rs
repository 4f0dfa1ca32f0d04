//! Runs, jobs and steps as they are kept.

use super::definition::{Definition, JobPlan, StepPlan};
use crate::sim::git::{CommitInfo, Sha};
use crate::sim::rng::fnv32a;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// How something has ended; the words are GitHub's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conclusion {
    Success,
    Failure,
    Cancelled,
    Skipped,
}

impl Conclusion {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// How far something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Queued,
    /// A runner has been asked for.
    Waiting,
    InProgress,
    Completed(Conclusion),
}

impl State {
    pub(super) fn is_done(self) -> bool {
        self.conclusion().is_some()
    }

    pub(super) fn conclusion(self) -> Option<Conclusion> {
        match self {
            Self::Completed(conclusion) => Some(conclusion),
            Self::Queued | Self::Waiting | Self::InProgress => None,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Queued | Self::Waiting => "queued",
            Self::InProgress => "in_progress",
            Self::Completed(_) => "completed",
        }
    }
}

/// A step of a job.
#[derive(Clone, Debug)]
pub(super) struct StepRecord {
    pub(super) plan: StepPlan,
    pub(super) state: State,
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) completed: Option<DateTime<Utc>>,
}

/// A job of a run.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) plan: JobPlan,
    pub(super) state: State,
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) completed: Option<DateTime<Utc>>,
    pub(super) steps: Vec<StepRecord>,
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) log: Vec<(DateTime<Utc>, String)>,
}

impl Job {
    fn new(plan: JobPlan) -> Self {
        let steps = plan.steps.iter().map(|plan| StepRecord {
            plan: plan.clone(),
            state: State::Queued,
            started: None,
            completed: None,
        });
        Self {
            id: 0,
            steps: steps.collect(),
            plan,
            state: State::Queued,
            started: None,
            completed: None,
            outputs: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    pub(super) fn end(&mut self, conclusion: Conclusion, now: DateTime<Utc>) {
        self.state = State::Completed(conclusion);
        self.started = self.started.or(Some(now));
        self.completed = Some(now);
    }
}

/// What a run was begun by.
#[derive(Clone, Debug)]
pub(super) struct Occasion {
    pub(super) event: &'static str,
    pub(super) branch: String,
    pub(super) sha: Sha,
    pub(super) actor: String,
    pub(super) inputs: BTreeMap<String, String>,
}

/// A run of a workflow.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) attempt: u64,
    pub(super) repository: String,
    pub(super) path: String,
    pub(super) name: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) refusal: Option<String>,
    pub(super) occasion: Occasion,
    pub(super) commit: Option<CommitInfo>,
    pub(super) created: DateTime<Utc>,
    pub(super) started: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
    pub(super) jobs: Vec<Job>,
    pub(super) is_cancelled: bool,
}

/// Returns the id of a workflow file.
pub(super) fn workflow_id(repository: &str, path: &str) -> u64 {
    u64::from(fnv32a(format!("{repository}/{path}").as_bytes()))
}

impl Run {
    pub(super) fn new(
        (id, number): (u64, u64),
        repository: &str,
        definition: Definition,
        occasion: Occasion,
    ) -> Self {
        let jobs = match &definition.refusal {
            Some(_) => Vec::new(),
            None => definition.jobs.into_iter().map(Job::new).collect(),
        };
        Self {
            id,
            number,
            attempt: 1,
            repository: repository.to_owned(),
            path: definition.path,
            name: definition.name,
            env: definition.env,
            refusal: definition.refusal,
            occasion,
            commit: None,
            created: DateTime::default(),
            started: DateTime::default(),
            updated: DateTime::default(),
            jobs,
            is_cancelled: false,
        }
    }

    /// Returns how the whole has ended; none: it goes on.
    pub(super) fn conclusion(&self) -> Option<Conclusion> {
        if self.refusal.is_some() {
            return Some(Conclusion::Failure);
        }
        let ends: Option<Vec<Conclusion>> =
            self.jobs.iter().map(|job| job.state.conclusion()).collect();
        let ends = ends?;
        Some(if ends.contains(&Conclusion::Failure) {
            Conclusion::Failure
        } else if self.is_cancelled || ends.contains(&Conclusion::Cancelled) {
            Conclusion::Cancelled
        } else if ends.iter().all(|end| *end == Conclusion::Skipped) {
            Conclusion::Skipped
        } else {
            Conclusion::Success
        })
    }

    /// Returns how far the whole is, in GitHub's word.
    pub(super) fn status(&self) -> &'static str {
        if self.conclusion().is_some() {
            return "completed";
        }
        let has_begun = |job: &Job| matches!(job.state, State::InProgress | State::Completed(_));
        if self.jobs.iter().any(has_begun) {
            "in_progress"
        } else {
            "queued"
        }
    }

    /// Makes ready to run all jobs again, or those that did not end well.
    pub(super) fn reset(&mut self, only_failed: bool, now: DateTime<Utc>) {
        self.attempt += 1;
        self.is_cancelled = false;
        self.started = now;
        self.updated = now;
        for job in &mut self.jobs {
            let is_good = job.state == State::Completed(Conclusion::Success);
            if !(only_failed && is_good) {
                *job = Job::new(job.plan.clone());
            }
        }
    }
}
