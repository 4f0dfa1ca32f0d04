//! HTTPRoutes: tells each of its parents' verdict, as a controller of gateways does.
//!
//! A route is accepted; its references are resolved when the Services it names exist. Requests are
//! split by the route itself, wherever they are counted.

use super::runtime::time::api_time;
use super::runtime::{Controller, Informer, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use crate::domain::clock::Clock as _;
use crate::sim::clock::PlatformClock;
use k8s_openapi::api::core::v1::Service;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

const MANAGER: &str = "istiod";
/// What Istio's implementation of the Gateway API calls itself.
const CONTROLLER: &str = "istio.io/gateway-controller";

/// The controller of HTTPRoutes.
#[derive(Debug)]
pub struct HttpRoutes {
    routes: Writer<DynamicObject>,
    services: Informer<Service>,
    clock: PlatformClock,
}

impl HttpRoutes {
    /// Starts the controller.
    pub fn start(runtime: &Runtime) {
        let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
        let routes: Informer<DynamicObject> = runtime.informer_of(ApiResource::from_gvk(&kind));
        let services = runtime.informer::<Service>();
        let queue = runtime.queue();
        routes.feed(&queue, |change| [change.key()]);
        let all = routes.clone();
        services.feed(&queue, move |change| {
            // A Service that only changes resolves as before.
            if change.old.is_some() && change.new.is_some() {
                return Vec::new();
            }
            let routes = all.in_namespace(&change.key().namespace);
            routes.iter().map(|route| ObjectKey::of(&**route)).collect()
        });
        let controller = Self {
            routes: routes.writer(MANAGER),
            services,
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    /// Returns the first Service that a route names and that does not exist.
    fn missing(&self, route: &DynamicObject, namespace: &str) -> Option<String> {
        let rules = list(&route.data, "/spec/rules");
        let backends = rules.iter().flat_map(|rule| list(rule, "/backendRefs"));
        let names = backends.map(|backend| {
            let own = text(backend, "namespace");
            let namespace = if own.is_empty() { namespace } else { own };
            ObjectKey::new(namespace, text(backend, "name"))
        });
        names
            .filter(|key| self.services.get(key).is_none())
            .map(|key| key.name)
            .next()
    }
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

impl Controller for HttpRoutes {
    type Key = ObjectKey;
    const NAME: &'static str = "http-routes";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(route) = self.routes.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let resolved = match self.missing(&route, &key.namespace) {
            None => ("True", "ResolvedRefs", "All references resolved".to_owned()),
            Some(name) => (
                "False",
                "BackendNotFound",
                format!("backend({name}) not found"),
            ),
        };
        let accepted = ("True", "Accepted", "Route was valid".to_owned());
        let old = route.data.get("status").cloned().unwrap_or(json!({}));
        let now = api_time(self.clock.now());
        let generation = route.metadata.generation;
        let parents: Vec<Value> = list(&route.data, "/spec/parentRefs")
            .iter()
            .enumerate()
            .map(|(place, parent)| {
                let before = list(&old, "/parents").get(place);
                let conditions: Vec<Value> = [("Accepted", &accepted), ("ResolvedRefs", &resolved)]
                    .into_iter()
                    .map(|(kind, (status, reason, message))| {
                        let since = since(before, kind, status).unwrap_or_else(|| json!(now));
                        json!({
                            "type": kind,
                            "status": status,
                            "reason": reason,
                            "message": message,
                            "observedGeneration": generation,
                            "lastTransitionTime": since,
                        })
                    })
                    .collect();
                json!({
                    "parentRef": parent,
                    "controllerName": CONTROLLER,
                    "conditions": conditions,
                })
            })
            .collect();
        let new = json!({"parents": parents});
        self.routes.update_status(&route, &old, &new).await?;
        Ok(Requeue::OnChange)
    }
}

/// Returns since when a condition has had this status, when it has it.
fn since(parent: Option<&Value>, kind: &str, status: &str) -> Option<Value> {
    let conditions = list(parent?, "/conditions");
    let found = conditions
        .iter()
        .find(|one| text(one, "type") == kind && text(one, "status") == status)?;
    found.get("lastTransitionTime").cloned()
}
