//! Rollouts that are judged by analyses, end to end.

use super::bed::{Bed, metric, vector};
use serde_json::{Value, json};

async fn start(bed: &Bed, strategy: Value) {
    let interval = json!({"interval": "2s", "count": 2, "failureCondition": "result[0] < 0.5"});
    bed.create(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "ClusterAnalysisTemplate",
        "metadata": {"name": "latency"},
        "spec": {"metrics": [metric("latency", interval.clone())]},
    }))
    .await;
    let query = json!({"provider": {"prometheus": {"query": "rate{hash=\"{{args.hash}}\",app=\"{{args.app}}\"}"}}});
    let mut rate = metric("success-rate", interval);
    json_patch::merge(&mut rate, &query);
    bed.create(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": {"name": "success-rate"},
        "spec": {
            "args": [{"name": "hash"}, {"name": "app", "value": "nobody"}],
            "metrics": [rate],
            "templates": [{"templateName": "latency", "clusterScope": true}],
        },
    }))
    .await;
    bed.create(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "app", "image": "nginx:1"}]},
            },
            "strategy": strategy,
        },
    }))
    .await;
    bed.status("Rollout", "web", "is healthy", |status| {
        status["phase"] == "Healthy"
    })
    .await;
}

fn analysis() -> Value {
    json!({
        "templates": [{"templateName": "success-rate"}],
        "args": [
            {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
            {"name": "app", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        ],
    })
}

async fn update(bed: &Bed) {
    let containers = json!([{"name": "app", "image": "nginx:2"}]);
    let template = json!({"template": {"spec": {"containers": containers}}});
    bed.patch("Rollout", "web", json!({"spec": template})).await;
}

#[tokio::test]
async fn an_analysis_step_with_nested_templates_lets_the_update_through() {
    let bed = Bed::start().await;
    let steps = json!([{"setWeight": 50}, {"analysis": analysis()}]);
    start(&bed, json!({"canary": {"steps": steps}})).await;

    update(&bed).await;
    let status = bed
        .status("Rollout", "web", "is updated", |status| {
            status["phase"] == "Healthy" && status["currentStepIndex"] == 2
        })
        .await;

    let runs = bed.list("AnalysisRun").await;
    assert_eq!(runs.len(), 1);
    let run = &runs[0];
    assert_eq!(run["status"]["phase"], "Successful");
    assert_eq!(run["metadata"]["labels"]["rollout-type"], "Step");
    assert_eq!(run["metadata"]["labels"]["step-index"], "1");
    assert_eq!(run["status"]["runSummary"]["count"], 2);
    let hash = status["stableRS"].as_str().expect("a hash");
    assert_eq!(
        run["status"]["metricResults"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["name"] == "success-rate")
            .map(|one| one["metadata"]["ResolvedPrometheusQuery"].clone()),
        Some(json!(format!("rate{{hash=\"{hash}\",app=\"web\"}}")))
    );
}

#[tokio::test]
async fn a_background_analysis_that_fails_aborts_the_update() {
    let bed = Bed::start().await;
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let mut background = analysis();
    background["startingStep"] = json!(1);
    start(
        &bed,
        json!({"canary": {"steps": steps, "analysis": background}}),
    )
    .await;

    update(&bed).await;
    bed.status("Rollout", "web", "is paused with an analysis", |status| {
        status["phase"] == "Paused"
            && status["canary"]["currentBackgroundAnalysisRunStatus"]["status"] == "Running"
    })
    .await;
    bed.prometheus.say(vector(&[0.2]));
    let status = bed
        .status("Rollout", "web", "is aborted", |status| {
            status["abort"] == true && status["phase"] == "Degraded"
        })
        .await;

    let message = status["message"].as_str().expect("a message");
    assert!(
        message.starts_with("RolloutAborted: Rollout aborted update to revision 2: ")
            && message.contains("failed (1) > failureLimit (0)"),
        "{message}"
    );
    let runs = bed.list("AnalysisRun").await;
    assert_eq!(runs[0]["metadata"]["labels"]["rollout-type"], "Background");
}

#[tokio::test]
async fn an_inconclusive_analysis_pauses_the_update_for_a_person() {
    let bed = Bed::start().await;
    let steps = json!([{"setWeight": 50}, {"analysis": analysis()}]);
    start(&bed, json!({"canary": {"steps": steps}})).await;
    bed.prometheus.say(vector(&[0.8]));

    update(&bed).await;
    let status = bed
        .status("Rollout", "web", "is paused", |status| {
            status["phase"] == "Paused"
        })
        .await;

    assert_eq!(
        status["pauseConditions"][0]["reason"],
        "InconclusiveAnalysisRun"
    );
    assert_eq!(status["message"], "InconclusiveAnalysisRun");
    assert_eq!(status["controllerPause"], true);
}

#[tokio::test]
async fn an_analysis_before_promotion_that_fails_keeps_the_active_pods() {
    let bed = Bed::start().await;
    for name in ["active", "preview"] {
        bed.create(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        }))
        .await;
    }
    let strategy = json!({"blueGreen": {
        "activeService": "active", "previewService": "preview", "prePromotionAnalysis": analysis(),
    }});
    start(&bed, strategy).await;
    bed.prometheus.say(vector(&[0.2]));

    update(&bed).await;
    let status = bed
        .status("Rollout", "web", "is aborted", |status| {
            status["abort"] == true
        })
        .await;

    assert_eq!(status["blueGreen"]["activeSelector"], status["stableRS"]);
    assert_ne!(status["currentPodHash"], status["stableRS"]);
    let runs = bed.list("AnalysisRun").await;
    assert_eq!(
        runs[0]["metadata"]["labels"]["rollout-type"],
        "PrePromotion"
    );
    assert_eq!(runs[0]["status"]["phase"], "Failed");
}
