//! Routes and the weights they were told: HTTPRoutes of the Gateway API, Istio's VirtualServices.
//!
//! The stable and the canary backend are found as Argo Rollouts finds them: by the names of the
//! Services, or by the subsets that the Rollout names.

use super::loose::at;
use crate::domain::object::{ObjectRef, Text};
use crate::domain::rollout::RouteView;
use serde_json::Value;

/// Which backends are which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backends {
    pub canary: Vec<Text>,
    pub stable: Vec<Text>,
}

impl Backends {
    /// Reads the names from a Rollout: its Services and, with Istio, its subsets.
    pub fn of(rollout: &Value) -> Self {
        let name = |path: &[&str]| -> Option<Text> {
            let canary = at(rollout, &["spec", "strategy", "canary"])?;
            Some(at(canary, path)?.as_str()?.into())
        };
        let rule = |field| name(&["trafficRouting", "istio", "destinationRule", field]);
        Self {
            canary: [name(&["canaryService"]), rule("canarySubsetName")]
                .into_iter()
                .flatten()
                .collect(),
            stable: [name(&["stableService"]), rule("stableSubsetName")]
                .into_iter()
                .flatten()
                .collect(),
        }
    }
}

/// Reads the weights that a route was told.
pub fn route(value: &Value, object: &ObjectRef, backends: &Backends) -> RouteView {
    let found = if &*object.kind.kind == "VirtualService" {
        virtual_service(value, backends)
    } else {
        http_route(value, backends)
    };
    let weight_of = |names: &[Text]| {
        let mine = found.iter().filter(|(name, _)| names.contains(name));
        mine.map(|(_, weight)| *weight).next()
    };
    let mut named = found.clone();
    named.sort_by_key(|(name, _)| !backends.canary.contains(name));
    RouteView {
        object: object.clone(),
        canary: weight_of(&backends.canary),
        stable: weight_of(&backends.stable),
        backends: named,
        problem: problem(value),
    }
}

fn items<'v>(value: &'v Value, path: &[&str]) -> impl Iterator<Item = &'v Value> + use<'v> {
    at(value, path)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The first rule that has the Rollout's backends; rules that it manages by header are others.
fn http_route(value: &Value, backends: &Backends) -> Vec<(Text, u32)> {
    let rules = items(value, &["spec", "rules"]).map(|rule| {
        let refs = items(rule, &["backendRefs"]).filter_map(|one| {
            let name = Text::from(at(one, &["name"])?.as_str()?);
            let weight = at(one, &["weight"]).and_then(Value::as_u64).unwrap_or(1);
            Some((name, weight as u32))
        });
        refs.collect::<Vec<_>>()
    });
    best(rules, backends)
}

fn virtual_service(value: &Value, backends: &Backends) -> Vec<(Text, u32)> {
    let protocols = ["http", "tls", "tcp"];
    let routes = protocols
        .into_iter()
        .flat_map(|protocol| items(value, &["spec", protocol]));
    let rules = routes.map(|rule| {
        let destinations: Vec<&Value> = items(rule, &["route"]).collect();
        // A single destination may leave its weight out: it gets everything.
        let rest = if destinations.len() == 1 { 100 } else { 0 };
        let named = destinations.iter().filter_map(|one| {
            let host = at(one, &["destination", "host"])?.as_str()?;
            let service = host.split('.').next().unwrap_or(host);
            let subset = at(one, &["destination", "subset"]).and_then(Value::as_str);
            let known = |name: &&str| {
                let all = backends.canary.iter().chain(&backends.stable);
                all.clone().any(|one| **one == **name)
            };
            let name = subset.filter(known).unwrap_or(service);
            let weight = at(one, &["weight"]).and_then(Value::as_u64).unwrap_or(rest);
            Some((Text::from(name), weight as u32))
        });
        named.collect::<Vec<_>>()
    });
    best(rules, backends)
}

fn best(rules: impl Iterator<Item = Vec<(Text, u32)>>, backends: &Backends) -> Vec<(Text, u32)> {
    let mut first = None;
    for rule in rules {
        let has = |names: &[Text]| rule.iter().any(|(name, _)| names.contains(name));
        if has(&backends.stable) && has(&backends.canary) {
            return rule;
        }
        if first.is_none() || has(&backends.stable) {
            first = Some(rule);
        }
    }
    first.unwrap_or_default()
}

/// What a Gateway says of the route, when it does not take it.
fn problem(value: &Value) -> Option<Text> {
    let parents = items(value, &["status", "parents"]);
    let mut conditions = parents.flat_map(|parent| items(parent, &["conditions"]));
    let text = |one: &Value, field: &str| {
        let text = at(one, &[field]).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    conditions
        .find(|one| text(one, "status") == "False")
        .map(|one| format!("{}: {}", text(one, "reason"), text(one, "message")).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::{Cluster, GroupKind};
    use serde_json::json;

    fn object(kind: &str) -> ObjectRef {
        ObjectRef {
            cluster: Cluster("test".into()),
            kind: GroupKind::new("x", kind),
            namespace: Some("shop".into()),
            name: "web".into(),
        }
    }

    fn backends() -> Backends {
        let rollout = json!({"spec": {"strategy": {"canary": {
            "canaryService": "web-canary", "stableService": "web-stable"}}}});
        Backends::of(&rollout)
    }

    #[test]
    fn an_http_route_says_what_it_was_told_and_what_ails_it() {
        let route_object = json!({
            "spec": {"rules": [
                {"backendRefs": [{"name": "other"}]},
                {"backendRefs": [{"name": "web-stable", "weight": 80}, {"name": "web-canary", "weight": 20}]}]},
            "status": {"parents": [{"conditions": [
                {"type": "Accepted", "status": "True"},
                {"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "message": "no web-canary"}]}]}});

        let view = route(&route_object, &object("HTTPRoute"), &backends());

        assert_eq!((view.canary, view.stable), (Some(20), Some(80)));
        assert_eq!(view.backends[0].0.as_ref(), "web-canary");
        assert_eq!(
            view.problem.as_deref(),
            Some("BackendNotFound: no web-canary")
        );
    }

    #[test]
    fn a_virtual_service_names_hosts_or_subsets() {
        let by_host = json!({"spec": {"http": [{"route": [
            {"destination": {"host": "web-stable.shop.svc.cluster.local"}, "weight": 60},
            {"destination": {"host": "web-canary"}, "weight": 40}]}]}});
        let view = route(&by_host, &object("VirtualService"), &backends());
        assert_eq!((view.canary, view.stable), (Some(40), Some(60)));

        let rollout = json!({"spec": {"strategy": {"canary": {"trafficRouting": {"istio": {
            "destinationRule": {"canarySubsetName": "new", "stableSubsetName": "old"}}}}}}});
        let by_subset = json!({"spec": {"http": [{"route": [
            {"destination": {"host": "web", "subset": "old"}},
            {"destination": {"host": "web", "subset": "new"}, "weight": 100}]}]}});
        let view = route(
            &by_subset,
            &object("VirtualService"),
            &Backends::of(&rollout),
        );
        assert_eq!((view.canary, view.stable), (Some(100), Some(0)));
    }
}
