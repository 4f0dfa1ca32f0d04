//! Suspend, resume, stop, terminate, retry: as the `argo` command encodes them.

use super::bed::{Bed, told};
use crate::oracles;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use tiphys::sim::controllers::workflows::model::Workflow;
use tiphys::sim::controllers::workflows::node::{Phase, node_id};

fn example(name: &str) -> Option<String> {
    let folder = oracles::folder("workflows/examples")?;
    let path = folder.join(format!("{name}.yaml"));
    Some(std::fs::read_to_string(path).expect("the example can be read"))
}

fn waits(workflow: &Workflow) -> Option<String> {
    let nodes = workflow.status.nodes.values();
    nodes
        .filter(|node| node.is_active_suspend())
        .map(|node| node.id.clone())
        .next()
}

/// Marks a waiting node as succeeded, with a value for its parameter.
async fn resume(bed: &Bed, name: &str, id: &str, value: Option<&str>) {
    let mut workflow = bed.get(name).await;
    let node = workflow.status.nodes.get_mut(id).expect("the node");
    node.phase = Phase::Succeeded;
    node.finished_at.clone_from(&node.started_at);
    if let Some(value) = value {
        let outputs = node.outputs.as_mut().expect("outputs");
        outputs.parameters[0].value = Some(value.to_owned());
        outputs.parameters[0].value_from = None;
    }
    let replaced = bed
        .workflows()
        .replace(name, &PostParams::default(), &workflow)
        .await;
    replaced.expect("the node is resumed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_node_waits_for_somebody_and_another_for_its_time() {
    let Some(text) = example("suspend-template") else {
        return;
    };
    let bed = Bed::start().await;
    bed.submit("s", &text).await;
    let waiting = bed.until("s", "waiting", |one| waits(one).is_some()).await;
    let approve = waits(&waiting).expect("a node");
    assert_eq!(approve, node_id("s", "s[1].approve"));

    resume(&bed, "s", &approve, None).await;
    let done = bed.ended("s").await;

    assert_eq!(done.status.phase, Some(Phase::Succeeded));
    let delay = &done.status.nodes[&node_id("s", "s[2].delay")];
    let seconds = |time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
        time.as_ref()
            .map(|time| time.0.as_second())
            .unwrap_or_default()
    };
    assert_eq!(seconds(&delay.finished_at) - seconds(&delay.started_at), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_somebody_supplies_reaches_the_next_step() {
    let Some(text) = example("suspend-template-outputs") else {
        return;
    };
    let bed = Bed::start().await;
    bed.submit("so", &text).await;
    let waiting = bed.until("so", "waiting", |one| waits(one).is_some()).await;
    let approve = waits(&waiting).expect("a node");
    let outputs = waiting.status.nodes[&approve]
        .outputs
        .clone()
        .expect("outputs");
    assert_eq!(
        outputs.parameters[0].value_from,
        Some(json!({"supplied": {}}))
    );

    resume(&bed, "so", &approve, Some("go ahead")).await;
    let done = bed.ended("so").await;

    let release = &done.status.nodes[&node_id("so", "so[1].release")];
    let inputs = release.inputs.as_ref().expect("inputs");
    assert_eq!(inputs.parameters[0].value.as_deref(), Some("go ahead"));
}

const LONG: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {}
spec:
  entrypoint: main
  onExit: bye
  templates:
  - name: bye
    container: {image: busybox, command: [echo, '{{workflow.status}}']}
  - name: nap
    container: {image: busybox, command: [sleep, '3600']}
  - name: main
    steps:
    - [{name: one, template: nap}]
    - [{name: two, template: nap}]
";

fn runs(workflow: &Workflow) -> bool {
    let mut nodes = workflow.status.nodes.values();
    nodes.any(|node| node.name.ends_with(".one") && node.phase == Phase::Running)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_ends_the_pods_and_still_runs_the_exit_handler() {
    let bed = Bed::start().await;
    bed.submit("st", LONG).await;
    bed.until("st", "running", runs).await;

    bed.patch("st", json!({"spec": {"shutdown": "Stop"}})).await;
    let done = bed.ended("st").await;

    assert_eq!(done.status.phase, Some(Phase::Failed));
    assert_eq!(done.status.message, "Stopped with strategy 'Stop'");
    let lines = told(&done);
    assert!(
        lines.contains(&"st[0].one Pod Failed workflow shutdown with strategy:  Stop".to_owned()),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&"st.onExit Pod Succeeded".to_owned()),
        "{lines:#?}"
    );
    let pod = format!(
        "st-nap-{}",
        node_id("", "st[0].one").trim_start_matches('-')
    );
    bed.cluster
        .until("the pod is ended and keeps its log", async || {
            let pod = bed.cluster.api::<Pod>().get(&pod).await.ok()?;
            let status = pod.status?;
            (status.reason.as_deref() == Some("DeadlineExceeded")).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminating_skips_the_exit_handler() {
    let bed = Bed::start().await;
    bed.submit("te", LONG).await;
    bed.until("te", "running", runs).await;

    bed.patch("te", json!({"spec": {"shutdown": "Terminate"}}))
        .await;
    let done = bed.ended("te").await;

    assert_eq!(done.status.message, "Stopped with strategy 'Terminate'");
    assert!(!told(&done).iter().any(|line| line.contains("onExit")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_workflow_begins_nothing_until_it_is_resumed() {
    let bed = Bed::start().await;
    let text = LONG.replace("'3600'", "'1'");
    bed.submit("su", &text).await;
    bed.until("su", "running", runs).await;

    bed.patch("su", json!({"spec": {"suspend": true}})).await;
    let one = node_id("su", "su[0].one");
    let held = bed
        .until("su", "its first step over", |now| {
            now.status
                .nodes
                .get(&one)
                .is_some_and(|node| node.phase == Phase::Succeeded)
        })
        .await;
    assert_eq!(held.status.phase, Some(Phase::Running));
    assert!(!told(&held).iter().any(|line| line.contains(".two")));
    bed.patch("su", json!({"spec": {"suspend": null}})).await;
    let done = bed.ended("su").await;

    assert_eq!(done.status.phase, Some(Phase::Succeeded));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retried_workflow_runs_only_what_failed() {
    let bed = Bed::with(super::bed::profiles(
        "[[step-profile]]\ntemplate = \"flaky\"\nseconds = 1\nexit-codes = [1]\n",
    ))
    .await;
    let text = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {}
spec:
  entrypoint: main
  templates:
  - name: good
    container: {image: busybox, command: [echo, hi]}
  - name: flaky
    container: {image: busybox, command: [./flaky]}
  - name: main
    steps:
    - [{name: one, template: good}]
    - [{name: two, template: flaky}]
";
    bed.submit("re", text).await;
    let failed = bed.ended("re").await;
    assert_eq!(failed.status.phase, Some(Phase::Failed));
    let one = failed.status.nodes[&node_id("re", "re[0].one")].clone();

    retry(&bed, "re", "re[1].two").await;
    let again = bed
        .until("re", "failed again", |now| {
            now.status.phase == Some(Phase::Failed)
                && now.status.finished_at != failed.status.finished_at
        })
        .await;

    assert_eq!(again.status.nodes[&one.id], one, "what succeeded is kept");
    let two = node_id("re", "re[1].two");
    assert!(again.status.nodes[&two].started_at > failed.status.nodes[&two].started_at);
}

/// Does what `argo retry` does about one failed pod below the first two levels.
async fn retry(bed: &Bed, name: &str, failed: &str) {
    let mut workflow = bed.get(name).await;
    let id = node_id(name, failed);
    let node = workflow.status.nodes.remove(&id).expect("the failed node");
    let pod = format!(
        "{name}-flaky-{}",
        id.trim_start_matches(&format!("{name}-"))
    );
    let pods = bed.cluster.api::<Pod>();
    let at_once = DeleteParams {
        grace_period_seconds: Some(0),
        ..DeleteParams::default()
    };
    pods.delete(&pod, &at_once)
        .await
        .expect("the pod is deleted");
    for one in workflow.status.nodes.values_mut() {
        one.children.retain(|child| *child != node.id);
        if one.phase.is_bad() {
            one.phase = Phase::Running;
            one.message.clear();
            one.finished_at = None;
        }
    }
    let labels = workflow.metadata.labels.as_mut().expect("labels");
    labels.remove("workflows.argoproj.io/completed");
    workflow.status.phase = Some(Phase::Running);
    workflow.status.message.clear();
    workflow.status.finished_at = None;
    let how = PostParams::default();
    let replaced = bed.workflows().replace(name, &how, &workflow).await;
    replaced.expect("the workflow is retried");
}
