//! The other side of the measurement, in a process of its own: an API server with many
//! Applications of 5.4 KB, which changes some of them when it is told to.
//!
//! It prints its address, counts requests, and obeys lines on stdin: `requests` prints the count,
//! `change N` changes N Applications one after the other, `pace N SECONDS` changes N a second.

use bytes::Bytes;
use chrono::Utc;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tiphys::sim::apiserver::{ApiServer, LogRequest, PodLogs, ServerOptions};
use tiphys::sim::clock::PlatformClock;

const PATH: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications";

pub(crate) fn run(count: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(serve(count));
}

async fn serve(count: usize) {
    // Created long ago: the ages of objects that are seconds old change every second.
    let created = Utc::now() - chrono::TimeDelta::days(51);
    let clock = PlatformClock::running(created, 1.0);
    let server = ApiServer::start(ServerOptions::new(clock));
    server.set_pod_logs(Arc::new(Chatty));
    let client = server.client("bench");
    fill(&client, count).await;
    open(&server, client, count).await;
}

/// Opens a port, says where, and obeys.
pub(crate) async fn open(server: &ApiServer, client: kube::Client, count: usize) {
    let requests = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&requests);
    let router = server.router().layer(axum::middleware::from_fn(
        move |request: axum::extract::Request, next: axum::middleware::Next| {
            counter.fetch_add(1, Ordering::Relaxed);
            next.run(request)
        },
    ));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(tokio::spawn(
        async move { axum::serve(listener, router).await },
    ));
    say(&address.to_string());
    obey(client, requests, count).await;
}

async fn obey(client: kube::Client, requests: Arc<AtomicU64>, count: usize) {
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut round = 0;
    while let Some(line) = lines.recv().await {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| {
            words
                .get(at)
                .and_then(|word| word.parse().ok())
                .unwrap_or(0_usize)
        };
        match words.first().copied() {
            Some("requests") => say(&requests.load(Ordering::Relaxed).to_string()),
            Some("change") => {
                for at in 0..number(1) {
                    change(&client, at % count, &mut round).await;
                }
                say("done");
            }
            Some("pace") => {
                let mut tick =
                    tokio::time::interval(Duration::from_secs_f64(1.0 / number(1) as f64));
                for at in 0..number(1) * number(2) {
                    tick.tick().await;
                    change(&client, (at * 7919) % count, &mut round).await;
                }
                say("done");
            }
            _ => return,
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .expect("somebody listens");
}

async fn fill(client: &kube::Client, count: usize) {
    let crd: Value =
        tiphys::api::yaml::from_str(include_str!("../../demo-data/crds/applications.yaml"))
            .expect("the definition is YAML");
    post(
        client,
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        &crd,
    )
    .await;
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}});
    post(client, "/api/v1/namespaces", &namespace).await;
    for number in 0..count {
        post(client, PATH, &application(number)).await;
    }
    define(client, "argoproj.io", ("Workflow", "workflows")).await;
    let workflows = "/apis/argoproj.io/v1alpha1/namespaces/argocd/workflows";
    post(client, workflows, &workflow(NODES)).await;
    chatty(client).await;
}

const RESOURCES: usize = 10;
const HISTORY: usize = 4;

/// How many lines the chatty Pod has written.
pub(crate) const LINES: u64 = 100_000;

/// The log of a Pod that has said much and goes on.
struct Chatty;

impl PodLogs for Chatty {
    fn read(
        &self,
        request: LogRequest,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, String>> {
        let first = LINES.saturating_sub(request.tail_lines.unwrap_or(LINES));
        let start = Utc::now() - chrono::TimeDelta::seconds(200_000);
        let chunk = move |from: u64| {
            let line = |number: u64| {
                let at = start + chrono::TimeDelta::seconds(number as i64);
                let at = at.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
                format!("{at} GET /search?q=lamp&page={number} 200 in 12 ms, line {number}\n")
            };
            Bytes::from(
                (from..(from + 500).min(LINES))
                    .map(line)
                    .collect::<String>(),
            )
        };
        let chunks = futures::stream::iter((first..LINES).step_by(500).map(chunk));
        // It is followed: the stream stays open.
        let stream = chunks.chain(futures::stream::pending());
        std::future::ready(Ok(stream.boxed())).boxed()
    }
}

async fn chatty(client: &kube::Client) {
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "chatty", "namespace": "argocd"},
        "spec": {"containers": [{"name": "main", "image": "chatty"}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "main", "ready": true, "restartCount": 0, "image": "chatty", "imageID": "",
             "state": {"running": {"startedAt": "2026-10-01T10:00:00Z"}}}]}});
    post(client, "/api/v1/namespaces/argocd/pods", &pod).await;
}

/// How many steps the Workflow has.
pub(crate) const NODES: usize = 2_000;

/// Defines a kind whose objects may hold anything.
async fn define(client: &kube::Client, group: &str, (kind, plural): (&str, &str)) {
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema":
                {"openAPIV3Schema": {"type": "object",
                    "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    post(client, path, &crd).await;
}

/// A Workflow that fans out: one step plans, many work, one gathers.
fn workflow(count: usize) -> Value {
    let mut nodes = serde_json::Map::new();
    let works: Vec<String> = (0..count).map(|at| format!("fan-out-{at}")).collect();
    let mut node = |id: &str, label: String, kind: &str, children: &[String]| {
        let boundary = if id == "fan-out" { "" } else { "fan-out" };
        let node = json!({"id": id, "name": id, "displayName": label, "type": kind,
            "phase": "Succeeded", "boundaryID": boundary, "children": children,
            "templateName": "work", "templateScope": "local/fan-out", "progress": "1/1",
            "startedAt": "2026-10-01T10:00:00Z", "finishedAt": "2026-10-01T10:00:42Z",
            "inputs": {"parameters": [{"name": "item", "value": id}]},
            "outputs": {"exitCode": "0", "artifacts": [{"name": "main-logs", "s3": {"key": id}}]},
            "resourcesDuration": {"cpu": 40, "memory": 400}, "hostNodeName": "node-1"});
        let _none = nodes.insert(id.to_owned(), node);
    };
    node("fan-out", "fan-out".to_owned(), "DAG", &["plan".to_owned()]);
    node("plan", "plan".to_owned(), "Pod", &["each".to_owned()]);
    node("each", "each".to_owned(), "TaskGroup", &works);
    for (at, id) in works.iter().enumerate() {
        node(
            id,
            format!("each({at}:item-{at})"),
            "Pod",
            &["gather".to_owned()],
        );
    }
    node("gather", "gather".to_owned(), "Pod", &[]);
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "fan-out", "namespace": "argocd"},
        "spec": {"entrypoint": "main"},
        "status": {"phase": "Succeeded", "progress": format!("{count}/{count}"),
            "startedAt": "2026-10-01T10:00:00Z", "finishedAt": "2026-10-01T10:10:00Z",
            "nodes": nodes}})
}

pub(crate) async fn post(client: &kube::Client, path: &str, body: &Value) {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(body).expect("JSON"))
        .expect("a request");
    let _created: Value = client.request(request).await.expect("the server takes it");
}

async fn change(client: &kube::Client, number: usize, round: &mut u64) {
    *round += 1;
    let health = ["Healthy", "Progressing", "Degraded"][usize::try_from(*round).unwrap_or(0) % 3];
    let patch = json!({"status": {"health": {"status": health}}});
    let request = http::Request::patch(format!("{PATH}/app-{number:05}"))
        .header("content-type", "application/merge-patch+json")
        .body(serde_json::to_vec(&patch).expect("JSON"))
        .expect("a request");
    let _patched: Value = client.request(request).await.expect("the server takes it");
}

/// An Application as Argo CD leaves it: resources, a history, an operation; 5.4 KB as it is
/// stored, with its managed fields.
fn application(number: usize) -> Value {
    let name = format!("app-{number:05}");
    let repo = format!("https://git.example.com/team-{}/deploy.git", number % 40);
    let sha = format!("{:040x}", number as u128 * 0x9e37_79b9_7f4a_7c15);
    let source = json!({"repoURL": repo, "path": format!("apps/{name}/overlays/prod"), "targetRevision": "main"});
    let kinds = [
        ("apps", "Deployment"),
        ("", "Service"),
        ("", "ConfigMap"),
        ("batch", "CronJob"),
    ];
    let resources: Vec<Value> = (0..RESOURCES)
        .map(|at| {
            let (group, kind) = kinds[at % kinds.len()];
            json!({"group": group, "version": "v1", "kind": kind, "namespace": format!("ns-{}", number % 300),
                "name": format!("{name}-part-{at:02}"), "status": if at == 3 && number.is_multiple_of(9) { "OutOfSync" } else { "Synced" }})
        })
        .collect();
    let history: Vec<Value> = (0..HISTORY)
        .map(|id| json!({"id": id, "revision": sha, "deployedAt": "2026-10-01T10:00:00Z",
            "deployStartedAt": "2026-10-01T09:59:58Z", "source": source, "initiatedBy": {"automated": true}}))
        .collect();
    let operation = json!({"sync": {"revision": sha, "prune": true}, "initiatedBy": {"automated": true}, "retry": {"limit": 5}});
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd", "labels": {"team": format!("team-{}", number % 40), "tier": "prod"},
            "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
        "spec": {"project": format!("project-{}", number % 25), "source": source,
            "destination": {"server": "https://kubernetes.default.svc", "namespace": format!("ns-{}", number % 300)},
            "syncPolicy": {"automated": {"prune": true, "selfHeal": number.is_multiple_of(3)}, "syncOptions": ["CreateNamespace=true"]}},
        "status": {
            "sync": {"status": if number.is_multiple_of(9) { "OutOfSync" } else { "Synced" }, "revision": sha,
                "comparedTo": {"source": source, "destination": {"server": "https://kubernetes.default.svc", "namespace": format!("ns-{}", number % 300)}}},
            "health": {"status": if number.is_multiple_of(17) { "Degraded" } else { "Healthy" }, "lastTransitionTime": "2026-10-01T10:00:00Z"},
            "operationState": {"operation": operation, "phase": "Succeeded", "message": "successfully synced (all tasks run)",
                "startedAt": "2026-10-01T09:59:58Z", "finishedAt": "2026-10-01T10:00:00Z", "syncResult": {"revision": sha, "source": source}},
            "history": history, "resources": resources, "reconciledAt": "2026-10-01T10:00:00Z",
            "resourceHealthSource": "appTree", "sourceType": "Kustomize", "controllerNamespace": "argocd",
            "summary": {"images": [format!("registry.example.com/{name}:1.4.{}", number % 50)]}
        }
    })
}
