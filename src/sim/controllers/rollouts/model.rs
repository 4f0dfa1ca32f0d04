//! The wire form of a Rollout, as far as the controller reads and writes it.
//!
//! Field names are those of `pkg/apis/rollouts/v1alpha1/types.go`. Fields that are not named here are
//! left alone: writes are merge patches of what differs between two of these values. The pod
//! template stays untyped, so that one that cannot be read makes its Rollout invalid, and no other.

mod spec;
mod status;

pub use spec::*;
pub use status::*;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// The label that tells pods and ReplicaSets of a Rollout's revisions apart.
pub const HASH_LABEL: &str = "rollouts-pod-template-hash";
/// The annotation that numbers the revisions.
pub const REVISION: &str = "rollout.argoproj.io/revision";

/// A Rollout.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rollout {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: RolloutSpec,
    #[serde(default)]
    pub status: RolloutStatus,
}

/// What is asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_ref: Option<WorkloadRef>,
    pub strategy: Strategy,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_ready_seconds: Option<i32>,
    #[serde(skip_serializing_if = "is_false")]
    pub paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_deadline_seconds: Option<i32>,
    #[serde(skip_serializing_if = "is_false")]
    pub progress_deadline_abort: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_history_limit: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_window: Option<RollbackWindow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis: Option<RunHistory>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
pub(super) fn is_false(value: &bool) -> bool {
    !*value
}

impl Rollout {
    /// Returns the name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Returns the namespace.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Returns how many replicas are asked for.
    pub fn replicas(&self) -> i32 {
        self.spec.replicas.unwrap_or(1)
    }

    /// Returns the canary strategy, if that is the one.
    pub fn canary(&self) -> Option<&Canary> {
        self.spec.strategy.canary.as_ref()
    }

    /// Returns the blue-green strategy, if that is the one.
    pub fn blue_green(&self) -> Option<&BlueGreen> {
        self.spec.strategy.blue_green.as_ref()
    }

    /// Returns the canary's steps; none with another strategy.
    pub fn steps(&self) -> &[Step] {
        self.canary().map_or(&[], |canary| canary.steps.as_slice())
    }

    /// Returns who splits the traffic, if anybody does.
    pub fn traffic_routing(&self) -> Option<&TrafficRouting> {
        self.canary()?.traffic_routing.as_ref()
    }

    /// The stable revision is the one that is asked for: no update is under way.
    pub fn is_fully_promoted(&self) -> bool {
        self.status.stable_rs == self.status.current_pod_hash
    }

    /// Returns the revision the Rollout is annotated with, 0 if none.
    pub fn revision(&self) -> i64 {
        let annotations = self.metadata.annotations.as_ref();
        annotations
            .and_then(|all| all.get(REVISION)?.parse().ok())
            .unwrap_or_default()
    }

    /// Returns the progress deadline in seconds.
    pub fn progress_deadline(&self) -> i32 {
        self.spec.progress_deadline_seconds.unwrap_or(600)
    }

    /// Returns after how many seconds an aborted revision is scaled down; none means never.
    pub fn abort_scale_down_delay(&self) -> Option<i32> {
        let given = match (self.blue_green(), self.canary()) {
            (Some(blue_green), _) => blue_green.abort_scale_down_delay_seconds,
            (None, Some(canary)) if canary.traffic_routing.is_some() => {
                canary.abort_scale_down_delay_seconds
            }
            (None, _) => return None,
        };
        match given {
            Some(0) => None,
            Some(seconds) => Some(seconds),
            None => Some(30),
        }
    }

    /// Returns for how many seconds the pods of the previous revision stay.
    pub fn scale_down_delay(&self) -> i32 {
        match (self.blue_green(), self.canary()) {
            (Some(blue_green), _) => blue_green.scale_down_delay_seconds.unwrap_or(30),
            (None, Some(canary)) if canary.traffic_routing.is_some() => {
                canary.scale_down_delay_seconds.unwrap_or(30)
            }
            (None, _) => 0,
        }
    }
}

impl Resource for Rollout {
    type DynamicType = ();
    type Scope = kube::core::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Rollout".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "argoproj.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "rollouts".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
