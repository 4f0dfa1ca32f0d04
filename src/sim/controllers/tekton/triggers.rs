//! Tekton Triggers: EventListeners that make runs out of events.
//!
//! Follows Tekton Triggers 0.37. An EventListener is given a Service and a Deployment, as upstream;
//! what is sent to the Service is worked on here: interceptors, bindings, templates. What became of
//! each Trigger is told by Events about the EventListener. Interceptors `github`, `gitlab` and
//! `cel` are served; others, and `triggerGroups`, are refused with a message.

mod bindings;
mod interceptors;
mod listener;
mod process;
mod workload;

use super::model::EventListener;
use super::model::status::{self, Condition};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::ownership::owner_keys;
use crate::sim::controllers::runtime::time::api_time;
use crate::sim::controllers::runtime::{
    Controller, Informer, ObjectKey, ReconcileError, Requeue, Runtime, Writer,
};
use crate::sim::events::{Events, Recorder};
use crate::sim::network::Network;
use crate::sim::rng::Seed;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MANAGER: &str = "tekton-triggers-controller";

/// What the listeners share.
pub(super) struct Hub {
    pub(super) client: Client,
    pub(super) listeners: Informer<EventListener>,
    pub(super) recorder: Recorder,
    seed: Seed,
    count: AtomicU64,
}

impl Hub {
    /// Returns a new id, as a UUID is written.
    pub(super) fn new_id(&self) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed).to_string();
        let mut rng = self.seed.stream(&["triggers", &number]);
        let parts = [8, 4, 4, 4, 12].map(|length| rng.hex(length));
        parts.join("-")
    }
}

/// The EventListener controller.
pub struct EventListeners {
    listeners: Writer<EventListener>,
    services: Writer<Service>,
    deployments: Writer<Deployment>,
    hub: Arc<Hub>,
    network: Network,
    clock: PlatformClock,
}

/// How far an EventListener is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
struct ListenerStatus {
    #[serde(skip_serializing_if = "Value::is_null")]
    address: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    configuration: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Condition>,
}

impl EventListeners {
    /// Starts the controller; `network` is where listeners can be reached.
    pub fn start(runtime: &Runtime, events: &Events, network: Network) {
        let listeners = runtime.informer::<EventListener>();
        let services = runtime.informer::<Service>();
        let deployments = runtime.informer::<Deployment>();
        let queue = runtime.queue();
        listeners.feed(&queue, |change| [change.key()]);
        deployments.feed(&queue, |change| owner_keys(change, "EventListener"));
        services.feed(&queue, |change| owner_keys(change, "EventListener"));
        let hub = Hub {
            client: runtime.client().clone(),
            listeners: listeners.clone(),
            recorder: events.recorder("tekton-triggers-eventlistener"),
            seed: runtime.seed(),
            count: AtomicU64::new(0),
        };
        let controller = Self {
            listeners: listeners.writer(MANAGER),
            services: services.writer(MANAGER),
            deployments: deployments.writer(MANAGER),
            hub: Arc::new(hub),
            network,
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    /// Makes what is missing, and returns whether pods answer.
    async fn arrange(&self, listener: &EventListener) -> Result<bool, ReconcileError> {
        let key = workload::key(listener);
        if self.services.informer().get(&key).is_none() {
            made(self.services.create(&workload::service(listener)).await)?;
        }
        let Some(deployment) = self.deployments.informer().get(&key) else {
            made(
                self.deployments
                    .create(&workload::deployment(listener))
                    .await,
            )?;
            return Ok(false);
        };
        let status = deployment.status.as_ref();
        let available = status.and_then(|status| status.available_replicas);
        Ok(available.unwrap_or(0) > 0)
    }

    fn tell(&self, new: &mut ListenerStatus, listener: &EventListener, available: bool) {
        let now = api_time(self.clock.now());
        let word = if available { "True" } else { "False" };
        let unready = (
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        );
        let ready = (
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        );
        let refusal = listener
            .spec
            .get("triggerGroups")
            .filter(|groups| groups.as_array().is_some_and(|groups| !groups.is_empty()));
        let (reason, message) = if available { ready } else { unready };
        let mut told = vec![
            ("Available", word, reason, message),
            ("Deployment", "True", "Deployment exists", ""),
            ("Ready", word, reason, message),
            ("Service", "True", "Service exists", ""),
        ];
        if refusal.is_some() {
            let message = "triggerGroups are not worked on by the embedded platform; use triggers";
            told.retain(|one| one.0 != "Ready");
            told.push(("Ready", "False", "TriggerGroupsUnsupported", message));
        }
        new.conditions = told
            .into_iter()
            .map(|(kind, status, reason, message)| {
                let known = new.conditions.iter().find(|one| one.kind == kind);
                let known = known.filter(|one| one.status == status);
                Condition {
                    kind: kind.to_owned(),
                    status: status.to_owned(),
                    reason: reason.to_owned(),
                    message: message.to_owned(),
                    last_transition_time: known
                        .and_then(|one| one.last_transition_time.clone())
                        .or_else(|| Some(now.clone())),
                }
            })
            .collect();
    }
}

/// What is there already was made a moment ago.
fn made<T>(outcome: Result<T, ReconcileError>) -> Result<(), ReconcileError> {
    match outcome {
        Err(error) if error.reason() != "AlreadyExists" => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

impl Controller for EventListeners {
    type Key = ObjectKey;
    const NAME: &'static str = "eventlistener";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(listener) = self.listeners.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        if listener.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::OnChange);
        }
        let available = self.arrange(&listener).await?;
        let service = workload::key(&listener);
        let router = listener::router(Arc::clone(&self.hub), key.clone());
        self.network
            .serve(&service.namespace, &service.name, router);
        let old: ListenerStatus = status::read(&listener.status);
        let mut new = old.clone();
        let host = format!(
            "{}.{}.svc.cluster.local:8080",
            service.name, service.namespace
        );
        new.address = json!({"url": format!("http://{host}")});
        new.configuration = json!({"generatedName": service.name});
        self.tell(&mut new, &listener, available);
        self.listeners.update_status(&listener, &old, &new).await?;
        Ok(Requeue::OnChange)
    }
}
