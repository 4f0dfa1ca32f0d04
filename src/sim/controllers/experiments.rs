//! Experiments: runs ReplicaSets beside each other for a time, measures them, and takes them away.
//!
//! Follows Argo Rollouts' `experiments/`.

use super::runtime::Runtime;
use crate::sim::events::Events;

/// The Experiment controller.
#[derive(Debug)]
pub struct Experiments;

impl Experiments {
    /// Starts the controller.
    pub fn start(_runtime: &Runtime, _events: &Events) {}
}
