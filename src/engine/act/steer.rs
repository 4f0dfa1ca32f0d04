//! The patches of intents on Rollouts, and what must be true before each; pure.
//!
//! Patches as the kubectl plugin of Argo Rollouts sends them
//! (`pkg/kubectl-argo-rollouts/cmd/{promote,abort,retry,pause,restart,undo,set}`); preconditions
//! as Argo CD's actions have them (`resource_customizations/argoproj.io/Rollout/actions`).

use super::plan::Refusal;
use crate::api::convert::rollout::rollout;
use crate::domain::intent::Verb;
use crate::domain::object::Cluster;
use crate::domain::rollout::{Rollout, Step, Strategy};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// What is sent: the status first, then the spec, each as a merge patch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Steering {
    pub(super) status: Option<Value>,
    pub(super) spec: Option<Value>,
    /// What it does, for the ledger.
    pub(super) what: String,
}

fn refuse<T>(reason: impl Into<String>, hint: &'static str) -> Result<T, Refusal> {
    Err(Refusal {
        reason: reason.into(),
        hint,
    })
}

/// Reads a live Rollout for its preconditions.
pub(super) fn row(live: &Value) -> Rollout {
    rollout(live, &Cluster("".into()), None)
}

/// Returns what to send for an intent; `None` when it is not one of these.
pub(super) fn steer(
    live: &Value,
    verb: &Verb,
    now: DateTime<Utc>,
) -> Option<Result<Steering, Refusal>> {
    let row = row(live);
    Some(match verb {
        Verb::Promote => promote(live, &row),
        Verb::PromoteFull => promote_full(&row),
        Verb::Abort => abort(&row),
        Verb::Retry => retry(&row),
        Verb::Pause => pause(&row),
        Verb::Resume => resume(&row),
        Verb::Restart | Verb::RestartRollout => Ok(Steering {
            spec: Some(json!({ "spec": {
                "restartAt": now.to_rfc3339_opts(SecondsFormat::Secs, true) } })),
            what: String::from("its Pods are to be made anew"),
            ..Steering::default()
        }),
        Verb::Undo { .. }
        | Verb::SetImage { .. }
        | Verb::TerminateAnalysis
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
        | Verb::Replace { .. } => return None,
    })
}

const UNPAUSE: &str = "paused";

fn not_unpausing(row: &Rollout) -> Result<(), Refusal> {
    if row.is_unpausing() {
        return refuse(
            "a promotion is on its way to the controller, and a second one would skip a step",
            "wait until it has moved on",
        );
    }
    if row.unobserved {
        return refuse(
            "the controller has not seen its present spec yet",
            "wait a moment; if it stays so, the controller is down",
        );
    }
    Ok(())
}

/// The three cases of a promotion: an inconclusive analysis is judged, a pause is ended, or what
/// is running is skipped.
fn promote(live: &Value, row: &Rollout) -> Result<Steering, Refusal> {
    not_unpausing(row)?;
    if row.aborted {
        return refuse("its update was aborted", "retry it first");
    }
    let total = u32::try_from(row.steps.len()).unwrap_or(u32::MAX);
    let index = row.step_index.unwrap_or(0);
    let has_step_left = row.strategy == Strategy::Canary && total > 0 && index < total;
    if row.pauses.is_empty() && !row.spec_paused && !has_step_left {
        return refuse(
            "nothing waits for a promotion",
            "a change of its template or image begins an update",
        );
    }
    let mut status = Map::new();
    let judged = step_analysis_is_inconclusive(live) && !row.pauses.is_empty();
    let what = if judged && row.controller_pause {
        status.insert("pauseConditions".into(), Value::Null);
        status.insert("controllerPause".into(), false.into());
        status.insert("currentStepIndex".into(), (index + 1).into());
        String::from("the inconclusive analysis is taken for good")
    } else if !row.pauses.is_empty() {
        status.insert("pauseConditions".into(), Value::Null);
        String::from("the pause is ended")
    } else if has_step_left {
        status.insert("pauseConditions".into(), Value::Null);
        status.insert("currentStepIndex".into(), (index + 1).min(total).into());
        let step = row.current_step().map(Step::words).unwrap_or_default();
        format!("step {} (`{step}`) is skipped", index + 1)
    } else {
        String::from("it is resumed")
    };
    Ok(Steering {
        status: (!status.is_empty()).then(|| json!({ "status": status })),
        spec: row
            .spec_paused
            .then(|| json!({ "spec": { UNPAUSE: false } })),
        what,
    })
}

fn step_analysis_is_inconclusive(live: &Value) -> bool {
    let status = live.pointer("/status/canary/currentStepAnalysisRunStatus/status");
    status.and_then(Value::as_str) == Some("Inconclusive")
}

fn promote_full(row: &Rollout) -> Result<Steering, Refusal> {
    if row.is_fully_promoted() {
        return refuse("it is fully promoted already", "nothing has to be done");
    }
    if row.aborted {
        return refuse("its update was aborted", "retry it first");
    }
    Ok(Steering {
        status: Some(json!({ "status": { "promoteFull": true } })),
        spec: row
            .spec_paused
            .then(|| json!({ "spec": { UNPAUSE: false } })),
        what: String::from("all steps that are left are skipped"),
    })
}

fn abort(row: &Rollout) -> Result<Steering, Refusal> {
    if row.aborted {
        return refuse("it is aborted already", "retry it, or change its template");
    }
    if row.is_fully_promoted() {
        return refuse(
            "it is fully promoted: there is no update to abort",
            "undo it to go back to an earlier revision",
        );
    }
    Ok(Steering {
        status: Some(json!({ "status": { "abort": true } })),
        what: String::from("the update is to be aborted"),
        ..Steering::default()
    })
}

fn retry(row: &Rollout) -> Result<Steering, Refusal> {
    if !row.aborted {
        return refuse("it is not aborted", "only an aborted update can be retried");
    }
    if row.is_fully_promoted() {
        return refuse("it is fully promoted", "nothing has to be retried");
    }
    Ok(Steering {
        status: Some(json!({ "status": { "abort": false } })),
        what: String::from("the update is to begin again"),
        ..Steering::default()
    })
}

fn pause(row: &Rollout) -> Result<Steering, Refusal> {
    if row.spec_paused {
        return refuse("it is paused already", "resume it to go on");
    }
    if row.aborted {
        return refuse(
            "its update was aborted",
            "nothing moves that could be paused",
        );
    }
    if row.is_fully_promoted() {
        return refuse(
            "it is fully promoted: nothing moves that could be paused",
            "pause it while it updates",
        );
    }
    Ok(Steering {
        spec: Some(json!({ "spec": { UNPAUSE: true } })),
        what: String::from("it is to stop where it is"),
        ..Steering::default()
    })
}

fn resume(row: &Rollout) -> Result<Steering, Refusal> {
    if row.pauses.is_empty() && !row.spec_paused {
        not_unpausing(row)?;
        return refuse("it is not paused", "promote it to skip what is running");
    }
    let paused = !row.pauses.is_empty();
    Ok(Steering {
        status: paused.then(|| json!({ "status": { "pauseConditions": null } })),
        spec: row
            .spec_paused
            .then(|| json!({ "spec": { UNPAUSE: false } })),
        what: String::from("the pause is ended"),
    })
}

/// Returns a Pod template without the label that the controller adds.
pub(super) fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    let labels = template
        .pointer_mut("/metadata/labels")
        .and_then(Value::as_object_mut);
    if let Some(labels) = labels {
        let _hash = labels.remove(crate::api::convert::replica_set::HASH_LABEL);
        let _deployment_hash = labels.remove("pod-template-hash");
    }
    if let Some(meta) = template
        .pointer_mut("/metadata")
        .and_then(Value::as_object_mut)
    {
        meta.retain(|name, value| name != "creationTimestamp" || !value.is_null());
    }
    template
}

/// Sets the image of a container (`*`: of all) in an object with a template. Returns how many
/// images changed.
pub(super) fn set_image(live: &mut Value, container: &str, image: &str) -> Result<usize, Refusal> {
    let mut found = false;
    let mut changed = 0;
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let path = format!("/spec/template/spec/{list}");
        let containers = live.pointer_mut(&path).and_then(Value::as_array_mut);
        for one in containers.into_iter().flatten() {
            let name = one.get("name").and_then(Value::as_str);
            if container != "*" && name != Some(container) {
                continue;
            }
            found = true;
            if one.get("image").and_then(Value::as_str) != Some(image) {
                one["image"] = image.into();
                changed += 1;
            }
        }
    }
    match (found, changed) {
        (false, _) => refuse(
            format!("it has no container `{container}`"),
            "look at its images for the names of its containers",
        ),
        (true, 0) => refuse(
            format!("it runs `{image}` already"),
            "nothing has to be done",
        ),
        (true, changed) => Ok(changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(status: Value) -> Value {
        json!({
            "metadata": {"name": "web", "namespace": "shop", "generation": 4},
            "spec": {"replicas": 5, "strategy": {"canary": {"steps": [
                {"setWeight": 20}, {"pause": {}}, {"setWeight": 40}, {"analysis": {"templates": []}}]}}},
            "status": merge(json!({"observedGeneration": "4", "currentPodHash": "b", "stableRS": "a"}), status),
        })
    }

    fn merge(mut base: Value, more: Value) -> Value {
        if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
            base.extend(more);
        }
        base
    }

    fn steered(live: &Value, verb: &Verb) -> Result<Steering, String> {
        let answer = steer(live, verb, DateTime::UNIX_EPOCH).expect("an intent on Rollouts");
        answer.map_err(|refusal| refusal.reason)
    }

    fn paused() -> Value {
        canary(json!({"currentStepIndex": 1, "controllerPause": true,
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]}))
    }

    #[test]
    fn a_pause_is_ended_and_a_running_step_is_skipped() {
        let ended = steered(&paused(), &Verb::Promote).expect("allowed");
        assert_eq!(
            ended.status,
            Some(json!({"status": {"pauseConditions": null}}))
        );
        assert_eq!(ended.spec, None);

        let running = canary(json!({"currentStepIndex": 3}));
        let skipped = steered(&running, &Verb::Promote).expect("allowed");
        assert_eq!(
            skipped.status,
            Some(json!({"status": {"pauseConditions": null, "currentStepIndex": 4}}))
        );
    }

    #[test]
    fn a_promotion_judges_an_inconclusive_analysis() {
        let mut live = paused();
        live["status"]["currentStepIndex"] = 3.into();
        live["status"]["canary"] =
            json!({"currentStepAnalysisRunStatus": {"status": "Inconclusive"}});

        let judged = steered(&live, &Verb::Promote).expect("allowed");

        assert_eq!(
            judged.status,
            Some(json!({"status": {
                "pauseConditions": null, "controllerPause": false, "currentStepIndex": 4}}))
        );
    }

    #[test]
    fn a_second_promotion_is_refused_until_the_controller_has_moved() {
        let unpausing = canary(json!({"currentStepIndex": 1, "controllerPause": true}));
        let refused = steered(&unpausing, &Verb::Promote).expect_err("refused");
        assert!(refused.contains("skip a step"), "{refused}");

        let mut unseen = paused();
        unseen["metadata"]["generation"] = 5.into();
        assert!(steered(&unseen, &Verb::Promote).is_err());
    }

    #[test]
    fn a_rollout_that_is_paused_by_its_spec_is_resumed_too() {
        let mut live = paused();
        live["spec"]["paused"] = true.into();
        for verb in [Verb::Promote, Verb::Resume] {
            let both = steered(&live, &verb).expect("allowed");
            assert_eq!(both.spec, Some(json!({"spec": {"paused": false}})));
            assert_eq!(
                both.status,
                Some(json!({"status": {"pauseConditions": null}}))
            );
        }
    }

    #[test]
    fn preconditions_are_those_of_argo_cds_actions() {
        let done = canary(json!({"currentPodHash": "a", "currentStepIndex": 4}));
        for verb in [
            Verb::Promote,
            Verb::PromoteFull,
            Verb::Abort,
            Verb::Retry,
            Verb::Pause,
            Verb::Resume,
        ] {
            assert!(steered(&done, &verb).is_err(), "{}", verb.id());
        }
        let aborted = canary(json!({"abort": true, "currentStepIndex": 0}));
        for verb in [Verb::Promote, Verb::PromoteFull, Verb::Abort, Verb::Pause] {
            assert!(steered(&aborted, &verb).is_err(), "{}", verb.id());
        }
        let retried = steered(&aborted, &Verb::Retry).expect("allowed");
        assert_eq!(retried.status, Some(json!({"status": {"abort": false}})));
        let stopped = steered(&paused(), &Verb::Abort).expect("allowed");
        assert_eq!(stopped.status, Some(json!({"status": {"abort": true}})));
    }

    #[test]
    fn images_are_set_by_container_or_all_of_them() {
        let mut live = json!({"spec": {"template": {"spec": {
            "containers": [{"name": "app", "image": "a:1"}, {"name": "side", "image": "s:1"}],
            "initContainers": [{"name": "init", "image": "i:1"}]}}}});
        assert_eq!(set_image(&mut live, "app", "a:2"), Ok(1));
        assert!(
            set_image(&mut live, "app", "a:2").is_err(),
            "it runs it already"
        );
        assert!(set_image(&mut live, "none", "a:2").is_err());
        assert_eq!(set_image(&mut live, "*", "a:2"), Ok(2));
    }
}
