//! Rollouts: brings new pods into service step by step, and back when a step fails.
//!
//! Follows Argo Rollouts' `rollout/` packages.

use super::runtime::Runtime;
use crate::sim::events::Events;

/// The Rollout controller.
#[derive(Debug)]
pub struct Rollouts;

impl Rollouts {
    /// Starts the controller.
    pub fn start(_runtime: &Runtime, _events: &Events) {}
}
