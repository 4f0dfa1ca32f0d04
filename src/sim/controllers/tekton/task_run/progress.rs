//! How far a TaskRun is, told from its pod.
//!
//! Follows `pkg/pod/status.go`; the messages are upstream's.

mod steps;

pub(super) use steps::end_step;

use super::pod::step_container;
use crate::sim::controllers::pods::{is_finished, phase};
use crate::sim::controllers::tekton::model::spec::TaskSpec;
use crate::sim::controllers::tekton::model::status::RunResult;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use serde_json::Value;

/// What a pod says about its TaskRun.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// None: it goes on.
    pub(super) succeeded: Option<bool>,
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// The pod will not end by itself.
    pub(super) is_hopeless: bool,
    pub(super) steps: Vec<Value>,
    pub(super) sidecars: Vec<Value>,
    pub(super) results: Vec<RunResult>,
}

/// Tells how far a TaskRun is.
pub(super) fn of(pod: &Pod, task: &TaskSpec, run: &str) -> Progress {
    let empty = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&empty);
    let all = status.container_statuses.as_deref().unwrap_or_default();
    let found: Vec<&ContainerStatus> = task
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| {
            let name = step_container(&step.name, index);
            all.iter().find(|status| status.name == name)
        })
        .collect();
    let mut progress = Progress {
        steps: steps::states(&found, task),
        sidecars: steps::sidecars(status),
        ..Progress::default()
    };
    let all_ended = !found.is_empty() && found.iter().all(|one| ended_with(one).is_some());
    if is_finished(pod) || all_ended {
        progress.results = steps::results(&found, task);
        conclude(&mut progress, pod, &found);
    } else {
        wait(&mut progress, pod, (&found, run));
    }
    progress
}

/// Returns the exit code of a container that has ended.
fn ended_with(status: &ContainerStatus) -> Option<i32> {
    let ended = status.state.as_ref()?.terminated.as_ref()?;
    Some(ended.exit_code)
}

fn conclude(progress: &mut Progress, pod: &Pod, steps: &[&ContainerStatus]) {
    let failed = phase(pod) == "Failed" || steps.iter().any(|step| ended_with(step) != Some(0));
    progress.succeeded = Some(!failed);
    if !failed {
        progress.reason = "Succeeded";
        "All Steps have completed executing".clone_into(&mut progress.message);
        return;
    }
    progress.reason = "Failed";
    let status = pod.status.as_ref();
    let init = status.and_then(|one| one.init_container_statuses.as_ref());
    let failure = |status: &ContainerStatus| {
        let code = ended_with(status).filter(|code| *code != 0)?;
        Some(format!("{:?} exited with code {code}", status.name))
    };
    let said = status.and_then(|status| status.message.clone());
    progress.message = init
        .into_iter()
        .flatten()
        .find_map(failure)
        .map(|why| format!("init container failed, {why}"))
        .or_else(|| steps.iter().find_map(|step| failure(step)))
        .or(said)
        .unwrap_or_else(|| "build failed for unspecified reasons.".to_owned());
}

fn wait(progress: &mut Progress, pod: &Pod, (steps, run): (&[&ContainerStatus], &str)) {
    if phase(pod) == "Running" {
        progress.reason = "Running";
        "Not all Steps in the Task have finished executing".clone_into(&mut progress.message);
        return;
    }
    progress.reason = "Pending";
    for step in steps {
        let state = step.state.as_ref();
        let Some(waiting) = state.and_then(|state| state.waiting.as_ref()) else {
            continue;
        };
        let message = waiting.message.clone().unwrap_or_default();
        let hopeless = match waiting.reason.as_deref().unwrap_or_default() {
            "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
                let name = step.name.strip_prefix("step-").unwrap_or(&step.name);
                let why = format!(
                    "the step {name:?} in TaskRun {run:?} failed to pull the image {:?}. The pod \
                     errored with the message: \"{message}.\"",
                    step.image
                );
                Some(("TaskRunImagePullFailed", why))
            }
            "CreateContainerConfigError" => {
                let why = "Failed to create pod due to config error".to_owned();
                Some(("CreateContainerConfigError", why))
            }
            _ => None,
        };
        if let Some((reason, why)) = hopeless {
            progress.succeeded = Some(false);
            progress.is_hopeless = true;
            progress.reason = reason;
            progress.message = why;
            return;
        }
        if !message.is_empty() {
            let name = &step.name;
            progress.message = format!("build step {name:?} is pending with reason {message:?}");
        }
    }
    if progress.message.is_empty() {
        progress.message = pending(pod);
    }
}

fn pending(pod: &Pod) -> String {
    let status = pod.status.iter();
    let mut conditions = status.flat_map(|one| one.conditions.iter().flatten());
    match conditions.find(|one| one.status != "True") {
        Some(one) => format!(
            "pod status {:?}:{:?}; message: {:?}",
            one.type_,
            one.status,
            one.message.as_deref().unwrap_or_default()
        ),
        None => "Pending".to_owned(),
    }
}
