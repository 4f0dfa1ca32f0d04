//! What has settled is left alone: no write, whatever time passes.

use super::bed::{Bed, rollout, row, service, text};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use serde_json::json;
use std::time::Duration;

const APP: &str = "web";

/// Returns the versions of everything that the controller writes.
async fn versions(bed: &Bed) -> Vec<String> {
    let all = ListParams::default();
    let rollouts = bed.rollouts().list(&all).await.expect("rollouts").items;
    let sets = bed
        .cluster
        .api::<ReplicaSet>()
        .list(&all)
        .await
        .expect("sets")
        .items;
    let services = bed
        .cluster
        .api::<Service>()
        .list(&all)
        .await
        .expect("services")
        .items;
    let rollouts = rollouts.into_iter().map(|one| one.metadata);
    let sets = sets.into_iter().map(|one| one.metadata);
    let services = services.into_iter().map(|one| one.metadata);
    let metas = rollouts.chain(sets).chain(services);
    metas
        .map(|meta| format!("{:?} {:?}", meta.name, meta.resource_version))
        .collect()
}

/// Waits until nothing is worked on, and asserts that nothing is written any more.
async fn assert_silent(bed: &Bed, what: &str) {
    let calm = async || {
        let before = versions(bed).await;
        // Longer than any delay that is not given.
        for _ in 0..40 {
            bed.cluster.clock.step(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let after = versions(bed).await;
        (before == after).then_some(after)
    };
    let settled = bed.cluster.until(what, calm).await;
    for _ in 0..60 {
        bed.cluster.clock.step(Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    assert_eq!(versions(bed).await, settled, "{what}");
}

#[tokio::test]
async fn a_canary_that_is_healthy_paused_or_aborted_is_left_alone() {
    let bed = Bed::start().await;
    let steps = json!([{"setWeight": 20}, {"pause": {}}]);
    bed.create(rollout(APP, 5, json!({"canary": {"steps": steps}})))
        .await;
    bed.until_phase(APP, "Healthy", "").await;
    assert_silent(&bed, "healthy").await;

    bed.set_image(APP, "demo-app:def456").await;
    bed.until_row(APP, &row("1/2", (20, 20), "Paused", "CanaryPauseStep"))
        .await;
    assert_silent(&bed, "paused").await;

    bed.patch_status(APP, json!({"abort": true})).await;
    let message = "RolloutAborted: Rollout aborted update to revision 2";
    bed.until_row(APP, &row("0/2", (0, 0), "Degraded", message))
        .await;
    assert_silent(&bed, "aborted").await;
}

#[tokio::test]
async fn a_routed_canary_and_its_labels_settle_after_an_abort_and_after_a_promotion() {
    let bed = Bed::start().await;
    bed.create(service("web-stable", APP)).await;
    bed.create(service("web-canary", APP)).await;
    bed.create(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "web"},
        "spec": {"hosts": ["web"], "http": [{"route": [
            {"destination": {"host": "web-stable"}, "weight": 100},
            {"destination": {"host": "web-canary"}, "weight": 0},
        ]}]},
    }))
    .await;
    let strategy = json!({"canary": {
        "canaryService": "web-canary", "stableService": "web-stable",
        "canaryMetadata": {"labels": {"role": "canary"}},
        "stableMetadata": {"labels": {"role": "stable"}},
        "trafficRouting": {"istio": {"virtualService": {"name": "web"}}},
        "steps": [{"setWeight": 50}, {"pause": {}}],
    }});
    bed.create(rollout(APP, 2, strategy)).await;
    bed.until_phase(APP, "Healthy", "").await;
    bed.set_image(APP, "demo-app:def456").await;
    bed.until_phase(APP, "Paused", "CanaryPauseStep").await;
    assert_eq!(bed.cluster.pods("role=stable").await.len(), 2);
    assert_eq!(bed.cluster.pods("role=canary").await.len(), 1);

    bed.patch_status(APP, json!({"abort": true})).await;

    bed.until_phase(
        APP,
        "Degraded",
        "RolloutAborted: Rollout aborted update to revision 2",
    )
    .await;
    assert_silent(&bed, "aborted").await;
    assert_eq!(
        bed.cluster.pods("role=canary").await.len(),
        0,
        "the delay has passed"
    );

    bed.patch_status(APP, json!({"abort": false})).await;
    bed.until_phase(APP, "Paused", "CanaryPauseStep").await;
    bed.promote(APP).await;
    bed.until_phase(APP, "Healthy", "").await;
    assert_silent(&bed, "promoted").await;
    let hash = text(&bed.get(APP).await, "/status/stableRS").to_owned();
    let labels = format!("role=stable,rollouts-pod-template-hash={hash}");
    assert_eq!(bed.cluster.pods(&labels).await.len(), 2);
    assert_eq!(bed.cluster.pods("app=web").await.len(), 2);
}

#[tokio::test]
async fn a_blue_green_rollout_is_left_alone_before_and_after_the_switch() {
    let bed = Bed::start().await;
    bed.create(service("web", APP)).await;
    let strategy = json!({"activeService": "web", "autoPromotionEnabled": false});
    bed.create(rollout(APP, 2, json!({"blueGreen": strategy})))
        .await;
    bed.until_phase(APP, "Healthy", "").await;
    bed.set_image(APP, "demo-app:def456").await;
    bed.until_phase(APP, "Paused", "BlueGreenPause").await;
    assert_silent(&bed, "paused").await;

    bed.patch_status(APP, json!({"abort": true})).await;

    bed.until_phase(
        APP,
        "Degraded",
        "RolloutAborted: Rollout aborted update to revision 2",
    )
    .await;
    assert_silent(&bed, "aborted").await;
    bed.patch_status(APP, json!({"abort": false})).await;
    bed.until_phase(APP, "Paused", "BlueGreenPause").await;
    bed.promote(APP).await;
    bed.until_phase(APP, "Healthy", "").await;
    assert_silent(&bed, "promoted").await;
}
