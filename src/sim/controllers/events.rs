//! Argo Events: EventSources, EventBuses and Sensors, and what comes of events.
//!
//! Follows Argo Events v1.9. The bus is a queue in memory and nothing runs in the pods that the
//! cluster shows: the controllers here receive, filter and trigger themselves, at most once. Events
//! come from webhooks (each EventSource on its own ports and paths), GitHub's signed webhooks,
//! calendars and changes of objects; triggers make Workflows and other objects or ask servers.
//! What was received and what became of it can be read, and sent again, at the service
//! `argo-events/webhooks` ([`ArgoEvents::router`]).

mod conditions;
mod expression;
mod filters;
mod hub;
mod ledger;
mod listener;
mod model;
mod parameters;
mod path;
mod receiver;
mod sensors;
mod served;
mod sources;
mod template;
mod triggers;
mod workloads;

pub use ledger::{Consequence, Ledger, Made, Outcome, Received, RequestSeen};
pub use model::{Event, EventBus, EventSource, Sensor};

use super::runtime::Runtime;
use crate::sim::network::Network;
use axum::Router;
use hub::{Hub, WAITING};
use listener::Listener;
use receiver::port_of;
use sensors::{Buses, Sensors};
use sources::Sources;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use triggers::{Hands, Pace};

/// Argo Events as it runs on the platform. Clones share it.
#[derive(Clone, Debug)]
pub struct ArgoEvents {
    hub: Arc<Hub>,
}

impl ArgoEvents {
    /// Starts the controllers, and what brings events to sensors.
    pub fn start(runtime: &Runtime, network: Network) -> Self {
        let (sender, events) = mpsc::channel(WAITING);
        let sensors = runtime.informer::<Sensor>();
        let informers = (runtime.informer(), runtime.informer());
        let times = (runtime.clock().clone(), runtime.seed());
        let hub = Arc::new(Hub::new(informers, times, sender));
        Buses::start(runtime, hub.clone());
        Sensors::start(runtime, &sensors, hub.clone());
        Sources::start(runtime, hub.clone(), network.clone());
        let hands = Hands {
            client: runtime.client().clone(),
            network,
            hub: hub.clone(),
            pace: Pace::default(),
        };
        let listener = Listener {
            sensors,
            hub: hub.clone(),
            hands: Arc::new(hands),
            runtime: runtime.clone(),
            kept: BTreeMap::new(),
        };
        runtime.spawn(listener.run(events));
        Self { hub }
    }

    /// Returns what was received.
    pub fn ledger(&self) -> &Ledger {
        &self.hub.ledger
    }

    /// Serves what was received, and sends it again when asked to.
    pub fn router(&self) -> Router {
        served::router(self.hub.clone())
    }

    /// Returns the name of the Service in front of an EventSource.
    pub fn service(event_source: &str) -> String {
        format!("{event_source}-eventsource-svc")
    }

    /// Lists the ports on which an EventSource receives requests, with the path of each event.
    pub fn ports(event_source: &serde_json::Value) -> Vec<(u16, String)> {
        let spec = event_source.get("spec").unwrap_or(&serde_json::Value::Null);
        let doors = model::declared(spec).filter_map(|one| one.door());
        let ports = doors.filter_map(|door| {
            let path = model::text(door, "endpoint").trim_start_matches('/');
            Some((port_of(door)?, format!("/{path}")))
        });
        ports.collect()
    }
}
