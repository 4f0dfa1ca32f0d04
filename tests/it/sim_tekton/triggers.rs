//! EventListeners: an event becomes a run, or the reason why not is told.

use super::bed::{Bed, condition};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

const SECRET: &str = "hush";
const BODY: &str = r#"{"ref": "refs/heads/main", "after": "4f2a91c07b", "repository": {"clone_url": "http://git/shop/demo-app.git"}}"#;
/// `printf '%s' "$BODY" | openssl dgst -sha256 -hmac hush`
const SIGNATURE: &str = "6639fb7b492b9927e4985fbcac8ee8f6c6e179f62cb70f3e3d0507bfaa29121c";

fn triggers(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "triggers.tekton.dev/v1beta1", "kind": kind,
        "metadata": {"name": name}, "spec": spec,
    })
}

/// A listener for pushes to main, signed as GitHub signs them.
async fn listen(bed: &Bed) -> String {
    bed.create(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook"},
        "stringData": {"token": SECRET},
    }))
    .await;
    bed.create(json!({
        "apiVersion": "tekton.dev/v1", "kind": "Pipeline", "metadata": {"name": "ci"},
        "spec": {
            "params": [{"name": "revision"}, {"name": "repo"}],
            "tasks": [{"name": "build", "taskSpec": {"steps": [
                {"name": "build", "image": "busybox:1", "script": "echo building"},
            ]}}],
        },
    }))
    .await;
    bed.create(triggers(
        "TriggerBinding",
        "push",
        json!({"params": [
            {"name": "repo", "value": "$(body.repository.clone_url)"},
        ]}),
    ))
    .await;
    bed.create(triggers(
        "TriggerTemplate",
        "ci",
        json!({
            "params": [{"name": "revision"}, {"name": "repo"}],
            "resourcetemplates": [{
                "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
                "metadata": {"generateName": "ci-run-"},
                "spec": {"pipelineRef": {"name": "ci"}, "params": [
                    {"name": "revision", "value": "$(tt.params.revision)"},
                    {"name": "repo", "value": "$(tt.params.repo)"},
                ]},
            }],
        }),
    ))
    .await;
    bed.create(triggers("EventListener", "git", json!({
        "serviceAccountName": "default",
        "triggers": [{
            "name": "on-push",
            "interceptors": [
                {"ref": {"name": "github"}, "params": [
                    {"name": "secretRef", "value": {"secretName": "hook", "secretKey": "token"}},
                    {"name": "eventTypes", "value": ["push"]},
                ]},
                {"ref": {"name": "cel"}, "params": [
                    {"name": "filter", "value": "body.ref == 'refs/heads/main'"},
                    {"name": "overlays", "value": [
                        {"key": "short", "expression": "body.after.truncate(7)"},
                    ]},
                ]},
            ],
            "bindings": [{"ref": "push"}, {"name": "revision", "value": "$(extensions.short)"}],
            "template": {"ref": "ci"},
        }],
    })))
    .await;
    let ready = bed
        .until(("EventListener", "git"), "is ready", |listener| {
            let conditions = listener["status"]["conditions"].as_array();
            let mut ready = conditions.into_iter().flatten();
            ready.any(|one| one["type"] == "Ready" && one["status"] == "True")
        })
        .await;
    let url = ready["status"]["address"]["url"]
        .as_str()
        .unwrap_or_default();
    assert_eq!(url, "http://el-git.default.svc.cluster.local:8080");
    url.to_owned()
}

async fn send(bed: &Bed, url: &str, signature: &str, body: &str) -> (u16, Value) {
    let request = Request::post(url)
        .header("X-GitHub-Event", "push")
        .header("X-Hub-Signature-256", format!("sha256={signature}"))
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .expect("a request");
    let answer = bed.network().send(request).await.expect("an answer");
    let told = serde_json::from_slice(answer.body()).unwrap_or_default();
    (answer.status().as_u16(), told)
}

#[tokio::test]
async fn a_signed_push_becomes_a_run() {
    let bed = Bed::start(Vec::new()).await;
    let url = listen(&bed).await;

    let (status, answer) = send(&bed, &url, SIGNATURE, BODY).await;

    assert_eq!(status, 202);
    assert_eq!(answer["eventListener"], "git");
    let id = answer["eventID"].as_str().unwrap_or_default().to_owned();
    let selector = format!("triggers.tekton.dev/triggers-eventid={id}");
    let name = bed
        .cluster
        .until("a run is made", async || {
            let runs = bed.list("PipelineRun", &selector).await;
            let name = runs.first()?["metadata"]["name"].as_str()?.to_owned();
            Some(name)
        })
        .await;
    let run = bed.end("PipelineRun", &name).await;
    assert_eq!(condition(&run).1, "Succeeded");
    assert_eq!(
        run["spec"]["params"],
        json!([
            {"name": "revision", "value": "4f2a91c"},
            {"name": "repo", "value": "http://git/shop/demo-app.git"},
        ])
    );
    assert_eq!(
        run["metadata"]["labels"]["triggers.tekton.dev/eventlistener"],
        "git"
    );
    assert_eq!(
        run["metadata"]["labels"]["triggers.tekton.dev/trigger"],
        "on-push"
    );
}

#[tokio::test]
async fn a_forged_push_makes_nothing_and_the_reason_is_told() {
    let bed = Bed::start(Vec::new()).await;
    let url = listen(&bed).await;

    let (status, _) = send(&bed, &url, SIGNATURE, &BODY.replace("main", "evil")).await;
    let (garbage, refusal) = send(&bed, &url, SIGNATURE, "not json").await;

    assert_eq!((status, garbage), (202, 400));
    assert!(
        refusal["errorMessage"]
            .as_str()
            .is_some_and(|why| why.starts_with("Invalid event body format")),
        "{refusal}"
    );
    let told = bed
        .cluster
        .until("the reason is told", async || {
            let events = bed.cluster.events("git").await;
            let mut failed = events
                .into_iter()
                .filter(|(reason, _)| reason == "dev.tekton.event.triggers.failed.v1");
            failed.next().map(|(_, message)| message)
        })
        .await;
    assert!(
        told.ends_with("trigger \"on-push\": payload signature check failed"),
        "{told}"
    );
    assert!(bed.list("PipelineRun", "").await.is_empty());
}
