//! Adds what the generated schemas lack: how lists and maps merge, and a few known enums.

use std::path::Path;

use serde_json::{Map, Value, json};

/// Reads the `DeepMerge` implementations below `source` and writes their strategies as upstream's annotations.
pub fn merge_strategies(
    definitions: &mut Map<String, Value>,
    source: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    for entry in std::fs::read_dir(source)? {
        let path = entry?.path();
        if path.is_dir() {
            merge_strategies(definitions, &path)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            annotate_file(definitions, &std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

fn annotate_file(definitions: &mut Map<String, Value>, text: &str) {
    let Some(name) = text
        .lines()
        .find_map(|line| line.strip_prefix("// Generated from definition "))
    else {
        return;
    };
    let Some(definition) = definitions.get_mut(name.trim()) else {
        return;
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let Some((_, call)) = line.split_once("merge_strategies::") else {
            continue;
        };
        let (strategy, rest) = call.split_once('(').unwrap_or((call, ""));
        let argument = if rest.is_empty() {
            lines.get(at + 1).copied().unwrap_or_default()
        } else {
            rest
        };
        let field = argument
            .trim_start_matches("&mut self.")
            .split(',')
            .next()
            .unwrap_or_default()
            .to_owned();
        let keys: Vec<String> = lines
            .get(at + 3)
            .map(|line| {
                line.split("lhs.")
                    .skip(1)
                    .map(|part| camel(part.split(' ').next().unwrap_or_default()))
                    .collect()
            })
            .unwrap_or_default();
        annotate_field(definition, &camel(&field), strategy, &keys);
    }
}

fn annotate_field(definition: &mut Value, field: &str, strategy: &str, keys: &[String]) {
    let Some(properties) = definition
        .get_mut("properties")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    let wanted = field.to_lowercase();
    let Some((_, property)) = properties
        .iter_mut()
        .find(|(name, _)| name.trim_start_matches('$').replace('-', "").to_lowercase() == wanted)
    else {
        return;
    };
    match strategy {
        "list::map" => {
            property["x-kubernetes-list-type"] = json!("map");
            property["x-kubernetes-list-map-keys"] = json!(keys);
            property["x-kubernetes-patch-merge-key"] = json!(keys.first());
            property["x-kubernetes-patch-strategy"] = json!("merge");
        }
        "list::set" => property["x-kubernetes-list-type"] = json!("set"),
        "list::atomic" => property["x-kubernetes-list-type"] = json!("atomic"),
        "map::atomic" => property["x-kubernetes-map-type"] = json!("atomic"),
        _ => {}
    }
}

fn camel(rust: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for character in rust.trim_start_matches("r#").trim_end_matches('_').chars() {
        if character == '_' {
            upper = true;
        } else if upper {
            out.extend(character.to_uppercase());
            upper = false;
        } else {
            out.push(character);
        }
    }
    out
}

/// Definitions whose value is replaced as one piece (`x-kubernetes-map-type: atomic` upstream).
const ATOMIC: &[&str] = &[
    "io.k8s.api.autoscaling.v1.CrossVersionObjectReference",
    "io.k8s.api.core.v1.ConfigMapKeySelector",
    "io.k8s.api.core.v1.EndpointAddress",
    "io.k8s.api.core.v1.EndpointPort",
    "io.k8s.api.core.v1.LocalObjectReference",
    "io.k8s.api.core.v1.NodeSelector",
    "io.k8s.api.core.v1.NodeSelectorTerm",
    "io.k8s.api.core.v1.ObjectFieldSelector",
    "io.k8s.api.core.v1.ObjectReference",
    "io.k8s.api.core.v1.ResourceFieldSelector",
    "io.k8s.api.core.v1.ScopedResourceSelectorRequirement",
    "io.k8s.api.core.v1.ScopeSelector",
    "io.k8s.api.core.v1.SecretKeySelector",
    "io.k8s.api.core.v1.SecretReference",
    "io.k8s.api.core.v1.TopologySelectorTerm",
    "io.k8s.api.core.v1.TypedLocalObjectReference",
    "io.k8s.api.discovery.v1.EndpointPort",
    "io.k8s.api.rbac.v1.RoleRef",
    "io.k8s.api.rbac.v1.Subject",
    "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
    "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
];

/// (definition, field, annotation, value) where the server-side-apply keys differ from the patch key.
const LIST_KEYS: &[(&str, &str, &[&str])] = &[
    (
        "io.k8s.api.core.v1.Container",
        "ports",
        &["containerPort", "protocol"],
    ),
    (
        "io.k8s.api.core.v1.EphemeralContainer",
        "ports",
        &["containerPort", "protocol"],
    ),
    (
        "io.k8s.api.core.v1.ServiceSpec",
        "ports",
        &["port", "protocol"],
    ),
    (
        "io.k8s.api.core.v1.PodSpec",
        "topologySpreadConstraints",
        &["topologyKey", "whenUnsatisfiable"],
    ),
];

const PATCH_STRATEGIES: &[(&str, &str, &str)] = &[
    ("io.k8s.api.core.v1.PodSpec", "volumes", "merge,retainKeys"),
    (
        "io.k8s.api.apps.v1.DeploymentSpec",
        "strategy",
        "retainKeys",
    ),
    (
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
        "finalizers",
        "merge",
    ),
    ("io.k8s.api.core.v1.NodeSpec", "podCIDRs", "merge"),
];

const DEFAULTED_KEYS: &[(&str, &str, &str)] = &[
    ("io.k8s.api.core.v1.ContainerPort", "protocol", "TCP"),
    ("io.k8s.api.core.v1.ServicePort", "protocol", "TCP"),
];

/// Definitions whose contents nobody knows beforehand.
const OPEN: &[&str] = &[
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
    "io.k8s.apimachinery.pkg.runtime.RawExtension",
];

/// Fields that are written always and so look required, and that the API server does without.
const ZERO_VALUES: &[(&str, &str)] = &[
    ("io.k8s.api.apps.v1.StatefulSetSpec", "serviceName"),
    ("io.k8s.api.discovery.v1.EndpointSlice", "endpoints"),
    ("io.k8s.api.networking.v1.NetworkPolicySpec", "podSelector"),
    ("io.k8s.api.scheduling.v1.PriorityClass", "value"),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion",
        "served",
    ),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion",
        "storage",
    ),
    ("io.k8s.api.rbac.v1.RoleRef", "apiGroup"),
];

/// The known values of a field, as upstream's `+enum` types have them.
const CHOICES: &[(&str, &str, &[&str])] = &[
    (
        "io.k8s.api.core.v1.PodSpec",
        "restartPolicy",
        &["Always", "Never", "OnFailure"],
    ),
    (
        "io.k8s.api.core.v1.PodSpec",
        "dnsPolicy",
        &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
    ),
    (
        "io.k8s.api.core.v1.PodSpec",
        "preemptionPolicy",
        &["Never", "PreemptLowerPriority"],
    ),
    (
        "io.k8s.api.core.v1.Container",
        "imagePullPolicy",
        &["Always", "IfNotPresent", "Never"],
    ),
    (
        "io.k8s.api.core.v1.Container",
        "terminationMessagePolicy",
        &["FallbackToLogsOnError", "File"],
    ),
    (
        "io.k8s.api.core.v1.ContainerPort",
        "protocol",
        &["SCTP", "TCP", "UDP"],
    ),
    (
        "io.k8s.api.core.v1.ServicePort",
        "protocol",
        &["SCTP", "TCP", "UDP"],
    ),
    (
        "io.k8s.api.core.v1.ServiceSpec",
        "type",
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    ),
    (
        "io.k8s.api.core.v1.ServiceSpec",
        "sessionAffinity",
        &["ClientIP", "None"],
    ),
    (
        "io.k8s.api.core.v1.ServiceSpec",
        "externalTrafficPolicy",
        &["Cluster", "Local"],
    ),
    (
        "io.k8s.api.core.v1.ServiceSpec",
        "internalTrafficPolicy",
        &["Cluster", "Local"],
    ),
    (
        "io.k8s.api.core.v1.HTTPGetAction",
        "scheme",
        &["HTTP", "HTTPS"],
    ),
    (
        "io.k8s.api.core.v1.Taint",
        "effect",
        &["NoExecute", "NoSchedule", "PreferNoSchedule"],
    ),
    (
        "io.k8s.api.core.v1.Toleration",
        "effect",
        &["", "NoExecute", "NoSchedule", "PreferNoSchedule"],
    ),
    (
        "io.k8s.api.core.v1.Toleration",
        "operator",
        &["", "Equal", "Exists"],
    ),
    (
        "io.k8s.api.core.v1.NodeSelectorRequirement",
        "operator",
        &["DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"],
    ),
    (
        "io.k8s.api.core.v1.TopologySpreadConstraint",
        "whenUnsatisfiable",
        &["DoNotSchedule", "ScheduleAnyway"],
    ),
    (
        "io.k8s.api.core.v1.PersistentVolumeClaimSpec",
        "volumeMode",
        &["Block", "Filesystem"],
    ),
    (
        "io.k8s.api.core.v1.PersistentVolumeSpec",
        "persistentVolumeReclaimPolicy",
        &["Delete", "Recycle", "Retain"],
    ),
    (
        "io.k8s.api.apps.v1.DeploymentStrategy",
        "type",
        &["Recreate", "RollingUpdate"],
    ),
    (
        "io.k8s.api.apps.v1.DaemonSetUpdateStrategy",
        "type",
        &["OnDelete", "RollingUpdate"],
    ),
    (
        "io.k8s.api.apps.v1.StatefulSetUpdateStrategy",
        "type",
        &["OnDelete", "RollingUpdate"],
    ),
    (
        "io.k8s.api.apps.v1.StatefulSetSpec",
        "podManagementPolicy",
        &["OrderedReady", "Parallel"],
    ),
    (
        "io.k8s.api.batch.v1.CronJobSpec",
        "concurrencyPolicy",
        &["Allow", "Forbid", "Replace"],
    ),
    (
        "io.k8s.api.batch.v1.JobSpec",
        "completionMode",
        &["Indexed", "NonIndexed"],
    ),
    (
        "io.k8s.api.batch.v1.JobSpec",
        "podReplacementPolicy",
        &["Failed", "TerminatingOrFailed"],
    ),
    (
        "io.k8s.api.networking.v1.HTTPIngressPath",
        "pathType",
        &["Exact", "ImplementationSpecific", "Prefix"],
    ),
    (
        "io.k8s.api.discovery.v1.EndpointSlice",
        "addressType",
        &["FQDN", "IPv4", "IPv6"],
    ),
    (
        "io.k8s.api.storage.v1.StorageClass",
        "volumeBindingMode",
        &["Immediate", "WaitForFirstConsumer"],
    ),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec",
        "scope",
        &["Cluster", "Namespaced"],
    ),
];

/// Writes the facts that no crate states: atomic structs, compound list keys, patch strategies.
pub fn known_facts(definitions: &mut Map<String, Value>) {
    for name in ATOMIC {
        if let Some(definition) = definitions.get_mut(*name) {
            definition["x-kubernetes-map-type"] = json!("atomic");
        }
    }
    for (name, field, keys) in LIST_KEYS {
        set(
            definitions,
            name,
            field,
            ("x-kubernetes-list-map-keys", json!(keys)),
        );
    }
    for (name, field, strategy) in PATCH_STRATEGIES {
        set(
            definitions,
            name,
            field,
            ("x-kubernetes-patch-strategy", json!(strategy)),
        );
    }
    for name in OPEN {
        if let Some(definition) = definitions.get_mut(*name) {
            *definition = json!({ "x-kubernetes-preserve-unknown-fields": true, "description": definition["description"] });
        }
    }
    for (_, definition) in definitions.iter_mut() {
        require(definition, |field| field != "metadata");
    }
    for (name, field) in ZERO_VALUES {
        if let Some(definition) = definitions.get_mut(*name) {
            require(definition, |required| required != *field);
        }
    }
    for (name, field, choices) in CHOICES {
        set(definitions, name, field, ("enum", json!(choices)));
    }
    for (name, field, default) in DEFAULTED_KEYS {
        set(definitions, name, field, ("default", json!(default)));
    }
}

fn require(definition: &mut Value, keep: impl Fn(&str) -> bool) {
    let Some(definition) = definition.as_object_mut() else {
        return;
    };
    let Some(required) = definition.get_mut("required").and_then(Value::as_array_mut) else {
        return;
    };
    required.retain(|field| field.as_str().is_some_and(&keep));
    if required.is_empty() {
        definition.remove("required");
    }
}

fn set(definitions: &mut Map<String, Value>, name: &str, field: &str, fact: (&str, Value)) {
    let property = definitions
        .get_mut(name)
        .and_then(|one| one.get_mut("properties"))
        .and_then(|all| all.get_mut(field))
        .and_then(Value::as_object_mut);
    match property {
        Some(property) => {
            property.insert(fact.0.to_owned(), fact.1);
        }
        None => eprintln!("no such field: {name} {field}"),
    }
}
