//! Tekton's kinds as the wire has them.
//!
//! Spec and status stay as they are written, so that one that cannot be read spoils its own run
//! and no other; [`spec`] and [`status`] are what the controllers read of them.

pub mod spec;
pub mod status;
pub mod value;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident, $group:literal, $version:literal, $plural:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, Serialize)]
        pub struct $name {
            pub metadata: ObjectMeta,
            #[serde(default)]
            pub spec: Value,
            #[serde(default, skip_serializing_if = "Value::is_null")]
            pub status: Value,
        }

        impl Resource for $name {
            type DynamicType = ();
            type Scope = NamespaceResourceScope;

            fn kind((): &()) -> Cow<'_, str> {
                stringify!($name).into()
            }

            fn group((): &()) -> Cow<'_, str> {
                $group.into()
            }

            fn version((): &()) -> Cow<'_, str> {
                $version.into()
            }

            fn plural((): &()) -> Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    )*};
}

kinds! {
    /// Steps that run one after the other in a pod.
    Task, "tekton.dev", "v1", "tasks";
    /// Tasks that run after each other.
    Pipeline, "tekton.dev", "v1", "pipelines";
    /// A Task that runs.
    TaskRun, "tekton.dev", "v1", "taskruns";
    /// A Pipeline that runs.
    PipelineRun, "tekton.dev", "v1", "pipelineruns";
    /// A server that makes runs out of events.
    EventListener, "triggers.tekton.dev", "v1beta1", "eventlisteners";
    /// Which events make which runs.
    Trigger, "triggers.tekton.dev", "v1beta1", "triggers";
    /// Which values are taken from an event.
    TriggerBinding, "triggers.tekton.dev", "v1beta1", "triggerbindings";
    /// Which objects are made of the values.
    TriggerTemplate, "triggers.tekton.dev", "v1beta1", "triggertemplates";
}
