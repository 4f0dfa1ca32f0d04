//! Runs jobs: those whose needs have ended, beside each other; steps one after the other.

use super::Actions;
use super::definition::StepPlan;
use super::expression::{Names, fill, fill_all};
use super::record::{Conclusion, Run, State};
use crate::domain::clock::Clock as _;
use crate::sim::controllers::runtime::time::seconds;
use crate::sim::rng::Rng;
use crate::sim::steps::{Behaviour, Doer, Effect, Step, StepNote};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::collections::BTreeMap;

/// Runs what is left of a run.
pub(super) async fn run(actions: Actions, id: u64) {
    let mut running = FuturesUnordered::new();
    loop {
        for job in ready(&actions, id) {
            running.push(run_job(actions.clone(), id, job));
        }
        if running.next().await.is_none() {
            return;
        }
    }
}

/// Claims the jobs whose turn has come, and skips those whose needs have not ended well.
fn ready(actions: &Actions, id: u64) -> Vec<usize> {
    let now = actions.0.clock.now();
    let claimed = actions.change(id, |run| {
        let mut claimed = Vec::new();
        // The jobs are in their order, so one pass sees what it has skipped.
        for index in 0..run.jobs.len() {
            let ends: BTreeMap<String, State> = run
                .jobs
                .iter()
                .map(|job| (job.plan.key.clone(), job.state))
                .collect();
            let is_cancelled = run.is_cancelled;
            let Some(job) = run.jobs.get_mut(index) else {
                break;
            };
            if job.state != State::Queued {
                continue;
            }
            let needs: Vec<State> = job
                .plan
                .needs
                .iter()
                .filter_map(|need| ends.get(need).copied())
                .collect();
            if is_cancelled {
                job.end(Conclusion::Cancelled, now);
            } else if needs
                .iter()
                .any(|state| state.is_done() && *state != State::Completed(Conclusion::Success))
            {
                job.end(Conclusion::Skipped, now);
            } else if needs.iter().all(|state| state.is_done()) {
                job.state = State::Waiting;
                claimed.push(index);
            }
        }
        claimed
    });
    claimed.unwrap_or_default()
}

async fn run_job(actions: Actions, id: u64, index: usize) {
    let (seed, number) = (actions.0.seed, id.to_string());
    let mut rng = seed.stream(&["actions", &number, &index.to_string()]);
    pause(&actions, rng.between(1.5, 4.0)).await;
    let now = actions.0.clock.now();
    let begun = actions.change(id, |run| {
        let is_cancelled = run.is_cancelled;
        let job = run.jobs.get_mut(index)?;
        if is_cancelled {
            job.end(Conclusion::Cancelled, now);
            return None;
        }
        job.state = State::InProgress;
        job.started = Some(now);
        Some(job.steps.len())
    });
    let Some(count) = begun.flatten() else { return };
    let mut names = actions.read().get(&id).map(|run| names(run, index));
    let mut conclusion = Conclusion::Success;
    for step in 0..count {
        let known = names.get_or_insert_with(Names::new);
        let ended = run_step(&actions, (id, index, step), conclusion, (known, &mut rng)).await;
        match ended {
            Conclusion::Failure | Conclusion::Cancelled if conclusion == Conclusion::Success => {
                conclusion = ended;
            }
            Conclusion::Success
            | Conclusion::Skipped
            | Conclusion::Failure
            | Conclusion::Cancelled => {}
        }
    }
    let now = actions.0.clock.now();
    actions.change(id, |run| {
        if let Some(job) = run.jobs.get_mut(index) {
            let outputs = job.plan.outputs.clone();
            job.outputs = fill_all(&outputs, &names.unwrap_or_default());
            job.end(conclusion, now);
        }
    });
}

/// Waits while a step works; a cancelled run ends its steps within a second.
async fn work(actions: &Actions, id: u64, mut left: f64) {
    while left > 0.0 {
        pause(actions, left.min(1.0)).await;
        left -= 1.0;
        if actions.read().get(&id).is_none_or(|run| run.is_cancelled) {
            return;
        }
    }
}

async fn pause(actions: &Actions, span: f64) {
    let span = seconds(span).to_std().unwrap_or_default();
    actions.0.clock.sleep(span).await;
}

/// Returns what names stand for when a job begins.
pub(super) fn names(run: &Run, index: usize) -> Names {
    let occasion = &run.occasion;
    let mut names = Names::new();
    let (owner, _) = run.repository.split_once('/').unwrap_or(("", ""));
    for (name, value) in [
        ("sha", occasion.sha.to_string()),
        ("ref", format!("refs/heads/{}", occasion.branch)),
        ("ref_name", occasion.branch.clone()),
        ("run_number", run.number.to_string()),
        ("run_id", run.id.to_string()),
        ("run_attempt", run.attempt.to_string()),
        ("repository", run.repository.clone()),
        ("repository_owner", owner.to_owned()),
        ("actor", occasion.actor.clone()),
        ("event_name", occasion.event.to_owned()),
        ("workflow", run.name.clone()),
    ] {
        names.insert(format!("github.{name}"), value);
    }
    for (name, value) in &occasion.inputs {
        names.insert(format!("inputs.{name}"), value.clone());
        names.insert(format!("github.event.inputs.{name}"), value.clone());
    }
    for job in &run.jobs {
        for (name, value) in &job.outputs {
            let key = format!("needs.{}.outputs.{name}", job.plan.key);
            names.insert(key, value.clone());
        }
    }
    let own = run.jobs.get(index).map(|job| job.plan.env.clone());
    for (name, value) in run.env.iter().chain(&own.unwrap_or_default()) {
        let value = fill(value, &names);
        names.insert(format!("env.{name}"), value);
    }
    names
}

/// What a step is begun with: its plan, the image it runs on, its job.
type Begun = (StepPlan, String, String);

/// Begins a step; the error is how one ended that is not begun.
fn begin_step(
    actions: &Actions,
    (id, index, number): (u64, usize, usize),
    so_far: Conclusion,
) -> Option<Result<Begun, Conclusion>> {
    let now = actions.0.clock.now();
    let begun = actions.change(id, |run| {
        let is_cancelled = run.is_cancelled;
        let job = run.jobs.get_mut(index)?;
        let (image, job_key) = (job.plan.runs_on.clone(), job.plan.key.clone());
        let step = job.steps.get_mut(number)?;
        step.started = Some(now);
        if is_cancelled || (so_far != Conclusion::Success && !step.plan.always) {
            let end = if is_cancelled {
                Conclusion::Cancelled
            } else {
                Conclusion::Skipped
            };
            step.state = State::Completed(end);
            step.completed = Some(now);
            return Some(Err(end));
        }
        step.state = State::InProgress;
        let plan = step.plan.clone();
        job.log.push((now, format!("##[group]{}", plan.name)));
        Some(Ok((plan, image, job_key)))
    });
    begun.flatten()
}

/// Runs a step, unless the job has failed before it; returns how it ended.
async fn run_step(
    actions: &Actions,
    at: (u64, usize, usize),
    so_far: Conclusion,
    (names, rng): (&mut Names, &mut Rng),
) -> Conclusion {
    let (id, _, _) = at;
    let (plan, image, job) = match begin_step(actions, at, so_far) {
        Some(Ok(begun)) => begun,
        Some(Err(end)) => return end,
        None => return Conclusion::Cancelled,
    };
    let mut behaviour = behaviour_of(actions, (&plan, &image, &job), names, rng);
    work(actions, id, behaviour.seconds).await;
    let doer = Doer {
        namespace: "github".to_owned(),
        pod: format!("run-{id}"),
        container: job,
    };
    let code = carry_out(actions, &mut behaviour, doer).await;
    for (name, value) in &behaviour.outputs {
        names.insert(format!("steps.{}.outputs.{name}", plan.id), value.clone());
    }
    finish(actions, at, (code, plan.continue_on_error), behaviour.lines)
}

/// Returns what a step does: as it is declared, as a well-known one does, or as its script says.
pub(super) fn behaviour_of(
    actions: &Actions,
    (plan, image, job): (&StepPlan, &str, &str),
    names: &Names,
    rng: &mut Rng,
) -> Behaviour {
    let note = StepNote {
        template: job.to_owned(),
        step: plan.name.clone(),
        parameters: parameters(names),
        ..StepNote::default()
    };
    let with = fill_all(&plan.with, names);
    let script = fill(&plan.run, names);
    let words = match plan.uses.as_str() {
        "" => vec![script],
        uses => vec![uses.to_owned()],
    };
    let step = Step {
        image,
        words,
        environment: fill_all(&plan.env, names),
        files: BTreeMap::new(),
        note: &note,
    };
    let steps = &actions.0.steps;
    let mut behaviour = steps
        .declared(&step, rng)
        .or_else(|| known(&plan.uses, &with, names, rng))
        .unwrap_or_else(|| steps.usual(&step, rng));
    behaviour.seconds = behaviour.seconds.clamp(0.1, 21_600.0);
    behaviour
}

/// Returns what declared texts may name: `{sha}`, `{run_number}`, and the environment.
fn parameters(names: &Names) -> BTreeMap<String, String> {
    let short = |key: &str| -> Option<String> {
        let name = key
            .strip_prefix("github.")
            .or_else(|| key.strip_prefix("env."));
        let output = || key.rsplit_once(".outputs.").map(|(_, name)| name);
        name.or_else(output).map(str::to_owned)
    };
    names
        .iter()
        .filter_map(|(key, value)| Some((short(key)?, value.clone())))
        .collect()
}

/// Returns what well-known actions do.
fn known(
    uses: &str,
    with: &BTreeMap<String, String>,
    names: &Names,
    rng: &mut Rng,
) -> Option<Behaviour> {
    let name = uses.split('@').next().unwrap_or_default();
    let github = |name: &str| {
        names
            .get(&format!("github.{name}"))
            .cloned()
            .unwrap_or_default()
    };
    match name {
        "actions/checkout" => Some(Behaviour {
            seconds: rng.between(1.0, 2.5),
            lines: vec![
                format!("Syncing repository: {}", github("repository")),
                format!("HEAD is now at {}", github("sha")),
            ],
            ..Behaviour::default()
        }),
        "docker/build-push-action" => {
            let is_pushed = with.get("push").is_some_and(|push| push == "true");
            let tags = with.get("tags").map(String::as_str).unwrap_or_default();
            let tags = tags
                .split([',', '\n'])
                .map(str::trim)
                .filter(|tag| !tag.is_empty());
            let effects: Vec<Effect> = tags
                .filter(|_| is_pushed)
                .map(|tag| Effect::PushImage {
                    reference: tag.to_owned(),
                })
                .collect();
            Some(Behaviour {
                seconds: rng.between(18.0, 26.0),
                lines: effects
                    .iter()
                    .map(|effect| format!("#12 {effect}"))
                    .collect(),
                effects,
                ..Behaviour::default()
            })
        }
        _ => None,
    }
}

/// Carries out what a step does outside; returns what the step ends with.
async fn carry_out(actions: &Actions, behaviour: &mut Behaviour, doer: Doer) -> i32 {
    if behaviour.exit_code != 0 {
        return behaviour.exit_code;
    }
    for effect in behaviour.effects.clone() {
        match actions
            .0
            .steps
            .effects()
            .carry_out(effect, doer.clone())
            .await
        {
            Ok(lines) => behaviour.lines.extend(lines),
            Err(line) => {
                behaviour.lines.push(line);
                return 1;
            }
        }
    }
    0
}

fn finish(
    actions: &Actions,
    (id, index, number): (u64, usize, usize),
    (code, is_ignored): (i32, bool),
    lines: Vec<String>,
) -> Conclusion {
    let now = actions.0.clock.now();
    let ended = actions.change(id, |run| {
        let is_cancelled = run.is_cancelled;
        let job = run.jobs.get_mut(index)?;
        job.log.extend(lines.into_iter().map(|line| (now, line)));
        if code != 0 {
            let line = format!("##[error]Process completed with exit code {code}.");
            job.log.push((now, line));
        }
        let step = job.steps.get_mut(number)?;
        let end = if is_cancelled {
            Conclusion::Cancelled
        } else if code != 0 && !is_ignored {
            Conclusion::Failure
        } else {
            Conclusion::Success
        };
        step.state = State::Completed(end);
        step.completed = Some(now);
        Some(end)
    });
    ended.flatten().unwrap_or(Conclusion::Cancelled)
}
