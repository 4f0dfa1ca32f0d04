//! The nodes of the platform: what they have, and that they are ready.

use crate::sim::controllers::runtime::time::api_time;
use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::{
    DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeSpec, NodeStatus,
    NodeSystemInfo,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// A machine to run pods on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeShape {
    /// The node's name.
    pub name: String,
    /// Whole processors.
    pub cpus: u32,
    /// GiB of memory.
    pub memory_gib: u32,
    /// How many pods it takes.
    pub pods: u32,
}

impl NodeShape {
    /// Returns three workers that are large enough for a demo.
    pub fn three_workers() -> Vec<Self> {
        (1..=3)
            .map(|number| Self {
                name: format!("worker-{number}"),
                cpus: 32,
                memory_gib: 128,
                pods: 4000,
            })
            .collect()
    }
}

/// Returns the address of the node at a place in the list.
pub(super) fn address(index: usize) -> String {
    format!("10.89.0.{}", index + 2)
}

pub(super) fn node(shape: &NodeShape, index: usize, version: &str, now: DateTime<Utc>) -> Node {
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Node {
        metadata: ObjectMeta {
            name: Some(shape.name.clone()),
            labels: Some(BTreeMap::from([
                label("kubernetes.io/hostname", &shape.name),
                label("kubernetes.io/arch", "amd64"),
                label("kubernetes.io/os", "linux"),
                label("beta.kubernetes.io/arch", "amd64"),
                label("beta.kubernetes.io/os", "linux"),
            ])),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            pod_cidr: Some(format!("10.{}.0.0/16", 64 + index)),
            pod_cidrs: Some(vec![format!("10.{}.0.0/16", 64 + index)]),
            provider_id: Some(format!("tiphys://{}", shape.name)),
            ..NodeSpec::default()
        }),
        status: Some(status(shape, index, version, now)),
    }
}

pub(super) fn status(
    shape: &NodeShape,
    index: usize,
    version: &str,
    now: DateTime<Utc>,
) -> NodeStatus {
    let resources = BTreeMap::from([
        ("cpu".to_owned(), Quantity(shape.cpus.to_string())),
        (
            "memory".to_owned(),
            Quantity(format!("{}Ki", u64::from(shape.memory_gib) * 1024 * 1024)),
        ),
        ("pods".to_owned(), Quantity(shape.pods.to_string())),
        (
            "ephemeral-storage".to_owned(),
            Quantity("104857600Ki".to_owned()),
        ),
    ]);
    let kind_address = |kind: &str, address: &str| NodeAddress {
        type_: kind.to_owned(),
        address: address.to_owned(),
    };
    NodeStatus {
        capacity: Some(resources.clone()),
        allocatable: Some(resources),
        addresses: Some(vec![
            kind_address("InternalIP", &address(index)),
            kind_address("Hostname", &shape.name),
        ]),
        conditions: Some(conditions(now)),
        daemon_endpoints: Some(NodeDaemonEndpoints {
            kubelet_endpoint: Some(DaemonEndpoint { port: 10250 }),
        }),
        node_info: Some(NodeSystemInfo {
            architecture: "amd64".to_owned(),
            container_runtime_version: "containerd://2.1.1".to_owned(),
            kernel_version: "6.12.0".to_owned(),
            kubelet_version: version.to_owned(),
            kube_proxy_version: version.to_owned(),
            operating_system: "linux".to_owned(),
            os_image: "Tiphys embedded platform".to_owned(),
            ..NodeSystemInfo::default()
        }),
        ..NodeStatus::default()
    }
}

fn conditions(now: DateTime<Utc>) -> Vec<NodeCondition> {
    let row = |name: &str, status: &str, reason: &str, message: &str| NodeCondition {
        type_: name.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_heartbeat_time: Some(api_time(now)),
        last_transition_time: Some(api_time(now)),
    };
    vec![
        row(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        row(
            "DiskPressure",
            "False",
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure",
        ),
        row(
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        row(
            "Ready",
            "True",
            "KubeletReady",
            "kubelet is posting ready status",
        ),
    ]
}
