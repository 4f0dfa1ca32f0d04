//! A server on stepped time, and questions to its routers.

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::prometheus::{Prometheus, PrometheusOptions, Target};
use tower::ServiceExt as _;

/// When stepped time begins, in seconds.
pub(super) const BEGIN: i64 = 1_728_000_000;

/// A server whose time only tests move.
pub(super) struct Bed {
    pub(super) clock: PlatformClock,
    pub(super) prometheus: Prometheus,
}

impl Bed {
    pub(super) fn new() -> Self {
        let start = chrono::DateTime::from_timestamp(BEGIN, 0).expect("a time");
        let clock = PlatformClock::stepped(start);
        let prometheus = Prometheus::new(PrometheusOptions::new(clock.clone()));
        Self { clock, prometheus }
    }

    /// Moves time on and does what is due, so many times.
    pub(super) async fn turns(&self, turns: usize) {
        for _ in 0..turns {
            self.clock.step(Duration::from_secs(15));
            self.prometheus.tick().await;
        }
    }

    /// Scrapes what `exposed` says at the time.
    pub(super) fn expose(&self, exposed: &Exposed, honor_labels: bool) {
        let exposed = exposed.clone();
        self.prometheus.add_target(Target {
            job: "shop".to_owned(),
            instance: "10.0.0.1:8080".to_owned(),
            labels: vec![("zone".to_owned(), "a".to_owned())],
            honor_labels,
            read: Arc::new(move || {
                let text = exposed
                    .0
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                Box::pin(async move { text })
            }),
        });
    }

    /// Returns the data of a GET that has to succeed.
    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, body) = ask(&self.prometheus.router(), Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body["data"].clone()
    }

    /// Returns the values of an instant query, by their labels.
    pub(super) async fn values(&self, query: &str) -> Vec<(Value, String)> {
        let data = self
            .get(&format!("/api/v1/query?query={}", encoded(query)))
            .await;
        let series = data["result"].as_array().expect("a vector").clone();
        let value = |one: &Value| one["value"][1].as_str().unwrap_or_default().to_owned();
        series
            .iter()
            .map(|one| (one["metric"].clone(), value(one)))
            .collect()
    }

    /// Asks the Alertmanager.
    pub(super) async fn alertmanager(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        ask(&self.prometheus.alertmanager_router(), method, path, body).await
    }
}

/// What a target says; can be changed.
#[derive(Clone)]
pub(super) struct Exposed(Arc<RwLock<Result<String, String>>>);

impl Exposed {
    pub(super) fn new(text: &str) -> Self {
        Self(Arc::new(RwLock::new(Ok(text.to_owned()))))
    }

    pub(super) fn say(&self, text: Result<&str, &str>) {
        let text = text.map(str::to_owned).map_err(str::to_owned);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

pub(super) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Sends a request to a router; a body that is no JSON comes back as text.
pub(super) async fn ask(
    router: &Router,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(body)
        .expect("a request");
    answered(router, request).await
}

pub(super) async fn answered(router: &Router, request: Request<Body>) -> (u16, Value) {
    let answer = router.clone().oneshot(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .expect("a body");
    let text = String::from_utf8_lossy(&body).into_owned();
    (
        status,
        serde_json::from_str(&text).unwrap_or_else(|_| json!(text)),
    )
}
