//! Serves the ledger: `GET /webhooks` (newest first), `GET /webhooks/ID`, and
//! `POST /webhooks/ID/replay`, which sends the same bytes with the same headers again.

use super::hub::Hub;
use super::ledger::{Ledger, Received};
use super::receiver::Door;
use crate::sim::controllers::runtime::ObjectKey;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;

pub(super) fn router(hub: Arc<Hub>) -> Router {
    Router::new()
        .route("/webhooks", get(all))
        .route("/webhooks/{id}", get(one))
        .route("/webhooks/{id}/replay", post(replay))
        .with_state(hub)
}

async fn all(State(hub): State<Arc<Hub>>) -> Json<serde_json::Value> {
    Json(json!({"items": hub.ledger.all()}))
}

async fn one(State(hub): State<Arc<Hub>>, Path(id): Path<String>) -> Response {
    found(&hub.ledger, &id).map_or_else(|refusal| refusal, |entry| Json(entry).into_response())
}

async fn replay(State(hub): State<Arc<Hub>>, Path(id): Path<String>) -> Response {
    let entry = match found(&hub.ledger, &id) {
        Ok(entry) => entry,
        Err(refusal) => return refusal,
    };
    let Some(original) = entry.original else {
        let why = format!("`{id}` came by itself; only requests can be sent again");
        return refused(StatusCode::CONFLICT, &why);
    };
    let door = Door {
        source: ObjectKey::new(entry.namespace, entry.event_source),
        hub: hub.clone(),
        port: None,
    };
    let (_, _, new) = door.take(original, Some(id)).await;
    found(&hub.ledger, &new).map_or_else(|refusal| refusal, |entry| Json(entry).into_response())
}

#[allow(clippy::result_large_err, reason = "the error is the answer")]
fn found(ledger: &Ledger, id: &str) -> Result<Received, Response> {
    ledger.get(id).ok_or_else(|| {
        let why = format!("nothing is known of `{id}`; the last few hundred events are kept");
        refused(StatusCode::NOT_FOUND, &why)
    })
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({"message": why}))).into_response()
}
