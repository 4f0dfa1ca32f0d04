//! PipelineRuns: order, failures, retries, timeouts, the three ways to stop, refusals.

use super::bed::{Bed, condition, step};
use serde_json::{Value, json};

/// A task of one step, whose image is of no interest.
fn task(name: &str, further: Value) -> Value {
    let mut task = json!({
        "name": name,
        "taskSpec": {"steps": [{"name": name, "image": "busybox:1", "script": "work"}]},
    });
    json_patch::merge(&mut task, &further);
    task
}

fn names(run: &Value, pointer: &str, field: &str) -> Vec<String> {
    let all = run.pointer(pointer).and_then(Value::as_array);
    let name = |one: &Value| one[field].as_str().unwrap_or_default().to_owned();
    all.into_iter().flatten().map(name).collect()
}

#[tokio::test]
async fn tasks_run_one_after_the_other_and_are_told_of() {
    let bed = Bed::start(Vec::new()).await;
    bed.run(
        "ci",
        json!({"tasks": [
            task("build", json!({})),
            task("test", json!({"runAfter": ["build"]})),
        ]}),
        json!({}),
    )
    .await;

    let running = bed
        .until(("PipelineRun", "ci"), "runs", |run| {
            !run["status"]["childReferences"].is_null()
        })
        .await;
    let (status, reason, message) = condition(&running);
    assert_eq!((status.as_str(), reason.as_str()), ("Unknown", "Running"));
    assert_eq!(
        message,
        "Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 0"
    );
    assert_eq!(
        names(&running, "/status/childReferences", "name"),
        ["ci-build"]
    );
    let ended = bed.end("PipelineRun", "ci").await;

    assert_eq!(condition(&ended).1, "Succeeded");
    assert_eq!(
        names(&ended, "/status/childReferences", "name"),
        ["ci-build", "ci-test"]
    );
    let (first, second) = (
        bed.get("TaskRun", "ci-build").await,
        bed.get("TaskRun", "ci-test").await,
    );
    let time =
        |run: &Value, field: &str| run["status"][field].as_str().unwrap_or_default().to_owned();
    assert!(time(&first, "completionTime") <= time(&second, "startTime"));
    let labels = &second["metadata"]["labels"];
    assert_eq!(labels["tekton.dev/pipelineRun"], "ci");
    assert_eq!(labels["tekton.dev/pipeline"], "ci");
    assert_eq!(labels["tekton.dev/memberOf"], "tasks");
}

#[tokio::test]
async fn after_a_failure_only_final_tasks_run() {
    let bed = Bed::start(vec![step("test", &[2], &[])]).await;
    bed.run(
        "ci",
        json!({
            "tasks": [
                task("test", json!({})),
                task("deploy", json!({"runAfter": ["test"]})),
            ],
            "finally": [task("report", json!({"when": [
                {"input": "$(tasks.test.status)", "operator": "in", "values": ["Failed"]},
            ]}))],
        }),
        json!({}),
    )
    .await;

    let ended = bed.end("PipelineRun", "ci").await;

    let (status, reason, message) = condition(&ended);
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Failed"));
    assert_eq!(
        message,
        "Tasks Completed: 2 (Failed: 1, Cancelled 0), Skipped: 1"
    );
    assert_eq!(
        names(&ended, "/status/skippedTasks", "reason"),
        ["PipelineRun was stopping"]
    );
    assert!(ended["status"]["finallyStartTime"].is_string());
    let failed = bed.get("TaskRun", "ci-test").await;
    assert_eq!(condition(&failed).2, "\"step-test\" exited with code 2");
}

#[tokio::test]
async fn a_failing_task_is_retried_and_its_attempts_are_kept() {
    let bed = Bed::start(vec![step("flaky", &[1], &[])]).await;
    let spec = json!({"tasks": [task("flaky", json!({"retries": 2}))]});
    bed.run("ci", spec, json!({})).await;

    let ended = bed.end("PipelineRun", "ci").await;

    assert_eq!(condition(&ended).1, "Failed");
    let task = bed.get("TaskRun", "ci-flaky").await;
    assert_eq!(
        names(&task, "/status/retriesStatus", "podName"),
        ["ci-flaky-pod", "ci-flaky-pod-retry1"]
    );
    assert_eq!(task["status"]["podName"], "ci-flaky-pod-retry2");
}

#[tokio::test]
async fn a_run_over_its_time_is_ended_with_its_tasks() {
    let mut slow = step("slow", &[0], &[]);
    slow.seconds = Some(900.0);
    let bed = Bed::start(vec![slow]).await;
    let spec = json!({"tasks": [task("slow", json!({}))]});
    bed.run("ci", spec, json!({"timeouts": {"pipeline": "20s"}}))
        .await;

    let ended = bed.end("PipelineRun", "ci").await;

    let (_, reason, message) = condition(&ended);
    assert_eq!(reason, "PipelineRunTimeout");
    assert_eq!(
        message,
        "PipelineRun \"ci\" failed to finish within \"20s\""
    );
    let task = bed.end("TaskRun", "ci-slow").await;
    let (_, reason, message) = condition(&task);
    assert_eq!(reason, "TaskRunCancelled");
    assert!(message.ends_with("belongs to has timed out."), "{message}");
}

#[tokio::test]
async fn a_run_is_stopped_in_three_ways() {
    let mut slow = step("slow", &[0], &[]);
    slow.seconds = Some(30.0);
    let bed = Bed::start(vec![slow]).await;
    let pipeline = json!({
        "tasks": [task("slow", json!({})), task("next", json!({"runAfter": ["slow"]}))],
        "finally": [task("report", json!({}))],
    });
    for (word, name, slow, finals) in [
        ("Cancelled", "hard", "TaskRunCancelled", 0),
        ("CancelledRunFinally", "soft", "TaskRunCancelled", 1),
        ("StoppedRunFinally", "stop", "Succeeded", 1),
    ] {
        bed.run(name, pipeline.clone(), json!({})).await;
        let child = format!("{name}-slow");
        bed.until(("TaskRun", &child), "runs", |run| {
            condition(run).1 == "Running"
        })
        .await;

        bed.patch("PipelineRun", name, json!({"spec": {"status": word}}))
            .await;

        let ended = bed.end("PipelineRun", name).await;
        let (status, reason, message) = condition(&ended);
        assert_eq!(
            (status.as_str(), reason.as_str()),
            ("False", "Cancelled"),
            "{word}"
        );
        assert_eq!(message, format!("PipelineRun {name:?} was cancelled"));
        assert_eq!(
            condition(&bed.end("TaskRun", &child).await).1,
            slow,
            "{word}"
        );
        let selector = format!("tekton.dev/pipelineRun={name},tekton.dev/memberOf=finally");
        assert_eq!(bed.list("TaskRun", &selector).await.len(), finals, "{word}");
    }
}

#[tokio::test]
async fn a_run_that_has_started_takes_no_edits_but_its_status() {
    let bed = Bed::start(Vec::new()).await;
    bed.run("ci", json!({"tasks": [task("a", json!({}))]}), json!({}))
        .await;
    let params = json!({"spec": {"params": [{"name": "late", "value": "x"}]}});

    let refused = bed.try_patch("PipelineRun", "ci", params.clone()).await;

    let why = refused.expect_err("it has started").to_string();
    assert!(
        why.contains("Once the PipelineRun has started, only status updates are allowed"),
        "{why}"
    );
    bed.end("PipelineRun", "ci").await;
    let refused = bed.try_patch("PipelineRun", "ci", params).await;
    let why = refused.expect_err("it is over").to_string();
    assert!(
        why.contains("Once the PipelineRun is complete, no updates are allowed"),
        "{why}"
    );
}

#[tokio::test]
async fn a_pending_run_waits_to_be_released() {
    let bed = Bed::start(Vec::new()).await;
    let spec = json!({"tasks": [task("a", json!({}))]});
    bed.run("ci", spec, json!({"status": "PipelineRunPending"}))
        .await;
    let pending = bed
        .until(("PipelineRun", "ci"), "is pending", |run| {
            condition(run).1 == "PipelineRunPending"
        })
        .await;
    assert!(pending["status"]["startTime"].is_null());

    bed.patch("PipelineRun", "ci", json!({"spec": {"status": null}}))
        .await;

    assert_eq!(
        condition(&bed.end("PipelineRun", "ci").await).1,
        "Succeeded"
    );
}

#[tokio::test]
async fn a_matrix_runs_a_task_for_each_combination() {
    let bed = Bed::start(vec![step("build", &[0], &[("image", "app-{os}")])]).await;
    let mut build = task(
        "build",
        json!({
            "matrix": {"params": [{"name": "os", "value": ["linux", "mac"]}]},
        }),
    );
    json_patch::merge(
        &mut build["taskSpec"],
        &json!({"params": [{"name": "os"}], "results": [{"name": "image"}]}),
    );
    let spec = json!({
        "tasks": [build],
        "results": [{"name": "images", "value": "$(tasks.build.results.image[*])"}],
    });
    bed.run("ci", spec, json!({})).await;

    let ended = bed.end("PipelineRun", "ci").await;

    assert_eq!(
        names(&ended, "/status/childReferences", "name"),
        ["ci-build-0", "ci-build-1"]
    );
    assert_eq!(
        ended["status"]["results"],
        json!([{"name": "images", "value": ["app-linux", "app-mac"]}])
    );
}

#[tokio::test]
async fn what_cannot_be_run_says_why_and_the_next_run_goes_on() {
    let bed = Bed::start(Vec::new()).await;
    for (name, spec, reason, part) in [
        (
            "cycle",
            json!({"pipelineSpec": {"tasks": [
                task("a", json!({"runAfter": ["b"]})), task("b", json!({"runAfter": ["a"]})),
            ]}}),
            "PipelineInvalidGraph",
            "cycle detected; task \"a\" depends on \"b\"",
        ),
        (
            "no-pipeline",
            json!({"pipelineRef": {"name": "nobody"}}),
            "CouldntGetPipeline",
            "pipelines.tekton.dev \"nobody\" not found",
        ),
        (
            "no-task",
            json!({"pipelineSpec": {"tasks": [{"name": "a", "taskRef": {"name": "nobody"}}]}}),
            "CouldntGetTask",
            "Couldn't retrieve Task \"nobody\": tasks.tekton.dev \"nobody\" not found",
        ),
        (
            "no-param",
            json!({"pipelineSpec": {"params": [{"name": "url"}], "tasks": [task("a", json!({}))]}}),
            "ParameterMissing",
            "pipelineRun missing parameters: [url]",
        ),
        (
            "resolver",
            json!({"pipelineRef": {"resolver": "git"}}),
            "CouldntGetPipeline",
            "the resolver `git` is not served by the embedded platform",
        ),
    ] {
        bed.create(json!({
            "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
            "metadata": {"name": name}, "spec": spec,
        }))
        .await;
        let ended = bed.end("PipelineRun", name).await;
        let (status, told, message) = condition(&ended);
        assert_eq!(
            (status.as_str(), told.as_str()),
            ("False", reason),
            "{message}"
        );
        assert!(message.contains(part), "{message}");
    }
    bed.run("good", json!({"tasks": [task("a", json!({}))]}), json!({}))
        .await;

    assert_eq!(
        condition(&bed.end("PipelineRun", "good").await).1,
        "Succeeded"
    );
}
