//! `PATCH`: merge, JSON, strategic merge and server-side apply.

use super::body;
use super::call::Call;
use super::error::ApiError;
use super::write;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// Answers a `PATCH`.
pub(super) fn patch(call: &Call, body: &Bytes) -> Result<Response, ApiError> {
    let options = call.options()?;
    let (written, warnings) = match call.content_type() {
        MERGE => {
            let patch = body::from_json(body)?;
            write::update_with(call, &options, |old| Ok(merged(old, &patch)))?
        }
        JSON => {
            let patch: json_patch::Patch = serde_json::from_slice(body)
                .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
            write::update_with(call, &options, |old| json_patched(old, &patch))?
        }
        _ => return Err(ApiError::unsupported_media(accepted(call))),
    };
    Ok(written.reply(call, 200, &warnings))
}

fn accepted(call: &Call) -> &'static [&'static str] {
    if call.kind.custom {
        &[JSON, MERGE, APPLY]
    } else {
        &[JSON, MERGE, STRATEGIC, APPLY]
    }
}

/// Applies a JSON merge patch (RFC 7386).
fn merged(old: &Value, patch: &Value) -> Value {
    let mut new = old.clone();
    json_patch::merge(&mut new, patch);
    new
}

fn json_patched(old: &Value, patch: &json_patch::Patch) -> Result<Value, ApiError> {
    let mut new = old.clone();
    json_patch::patch(&mut new, patch).map_err(|error| {
        ApiError::new(
            422,
            "Invalid",
            format!("the server rejected our request due to an error in our request: {error}"),
        )
    })?;
    Ok(new)
}
