//! The table of built-in types: names, verbs and subresources as upstream's discovery shows them.

use super::{CoreType, Subresource};

const ALL_VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
const KEPT_ALONE: &[&str] = &[
    "create", "delete", "get", "list", "patch", "update", "watch",
];
const CREATE: &[&str] = &["create"];
const READ: &[&str] = &["get", "list"];
const CHANGE: &[&str] = &["get", "patch", "update"];
const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];
const CONNECT: &[&str] = &["create", "get"];

const SCALE: Option<(&str, &str, &str)> = Some(("autoscaling", "v1", "Scale"));

/// One line of the table: plural, kind, short names, categories.
type Line = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// A group and version, with where its definitions lie upstream.
struct Group {
    name: &'static str,
    version: &'static str,
    package: &'static str,
    namespaced: &'static [Line],
    cluster: &'static [Line],
}

const fn group(group: &'static str, version: &'static str, package: &'static str) -> Group {
    Group {
        name: group,
        version,
        package,
        namespaced: &[],
        cluster: &[],
    }
}

const ALL: &[&str] = &["all"];
const NONE: &[&str] = &[];

const GROUPS: &[Group] = &[
    Group {
        namespaced: &[
            ("bindings", "Binding", NONE, NONE),
            ("configmaps", "ConfigMap", &["cm"], NONE),
            ("endpoints", "Endpoints", &["ep"], NONE),
            ("events", "Event", &["ev"], NONE),
            ("limitranges", "LimitRange", &["limits"], NONE),
            (
                "persistentvolumeclaims",
                "PersistentVolumeClaim",
                &["pvc"],
                NONE,
            ),
            ("pods", "Pod", &["po"], ALL),
            ("podtemplates", "PodTemplate", NONE, NONE),
            (
                "replicationcontrollers",
                "ReplicationController",
                &["rc"],
                ALL,
            ),
            ("resourcequotas", "ResourceQuota", &["quota"], NONE),
            ("secrets", "Secret", NONE, NONE),
            ("serviceaccounts", "ServiceAccount", &["sa"], NONE),
            ("services", "Service", &["svc"], ALL),
        ],
        cluster: &[
            ("componentstatuses", "ComponentStatus", &["cs"], NONE),
            ("namespaces", "Namespace", &["ns"], NONE),
            ("nodes", "Node", &["no"], NONE),
            ("persistentvolumes", "PersistentVolume", &["pv"], NONE),
        ],
        ..group("", "v1", "io.k8s.api.core.v1")
    },
    Group {
        cluster: &[
            (
                "mutatingwebhookconfigurations",
                "MutatingWebhookConfiguration",
                NONE,
                &["api-extensions"],
            ),
            (
                "validatingwebhookconfigurations",
                "ValidatingWebhookConfiguration",
                NONE,
                &["api-extensions"],
            ),
        ],
        ..group(
            "admissionregistration.k8s.io",
            "v1",
            "io.k8s.api.admissionregistration.v1",
        )
    },
    Group {
        cluster: &[(
            "customresourcedefinitions",
            "CustomResourceDefinition",
            &["crd", "crds"],
            &["api-extensions"],
        )],
        ..group(
            "apiextensions.k8s.io",
            "v1",
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
        )
    },
    Group {
        cluster: &[("apiservices", "APIService", NONE, &["api-extensions"])],
        ..group(
            "apiregistration.k8s.io",
            "v1",
            "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
        )
    },
    Group {
        namespaced: &[
            ("controllerrevisions", "ControllerRevision", NONE, NONE),
            ("daemonsets", "DaemonSet", &["ds"], ALL),
            ("deployments", "Deployment", &["deploy"], ALL),
            ("replicasets", "ReplicaSet", &["rs"], ALL),
            ("statefulsets", "StatefulSet", &["sts"], ALL),
        ],
        ..group("apps", "v1", "io.k8s.api.apps.v1")
    },
    Group {
        cluster: &[
            ("selfsubjectreviews", "SelfSubjectReview", NONE, NONE),
            ("tokenreviews", "TokenReview", NONE, NONE),
        ],
        ..group(
            "authentication.k8s.io",
            "v1",
            "io.k8s.api.authentication.v1",
        )
    },
    Group {
        namespaced: &[(
            "localsubjectaccessreviews",
            "LocalSubjectAccessReview",
            NONE,
            NONE,
        )],
        cluster: &[
            (
                "selfsubjectaccessreviews",
                "SelfSubjectAccessReview",
                NONE,
                NONE,
            ),
            (
                "selfsubjectrulesreviews",
                "SelfSubjectRulesReview",
                NONE,
                NONE,
            ),
            ("subjectaccessreviews", "SubjectAccessReview", NONE, NONE),
        ],
        ..group("authorization.k8s.io", "v1", "io.k8s.api.authorization.v1")
    },
    Group {
        namespaced: &[(
            "horizontalpodautoscalers",
            "HorizontalPodAutoscaler",
            &["hpa"],
            ALL,
        )],
        ..group("autoscaling", "v1", "io.k8s.api.autoscaling.v1")
    },
    Group {
        namespaced: &[(
            "horizontalpodautoscalers",
            "HorizontalPodAutoscaler",
            &["hpa"],
            ALL,
        )],
        ..group("autoscaling", "v2", "io.k8s.api.autoscaling.v2")
    },
    Group {
        namespaced: &[
            ("cronjobs", "CronJob", &["cj"], ALL),
            ("jobs", "Job", NONE, ALL),
        ],
        ..group("batch", "v1", "io.k8s.api.batch.v1")
    },
    Group {
        namespaced: &[("leases", "Lease", NONE, NONE)],
        ..group("coordination.k8s.io", "v1", "io.k8s.api.coordination.v1")
    },
    Group {
        namespaced: &[("endpointslices", "EndpointSlice", NONE, NONE)],
        ..group("discovery.k8s.io", "v1", "io.k8s.api.discovery.v1")
    },
    Group {
        namespaced: &[("events", "Event", &["ev"], NONE)],
        ..group("events.k8s.io", "v1", "io.k8s.api.events.v1")
    },
    Group {
        namespaced: &[
            ("ingresses", "Ingress", &["ing"], NONE),
            ("networkpolicies", "NetworkPolicy", &["netpol"], NONE),
        ],
        cluster: &[("ingressclasses", "IngressClass", NONE, NONE)],
        ..group("networking.k8s.io", "v1", "io.k8s.api.networking.v1")
    },
    Group {
        cluster: &[("runtimeclasses", "RuntimeClass", NONE, NONE)],
        ..group("node.k8s.io", "v1", "io.k8s.api.node.v1")
    },
    Group {
        namespaced: &[(
            "poddisruptionbudgets",
            "PodDisruptionBudget",
            &["pdb"],
            NONE,
        )],
        ..group("policy", "v1", "io.k8s.api.policy.v1")
    },
    Group {
        namespaced: &[
            ("rolebindings", "RoleBinding", NONE, NONE),
            ("roles", "Role", NONE, NONE),
        ],
        cluster: &[
            ("clusterrolebindings", "ClusterRoleBinding", NONE, NONE),
            ("clusterroles", "ClusterRole", NONE, NONE),
        ],
        ..group("rbac.authorization.k8s.io", "v1", "io.k8s.api.rbac.v1")
    },
    Group {
        cluster: &[("priorityclasses", "PriorityClass", &["pc"], NONE)],
        ..group("scheduling.k8s.io", "v1", "io.k8s.api.scheduling.v1")
    },
    Group {
        namespaced: &[("csistoragecapacities", "CSIStorageCapacity", NONE, NONE)],
        cluster: &[
            ("csidrivers", "CSIDriver", NONE, NONE),
            ("csinodes", "CSINode", NONE, NONE),
            ("storageclasses", "StorageClass", &["sc"], NONE),
            ("volumeattachments", "VolumeAttachment", NONE, NONE),
        ],
        ..group("storage.k8s.io", "v1", "io.k8s.api.storage.v1")
    },
];

/// Returns every built-in type.
pub(super) fn all() -> Vec<CoreType> {
    let mut types = Vec::new();
    for group in GROUPS {
        for (lines, namespaced) in [(group.namespaced, true), (group.cluster, false)] {
            types.extend(lines.iter().map(|line| core_type(group, line, namespaced)));
        }
    }
    types.sort_by_key(|one| (one.group, one.version, one.kind));
    types
}

fn core_type(group: &Group, line: &Line, namespaced: bool) -> CoreType {
    let (plural, kind, short_names, categories) = *line;
    CoreType {
        group: group.name,
        version: group.version,
        kind,
        plural,
        singular: singular(plural, kind),
        short_names,
        categories,
        namespaced,
        verbs: verbs(group.name, plural),
        subresources: subresources(group.name, plural),
        definition: format!("{}.{kind}", group.package),
    }
}

/// The singular is the kind in lower case; a table keeps it static.
fn singular(plural: &'static str, kind: &str) -> &'static str {
    let wanted = kind.to_lowercase();
    ["ies", "es", "s", ""]
        .iter()
        .filter_map(|end| plural.strip_suffix(end))
        .find(|stem| *stem == wanted)
        .unwrap_or(match plural {
            "ingresses" => "ingress",
            "networkpolicies" => "networkpolicy",
            "csistoragecapacities" => "csistoragecapacity",
            _ => plural,
        })
}

fn verbs(group: &str, plural: &str) -> &'static [&'static str] {
    match (group, plural) {
        ("authentication.k8s.io" | "authorization.k8s.io", _) | ("", "bindings") => CREATE,
        ("", "componentstatuses") => READ,
        ("", "namespaces") => KEPT_ALONE,
        _ => ALL_VERBS,
    }
}

const fn sub(name: &'static str, verbs: &'static [&'static str]) -> Subresource {
    Subresource {
        name,
        kind: None,
        verbs,
    }
}

const fn other(
    name: &'static str,
    kind: (&'static str, &'static str, &'static str),
    verbs: &'static [&'static str],
) -> Subresource {
    Subresource {
        name,
        kind: Some(kind),
        verbs,
    }
}

const fn scale() -> Subresource {
    Subresource {
        name: "scale",
        kind: SCALE,
        verbs: CHANGE,
    }
}

fn subresources(group: &str, plural: &str) -> Vec<Subresource> {
    let status = || sub("status", CHANGE);
    match (group, plural) {
        ("", "pods") => pod_subresources(),
        ("", "services") => vec![
            other("proxy", ("", "v1", "ServiceProxyOptions"), PROXY),
            status(),
        ],
        ("", "nodes") => vec![
            other("proxy", ("", "v1", "NodeProxyOptions"), PROXY),
            status(),
        ],
        ("", "namespaces") => vec![sub("finalize", &["update"]), status()],
        ("", "serviceaccounts") => vec![other(
            "token",
            ("authentication.k8s.io", "v1", "TokenRequest"),
            CREATE,
        )],
        ("", "replicationcontrollers")
        | ("apps", "deployments" | "replicasets" | "statefulsets") => vec![scale(), status()],
        ("", "persistentvolumeclaims" | "persistentvolumes" | "resourcequotas")
        | ("apps", "daemonsets")
        | ("apiextensions.k8s.io" | "apiregistration.k8s.io" | "autoscaling" | "batch", _)
        | ("networking.k8s.io", "ingresses")
        | ("policy", "poddisruptionbudgets")
        | ("storage.k8s.io", "volumeattachments") => vec![status()],
        _ => Vec::new(),
    }
}

fn pod_subresources() -> Vec<Subresource> {
    vec![
        other("attach", ("", "v1", "PodAttachOptions"), CONNECT),
        other("binding", ("", "v1", "Binding"), CREATE),
        sub("ephemeralcontainers", CHANGE),
        other("eviction", ("policy", "v1", "Eviction"), CREATE),
        other("exec", ("", "v1", "PodExecOptions"), CONNECT),
        sub("log", &["get"]),
        other("portforward", ("", "v1", "PodPortForwardOptions"), CONNECT),
        other("proxy", ("", "v1", "PodProxyOptions"), PROXY),
        sub("resize", CHANGE),
        sub("status", CHANGE),
    ]
}
