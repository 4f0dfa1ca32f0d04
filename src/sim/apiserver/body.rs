//! Reading the bodies of requests.

use super::call::Call;
use super::delete::DeleteOptions;
use super::error::ApiError;
use super::protobuf::{self, ProtobufError};
use axum::body::Body;
use bytes::Bytes;
use serde_json::Value;

/// The largest body taken, as upstream.
const LARGEST: usize = 3 << 20;

/// Reads a body whole.
pub(super) async fn read_bytes(body: Body) -> Result<Bytes, ApiError> {
    axum::body::to_bytes(body, LARGEST).await.map_err(|error| {
        ApiError::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {LARGEST} ({error})"),
        )
    })
}

/// Reads the object in a body: JSON, YAML or the protobuf of typed clients.
pub(super) async fn read_object(call: &Call, body: Body) -> Result<Value, ApiError> {
    let bytes = read_bytes(body).await?;
    decode(call.content_type(), &bytes)
}

/// Decodes an object by its media type.
pub(super) fn decode(media: &str, bytes: &Bytes) -> Result<Value, ApiError> {
    match media {
        "application/json" | "" => from_json(bytes),
        "application/yaml" => from_yaml(bytes),
        protobuf::MEDIA => protobuf::decode(bytes).map_err(|error| match error {
            ProtobufError::Malformed => ApiError::bad_request(error.to_string()),
            ProtobufError::UnknownKind(_) | ProtobufError::UnknownField { .. } => {
                ApiError::new(415, "UnsupportedMediaType", error.to_string())
            }
        }),
        _ => Err(ApiError::unsupported_media(&[
            "application/json",
            "application/yaml",
            protobuf::MEDIA,
        ])),
    }
}

/// Parses JSON.
pub(super) fn from_json(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type JSON): {error}"
        ))
    })
}

/// Parses YAML (of which JSON is a part).
pub(super) fn from_yaml(bytes: &[u8]) -> Result<Value, ApiError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ApiError::bad_request(format!("the body is no text: {error}")))?;
    crate::api::yaml::from_str(text)
        .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))
}

/// Reads the options of a deletion from body and query.
pub(super) async fn read_delete_options(
    call: &Call,
    body: Body,
) -> Result<DeleteOptions, ApiError> {
    let bytes = read_bytes(body).await?;
    let given = if bytes.is_empty() {
        Value::Null
    } else {
        decode(call.content_type(), &bytes)?
    };
    DeleteOptions::read(&given, &call.query)
}
