//! Checks that a run gives its Task what it needs.
//!
//! Follows `pkg/reconciler/taskrun/validate_taskrun.go` and `pkg/workspace/validate.go`.

use super::Failure;
use crate::sim::controllers::tekton::model::spec::{TaskRunSpec, TaskSpec};

const INVALID: &str = "TaskRunValidationFailed";

/// Refuses a run that lacks parameters or workspaces, or gives a wrong type.
pub(super) fn check(run: &TaskRunSpec, task: &TaskSpec) -> Result<(), Failure> {
    params(run, task)?;
    for workspace in task.workspaces.iter().filter(|one| !one.optional) {
        let is_bound = run.workspaces.iter().any(|one| one.name == workspace.name);
        if !is_bound {
            let message = format!(
                "bound workspaces did not match declared workspaces: declared workspace {:?} is \
                 required but has not been bound",
                workspace.name
            );
            return Err((INVALID, message));
        }
    }
    if task.steps.is_empty() {
        let message = "invalid task spec: missing field(s): steps".to_owned();
        return Err(("TaskValidationFailed", message));
    }
    match task.steps.iter().find(|step| step.reference.is_some()) {
        Some(_) => Err((
            "TaskRunResolutionFailed",
            "StepActions (`steps[].ref`) are not resolved by the embedded platform".to_owned(),
        )),
        None => Ok(()),
    }
}

fn params(run: &TaskRunSpec, task: &TaskSpec) -> Result<(), Failure> {
    let is_given = |name: &str| run.params.iter().any(|param| param.name == name);
    let missing: Vec<&str> = task
        .params
        .iter()
        .filter(|param| param.default.is_none() && !is_given(&param.name))
        .map(|param| param.name.as_str())
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "invalid input params for task: missing values for these params which have no \
             default values: [{}]",
            missing.join(" ")
        );
        return Err((INVALID, message));
    }
    for param in &run.params {
        let declared = task.params.iter().find(|one| one.name == param.name);
        let Some(declared) = declared else { continue };
        if declared.kind() != param.value.kind() {
            let message = format!(
                "invalid input params for task: param types don't match the user-specified \
                 type: [{}]",
                param.name
            );
            return Err((INVALID, message));
        }
        let text = param.value.to_text();
        if !declared.choices.is_empty() && !declared.choices.contains(&text) {
            let message = format!(
                "param `{}` value: {text} is not in the enum list",
                param.name
            );
            return Err(("InvalidParamValue", message));
        }
    }
    Ok(())
}
