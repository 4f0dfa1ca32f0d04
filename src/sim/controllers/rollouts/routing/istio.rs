//! Writes weights into Istio's `VirtualService`s, and revisions into the subsets of a
//! `DestinationRule`.
//!
//! Follows Argo Rollouts' `rollout/trafficrouting/istio/istio.go`.

use super::super::model::{
    HASH_LABEL, Istio, IstioVirtualService, Rollout, SetHeaderRoute, SetMirrorRoute, StringMatch,
};
use super::super::services::MANAGED_BY;
use super::{Outcome, Pass, Plan, list, list_mut, not_found, text, watched_kinds};
use crate::sim::apiserver::schema::FieldError;
use crate::sim::controllers::runtime::ReconcileError;
use kube::api::{ApiResource, Patch, PatchParams};
use serde_json::{Map, Value, json};

const AT: &str = "spec.strategy.canary.trafficRouting.istio";

fn kinds() -> (ApiResource, ApiResource) {
    let [_, virtual_service, destination_rule] = watched_kinds();
    (virtual_service, destination_rule)
}

fn settings(rollout: &Rollout) -> Option<&Istio> {
    rollout.traffic_routing()?.istio.as_ref()
}

fn virtual_services(istio: &Istio) -> impl Iterator<Item = &IstioVirtualService> {
    istio.virtual_service.iter().chain(&istio.virtual_services)
}

/// A VirtualService may be named with its namespace: `web.shop`.
fn place<'a>(rollout: &'a Rollout, name: &'a str) -> (&'a str, &'a str) {
    match name.split_once('.') {
        Some((name, namespace)) => (namespace, name),
        None => (rollout.namespace(), name),
    }
}

/// Returns the names of what a Rollout is routed by.
pub(super) fn names(rollout: &Rollout) -> Vec<&str> {
    let Some(istio) = settings(rollout) else {
        return Vec::new();
    };
    let services = virtual_services(istio).map(|one| place(rollout, &one.name).1);
    let rules = istio.destination_rule.iter().map(|one| one.name.as_str());
    services.chain(rules).collect()
}

/// How a route knows canary and stable: by their Services, or by the subsets of one.
struct Ends<'a> {
    canary: (&'a str, &'a str),
    stable: (&'a str, &'a str),
    namespace: &'a str,
}

impl<'a> Ends<'a> {
    fn of(rollout: &'a Rollout) -> Option<Self> {
        let canary = rollout.canary()?;
        let rule = settings(rollout)?.destination_rule.as_ref();
        Some(Self {
            canary: match rule {
                Some(rule) => ("", rule.canary_subset_name.as_str()),
                None => (canary.canary_service.as_str(), ""),
            },
            stable: match rule {
                Some(rule) => ("", rule.stable_subset_name.as_str()),
                None => (canary.stable_service.as_str(), ""),
            },
            namespace: rollout.namespace(),
        })
    }

    fn is_at(&self, destination: &Value, (service, subset): (&str, &str)) -> bool {
        if !subset.is_empty() {
            return text(destination, "subset") == subset;
        }
        let rest = text(destination, "host").strip_prefix(service);
        let place = format!(".{}", self.namespace);
        rest.is_some_and(|rest| {
            let rest = rest.strip_prefix(place.as_str()).unwrap_or(rest);
            matches!(rest, "" | ".svc" | ".svc.cluster.local")
        })
    }

    fn is_canary(&self, destination: &Value) -> bool {
        self.is_at(destination, self.canary)
    }

    fn is_stable(&self, destination: &Value) -> bool {
        self.is_at(destination, self.stable)
    }

    /// The route splits its traffic between both.
    fn is_split(&self, route: &Value) -> bool {
        let goes = |is: &dyn Fn(&Value) -> bool| {
            let mut destinations = list(route, "route").iter();
            destinations.any(|one| one.get("destination").is_some_and(is))
        };
        goes(&|one| self.is_canary(one)) && goes(&|one| self.is_stable(one))
    }
}

/// Checks that everything that Istio is to route by is there.
pub(super) async fn check(pass: &Pass<'_>) -> Outcome<Result<(), String>> {
    let rollout = &pass.rollout;
    let (Some(istio), Some(ends)) = (settings(rollout), Ends::of(rollout)) else {
        return Ok(Ok(()));
    };
    if istio.virtual_service.is_some() != istio.virtual_services.is_empty() {
        let problem = "either VirtualService or VirtualServices must be configured";
        return Ok(Err(format!("{AT}: Internal error: {problem}")));
    }
    let (kind, rule_kind) = kinds();
    for one in virtual_services(istio) {
        let refuse = |detail: String| {
            let field = format!("{AT}.virtualService.name");
            Ok(Err(
                FieldError::invalid(field, &json!(one.name), detail).to_string()
            ))
        };
        let at = place(rollout, &one.name);
        let Some(found) = pass.read_route(&kind, at).await? else {
            return refuse(not_found(&kind, at.1));
        };
        let spec = found.data.get("spec").cloned().unwrap_or_default();
        if let Err(problem) = check_routes(&spec, one, &ends) {
            return refuse(problem);
        }
    }
    if let Some(rule) = &istio.destination_rule {
        let at = (rollout.namespace(), rule.name.as_str());
        if pass.read_route(&rule_kind, at).await?.is_none() {
            let field = format!("{AT}.destinationRule.name");
            let detail = not_found(&rule_kind, &rule.name);
            let error = FieldError::invalid(field, &json!(rule.name), detail);
            return Ok(Err(error.to_string()));
        }
    }
    Ok(Ok(()))
}

fn check_routes(spec: &Value, wanted: &IstioVirtualService, ends: &Ends<'_>) -> Result<(), String> {
    let invalid =
        |problem: String| format!("Istio VirtualService has invalid HTTP routes. Error: {problem}");
    let routes = list(spec, "http");
    if routes.is_empty() {
        return Err(
            "Unable to get HTTP routes from Istio VirtualService: the VirtualService has none"
                .to_owned(),
        );
    }
    for name in &wanted.routes {
        let Some(route) = routes.iter().find(|route| text(route, "name") == name) else {
            return Err(invalid(format!(
                "HTTP Route '{name}' is not found in the VirtualService"
            )));
        };
        if !ends.is_split(route) {
            return Err(invalid(format!(
                "Canary and Stable are not both found in route '{name}'"
            )));
        }
    }
    if wanted.routes.is_empty() && !routes.iter().any(|route| ends.is_split(route)) {
        return Err(invalid(
            "Canary and Stable are not both found in route".to_owned(),
        ));
    }
    Ok(())
}

/// Writes what is asked for into the VirtualServices and the DestinationRule.
pub(super) async fn apply(pass: &Pass<'_>, plan: &Plan) -> Outcome {
    let rollout = &pass.rollout;
    let (Some(istio), Some(ends)) = (settings(rollout), Ends::of(rollout)) else {
        return Ok(());
    };
    write_subsets(pass, istio, plan).await?;
    let (kind, _) = kinds();
    let routing = rollout.traffic_routing();
    let managed = routing.and_then(|routing| routing.managed_routes.as_ref());
    let managed: Vec<&str> = managed
        .into_iter()
        .flatten()
        .map(|route| route.name.as_str())
        .collect();
    for one in virtual_services(istio) {
        let at = place(rollout, &one.name);
        let Some(found) = pass.read_route(&kind, at).await? else {
            continue;
        };
        let mut spec = found.data.get("spec").cloned().unwrap_or_default();
        if let Some(routes) = list_mut(&mut spec, "http") {
            write(routes, one, &ends, (plan, &managed));
        }
        pass.write_route(&kind, &found, &spec).await?;
    }
    Ok(())
}

fn write(
    routes: &mut Vec<Value>,
    wanted: &IstioVirtualService,
    ends: &Ends<'_>,
    (plan, managed): (&Plan, &[&str]),
) {
    if plan.clear_routes {
        routes.retain(|route| !managed.contains(&text(route, "name")));
    }
    for route in routes.iter_mut() {
        let name = text(route, "name");
        let named = wanted.routes.is_empty() || wanted.routes.iter().any(|one| one == name);
        if !named || managed.contains(&name) || !ends.is_split(route) {
            continue;
        }
        let Some(destinations) = list_mut(route, "route") else {
            continue;
        };
        weigh(destinations, ends, plan);
    }
    let like = routes.iter().find(|route| ends.is_split(route)).cloned();
    let Some(like) = like else {
        return;
    };
    if let Some(header) = &plan.header {
        routes.retain(|route| text(route, "name") != header.name);
        if !header.matches.is_empty() {
            routes.push(header_route(header, &like, ends));
        }
    }
    if let Some(mirror) = &plan.mirror {
        routes.retain(|route| text(route, "name") != mirror.name);
        if !mirror.matches.is_empty() {
            routes.push(mirror_route(mirror, &like, ends));
        }
    }
    // Managed routes come first, in the order in which they are listed.
    routes.sort_by_key(|route| {
        let name = text(route, "name");
        let place = managed.iter().position(|one| *one == name);
        place.unwrap_or(managed.len())
    });
}

/// Gives canary, stable and experiments their weights.
fn weigh(destinations: &mut Vec<Value>, ends: &Ends<'_>, plan: &Plan) {
    destinations.retain(|one| {
        let to = one.get("destination").unwrap_or(&Value::Null);
        ends.is_canary(to) || ends.is_stable(to)
    });
    let port = destinations
        .iter()
        .find_map(|one| one.pointer("/destination/port").cloned());
    for one in destinations.iter_mut() {
        let to = one.get("destination").unwrap_or(&Value::Null);
        let weight = if ends.is_canary(to) {
            plan.weight
        } else {
            plan.stable_weight()
        };
        one["weight"] = json!(weight);
    }
    for additional in &plan.additional {
        let mut to = json!({"host": additional.service_name});
        if let Some(port) = &port {
            to["port"] = port.clone();
        }
        destinations.push(json!({"destination": to, "weight": additional.weight}));
    }
}

/// Returns the canary's destination as the route has it, without a weight.
fn canary_of(like: &Value, ends: &Ends<'_>) -> Value {
    let mut destinations = list(like, "route").iter();
    destinations
        .find_map(|one| one.get("destination").filter(|to| ends.is_canary(to)))
        .cloned()
        .unwrap_or_default()
}

fn matched(value: &StringMatch) -> Value {
    if !value.exact.is_empty() {
        json!({"exact": value.exact})
    } else if !value.prefix.is_empty() {
        json!({"prefix": value.prefix})
    } else {
        json!({"regex": value.regex})
    }
}

fn header_route(header: &SetHeaderRoute, like: &Value, ends: &Ends<'_>) -> Value {
    let matches: Vec<Value> = header
        .matches
        .iter()
        .map(|one| json!({"headers": {one.header_name.as_str(): matched(&one.header_value)}}))
        .collect();
    json!({
        "name": header.name,
        "match": matches,
        "route": [{"destination": canary_of(like, ends), "weight": 100}],
    })
}

fn mirror_route(mirror: &SetMirrorRoute, like: &Value, ends: &Ends<'_>) -> Value {
    let matches: Vec<Value> = mirror
        .matches
        .iter()
        .map(|one| {
            let mut rule = Map::new();
            if let Some(method) = &one.method {
                rule.insert("method".to_owned(), matched(method));
            }
            if let Some(path) = &one.path {
                rule.insert("uri".to_owned(), matched(path));
            }
            if !one.headers.is_empty() {
                let headers = one.headers.iter();
                let headers: Map<String, Value> = headers
                    .map(|(name, value)| (name.clone(), matched(value)))
                    .collect();
                rule.insert("headers".to_owned(), Value::Object(headers));
            }
            Value::Object(rule)
        })
        .collect();
    json!({
        "name": mirror.name,
        "match": matches,
        "route": list(like, "route"),
        "mirror": canary_of(like, ends),
        "mirrorPercentage": {"value": mirror.percentage.unwrap_or(100)},
    })
}

/// Makes the subsets select the pods of their revisions.
async fn write_subsets(pass: &Pass<'_>, istio: &Istio, plan: &Plan) -> Outcome {
    let Some(rule) = &istio.destination_rule else {
        return Ok(());
    };
    let (_, kind) = kinds();
    let at = (pass.rollout.namespace(), rule.name.as_str());
    let Some(found) = pass.read_route(&kind, at).await? else {
        return Ok(());
    };
    let mut spec = found.data.get("spec").cloned().unwrap_or_default();
    let Some(subsets) = list_mut(&mut spec, "subsets") else {
        return Ok(());
    };
    for subset in subsets {
        let hash = match text(subset, "name") {
            name if name == rule.canary_subset_name => &plan.canary_hash,
            name if name == rule.stable_subset_name => &plan.stable_hash,
            _ => continue,
        };
        if !hash.is_empty() {
            subset["labels"][HASH_LABEL] = json!(hash);
        }
    }
    let annotations = found.metadata.annotations.as_ref();
    if annotations.is_none_or(|all| !all.contains_key(MANAGED_BY)) {
        let patch =
            json!({"metadata": {"annotations": {MANAGED_BY: pass.rollout.name()}}, "spec": spec});
        let written = pass
            .routes(&kind, at.0)
            .patch(at.1, &PatchParams::default(), &Patch::Merge(&patch))
            .await;
        return written.map(|_| ()).map_err(|source| {
            let doing = format!("write {} `{}/{}`", kind.plural, at.0, at.1);
            ReconcileError::api(doing, source)
        });
    }
    pass.write_route(&kind, &found, &spec).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(weight: i32) -> Plan {
        Plan {
            weight,
            whole: 100,
            canary_hash: "b".into(),
            stable_hash: "a".into(),
            additional: Vec::new(),
            clear_routes: false,
            header: None,
            mirror: None,
        }
    }

    fn ends() -> Ends<'static> {
        Ends {
            canary: ("web-canary", ""),
            stable: ("web", ""),
            namespace: "shop",
        }
    }

    fn routes() -> Vec<Value> {
        let to = |host: &str| json!({"destination": {"host": host}});
        vec![
            json!({"name": "primary", "route": [to("web.shop.svc.cluster.local"), to("web-canary")]}),
            json!({"name": "other", "route": [to("elsewhere")]}),
        ]
    }

    fn wanted(routes: &[&str]) -> IstioVirtualService {
        IstioVirtualService {
            name: "web".into(),
            routes: routes.iter().map(|one| (*one).to_owned()).collect(),
            ..IstioVirtualService::default()
        }
    }

    #[test]
    fn hosts_are_known_by_their_short_and_long_names() {
        let mut routes = routes();

        write(
            &mut routes,
            &wanted(&["primary"]),
            &ends(),
            (&plan(30), &[]),
        );

        assert_eq!(routes[0].pointer("/route/0/weight"), Some(&json!(70)));
        assert_eq!(routes[0].pointer("/route/1/weight"), Some(&json!(30)));
        assert_eq!(routes[1].pointer("/route/0/weight"), None);
    }

    #[test]
    fn managed_routes_come_first_in_their_order_and_go_in_the_end() {
        let mut routes = routes();
        let header =
            json!({"name": "beta", "match": [{"headerName": "x", "headerValue": {"prefix": "b"}}]});
        let mirror = json!({"name": "shadow", "percentage": 35, "match": [{"method": {"exact": "GET"}, "path": {"prefix": "/"}}]});
        let with_routes = Plan {
            header: serde_json::from_value(header).ok(),
            mirror: serde_json::from_value(mirror).ok(),
            ..plan(30)
        };

        write(
            &mut routes,
            &wanted(&[]),
            &ends(),
            (&with_routes, &["shadow", "beta"]),
        );

        let names: Vec<&str> = routes.iter().map(|route| text(route, "name")).collect();
        assert_eq!(names, ["shadow", "beta", "primary", "other"]);
        assert_eq!(
            routes[0].pointer("/mirror/host"),
            Some(&json!("web-canary"))
        );
        assert_eq!(
            routes[1].pointer("/match/0/headers/x/prefix"),
            Some(&json!("b"))
        );
        let done = Plan {
            clear_routes: true,
            ..plan(0)
        };
        write(
            &mut routes,
            &wanted(&[]),
            &ends(),
            (&done, &["shadow", "beta"]),
        );
        assert_eq!(routes.len(), 2);
        assert_eq!(routes[0].pointer("/route/1/weight"), Some(&json!(0)));
    }
}
