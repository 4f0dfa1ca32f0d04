//! AnalysisRuns: measures what templates describe, judges the measurements, and says how it went.
//!
//! Follows Argo Rollouts' `analysis/` and `utils/analysis/`. What is measured is asked of providers
//! (Prometheus, web, job); how values are judged is written in a small language of conditions.

pub mod arguments;
mod condition;
mod duration;
pub mod templates;

use super::runtime::Runtime;
use crate::sim::events::Events;
use crate::sim::network::Network;

/// The AnalysisRun controller.
#[derive(Debug)]
pub struct Analyses;

impl Analyses {
    /// Starts the controller.
    pub fn start(_runtime: &Runtime, _events: &Events, _network: Network) {}
}
