//! The nodes of a running workflow, in upstream's exact shape.

use super::model::{Parameter, TemplateRef};
use crate::sim::rng::fnv32a;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a workflow or node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Phase {
    Pending,
    Running,
    Succeeded,
    Skipped,
    Failed,
    Error,
    Omitted,
}

impl Phase {
    /// Nothing happens to it any more.
    pub fn is_fulfilled(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Succeeded | Self::Skipped | Self::Failed | Self::Error | Self::Omitted => true,
        }
    }

    /// It ended badly.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }

    /// It has run to an end, good or bad.
    pub(super) fn is_completed(self) -> bool {
        self.is_bad() || self == Self::Succeeded
    }

    /// Returns upstream's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Skipped => "Skipped",
            Self::Failed => "Failed",
            Self::Error => "Error",
            Self::Omitted => "Omitted",
        }
    }
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum NodeType {
    Pod,
    Container,
    Steps,
    StepGroup,
    #[serde(rename = "DAG")]
    Dag,
    TaskGroup,
    Retry,
    Skipped,
    Suspend,
    #[serde(rename = "HTTP")]
    Http,
    Plugin,
}

/// What a template put out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outputs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<String>,
}

impl Outputs {
    /// Nothing was put out.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
            && self.artifacts.is_empty()
            && self.result.is_none()
            && self.exit_code.is_none()
    }
}

/// What a template was given.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Inputs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Value>,
}

/// Why a node is there beside the template's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct NodeFlag {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hooked: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retried: bool,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub display_name: String,
    #[serde(rename = "type")]
    pub kind: NodeType,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub template_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_ref: Option<TemplateRef>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub template_scope: String,
    #[serde(default = "pending")]
    pub phase: Phase,
    #[serde(
        default,
        rename = "boundaryID",
        skip_serializing_if = "String::is_empty"
    )]
    pub boundary_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(default)]
    pub started_at: Option<Time>,
    #[serde(default)]
    pub finished_at: Option<Time>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub progress: String,
    #[serde(default, rename = "podIP", skip_serializing_if = "String::is_empty")]
    pub pod_ip: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host_node_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_flag: Option<NodeFlag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Inputs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Outputs>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbound_nodes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemoned: Option<bool>,
}

fn pending() -> Phase {
    Phase::Pending
}

impl NodeStatus {
    pub(super) fn is_fulfilled(&self) -> bool {
        self.phase.is_fulfilled()
    }

    /// It waits until somebody resumes it.
    pub fn is_active_suspend(&self) -> bool {
        self.kind == NodeType::Suspend && self.phase == Phase::Running
    }
}

/// Returns the id of a node (`workflow_types.go`, `NodeID`).
pub fn node_id(workflow: &str, node: &str) -> String {
    if workflow == node {
        return node.to_owned();
    }
    format!("{workflow}-{}", fnv32a(node.as_bytes()))
}

const LONGEST_NAME: usize = 253;

/// Returns the name of a node's pod (`workflow/util/pod_name.go`, version 2).
pub fn pod_name(workflow: &str, node: &str, template: &str) -> String {
    if workflow == node {
        return node.to_owned();
    }
    let hash = fnv32a(node.as_bytes()).to_string();
    let mut prefix = if node.contains(".inline") || template.is_empty() {
        workflow.to_owned()
    } else {
        format!("{workflow}-{template}")
    };
    prefix.truncate(LONGEST_NAME - 11);
    format!("{prefix}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_pod_names_are_upstreams() {
        assert_eq!(node_id("w", "w"), "w");
        // From upstream's `TestNodeID`-like expectations: fnv32a of the node's name.
        assert_eq!(
            node_id("w", "w[0].hello1"),
            format!("w-{}", fnv32a(b"w[0].hello1"))
        );
        assert_eq!(
            pod_name("w", "w[0].hello1", "say"),
            format!("w-say-{}", fnv32a(b"w[0].hello1"))
        );
    }
}
