//! Mutexes and semaphores: who has to wait says for what, and goes on when the lock is free.

use super::bed::{Bed, profiles};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use serde_json::json;
use tiphys::sim::controllers::workflows::node::{Phase, node_id};

const WHOLE: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {}
spec:
  entrypoint: main
  synchronization: {mutexes: [{name: deploy}]}
  templates: [{name: main, container: {image: slow}}]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_workflow_at_a_time_holds_a_mutex() {
    let slow = profiles("[[step-profile]]\nimage = 'slow'\nseconds = 20");
    let bed = Bed::with(slow).await;
    bed.submit("first", WHOLE).await;
    bed.until("first", "running", |one| {
        one.status.phase == Some(Phase::Running)
    })
    .await;
    bed.submit("second", WHOLE).await;

    let waiting = bed
        .until("second", "waiting", |one| !one.status.message.is_empty())
        .await;
    assert_eq!(waiting.status.phase, Some(Phase::Pending));
    let namespace = waiting.metadata.namespace.clone().unwrap_or_default();
    assert_eq!(
        waiting.status.message,
        format!("Waiting for {namespace}/Mutex/deploy lock. Lock status: 0/1")
    );
    let holder = &waiting.status.synchronization["mutex"]["waiting"][0]["holder"];
    assert_eq!(*holder, json!(format!("{namespace}/first")));

    let first = bed.ended("first").await;
    let second = bed.ended("second").await;
    assert_eq!(second.status.phase, Some(Phase::Succeeded));
    assert!(
        second.status.message.is_empty(),
        "{}",
        second.status.message
    );
    let times = (first.status.finished_at, second.status.started_at);
    let (ended, began) = (times.0.expect("an end"), times.1.expect("a begin"));
    assert!(began.0 >= ended.0, "{began:?} before {ended:?}");
    assert!(second.status.synchronization.is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_share_a_semaphore_of_the_size_that_a_config_map_says() {
    let slow = profiles("[[step-profile]]\nimage = 'slow'\nseconds = 5");
    let bed = Bed::with(slow).await;
    let sizes: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "sizes"}, "data": {"build": "2"}}))
            .expect("a map");
    let api = bed.cluster.api::<ConfigMap>();
    api.create(&PostParams::default(), &sizes)
        .await
        .expect("made");
    let spec = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {}
spec:
  entrypoint: main
  templates:
  - name: build
    synchronization: {semaphores: [{configMapKeyRef: {name: sizes, key: build}}]}
    container: {image: slow}
  - name: main
    dag:
      tasks: [{name: a, template: build}, {name: b, template: build}, {name: c, template: build}]
";
    bed.submit("wf", spec).await;

    let running = bed
        .until("wf", "two running", |one| {
            let nodes = one.status.nodes.values();
            nodes
                .filter(|node| node.phase == Phase::Running && node.name != "wf")
                .count()
                == 2
        })
        .await;
    assert!(!running.status.nodes.contains_key(&node_id("wf", "wf.c")));
    let done = bed.ended("wf").await;

    assert_eq!(done.status.phase, Some(Phase::Succeeded));
    let node = |name: &str| done.status.nodes[&node_id("wf", name)].clone();
    let first = [node("wf.a"), node("wf.b")].map(|one| one.finished_at);
    let third = node("wf.c").started_at.expect("begun");
    assert!(first.into_iter().flatten().any(|end| end.0 <= third.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_simulated_is_told_in_a_condition() {
    let bed = Bed::start().await;
    let spec = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {}
spec:
  entrypoint: main
  templates:
  - name: main
    memoize: {key: x, cache: {configMap: {name: c, key: k}}}
    container: {image: alpine, command: [helmfile, apply]}
";
    bed.submit("wf", spec).await;
    let done = bed.ended("wf").await;

    assert_eq!(done.status.phase, Some(Phase::Succeeded));
    let told = done.status.conditions.iter();
    let mut told = told.filter(|one| one.kind == "SpecWarning");
    let message = &told.next().expect("a condition").message;
    assert!(
        message.starts_with("memoize is not simulated: templates.main"),
        "{message}"
    );

    let pods = bed.cluster.api::<k8s_openapi::api::core::v1::Pod>();
    let log = kube::api::LogParams {
        container: Some("main".to_owned()),
        ..kube::api::LogParams::default()
    };
    let log = pods.logs("wf", &log).await.expect("a log");
    assert!(
        log.contains("[simulation] no behaviour is declared for"),
        "{log}"
    );
}
