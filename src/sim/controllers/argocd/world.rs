//! The live objects of the destination cluster, and which Application each belongs to.
//!
//! Fed by one shared informer per kind and by the answers to own writes. An index per instance,
//! owner and uid keeps every question proportional to its answer, never to the cluster.

use super::application::AppName;
use super::json;
use super::key::Key;
use super::thing::Thing;
use super::tracking;
use serde_json::Value;
use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// One live object.
#[derive(Clone, Debug)]
pub struct Live {
    pub body: Arc<Value>,
    /// Whether the body is whole or only identity, owners and images.
    pub whole: bool,
    version: u64,
    uid: String,
    owners: Vec<String>,
    instance: Option<String>,
}

/// What an object's change means for Applications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Instances that track the object: their verdict may change.
    pub tracked: BTreeSet<String>,
    /// Applications that want an object of this key, whoever tracks it.
    pub claimed: BTreeSet<AppName>,
    /// Instances above the object in the tree: only images may change.
    pub above: BTreeSet<String>,
}

/// The objects. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct World(Arc<RwLock<State>>);

#[derive(Debug, Default)]
struct State {
    objects: HashMap<Key, Live>,
    by_instance: HashMap<String, BTreeSet<Key>>,
    by_uid: HashMap<String, Key>,
    children: HashMap<String, HashSet<Key>>,
    claims: HashMap<Key, BTreeSet<AppName>>,
    namespaces: HashMap<Arc<str>, BTreeSet<Key>>,
}

impl World {
    /// Takes an object as the server told it; an older version than the known one is ignored.
    pub fn put(&self, thing: &Thing) -> Touched {
        let body = &thing.body;
        let key = Key::of(body);
        let live = Live {
            body: Arc::clone(body),
            whole: thing.whole,
            version: json::text(body, &["metadata", "resourceVersion"])
                .parse()
                .unwrap_or_default(),
            uid: json::text(body, &["metadata", "uid"]).to_owned(),
            owners: json::items(body, &["metadata", "ownerReferences"])
                .iter()
                .map(|owner| json::text(owner, &["uid"]).to_owned())
                .collect(),
            instance: tracking::owner_of(body),
        };
        let mut state = self.write();
        if state
            .objects
            .get(&key)
            .is_some_and(|known| known.uid == live.uid && known.version >= live.version)
        {
            return Touched::default();
        }
        let mut touched = state.forget(&key);
        state.insert(key.clone(), live);
        state.touched(&key, &mut touched);
        touched
    }

    /// Forgets an object, unless a newer one has taken its name.
    pub fn remove(&self, key: &Key, uid: &str) -> Touched {
        let mut state = self.write();
        if state.objects.get(key).is_some_and(|known| known.uid != uid) {
            return Touched::default();
        }
        let mut touched = Touched::default();
        state.touched(key, &mut touched);
        touched.tracked.extend(state.forget(key).tracked);
        touched
    }

    /// Returns an object.
    pub fn get(&self, key: &Key) -> Option<Live> {
        self.read().objects.get(key).cloned()
    }

    /// Returns the top-level objects that an instance tracks.
    pub fn tracked_by(&self, instance: &str) -> Vec<(Key, Live)> {
        let state = self.read();
        let keys = state.by_instance.get(instance).into_iter().flatten();
        keys.filter_map(|key| Some((key.clone(), state.objects.get(key)?.clone())))
            .filter(|(_, live)| live.owners.is_empty())
            .collect()
    }

    /// Returns all objects below some objects in the tree, found by owner references.
    pub fn below(&self, keys: &[Key]) -> Vec<Arc<Value>> {
        let state = self.read();
        let mut open: Vec<&Key> = keys.iter().collect();
        let mut seen: HashSet<&Key> = open.iter().copied().collect();
        let mut found = Vec::new();
        while let Some(key) = open.pop() {
            let Some(live) = state.objects.get(key) else {
                continue;
            };
            for child in state.children.get(&live.uid).into_iter().flatten() {
                if seen.insert(child) {
                    found.extend(state.objects.get(child).map(|live| Arc::clone(&live.body)));
                    open.push(child);
                }
            }
        }
        found
    }

    /// Returns the top-level objects of a namespace that no Application tracks.
    pub fn orphans(&self, namespace: &str) -> Vec<Key> {
        let state = self.read();
        let keys = state.namespaces.get(namespace).into_iter().flatten();
        keys.filter(|key| {
            state
                .objects
                .get(*key)
                .is_some_and(|live| live.owners.is_empty() && live.instance.is_none())
                && !state.claims.contains_key(*key)
        })
        .cloned()
        .collect()
    }

    /// Notes which keys an Application wants, so that it hears of them.
    pub fn claim(&self, app: &AppName, before: &[Key], now: &[Key]) {
        if before == now {
            return;
        }
        let mut state = self.write();
        for key in before {
            if let Some(apps) = state.claims.get_mut(key) {
                apps.remove(app);
                if apps.is_empty() {
                    state.claims.remove(key);
                }
            }
        }
        for key in now {
            state
                .claims
                .entry(key.clone())
                .or_default()
                .insert(app.clone());
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, key: Key, live: Live) {
        if let Some(instance) = &live.instance {
            self.by_instance
                .entry(instance.clone())
                .or_default()
                .insert(key.clone());
        }
        for owner in &live.owners {
            self.children
                .entry(owner.clone())
                .or_default()
                .insert(key.clone());
        }
        self.by_uid.insert(live.uid.clone(), key.clone());
        self.namespaces
            .entry(Arc::clone(&key.namespace))
            .or_default()
            .insert(key.clone());
        self.objects.insert(key, live);
    }

    fn forget(&mut self, key: &Key) -> Touched {
        let mut touched = Touched::default();
        let Some(live) = self.objects.remove(key) else {
            return touched;
        };
        if let Some(instance) = &live.instance {
            drop_from(&mut self.by_instance, instance, |keys| {
                keys.remove(key);
                keys.is_empty()
            });
            touched.tracked.insert(instance.clone());
        }
        for owner in &live.owners {
            drop_from(&mut self.children, owner, |keys| {
                keys.remove(key);
                keys.is_empty()
            });
        }
        self.by_uid.remove(&live.uid);
        drop_from(&mut self.namespaces, &*key.namespace, |keys| {
            keys.remove(key);
            keys.is_empty()
        });
        touched
    }

    fn touched(&self, key: &Key, touched: &mut Touched) {
        if let Some(apps) = self.claims.get(key) {
            touched.claimed.extend(apps.iter().cloned());
        }
        let Some(live) = self.objects.get(key) else {
            return;
        };
        touched.tracked.extend(live.instance.clone());
        let mut open: Vec<&str> = live.owners.iter().map(String::as_str).collect();
        // A tree of owners is a few levels deep; a circle of owners must not hang us.
        for _ in 0..8 {
            let Some(parent) = open
                .pop()
                .and_then(|uid| self.objects.get(self.by_uid.get(uid)?))
            else {
                return;
            };
            touched.above.extend(parent.instance.clone());
            open.extend(parent.owners.iter().map(String::as_str));
        }
    }
}

/// Lets `empty` take something out of an entry, and drops the entry when that says it is empty.
fn drop_from<K, Q, V>(map: &mut HashMap<K, V>, name: &Q, empty: impl FnOnce(&mut V) -> bool)
where
    K: Hash + Eq + Borrow<Q>,
    Q: Hash + Eq + ?Sized,
{
    if map.get_mut(name).is_some_and(empty) {
        map.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as make;

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn thing(kind: &str, name: &str, version: u64, metadata: Value) -> Thing {
        let mut object = make!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
        object["metadata"]["name"] = name.into();
        object["metadata"]["namespace"] = "n".into();
        object["metadata"]["uid"] = name.into();
        object["metadata"]["resourceVersion"] = version.to_string().into();
        Thing::new(object)
    }

    fn tracked(name: &str, version: u64) -> Thing {
        let id = format!("app:/Parent:n/{name}");
        thing(
            "Parent",
            name,
            version,
            make!({"annotations": {tracking::TRACKING_ID: id}}),
        )
    }

    #[test]
    fn a_child_touches_the_application_above_it() {
        let world = World::default();
        assert_eq!(
            world.put(&tracked("p", 1)).tracked,
            BTreeSet::from(["app".to_owned()])
        );
        world.put(&thing(
            "Set",
            "s",
            2,
            make!({"ownerReferences": [{"uid": "p"}]}),
        ));

        let touched = world.put(&thing(
            "Pod",
            "c",
            3,
            make!({"ownerReferences": [{"uid": "s"}]}),
        ));

        assert_eq!(touched.above, BTreeSet::from(["app".to_owned()]));
        assert!(touched.tracked.is_empty());
        assert_eq!(world.below(&[Key::new("", "Parent", "n", "p")]).len(), 2);
    }

    #[test]
    fn an_older_version_is_ignored() {
        let world = World::default();
        world.put(&tracked("p", 5));

        assert_eq!(world.put(&tracked("p", 4)), Touched::default());
        assert_eq!(world.tracked_by("app").len(), 1);
    }

    #[test]
    fn a_claimed_key_reaches_its_applications_even_untracked() {
        let world = World::default();
        let app = AppName::new("argocd", "other");
        let key = Key::new("", "Parent", "n", "x");
        world.claim(&app, &[], std::slice::from_ref(&key));

        let touched = world.put(&thing("Parent", "x", 1, make!({})));
        assert_eq!(touched.claimed, BTreeSet::from([app.clone()]));

        world.claim(&app, std::slice::from_ref(&key), &[]);
        assert!(
            world
                .put(&thing("Parent", "x", 2, make!({})))
                .claimed
                .is_empty()
        );
    }

    #[test]
    fn a_removed_object_leaves_no_trace() {
        let world = World::default();
        world.put(&tracked("p", 1));

        let touched = world.remove(&Key::new("", "Parent", "n", "p"), "p");

        assert_eq!(touched.tracked, BTreeSet::from(["app".to_owned()]));
        assert!(world.tracked_by("app").is_empty());
        assert!(world.orphans("n").is_empty());
    }
}
