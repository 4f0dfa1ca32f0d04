//! Creating and updating objects: the one way by which all writing verbs reach the store.

use super::call::Call;
use super::error::{ApiError, Cause};
use super::json;
use super::kinds::Kind;
use super::lifecycle;
use super::request::WriteOptions;
use super::store::{Draft, Stale, Stored};
use super::{admission, crds, names};
use axum::response::Response;
use serde_json::Value;
use std::sync::Arc;

/// How often a patch is tried again when another writer was faster.
const PATCH_TRIES: usize = 8;

/// What a write came to.
#[derive(Debug)]
pub(super) enum Written {
    Stored(Arc<Stored>),
    /// A dry run's result, which nobody keeps.
    Tried(Value),
}

impl Written {
    /// Answers with the object.
    pub(super) fn reply(&self, call: &Call, code: u16, warnings: &[String]) -> Response {
        let mut response = match self {
            Self::Stored(object) => call.reply_stored(code, object),
            Self::Tried(value) => call.reply(code, value),
        };
        super::handler::add_warnings(&mut response, warnings);
        response
    }
}

/// `POST` of a new object.
pub(super) fn create(call: &Call, object: Value) -> Result<Response, ApiError> {
    let options = call.options()?;
    let (written, warnings) = create_object(call, object, &options)?;
    Ok(written.reply(call, 201, &warnings))
}

/// Creates an object; returns it with the warnings for the client.
pub(super) fn create_object(
    call: &Call,
    mut object: Value,
    options: &WriteOptions,
) -> Result<(Written, Vec<String>), ApiError> {
    let kind = &call.kind;
    let mut warnings = admission::check_fields(call, &mut object, options)?;
    lifecycle::prepare_create(&call.core, kind, &call.path.namespace, &mut object)?;
    names::check(kind, &object)?;
    admission::check_namespace(call)?;
    admission::complete(call, None, &mut object);
    warnings.extend(admission::validate(kind, None, &object)?);
    admission::record_manager(call, None, &mut object, options);
    let draft = Draft::new(kind, stored_form(kind, call, object));
    let shelf = call.core.store.shelf(&kind.shelf());
    if options.dry_run {
        if shelf.get(&draft.key).is_some() {
            return Err(ApiError::already_exists(kind, &draft.key.name));
        }
        return Ok((Written::Tried(call.convert(draft.value)), warnings));
    }
    let name = draft.key.name.clone();
    let stored = call
        .core
        .store
        .create(&kind.shelf(), draft)
        .map_err(|Stale| ApiError::already_exists(kind, &name))?;
    crds::on_write(&call.core, kind, &stored);
    Ok((Written::Stored(stored), warnings))
}

/// Turns an object into the version in which its resource is kept.
fn stored_form(kind: &Kind, call: &Call, mut object: Value) -> Value {
    if !kind.custom && kind.kind == "Event" {
        return super::events::convert(object, "");
    }
    if !kind.storage
        && let Some(storage) = call.core.table().by_kind(&kind.group, &kind.kind)
    {
        object["apiVersion"] = storage.api_version().into();
    }
    object
}

/// `PUT` of an object.
pub(super) fn replace(call: &Call, object: &Value) -> Result<Response, ApiError> {
    let options = call.options()?;
    let given = json::meta_text(object, "resourceVersion").map(str::to_owned);
    if given.is_none() && call.kind.custom {
        let cause = Cause {
            reason: "FieldValueInvalid".to_owned(),
            message: "Invalid value: 0: must be specified for an update".to_owned(),
            field: "metadata.resourceVersion".to_owned(),
        };
        return Err(ApiError::invalid(&call.kind, &call.path.name, &[cause]));
    }
    let (written, warnings) = update_with(call, &options, |_| Ok(object.clone()))?;
    Ok(written.reply(call, 200, &warnings))
}

/// Changes an object by a function of its present state, trying again when it changed meanwhile.
///
/// When the new state names a `resourceVersion` that is not the present one, it is a conflict.
pub(super) fn update_with(
    call: &Call,
    options: &WriteOptions,
    change: impl Fn(&Value) -> Result<Value, ApiError>,
) -> Result<(Written, Vec<String>), ApiError> {
    let kind = &call.kind;
    for _ in 0..PATCH_TRIES {
        let present = call.core.require(kind, &call.key())?;
        let old = call.convert(present.value());
        let new = change(&old)?;
        if json::meta_text(&new, "resourceVersion")
            .is_some_and(|version| version != present.version.to_string())
        {
            return Err(ApiError::modified(kind, &call.path.name));
        }
        if let Some(done) = update_once(call, &present, &old, new, options)? {
            return Ok(done);
        }
    }
    Err(ApiError::modified(kind, &call.path.name))
}

/// Writes the new state over the one read; `None` when somebody else wrote meanwhile.
fn update_once(
    call: &Call,
    present: &Arc<Stored>,
    old: &Value,
    mut new: Value,
    options: &WriteOptions,
) -> Result<Option<(Written, Vec<String>)>, ApiError> {
    let kind = &call.kind;
    let mut warnings = admission::check_fields(call, &mut new, options)?;
    lifecycle::prepare_update(kind, &call.path.subresource, old, &mut new)?;
    admission::complete(call, Some(old), &mut new);
    warnings.extend(admission::validate(kind, Some(old), &new)?);
    json::metadata_mut(&mut new).insert(
        "resourceVersion".to_owned(),
        present.version.to_string().into(),
    );
    if same_but_managers(old, &new) {
        return Ok(Some((Written::Stored(Arc::clone(present)), warnings)));
    }
    admission::record_manager(call, Some(old), &mut new, options);
    let vanishes = lifecycle::may_vanish(kind, &new);
    let draft = Draft::new(kind, stored_form(kind, call, new));
    if options.dry_run {
        return Ok(Some((Written::Tried(call.convert(draft.value)), warnings)));
    }
    let shelf = kind.shelf();
    let written = if vanishes {
        call.core.store.remove(&shelf, present.version, draft)
    } else {
        call.core.store.replace(&shelf, present.version, draft)
    };
    match written {
        Ok(stored) if vanishes => {
            crds::on_delete(&call.core, kind, &stored);
            Ok(Some((Written::Stored(stored), warnings)))
        }
        Ok(stored) => {
            crds::on_write(&call.core, kind, &stored);
            Ok(Some((Written::Stored(stored), warnings)))
        }
        Err(Stale) => Ok(None),
    }
}

/// Says whether an update changes nothing that a reader would see.
///
/// Such an update is not written, as upstream: a controller that writes the same status again
/// must not wake itself. Server-side apply may still change who owns what.
fn same_but_managers(old: &Value, new: &Value) -> bool {
    let parts = |object: &Value| {
        let mut object = object.clone();
        let managed = json::metadata_mut(&mut object).remove("managedFields");
        (object, managed.map(|list| without_times(&list)))
    };
    let ((old, old_managed), (new, new_managed)) = (parts(old), parts(new));
    old == new && (new_managed == old_managed || new_managed.is_none())
}

fn without_times(managed: &Value) -> Value {
    let mut managed = managed.clone();
    for entry in managed.as_array_mut().into_iter().flatten() {
        json::map_mut(entry).remove("time");
    }
    managed
}
