//! What makes a step of a canary invalid, in upstream's words.

use super::{Checked, FieldError};
use crate::sim::controllers::rollouts::model::{
    AnalysisArgument, Canary, Rollout, Step, StringMatch, TrafficRouting,
};
use crate::sim::controllers::rollouts::steps::{pause_seconds, whole};
use serde_json::{Value, json};

const ONE_KIND: &str =
    "Step must have one of the following set: experiment, setWeight, setCanaryScale or pause";
const MIRROR_ROUTER: &str = "SetMirrorRoute requires TrafficRouting, supports Istio only";
const HEADER_ROUTER: &str =
    "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix";
const NOT_MANAGED: &str =
    "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes";

/// Checks one step of a canary.
pub(super) fn check(rollout: &Rollout, canary: &Canary, (index, step): (usize, &Step)) -> Checked {
    let at = format!("spec.strategy.steps[{index}]");
    check_kind(step, &at)?;
    let most = whole(rollout);
    if let Some(weight) = step.set_weight.filter(|one| !(0..=most).contains(one)) {
        return Err(FieldError::invalid(
            format!("{at}.setWeight"),
            &json!(weight),
            format!("SetWeight needs to be between 0 and {most}"),
        ));
    }
    let seconds = step.pause.as_ref().and_then(pause_seconds).unwrap_or(0);
    if seconds < 0 {
        return Err(FieldError::invalid(
            format!("{at}.pause.duration"),
            &json!(seconds),
            "Duration needs to be greater than 0",
        ));
    }
    if step.set_canary_scale.is_some() && canary.traffic_routing.is_none() {
        return Err(FieldError::required(
            "spec.strategy.trafficRouting",
            "SetCanaryScale requires TrafficRouting to be set",
        ));
    }
    check_routes(canary.traffic_routing.as_ref(), step, &at)?;
    check_experiment(canary.traffic_routing.as_ref(), step, &at)?;
    check_arguments(step, &at)
}

fn check_kind(step: &Step, at: &str) -> Checked {
    let (experiment, pause) = (step.experiment.is_some(), step.pause.is_some());
    let (weight, analysis) = (step.set_weight.is_some(), step.analysis.is_some());
    let of_these = [experiment, pause, weight, analysis];
    if of_these.iter().filter(|one| **one).count() > 1 {
        let value = format!(
            "step.Experiment: {experiment} step.Pause: {pause} step.SetWeight: {weight} step.Analysis: {analysis}"
        );
        return Err(FieldError::invalid(at, &json!(value), ONE_KIND));
    }
    let (scale, header) = (
        step.set_canary_scale.is_some(),
        step.set_header_route.is_some(),
    );
    let (mirror, plugin) = (step.set_mirror_route.is_some(), step.plugin.is_some());
    let others = [scale, header, mirror, plugin];
    if !of_these.iter().chain(&others).any(|one| *one) {
        // Upstream asks here whether each one is missing.
        let value = "step.Experiment: true step.Pause: true step.SetWeight: true step.Analysis: true step.SetCanaryScale: true step.SetHeaderRoute: true step.SetMirrorRoutes: true step.Plugin: true";
        return Err(FieldError::invalid(at, &json!(value), ONE_KIND));
    }
    Ok(())
}

fn check_routes(routing: Option<&TrafficRouting>, step: &Step, at: &str) -> Checked {
    if let Some(route) = &step.set_header_route {
        let at = format!("{at}.setHeaderRoute");
        let known = routing.is_some_and(|one| {
            one.istio.is_some() || one.has("alb") || one.has("apisix") || one.has_plugins()
        });
        if !known {
            return Err(FieldError::invalid(at, &value_of(route), HEADER_ROUTER));
        }
        for (index, one) in route.matches.iter().enumerate() {
            check_match(&one.header_value, &format!("{at}.match[{index}]"))?;
        }
        check_managed(routing, &route.name, &at)?;
    }
    if let Some(route) = &step.set_mirror_route {
        let at = format!("{at}.setMirrorRoute");
        if routing.is_none_or(|one| one.istio.is_none()) {
            return Err(FieldError::invalid(at, &value_of(route), MIRROR_ROUTER));
        }
        for (index, one) in route.matches.iter().enumerate() {
            for given in one.method.iter().chain(&one.path) {
                check_match(given, &format!("{at}.match[{index}]"))?;
            }
        }
        check_managed(routing, &route.name, &at)?;
    }
    Ok(())
}

fn check_match(given: &StringMatch, at: &str) -> Checked {
    let set = [&given.exact, &given.regex, &given.prefix];
    let detail = match set.iter().filter(|one| !one.is_empty()).count() {
        0 => {
            "StringMatch value missed, match value must have one of the following: exact, regex, prefix"
        }
        1 => return Ok(()),
        _ => "StringMatch match value must have exactly one of the following: exact, regex, prefix",
    };
    Err(FieldError::invalid(at, &value_of(given), detail))
}

fn check_managed(routing: Option<&TrafficRouting>, name: &str, at: &str) -> Checked {
    let Some(routing) = routing else {
        return Ok(());
    };
    match &routing.managed_routes {
        None => Err(FieldError::required(
            "spec.strategy.trafficRouting.managedRoutes",
            "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'",
        )),
        Some(routes) if routes.iter().any(|route| route.name == name) => Ok(()),
        Some(_) => Err(FieldError::invalid(at, &json!(name), NOT_MANAGED)),
    }
}

fn check_experiment(routing: Option<&TrafficRouting>, step: &Step, at: &str) -> Checked {
    let Some(experiment) = &step.experiment else {
        return Ok(());
    };
    for (index, template) in experiment.templates.iter().enumerate() {
        let Some(weight) = template.weight else {
            continue;
        };
        let detail = match routing {
            None => "Experiment template weight cannot be set unless TrafficRouting is enabled",
            Some(one) if one.istio.is_some() || one.has("alb") || one.has("smi") => continue,
            Some(_) => {
                "Experiment template weight is only available for TrafficRouting with SMI, ALB, and Istio at this time"
            }
        };
        let field = format!("{at}.experiment.templates[{index}].weight");
        return Err(FieldError::invalid(field, &json!(weight), detail));
    }
    Ok(())
}

fn check_arguments(step: &Step, at: &str) -> Checked {
    let analyses = step.experiment.iter().flat_map(|one| &one.analyses);
    let given: Vec<&AnalysisArgument> = analyses
        .flat_map(|one| &one.args)
        .chain(step.analysis.iter().flat_map(|one| &one.args))
        .collect();
    let wrong = given.iter().any(|argument| {
        let path = argument
            .value_from
            .as_ref()
            .and_then(|from| from.field_ref.as_ref())
            .map(|reference| reference.field_path.as_str());
        path.is_some_and(|path| path.starts_with("metadata") && !is_metadata_path(path))
    });
    if wrong {
        return Err(FieldError::invalid(
            format!("{at}.analyses"),
            &value_of(&given),
            "Analyses arguments must refer to valid object metadata supported by downwardAPI",
        ));
    }
    Ok(())
}

/// The downward API knows this path.
fn is_metadata_path(path: &str) -> bool {
    let subscripted = ["metadata.annotations['", "metadata.labels['"]
        .iter()
        .any(|start| path.starts_with(start) && path.ends_with("']"));
    subscripted
        || matches!(
            path,
            "metadata.annotations"
                | "metadata.labels"
                | "metadata.name"
                | "metadata.namespace"
                | "metadata.uid"
        )
}

fn value_of<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::check as check_rollout;
    use crate::sim::controllers::rollouts::model::Rollout;
    use serde_json::{Value, json};

    fn problem(canary: &Value) -> String {
        let template = json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        });
        let rollout: Rollout = serde_json::from_value(json!({
            "metadata": {"name": "web"},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": template,
                "strategy": {"canary": canary},
            },
        }))
        .expect("a rollout");
        let template = serde_json::from_value(template).expect("a template");
        match check_rollout(&rollout, &template) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_kind_of_step_is_accepted() {
        let canary = json!({
            "canaryService": "web-canary", "stableService": "web",
            "trafficRouting": {"managedRoutes": [{"name": "beta"}], "istio": {"virtualService": {"name": "web"}}},
            "steps": [
                {"setWeight": 20}, {"pause": {}}, {"pause": {"duration": "1h"}},
                {"analysis": {"templates": [{"templateName": "ok"}]}},
                {"experiment": {"templates": [{"name": "a", "specRef": "canary", "weight": 5}]}},
                {"setCanaryScale": {"weight": 10}},
                {"setHeaderRoute": {"name": "beta", "match": [{"headerName": "x", "headerValue": {"exact": "y"}}]}},
                {"setMirrorRoute": {"name": "beta", "percentage": 10}},
                {"plugin": {"name": "mine"}},
            ],
        });

        assert_eq!(problem(&canary), "");
    }

    #[test]
    fn wrong_steps_are_refused_in_upstreams_words() {
        assert_eq!(
            problem(&json!({"steps": [{"setWeight": 110}]})),
            "spec.strategy.steps[0].setWeight: Invalid value: 110: SetWeight needs to be between 0 and 100"
        );
        assert_eq!(
            problem(&json!({"steps": [{"pause": {"duration": "soon"}}]})),
            "spec.strategy.steps[0].pause.duration: Invalid value: -1: Duration needs to be greater than 0"
        );
        assert_eq!(
            problem(&json!({"steps": [{"setWeight": 10, "pause": {}}]})),
            "spec.strategy.steps[0]: Invalid value: \"step.Experiment: false step.Pause: true step.SetWeight: true step.Analysis: false\": Step must have one of the following set: experiment, setWeight, setCanaryScale or pause"
        );
        assert!(problem(&json!({"steps": [{}]})).ends_with("setCanaryScale or pause"));
        assert_eq!(
            problem(&json!({"steps": [{"setCanaryScale": {"replicas": 1}}]})),
            "spec.strategy.trafficRouting: Required value: SetCanaryScale requires TrafficRouting to be set"
        );
    }

    #[test]
    fn routes_that_nobody_manages_are_refused() {
        let problem = problem(&json!({
            "canaryService": "web-canary", "stableService": "web",
            "trafficRouting": {"managedRoutes": [{"name": "beta"}], "istio": {"virtualService": {"name": "web"}}},
            "steps": [{"setHeaderRoute": {"name": "gamma"}}],
        }));

        assert_eq!(
            problem,
            "spec.strategy.steps[0].setHeaderRoute: Invalid value: \"gamma\": Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes"
        );
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        assert_eq!(
            problem(&json!({"maxSurge": 0, "maxUnavailable": "0%"})),
            "spec.strategy.maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero"
        );
        assert_eq!(
            problem(&json!({"trafficRouting": {"nginx": {"stableIngress": "web"}}})),
            "spec.strategy.stableService: Invalid value: \"\": Canary service and Stable service must to be set to use Traffic Routing"
        );
        assert_eq!(
            problem(&json!({"scaleDownDelaySeconds": 5})),
            "spec.strategy.scaleDownDelaySeconds: Invalid value: 5: Canary scaleDownDelaySeconds can only be used with traffic routing"
        );
    }
}
