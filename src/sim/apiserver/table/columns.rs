//! The columns of the built-in kinds; their names and order are upstream's.

use super::cells::{age, entries, joined, list, number, since, text};
use super::workloads as w;
use crate::sim::apiserver::json;
use crate::sim::apiserver::kinds::Kind;
use crate::sim::apiserver::scale::selector_text;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Number,
}

impl Shape {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "integer",
        }
    }
}

type Cell = fn(&Value, DateTime<Utc>) -> Value;

/// One column after the name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// Only shown with `-o wide`.
    pub(super) wide: bool,
    pub(super) cell: Cell,
}

const fn column(name: &'static str, cell: Cell) -> Column {
    Column {
        name,
        shape: Shape::Text,
        wide: false,
        cell,
    }
}

const fn count(name: &'static str, cell: Cell) -> Column {
    Column {
        name,
        shape: Shape::Number,
        wide: false,
        cell,
    }
}

const fn wide(name: &'static str, cell: Cell) -> Column {
    Column {
        name,
        shape: Shape::Text,
        wide: true,
        cell,
    }
}

const AGE: Column = column("Age", age);
const CONTAINERS: Column = wide("Containers", |o, _| {
    joined(&w::containers(o, "name")).into()
});
const IMAGES: Column = wide("Images", |o, _| joined(&w::containers(o, "image")).into());
const SELECTOR: Column = wide("Selector", |o, _| {
    let text = json::at(o, &["spec", "selector"]).map(selector_text);
    match text.as_deref() {
        None | Some("") => "<none>".into(),
        Some(text) => text.into(),
    }
});

const POD: &[Column] = &[
    column("Ready", |o, _| w::pod_ready(o).into()),
    column("Status", |o, _| w::pod_status(o).into()),
    column("Restarts", |o, now| w::pod_restarts(o, now).into()),
    AGE,
    wide("IP", |o, _| text(o, &["status", "podIP"], "<none>")),
    wide("Node", |o, _| text(o, &["spec", "nodeName"], "<none>")),
    wide("Nominated Node", |o, _| {
        text(o, &["status", "nominatedNodeName"], "<none>")
    }),
    wide("Readiness Gates", |_, _| "<none>".into()),
];
const DEPLOYMENT: &[Column] = &[
    column("Ready", |o, _| {
        format!(
            "{}/{}",
            number(o, &["status", "readyReplicas"]),
            number(o, &["spec", "replicas"])
        )
        .into()
    }),
    count("Up-to-date", |o, _| {
        number(o, &["status", "updatedReplicas"]).into()
    }),
    count("Available", |o, _| {
        number(o, &["status", "availableReplicas"]).into()
    }),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const REPLICA_SET: &[Column] = &[
    count("Desired", |o, _| number(o, &["spec", "replicas"]).into()),
    count("Current", |o, _| number(o, &["status", "replicas"]).into()),
    count("Ready", |o, _| {
        number(o, &["status", "readyReplicas"]).into()
    }),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const STATEFUL_SET: &[Column] = &[
    column("Ready", |o, _| {
        format!(
            "{}/{}",
            number(o, &["status", "readyReplicas"]),
            number(o, &["spec", "replicas"])
        )
        .into()
    }),
    AGE,
    CONTAINERS,
    IMAGES,
];
const DAEMON_SET: &[Column] = &[
    count("Desired", |o, _| {
        number(o, &["status", "desiredNumberScheduled"]).into()
    }),
    count("Current", |o, _| {
        number(o, &["status", "currentNumberScheduled"]).into()
    }),
    count("Ready", |o, _| number(o, &["status", "numberReady"]).into()),
    count("Up-to-date", |o, _| {
        number(o, &["status", "updatedNumberScheduled"]).into()
    }),
    count("Available", |o, _| {
        number(o, &["status", "numberAvailable"]).into()
    }),
    column("Node Selector", |o, _| {
        match json::at(o, &["spec", "template", "spec", "nodeSelector"]).map(selector_text) {
            Some(text) if !text.is_empty() => text.into(),
            Some(_) | None => "<none>".into(),
        }
    }),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const JOB: &[Column] = &[
    column("Status", |o, _| w::job_status(o).into()),
    column("Completions", |o, _| w::job_completions(o).into()),
    column("Duration", |o, now| w::job_duration(o, now).into()),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const CRON_JOB: &[Column] = &[
    column("Schedule", |o, _| text(o, &["spec", "schedule"], "")),
    column("Timezone", |o, _| text(o, &["spec", "timeZone"], "<none>")),
    column("Suspend", |o, _| {
        let suspended = json::at(o, &["spec", "suspend"]) == Some(&Value::Bool(true));
        if suspended { "True" } else { "False" }.into()
    }),
    count("Active", |o, _| list(o, &["status", "active"]).len().into()),
    column("Last Schedule", |o, now| {
        json::text_at(o, &["status", "lastScheduleTime"])
            .map_or_else(|| "<none>".to_owned(), |time| since(time, now))
            .into()
    }),
    AGE,
    wide("Containers", |o, _| {
        joined(&w::job_template_containers(o, "name")).into()
    }),
    wide("Images", |o, _| {
        joined(&w::job_template_containers(o, "image")).into()
    }),
];
const SERVICE: &[Column] = &[
    column("Type", |o, _| text(o, &["spec", "type"], "ClusterIP")),
    column("Cluster-IP", |o, _| {
        text(o, &["spec", "clusterIP"], "<none>")
    }),
    column("External-IP", |o, _| w::external_address(o).into()),
    column("Port(s)", |o, _| w::service_ports(o).into()),
    AGE,
    SELECTOR,
];
const NAMESPACE: &[Column] = &[
    column("Status", |o, _| text(o, &["status", "phase"], "")),
    AGE,
];
const CONFIG_MAP: &[Column] = &[
    count("Data", |o, _| entries(o, &["data", "binaryData"])),
    AGE,
];
const SECRET: &[Column] = &[
    column("Type", |o, _| text(o, &["type"], "Opaque")),
    count("Data", |o, _| entries(o, &["data"])),
    AGE,
];
const SERVICE_ACCOUNT: &[Column] = &[
    count("Secrets", |o, _| list(o, &["secrets"]).len().into()),
    AGE,
];
const EVENT: &[Column] = &[
    column("Last Seen", |o, now| w::event_last_seen(o, now).into()),
    column("Type", |o, _| text(o, &["type"], "")),
    column("Reason", |o, _| text(o, &["reason"], "")),
    column("Object", |o, _| w::event_object(o).into()),
    wide("Subobject", |o, _| {
        text(o, &["involvedObject", "fieldPath"], "")
    }),
    wide("Source", |o, _| w::event_source(o).into()),
    column("Message", |o, _| {
        let message = json::text_at(o, &["message"]).or_else(|| json::text_at(o, &["note"]));
        message.unwrap_or_default().trim().into()
    }),
    wide("First Seen", |o, now| w::event_first_seen(o, now).into()),
    wide("Count", |o, _| {
        number(o, &["count"]).max(1).to_string().into()
    }),
    wide("Name", |o, _| json::name_of(o).into()),
];
const NODE: &[Column] = &[
    column("Status", |o, _| w::node_status(o).into()),
    column("Roles", |o, _| w::node_roles(o).into()),
    AGE,
    column("Version", |o, _| {
        text(o, &["status", "nodeInfo", "kubeletVersion"], "")
    }),
    wide("Internal-IP", |o, _| {
        w::node_address(o, "InternalIP").into()
    }),
    wide("External-IP", |o, _| {
        w::node_address(o, "ExternalIP").into()
    }),
    wide("OS-Image", |o, _| {
        text(o, &["status", "nodeInfo", "osImage"], "<unknown>")
    }),
    wide("Kernel-Version", |o, _| {
        text(o, &["status", "nodeInfo", "kernelVersion"], "<unknown>")
    }),
    wide("Container-Runtime", |o, _| {
        text(
            o,
            &["status", "nodeInfo", "containerRuntimeVersion"],
            "<unknown>",
        )
    }),
];
const INGRESS: &[Column] = &[
    column("Class", |o, _| {
        text(o, &["spec", "ingressClassName"], "<none>")
    }),
    column("Hosts", |o, _| w::ingress_hosts(o).into()),
    column("Address", |o, _| w::balancer_addresses(o).into()),
    column("Ports", |o, _| {
        if list(o, &["spec", "tls"]).is_empty() {
            "80".into()
        } else {
            "80, 443".into()
        }
    }),
    AGE,
];
const CLAIM: &[Column] = &[
    column("Status", |o, _| w::claim_status(o).into()),
    column("Volume", |o, _| text(o, &["spec", "volumeName"], "")),
    column("Capacity", |o, _| {
        text(o, &["status", "capacity", "storage"], "")
    }),
    column("Access Modes", |o, _| w::access_modes(o).into()),
    column("StorageClass", |o, _| {
        text(o, &["spec", "storageClassName"], "")
    }),
    column("VolumeAttributesClass", |o, _| {
        text(o, &["spec", "volumeAttributesClassName"], "<unset>")
    }),
    AGE,
    wide("VolumeMode", |o, _| {
        text(o, &["spec", "volumeMode"], "<unset>")
    }),
];
const ENDPOINT_SLICE: &[Column] = &[
    column("AddressType", |o, _| text(o, &["addressType"], "")),
    column("Ports", |o, _| w::slice_ports(o).into()),
    column("Endpoints", |o, _| w::slice_endpoints(o).into()),
    AGE,
];
const DISRUPTION_BUDGET: &[Column] = &[
    column("Min Available", |o, _| {
        w::number_or_text(o, &["spec", "minAvailable"])
    }),
    column("Max Unavailable", |o, _| {
        w::number_or_text(o, &["spec", "maxUnavailable"])
    }),
    count("Allowed Disruptions", |o, _| {
        number(o, &["status", "disruptionsAllowed"]).into()
    }),
    AGE,
];
const AUTOSCALER: &[Column] = &[
    column("Reference", |o, _| {
        let part = |field| {
            json::text_at(o, &["spec", "scaleTargetRef", field])
                .unwrap_or_default()
                .to_owned()
        };
        format!("{}/{}", part("kind"), part("name")).into()
    }),
    column("Targets", |o, _| w::autoscaler_targets(o).into()),
    column("MinPods", |o, _| {
        w::number_or_text(o, &["spec", "minReplicas"])
    }),
    count("MaxPods", |o, _| number(o, &["spec", "maxReplicas"]).into()),
    count("Replicas", |o, _| {
        number(o, &["status", "currentReplicas"]).into()
    }),
    AGE,
];
const DEFINITION: &[Column] = &[column("Created At", |o, _| {
    text(o, &["metadata", "creationTimestamp"], "")
})];
const ROLE_BINDING: &[Column] = &[
    column("Role", |o, _| {
        let part = |field| {
            json::text_at(o, &["roleRef", field])
                .unwrap_or_default()
                .to_owned()
        };
        format!("{}/{}", part("kind"), part("name")).into()
    }),
    AGE,
];
const ENDPOINTS: &[Column] = &[column("Endpoints", |o, _| w::endpoints(o).into()), AGE];
const LEASE: &[Column] = &[
    column("Holder", |o, _| text(o, &["spec", "holderIdentity"], "")),
    AGE,
];
const AGE_ONLY: &[Column] = &[AGE];

/// Returns the columns of a built-in kind; `None` for those that upstream prints generically.
pub(super) fn of_kind(kind: &Kind) -> Option<&'static [Column]> {
    if kind.custom {
        return None;
    }
    let columns = match kind.kind.as_str() {
        "Pod" => POD,
        "Deployment" => DEPLOYMENT,
        "ReplicaSet" | "ReplicationController" => REPLICA_SET,
        "StatefulSet" => STATEFUL_SET,
        "DaemonSet" => DAEMON_SET,
        "Job" => JOB,
        "CronJob" => CRON_JOB,
        "Service" => SERVICE,
        "Namespace" => NAMESPACE,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "ServiceAccount" => SERVICE_ACCOUNT,
        "Event" => EVENT,
        "Node" => NODE,
        "Ingress" => INGRESS,
        "PersistentVolumeClaim" => CLAIM,
        "EndpointSlice" => ENDPOINT_SLICE,
        "Endpoints" => ENDPOINTS,
        "PodDisruptionBudget" => DISRUPTION_BUDGET,
        "HorizontalPodAutoscaler" => AUTOSCALER,
        "RoleBinding" | "ClusterRoleBinding" => ROLE_BINDING,
        "CustomResourceDefinition" | "Role" | "ClusterRole" => DEFINITION,
        "Lease" => LEASE,
        "LimitRange" | "ResourceQuota" | "NetworkPolicy" | "PriorityClass" | "StorageClass"
        | "IngressClass" | "RuntimeClass" | "ControllerRevision" | "PersistentVolume" => AGE_ONLY,
        _ => return None,
    };
    Some(columns)
}
