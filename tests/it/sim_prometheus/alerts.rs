//! Rules, the alerts they raise, and silences over them.

use super::asking::{Bed, Exposed};
use http::Method;
use serde_json::{Value, json};

const RULES: &str = r#"
groups:
- name: shop
  rules:
  - record: job:errors:ratio
    expr: errors / requests
    labels: { team: checkout }
  - alert: ManyErrors
    expr: job:errors:ratio > 0.1
    for: 30s
    keep_firing_for: 15s
    labels: { severity: page }
    annotations:
      summary: "{{ $labels.job }} fails {{ $value | humanizePercentage }}"
"#;

fn bed() -> (Bed, Exposed) {
    let bed = Bed::new();
    let exposed = Exposed::new("errors 20\nrequests 100\n");
    bed.expose(&exposed, true);
    bed.prometheus
        .load_rules("shop.yml", RULES)
        .expect("the rules are good");
    (bed, exposed)
}

async fn state(bed: &Bed) -> Value {
    bed.get("/api/v1/rules?type=alert").await["groups"][0]["rules"][0]["state"].clone()
}

#[tokio::test]
async fn an_alert_waits_fires_and_ends_with_its_condition() {
    let (bed, exposed) = bed();

    bed.turns(1).await;
    assert_eq!(
        bed.values("job:errors:ratio{team=\"checkout\"}").await[0].1,
        "0.2"
    );
    assert_eq!(state(&bed).await, "pending");
    assert_eq!(
        bed.values("ALERTS").await[0].0["alertstate"],
        json!("pending")
    );

    bed.turns(2).await;
    assert_eq!(state(&bed).await, "firing");
    let alert = bed.get("/api/v1/alerts").await["alerts"][0].clone();
    assert_eq!(alert["annotations"]["summary"], json!("shop fails 20%"));
    assert_eq!(alert["value"], json!("2e-01"));
    assert_eq!(alert["labels"]["severity"], json!("page"));
    assert_eq!(
        bed.values("ALERTS{alertstate=\"pending\"}").await,
        [],
        "the pending series has ended"
    );

    exposed.say(Ok("errors 1\nrequests 100\n"));
    bed.turns(1).await;
    assert_eq!(state(&bed).await, "firing", "kept for 15 s");
    bed.turns(1).await;
    assert_eq!(state(&bed).await, "inactive");
    assert_eq!(bed.values("ALERTS").await, []);
    assert_eq!(
        bed.alertmanager(Method::GET, "/api/v2/alerts", None)
            .await
            .1,
        json!([])
    );
}

fn silence(bed: &Bed, name: &str) -> Value {
    use tiphys::domain::clock::Clock as _;
    let now = bed.clock.now();
    json!({
        "matchers": [{ "name": "alertname", "value": name, "isRegex": false }],
        "startsAt": now.to_rfc3339(),
        "endsAt": (now + chrono::TimeDelta::hours(1)).to_rfc3339(),
        "createdBy": "oncall", "comment": "known",
    })
}

#[tokio::test]
async fn a_silence_suppresses_until_it_is_ended() {
    let (bed, _exposed) = bed();
    bed.turns(3).await;
    let alerts = "/api/v2/alerts?filter=alertname%3D%22ManyErrors%22";
    let (_, found) = bed.alertmanager(Method::GET, alerts, None).await;
    assert_eq!(found[0]["status"]["state"], json!("active"));
    assert_eq!(found[0]["labels"]["job"], json!("shop"));
    assert_eq!(found[0]["receivers"], json!([{ "name": "default" }]));

    let (status, made) = bed
        .alertmanager(
            Method::POST,
            "/api/v2/silences",
            Some(silence(&bed, "ManyErrors")),
        )
        .await;
    assert_eq!(status, 200);
    let id = made["silenceID"].as_str().expect("an id").to_owned();

    let (_, found) = bed.alertmanager(Method::GET, alerts, None).await;
    assert_eq!(
        found[0]["status"],
        json!({ "state": "suppressed", "silencedBy": [id], "inhibitedBy": [], "mutedBy": [] })
    );
    assert_eq!(
        bed.alertmanager(Method::GET, "/api/v2/alerts?silenced=false", None)
            .await
            .1,
        json!([])
    );

    let (status, _) = bed
        .alertmanager(Method::DELETE, &format!("/api/v2/silence/{id}"), None)
        .await;
    assert_eq!(status, 200);
    let (_, found) = bed.alertmanager(Method::GET, alerts, None).await;
    assert_eq!(found[0]["status"]["state"], json!("active"));
    let (_, silences) = bed
        .alertmanager(Method::GET, "/api/v2/silences", None)
        .await;
    assert_eq!(silences[0]["status"]["state"], json!("expired"));
}

#[tokio::test]
async fn a_silence_that_is_wrong_says_why() {
    let bed = Bed::new();
    let post = async |body: Value| {
        bed.alertmanager(Method::POST, "/api/v2/silences", Some(body))
            .await
    };
    let mut none = silence(&bed, "A");
    none["matchers"] = json!([]);
    let mut everything = silence(&bed, ".*");
    everything["matchers"][0]["isRegex"] = json!(true);
    let mut over = silence(&bed, "A");
    over["endsAt"] = json!("2001-01-01T00:00:00Z");
    over["startsAt"] = json!("2000-01-01T00:00:00Z");

    assert_eq!(
        post(none).await,
        (
            422,
            json!({ "code": 612, "message": "matchers in body should have at least 1 items" })
        )
    );
    assert_eq!(post(everything).await.0, 400);
    assert_eq!(post(over).await.0, 400);
    assert_eq!(
        bed.alertmanager(Method::GET, "/api/v2/alerts?filter=%20", None)
            .await
            .0,
        200
    );
    assert_eq!(
        bed.alertmanager(Method::GET, "/api/v2/alerts?filter=a+b", None)
            .await
            .0,
        400
    );
    assert_eq!(
        bed.alertmanager(Method::DELETE, "/api/v2/silence/none", None)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_silence_is_changed_in_place() {
    let bed = Bed::new();
    let mut wanted = silence(&bed, "A");
    let (_, made) = bed
        .alertmanager(Method::POST, "/api/v2/silences", Some(wanted.clone()))
        .await;
    wanted["id"] = made["silenceID"].clone();
    wanted["comment"] = json!("longer");

    let (_, changed) = bed
        .alertmanager(Method::POST, "/api/v2/silences", Some(wanted))
        .await;

    assert_eq!(changed, made);
    let (_, all) = bed
        .alertmanager(Method::GET, "/api/v2/silences", None)
        .await;
    assert_eq!(all.as_array().map(Vec::len), Some(1));
    assert_eq!(all[0]["comment"], json!("longer"));
}

#[tokio::test]
async fn a_bad_file_changes_nothing() {
    let (bed, _exposed) = bed();

    let mistakes = bed.prometheus.load_rules(
        "shop.yml",
        "groups: [{name: a, rules: [{record: x, expr: 'sum('}]}]",
    );

    assert!(mistakes.is_err_and(|mistakes| mistakes[0].contains("1:5")));
    assert_eq!(
        bed.get("/api/v1/rules").await["groups"][0]["name"],
        json!("shop")
    );
}
