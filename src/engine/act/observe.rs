//! Waits until a watch shows the effect of an intent.
//!
//! The wait has no end of its own but an hour: a controller that does nothing is seen in the
//! ledger as still waiting, with what is being waited for.

mod runs;

use super::{commit, plan, refusal, steer, text};
use crate::api::meta::EventWire;
use crate::domain::analysis::AnalysisPhase;
use crate::domain::finding::Finding;
use crate::domain::intent::{Switch, Verb};
use crate::domain::node::Node;
use crate::domain::object::ObjectRef;
use crate::domain::pipeline::RunVerb;
use crate::domain::rollout::{Rollout, RolloutPhase};
use crate::engine::backoff::Backoff;
use crate::engine::fault::Fault;
use crate::engine::resource::Resource;
use crate::engine::session::Session;
use crate::engine::transport::{Call, open, segment};
use serde_json::Value;
use std::time::Duration;

/// After this long nobody waits any more.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What is to be seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expectation {
    /// The refresh annotation is gone.
    Refreshed,
    /// The operation with this request id is over.
    Operation(String),
    Terminated,
    Switched(Switch, bool),
    Approved,
    /// The object is gone.
    Gone,
    /// A workload runs what its template says.
    RolledOut,
    Scaled(u32),
    /// The object has another version than this.
    Written(String),
    /// The controller did to a Rollout what the intent asks; with what it was before.
    Steered(Verb, Box<Rollout>),
    /// An AnalysisRun or Experiment is over.
    AnalysisOver,
    /// A run did what was asked of it; with `TriggerCron`, it has begun.
    Run(RunVerb),
    /// A run of Actions is at this attempt.
    Attempt(i64),
    /// An Application shows a commit, on top of which others may be.
    Commit {
        id: String,
        /// What it was built on.
        head: String,
        /// What the Application was compared with before.
        before: String,
        auto_sync: bool,
    },
}

/// What one look at the object says.
enum Look {
    NotYet,
    Seen(String),
    Failed(Finding),
}

impl Expectation {
    /// Says what is being waited for.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Refreshed => String::from("the controller to compare again"),
            Self::Operation(_) => String::from("the operation to finish"),
            Self::Terminated => String::from("the operation to stop"),
            Self::Switched(..) | Self::Written(_) => String::from("the watch to show it"),
            Self::Approved => String::from("the watch to show the approval"),
            Self::Gone => String::from("the object to go away"),
            Self::RolledOut => String::from("the new Pods to be available"),
            Self::Scaled(replicas) => format!("{replicas} replicas to be ready"),
            Self::Steered(..) => String::from("the controller to act on it"),
            Self::AnalysisOver => String::from("the analysis to end"),
            Self::Run(verb) => runs::what(verb).to_owned(),
            Self::Attempt(number) => format!("attempt {number} to begin"),
            Self::Commit {
                auto_sync: true, ..
            } => String::from("Argo CD to sync it"),
            Self::Commit { .. } => String::from("Argo CD to compare with it"),
        }
    }

    fn look(&self, object: &Value) -> Look {
        match self {
            Self::Refreshed => {
                let path = ["metadata", "annotations", "argocd.argoproj.io/refresh"];
                let at = text(object, &["status", "reconciledAt"]);
                seen_if(object.at(&path).is_none(), || format!("compared at {at}"))
            }
            Self::Operation(request) => operation(object, request),
            Self::Terminated => {
                let gone = object.at(&["operation"]).is_none_or(Node::is_null);
                let phase = text(object, &["status", "operationState", "phase"]);
                seen_if(gone, || format!("the operation ended as {phase}"))
            }
            Self::Switched(switch, on) => seen_if(plan::switch_is(object, *switch, *on), || {
                String::from("it is so")
            }),
            Self::Approved => {
                let path = [
                    "metadata",
                    "annotations",
                    "argocd.argoproj.io/deletion-approved",
                ];
                seen_if(object.at(&path).is_some(), || String::from("approved"))
            }
            Self::Gone => Look::NotYet,
            Self::RolledOut => rolled_out(object),
            Self::Scaled(replicas) => {
                let wanted = i64::from(*replicas);
                let settled = generation_seen(object) && count(object, "replicas") == wanted;
                let ready = count(object, "readyReplicas") == wanted;
                seen_if(settled && ready, || format!("{wanted} replicas are ready"))
            }
            Self::Steered(verb, before) => steered(verb, before, &steer::row(object)),
            Self::AnalysisOver => {
                let word = text(object, &["status", "phase"]);
                let phase = AnalysisPhase::from_word(word);
                seen_if(phase.is_some_and(AnalysisPhase::is_over), || {
                    format!("it ended as {word}")
                })
            }
            Self::Run(verb) => runs::look(verb, object),
            Self::Attempt(number) => {
                let attempt = object.at(&["run_attempt"]).and_then(Node::integer);
                seen_if(attempt >= Some(*number), || {
                    format!("attempt {number} has begun")
                })
            }
            Self::Commit {
                id,
                head,
                before,
                auto_sync,
            } => of_commit(object, (id, head, before), *auto_sync),
            Self::Written(before) => {
                let version = text(object, &["metadata", "resourceVersion"]);
                seen_if(version != before, || {
                    String::from("the watch shows the new version")
                })
            }
        }
    }
}

/// What an Application shows of a commit.
fn of_commit(object: &Value, commits: (&str, &str, &str), auto_sync: bool) -> Look {
    match commit::look(object, commits, auto_sync) {
        None => Look::NotYet,
        Some(Ok(detail)) => Look::Seen(detail),
        Some(Err(sentence)) => Look::Failed(refusal(
            sentence,
            "the commit stays; see the results of the operation",
        )),
    }
}

fn seen_if(condition: bool, detail: impl FnOnce() -> String) -> Look {
    if condition {
        Look::Seen(detail())
    } else {
        Look::NotYet
    }
}

fn count(object: &Value, field: &str) -> i64 {
    let count = object.at(&["status", field]).and_then(Node::integer);
    count.unwrap_or_default()
}

fn generation_seen(object: &Value) -> bool {
    let generation = object
        .at(&["metadata", "generation"])
        .and_then(Node::integer);
    let observed = object
        .at(&["status", "observedGeneration"])
        .and_then(Node::integer);
    observed.is_none_or(|observed| observed >= generation.unwrap_or_default())
}

fn rolled_out(object: &Value) -> Look {
    if !generation_seen(object) {
        return Look::NotYet;
    }
    let daemon = text(object, &["kind"]) == "DaemonSet";
    let wanted = if daemon {
        count(object, "desiredNumberScheduled")
    } else {
        object
            .at(&["spec", "replicas"])
            .and_then(Node::integer)
            .unwrap_or(1)
    };
    let (updated, available) = if daemon {
        (
            count(object, "updatedNumberScheduled"),
            count(object, "numberAvailable"),
        )
    } else {
        (
            count(object, "updatedReplicas"),
            count(object, "availableReplicas"),
        )
    };
    let old_left = !daemon && count(object, "replicas") > updated;
    let done = updated >= wanted && available >= wanted && !old_left;
    seen_if(done, || {
        format!("{available} of {wanted} Pods are new and available")
    })
}

/// What a Rollout shows of an intent.
fn steered(verb: &Verb, before: &Rollout, now: &Rollout) -> Look {
    if now.unobserved || now.is_unpausing() {
        return Look::NotYet;
    }
    let place = || match (now.progress(), now.current_step()) {
        (Some((index, total)), Some(step)) => {
            format!("it is at step {} of {total}: {}", index + 1, step.words())
        }
        (Some(_), None) => String::from("all steps are done"),
        (None, _) => format!("it is {}", now.phase.word()),
    };
    let aborted = || {
        let sentence = format!("it was aborted: {}", now.message);
        Look::Failed(refusal(sentence, "see its analyses for the reason"))
    };
    let updates = now.current_hash != before.current_hash;
    match verb {
        Verb::Promote | Verb::Resume | Verb::PromoteFull if now.aborted => aborted(),
        Verb::Promote | Verb::Resume => {
            let moved = now.step_index != before.step_index
                || now.pauses != before.pauses
                || now.is_fully_promoted();
            seen_if(moved || (before.spec_paused && !now.spec_paused), place)
        }
        Verb::PromoteFull => seen_if(now.is_fully_promoted(), || {
            String::from("the new version is stable")
        }),
        Verb::Abort => seen_if(now.aborted && now.phase == RolloutPhase::Degraded, || {
            now.message.to_string()
        }),
        Verb::Retry => seen_if(!now.aborted && now.phase != RolloutPhase::Degraded, place),
        Verb::Pause => seen_if(now.spec_paused && now.phase == RolloutPhase::Paused, || {
            format!("it is paused: {}", now.message)
        }),
        Verb::Restart | Verb::RestartRollout => {
            let done = now.restart_at.is_some() && now.restarted_at == now.restart_at;
            seen_if(done && now.restart_at != before.restart_at, || {
                String::from("all its Pods are new")
            })
        }
        Verb::Undo { .. } | Verb::SetImage { .. } => seen_if(updates, || {
            format!("the update to `{}` has begun", now.current_hash)
        }),
        Verb::TerminateAnalysis
        | Verb::Silence(_)
        | Verb::ExpireSilence
        | Verb::Run(_)
        | Verb::Image(_)
        | Verb::Refresh(_)
        | Verb::Sync(_)
        | Verb::Terminate
        | Verb::Rollback { .. }
        | Verb::Switch { .. }
        | Verb::DeleteApplication(_)
        | Verb::ConfirmDeletion
        | Verb::Scale { .. }
        | Verb::Delete { .. }
        | Verb::Replace { .. } => Look::NotYet,
    }
}

fn operation(object: &Value, request: &str) -> Look {
    let state = object.at(&["status", "operationState"]);
    let is_ours = |operation: Option<&Value>| {
        let info = operation
            .and_then(|one| one.member("info"))
            .map(Node::items);
        info.unwrap_or_default()
            .iter()
            .any(|one| text(one, &["value"]) == request)
    };
    let requested = object.at(&["operation"]).filter(|one| !one.is_null());
    if requested.is_some() && is_ours(requested) {
        return Look::NotYet;
    }
    let Some(state) = state.filter(|state| !state.is_null()) else {
        return Look::NotYet;
    };
    if !is_ours(state.member("operation")) {
        let sentence = "another operation took its place before it was begun";
        return Look::Failed(refusal(
            sentence,
            "look at the running operation, then ask again",
        ));
    }
    if state.member("finishedAt").is_none_or(Node::is_null) {
        return Look::NotYet;
    }
    let message = text(state, &["message"]).to_owned();
    match text(state, &["phase"]) {
        "Succeeded" => Look::Seen(message),
        phase => Look::Failed(refusal(
            format!("the operation ended as {phase}: {message}"),
            "see the results of the operation for the object it failed at",
        )),
    }
}

/// Waits until the expectation is met.
pub(super) async fn wait(
    session: &Session,
    target: &ObjectRef,
    expects: Expectation,
) -> Result<String, Finding> {
    let what = expects.what();
    let waiting = watch_until(session, target, &expects);
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_elapsed| {
            Err(refusal(
                format!("gave up after an hour of waiting for {what}"),
                "is the controller running?",
            ))
        })
}

async fn watch_until(
    session: &Session,
    target: &ObjectRef,
    expects: &Expectation,
) -> Result<String, Finding> {
    let mut backoff = Backoff::default();
    let mut first_uid = None;
    loop {
        match one_watch(session, target, expects, &mut first_uid).await {
            Ok(Look::Seen(detail)) => return Ok(detail),
            Ok(Look::Failed(finding)) => return Err(finding),
            Ok(Look::NotYet) => backoff.reset(),
            Err(fault) if fault.passes() || fault == Fault::Gone => {}
            Err(fault) => {
                let doing = format!("accepted, but `{}` cannot be watched", target.path());
                return Err(fault.into_finding(&doing));
            }
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Reads the object and follows it until the stream ends.
async fn one_watch(
    session: &Session,
    target: &ObjectRef,
    expects: &Expectation,
    first_uid: &mut Option<String>,
) -> Result<Look, Fault> {
    let object = match session.object(target).await {
        Ok(object) => object,
        Err(Fault::NotFound(_)) => return Ok(gone(expects)),
        Err(fault) => return Err(fault),
    };
    let uid = text(&object, &["metadata", "uid"]).to_owned();
    if *first_uid.get_or_insert_with(|| uid.clone()) != uid {
        return Ok(gone(expects));
    }
    let look = expects.look(&object);
    if !matches!(look, Look::NotYet) {
        return Ok(look);
    }
    if crate::engine::github::has(&target.kind) {
        // Nothing can be watched there; whoever called looks again in a moment.
        return Ok(Look::NotYet);
    }
    let resource = session.resource(&target.kind).await?;
    let version = text(&object, &["metadata", "resourceVersion"]);
    follow(session, (&resource, target), expects, version).await
}

async fn follow(
    session: &Session,
    (resource, target): (&Resource, &ObjectRef),
    expects: &Expectation,
    version: &str,
) -> Result<Look, Fault> {
    let path = format!(
        "{}?fieldSelector=metadata.name%3D{}&watch=1&allowWatchBookmarks=true&timeoutSeconds=290&resourceVersion={}",
        resource.collection(target.namespace.as_deref()),
        segment(&target.name),
        segment(version),
    );
    let mut lines = open(&session.client(), Call::get(path)).await?;
    while let Some(block) = lines.next_block().await {
        for line in block?
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let Ok(event) = serde_json::from_slice::<EventWire<'_>>(line) else {
                continue;
            };
            let look = match &*event.kind {
                "DELETED" => gone(expects),
                "ADDED" | "MODIFIED" => serde_json::from_str(event.object.get())
                    .map_or(Look::NotYet, |object: Value| expects.look(&object)),
                "ERROR" => return Err(Fault::Gone),
                _ => Look::NotYet,
            };
            if !matches!(look, Look::NotYet) {
                return Ok(look);
            }
        }
    }
    Ok(Look::NotYet)
}

fn gone(expects: &Expectation) -> Look {
    if *expects == Expectation::Gone {
        return Look::Seen(String::from("it is gone"));
    }
    Look::Failed(refusal(
        "the object was deleted meanwhile",
        "nothing is left to wait for",
    ))
}
