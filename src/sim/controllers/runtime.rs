//! What every controller runs on: shared informers, work queues, writers and a supervisor.
//!
//! A controller is an ordinary client. It reads from [`Informer`]s (one watched cache per kind,
//! shared by all controllers), is told by a [`Queue`] which object to look at, and writes through a
//! [`Writer`], which puts the server's answer into the cache at once, so that the next reconcile
//! sees it (this replaces client-go's "expectations"). All waiting goes by the
//! [`PlatformClock`]; a settled platform does nothing at all.
//!
//! ```text
//! let pods = runtime.informer::<Pod>();
//! let queue = runtime.queue();
//! pods.feed(&queue, |change| owner_keys(change, "ReplicaSet"));
//! runtime.run(ReplicaSets { pods: pods.writer("kube-controller-manager"), .. }, queue);
//! ```
//!
//! Kinds are cached as typed objects. For a big kind of which little is needed, watch a slim type
//! of your own (anything that implements [`kube::Resource`]) with [`Runtime::informer_of`], or
//! drop fields with [`Runtime::informer_with`]: a `DynamicObject` costs ten times its JSON.

mod cache;
mod error;
mod informer;
mod key;
mod queue;
pub mod selector;
pub mod time;
mod worker;
mod writer;

pub use cache::{Change, IndexFn};
pub use error::ReconcileError;
pub use informer::{Informer, Watched};
pub use key::ObjectKey;
pub use queue::{Queue, WorkKey};
pub use worker::{Controller, Requeue};
pub use writer::{Writer, merge_patch};

use crate::sim::clock::PlatformClock;
use crate::sim::rng::Seed;
use kube::Client;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a shutdown waits for the tasks to end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// The place where controllers run. Clones share it.
#[derive(Clone)]
pub struct Runtime(Arc<Shared>);

struct Shared {
    client: Client,
    clock: PlatformClock,
    seed: Seed,
    /// By the Rust type and the API kind it is read from.
    informers: RwLock<HashMap<(TypeId, String), Box<dyn Any + Send + Sync>>>,
    busy: RwLock<Vec<Box<dyn Fn() -> usize + Send + Sync>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runtime({} tasks)", self.0.tasks.len())
    }
}

impl Runtime {
    /// Returns a runtime whose controllers talk through `client` and wait by `clock`.
    pub fn new(client: Client, clock: PlatformClock, seed: Seed) -> Self {
        Self(Arc::new(Shared {
            client,
            clock,
            seed,
            informers: RwLock::default(),
            busy: RwLock::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Returns the client that the informers use.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// Returns the platform's clock.
    pub fn clock(&self) -> &PlatformClock {
        &self.0.clock
    }

    /// Returns the platform's seed.
    pub fn seed(&self) -> Seed {
        self.0.seed
    }

    /// Returns the shared informer of a kind known at compile time, starting it if need be.
    pub fn informer<K: Watched<DynamicType = ()>>(&self) -> Informer<K> {
        self.informer_of(())
    }

    /// Returns the shared informer of a kind named at run time, starting it if need be.
    pub fn informer_of<K: Watched>(&self, kind: K::DynamicType) -> Informer<K> {
        self.informer_with(kind, |_| {})
    }

    /// Returns the shared informer of a kind; `slim` drops what nobody needs from each object
    /// before it is kept. The first to ask for a kind decides what is dropped.
    pub fn informer_with<K: Watched>(&self, kind: K::DynamicType, slim: fn(&mut K)) -> Informer<K> {
        let name = format!("{}/{}", K::api_version(&kind), K::plural(&kind));
        let mut informers = self
            .0
            .informers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let known = informers
            .get(&(TypeId::of::<K>(), name.clone()))
            .and_then(|known| known.downcast_ref::<Informer<K>>());
        if let Some(known) = known {
            return known.clone();
        }
        let informer = Informer::new(self.0.client.clone(), kind, slim);
        informers.insert((TypeId::of::<K>(), name), Box::new(informer.clone()));
        self.spawn(informer.clone().run());
        informer
    }

    /// Returns a new work queue that waits by the platform's clock.
    pub fn queue<Key: WorkKey>(&self) -> Queue<Key> {
        Queue::new(self.0.clock.clone())
    }

    /// Runs a controller on a queue until [`Runtime::shutdown`].
    ///
    /// The first key is handed out when all informers that feed the queue (or that it requires)
    /// have listed their kind.
    pub fn run<C: Controller>(&self, controller: C, queue: Queue<C::Key>) {
        let counted = queue.clone();
        self.0
            .busy
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(move || counted.busy()));
        let work = worker::work(controller, queue, self.0.clock.clone(), self.0.stop.clone());
        self.0.tasks.spawn(work);
    }

    /// Runs a task until it ends or the runtime shuts down, when it is dropped.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.0.stop.clone();
        self.0.tasks.spawn(async move {
            // None means that the runtime shuts down, which is how most tasks end.
            stop.run_until_cancelled(task).await.unwrap_or_default();
        });
    }

    /// Returns how many keys are queued or being worked on over all controllers.
    pub fn busy(&self) -> usize {
        let busy = self.0.busy.read().unwrap_or_else(PoisonError::into_inner);
        busy.iter().map(|count| count()).sum()
    }

    /// Ends all controllers and informers, letting reconciles that are under way end.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        if tokio::time::timeout(SHUTDOWN_LIMIT, self.0.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                "{} controller tasks did not end in time",
                self.0.tasks.len()
            );
        }
    }
}
