//! Runs, jobs and workflows as GitHub writes them.

use crate::sim::actions::record::{Conclusion, Job, Run, StepRecord, workflow_id};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Returns where a run's API is, without a host: the reader knows whom it asked.
fn api(run: &Run) -> String {
    format!("/repos/{}/actions/runs/{}", run.repository, run.id)
}

pub(super) fn workflow(repository: &str, path: &str, name: &str) -> Value {
    let id = workflow_id(repository, path);
    json!({
        "id": id,
        "name": name,
        "path": path,
        "state": "active",
        "url": format!("/repos/{repository}/actions/workflows/{id}"),
    })
}

pub(super) fn run(run: &Run) -> Value {
    let occasion = &run.occasion;
    let message = run.commit.as_ref().map(|commit| commit.message.clone());
    let title = message.as_deref().and_then(|text| text.lines().next());
    let api = api(run);
    let name = run.repository.rsplit('/').next();
    json!({
        "id": run.id,
        "name": run.name,
        "path": run.path,
        "display_title": title.unwrap_or(&run.name),
        "run_number": run.number,
        "run_attempt": run.attempt,
        "event": occasion.event,
        "status": run.status(),
        "conclusion": run.conclusion().map(Conclusion::word),
        "workflow_id": workflow_id(&run.repository, &run.path),
        "head_branch": occasion.branch,
        "head_sha": occasion.sha.as_str(),
        "head_commit": run.commit.as_ref().map(|commit| json!({
            "id": commit.sha.as_str(),
            "message": commit.message,
            "timestamp": time(commit.date),
            "author": {"name": commit.author.name, "email": commit.author.email},
        })),
        "actor": {"login": occasion.actor},
        "triggering_actor": {"login": occasion.actor},
        "repository": {"name": name, "full_name": run.repository},
        "created_at": time(run.created),
        "run_started_at": time(run.started),
        "updated_at": time(run.updated),
        "url": api,
        "jobs_url": format!("{api}/jobs"),
        "cancel_url": format!("{api}/cancel"),
        "rerun_url": format!("{api}/rerun"),
        "message": run.refusal,
    })
}

pub(super) fn job(run: &Run, job: &Job) -> Value {
    let steps = job.steps.iter().enumerate();
    let has_runner = job.started.is_some();
    json!({
        "id": job.id,
        "run_id": run.id,
        "run_attempt": run.attempt,
        "run_url": api(run),
        "workflow_name": run.name,
        "head_branch": run.occasion.branch,
        "head_sha": run.occasion.sha.as_str(),
        "name": job.plan.name,
        "status": job.state.word(),
        "conclusion": job.state.conclusion().map(Conclusion::word),
        "created_at": time(run.started),
        "started_at": time(job.started.unwrap_or(run.started)),
        "completed_at": job.completed.map(time),
        "labels": [job.plan.runs_on],
        "runner_name": has_runner.then(|| format!("GitHub Actions {}", job.id % 100)),
        "steps": steps.map(|(index, step)| step_shape(index, step)).collect::<Vec<_>>(),
    })
}

fn step_shape(index: usize, step: &StepRecord) -> Value {
    json!({
        "name": step.plan.name,
        "number": index + 1,
        "status": step.state.word(),
        "conclusion": step.state.conclusion().map(Conclusion::word),
        "started_at": step.started.map(time),
        "completed_at": step.completed.map(time),
    })
}
