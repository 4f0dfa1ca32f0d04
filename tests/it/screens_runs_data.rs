//! Runs of pipelines, schedules and events in plain data, for looking at screens.

use super::screens_fixtures::{ago, connection, object};
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use tiphys::api::convert::event::{event_source, sensor, webhooks};
use tiphys::api::convert::run_template::run_template;
use tiphys::api::convert::tekton::{self, Children};
use tiphys::api::convert::workflow;
use tiphys::domain::event_flow::{EventFlow, Made};
use tiphys::domain::finding::{Finding, Severity};
use tiphys::domain::kind::ARGO;
use tiphys::domain::object::{GroupKind, ObjectRef, Text};
use tiphys::domain::pipeline::template::RunTemplate;
use tiphys::domain::pipeline::{CronRun, Phase, RunDetail, RunRow, TEKTON};

fn at(seconds: i64) -> Value {
    ago(seconds)
        .to_rfc3339_opts(SecondsFormat::Secs, true)
        .into()
}

/// A node: id, type, phase, seconds since it began and since it ended, children.
type NodeLine = (
    &'static str,
    &'static str,
    &'static str,
    (i64, i64),
    &'static [&'static str],
);

fn nodes(lines: &[NodeLine]) -> Value {
    let mut all = Map::new();
    for (id, kind, phase, (began, ended), children) in lines {
        let label = id.rsplit('.').next().unwrap_or(id);
        let mut node = json!({"id": id, "name": id, "displayName": label, "type": kind,
            "phase": phase, "children": children});
        if *id != "w" {
            node["boundaryID"] = "w".into();
        }
        if *began > 0 {
            node["startedAt"] = at(*began);
        }
        if *ended > 0 {
            node["finishedAt"] = at(*ended);
        }
        let _none = all.insert((*id).to_owned(), node);
    }
    all.into()
}

fn ci(name: &str, status: Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": name, "namespace": "argo", "uid": format!("uid-{name}"),
            "creationTimestamp": at(200), "labels": {
                "events.argoproj.io/sensor": "demo-app", "events.argoproj.io/trigger": "build"}},
        "spec": {"workflowTemplateRef": {"name": "ci"}, "arguments": {"parameters": [
            {"name": "revision", "value": "3f2a91c4d5e6f7089123456789abcdef01234567"},
            {"name": "repo-url", "value": "http://git.example/demo/demo-app.git"},
            {"name": "image", "value": "registry.example.com/demo/demo-app:3f2a91c"}]}},
        "status": status,
    })
}

/// Clone, then three tests side by side, then build; one test failed.
pub(crate) fn failed() -> Value {
    let mut all = nodes(&[
        ("w", "DAG", "Failed", (190, 90), &["w.clone"]),
        (
            "w.clone",
            "Pod",
            "Succeeded",
            (190, 180),
            &["w.lint", "w.unit", "w.race"],
        ),
        ("w.lint", "Pod", "Succeeded", (178, 160), &["w.build"]),
        (
            "w.unit",
            "Retry",
            "Failed",
            (178, 100),
            &["w.unit(0)", "w.unit(1)"],
        ),
        ("w.unit(0)", "Pod", "Failed", (178, 150), &[]),
        ("w.unit(1)", "Pod", "Failed", (148, 100), &[]),
        ("w.race", "Pod", "Succeeded", (178, 120), &["w.build"]),
        ("w.build", "Skipped", "Omitted", (100, 100), &[]),
        ("w.onExit", "Pod", "Succeeded", (98, 92), &[]),
    ]);
    for id in ["w.unit(0)", "w.unit(1)"] {
        all[id]["message"] = "Error (exit code 1)".into();
        all[id]["outputs"] = json!({"exitCode": "1"});
        all[id]["inputs"] = json!({"parameters": [{"name": "package", "value": "./..."}]});
        all[id]["templateName"] = "go-test".into();
    }
    all["w.unit"]["message"] = "No more retries left".into();
    all["w.onExit"]["boundaryID"] = Value::Null;
    ci(
        "ci-x7k2p",
        json!({"phase": "Failed", "message": "child 'w.unit' failed", "progress": "4/5",
            "startedAt": at(190), "finishedAt": at(90), "nodes": all}),
    )
}

/// Two groups of steps; the second waits for a person.
pub(crate) fn waiting() -> Value {
    let mut all = nodes(&[
        ("w", "Steps", "Running", (75, 0), &["w[0]"]),
        (
            "w[0]",
            "StepGroup",
            "Succeeded",
            (75, 40),
            &["w[0].build", "w[0].scan"],
        ),
        ("w[0].build", "Pod", "Succeeded", (75, 40), &["w[1]"]),
        ("w[0].scan", "Pod", "Succeeded", (75, 60), &["w[1]"]),
        ("w[1]", "StepGroup", "Running", (39, 0), &["w[1].approve"]),
        ("w[1].approve", "Suspend", "Running", (39, 0), &[]),
    ]);
    all["w[1].approve"]["outputs"] = json!({"parameters": [
        {"name": "environment", "valueFrom": {"supplied": {}, "default": "staging"}}]});
    ci(
        "ci-b5m9q",
        json!({"phase": "Running", "progress": "2/3", "startedAt": at(75), "nodes": all}),
    )
}

/// A wide graph of many nodes.
pub(crate) fn large(count: usize) -> Value {
    let mut all = Map::new();
    let names: Vec<String> = (0..count)
        .map(|at| format!("w.each({at}:item-{at})"))
        .collect();
    let began = at(600);
    let mut node = |id: &str, kind: &str, children: Vec<String>| {
        let label = id.rsplit('.').next().unwrap_or(id);
        let boundary = if id == "w" { Value::Null } else { "w".into() };
        let node = json!({"id": id, "name": id, "displayName": label, "type": kind,
            "phase": "Succeeded", "boundaryID": boundary, "children": children,
            "templateName": "work", "startedAt": began, "finishedAt": began,
            "inputs": {"parameters": [{"name": "item", "value": id}]}});
        let _none = all.insert(id.to_owned(), node);
    };
    node("w", "DAG", vec!["w.plan".to_owned()]);
    node("w.plan", "Pod", vec!["w.each".to_owned()]);
    node("w.each", "TaskGroup", names.clone());
    for name in &names {
        node(name, "Pod", vec!["w.gather".to_owned()]);
    }
    node("w.gather", "Pod", Vec::new());
    ci(
        "fan-out",
        json!({"phase": "Succeeded", "progress": format!("{count}/{count}"),
            "startedAt": at(600), "finishedAt": at(10), "nodes": all}),
    )
}

fn task_run(name: &str, status: &str, reason: &str, steps: &Value) -> (Text, Value) {
    let value = json!({
        "metadata": {"name": name, "namespace": "ci", "uid": name},
        "spec": {"params": [{"name": "context", "value": "."}]},
        "status": {"podName": format!("{name}-pod"), "startTime": at(50),
            "conditions": [{"type": "Succeeded", "status": status, "reason": reason}],
            "steps": steps},
    });
    (name.into(), value)
}

fn pipeline_run() -> Value {
    json!({
        "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
        "metadata": {"name": "ci-run-9xk2w", "namespace": "ci", "uid": "uid-pr",
            "creationTimestamp": at(60),
            "labels": {"triggers.tekton.dev/eventlistener": "git", "tekton.dev/pipeline": "ci"}},
        "spec": {"pipelineRef": {"name": "ci"}, "params": [
            {"name": "revision", "value": "9b1c22ea9b1c22ea9b1c22ea9b1c22ea9b1c22ea"}]},
        "status": {"startTime": at(60), "conditions": [{"type": "Succeeded",
            "status": "Unknown", "reason": "Running",
            "message": "Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 3, Skipped: 0"}],
          "childReferences": [
            {"kind": "TaskRun", "name": "ci-run-clone", "pipelineTaskName": "clone"},
            {"kind": "TaskRun", "name": "ci-run-test", "pipelineTaskName": "test"}],
          "pipelineSpec": {"tasks": [
            {"name": "clone"}, {"name": "test", "runAfter": ["clone"]},
            {"name": "build", "runAfter": ["test"]}, {"name": "push", "runAfter": ["build"]}],
            "finally": [{"name": "notify"}]}},
    })
}

fn tekton_detail() -> RunDetail {
    let done = json!([{"name": "clone", "container": "step-clone", "terminated":
        {"exitCode": 0, "reason": "Completed", "startedAt": at(58), "finishedAt": at(52)}}]);
    let running = json!([
        {"name": "prepare", "container": "step-prepare", "terminated": {"exitCode": 0,
            "reason": "Completed", "startedAt": at(50), "finishedAt": at(45)}},
        {"name": "go-test", "container": "step-go-test", "running": {"startedAt": at(45)}}]);
    let task_runs: HashMap<Text, Value> = [
        task_run("ci-run-clone", "True", "Succeeded", &done),
        task_run("ci-run-test", "Unknown", "Running", &running),
    ]
    .into();
    let children = Children {
        task_runs: &task_runs,
        pods: None,
    };
    let kind = tekton::pipeline_run_kind();
    tekton::detail(&pipeline_run(), &connection().cluster, &kind, &children)
}

fn pod(name: &str) -> ObjectRef {
    object(("", "Pod"), "argo", name)
}

/// A Workflow with the Pods of its nodes.
pub(crate) fn workflow_detail(value: &Value) -> RunDetail {
    let nodes = value["status"]["nodes"].as_object();
    let ids = nodes.into_iter().flatten().map(|(id, _)| id.as_str());
    let known = workflow::pods_by_node(ids.filter(|id| *id != "w.lint").map(|id| (id, pod(id))));
    let mut detail = workflow::detail(value, &connection().cluster, Some(&known));
    detail.row.usual = Some(chrono::TimeDelta::seconds(58));
    detail
}

pub(crate) fn detail_of(object: &ObjectRef) -> Option<RunDetail> {
    Some(match &*object.name {
        "ci-x7k2p" => workflow_detail(&failed()),
        "ci-b5m9q" => workflow_detail(&waiting()),
        "fan-out" => workflow_detail(&large(2_000)),
        "ci-run-9xk2w" => tekton_detail(),
        "offloaded" => {
            let mut value = ci(
                "offloaded",
                json!({"phase": "Running", "progress": "7/2000",
                "startedAt": at(300), "offloadNodeStatusVersion": "fnv:1"}),
            );
            value["metadata"]["uid"] = "uid-off".into();
            workflow_detail(&value)
        }
        _ => return None,
    })
}

pub(crate) fn rows() -> Vec<RunRow> {
    let mut rows: Vec<RunRow> = [
        "ci-x7k2p",
        "ci-b5m9q",
        "fan-out",
        "ci-run-9xk2w",
        "offloaded",
    ]
    .into_iter()
    .filter_map(|name| Some(detail_of(&object((ARGO, "Workflow"), "argo", name))?.row))
    .collect();
    let mut quick = rows[2].clone();
    quick.object.name = "ci-h3v8d".into();
    quick.uid = tiphys::domain::object::Uid("uid-h".into());
    quick.phase = Phase::Cancelled;
    rows.push(quick);
    rows
}

pub(crate) fn crons() -> Vec<CronRun> {
    let cron = |name: &str, spec: Value, status: Value| {
        let mut spec = spec;
        spec["workflowSpec"] = json!({"workflowTemplateRef": {"name": name}});
        let value = json!({"metadata": {"name": name, "namespace": "argo", "uid": name,
            "creationTimestamp": at(900_000)}, "spec": spec, "status": status});
        workflow::cron_run(&value, &connection().cluster)
    };
    vec![
        cron(
            "nightly-scan",
            json!({"schedules": ["0 3 * * *"], "timezone": "Europe/Berlin",
                "concurrencyPolicy": "Forbid"}),
            json!({"lastScheduledTime": at(33_000), "succeeded": 41, "failed": 2}),
        ),
        cron(
            "cleanup",
            json!({"schedules": ["*/15 * * * *"], "suspend": true}),
            json!({"lastScheduledTime": at(90_000), "succeeded": 7}),
        ),
        cron(
            "broken",
            json!({"schedules": ["61 * * * *"]}),
            json!({"conditions": [{"type": "SpecError", "status": "True",
                "message": "cron schedule 61 * * * * is malformed"}]}),
        ),
    ]
}

pub(crate) fn template(object: &ObjectRef) -> RunTemplate {
    let value = json!({
        "kind": "WorkflowTemplate",
        "metadata": {"name": &*object.name, "namespace": "argo", "uid": "uid-template",
            "annotations": {"workflows.argoproj.io/description": "Build, scan and push an image"}},
        "spec": {"arguments": {"parameters": [
            {"name": "revision", "description": "commit or branch"},
            {"name": "environment", "value": "staging", "enum": ["dev", "staging", "prod"]},
            {"name": "parallelism", "value": 4}]}},
    });
    run_template(&value, &connection().cluster, &object.kind)
}

pub(crate) fn flow() -> EventFlow {
    let cluster = connection().cluster;
    let source = json!({"metadata": {"name": "git", "namespace": "argo", "uid": "uid-source"},
        "spec": {"webhook": {"push": {"endpoint": "/push", "port": "12000", "method": "POST"}},
            "calendar": {"nightly": {"schedule": "0 3 * * *"}}},
        "status": {"conditions": [{"type": "Deployed", "status": "True"}]}});
    let builder = json!({"metadata": {"name": "demo-app", "namespace": "argo", "uid": "uid-sensor"},
        "spec": {"dependencies": [{"name": "push", "eventSourceName": "git", "eventName": "push",
            "filters": {"data": [{"path": "body.ref", "value": ["refs/heads/main"]}]}}],
          "triggers": [{"template": {"name": "build", "argoWorkflow": {"operation": "submit",
            "source": {"resource": {"kind": "Workflow", "metadata": {"generateName": "ci-"}}},
            "parameters": [{"src": {"dependencyName": "push", "dataKey": "body.after"},
                "dest": "spec.arguments.parameters.0.value"}]}}}]},
        "status": {"conditions": [{"type": "Deployed", "status": "True"}]}});
    let lost = json!({"metadata": {"name": "orphan", "namespace": "argo", "uid": "uid-orphan"},
        "spec": {"dependencies": [{"name": "x", "eventSourceName": "gone", "eventName": "push"}],
          "triggers": [{"template": {"name": "run", "k8s": {"operation": "create", "source":
            {"resource": {"kind": "PipelineRun", "metadata": {"generateName": "ci-"}}}}}}]}});
    let webhooks = webhooks(&json!({"items": [
        {"id": "r00042", "at": at(200), "eventSource": "git", "event": "push", "kind": "webhook",
            "request": {"status": 200, "answer": "success", "method": "POST", "path": "/push",
                "headers": {"x-gitea-event": "push"},
                "body": "{\"ref\": \"refs/heads/main\", \"after\": \"3f2a91c4d5\"}"},
            "consequences": [{"sensor": "demo-app", "of": "build", "outcome": "fired",
                "object": {"kind": "Workflow", "name": "ci-x7k2p"}}]},
        {"id": "r00041", "at": at(900), "eventSource": "git", "event": "push", "kind": "webhook",
            "request": {"status": 200, "answer": "success", "method": "POST", "path": "/push",
                "headers": {"x-gitea-event": "push"},
                "body": "{\"ref\": \"refs/heads/feature\"}"},
            "consequences": [{"sensor": "demo-app", "of": "push", "outcome": "dropped",
                "why": "`body.ref` is refs/heads/feature, not refs/heads/main"}]},
        {"id": "r00040", "at": at(1_800), "eventSource": "git", "kind": "webhook",
            "request": {"status": 401, "answer": "the signature does not match",
                "method": "POST", "path": "/push", "headers": {"x-github-event": "push"}}}]}));
    let run = rows().remove(0);
    let made = Made {
        object: run.object,
        uid: run.uid,
        by: "demo-app".into(),
        trigger: "build".into(),
        at: run.created,
        phase: run.phase,
        revision: run.commit.revision,
    };
    let sensors = vec![sensor(&builder, &cluster), sensor(&lost, &cluster)];
    let sentence =
        "`x` of Sensor `orphan` waits for event `push` of EventSource `gone`, which nobody has";
    EventFlow {
        sources: vec![event_source(&source, &cluster)],
        findings: vec![Finding::new(Severity::Warning, sentence)],
        sensors,
        made: vec![made],
        webhooks,
        ..EventFlow::default()
    }
}

pub(crate) fn is_template(kind: &GroupKind) -> bool {
    kind.is(ARGO, "WorkflowTemplate") || kind.is(TEKTON, "Pipeline")
}
