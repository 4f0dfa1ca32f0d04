//! One pass over a workflow: what its pods did, what runs next, how it stands.
//!
//! Pure: an [`Operation`] reads the world it is given, changes the workflow's status, and leaves
//! [`Wish`]es for the loop to carry out. Follows Argo Workflows' `workflow/controller/operator.go`; nothing
//! that has been fulfilled is looked at again.

use super::library::Home;
use super::locks::Locks;
use super::model::{Spec, TemplateRef, Workflow, WorkflowStatus};
use super::node::{NodeFlag, NodeStatus, NodeType, Outputs, Phase, node_id};
use super::substitute::Values;
use super::template::Http;
use crate::sim::controllers::runtime::time::api_time;
use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What is known of the world around a workflow.
#[derive(Debug, Default)]
pub(super) struct World {
    /// The workflow's pods, by node id.
    pub(super) pods: HashMap<String, Arc<Pod>>,
    /// What pods reported, by node id.
    pub(super) results: HashMap<String, Outputs>,
    /// What came of requests, by node id: phase, message, body.
    pub(super) answers: HashMap<String, (Phase, String, String)>,
    /// Stored templates' specs, by `namespaced/NAME` or `cluster/NAME`.
    pub(super) library: HashMap<String, Arc<Value>>,
    /// Values in ConfigMaps, by name and key.
    pub(super) config: HashMap<(String, String), String>,
    /// Who holds which lock, of all workflows.
    pub(super) locks: Locks,
}

/// Something for the loop to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wish {
    CreatePod(Box<Pod>),
    DeletePod(String),
    /// A running pod ends now, and its logs stay.
    ExpirePod(String),
    LabelPodCompleted(String),
    CreateClaim(Value),
    DeleteClaim(String),
    Ask {
        node: String,
        http: Box<Http>,
    },
}

impl PartialEq for Http {
    fn eq(&self, other: &Self) -> bool {
        (&self.method, &self.url, &self.body) == (&other.method, &other.url, &other.body)
    }
}

/// Why a template is not being executed further in this pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// As many run as may.
    Parallelism,
    /// It cannot be executed at all.
    Mistake(String),
}

impl From<String> for Halt {
    fn from(message: String) -> Self {
        Self::Mistake(message)
    }
}

/// How a template is called.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    /// The id of the node that bounds it.
    pub(super) boundary: String,
    /// It is part of an exit handler.
    pub(super) on_exit: bool,
    pub(super) flag: NodeFlag,
}

/// What a new node is named after.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub(super) template: String,
    pub(super) template_ref: Option<TemplateRef>,
    pub(super) scope: String,
}

/// Something worth an Event about the workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// A pass over a workflow.
pub(super) struct Operation<'w> {
    pub(super) workflow: &'w Workflow,
    pub(super) world: &'w World,
    pub(super) spec: Spec,
    pub(super) home: Home,
    pub(super) now: DateTime<Utc>,
    pub(super) status: WorkflowStatus,
    pub(super) globals: Values,
    pub(super) global_artifacts: BTreeMap<String, Value>,
    pub(super) wishes: Vec<Wish>,
    pub(super) due: Option<DateTime<Utc>>,
    pub(super) told: Vec<Told>,
    pub(super) depth: usize,
    /// Something refers to what steps print.
    pub(super) uses_results: bool,
}

impl Operation<'_> {
    pub(super) fn name(&self) -> &str {
        self.workflow.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &str {
        self.workflow
            .metadata
            .namespace
            .as_deref()
            .unwrap_or_default()
    }

    pub(super) fn id_of(&self, node: &str) -> String {
        node_id(self.name(), node)
    }

    pub(super) fn node(&self, name: &str) -> Option<&NodeStatus> {
        self.status.nodes.get(&self.id_of(name))
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&NodeStatus> {
        self.status.nodes.get(id)
    }

    pub(super) fn is_fulfilled(&self, name: &str) -> bool {
        self.node(name).is_some_and(NodeStatus::is_fulfilled)
    }

    /// Wants another look at this time at the latest.
    pub(super) fn look_at(&mut self, due: DateTime<Utc>) {
        self.due = Some(self.due.map_or(due, |known| known.min(due)));
    }

    pub(super) fn tell(&mut self, warning: bool, reason: &'static str, message: String) {
        self.told.push(Told {
            warning,
            reason,
            message,
        });
    }

    /// Somebody has asked for the workflow to end.
    pub(super) fn is_shutting_down(&self) -> bool {
        !self.spec.shutdown.is_empty()
    }

    /// New pods may be made although the workflow is being shut down.
    pub(super) fn may_execute(&self, on_exit: bool) -> bool {
        match self.spec.shutdown.as_str() {
            "" => true,
            "Stop" => on_exit,
            _ => false,
        }
    }

    pub(super) fn deadline(&self) -> Option<DateTime<Utc>> {
        let started = self.status.started_at.as_ref()?;
        let seconds = self.spec.active_deadline_seconds?;
        Some(
            crate::sim::controllers::runtime::time::utc(started)
                + chrono::TimeDelta::seconds(seconds),
        )
    }

    pub(super) fn is_overdue(&self) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= self.now)
    }

    /// Adds a node.
    pub(super) fn initialize(
        &mut self,
        name: &str,
        (kind, phase, message): (NodeType, Phase, &str),
        origin: &Origin,
        options: &Options,
    ) {
        let id = self.id_of(name);
        let flag = (options.flag != NodeFlag::default()).then_some(options.flag);
        let node = NodeStatus {
            id: id.clone(),
            name: name.to_owned(),
            display_name: self.display_name(name, &options.boundary),
            kind,
            template_name: origin.template.clone(),
            template_ref: origin.template_ref.clone(),
            template_scope: origin.scope.clone(),
            phase,
            boundary_id: options.boundary.clone(),
            message: message.to_owned(),
            started_at: Some(api_time(self.now)),
            finished_at: phase.is_fulfilled().then(|| api_time(self.now)),
            progress: String::new(),
            pod_ip: String::new(),
            host_node_name: String::new(),
            node_flag: flag,
            inputs: None,
            outputs: None,
            children: Vec::new(),
            outbound_nodes: Vec::new(),
            daemoned: None,
        };
        self.status.nodes.insert(id, node);
    }

    fn display_name(&self, name: &str, boundary: &str) -> String {
        let Some(boundary) = self.by_id(boundary) else {
            return name.to_owned();
        };
        let rest = name.strip_prefix(&boundary.name).unwrap_or(name);
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        match rest.split_once("].") {
            Some((group, step)) if group.starts_with('[') => step.to_owned(),
            Some(_) | None => rest.to_owned(),
        }
    }

    /// Moves a node to a phase; an empty message leaves the one that is there.
    pub(super) fn mark(&mut self, name: &str, phase: Phase, message: &str) {
        let now = api_time(self.now);
        let id = self.id_of(name);
        let Some(node) = self.status.nodes.get_mut(&id) else {
            return;
        };
        node.phase = phase;
        if !message.is_empty() {
            message.clone_into(&mut node.message);
        }
        if phase.is_fulfilled() && node.finished_at.is_none() {
            node.finished_at = Some(now);
        }
    }

    pub(super) fn set_message(&mut self, name: &str, message: &str) {
        let id = self.id_of(name);
        if let Some(node) = self.status.nodes.get_mut(&id) {
            message.clone_into(&mut node.message);
        }
    }

    pub(super) fn set_outputs(&mut self, name: &str, outputs: Option<Outputs>) {
        let id = self.id_of(name);
        if let Some(node) = self.status.nodes.get_mut(&id) {
            node.outputs = outputs;
        }
    }

    /// Hangs a node below another.
    pub(super) fn add_child(&mut self, parent: &str, child: &str) {
        let (parent, child) = (self.id_of(parent), self.id_of(child));
        if !self.status.nodes.contains_key(&child) {
            return;
        }
        if let Some(node) = self.status.nodes.get_mut(&parent)
            && !node.children.contains(&child)
        {
            node.children.push(child);
        }
    }

    /// Returns the nodes that what follows a node hangs below.
    pub(super) fn outbound(&self, id: &str) -> Vec<String> {
        let Some(node) = self.by_id(id) else {
            return Vec::new();
        };
        let below = |ids: &[String]| ids.iter().flat_map(|id| self.outbound(id)).collect();
        match node.kind {
            NodeType::Skipped | NodeType::Suspend | NodeType::Http | NodeType::Plugin => {
                vec![id.to_owned()]
            }
            NodeType::Pod | NodeType::Container => {
                let is_container = |child: &&String| {
                    self.by_id(child)
                        .is_some_and(|child| child.kind == NodeType::Container)
                };
                let inner: Vec<String> =
                    node.children.iter().filter(is_container).cloned().collect();
                if inner.is_empty() {
                    vec![id.to_owned()]
                } else {
                    below(&inner)
                }
            }
            NodeType::TaskGroup if node.children.is_empty() => vec![id.to_owned()],
            NodeType::TaskGroup => below(&node.children),
            NodeType::Retry => self
                .last_attempt(node)
                .map(|last| last.id.clone())
                .into_iter()
                .collect(),
            NodeType::Steps | NodeType::Dag | NodeType::StepGroup => below(&node.outbound_nodes),
        }
    }

    /// Returns the last attempt below a node of retries.
    pub(super) fn last_attempt(&self, node: &NodeStatus) -> Option<&NodeStatus> {
        self.attempts(node).into_iter().next_back()
    }

    pub(super) fn attempts(&self, node: &NodeStatus) -> Vec<&NodeStatus> {
        let prefix = format!("{}(", node.name);
        node.children
            .iter()
            .filter_map(|id| self.by_id(id))
            .filter(|child| child.name.starts_with(&prefix))
            .collect()
    }

    /// Returns how many pods run or are about to.
    pub(super) fn active_pods(&self, boundary: Option<&str>) -> i64 {
        let is_active = |node: &&NodeStatus| {
            node.kind == NodeType::Pod
                && !node.is_fulfilled()
                && boundary.is_none_or(|boundary| node.boundary_id == boundary)
        };
        self.status.nodes.values().filter(is_active).count() as i64
    }
}
