//! What a run shows of an intent.

use super::{Look, refusal, seen_if};
use crate::api::convert::{actions, tekton, workflow};
use crate::domain::node::Node;
use crate::domain::object::{Cluster, GroupKind};
use crate::domain::pipeline::{Phase, RunRow, RunVerb, System};
use serde_json::Value;

/// Says what is being waited for.
pub(super) fn what(verb: &RunVerb) -> &'static str {
    match verb {
        RunVerb::Submit { .. } | RunVerb::Resubmit | RunVerb::TriggerCron => "the run to begin",
        RunVerb::Suspend | RunVerb::SuspendCron { .. } => "the watch to show it",
        RunVerb::Resume { .. } => "the run to go on",
        RunVerb::Stop | RunVerb::Terminate | RunVerb::Cancel(_) => "the run to end",
        RunVerb::Retry => "the run to begin again",
        RunVerb::TestEvent { .. } | RunVerb::Replay { .. } => "an answer",
    }
}

fn row(object: &Value) -> RunRow {
    let cluster = Cluster("".into());
    let text = |name: &str| object.at(&[name]).and_then(Node::text).unwrap_or_default();
    let group = text("apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group);
    let kind = GroupKind::new(group, text("kind"));
    match System::of_kind(&kind) {
        Some(System::Workflows) => workflow::run_row(object, &cluster),
        Some(System::Actions) => actions::run_row(object, None, &cluster, ""),
        Some(System::Tekton) | None => tekton::run_row(object, &cluster, &kind),
    }
}

/// Looks at a run (or a schedule) for what was asked of it.
pub(super) fn look(verb: &RunVerb, object: &Value) -> Look {
    if let RunVerb::SuspendCron { on } = verb {
        let is = object.at(&["spec", "suspend"]).and_then(Node::boolean);
        return seen_if(is.unwrap_or(false) == *on, || String::from("it is so"));
    }
    let row = row(object);
    let stands = || format!("it is {}", row.status_words());
    match verb {
        RunVerb::Submit { .. } | RunVerb::Resubmit | RunVerb::TriggerCron => {
            if row.phase == Phase::Error && row.started.is_none() {
                let sentence = format!("it could not begin: {}", row.message);
                return Look::Failed(refusal(sentence, "correct the template or its parameters"));
            }
            seen_if(row.phase != Phase::Pending, stands)
        }
        RunVerb::Suspend => seen_if(row.phase == Phase::Suspended || row.phase.is_over(), stands),
        RunVerb::Resume { node: None, .. } => seen_if(row.phase != Phase::Suspended, stands),
        RunVerb::Resume { .. } | RunVerb::SuspendCron { .. } => Look::Seen(stands()),
        RunVerb::Stop | RunVerb::Terminate | RunVerb::Cancel(_) => {
            seen_if(row.phase.is_over(), stands)
        }
        RunVerb::Retry => seen_if(row.phase != Phase::Pending, stands),
        RunVerb::TestEvent { .. } | RunVerb::Replay { .. } => Look::NotYet,
    }
}
