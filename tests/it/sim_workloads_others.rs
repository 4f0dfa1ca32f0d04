//! StatefulSets, DaemonSets, Jobs, logs and namespaces on the embedded platform.

use crate::support::{Cluster, is_ready};
use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Pod};
use kube::api::{Api, DeleteParams, ListParams, LogParams};
use serde_json::{Value, json};

fn template(app: &str, container: Value) -> Value {
    json!({"metadata": {"labels": {"app": app}}, "spec": {"containers": [container]}})
}

fn job(name: &str, script: &str, extra: Value) -> Value {
    let mut template = template(
        name,
        json!({"name": "main", "image": "busybox:1", "command": ["sh", "-c", script]}),
    );
    template["spec"]["restartPolicy"] = "Never".into();
    let mut spec = json!({"template": template});
    json_patch::merge(&mut spec, &extra);
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec})
}

async fn job_condition(cluster: &Cluster, name: &str, kind: &str) -> Option<String> {
    let job = cluster
        .api::<Job>()
        .get_opt(name)
        .await
        .expect("an answer")?;
    let conditions = job.status?.conditions?;
    let found = conditions
        .into_iter()
        .find(|one| one.type_ == kind && one.status == "True")?;
    found.reason
}

#[tokio::test]
async fn a_job_completes_and_goes_away_after_its_time_to_live() {
    let cluster = Cluster::start(Vec::new());
    let extra = json!({"completions": 2, "ttlSecondsAfterFinished": 20});
    cluster
        .create(job("seed", "echo hello; sleep 1", extra))
        .await;

    let reason = cluster
        .until("the job is complete", async || {
            job_condition(&cluster, "seed", "Complete").await
        })
        .await;

    assert_eq!(reason, "CompletionsReached");
    assert!(
        job_condition(&cluster, "seed", "SuccessCriteriaMet")
            .await
            .is_some()
    );
    let done = cluster.api::<Job>().get("seed").await.expect("the job");
    assert_eq!(done.status.and_then(|status| status.succeeded), Some(2));
    let pod = cluster
        .pods("job-name=seed")
        .await
        .into_iter()
        .next()
        .expect("a pod");
    let name = pod.metadata.name.expect("a name");
    let log = cluster
        .api::<Pod>()
        .logs(&name, &LogParams::default())
        .await;
    assert_eq!(log.expect("a log"), "hello\n");
    cluster
        .until("the job and its pods are gone", async || {
            let gone = cluster
                .api::<Job>()
                .get_opt("seed")
                .await
                .expect("an answer")
                .is_none();
            (gone && cluster.pods("job-name=seed").await.is_empty()).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_failing_job_reaches_its_back_off_limit() {
    let cluster = Cluster::start(Vec::new());
    cluster
        .create(job("bad", "exit 1", json!({"backoffLimit": 1})))
        .await;

    let reason = cluster
        .until("the job has failed", async || {
            job_condition(&cluster, "bad", "Failed").await
        })
        .await;

    assert_eq!(reason, "BackoffLimitExceeded");
    let failed = cluster.api::<Job>().get("bad").await.expect("the job");
    assert_eq!(failed.status.and_then(|status| status.failed), Some(2));
}

#[tokio::test]
async fn a_cron_job_starts_a_job_each_minute() {
    let cluster = Cluster::start(Vec::new());
    let inner = job("tick", "true", json!({}));
    cluster
        .create(json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"},
            "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": inner["spec"]}},
        }))
        .await;

    cluster
        .until("two jobs have run", async || {
            let jobs = cluster
                .api::<Job>()
                .list(&ListParams::default())
                .await
                .expect("jobs");
            let done = jobs.items.iter().filter(|job| {
                job.status
                    .as_ref()
                    .is_some_and(|status| status.completion_time.is_some())
            });
            (done.count() >= 2).then_some(())
        })
        .await;

    let cron = cluster
        .api::<CronJob>()
        .get("tick")
        .await
        .expect("the cron job");
    assert!(
        cron.status
            .is_some_and(|status| status.last_successful_time.is_some())
    );
}

#[tokio::test]
async fn a_stateful_set_starts_its_pods_in_order_with_their_volumes() {
    let cluster = Cluster::start(Vec::new());
    cluster
        .create(json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {
                "replicas": 3, "serviceName": "db",
                "selector": {"matchLabels": {"app": "db"}},
                "template": template("db", json!({"name": "db", "image": "postgres:17"})),
                "volumeClaimTemplates": [{
                    "metadata": {"name": "data"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                }],
            },
        }))
        .await;

    let mut most_unready = 0;
    cluster
        .until("all three are ready", async || {
            let pods = cluster.pods("app=db").await;
            let ready = pods.iter().filter(|pod| is_ready(pod)).count();
            most_unready = most_unready.max(pods.len() - ready);
            (ready == 3).then_some(())
        })
        .await;

    assert_eq!(most_unready, 1, "one at a time");
    let claims = cluster
        .api::<PersistentVolumeClaim>()
        .list(&ListParams::default())
        .await
        .expect("claims");
    let bound = claims.items.iter().filter(|claim| {
        claim
            .status
            .as_ref()
            .is_some_and(|one| one.phase.as_deref() == Some("Bound"))
    });
    assert_eq!(bound.count(), 3);

    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "db", "image": "postgres:18"}]}}}});
    cluster.patch::<StatefulSet>("db", image).await;
    cluster
        .until("the update has gone through", async || {
            let status = cluster
                .api::<StatefulSet>()
                .get("db")
                .await
                .expect("the set")
                .status?;
            (status.current_revision == status.update_revision
                && status.updated_replicas == Some(3)
                && status.ready_replicas == Some(3))
            .then_some(())
        })
        .await;
    let pods = cluster.pods("app=db").await;
    assert!(pods.iter().all(|pod| {
        let image = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.containers.first()?.image.clone());
        image.as_deref() == Some("postgres:18")
    }));
}

#[tokio::test]
async fn a_daemon_set_runs_on_every_node_and_is_renewed() {
    let cluster = Cluster::start(Vec::new());
    cluster
        .create(json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"},
            "spec": {
                "selector": {"matchLabels": {"app": "agent"}},
                "template": template("agent", json!({"name": "agent", "image": "agent:1"})),
            },
        }))
        .await;
    let until_updated = async |what: &str| {
        cluster
            .until(what, async || {
                let set = cluster
                    .api::<DaemonSet>()
                    .get("agent")
                    .await
                    .expect("the set");
                let status = set.status?;
                (status.observed_generation == set.metadata.generation
                    && status.number_available == Some(3)
                    && status.updated_number_scheduled == Some(3))
                .then_some(())
            })
            .await;
    };
    until_updated("three daemons are available").await;

    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "agent", "image": "agent:2"}]}}}});
    cluster.patch::<DaemonSet>("agent", image).await;

    until_updated("three new daemons are available").await;
    let nodes: std::collections::BTreeSet<_> = cluster
        .pods("app=agent")
        .await
        .into_iter()
        .filter_map(|pod| pod.spec?.node_name)
        .collect();
    assert_eq!(nodes.len(), 3);
}

#[tokio::test]
async fn a_missing_config_map_holds_a_container_back_until_it_is_there() {
    let cluster = Cluster::start(Vec::new());
    let container = json!({
        "name": "main", "image": "nginx:1", "envFrom": [{"configMapRef": {"name": "settings"}}],
    });
    cluster
        .create(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "labels": {"app": "one"}},
            "spec": {"containers": [container]},
        }))
        .await;

    let waiting = cluster
        .until("the container cannot be created", async || {
            let pod = cluster.api::<Pod>().get("one").await.expect("the pod");
            let status = pod.status?.container_statuses?.into_iter().next()?;
            let waiting = status.state?.waiting?;
            (waiting.reason.as_deref() == Some("CreateContainerConfigError")).then_some(waiting)
        })
        .await;
    assert_eq!(
        waiting.message.as_deref(),
        Some("configmap \"settings\" not found")
    );

    cluster
        .create(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}))
        .await;
    cluster
        .until("the pod is ready", async || {
            let pod = cluster.api::<Pod>().get("one").await.expect("the pod");
            is_ready(&pod).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_followed_log_grows_with_platform_time_and_ends_with_the_pod() {
    let cluster = Cluster::start(Vec::new());
    cluster
        .create(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"},
            "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
        }))
        .await;
    cluster
        .until("the pod is ready", async || {
            let pod = cluster.api::<Pod>().get("one").await.expect("the pod");
            is_ready(&pod).then_some(())
        })
        .await;
    let follow = LogParams {
        follow: true,
        ..LogParams::default()
    };

    let stream = cluster
        .api::<Pod>()
        .log_stream("one", &follow)
        .await
        .expect("a stream");
    let mut lines = std::pin::pin!(stream.lines());
    let first = lines
        .try_next()
        .await
        .expect("a line")
        .expect("not the end");
    assert!(first.contains("starting"), "{first}");
    let mut seen = 0;
    while seen < 3 {
        tokio::select! {
            line = lines.try_next() => {
                assert!(line.expect("a line").is_some(), "the log goes on");
                seen += 1;
            }
            () = tokio::time::sleep(std::time::Duration::from_millis(5)) => {
                cluster.clock.step(std::time::Duration::from_secs(1));
            }
        }
    }
    cluster
        .api::<Pod>()
        .delete("one", &DeleteParams::default())
        .await
        .expect("deleted");
    let end = async { while lines.try_next().await.expect("a line").is_some() {} };
    let stepping = async {
        loop {
            cluster.clock.step(std::time::Duration::from_millis(200));
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        tokio::select! { () = end => {}, () = stepping => {} }
    });
    ended.await.expect("the log ends with the pod");
}

#[tokio::test]
async fn a_deleted_namespace_is_emptied_and_goes() {
    let cluster = Cluster::start(Vec::new());
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let shop: Namespace =
        serde_json::from_value(json!({"metadata": {"name": "shop"}})).expect("one");
    namespaces
        .create(&kube::api::PostParams::default(), &shop)
        .await
        .expect("created");
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "shop");
    cluster
        .until("the namespace has its root certificate", async || {
            maps.get_opt("kube-root-ca.crt").await.expect("an answer")
        })
        .await;
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "shop");
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "one"},
        "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
    }))
    .expect("a pod");
    pods.create(&kube::api::PostParams::default(), &pod)
        .await
        .expect("created");

    namespaces
        .delete("shop", &DeleteParams::default())
        .await
        .expect("deleted");

    cluster
        .until("the namespace is gone", async || {
            namespaces
                .get_opt("shop")
                .await
                .expect("an answer")
                .is_none()
                .then_some(())
        })
        .await;
}
