//! The tasks of a PipelineRun and the steps of a TaskRun as nodes.

use super::{Verdict, params, task_run_kind};
use crate::api::convert::loose::at;
use crate::api::convert::run_template::scalar;
use crate::domain::object::{GroupKind, ObjectRef, Text};
use crate::domain::pipeline::{NodeKind, Phase, RunNode};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::HashMap;

/// What was seen besides the run.
#[derive(Clone, Copy, Debug)]
pub struct Children<'seen> {
    /// TaskRuns by name.
    pub task_runs: &'seen HashMap<Text, Value>,
    /// Names of Pods that exist; `None` when nobody has looked.
    pub pods: Option<&'seen [Text]>,
}

/// One `status.childReferences` entry.
struct Child {
    task: Text,
    name: Text,
    kind: Text,
    display: Text,
}

/// A task of the specification and its nodes; several for a matrix.
struct Planned {
    name: Text,
    follows: Vec<Text>,
    nodes: Vec<u32>,
    last: bool,
}

pub(super) fn of_task_run(
    value: &Value,
    object: &ObjectRef,
    children: &Children<'_>,
) -> Vec<RunNode> {
    let mut nodes = Vec::new();
    push_task_run(&mut nodes, value, (object, children), None);
    nodes
}

pub(super) fn of_pipeline_run(
    value: &Value,
    object: &ObjectRef,
    (children, phase): (&Children<'_>, Phase),
) -> Vec<RunNode> {
    let mut root = RunNode::new("", Text::clone(&object.name), NodeKind::Dag);
    root.phase = phase;
    root.started = time(at(value, &["status", "startTime"]));
    root.finished = time(at(value, &["status", "completionTime"]));
    root.object = Some(object.clone());
    let mut nodes = vec![root];
    let spec =
        at(value, &["status", "pipelineSpec"]).or_else(|| at(value, &["spec", "pipelineSpec"]));
    let list = |name: &str| {
        let tasks = spec.and_then(|spec| at(spec, &[name])?.as_array());
        tasks.map(Vec::as_slice).unwrap_or_default()
    };
    let seen = Seen {
        value,
        object,
        children,
        references: references(value),
        over: phase.is_over(),
    };
    let mut planned: Vec<Planned> = Vec::new();
    for task in list("tasks") {
        let plan = seen.plan(&mut nodes, task, Some(0), false);
        planned.push(plan);
    }
    let finally = list("finally");
    if !finally.is_empty() {
        let at_group = nodes.len() as u32;
        let mut group = RunNode::new("finally", "finally", NodeKind::Finally);
        group.boundary = Some(0);
        group.started = time(at(value, &["status", "finallyStartTime"]));
        nodes.push(group);
        for task in finally {
            let plan = seen.plan(&mut nodes, task, Some(at_group), true);
            planned.push(plan);
        }
        finish_group(&mut nodes, at_group);
    }
    // A run whose specification is not known yet still has children.
    for child in &seen.references {
        if !planned.iter().any(|plan| plan.name == child.task) {
            let at_child = nodes.len() as u32;
            seen.push(&mut nodes, child, Some(0));
            planned.push(Planned {
                name: Text::clone(&child.task),
                follows: Vec::new(),
                nodes: vec![at_child],
                last: false,
            });
        }
    }
    connect(&mut nodes, &planned);
    for (at, node) in nodes.iter_mut().enumerate() {
        if matches!(node.kind, NodeKind::Task | NodeKind::Finally) {
            node.order = at as u32;
        }
    }
    nodes
}

/// The group of final tasks is as its members are.
fn finish_group(nodes: &mut [RunNode], group: u32) {
    let members = nodes.iter().filter(|node| node.boundary == Some(group));
    let phases: Vec<Phase> = members.map(|node| node.phase).collect();
    let worst = phases.iter().max().copied().unwrap_or(Phase::Pending);
    let all_over = phases.iter().all(|phase| phase.is_over());
    let begun = phases.iter().any(|phase| *phase != Phase::Pending);
    if let Some(group) = nodes.get_mut(group as usize) {
        group.phase = match (all_over, begun) {
            (true, _) => worst,
            (false, true) => Phase::Running,
            (false, false) => Phase::Pending,
        };
    }
}

/// Writes who follows whom: tasks, then the final ones behind all that nothing follows.
fn connect(nodes: &mut [RunNode], planned: &[Planned]) {
    let group = nodes
        .iter()
        .position(|node| node.kind == NodeKind::Finally)
        .map(|at| at as u32);
    let mut edges: Vec<(u32, u32)> = Vec::new();
    for plan in planned {
        if plan.last {
            edges.extend(
                group
                    .iter()
                    .flat_map(|group| plan.nodes.iter().map(|node| (*group, *node))),
            );
            continue;
        }
        let before = planned
            .iter()
            .filter(|one| plan.follows.contains(&one.name) && !one.last);
        let before: Vec<u32> = before.flat_map(|one| one.nodes.iter().copied()).collect();
        let from = if before.is_empty() { vec![0] } else { before };
        for from in from {
            edges.extend(plan.nodes.iter().map(|node| (from, *node)));
        }
        let is_followed = planned
            .iter()
            .any(|one| !one.last && one.follows.contains(&plan.name));
        if let Some(group) = group.filter(|_| !is_followed) {
            edges.extend(plan.nodes.iter().map(|node| (*node, group)));
        }
    }
    for (from, to) in edges {
        if let Some(node) = nodes.get_mut(from as usize) {
            node.children.push(to);
        }
    }
}

fn references(value: &Value) -> Vec<Child> {
    let list = at(value, &["status", "childReferences"]).and_then(Value::as_array);
    let list = list.into_iter().flatten().map(|one| Child {
        task: scalar(one.get("pipelineTaskName")),
        name: scalar(one.get("name")),
        kind: scalar(one.get("kind")),
        display: scalar(one.get("displayName")),
    });
    list.collect()
}

struct Seen<'run> {
    value: &'run Value,
    object: &'run ObjectRef,
    children: &'run Children<'run>,
    references: Vec<Child>,
    over: bool,
}

impl Seen<'_> {
    fn plan(
        &self,
        nodes: &mut Vec<RunNode>,
        task: &Value,
        boundary: Option<u32>,
        last: bool,
    ) -> Planned {
        let name = scalar(task.get("name"));
        let own: Vec<&Child> = self
            .references
            .iter()
            .filter(|one| one.task == name)
            .collect();
        let mut made = Vec::new();
        if own.is_empty() {
            made.push(nodes.len() as u32);
            nodes.push(self.without_child(task, &name, boundary));
        }
        for (number, child) in own.iter().enumerate() {
            made.push(nodes.len() as u32);
            let at_child = nodes.len();
            self.push(nodes, child, boundary);
            if let Some(node) = nodes
                .get_mut(at_child)
                .filter(|_| own.len() > 1 && child.display.is_empty())
            {
                node.label = format!("{name}({number})").into();
            }
        }
        Planned {
            follows: follows(task),
            name,
            nodes: made,
            last,
        }
    }

    /// A task without an object of its own: skipped, or not begun.
    fn without_child(&self, task: &Value, name: &Text, boundary: Option<u32>) -> RunNode {
        let mut node = RunNode::new(Text::clone(name), Text::clone(name), NodeKind::Task);
        node.boundary = boundary;
        node.template = scalar(at(task, &["taskRef", "name"]));
        let skipped = at(self.value, &["status", "skippedTasks"]).and_then(Value::as_array);
        let skipped = skipped.into_iter().flatten();
        let mut skipped = skipped.filter(|one| scalar(one.get("name")) == *name);
        if let Some(skipped) = skipped.next() {
            node.phase = Phase::Skipped;
            node.message = scalar(skipped.get("reason"));
        } else if self.over {
            node.phase = Phase::Omitted;
            node.message = "the run ended before it began".into();
        }
        node
    }

    fn push(&self, nodes: &mut Vec<RunNode>, child: &Child, boundary: Option<u32>) {
        let object = ObjectRef {
            cluster: self.object.cluster.clone(),
            kind: if child.kind.is_empty() {
                task_run_kind()
            } else {
                GroupKind::new(&*task_run_kind().group, Text::clone(&child.kind))
            },
            namespace: self.object.namespace.clone(),
            name: Text::clone(&child.name),
        };
        let at_child = nodes.len();
        match self.children.task_runs.get(&child.name) {
            Some(value) => push_task_run(nodes, value, (&object, self.children), boundary),
            None => {
                let mut node = RunNode::new(Text::clone(&child.name), "", NodeKind::Task);
                node.boundary = boundary;
                node.phase = Phase::Pending;
                node.message = "its object has not been seen".into();
                node.object = Some(object);
                nodes.push(node);
            }
        }
        if let Some(node) = nodes.get_mut(at_child) {
            node.label = if child.display.is_empty() {
                Text::clone(&child.task)
            } else {
                Text::clone(&child.display)
            };
        }
    }
}

/// Adds a TaskRun and its steps.
fn push_task_run(
    nodes: &mut Vec<RunNode>,
    value: &Value,
    (object, children): (&ObjectRef, &Children<'_>),
    boundary: Option<u32>,
) {
    let verdict = Verdict::of(value);
    let mut node = RunNode::new(
        Text::clone(&object.name),
        Text::clone(&object.name),
        NodeKind::Task,
    );
    node.boundary = boundary;
    node.phase = verdict.phase;
    node.message = if verdict.phase == Phase::Succeeded {
        "".into()
    } else {
        verdict.message
    };
    node.template = scalar(at(value, &["spec", "taskRef", "name"]));
    node.started = time(at(value, &["status", "startTime"]));
    node.finished = time(at(value, &["status", "completionTime"]));
    node.inputs = params(at(value, &["spec", "params"]));
    node.outputs = params(at(value, &["status", "results"]));
    let retries = at(value, &["status", "retriesStatus"]).and_then(Value::as_array);
    node.retries = retries.map_or(0, |all| all.len() as u32);
    node.object = Some(object.clone());
    let pod = scalar(at(value, &["status", "podName"]));
    node.pod_gone = !pod.is_empty() && children.pods.is_some_and(|pods| !pods.contains(&pod));
    node.pod = (!pod.is_empty()).then(|| ObjectRef {
        cluster: object.cluster.clone(),
        kind: GroupKind::new("", "Pod"),
        namespace: object.namespace.clone(),
        name: pod,
    });
    let steps = at(value, &["status", "steps"]).and_then(Value::as_array);
    let parent = nodes.len() as u32;
    let steps: Vec<RunNode> = steps
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(number, step)| step_of(step, (number, parent), &node))
        .collect();
    node.exit_code = steps
        .iter()
        .filter_map(|step| step.exit_code)
        .find(|code| *code != 0);
    nodes.push(node);
    nodes.extend(steps);
}

fn step_of(step: &Value, (number, parent): (usize, u32), task: &RunNode) -> RunNode {
    let name = scalar(step.get("name"));
    let id = format!("{}/{name}/{number}", task.id);
    let mut node = RunNode::new(id, Text::clone(&name), NodeKind::Container);
    node.boundary = Some(parent);
    node.object.clone_from(&task.object);
    node.pod.clone_from(&task.pod);
    node.pod_gone = task.pod_gone;
    let container = scalar(step.get("container"));
    node.container = if container.is_empty() {
        format!("step-{name}").into()
    } else {
        container
    };
    let ended = at(step, &["terminated"]);
    let told = scalar(step.get("terminationReason"));
    if let Some(ended) = ended {
        let code = ended
            .get("exitCode")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        node.exit_code = i32::try_from(code).ok();
        node.started = time(ended.get("startedAt"));
        node.finished = time(ended.get("finishedAt"));
        node.phase = match &*told {
            "Skipped" => Phase::Skipped,
            "Cancelled" => Phase::Cancelled,
            "Continued" | "Completed" => Phase::Succeeded,
            _ if code == 0 => Phase::Succeeded,
            _ => Phase::Failed,
        };
        let reason = scalar(ended.get("reason"));
        node.message = if !told.is_empty() && told != reason {
            told
        } else if &*reason == "Completed" {
            "".into()
        } else {
            reason
        };
    } else if let Some(running) = at(step, &["running"]) {
        node.phase = Phase::Running;
        node.started = time(running.get("startedAt"));
    } else {
        node.message = scalar(at(step, &["waiting", "reason"]));
    }
    node.outputs = params(at(step, &["results"]));
    // What has begun at the same moment, or not at all, keeps the order of the task.
    node.order = number as u32;
    node
}

fn time(value: Option<&Value>) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(value?.as_str()?).ok()?;
    Some(time.with_timezone(&Utc))
}

/// The tasks that a task follows: `runAfter`, and every `$(tasks.X.results…)` in what it is given.
fn follows(task: &Value) -> Vec<Text> {
    let after = at(task, &["runAfter"]).and_then(Value::as_array);
    let mut follows: Vec<Text> = after
        .into_iter()
        .flatten()
        .map(|one| scalar(Some(one)))
        .collect();
    for field in ["params", "when", "matrix", "workspaces"] {
        let Some(value) = at(task, &[field]) else {
            continue;
        };
        let text = value.to_string();
        for piece in text.split("$(tasks.").skip(1) {
            let mut words = piece.split(['.', ')', '[']);
            let (Some(name), Some("results" | "outputs")) = (words.next(), words.next()) else {
                continue;
            };
            if !follows.iter().any(|known| **known == *name) {
                follows.push(name.into());
            }
        }
    }
    follows
}
