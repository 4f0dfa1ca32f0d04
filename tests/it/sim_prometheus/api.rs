//! Shapes, limits and mistakes of the Prometheus HTTP API.

use super::asking::{BEGIN, Bed, answered, ask, encoded};
use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use tiphys::sim::prometheus::histogram::{Buckets, Histogram};

fn with_counter() -> Bed {
    let bed = Bed::new();
    for scrape in 0..40_i64 {
        let at = (BEGIN + scrape * 15) * 1000;
        for (pod, speed) in [("a", 30), ("b", 15)] {
            let labels = [("__name__", "requests_total"), ("pod", pod)];
            assert!(bed.prometheus.append(&labels, at, (scrape * speed) as f64));
        }
    }
    bed
}

async fn refused(bed: &Bed, path: &str) -> (u16, Value) {
    ask(&bed.prometheus.router(), Method::GET, path, None).await
}

#[tokio::test]
async fn a_range_query_is_a_matrix_sorted_by_labels() {
    let bed = with_counter();
    let query = encoded(
        "sum by (pod) (changes(requests_total[2m])) + on (pod) (requests_total > bool 610)",
    );
    let (start, end) = (BEGIN + 300, BEGIN + 330);

    let data = bed
        .get(&format!(
            "/api/v1/query_range?query={query}&start={start}&end={end}&step=15s"
        ))
        .await;

    let points = |first: &str, then: &str| json!([[start, first], [start + 15, then], [end, then]]);
    assert_eq!(
        data,
        json!({ "resultType": "matrix", "result": [
            { "metric": { "pod": "a" }, "values": points("7", "8") },
            { "metric": { "pod": "b" }, "values": points("7", "7") },
        ]})
    );
}

#[tokio::test]
async fn a_form_is_as_good_as_a_query_string() {
    let bed = with_counter();
    let form = format!(
        "query={}&time={}",
        encoded("count(requests_total)"),
        BEGIN + 60
    );
    let request = Request::post("/api/v1/query")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form.clone()))
        .expect("a request");

    let (status, posted) = answered(&bed.prometheus.router(), request).await;

    assert_eq!(status, 200);
    assert_eq!(
        posted["data"],
        bed.get(&format!("/api/v1/query?{form}")).await
    );
    assert_eq!(
        posted["data"]["result"],
        json!([{ "metric": {}, "value": [BEGIN + 60, "2"] }])
    );
}

#[tokio::test]
async fn mistakes_name_the_parameter_and_the_place() {
    let bed = with_counter();
    let query = |text: &str| format!("/api/v1/query?query={}", encoded(text));
    let range = |start: i64, end: i64, step: &str| {
        format!("/api/v1/query_range?query=up&start={start}&end={end}&step={step}")
    };

    let (status, body) = refused(&bed, &query("sum(")).await;
    assert_eq!(status, 400);
    assert_eq!(
        body,
        json!({ "status": "error", "errorType": "bad_data",
                "error": "invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis" })
    );
    let (status, body) = refused(
        &bed,
        &query("requests_total + ignoring(pod) requests_total"),
    )
    .await;
    assert_eq!((status, &body["errorType"]), (422, &json!("execution")));
    assert!(
        body["error"]
            .as_str()
            .is_some_and(|text| text.contains("many-to-many matching not allowed"))
    );
    assert_eq!(
        refused(&bed, &range(0, 11_000, "1")).await.0,
        200,
        "11,000 steps are allowed"
    );
    let (status, body) = refused(&bed, &range(0, 11_001, "1")).await;
    assert_eq!(status, 400);
    assert!(
        body["error"]
            .as_str()
            .is_some_and(|text| text.starts_with("exceeded maximum resolution of 11,000"))
    );
    assert_eq!(refused(&bed, &range(10, 0, "1")).await.0, 400);
    assert_eq!(refused(&bed, &range(0, 10, "0")).await.0, 400);
    assert_eq!(
        refused(&bed, "/api/v1/series").await.1["error"],
        json!("no match[] parameter provided")
    );
    assert_eq!(
        refused(&bed, "/api/v1/nothing").await,
        (404, json!("404 page not found\n"))
    );
}

#[tokio::test]
async fn series_and_labels_are_found_by_selector() {
    let bed = with_counter();
    let selector = encoded("requests_total{pod=~\"b|c\"}");

    assert_eq!(
        bed.get(&format!("/api/v1/series?match[]={selector}")).await,
        json!([{ "__name__": "requests_total", "pod": "b" }])
    );
    assert_eq!(bed.get("/api/v1/labels").await, json!(["__name__", "pod"]));
    assert_eq!(bed.get("/api/v1/label/pod/values").await, json!(["a", "b"]));
    assert_eq!(
        bed.get(&format!("/api/v1/label/pod/values?match[]={selector}"))
            .await,
        json!(["b"])
    );
    assert_eq!(
        bed.get("/api/v1/label/pod/values?limit=1").await,
        json!(["a"])
    );
}

#[tokio::test]
async fn the_server_tells_of_itself() {
    let bed = with_counter();

    assert_eq!(
        bed.get("/api/v1/status/buildinfo").await["version"],
        json!("3.5.0")
    );
    assert_eq!(
        bed.get("/api/v1/status/flags").await["query.lookback-delta"],
        json!("5m")
    );
    assert_eq!(
        bed.get("/api/v1/status/tsdb").await["headStats"]["numSeries"],
        json!(2)
    );
    assert_eq!(
        bed.get("/api/v1/format_query?query=sum%28x%29by%28y%29")
            .await,
        json!("sum by (y) (x)")
    );
    assert_eq!(refused(&bed, "/-/ready").await.0, 200);
}

#[tokio::test]
async fn remarks_come_with_the_result() {
    let bed = with_counter();
    let query = encoded("quantile(2, requests_total)");

    let (_, body) = refused(&bed, &format!("/api/v1/query?query={query}&time={BEGIN}")).await;

    assert_eq!(
        body["warnings"],
        json!(["PromQL warning: quantile value should be between 0 and 1, got 2"])
    );
    assert_eq!(body["data"]["result"][0]["value"][1], json!("+Inf"));
}

/// Returns a histogram of one observation in (0.5, 1] and so many in (1, 2].
fn histogram(count: f64) -> Histogram {
    Histogram {
        count: 1.0 + count,
        sum: 0.75 + 1.5 * count,
        positive: Buckets::run(0, &[1.0, count]),
        ..Histogram::default()
    }
}

#[tokio::test]
async fn native_histograms_are_answered_and_recorded() {
    let bed = Bed::new();
    let rules = "groups: [{name: g, rules: [{record: sum:wait, expr: sum(wait)}]}]";
    bed.prometheus.load_rules("r.yml", rules).expect("a rule");
    for pod in ["a", "b"] {
        let labels = [("__name__", "wait"), ("pod", pod)];
        assert!(bed.prometheus.append(&labels, BEGIN * 1000, histogram(3.0)));
    }

    bed.turns(1).await;
    let recorded = bed.get("/api/v1/query?query=sum:wait").await;
    let wait = encoded("wait{pod=\"a\"}");
    let range = format!("/api/v1/query_range?query={wait}&start={BEGIN}&end={BEGIN}&step=15");
    let range = bed.get(&range).await;
    let median = bed.values("histogram_quantile(0.5, sum:wait)").await;

    assert_eq!(
        recorded["result"][0]["histogram"][1],
        json!({"count": "8", "sum": "10.5", "buckets": [[0, "0.5", "1", "2"], [0, "1", "2", "6"]]})
    );
    assert_eq!(range["result"][0]["histograms"][0][1]["count"], "4");
    assert_eq!(range["result"][0]["values"], Value::Null);
    // A third of the way from 1 to 2, as powers go.
    let value: f64 = median[0].1.parse().expect("a number");
    assert!((value - (1.0_f64 / 3.0).exp2()).abs() < 1e-9);
}
