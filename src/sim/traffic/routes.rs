//! Which Services a route sends requests to, and in what shares.
//!
//! Reads Gateway API HTTPRoutes and Istio VirtualServices. Rules that only match some requests
//! (by a header, say) take no part: the requests here carry nothing that they could match.

use crate::sim::controllers::runtime::ObjectKey;
use serde_json::Value;

/// One destination of a route.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Backend {
    pub(super) service: ObjectKey,
    /// A subset that a DestinationRule defines.
    pub(super) subset: Option<String>,
    pub(super) weight: f64,
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Returns where an HTTPRoute of `namespace` sends requests for a Service; `None`: it is not
/// about this Service.
pub(super) fn http_route(
    route: &Value,
    namespace: &str,
    service: &ObjectKey,
) -> Option<Vec<Backend>> {
    let rules = list(route, "/spec/rules");
    let is_parent = list(route, "/spec/parentRefs").iter().any(|parent| {
        text(parent, "/kind") == "Service" && reference(parent, namespace) == *service
    });
    let is_backend = || {
        rules
            .iter()
            .flat_map(|rule| list(rule, "/backendRefs"))
            .any(|backend| reference(backend, namespace) == *service)
    };
    if !is_parent && !is_backend() {
        return None;
    }
    let is_for_all = |rule: &&Value| {
        let matches = list(rule, "/matches");
        matches.is_empty() || matches.iter().any(|one| list(one, "/headers").is_empty())
    };
    let rule = rules.iter().find(is_for_all)?;
    let backends = list(rule, "/backendRefs").iter().map(|backend| Backend {
        service: reference(backend, namespace),
        subset: None,
        weight: weight(backend, 1.0),
    });
    Some(backends.collect())
}

fn reference(object: &Value, namespace: &str) -> ObjectKey {
    let own = text(object, "/namespace");
    let namespace = if own.is_empty() { namespace } else { own };
    ObjectKey::new(namespace, text(object, "/name"))
}

/// Returns where a VirtualService of `namespace` sends requests for a Service; `None`: it is not
/// about this Service.
pub(super) fn virtual_service(
    object: &Value,
    namespace: &str,
    service: &ObjectKey,
) -> Option<Vec<Backend>> {
    let routes = list(object, "/spec/http");
    let is_host = list(object, "/spec/hosts")
        .iter()
        .filter_map(Value::as_str)
        .any(|name| host(name, namespace) == *service);
    let is_destination = || {
        routes
            .iter()
            .flat_map(|route| list(route, "/route"))
            .any(|one| host(text(one, "/destination/host"), namespace) == *service)
    };
    if !is_host && !is_destination() {
        return None;
    }
    let is_for_all = |route: &&Value| {
        let matches = list(route, "/match");
        matches.is_empty() || matches.iter().any(|one| one.get("headers").is_none())
    };
    let route = routes.iter().find(is_for_all)?;
    let destinations = list(route, "/route");
    // A single destination needs no weight; beside others, one without a weight gets nothing.
    let missing = if destinations.len() == 1 { 1.0 } else { 0.0 };
    let backends = destinations.iter().map(|one| {
        let subset = text(one, "/destination/subset");
        Backend {
            service: host(text(one, "/destination/host"), namespace),
            subset: (!subset.is_empty()).then(|| subset.to_owned()),
            weight: weight(one, missing),
        }
    });
    Some(backends.collect())
}

fn weight(object: &Value, missing: f64) -> f64 {
    object
        .get("weight")
        .and_then(Value::as_f64)
        .unwrap_or(missing)
        .max(0.0)
}

/// Reads `name`, `name.namespace` or a longer form as the name of a Service.
fn host(name: &str, namespace: &str) -> ObjectKey {
    let mut parts = name.split('.');
    let service = parts.next().unwrap_or_default();
    ObjectKey::new(parts.next().unwrap_or(namespace), service)
}

/// Returns the labels that a subset of a DestinationRule selects pods by, when the rule is for
/// this Service and has it.
pub(super) fn subset_labels<'v>(
    rule: &'v Value,
    namespace: &str,
    backend: &Backend,
) -> Option<&'v serde_json::Map<String, Value>> {
    let wanted = backend.subset.as_deref()?;
    if host(text(rule, "/spec/host"), namespace) != backend.service {
        return None;
    }
    list(rule, "/spec/subsets")
        .iter()
        .find(|subset| text(subset, "/name") == wanted)?
        .get("labels")?
        .as_object()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shares(backends: Option<Vec<Backend>>) -> Vec<(String, f64)> {
        let backends = backends.unwrap_or_default();
        backends
            .into_iter()
            .map(|one| (one.service.to_string(), one.weight))
            .collect()
    }

    #[test]
    fn an_http_route_splits_what_goes_to_any_of_its_backends() {
        let route = json!({"spec": {
        "parentRefs": [{"name": "edge"}, {"kind": "Service", "name": "web"}],
        "rules": [
            {"matches": [{"headers": [{"name": "x"}]}],
             "backendRefs": [{"name": "web-canary", "weight": 1}]},
            {"backendRefs": [{"name": "web-stable", "weight": 80},
                             {"name": "web-canary", "weight": 20}]},
        ]}});
        let wanted = vec![
            ("shop/web-stable".to_owned(), 80.0),
            ("shop/web-canary".to_owned(), 20.0),
        ];

        for service in ["web", "web-stable", "web-canary"] {
            let found = http_route(&route, "shop", &ObjectKey::new("shop", service));
            assert_eq!(shares(found), wanted, "{service}");
        }
        let other = ObjectKey::new("other", "web-stable");
        assert_eq!(http_route(&route, "shop", &other), None);
    }

    #[test]
    fn a_virtual_service_splits_by_host_and_by_subset() {
        let object = json!({"spec": {"hosts": ["web"], "http": [
            {"match": [{"headers": {"x": {"exact": "y"}}}], "route": [
                {"destination": {"host": "web-canary"}}]},
            {"route": [
                {"destination": {"host": "web.shop.svc.cluster.local", "subset": "stable"}, "weight": 75},
                {"destination": {"host": "web", "subset": "canary"}, "weight": 25}]}]}});
        let rule = json!({"spec": {"host": "web", "subsets": [
            {"name": "canary", "labels": {"version": "2"}}]}});

        let found = virtual_service(&object, "shop", &ObjectKey::new("shop", "web"));

        let found = found.unwrap_or_default();
        let names: Vec<_> = found.iter().map(|one| one.subset.as_deref()).collect();
        assert_eq!(names, [Some("stable"), Some("canary")]);
        assert_eq!(
            shares(Some(found.clone())),
            [("shop/web".to_owned(), 75.0), ("shop/web".to_owned(), 25.0)]
        );
        let canary = found
            .last()
            .and_then(|one| subset_labels(&rule, "shop", one));
        assert_eq!(
            canary.and_then(|labels| labels.get("version")),
            Some(&json!("2"))
        );
    }
}
