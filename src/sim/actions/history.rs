//! Runs of commits that are older than the platform: told as they would have gone, at the times
//! they would have had. What their steps changed outside was changed then, so nothing is now.

use super::Actions;
use super::definition::Definition;
use super::expression::fill_all;
use super::record::{Conclusion, Occasion, Run, State};
use super::runner::{behaviour_of, names};
use crate::domain::clock::Clock as _;
use crate::sim::controllers::runtime::time::seconds;
use crate::sim::git::CommitInfo;
use crate::sim::rng::Rng;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// A commit of the last minute is one that somebody has just pushed.
const YOUNG: TimeDelta = TimeDelta::minutes(1);
/// How many commits of a repository are told of.
const COMMITS: usize = 20;

impl Actions {
    /// Tells the runs of the commits of a branch; those that are new are run instead.
    pub(super) fn remember(&self, repository: &str, branch: &str) {
        let git = &self.0.git;
        let Ok(head) = git.resolve(repository, branch) else {
            return;
        };
        let mut commits = match git.log(repository, head.as_str(), COMMITS) {
            Ok(commits) => commits,
            Err(error) => {
                tracing::warn!(repository, "its history cannot be read: {error}");
                return;
            }
        };
        commits.reverse();
        for commit in commits {
            if self.0.clock.now() - commit.date < YOUNG {
                self.on_push(repository, (branch, &commit.sha), &commit.author.name);
                continue;
            }
            let found = self
                .definitions(repository, &commit.sha)
                .unwrap_or_default();
            for definition in found.into_iter().filter(|one| one.runs_on_push(branch)) {
                self.tell(repository, (definition, branch), &commit);
            }
        }
    }

    fn tell(
        &self,
        repository: &str,
        (definition, branch): (Definition, &str),
        commit: &CommitInfo,
    ) {
        let occasion = Occasion {
            event: "push",
            branch: branch.to_owned(),
            sha: commit.sha.clone(),
            actor: commit.author.name.clone(),
            inputs: BTreeMap::new(),
        };
        let id = self.new_id();
        let mut run = self.new_run(id, repository, definition, occasion);
        run.commit = Some(commit.clone());
        run.created = commit.date + TimeDelta::seconds(3);
        run.started = run.created;
        let mut rng = self.0.seed.stream(&["actions", "history", &id.to_string()]);
        for index in 0..run.jobs.len() {
            let ended = tell_job(self, &mut run, index, &mut rng);
            run.updated = run.updated.max(ended);
        }
        self.write().insert(id, run);
    }
}

/// Tells one job; those it needs are told already. Returns when it ended.
fn tell_job(actions: &Actions, run: &mut Run, index: usize, rng: &mut Rng) -> DateTime<Utc> {
    let known = names(run, index);
    let Some(job) = run.jobs.get(index) else {
        return run.updated;
    };
    let needed: Vec<(State, Option<DateTime<Utc>>)> = run
        .jobs
        .iter()
        .filter(|other| job.plan.needs.contains(&other.plan.key))
        .map(|other| (other.state, other.completed))
        .collect();
    let ends = needed.iter().filter_map(|(_, end)| *end).max();
    let from = ends.unwrap_or(run.created) + seconds(rng.between(1.5, 4.0));
    let is_good = |state: &State| *state == State::Completed(Conclusion::Success);
    let runs = needed.iter().all(|(state, _)| is_good(state));
    let Some(job) = run.jobs.get_mut(index) else {
        return run.updated;
    };
    if !runs {
        job.end(Conclusion::Skipped, from);
        return from;
    }
    job.started = Some(from);
    let (mut at, mut conclusion, mut known) = (from, Conclusion::Success, known);
    let (image, key) = (job.plan.runs_on.clone(), job.plan.key.clone());
    for step in &mut job.steps {
        step.started = Some(at);
        if conclusion != Conclusion::Success && !step.plan.always {
            step.state = State::Completed(Conclusion::Skipped);
            step.completed = Some(at);
            continue;
        }
        let behaviour = behaviour_of(actions, (&step.plan, &image, &key), &known, rng);
        job.log.push((at, format!("##[group]{}", step.plan.name)));
        at += seconds(behaviour.seconds);
        job.log
            .extend(behaviour.lines.into_iter().map(|line| (at, line)));
        for (name, value) in behaviour.outputs {
            known.insert(format!("steps.{}.outputs.{name}", step.plan.id), value);
        }
        let code = behaviour.exit_code;
        let mut end = Conclusion::Success;
        if code != 0 {
            let line = format!("##[error]Process completed with exit code {code}.");
            job.log.push((at, line));
            if !step.plan.continue_on_error {
                end = Conclusion::Failure;
                conclusion = end;
            }
        }
        step.state = State::Completed(end);
        step.completed = Some(at);
    }
    let outputs = job.plan.outputs.clone();
    job.outputs = fill_all(&outputs, &known);
    job.end(conclusion, at);
    at
}
