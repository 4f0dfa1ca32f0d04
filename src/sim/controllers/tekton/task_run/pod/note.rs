//! What the kubelet is told of a TaskRun's steps.

use super::step::{result_path, step_container};
use crate::sim::controllers::tekton::model::TaskRun;
use crate::sim::controllers::tekton::model::spec::{TaskRunSpec, TaskSpec};
use crate::sim::steps::{PodNote, StepNote, Turn};
use std::collections::BTreeMap;

/// Tells which container is which step, of which Task, with which parameters.
pub(super) fn of(run: &TaskRun, spec: &TaskRunSpec, task: &TaskSpec) -> PodNote {
    let mut parameters: BTreeMap<String, String> = task
        .params
        .iter()
        .filter_map(|param| Some((param.name.clone(), param.default.as_ref()?.to_text())))
        .collect();
    for param in &spec.params {
        parameters.insert(param.name.clone(), param.value.to_text());
    }
    let outputs: BTreeMap<String, String> = task
        .results
        .iter()
        .map(|result| (result.name.clone(), result_path(&result.name)))
        .collect();
    let template = template(run, spec);
    let steps = task.steps.iter().enumerate().map(|(index, step)| {
        let note = StepNote {
            template: template.clone(),
            step: step.name.clone(),
            parameters: parameters.clone(),
            outputs: outputs.clone(),
            script: (!step.script.is_empty()).then(|| step.script.clone()),
            turn: Turn::AfterPrevious,
            continue_on_error: step.on_error == "continue",
            ..StepNote::default()
        };
        (step_container(&step.name, index), note)
    });
    PodNote {
        steps: steps.collect(),
    }
}

/// Returns the Task's name, or that of the Pipeline's task it is written in.
fn template(run: &TaskRun, spec: &TaskRunSpec) -> String {
    let named = spec.task_ref.as_ref().map(|task| task.name.clone());
    let labels = run.metadata.labels.as_ref();
    let in_pipeline = || labels.and_then(|all| all.get("tekton.dev/pipelineTask").cloned());
    named
        .filter(|name| !name.is_empty())
        .or_else(in_pipeline)
        .unwrap_or_default()
}
