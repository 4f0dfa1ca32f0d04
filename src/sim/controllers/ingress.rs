//! Ingresses get the address of the platform's entry point a moment after they are made.

use super::runtime::time::utc;
use super::runtime::{Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use k8s_openapi::api::networking::v1::{
    Ingress, IngressLoadBalancerIngress, IngressLoadBalancerStatus, IngressStatus,
};
use std::time::Duration;

const MANAGER: &str = "ingress-controller";
const ENTRY_POINT: &str = "172.18.0.10";
const DELAY: Duration = Duration::from_secs(1);

/// The ingress controller.
#[derive(Debug)]
#[allow(
    clippy::struct_field_names,
    reason = "named as the API names what is written"
)]
pub struct Ingresses {
    ingresses: Writer<Ingress>,
    recorder: Recorder,
    clock: PlatformClock,
}

impl Ingresses {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let ingresses = runtime.informer::<Ingress>();
        let queue = runtime.queue();
        ingresses.feed(&queue, |change| [change.key()]);
        let controller = Self {
            ingresses: ingresses.writer(MANAGER),
            recorder: events.recorder("ingress-controller"),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }
}

impl Controller for Ingresses {
    type Key = ObjectKey;
    const NAME: &'static str = "ingress";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(ingress) = self.ingresses.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let created = ingress.metadata.creation_timestamp.as_ref().map(utc);
        let due = created.map(|created| created + DELAY);
        if let Some(due) = due.filter(|due| *due > self.clock.now()) {
            return Ok(Requeue::At(due));
        }
        let old = ingress.status.clone().unwrap_or_default();
        let known = old
            .load_balancer
            .as_ref()
            .and_then(|one| one.ingress.as_ref());
        if known.is_some_and(|list| !list.is_empty()) {
            return Ok(Requeue::OnChange);
        }
        let new = IngressStatus {
            load_balancer: Some(IngressLoadBalancerStatus {
                ingress: Some(vec![IngressLoadBalancerIngress {
                    ip: Some(ENTRY_POINT.to_owned()),
                    ..IngressLoadBalancerIngress::default()
                }]),
            }),
        };
        if self
            .ingresses
            .update_status(&*ingress, &old, &new)
            .await?
            .is_some()
        {
            self.recorder
                .normal(About::object(&*ingress), "Sync", "Scheduled for sync");
        }
        Ok(Requeue::OnChange)
    }
}
