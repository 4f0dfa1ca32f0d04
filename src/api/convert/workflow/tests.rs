//! Workflows and schedules on the wire, as the cockpit reads them.

use super::*;
use crate::domain::pipeline::graph::{Cell, RunGraph};
use crate::domain::pipeline::tree::RunTree;
use serde_json::json;

fn cluster() -> Cluster {
    Cluster("test".into())
}

fn node(id: &str, kind: &str, phase: &str, children: &[&str]) -> (String, Value) {
    let label = id.rsplit('.').next().unwrap_or(id);
    let value = json!({"id": id, "name": id, "displayName": label, "type": kind, "phase": phase,
        "boundaryID": if id == "w" { Value::Null } else { "w".into() }, "children": children,
        "startedAt": "2026-01-01T00:00:00Z"});
    (id.to_owned(), value)
}

fn workflow(nodes: Vec<(String, Value)>) -> Value {
    let nodes: serde_json::Map<String, Value> = nodes.into_iter().collect();
    json!({
        "metadata": {"name": "w", "namespace": "ci", "uid": "u", "labels": {
            "events.argoproj.io/sensor": "git", "events.argoproj.io/trigger": "ci"}},
        "spec": {"workflowTemplateRef": {"name": "ci"}, "arguments": {"parameters": [
            {"name": "commitSha", "value": "abc"}, {"name": "image", "value": "{{x}}"}]}},
        "status": {"phase": "Running", "progress": "1/3", "startedAt": "2026-01-01T00:00:00Z",
            "nodes": nodes},
    })
}

fn steps() -> Vec<(String, Value)> {
    vec![
        node("w", "Steps", "Running", &["w[0]"]),
        node("w[0]", "StepGroup", "Succeeded", &["w[0].a"]),
        node("w[0].a", "Pod", "Succeeded", &["w[1]"]),
        node("w[1]", "StepGroup", "Running", &["w[1].b", "w[1].c"]),
        node("w[1].b", "Pod", "Running", &[]),
        node("w[1].c", "Suspend", "Running", &[]),
    ]
}

fn drawn(detail: &RunDetail) -> Vec<String> {
    let tree = RunTree::of(&detail.nodes);
    let lines = tree.lines(&detail.nodes, &|_| false);
    let text = |line: &crate::domain::pipeline::tree::TreeLine| {
        format!("{}{}", line.prefix, detail.nodes[line.node as usize].label)
    };
    lines.iter().map(text).collect()
}

#[test]
fn a_workflow_says_its_source_its_trigger_and_that_it_waits() {
    let row = run_row(&workflow(steps()), &cluster());

    assert_eq!(row.phase, Phase::Suspended);
    assert_eq!(row.status_words(), "Running (Suspended)");
    assert_eq!(&*row.commit.revision, "abc");
    assert_eq!(&*row.commit.image, "", "what is not filled in says nothing");
    assert_eq!(row.trigger.words(), "git/ci");
    assert_eq!(row.progress, Some((1, 3)));
    assert_eq!(row.family(), "ci");
}

#[test]
fn compressed_nodes_are_the_same_nodes() {
    let plain = detail(&workflow(steps()), &cluster(), None);
    let mut packed = workflow(Vec::new());
    let nodes = workflow(steps())["status"]["nodes"].to_string();
    packed["status"]["compressedNodes"] = crate::api::compressed::pack(nodes.as_bytes())
        .expect("packed")
        .into();

    let unpacked = detail(&packed, &cluster(), None);

    assert_eq!(unpacked.row.nodes, Nodes::Compressed);
    assert_eq!(unpacked.nodes, plain.nodes);
    assert_eq!(drawn(&unpacked), ["w", "├───a", "└─┬─b", "  └─c"]);
}

#[test]
fn offloaded_and_broken_nodes_are_announced() {
    let mut value = workflow(Vec::new());
    value["status"]["offloadNodeStatusVersion"] = "fnv:123".into();
    let away = detail(&value, &cluster(), None);
    assert_eq!(away.row.nodes, Nodes::Offloaded);
    let why = crate::domain::pipeline::why_run(&away, chrono::DateTime::UNIX_EPOCH);
    assert!(why.iter().any(|one| one.sentence.contains("offloaded")));

    value["status"]["offloadNodeStatusVersion"] = "".into();
    value["status"]["compressedNodes"] = "H4sIAAAA".into();
    let broken = detail(&value, &cluster(), None);
    assert!(matches!(broken.row.nodes, Nodes::Unreadable(_)));
}

#[test]
fn the_graph_looks_through_groups() {
    let detail = detail(&workflow(steps()), &cluster(), None);

    let graph = RunGraph::of(&detail);

    let names: Vec<Vec<&str>> = graph
        .columns
        .iter()
        .map(|column| {
            let nodes = column.iter().filter_map(|cell| match cell {
                Cell::Node(node) => Some(&*detail.nodes[*node as usize].label),
                Cell::Passing => None,
            });
            nodes.collect()
        })
        .collect();
    assert_eq!(names, [vec!["a"], vec!["b", "c"]]);
    assert_eq!(graph.links, [vec![(0, 0), (0, 1)]]);
}

#[test]
fn pods_are_found_by_the_id_of_their_node() {
    let pod = ObjectRef {
        cluster: cluster(),
        kind: GroupKind::new("", "Pod"),
        namespace: Some("ci".into()),
        name: "w-a-1".into(),
    };
    let known = pods_by_node([("w[0].a", pod.clone())].into_iter());

    let detail = detail(&workflow(steps()), &cluster(), Some(&known));

    assert_eq!(
        detail.node("w[0].a").and_then(|node| node.pod.clone()),
        Some(pod)
    );
    assert!(detail.node("w[1].b").is_some_and(|node| node.pod_gone));
}

#[test]
fn the_last_attempt_of_a_retry_is_where_to_look() {
    let mut nodes = vec![
        node("w", "Retry", "Failed", &["w(0)", "w(1)"]),
        node("w(0)", "Pod", "Failed", &[]),
        node("w(1)", "Pod", "Failed", &[]),
    ];
    nodes[2].1["outputs"] = json!({"exitCode": "137"});
    let mut value = workflow(nodes);
    value["status"]["phase"] = "Failed".into();
    value["status"]["message"] = "No more retries left".into();

    let detail = detail(&value, &cluster(), None);

    assert_eq!(&*detail.row.failing, "w(1)");
    let why = crate::domain::pipeline::why_run(&detail, chrono::DateTime::UNIX_EPOCH);
    let sentences: Vec<&str> = why.iter().map(|one| &*one.sentence).collect();
    assert_eq!(
        sentences,
        [
            "step `w(1)` Failed, exit code 137, after 1 retries",
            "it ended as Failed: No more retries left"
        ]
    );
}

#[test]
fn a_schedule_tells_its_next_run_in_its_zone() {
    let value = json!({"metadata": {"name": "nightly", "namespace": "ci"},
        "spec": {"schedules": ["0 3 * * *"], "timezone": "Europe/Berlin"},
        "status": {"phase": "Active", "active": [{"name": "nightly-1"}], "succeeded": 4}});

    let cron = cron_run(&value, &cluster());

    let now = "2026-01-01T00:00:00Z".parse().expect("a time");
    let next = cron.next(now).map(|at| at.to_rfc3339());
    assert_eq!(next.as_deref(), Some("2026-01-01T02:00:00+00:00"));
    assert_eq!((cron.status_words(), &*cron.policy), ("Running", "Allow"));
}
