//! Refusals, as the `Status` objects that Kubernetes clients expect.
//!
//! Codes, reasons and wording follow apimachinery `pkg/api/errors/errors.go`, because `kubectl`
//! and controllers print and match them.

use super::kinds::Kind;
use super::schema::FieldError;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

/// One wrong field of an object, as a `StatusCause`.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired` and so on.
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) field: String,
}

/// A request that is refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct ApiError {
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
    details: Option<Box<Map<String, Value>>>,
}

impl ApiError {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
        }
    }

    pub(super) fn about(mut self, name: &str, group: &str, kind: &str) -> Self {
        let mut details = Map::new();
        for (field, text) in [("name", name), ("group", group), ("kind", kind)] {
            if !text.is_empty() {
                details.insert(field.to_owned(), text.into());
            }
        }
        self.details = Some(Box::new(details));
        self
    }

    fn with_detail(mut self, field: &str, value: Value) -> Self {
        self.details
            .get_or_insert_default()
            .insert(field.to_owned(), value);
        self
    }

    pub(super) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.resource());
        Self::new(404, "NotFound", message).about(name, &kind.group, &kind.plural)
    }

    /// What upstream answers for a path that leads nowhere.
    pub(super) fn no_such_path() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
        .with_detail("causes", json!([]))
    }

    pub(super) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.resource());
        Self::new(409, "AlreadyExists", message).about(name, &kind.group, &kind.plural)
    }

    pub(super) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            kind.resource()
        );
        Self::new(409, "Conflict", message).about(name, &kind.group, &kind.plural)
    }

    pub(super) fn modified(kind: &Kind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and \
             try again",
        )
    }

    /// A conflict whose causes name the managers that own the fields.
    pub(super) fn apply_conflict(message: String, causes: &[Cause]) -> Self {
        Self::new(409, "Conflict", message).with_causes(causes)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        Self::invalid_as(
            &kind.qualified_kind(),
            (name, &kind.group, &kind.kind),
            causes,
        )
    }

    /// Lists what the schema or a rule found wrong.
    pub(super) fn invalid_fields(kind: &Kind, name: &str, errors: &[FieldError]) -> Self {
        let causes: Vec<Cause> = errors
            .iter()
            .map(|error| Cause {
                reason: error.reason.cause().to_owned(),
                message: error.message.clone(),
                field: error.field.clone(),
            })
            .collect();
        Self::invalid(kind, name, &causes)
    }

    /// `what` is the qualified kind; `about` is name, group and kind for the details.
    pub(super) fn invalid_as(what: &str, about: (&str, &str, &str), causes: &[Cause]) -> Self {
        let name = about.0;
        let mut texts: Vec<String> = causes
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect();
        let list = if texts.len() == 1 {
            texts.remove(0)
        } else {
            format!("[{}]", texts.join(", "))
        };
        Self::new(
            422,
            "Invalid",
            format!("{what} \"{name}\" is invalid: {list}"),
        )
        .about(name, about.1, about.2)
        .with_causes(causes)
    }

    fn with_causes(self, causes: &[Cause]) -> Self {
        let causes: Vec<Value> = causes
            .iter()
            .map(|cause| {
                json!({"reason": cause.reason, "message": cause.message, "field": cause.field})
            })
            .collect();
        self.with_detail("causes", Value::Array(causes))
    }

    pub(super) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let target = if name.is_empty() {
            kind.resource()
        } else {
            format!("{} \"{name}\"", kind.resource())
        };
        Self::new(403, "Forbidden", format!("{target} is forbidden: {why}")).about(
            name,
            &kind.group,
            &kind.plural,
        )
    }

    pub(super) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(super) fn method_not_allowed(kind: &Kind, verb: &str) -> Self {
        let message = format!(
            "{verb} is not supported on resources of kind \"{}\"",
            kind.resource()
        );
        Self::new(405, "MethodNotAllowed", message).about("", &kind.group, &kind.plural)
    }

    pub(super) fn unsupported_media(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(super) fn not_acceptable(accepted: &[&str]) -> Self {
        let message = format!(
            "only the following media types are accepted: {}",
            accepted.join(", ")
        );
        Self::new(406, "NotAcceptable", message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(
            500,
            "InternalError",
            format!("Internal error occurred: {message}"),
        )
        .with_detail("causes", json!([{ "message": message }]))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// A request that the caller may repeat after some seconds.
    pub(super) fn too_many_requests(message: impl Into<String>, retry_after: u64) -> Self {
        Self::new(429, "TooManyRequests", message)
            .with_detail("retryAfterSeconds", retry_after.into())
    }

    /// Adds a cause of the given type to the details (such as `DisruptionBudget`).
    pub(super) fn because(self, reason: &str, message: &str) -> Self {
        self.with_detail("causes", json!([{ "reason": reason, "message": message }]))
    }

    /// Adds one cause that names a field.
    pub(super) fn because_field(self, reason: &str, message: &str, field: &str) -> Self {
        self.with_causes(&[Cause {
            reason: reason.to_owned(),
            message: message.to_owned(),
            field: field.to_owned(),
        }])
    }

    /// Writes the `Status` object.
    pub(super) fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if let Some(details) = &self.details {
            status["details"] = Value::Object((**details).clone());
        }
        status
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (code, axum::Json(self.to_status())).into_response();
        if self.code == 429 {
            let retry = self
                .details
                .as_ref()
                .and_then(|details| details.get("retryAfterSeconds"))
                .and_then(Value::as_u64)
                .unwrap_or(1);
            response.headers_mut().insert("retry-after", retry.into());
        }
        response
    }
}
