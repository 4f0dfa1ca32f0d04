//! Prefixes, suffixes and hashes in names, and the references that follow them.
//!
//! References are fixed once, after all names are final. A reference names an object by any name
//! it ever had; where several fit, the one that went through the same kustomizations wins.

use super::generate::add_hash;
use super::resource::{Resource, Set, effective_namespace};
use super::{KustomizeError, fields, namespace};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConfigMapOrSecret {
    ConfigMap,
    Secret,
}

impl ConfigMapOrSecret {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// Computes the suffix as kustomize's `api/hasher` does: SHA-256 of the object's contents as
/// JSON, of which ten digits are kept, some replaced by letters that make no words.
pub(super) fn content_hash(object: &Value, kind: ConfigMapOrSecret) -> String {
    let field = |name: &str| object.get(name).cloned().unwrap_or_else(|| json!(""));
    // The name is part of the hashed form and always empty there.
    let mut hashed = json!({"kind": kind.name(), "name": "", "data": field("data")});
    if let Some(map) = hashed.as_object_mut() {
        let more = match kind {
            ConfigMapOrSecret::ConfigMap => "binaryData",
            ConfigMapOrSecret::Secret => "stringData",
        };
        if let Some(Value::Object(data)) = object.get(more) {
            map.insert(more.to_owned(), Value::Object(data.clone()));
        }
        if kind == ConfigMapOrSecret::Secret {
            map.insert("type".to_owned(), field("type"));
        }
    }
    let digest = Sha256::digest(as_go_writes_json(&hashed).as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.chars().take(10).map(letter).collect()
}

fn letter(digit: char) -> char {
    match digit {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    }
}

/// Go escapes what could be taken for HTML, and sorts the keys of maps.
fn as_go_writes_json(value: &Value) -> String {
    let mut text = String::new();
    write_sorted(value, &mut text);
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            text.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write_sorted(map.get(key).unwrap_or(&Value::Null), text);
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            text.push_str(&value.to_string());
        }
    }
}

pub(super) fn add_hashes(set: &mut Set) {
    for resource in set.iter_mut().filter(|resource| resource.needs_hash) {
        add_hash(resource);
    }
}

/// Kinds whose names other systems rely on keep them.
fn keeps_its_name(resource: &Resource) -> bool {
    matches!(
        resource.kind(),
        "CustomResourceDefinition" | "APIService" | "Namespace"
    )
}

pub(super) fn add_affixes(set: &mut Set, prefix: &str, suffix: &str) {
    if prefix.is_empty() && suffix.is_empty() {
        return;
    }
    for resource in set.iter_mut() {
        if keeps_its_name(resource) {
            continue;
        }
        let name = format!("{prefix}{}{suffix}", resource.name());
        resource.rename(name);
        if !prefix.is_empty() {
            resource.prefixes.push(prefix.to_owned());
        }
        if !suffix.is_empty() {
            resource.suffixes.push(suffix.to_owned());
        }
    }
}

/// What another object can be found by.
struct Candidate {
    group: String,
    kind: String,
    names: Vec<(String, String)>,
    name: String,
    namespace: String,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

/// Who is asking.
struct Asker {
    namespace: String,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
    is_cluster_scoped: bool,
}

pub(super) fn fix_references(set: &mut Set, file: &str) -> Result<(), KustomizeError> {
    let candidates: Vec<Candidate> = set
        .iter()
        .filter(|resource| !resource.earlier.is_empty())
        .map(|resource| Candidate {
            group: resource.group().to_owned(),
            kind: resource.kind().to_owned(),
            names: resource.ids().map(|id| (id.name, id.namespace)).collect(),
            name: resource.name().to_owned(),
            namespace: resource.namespace().to_owned(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
        })
        .collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let mut ambiguous = None;
    for resource in set.iter_mut() {
        let asker = Asker {
            namespace: resource.namespace().to_owned(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
            is_cluster_scoped: namespace::is_cluster_scoped(resource.group(), resource.kind()),
        };
        let title = resource.title();
        for (group, kind, path) in references_of(resource.kind()) {
            let path = fields::parts(&path);
            let of_kind: Vec<&Candidate> = candidates
                .iter()
                .filter(|candidate| candidate.kind == kind && candidate.group == group)
                .collect();
            if of_kind.is_empty() || !role_fits(&resource.value, &path, kind) {
                continue;
            }
            fields::visit(&mut resource.value, &path, &mut |field| {
                if let Err(name) = point(field, &of_kind, &asker) {
                    ambiguous.get_or_insert(format!(
                        "{title} refers to {kind} `{name}`, and several objects had that name"
                    ));
                }
            });
        }
    }
    match ambiguous {
        Some(message) => Err(KustomizeError::new(file, message)),
        None => Ok(()),
    }
}

/// A `roleRef` names a Role or a `ClusterRole`, and only the right one follows a rename.
fn role_fits(referrer: &Value, path: &[String], kind: &str) -> bool {
    path.first().map(String::as_str) != Some("roleRef")
        || referrer.pointer("/roleRef/kind").and_then(Value::as_str) == Some(kind)
}

/// Points one field at the present name of what it refers to; the error is an ambiguous name.
fn point(field: &mut Value, of_kind: &[&Candidate], asker: &Asker) -> Result<(), String> {
    match field {
        Value::String(name) => {
            if let Some(found) = select(name, of_kind, asker)? {
                found.name.clone_into(name);
            }
            Ok(())
        }
        // Subjects of a binding and services of a webhook name a namespace, too. Like kustomize,
        // this does not ask for a subject's kind.
        Value::Object(map) => {
            let Some(Value::String(name)) = map.get("name") else {
                return Ok(());
            };
            let stated = map
                .get("namespace")
                .and_then(Value::as_str)
                .map(str::to_owned);
            let in_namespace: Vec<&Candidate> = of_kind
                .iter()
                .copied()
                .filter(|candidate| match &stated {
                    None => true,
                    Some(stated) => candidate.names.iter().any(|(_, namespace)| {
                        effective_namespace(namespace) == effective_namespace(stated)
                    }),
                })
                .collect();
            let anywhere = Asker {
                namespace: String::new(),
                prefixes: asker.prefixes.clone(),
                suffixes: asker.suffixes.clone(),
                is_cluster_scoped: true,
            };
            if let Some(found) = select(name, &in_namespace, &anywhere)? {
                map.insert("name".to_owned(), json!(found.name));
                if !found.namespace.is_empty() {
                    map.insert("namespace".to_owned(), json!(found.namespace));
                }
            }
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Ok(()),
    }
}

fn select<'c>(
    name: &str,
    of_kind: &[&'c Candidate],
    asker: &Asker,
) -> Result<Option<&'c Candidate>, String> {
    let fits = |candidate: &&&'c Candidate| {
        let is_reachable = asker.is_cluster_scoped
            || namespace::is_cluster_scoped(&candidate.group, &candidate.kind)
            || effective_namespace(&candidate.namespace) == effective_namespace(&asker.namespace);
        is_reachable && candidate.names.iter().any(|(known, _)| known == name)
    };
    let mut found: Vec<&Candidate> = of_kind.iter().filter(fits).copied().collect();
    if found.len() > 1 {
        let alike: Vec<&Candidate> = found
            .iter()
            .copied()
            .filter(|candidate| {
                candidate.prefixes == asker.prefixes && candidate.suffixes == asker.suffixes
            })
            .collect();
        if !alike.is_empty() {
            found = alike;
        }
    }
    let first = found.first().copied();
    let same = found
        .iter()
        .all(|one| Some(one.name.as_str()) == first.map(|it| it.name.as_str()));
    if same {
        Ok(first)
    } else {
        Err(name.to_owned())
    }
}

/// Where a kind keeps its pod specification.
fn pod_spec(kind: &str) -> Option<&'static str> {
    match kind {
        "Pod" => Some("spec"),
        "PodTemplate" => Some("template/spec"),
        "Deployment"
        | "ReplicaSet"
        | "DaemonSet"
        | "StatefulSet"
        | "Job"
        | "ReplicationController" => Some("spec/template/spec"),
        "CronJob" => Some("spec/jobTemplate/spec/template/spec"),
        _ => None,
    }
}

/// References inside a pod specification: group and kind of the object, and the path.
const IN_PODS: [(&str, &str, &str); 17] = [
    ("", "ConfigMap", "volumes/configMap/name"),
    ("", "ConfigMap", "volumes/projected/sources/configMap/name"),
    (
        "",
        "ConfigMap",
        "containers/env/valueFrom/configMapKeyRef/name",
    ),
    (
        "",
        "ConfigMap",
        "initContainers/env/valueFrom/configMapKeyRef/name",
    ),
    ("", "ConfigMap", "containers/envFrom/configMapRef/name"),
    ("", "ConfigMap", "initContainers/envFrom/configMapRef/name"),
    ("", "Secret", "volumes/secret/secretName"),
    ("", "Secret", "volumes/projected/sources/secret/name"),
    ("", "Secret", "containers/env/valueFrom/secretKeyRef/name"),
    (
        "",
        "Secret",
        "initContainers/env/valueFrom/secretKeyRef/name",
    ),
    ("", "Secret", "containers/envFrom/secretRef/name"),
    ("", "Secret", "initContainers/envFrom/secretRef/name"),
    ("", "Secret", "imagePullSecrets/name"),
    ("", "ServiceAccount", "serviceAccountName"),
    (
        "",
        "PersistentVolumeClaim",
        "volumes/persistentVolumeClaim/claimName",
    ),
    ("scheduling.k8s.io", "PriorityClass", "priorityClassName"),
    (
        "",
        "ConfigMap",
        "ephemeralContainers/envFrom/configMapRef/name",
    ),
];

/// All other references: kind that refers, group and kind of the object, and the path.
const ELSEWHERE: [(&str, &str, &str, &str); 40] = [
    (
        "HorizontalPodAutoscaler",
        "apps",
        "Deployment",
        "spec/scaleTargetRef/name",
    ),
    (
        "HorizontalPodAutoscaler",
        "apps",
        "ReplicaSet",
        "spec/scaleTargetRef/name",
    ),
    (
        "HorizontalPodAutoscaler",
        "apps",
        "StatefulSet",
        "spec/scaleTargetRef/name",
    ),
    (
        "HorizontalPodAutoscaler",
        "",
        "ReplicationController",
        "spec/scaleTargetRef/name",
    ),
    ("Node", "", "ConfigMap", "spec/configSource/configMap"),
    ("Role", "", "ConfigMap", "rules/resourceNames"),
    ("Role", "", "Secret", "rules/resourceNames"),
    ("ClusterRole", "", "ConfigMap", "rules/resourceNames"),
    ("ClusterRole", "", "Secret", "rules/resourceNames"),
    ("ClusterRole", "", "PersistentVolume", "rules/resourceNames"),
    (
        "Ingress",
        "",
        "ConfigMap",
        "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap",
    ),
    ("Ingress", "", "Secret", "spec/tls/secretName"),
    (
        "Ingress",
        "",
        "Secret",
        "metadata/annotations/ingress.kubernetes.io\\/auth-secret",
    ),
    (
        "Ingress",
        "",
        "Secret",
        "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret",
    ),
    (
        "Ingress",
        "",
        "Secret",
        "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret",
    ),
    (
        "Ingress",
        "",
        "Service",
        "spec/rules/http/paths/backend/serviceName",
    ),
    ("Ingress", "", "Service", "spec/backend/serviceName"),
    (
        "Ingress",
        "",
        "Service",
        "spec/rules/http/paths/backend/service/name",
    ),
    ("Ingress", "", "Service", "spec/defaultBackend/service/name"),
    (
        "Ingress",
        "networking.k8s.io",
        "IngressClass",
        "spec/ingressClassName",
    ),
    ("ServiceAccount", "", "Secret", "imagePullSecrets/name"),
    ("ServiceAccount", "", "Secret", "secrets/name"),
    ("StorageClass", "", "Secret", "parameters/secretName"),
    ("StorageClass", "", "Secret", "parameters/adminSecretName"),
    ("StorageClass", "", "Secret", "parameters/userSecretName"),
    ("StorageClass", "", "Secret", "parameters/secretRef"),
    (
        "PersistentVolume",
        "",
        "Secret",
        "spec/azureFile/secretName",
    ),
    ("StatefulSet", "", "Service", "spec/serviceName"),
    ("APIService", "", "Service", "spec/service/name"),
    (
        "ValidatingWebhookConfiguration",
        "",
        "Service",
        "webhooks/clientConfig/service",
    ),
    (
        "MutatingWebhookConfiguration",
        "",
        "Service",
        "webhooks/clientConfig/service",
    ),
    ("HTTPRoute", "", "Service", "spec/rules/backendRefs/name"),
    (
        "RoleBinding",
        "rbac.authorization.k8s.io",
        "Role",
        "roleRef/name",
    ),
    (
        "RoleBinding",
        "rbac.authorization.k8s.io",
        "ClusterRole",
        "roleRef/name",
    ),
    (
        "ClusterRoleBinding",
        "rbac.authorization.k8s.io",
        "ClusterRole",
        "roleRef/name",
    ),
    ("RoleBinding", "", "ServiceAccount", "subjects"),
    ("ClusterRoleBinding", "", "ServiceAccount", "subjects"),
    (
        "PersistentVolumeClaim",
        "",
        "PersistentVolume",
        "spec/volumeName",
    ),
    (
        "PersistentVolumeClaim",
        "storage.k8s.io",
        "StorageClass",
        "spec/storageClassName",
    ),
    (
        "StatefulSet",
        "storage.k8s.io",
        "StorageClass",
        "spec/volumeClaimTemplates/spec/storageClassName",
    ),
];

fn references_of(kind: &str) -> Vec<(&'static str, &'static str, String)> {
    let mut references: Vec<_> = ELSEWHERE
        .iter()
        .filter(|(referrer, ..)| *referrer == kind)
        .map(|(_, group, target, path)| (*group, *target, (*path).to_owned()))
        .collect();
    if let Some(spec) = pod_spec(kind) {
        references.extend(
            IN_PODS
                .iter()
                .map(|(group, target, path)| (*group, *target, format!("{spec}/{path}"))),
        );
    }
    references
}
