//! Where a canary is in its steps, and what the steps passed so far ask for. Pure.
//!
//! Follows Argo Rollouts' `utils/replicaset/canary.go` and `utils/rollout/rolloututil.go`.

use super::arithmetic::{Basic, Bounds, Routed};
use super::model::{Pause, Rollout, SetCanaryScale, Step, Weights};
use crate::sim::controllers::argocd::durations;
use crate::sim::rng::{fnv32a, safe_encode};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Returns what the whole of the traffic is, mostly 100.
pub fn whole(rollout: &Rollout) -> i32 {
    rollout
        .traffic_routing()
        .and_then(|routing| routing.max_traffic_weight)
        .unwrap_or(100)
}

/// Returns the index of the current step, `steps.len()` when all are done; none without steps.
pub fn current_index(rollout: &Rollout) -> Option<usize> {
    if rollout.steps().is_empty() {
        return None;
    }
    let index = rollout.status.current_step_index.unwrap_or(0).max(0);
    Some(index as usize)
}

/// Returns the current step; none when there are no steps or all are done.
pub fn current(rollout: &Rollout) -> Option<(usize, &Step)> {
    let index = current_index(rollout)?;
    rollout.steps().get(index).map(|step| (index, step))
}

/// Returns the steps from the current one back to the first; none when there is no current one.
fn passed(rollout: &Rollout) -> Option<impl Iterator<Item = &Step>> {
    let (index, _) = current(rollout)?;
    Some(rollout.steps().iter().take(index + 1).rev())
}

/// Returns the canary's share that the steps ask for now.
pub fn set_weight(rollout: &Rollout) -> i32 {
    if rollout.status.abort {
        return 0;
    }
    match passed(rollout) {
        None => whole(rollout),
        Some(mut passed) => passed.find_map(|step| step.set_weight).unwrap_or(0),
    }
}

/// Returns the share that the steps before the current one asked for.
pub fn previous_weight(rollout: &Rollout) -> i32 {
    let index = current_index(rollout).unwrap_or(0);
    let before = rollout.steps().iter().take(index);
    before
        .rev()
        .find_map(|step| step.set_weight)
        .unwrap_or_default()
}

/// Returns the number of canary pods that a step has set apart from the traffic.
pub fn canary_scale(rollout: &Rollout) -> Option<SetCanaryScale> {
    rollout.traffic_routing()?;
    if rollout.status.abort && rollout.abort_scale_down_delay().is_some() {
        return None;
    }
    passed(rollout)?
        .find_map(|step| step.set_canary_scale)
        .filter(|scale| !scale.match_traffic_weight)
}

/// Returns a fixed number of canary pods, or the share they should have.
fn replicas_or_weight(rollout: &Rollout) -> (Option<i32>, i32) {
    let status = &rollout.status;
    if status.promote_full || status.stable_rs.is_empty() || rollout.is_fully_promoted() {
        return (None, whole(rollout));
    }
    match canary_scale(rollout) {
        Some(SetCanaryScale {
            replicas: Some(replicas),
            ..
        }) => (Some(replicas), 0),
        Some(SetCanaryScale {
            weight: Some(weight),
            ..
        }) => (None, weight),
        Some(_) | None => (None, set_weight(rollout)),
    }
}

/// Returns the bounds of a canary.
pub fn bounds(rollout: &Rollout) -> Bounds {
    let canary = rollout.canary();
    Bounds::new(
        canary.and_then(|one| one.max_surge.as_ref()),
        canary.and_then(|one| one.max_unavailable.as_ref()),
        rollout.replicas(),
    )
}

/// Returns what a canary without a router is asked for now.
pub fn basic(rollout: &Rollout) -> Basic {
    Basic {
        replicas: rollout.replicas(),
        weight: replicas_or_weight(rollout).1,
        whole: whole(rollout),
        bounds: bounds(rollout),
    }
}

/// Returns what a canary behind a router is asked for now.
pub fn routed(rollout: &Rollout, weights: Option<&Weights>) -> Routed {
    let (fixed, weight) = replicas_or_weight(rollout);
    let canary = rollout.canary();
    Routed {
        replicas: rollout.replicas(),
        weight,
        whole: whole(rollout),
        fixed,
        least: canary.and_then(|one| one.min_pods_per_replica_set),
        dynamic: canary.is_some_and(|one| one.dynamic_stable_scale),
        aborted: rollout.status.abort,
        routed: weights.map(|one| (one.canary.weight, one.stable.weight)),
    }
}

/// The background analysis may not start yet.
pub fn is_before_starting_step(rollout: &Rollout) -> bool {
    let start = rollout
        .canary()
        .and_then(|canary| canary.analysis.as_ref()?.starting_step);
    match (start, current_index(rollout)) {
        (Some(start), Some(index)) => (index as i64) < i64::from(start),
        (Some(_) | None, _) => false,
    }
}

/// Returns how many seconds a pause lasts; none if somebody has to end it, -1 if it cannot be read.
pub fn pause_seconds(pause: &Pause) -> Option<i64> {
    Some(match pause.duration.as_ref()? {
        IntOrString::Int(seconds) => i64::from(*seconds),
        IntOrString::String(text) => durations::parse(text).map_or(-1, |span| span.num_seconds()),
    })
}

/// Returns how events name a step.
pub fn text(step: &Step) -> String {
    if let Some(weight) = step.set_weight {
        return format!("setWeight: {weight}");
    }
    if let Some(pause) = &step.pause {
        return match &pause.duration {
            None => "pause".to_owned(),
            Some(IntOrString::Int(seconds)) => format!("pause: {seconds}"),
            Some(IntOrString::String(text)) => format!("pause: {text}"),
        };
    }
    if step.experiment.is_some() {
        return "experiment".to_owned();
    }
    if step.analysis.is_some() {
        return "analysis".to_owned();
    }
    if let Some(scale) = step.set_canary_scale {
        return match (scale.weight, scale.replicas) {
            (Some(weight), _) => format!("setCanaryScale{{weight: {weight}}}"),
            (None, _) if scale.match_traffic_weight => {
                "setCanaryScale{matchTrafficWeight: true}".to_owned()
            }
            (None, Some(replicas)) => format!("setCanaryScale{{replicas: {replicas}}}"),
            (None, None) => "invalid".to_owned(),
        };
    }
    if let Some(route) = &step.set_header_route {
        return format!("setHeaderRoute: {}", route.name);
    }
    if let Some(route) = &step.set_mirror_route {
        return format!("setMirrorRoute: {}", route.name);
    }
    match &step.plugin {
        Some(plugin) => format!("plugin: {}", plugin.name),
        None => "invalid".to_owned(),
    }
}

/// Returns the letters by which a change of the steps is noticed.
pub fn hash(rollout: &Rollout) -> String {
    if rollout.canary().is_none() {
        return String::new();
    }
    let bytes = serde_json::to_vec(rollout.steps()).unwrap_or_default();
    safe_encode(&fnv32a(&bytes).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rollout(index: i32) -> Rollout {
        serde_json::from_value(json!({
            "metadata": {},
            "spec": {"replicas": 5, "strategy": {"canary": {
                "trafficRouting": {"istio": {"virtualService": {"name": "web"}}},
                "steps": [
                    {"setCanaryScale": {"replicas": 3}},
                    {"setWeight": 20},
                    {"pause": {"duration": "1m30s"}},
                    {"setCanaryScale": {"matchTrafficWeight": true}},
                    {"setWeight": 60},
                ],
            }}},
            "status": {"currentStepIndex": index, "stableRS": "a", "currentPodHash": "b"},
        }))
        .expect("a rollout")
    }

    #[test]
    fn the_nearest_weight_at_or_before_the_step_counts() {
        assert_eq!(set_weight(&rollout(0)), 0);
        assert_eq!(set_weight(&rollout(1)), 20);
        assert_eq!(set_weight(&rollout(3)), 20);
        assert_eq!(set_weight(&rollout(4)), 60);
        assert_eq!(set_weight(&rollout(5)), 100);
        assert_eq!(previous_weight(&rollout(4)), 20);
        let mut aborted = rollout(4);
        aborted.status.abort = true;
        assert_eq!(set_weight(&aborted), 0);
    }

    #[test]
    fn a_canary_scale_holds_until_it_is_taken_back() {
        assert_eq!(routed(&rollout(2), None).goal(), (3, 5));
        assert_eq!(routed(&rollout(3), None).goal(), (1, 5));
        let mut aborted = rollout(2);
        aborted.status.abort = true;
        assert_eq!(routed(&aborted, None).goal(), (0, 5));
    }

    #[test]
    fn pauses_are_seconds_or_durations() {
        let seconds = |duration| {
            pause_seconds(&Pause {
                duration: Some(duration),
            })
        };
        assert_eq!(seconds(IntOrString::String("1m30s".into())), Some(90));
        assert_eq!(seconds(IntOrString::String("10".into())), Some(10));
        assert_eq!(seconds(IntOrString::Int(7)), Some(7));
        assert_eq!(seconds(IntOrString::String("soon".into())), Some(-1));
        assert_eq!(pause_seconds(&Pause::default()), None);
    }

    #[test]
    fn a_change_of_the_steps_changes_their_hash() {
        let one = rollout(0);
        let mut other = rollout(3);
        assert_eq!(hash(&one), hash(&other));

        if let Some(canary) = &mut other.spec.strategy.canary {
            canary.steps.pop();
        }

        assert_ne!(hash(&one), hash(&other));
    }
}
