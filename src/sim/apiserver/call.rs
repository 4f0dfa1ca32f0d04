//! One request for a resource, understood: kind, place, caller and options.

use super::accept::Form;
use super::auth::User;
use super::core::Core;
use super::error::ApiError;
use super::json;
use super::kinds::Kind;
use super::request::{Query, ResourcePath, WriteOptions};
use super::selector::{FieldSelector, LabelSelector, Selector};
use super::store::{Key, Stored};
use super::{events, table};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;
use std::sync::Arc;

/// A request for a resource.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) core: Arc<Core>,
    pub(super) kind: Arc<Kind>,
    pub(super) path: ResourcePath,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) user: User,
    pub(super) verb: &'static str,
    pub(super) form: Form,
    /// The body of a patch, as it was sent.
    pub(super) sent: Bytes,
}

impl Call {
    /// A call that the server makes of itself, for one object.
    pub(super) fn internal(core: &Arc<Core>, kind: &Arc<Kind>, key: &Key, who: &str) -> Self {
        Self {
            core: Arc::clone(core),
            path: ResourcePath {
                group: kind.group.clone(),
                version: kind.version.clone(),
                namespace: key.namespace.to_string(),
                plural: kind.plural.clone(),
                name: key.name.to_string(),
                ..ResourcePath::default()
            },
            kind: Arc::clone(kind),
            query: Query::default(),
            headers: [(header::USER_AGENT, who)]
                .into_iter()
                .filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?)))
                .collect(),
            user: User::admin(who),
            verb: "update",
            form: Form::Plain,
            sent: Bytes::new(),
        }
    }

    pub(super) fn key(&self) -> Key {
        Key::new(&self.path.namespace, &self.path.name)
    }

    pub(super) fn options(&self) -> Result<WriteOptions, ApiError> {
        let agent = self
            .headers
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .unwrap_or_default();
        WriteOptions::read(&self.query, agent)
    }

    pub(super) fn selector(&self) -> Result<Selector, ApiError> {
        let mut selector = Selector {
            labels: LabelSelector::parse(self.query.text("labelSelector").unwrap_or_default())?,
            fields: FieldSelector::default(),
        };
        if let Some(text) = self.query.text("fieldSelector") {
            selector.fields = FieldSelector::parse(text, &self.kind)?;
        }
        Ok(selector)
    }

    pub(super) fn content_type(&self) -> &str {
        self.headers
            .get(header::CONTENT_TYPE)
            .and_then(|media| media.to_str().ok())
            .and_then(|media| media.split(';').next())
            .map_or("application/json", str::trim)
    }

    /// Returns an object's bytes in the version that the path names.
    pub(super) fn shown(&self, object: &Stored) -> Bytes {
        if !self.must_convert(object) {
            return object.body.clone();
        }
        let value = self.convert(object.value());
        Bytes::from(serde_json::to_vec(&value).unwrap_or_default())
    }

    fn must_convert(&self, object: &Stored) -> bool {
        // Objects are written with sorted keys, so `apiVersion` opens the body.
        let head = format!("{{\"apiVersion\":\"{}\"", self.kind.api_version());
        !object.body.starts_with(head.as_bytes())
    }

    /// Rewrites an object into the version that the path names.
    pub(super) fn convert(&self, mut value: Value) -> Value {
        if !self.kind.custom && self.kind.kind == "Event" {
            return events::convert(value, &self.kind.group);
        }
        let wanted = self.kind.api_version();
        if json::text_at(&value, &["apiVersion"]) != Some(wanted.as_str()) {
            value["apiVersion"] = wanted.into();
        }
        value
    }

    /// Answers with one object in the form that the client asked for.
    pub(super) fn reply(&self, code: u16, object: &Value) -> Response {
        match self.form {
            Form::Plain => json_response(code, serde_json::to_vec(object).unwrap_or_default()),
            Form::Yaml => yaml_response(code, object),
            Form::Table => {
                let options = table::Options::read(&self.query);
                let table = table::of_objects(self, std::slice::from_ref(object), options);
                json_response(code, serde_json::to_vec(&table).unwrap_or_default())
            }
            Form::Partial => {
                let partial = partial_metadata(object);
                json_response(code, serde_json::to_vec(&partial).unwrap_or_default())
            }
        }
    }

    /// Answers with one stored object.
    pub(super) fn reply_stored(&self, code: u16, object: &Stored) -> Response {
        if self.form == Form::Plain {
            return json_response(code, self.shown(object));
        }
        self.reply(code, &self.convert(object.value()))
    }
}

/// Cuts an object down to its metadata.
pub(super) fn partial_metadata(object: &Value) -> Value {
    serde_json::json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

pub(super) fn json_response(code: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn yaml_response(code: u16, object: &Value) -> Response {
    let text = crate::api::yaml::to_string(object).unwrap_or_default();
    let mut response = json_response(code, text);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/yaml"),
    );
    response
}
