//! Traffic routing: tells a router how much of the traffic goes to the canary.
//!
//! Follows Argo Rollouts' `rollout/trafficrouting.go`. Routers that are simulated are the Gateway API
//! (plugin `argoproj-labs/gatewayAPI`) and Istio; any other makes its Rollout invalid.

mod gateway;
mod istio;

use super::model::{Destination, Rollout, SetHeaderRoute, SetMirrorRoute, Weights};
use super::pass::{Outcome, Pass};
use super::replica_sets::{hash_of, size};
use super::run::resource;
use super::steps;
use crate::sim::apiserver::schema::FieldError;
use crate::sim::controllers::runtime::ReconcileError;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

const GATEWAY_PLUGIN: &str = "argoproj-labs/gatewayAPI";
const OTHER_ROUTERS: [&str; 7] = [
    "alb",
    "ambassador",
    "apisix",
    "appMesh",
    "nginx",
    "smi",
    "traefik",
];

/// Returns the kinds whose changes are looked at: somebody may have taken a weight back.
pub(super) fn watched_kinds() -> [ApiResource; 3] {
    [
        resource("gateway.networking.k8s.io", "v1", "HTTPRoute"),
        resource("networking.istio.io", "v1", "VirtualService"),
        resource("networking.istio.io", "v1", "DestinationRule"),
    ]
}

/// The Rollout is routed by an object of this name.
pub(super) fn names_route(rollout: &Rollout, name: &str) -> bool {
    gateway::route_names(rollout).iter().any(|one| one == name)
        || istio::names(rollout).contains(&name)
}

/// What a router is asked for.
#[derive(Debug)]
struct Plan {
    weight: i32,
    whole: i32,
    canary_hash: String,
    stable_hash: String,
    additional: Vec<Destination>,
    /// Routes that steps have made are taken away.
    clear_routes: bool,
    header: Option<SetHeaderRoute>,
    mirror: Option<SetMirrorRoute>,
}

impl Plan {
    /// What is left for the stable revision.
    fn stable_weight(&self) -> i32 {
        let additional: i32 = self.additional.iter().map(|one| one.weight).sum();
        self.whole - self.weight - additional
    }
}

/// Checks that the routers are there and can be used.
pub(super) async fn check(pass: &Pass<'_>) -> Outcome<Result<(), String>> {
    let Some(routing) = pass.rollout.traffic_routing() else {
        return Ok(Ok(()));
    };
    let at = "spec.strategy.canary.trafficRouting";
    let unknown = OTHER_ROUTERS.into_iter().find(|router| routing.has(router));
    if let Some(router) = unknown {
        let detail =
            format!("this router is not simulated; use istio or the plugin {GATEWAY_PLUGIN}");
        let error = FieldError::invalid(format!("{at}.{router}"), &json!(router), detail);
        return Ok(Err(error.to_string()));
    }
    for name in routing.plugins.iter().flatten().map(|(name, _)| name) {
        if name != GATEWAY_PLUGIN {
            let detail =
                format!("this plugin is not simulated; use istio or the plugin {GATEWAY_PLUGIN}");
            let error = FieldError::invalid(format!("{at}.plugins"), &json!(name), detail);
            return Ok(Err(error.to_string()));
        }
    }
    if let Err(problem) = istio::check(pass).await? {
        return Ok(Err(problem));
    }
    gateway::check(pass).await
}

impl Pass<'_> {
    /// Tells the router what the step asks for, as far as the pods can bear it.
    pub(super) async fn route_traffic(&mut self) -> Outcome {
        if self.rollout.traffic_routing().is_none() {
            self.new.canary.weights = None;
            return Ok(());
        }
        let plan = self.plan();
        if self.is_aborted() && !self.rollout.is_fully_promoted() {
            let dynamic = self
                .rollout
                .canary()
                .is_some_and(|canary| canary.dynamic_stable_scale);
            if !dynamic || plan.weight == 0 {
                let name = self.rollout.canary().map(|one| one.canary_service.clone());
                let stable = self.sets.stable(&self.rollout).cloned();
                self.point(&name.unwrap_or_default(), stable.as_ref(), false)
                    .await?;
            }
        }
        let routed = match istio::apply(self, &plan).await {
            Ok(()) => gateway::apply(self, &plan).await,
            failed => failed,
        };
        if let Err(error) = routed {
            self.warn("TrafficRoutingError", error.to_string());
            return Err(error);
        }
        self.note_weights(&plan);
        Ok(())
    }

    fn plan(&self) -> Plan {
        let status = &self.rollout.status;
        let index = steps::current_index(&self.rollout);
        let stable = self.sets.stable(&self.rollout);
        let new = self.sets.new_set();
        let mut plan = Plan {
            weight: 0,
            whole: steps::whole(&self.rollout),
            canary_hash: new.map_or_else(String::new, |set| hash_of(set).to_owned()),
            stable_hash: stable.map_or_else(String::new, |set| hash_of(set).to_owned()),
            additional: Vec::new(),
            clear_routes: false,
            header: None,
            mirror: None,
        };
        let available = new.map_or(0, |set| size(set).available);
        if let Some(from) = self.returns_dynamically() {
            plan.weight = self.weight_on_the_way_back(plan.whole);
            plan.canary_hash = from;
        } else if self.rollout.is_fully_promoted() {
            plan.clear_routes = true;
        } else if self.is_aborted() {
            plan.weight = self.weight_on_the_way_back(plan.whole);
            plan.clear_routes = true;
        } else if available == 0 {
            plan.additional = self.experiment_weights();
        } else if status.promote_full {
            let known = status.canary.weights.as_ref();
            let dynamic = self
                .rollout
                .canary()
                .is_some_and(|canary| canary.dynamic_stable_scale);
            plan.weight = if dynamic {
                plan.whole * available / self.rollout.replicas().max(1)
            } else {
                known.map_or(0, |weights| weights.canary.weight)
            };
            plan.clear_routes = true;
        } else if let Some(index) = index {
            if !self.is_at_desired_counts(false) {
                plan.weight = steps::previous_weight(&self.rollout);
                plan.additional = self.experiment_weights();
            } else if index < self.rollout.steps().len() {
                plan.weight = steps::set_weight(&self.rollout);
                plan.additional = self.experiment_weights();
            } else {
                plan.weight = plan.whole;
            }
        }
        if let Some((_, step)) = steps::current(&self.rollout)
            && self.rollout.revision() > 1
            && !plan.clear_routes
        {
            plan.header.clone_from(&step.set_header_route);
            plan.mirror.clone_from(&step.set_mirror_route);
        }
        plan
    }

    /// The canary's share while the traffic goes back to stable.
    fn weight_on_the_way_back(&self, whole: i32) -> i32 {
        let dynamic = self
            .rollout
            .canary()
            .is_some_and(|canary| canary.dynamic_stable_scale);
        if !dynamic {
            return 0;
        }
        let stable = self.sets.stable(&self.rollout);
        let available = stable.map_or(0, |set| size(set).available);
        let left = whole - whole * available / self.rollout.replicas().max(1);
        let known = self.rollout.status.canary.weights.as_ref();
        known
            .map_or(left, |weights| left.min(weights.canary.weight))
            .max(0)
    }

    fn note_weights(&mut self, plan: &Plan) {
        let (canary_service, stable_service) = self
            .rollout
            .canary()
            .map(|canary| (canary.canary_service.clone(), canary.stable_service.clone()))
            .unwrap_or_default();
        let known = self.rollout.status.canary.weights.as_ref();
        let mut new = Weights {
            canary: Destination {
                weight: plan.weight,
                service_name: canary_service,
                pod_template_hash: plan.canary_hash.clone(),
            },
            stable: Destination {
                weight: plan.stable_weight(),
                service_name: stable_service,
                pod_template_hash: plan.stable_hash.clone(),
            },
            additional: plan.additional.clone(),
            verified: known.and_then(|weights| weights.verified),
        };
        if known.is_none_or(|known| *known != new) {
            let mut details = Vec::new();
            match known {
                None => details.push(format!("to {}", plan.weight)),
                Some(known) if known.canary.weight != plan.weight => {
                    details.push(format!("from {} to {}", known.canary.weight, plan.weight));
                }
                Some(_) => {}
            }
            if known.is_some_and(|known| known.additional != new.additional) {
                details.push(format!("additional: {}", json!(new.additional)));
            }
            self.tell(
                "TrafficWeightUpdated",
                format!("Traffic weight updated {}", details.join(", ")),
            );
        }
        // Neither router can be asked what it really does.
        new.verified = None;
        self.new.canary.weights = Some(new);
    }

    fn routes(&self, kind: &ApiResource, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.controller.client().clone(), namespace, kind)
    }

    async fn read_route(
        &self,
        kind: &ApiResource,
        (namespace, name): (&str, &str),
    ) -> Outcome<Option<DynamicObject>> {
        let doing = || format!("read {} `{namespace}/{name}`", kind.plural);
        let found = self.routes(kind, namespace).get_opt(name).await;
        found.map_err(|source| ReconcileError::api(doing(), source))
    }

    /// Writes the spec of a route if it is another one than before.
    async fn write_route(
        &self,
        kind: &ApiResource,
        route: &DynamicObject,
        spec: &Value,
    ) -> Outcome {
        if route.data.get("spec") == Some(spec) {
            return Ok(());
        }
        let namespace = route.metadata.namespace.as_deref().unwrap_or_default();
        let name = route.metadata.name.as_deref().unwrap_or_default();
        let patch = json!({
            "metadata": {"resourceVersion": route.metadata.resource_version},
            "spec": spec,
        });
        let params = PatchParams {
            field_manager: Some(super::MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let written = self
            .routes(kind, namespace)
            .patch(name, &params, &Patch::Merge(&patch))
            .await;
        written.map(|_| ()).map_err(|source| {
            let doing = format!("write {} `{namespace}/{name}`", kind.plural);
            ReconcileError::api(doing, source)
        })
    }
}

/// Returns the missing-object refusal of an API server.
fn not_found(kind: &ApiResource, name: &str) -> String {
    format!("{}.{} \"{name}\" not found", kind.plural, kind.group)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let found = value.get(name).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

fn list_mut<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Vec<Value>> {
    value.get_mut(name).and_then(Value::as_array_mut)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
