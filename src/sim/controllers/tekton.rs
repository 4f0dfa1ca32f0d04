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

use super::ownership::owner_keys;
use super::runtime::{ObjectKey, Queue, Runtime, Watched, Writer};
use crate::sim::clock::PlatformClock;
use crate::sim::events::{Events, Recorder};
use crate::sim::network::Network;
use chrono::TimeDelta;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

const MANAGER: &str = "tekton-pipelines-controller";
/// How long a run may take when it does not say.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// Reason and message of a run that has failed.
type Failure = (&'static str, String);

/// Starts the controllers of Tekton Pipelines and Triggers; `network` is where EventListeners can
/// be reached.
pub fn start(runtime: &Runtime, events: &Events, network: Network) {
    pipeline_run::PipelineRuns::start(runtime, events);
    task_run::TaskRuns::start(runtime, events);
    triggers::EventListeners::start(runtime, events, network);
}

/// What a controller of runs works with: the runs and what they are made of.
struct Tools<R: Watched, C: Watched> {
    queue: Queue<ObjectKey>,
    runs: Writer<R>,
    children: Writer<C>,
    claims: Writer<PersistentVolumeClaim>,
    recorder: Recorder,
    clock: PlatformClock,
}

/// Follows the runs of a kind and their children.
fn tools<R, C>(runtime: &Runtime, events: &Events, kind: &'static str) -> Tools<R, C>
where
    R: Watched<DynamicType = ()> + serde::Serialize,
    C: Watched<DynamicType = ()> + serde::Serialize,
{
    let runs = runtime.informer::<R>();
    let children = runtime.informer::<C>();
    let claims = runtime.informer::<PersistentVolumeClaim>();
    let queue = runtime.queue();
    runs.feed(&queue, |change| [change.key()]);
    children.feed(&queue, move |change| owner_keys(change, kind));
    claims.required_by(&queue);
    Tools {
        queue,
        runs: runs.writer(MANAGER),
        children: children.writer(MANAGER),
        claims: claims.writer(MANAGER),
        recorder: events.recorder(MANAGER),
        clock: runtime.clock().clone(),
    }
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
