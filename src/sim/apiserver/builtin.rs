//! The kinds that are there from the start.
//!
//! One row a kind; the rest (selectable fields, scale, subresources beyond status) follows from
//! small tables below it.

use super::kinds::{Kind, ScalePaths};

/// Group, version, kind, plural, short names, namespaced, status subresource.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    bool,
    bool,
);

const ROWS: [Row; 61] = [
    ("", "v1", "Namespace", "namespaces", "ns", false, true),
    ("", "v1", "Node", "nodes", "no", false, true),
    (
        "",
        "v1",
        "PersistentVolume",
        "persistentvolumes",
        "pv",
        false,
        true,
    ),
    (
        "",
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        "pvc",
        true,
        true,
    ),
    ("", "v1", "Pod", "pods", "po", true, true),
    ("", "v1", "PodTemplate", "podtemplates", "", true, false),
    (
        "",
        "v1",
        "ReplicationController",
        "replicationcontrollers",
        "rc",
        true,
        true,
    ),
    ("", "v1", "Service", "services", "svc", true, true),
    (
        "",
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        "sa",
        true,
        false,
    ),
    ("", "v1", "ConfigMap", "configmaps", "cm", true, false),
    ("", "v1", "Secret", "secrets", "", true, false),
    ("", "v1", "Endpoints", "endpoints", "ep", true, false),
    ("", "v1", "Event", "events", "ev", true, false),
    ("", "v1", "LimitRange", "limitranges", "limits", true, false),
    (
        "",
        "v1",
        "ResourceQuota",
        "resourcequotas",
        "quota",
        true,
        true,
    ),
    (
        "apps",
        "v1",
        "Deployment",
        "deployments",
        "deploy",
        true,
        true,
    ),
    ("apps", "v1", "ReplicaSet", "replicasets", "rs", true, true),
    (
        "apps",
        "v1",
        "StatefulSet",
        "statefulsets",
        "sts",
        true,
        true,
    ),
    ("apps", "v1", "DaemonSet", "daemonsets", "ds", true, true),
    (
        "apps",
        "v1",
        "ControllerRevision",
        "controllerrevisions",
        "",
        true,
        false,
    ),
    ("batch", "v1", "Job", "jobs", "", true, true),
    ("batch", "v1", "CronJob", "cronjobs", "cj", true, true),
    (
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        "hpa",
        true,
        true,
    ),
    (
        "autoscaling",
        "v1",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        "hpa",
        true,
        true,
    ),
    (
        "networking.k8s.io",
        "v1",
        "Ingress",
        "ingresses",
        "ing",
        true,
        true,
    ),
    (
        "networking.k8s.io",
        "v1",
        "IngressClass",
        "ingressclasses",
        "",
        false,
        false,
    ),
    (
        "networking.k8s.io",
        "v1",
        "NetworkPolicy",
        "networkpolicies",
        "netpol",
        true,
        false,
    ),
    (
        "networking.k8s.io",
        "v1",
        "IPAddress",
        "ipaddresses",
        "ip",
        false,
        false,
    ),
    (
        "networking.k8s.io",
        "v1",
        "ServiceCIDR",
        "servicecidrs",
        "",
        false,
        true,
    ),
    (
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        "pdb",
        true,
        true,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "Role",
        "roles",
        "",
        true,
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "RoleBinding",
        "rolebindings",
        "",
        true,
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRole",
        "clusterroles",
        "",
        false,
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        "",
        false,
        false,
    ),
    (
        "storage.k8s.io",
        "v1",
        "StorageClass",
        "storageclasses",
        "sc",
        false,
        false,
    ),
    (
        "storage.k8s.io",
        "v1",
        "VolumeAttachment",
        "volumeattachments",
        "",
        false,
        true,
    ),
    (
        "storage.k8s.io",
        "v1",
        "CSIDriver",
        "csidrivers",
        "",
        false,
        false,
    ),
    (
        "storage.k8s.io",
        "v1",
        "CSINode",
        "csinodes",
        "",
        false,
        false,
    ),
    (
        "storage.k8s.io",
        "v1",
        "CSIStorageCapacity",
        "csistoragecapacities",
        "",
        true,
        false,
    ),
    (
        "scheduling.k8s.io",
        "v1",
        "PriorityClass",
        "priorityclasses",
        "pc",
        false,
        false,
    ),
    (
        "node.k8s.io",
        "v1",
        "RuntimeClass",
        "runtimeclasses",
        "",
        false,
        false,
    ),
    (
        "coordination.k8s.io",
        "v1",
        "Lease",
        "leases",
        "",
        true,
        false,
    ),
    (
        "discovery.k8s.io",
        "v1",
        "EndpointSlice",
        "endpointslices",
        "",
        true,
        false,
    ),
    (
        "certificates.k8s.io",
        "v1",
        "CertificateSigningRequest",
        "certificatesigningrequests",
        "csr",
        false,
        true,
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "FlowSchema",
        "flowschemas",
        "",
        false,
        true,
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
        "",
        false,
        true,
    ),
    (
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "crd,crds",
        false,
        true,
    ),
    (
        "apiregistration.k8s.io",
        "v1",
        "APIService",
        "apiservices",
        "",
        false,
        true,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "",
        false,
        false,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "",
        false,
        false,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        "",
        false,
        true,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        "",
        false,
        false,
    ),
    ("events.k8s.io", "v1", "Event", "events", "ev", true, false),
    (
        "authentication.k8s.io",
        "v1",
        "TokenReview",
        "tokenreviews",
        "",
        false,
        false,
    ),
    (
        "authentication.k8s.io",
        "v1",
        "SelfSubjectReview",
        "selfsubjectreviews",
        "",
        false,
        false,
    ),
    (
        "authorization.k8s.io",
        "v1",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
        "",
        false,
        false,
    ),
    (
        "authorization.k8s.io",
        "v1",
        "SelfSubjectRulesReview",
        "selfsubjectrulesreviews",
        "",
        false,
        false,
    ),
    (
        "authorization.k8s.io",
        "v1",
        "SubjectAccessReview",
        "subjectaccessreviews",
        "",
        false,
        false,
    ),
    (
        "authorization.k8s.io",
        "v1",
        "LocalSubjectAccessReview",
        "localsubjectaccessreviews",
        "",
        true,
        false,
    ),
    ("", "v1", "Binding", "bindings", "", true, false),
    (
        "",
        "v1",
        "ComponentStatus",
        "componentstatuses",
        "cs",
        false,
        false,
    ),
];

/// Makes the table of built-in kinds.
pub(super) fn kinds() -> Vec<Kind> {
    ROWS.iter()
        .filter(|row| row.2 != "ComponentStatus")
        .map(kind_of)
        .collect()
}

fn kind_of(row: &Row) -> Kind {
    let (group, version, kind, plural, short, namespaced, status) = *row;
    let create_only =
        matches!(group, "authentication.k8s.io" | "authorization.k8s.io") || kind == "Binding";
    Kind {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        short_names: short
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        categories: categories(kind),
        namespaced,
        status,
        scale: scale(group, kind),
        subresources: subresources(kind),
        custom: false,
        storage: !(group == "autoscaling" && version == "v1"),
        columns: Vec::new(),
        selectable: selectable(kind),
        deprecation: deprecation(kind),
        create_only,
    }
}

fn categories(kind: &str) -> Vec<String> {
    let list: &[&str] = match kind {
        "Pod"
        | "ReplicationController"
        | "Service"
        | "DaemonSet"
        | "Deployment"
        | "ReplicaSet"
        | "StatefulSet"
        | "HorizontalPodAutoscaler"
        | "Job"
        | "CronJob" => &["all"],
        "CustomResourceDefinition"
        | "MutatingWebhookConfiguration"
        | "APIService"
        | "ValidatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding" => &["api-extensions"],
        _ => &[],
    };
    list.iter().map(|one| (*one).to_owned()).collect()
}

fn scale(group: &str, kind: &str) -> Option<ScalePaths> {
    let scaled = matches!(
        (group, kind),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet") | ("", "ReplicationController")
    );
    scaled.then(|| ScalePaths {
        spec: ".spec.replicas".to_owned(),
        status: ".status.replicas".to_owned(),
        selector: None,
    })
}

fn subresources(kind: &str) -> Vec<(&'static str, &'static str)> {
    match kind {
        "Pod" => vec![
            ("attach", "PodAttachOptions"),
            ("binding", "Binding"),
            ("eviction", "Eviction"),
            ("exec", "PodExecOptions"),
            ("log", "Pod"),
            ("portforward", "PodPortForwardOptions"),
            ("proxy", "PodProxyOptions"),
        ],
        "Service" => vec![("proxy", "ServiceProxyOptions")],
        "ServiceAccount" => vec![("token", "TokenRequest")],
        "Namespace" => vec![("finalize", "Namespace")],
        "CertificateSigningRequest" => vec![("approval", "CertificateSigningRequest")],
        _ => Vec::new(),
    }
}

fn selectable(kind: &str) -> Vec<String> {
    let list: &[&str] = match kind {
        "Pod" => &[
            "spec.nodeName",
            "status.phase",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "Secret" => &["type"],
        "Namespace" => &["status.phase"],
        "Node" => &["spec.unschedulable"],
        "ReplicaSet" | "ReplicationController" => &["status.replicas"],
        "Job" => &["status.successful"],
        "Service" => &["spec.clusterIP", "spec.type"],
        "CertificateSigningRequest" => &["spec.signerName"],
        _ => &[],
    };
    list.iter().map(|one| (*one).to_owned()).collect()
}

fn deprecation(kind: &str) -> Option<String> {
    (kind == "Endpoints").then(|| {
        "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned()
    })
}
