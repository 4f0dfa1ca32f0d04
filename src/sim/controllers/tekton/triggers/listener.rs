//! The HTTP side of an EventListener: takes an event and answers at once, as upstream does.

use super::Hub;
use super::interceptors::Incoming;
use super::process;
use crate::sim::controllers::runtime::ObjectKey;
use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The longest event that is taken: GitHub sends 25 MB at most.
const LONGEST: usize = 25 * 1024 * 1024;

#[derive(Clone)]
struct Door {
    hub: Arc<Hub>,
    listener: ObjectKey,
}

/// Serves an EventListener.
pub(super) fn router(hub: Arc<Hub>, listener: ObjectKey) -> Router {
    Router::new()
        .route("/live", get(async || StatusCode::OK))
        .fallback(receive)
        .layer(axum::extract::DefaultBodyLimit::max(LONGEST))
        .with_state(Door { hub, listener })
}

async fn receive(
    State(door): State<Door>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(listener) = door.hub.listeners.get(&door.listener) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let id = door.hub.new_id();
    let answer = json!({
        "eventListener": door.listener.name,
        "namespace": door.listener.namespace,
        "eventListenerUID": listener.metadata.uid,
        "eventID": id,
    });
    let parsed = match serde_json::from_slice::<Value>(&body) {
        Ok(parsed) => parsed,
        Err(_) if body.is_empty() => json!({}),
        Err(error) => {
            let why = format!("Invalid event body format : {error}");
            let refusal = json!({"eventListener": door.listener.name, "errorMessage": why});
            return (StatusCode::BAD_REQUEST, Json(refusal)).into_response();
        }
    };
    let incoming = Incoming {
        body: parsed,
        raw: body,
        headers: header_map(&headers),
        url: uri.to_string(),
        extensions: Map::new(),
    };
    // Whoever sent the event does not wait for what comes of it.
    tokio::spawn(process::all(door.hub, listener, incoming, id));
    (StatusCode::ACCEPTED, Json(answer)).into_response()
}

/// Returns the headers as Go writes their names: `X-Github-Event`.
fn header_map(headers: &HeaderMap) -> Map<String, Value> {
    let mut map = Map::new();
    for name in headers.keys() {
        let canonical: Vec<String> = name
            .as_str()
            .split('-')
            .map(|part| {
                let mut letters = part.chars();
                let first = letters.next().map(|first| first.to_ascii_uppercase());
                first.into_iter().chain(letters).collect()
            })
            .collect();
        let values = headers.get_all(name).iter();
        let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        map.insert(canonical.join("-"), json!(values));
    }
    map
}
