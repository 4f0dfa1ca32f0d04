//! What an object must satisfy before it is kept, and what the server adds to it.
//!
//! Joins the request pipeline to the schemas. Immutable fields are in `rules`, addresses that the
//! server hands out in `allocate`.

use super::apply::{self, Writer};
use super::call::Call;
use super::error::{ApiError, Cause};
use super::kinds::Kind;
use super::request::{FieldValidation, WriteOptions};
use super::schema::{FieldError, strict_message};
use super::store::Key;
use super::{allocate, crds, json, lifecycle, rules};
use serde_json::Value;

/// Checks the fields of what the client sent against the schema, drops those it does not know and
/// fills in defaults; returns warnings.
pub(super) fn check_fields(
    call: &Call,
    object: &mut Value,
    options: &WriteOptions,
) -> Result<Vec<String>, ApiError> {
    let kind = &call.kind;
    lifecycle::check_type(kind, object)?;
    if let Some(error) = kind.schema.decode_error(object) {
        return Err(cannot_be_handled(kind, &error));
    }
    let warnings = check_unknown(call, object, options)?;
    kind.schema.prune(object);
    crds::complete(kind, object);
    kind.schema.default(object);
    Ok(warnings)
}

/// Looks for fields that the schema does not know, as `fieldValidation` asks.
pub(super) fn check_unknown(
    call: &Call,
    object: &Value,
    options: &WriteOptions,
) -> Result<Vec<String>, ApiError> {
    if options.validation == FieldValidation::Ignore {
        return Ok(Vec::new());
    }
    let unknown = call.kind.schema.unknown_fields(object);
    if unknown.is_empty() {
        return Ok(Vec::new());
    }
    if options.validation == FieldValidation::Warn {
        return Ok(unknown
            .iter()
            .map(|field| format!("unknown field \"{field}\""))
            .collect());
    }
    if call.verb != "patch" {
        return Err(cannot_be_handled(&call.kind, &strict_message(&unknown)));
    }
    let cause = Cause {
        reason: "FieldValueInvalid".to_owned(),
        message: format!(
            "Invalid value: {:?}: {}",
            String::from_utf8_lossy(&call.sent),
            strict_message(&unknown)
        ),
        field: "patch".to_owned(),
    };
    Err(ApiError::invalid_as("", ("", "", ""), &[cause]))
}

fn cannot_be_handled(kind: &Kind, why: &str) -> ApiError {
    ApiError::bad_request(format!(
        "{0} in version \"{1}\" cannot be handled as a {0}: {why}",
        kind.kind, kind.version
    ))
}

/// Refuses creation in a namespace that is not there or is going away.
pub(super) fn check_namespace(call: &Call) -> Result<(), ApiError> {
    let (kind, name) = (&call.kind, call.path.namespace.as_str());
    if !kind.namespaced {
        return Ok(());
    }
    let found = call.core.store.shelf("namespaces").get(&Key::new("", name));
    let Some(namespace) = found else {
        let message = format!("namespaces \"{name}\" not found");
        return Err(ApiError::new(404, "NotFound", message).about(name, "", "namespaces"));
    };
    if !namespace.deleting {
        return Ok(());
    }
    let why =
        format!("unable to create new content in namespace {name} because it is being terminated");
    let because = format!("namespace {name} is being terminated");
    Err(
        ApiError::forbidden(kind, &call.path.name, &why).because_field(
            "NamespaceTerminating",
            &because,
            "metadata.namespace",
        ),
    )
}

/// Adds what the server decides, such as addresses.
pub(super) fn complete(call: &Call, old: Option<&Value>, object: &mut Value) {
    allocate::complete(call, old, object);
}

/// Refuses an object that its kind does not allow; returns warnings.
///
/// What was wrong before an update and did not change does not block it.
pub(super) fn validate(
    kind: &Kind,
    old: Option<&Value>,
    object: &Value,
) -> Result<Vec<String>, ApiError> {
    let name = json::name_of(object);
    let mut errors: Vec<FieldError> = kind.schema.validate(object);
    if let Some(old) = old
        && !errors.is_empty()
    {
        let before = kind.schema.validate(old);
        errors.retain(|error| !before.contains(error));
    }
    errors.extend(
        old.map(|old| rules::immutable(kind, old, object))
            .unwrap_or_default(),
    );
    if !errors.is_empty() {
        return Err(ApiError::invalid_fields(kind, name, &errors));
    }
    if let Some(why) = old.and_then(|old| rules::denied(kind, old, object)) {
        return Err(ApiError::bad_request(why));
    }
    crds::check(kind, object)?;
    Ok(kind.deprecation.iter().cloned().collect())
}

/// Records in `metadata.managedFields` who wrote what.
pub(super) fn record_manager(
    call: &Call,
    old: Option<&Value>,
    object: &mut Value,
    options: &WriteOptions,
) {
    // An apply has settled the ownership itself.
    if !options.applied {
        apply::record_update(old, object, &writer(call, options));
    }
}

/// Says who writes, for the ownership of fields.
pub(super) fn writer<'a>(call: &'a Call, options: &'a WriteOptions) -> Writer<'a> {
    let subresource = call.path.subresource.as_str();
    Writer {
        manager: &options.field_manager,
        subresource: (!subresource.is_empty()).then_some(subresource),
        status: call.kind.status,
        schema: &call.kind.schema,
        now: call.core.now(),
    }
}
