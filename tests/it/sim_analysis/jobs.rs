//! Measuring by Jobs.

use super::bed::Bed;
use k8s_openapi::api::batch::v1::Job;
use kube::api::ListParams;
use serde_json::{Value, json};

fn metric(script: &str) -> Value {
    let container = json!({"name": "main", "image": "busybox:1", "command": ["sh", "-c", script]});
    json!({
        "name": "check",
        "provider": {"job": {
            "metadata": {"labels": {"team": "{{args.team}}"}},
            "spec": {
                "backoffLimit": 0,
                "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
            },
        }},
    })
}

fn spec(script: &str) -> Value {
    json!({"metrics": [metric(script)], "args": [{"name": "team", "value": "shop"}]})
}

#[tokio::test]
async fn the_end_of_a_job_is_the_measurement() {
    let bed = Bed::start().await;
    bed.run("good", spec("sleep 1")).await;
    bed.run("bad", spec("exit 1")).await;

    let (good, bad) = (
        bed.end("AnalysisRun", "good").await,
        bed.end("AnalysisRun", "bad").await,
    );

    assert_eq!(good["phase"], "Successful");
    assert_eq!(bad["phase"], "Failed");
    let run = bed.get("AnalysisRun", "good").await.expect("the run");
    let uid = run["metadata"]["uid"].as_str().expect("a uid");
    let name = format!("{uid}.check.1");
    let measurement = &good["metricResults"][0]["measurements"][0];
    assert_eq!(measurement["metadata"]["job-name"], name.as_str());
    let job = bed.cluster.api::<Job>().get(&name).await.expect("the job");
    let (labels, notes) = (
        job.metadata.labels.unwrap_or_default(),
        job.metadata.annotations.unwrap_or_default(),
    );
    assert_eq!(labels["team"], "shop");
    assert_eq!(labels["analysisrun.argoproj.io/uid"], uid);
    assert_eq!(notes["analysisrun.argoproj.io/metric-name"], "check");
    let owners = job.metadata.owner_references.unwrap_or_default();
    assert_eq!(
        (owners[0].kind.as_str(), owners[0].name.as_str()),
        ("AnalysisRun", "good")
    );
}

#[tokio::test]
async fn a_job_that_is_under_way_goes_with_its_run() {
    let bed = Bed::start().await;
    bed.run("long", spec("sleep 3600")).await;
    bed.status("AnalysisRun", "long", "measures", |status| {
        status["metricResults"][0]["measurements"][0]["phase"] == "Running"
    })
    .await;

    bed.patch("AnalysisRun", "long", json!({"spec": {"terminate": true}}))
        .await;
    let status = bed.end("AnalysisRun", "long").await;

    assert_eq!(status["phase"], "Successful");
    let measurement = &status["metricResults"][0]["measurements"][0];
    assert_eq!(measurement["message"], "Metric Terminated");
    bed.cluster
        .until("the job is gone", async || {
            let jobs = bed.cluster.api::<Job>().list(&ListParams::default()).await;
            jobs.expect("jobs").items.is_empty().then_some(())
        })
        .await;
}
