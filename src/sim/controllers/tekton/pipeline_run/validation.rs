//! What keeps a PipelineRun from beginning. Pure.
//!
//! Follows `pkg/apis/pipeline/v1/pipeline_validation.go` and
//! `pkg/reconciler/pipelinerun/resources/validate_*.go`; reasons and messages are upstream's.

use super::Failure;
use crate::sim::controllers::tekton::model::spec::{
    PipelineRunSpec, PipelineSpec, PipelineTask, ResultSpec,
};
use crate::sim::controllers::tekton::replace::result_references;
use serde_json::Value;
use std::collections::BTreeMap;

const INVALID: &str = "PipelineValidationFailed";

/// The names that messages give: the run's with its namespace, and the Pipeline's.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) namespace: &'a str,
    pub(super) run: &'a str,
    pub(super) pipeline: &'a str,
}

/// A list of tasks, read and as written.
type Tasks = [(PipelineTask, Value)];

/// Refuses a Pipeline that cannot be run by anybody.
pub(super) fn pipeline(
    names: Names<'_>,
    spec: &PipelineSpec,
    (tasks, finally): (&Tasks, &Tasks),
) -> Result<(), Failure> {
    let invalid = |why: String| {
        let message = format!(
            "Pipeline {}/{} can't be Run; it has an invalid spec: {why}",
            names.namespace, names.pipeline
        );
        Err((INVALID, message))
    };
    if tasks.is_empty() {
        return invalid("expected at least one, got none: tasks".to_owned());
    }
    for (index, (task, _)) in finally.iter().enumerate() {
        if !task.run_after.is_empty() {
            return invalid(format!(
                "invalid value: no runAfter allowed under spec.finally, final task {} has \
                 runAfter specified: finally[{index}]",
                task.name
            ));
        }
        let others = tasks.iter().chain(finally.iter().take(index));
        if others.into_iter().any(|(other, _)| other.name == task.name) {
            return invalid(format!(
                "expected exactly one, got both: finally[{index}].name"
            ));
        }
    }
    for (task, _) in tasks.iter().chain(finally) {
        if let Err(why) = task_of(spec, task) {
            return invalid(why);
        }
    }
    Ok(())
}

/// Says what is wrong with a task.
fn task_of(spec: &PipelineSpec, task: &PipelineTask) -> Result<(), String> {
    if task.pipeline_ref.is_some() || task.pipeline_spec.is_some() {
        return Err(format!(
            "task {:?} is a Pipeline; Pipelines in Pipelines are not run by the embedded \
             platform",
            task.name
        ));
    }
    match (&task.task_ref, &task.task_spec) {
        (None, None) => {
            return Err(format!(
                "expected exactly one, got neither: {}.taskRef, {0}.taskSpec",
                task.name
            ));
        }
        (Some(_), Some(_)) => {
            return Err(format!(
                "expected exactly one, got both: {}.taskRef, {0}.taskSpec",
                task.name
            ));
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    for workspace in &task.workspaces {
        let wanted = match workspace.workspace.as_str() {
            "" => &workspace.name,
            name => name,
        };
        if spec.workspaces.iter().all(|one| one.name != wanted) {
            return Err(format!(
                "invalid value: pipeline task {:?} expects workspace with name {wanted:?} but \
                 none exists in pipeline spec",
                task.name
            ));
        }
    }
    Ok(())
}

/// Refuses a run that does not give its Pipeline what it needs.
pub(super) fn run(
    names: Names<'_>,
    run: &PipelineRunSpec,
    spec: &PipelineSpec,
) -> Result<(), Failure> {
    let Names {
        namespace,
        run: name,
        pipeline,
    } = names;
    let is_given = |name: &str| run.params.iter().any(|param| param.name == name);
    let missing: Vec<&str> = spec
        .params
        .iter()
        .filter(|param| param.default.is_none() && !is_given(&param.name))
        .map(|param| param.name.as_str())
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "PipelineRun {namespace}/{name} parameters is missing some parameters required by \
             Pipeline {pipeline}'s parameters: pipelineRun missing parameters: [{}]",
            missing.join(" ")
        );
        return Err(("ParameterMissing", message));
    }
    let declared = |name: &str| spec.params.iter().find(|one| one.name == name);
    let mut wrong = run
        .params
        .iter()
        .filter(|param| declared(&param.name).is_some_and(|one| one.kind() != param.value.kind()));
    if let Some(param) = wrong.next() {
        let message = format!(
            "PipelineRun {namespace}/{name} parameters have mismatching types with Pipeline \
             {namespace}/{pipeline}'s parameters: parameters have invalid types : [{}]",
            param.name
        );
        return Err(("ParameterTypeMismatch", message));
    }
    for param in &run.params {
        let choices = declared(&param.name).map_or(&[][..], |one| one.choices.as_slice());
        let value = param.value.to_text();
        if !choices.is_empty() && !choices.contains(&value) {
            let message = format!(
                "PipelineRun {namespace}/{name} parameters have invalid value: param `{}` value: \
                 {value} is not in the enum list",
                param.name
            );
            return Err(("InvalidParamValue", message));
        }
    }
    for workspace in spec.workspaces.iter().filter(|one| !one.optional) {
        if run.workspaces.iter().all(|one| one.name != workspace.name) {
            let message = format!(
                "PipelineRun {namespace}/{name} doesn't bind Pipeline {namespace}/{pipeline}'s \
                 Workspaces correctly: pipeline requires workspace with name {:?} be provided by \
                 pipelinerun",
                workspace.name
            );
            return Err(("InvalidWorkspaceBindings", message));
        }
    }
    Ok(())
}

/// Refuses references to results that the tasks do not declare.
pub(super) fn results(
    (tasks, finally): (&Tasks, &Tasks),
    declared: &BTreeMap<String, Vec<ResultSpec>>,
) -> Result<(), Failure> {
    for (task, written) in tasks.iter().chain(finally) {
        for reference in result_references(written) {
            let found = declared.get(&reference.task);
            let why = match found {
                None => format!(
                    "referenced pipeline task {:?} does not exist",
                    reference.task
                ),
                Some(results) if results.iter().all(|one| one.name != reference.result) => {
                    format!(
                        "{:?} is not a named result returned by pipeline task {:?}",
                        reference.result, reference.task
                    )
                }
                Some(_) => continue,
            };
            let message = format!(
                "invalid result reference in pipeline task {:?}: {why}",
                task.name
            );
            return Err(("InvalidTaskResultReference", message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NAMES: Names<'static> = Names {
        namespace: "ci",
        run: "run-1",
        pipeline: "build",
    };

    fn read(tasks: &Value) -> Vec<(PipelineTask, Value)> {
        let list = tasks.as_array().cloned().unwrap_or_default();
        list.into_iter()
            .map(|task| (serde_json::from_value(task.clone()).expect("a task"), task))
            .collect()
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "the caller has no other use for it"
    )]
    fn judged(pipeline_spec: Value, run_spec: Value) -> Result<(), Failure> {
        let spec: PipelineSpec = serde_json::from_value(pipeline_spec.clone()).expect("a spec");
        let tasks = read(&pipeline_spec["tasks"]);
        let finally = read(&pipeline_spec["finally"]);
        pipeline(NAMES, &spec, (&tasks, &finally))?;
        run(
            NAMES,
            &serde_json::from_value(run_spec).expect("a run"),
            &spec,
        )
    }

    #[test]
    fn what_a_run_lacks_is_named_in_upstreams_words() {
        let pipeline = json!({
            "params": [{"name": "url"}, {"name": "list", "type": "array"}, {"name": "x", "default": "1"}],
            "workspaces": [{"name": "source"}, {"name": "cache", "optional": true}],
            "tasks": [{"name": "a", "taskSpec": {}}],
        });
        let url = json!({"name": "url", "value": "u"});
        let list = json!({"name": "list", "value": ["l"]});
        for (given, reason, end) in [
            (
                json!({"params": [list]}),
                "ParameterMissing",
                "pipelineRun missing parameters: [url]",
            ),
            (
                json!({"params": [url, {"name": "list", "value": "text"}]}),
                "ParameterTypeMismatch",
                "parameters have invalid types : [list]",
            ),
            (
                json!({"params": [url, list]}),
                "InvalidWorkspaceBindings",
                "pipeline requires workspace with name \"source\" be provided by pipelinerun",
            ),
        ] {
            let (told, message) = judged(pipeline.clone(), given).expect_err("it is refused");
            assert_eq!(told, reason);
            assert!(message.ends_with(end), "{message}");
        }
        let whole =
            json!({"params": [url, list], "workspaces": [{"name": "source", "emptyDir": {}}]});
        assert_eq!(judged(pipeline, whole), Ok(()));
    }

    #[test]
    fn a_pipeline_that_nobody_can_run_is_refused() {
        for (pipeline, part) in [
            (json!({}), "got none: tasks"),
            (json!({"tasks": [{"name": "a"}]}), "got neither: a.taskRef"),
            (
                json!({"tasks": [{"name": "a", "taskSpec": {}, "workspaces": [{"name": "w"}]}]}),
                "expects workspace with name \"w\"",
            ),
            (
                json!({"tasks": [{"name": "a", "taskSpec": {}}],
                       "finally": [{"name": "f", "taskSpec": {}, "runAfter": ["a"]}]}),
                "no runAfter allowed under spec.finally",
            ),
            (
                json!({"tasks": [{"name": "a", "pipelineRef": {"name": "b"}}]}),
                "Pipelines in Pipelines",
            ),
        ] {
            let (reason, message) = judged(pipeline, json!({})).expect_err("it is refused");
            assert_eq!(reason, "PipelineValidationFailed");
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_result_that_a_task_does_not_declare_is_refused() {
        let tasks = read(&json!([
            {"name": "a", "taskSpec": {}},
            {"name": "b", "taskSpec": {}, "params": [{"name": "x", "value": "$(tasks.a.results.no)"}]},
        ]));
        let declared = BTreeMap::from([("a".to_owned(), Vec::new()), ("b".to_owned(), Vec::new())]);

        let (reason, message) = results((&tasks, &[]), &declared).expect_err("it is refused");

        assert_eq!(reason, "InvalidTaskResultReference");
        assert_eq!(
            message,
            "invalid result reference in pipeline task \"b\": \"no\" is not a named result \
             returned by pipeline task \"a\""
        );
    }
}
