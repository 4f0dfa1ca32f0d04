//! What can be started: a WorkflowTemplate, a Pipeline, a CronWorkflow, a whole Workflow again.

use super::Parameter;
use crate::domain::object::{ObjectRef, Text, Uid};

/// Something from which runs are made, with what has to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTemplate {
    pub object: ObjectRef,
    pub uid: Uid,
    pub description: Text,
    pub parameters: Vec<Parameter>,
    /// Workspaces of a Pipeline that are not optional.
    pub workspaces: Vec<Text>,
}

impl RunTemplate {
    /// Returns the parameters that have neither a value nor a default.
    pub fn required(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters
            .iter()
            .filter(|one| one.value.is_none() && one.default.is_none())
    }
}

/// Returns whether runs can be made from objects of a kind.
pub fn is_template(kind: &crate::domain::object::GroupKind) -> bool {
    matches!(
        (&*kind.group, &*kind.kind),
        (
            crate::domain::kind::ARGO,
            "WorkflowTemplate" | "ClusterWorkflowTemplate" | "CronWorkflow"
        ) | (super::TEKTON, "Pipeline" | "Task")
    )
}
