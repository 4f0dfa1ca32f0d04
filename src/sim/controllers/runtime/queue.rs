//! Work queues: each key at most once, now or at a platform time, never twice at once.
//!
//! The rules are those of client-go's work queue: a key that is added while it is being worked
//! on is worked on again afterwards; failures back off per key. Taking a key forgets its delayed
//! entry, because the reconcile that follows decides anew when it wants to run again.

use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// The first failures are retried at once: most are conflicts with a cache that is about to learn.
const IMMEDIATE_RETRIES: u32 = 3;
const FIRST_BACK_OFF: Duration = Duration::from_millis(50);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

/// What names a piece of work.
pub trait WorkKey: Clone + Eq + Hash + Ord + Debug + Send + Sync + 'static {}
impl<T: Clone + Eq + Hash + Ord + Debug + Send + Sync + 'static> WorkKey for T {}

/// A queue of keys to reconcile. Clones share the queue.
#[derive(Debug)]
pub struct Queue<Key>(Arc<Shared<Key>>);

impl<Key> Clone for Queue<Key> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Shared<Key> {
    state: RwLock<State<Key>>,
    wake: Notify,
    clock: PlatformClock,
    /// Caches that must be filled before the first key is handed out.
    requires: RwLock<Vec<watch::Receiver<bool>>>,
}

#[derive(Debug)]
struct State<Key> {
    ready: VecDeque<Key>,
    waiting: HashSet<Key>,
    running: HashSet<Key>,
    again: HashSet<Key>,
    due: BTreeMap<DateTime<Utc>, Vec<Key>>,
    due_of: HashMap<Key, DateTime<Utc>>,
    failures: HashMap<Key, u32>,
}

impl<Key: WorkKey> Queue<Key> {
    /// Returns an empty queue that waits by `clock`.
    pub fn new(clock: PlatformClock) -> Self {
        Self(Arc::new(Shared {
            state: RwLock::new(State {
                ready: VecDeque::new(),
                waiting: HashSet::new(),
                running: HashSet::new(),
                again: HashSet::new(),
                due: BTreeMap::new(),
                due_of: HashMap::new(),
                failures: HashMap::new(),
            }),
            wake: Notify::new(),
            clock,
            requires: RwLock::default(),
        }))
    }

    /// Asks for work on a key as soon as possible.
    pub fn add(&self, key: Key) {
        self.state().add(key);
        self.0.wake.notify_one();
    }

    /// Asks for work on a key at a platform time; an earlier wish for the same key stands.
    pub fn add_at(&self, key: Key, due: DateTime<Utc>) {
        self.state().add_at(key, due);
        self.0.wake.notify_one();
    }

    /// Asks for work on a key after a span of platform time.
    pub fn add_after(&self, key: Key, span: Duration) {
        self.add_at(key, self.0.clock.now() + span);
    }

    /// Returns how many keys wait for work or are being worked on (delayed ones not counted).
    pub fn busy(&self) -> usize {
        let state = self.state();
        state.ready.len() + state.running.len()
    }

    pub(super) fn require(&self, synced: watch::Receiver<bool>) {
        let mut requires = self
            .0
            .requires
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        requires.push(synced);
    }

    /// Waits until every cache that feeds this queue has been filled once.
    pub(super) async fn synced(&self) {
        let requires = self
            .0
            .requires
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for mut synced in requires {
            // An informer that is gone will never sync; the runtime is shutting down then.
            if synced.wait_for(|synced| *synced).await.is_err() {
                return;
            }
        }
    }

    /// Waits for the next key. Dropping the future loses nothing.
    pub(super) async fn next(&self) -> Key {
        loop {
            let next_due = {
                let mut state = self.state();
                state.promote(self.0.clock.now());
                if let Some(key) = state.take() {
                    return key;
                }
                state.due.keys().next().copied()
            };
            match next_due {
                None => self.0.wake.notified().await,
                Some(due) => {
                    tokio::select! {
                        () = self.0.wake.notified() => {}
                        () = self.0.clock.sleep_until(due) => {}
                    }
                }
            }
        }
    }

    /// Gives a key back after success, with when it wants to run again.
    pub(super) fn done(&self, key: Key, next: Option<DateTime<Utc>>) {
        let mut state = self.state();
        state.failures.remove(&key);
        state.release(&key);
        if let Some(due) = next {
            state.add_at(key, due);
        }
        drop(state);
        self.0.wake.notify_one();
    }

    /// Gives a key back after a failure; it is tried again with growing back-off.
    pub(super) fn failed(&self, key: Key) {
        let now = self.0.clock.now();
        let mut state = self.state();
        let failures = state.failures.entry(key.clone()).or_default();
        *failures = failures.saturating_add(1);
        let delay = back_off(*failures);
        state.release(&key);
        if delay.is_zero() {
            state.add(key);
        } else {
            state.add_at(key, now + delay);
        }
        drop(state);
        self.0.wake.notify_one();
    }

    fn state(&self) -> RwLockWriteGuard<'_, State<Key>> {
        self.0.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Key: WorkKey> State<Key> {
    fn add(&mut self, key: Key) {
        if self.running.contains(&key) {
            self.again.insert(key);
        } else if self.waiting.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    fn add_at(&mut self, key: Key, due: DateTime<Utc>) {
        if self.due_of.get(&key).is_some_and(|known| *known <= due) {
            return;
        }
        self.forget_due(&key);
        self.due_of.insert(key.clone(), due);
        self.due.entry(due).or_default().push(key);
    }

    fn forget_due(&mut self, key: &Key) {
        let Some(due) = self.due_of.remove(key) else {
            return;
        };
        if let Some(keys) = self.due.get_mut(&due) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.due.remove(&due);
            }
        }
    }

    fn promote(&mut self, now: DateTime<Utc>) {
        while let Some(first) = self.due.first_entry().filter(|first| *first.key() <= now) {
            for key in first.remove() {
                self.due_of.remove(&key);
                self.add(key);
            }
        }
    }

    fn take(&mut self) -> Option<Key> {
        let key = self.ready.pop_front()?;
        self.waiting.remove(&key);
        self.forget_due(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    fn release(&mut self, key: &Key) {
        self.running.remove(key);
        if self.again.remove(key) {
            self.add(key.clone());
        }
    }
}

/// Returns how long to wait after the given number of failures in a row.
fn back_off(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(IMMEDIATE_RETRIES + 1) else {
        return Duration::ZERO;
    };
    FIRST_BACK_OFF
        .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
        .min(LONGEST_BACK_OFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn queue() -> (Queue<&'static str>, PlatformClock) {
        let clock = PlatformClock::stepped(DateTime::UNIX_EPOCH);
        (Queue::new(clock.clone()), clock)
    }

    #[test]
    fn a_key_added_twice_is_handed_out_once() {
        let (queue, _clock) = queue();
        queue.add("a");
        queue.add("a");

        assert_eq!(queue.next().now_or_never(), Some("a"));
        assert_eq!(queue.next().now_or_never(), None);
    }

    #[test]
    fn a_key_added_while_it_is_worked_on_is_handed_out_afterwards() {
        let (queue, _clock) = queue();
        queue.add("a");
        assert_eq!(queue.next().now_or_never(), Some("a"));

        queue.add("a");
        assert_eq!(queue.next().now_or_never(), None);
        queue.done("a", None);

        assert_eq!(queue.next().now_or_never(), Some("a"));
    }

    #[test]
    fn the_earliest_of_two_delays_stands_and_a_taken_key_forgets_it() {
        let (queue, clock) = queue();
        queue.add_after("a", Duration::from_secs(60));
        queue.add_after("a", Duration::from_secs(5));

        clock.step(Duration::from_secs(5));
        assert_eq!(queue.next().now_or_never(), Some("a"));
        queue.done("a", None);
        clock.step(Duration::from_secs(3600));

        assert_eq!(queue.next().now_or_never(), None);
    }

    #[test]
    fn failures_are_retried_at_once_and_then_ever_later() {
        assert_eq!(back_off(1), Duration::ZERO);
        assert_eq!(back_off(4), Duration::from_millis(50));
        assert_eq!(back_off(6), Duration::from_millis(200));
        assert_eq!(back_off(500), Duration::from_secs(60));
    }

    #[tokio::test]
    async fn stepping_the_clock_wakes_a_waiting_worker() {
        let (queue, clock) = queue();
        queue.add_after("late", Duration::from_secs(7200));
        let worker = tokio::spawn({
            let queue = queue.clone();
            async move { queue.next().await }
        });
        tokio::task::yield_now().await;

        clock.step(Duration::from_secs(7200));

        assert_eq!(worker.await.expect("the worker ends"), "late");
    }
}
