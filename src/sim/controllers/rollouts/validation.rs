//! What makes a Rollout invalid, in upstream's words. Pure.
//!
//! Follows Argo Rollouts' `pkg/apis/rollouts/validation/validation.go`; only the first error is ever
//! reported, so this stops there.

mod steps;

use super::model::{AntiAffinity, BlueGreen, Canary, Rollout};
use crate::sim::apiserver::schema::FieldError;
use crate::sim::controllers::runtime::selector;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;
use std::collections::BTreeMap;

const SAME_BLUE_GREEN: &str = "This rollout uses the same service for the active and preview services, but two different services are required.";
const SAME_CANARY: &str = "This rollout uses the same service for the stable and canary services, but two different services are required.";
const BOTH_SERVICES: &str =
    "Canary service and Stable service must to be set to use Traffic Routing";
const BOTH_ZERO: &str = "MaxSurge and MaxUnavailable both can not be zero";
const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

type Checked = Result<(), FieldError>;

/// Checks a Rollout whose pod template has been read.
pub fn check(rollout: &Rollout, template: &PodTemplateSpec) -> Checked {
    let spec = &rollout.spec;
    not_negative("spec.replicas", rollout.replicas())?;
    check_selector(rollout, template)?;
    not_negative("spec.minReadySeconds", spec.min_ready_seconds.unwrap_or(0))?;
    let history = spec.revision_history_limit.unwrap_or(10);
    not_negative("spec.revisionHistoryLimit", history)?;
    let deadline = rollout.progress_deadline();
    not_negative("spec.progressDeadlineSeconds", deadline)?;
    if deadline <= spec.min_ready_seconds.unwrap_or(0) {
        return Err(FieldError::invalid(
            "spec.progressDeadlineSeconds",
            &json!(deadline),
            "must be greater than minReadySeconds",
        ));
    }
    match (rollout.blue_green(), rollout.canary()) {
        (None, None) => Err(FieldError::required(
            "spec.strategy.strategy",
            "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'",
        )),
        (Some(_), Some(_)) => Err(FieldError::invalid(
            "spec.strategy.strategy",
            &json!("blueGreen: true canary: true"),
            "Multiple Strategies can not be listed",
        )),
        (Some(blue_green), None) => check_blue_green(blue_green, history),
        (None, Some(canary)) => check_canary(rollout, canary),
    }
}

fn not_negative(field: &str, value: i32) -> Checked {
    if value < 0 {
        return Err(FieldError::invalid(field, &json!(value), NOT_NEGATIVE));
    }
    Ok(())
}

fn check_selector(rollout: &Rollout, template: &PodTemplateSpec) -> Checked {
    let Some(selector) = &rollout.spec.selector else {
        return Err(FieldError::required(
            "spec.selector",
            "Rollout has missing field '.spec.selector'",
        ));
    };
    let terms = selector.match_labels.as_ref().map_or(0, BTreeMap::len)
        + selector.match_expressions.as_ref().map_or(0, Vec::len);
    if terms == 0 {
        return Err(FieldError::invalid(
            "spec.selector",
            &serde_json::to_value(selector).unwrap_or_default(),
            "empty selector is invalid for deployment",
        ));
    }
    let labels = template
        .metadata
        .as_ref()
        .and_then(|meta| meta.labels.as_ref());
    if !selector::matches(selector, labels) {
        return Err(FieldError::invalid(
            "spec.template.metadata.labels",
            &json!(labels.cloned().unwrap_or_default()),
            "`selector` does not match template `labels`",
        ));
    }
    let containers = template
        .spec
        .as_ref()
        .map_or(0, |spec| spec.containers.len());
    if containers == 0 {
        return Err(FieldError::required("spec.template.spec.containers", ""));
    }
    Ok(())
}

fn check_blue_green(blue_green: &BlueGreen, history: i32) -> Checked {
    if blue_green.active_service == blue_green.preview_service {
        return Err(FieldError::invalid(
            "spec.strategy.activeService",
            &json!(blue_green.active_service),
            SAME_BLUE_GREEN,
        ));
    }
    if let Some(limit) = blue_green
        .scale_down_delay_revision_limit
        .filter(|limit| history < *limit)
    {
        return Err(FieldError::invalid(
            "spec.strategy.scaleDownDelayRevisionLimit",
            &json!(limit),
            "This rollout's revision history limit can not be smaller than the rollout's scale down limit",
        ));
    }
    check_anti_affinity(blue_green.anti_affinity.as_ref())
}

fn check_anti_affinity(anti_affinity: Option<&AntiAffinity>) -> Checked {
    let Some(rule) = anti_affinity else {
        return Ok(());
    };
    let preferred = rule.preferred_during_scheduling_ignored_during_execution;
    let required = rule
        .required_during_scheduling_ignored_during_execution
        .is_some();
    if preferred.is_some() == required {
        return Err(FieldError::invalid(
            "spec.strategy.antiAffinity",
            &json!(format!(
                "antiAffinity.PreferredDuringSchedulingIgnoredDuringExecution: {required} antiAffinity.RequiredDuringSchedulingIgnoredDuringExecution: {required}"
            )),
            "AntiAffinity must have exactly one strategy listed",
        ));
    }
    match preferred {
        Some(one) if !(1..=100).contains(&one.weight) => Err(FieldError::invalid(
            "spec.strategy.antiAffinity.weight",
            &json!(one.weight),
            "AntiAffinity weight must be between 1-100",
        )),
        Some(_) | None => Ok(()),
    }
}

fn check_canary(rollout: &Rollout, canary: &Canary) -> Checked {
    let is_zero = |value: &Option<IntOrString>| match value {
        None => false,
        Some(IntOrString::Int(count)) => *count == 0,
        Some(IntOrString::String(text)) => {
            let number = text.strip_suffix('%').unwrap_or(text);
            number.parse::<i64>().unwrap_or(0) == 0
        }
    };
    if is_zero(&canary.max_surge) && is_zero(&canary.max_unavailable) {
        let surge = serde_json::to_value(&canary.max_surge).unwrap_or_default();
        return Err(FieldError::invalid(
            "spec.strategy.maxSurge",
            &surge,
            BOTH_ZERO,
        ));
    }
    check_services(canary)?;
    check_ping_pong(canary)?;
    check_routing(canary)?;
    for (index, step) in canary.steps.iter().enumerate() {
        steps::check(rollout, canary, (index, step))?;
    }
    check_anti_affinity(canary.anti_affinity.as_ref())
}

fn check_services(canary: &Canary) -> Checked {
    let (stable, new) = (&canary.stable_service, &canary.canary_service);
    if !new.is_empty() && stable == new {
        return Err(FieldError::invalid(
            "spec.strategy.stableService",
            &json!(stable),
            SAME_CANARY,
        ));
    }
    if !needs_services(canary) {
        return Ok(());
    }
    for (field, value) in [("stableService", stable), ("canaryService", new)] {
        if value.is_empty() {
            return Err(FieldError::invalid(
                format!("spec.strategy.{field}"),
                &json!(value),
                BOTH_SERVICES,
            ));
        }
    }
    Ok(())
}

/// The router knows the pods by two Services. Plugins decide for themselves, the Gateway API's needs
/// them and says so when it routes.
fn needs_services(canary: &Canary) -> bool {
    let Some(routing) = &canary.traffic_routing else {
        return false;
    };
    let by_subset = routing
        .istio
        .as_ref()
        .map(|istio| istio.destination_rule.is_some());
    by_subset == Some(false)
        || (routing.has("alb") && canary.ping_pong.is_none())
        || ["smi", "apisix", "ambassador", "nginx", "appMesh", "traefik"]
            .iter()
            .any(|router| routing.has(router))
}

fn check_ping_pong(canary: &Canary) -> Checked {
    let Some(ping_pong) = &canary.ping_pong else {
        return Ok(());
    };
    let refuse = |field: &str, value: &str, detail: &str| {
        Err(FieldError::invalid(
            format!("spec.strategy.{field}"),
            &json!(value),
            detail,
        ))
    };
    let (ping, pong) = (&ping_pong.ping_service, &ping_pong.pong_service);
    let missing = "Ping service and Pong service must to be set to use Ping-Pong feature";
    if ping.is_empty() {
        return refuse("pingPong.pingService", ping, missing);
    }
    if pong.is_empty() {
        return refuse("pingPong.pongService", pong, missing);
    }
    if ping == pong {
        let same = "This rollout uses the same service for the ping and pong services, but two different services are required.";
        return refuse("pingPong.pingService", ping, same);
    }
    Ok(())
}

fn check_routing(canary: &Canary) -> Checked {
    let refuse = |field: &str, value: serde_json::Value, detail: &str| {
        Err(FieldError::invalid(
            format!("spec.strategy.{field}"),
            &value,
            detail,
        ))
    };
    let delay = canary.scale_down_delay_seconds;
    let Some(routing) = &canary.traffic_routing else {
        if let Some(delay) = delay {
            let detail = "Canary scaleDownDelaySeconds can only be used with traffic routing";
            return refuse("scaleDownDelaySeconds", json!(delay), detail);
        }
        if canary.dynamic_stable_scale {
            let detail = "Canary dynamicStableScale can only be used with traffic routing";
            return refuse("dynamicStableScale", json!(true), detail);
        }
        return Ok(());
    };
    if delay.is_some() && canary.dynamic_stable_scale {
        let detail = "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds";
        return refuse("dynamicStableScale", json!(true), detail);
    }
    if let Some(whole) = routing.max_traffic_weight
        && !routing.has("nginx")
        && !routing.has_plugins()
    {
        let detail = "Canary maxTrafficWeight in traffic routing only support in Nginx and Plugins";
        return refuse("trafficRouting.maxTrafficWeight", json!(whole), detail);
    }
    Ok(())
}
