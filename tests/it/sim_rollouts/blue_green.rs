//! Blue-green: preview, pause, switch, analyses, delays, and going back.

use super::bed::{Bed, rollout, service, text};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const APP: &str = "web";

async fn deployed(bed: &Bed, mut strategy: Value) -> String {
    strategy["activeService"] = json!("web");
    strategy["previewService"] = json!("web-preview");
    bed.create(service("web", APP)).await;
    bed.create(service("web-preview", APP)).await;
    bed.create(rollout(APP, 3, json!({"blueGreen": strategy})))
        .await;
    bed.until_phase(APP, "Healthy", "").await;
    text(&bed.get(APP).await, "/status/stableRS").to_owned()
}

async fn new_hash(bed: &Bed, old: &str) -> String {
    bed.cluster
        .until("the new revision is known", async || {
            let now = bed.get(APP).await;
            let hash = text(&now, "/status/currentPodHash").to_owned();
            (hash != old).then_some(hash)
        })
        .await
}

#[tokio::test]
async fn the_preview_is_looked_at_before_all_traffic_is_switched() {
    let bed = Bed::start().await;
    let old = deployed(
        &bed,
        json!({"autoPromotionEnabled": false, "scaleDownDelaySeconds": 20}),
    )
    .await;
    assert_eq!(bed.selected("web").await, old);

    bed.set_image(APP, "demo-app:def456").await;

    bed.until_phase(APP, "Paused", "BlueGreenPause").await;
    let new = new_hash(&bed, &old).await;
    assert_eq!(bed.selected("web").await, old);
    assert_eq!(bed.selected("web-preview").await, new);
    let paused = bed.get(APP).await;
    let status = &paused["status"];
    assert_eq!(text(status, "/blueGreen/activeSelector"), old);
    assert_eq!(text(status, "/blueGreen/previewSelector"), new);
    let counts = [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
    ];
    let counts = counts.map(|name| status[name].as_i64().unwrap_or(0));
    assert_eq!(counts, [6, 3, 3, 3]);

    bed.promote(APP).await;

    bed.until_phase(APP, "Healthy", "").await;
    assert_eq!(bed.selected("web").await, new);
    assert_eq!(text(&bed.get(APP).await, "/status/stableRS"), new);
    assert_eq!(
        bed.available(&old).await,
        3,
        "the old pods stay for a while"
    );
    bed.cluster
        .until("the old pods are gone", async || {
            (bed.available(&old).await == 0).then_some(())
        })
        .await;
    let switched = bed.said(APP, "SwitchService").await;
    let message = format!("Switched selector for service 'web' from '{old}' to '{new}'");
    assert!(switched.contains(&message), "{switched:?}");
}

#[tokio::test]
async fn going_back_within_the_delay_is_not_paused() {
    let bed = Bed::start().await;
    let old = deployed(
        &bed,
        json!({"autoPromotionEnabled": false, "scaleDownDelaySeconds": 600}),
    )
    .await;
    bed.set_image(APP, "demo-app:def456").await;
    bed.until_phase(APP, "Paused", "BlueGreenPause").await;
    bed.promote(APP).await;
    bed.until_phase(APP, "Healthy", "").await;
    assert_ne!(bed.selected("web").await, old);

    bed.set_image(APP, "demo-app:abc123").await;

    bed.cluster
        .until("the old pods serve again", async || {
            let now = bed.get(APP).await;
            assert!(now.pointer("/status/pauseConditions").is_none(), "{now:#}");
            (bed.selected("web").await == old).then_some(())
        })
        .await;
    bed.until_phase(APP, "Healthy", "").await;
}

#[tokio::test]
async fn the_switch_comes_by_itself_after_its_time() {
    let bed = Bed::start().await;
    let strategy = json!({"autoPromotionSeconds": 15, "previewReplicaCount": 1});
    let old = deployed(&bed, strategy).await;

    bed.set_image(APP, "demo-app:def456").await;

    bed.until_phase(APP, "Paused", "BlueGreenPause").await;
    let new = new_hash(&bed, &old).await;
    assert_eq!(bed.available(&new).await, 1);
    bed.until_phase(APP, "Healthy", "").await;
    assert_eq!(bed.selected("web").await, new);
    assert_eq!(bed.available(&new).await, 3);
}

async fn settle(bed: &Bed, run: &str, status: Value) {
    let runs = bed.kind("argoproj.io/v1alpha1", "AnalysisRun");
    bed.cluster
        .until(run, async || {
            runs.get_opt(run).await.expect("the server answers")
        })
        .await;
    let patch = Patch::Merge(json!({"status": status}));
    let patched = runs.patch(run, &PatchParams::default(), &patch).await;
    patched.expect("the run is patched");
}

#[tokio::test]
async fn analyses_guard_the_switch_before_and_after() {
    let bed = Bed::start().await;
    bed.create(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "smoke"},
        "spec": {"metrics": [{"name": "smoke", "provider": {"web": {"url": "http://x"}}}]},
    }))
    .await;
    let smoke = json!({"templates": [{"templateName": "smoke"}]});
    let strategy = json!({"prePromotionAnalysis": smoke, "postPromotionAnalysis": smoke});
    let old = deployed(&bed, strategy).await;
    bed.set_image(APP, "demo-app:def456").await;
    let new = new_hash(&bed, &old).await;

    settle(
        &bed,
        &format!("web-{new}-2-pre"),
        json!({"phase": "Successful"}),
    )
    .await;

    bed.until_phase(APP, "Progressing", "waiting for analysis to complete")
        .await;
    assert_eq!(bed.selected("web").await, new);
    let failed = json!({"phase": "Failed", "message": "Metric \"smoke\" assessed Failed"});
    settle(&bed, &format!("web-{new}-2-post"), failed).await;
    bed.until_phase(
        APP,
        "Degraded",
        "RolloutAborted: Rollout aborted update to revision 2: Blue/green post-promotion analysis phase error/failed: Metric \"smoke\" assessed Failed",
    )
    .await;
    bed.cluster
        .until("the old pods serve again", async || {
            (bed.selected("web").await == old).then_some(())
        })
        .await;
    bed.cluster
        .until("the new pods are gone after a while", async || {
            (bed.available(&new).await == 0).then_some(())
        })
        .await;
}
