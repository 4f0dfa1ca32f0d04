//! Which pods receive the requests for a Service now, and in what shares.
//!
//! Reads watched caches only: routes decide between Services, ready endpoints between pods.

use super::latency::Load;
use super::meter::{Mesh, Receiver};
use super::routes::{self, Backend};
use crate::sim::controllers::pods::restarts;
use crate::sim::controllers::runtime::{Informer, ObjectKey, Runtime};
use crate::sim::kubelet::image::ImageSource;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SERVICE_LABEL: &str = "kubernetes.io/service-name";
const ROLLOUT_HASH: &str = "rollouts-pod-template-hash";
const DEPLOYMENT_HASH: &str = "pod-template-hash";

/// A pod's part of the requests for a Service.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Share {
    /// Of all requests for the Service: 0 to 1.
    pub(super) part: f64,
    pub(super) receiver: Receiver,
}

/// What decides where requests go.
#[derive(Debug)]
pub(super) struct Receivers {
    pods: Informer<Pod>,
    slices: Informer<EndpointSlice>,
    namespaces: Informer<Namespace>,
    http_routes: Informer<DynamicObject>,
    virtual_services: Informer<DynamicObject>,
    destination_rules: Informer<DynamicObject>,
    images: Arc<dyn ImageSource>,
}

fn resource(group: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
}

impl Receivers {
    /// Starts to watch.
    pub(super) fn watch(runtime: &Runtime, images: Arc<dyn ImageSource>) -> Self {
        let routes = |group, kind| runtime.informer_of(resource(group, kind));
        Self {
            pods: runtime.informer(),
            slices: runtime.informer(),
            namespaces: runtime.informer(),
            http_routes: routes("gateway.networking.k8s.io", "HTTPRoute"),
            virtual_services: routes("networking.istio.io", "VirtualService"),
            destination_rules: routes("networking.istio.io", "DestinationRule"),
            images,
        }
    }

    /// Calls `changed` whenever requests for one of the namespaces may go elsewhere.
    pub(super) fn on_change(
        &self,
        namespaces: &BTreeSet<String>,
        changed: impl Fn() + Clone + Send + Sync + 'static,
    ) {
        let told = |changed: &(dyn Fn() + Send + Sync), of: &BTreeSet<String>, in_: &str| {
            if of.contains(in_) {
                changed();
            }
        };
        let (of, tell) = (namespaces.clone(), changed.clone());
        self.slices
            .on_change(move |change| told(&tell, &of, &change.key().namespace));
        let (of, tell) = (namespaces.clone(), changed.clone());
        self.pods
            .on_change(move |change| told(&tell, &of, &change.key().namespace));
        let routes = [
            &self.http_routes,
            &self.virtual_services,
            &self.destination_rules,
        ];
        for informer in routes {
            let tell = changed.clone();
            informer.on_change(move |_| tell());
        }
    }

    /// Whether the process that counted is still there.
    pub(super) fn is_alive(&self, receiver: &Receiver) -> bool {
        let key = ObjectKey::new(&receiver.service.namespace, &receiver.pod);
        self.pods.get(&key).is_some_and(|pod| {
            pod.metadata.uid.as_deref() == Some(&receiver.uid)
                && restarts(&pod) == receiver.restarts
        })
    }

    /// Returns who receives the requests for a Service; the parts add up to 1, or to less when
    /// a route sends requests to where nobody answers.
    pub(super) fn shares(&self, service: &ObjectKey) -> Vec<Share> {
        let backends = self.backends(service);
        let whole: f64 = backends.iter().map(|backend| backend.weight).sum();
        if whole <= 0.0 {
            return Vec::new();
        }
        let mut shares = Vec::new();
        for backend in backends.iter().filter(|backend| backend.weight > 0.0) {
            let pods = self.ready_pods(backend);
            let part = backend.weight / whole / pods.len().max(1) as f64;
            shares.extend(pods.iter().map(|pod| Share {
                part,
                receiver: self.receiver(&backend.service, pod),
            }));
        }
        shares
    }

    fn backends(&self, service: &ObjectKey) -> Vec<Backend> {
        let virtual_services = self.virtual_services.all();
        let mut found = virtual_services.iter().filter_map(|one| {
            let namespace = one.metadata.namespace.as_deref().unwrap_or_default();
            routes::virtual_service(&one.data, namespace, service)
        });
        if let Some(backends) = found.next() {
            return backends;
        }
        let http_routes = self.http_routes.all();
        let mut found = http_routes.iter().filter_map(|one| {
            let namespace = one.metadata.namespace.as_deref().unwrap_or_default();
            routes::http_route(&one.data, namespace, service)
        });
        found.next().unwrap_or_else(|| {
            vec![Backend {
                service: service.clone(),
                subset: None,
                weight: 1.0,
            }]
        })
    }

    /// Returns the pods that a Service's slices name as ready, in the order of their names.
    fn ready_pods(&self, backend: &Backend) -> Vec<Arc<Pod>> {
        let namespace = &backend.service.namespace;
        let subset = self.subset_labels(backend);
        let mut names = BTreeSet::new();
        for slice in self.slices.in_namespace(namespace) {
            let of = slice.metadata.labels.as_ref();
            if of.and_then(|labels| labels.get(SERVICE_LABEL)) != Some(&backend.service.name) {
                continue;
            }
            let ready = slice.endpoints.iter().filter(|endpoint| {
                let conditions = endpoint.conditions.as_ref();
                conditions.and_then(|all| all.ready).unwrap_or(true)
            });
            names.extend(ready.filter_map(|one| one.target_ref.as_ref()?.name.clone()));
        }
        names
            .into_iter()
            .filter_map(|name| self.pods.get(&ObjectKey::new(namespace, name)))
            .filter(|pod| {
                subset.as_ref().is_none_or(|wanted| {
                    let labels = pod.metadata.labels.as_ref();
                    wanted.iter().all(|(name, value)| {
                        labels.and_then(|all| all.get(name)).map(String::as_str) == value.as_str()
                    })
                })
            })
            .collect()
    }

    /// `None`: the backend is the whole Service.
    fn subset_labels(&self, backend: &Backend) -> Option<Map<String, Value>> {
        backend.subset.as_ref()?;
        let rules = self.destination_rules.all();
        rules.iter().find_map(|rule| {
            let namespace = rule.metadata.namespace.as_deref().unwrap_or_default();
            routes::subset_labels(&rule.data, namespace, backend).cloned()
        })
    }

    fn receiver(&self, service: &ObjectKey, pod: &Pod) -> Receiver {
        let empty = BTreeMap::new();
        let labels = pod.metadata.labels.as_ref().unwrap_or(&empty);
        let label = |names: &[&str]| names.iter().find_map(|name| labels.get(*name)).cloned();
        let image = main_image(pod);
        let version = label(&["app.kubernetes.io/version", "version"]);
        let hash = label(&[ROLLOUT_HASH, DEPLOYMENT_HASH]).unwrap_or_default();
        Receiver {
            service: service.clone(),
            pod: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            restarts: restarts(pod),
            app: label(&["app", "app.kubernetes.io/name"]).unwrap_or_else(|| service.name.clone()),
            version: version.clone().unwrap_or_else(|| tag_of(image).to_owned()),
            revision: version.unwrap_or_else(|| "latest".to_owned()),
            workload: workload_of(pod, &hash),
            template_hash: hash,
            mesh: self.mesh_of(&service.namespace),
            load: Load::of(&self.images.profile(image)),
        }
    }

    /// Reads the labels that Istio decides by.
    fn mesh_of(&self, namespace: &str) -> Option<Mesh> {
        let found = self.namespaces.get(&ObjectKey::new("", namespace))?;
        let labels = found.metadata.labels.as_ref()?;
        let label = |name: &str| labels.get(name).map(String::as_str);
        if label("istio-injection") == Some("enabled") || label("istio.io/rev").is_some() {
            return Some(Mesh::Sidecar);
        }
        if label("istio.io/dataplane-mode") != Some("ambient") {
            return None;
        }
        let has_waypoint = label("istio.io/use-waypoint").is_some_and(|name| name != "none");
        Some(if has_waypoint {
            Mesh::Waypoint
        } else {
            Mesh::Ambient
        })
    }
}

fn main_image(pod: &Pod) -> &str {
    let containers = pod.spec.as_ref().map(|spec| &spec.containers);
    let first = containers.and_then(|all| all.first());
    first
        .and_then(|one| one.image.as_deref())
        .unwrap_or_default()
}

/// The controller's name without the hash that a ReplicaSet appends.
fn workload_of(pod: &Pod, hash: &str) -> String {
    let owners = pod.metadata.owner_references.as_ref();
    let owner = owners.and_then(|all| all.iter().find(|one| one.controller == Some(true)));
    let name = owner.map_or_else(
        || pod.metadata.name.clone().unwrap_or_default(),
        |owner| owner.name.clone(),
    );
    let base = name
        .strip_suffix(hash)
        .and_then(|rest| rest.strip_suffix('-'));
    match base {
        Some(base) if !hash.is_empty() => base.to_owned(),
        Some(_) | None => name,
    }
}

/// Returns the tag of an image, without a digest.
pub(crate) fn tag_of(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    last.split_once(':').map_or("latest", |(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_of_the_workload_above_its_replica_set() {
        let pod: Pod = serde_json::from_value(serde_json::json!({"metadata": {
            "name": "web-7d9f-abcde",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d9f",
                "uid": "1", "controller": true}]}}))
        .expect("a pod");

        assert_eq!(workload_of(&pod, "7d9f"), "web");
        assert_eq!(workload_of(&pod, ""), "web-7d9f");
        assert_eq!(workload_of(&pod, "other"), "web-7d9f");
    }

    #[test]
    fn tags_are_read_without_port_and_digest() {
        assert_eq!(tag_of("host:5000/shop/web:1.2@sha256:ab"), "1.2");
        assert_eq!(tag_of("host:5000/shop/web"), "latest");
    }
}
