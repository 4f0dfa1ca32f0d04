//! What a controller tells the kubelet of a pod whose containers are steps.

use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The annotation that holds a [`PodNote`] as JSON.
pub const NOTE: &str = "simulation.tiphys.dev/steps";

/// The steps of a pod, by container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodNote {
    pub steps: BTreeMap<String, StepNote>,
}

/// One container as a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StepNote {
    /// The Workflow's template, or the Task.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub template: String,
    /// The step or task in the Workflow, or the step of the Task.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// What `{name}` stands for in declared texts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Outputs or results: the name, and the file it is read from.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// Files that it finds: the path, and the text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Artifacts that it finds: the path, and the key under which one was kept.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub artifacts_in: BTreeMap<String, String>,
    /// Artifacts that it leaves: the path, and the key under which it is kept.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub artifacts_out: BTreeMap<String, String>,
    /// What it runs in place of its command: a shell script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// What it does to an object of the cluster, as a Workflow's template of kind `resource`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<serde_json::Value>,
    pub turn: Turn,
    /// A failure of this step does not end the pod (`onError: continue`).
    #[serde(skip_serializing_if = "is_false")]
    pub continue_on_error: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// When a container that was started begins its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Turn {
    /// At once, beside the others.
    #[default]
    AtOnce,
    /// When the step before it has ended well, as Tekton's entrypoint does; when that failed, it
    /// is skipped.
    AfterPrevious,
    /// It watches the others, ends after them and reports what they put out, as the container
    /// `wait` of Argo Workflows does.
    Last,
}

impl PodNote {
    /// Reads the note of a pod; one that cannot be read counts as none.
    pub fn of(pod: &Pod) -> Option<Self> {
        let annotations = pod.metadata.annotations.as_ref()?;
        serde_json::from_str(annotations.get(NOTE)?).ok()
    }

    /// Returns the annotation's text.
    pub fn to_annotation(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
