//! What a run does whatever it measures: arguments, mistakes, ends, dry runs, retention.

use super::bed::{Bed, metric, vector};
use serde_json::{Value, json};

#[tokio::test]
async fn a_run_that_cannot_be_measured_says_why() {
    let bed = Bed::start().await;
    let cases: [(&str, Value, &str); 6] = [
        (
            "none",
            json!({"metrics": []}),
            "Analysis spec invalid: no metrics specified",
        ),
        (
            "count",
            json!({"metrics": [metric("rate", json!({"count": 2}))]}),
            "Analysis spec invalid: metrics[0]: interval must be specified when count > 1",
        ),
        (
            "twice",
            json!({"metrics": [metric("rate", json!({})), metric("rate", json!({}))]}),
            "Analysis spec invalid: metrics[1]: duplicate name 'rate'",
        ),
        (
            "argument",
            json!({"metrics": [metric("rate", json!({"successCondition": "{{args.what}}"}))]}),
            "Unable to resolve metric arguments: failed to resolve {{args.what}}",
        ),
        (
            "secret",
            json!({
                "metrics": [metric("rate", json!({}))],
                "args": [{"name": "t", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}],
            }),
            "Unable to resolve metric arguments: secrets \"gone\" not found",
        ),
        (
            "rule",
            json!({
                "metrics": [metric("rate", json!({}))],
                "dryRun": [{"metricName": "latency.*"}],
            }),
            "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)",
        ),
    ];
    for (name, spec, _) in &cases {
        bed.run(name, spec.clone()).await;
    }

    for (name, _, wanted) in cases {
        let status = bed.end("AnalysisRun", name).await;

        assert_eq!(status["phase"], "Error", "{name}");
        assert_eq!(status["message"], wanted);
    }
    assert!(bed.prometheus.asked().is_empty());
}

#[tokio::test]
async fn a_run_is_terminated_on_request() {
    let bed = Bed::start().await;
    let endless = metric("rate", json!({"interval": "5s"}));
    bed.run("endless", json!({"metrics": [endless]})).await;
    bed.status("AnalysisRun", "endless", "has measured", |status| {
        status["metricResults"][0]["count"] == 1
    })
    .await;

    bed.patch(
        "AnalysisRun",
        "endless",
        json!({"spec": {"terminate": true}}),
    )
    .await;
    let status = bed.end("AnalysisRun", "endless").await;

    assert_eq!(status["phase"], "Successful");
    assert_eq!(status["message"], "Run Terminated");
}

#[tokio::test]
async fn dry_runs_decide_nothing_and_old_measurements_go() {
    let bed = Bed::start().await;
    bed.prometheus.say(vector(&[0.5]));
    let many = json!({"interval": "1s", "count": 5, "successCondition": "result[0] > 0"});
    bed.run(
        "dry",
        json!({
            "metrics": [metric("dry-rate", json!({})), metric("kept", many)],
            "dryRun": [{"metricName": "dry.*"}],
            "measurementRetention": [{"metricName": "k.+", "limit": 2}],
        }),
    )
    .await;

    let status = bed.end("AnalysisRun", "dry").await;

    assert_eq!(status["phase"], "Successful");
    assert_eq!(status["dryRunSummary"], json!({"count": 1, "failed": 1}));
    assert_eq!(status["runSummary"], json!({"count": 1, "successful": 1}));
    for result in status["metricResults"].as_array().expect("results") {
        if result["name"] == "dry-rate" {
            assert_eq!(result["dryRun"], true);
            assert_eq!(result["phase"], "Failed");
            assert_eq!(
                result["message"],
                "Metric assessed Failed due to failed (1) > failureLimit (0)"
            );
        } else {
            assert_eq!(result["count"], 5);
            assert_eq!(result["measurements"].as_array().map(Vec::len), Some(2));
        }
    }
}

#[tokio::test]
async fn values_between_the_conditions_are_inconclusive() {
    let bed = Bed::start().await;
    bed.prometheus.say(vector(&[0.8]));
    let doubt = json!({"failureCondition": "result[0] < 0.5"});
    bed.run("doubt", json!({"metrics": [metric("rate", doubt)]}))
        .await;

    let status = bed.end("AnalysisRun", "doubt").await;

    assert_eq!(status["phase"], "Inconclusive");
    assert_eq!(
        status["message"],
        "Metric \"rate\" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)"
    );
}

#[tokio::test]
async fn a_run_waits_for_its_delay_and_goes_away_after_its_time() {
    let bed = Bed::start().await;
    bed.run(
        "late",
        json!({
            "metrics": [metric("rate", json!({"initialDelay": "10s"}))],
            "ttlStrategy": {"secondsAfterCompletion": 5},
        }),
    )
    .await;

    let status = bed
        .status("AnalysisRun", "late", "is running", |status| {
            status["phase"] == "Running"
        })
        .await;
    assert!(bed.prometheus.asked().is_empty());
    let time = |value: &Value| {
        let text = value.as_str().expect("a time");
        text.parse::<chrono::DateTime<chrono::Utc>>()
            .expect("a time")
    };
    let started = time(&status["startedAt"]);

    let status = bed.end("AnalysisRun", "late").await;
    let measured = time(&status["metricResults"][0]["measurements"][0]["startedAt"]);
    assert_eq!((measured - started).num_seconds(), 10);
    bed.cluster
        .until("the run is deleted", async || {
            bed.get("AnalysisRun", "late").await.is_none().then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_provider_that_is_not_here_says_so() {
    let bed = Bed::start().await;
    let datadog = json!({
        "name": "rate", "consecutiveErrorLimit": 0,
        "provider": {"datadog": {"query": "avg:x{*}"}},
    });
    bed.run("datadog", json!({"metrics": [datadog]})).await;

    let status = bed.end("AnalysisRun", "datadog").await;

    assert_eq!(
        status["metricResults"][0]["measurements"][0]["message"],
        "the provider `datadog` is not part of this platform; use prometheus, web or job"
    );
}
