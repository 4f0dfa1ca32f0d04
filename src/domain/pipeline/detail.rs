//! What the screen of one run shows besides the row.

use super::{Phase, RunRow};
use crate::domain::finding::Finding;
use crate::domain::object::{ObjectRef, Text};
use chrono::{DateTime, TimeDelta, Utc};

/// A run with its nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDetail {
    pub row: RunRow,
    /// Arguments of the run.
    pub parameters: Vec<Parameter>,
    /// Results of the whole run.
    pub outputs: Vec<Parameter>,
    /// Every node the system reports, groups included.
    pub nodes: Vec<RunNode>,
    /// The service account it runs as; empty for the default one.
    pub service_account: Text,
    /// What the run is told to do when it ends: TTL, exit handler, in words.
    pub notes: Vec<Text>,
    pub findings: Vec<Finding>,
}

/// What a node is, in the words of Argo Workflows; Tekton's parts take their place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeKind {
    /// One Pod: a container, script or resource template.
    Pod,
    /// One container of a Pod: of a container set, or a step of a TaskRun.
    Container,
    Steps,
    StepGroup,
    Dag,
    TaskGroup,
    Retry,
    Skipped,
    Suspend,
    Http,
    Plugin,
    /// A task of a pipeline of Tekton.
    Task,
    /// A job of GitHub Actions.
    Job,
    /// The tasks that run when all others are over.
    Finally,
}

impl NodeKind {
    /// Returns the word of Argo Workflows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Container => "Container",
            Self::Steps => "Steps",
            Self::StepGroup => "StepGroup",
            Self::Dag => "DAG",
            Self::TaskGroup => "TaskGroup",
            Self::Retry => "Retry",
            Self::Skipped => "Skipped",
            Self::Suspend => "Suspend",
            Self::Http => "HTTP",
            Self::Plugin => "Plugin",
            Self::Task => "Task",
            Self::Job => "Job",
            Self::Finally => "Finally",
        }
    }

    /// Reads the word of Argo Workflows.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "Pod" => Self::Pod,
            "Container" => Self::Container,
            "Steps" => Self::Steps,
            "StepGroup" => Self::StepGroup,
            "DAG" => Self::Dag,
            "TaskGroup" => Self::TaskGroup,
            "Retry" => Self::Retry,
            "Skipped" => Self::Skipped,
            "Suspend" => Self::Suspend,
            "HTTP" => Self::Http,
            "Plugin" => Self::Plugin,
            _ => return None,
        })
    }

    /// Returns whether something is carried out here, rather than below.
    pub fn is_executed(self) -> bool {
        match self {
            Self::Pod
            | Self::Skipped
            | Self::Suspend
            | Self::Http
            | Self::Plugin
            | Self::Task
            | Self::Job
            | Self::Container => true,
            Self::Steps
            | Self::StepGroup
            | Self::Dag
            | Self::TaskGroup
            | Self::Retry
            | Self::Finally => false,
        }
    }
}

/// A name and a value: an argument, an input, an output, a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    pub name: Text,
    /// Absent while nobody has given or produced it.
    pub value: Option<Text>,
    /// A person gives the value when the node is resumed.
    pub supplied: bool,
    pub default: Option<Text>,
    /// What may be chosen; empty for anything.
    pub choices: Vec<Text>,
    pub description: Text,
}

/// A file that a node takes or leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifact {
    pub name: Text,
    /// Where it is: a path, a key in a bucket.
    pub place: Text,
}

/// One node of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunNode {
    /// Unique within the run.
    pub id: Text,
    /// With the names of all nodes around it, such as `w[0].build`.
    pub name: Text,
    pub label: Text,
    pub kind: NodeKind,
    pub phase: Phase,
    pub message: Text,
    /// Name of the template or task.
    pub template: Text,
    pub started: Option<DateTime<Utc>>,
    pub finished: Option<DateTime<Utc>>,
    /// Indices of the nodes that follow it or are part of it.
    pub children: Vec<u32>,
    /// Index of the node it is drawn in.
    pub boundary: Option<u32>,
    pub inputs: Vec<Parameter>,
    pub outputs: Vec<Parameter>,
    pub artifacts: Vec<Artifact>,
    pub exit_code: Option<i32>,
    pub progress: Option<(u32, u32)>,
    /// The Pod whose log is the node's; absent when there is none.
    pub pod: Option<ObjectRef>,
    /// The container of the Pod that matters; empty for all of them.
    pub container: Text,
    /// The object of its own: a TaskRun.
    pub object: Option<ObjectRef>,
    /// How often it was tried again.
    pub retries: u32,
    /// Its place in the specification, where the system has one.
    pub order: u32,
    /// It is an attempt of a Retry node.
    pub is_attempt: bool,
    /// It is a lifecycle hook or the exit handler.
    pub is_hook: bool,
    /// The Pod is gone, so its log is as well.
    pub pod_gone: bool,
}

impl RunNode {
    /// Makes a node of which nothing but its identity is known.
    pub fn new(id: impl Into<Text>, label: impl Into<Text>, kind: NodeKind) -> Self {
        let id = id.into();
        Self {
            name: Text::clone(&id),
            id,
            label: label.into(),
            kind,
            phase: Phase::Pending,
            message: "".into(),
            template: "".into(),
            started: None,
            finished: None,
            children: Vec::new(),
            boundary: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            artifacts: Vec::new(),
            exit_code: None,
            progress: None,
            pod: None,
            container: "".into(),
            object: None,
            retries: 0,
            order: 0,
            is_attempt: false,
            is_hook: false,
            pod_gone: false,
        }
    }

    /// Returns how long it ran, or has run until now.
    pub fn duration(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let end = match self.finished {
            Some(finished) => finished,
            None if self.phase.is_over() => return None,
            None => now,
        };
        Some((end - self.started?).max(TimeDelta::zero()))
    }

    /// Returns the outputs that a person has to give before it can go on.
    pub fn wanted(&self) -> impl Iterator<Item = &Parameter> {
        self.outputs
            .iter()
            .filter(|one| one.supplied && one.value.is_none())
    }

    /// Returns whether it waits for a person.
    pub fn waits(&self) -> bool {
        self.kind == NodeKind::Suspend && matches!(self.phase, Phase::Running | Phase::Suspended)
    }
}

impl RunDetail {
    /// Returns a node by its id.
    pub fn node(&self, id: &str) -> Option<&RunNode> {
        self.nodes.iter().find(|node| &*node.id == id)
    }

    /// Returns the node to look at first when something went wrong.
    pub fn failing(&self) -> Option<usize> {
        failing_of(&self.nodes)
    }

    /// Returns the nodes that wait for a person.
    pub fn waiting(&self) -> impl Iterator<Item = &RunNode> {
        self.nodes.iter().filter(|node| node.waits())
    }
}

/// Returns the node to look at first: what failed by itself, the earliest of them.
///
/// A group fails because of a member; the member is what a person wants to see. Of a retry, the
/// last attempt counts: an attempt that was followed by a good one is history.
pub fn failing_of(nodes: &[RunNode]) -> Option<usize> {
    let end = |at: usize| {
        let node = nodes.get(at)?;
        node.finished.or(node.started)
    };
    let bad = |node: &RunNode| node.phase.is_bad();
    let alone = |node: &RunNode| {
        bad(node) && node.kind.is_executed() && node.kind != NodeKind::Container && !node.is_attempt
    };
    let mut found: Vec<usize> = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        if alone(node) {
            found.push(at);
        } else if bad(node) && node.kind == NodeKind::Retry {
            let last = node.children.last().map(|child| *child as usize);
            let last =
                last.filter(|last| nodes.get(*last).is_some_and(|node| node.kind.is_executed()));
            found.extend(last);
        }
    }
    if found.is_empty() {
        found.extend(
            nodes
                .iter()
                .enumerate()
                .filter(|(_, node)| bad(node))
                .map(|(at, _)| at),
        );
    }
    found.into_iter().min_by_key(|at| end(*at))
}
