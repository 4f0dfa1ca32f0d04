//! TaskRuns: steps, results, pods that disappear, images that are not there, cancelling.

use super::bed::{Bed, condition, step};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use serde_json::{Value, json};

fn task_run(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "tekton.dev/v1", "kind": "TaskRun",
        "metadata": {"name": name}, "spec": spec,
    })
}

#[tokio::test]
async fn steps_end_in_their_order_and_one_after_a_failure_is_skipped() {
    let bed = Bed::start(vec![step("second", &[3], &[])]).await;
    bed.create(task_run(
        "t",
        json!({"taskSpec": {"steps": [
            {"name": "first", "image": "busybox:1", "script": "echo one; sleep 2"},
            {"name": "second", "image": "busybox:1", "script": "work"},
            {"name": "third", "image": "busybox:1", "script": "work"},
        ]}}),
    ))
    .await;

    let ended = bed.end("TaskRun", "t").await;

    assert_eq!(
        condition(&ended),
        (
            "False".to_owned(),
            "Failed".to_owned(),
            "\"step-second\" exited with code 3".to_owned()
        )
    );
    let steps = ended["status"]["steps"].as_array().cloned().expect("steps");
    let reasons: Vec<_> = steps
        .iter()
        .map(|one| one["terminationReason"].clone())
        .collect();
    assert_eq!(reasons, ["Completed", "Error", "Skipped"]);
    let time = |step: &Value, field: &str| {
        step["terminated"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(time(&steps[0], "finishedAt") <= time(&steps[1], "startedAt"));
    let params = kube::api::LogParams {
        container: Some("step-first".to_owned()),
        ..Default::default()
    };
    let logs = bed.cluster.api::<Pod>().logs("t-pod", &params).await;
    assert_eq!(logs.expect("logs"), "one\n");
}

#[tokio::test]
async fn a_task_is_given_its_parameters_workspaces_and_results() {
    let bed = Bed::start(vec![step("greet", &[0], &[("said", "hello {name}")])]).await;
    bed.create(json!({
        "apiVersion": "tekton.dev/v1", "kind": "Task", "metadata": {"name": "greet"},
        "spec": {
            "params": [{"name": "name", "default": "nobody"}, {"name": "flags", "type": "array"}],
            "workspaces": [{"name": "out"}, {"name": "cache", "optional": true}],
            "results": [{"name": "said"}],
            "steps": [{
                "name": "greet", "image": "busybox:1", "command": ["greet"],
                "args": ["$(params.flags[*])", "$(params.name)", "$(workspaces.out.path)/x",
                         "$(results.said.path)", "$(context.taskRun.name)", "$(workspaces.cache.bound)"],
            }],
        },
    }))
    .await;
    bed.create(task_run(
        "t",
        json!({
            "taskRef": {"name": "greet"},
            "params": [{"name": "name", "value": "world"}, {"name": "flags", "value": ["-a", "-b"]}],
            "workspaces": [{"name": "out", "emptyDir": {}}],
        }),
    ))
    .await;

    let ended = bed.end("TaskRun", "t").await;

    assert_eq!(condition(&ended).1, "Succeeded");
    assert_eq!(
        ended["status"]["results"],
        json!([{"name": "said", "type": "string", "value": "hello world"}])
    );
    assert_eq!(
        ended["status"]["taskSpec"]["steps"][0]["args"],
        json!([
            "-a",
            "-b",
            "world",
            "/workspace/out/x",
            "/tekton/results/said",
            "t",
            "false"
        ])
    );
}

#[tokio::test]
async fn a_pod_that_disappears_is_made_again() {
    let mut slow = step("slow", &[0], &[]);
    slow.seconds = Some(20.0);
    let bed = Bed::start(vec![slow]).await;
    let steps = json!([{"name": "slow", "image": "busybox:1", "script": "work"}]);
    bed.create(task_run("t", json!({"taskSpec": {"steps": steps}})))
        .await;
    bed.until(("TaskRun", "t"), "runs", |run| {
        condition(run).1 == "Running"
    })
    .await;
    let pods = bed.cluster.api::<Pod>();
    let first = pods.get("t-pod").await.expect("the pod").metadata.uid;

    pods.delete("t-pod", &DeleteParams::default())
        .await
        .expect("it is deleted");
    let ended = bed.end("TaskRun", "t").await;

    assert_eq!(condition(&ended).1, "Succeeded");
    let second = pods.get("t-pod").await.expect("the pod").metadata.uid;
    assert_ne!(first, second);
}

#[tokio::test]
async fn an_image_that_is_not_there_and_a_limit_end_a_run() {
    let mut slow = step("slow", &[0], &[]);
    slow.seconds = Some(900.0);
    let bed = Bed::start(vec![slow]).await;
    let one = |name: &str, image: &str| json!({"steps": [{"name": name, "image": image, "script": "work"}]});
    let missing = one("build", "registry.demo/builder:v9");
    bed.create(task_run("pull", json!({"taskSpec": missing})))
        .await;
    let limited = json!({"taskSpec": one("slow", "busybox:1"), "timeout": "30s"});
    bed.create(task_run("late", limited)).await;

    let pulled = bed.end("TaskRun", "pull").await;
    let late = bed.end("TaskRun", "late").await;

    let (_, reason, message) = condition(&pulled);
    assert_eq!(reason, "TaskRunImagePullFailed");
    let start = "the step \"build\" in TaskRun \"pull\" failed to pull the image \"registry.demo/builder:v9\".";
    assert!(message.starts_with(start), "{message}");
    let (_, reason, message) = condition(&late);
    assert_eq!(reason, "TaskRunTimeout");
    assert_eq!(message, "TaskRun \"late\" failed to finish within \"30s\"");
    assert_eq!(
        late["status"]["steps"][0]["terminationReason"],
        "TimeoutExceeded"
    );
}
