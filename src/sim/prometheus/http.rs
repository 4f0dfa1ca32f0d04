//! The Prometheus HTTP API, v1 (`web/api/v1/api.go`, `docs/querying/api.md` of Prometheus).

mod answer;
pub(super) mod form;
mod params;
mod query;
mod result;
mod rules;
mod series;
mod status;
mod targets;

use super::{Core, Prometheus};
use axum::Router;
use axum::extract::State;
use axum::routing::{any, get, put};
use http::StatusCode;
use std::sync::Arc;

/// What every handler is given.
type Shared = State<Arc<Core>>;

/// Returns the whole API, at `/`.
pub(super) fn router(prometheus: &Prometheus) -> Router {
    Router::new()
        .route("/api/v1/query", get(query::instant).post(query::instant))
        .route("/api/v1/query_range", get(query::range).post(query::range))
        .route(
            "/api/v1/query_exemplars",
            get(query::exemplars).post(query::exemplars),
        )
        .route(
            "/api/v1/format_query",
            get(query::format).post(query::format),
        )
        .route("/api/v1/series", get(series::series).post(series::series))
        .route("/api/v1/labels", get(series::labels).post(series::labels))
        .route("/api/v1/label/{name}/values", get(series::label_values))
        .route("/api/v1/metadata", get(series::metadata))
        .route("/api/v1/targets", get(targets::targets))
        .route("/api/v1/targets/metadata", get(targets::metadata))
        .route("/api/v1/scrape_pools", get(targets::pools))
        .route("/api/v1/alertmanagers", get(targets::alertmanagers))
        .route("/api/v1/rules", get(rules::rules))
        .route("/api/v1/alerts", get(rules::alerts))
        .route("/api/v1/status/buildinfo", get(status::build))
        .route("/api/v1/status/runtimeinfo", get(status::runtime))
        .route("/api/v1/status/config", get(status::config))
        .route("/api/v1/status/flags", get(status::flags))
        .route("/api/v1/status/tsdb", get(status::tsdb))
        .route(
            "/-/healthy",
            get(async || "Prometheus Server is Healthy.\n"),
        )
        .route("/-/ready", get(async || "Prometheus Server is Ready.\n"))
        .route("/-/reload", put(not_here).post(not_here))
        .route("/metrics", get(status::metrics))
        .route("/", get(status::front))
        .route("/graph", get(status::front))
        .fallback(any(async || {
            (StatusCode::NOT_FOUND, "404 page not found\n")
        }))
        .with_state(Arc::clone(&prometheus.0))
}

async fn not_here() -> (StatusCode, &'static str) {
    (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.\n")
}
