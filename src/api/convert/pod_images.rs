//! What the containers of a Pod run, and to whom the Pod belongs.
//!
//! A ReplicaSet is named after its owner and the hash of its template; so the Rollout or the
//! Deployment behind a Pod is known without reading the ReplicaSet.

use super::loose::{annotation, at, owner};
use super::object_ref;
use crate::domain::image::{Place, Running};
use crate::domain::kind::ARGO;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text};
use serde_json::Value;

/// One container's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerImage {
    pub running: Running,
    /// Without its Application and its states.
    pub place: Place,
}

/// What a Pod runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodImages {
    pub pod: ObjectRef,
    pub workload: ObjectRef,
    /// The Application that the Pod itself names as its manager.
    pub application: Text,
    pub containers: Vec<ContainerImage>,
}

/// Returns the kind of Pods.
pub fn pod_kind() -> GroupKind {
    GroupKind::new("", "Pod")
}

fn text<'v>(value: &'v Value, path: &[&str]) -> &'v str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    at(value, path)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// Reads a Pod. One that is over runs nothing.
pub fn pod_images(value: &Value, cluster: &Cluster) -> PodImages {
    let namespace = Text::from(text(value, &["metadata", "namespace"]));
    let name = Text::from(text(value, &["metadata", "name"]));
    let pod = object_ref(cluster, &pod_kind(), &namespace, &name);
    let workload = workload(value, cluster, &pod);
    let over = matches!(text(value, &["status", "phase"]), "Succeeded" | "Failed");
    let mut containers = Vec::new();
    let parts = [
        ("initContainers", "initContainerStatuses"),
        ("containers", "containerStatuses"),
    ];
    for (specs, statuses) in parts {
        let statuses = list(value, &["status", statuses]);
        for spec in list(value, &["spec", specs]) {
            let sidecar = text(spec, &["restartPolicy"]) == "Always";
            if over || (specs == "initContainers" && !sidecar) {
                continue;
            }
            let name = text(spec, &["name"]);
            let status = statuses.iter().find(|one| text(one, &["name"]) == name);
            containers.extend(container(spec, status, (&pod, &workload)));
        }
    }
    PodImages {
        application: tracked_by(value),
        pod,
        workload,
        containers,
    }
}

fn container(
    spec: &Value,
    status: Option<&Value>,
    (pod, workload): (&ObjectRef, &ObjectRef),
) -> Option<ContainerImage> {
    let image = text(spec, &["image"]);
    let of_status = |path: &[&str]| status.map(|status| text(status, path)).unwrap_or_default();
    let running = Running::read(image, of_status(&["image"]), of_status(&["imageID"]))?;
    let waiting = of_status(&["state", "waiting", "reason"]);
    let pulls = [
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
    ];
    let trouble = if pulls.contains(&waiting) {
        match of_status(&["state", "waiting", "message"]) {
            "" => waiting,
            message => message,
        }
    } else {
        ""
    };
    Some(ContainerImage {
        running,
        place: Place {
            pod: pod.clone(),
            container: text(spec, &["name"]).into(),
            image: image.into(),
            workload: workload.clone(),
            application: None,
            states: Vec::new(),
            trouble: trouble.into(),
        },
    })
}

/// Returns what keeps a Pod.
fn workload(value: &Value, cluster: &Cluster, pod: &ObjectRef) -> ObjectRef {
    let Some(owner) = owner(value, cluster, pod.namespace.as_ref()) else {
        return pod.clone();
    };
    let set = owner.object;
    if !set.kind.is("apps", "ReplicaSet") {
        return set;
    }
    let kinds = [
        ("rollouts-pod-template-hash", ARGO, "Rollout"),
        ("pod-template-hash", "apps", "Deployment"),
    ];
    for (label, group, kind) in kinds {
        let hash = text(value, &["metadata", "labels", label]);
        let name = set.name.strip_suffix(hash);
        let name = name.and_then(|name| name.strip_suffix('-'));
        if let Some(name) = name.filter(|_| !hash.is_empty()) {
            return ObjectRef {
                kind: GroupKind::new(group, kind),
                name: name.into(),
                ..set
            };
        }
    }
    set
}

/// Returns the Application that an object names as its manager: the annotation says
/// `APP:GROUP/KIND:NAMESPACE/NAME` and counts only for the object it names (Argo CD
/// `util/argo/resource_tracking.go`).
pub fn tracked_by(value: &Value) -> Text {
    let tracking = annotation(value, "argocd.argoproj.io/tracking-id");
    let mut parts = tracking.splitn(3, ':');
    let (app, _, named) = (parts.next(), parts.next(), parts.next());
    let namespace = text(value, &["metadata", "namespace"]);
    let own = format!("{namespace}/{}", text(value, &["metadata", "name"]));
    match (app, named) {
        (Some(app), Some(named)) if named == own => app.into(),
        _ => "".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster() -> Cluster {
        Cluster("demo".into())
    }

    fn pod(owner: &Value, labels: &Value, status: &Value) -> Value {
        json!({"metadata": {"namespace": "shop", "name": "demo-app-58c4-x2x9", "labels": labels,
                "ownerReferences": [owner]},
            "spec": {"initContainers": [{"name": "init", "image": "busybox"},
                        {"name": "proxy", "image": "istio/proxyv2:1", "restartPolicy": "Always"}],
                     "containers": [{"name": "app", "image": "r.io/shop/demo-app:1.0.0"}]},
            "status": status})
    }

    #[test]
    fn the_owner_behind_a_replica_set_is_known_by_its_hash() {
        let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "demo-app-58c4", "controller": true});
        let rollout = pod(
            &set,
            &json!({"rollouts-pod-template-hash": "58c4"}),
            &json!({}),
        );
        let read = pod_images(&rollout, &cluster());
        assert!(read.workload.kind.is(ARGO, "Rollout"));
        assert_eq!(read.workload.path(), "shop/demo-app");
        let deployment = pod(&set, &json!({"pod-template-hash": "58c4"}), &json!({}));
        assert!(
            pod_images(&deployment, &cluster())
                .workload
                .kind
                .is("apps", "Deployment")
        );
        let bare = pod(&set, &json!({}), &json!({}));
        assert!(
            pod_images(&bare, &cluster())
                .workload
                .kind
                .is("apps", "ReplicaSet")
        );
    }

    #[test]
    fn what_runs_is_read_with_why_it_cannot_be_pulled() {
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "controller": true});
        let status = json!({"containerStatuses": [{"name": "app", "image": "r.io/shop/demo-app:1.0.0",
            "imageID": "", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "robot expired"}}}]});
        let read = pod_images(&pod(&set, &json!({}), &status), &cluster());
        let names: Vec<&str> = read
            .containers
            .iter()
            .map(|one| &*one.place.container)
            .collect();
        assert_eq!(names, ["proxy", "app"], "an init container is over");
        assert_eq!(&*read.containers[1].place.trouble, "robot expired");
        let over = pod(&set, &json!({}), &json!({"phase": "Succeeded"}));
        assert!(pod_images(&over, &cluster()).containers.is_empty());
    }

    #[test]
    fn a_copied_tracking_annotation_counts_for_nobody() {
        let tracked = |id: &str| {
            tracked_by(&json!({"metadata": {"namespace": "shop", "name": "api",
                "annotations": {"argocd.argoproj.io/tracking-id": id}}}))
        };
        assert_eq!(&*tracked("shop-prod:apps/Deployment:shop/api"), "shop-prod");
        assert_eq!(&*tracked("shop-prod:apps/Deployment:shop/other"), "");
        assert_eq!(&*tracked(""), "");
    }
}
