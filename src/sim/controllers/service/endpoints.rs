//! EndpointSlices and Endpoints: which pods stand behind a Service.
//!
//! Follows `pkg/controller/endpointslice` and `pkg/controller/endpoint`: one slice per Service
//! (a hundred pods each), the older `Endpoints` beside it. Services without a selector are left
//! to their owners.

use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::pods::{is_finished, is_ready, node_of};
use crate::sim::controllers::runtime::{
    Controller, Informer, ObjectKey, ReconcileError, Requeue, Runtime, Writer, selector,
};
use k8s_openapi::api::core::v1::{
    EndpointAddress, EndpointPort as OldPort, EndpointSubset, Endpoints, ObjectReference, Pod,
    Service, ServicePort,
};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::DeleteParams;
use std::collections::BTreeMap;
use std::sync::Arc;

const MANAGER: &str = "kube-controller-manager";
const SERVICE_LABEL: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const SLICE: usize = 100;

/// The controller of EndpointSlices and Endpoints.
#[derive(Debug)]
pub struct EndpointSlices {
    services: Informer<Service>,
    pods: Informer<Pod>,
    slices: Writer<EndpointSlice>,
    endpoints: Writer<Endpoints>,
}

impl EndpointSlices {
    /// Starts the controller.
    pub fn start(runtime: &Runtime) {
        let services = runtime.informer::<Service>();
        let pods = runtime.informer::<Pod>();
        let slices = runtime.informer::<EndpointSlice>();
        let endpoints = runtime.informer::<Endpoints>();
        let queue = runtime.queue();
        services.feed(&queue, |change| [change.key()]);
        slices.feed(&queue, |change| {
            let object = change.object()?;
            let service = object.metadata.labels.as_ref()?.get(SERVICE_LABEL)?.clone();
            Some(ObjectKey::new(change.key().namespace, service))
        });
        endpoints.required_by(&queue);
        let all = services.clone();
        pods.feed(&queue, move |change| {
            let mut keys = Vec::new();
            for pod in change.sides() {
                let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
                for service in all.in_namespace(namespace) {
                    let wanted = service
                        .spec
                        .as_ref()
                        .and_then(|spec| spec.selector.as_ref());
                    if selector::map_matches(wanted, pod.metadata.labels.as_ref()) {
                        keys.push(ObjectKey::of(&*service));
                    }
                }
            }
            keys
        });
        let controller = Self {
            services,
            pods,
            slices: slices.writer(MANAGER),
            endpoints: endpoints.writer(MANAGER),
        };
        runtime.run(controller, queue);
    }

    fn slices_of(&self, key: &ObjectKey) -> Vec<Arc<EndpointSlice>> {
        let mut slices = self.slices.informer().in_namespace(&key.namespace);
        slices.retain(|slice| {
            let label = |name: &str| slice.metadata.labels.as_ref().and_then(|all| all.get(name));
            label(SERVICE_LABEL) == Some(&key.name)
                && label(MANAGED_BY).is_some_and(|by| by == "endpointslice-controller.k8s.io")
        });
        slices
    }

    async fn write_slices(
        &self,
        key: &ObjectKey,
        service: &Service,
        pods: &[Arc<Pod>],
    ) -> Result<(), ReconcileError> {
        let known = self.slices_of(key);
        let mut wanted: Vec<&[Arc<Pod>]> = pods.chunks(SLICE).collect();
        if wanted.is_empty() {
            wanted.push(&[]);
        }
        for (index, pods) in wanted.iter().enumerate() {
            let slice = slice(service, pods);
            match known.get(index) {
                Some(old) => {
                    let mut changed = (**old).clone();
                    changed.endpoints = slice.endpoints;
                    changed.ports = slice.ports;
                    changed.metadata.labels = slice.metadata.labels;
                    self.slices.update(&**old, &changed).await?;
                }
                None => {
                    self.slices.create(&slice).await?;
                }
            }
        }
        for surplus in known.iter().skip(wanted.len()) {
            self.slices
                .delete(&**surplus, &DeleteParams::default())
                .await?;
        }
        Ok(())
    }

    async fn write_endpoints(
        &self,
        key: &ObjectKey,
        service: &Service,
        pods: &[Arc<Pod>],
    ) -> Result<(), ReconcileError> {
        let wanted = endpoints(service, pods);
        match self.endpoints.informer().get(key) {
            None => match self.endpoints.create(&wanted).await {
                Err(error) if !error.is_conflict() => Err(error),
                Ok(_) | Err(_) => Ok(()),
            },
            Some(old) => {
                let mut changed = (*old).clone();
                changed.subsets = wanted.subsets;
                changed.metadata.labels = wanted.metadata.labels;
                self.endpoints.update(&*old, &changed).await.map(|_| ())
            }
        }
    }
}

impl Controller for EndpointSlices {
    type Key = ObjectKey;
    const NAME: &'static str = "endpointslice";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(service) = self.services.get(key) else {
            // The slices are owned by the Service and go with it; Endpoints only share its name.
            if let Some(left) = self.endpoints.informer().get(key) {
                self.endpoints
                    .delete(&*left, &DeleteParams::default())
                    .await?;
            }
            return Ok(Requeue::OnChange);
        };
        let spec = service.spec.clone().unwrap_or_default();
        let has_selector = spec.selector.as_ref().is_some_and(|all| !all.is_empty());
        let is_name_only = spec.type_.as_deref() == Some("ExternalName");
        if !has_selector || is_name_only || service.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::OnChange);
        }
        let mut pods = self.pods.in_namespace(&key.namespace);
        pods.retain(|pod| {
            selector::map_matches(spec.selector.as_ref(), pod.metadata.labels.as_ref())
                && !is_finished(pod)
                && address_of(pod).is_some()
        });
        self.write_slices(key, &service, &pods).await?;
        self.write_endpoints(key, &service, &pods).await?;
        Ok(Requeue::OnChange)
    }
}

fn address_of(pod: &Pod) -> Option<String> {
    pod.status.as_ref()?.pod_ip.clone()
}

fn target(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: Some("Pod".to_owned()),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

/// Returns the number of the pod's port that a Service's port leads to.
fn target_port(port: &ServicePort, pod: Option<&Arc<Pod>>) -> Option<i32> {
    match &port.target_port {
        None | Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => pod?
            .spec
            .iter()
            .flat_map(|spec| &spec.containers)
            .flat_map(|container| container.ports.iter().flatten())
            .find(|port| port.name.as_deref() == Some(name))
            .map(|port| port.container_port),
    }
}

fn publishes_unready(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.is_some_and(|spec| spec.publish_not_ready_addresses == Some(true))
}

fn slice(service: &Service, pods: &[Arc<Pod>]) -> EndpointSlice {
    let spec = service.spec.clone().unwrap_or_default();
    let name = service.metadata.name.clone().unwrap_or_default();
    let mut labels: BTreeMap<String, String> = service.metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_LABEL.to_owned(), name.clone());
    labels.insert(
        MANAGED_BY.to_owned(),
        "endpointslice-controller.k8s.io".to_owned(),
    );
    if spec.cluster_ip.as_deref() == Some("None") {
        labels.insert("service.kubernetes.io/headless".to_owned(), String::new());
    }
    let published = publishes_unready(service);
    let endpoints = pods.iter().filter_map(|pod| {
        let terminating = pod.metadata.deletion_timestamp.is_some();
        let serving = is_ready(pod);
        Some(Endpoint {
            addresses: vec![address_of(pod)?],
            conditions: Some(EndpointConditions {
                ready: Some((serving && !terminating) || published),
                serving: Some(serving),
                terminating: Some(terminating),
            }),
            node_name: node_of(pod).map(str::to_owned),
            target_ref: Some(target(pod)),
            ..Endpoint::default()
        })
    });
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels),
            owner_references: Some(vec![reference_to(service)]),
            ..ObjectMeta::default()
        },
        address_type: "IPv4".to_owned(),
        endpoints: endpoints.collect(),
        ports: Some(
            spec.ports
                .iter()
                .flatten()
                .map(|port| EndpointPort {
                    name: Some(port.name.clone().unwrap_or_default()),
                    port: target_port(port, pods.first()),
                    protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
                    app_protocol: port.app_protocol.clone(),
                })
                .collect(),
        ),
    }
}

fn endpoints(service: &Service, pods: &[Arc<Pod>]) -> Endpoints {
    let published = publishes_unready(service);
    let live = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let (ready, unready): (Vec<_>, Vec<_>) = live.partition(|pod| is_ready(pod) || published);
    let addresses = |pods: Vec<&Arc<Pod>>| {
        let list: Vec<_> = pods
            .into_iter()
            .filter_map(|pod| {
                Some(EndpointAddress {
                    ip: address_of(pod)?,
                    node_name: node_of(pod).map(str::to_owned),
                    target_ref: Some(target(pod)),
                    ..EndpointAddress::default()
                })
            })
            .collect();
        (!list.is_empty()).then_some(list)
    };
    let ports = service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten())
        .filter_map(|port| {
            Some(OldPort {
                name: port.name.clone(),
                port: target_port(port, pods.first())?,
                protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
                app_protocol: port.app_protocol.clone(),
            })
        })
        .collect();
    let subset = EndpointSubset {
        addresses: addresses(ready),
        not_ready_addresses: addresses(unready),
        ports: Some(ports),
    };
    let is_empty = subset.addresses.is_none() && subset.not_ready_addresses.is_none();
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.insert(
        "endpoints.kubernetes.io/managed-by".to_owned(),
        "endpoint-controller".to_owned(),
    );
    Endpoints {
        metadata: ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        subsets: (!is_empty).then(|| vec![subset]),
    }
}
