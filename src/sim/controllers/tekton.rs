//! Tekton: Pipelines and Tasks that run in pods, and the Triggers that start them.
//!
//! Two control loops as upstream: [`pipeline_run`] makes TaskRuns, [`task_run`] makes pods. What
//! the steps in the pods do is declared (see [`crate::sim::steps`]); everything else follows
//! Tekton Pipelines 1.15. Custom tasks, `StepActions`, Pipelines in Pipelines and the resolvers that
//! fetch from elsewhere are refused with a message that says so.

mod cel;
mod facts;
mod graph;
mod matrix;
pub mod model;
mod names;
pub mod pipeline_run;
mod replace;
mod resolve;
pub mod task_run;
pub mod triggers;
mod when;

use super::runtime::Runtime;
use crate::sim::events::Events;
use crate::sim::network::Network;
use chrono::TimeDelta;

/// Starts the controllers of Tekton Pipelines and Triggers; `network` is where EventListeners can
/// be reached.
pub fn start(runtime: &Runtime, events: &Events, network: Network) {
    pipeline_run::PipelineRuns::start(runtime, events);
    task_run::TaskRuns::start(runtime, events);
    triggers::EventListeners::start(runtime, events, network);
}

/// Spells a span as Go does: `1h0m0s`, `30s`.
fn go_span(span: TimeDelta) -> String {
    let seconds = span.num_seconds();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}
