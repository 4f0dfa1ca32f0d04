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

/// A page of a resource's objects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// All when empty.
    pub(super) namespace: &'a str,
    /// The version to show; the present one when absent.
    pub(super) at: Option<u64>,
    /// The last key of the page before.
    pub(super) after: Option<&'a Key>,
    /// 0 for all.
    pub(super) limit: usize,
}

/// What was found of what was [`Wanted`].
#[derive(Debug)]
pub(super) struct Found {
    pub(super) snapshot: Snapshot,
    /// How many more there are behind the page.
    pub(super) remaining: usize,
}

impl Contents {
    fn range<'a>(
        &'a self,
        namespace: &str,
        after: Option<&Key>,
    ) -> impl Iterator<Item = &'a Arc<Stored>> + use<'a> {
        let start = match after {
            Some(after) if *after.namespace >= *namespace => Bound::Excluded(after.clone()),
            Some(_) | None => Bound::Included(Key::new(namespace, "")),
        };
        let wanted: Option<Box<str>> = (!namespace.is_empty()).then(|| namespace.into());
        self.objects
            .range((start, Bound::Unbounded))
            .take_while(move |(key, _)| wanted.as_ref().is_none_or(|one| key.namespace == *one))
            .map(|(_, object)| object)
    }

    /// Picks a page; only its objects are touched, the others are counted.
    fn page(
        &self,
        wanted: Wanted<'_>,
        picks: &dyn Fn(&Stored) -> bool,
    ) -> (Vec<Arc<Stored>>, usize) {
        let undone = wanted.at.map(|version| self.undone(version));
        let limit = if wanted.limit == 0 {
            usize::MAX
        } else {
            wanted.limit
        };
        let Some(undone) = undone.filter(|undone| !undone.is_empty()) else {
            let found = self.range(wanted.namespace, wanted.after);
            return split(found.filter(|object| picks(object)), limit);
        };
        let older = undone.values().copied().flatten();
        let in_page = |object: &&Arc<Stored>| {
            (wanted.namespace.is_empty() || *object.key.namespace == *wanted.namespace)
                && wanted.after.is_none_or(|after| object.key > *after)
        };
        let mut objects: Vec<&Arc<Stored>> = self
            .range(wanted.namespace, wanted.after)
            .filter(|object| !undone.contains_key(&object.key))
            .chain(older.filter(in_page))
            .filter(|object| picks(object))
            .collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        split(objects.into_iter(), limit)
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

fn split<'a>(
    mut found: impl Iterator<Item = &'a Arc<Stored>>,
    limit: usize,
) -> (Vec<Arc<Stored>>, usize) {
    let page = found.by_ref().take(limit).map(Arc::clone).collect();
    (page, found.count())
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
        let wanted = Wanted {
            namespace,
            at,
            after: None,
            limit: 0,
        };
        let found = self.find(resource, wanted, &|_| true)?;
        Ok(found.snapshot)
    }

    /// Reads the objects of a page that `picks` picks.
    pub(super) fn find(
        &self,
        resource: &str,
        wanted: Wanted<'_>,
        picks: &dyn Fn(&Stored) -> bool,
    ) -> Result<Found, Expired> {
        let shelf = self.shelf(resource);
        let contents = shelf.read();
        if wanted.at.is_some_and(|version| version < contents.dropped) {
            return Err(Expired {
                oldest: contents.dropped,
            });
        }
        let (objects, remaining) = contents.page(wanted, picks);
        // Read under the shelf's lock: no change of this shelf can be numbered meanwhile.
        let version = wanted.at.unwrap_or_else(|| self.version());
        Ok(Found {
            snapshot: Snapshot { objects, version },
            remaining,
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
