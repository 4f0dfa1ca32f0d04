//! The objects of one kind, sorted by key and indexed, as the API server last told them.
//!
//! An object moves forward only: an older resource version never replaces a newer one. That makes
//! it safe to put the answer to an own write in at once instead of waiting for the watch, so that
//! the next reconcile of the same controller reads what it wrote.

use super::key::ObjectKey;
use kube::Resource;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How an object changed: at least one side is present.
#[derive(Debug)]
pub struct Change<K> {
    /// What was known before; absent when the object is new.
    pub old: Option<Arc<K>>,
    /// What is known now; absent when the object was deleted.
    pub new: Option<Arc<K>>,
}

impl<K: Resource> Change<K> {
    /// Returns the object after the change, or the last known one when it was deleted.
    pub fn object(&self) -> Option<&Arc<K>> {
        self.new.as_ref().or(self.old.as_ref())
    }

    /// Returns the key of the object that changed.
    pub fn key(&self) -> ObjectKey {
        self.object()
            .map(|object| ObjectKey::of(&**object))
            .unwrap_or_default()
    }

    /// Returns the object before and after, where present: for mapping to what both point to.
    pub fn sides(&self) -> impl Iterator<Item = &Arc<K>> {
        self.old.iter().chain(self.new.iter())
    }
}

/// Yields the index values under which an object is found.
pub type IndexFn<K> = fn(&K) -> Vec<String>;

#[derive(Debug)]
struct Index<K> {
    values: IndexFn<K>,
    keys: HashMap<String, BTreeSet<ObjectKey>>,
}

impl<K> Index<K> {
    fn insert(&mut self, key: &ObjectKey, object: &K) {
        for value in (self.values)(object) {
            self.keys.entry(value).or_default().insert(key.clone());
        }
    }

    fn remove(&mut self, key: &ObjectKey, object: &K) {
        for value in (self.values)(object) {
            if let Some(keys) = self.keys.get_mut(&value) {
                keys.remove(key);
                if keys.is_empty() {
                    self.keys.remove(&value);
                }
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Cache<K> {
    objects: BTreeMap<ObjectKey, Arc<K>>,
    owned: Index<K>,
    indexes: BTreeMap<&'static str, Index<K>>,
    /// The newest resource version the watch has passed.
    seen: u64,
}

impl<K: Resource> Cache<K> {
    pub(super) fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            owned: Index {
                values: owner_uids,
                keys: HashMap::new(),
            },
            indexes: BTreeMap::new(),
            seen: 0,
        }
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    pub(super) fn bookmark(&mut self, version: u64) {
        self.seen = self.seen.max(version);
    }

    /// Takes an object that the watch told of.
    pub(super) fn apply(&mut self, object: Arc<K>) -> Option<Change<K>> {
        self.bookmark(version_of(&*object));
        self.put(object)
    }

    /// Takes the answer to an own write, unless the watch has already passed it.
    pub(super) fn observe(&mut self, object: Arc<K>) -> Option<Change<K>> {
        if version_of(&*object) <= self.seen {
            return None;
        }
        self.put(object)
    }

    fn put(&mut self, object: Arc<K>) -> Option<Change<K>> {
        let key = ObjectKey::of(&*object);
        let old = self.objects.get(&key).cloned();
        if let Some(old) = &old {
            if version_of(&**old) >= version_of(&*object) {
                return None;
            }
            self.unindex(&key, old);
        }
        self.owned.insert(&key, &object);
        for index in self.indexes.values_mut() {
            index.insert(&key, &object);
        }
        self.objects.insert(key, Arc::clone(&object));
        Some(Change {
            old,
            new: Some(object),
        })
    }

    /// Forgets an object, if it is still the one of this uid.
    pub(super) fn remove(&mut self, key: &ObjectKey, uid: Option<&str>) -> Option<Change<K>> {
        let known = self.objects.get(key)?;
        if uid.is_some() && known.meta().uid.as_deref() != uid {
            return None;
        }
        let old = self.objects.remove(key)?;
        self.unindex(key, &old);
        Some(Change {
            old: Some(old),
            new: None,
        })
    }

    fn unindex(&mut self, key: &ObjectKey, old: &Arc<K>) {
        self.owned.remove(key, old);
        for index in self.indexes.values_mut() {
            index.remove(key, old);
        }
    }

    /// Takes a complete list, taken at `version`; what it lacks is gone, unless written since.
    pub(super) fn replace(&mut self, listed: Vec<Arc<K>>, version: u64) -> Vec<Change<K>> {
        let names: BTreeSet<ObjectKey> = listed.iter().map(|one| ObjectKey::of(&**one)).collect();
        let gone: Vec<ObjectKey> = self
            .objects
            .iter()
            .filter(|(key, object)| !names.contains(key) && version_of(&***object) <= version)
            .map(|(key, _)| key.clone())
            .collect();
        let mut changes: Vec<_> = gone
            .iter()
            .filter_map(|key| self.remove(key, None))
            .collect();
        changes.extend(listed.into_iter().filter_map(|object| self.put(object)));
        self.bookmark(version);
        changes
    }

    pub(super) fn add_index(&mut self, name: &'static str, values: IndexFn<K>) {
        if self.indexes.contains_key(name) {
            return;
        }
        let mut index = Index {
            values,
            keys: HashMap::new(),
        };
        for (key, object) in &self.objects {
            index.insert(key, object);
        }
        self.indexes.insert(name, index);
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.objects.get(key).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(super) fn all(&self) -> Vec<Arc<K>> {
        self.objects.values().cloned().collect()
    }

    pub(super) fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        self.objects
            .range(ObjectKey::new(namespace, "")..)
            .take_while(|(key, _)| key.namespace == namespace)
            .map(|(_, object)| Arc::clone(object))
            .collect()
    }

    pub(super) fn owned_by(&self, uid: &str) -> Vec<Arc<K>> {
        self.found(self.owned.keys.get(uid))
    }

    pub(super) fn by_index(&self, index: &str, value: &str) -> Vec<Arc<K>> {
        self.found(
            self.indexes
                .get(index)
                .and_then(|index| index.keys.get(value)),
        )
    }

    fn found(&self, keys: Option<&BTreeSet<ObjectKey>>) -> Vec<Arc<K>> {
        keys.into_iter()
            .flatten()
            .filter_map(|key| self.get(key))
            .collect()
    }
}

fn owner_uids<K: Resource>(object: &K) -> Vec<String> {
    object
        .meta()
        .owner_references
        .iter()
        .flatten()
        .map(|owner| owner.uid.clone())
        .collect()
}

/// Returns an object's resource version as the number it is on this API server (0: none).
pub(super) fn version_of<K: Resource>(object: &K) -> u64 {
    parse_version(object.meta().resource_version.as_deref())
}

pub(super) fn parse_version(version: Option<&str>) -> u64 {
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unnecessary_wraps, reason = "shaped as the API wants it")]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

    fn object(name: &str, version: u64, owner: Option<&str>) -> Arc<ConfigMap> {
        Arc::new(ConfigMap {
            metadata: ObjectMeta {
                namespace: Some("shop".into()),
                name: Some(name.into()),
                uid: Some(format!("uid-{name}")),
                resource_version: Some(version.to_string()),
                owner_references: owner.map(|uid| {
                    vec![OwnerReference {
                        uid: uid.into(),
                        ..OwnerReference::default()
                    }]
                }),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        })
    }

    #[test]
    fn an_older_version_never_replaces_a_newer_one() {
        let mut cache = Cache::new();
        assert!(cache.observe(object("a", 9, None)).is_some());

        assert!(cache.apply(object("a", 7, None)).is_none());

        let known = cache.get(&ObjectKey::new("shop", "a")).expect("known");
        assert_eq!(version_of(&*known), 9);
    }

    #[test]
    fn a_write_that_the_watch_has_already_passed_does_not_bring_an_object_back() {
        let mut cache = Cache::new();
        cache.apply(object("a", 5, None));
        cache.remove(&ObjectKey::new("shop", "a"), None);
        cache.bookmark(6);

        assert!(cache.observe(object("a", 5, None)).is_none());

        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn a_new_list_removes_what_it_lacks_but_keeps_what_was_written_since() {
        let mut cache = Cache::new();
        cache.apply(object("gone", 3, None));
        cache.observe(object("fresh", 12, None));

        let changes = cache.replace(vec![object("kept", 4, None)], 10);

        assert_eq!(changes.len(), 2);
        assert!(cache.get(&ObjectKey::new("shop", "gone")).is_none());
        assert!(cache.get(&ObjectKey::new("shop", "fresh")).is_some());
    }

    #[test]
    fn indexes_follow_changes_of_the_indexed_value() {
        let mut cache = Cache::new();
        cache.apply(object("a", 1, Some("one")));
        cache.apply(object("a", 2, Some("two")));

        assert!(cache.owned_by("one").is_empty());
        assert_eq!(cache.owned_by("two").len(), 1);
        assert_eq!(cache.in_namespace("shop").len(), 1);
        assert!(cache.in_namespace("sho").is_empty());
    }
}
