//! Deployments on the embedded platform, on stepped time.

use crate::support::{Cluster, is_ready};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use tiphys::sim::kubelet::image::ImageProfile;

fn deployment(name: &str, image: &str, replicas: i32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "web", "image": image,
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
                }]},
            },
        },
    })
}

async fn status(cluster: &Cluster, name: &str) -> (i32, i32, i32) {
    let found = cluster
        .api::<Deployment>()
        .get(name)
        .await
        .expect("it is there");
    let status = found.status.unwrap_or_default();
    (
        status.updated_replicas.unwrap_or(0),
        status.available_replicas.unwrap_or(0),
        status.replicas.unwrap_or(0),
    )
}

async fn condition(cluster: &Cluster, name: &str, kind: &str) -> Option<(String, String)> {
    let found = cluster
        .api::<Deployment>()
        .get(name)
        .await
        .expect("it is there");
    let conditions = found.status?.conditions?;
    let condition = conditions.into_iter().find(|one| one.type_ == kind)?;
    Some((condition.status, condition.reason.unwrap_or_default()))
}

async fn until_available(cluster: &Cluster, name: &str, replicas: i32) {
    cluster
        .until(
            &format!("{name} has {replicas} available replicas"),
            async || (status(cluster, name).await == (replicas, replicas, replicas)).then_some(()),
        )
        .await;
}

#[allow(clippy::too_many_lines, reason = "one story")]
#[tokio::test]
async fn a_deployment_rolls_out_and_its_service_finds_the_pods() {
    let cluster = Cluster::start(Vec::new());
    cluster.create(deployment("web", "nginx:1", 3)).await;
    cluster
        .create(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
        }))
        .await;

    until_available(&cluster, "web", 3).await;

    cluster
        .until("the rollout is complete", async || {
            let done = condition(&cluster, "web", "Progressing").await?;
            (done == ("True".into(), "NewReplicaSetAvailable".into())).then_some(())
        })
        .await;
    cluster
        .until(
            "the slice has three ready endpoints on the named port",
            async || {
                let labels = ListParams::default().labels("kubernetes.io/service-name=web");
                let slices = cluster
                    .api::<EndpointSlice>()
                    .list(&labels)
                    .await
                    .expect("slices");
                let slice = slices.items.into_iter().next()?;
                let ready = slice
                    .endpoints
                    .iter()
                    .filter(|one| {
                        one.conditions
                            .as_ref()
                            .is_some_and(|one| one.ready == Some(true))
                    })
                    .count();
                let port = slice.ports?.first()?.port;
                (ready == 3 && port == Some(8080)).then_some(())
            },
        )
        .await;
    let old = cluster
        .api::<Endpoints>()
        .get("web")
        .await
        .expect("endpoints");
    let subset = old.subsets.and_then(|mut all| all.pop()).expect("a subset");
    assert_eq!(subset.addresses.map(|all| all.len()), Some(3));
    let service = cluster
        .api::<Service>()
        .get("web")
        .await
        .expect("the service");
    assert!(
        service
            .spec
            .and_then(|spec| spec.cluster_ip)
            .is_some_and(|ip| ip.starts_with("10."))
    );
    let nodes: std::collections::BTreeSet<_> = cluster
        .pods("app=web")
        .await
        .into_iter()
        .filter_map(|pod| pod.spec?.node_name)
        .collect();
    assert!(nodes.len() > 1, "the pods are spread: {nodes:?}");
}

#[tokio::test]
async fn a_new_image_replaces_all_pods_and_keeps_the_old_set_for_rollback() {
    let cluster = Cluster::start(Vec::new());
    cluster.create(deployment("web", "nginx:1", 3)).await;
    until_available(&cluster, "web", 3).await;

    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx:2"}]}}}});
    cluster.patch::<Deployment>("web", image).await;

    cluster
        .until("all pods run the new image", async || {
            let pods = cluster.pods("app=web").await;
            let new = pods.iter().all(|pod| {
                let image = pod
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.containers.first()?.image.clone());
                image.as_deref() == Some("nginx:2") && is_ready(pod)
            });
            (new && pods.len() == 3).then_some(())
        })
        .await;
    until_available(&cluster, "web", 3).await;
    let sets = cluster
        .api::<ReplicaSet>()
        .list(&ListParams::default())
        .await
        .expect("sets");
    let mut revisions: Vec<_> = sets
        .items
        .iter()
        .map(|set| {
            let annotations = set.metadata.annotations.clone().unwrap_or_default();
            let revision = annotations
                .get("deployment.kubernetes.io/revision")
                .cloned();
            (
                revision.unwrap_or_default(),
                set.spec.as_ref().and_then(|spec| spec.replicas),
            )
        })
        .collect();
    revisions.sort();
    assert_eq!(revisions, [("1".into(), Some(0)), ("2".into(), Some(3))]);
    let events = cluster.events("web").await;
    assert!(
        events
            .iter()
            .any(|(reason, message)| reason == "ScalingReplicaSet"
                && message.starts_with("Scaled up replica set web-")
                && message.ends_with("from 0 to 3")),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_missing_image_stops_the_rollout_and_the_old_pods_stay() {
    let cluster = Cluster::start(Vec::new());
    cluster.images.add("registry.demo/web:v1");
    cluster
        .create(deployment("web", "registry.demo/web:v1", 3))
        .await;
    until_available(&cluster, "web", 3).await;

    let patch = json!({"spec": {
        "progressDeadlineSeconds": 30,
        "template": {"spec": {"containers": [{"name": "web", "image": "registry.demo/web:v2"}]}},
    }});
    cluster.patch::<Deployment>("web", patch).await;

    let broken = cluster
        .until("a pod backs off pulling", async || {
            cluster
                .pods("app=web")
                .await
                .into_iter()
                .find(|pod| waiting_reason(pod).as_deref() == Some("ImagePullBackOff"))
        })
        .await;
    cluster
        .until("the deadline is exceeded", async || {
            let progressing = condition(&cluster, "web", "Progressing").await?;
            (progressing == ("False".into(), "ProgressDeadlineExceeded".into())).then_some(())
        })
        .await;
    assert_eq!(
        status(&cluster, "web").await.1,
        3,
        "three old pods still serve"
    );
    let name = broken.metadata.name.unwrap_or_default();
    let events = cluster.events(&name).await;
    assert!(
        events.iter().any(|(reason, message)| reason == "Failed"
            && message.contains("registry.demo/web:v2: not found")),
        "{events:?}"
    );

    cluster.images.add("registry.demo/web:v2");
    until_available(&cluster, "web", 3).await;
}

fn waiting_reason(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    status.state.as_ref()?.waiting.as_ref()?.reason.clone()
}

#[tokio::test]
async fn a_crashing_image_loops_with_growing_back_off() {
    let bad = ImageProfile {
        image: "*:bad".into(),
        exit_after: Some(1.0),
        exit_code: 3,
        log_end: vec!["panic: no database".into()],
        ..ImageProfile::default()
    };
    let cluster = Cluster::start(vec![bad]);
    cluster.create(deployment("web", "nginx:bad", 1)).await;

    let pod = cluster
        .until("it was restarted three times", async || {
            cluster.pods("app=web").await.into_iter().find(|pod| {
                let status = pod
                    .status
                    .as_ref()
                    .and_then(|one| one.container_statuses.as_ref()?.first().cloned());
                status.is_some_and(|one| one.restart_count >= 3)
                    && waiting_reason(pod).as_deref() == Some("CrashLoopBackOff")
            })
        })
        .await;

    let name = pod.metadata.name.unwrap_or_default();
    let events = cluster.events(&name).await;
    assert!(
        events.iter().any(|(reason, message)| reason == "BackOff"
            && message.starts_with("Back-off restarting failed container web")),
        "{events:?}"
    );
    assert_eq!(
        condition(&cluster, "web", "Available")
            .await
            .map(|one| one.0)
            .as_deref(),
        Some("False")
    );
    let previous = kube::api::LogParams {
        previous: true,
        ..kube::api::LogParams::default()
    };
    let log = cluster
        .api::<Pod>()
        .logs(&name, &previous)
        .await
        .expect("a log");
    assert!(log.ends_with("panic: no database\n"), "{log}");
}

#[tokio::test]
async fn scaling_down_keeps_the_rest_and_deleting_takes_everything() {
    let cluster = Cluster::start(Vec::new());
    cluster.create(deployment("web", "nginx:1", 5)).await;
    until_available(&cluster, "web", 5).await;

    cluster
        .patch::<Deployment>("web", json!({"spec": {"replicas": 2}}))
        .await;
    until_available(&cluster, "web", 2).await;
    cluster
        .until("two pods are left", async || {
            (cluster.pods("app=web").await.len() == 2).then_some(())
        })
        .await;

    cluster
        .api::<Deployment>()
        .delete("web", &DeleteParams::background())
        .await
        .expect("deleted");
    cluster
        .until("sets and pods are gone", async || {
            let sets = cluster
                .api::<ReplicaSet>()
                .list(&ListParams::default())
                .await
                .expect("sets");
            let pods = cluster.pods("app=web").await;
            (sets.items.is_empty() && pods.is_empty()).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_pod_that_asks_for_too_much_stays_unscheduled_and_says_why() {
    let cluster = Cluster::start(Vec::new());
    let mut huge = deployment("huge", "nginx:1", 1);
    huge["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"requests": {"cpu": "5000"}});
    cluster.create(huge).await;

    cluster
        .until("the pod is unschedulable on all three nodes", async || {
            let pod = cluster.pods("app=huge").await.into_iter().next()?;
            let conditions = pod.status?.conditions?;
            let scheduled = conditions
                .into_iter()
                .find(|one| one.type_ == "PodScheduled")?;
            scheduled
                .message?
                .starts_with("0/3 nodes are available: 3 Insufficient cpu.")
                .then_some(())
        })
        .await;
}
