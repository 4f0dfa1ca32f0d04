//! Subresources beyond `status`, and the kinds that only answer (reviews).

use super::call::Call;
use super::error::ApiError;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use serde_json::Value;

/// Says whether a subresource answers with something else than an object.
pub(super) fn answers_plain(subresource: &str) -> bool {
    matches!(
        subresource,
        "log" | "proxy" | "exec" | "attach" | "portforward"
    )
}

/// Answers a request for a subresource.
pub(super) async fn answer(call: Call, _request: Request<Body>) -> Result<Response, ApiError> {
    let known = call
        .kind
        .subresources
        .iter()
        .any(|(name, _)| *name == call.path.subresource);
    if !known {
        return Err(ApiError::no_such_path());
    }
    match call.path.subresource.as_str() {
        "exec" | "attach" | "portforward" => Err(ApiError::new(
            501,
            "NotImplemented",
            format!(
                "{} is not supported by the embedded platform",
                call.path.subresource
            ),
        )),
        _ => Err(ApiError::no_such_path()),
    }
}

/// Answers a review.
pub(super) fn review(call: &Call, _object: Value) -> Result<Response, ApiError> {
    Err(ApiError::method_not_allowed(&call.kind, call.verb))
}
