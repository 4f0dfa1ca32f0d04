//! The receiver of registries' webhooks: `/webhook?type=harbor` and its siblings.
//!
//! A call says that something was pushed; what it was is asked of the registry, as ever.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::routing::{get, post};
use std::sync::Arc;

/// The registries whose calls are understood (`pkg/webhook`).
const TYPES: [&str; 6] = [
    "docker.io",
    "ghcr.io",
    "quay.io",
    "harbor",
    "aliyun-acr",
    "cloudevents",
];

/// Returns the receiver; `wake` looks at all images.
pub(super) fn router(wake: impl Fn() + Send + Sync + 'static) -> axum::Router {
    let wake = Arc::new(wake);
    let receive = move |RawQuery(query): RawQuery| {
        let wake = Arc::clone(&wake);
        async move {
            let query = query.unwrap_or_default();
            let kind = query.split('&').find_map(|part| part.strip_prefix("type="));
            match kind {
                None => (StatusCode::BAD_REQUEST, "Missing webhook type"),
                Some(kind) if !TYPES.contains(&kind) => (
                    StatusCode::BAD_REQUEST,
                    "no handler for that type of webhook",
                ),
                Some(_) => {
                    wake();
                    (StatusCode::OK, "Webhook processed")
                }
            }
        }
    };
    axum::Router::new()
        .route("/webhook", post(receive))
        .route("/healthz", get(|| async { "ok" }))
}
