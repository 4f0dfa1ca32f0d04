//! The loop that works a queue off: a limited number of reconciles at once, none lost.

use super::error::ReconcileError;
use super::queue::{Queue, WorkKey};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long reconciles that are under way may take once the platform shuts down.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A control loop: brings one object's world closer to what the object asks for.
///
/// `reconcile` is called with a key when something that feeds the controller's queue changed,
/// when its own wish to run again falls due, and again after an error with growing back-off. It
/// reads from informers, writes through their writers, and must be idempotent: the same state
/// must lead to no write at all, or the controller would wake itself for ever. One key is never
/// worked on twice at once.
pub trait Controller: Send + Sync + 'static {
    /// What names a piece of work; mostly [`super::ObjectKey`].
    type Key: WorkKey;

    /// The controller's name in logs.
    const NAME: &'static str;

    /// How many keys are worked on at once.
    const CONCURRENCY: usize = 8;

    /// Works on one key.
    fn reconcile(
        &self,
        key: &Self::Key,
    ) -> impl Future<Output = Result<Requeue, ReconcileError>> + Send;
}

/// When a reconciled key wants to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// When something changes that feeds the queue.
    OnChange,
    /// Also after this span of platform time.
    After(Duration),
    /// Also at this platform time.
    At(DateTime<Utc>),
}

impl Requeue {
    /// Returns the earlier of two wishes.
    #[must_use]
    pub fn or_at(self, due: Option<DateTime<Utc>>) -> Self {
        match (self, due) {
            (Self::OnChange, Some(due)) => Self::At(due),
            (Self::At(known), Some(due)) => Self::At(known.min(due)),
            (wish @ (Self::OnChange | Self::At(_) | Self::After(_)), _) => wish,
        }
    }
}

/// Works the queue off until `stop`; then lets what is under way end.
pub(super) async fn work<C: Controller>(
    controller: C,
    queue: Queue<C::Key>,
    clock: PlatformClock,
    stop: CancellationToken,
) {
    if stop.run_until_cancelled(queue.synced()).await.is_none() {
        return;
    }
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some((key, outcome)) = running.next() => settle::<C>(&queue, &clock, key, outcome),
            key = queue.next(), if running.len() < C::CONCURRENCY => {
                running.push(attempt(&controller, key));
            }
        }
    }
    let drained = tokio::time::timeout(LAST_WORDS, running.for_each(|_| async {})).await;
    if drained.is_err() {
        tracing::warn!(controller = C::NAME, "gave up waiting for reconciles");
    }
}

type Outcome = std::thread::Result<Result<Requeue, ReconcileError>>;

async fn attempt<C: Controller>(controller: &C, key: C::Key) -> (C::Key, Outcome) {
    // A controller that panics over one object must not stop working on all others.
    let outcome = AssertUnwindSafe(controller.reconcile(&key))
        .catch_unwind()
        .await;
    (key, outcome)
}

fn settle<C: Controller>(
    queue: &Queue<C::Key>,
    clock: &PlatformClock,
    key: C::Key,
    outcome: Outcome,
) {
    match outcome {
        Ok(Ok(Requeue::OnChange)) => queue.done(key, None),
        Ok(Ok(Requeue::After(span))) => queue.done(key, Some(clock.now() + span)),
        Ok(Ok(Requeue::At(due))) => queue.done(key, Some(due)),
        Ok(Err(error)) => {
            tracing::debug!(controller = C::NAME, ?key, "{error}");
            queue.failed(key);
        }
        Err(_) => {
            tracing::error!(controller = C::NAME, ?key, "the reconcile panicked");
            queue.failed(key);
        }
    }
}
