//! AnalysisRuns and Experiments as the Rollout controller sees them: made once, then only watched.

use crate::sim::controllers::ownership::controller_of;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::{ApiResource, GroupVersionKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// An AnalysisRun or an Experiment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    #[serde(default)]
    pub(super) api_version: String,
    #[serde(default)]
    pub(super) kind: String,
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) spec: Value,
    #[serde(default, skip_serializing)]
    pub(super) status: RunState,
}

/// How a run is going.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RunState {
    pub(super) phase: String,
    pub(super) message: String,
    pub(super) template_statuses: Vec<TemplateState>,
}

/// One revision in an experiment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TemplateState {
    pub(super) name: String,
    pub(super) service_name: String,
    pub(super) pod_template_hash: String,
}

impl Run {
    /// Returns the name.
    pub(super) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// It has ended, well or not.
    pub(super) fn is_finished(&self) -> bool {
        super::conditions::is_finished(&self.status.phase)
    }

    /// It was told to end.
    pub(super) fn is_terminated(&self) -> bool {
        self.spec.get("terminate") == Some(&Value::Bool(true))
    }

    /// Returns the letters of the revision it is about.
    pub(super) fn hash(&self) -> Option<&str> {
        let labels = self.metadata.labels.as_ref()?;
        labels.get(super::model::HASH_LABEL).map(String::as_str)
    }

    /// The object of this uid made it.
    pub(super) fn is_of(&self, uid: &str) -> bool {
        controller_of(&self.metadata).is_some_and(|owner| owner.uid == uid)
    }
}

/// Where AnalysisRuns are served.
pub(super) fn analysis_runs() -> ApiResource {
    resource("argoproj.io", "v1alpha1", "AnalysisRun")
}

/// Where Experiments are served.
pub(super) fn experiments() -> ApiResource {
    resource("argoproj.io", "v1alpha1", "Experiment")
}

/// Where a kind is served.
pub(super) fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// Any object, of which only the name matters.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Named {
    pub(super) metadata: ObjectMeta,
}

macro_rules! dynamic_resource {
    ($type:ty) => {
        impl Resource for $type {
            type DynamicType = ApiResource;
            type Scope = kube::core::DynamicResourceScope;

            fn kind(kind: &ApiResource) -> Cow<'_, str> {
                kind.kind.as_str().into()
            }

            fn group(kind: &ApiResource) -> Cow<'_, str> {
                kind.group.as_str().into()
            }

            fn version(kind: &ApiResource) -> Cow<'_, str> {
                kind.version.as_str().into()
            }

            fn api_version(kind: &ApiResource) -> Cow<'_, str> {
                kind.api_version.as_str().into()
            }

            fn plural(kind: &ApiResource) -> Cow<'_, str> {
                kind.plural.as_str().into()
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

dynamic_resource!(Run);
dynamic_resource!(Named);
