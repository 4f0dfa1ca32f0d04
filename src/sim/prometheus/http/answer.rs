//! The envelope of every answer.

use crate::sim::prometheus::promql::Annotations;
use crate::sim::prometheus::{QueryError, QueryErrorKind};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

/// Answers with data.
pub(super) fn success(data: &Value) -> Response {
    Json(json!({ "status": "success", "data": data })).into_response()
}

/// Answers with data, and says when a limit cut them.
pub(super) fn limited(data: &Value, cut: bool) -> Response {
    if !cut {
        return success(data);
    }
    let warnings = ["results truncated due to limit"];
    Json(json!({ "status": "success", "data": data, "warnings": warnings })).into_response()
}

/// Answers with data that are already written as JSON.
pub(super) fn written(data: &str, annotations: &Annotations) -> Response {
    let mut body = format!("{{\"status\":\"success\",\"data\":{data}");
    for (name, remarks) in [
        ("warnings", annotations.warnings()),
        ("infos", annotations.infos()),
    ] {
        if !remarks.is_empty() {
            body.push_str(&format!(",\"{name}\":{}", json!(remarks)));
        }
    }
    body.push('}');
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Answers that it cannot be done.
pub(super) fn failure(error: &QueryError) -> Response {
    let (status, kind) = match error.kind {
        QueryErrorKind::BadData => (StatusCode::BAD_REQUEST, "bad_data"),
        QueryErrorKind::Execution => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
        QueryErrorKind::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
        QueryErrorKind::Canceled => (StatusCode::SERVICE_UNAVAILABLE, "canceled"),
    };
    let body = json!({ "status": "error", "errorType": kind, "error": error.message });
    (status, Json(body)).into_response()
}

impl IntoResponse for QueryError {
    fn into_response(self) -> Response {
        failure(&self)
    }
}
