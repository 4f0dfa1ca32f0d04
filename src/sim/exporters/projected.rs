//! A watched object of which only some fields are kept.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::{ApiResource, GroupVersionKind};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// An object with the fields of `Spec` and `Status`; everything else is skipped.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound(
    deserialize = "Spec: Default + Deserialize<'de>, Status: Default + Deserialize<'de>"
))]
pub(super) struct Projected<Spec, Status> {
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) spec: Spec,
    #[serde(default)]
    pub(super) status: Status,
    /// Only Applications have it: an operation that was asked for.
    #[serde(default)]
    pub(super) operation: Option<IgnoredAny>,
}

impl<Spec, Status> Projected<Spec, Status> {
    pub(super) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Drops what no metric reads.
    pub(super) fn slim(&mut self) {
        let metadata = &mut self.metadata;
        metadata.annotations = None;
        metadata.finalizers = None;
        metadata.labels = None;
        metadata.owner_references = None;
    }
}

impl<Spec, Status> Resource for Projected<Spec, Status> {
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

/// Returns where Argo's kinds are served.
pub(super) fn argo(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind))
}
