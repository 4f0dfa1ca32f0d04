//! Measuring at a Prometheus that is well, and at one that is not.

use super::bed::{Answer, Bed, Scripted, metric, refusal, vector};
use serde_json::{Value, json};

#[tokio::test]
async fn good_values_make_a_run_successful() {
    let bed = Bed::start().await;
    let query = json!({
        "interval": "5s", "count": "{{args.count}}",
        "provider": {"prometheus": {
            "query": "sum(rate(ok{app=\"{{args.app}}\"}[1m]))",
            "headers": [{"key": "X-Scope-OrgID", "value": "{{args.app}}"}],
            "authentication": {"basicAuth": {"username": "oncall", "password": "secret"}},
        }},
    });
    bed.run(
        "good",
        json!({
            "metrics": [metric("success-rate", query)],
            "args": [{"name": "app", "value": "we\"b"}, {"name": "count", "value": "3"}],
        }),
    )
    .await;

    let status = bed.end("AnalysisRun", "good").await;

    assert_eq!(status["phase"], "Successful");
    assert_eq!(status["runSummary"], json!({"count": 1, "successful": 1}));
    assert_eq!(status["dryRunSummary"], json!({}));
    let result = &status["metricResults"][0];
    assert_eq!(result["name"], "success-rate");
    assert_eq!(
        (result["count"].as_i64(), result["successful"].as_i64()),
        (Some(3), Some(3))
    );
    assert_eq!(result["measurements"][2]["value"], "[0.99]");
    assert_eq!(
        result["metadata"]["ResolvedPrometheusQuery"],
        "sum(rate(ok{app=\"we\"b\"}[1m]))"
    );
    let times: Vec<_> = result["measurements"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| {
            one["startedAt"]
                .as_str()?
                .parse::<chrono::DateTime<chrono::Utc>>()
                .ok()
        })
        .collect();
    for pair in times.windows(2) {
        let apart = (pair[1] - pair[0]).num_seconds();
        assert!((5..=6).contains(&apart), "{times:?}");
    }
    let asked = bed.prometheus.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(
        (asked[0].method.as_str(), asked[0].uri.path()),
        ("POST", "/api/v1/query")
    );
    assert!(
        asked[0]
            .body
            .starts_with("query=sum%28rate%28ok%7Bapp%3D%22we%22b%22%7D%5B1m%5D%29%29&time=")
    );
    assert_eq!(asked[0].headers["x-scope-orgid"], "we\"b");
    assert_eq!(
        asked[0].headers["authorization"],
        "Basic b25jYWxsOnNlY3JldA=="
    );
    let events = bed.cluster.events("good").await;
    assert!(events.contains(&(
        "AnalysisRunSuccessful".to_owned(),
        "Analysis Completed. Result: Successful".to_owned()
    )));
    assert!(events.contains(&(
        "MetricSuccessful".to_owned(),
        "Metric 'success-rate' Completed. Result: Successful".to_owned()
    )));
}

#[tokio::test]
async fn a_value_that_falls_fails_the_run_and_ends_its_other_metrics() {
    let bed = Bed::start().await;
    let fine = Scripted::new(vector(&[1.0]));
    bed.serve("other", &fine);
    let other = json!({
        "interval": "5s",
        "provider": {"prometheus": {"address": "http://other.monitoring:9090"}},
    });
    bed.run(
        "falls",
        json!({"metrics": [
            metric("success-rate", json!({"interval": "5s", "failureLimit": 1})),
            metric("latency", other),
        ]}),
    )
    .await;
    bed.status("AnalysisRun", "falls", "has measured twice", |status| {
        status["metricResults"][0]["count"] == 2
    })
    .await;

    bed.prometheus.say(vector(&[0.5]));
    let status = bed.end("AnalysisRun", "falls").await;

    assert_eq!(status["phase"], "Failed");
    assert_eq!(
        status["message"],
        "Metric \"success-rate\" assessed Failed due to failed (2) > failureLimit (1)"
    );
    let phase = |name: &str| {
        let results = status["metricResults"].as_array().expect("results");
        let found = results.iter().find(|one| one["name"] == name);
        found.expect("a result")["phase"].clone()
    };
    assert_eq!(phase("success-rate"), "Failed");
    assert_eq!(phase("latency"), "Successful");
    assert_eq!(
        status["runSummary"],
        json!({"count": 2, "successful": 1, "failed": 1})
    );
    assert!(status["completedAt"].is_string());
}

fn error_of(status: &Value) -> &str {
    status["metricResults"][0]["measurements"][0]["message"]
        .as_str()
        .unwrap_or_default()
}

#[tokio::test]
async fn a_prometheus_that_does_not_answer_well_makes_an_error_with_its_words() {
    let bed = Bed::start().await;
    let cases = [
        (
            "empty",
            Some(vector(&[])),
            "could not evaluate successCondition \"result[0] >= 0.95\": metric result is nil or empty: no data returned from the metric provider".to_owned(),
        ),
        (
            "refused",
            Some(refusal(422, "execution", "found duplicate series")),
            "execution: found duplicate series".to_owned(),
        ),
        (
            "malformed",
            Some(refusal(400, "bad_data", "1:5: parse error: unclosed left parenthesis")),
            "bad_data: 1:5: parse error: unclosed left parenthesis".to_owned(),
        ),
        (
            "busy",
            Some(Answer::Body(503, "Service Unavailable".to_owned())),
            "server_error: server error: 503".to_owned(),
        ),
        (
            "slow",
            Some(Answer::Silence(600)),
            "Post \"http://slow.monitoring.svc:9090/api/v1/query\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned(),
        ),
        (
            "down",
            None,
            "Post \"http://down.monitoring.svc:9090/api/v1/query\": dial tcp: lookup down.monitoring.svc: no such host".to_owned(),
        ),
    ];
    for (name, answer, _) in &cases {
        if let Some(answer) = answer {
            bed.serve(name, &Scripted::new(answer.clone()));
        }
        let address = format!("http://{name}.monitoring.svc:9090");
        let told = json!({
            "consecutiveErrorLimit": 1,
            "provider": {"prometheus": {"address": address, "timeout": 3}},
        });
        bed.run(name, json!({"metrics": [metric("rate", told)]}))
            .await;
    }

    for (name, _, wanted) in &cases {
        let status = bed.end("AnalysisRun", name).await;

        assert_eq!(error_of(&status), wanted, "{name}");
        assert_eq!(status["phase"], "Error");
        assert_eq!(
            status["message"].as_str(),
            Some(format!("Metric \"rate\" assessed Error due to consecutiveErrors (2) > consecutiveErrorLimit (1): \"Error Message: {wanted}\"").as_str())
        );
        let result = &status["metricResults"][0];
        assert_eq!(
            (result["error"].as_i64(), result["count"].as_i64()),
            (Some(2), None)
        );
    }
}

#[tokio::test]
async fn an_error_is_forgiven_when_the_next_measurement_is_good() {
    let bed = Bed::start().await;
    bed.prometheus
        .say(refusal(503, "timeout", "query timed out"));
    bed.run("hiccup", json!({"metrics": [metric("rate", json!({}))]}))
        .await;
    let status = bed
        .status("AnalysisRun", "hiccup", "has an error", |status| {
            status["metricResults"][0]["error"] == 1
        })
        .await;
    assert_eq!(status["phase"], "Running");

    bed.prometheus.say(vector(&[0.99]));
    let status = bed.end("AnalysisRun", "hiccup").await;

    assert_eq!(status["phase"], "Successful");
    assert_eq!(status["metricResults"][0]["error"], 1);
    assert!(status["metricResults"][0].get("consecutiveError").is_none());
}

#[tokio::test]
async fn a_range_is_asked_for_by_times_and_judged_as_a_whole() {
    let bed = Bed::start().await;
    let series = json!([{"metric": {}, "values": [[1, "0.99"], [2, "0.97"]]}]);
    let data = json!({"resultType": "matrix", "result": series});
    let body = json!({"status": "success", "data": data, "warnings": ["slow"]});
    bed.prometheus.say(Answer::Body(200, body.to_string()));
    let range = json!({"start": "now() - duration(\"5m\")", "end": "now()", "step": "1m"});
    let told = json!({
        "successCondition": "all(result, # >= 0.95)",
        "provider": {"prometheus": {"rangeQuery": range}},
    });
    bed.run("range", json!({"metrics": [metric("rate", told)]}))
        .await;

    let status = bed.end("AnalysisRun", "range").await;

    assert_eq!(status["phase"], "Successful", "{status}");
    let measurement = &status["metricResults"][0]["measurements"][0];
    assert_eq!(measurement["value"], "[0.99,0.97]");
    assert_eq!(measurement["metadata"]["warnings"], "\"slow\"");
    let asked = bed.prometheus.asked();
    assert_eq!(asked[0].uri.path(), "/api/v1/query_range");
    assert!(asked[0].body.ends_with("&step=60"), "{}", asked[0].body);
}
