//! `PATCH`: merge, JSON, strategic merge and server-side apply.

use super::apply::{self, ApplyError};
use super::call::Call;
use super::error::{ApiError, Cause};
use super::request::{FieldValidation, WriteOptions};
use super::schema::strict_message;
use super::write::{self, Written};
use super::{admission, body, json, lifecycle, strategic};
use axum::response::Response;
use serde_json::Value;

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// Answers a `PATCH`; the patch is in `call.sent`.
pub(super) fn patch(call: &Call) -> Result<Response, ApiError> {
    let mut options = call.options()?;
    if call.content_type() == APPLY {
        options.applied = true;
        return apply(call, &options);
    }
    let (written, warnings) = write::update_with(call, &options, change(call)?)?;
    Ok(written.reply(call, 200, &warnings))
}

type Change = Box<dyn Fn(&Value) -> Result<Value, ApiError> + Send>;

/// Reads the patch into a function of the present object.
pub(super) fn change(call: &Call) -> Result<Change, ApiError> {
    match call.content_type() {
        MERGE => {
            let patch = body::from_json(&call.sent)?;
            Ok(Box::new(move |old| {
                let mut new = old.clone();
                json_patch::merge(&mut new, &patch);
                Ok(new)
            }))
        }
        JSON => {
            let patch: json_patch::Patch = serde_json::from_slice(&call.sent)
                .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
            Ok(Box::new(move |old| json_patched(old, &patch)))
        }
        STRATEGIC if !call.kind.custom => {
            let patch = body::from_json(&call.sent)?;
            let schema = call.kind.schema.clone();
            Ok(Box::new(move |old| {
                strategic::merge(old, &patch, &schema)
                    .map_err(|error| ApiError::bad_request(error.to_string()))
            }))
        }
        _ => Err(ApiError::unsupported_media(accepted(call))),
    }
}

fn accepted(call: &Call) -> &'static [&'static str] {
    if call.kind.custom {
        &[JSON, MERGE, APPLY]
    } else {
        &[JSON, MERGE, STRATEGIC, APPLY]
    }
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

fn apply(call: &Call, options: &WriteOptions) -> Result<Response, ApiError> {
    if call.query.text("fieldManager").is_none() {
        let cause = Cause {
            reason: "FieldValueRequired".to_owned(),
            message: "Required value: is required for apply patch".to_owned(),
            field: "fieldManager".to_owned(),
        };
        let about = ("", "meta.k8s.io", "PatchOptions");
        return Err(ApiError::invalid_as(
            "PatchOptions.meta.k8s.io",
            about,
            &[cause],
        ));
    }
    let applied = read_applied(call, options)?;
    let writer = admission::writer(call, options);
    let apply = |live: Option<&Value>| {
        apply::server_side_apply(live, &applied, options.force, &writer).map_err(refusal)
    };
    let shelf = call.core.store.shelf(&call.kind.shelf());
    let there = shelf.get(&call.key()).is_some();
    if !there && call.path.subresource.is_empty() {
        let created = apply(None).and_then(|object| write::create_object(call, object, options));
        match created {
            Ok((written, warnings)) => return Ok(written.reply(call, 201, &warnings)),
            // Somebody else created it meanwhile; it is updated below.
            Err(error) if error.reason == "AlreadyExists" && !options.dry_run => {}
            Err(error) => return Err(error),
        }
    }
    let (written, warnings): (Written, _) =
        write::update_with(call, options, |old| apply(Some(old)))?;
    Ok(written.reply(call, 200, &warnings))
}

fn read_applied(call: &Call, options: &WriteOptions) -> Result<Value, ApiError> {
    let mut applied = body::from_yaml(&call.sent)?;
    lifecycle::check_type(&call.kind, &mut applied)?;
    match json::name_of(&applied) {
        "" => {
            json::metadata_mut(&mut applied)
                .insert("name".to_owned(), call.path.name.clone().into());
        }
        given if given != call.path.name => {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({})",
                call.path.name
            )));
        }
        _ => {}
    }
    // A typed configuration cannot hold fields that its type does not have, whatever
    // `fieldValidation` says; a custom one loses them.
    let unknown = call.kind.schema.unknown_fields(&applied);
    if let Some(first) = unknown.first() {
        if options.validation == FieldValidation::Strict || !call.kind.custom {
            let why = if options.validation == FieldValidation::Strict {
                strict_message(&unknown)
            } else {
                format!(".{first}: field not declared in schema")
            };
            return Err(ApiError::new(
                400,
                "BadRequest",
                format!(
                    "failed to create typed patch object ({}; {}, Kind={}): {why}",
                    shown_name(call),
                    call.kind.api_version(),
                    call.kind.kind
                ),
            ));
        }
        call.kind.schema.prune(&mut applied);
    }
    Ok(applied)
}

fn shown_name(call: &Call) -> String {
    format!("{}/{}", call.path.namespace, call.path.name)
}

fn refusal(error: ApplyError) -> ApiError {
    let message = error.to_string();
    match error {
        ApplyError::Invalid(message) => ApiError::bad_request(message),
        ApplyError::Conflicts(conflicts) => {
            let causes: Vec<Cause> = conflicts
                .iter()
                .map(|one| Cause {
                    reason: "FieldManagerConflict".to_owned(),
                    message: one.message(),
                    field: one.field.clone(),
                })
                .collect();
            ApiError::apply_conflict(message, &causes)
        }
    }
}
