//! The end of a watch where changes go out, at most 30 times a second.

use super::pending::{Batch, Pending};
use super::projection::Projection;
use crate::domain::status::Freshness;
use futures::future::BoxFuture;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// At most 30 batches a second; a change after a quiet time goes out at once.
const BETWEEN_BATCHES: Duration = Duration::from_millis(33);

/// What leaves a watch; wrapped for whoever listens.
type Wrap<P, O> = Box<dyn Fn(&P, Batch<<P as Projection>::Row>) -> O + Send + Sync + 'static>;

/// A channel that takes batches, whatever it carries.
trait Channel<P: Projection>: Send + Sync {
    /// Waits for room, then sends what is pending by then.
    fn send<'a>(
        &'a self,
        projection: &'a P,
        pending: &'a mut Pending<P::Row>,
    ) -> BoxFuture<'a, bool>;
}

struct Wrapped<P: Projection, O> {
    channel: mpsc::Sender<O>,
    wrap: Wrap<P, O>,
}

impl<P: Projection, O: Send + 'static> Channel<P> for Wrapped<P, O> {
    fn send<'a>(
        &'a self,
        projection: &'a P,
        pending: &'a mut Pending<P::Row>,
    ) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            match self.channel.reserve().await {
                Ok(permit) => {
                    permit.send((self.wrap)(projection, pending.take()));
                    true
                }
                Err(_closed) => false,
            }
        })
    }
}

type Tell = Box<dyn Fn(Freshness) -> BoxFuture<'static, ()> + Send + Sync>;

/// Where the rows of one watch go.
pub(in crate::engine) struct Outlet<P: Projection> {
    channel: Box<dyn Channel<P>>,
    tell: Tell,
    told: Option<Freshness>,
    pub(super) pending: Pending<P::Row>,
    next_flush: Instant,
}

impl<P: Projection> Outlet<P> {
    /// Sends batches into `channel`, each wrapped; `tell` reports how current they are.
    pub(in crate::engine) fn new<O: Send + 'static>(
        channel: mpsc::Sender<O>,
        wrap: impl Fn(&P, Batch<P::Row>) -> O + Send + Sync + 'static,
        tell: impl Fn(Freshness) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        let wrap = Box::new(wrap);
        Self {
            channel: Box::new(Wrapped { channel, wrap }),
            tell: Box::new(tell),
            told: None,
            pending: Pending::default(),
            next_flush: now(),
        }
    }
}

// Pacing goes by the runtime's timer, which tests can pause; it is not a time of day.
fn now() -> Instant {
    Instant::now()
}

impl<P: Projection> Outlet<P> {
    pub(super) async fn freshness(&mut self, freshness: Freshness) {
        if self.told.as_ref() != Some(&freshness) {
            self.told = Some(freshness.clone());
            (self.tell)(freshness).await;
        }
    }

    /// Everything known goes away with the next flush.
    pub(super) fn reset(&mut self) {
        self.pending.reset();
    }

    /// Sends what is pending, even nothing. Returns whether somebody listens.
    pub(super) async fn flush(&mut self, projection: &P) -> bool {
        let listening = self.channel.send(projection, &mut self.pending).await;
        self.next_flush = now() + BETWEEN_BATCHES;
        listening
    }

    pub(super) async fn flush_if_any(&mut self, projection: &P) {
        if !self.pending.is_empty() && !self.flush(projection).await {
            tracing::debug!("nobody listens to this watch any more");
        }
    }

    /// Waits until something is pending, due and can be sent, and sends it. Safe to cancel.
    pub(super) async fn flush_when_due(&mut self, projection: &P) -> bool {
        if self.pending.is_empty() {
            return std::future::pending().await;
        }
        tokio::time::sleep_until(self.next_flush).await;
        self.flush(projection).await
    }
}
