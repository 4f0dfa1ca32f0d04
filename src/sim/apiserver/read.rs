//! `GET` of one object and of lists.
//!
//! A list body is put together from the stored bytes. Later pages of a list show the state of
//! page one: its version is in the continuation token.

use super::accept::Form;
use super::call::{self, Call};
use super::error::ApiError;
use super::store::{Expired, Found, Key, Stored, Wanted};
use super::table;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::Arc;

/// Answers with one object.
pub(super) fn get(call: &Call) -> Result<Response, ApiError> {
    let object = call.core.require(&call.kind, &call.key())?;
    Ok(call.reply_stored(200, &object))
}

/// Where a later page goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    version: u64,
    after: Key,
}

impl Token {
    fn encode(&self) -> String {
        let token = json!({
            "v": "meta.k8s.io/v1",
            "rv": self.version,
            "start": [&*self.after.namespace, &*self.after.name],
        });
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    fn decode(text: &str) -> Result<Self, ApiError> {
        let wrong =
            || ApiError::bad_request("continue key is not valid: it was not made by this server");
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .ok()
            .ok_or_else(wrong)?;
        let token: Value = serde_json::from_slice(&bytes).ok().ok_or_else(wrong)?;
        let version = token.get("rv").and_then(Value::as_u64).ok_or_else(wrong)?;
        let part = |index: usize| token["start"].get(index).and_then(Value::as_str);
        match (part(0), part(1)) {
            (Some(namespace), Some(name)) => Ok(Self {
                version,
                after: Key::new(namespace, name),
            }),
            (_, _) => Err(wrong()),
        }
    }
}

/// One page of a list.
pub(super) struct Page {
    pub(super) objects: Vec<Arc<Stored>>,
    pub(super) version: u64,
    next: Option<String>,
    remaining: Option<usize>,
}

/// Answers with a list.
pub(super) fn list(call: &Call) -> Result<Response, ApiError> {
    let page = page(call)?;
    Ok(match call.form {
        Form::Plain => call::json_response(200, list_body(call, &page)),
        Form::Table => {
            let objects: Vec<Value> = values(call, &page);
            let options = table::Options::read(&call.query);
            let mut table = table::of_objects(call, &objects, options);
            table["metadata"] = metadata(&page);
            call::json_response(200, table.to_string())
        }
        Form::Partial => {
            let items: Vec<Value> = values(call, &page)
                .iter()
                .map(call::partial_metadata)
                .collect();
            let list = json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata(&page),
                "items": items,
            });
            call::json_response(200, list.to_string())
        }
        Form::Yaml => {
            let list: Value =
                serde_json::from_slice(&list_body(call, &page)).unwrap_or(Value::Null);
            call.reply(200, &list)
        }
    })
}

fn values(call: &Call, page: &Page) -> Vec<Value> {
    page.objects
        .iter()
        .map(|object| call.convert(object.value()))
        .collect()
}

fn metadata(page: &Page) -> Value {
    let mut metadata = json!({ "resourceVersion": page.version.to_string() });
    if let Some(next) = &page.next {
        metadata["continue"] = next.clone().into();
        if let Some(remaining) = page.remaining {
            metadata["remainingItemCount"] = remaining.into();
        }
    }
    metadata
}

fn list_body(call: &Call, page: &Page) -> Vec<u8> {
    let size: usize = page.objects.iter().map(|one| one.body.len() + 1).sum();
    let mut body = Vec::with_capacity(size + 256);
    let head = format!(
        "{{\"kind\":\"{}\",\"apiVersion\":\"{}\",\"metadata\":{},\"items\":[",
        call.kind.list_kind,
        call.kind.api_version(),
        metadata(page)
    );
    body.extend_from_slice(head.as_bytes());
    for (index, object) in page.objects.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&call.shown(object));
    }
    body.extend_from_slice(b"]}");
    body
}

/// Reads the page that the query asks for.
pub(super) fn page(call: &Call) -> Result<Page, ApiError> {
    let selector = call.selector()?;
    let limit = call.query.number("limit")?.unwrap_or(0).max(0);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let token = call.query.text("continue").map(Token::decode).transpose()?;
    let found = find(call, token.as_ref(), limit, &|object| {
        selector.matches(object)
    })?;
    let (snapshot, remaining) = (found.snapshot, found.remaining);
    let next = snapshot
        .objects
        .last()
        .filter(|_| remaining > 0)
        .map(|last| Token {
            version: snapshot.version,
            after: last.key.clone(),
        })
        .map(|token| token.encode());
    Ok(Page {
        objects: snapshot.objects,
        version: snapshot.version,
        next,
        // Upstream does not count what a selector would leave out.
        remaining: (selector == super::selector::Selector::default()).then_some(remaining),
    })
}

fn find(
    call: &Call,
    token: Option<&Token>,
    limit: usize,
    picks: &dyn Fn(&Stored) -> bool,
) -> Result<Found, ApiError> {
    let store = &call.core.store;
    let version = match token {
        Some(token) => Some(token.version),
        None => wanted_version(call)?,
    };
    if let Some(version) = version.filter(|version| *version > store.version()) {
        return Err(too_large(version, store.version()));
    }
    let wanted = Wanted {
        namespace: &call.path.namespace,
        at: version,
        after: token.map(|token| &token.after),
        limit,
    };
    store
        .find(&call.kind.shelf(), wanted, picks)
        .map_err(|Expired { oldest }| {
            if token.is_some() {
                return ApiError::expired(
                    "The provided continue parameter is too old to display a consistent list \
                     result. You must start a new list without the continue parameter.",
                );
            }
            let asked = version.unwrap_or_default();
            ApiError::expired(format!("too old resource version: {asked} ({oldest})"))
        })
}

/// The version that a list must show exactly; others are served with the present state.
fn wanted_version(call: &Call) -> Result<Option<u64>, ApiError> {
    let Some(text) = call.query.text("resourceVersion") else {
        return Ok(None);
    };
    let version = parse_version(text)?;
    if version > call.core.store.version() {
        return Err(too_large(version, call.core.store.version()));
    }
    let exact = call.query.text("resourceVersionMatch") == Some("Exact");
    Ok((exact && version > 0).then_some(version))
}

/// Reads a `resourceVersion`.
pub(super) fn parse_version(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|error| {
        ApiError::bad_request(format!(
            "resourceVersion: Invalid value: \"{text}\": {error}"
        ))
    })
}

fn too_large(asked: u64, present: u64) -> ApiError {
    ApiError::new(
        504,
        "Timeout",
        format!("Timeout: Too large resource version: {asked}, current: {present}"),
    )
    .because("ResourceVersionTooLarge", "Too large resource version")
}
