//! Services: addresses, node ports, the load balancer's ingress.
//!
//! Upstream's API server allocates cluster addresses as it stores the object; here that is done
//! right afterwards if nobody has. A load balancer answers a moment later, as clouds do.

pub mod endpoints;

use super::runtime::time::utc;
use super::runtime::{Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use crate::sim::rng::fnv32a;
use k8s_openapi::api::core::v1::{LoadBalancerIngress, LoadBalancerStatus, Service, ServiceSpec};
use std::collections::BTreeSet;
use std::time::Duration;

const MANAGER: &str = "kube-controller-manager";
const BALANCER_DELAY: Duration = Duration::from_secs(1);
const NODE_PORTS: std::ops::Range<i32> = 30_000..32_768;

/// The controller that gives Services their addresses.
#[derive(Debug)]
#[allow(
    clippy::struct_field_names,
    reason = "named as the API names what is written"
)]
pub struct Services {
    services: Writer<Service>,
    recorder: Recorder,
    clock: PlatformClock,
}

impl Services {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let services = runtime.informer::<Service>();
        let queue = runtime.queue();
        services.feed(&queue, |change| [change.key()]);
        let controller = Self {
            services: services.writer(MANAGER),
            recorder: events.recorder("service-controller"),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    fn taken(&self, what: impl Fn(&ServiceSpec) -> Vec<String>) -> BTreeSet<String> {
        let all = self.services.informer().all();
        all.iter()
            .filter_map(|service| service.spec.as_ref())
            .flat_map(what)
            .collect()
    }

    /// Fills in the addresses that are missing from a spec.
    fn allocate(&self, key: &ObjectKey, spec: &mut ServiceSpec) {
        let kind = spec.type_.clone().unwrap_or_else(|| "ClusterIP".to_owned());
        if kind == "ExternalName" {
            return;
        }
        if spec.cluster_ip.as_deref().unwrap_or_default().is_empty() {
            let taken = self.taken(|spec| spec.cluster_ips.clone().unwrap_or_default());
            let ip = free(&key.to_string(), |number| {
                let ip = format!("10.96.{}.{}", (number >> 8) & 0xff, 1 + number % 254);
                (!taken.contains(&ip)).then_some(ip)
            });
            spec.cluster_ip.clone_from(&ip);
        }
        if spec.cluster_ips.is_none() {
            spec.cluster_ips = spec.cluster_ip.clone().map(|ip| vec![ip]);
        }
        if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
            self.allocate_ports(key, spec);
        }
    }

    fn allocate_ports(&self, key: &ObjectKey, spec: &mut ServiceSpec) {
        if spec.allocate_load_balancer_node_ports == Some(false) {
            return;
        }
        let mut taken = self.taken(|spec| {
            let ports = spec.ports.iter().flatten();
            ports
                .filter_map(|port| port.node_port.map(|port| port.to_string()))
                .collect()
        });
        for port in spec.ports.iter_mut().flatten() {
            if port.node_port.is_some_and(|port| port != 0) {
                continue;
            }
            let seed = format!("{key}/{}", port.port);
            port.node_port = free(&seed, |number| {
                let candidate = NODE_PORTS.start + (number % NODE_PORTS.len() as u32) as i32;
                taken.insert(candidate.to_string()).then_some(candidate)
            });
        }
    }

    async fn balance(&self, key: &ObjectKey, service: &Service) -> Result<(), ReconcileError> {
        let old = service.status.clone().unwrap_or_default();
        let has_ingress = old
            .load_balancer
            .as_ref()
            .is_some_and(|one| one.ingress.iter().flatten().next().is_some());
        if has_ingress {
            return Ok(());
        }
        let number = fnv32a(key.to_string().as_bytes());
        let mut new = old.clone();
        new.load_balancer = Some(LoadBalancerStatus {
            ingress: Some(vec![LoadBalancerIngress {
                ip: Some(format!(
                    "172.18.{}.{}",
                    100 + (number >> 8) % 100,
                    1 + number % 254
                )),
                ip_mode: Some("VIP".to_owned()),
                ..LoadBalancerIngress::default()
            }]),
        });
        if self
            .services
            .update_status(service, &old, &new)
            .await?
            .is_some()
        {
            self.recorder.normal(
                About::object(service),
                "EnsuredLoadBalancer",
                "Ensured load balancer",
            );
        }
        Ok(())
    }
}

impl Controller for Services {
    type Key = ObjectKey;
    const NAME: &'static str = "service";
    // One at a time, so that no address is given twice.
    const CONCURRENCY: usize = 1;

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(service) = self.services.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        if service.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::OnChange);
        }
        let mut changed = (*service).clone();
        self.allocate(key, changed.spec.get_or_insert_default());
        if self.services.update(&*service, &changed).await?.is_some() {
            return Ok(Requeue::OnChange);
        }
        let balanced = service
            .spec
            .as_ref()
            .is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"));
        if !balanced {
            return Ok(Requeue::OnChange);
        }
        let created = service.metadata.creation_timestamp.as_ref().map(utc);
        let answers_at = created.map(|created| created + BALANCER_DELAY);
        if let Some(due) = answers_at.filter(|due| *due > self.clock.now()) {
            return Ok(Requeue::At(due));
        }
        self.balance(key, &service).await?;
        Ok(Requeue::OnChange)
    }
}

/// Returns the first candidate that is free, starting where the seed says.
fn free<T>(seed: &str, mut candidate: impl FnMut(u32) -> Option<T>) -> Option<T> {
    let start = fnv32a(seed.as_bytes());
    (0..65_536).find_map(|offset| candidate(start.wrapping_add(offset)))
}
