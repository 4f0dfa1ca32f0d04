//! Short facts about live objects, in the words `kubectl` uses for them.

use crate::domain::node::Node;
use serde_json::Value;

pub(super) fn text<'v>(object: &'v Value, path: &[&str]) -> &'v str {
    object.at(path).and_then(Node::text).unwrap_or_default()
}

pub(super) fn number(object: &Value, path: &[&str]) -> i64 {
    object.at(path).and_then(Node::integer).unwrap_or_default()
}

pub(super) fn items<'v>(object: &'v Value, path: &[&str]) -> &'v [Value] {
    object.at(path).map(Node::items).unwrap_or_default()
}

/// Returns the facts that stand behind an object's name in a tree.
pub(super) fn facts_of(kind: &str, object: &Value) -> Vec<String> {
    match kind {
        "Pod" => pod(object),
        "ReplicaSet" => replica_set(object),
        "Deployment" | "StatefulSet" | "Rollout" | "ReplicationController" => {
            vec![format!(
                "{}/{}",
                number(object, &["status", "readyReplicas"]),
                wanted(object)
            )]
        }
        "DaemonSet" => vec![format!(
            "{}/{}",
            number(object, &["status", "numberReady"]),
            number(object, &["status", "desiredNumberScheduled"])
        )],
        "Job" => vec![format!(
            "{}/{}",
            number(object, &["status", "succeeded"]),
            object
                .at(&["spec", "completions"])
                .and_then(Node::integer)
                .unwrap_or(1)
        )],
        "CronJob" => vec![text(object, &["spec", "schedule"]).to_owned()],
        "Service" => vec![service_type(object).to_owned()],
        "PersistentVolumeClaim" => vec![
            text(object, &["status", "phase"]).to_owned(),
            text(object, &["status", "capacity", "storage"]).to_owned(),
        ],
        "Application" => vec![text(object, &["status", "sync", "status"]).to_owned()],
        _ => Vec::new(),
    }
    .into_iter()
    .filter(|fact| !fact.is_empty())
    .collect()
}

fn service_type(object: &Value) -> &str {
    match text(object, &["spec", "type"]) {
        "" => "ClusterIP",
        kind => kind,
    }
}

fn wanted(object: &Value) -> i64 {
    let replicas = object.at(&["spec", "replicas"]).and_then(Node::integer);
    replicas.unwrap_or(1)
}

fn replica_set(object: &Value) -> Vec<String> {
    let wanted = wanted(object);
    let ready = number(object, &["status", "readyReplicas"]);
    let path = [
        "metadata",
        "annotations",
        "deployment.kubernetes.io/revision",
    ];
    let revision = text(object, &path);
    let mut facts = Vec::new();
    if !revision.is_empty() {
        facts.push(format!("rev {revision}"));
    }
    let idle = wanted == 0 && number(object, &["status", "replicas"]) == 0;
    facts.push(if idle {
        String::from("scaled to 0")
    } else {
        format!("{ready}/{wanted}")
    });
    facts
}

fn pod(object: &Value) -> Vec<String> {
    let statuses = items(object, &["status", "containerStatuses"]);
    let ready = statuses
        .iter()
        .filter(|one| one.member("ready").and_then(Node::boolean) == Some(true))
        .count();
    let mut facts = vec![
        format!("{ready}/{}", items(object, &["spec", "containers"]).len()),
        pod_status(object),
    ];
    let restarts: i64 = statuses
        .iter()
        .map(|one| number(one, &["restartCount"]))
        .sum();
    if restarts > 0 {
        facts.push(format!("restarts {restarts}"));
    }
    facts
}

/// Returns what `kubectl get pods` shows as STATUS (Kubernetes `pkg/printers/internalversion`).
pub(super) fn pod_status(pod: &Value) -> String {
    if pod.at(&["metadata", "deletionTimestamp"]).is_some() {
        return String::from("Terminating");
    }
    let mut status = match text(pod, &["status", "reason"]) {
        "" => text(pod, &["status", "phase"]).to_owned(),
        reason => reason.to_owned(),
    };
    let inits = items(pod, &["status", "initContainerStatuses"]);
    let total = items(pod, &["spec", "initContainers"]).len();
    for (index, container) in inits.iter().enumerate() {
        if let Some(trouble) = init_trouble(container) {
            return if trouble.is_empty() {
                format!("Init:{index}/{total}")
            } else {
                format!("Init:{trouble}")
            };
        }
    }
    for container in items(pod, &["status", "containerStatuses"]).iter().rev() {
        let waiting = text(container, &["state", "waiting", "reason"]);
        let ended = container.at(&["state", "terminated"]);
        if !waiting.is_empty() {
            waiting.clone_into(&mut status);
        } else if let Some(ended) = ended {
            status = match text(ended, &["reason"]) {
                "" => format!("ExitCode:{}", number(ended, &["exitCode"])),
                reason => reason.to_owned(),
            };
        }
    }
    if status.is_empty() {
        status = String::from("Unknown");
    }
    status
}

/// `None` when the init container is done; empty when it just runs.
fn init_trouble(container: &Value) -> Option<String> {
    if let Some(ended) = container.at(&["state", "terminated"]) {
        let code = number(ended, &["exitCode"]);
        if code == 0 {
            return None;
        }
        return Some(match text(ended, &["reason"]) {
            "" => format!("ExitCode:{code}"),
            reason => reason.to_owned(),
        });
    }
    let waiting = text(container, &["state", "waiting", "reason"]);
    let plain = waiting.is_empty() || waiting == "PodInitializing";
    Some(if plain {
        String::new()
    } else {
        waiting.to_owned()
    })
}

/// Returns the images an object runs or would run.
pub(super) fn images_of(object: &Value) -> Vec<String> {
    let pod = ["spec", "containers"];
    let template = ["spec", "template", "spec", "containers"];
    let nested = [
        "spec",
        "jobTemplate",
        "spec",
        "template",
        "spec",
        "containers",
    ];
    let lists = [
        items(object, &pod),
        items(object, &template),
        items(object, &nested),
    ];
    let images = lists.into_iter().flatten();
    let mut images: Vec<String> = images
        .map(|container| text(container, &["image"]).to_owned())
        .filter(|image| !image.is_empty())
        .collect();
    images.sort_unstable();
    images.dedup();
    images
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_says_what_kubectl_says() {
        let waiting = json!({"spec": {"containers": [{}, {}]}, "status": {"phase": "Running",
            "containerStatuses": [{"ready": true}, {"restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}});
        let init = json!({"spec": {"initContainers": [{}, {}]}, "status": {"phase": "Pending",
            "initContainerStatuses": [{"state": {"terminated": {"exitCode": 0}}},
                {"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}});

        assert_eq!(
            facts_of("Pod", &waiting),
            ["1/2", "CrashLoopBackOff", "restarts 3"]
        );
        assert_eq!(pod_status(&init), "Init:ImagePullBackOff");
        assert_eq!(
            pod_status(&json!({"metadata": {"deletionTimestamp": "t"}})),
            "Terminating"
        );
    }

    #[test]
    fn an_idle_replica_set_is_told_apart() {
        let idle = json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": "4"}},
            "spec": {"replicas": 0}, "status": {"replicas": 0}});

        assert_eq!(facts_of("ReplicaSet", &idle), ["rev 4", "scaled to 0"]);
    }
}
