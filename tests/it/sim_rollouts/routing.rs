//! Canaries whose traffic a router splits: the weight trails the pods, and goes back at once.

use super::bed::{Bed, rollout, row, service, text};
use serde_json::{Value, json};

const APP: &str = "web";

fn strategy(routing: Value) -> Value {
    json!({"canary": {
        "canaryService": "web-canary", "stableService": "web-stable",
        "scaleDownDelaySeconds": 20, "abortScaleDownDelaySeconds": 20,
        "trafficRouting": routing,
        "steps": [{"setWeight": 20}, {"pause": {}}],
    }})
}

async fn services(bed: &Bed) {
    bed.create(service("web-stable", APP)).await;
    bed.create(service("web-canary", APP)).await;
}

fn http_route() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "web"},
        "spec": {"rules": [{"backendRefs": [
            {"name": "web-stable", "port": 80}, {"name": "web-canary", "port": 80},
        ]}]},
    })
}

fn virtual_service() -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "web"},
        "spec": {"hosts": ["web"], "http": [{"name": "primary", "route": [
            {"destination": {"host": "web-stable"}, "weight": 100},
            {"destination": {"host": "web-canary"}, "weight": 0},
        ]}]},
    })
}

/// Waits until the router sends these shares to stable and canary.
async fn until_weights(bed: &Bed, (kind, pointers): (&str, [&str; 2]), wanted: [i64; 2]) {
    let api_version = match kind {
        "HTTPRoute" => "gateway.networking.k8s.io/v1",
        _ => "networking.istio.io/v1",
    };
    let routes = bed.kind(api_version, kind);
    bed.cluster
        .until(&format!("{kind} has weights {wanted:?}"), async || {
            let route = routes.get("web").await.expect("the route");
            let weight = |pointer: &str| route.data.pointer(pointer).and_then(Value::as_i64);
            let weights = pointers.map(|pointer| weight(pointer).unwrap_or(-1));
            (weights == wanted).then_some(())
        })
        .await;
}

const GATEWAY: (&str, [&str; 2]) = (
    "HTTPRoute",
    [
        "/spec/rules/0/backendRefs/0/weight",
        "/spec/rules/0/backendRefs/1/weight",
    ],
);
const ISTIO: (&str, [&str; 2]) = (
    "VirtualService",
    ["/spec/http/0/route/0/weight", "/spec/http/0/route/1/weight"],
);

#[tokio::test]
async fn an_http_route_gets_the_weights_when_the_pods_are_there() {
    let bed = Bed::start().await;
    services(&bed).await;
    bed.create(http_route()).await;
    let plugin = json!({"httpRoute": "web", "namespace": "default"});
    let routing = json!({"plugins": {"argoproj-labs/gatewayAPI": plugin}});
    bed.create(rollout(APP, 5, strategy(routing))).await;
    bed.until_phase(APP, "Healthy", "").await;
    let old = text(&bed.get(APP).await, "/status/stableRS").to_owned();
    until_weights(&bed, GATEWAY, [100, 0]).await;

    bed.set_image(APP, "demo-app:def456").await;

    bed.until_row(APP, &row("1/2", (20, 20), "Paused", "CanaryPauseStep"))
        .await;
    until_weights(&bed, GATEWAY, [80, 20]).await;
    let paused = bed.get(APP).await;
    let new = text(&paused, "/status/currentPodHash").to_owned();
    assert_eq!(
        paused.pointer("/status/canary/weights"),
        Some(&json!({
            "canary": {"weight": 20, "serviceName": "web-canary", "podTemplateHash": new},
            "stable": {"weight": 80, "serviceName": "web-stable", "podTemplateHash": old},
        }))
    );
    assert_eq!(
        (bed.available(&old).await, bed.available(&new).await),
        (5, 1)
    );
    assert_eq!(
        (
            bed.selected("web-stable").await,
            bed.selected("web-canary").await
        ),
        (old.clone(), new.clone())
    );
    let told = bed.said(APP, "TrafficWeightUpdated").await;
    assert!(
        told.contains(&"Traffic weight updated from 0 to 20".to_owned()),
        "{told:?}"
    );

    bed.promote(APP).await;

    bed.until_phase(APP, "Healthy", "").await;
    until_weights(&bed, GATEWAY, [100, 0]).await;
    assert_eq!(bed.selected("web-stable").await, new);
    assert_eq!(
        bed.available(&old).await,
        5,
        "the old pods stay for a while"
    );
    bed.cluster
        .until("the old pods are gone", async || {
            (bed.available(&old).await == 0).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_virtual_service_gets_the_weights_and_an_abort_takes_them_back_at_once() {
    let bed = Bed::start().await;
    services(&bed).await;
    bed.create(virtual_service()).await;
    let routing = json!({"istio": {"virtualService": {"name": "web", "routes": ["primary"]}}});
    bed.create(rollout(APP, 5, strategy(routing))).await;
    bed.until_phase(APP, "Healthy", "").await;
    let old = text(&bed.get(APP).await, "/status/stableRS").to_owned();
    bed.set_image(APP, "demo-app:def456").await;
    bed.until_row(APP, &row("1/2", (20, 20), "Paused", "CanaryPauseStep"))
        .await;
    until_weights(&bed, ISTIO, [80, 20]).await;
    let new = text(&bed.get(APP).await, "/status/currentPodHash").to_owned();

    bed.patch_status(APP, json!({"abort": true})).await;

    let message = "RolloutAborted: Rollout aborted update to revision 2";
    bed.until_row(APP, &row("0/2", (0, 0), "Degraded", message))
        .await;
    until_weights(&bed, ISTIO, [100, 0]).await;
    assert_eq!(bed.available(&new).await, 1, "the canary stays for a while");
    assert_eq!(bed.selected("web-canary").await, old);
    bed.cluster
        .until("the canary is gone", async || {
            (bed.available(&new).await == 0).then_some(())
        })
        .await;
}

#[tokio::test]
async fn weights_that_somebody_took_back_are_written_again() {
    let bed = Bed::start().await;
    services(&bed).await;
    bed.create(virtual_service()).await;
    let routing = json!({"istio": {"virtualService": {"name": "web"}}});
    bed.create(rollout(APP, 2, strategy(routing))).await;
    bed.until_phase(APP, "Healthy", "").await;
    bed.set_image(APP, "demo-app:def456").await;
    bed.until_phase(APP, "Paused", "CanaryPauseStep").await;
    until_weights(&bed, ISTIO, [80, 20]).await;

    let routes = bed.kind("networking.istio.io/v1", "VirtualService");
    let spec = virtual_service()["spec"].clone();
    let patch = kube::api::Patch::Merge(json!({"spec": spec}));
    let patched = routes
        .patch("web", &kube::api::PatchParams::default(), &patch)
        .await;
    patched.expect("the route is patched");

    until_weights(&bed, ISTIO, [80, 20]).await;
}

#[tokio::test]
async fn subsets_of_a_destination_rule_follow_the_revisions() {
    let bed = Bed::start().await;
    let to = |subset: &str, weight: i64| json!({"destination": {"host": "web", "subset": subset}, "weight": weight});
    bed.create(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "web"},
        "spec": {"hosts": ["web"], "http": [{"route": [to("stable", 100), to("canary", 0)]}]},
    }))
    .await;
    bed.create(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "web"},
        "spec": {"host": "web", "subsets": [
            {"name": "stable", "labels": {"app": APP}}, {"name": "canary", "labels": {"app": APP}},
        ]},
    }))
    .await;
    let rule = json!({"name": "web", "stableSubsetName": "stable", "canarySubsetName": "canary"});
    let routing = json!({"istio": {"virtualService": {"name": "web"}, "destinationRule": rule}});
    let steps = json!([{"setWeight": 25}, {"pause": {}}]);
    bed.create(rollout(
        APP,
        2,
        json!({"canary": {"trafficRouting": routing, "steps": steps}}),
    ))
    .await;
    bed.until_phase(APP, "Healthy", "").await;

    bed.set_image(APP, "demo-app:def456").await;

    bed.until_phase(APP, "Paused", "CanaryPauseStep").await;
    until_weights(&bed, ISTIO, [75, 25]).await;
    let status = bed.get(APP).await;
    let rules = bed.kind("networking.istio.io/v1", "DestinationRule");
    let rule = rules.get("web").await.expect("the rule");
    let label = |index: usize| {
        let pointer = format!("/spec/subsets/{index}/labels/rollouts-pod-template-hash");
        text(&rule.data, &pointer).to_owned()
    };
    assert_eq!(label(0), text(&status, "/status/stableRS"));
    assert_eq!(label(1), text(&status, "/status/currentPodHash"));
}

#[tokio::test]
async fn a_router_that_is_not_simulated_is_refused_by_name() {
    let bed = Bed::start().await;
    services(&bed).await;
    let routing = json!({"nginx": {"stableIngress": "web"}});
    bed.create(rollout(APP, 1, strategy(routing))).await;

    bed.until_phase(
        APP,
        "Degraded",
        "InvalidSpec: The Rollout \"web\" is invalid: spec.strategy.canary.trafficRouting.nginx: Invalid value: \"nginx\": this router is not simulated; use istio or the plugin argoproj-labs/gatewayAPI",
    )
    .await;
}
