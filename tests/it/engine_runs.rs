//! The engine and runs of pipelines: rows of all systems, one run with its Pods, and intents.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

use crate::engine_bed::{Bed, Engine, merge, on_both};
use serde_json::{Value, json};
use tiphys::api::compressed::pack;
use tiphys::domain::intent::{Stage, Verb};
use tiphys::domain::kind::ARGO;
use tiphys::domain::object::{GroupKind, ObjectRef};
use tiphys::domain::pipeline::{CancelWay, Nodes, Phase, RunDetail, RunVerb, System, runs_kind};
use tiphys::domain::rows::Rows;
use tiphys::engine::protocol::{Answer, Fetch, Topic, Update};

on_both!(
    rows_of_all_systems_are_one_table,
    a_waiting_step_is_resumed_in_the_encoding_that_was_found,
    a_failed_workflow_is_retried_and_its_pods_are_deleted,
    runs_are_made_from_templates_and_made_again,
    runs_of_tekton_are_cancelled_and_run_again,
);

const WORKFLOWS: &str = "/apis/argoproj.io/v1alpha1/namespaces/prod/workflows";
const TEMPLATES: &str = "/apis/argoproj.io/v1alpha1/namespaces/prod/workflowtemplates";
const PIPELINES: &str = "/apis/tekton.dev/v1/namespaces/prod/pipelines";
const RUNS: &str = "/apis/tekton.dev/v1/namespaces/prod/pipelineruns";

/// Defines kinds of Argo Workflows, where the platform has not done so.
async fn define(bed: &Bed) {
    for (kind, plural) in [
        ("Workflow", "workflows"),
        ("WorkflowTemplate", "workflowtemplates"),
    ] {
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.argoproj.io")},
            "spec": {"group": "argoproj.io", "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema":
                    {"openAPIV3Schema": {"type": "object",
                        "x-kubernetes-preserve-unknown-fields": true}}}]}});
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let request = http::Request::post(path)
            .header("content-type", "application/json")
            .body(crd.to_string().into_bytes())
            .expect("a request");
        let _there_already = bed.client.request::<Value>(request).await.is_err();
    }
}

fn workflow(name: &str, status: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": name, "namespace": "prod", "labels": {
            "events.argoproj.io/sensor": "git", "events.argoproj.io/trigger": "ci"}},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}],
            "arguments": {"parameters": [{"name": "revision", "value": "abc"}]}},
        "status": status,
    })
}

fn waiting() -> Value {
    let node = json!({"id": "w", "name": "w", "displayName": "approve", "type": "Suspend",
        "phase": "Running", "startedAt": "2026-01-01T00:00:00Z",
        "outputs": {"parameters": [{"name": "env", "valueFrom": {"supplied": {}}}]}});
    json!({ "w": node })
}

async fn pod(bed: &Bed, name: &str, workflow: &str, node: &str) {
    let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name,
        "namespace": "prod", "labels": {"workflows.argoproj.io/workflow": workflow},
        "annotations": {"workflows.argoproj.io/node-id": node}},
        "spec": {"containers": [{"name": "main", "image": "x"}]}});
    let _made = bed.create("/api/v1/namespaces/prod/pods", &body).await;
}

async fn accepted(engine: &mut Engine, target: &ObjectRef, verb: RunVerb) -> String {
    let id = engine.act(target, None, Verb::Run(verb));
    match engine.outcome(id).await {
        Stage::Accepted { detail } => detail.to_string(),
        other => panic!("not accepted: {other:?}"),
    }
}

async fn refused(engine: &mut Engine, target: &ObjectRef, verb: RunVerb) -> String {
    let id = engine.act(target, None, Verb::Run(verb));
    match engine.outcome(id).await {
        Stage::Failed { sentence, hint } => {
            format!("{sentence} {}", hint.as_deref().unwrap_or_default())
        }
        other => panic!("not refused: {other:?}"),
    }
}

async fn picture(
    engine: &mut Engine,
    object: &ObjectRef,
    wanted: impl Fn(&RunDetail) -> bool,
) -> RunDetail {
    let ours = engine.subscribe(Topic::Run(object.clone()));
    engine
        .until("the run", |update| match update {
            Update::Run {
                ticket,
                detail: Some(detail),
                ..
            } if *ticket == ours && wanted(detail) => Some((**detail).clone()),
            _ => None,
        })
        .await
}

fn wf(engine: &Engine, name: &str) -> ObjectRef {
    engine.object(GroupKind::new(ARGO, "Workflow"), "prod", name)
}

/// The name of the one object of a list that is not known yet.
async fn newest(bed: &Bed, path: &str, known: &[&str]) -> Value {
    let list = bed.read(path).await;
    let items = list["items"].as_array().expect("items").iter();
    let mut new = items.filter(|one| !known.iter().any(|known| one["metadata"]["name"] == *known));
    new.next().expect("a new one").clone()
}

mod cases {
    use super::*;

    pub(super) async fn rows_of_all_systems_are_one_table(bed: Bed) {
        define(&bed).await;
        let status = json!({"phase": "Running", "progress": "0/1", "nodes": waiting()});
        let _made = bed.create(WORKFLOWS, &workflow("w", &status)).await;
        pod(&bed, "w-1", "w", "w").await;
        let run = json!({"apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
            "metadata": {"name": "p", "namespace": "prod"},
            "spec": {"pipelineRef": {"name": "ci"}}});
        let _made = bed.create(RUNS, &run).await;
        let mut engine = bed.engine().await;

        let ticket = engine.subscribe(Topic::Kind(runs_kind()));
        let mut seen: Vec<(System, Phase)> = Vec::new();
        engine
            .delta(ticket, "both rows", |delta| {
                if let Rows::Runs(rows) = &delta.rows {
                    seen.extend(rows.iter().map(|row| (row.system, row.phase)));
                }
                seen.sort();
                (seen.len() == 2).then_some(())
            })
            .await;
        assert_eq!(
            seen,
            [
                (System::Workflows, Phase::Suspended),
                (System::Tekton, Phase::Pending)
            ]
        );

        let object = wf(&engine, "w");
        let detail = picture(&mut engine, &object, |detail| detail.nodes[0].pod.is_none()).await;
        assert_eq!(detail.row.trigger.words(), "git/ci");
        let why = engine.fetch(Fetch::Why { object }).await;
        let Ok(Answer::Why(findings)) = why else {
            panic!("findings were expected: {why:?}");
        };
        assert!(findings[0].sentence.contains("has waited"), "{findings:?}");

        let path = format!("{WORKFLOWS}/w");
        merge(&bed.client, &path, &json!({"status": {"phase": "Failed"}})).await;
        engine
            .delta(ticket, "the failure", |delta| match &delta.rows {
                Rows::Runs(rows) => rows
                    .iter()
                    .any(|row| row.phase == Phase::Failed)
                    .then_some(()),
                _ => None,
            })
            .await;
    }

    pub(super) async fn a_waiting_step_is_resumed_in_the_encoding_that_was_found(bed: Bed) {
        define(&bed).await;
        let packed = pack(waiting().to_string().as_bytes()).expect("packed");
        let status = json!({"phase": "Running", "compressedNodes": packed});
        let _made = bed.create(WORKFLOWS, &workflow("w", &status)).await;
        let mut engine = bed.engine().await;
        let object = wf(&engine, "w");

        let nothing = RunVerb::Resume {
            node: None,
            parameters: Vec::new(),
        };
        let why = refused(&mut engine, &object, nothing).await;
        assert!(why.contains("`env` has neither"), "{why}");
        let given = RunVerb::Resume {
            node: Some("approve".into()),
            parameters: vec![("env".into(), "prod".into())],
        };
        let _said = accepted(&mut engine, &object, given).await;

        let detail = picture(&mut engine, &object, |detail| {
            detail.nodes[0].phase == Phase::Succeeded
        })
        .await;
        assert_eq!(detail.row.nodes, Nodes::Compressed);
        assert_eq!(detail.nodes[0].outputs[0].value.as_deref(), Some("prod"));

        let _said = accepted(&mut engine, &object, RunVerb::Stop).await;
        let live = bed.read(&format!("{WORKFLOWS}/w")).await;
        assert_eq!(live["spec"]["shutdown"], "Stop");
        let over = json!({"status": {"phase": "Failed"}});
        merge(&bed.client, &format!("{WORKFLOWS}/w"), &over).await;
        let why = refused(&mut engine, &object, RunVerb::Terminate).await;
        assert!(why.contains("it is over"), "{why}");
    }

    pub(super) async fn a_failed_workflow_is_retried_and_its_pods_are_deleted(bed: Bed) {
        define(&bed).await;
        let nodes = json!({
            "w": {"id": "w", "name": "w", "displayName": "w", "type": "DAG", "phase": "Failed",
                "children": ["good", "bad"]},
            "good": {"id": "good", "name": "w.good", "displayName": "good", "type": "Pod",
                "phase": "Succeeded", "boundaryID": "w"},
            "bad": {"id": "bad", "name": "w.bad", "displayName": "bad", "type": "Pod",
                "phase": "Failed", "boundaryID": "w", "message": "exit 1",
                "outputs": {"exitCode": "1"}}});
        let status = json!({"phase": "Failed", "nodes": nodes});
        let _made = bed.create(WORKFLOWS, &workflow("w", &status)).await;
        pod(&bed, "w-good", "w", "good").await;
        pod(&bed, "w-bad", "w", "bad").await;
        let mut engine = bed.engine().await;
        let object = wf(&engine, "w");
        let seen = picture(&mut engine, &object, |detail| {
            detail.nodes.iter().any(|node| node.pod.is_some())
        })
        .await;
        assert_eq!(&*seen.row.failing, "bad");

        let _said = accepted(&mut engine, &object, RunVerb::Retry).await;

        let live = bed.read(&format!("{WORKFLOWS}/w")).await;
        assert_eq!(live["status"]["phase"], "");
        assert_eq!(live["status"]["nodes"]["w"]["phase"], "Running");
        assert_eq!(live["status"]["nodes"]["bad"], Value::Null);
        let pods = bed.read("/api/v1/namespaces/prod/pods").await;
        let left = pods["items"].as_array().expect("items").iter();
        let left: Vec<&Value> = left
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .map(|pod| &pod["metadata"]["name"])
            .collect();
        assert_eq!(left, ["w-good"]);
        let why = refused(&mut engine, &object, RunVerb::Retry).await;
        assert!(why.contains("only a failed run"), "{why}");
    }

    pub(super) async fn runs_are_made_from_templates_and_made_again(bed: Bed) {
        define(&bed).await;
        let template = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate",
            "metadata": {"name": "ci", "namespace": "prod"}, "spec": {"arguments": {"parameters": [
                {"name": "revision"}, {"name": "env", "value": "dev"}]}}});
        let _made = bed.create(TEMPLATES, &template).await;
        let mut engine = bed.engine().await;
        let target = engine.object(GroupKind::new(ARGO, "WorkflowTemplate"), "prod", "ci");
        let submit = |parameters| RunVerb::Submit {
            parameters,
            namespace: None,
        };

        let why = refused(&mut engine, &target, submit(Vec::new())).await;
        assert!(why.contains("revision="), "{why}");
        let given = vec![("revision".into(), "main".into())];
        let _said = accepted(&mut engine, &target, submit(given)).await;

        let made = newest(&bed, WORKFLOWS, &[]).await;
        let name = made["metadata"]["name"].as_str().expect("a name");
        assert!(name.starts_with("ci-"), "{name}");
        assert_eq!(made["spec"]["workflowTemplateRef"]["name"], "ci");
        let parameters = json!([{"name": "revision", "value": "main"}]);
        assert_eq!(made["spec"]["arguments"]["parameters"], parameters);

        let first = wf(&engine, name);
        let _said = accepted(&mut engine, &first, RunVerb::Resubmit).await;
        let again = newest(&bed, WORKFLOWS, &[name]).await;
        let from = &again["metadata"]["labels"]["workflows.argoproj.io/resubmitted-from-workflow"];
        assert_eq!(from, name);
    }

    pub(super) async fn runs_of_tekton_are_cancelled_and_run_again(bed: Bed) {
        let pipeline = json!({"apiVersion": "tekton.dev/v1", "kind": "Pipeline",
            "metadata": {"name": "ci", "namespace": "prod"}, "spec": {
                "params": [{"name": "revision", "type": "string"}],
                "workspaces": [{"name": "source"}],
                "tasks": [{"name": "build", "taskRef": {"name": "build"}}]}});
        let _made = bed.create(PIPELINES, &pipeline).await;
        let mut engine = bed.engine().await;
        let target = engine.object(GroupKind::new("tekton.dev", "Pipeline"), "prod", "ci");
        let submit = |parameters| RunVerb::Submit {
            parameters,
            namespace: None,
        };

        let bare = submit(vec![("revision".into(), "main".into())]);
        let why = refused(&mut engine, &target, bare).await;
        assert!(why.contains("workspace `source`"), "{why}");
        let given = submit(vec![
            ("revision".into(), "main".into()),
            ("workspace.source".into(), "emptyDir".into()),
        ]);
        let _said = accepted(&mut engine, &target, given).await;

        let made = newest(&bed, RUNS, &[]).await;
        let name = made["metadata"]["name"]
            .as_str()
            .expect("a name")
            .to_owned();
        let run = engine.object(System::Tekton.kind(), "prod", &name);
        let stop = RunVerb::Cancel(CancelWay::LetTasksEnd);
        let _said = accepted(&mut engine, &run, stop).await;
        let live = bed.read(&format!("{RUNS}/{name}")).await;
        assert_eq!(live["spec"]["status"], "StoppedRunFinally");
        let why = refused(&mut engine, &run, RunVerb::Suspend).await;
        assert!(why.contains("not a Workflow"), "{why}");

        let _said = accepted(&mut engine, &run, RunVerb::Resubmit).await;
        let again = newest(&bed, RUNS, &[&name]).await;
        assert_eq!(again["spec"]["status"], Value::Null);
        assert_eq!(again["spec"]["params"][0]["value"], "main");
    }
}
