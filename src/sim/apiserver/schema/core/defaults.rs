//! The defaults of built-in types.
//!
//! Upstream: `pkg/apis/*/v1/defaults.go`. [`PLAIN`] holds those that stand alone; they become part
//! of the schemas. [`complete`] adds those that depend on other fields. What needs the store
//! (cluster IPs, generated selectors of Jobs) is not here.

use super::quantity;
use base64::Engine as _;
use serde_json::{Map, Value, json};

/// A definition, one of its fields, and the JSON text of the field's default.
pub(super) const PLAIN: &[(&str, &str, &str)] = &[
    (
        "core.v1.Container",
        "terminationMessagePath",
        r#""/dev/termination-log""#,
    ),
    ("core.v1.Container", "terminationMessagePolicy", r#""File""#),
    ("core.v1.Container", "resources", "{}"),
    ("core.v1.Probe", "timeoutSeconds", "1"),
    ("core.v1.Probe", "periodSeconds", "10"),
    ("core.v1.Probe", "successThreshold", "1"),
    ("core.v1.Probe", "failureThreshold", "3"),
    ("core.v1.HTTPGetAction", "path", r#""/""#),
    ("core.v1.HTTPGetAction", "scheme", r#""HTTP""#),
    ("core.v1.PodSpec", "dnsPolicy", r#""ClusterFirst""#),
    ("core.v1.PodSpec", "restartPolicy", r#""Always""#),
    ("core.v1.PodSpec", "terminationGracePeriodSeconds", "30"),
    ("core.v1.PodSpec", "securityContext", "{}"),
    ("core.v1.PodSpec", "schedulerName", r#""default-scheduler""#),
    ("core.v1.SecretVolumeSource", "defaultMode", "420"),
    ("core.v1.ConfigMapVolumeSource", "defaultMode", "420"),
    ("core.v1.DownwardAPIVolumeSource", "defaultMode", "420"),
    ("core.v1.ProjectedVolumeSource", "defaultMode", "420"),
    (
        "core.v1.ServiceAccountTokenProjection",
        "expirationSeconds",
        "3600",
    ),
    ("core.v1.HostPathVolumeSource", "type", r#""""#),
    ("core.v1.ObjectFieldSelector", "apiVersion", r#""v1""#),
    ("core.v1.ReplicationControllerSpec", "replicas", "1"),
    ("core.v1.ServiceSpec", "sessionAffinity", r#""None""#),
    ("core.v1.ServiceSpec", "type", r#""ClusterIP""#),
    ("core.v1.Secret", "type", r#""Opaque""#),
    (
        "core.v1.PersistentVolumeSpec",
        "persistentVolumeReclaimPolicy",
        r#""Retain""#,
    ),
    (
        "core.v1.PersistentVolumeSpec",
        "volumeMode",
        r#""Filesystem""#,
    ),
    (
        "core.v1.PersistentVolumeClaimSpec",
        "volumeMode",
        r#""Filesystem""#,
    ),
    ("apps.v1.DeploymentSpec", "replicas", "1"),
    ("apps.v1.DeploymentSpec", "strategy", "{}"),
    ("apps.v1.DeploymentSpec", "revisionHistoryLimit", "10"),
    ("apps.v1.DeploymentSpec", "progressDeadlineSeconds", "600"),
    ("apps.v1.DeploymentStrategy", "type", r#""RollingUpdate""#),
    (
        "apps.v1.RollingUpdateDeployment",
        "maxUnavailable",
        r#""25%""#,
    ),
    ("apps.v1.RollingUpdateDeployment", "maxSurge", r#""25%""#),
    ("apps.v1.DaemonSetSpec", "updateStrategy", "{}"),
    ("apps.v1.DaemonSetSpec", "revisionHistoryLimit", "10"),
    (
        "apps.v1.DaemonSetUpdateStrategy",
        "type",
        r#""RollingUpdate""#,
    ),
    ("apps.v1.RollingUpdateDaemonSet", "maxUnavailable", "1"),
    ("apps.v1.RollingUpdateDaemonSet", "maxSurge", "0"),
    ("apps.v1.StatefulSetSpec", "replicas", "1"),
    (
        "apps.v1.StatefulSetSpec",
        "podManagementPolicy",
        r#""OrderedReady""#,
    ),
    ("apps.v1.StatefulSetSpec", "updateStrategy", "{}"),
    ("apps.v1.StatefulSetSpec", "revisionHistoryLimit", "10"),
    (
        "apps.v1.StatefulSetSpec",
        "persistentVolumeClaimRetentionPolicy",
        "{}",
    ),
    (
        "apps.v1.StatefulSetUpdateStrategy",
        "type",
        r#""RollingUpdate""#,
    ),
    ("apps.v1.RollingUpdateStatefulSetStrategy", "partition", "0"),
    (
        "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy",
        "whenDeleted",
        r#""Retain""#,
    ),
    (
        "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy",
        "whenScaled",
        r#""Retain""#,
    ),
    ("apps.v1.ReplicaSetSpec", "replicas", "1"),
    ("batch.v1.JobSpec", "parallelism", "1"),
    ("batch.v1.JobSpec", "backoffLimit", "6"),
    ("batch.v1.JobSpec", "completionMode", r#""NonIndexed""#),
    ("batch.v1.JobSpec", "suspend", "false"),
    ("batch.v1.CronJobSpec", "concurrencyPolicy", r#""Allow""#),
    ("batch.v1.CronJobSpec", "suspend", "false"),
    ("batch.v1.CronJobSpec", "successfulJobsHistoryLimit", "3"),
    ("batch.v1.CronJobSpec", "failedJobsHistoryLimit", "1"),
    (
        "autoscaling.v1.HorizontalPodAutoscalerSpec",
        "minReplicas",
        "1",
    ),
    (
        "autoscaling.v2.HorizontalPodAutoscalerSpec",
        "minReplicas",
        "1",
    ),
    (
        "autoscaling.v2.HorizontalPodAutoscalerSpec",
        "metrics",
        r#"[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}]"#,
    ),
    ("discovery.v1.EndpointPort", "protocol", r#""TCP""#),
    ("discovery.v1.EndpointPort", "name", r#""""#),
    ("networking.v1.NetworkPolicyPort", "protocol", r#""TCP""#),
    (
        "rbac.v1.RoleRef",
        "apiGroup",
        r#""rbac.authorization.k8s.io""#,
    ),
    (
        "scheduling.v1.PriorityClass",
        "preemptionPolicy",
        r#""PreemptLowerPriority""#,
    ),
    ("storage.v1.StorageClass", "reclaimPolicy", r#""Delete""#),
    (
        "storage.v1.StorageClass",
        "volumeBindingMode",
        r#""Immediate""#,
    ),
    (
        "admissionregistration.v1.RuleWithOperations",
        "scope",
        r#""*""#,
    ),
    (
        "admissionregistration.v1.MutatingWebhook",
        "failurePolicy",
        r#""Fail""#,
    ),
    (
        "admissionregistration.v1.MutatingWebhook",
        "matchPolicy",
        r#""Equivalent""#,
    ),
    (
        "admissionregistration.v1.MutatingWebhook",
        "timeoutSeconds",
        "10",
    ),
    (
        "admissionregistration.v1.MutatingWebhook",
        "reinvocationPolicy",
        r#""Never""#,
    ),
    (
        "admissionregistration.v1.ValidatingWebhook",
        "failurePolicy",
        r#""Fail""#,
    ),
    (
        "admissionregistration.v1.ValidatingWebhook",
        "matchPolicy",
        r#""Equivalent""#,
    ),
    (
        "admissionregistration.v1.ValidatingWebhook",
        "timeoutSeconds",
        "10",
    ),
];

/// Completes an object whose plain defaults are filled in.
pub(in crate::sim::apiserver) fn complete(object: &mut Value) {
    let group = object
        .get("apiVersion")
        .and_then(Value::as_str)
        .and_then(|one| one.split_once('/'))
        .map_or("", |(group, _)| group)
        .to_owned();
    let kind = text(object.get("kind")).to_owned();
    match (group.as_str(), kind.as_str()) {
        ("", "Pod") => pod(object),
        ("", "Service") => service(object),
        ("", "Secret") => secret(object),
        ("", "Namespace") => namespace(object),
        ("", "PersistentVolumeClaim") => {
            entry(object, &["status"], "phase", json!("Pending"));
        }
        ("" | "apps", "ReplicationController" | "ReplicaSet" | "Deployment" | "DaemonSet") => {
            template(object.pointer_mut("/spec/template/spec"));
            rolling_update(object);
        }
        ("apps", "StatefulSet") => {
            template(object.pointer_mut("/spec/template/spec"));
            rolling_update(object);
            claims(object);
        }
        ("batch", "Job") => job(object.get_mut("spec")),
        ("batch", "CronJob") => job(object.pointer_mut("/spec/jobTemplate/spec")),
        ("networking.k8s.io", "NetworkPolicy") => network_policy(object),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => subjects(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        _ => {}
    }
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// Sets a field where it is absent; makes the maps on the way to it.
fn entry(object: &mut Value, way: &[&str], name: &str, default: Value) {
    let mut at = object;
    for step in way {
        let Some(map) = at.as_object_mut() else {
            return;
        };
        at = map
            .entry(*step)
            .or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(map) = at.as_object_mut() {
        map.entry(name).or_insert(default);
    }
}

fn each<'a>(object: &'a mut Value, list: &str) -> impl Iterator<Item = &'a mut Value> {
    object
        .get_mut(list)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

fn pod(object: &mut Value) {
    template(object.get_mut("spec"));
    entry(object, &["spec"], "enableServiceLinks", json!(true));
    // A pod starts its life pending; a template has no status.
    entry(object, &["status"], "phase", json!("Pending"));
}

/// Completes the spec of a pod or of a pod template.
fn template(spec: Option<&mut Value>) {
    let Some(spec) = spec else { return };
    for list in ["containers", "initContainers"] {
        each(spec, list).for_each(container);
    }
    for volume in each(spec, "volumes") {
        if let Some(map) = volume.as_object_mut()
            && map.keys().all(|key| key == "name")
        {
            map.insert("emptyDir".to_owned(), json!({}));
        }
    }
    let account = text(spec.get("serviceAccountName")).to_owned();
    if !account.is_empty() {
        entry(spec, &[], "serviceAccount", json!(account));
    }
}

fn container(container: &mut Value) {
    let image = text(container.get("image")).to_owned();
    let policy = if pulls_always(&image) {
        "Always"
    } else {
        "IfNotPresent"
    };
    entry(container, &[], "imagePullPolicy", json!(policy));
    let Some(resources) = container.get_mut("resources") else {
        return;
    };
    for part in ["limits", "requests"] {
        quantities(resources.get_mut(part));
    }
    // What is limited and not requested is requested up to its limit.
    let limits = resources.get("limits").and_then(Value::as_object).cloned();
    for (name, limit) in limits.into_iter().flatten() {
        entry(resources, &["requests"], &name, limit);
    }
}

/// An image without a tag, or with `latest`, may have changed since it was pulled.
fn pulls_always(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let name = image.rsplit('/').next().unwrap_or_default();
    matches!(name.split_once(':'), None | Some((_, "latest")))
}

fn quantities(map: Option<&mut Value>) {
    let map = map.and_then(Value::as_object_mut);
    for (_, value) in map.into_iter().flatten() {
        let given = match &*value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => continue,
        };
        if let Some(canonical) = quantity::canonical(&given) {
            *value = Value::String(canonical);
        }
    }
}

fn rolling_update(object: &mut Value) {
    let kind = text(object.get("kind")).to_owned();
    let (field, default) = match kind.as_str() {
        "Deployment" => (
            "strategy",
            json!({"maxSurge": "25%", "maxUnavailable": "25%"}),
        ),
        "DaemonSet" => (
            "updateStrategy",
            json!({"maxSurge": 0, "maxUnavailable": 1}),
        ),
        "StatefulSet" => ("updateStrategy", json!({"partition": 0})),
        _ => return,
    };
    let rolls = object
        .pointer(&format!("/spec/{field}/type"))
        .is_some_and(|one| one == "RollingUpdate");
    if rolls {
        entry(object, &["spec", field], "rollingUpdate", default);
    }
}

fn claims(object: &mut Value) {
    let Some(spec) = object.get_mut("spec") else {
        return;
    };
    for claim in each(spec, "volumeClaimTemplates") {
        entry(claim, &[], "apiVersion", json!("v1"));
        entry(claim, &[], "kind", json!("PersistentVolumeClaim"));
        entry(claim, &["status"], "phase", json!("Pending"));
    }
}

fn service(object: &mut Value) {
    let kind = text(object.pointer("/spec/type")).to_owned();
    let Some(spec) = object.get_mut("spec") else {
        return;
    };
    for port in each(spec, "ports") {
        let number = port.get("port").cloned().unwrap_or_default();
        entry(port, &[], "targetPort", number);
    }
    if kind != "ExternalName" {
        entry(spec, &[], "internalTrafficPolicy", json!("Cluster"));
    }
    if ["NodePort", "LoadBalancer"].contains(&kind.as_str()) {
        entry(spec, &[], "externalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        entry(spec, &[], "allocateLoadBalancerNodePorts", json!(true));
    }
    entry(object, &["status"], "loadBalancer", json!({}));
}

/// `stringData` is only for writing: it is encoded into `data`.
fn secret(object: &mut Value) {
    let Some(map) = object.as_object_mut() else {
        return;
    };
    let Some(Value::Object(plain)) = map.remove("stringData") else {
        return;
    };
    for (name, value) in plain {
        let bytes = text(Some(&value)).as_bytes();
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        let data = map.entry("data").or_insert_with(|| json!({}));
        data[name] = json!(encoded);
    }
}

fn namespace(object: &mut Value) {
    let name = object.pointer("/metadata/name").cloned();
    if let Some(name) = name {
        let way = ["metadata", "labels"];
        entry(object, &way, "kubernetes.io/metadata.name", name);
    }
    entry(object, &["spec"], "finalizers", json!(["kubernetes"]));
    entry(object, &["status"], "phase", json!("Active"));
}

fn job(spec: Option<&mut Value>) {
    let Some(spec) = spec else { return };
    template(spec.pointer_mut("/template/spec"));
    if spec.get("parallelism").is_some_and(|one| one == 1) && spec.get("completionMode").is_some() {
        entry(spec, &[], "completions", json!(1));
    }
    entry(
        spec,
        &[],
        "podReplacementPolicy",
        json!("TerminatingOrFailed"),
    );
}

fn network_policy(object: &mut Value) {
    let mut types = vec!["Ingress"];
    if object.pointer("/spec/egress").is_some() {
        types.push("Egress");
    }
    entry(object, &["spec"], "policyTypes", json!(types));
}

fn subjects(object: &mut Value) {
    for subject in each(object, "subjects") {
        if ["User", "Group"].contains(&text(subject.get("kind"))) {
            entry(subject, &[], "apiGroup", json!("rbac.authorization.k8s.io"));
        }
    }
}

fn definition(object: &mut Value) {
    let kind = text(object.pointer("/spec/names/kind")).to_owned();
    if kind.is_empty() {
        return;
    }
    let names = ["spec", "names"];
    entry(object, &names, "singular", json!(kind.to_lowercase()));
    entry(object, &names, "listKind", json!(format!("{kind}List")));
    entry(object, &["spec", "conversion"], "strategy", json!("None"));
}
