//! The engine and metrics servers: found through the API server, asked through its proxy, and
//! away for a while.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

use crate::engine_bed::{Bed, Engine, on_both};
use axum::extract::{RawQuery, State};
use axum::routing::{delete, get};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tiphys::domain::alert::{AlertState, Matcher, SilenceState, alert_kind, silence_object};
use tiphys::domain::intent::{SilenceRequest, Stage, Verb};
use tiphys::domain::metric::{QueryAnswer, QueryError, QueryResult, RangeWish};
use tiphys::domain::status::Freshness;
use tiphys::engine::protocol::{Answer, Fetch, Request, SourceName, Topic, Update};

on_both!(
    queries_go_through_the_proxy_and_mistakes_have_a_place,
    a_server_that_goes_away_makes_its_source_stale_and_nothing_else,
    silences_are_made_and_ended,
);

/// A small stand-in for both servers.
#[derive(Default)]
struct Fake {
    away: AtomicBool,
    asked: AtomicU64,
    silenced: AtomicBool,
}

type Shared = Arc<Fake>;

async fn query(State(fake): State<Shared>, RawQuery(query): RawQuery) -> (StatusCode, Json<Value>) {
    fake.asked.fetch_add(1, Ordering::Relaxed);
    if fake.away.load(Ordering::Relaxed) {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({
            "status": "error", "errorType": "timeout", "error": "query timed out in expression evaluation"})),
        );
    }
    if query.unwrap_or_default().contains("query=up%28") {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({"status": "error", "errorType": "bad_data",
            "error": "invalid parameter \"query\": 1:4: parse error: unclosed left parenthesis"})),
        );
    }
    (
        StatusCode::OK,
        Json(
            json!({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"__name__": "up", "job": "api"}, "value": [1_767_227_400, "1"]},
        {"metric": {"__name__": "up", "job": "web"}, "value": [1_767_227_400, "NaN"]}]}}),
        ),
    )
}

async fn query_range(State(fake): State<Shared>) -> (StatusCode, Json<Value>) {
    fake.asked.fetch_add(1, Ordering::Relaxed);
    (
        StatusCode::OK,
        Json(json!({"status": "success", "warnings": ["be careful"],
        "data": {"resultType": "matrix", "result": [{"metric": {}, "values": []}]}})),
    )
}

async fn alerts() -> Json<Value> {
    Json(json!({"status": "success", "data": {"alerts": [
        {"labels": {"alertname": "Slow", "severity": "page"}, "annotations": {},
         "state": "firing", "activeAt": "2026-01-01T00:00:00Z", "value": "1e+00"}]}}))
}

fn silence(state: &str) -> Value {
    json!({"id": "s1", "status": {"state": state}, "matchers": [
        {"name": "alertname", "value": "Slow", "isRegex": false, "isEqual": true}],
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2999-01-01T00:00:00Z",
        "createdBy": "oncall", "comment": "known"})
}

async fn one_silence(State(fake): State<Shared>) -> Json<Value> {
    let active = fake.silenced.load(Ordering::Relaxed);
    Json(silence(if active { "active" } else { "expired" }))
}

async fn silences(State(fake): State<Shared>) -> Json<Value> {
    let active = fake.silenced.load(Ordering::Relaxed);
    Json(if active {
        json!([silence("active")])
    } else {
        json!([])
    })
}

async fn make(State(fake): State<Shared>, Json(body): Json<Value>) -> Json<Value> {
    assert_eq!(body["matchers"][0]["name"], "alertname");
    fake.silenced.store(true, Ordering::Relaxed);
    Json(json!({"silenceID": "s1"}))
}

async fn end(State(fake): State<Shared>) -> StatusCode {
    fake.silenced.store(false, Ordering::Relaxed);
    StatusCode::OK
}

async fn serve(bed: &Bed) -> Shared {
    let fake = Shared::default();
    let prometheus = Router::new()
        .route("/api/v1/query", get(query).post(query))
        .route("/api/v1/query_range", get(query_range))
        .route("/api/v1/alerts", get(alerts))
        .with_state(Arc::clone(&fake));
    let alertmanager = Router::new()
        .route("/api/v2/alerts", get(|| async { Json(json!([])) }))
        .route("/api/v2/silences", get(silences).post(make))
        .route("/api/v2/silence/{id}", delete(end).get(one_silence))
        .with_state(Arc::clone(&fake));
    for (name, port, router) in [
        ("prometheus", 9_090, prometheus),
        ("alertmanager", 9_093, alertmanager),
    ] {
        let service = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "team", "labels": {"app.kubernetes.io/name": name}},
            "spec": {"ports": [{"port": port, "name": "web"}]}});
        bed.create("/api/v1/namespaces/team/services", &service)
            .await;
        bed.server.add_service_backend("team", name, router);
    }
    fake
}

async fn answer(engine: &mut Engine, expr: &str) -> Result<QueryAnswer, QueryError> {
    let expr = expr.into();
    match engine.fetch(Fetch::Query { expr }).await {
        Ok(Answer::Query(answer)) => answer.map(|answer| *answer),
        other => panic!("an answer was expected: {other:?}"),
    }
}

mod cases {
    use super::*;

    pub(super) async fn queries_go_through_the_proxy_and_mistakes_have_a_place(bed: Bed) {
        let fake = serve(&bed).await;
        let mut engine = bed.engine().await;

        let up = answer(&mut engine, "up").await.expect("an answer");
        let QueryResult::Vector(samples) = up.result else {
            panic!("a vector was expected");
        };
        assert_eq!((samples[0].value, samples[1].value), (Some(1.0), None));

        let wrong = answer(&mut engine, "up(").await.expect_err("a mistake");
        assert_eq!(wrong.position.map(|at| (at.line, at.column)), Some((1, 4)));
        assert_eq!(&*wrong.message, "unclosed left parenthesis");

        let long = format!("up or {}", "x".repeat(3_000));
        answer(&mut engine, &long)
            .await
            .expect("long ones go in the body");

        let wish = RangeWish::last(3_600, 60);
        let expr: tiphys::domain::object::Text = "rate(x[5m])".into();
        let before = fake.asked.load(Ordering::Relaxed);
        let tickets = [(); 2].map(|()| {
            let expr = expr.clone();
            engine.subscribe(Topic::Query { expr, wish })
        });
        for ours in tickets {
            let answer = engine
                .until("a range", |update| match update {
                    Update::Query {
                        ticket,
                        answer: Ok(answer),
                        ..
                    } if *ticket == ours => Some(answer.clone()),
                    _ => None,
                })
                .await;
            assert_eq!(&*answer.notes[0], "be careful");
            let QueryResult::Range { series, grid } = answer.result else {
                panic!("a range was expected");
            };
            assert_eq!(series[0].points.len(), grid.len(), "gaps are points");
        }
        let asked = fake.asked.load(Ordering::Relaxed) - before;
        assert_eq!(asked, 1, "the same question is sent once");
    }

    pub(super) async fn a_server_that_goes_away_makes_its_source_stale_and_nothing_else(bed: Bed) {
        let fake = serve(&bed).await;
        let mut engine = bed.engine().await;
        answer(&mut engine, "up").await.expect("an answer");
        fake.away.store(true, Ordering::Relaxed);

        let expr = "up".into();
        engine.send(Request::Fetch {
            ticket: tiphys::engine::protocol::Ticket(900),
            what: Fetch::Query { expr },
        });
        let reason = engine
            .until("staleness", |update| match update {
                Update::Freshness {
                    source: SourceName::Prometheus,
                    freshness: Freshness::Stale { reason, .. },
                    ..
                } => Some(reason.clone()),
                _ => None,
            })
            .await;
        assert!(reason.contains("query timed out"), "{reason}");

        fake.away.store(false, Ordering::Relaxed);
        answer(&mut engine, "up").await.expect("it is back");
    }

    pub(super) async fn silences_are_made_and_ended(bed: Bed) {
        let _fake = serve(&bed).await;
        let mut engine = bed.engine().await;
        let ours = engine.subscribe(Topic::Alerts);
        let alert = engine
            .until("alerts", |update| match update {
                Update::Alerts { ticket, board, .. } if *ticket == ours => {
                    board.alerts.first().cloned()
                }
                _ => None,
            })
            .await;
        assert_eq!((alert.name(), alert.state), ("Slow", AlertState::Firing));

        let target = engine.object(alert_kind(), "", "Slow");
        let request = SilenceRequest {
            matchers: vec![Matcher::equal("alertname", "Slow")],
            length_seconds: 3_600,
            comment: "known".into(),
        };
        let made = engine.act(&target, None, Verb::Silence(request));
        assert!(matches!(engine.outcome(made).await, Stage::Accepted { .. }));
        let silence = engine
            .until("the silence", |update| match update {
                Update::Alerts { ticket, board, .. } if *ticket == ours => {
                    board.silences.first().cloned()
                }
                _ => None,
            })
            .await;
        assert_eq!((silence.state, &*silence.id), (SilenceState::Active, "s1"));

        let target = silence_object(&engine.cluster, "s1");
        let ended = engine.act(&target, None, Verb::ExpireSilence);
        assert!(matches!(
            engine.outcome(ended).await,
            Stage::Accepted { .. }
        ));
        let again = engine.act(&target, None, Verb::ExpireSilence);
        assert!(
            matches!(engine.outcome(again).await, Stage::Failed { .. }),
            "it is over"
        );
    }
}
