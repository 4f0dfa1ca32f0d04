//! What was received, and what became of it: the last few hundred events, for those who ask why
//! nothing happened.

use super::model::Event;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

/// Older ones are forgotten.
const KEPT: usize = 300;
/// What is shown of a body; all of it is kept for a replay.
const SHOWN: usize = 64 * 1024;
/// Their values are for the receiver's eyes alone.
const SECRET_HEADERS: [&str; 3] = ["authorization", "cookie", "x-gitlab-token"];

/// One event that came, or tried to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    pub id: String,
    pub at: DateTime<Utc>,
    pub namespace: String,
    pub event_source: String,
    /// Empty where no declared event is at this address.
    pub event: String,
    /// Such as `webhook`.
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestSeen>,
    /// For sources that receive no requests: the event's data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The one that this repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<String>,
    pub consequences: Vec<Consequence>,
    #[serde(skip)]
    pub(super) original: Option<Original>,
}

/// A request as it may be shown.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestSeen {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub bytes: usize,
    pub status: u16,
    /// What was answered.
    pub answer: String,
}

/// A request as it came, to be sent again.
#[derive(Clone, Debug)]
pub(super) struct Original {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Original {
    pub(super) fn seen(&self, status: u16, answer: &str) -> RequestSeen {
        let headers = self.headers.iter().map(|(name, value)| {
            let secret = SECRET_HEADERS.contains(&name.as_str());
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let shown = if secret { "(hidden)".to_owned() } else { value };
            (name.to_string(), shown)
        });
        let shown = self.body.get(..SHOWN).unwrap_or(&self.body);
        RequestSeen {
            method: self.method.to_string(),
            path: self.path.clone(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(shown).into_owned(),
            bytes: self.body.len(),
            status,
            answer: answer.trim_end().to_owned(),
        }
    }
}

/// What an event came to in one sensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consequence {
    pub at: DateTime<Utc>,
    pub sensor: String,
    pub outcome: Outcome,
    /// A dependency where the event waits or was dropped, a trigger where one fired.
    pub of: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Made>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// A filter did not let it pass.
    Dropped,
    /// The trigger's condition needs other events, too.
    Waiting,
    Fired,
    Failed,
}

/// What a trigger made or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    pub api_version: String,
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

/// The last received events. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<RwLock<Book>>);

#[derive(Debug, Default)]
struct Book {
    count: u64,
    entries: VecDeque<Received>,
}

impl Ledger {
    /// Notes an event; returns the id of its entry.
    pub(super) fn note(&self, mut received: Received) -> String {
        let mut book = self.0.write().unwrap_or_else(PoisonError::into_inner);
        book.count += 1;
        received.id = format!("r{:05}", book.count);
        let id = received.id.clone();
        book.entries.push_back(received);
        while book.entries.len() > KEPT {
            book.entries.pop_front();
        }
        id
    }

    /// Notes what came of events.
    pub(super) fn add<'e>(
        &self,
        events: impl IntoIterator<Item = &'e Arc<Event>>,
        consequence: &Consequence,
    ) {
        let ids: Vec<&str> = events.into_iter().map(|event| event.id.as_str()).collect();
        let mut book = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for entry in &mut book.entries {
            let id = entry.event_id.as_deref();
            if id.is_some_and(|id| ids.contains(&id)) {
                entry.consequences.push(consequence.clone());
            }
        }
    }

    /// Returns all entries, the newest first.
    pub fn all(&self) -> Vec<Received> {
        let book = self.0.read().unwrap_or_else(PoisonError::into_inner);
        book.entries.iter().rev().cloned().collect()
    }

    /// Returns one entry.
    pub fn get(&self, id: &str) -> Option<Received> {
        let book = self.0.read().unwrap_or_else(PoisonError::into_inner);
        book.entries.iter().find(|entry| entry.id == id).cloned()
    }
}

/// Starts the note of an event.
pub(super) fn received(namespace: &str, event_source: &str, at: DateTime<Utc>) -> Received {
    Received {
        id: String::new(),
        at,
        namespace: namespace.to_owned(),
        event_source: event_source.to_owned(),
        event: String::new(),
        kind: String::new(),
        request: None,
        data: None,
        event_id: None,
        replay_of: None,
        consequences: Vec::new(),
        original: None,
    }
}
