//! The strategy: steps and routers.

use crate::api::convert::loose::{Loose, at};
use crate::domain::duration::parse_duration;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text};
use crate::domain::rollout::{CanaryScale, Router, Step, Strategy};
use chrono::TimeDelta;
use serde_json::Value;

pub(super) fn strategy(value: &Value) -> Strategy {
    if at(value, &["spec", "strategy", "blueGreen"]).is_some() {
        Strategy::BlueGreen
    } else if at(value, &["spec", "strategy", "canary"]).is_some() {
        Strategy::Canary
    } else {
        Strategy::Unknown
    }
}

pub(super) fn steps(value: &Value, loose: &mut Loose) -> Vec<Step> {
    let steps = loose.list(value, &["spec", "strategy", "canary", "steps"]);
    steps.iter().map(|value| step(value, loose)).collect()
}

fn step(value: &Value, loose: &mut Loose) -> Step {
    if let Some(weight) = loose.count(value, &["setWeight"]) {
        return Step::SetWeight(weight);
    }
    // `pause: {}` waits for a person; YAML may have it as `pause:` and nothing.
    if value.get("pause").is_some() {
        let duration = at(value, &["pause", "duration"]).and_then(|one| pause_length(one, loose));
        return Step::Pause { duration };
    }
    if let Some(analysis) = at(value, &["analysis"]) {
        let templates = names(analysis, "templates", "templateName", loose);
        return Step::Analysis { templates };
    }
    if let Some(experiment) = at(value, &["experiment"]) {
        return Step::Experiment {
            templates: names(experiment, "templates", "name", loose),
            duration: at(experiment, &["duration"]).and_then(|one| pause_length(one, loose)),
        };
    }
    if let Some(scale) = at(value, &["setCanaryScale"]) {
        return Step::SetCanaryScale(canary_scale(scale, loose));
    }
    if let Some(route) = at(value, &["setHeaderRoute"]) {
        let name = loose.text(route, &["name"]);
        return Step::SetHeaderRoute { name };
    }
    if let Some(route) = at(value, &["setMirrorRoute"]) {
        return Step::SetMirrorRoute {
            name: loose.text(route, &["name"]),
            percentage: loose.count(route, &["percentage"]),
        };
    }
    match at(value, &["plugin"]) {
        Some(plugin) => Step::Plugin {
            name: loose.text(plugin, &["name"]),
        },
        None => Step::Unknown,
    }
}

/// Seconds as a number, a Go duration, or digits in a string.
fn pause_length(value: &Value, loose: &mut Loose) -> Option<TimeDelta> {
    let length = match value {
        Value::Number(number) => number.as_i64().and_then(TimeDelta::try_seconds),
        Value::String(text) => parse_duration(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if length.is_none() {
        loose.note(
            &["pause", "duration"],
            value,
            "seconds or a duration such as `5m`",
        );
    }
    length
}

fn names(value: &Value, list: &str, field: &str, loose: &mut Loose) -> Vec<Text> {
    let items = loose.list(value, &[list]);
    items
        .iter()
        .map(|item| loose.text(item, &[field]))
        .collect()
}

fn canary_scale(value: &Value, loose: &mut Loose) -> CanaryScale {
    if loose.flag(value, &["matchTrafficWeight"]) == Some(true) {
        return CanaryScale::MatchTrafficWeight;
    }
    match loose.count(value, &["replicas"]) {
        Some(replicas) => CanaryScale::Replicas(replicas),
        None => CanaryScale::Weight(loose.count(value, &["weight"]).unwrap_or(0)),
    }
}

const GATEWAY: &str = "gateway.networking.k8s.io";
const PLUGIN: &str = "argoproj-labs/gatewayAPI";

/// Returns what splits the traffic, and the routes that it is told by.
pub(super) fn router(
    value: &Value,
    cluster: &Cluster,
    namespace: Option<&Text>,
    loose: &mut Loose,
) -> Option<Router> {
    let routing = at(value, &["spec", "strategy", "canary", "trafficRouting"])?;
    let object = |kind: GroupKind, namespace: Option<Text>, name: &str| ObjectRef {
        cluster: cluster.clone(),
        kind,
        namespace,
        name: name.into(),
    };
    if let Some(plugin) = at(routing, &["plugins", PLUGIN]) {
        let own = loose.text(plugin, &["namespace"]);
        let namespace = if own.is_empty() {
            namespace.cloned()
        } else {
            Some(own)
        };
        let kind = GroupKind::new(GATEWAY, "HTTPRoute");
        let single = at(plugin, &["httpRoute"]).and_then(Value::as_str);
        let listed = loose.list(plugin, &["httpRoutes"]).iter();
        let listed = listed.filter_map(|one| at(one, &["name"])?.as_str());
        let routes = single.into_iter().chain(listed);
        return Some(Router {
            name: "Gateway API".into(),
            routes: routes
                .map(|name| object(kind.clone(), namespace.clone(), name))
                .collect(),
        });
    }
    if let Some(istio) = at(routing, &["istio"]) {
        let kind = GroupKind::new("networking.istio.io", "VirtualService");
        let single = at(istio, &["virtualService", "name"]).and_then(Value::as_str);
        let listed = loose.list(istio, &["virtualServices"]).iter();
        let listed = listed.filter_map(|one| at(one, &["name"])?.as_str());
        let routes = single.into_iter().chain(listed).map(|name| {
            // The name may carry its namespace: `name.namespace`.
            match name.split_once('.') {
                Some((name, other)) => object(kind.clone(), Some(other.into()), name),
                None => object(kind.clone(), namespace.cloned(), name),
            }
        });
        return Some(Router {
            name: "Istio".into(),
            routes: routes.collect(),
        });
    }
    Some(Router {
        name: other_router(routing).into(),
        routes: Vec::new(),
    })
}

fn other_router(routing: &Value) -> String {
    let plugins = at(routing, &["plugins"]).and_then(Value::as_object);
    if let Some(name) = plugins.and_then(|plugins| plugins.keys().next()) {
        return name.clone();
    }
    let known = [
        "nginx",
        "alb",
        "smi",
        "ambassador",
        "appMesh",
        "traefik",
        "apisix",
    ];
    let found = known
        .into_iter()
        .find(|name| at(routing, &[name]).is_some());
    found
        .unwrap_or("a router that is not known here")
        .to_owned()
}
