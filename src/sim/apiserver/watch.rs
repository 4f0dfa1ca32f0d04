//! `watch`: the log of a resource as a stream of frames.
//!
//! Each watcher has a cursor into the log and reads on only when its connection takes more, so a
//! slow reader costs no memory; when the log has dropped its cursor it gets an ERROR event with
//! status 410 and the stream ends. Bookmarks and the timeout go by real time, not by the
//! platform's: they concern the connection, and the client measures them with its own clock.

use super::accept::Form;
use super::call::{self, Call};
use super::error::ApiError;
use super::read;
use super::selector::Selector;
use super::store::{Change, Event, Expired, Shelf, Snapshot, Stored};
use super::table;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Events put into one chunk at most.
const BATCH: usize = 256;
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// Upstream closes a watch after 30 to 60 minutes when the client names no time.
const LONGEST: Duration = Duration::from_secs(45 * 60);

struct Watcher {
    call: Call,
    shelf: Arc<Shelf>,
    wake: tokio::sync::watch::Receiver<u64>,
    selector: Selector,
    cursor: u64,
    /// What must be sent before the log is followed.
    initial: Option<Initial>,
    bookmarks: bool,
    next_bookmark: Instant,
    ends: Instant,
    columns_sent: bool,
    over: bool,
}

struct Initial {
    snapshot: Snapshot,
    position: usize,
    /// Whether a bookmark marks the end of the initial events.
    bookmark: bool,
}

/// Answers with a stream of events.
pub(super) fn watch(mut call: Call) -> Result<Response, ApiError> {
    if call.form == Form::Yaml {
        call.form = Form::Plain;
    }
    let mut selector = call.selector()?;
    if !call.path.name.is_empty() {
        let one = format!("metadata.name={}", call.path.name);
        selector.fields = super::selector::FieldSelector::parse(&one, &call.kind)?;
    }
    let shelf = call.core.store.shelf(&call.kind.shelf());
    // Subscribed before the state is read, so no change falls between.
    let wake = shelf.subscribe();
    let version = match call.query.text("resourceVersion") {
        None => 0,
        Some(text) => read::parse_version(text)?,
    };
    let streaming = call.query.flag("sendInitialEvents");
    if streaming && call.query.text("resourceVersionMatch") != Some("NotOlderThan") {
        return Err(ApiError::new(
            422,
            "Invalid",
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: \
             sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let initial = if streaming || (version == 0 && call.query.text("sendInitialEvents").is_none()) {
        Some(initial_events(&call, streaming && bookmarks)?)
    } else {
        None
    };
    let cursor = match &initial {
        Some(initial) => initial.snapshot.version,
        None if version == 0 => call.core.store.version(),
        None => version,
    };
    let span = span_of(&call)?;
    let now = start();
    let watcher = Watcher {
        shelf,
        wake,
        selector,
        cursor,
        initial,
        bookmarks,
        next_bookmark: now + BOOKMARK_EVERY,
        ends: now + span,
        columns_sent: false,
        over: false,
        call,
    };
    let stream = futures::stream::unfold(watcher, |mut watcher| async move {
        let chunk = watcher.next_chunk().await?;
        Some((Ok::<Bytes, Infallible>(chunk), watcher))
    });
    Ok(call::json_response(200, Body::from_stream(stream)))
}

fn initial_events(call: &Call, bookmark: bool) -> Result<Initial, ApiError> {
    let snapshot = call
        .core
        .store
        .snapshot(&call.kind.shelf(), &call.path.namespace, None)
        .map_err(|Expired { .. }| ApiError::internal("the present state is not readable"))?;
    Ok(Initial {
        snapshot,
        position: 0,
        bookmark,
    })
}

/// How long the watch may last.
fn span_of(call: &Call) -> Result<Duration, ApiError> {
    let seconds = call.query.number("timeoutSeconds")?.unwrap_or(0);
    Ok(u64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds > 0)
        .map_or(LONGEST, Duration::from_secs))
}

#[allow(
    clippy::disallowed_methods,
    reason = "the time of the connection, see above"
)]
fn start() -> Instant {
    Instant::now()
}

impl Watcher {
    /// Waits for the next frames; `None` when the watch is over.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        let mut chunk = Vec::new();
        while !self.over {
            self.fill_initial(&mut chunk);
            if chunk.is_empty() && self.initial.is_none() {
                self.fill_from_log(&mut chunk);
            }
            if !chunk.is_empty() {
                return Some(Bytes::from(chunk));
            }
            if self.initial.is_none() {
                self.wait(&mut chunk).await;
                if !chunk.is_empty() {
                    return Some(Bytes::from(chunk));
                }
            }
        }
        None
    }

    async fn wait(&mut self, chunk: &mut Vec<u8>) {
        tokio::select! {
            changed = self.wake.changed() => self.over = changed.is_err(),
            () = tokio::time::sleep_until(self.ends) => self.over = true,
            () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => {
                self.next_bookmark += BOOKMARK_EVERY;
                // Nothing of this shelf is unread, so its reader is as current as the store.
                self.cursor = self.cursor.max(self.quiet_version());
                self.bookmark(chunk, json!({}));
            }
        }
    }

    /// The newest version of which this watcher has surely seen everything.
    fn quiet_version(&self) -> u64 {
        let version = self.call.core.store.version();
        match self.shelf.events_after(self.cursor, 1) {
            Ok(events) if events.is_empty() => version,
            Ok(_) | Err(_) => self.cursor,
        }
    }

    fn fill_initial(&mut self, chunk: &mut Vec<u8>) {
        let Some(mut initial) = self.initial.take() else {
            return;
        };
        let objects = std::mem::take(&mut initial.snapshot.objects);
        for object in objects.iter().skip(initial.position).take(BATCH) {
            if self.selector.matches(object) {
                self.frame(chunk, "ADDED", object, None);
            }
        }
        initial.position += BATCH;
        if initial.position < objects.len() {
            initial.snapshot.objects = objects;
            self.initial = Some(initial);
            return;
        }
        if initial.bookmark {
            self.bookmark(chunk, json!({"k8s.io/initial-events-end": "true"}));
        }
    }

    fn fill_from_log(&mut self, chunk: &mut Vec<u8>) {
        self.wake.mark_unchanged();
        match self.shelf.events_after(self.cursor, BATCH) {
            Ok(events) => {
                for event in events {
                    self.cursor = event.object.version;
                    self.event(chunk, &event);
                }
                // A batch that matched nothing must not leave newer events unread.
                if chunk.is_empty() && self.has_more() {
                    self.wake.mark_changed();
                }
            }
            Err(Expired { oldest }) => {
                let gone = ApiError::expired(format!(
                    "too old resource version: {} ({oldest})",
                    self.cursor
                ));
                write_frame(chunk, "ERROR", gone.to_status().to_string().as_bytes());
                self.over = true;
            }
        }
    }

    fn has_more(&self) -> bool {
        self.shelf
            .events_after(self.cursor, 1)
            .is_ok_and(|events| !events.is_empty())
            || self.shelf.events_after(self.cursor, 1).is_err()
    }

    fn event(&mut self, chunk: &mut Vec<u8>, event: &Event) {
        let namespace = self.call.path.namespace.as_str();
        if !namespace.is_empty() && *event.object.key.namespace != *namespace {
            return;
        }
        let now = self.selector.matches(&event.object);
        let before = event
            .previous
            .as_ref()
            .is_some_and(|previous| self.selector.matches(previous));
        match event.change {
            Change::Modified if now && before => {
                self.frame(chunk, "MODIFIED", &event.object, None);
            }
            Change::Added | Change::Modified if now => {
                self.frame(chunk, "ADDED", &event.object, None);
            }
            Change::Modified | Change::Deleted if before => {
                let last = match (&event.previous, now) {
                    (Some(previous), false) => previous,
                    (_, _) => &event.object,
                };
                self.frame(chunk, "DELETED", last, Some(event.object.version));
            }
            Change::Added | Change::Modified | Change::Deleted => {}
        }
    }

    /// Writes one event; `version` replaces the object's own when it left the selection.
    fn frame(&mut self, chunk: &mut Vec<u8>, what: &str, object: &Stored, version: Option<u64>) {
        let version = version.filter(|version| *version != object.version);
        if self.call.form == Form::Plain && version.is_none() {
            write_frame(chunk, what, &self.call.shown(object));
            return;
        }
        let mut value = self.call.convert(object.value());
        if let Some(version) = version {
            value["metadata"]["resourceVersion"] = version.to_string().into();
        }
        self.value_frame(chunk, what, &value);
    }

    fn value_frame(&mut self, chunk: &mut Vec<u8>, what: &str, value: &Value) {
        let shown = match self.call.form {
            Form::Plain | Form::Yaml => value.to_string(),
            Form::Partial => call::partial_metadata(value).to_string(),
            Form::Table => {
                let mut options = table::Options::read(&self.call.query);
                options.columns = !self.columns_sent;
                self.columns_sent = true;
                table::of_objects(&self.call, std::slice::from_ref(value), options).to_string()
            }
        };
        write_frame(chunk, what, shown.as_bytes());
    }

    fn bookmark(&mut self, chunk: &mut Vec<u8>, annotations: Value) {
        let mut metadata = json!({ "resourceVersion": self.cursor.to_string() });
        if annotations.as_object().is_some_and(|all| !all.is_empty()) {
            metadata["annotations"] = annotations;
        }
        let object = json!({
            "kind": self.call.kind.kind,
            "apiVersion": self.call.kind.api_version(),
            "metadata": metadata,
        });
        match self.call.form {
            Form::Table => {
                let mut table = table::empty();
                table["metadata"] = object["metadata"].clone();
                write_frame(chunk, "BOOKMARK", table.to_string().as_bytes());
            }
            Form::Partial => {
                let partial = call::partial_metadata(&object).to_string();
                write_frame(chunk, "BOOKMARK", partial.as_bytes());
            }
            Form::Plain | Form::Yaml => {
                write_frame(chunk, "BOOKMARK", object.to_string().as_bytes());
            }
        }
    }
}

fn write_frame(chunk: &mut Vec<u8>, what: &str, object: &[u8]) {
    chunk.extend_from_slice(b"{\"type\":\"");
    chunk.extend_from_slice(what.as_bytes());
    chunk.extend_from_slice(b"\",\"object\":");
    chunk.extend_from_slice(object);
    chunk.extend_from_slice(b"}\n");
}
