//! What the derivation of phase, step and weights needs of a Rollout's spec and status.
//!
//! Plain values as the server has them, absent ones settled as Argo Rollouts does.

use super::{Pause, Replicas, Step, Strategy};
use crate::domain::application::Condition;
use crate::domain::object::Text;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub strategy: Strategy,
    pub generation: i64,
    /// A string on the wire; empty before the first look.
    pub observed_generation: Text,
    /// The template comes from a workload, and the generation of it that the controller has
    /// written beside the Rollout differs from the one it says it has dealt with.
    pub workload_unobserved: bool,
    /// `status.phase` and `status.message`; an empty phase is derived.
    pub phase: Text,
    pub message: Text,
    pub conditions: Vec<Condition>,
    /// Reasons of the conditions, in the same order.
    pub condition_reasons: Vec<Text>,
    pub controller_pause: bool,
    pub pauses: Vec<Pause>,
    pub spec_paused: bool,
    pub aborted: bool,
    /// `spec.restartAt` is set and `status.restartedAt` is not the same.
    pub restarting: bool,
    pub replicas: Replicas,
    pub current_hash: Text,
    pub stable_hash: Text,
    pub active_hash: Text,
    pub has_post_promotion: bool,
    pub has_router: bool,
    pub steps: Vec<Step>,
    pub step_index: Option<u32>,
    /// `trafficRouting.maxTrafficWeight`; 100 when it is left out.
    pub max_weight: u32,
    /// `status.canary.weights.canary.weight`.
    pub routed_weight: Option<u32>,
    /// `status.canary.weights.verified`.
    pub verified: Option<bool>,
    /// Available replicas of the ReplicaSet of the current hash, when it was looked at.
    pub canary_available: Option<u32>,
}

impl Facts {
    /// Returns whether the controller has not seen the spec yet.
    pub fn is_unobserved(&self) -> bool {
        super::phase::is_unobserved(self)
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            strategy: Strategy::Unknown,
            generation: 0,
            observed_generation: "".into(),
            workload_unobserved: false,
            phase: "".into(),
            message: "".into(),
            conditions: Vec::new(),
            condition_reasons: Vec::new(),
            controller_pause: false,
            pauses: Vec::new(),
            spec_paused: false,
            aborted: false,
            restarting: false,
            replicas: Replicas::default(),
            current_hash: "".into(),
            stable_hash: "".into(),
            active_hash: "".into(),
            has_post_promotion: false,
            has_router: false,
            steps: Vec::new(),
            step_index: None,
            max_weight: 100,
            routed_weight: None,
            verified: None,
            canary_available: None,
        }
    }
}
