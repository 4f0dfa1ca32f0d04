//! Mutexes and semaphores (`synchronization` of a workflow or a template).
//!
//! Follows Argo Workflows' `workflow/sync`: who waits is served in the order of coming, a workflow
//! that waits is Pending and says for what, and a lock is free again when its holder is fulfilled or
//! gone. Kept in memory, as upstream's controller does. Semaphores take their size from a ConfigMap;
//! locks in a database are refused.

use super::operate::{Halt, Operation, World};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// How soon somebody who waits looks again.
const LOOK: TimeDelta = TimeDelta::seconds(1);

/// A workflow, `NAMESPACE/NAME`, and a node of it; an empty node is the whole.
type Holder = (String, String);

/// Who holds which lock. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Locks(Arc<RwLock<BTreeMap<String, Lock>>>);

#[derive(Debug, Default)]
struct Lock {
    holders: Vec<Holder>,
    waiting: Vec<Holder>,
}

/// A lock that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    /// `NAMESPACE/Mutex/NAME` or `NAMESPACE/ConfigMap/NAME/KEY`.
    key: String,
    most: usize,
}

impl Locks {
    /// Takes all of them or none; the error says for which one to wait.
    fn take(&self, wanted: &[Wanted], holder: &Holder) -> Result<(), String> {
        let mut locks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut refused = None;
        for one in wanted {
            let lock = locks.entry(one.key.clone()).or_default();
            if lock.holders.contains(holder) {
                continue;
            }
            let free = one.most.saturating_sub(lock.holders.len());
            let turn = lock.waiting.iter().position(|other| other == holder);
            // Those who came before are served before.
            if turn.unwrap_or(lock.waiting.len()) >= free {
                refused.get_or_insert_with(|| {
                    let (key, most) = (&one.key, one.most);
                    format!("Waiting for {key} lock. Lock status: {free}/{most}")
                });
            }
            if turn.is_none() {
                lock.waiting.push(holder.clone());
            }
        }
        if let Some(message) = refused {
            return Err(message);
        }
        for one in wanted {
            let lock = locks.entry(one.key.clone()).or_default();
            lock.waiting.retain(|other| other != holder);
            if !lock.holders.contains(holder) {
                lock.holders.push(holder.clone());
            }
        }
        Ok(())
    }

    /// Frees what a workflow holds or waits for, of the nodes that are over.
    pub(super) fn release(&self, workflow: &str, is_over: impl Fn(&str) -> bool) {
        let mut locks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for lock in locks.values_mut() {
            let stays = |holder: &Holder| holder.0 != workflow || !is_over(&holder.1);
            lock.holders.retain(stays);
            lock.waiting.retain(stays);
        }
        locks.retain(|_, lock| !(lock.holders.is_empty() && lock.waiting.is_empty()));
    }

    /// Returns what `status.synchronization` says of a workflow; null: nothing.
    pub(super) fn status(&self, workflow: &str) -> Value {
        let locks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let word = |holder: &Holder| match holder.1.as_str() {
            "" => holder.0.clone(),
            node => format!("{}/{node}", holder.0),
        };
        let mut status = json!({});
        for (key, lock) in &*locks {
            let kind = if key.contains("/Mutex/") {
                "mutex"
            } else {
                "semaphore"
            };
            for (list, field) in [(&lock.holders, "holding"), (&lock.waiting, "waiting")] {
                let own = list.iter().any(|holder| holder.0 == workflow);
                if !own {
                    continue;
                }
                let holders: Vec<String> = lock.holders.iter().map(word).collect();
                let entry = match kind {
                    "mutex" => json!({"mutex": key, "holder": holders.first()}),
                    _ => json!({"semaphore": key, "holders": holders}),
                };
                if let Some(entries) = status[kind][field].as_array_mut() {
                    entries.push(entry);
                } else {
                    status[kind][field] = json!([entry]);
                }
            }
        }
        if status.as_object().is_some_and(serde_json::Map::is_empty) {
            return Value::Null;
        }
        status
    }
}

/// Reads what a `synchronization` asks for.
fn wanted(spec: &Value, namespace: &str, world: &World) -> Result<Vec<Wanted>, String> {
    let one_and_many = |one: &str, many: &str| -> Vec<Value> {
        let many = spec.get(many).and_then(Value::as_array);
        let one = spec.get(one).filter(|one| one.is_object());
        one.into_iter()
            .chain(many.into_iter().flatten())
            .cloned()
            .collect()
    };
    let text = |value: &Value, field: &str| -> String {
        value
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let place = |value: &Value| match text(value, "namespace") {
        own if own.is_empty() => namespace.to_owned(),
        other => other,
    };
    let mut found = Vec::new();
    for mutex in one_and_many("mutex", "mutexes") {
        if mutex.get("database").and_then(Value::as_bool) == Some(true) {
            return Err("locks in a database are not simulated".to_owned());
        }
        found.push(Wanted {
            key: format!("{}/Mutex/{}", place(&mutex), text(&mutex, "name")),
            most: 1,
        });
    }
    for semaphore in one_and_many("semaphore", "semaphores") {
        let Some(reference) = semaphore.get("configMapKeyRef") else {
            return Err(
                "semaphores in a database are not simulated: use configMapKeyRef".to_owned(),
            );
        };
        let (name, key) = (text(reference, "name"), text(reference, "key"));
        let size = world.config.get(&(name.clone(), key.clone()));
        let Some(size) = size else {
            return Err(format!("there is no key `{key}` in the ConfigMap `{name}`"));
        };
        let most = size.trim().parse();
        let most = most.map_err(|_none| format!("`{size}` is not the size of a semaphore"))?;
        let key = format!("{}/ConfigMap/{name}/{key}", place(&semaphore));
        found.push(Wanted { key, most });
    }
    Ok(found)
}

impl Operation<'_> {
    /// Takes the locks that a workflow (an empty node) or a template asks for; says what is waited
    /// for.
    pub(super) fn take_locks(
        &mut self,
        node: &str,
        synchronization: Option<&Value>,
    ) -> Result<Option<String>, Halt> {
        let Some(spec) = synchronization.filter(|spec| spec.is_object()) else {
            return Ok(None);
        };
        let failed =
            |why| Halt::Mistake(format!("Failed to acquire the synchronization lock. {why}"));
        let wanted = wanted(spec, self.namespace(), self.world).map_err(failed)?;
        let holder = (
            format!("{}/{}", self.namespace(), self.name()),
            node.to_owned(),
        );
        match self.world.locks.take(&wanted, &holder) {
            Ok(()) => Ok(None),
            Err(message) => {
                self.look_at(self.now + LOOK);
                Ok(Some(message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(name: &str) -> Holder {
        (format!("ci/{name}"), String::new())
    }

    fn mutex() -> [Wanted; 1] {
        [Wanted {
            key: "ci/Mutex/deploy".to_owned(),
            most: 1,
        }]
    }

    #[test]
    fn who_waits_is_served_in_the_order_of_coming() {
        let locks = Locks::default();
        assert_eq!(locks.take(&mutex(), &holder("a")), Ok(()));
        let why = locks.take(&mutex(), &holder("b")).expect_err("it is taken");
        assert_eq!(why, "Waiting for ci/Mutex/deploy lock. Lock status: 0/1");
        assert!(locks.take(&mutex(), &holder("c")).is_err());

        locks.release("ci/a", |_| true);

        assert!(locks.take(&mutex(), &holder("c")).is_err(), "b was first");
        assert_eq!(locks.take(&mutex(), &holder("b")), Ok(()));
        assert_eq!(
            locks.take(&mutex(), &holder("b")),
            Ok(()),
            "it has it already"
        );
        let status = locks.status("ci/c");
        assert_eq!(status["mutex"]["waiting"][0]["holder"], "ci/b");
        locks.release("ci/b", |_| true);
        locks.release("ci/c", |_| true);
        assert_eq!(locks.status("ci/c"), Value::Null);
    }

    #[test]
    fn a_semaphore_has_the_size_that_its_config_map_says() {
        let mut world = World::default();
        let entry = ("sizes".to_owned(), "deploy".to_owned());
        world.config.insert(entry, "2".to_owned());
        let spec = json!({"semaphores": [{"configMapKeyRef": {"name": "sizes", "key": "deploy"}}]});
        let wanted = wanted(&spec, "ci", &world).expect("a size");

        assert_eq!(wanted[0].key, "ci/ConfigMap/sizes/deploy");
        let locks = Locks::default();
        assert_eq!(locks.take(&wanted, &holder("a")), Ok(()));
        assert_eq!(locks.take(&wanted, &holder("b")), Ok(()));
        assert!(locks.take(&wanted, &holder("c")).is_err());
        let none = super::wanted(&spec, "ci", &World::default());
        assert!(none.is_err_and(|why| why.contains("no key `deploy`")));
    }
}
