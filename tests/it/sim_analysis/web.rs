//! Measuring by JSON from a web server.

use super::bed::{Answer, Bed, Scripted};
use serde_json::json;

#[tokio::test]
async fn a_value_is_taken_out_of_json_and_secrets_stay_secret() {
    let bed = Bed::start().await;
    let server = Scripted::new(Answer::Body(
        200,
        r#"{"data": {"ok": true, "rate": 0.97}}"#.to_owned(),
    ));
    bed.serve("web", &server);
    bed.create(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"},
        "stringData": {"value": "s3cr3t"},
    }))
    .await;
    let token =
        json!({"name": "token", "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}}});
    let metric = |name: &str, url: &str| {
        json!({
            "name": name, "successCondition": "result.ok && result.rate >= 0.95", "consecutiveErrorLimit": 0,
            "provider": {"web": {
                "url": url, "method": "POST", "jsonBody": {"who": "oncall"}, "jsonPath": "{$.data}",
                "headers": [{"key": "Authorization", "value": "Bearer {{args.token}}"}],
            }},
        })
    };
    bed.run(
        "web",
        json!({"metrics": [metric("ok", "http://web.monitoring/check")], "args": [token]}),
    )
    .await;
    bed.run(
        "lost",
        json!({"metrics": [metric("ok", "http://no.monitoring.svc/{{args.token}}")], "args": [token]}),
    )
    .await;

    let status = bed.end("AnalysisRun", "web").await;
    let lost = bed.end("AnalysisRun", "lost").await;

    assert_eq!(status["phase"], "Successful", "{status}");
    let value = &status["metricResults"][0]["measurements"][0]["value"];
    assert_eq!(value, r#"{"ok":true,"rate":0.97}"#);
    let asked = server.asked();
    assert_eq!(
        (asked[0].method.as_str(), asked[0].body.as_str()),
        ("POST", r#"{"who":"oncall"}"#)
    );
    assert_eq!(asked[0].headers["authorization"], "Bearer s3cr3t");
    assert_eq!(asked[0].headers["content-type"], "application/json");
    assert_eq!(lost["phase"], "Error");
    assert!(!lost.to_string().contains("s3cr3t"), "{lost}");
    assert!(
        lost["message"]
            .as_str()
            .expect("a message")
            .contains("no.monitoring.svc/*****")
    );
}

#[tokio::test]
async fn answers_that_are_no_measurement_are_errors() {
    let bed = Bed::start().await;
    let cases = [
        ("gone", 404, "{}", "received non 2xx response code: 404"),
        (
            "text",
            200,
            "hello",
            "Could not parse JSON body: expected value at line 1 column 1",
        ),
        (
            "other",
            200,
            "{}",
            "Could not find JSONPath in body: rate is not found",
        ),
    ];
    for (name, status, body, _) in cases {
        bed.serve(name, &Scripted::new(Answer::Body(status, body.to_owned())));
        let web = json!({"url": format!("http://{name}.monitoring/"), "jsonPath": "{$.rate}"});
        let metric = json!({"name": "rate", "consecutiveErrorLimit": 0, "provider": {"web": web}});
        bed.run(name, json!({"metrics": [metric]})).await;
    }

    for (name, _, _, wanted) in cases {
        let status = bed.end("AnalysisRun", name).await;
        let message = &status["metricResults"][0]["measurements"][0]["message"];
        assert_eq!(message, wanted, "{name}");
    }
}
