//! `DELETE`: preconditions, finalizers, propagation and grace.
//!
//! Follows apiserver `pkg/registry/generic/registry/store.go`. Dependents are deleted by the
//! collector; here only the finalizers that make it do so are set.

use super::call::{self, Call};
use super::crds;
use super::error::ApiError;
use super::json::{self, metadata_mut};
use super::kinds::Kind;
use super::lifecycle;
use super::read;
use super::request::Query;
use super::store::{Draft, Stored};
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

const TRIES: usize = 8;
pub(super) const FOREGROUND: &str = "foregroundDeletion";
pub(super) const ORPHAN: &str = "orphan";

/// What becomes of the dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// The options of a deletion.
#[derive(Clone, Debug, Default)]
pub(super) struct DeleteOptions {
    pub(super) propagation: Option<Propagation>,
    pub(super) uid: Option<String>,
    pub(super) version: Option<String>,
    pub(super) grace: Option<i64>,
    pub(super) dry_run: bool,
}

impl DeleteOptions {
    /// Reads the options from the body, or else from the query.
    pub(super) fn read(body: &Value, query: &Query) -> Result<Self, ApiError> {
        let policy =
            json::text_at(body, &["propagationPolicy"]).or_else(|| query.text("propagationPolicy"));
        let orphan = body
            .get("orphanDependents")
            .and_then(Value::as_bool)
            .or_else(|| query.text("orphanDependents").map(|text| text == "true"));
        let propagation = match (policy, orphan) {
            (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (None, None) => None,
            (Some(other), _) => {
                return Err(ApiError::new(
                    422,
                    "Invalid",
                    format!(
                        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: \
                         Unsupported value: \"{other}\": supported values: \"Foreground\", \
                         \"Background\", \"Orphan\", \"nil\""
                    ),
                ));
            }
        };
        let dry_run =
            !json::texts_at(body, &["dryRun"]).is_empty() || query.text("dryRun").is_some();
        Ok(Self {
            propagation,
            uid: json::text_at(body, &["preconditions", "uid"]).map(str::to_owned),
            version: json::text_at(body, &["preconditions", "resourceVersion"]).map(str::to_owned),
            grace: match body.get("gracePeriodSeconds").and_then(Value::as_i64) {
                Some(grace) => Some(grace),
                None => query.number("gracePeriodSeconds")?,
            },
            dry_run,
        })
    }
}

/// Answers the deletion of one object.
pub(super) fn delete(call: &Call, options: &DeleteOptions) -> Result<Response, ApiError> {
    let object = call.core.require(&call.kind, &call.key())?;
    let (left, gone) = delete_object(call, object, options)?;
    if gone {
        return Ok(call::json_response(
            200,
            success(&call.kind, &left).to_string(),
        ));
    }
    Ok(call.reply_stored(200, &left))
}

fn success(kind: &Kind, object: &Stored) -> Value {
    let mut details = json!({
        "name": &*object.key.name,
        "kind": kind.plural,
        "uid": &*object.uid,
    });
    if !kind.group.is_empty() {
        details["group"] = kind.group.clone().into();
    }
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    })
}

/// Deletes an object or begins to; says what is left and whether it is gone.
pub(super) fn delete_object(
    call: &Call,
    mut object: Arc<Stored>,
    options: &DeleteOptions,
) -> Result<(Arc<Stored>, bool), ApiError> {
    let kind = &call.kind;
    for _ in 0..TRIES {
        check_preconditions(kind, &object, options)?;
        let old = object.value();
        let mut new = old.clone();
        begin(call, kind, &mut new, options);
        let vanishes = lifecycle::may_vanish(kind, &new);
        if options.dry_run {
            return Ok((object, vanishes));
        }
        if !vanishes && new == old {
            return Ok((object, false));
        }
        let draft = Draft::new(kind, new);
        let shelf = kind.shelf();
        let written = if vanishes {
            call.core.store.remove(&shelf, object.version, draft)
        } else {
            call.core.store.replace(&shelf, object.version, draft)
        };
        if let Ok(stored) = written {
            if vanishes {
                crds::on_delete(&call.core, kind, &stored);
            } else {
                crds::on_write(&call.core, kind, &stored);
            }
            return Ok((stored, vanishes));
        }
        let key = object.key.clone();
        object = call.core.require(kind, &key)?;
    }
    Err(ApiError::modified(kind, &object.key.name))
}

fn check_preconditions(
    kind: &Kind,
    object: &Stored,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    if let Some(uid) = options.uid.as_deref()
        && *object.uid != *uid
    {
        return Err(ApiError::conflict(
            kind,
            &object.key.name,
            &format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                object.uid
            ),
        ));
    }
    if let Some(version) = options.version.as_deref()
        && object.version.to_string() != version
    {
        return Err(ApiError::conflict(
            kind,
            &object.key.name,
            &format!(
                "Precondition failed: ResourceVersion in precondition: {version}, \
                 ResourceVersion in object meta: {}",
                object.version
            ),
        ));
    }
    Ok(())
}

/// Marks the object as being deleted, with the finalizers that the propagation asks for.
fn begin(call: &Call, kind: &Kind, object: &mut Value, options: &DeleteOptions) {
    set_propagation(object, options.propagation);
    let grace = grace(kind, object, options);
    let deleting = json::is_deleting(object);
    let now = call.core.now();
    if !deleting {
        let when = now + chrono::TimeDelta::seconds(grace);
        let metadata = metadata_mut(object);
        metadata.insert("deletionTimestamp".to_owned(), json::timestamp(when).into());
        metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
        if kind.has_generation() {
            lifecycle::bump_generation(object);
        }
    } else if kind.is("", "Pod") {
        let present = json::at(object, &["metadata", "deletionGracePeriodSeconds"])
            .and_then(Value::as_i64)
            .unwrap_or(0);
        if grace < present {
            let when = now + chrono::TimeDelta::seconds(grace);
            let metadata = metadata_mut(object);
            metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
            metadata.insert("deletionTimestamp".to_owned(), json::timestamp(when).into());
        }
    }
    if kind.is("", "Namespace") {
        json::object_mut(object, "status").insert("phase".to_owned(), "Terminating".into());
    }
}

/// Seconds that a pod gets to stop; zero for what nobody runs.
fn grace(kind: &Kind, object: &Value, options: &DeleteOptions) -> i64 {
    if !kind.is("", "Pod") {
        return 0;
    }
    let unscheduled = json::text_at(object, &["spec", "nodeName"]).is_none();
    let finished = matches!(
        json::text_at(object, &["status", "phase"]),
        Some("Succeeded" | "Failed")
    );
    if unscheduled || finished {
        return 0;
    }
    options
        .grace
        .or_else(|| {
            json::at(object, &["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_i64)
        })
        .unwrap_or(30)
        .max(0)
}

fn set_propagation(object: &mut Value, propagation: Option<Propagation>) {
    let wanted = match propagation {
        // Without a word from the caller, earlier finalizers stay as they are.
        None => return,
        Some(Propagation::Background) => None,
        Some(Propagation::Foreground) => Some(FOREGROUND),
        Some(Propagation::Orphan) => Some(ORPHAN),
    };
    let mut finalizers = json::finalizers(object);
    finalizers.retain(|one| one != FOREGROUND && one != ORPHAN);
    finalizers.extend(wanted.map(str::to_owned));
    let metadata = metadata_mut(object);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".to_owned(), finalizers.into());
    }
}

/// Answers the deletion of all objects that a list would show.
pub(super) fn delete_collection(
    call: &Call,
    options: &DeleteOptions,
) -> Result<Response, ApiError> {
    let page = read::page(call)?;
    let mut items = Vec::new();
    for object in page.objects {
        match delete_object(call, object, options) {
            Ok((left, _)) => items.push(call.convert(left.value())),
            // Somebody else deleted it meanwhile.
            Err(error) if error.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    let list = json!({
        "kind": call.kind.list_kind,
        "apiVersion": call.kind.api_version(),
        "metadata": { "resourceVersion": call.core.store.version().to_string() },
        "items": items,
    });
    Ok(call::json_response(200, list.to_string()))
}
