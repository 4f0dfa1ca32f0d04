//! Receives requests for EventSources, each on its own port and path.
//!
//! Follows Argo Events' `pkg/eventsources/common/webhook` and `sources/{webhook,github}`: what is
//! taken is answered with 200 `success`; a wrong method or a body that cannot be read with 400, a
//! wrong bearer token with 401, a bus that is not there with 500. Signatures are checked over the
//! bytes as they came. Everything that came is noted, with the answer.

use super::expression;
use super::hub::Hub;
use super::ledger::{Original, received};
use super::model::{Declared, Event, EventSource, bus_of, declared, text};
use super::path;
use crate::sim::controllers::runtime::ObjectKey;
use crate::sim::webhook::is_signed;
use axum::Router;
use axum::extract::{Request, State};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest body that is read at all.
const LONGEST: usize = 16 * 1024 * 1024;
/// The longest body where the event says nothing (1 MB).
const MOST_BYTES: u64 = 1_048_576;

/// The way in to one EventSource.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) hub: Arc<Hub>,
    pub(super) source: ObjectKey,
    /// The declared port that was reached, where it is known.
    pub(super) port: Option<u16>,
}

/// What is said of a request, and the event in it.
struct Verdict {
    kind: String,
    event: String,
    status: StatusCode,
    answer: String,
    data: Option<Value>,
}

impl Verdict {
    fn refused(status: StatusCode, answer: impl Into<String>) -> Self {
        Self {
            kind: String::new(),
            event: String::new(),
            status,
            answer: answer.into(),
            data: None,
        }
    }

    fn of(mut self, declared: &Declared<'_>) -> Self {
        declared.kind.clone_into(&mut self.kind);
        declared.name.clone_into(&mut self.event);
        self
    }
}

impl Door {
    pub(super) fn router(self) -> Router {
        Router::new().fallback(receive).with_state(self)
    }

    /// Takes a request, notes it and publishes its event; returns the note's id, too.
    pub(super) async fn take(
        &self,
        original: Original,
        replay_of: Option<String>,
    ) -> (StatusCode, String, String) {
        let now = self.hub.now();
        let source = self.hub.sources.get(&self.source);
        let verdict = match &source {
            Some(source) => self.judge(source, &original).await,
            None => Verdict::refused(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("there is no EventSource `{}`", self.source),
            ),
        };
        let mut note = received(&self.source.namespace, &self.source.name, now);
        let id = self.hub.new_id();
        let event = verdict.data.map(|data| Event {
            id: id.clone(),
            kind: verdict.kind.clone(),
            source: self.source.name.clone(),
            subject: verdict.event.clone(),
            namespace: self.source.namespace.clone(),
            bus: source.map_or(String::new(), |one| bus_of(&one.spec).to_owned()),
            at: now,
            data,
        });
        note.event = verdict.event;
        note.kind = verdict.kind;
        note.event_id = event.as_ref().map(|_| id);
        note.replay_of = replay_of;
        note.request = Some(original.seen(verdict.status.as_u16(), &verdict.answer));
        let bus = event.as_ref().map(|event| event.bus.clone());
        let may_publish = bus.map_or(Ok(()), |bus| {
            let found = self.hub.bus(&self.source.namespace, &bus);
            found.map_err(|(_, why)| why)
        });
        if let Err(why) = &may_publish {
            note.request = Some(original.seen(500, &format!("failed to record event: {why}")));
            note.event_id = None;
        }
        note.original = Some(original);
        // The note comes first: what the event comes to is added to it.
        let number = self.hub.ledger.note(note);
        let published = may_publish.and_then(|()| match event {
            Some(event) => self.hub.publish(event),
            None => Ok(()),
        });
        match published {
            Ok(()) => (verdict.status, verdict.answer, number),
            Err(why) => {
                tracing::warn!(source = %self.source, why, "an event could not be published");
                let answer = "failed to record event".to_owned();
                (StatusCode::INTERNAL_SERVER_ERROR, answer, number)
            }
        }
    }

    async fn judge(&self, source: &EventSource, original: &Original) -> Verdict {
        let (path, query) = original
            .path
            .split_once('?')
            .unwrap_or((original.path.as_str(), ""));
        let port = self.port.or_else(|| self.asked_port(&original.headers));
        let found = declared(&source.spec).find(|one| {
            one.door()
                .is_some_and(|door| is_at(door, path) && port_fits(door, port))
        });
        let Some(found) = found else {
            let answer = format!("no event of `{}` is at `{path}`", self.source);
            return Verdict::refused(StatusCode::NOT_FOUND, answer);
        };
        match self.read(&found, original, query).await {
            Ok(data) => Verdict {
                kind: String::new(),
                event: String::new(),
                status: StatusCode::OK,
                answer: "success".to_owned(),
                data,
            },
            Err((status, answer)) => Verdict::refused(status, answer),
        }
        .of(&found)
    }

    /// The port in the name that a client inside the platform used.
    fn asked_port(&self, headers: &HeaderMap) -> Option<u16> {
        let host = headers.get(http::header::HOST)?.to_str().ok()?;
        let (name, port) = host.rsplit_once(':')?;
        name.starts_with(&self.source.name)
            .then(|| port.parse().ok())?
    }

    /// Returns the data of the event; none when the source's own filter drops it.
    async fn read(
        &self,
        found: &Declared<'_>,
        original: &Original,
        query: &str,
    ) -> Result<Option<Value>, (StatusCode, String)> {
        let bad = |text: String| (StatusCode::BAD_REQUEST, text);
        let door = found.door().unwrap_or(&Value::Null);
        let method = match text(door, "method") {
            "" => "POST",
            method => method,
        };
        if !original.method.as_str().eq_ignore_ascii_case(method) {
            let given = &original.method;
            return Err(bad(format!(
                "http method '{given}' is not allowed, the endpoint takes {method}"
            )));
        }
        let most = door.get("maxPayloadSize").and_then(Value::as_u64);
        if original.body.len() as u64 > most.unwrap_or(MOST_BYTES) {
            return Err(bad("http: request body too large".to_owned()));
        }
        self.authorize(found, original).await?;
        let body = body(original, query)
            .map_err(|why| bad(format!("failed to parse the request body: {why}")))?;
        let metadata = found.spec.get("metadata").cloned().unwrap_or_default();
        let headers = headers(&original.headers);
        let data = match found.kind {
            "github" => json!({"headers": headers, "body": body, "metadata": metadata}),
            _ => json!({"header": headers, "body": body, "metadata": metadata}),
        };
        let filter = found.spec.get("filter").unwrap_or(&Value::Null);
        let expression = text(filter, "expression");
        if expression.is_empty() {
            return Ok(Some(data));
        }
        let lookup = |name: &str| Some(path::get(&data, name).unwrap_or_default());
        match expression::holds(expression, &lookup) {
            Ok(true) => Ok(Some(data)),
            Ok(false) => Ok(None),
            Err(why) => Err(bad(format!(
                "the source's filter cannot be evaluated: {why}"
            ))),
        }
    }

    async fn authorize(
        &self,
        found: &Declared<'_>,
        original: &Original,
    ) -> Result<(), (StatusCode, String)> {
        let door = found.door().unwrap_or(&Value::Null);
        let header = |name: &str| {
            let value = original.headers.get(name);
            value.and_then(|value| value.to_str().ok())
        };
        if let Some(reference) = door.get("authSecret").filter(|one| one.is_object()) {
            let secret = self.hub.secret(&self.source.namespace, reference).await;
            let given = header("authorization").and_then(|text| text.strip_prefix("Bearer "));
            if secret.is_none() || given.map(str::trim) != secret.as_deref().map(str::trim) {
                let answer = "invalid authentication: the bearer token does not match".to_owned();
                return Err((StatusCode::UNAUTHORIZED, answer));
            }
        }
        let reference = found
            .spec
            .get("webhookSecret")
            .filter(|one| one.is_object());
        let Some(reference) = reference.filter(|_| found.kind == "github") else {
            return Ok(());
        };
        let refused = |why: &str| (StatusCode::BAD_REQUEST, why.to_owned());
        let Some(secret) = self.hub.secret(&self.source.namespace, reference).await else {
            return Err(refused("the Secret of the webhook cannot be read"));
        };
        match header("x-hub-signature-256") {
            None => Err(refused("missing signature")),
            Some(given) if is_signed(secret.trim(), &original.body, given) => Ok(()),
            Some(_) => Err(refused("payload signature check failed")),
        }
    }
}

fn is_at(door: &Value, path: &str) -> bool {
    let endpoint = text(door, "endpoint").trim_matches('/');
    endpoint == path.trim_matches('/')
}

/// Ports are written as texts, and as numbers by mistake.
pub(super) fn port_of(door: &Value) -> Option<u16> {
    let port = path::text(door.get("port")?);
    port.parse().ok()
}

fn port_fits(door: &Value, reached: Option<u16>) -> bool {
    reached.is_none() || port_of(door).is_none() || port_of(door) == reached
}

/// Writes headers as Go does: `X-Github-Event`, each with all its values.
fn headers(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let words = name.as_str().split('-').map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        });
        let name = words.collect::<Vec<_>>().join("-");
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.entry(name).or_default().push(value);
    }
    all
}

fn body(original: &Original, query: &str) -> Result<Value, String> {
    let content = original.headers.get(http::header::CONTENT_TYPE);
    let content = content.and_then(|value| value.to_str().ok());
    if original.method == Method::GET {
        return Ok(form(query));
    }
    if content.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return Ok(form(&String::from_utf8_lossy(&original.body)));
    }
    if original.body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(&original.body).map_err(|error| error.to_string())
}

/// Reads `a=1&b=2`; what is there more than once becomes a list.
fn form(text: &str) -> Value {
    let address = format!("http://form/?{text}");
    let pairs = reqwest::Url::parse(&address);
    let mut all: Map<String, Value> = Map::new();
    for (name, value) in pairs.iter().flat_map(reqwest::Url::query_pairs) {
        let value = Value::from(value.into_owned());
        match all.get_mut(name.as_ref()) {
            None => {
                all.insert(name.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(known) => *known = json!([known.clone(), value]),
        }
    }
    Value::Object(all)
}

async fn receive(State(door): State<Door>, request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    if path == "/health" {
        return (StatusCode::OK, "OK".to_owned());
    }
    let Ok(body) = axum::body::to_bytes(body, LONGEST).await else {
        let answer = "http: request body too large".to_owned();
        return (StatusCode::BAD_REQUEST, answer);
    };
    let original = Original {
        method: parts.method.clone(),
        path: path.to_owned(),
        headers: parts.headers,
        body,
    };
    let (status, answer, _) = door.take(original, None).await;
    (status, answer)
}
