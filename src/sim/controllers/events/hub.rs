//! What all parts of Argo Events share: the bus, the ledger, ids.
//!
//! The bus is a queue in memory. It takes an event when the EventBus that the event's source names
//! is there and ready; sensors get each event at most once, as upstream's do.

use super::conditions::is_ready;
use super::ledger::Ledger;
use super::model::{Event, EventBus, EventSource};
use crate::domain::clock::Clock as _;
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::runtime::{Informer, ObjectKey};
use crate::sim::rng::Seed;
use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Events that wait for the sensors; when there are more, sources are told so.
pub(super) const WAITING: usize = 512;

#[derive(Debug)]
pub(super) struct Hub {
    pub(super) sources: Informer<EventSource>,
    pub(super) buses: Informer<EventBus>,
    pub(super) ledger: Ledger,
    pub(super) clock: PlatformClock,
    seed: Seed,
    count: AtomicU64,
    bus: mpsc::Sender<Arc<Event>>,
}

impl Hub {
    pub(super) fn new(
        informers: (Informer<EventSource>, Informer<EventBus>),
        (clock, seed): (PlatformClock, Seed),
        bus: mpsc::Sender<Arc<Event>>,
    ) -> Self {
        Self {
            sources: informers.0,
            buses: informers.1,
            ledger: Ledger::default(),
            clock,
            seed,
            count: AtomicU64::new(0),
            bus,
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Makes the id of an event.
    pub(super) fn new_id(&self) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed).to_string();
        self.seed.stream(&["events", &number]).hex(32)
    }

    /// Returns whether a bus is there and ready, or why it is not.
    pub(super) fn bus(&self, namespace: &str, name: &str) -> Result<(), (&'static str, String)> {
        match self.buses.get(&ObjectKey::new(namespace, name)) {
            None => Err(("EventBusNotFound", format!("EventBus {name} not found"))),
            Some(bus) if is_ready(&bus.status) => Ok(()),
            Some(_) => Err(("EventBusNotReady", format!("EventBus {name} is not ready"))),
        }
    }

    /// Puts an event on its bus.
    pub(super) fn publish(&self, event: Event) -> Result<(), String> {
        self.bus(&event.namespace, &event.bus)
            .map_err(|(_, why)| why)?;
        self.bus
            .try_send(Arc::new(event))
            .map_err(|_full| format!("{WAITING} events wait on the bus already"))
    }

    /// Reads what a reference to a key of a Secret means.
    pub(super) async fn secret(&self, namespace: &str, reference: &Value) -> Option<String> {
        let text = |field: &str| reference.get(field).and_then(Value::as_str);
        let secrets: Api<Secret> = Api::namespaced(self.client().clone(), namespace);
        let secret = secrets.get(text("name")?).await.ok()?;
        let bytes = secret.data?.remove(text("key")?)?;
        String::from_utf8(bytes.0).ok()
    }

    fn client(&self) -> &Client {
        self.sources.client()
    }
}
