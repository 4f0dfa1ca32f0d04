//! PipelineRuns and TaskRuns on the wire, as the cockpit reads them.

use super::*;
use crate::domain::pipeline::NodeKind;
use crate::domain::pipeline::graph::RunGraph;
use crate::domain::pipeline::tree::RunTree;
use serde_json::json;
use std::collections::HashMap;

fn cluster() -> Cluster {
    Cluster("test".into())
}

fn task_run(name: &str, status: &str, steps: &Value) -> (Text, Value) {
    let value = json!({
        "metadata": {"name": name, "namespace": "ci", "uid": name},
        "status": {"podName": format!("{name}-pod"), "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Succeeded", "status": status, "reason": "x"}], "steps": steps},
    });
    (name.into(), value)
}

fn running() -> Value {
    json!({
        "metadata": {"name": "ci-1", "namespace": "ci", "uid": "u",
            "labels": {"triggers.tekton.dev/eventlistener": "git", "tekton.dev/pipeline": "ci"}},
        "spec": {"pipelineRef": {"name": "ci"}, "params": [
            {"name": "revision", "value": "abc"}, {"name": "repo-url", "value": "http://git/app"}]},
        "status": {"startTime": "2026-01-01T00:00:00Z", "conditions": [{"type": "Succeeded",
            "status": "Unknown", "reason": "Running",
            "message": "Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 1"}],
          "childReferences": [
            {"kind": "TaskRun", "name": "ci-1-clone", "pipelineTaskName": "clone"},
            {"kind": "TaskRun", "name": "ci-1-build", "pipelineTaskName": "build"}],
          "skippedTasks": [{"name": "scan", "reason": "When Expressions evaluated to false"}],
          "pipelineSpec": {"tasks": [
            {"name": "clone"},
            {"name": "build", "params": [{"name": "c", "value": "$(tasks.clone.results.commit)"}]},
            {"name": "scan", "runAfter": ["clone"]},
            {"name": "push", "runAfter": ["build", "scan"]}],
            "finally": [{"name": "tell"}]}},
    })
}

fn read(children: &HashMap<Text, Value>) -> RunDetail {
    let children = Children {
        task_runs: children,
        pods: None,
    };
    detail(&running(), &cluster(), &pipeline_run_kind(), &children)
}

#[test]
fn the_row_says_source_trigger_and_progress() {
    let row = run_row(&running(), &cluster(), &pipeline_run_kind());

    assert_eq!(row.phase, Phase::Running);
    assert_eq!(row.progress, Some((2, 4)));
    assert_eq!(
        (&*row.commit.revision, &*row.commit.repository),
        ("abc", "http://git/app")
    );
    assert_eq!(row.trigger.words(), "git");
    assert_eq!(row.family(), "ci");
}

#[test]
fn tasks_hang_in_the_run_with_their_steps_and_follow_results() {
    let steps = json!([{"name": "go", "container": "step-go",
        "terminated": {"exitCode": 0, "reason": "Completed"}}, {"name": "next", "running": {}}]);
    let children = [
        task_run("ci-1-clone", "True", &json!([])),
        task_run("ci-1-build", "Unknown", &steps),
    ];
    let detail = read(&children.into());

    let tree = RunTree::of(&detail.nodes);
    let drawn: Vec<String> = tree
        .lines(&detail.nodes, &|_| false)
        .iter()
        .map(|line| {
            let node = &detail.nodes[line.node as usize];
            format!("{}{} {}", line.prefix, node.label, node.phase.word())
        })
        .collect();
    assert_eq!(
        drawn,
        [
            "ci-1 Running",
            "├─clone Succeeded",
            "├─build Running",
            "│ ├─go Succeeded",
            "│ └─next Running",
            "├─scan Skipped",
            "├─push Pending",
            "└─finally Pending",
            "  └─tell Pending"
        ]
    );
    let graph = RunGraph::of(&detail);
    let names: Vec<Vec<&str>> = graph
        .columns
        .iter()
        .map(|column| {
            let nodes = column.iter().filter_map(|cell| match cell {
                crate::domain::pipeline::graph::Cell::Node(node) => {
                    Some(&*detail.nodes[*node as usize].label)
                }
                crate::domain::pipeline::graph::Cell::Passing => None,
            });
            nodes.collect()
        })
        .collect();
    assert_eq!(
        names,
        [
            vec!["clone"],
            vec!["build", "scan"],
            vec!["push"],
            vec!["tell"]
        ]
    );
}

#[test]
fn a_failed_step_is_where_to_look_first() {
    let steps = json!([{"name": "go", "container": "step-go",
        "terminated": {"exitCode": 3, "reason": "Error"}}]);
    let children = [task_run("ci-1-build", "False", &steps)];
    let mut value = running();
    value["status"]["conditions"][0] = json!({"type": "Succeeded", "status": "False",
        "reason": "PipelineRunTimeout", "message": "too slow"});
    let children = children.into();
    let children = Children {
        task_runs: &children,
        pods: Some(&[]),
    };

    let detail = detail(&value, &cluster(), &pipeline_run_kind(), &children);

    assert_eq!(detail.row.status_words(), "Failed (PipelineRunTimeout)");
    assert_eq!(&*detail.row.failing, "build");
    let node = detail
        .failing()
        .map(|at| &detail.nodes[at])
        .expect("a node");
    assert_eq!(
        (node.exit_code, node.pod_gone, node.kind),
        (Some(3), true, NodeKind::Task)
    );
}

#[test]
fn cancelled_invalid_and_pending_runs_are_told_apart() {
    let phase = |status: &str, reason: &str| {
        let value = json!({"status": {"conditions": [
            {"type": "Succeeded", "status": status, "reason": reason}]}});
        Verdict::of(&value).phase
    };
    assert_eq!(phase("False", "Cancelled"), Phase::Cancelled);
    assert_eq!(phase("False", "CouldntGetPipeline"), Phase::Error);
    assert_eq!(phase("False", "Failed"), Phase::Failed);
    assert_eq!(phase("Unknown", "PipelineRunPending"), Phase::Pending);
    assert_eq!(phase("True", "Completed"), Phase::Succeeded);
    assert_eq!(Verdict::of(&json!({})).phase, Phase::Pending);
}
