//! What the server keeps: objects as serialized bytes, and a log of their changes.
//!
//! One counter numbers all changes (`resourceVersion`). Each resource has a shelf: its objects
//! in key order and a bounded log of events. Watchers keep a cursor into the log and are woken
//! by a `watch` channel, so a slow watcher costs nothing; once the log has dropped what its
//! cursor points at, it is told that its version expired. The state at an older version is the
//! present state with the newer events undone. Nothing here knows what an object means.

use super::kinds::Kind;
use super::{json, selector::FieldValues};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::watch;

/// Names an object on its shelf; the namespace is empty for cluster-wide resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
}

impl Key {
    /// Makes a key.
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// An object at one version.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) key: Key,
    pub(super) uid: Box<str>,
    pub(super) version: u64,
    pub(super) labels: Box<[(Box<str>, Box<str>)]>,
    /// The values of the kind's selectable fields, in its order.
    pub(super) fields: FieldValues,
    /// The uids of its owners.
    pub(super) owners: Box<[Box<str>]>,
    /// Whether deletion has begun.
    pub(super) deleting: bool,
    pub(super) body: Bytes,
}

impl Stored {
    /// Reads the body; what we wrote always parses.
    pub(super) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// An object that is about to be written.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) key: Key,
    pub(super) value: Value,
    pub(super) fields: FieldValues,
}

impl Draft {
    /// Reads key and selectable fields out of an object.
    pub(super) fn new(kind: &Kind, value: Value) -> Self {
        let namespace = if kind.namespaced {
            json::meta_text(&value, "namespace").unwrap_or_default()
        } else {
            ""
        };
        Self {
            key: Key::new(namespace, json::name_of(&value)),
            fields: FieldValues::read(kind, &value),
            value,
        }
    }

    fn store(mut self, version: u64) -> Stored {
        json::metadata_mut(&mut self.value)
            .insert("resourceVersion".to_owned(), version.to_string().into());
        let labels = json::at(&self.value, &["metadata", "labels"])
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.as_str().into(), value.as_str()?.into())))
            .collect();
        let owners = json::at(&self.value, &["metadata", "ownerReferences"])
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|owner| Some(json::text_at(owner, &["uid"])?.into()))
            .collect();
        Stored {
            uid: json::meta_text(&self.value, "uid")
                .unwrap_or_default()
                .into(),
            key: self.key,
            version,
            labels,
            fields: self.fields,
            owners,
            deleting: json::is_deleting(&self.value),
            body: Bytes::from(serde_json::to_vec(&self.value).unwrap_or_default()),
        }
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Modified,
    Deleted,
}

/// One entry of a log. A deletion carries the last state under the deletion's version.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) change: Change,
    pub(super) object: Arc<Stored>,
    pub(super) previous: Option<Arc<Stored>>,
}

impl Event {
    fn weight(&self) -> usize {
        self.object.body.len() + 256
    }
}

/// The version asked for is older than the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expired {
    pub(super) oldest: u64,
}

/// The object is not at the version that the writer read, or is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stale;

/// How much of the past a shelf remembers.
#[derive(Clone, Copy, Debug)]
pub struct LogLimits {
    /// Events of one resource.
    pub events: usize,
    /// Bytes of the objects in them.
    pub bytes: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            events: 20_000,
            bytes: 48 << 20,
        }
    }
}

#[derive(Debug, Default)]
struct Contents {
    objects: BTreeMap<Key, Arc<Stored>>,
    log: VecDeque<Arc<Event>>,
    log_bytes: usize,
    /// The newest version that the log has dropped; watches must start at it or later.
    dropped: u64,
}

/// All objects of one resource.
#[derive(Debug)]
pub(super) struct Shelf {
    contents: RwLock<Contents>,
    wake: watch::Sender<u64>,
}

/// A part of a resource's objects at one version.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) objects: Vec<Arc<Stored>>,
    pub(super) version: u64,
}

impl Shelf {
    fn new() -> Self {
        Self {
            contents: RwLock::default(),
            wake: watch::Sender::new(0),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns one object.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Stored>> {
        self.read().objects.get(key).map(Arc::clone)
    }

    /// Subscribes to the version of the newest change.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    /// Returns at most `limit` events after `cursor`.
    pub(super) fn events_after(
        &self,
        cursor: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, Expired> {
        let contents = self.read();
        if cursor < contents.dropped {
            return Err(Expired {
                oldest: contents.dropped,
            });
        }
        let start = contents
            .log
            .partition_point(|event| event.object.version <= cursor);
        Ok(contents
            .log
            .range(start..)
            .take(limit)
            .map(Arc::clone)
            .collect())
    }
}

impl Contents {
    fn range<'a>(&'a self, namespace: &str) -> Box<dyn Iterator<Item = &'a Arc<Stored>> + 'a> {
        if namespace.is_empty() {
            return Box::new(self.objects.values());
        }
        let start = Key::new(namespace, "");
        let wanted: Box<str> = namespace.into();
        Box::new(
            self.objects
                .range((Bound::Included(start), Bound::Unbounded))
                .take_while(move |(key, _)| key.namespace == wanted)
                .map(|(_, object)| object),
        )
    }

    /// Returns what must be put in the place of present objects to get the state at `version`.
    fn undone(&self, version: u64) -> HashMap<&Key, Option<&Arc<Stored>>> {
        let start = self
            .log
            .partition_point(|event| event.object.version <= version);
        let mut undone = HashMap::new();
        for event in self.log.range(start..) {
            undone
                .entry(&event.object.key)
                .or_insert(event.previous.as_ref());
        }
        undone
    }

    fn at_version(&self, namespace: &str, version: u64) -> Vec<Arc<Stored>> {
        let undone = self.undone(version);
        if undone.is_empty() {
            return self.range(namespace).map(Arc::clone).collect();
        }
        let mut objects: Vec<Arc<Stored>> =
            self.range(namespace)
                .filter(|object| !undone.contains_key(&object.key))
                .chain(
                    undone.values().copied().flatten().filter(|object| {
                        namespace.is_empty() || *object.key.namespace == *namespace
                    }),
                )
                .map(Arc::clone)
                .collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        objects
    }

    fn record(&mut self, event: Event, limits: LogLimits) {
        self.log_bytes += event.weight();
        self.log.push_back(Arc::new(event));
        while self.log.len() > limits.events.max(1)
            || (self.log_bytes > limits.bytes && self.log.len() > 1)
        {
            let Some(oldest) = self.log.pop_front() else {
                break;
            };
            self.log_bytes -= oldest.weight();
            self.dropped = oldest.object.version;
        }
    }
}

/// All shelves and the counter of changes.
#[derive(Debug)]
pub(super) struct Store {
    shelves: RwLock<HashMap<String, Arc<Shelf>>>,
    version: AtomicU64,
    limits: LogLimits,
    /// The version of the newest change anywhere, for those who follow everything.
    wake: watch::Sender<u64>,
}

impl Store {
    /// Makes an empty store.
    pub(super) fn new(limits: LogLimits) -> Self {
        Self {
            shelves: RwLock::default(),
            version: AtomicU64::new(1),
            limits,
            wake: watch::Sender::new(0),
        }
    }

    /// Subscribes to the version of the newest change anywhere.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    /// Returns the version of the newest change anywhere.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    /// Returns a resource's shelf, putting an empty one up if needed.
    pub(super) fn shelf(&self, resource: &str) -> Arc<Shelf> {
        if let Some(shelf) = self
            .shelves
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(resource)
        {
            return Arc::clone(shelf);
        }
        let mut shelves = self.shelves.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            shelves
                .entry(resource.to_owned())
                .or_insert_with(|| Arc::new(Shelf::new())),
        )
    }

    /// Reads the objects of a namespace (all when empty), now or at an older version.
    pub(super) fn snapshot(
        &self,
        resource: &str,
        namespace: &str,
        at: Option<u64>,
    ) -> Result<Snapshot, Expired> {
        let shelf = self.shelf(resource);
        let contents = shelf.read();
        let Some(version) = at else {
            // Read under the shelf's lock: no change of this shelf can be numbered meanwhile.
            return Ok(Snapshot {
                objects: contents.range(namespace).map(Arc::clone).collect(),
                version: self.version(),
            });
        };
        if version < contents.dropped {
            return Err(Expired {
                oldest: contents.dropped,
            });
        }
        Ok(Snapshot {
            objects: contents.at_version(namespace, version),
            version,
        })
    }

    /// Puts a new object on its shelf; refused when the name is taken.
    pub(super) fn create(&self, resource: &str, draft: Draft) -> Result<Arc<Stored>, Stale> {
        let shelf = self.shelf(resource);
        let mut contents = shelf.write();
        if contents.objects.contains_key(&draft.key) {
            return Err(Stale);
        }
        let object = Arc::new(draft.store(self.next_version()));
        contents
            .objects
            .insert(object.key.clone(), Arc::clone(&object));
        let event = Event {
            change: Change::Added,
            object: Arc::clone(&object),
            previous: None,
        };
        self.finish(&shelf, contents, event);
        Ok(object)
    }

    /// Replaces an object that is still at version `expected`.
    pub(super) fn replace(
        &self,
        resource: &str,
        expected: u64,
        draft: Draft,
    ) -> Result<Arc<Stored>, Stale> {
        let shelf = self.shelf(resource);
        let mut contents = shelf.write();
        let previous = match contents.objects.get(&draft.key) {
            Some(previous) if previous.version == expected => Arc::clone(previous),
            Some(_) | None => return Err(Stale),
        };
        let object = Arc::new(draft.store(self.next_version()));
        contents
            .objects
            .insert(object.key.clone(), Arc::clone(&object));
        let event = Event {
            change: Change::Modified,
            object: Arc::clone(&object),
            previous: Some(previous),
        };
        self.finish(&shelf, contents, event);
        Ok(object)
    }

    /// Takes an object that is still at version `expected` away; `last` is its final state.
    pub(super) fn remove(
        &self,
        resource: &str,
        expected: u64,
        last: Draft,
    ) -> Result<Arc<Stored>, Stale> {
        let shelf = self.shelf(resource);
        let mut contents = shelf.write();
        match contents.objects.get(&last.key) {
            Some(present) if present.version == expected => {}
            Some(_) | None => return Err(Stale),
        }
        let previous = contents.objects.remove(&last.key);
        let object = Arc::new(last.store(self.next_version()));
        let event = Event {
            change: Change::Deleted,
            object: Arc::clone(&object),
            previous,
        };
        self.finish(&shelf, contents, event);
        Ok(object)
    }

    fn next_version(&self) -> u64 {
        self.version.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn finish(&self, shelf: &Shelf, mut contents: RwLockWriteGuard<'_, Contents>, event: Event) {
        let version = event.object.version;
        contents.record(event, self.limits);
        drop(contents);
        shelf.wake.send_replace(version);
        self.wake.send_replace(version);
    }

    /// Names all resources that have a shelf.
    pub(super) fn resources(&self) -> Vec<String> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        shelves.keys().cloned().collect()
    }
}
