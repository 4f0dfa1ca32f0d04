//! Writes weights into `HTTPRoute`s, as the plugin `argoproj-labs/gatewayAPI` does.
//!
//! A route that a header step makes is a rule of its own in front of the others, named after it.

use super::super::model::{Rollout, SetHeaderRoute};
use super::{GATEWAY_PLUGIN, Outcome, Pass, Plan, list, list_mut, not_found, text, watched_kinds};
use crate::sim::apiserver::schema::FieldError;
use kube::api::ApiResource;
use serde_json::{Map, Value, json};

fn settings(rollout: &Rollout) -> Option<&Value> {
    let plugins = rollout.traffic_routing()?.plugins.as_ref()?;
    plugins.get(GATEWAY_PLUGIN)
}

/// Returns the names of the routes that a Rollout is routed by.
pub(super) fn route_names(rollout: &Rollout) -> Vec<String> {
    let Some(settings) = settings(rollout) else {
        return Vec::new();
    };
    let one = text(settings, "httpRoute");
    let more = list(settings, "httpRoutes").iter();
    std::iter::once(one)
        .chain(more.map(|route| text(route, "name")))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn kind() -> ApiResource {
    let [http_route, ..] = watched_kinds();
    http_route
}

fn namespace(rollout: &Rollout) -> String {
    let given = settings(rollout).map_or("", |settings| text(settings, "namespace"));
    let namespace = if given.is_empty() {
        rollout.namespace()
    } else {
        given
    };
    namespace.to_owned()
}

/// Checks that the routes are there and know both Services.
pub(super) async fn check(pass: &Pass<'_>) -> Outcome<Result<(), String>> {
    let rollout = &pass.rollout;
    let Some(settings) = settings(rollout) else {
        return Ok(Ok(()));
    };
    let at = format!("spec.strategy.canary.trafficRouting.plugins[{GATEWAY_PLUGIN}]");
    let refuse = |value: &Value, detail: String| {
        Ok(Err(
            FieldError::invalid(at.as_str(), value, detail).to_string()
        ))
    };
    let names = route_names(rollout);
    if names.is_empty() {
        let detail = "needs `httpRoute` or `httpRoutes`; other routes are not simulated";
        return refuse(settings, detail.to_owned());
    }
    let services = services(rollout);
    if services.0.is_empty() || services.1.is_empty() {
        let detail = "Canary service and Stable service must to be set to use Traffic Routing";
        return refuse(settings, detail.to_owned());
    }
    for name in names {
        let found = pass
            .read_route(&kind(), (&namespace(rollout), &name))
            .await?;
        let Some(route) = found else {
            return refuse(&json!(name), not_found(&kind(), &name));
        };
        let spec = route.data.get("spec").cloned().unwrap_or_default();
        let fits = list(&spec, "rules").iter().any(|rule| {
            let has = |service: &str| {
                let mut backends = list(rule, "backendRefs").iter();
                backends.any(|backend| text(backend, "name") == service)
            };
            has(&services.0) && has(&services.1)
        });
        if !fits {
            let (canary, stable) = services;
            let detail = format!("no rule has backendRefs to both `{canary}` and `{stable}`");
            return refuse(&json!(name), detail);
        }
    }
    Ok(Ok(()))
}

/// Returns the names of the canary and the stable Service.
fn services(rollout: &Rollout) -> (String, String) {
    let canary = rollout.canary();
    canary
        .map(|one| (one.canary_service.clone(), one.stable_service.clone()))
        .unwrap_or_default()
}

/// Writes what is asked for into the routes.
pub(super) async fn apply(pass: &Pass<'_>, plan: &Plan) -> Outcome {
    let rollout = &pass.rollout;
    for name in route_names(rollout) {
        let found = pass
            .read_route(&kind(), (&namespace(rollout), &name))
            .await?;
        let Some(route) = found else {
            continue;
        };
        let mut spec = route.data.get("spec").cloned().unwrap_or_default();
        let managed: Vec<String> = rollout
            .traffic_routing()
            .and_then(|routing| routing.managed_routes.as_ref())
            .into_iter()
            .flatten()
            .map(|route| route.name.clone())
            .collect();
        write(&mut spec, &services(rollout), (plan, &managed));
        pass.write_route(&kind(), &route, &spec).await?;
    }
    Ok(())
}

fn write(spec: &mut Value, services: &(String, String), (plan, managed): (&Plan, &[String])) {
    let (canary, stable) = services;
    let Some(rules) = list_mut(spec, "rules") else {
        return;
    };
    let is_managed = |rule: &Value| managed.iter().any(|name| *name == text(rule, "name"));
    if plan.clear_routes {
        rules.retain(|rule| !is_managed(rule));
    }
    for rule in rules.iter_mut().filter(|rule| !is_managed(rule)) {
        let Some(backends) = list_mut(rule, "backendRefs") else {
            continue;
        };
        let has = |service: &str| backends.iter().any(|one| text(one, "name") == service);
        if !has(canary) || !has(stable) {
            continue;
        }
        for backend in backends {
            let weight = match text(backend, "name") {
                name if name == canary => plan.weight,
                name if name == stable => plan.stable_weight(),
                _ => continue,
            };
            backend["weight"] = json!(weight);
        }
    }
    if let Some(header) = &plan.header {
        rules.retain(|rule| text(rule, "name") != header.name);
        if !header.matches.is_empty()
            && let Some(rule) = header_rule(rules, header, canary)
        {
            rules.insert(0, rule);
        }
    }
}

/// Returns the rule that sends requests with certain headers to the canary alone.
fn header_rule(rules: &[Value], header: &SetHeaderRoute, canary: &str) -> Option<Value> {
    let (like, backend) = rules.iter().find_map(|rule| {
        let mut backends = list(rule, "backendRefs").iter();
        let backend = backends.find(|backend| text(backend, "name") == canary)?;
        Some((rule, backend))
    })?;
    let mut backend = backend.clone();
    if let Some(fields) = backend.as_object_mut() {
        fields.remove("weight");
    }
    let headers: Vec<Value> = header
        .matches
        .iter()
        .map(|one| {
            let (kind, value) = match &one.header_value {
                value if !value.exact.is_empty() => ("Exact", value.exact.clone()),
                value if !value.prefix.is_empty() => {
                    ("RegularExpression", format!("{}.*", value.prefix))
                }
                value => ("RegularExpression", value.regex.clone()),
            };
            json!({"type": kind, "name": one.header_name, "value": value})
        })
        .collect();
    let mut matches = list(like, "matches").to_vec();
    if matches.is_empty() {
        matches.push(Value::Object(Map::new()));
    }
    for one in &mut matches {
        one["headers"] = json!(headers);
    }
    Some(json!({"name": header.name, "matches": matches, "backendRefs": [backend]}))
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

    fn spec() -> Value {
        json!({"rules": [
            {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
             "backendRefs": [{"name": "web", "port": 80}, {"name": "web-canary", "port": 80}]},
            {"backendRefs": [{"name": "web", "port": 80}]},
        ]})
    }

    fn services() -> (String, String) {
        ("web-canary".into(), "web".into())
    }

    #[test]
    fn only_rules_with_both_services_get_weights() {
        let mut spec = spec();

        write(&mut spec, &services(), (&plan(20), &[]));

        let weight = |pointer: &str| spec.pointer(pointer).cloned();
        assert_eq!(weight("/rules/0/backendRefs/0/weight"), Some(json!(80)));
        assert_eq!(weight("/rules/0/backendRefs/1/weight"), Some(json!(20)));
        assert_eq!(weight("/rules/1/backendRefs/0/weight"), None);
    }

    #[test]
    fn a_header_route_comes_first_and_goes_with_the_update() {
        let mut spec = spec();
        let header = json!({"name": "beta", "match": [{"headerName": "x-beta", "headerValue": {"exact": "1"}}]});
        let with_header = Plan {
            header: Some(serde_json::from_value(header).expect("a header route")),
            ..plan(20)
        };
        let managed = ["beta".to_owned()];

        write(&mut spec, &services(), (&with_header, &managed));

        assert_eq!(
            spec.pointer("/rules/0"),
            Some(&json!({
                "name": "beta",
                "matches": [{
                    "path": {"type": "PathPrefix", "value": "/"},
                    "headers": [{"type": "Exact", "name": "x-beta", "value": "1"}],
                }],
                "backendRefs": [{"name": "web-canary", "port": 80}],
            }))
        );
        let done = Plan {
            clear_routes: true,
            ..plan(0)
        };
        write(&mut spec, &services(), (&done, &managed));
        assert_eq!(
            spec.pointer("/rules")
                .and_then(Value::as_array)
                .map(Vec::len),
            Some(2)
        );
    }
}
