//! One canary from its first deploy to both of its ends: the analysis succeeds, or it fails.

use super::bed::{Bed, History, rollout, row, text};
use kube::api::ListParams;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tiphys::sim::controllers::analysis::Analyses;
use tiphys::sim::network::Network;

const APP: &str = "demo-app";

fn canary() -> Value {
    rollout(
        APP,
        5,
        json!({"canary": {"steps": [
            {"setWeight": 20},
            {"pause": {}},
            {"setWeight": 40},
            {"analysis": {
                "templates": [{"templateName": "success-rate"}],
                "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
            }},
            {"setWeight": 60},
            {"pause": {"duration": "10s"}},
        ]}}),
    )
}

fn template() -> Value {
    let query = "success_rate{hash=\"{{args.hash}}\"}";
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": {"name": "success-rate"},
        "spec": {
            "args": [{"name": "hash"}],
            "metrics": [{
                "name": "success-rate", "count": 3, "interval": "5s",
                "successCondition": "result[0] >= 0.95",
                "provider": {"prometheus": {
                    "address": "http://prometheus.monitoring.svc.cluster.local:9090",
                    "query": query,
                }},
            }],
        },
    })
}

/// A Prometheus that knows one number: how many percent of the requests succeed.
#[derive(Clone)]
struct SuccessRate(Arc<AtomicU64>);

impl SuccessRate {
    /// Serves it in a bed whose analyses are worked on.
    fn serve(bed: &Bed, percent: u64) -> Self {
        let rate = Self(Arc::new(AtomicU64::new(percent)));
        let asked = rate.clone();
        let answer = move || {
            let value = asked.0.load(Ordering::Relaxed) as f64 / 100.0;
            let sample = json!({"metric": {}, "value": [1_700_000_000, value.to_string()]});
            let data = json!({"resultType": "vector", "result": [sample]});
            async move { axum::Json(json!({"status": "success", "data": data})) }
        };
        let router = axum::Router::new().route("/api/v1/query", axum::routing::any(answer));
        let cluster = &bed.cluster;
        cluster
            .server
            .add_service_backend("monitoring", "prometheus", router);
        let network = Network::of(cluster.server.clone()).expect("a network");
        Analyses::start(&cluster.runtime, &cluster.events, network);
        rate
    }

    fn be(&self, percent: u64) {
        self.0.store(percent, Ordering::Relaxed);
    }
}

/// Brings a canary to its analysis, row by row.
async fn until_analysis(bed: &Bed) -> (History, String) {
    bed.create(template()).await;
    bed.create(canary()).await;
    bed.until_row(APP, &row("6/6", (100, 100), "Healthy", ""))
        .await;
    let history = bed.follow(APP);

    bed.set_image(APP, "demo-app:def456").await;

    bed.until_row(APP, &row("1/6", (20, 20), "Paused", "CanaryPauseStep"))
        .await;
    let paused = bed.get(APP).await;
    assert_eq!(
        paused.pointer("/status/controllerPause"),
        Some(&json!(true))
    );
    assert_eq!(bed.available(text(&paused, "/status/stableRS")).await, 4);
    assert_eq!(
        bed.available(text(&paused, "/status/currentPodHash")).await,
        1
    );

    bed.promote(APP).await;

    let waiting = "more replicas need to be updated";
    bed.until_row(APP, &row("3/6", (40, 40), "Progressing", waiting))
        .await;
    history.assert_order(&[
        ("6/6", "waiting for rollout spec update to be observed"),
        ("0/6", waiting),
        ("1/6", "CanaryPauseStep"),
        ("1/6", "waiting for rollout to unpause"),
        ("2/6", waiting),
        ("3/6", waiting),
    ]);
    let hash = text(&bed.get(APP).await, "/status/currentPodHash").to_owned();
    (history, format!("{APP}-{hash}-2-3"))
}

/// Returns an analysis once it is in a phase.
async fn until_run(bed: &Bed, run: &str, phase: &str) -> Value {
    let runs = bed.kind("argoproj.io/v1alpha1", "AnalysisRun");
    bed.cluster
        .until(&format!("{run} is {phase}"), async || {
            let found = runs.get_opt(run).await.expect("the server answers")?;
            let found = serde_json::to_value(found).expect("JSON");
            (text(&found, "/status/phase") == phase).then_some(found)
        })
        .await
}

#[tokio::test]
async fn a_canary_whose_analysis_succeeds_takes_over() {
    let bed = Bed::start().await;
    SuccessRate::serve(&bed, 99);
    let (history, run) = until_analysis(&bed).await;
    let made = until_run(&bed, &run, "Running").await;
    let hash = text(&bed.get(APP).await, "/status/currentPodHash").to_owned();
    assert_eq!(
        made.pointer("/metadata/labels"),
        Some(&json!({
            "app": APP, "rollout-type": "Step", "step-index": "3",
            "rollouts-pod-template-hash": hash,
        }))
    );
    assert_eq!(made.pointer("/spec/args/0/value"), Some(&json!(hash)));
    assert_eq!(text(&made, "/metadata/ownerReferences/0/kind"), "Rollout");

    until_run(&bed, &run, "Successful").await;

    bed.until_row(APP, &row("5/6", (60, 60), "Paused", "CanaryPauseStep"))
        .await;
    bed.until_row(APP, &row("6/6", (100, 100), "Healthy", ""))
        .await;
    history.assert_order(&[
        ("3/6", "more replicas need to be updated"),
        ("4/6", "more replicas need to be updated"),
        ("5/6", "CanaryPauseStep"),
        ("6/6", ""),
    ]);
    let done = bed.get(APP).await;
    assert_eq!(text(&done, "/status/stableRS"), hash);
    assert_eq!(bed.available(&hash).await, 5);
    assert_eq!(
        text(&done, "/metadata/annotations/rollout.argoproj.io~1revision"),
        "2"
    );
    let steps = bed.said(APP, "RolloutStepCompleted").await;
    assert!(
        steps.contains(&"Rollout step 1/6 completed (setWeight: 20)".to_owned()),
        "{steps:?}"
    );
    assert!(
        steps.contains(&"Rollout step 6/6 completed (pause: 10s)".to_owned()),
        "{steps:?}"
    );
    let completed = bed.said(APP, "RolloutCompleted").await;
    let last =
        format!("Rollout completed update to revision 2 ({hash}): Completed all 6 canary steps");
    assert!(completed.contains(&last), "{completed:?}");
}

#[tokio::test]
async fn a_canary_whose_analysis_fails_goes_back_and_can_be_tried_again() {
    let bed = Bed::start().await;
    let rate = SuccessRate::serve(&bed, 80);
    let (history, run) = until_analysis(&bed).await;
    let problem = "Metric \"success-rate\" assessed Failed due to failed (1) > failureLimit (0)";

    until_run(&bed, &run, "Failed").await;

    let message = format!(
        "RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: {problem}"
    );
    bed.until_row(APP, &row("0/6", (0, 0), "Degraded", &message))
        .await;
    let aborted = bed.get(APP).await;
    let stable = text(&aborted, "/status/stableRS").to_owned();
    bed.cluster
        .until("stable has all pods again", async || {
            (bed.available(&stable).await == 5).then_some(())
        })
        .await;
    assert_eq!(aborted.pointer("/status/abort"), Some(&json!(true)));
    assert!(aborted.pointer("/status/abortedAt").is_some());

    rate.be(99);
    bed.patch_status(APP, json!({"abort": false})).await;

    bed.until_row(APP, &row("1/6", (20, 20), "Paused", "CanaryPauseStep"))
        .await;
    bed.promote(APP).await;
    until_run(&bed, &format!("{run}.1"), "Successful").await;
    bed.until_row(APP, &row("6/6", (100, 100), "Healthy", ""))
        .await;
    history.assert_order(&[
        ("0/6", &message),
        ("0/6", "more replicas need to be updated"),
        ("1/6", "CanaryPauseStep"),
        ("6/6", ""),
    ]);
    let done = bed.get(APP).await;
    assert_eq!(
        text(&done, "/metadata/annotations/rollout.argoproj.io~1revision"),
        "2"
    );
    let runs = bed.kind("argoproj.io/v1alpha1", "AnalysisRun");
    let runs = runs.list(&ListParams::default()).await.expect("runs").items;
    assert_eq!(runs.len(), 2);
}
