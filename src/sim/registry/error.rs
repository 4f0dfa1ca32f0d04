//! Errors as the distribution specification wants them.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// Why a registry refuses.
#[derive(Clone, Debug, PartialEq)]
pub struct OciError {
    pub status: StatusCode,
    /// `MANIFEST_UNKNOWN` and the like.
    pub code: &'static str,
    pub message: String,
    pub detail: Value,
    /// What `WWW-Authenticate` says.
    pub challenge: Option<String>,
}

impl OciError {
    /// Makes an error without details.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            detail: Value::Null,
            challenge: None,
        }
    }

    pub(super) fn with(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    pub(super) fn manifest_unknown(reference: &str) -> Self {
        let message = "manifest unknown";
        Self::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message)
            .with(json!({"reference": reference}))
    }

    pub(super) fn name_unknown(name: &str) -> Self {
        let message = "repository name not known to registry";
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message).with(json!({"name": name}))
    }

    pub(super) fn blob_unknown(digest: &str) -> Self {
        let message = "blob unknown to registry";
        Self::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", message).with(json!({"digest": digest}))
    }

    pub(super) fn upload_unknown() -> Self {
        let message = "blob upload unknown to registry";
        Self::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message)
    }

    pub(super) fn unsupported() -> Self {
        let message = "The operation is unsupported.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
    }

    pub(super) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl IntoResponse for OciError {
    fn into_response(self) -> Response {
        let mut error = json!({"code": self.code, "message": self.message});
        if !self.detail.is_null() {
            error["detail"] = self.detail;
        }
        let mut response = (self.status, axum::Json(json!({"errors": [error]}))).into_response();
        let headers = response.headers_mut();
        if let Some(value) = self
            .challenge
            .and_then(|text| HeaderValue::try_from(text).ok())
        {
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
