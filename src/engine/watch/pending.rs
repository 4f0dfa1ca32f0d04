//! Changes on their way to the cockpit: the newest state of each object, and every removal.
//!
//! While the channel is full, changes pile up here by object, not by event; so a slow reader
//! costs one row for each object at most, and a removal is never lost.

use crate::domain::object::{ObjectRef, Text, Uid};
use foldhash::{HashMap, HashMapExt};

/// Where an object stands inside one watch.
pub(super) type Key = (Option<Text>, Text);

pub(super) fn key_of(object: &ObjectRef) -> Key {
    (object.namespace.clone(), Text::clone(&object.name))
}

/// What one flush carries.
#[derive(Debug, PartialEq)]
pub(in crate::engine) struct Batch<R> {
    /// The rows replace everything known.
    pub(in crate::engine) reset: bool,
    pub(in crate::engine) rows: Vec<R>,
    /// Comes before `rows`.
    pub(in crate::engine) removed: Vec<(ObjectRef, Uid)>,
}

#[derive(Debug)]
pub(super) struct Pending<R> {
    reset: bool,
    rows: HashMap<Key, R>,
    removed: Vec<(ObjectRef, Uid)>,
}

impl<R> Default for Pending<R> {
    fn default() -> Self {
        Self {
            reset: false,
            rows: HashMap::new(),
            removed: Vec::new(),
        }
    }
}

impl<R> Pending<R> {
    pub(super) fn is_empty(&self) -> bool {
        !self.reset && self.rows.is_empty() && self.removed.is_empty()
    }

    /// Everything known goes away with the next flush.
    pub(super) fn reset(&mut self) {
        self.reset = true;
        self.rows.clear();
        self.removed.clear();
    }

    pub(super) fn put(&mut self, key: Key, row: R) {
        self.rows.insert(key, row);
    }

    pub(super) fn remove(&mut self, object: ObjectRef, uid: Uid) {
        self.rows.remove(&key_of(&object));
        self.removed.push((object, uid));
    }

    pub(super) fn take(&mut self) -> Batch<R> {
        let taken = std::mem::take(self);
        Batch {
            reset: taken.reset,
            rows: taken.rows.into_values().collect(),
            removed: taken.removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::{Cluster, GroupKind};

    fn object(namespace: &str, name: &str) -> ObjectRef {
        ObjectRef {
            cluster: Cluster("test".into()),
            kind: GroupKind::new("", "Pod"),
            namespace: Some(namespace.into()),
            name: name.into(),
        }
    }

    fn uid(text: &str) -> Uid {
        Uid(text.into())
    }

    #[test]
    fn the_newest_state_wins_and_names_in_two_namespaces_stay_apart() {
        let mut pending = Pending::default();
        pending.put(key_of(&object("a", "web")), 1);
        pending.put(key_of(&object("b", "web")), 2);
        pending.put(key_of(&object("a", "web")), 3);

        let mut batch = pending.take();
        batch.rows.sort_unstable();
        assert_eq!(batch.rows, [2, 3]);
        assert!(pending.is_empty());
    }

    #[test]
    fn a_removal_survives_a_new_object_of_the_same_name() {
        let mut pending = Pending::default();
        pending.put(key_of(&object("a", "web")), 1);
        pending.remove(object("a", "web"), uid("old"));
        pending.put(key_of(&object("a", "web")), 2);

        let batch = pending.take();
        assert_eq!(batch.removed, [(object("a", "web"), uid("old"))]);
        assert_eq!(batch.rows, [2]);
    }
}
