//! Jobs of a run and their steps as nodes, and which job waits for which.
//!
//! GitHub's API does not tell which jobs a job needs: the workflow file of the run's commit does.
//! Jobs of a matrix and of called workflows are found by the name their own begins with.

use super::{Verdict, job_kind, time};
use crate::api::convert::run_template::scalar;
use crate::api::yaml;
use crate::domain::object::{ObjectRef, Text};
use crate::domain::pipeline::{NodeKind, Phase, RunNode, RunRow};
use serde_json::Value;

/// Reads a workflow file: the shown names of its jobs with those of the jobs they need.
pub fn needs(file: &str) -> Vec<(Text, Vec<Text>)> {
    let written: Value = yaml::from_str(file).unwrap_or_default();
    let Some(jobs) = written.get("jobs").and_then(Value::as_object) else {
        return Vec::new();
    };
    let shown = |key: &str| -> Text {
        let name = jobs.get(key).and_then(|job| job.get("name"));
        match name.and_then(Value::as_str) {
            // What an expression yields is not known here; what stands before it is.
            Some(name) => {
                let fixed = name.split("${{").next().unwrap_or_default().trim();
                if fixed.is_empty() {
                    key.into()
                } else {
                    fixed.into()
                }
            }
            None => key.into(),
        }
    };
    let needed = |job: &Value| -> Vec<Text> {
        match job.get("needs") {
            Some(Value::String(one)) => vec![shown(one)],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(shown).collect(),
            Some(_) | None => Vec::new(),
        }
    };
    jobs.iter()
        .map(|(key, job)| (shown(key), needed(job)))
        .collect()
}

/// Returns the run and its jobs, each followed by its steps.
pub(super) fn nodes(jobs: &[Value], needs: &[(Text, Vec<Text>)], row: &RunRow) -> Vec<RunNode> {
    let mut nodes = vec![root(row)];
    let mut places = Vec::new();
    for job in jobs {
        let at = nodes.len() as u32;
        let node = job_node(job, row, at);
        let steps = job.get("steps").and_then(Value::as_array);
        let steps: Vec<RunNode> = steps
            .into_iter()
            .flatten()
            .map(|step| step_node(step, (&node, at)))
            .collect();
        places.push((at, Text::clone(&node.label)));
        nodes.push(node);
        nodes.extend(steps);
    }
    for (at, label) in &places {
        let own = needs.iter().filter(|(name, _)| is_of(label, name));
        // Of `build` and `build-image`, the longer one is meant by `build-image (x64)`.
        let own = own.max_by_key(|(name, _)| name.len());
        let needed = own.iter().flat_map(|(_, needed)| needed);
        let mut before: Vec<u32> = needed
            .flat_map(|needed| places.iter().filter(move |(_, other)| is_of(other, needed)))
            .map(|(before, _)| *before)
            .filter(|before| before != at)
            .collect();
        if before.is_empty() {
            before.push(0);
        }
        for before in before {
            if let Some(node) = nodes.get_mut(before as usize) {
                node.children.push(*at);
            }
        }
    }
    nodes
}

/// The run itself, in which its jobs are drawn.
fn root(row: &RunRow) -> RunNode {
    let mut root = RunNode::new("", Text::clone(&row.object.name), NodeKind::Dag);
    root.phase = row.phase;
    root.started = row.started;
    root.finished = row.finished;
    root.object = Some(row.object.clone());
    root
}

/// `test (3.12)` and `test / unit` are of `test`.
fn is_of(label: &str, name: &str) -> bool {
    let rest = label.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" (") || rest.starts_with(" / "))
}

fn job_node(job: &Value, row: &RunRow, order: u32) -> RunNode {
    let id = scalar(job.get("id"));
    let mut node = RunNode::new(Text::clone(&id), scalar(job.get("name")), NodeKind::Job);
    state(&mut node, job);
    node.boundary = Some(0);
    node.order = order;
    node.template = scalar(job.get("runner_name"));
    // A job that nothing runs yet has no log to ask for.
    let began = !matches!(node.phase, Phase::Pending | Phase::Skipped);
    node.pod = began.then(|| ObjectRef {
        kind: job_kind(),
        name: format!("job-{id}").into(),
        ..row.object.clone()
    });
    node
}

fn step_node(step: &Value, (job, parent): (&RunNode, u32)) -> RunNode {
    let number = scalar(step.get("number"));
    let id = format!("{}/{number}", job.id);
    let mut node = RunNode::new(id, scalar(step.get("name")), NodeKind::Container);
    state(&mut node, step);
    node.boundary = Some(parent);
    node.order = number.parse().unwrap_or_default();
    node.pod.clone_from(&job.pod);
    node.container = number;
    node
}

fn state(node: &mut RunNode, value: &Value) {
    let verdict = Verdict::of(value);
    node.phase = verdict.phase;
    node.message = verdict.status;
    if !matches!(node.phase, Phase::Pending | Phase::Skipped) {
        node.started = time(value, "started_at");
        node.finished = time(value, "completed_at");
    }
}
