//! The requests that the platform's services get, as counters and histograms.
//!
//! Requests follow what is really there: the weights of HTTPRoutes and VirtualServices, the ready
//! endpoints of Services, and the image that each pod runs, whose errors and latencies the
//! scenario declares. Nothing runs by itself: counters are brought up to date when they are read,
//! and a watch only notes when the requests began to go elsewhere. Services that the scenario
//! does not name get no requests and cost nothing.

mod families;
mod history;
mod latency;
mod meter;
mod model;
mod receivers;
mod routes;
mod shape;

pub use history::PastSeries;
pub use shape::TrafficShape;

use super::clock::PlatformClock;
use super::controllers::runtime::Runtime;
use super::exposition::Page;
use super::kubelet::image::ImageSource;
use super::rng::Seed;
use crate::domain::clock::Clock as _;
use families::Family;
use model::Model;
use receivers::Receivers;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

/// A change has been noticed at no time.
const NEVER: i64 = i64::MAX;

/// How long before the start the past begins, and how often it was measured.
const PAST: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(30));
/// A service that answers only this long after the start has no past.
const PAST_LIMIT_MS: i64 = 120_000;

/// The traffic model. Clones share the counters.
#[derive(Clone, Debug)]
pub struct Traffic(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: PlatformClock,
    seed: Seed,
    started_ms: i64,
    receivers: Receivers,
    model: RwLock<Model>,
    /// When requests first went elsewhere since the last look, in milliseconds.
    changed_at: AtomicI64,
}

impl Traffic {
    /// Starts to watch where requests go.
    pub fn start(
        runtime: &Runtime,
        shapes: Vec<TrafficShape>,
        images: Arc<dyn ImageSource>,
    ) -> Self {
        let (clock, seed) = (runtime.clock().clone(), runtime.seed());
        let now = clock.now().timestamp_millis();
        let model = Model::new(shapes, now, seed);
        let namespaces: BTreeSet<String> = model
            .services
            .iter()
            .map(|service| service.key.namespace.clone())
            .collect();
        let traffic = Self(Arc::new(Shared {
            receivers: Receivers::watch(runtime, images),
            model: RwLock::new(model),
            changed_at: AtomicI64::new(now),
            started_ms: now,
            clock,
            seed,
        }));
        // Weak: the informers live in what the handlers belong to.
        let shared = Arc::downgrade(&traffic.0);
        traffic.0.receivers.on_change(&namespaces, move || {
            if let Some(shared) = shared.upgrade() {
                let now = shared.clock.now().timestamp_millis();
                shared.changed_at.fetch_min(now, Ordering::AcqRel);
            }
        });
        traffic
    }

    /// Returns what the pods' own metrics say, as text.
    pub fn app_metrics(&self) -> String {
        self.page(&Family::OF_APPS)
    }

    /// Returns what the mesh says, as text.
    pub fn mesh_metrics(&self) -> String {
        self.page(&Family::OF_MESH)
    }

    fn page(&self, families: &[Family]) -> String {
        let mut page = Page::default();
        self.current().write(&mut page, families);
        page.into_text()
    }

    /// Returns the past of every service that has just begun to answer; each is told once.
    pub fn take_past(&self) -> Vec<PastSeries> {
        let now = self.0.clock.now().timestamp_millis();
        let mut begun = Vec::new();
        for service in &mut self.current().services {
            if !service.has_past && !service.shares.is_empty() {
                service.has_past = true;
                begun.push(service.clone());
            }
        }
        if now - self.0.started_ms > PAST_LIMIT_MS {
            return Vec::new();
        }
        let told = |service| history::of_service(service, now, PAST, self.0.seed);
        begun.iter().flat_map(told).collect()
    }

    /// Brings the counters up to date.
    fn current(&self) -> RwLockWriteGuard<'_, Model> {
        let shared = &self.0;
        let now = shared.clock.now().timestamp_millis();
        let mut model = shared.model.write().unwrap_or_else(PoisonError::into_inner);
        let changed = shared.changed_at.swap(NEVER, Ordering::AcqRel);
        if changed != NEVER {
            model.run_until(changed.min(now));
            let receivers = &shared.receivers;
            model.set_shares(
                |service| receivers.shares(service),
                |receiver| receivers.is_alive(receiver),
            );
        }
        model.run_until(now);
        model
    }
}
