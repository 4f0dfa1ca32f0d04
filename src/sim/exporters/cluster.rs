//! What kube-state-metrics says of pods and Deployments (`docs/metrics/workload`).
//!
//! A Deployment that neither wants nor has replicas is left out: a generated fleet has thousands.

use crate::sim::controllers::pods::{is_ready, phase};
use crate::sim::controllers::runtime::{Informer, Runtime};
use crate::sim::exposition::{Metric, Page};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use std::sync::Arc;

const PHASES: [&str; 5] = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];

/// The metrics of the cluster's objects.
#[derive(Clone, Debug)]
pub struct ClusterExporter {
    pods: Informer<Pod>,
    deployments: Informer<Deployment>,
}

/// Reads a number from an object.
type Count<T> = fn(&T) -> i32;

impl ClusterExporter {
    /// Starts to watch pods and Deployments.
    pub fn start(runtime: &Runtime) -> Self {
        Self {
            pods: runtime.informer(),
            deployments: runtime.informer(),
        }
    }

    /// Returns all metrics as text.
    pub fn metrics(&self) -> String {
        let mut page = Page::default();
        let pods = self.pods.all();
        write_pods(&mut page, &pods);
        write_containers(&mut page, &pods);
        self.write_deployments(&mut page);
        page.into_text()
    }

    fn write_deployments(&self, page: &mut Page) {
        let mut deployments = self.deployments.all();
        deployments.retain(|one| wanted(one) > 0 || status(one, |all| all.replicas) > 0);
        let families: [(&str, &str, Count<Deployment>); 6] = [
            (
                "kube_deployment_spec_replicas",
                "Number of desired pods for a deployment.",
                wanted,
            ),
            (
                "kube_deployment_status_replicas",
                "The number of replicas per deployment.",
                |one| status(one, |all| all.replicas),
            ),
            (
                "kube_deployment_status_replicas_ready",
                "The number of ready replicas per deployment.",
                |one| status(one, |all| all.ready_replicas),
            ),
            (
                "kube_deployment_status_replicas_available",
                "The number of available replicas per deployment.",
                |one| status(one, |all| all.available_replicas),
            ),
            (
                "kube_deployment_status_replicas_unavailable",
                "The number of unavailable replicas per deployment.",
                |one| status(one, |all| all.unavailable_replicas),
            ),
            (
                "kube_deployment_status_replicas_updated",
                "The number of updated replicas per deployment.",
                |one| status(one, |all| all.updated_replicas),
            ),
        ];
        for (name, help, value) in families {
            page.family(name, Metric::Gauge, help);
            for one in &deployments {
                let labels = [
                    (
                        "namespace",
                        one.metadata.namespace.as_deref().unwrap_or_default(),
                    ),
                    (
                        "deployment",
                        one.metadata.name.as_deref().unwrap_or_default(),
                    ),
                ];
                page.sample(name, &labels, f64::from(value(one)));
            }
        }
    }
}

fn wanted(deployment: &Deployment) -> i32 {
    let spec = deployment.spec.as_ref();
    spec.and_then(|spec| spec.replicas).unwrap_or(1)
}

fn status(
    deployment: &Deployment,
    read: fn(&k8s_openapi::api::apps::v1::DeploymentStatus) -> Option<i32>,
) -> i32 {
    deployment.status.as_ref().and_then(read).unwrap_or(0)
}

/// Namespace, name and uid of a pod, as every family of pods has them.
fn names(pod: &Pod) -> [(&'static str, &str); 3] {
    let metadata = &pod.metadata;
    [
        (
            "namespace",
            metadata.namespace.as_deref().unwrap_or_default(),
        ),
        ("pod", metadata.name.as_deref().unwrap_or_default()),
        ("uid", metadata.uid.as_deref().unwrap_or_default()),
    ]
}

fn write_pods(page: &mut Page, pods: &[Arc<Pod>]) {
    page.family("kube_pod_info", Metric::Gauge, "Information about pod.");
    for pod in pods {
        let owners = pod.metadata.owner_references.as_ref();
        let owner = owners.and_then(|all| all.iter().find(|one| one.controller == Some(true)));
        let status = pod.status.as_ref();
        let spec = pod.spec.as_ref();
        let node = spec.and_then(|spec| spec.node_name.as_deref());
        let mut labels = names(pod).to_vec();
        labels.extend([
            ("node", node.unwrap_or_default()),
            ("created_by_kind", owner.map_or("", |owner| &owner.kind)),
            ("created_by_name", owner.map_or("", |owner| &owner.name)),
            (
                "pod_ip",
                status
                    .and_then(|status| status.pod_ip.as_deref())
                    .unwrap_or_default(),
            ),
            (
                "host_ip",
                status
                    .and_then(|status| status.host_ip.as_deref())
                    .unwrap_or_default(),
            ),
        ]);
        page.sample("kube_pod_info", &labels, 1.0);
    }
    let help = "The pods current phase.";
    page.family("kube_pod_status_phase", Metric::Gauge, help);
    for pod in pods {
        for word in PHASES {
            let mut labels = names(pod).to_vec();
            labels.push(("phase", word));
            page.sample(
                "kube_pod_status_phase",
                &labels,
                f64::from(word == phase(pod)),
            );
        }
    }
    let help = "Describes whether the pod is ready to serve requests.";
    page.family("kube_pod_status_ready", Metric::Gauge, help);
    for pod in pods {
        for (word, is_so) in [("true", is_ready(pod)), ("false", !is_ready(pod))] {
            let mut labels = names(pod).to_vec();
            labels.push(("condition", word));
            page.sample("kube_pod_status_ready", &labels, f64::from(is_so));
        }
    }
}

fn containers(pod: &Pod) -> &[ContainerStatus] {
    let status = pod.status.as_ref();
    let all = status.and_then(|status| status.container_statuses.as_ref());
    all.map_or(&[], Vec::as_slice)
}

fn all_containers(pods: &[Arc<Pod>]) -> impl Iterator<Item = (&Arc<Pod>, &ContainerStatus)> {
    pods.iter().flat_map(|pod| {
        let containers = containers(pod).iter();
        containers.map(move |container| (pod, container))
    })
}

fn write_containers(page: &mut Page, pods: &[Arc<Pod>]) {
    let help = "Information about a container in a pod.";
    page.family("kube_pod_container_info", Metric::Gauge, help);
    for (pod, container) in all_containers(pods) {
        let spec = pod.spec.as_ref();
        let declared = spec.and_then(|spec| {
            let mut containers = spec.containers.iter();
            containers.find(|one| one.name == container.name)
        });
        let image_spec = declared.and_then(|one| one.image.as_deref());
        let mut labels = names(pod).to_vec();
        labels.extend([
            ("container", container.name.as_str()),
            ("image", &container.image),
            ("image_spec", image_spec.unwrap_or_default()),
            ("image_id", &container.image_id),
            (
                "container_id",
                container.container_id.as_deref().unwrap_or_default(),
            ),
        ]);
        page.sample("kube_pod_container_info", &labels, 1.0);
    }
    write_container_states(page, pods);
    write_waiting(page, pods);
}

fn write_container_states(page: &mut Page, pods: &[Arc<Pod>]) {
    let families: [(&str, Metric, &str, Count<ContainerStatus>); 2] = [
        (
            "kube_pod_container_status_restarts_total",
            Metric::Counter,
            "The number of container restarts per container.",
            |one| one.restart_count,
        ),
        (
            "kube_pod_container_status_ready",
            Metric::Gauge,
            "Describes whether the containers readiness check succeeded.",
            |one| i32::from(one.ready),
        ),
    ];
    for (name, metric, help, value) in families {
        page.family(name, metric, help);
        for (pod, container) in all_containers(pods) {
            let mut labels = names(pod).to_vec();
            labels.push(("container", &container.name));
            page.sample(name, &labels, f64::from(value(container)));
        }
    }
}

fn write_waiting(page: &mut Page, pods: &[Arc<Pod>]) {
    let name = "kube_pod_container_status_waiting_reason";
    let help = "Describes the reason the container is currently in waiting state.";
    page.family(name, Metric::Gauge, help);
    for (pod, container) in all_containers(pods) {
        let state = container.state.as_ref();
        let waiting = state.and_then(|state| state.waiting.as_ref());
        if let Some(reason) = waiting.and_then(|waiting| waiting.reason.as_deref()) {
            let mut labels = names(pod).to_vec();
            labels.extend([("container", container.name.as_str()), ("reason", reason)]);
            page.sample(name, &labels, 1.0);
        }
    }
}
