//! The control loops of the embedded platform.
//!
//! Each is a client of the API server like any other: it lists, watches and writes over
//! `kube::Client` and never reaches into the server's storage.

pub mod analysis;
pub mod argocd;
pub mod autoscaler;
pub mod cronjob;
pub mod daemonset;
pub mod deployment;
pub mod disruption;
pub mod events;
pub mod experiments;
pub mod http_routes;
pub mod image_updater;
pub mod ingress;
pub mod job;
pub mod namespace;
pub mod ownership;
pub mod pods;
pub mod replicaset;
pub mod revisions;
pub mod rollouts;
pub mod runtime;
pub mod scheduler;
pub mod service;
pub mod statefulset;
pub mod tekton;
pub mod volumes;
pub mod workflows;

use crate::sim::events::Events;
use crate::sim::kubelet::{Kubelet, KubeletOptions};
use runtime::Runtime;

/// Starts everything that a Kubernetes cluster runs beside its API server: the controllers of
/// the built-in workloads, the scheduler and the kubelet, which also serves the pods' logs.
///
/// `root_ca` is the PEM text that pods are told to trust (empty while nothing listens).
pub fn start_kubernetes(
    runtime: &Runtime,
    events: &Events,
    kubelet: KubeletOptions,
    root_ca: String,
) -> Kubelet {
    namespace::Namespaces::start(runtime, root_ca);
    deployment::Deployments::start(runtime, events);
    replicaset::ReplicaSets::start(runtime, events);
    statefulset::StatefulSets::start(runtime, events);
    daemonset::DaemonSets::start(runtime, events);
    job::Jobs::start(runtime, events);
    cronjob::CronJobs::start(runtime, events);
    service::Services::start(runtime, events);
    service::endpoints::EndpointSlices::start(runtime);
    volumes::Volumes::start(runtime);
    ingress::Ingresses::start(runtime, events);
    autoscaler::Autoscalers::start(runtime, events);
    disruption::Disruptions::start(runtime);
    scheduler::Scheduler::start(runtime, events);
    Kubelet::start(runtime, events, kubelet)
}
