//! Fields that may not change once an object is there.
//!
//! From `pkg/apis/*/validation` upstream, with their wording.

use super::json;
use super::kinds::Kind;
use super::schema::FieldError;
use serde_json::Value;

const IMMUTABLE: &str = "field is immutable";

/// Group, kind and path of fields that never change.
const FIXED: [(&str, &str, &[&str]); 12] = [
    ("apps", "Deployment", &["spec", "selector"]),
    ("apps", "ReplicaSet", &["spec", "selector"]),
    ("apps", "DaemonSet", &["spec", "selector"]),
    ("batch", "Job", &["spec", "selector"]),
    ("batch", "Job", &["spec", "completionMode"]),
    ("", "Secret", &["type"]),
    ("", "PersistentVolumeClaim", &["spec", "storageClassName"]),
    ("", "PersistentVolumeClaim", &["spec", "accessModes"]),
    ("storage.k8s.io", "StorageClass", &["provisioner"]),
    ("storage.k8s.io", "StorageClass", &["parameters"]),
    ("scheduling.k8s.io", "PriorityClass", &["value"]),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        &["spec", "group"],
    ),
];

/// Lists the immutable fields that an update changes.
pub(super) fn immutable(kind: &Kind, old: &Value, new: &Value) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = FIXED
        .iter()
        .filter(|(group, name, _)| kind.is(group, name))
        .filter_map(|(_, _, path)| changed(old, new, path))
        .collect();
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ConfigMap" | "Secret") => errors.extend(sealed(old, new)),
        ("", "Service") => errors.extend(service(old, new)),
        ("", "Pod") => errors.extend(pod(old, new)),
        ("batch", "Job") => errors.extend(job(old, new)),
        ("apps", "StatefulSet") => errors.extend(stateful_set(old, new)),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            errors.extend(role_ref(old, new));
        }
        (_, _) => {}
    }
    errors
}

/// Refuses changes of Tekton's runs, as Tekton's own webhook does: of one that is under way only
/// `status` may be set, of one that is over nothing (`pkg/apis/pipeline/v1/pipelinerun_validation.go`).
pub(super) fn denied(kind: &Kind, old: &Value, new: &Value) -> Option<String> {
    let (open, allowed): (&[&str], _) = if kind.is("tekton.dev", "PipelineRun") {
        (&["status"], "only status updates are allowed")
    } else if kind.is("tekton.dev", "TaskRun") {
        let allowed = "only status and statusMessage updates are allowed";
        (&["status", "statusMessage"], allowed)
    } else {
        return None;
    };
    let closed = |object: &Value, open: &[&str]| {
        let mut spec = object.get("spec").cloned().unwrap_or_default();
        if let Some(fields) = spec.as_object_mut() {
            fields.retain(|name, value| !open.contains(&name.as_str()) && !value.is_null());
        }
        spec
    };
    let conditions = json::at(old, &["status", "conditions"]).and_then(Value::as_array);
    let is_done = conditions.into_iter().flatten().any(|one| {
        json::text_at(one, &["type"]) == Some("Succeeded")
            && matches!(json::text_at(one, &["status"]), Some("True" | "False"))
    });
    let name = &kind.kind;
    let why = if is_done {
        (closed(old, &[]) != closed(new, &[]))
            .then(|| format!("Once the {name} is complete, no updates are allowed"))
    } else {
        (closed(old, open) != closed(new, open))
            .then(|| format!("Once the {name} has started, {allowed}"))
    };
    why.map(|why| {
        format!(
            "admission webhook \"validation.webhook.pipeline.tekton.dev\" denied the request: \
             validation failed: invalid value: {why}: spec"
        )
    })
}

fn changed(old: &Value, new: &Value, path: &[&str]) -> Option<FieldError> {
    let (before, after) = (json::at(old, path), json::at(new, path));
    // What was never set may still be settled by the server or a controller.
    let before = before.filter(|value| !value.is_null())?;
    let none = Value::Null;
    let after = after.unwrap_or(&none);
    (before != after).then(|| FieldError::invalid(path.join("."), after, IMMUTABLE))
}

fn sealed(old: &Value, new: &Value) -> Vec<FieldError> {
    if old.get("immutable") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let detail = "field is immutable when `immutable` is set";
    ["immutable", "data", "binaryData"]
        .into_iter()
        .filter(|field| old.get(field) != new.get(field))
        .map(|field| FieldError::forbidden(field, detail))
        .collect()
}

fn service(old: &Value, new: &Value) -> Option<FieldError> {
    let external =
        |service: &Value| json::text_at(service, &["spec", "type"]) == Some("ExternalName");
    if external(old) || external(new) {
        return None;
    }
    let path = ["spec", "clusterIP"];
    let after = json::at(new, &path).cloned().unwrap_or_default();
    changed(old, new, &path)
        .map(|_| FieldError::invalid("spec.clusterIPs[0]", &after, "may not change once set"))
}

/// Pods change only what `pod updates may not change fields other than` lists.
fn pod(old: &Value, new: &Value) -> Option<FieldError> {
    let rest = |pod: &Value| {
        let mut spec = pod.get("spec").cloned().unwrap_or_default();
        let map = json::map_mut(&mut spec);
        for field in [
            "activeDeadlineSeconds",
            "terminationGracePeriodSeconds",
            "tolerations",
        ] {
            map.remove(field);
        }
        // Set by binding and by injected ephemeral containers, through their own doors.
        for field in ["nodeName", "ephemeralContainers", "schedulingGates"] {
            map.remove(field);
        }
        for list in ["containers", "initContainers"] {
            for container in map
                .get_mut(list)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                json::map_mut(container).remove("image");
            }
        }
        spec
    };
    let detail = "pod updates may not change fields other than `spec.containers[*].image`,\
                  `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                  `spec.tolerations` (only additions to existing tolerations),\
                  `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                  previously negative)";
    (rest(old) != rest(new)).then(|| FieldError::forbidden("spec", detail))
}

fn job(old: &Value, new: &Value) -> Option<FieldError> {
    let path = ["spec", "template"];
    let suspended = json::at(old, &["spec", "suspend"]) == Some(&Value::Bool(true));
    if suspended {
        return None;
    }
    changed(old, new, &path)
}

fn stateful_set(old: &Value, new: &Value) -> Option<FieldError> {
    let rest = |set: &Value| {
        let mut spec = set.get("spec").cloned().unwrap_or_default();
        let map = json::map_mut(&mut spec);
        for field in [
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
            "revisionHistoryLimit",
        ] {
            map.remove(field);
        }
        spec
    };
    let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
                  'template', 'updateStrategy', 'revisionHistoryLimit', \
                  'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
    (rest(old) != rest(new)).then(|| FieldError::forbidden("spec", detail))
}

fn role_ref(old: &Value, new: &Value) -> Option<FieldError> {
    let after = new.get("roleRef").cloned().unwrap_or_default();
    changed(old, new, &["roleRef"])
        .map(|_| FieldError::invalid("roleRef", &after, "cannot change roleRef"))
}
