//! One loop for every kind: list by pages, then watch; come back by itself from everything.
//!
//! A watch that ends with 410 lists again, because resuming would skip deletions; rows that the
//! new list no longer has are removed then, and rows that did not change are not sent again.
//! Nothing is polled. What the rows are is the [`Projection`]'s business, where they go is the
//! [`Outlet`]'s.

mod ahead;
mod outlet;
mod pending;
mod projection;
mod recovery;
mod typed;

pub(super) use outlet::Outlet;
pub(super) use pending::Batch;
pub(super) use projection::{Applications, Details, Projection, Seen, Tables};
pub(super) use recovery::{asked_to_retry, pause};
pub(super) use typed::Typed;

use super::backoff::Backoff;
use super::fault::Fault;
use super::protocol::Scope;
use super::resource::Resource;
use super::session::Session;
use super::transport::{Call, Lines, open};
use crate::api::meta::{EventWire, PartialWire, StatusWire};
use crate::domain::object::{ObjectRef, Text, Uid};
use crate::domain::status::Freshness;
use ahead::continue_token_of;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use pending::{Key, key_of};

use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

const PAGE_SIZE: u32 = 500;
/// The first page is short, so that rows are on screen while the others travel.
const FIRST_PAGE_SIZE: u32 = 100;
/// How long the server is asked to keep a watch open.
const WATCH_SECONDS: u32 = 290;
/// Real servers send a bookmark about every minute; longer silence may be a dead connection, so
/// the watch is opened again (without listing).
const SILENCE: Duration = Duration::from_secs(120);

/// What to watch.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) resource: Resource,
    /// `None`: all namespaces, or a kind without namespaces.
    pub(super) namespace: Option<Text>,
    /// Such as `fieldSelector=metadata.name%3Dx&`; each parameter ends in `&`.
    pub(super) selector: String,
    /// May fall back to one namespace after a 403.
    pub(super) may_narrow: bool,
}

impl Target {
    /// Everything of a kind in the scope of the session.
    pub(super) fn in_scope(resource: Resource, scope: &Scope) -> Self {
        let namespace = match scope {
            Scope::Namespace(namespace) if resource.namespaced => Some(Text::clone(namespace)),
            Scope::All | Scope::Namespace(_) => None,
        };
        Self {
            may_narrow: resource.namespaced && namespace.is_none(),
            resource,
            namespace,
            selector: String::new(),
        }
    }

    /// Everything of a kind in one namespace (or of a kind without namespaces).
    pub(super) fn in_namespace(resource: Resource, namespace: &str) -> Self {
        let namespaced = resource.namespaced && !namespace.is_empty();
        Self {
            namespace: namespaced.then(|| namespace.into()),
            resource,
            selector: String::new(),
            may_narrow: false,
        }
    }

    /// One object.
    pub(super) fn object(resource: Resource, object: &ObjectRef) -> Self {
        let name = super::transport::segment(&object.name);
        Self {
            namespace: object.namespace.clone(),
            resource,
            selector: format!("fieldSelector=metadata.name%3D{name}&"),
            may_narrow: false,
        }
    }

    fn path(&self) -> String {
        self.resource.collection(self.namespace.as_deref())
    }
}

/// How a stay in the watch ended.
enum Ended {
    /// Open it again from the last version.
    Resume,
    /// List again.
    Relist,
    /// Nobody listens any more.
    Over,
    Failed(Fault),
}

/// The loop of one watch.
pub(super) struct Watcher<P: Projection> {
    session: Arc<Session>,
    target: Target,
    projection: P,
    outlet: Outlet<P>,
    known: HashMap<Key, (Uid, Text)>,
    listed_once: bool,
    backoff: Backoff,
    /// When what is shown was last known to be true; absent while it is.
    lost_at: Option<DateTime<Utc>>,
}

impl<P: Projection> Watcher<P> {
    pub(super) fn new(
        session: Arc<Session>,
        target: Target,
        projection: P,
        outlet: Outlet<P>,
    ) -> Self {
        Self {
            session,
            target,
            projection,
            outlet,
            known: HashMap::new(),
            listed_once: false,
            backoff: Backoff::default(),
            lost_at: None,
        }
    }

    /// Runs until nobody listens, or the task is ended.
    pub(super) async fn run(mut self) {
        self.outlet.freshness(Freshness::Connecting).await;
        while self.stay().await {}
    }

    /// One list and the watches behind it. Returns whether to go on.
    async fn stay(&mut self) -> bool {
        let mut version = match self.list().await {
            Ok(version) => version,
            Err(fault) => return self.recover(fault).await,
        };
        loop {
            match self.watch(&mut version).await {
                Ended::Resume => {}
                Ended::Relist => return true,
                Ended::Over => return false,
                Ended::Failed(fault) if fault.passes() && self.listed_once => {
                    // The version is still good: no new list after a cut connection.
                    if !self.recover(fault).await {
                        return false;
                    }
                }
                Ended::Failed(fault) => return self.recover(fault).await,
            }
        }
    }

    async fn list(&mut self) -> Result<String, Fault> {
        let first = !self.listed_once;
        let mut seen_keys = HashSet::new();
        let mut ahead = self.ask_for_page("");
        if first {
            self.outlet.reset();
        }
        loop {
            let body = ahead.await.map_err(|error| {
                Fault::Unreachable(format!("the list was not read to its end: {error}"))
            })??;
            // The next page travels while this one is read.
            let token = continue_token_of(&body);
            let next = token.as_deref().map(|token| self.ask_for_page(token));
            let page = self.projection.page(&body)?;
            for seen in page.rows {
                let key = key_of(&seen.object);
                seen_keys.insert(key.clone());
                self.upsert(key, seen);
            }
            let token = page.continue_token;
            let rows = seen_keys.len();
            if !self.outlet.flush(&self.projection).await {
                return Ok(page.version);
            }
            if token.is_empty() {
                self.forget_unseen(&seen_keys).await;
                self.listed_once = true;
                return Ok(page.version);
            }
            ahead = next.unwrap_or_else(|| self.ask_for_page(&token));
            if first {
                self.outlet.freshness(Freshness::Loading { rows }).await;
            }
        }
    }

    /// Asks for a page; the answer is fetched whether or not it is waited for.
    fn ask_for_page(&self, token: &str) -> AbortOnDropHandle<Result<Bytes, Fault>> {
        let size = if token.is_empty() {
            FIRST_PAGE_SIZE
        } else {
            PAGE_SIZE
        };
        let mut path = format!(
            "{}?{}{}limit={size}",
            self.target.path(),
            self.projection.query(),
            self.target.selector
        );
        if !token.is_empty() {
            path.push_str("&continue=");
            path.push_str(&super::transport::segment(token));
        }
        let call = Call::get(path).accept(self.projection.accept());
        let session = Arc::clone(&self.session);
        AbortOnDropHandle::new(tokio::spawn(async move { session.send(call).await }))
    }

    fn upsert(&mut self, key: Key, seen: Seen<P::Row>) {
        let entry = (seen.uid.clone(), seen.version);
        let before = self.known.insert(key.clone(), entry);
        if let Some((uid, version)) = before {
            let now = self.known.get(&key);
            if uid != seen.uid {
                self.outlet.pending.remove(seen.object, uid);
            } else if !version.is_empty() && now.is_some_and(|now| now.1 == version) {
                return;
            }
        }
        self.outlet.pending.put(key, seen.row);
    }

    async fn forget_unseen(&mut self, seen: &HashSet<Key>) {
        let gone: Vec<Key> = self
            .known
            .keys()
            .filter(|key| !seen.contains(*key))
            .cloned()
            .collect();
        for key in gone {
            if let Some((uid, _)) = self.known.remove(&key) {
                let object = ObjectRef {
                    cluster: self.session.cluster.clone(),
                    kind: self.target.resource.kind.clone(),
                    namespace: key.0,
                    name: key.1,
                };
                self.outlet.pending.remove(object, uid);
            }
        }
        self.outlet.flush_if_any(&self.projection).await;
    }

    async fn watch(&mut self, version: &mut String) -> Ended {
        let path = format!(
            "{}?{}{}watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}",
            self.target.path(),
            self.projection.query(),
            self.target.selector,
            super::transport::segment(version),
        );
        let call = Call::get(path).accept(self.projection.accept());
        let lines = match open(&self.session.client(), call).await {
            Ok(lines) => lines,
            Err(Fault::Gone) => return Ended::Relist,
            Err(fault) => return Ended::Failed(fault),
        };
        self.backoff.reset();
        self.lost_at = None;
        self.session.reached().await;
        self.outlet.freshness(Freshness::Live).await;
        self.follow(lines, version).await
    }

    async fn follow(&mut self, mut lines: Lines, version: &mut String) -> Ended {
        let mut wake = self.session.wake.clone();
        let reloads = wake.borrow_and_update().reloads;
        loop {
            tokio::select! {
                block = lines.next_block() => match block {
                    None => return Ended::Resume,
                    Some(Err(fault)) => return Ended::Failed(fault),
                    Some(Ok(block)) => {
                        let events = read_events(block);
                        if let Some(ended) = self.apply(events, version) {
                            self.outlet.flush_if_any(&self.projection).await;
                            return ended;
                        }
                    }
                },
                open = self.outlet.flush_when_due(&self.projection) => if !open {
                    return Ended::Over;
                },
                changed = wake.changed() => {
                    if changed.is_err() {
                        return Ended::Over;
                    }
                    if wake.borrow_and_update().reloads != reloads {
                        return Ended::Relist;
                    }
                }
                () = tokio::time::sleep(SILENCE) => return Ended::Resume,
            }
        }
    }

    fn apply(
        &mut self,
        events: Vec<Result<EventWire<'_>, Fault>>,
        version: &mut String,
    ) -> Option<Ended> {
        for event in events {
            let event = match event {
                Ok(event) => event,
                Err(fault) => return Some(Ended::Failed(fault)),
            };
            match &*event.kind {
                "ADDED" | "MODIFIED" | "DELETED" => {
                    let deleted = event.kind == "DELETED";
                    match self.projection.event(event.object) {
                        Ok(rows) => self.apply_rows(rows, deleted, version),
                        Err(fault) => return Some(Ended::Failed(fault)),
                    }
                }
                "BOOKMARK" => remember_version(event.object.get(), version),
                _ => return Some(refusal(event.object.get())),
            }
        }
        None
    }

    fn apply_rows(&mut self, rows: Vec<Seen<P::Row>>, deleted: bool, version: &mut String) {
        for seen in rows {
            if !seen.version.is_empty() {
                version.clear();
                version.push_str(&seen.version);
            }
            let key = key_of(&seen.object);
            if deleted {
                self.known.remove(&key);
                self.outlet.pending.remove(seen.object, seen.uid);
            } else {
                self.upsert(key, seen);
            }
        }
    }
}

fn read_events(block: &[u8]) -> Vec<Result<EventWire<'_>, Fault>> {
    let lines = block.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let read = lines.map(|line| {
        serde_json::from_slice(line)
            .map_err(|error| Fault::Unreadable(format!("a watch event cannot be read: {error}")))
    });
    read.collect()
}

fn remember_version(json: &str, version: &mut String) {
    let partial: PartialWire<'_> = serde_json::from_str(json).unwrap_or_default();
    let meta = partial.metadata.value().unwrap_or_default();
    if let Some(newer) = meta.resource_version.value() {
        version.clear();
        version.push_str(&newer);
    }
}

/// An ERROR event: 410 asks for a new list, anything else is a fault.
fn refusal(json: &str) -> Ended {
    let status: StatusWire<'_> = serde_json::from_str(json).unwrap_or_default();
    let code = status.code.value().unwrap_or(500) as u16;
    let fault = Fault::from_answer(code, json.as_bytes());
    if fault == Fault::Gone {
        Ended::Relist
    } else {
        Ended::Failed(fault)
    }
}
