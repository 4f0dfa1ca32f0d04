//! The engine against servers that misbehave: each answer is scripted.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

use crate::engine_bed::{Engine, OneClient};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tiphys::domain::object::{GroupKind, Text};
use tiphys::domain::status::Freshness;
use tiphys::engine::EngineOptions;
use tiphys::engine::protocol::{Request as Ask, Rows, SourceName, Topic, Update};

type Script = fn(&str, usize) -> Response;

#[derive(Clone)]
struct Scripted {
    script: Script,
    calls: Arc<AtomicUsize>,
}

async fn answer(State(scripted): State<Scripted>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let target = format!("{}?{query}", request.uri().path());
    if !target.contains("/applications?") {
        return status(404, "nothing here");
    }
    let call = scripted.calls.fetch_add(1, Ordering::Relaxed);
    (scripted.script)(&target, call)
}

async fn engine(script: Script) -> Engine {
    let calls = Arc::new(AtomicUsize::new(0));
    let router = Router::new()
        .fallback(answer)
        .with_state(Scripted { script, calls });
    let client = kube::Client::new(router, "default");
    Engine::connect(Arc::new(OneClient(client)), EngineOptions::default()).await
}

fn respond(code: u16, body: Body) -> Response {
    Response::builder()
        .status(code)
        .header("content-type", "application/json")
        .body(body)
        .expect("a response")
}

fn status(code: u16, message: &str) -> Response {
    let status = json!({"kind": "Status", "status": "Failure", "message": message, "code": code});
    respond(code, Body::from(status.to_string()))
}

fn app(name: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "argocd", "uid": format!("uid-{name}"),
        "resourceVersion": version}, "spec": {}})
}

fn list(version: &str, items: &[Value]) -> Response {
    let list = json!({"kind": "ApplicationList", "metadata": {"resourceVersion": version}, "items": items});
    respond(200, Body::from(list.to_string()))
}

/// A watch that sends these events and stays open.
fn watch(events: &[Value]) -> Response {
    let mut text = String::new();
    for event in events {
        text.push_str(&event.to_string());
        text.push('\n');
    }
    let first = futures::stream::iter([Ok::<_, std::io::Error>(text)]);
    let open = futures::StreamExt::chain(first, futures::stream::pending());
    respond(200, Body::from_stream(open))
}

fn kind() -> GroupKind {
    GroupKind::new("argoproj.io", "Application")
}

async fn freshness<T>(
    engine: &mut Engine,
    what: &str,
    pick: impl Fn(&Freshness) -> Option<T>,
) -> T {
    engine
        .until(what, |update| match update {
            Update::Freshness {
                source: SourceName::Kind(one),
                freshness,
                ..
            } if *one == kind() => pick(freshness),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn watch_relists_after_gone_and_removes_deleted_rows() {
    let mut engine = engine(|target, call| match (target.contains("watch=1"), call) {
        (false, 0) => list("10", &[app("stays", "9"), app("goes", "8")]),
        (true, 1) => watch(&[json!({"type": "ERROR", "object": {"kind": "Status", "code": 410}})]),
        (false, 2) => list("20", &[app("stays", "9")]),
        _ => watch(&[]),
    })
    .await;

    let ticket = engine.subscribe(Topic::Kind(kind()));
    let reset = engine
        .delta(ticket, "the first list", |delta| Some(delta.reset))
        .await;
    assert!(reset);
    let (removed, rows) = engine
        .delta(ticket, "the removal", |delta| {
            assert!(!delta.reset, "what stays must not flicker");
            let rows = match &delta.rows {
                Rows::Applications(rows) => rows.len(),
                Rows::Rollouts(_)
                | Rows::AnalysisRuns(_)
                | Rows::Runs(_)
                | Rows::CronRuns(_)
                | Rows::Registry(_)
                | Rows::Objects { .. } => 0,
            };
            (!delta.removed.is_empty()).then(|| (delta.removed.clone(), rows))
        })
        .await;
    assert_eq!(&*removed[0].0.name, "goes");
    assert_eq!(rows, 0, "an unchanged row is not sent again");
}

#[tokio::test]
async fn broken_objects_keep_their_row_with_a_finding() {
    let mut engine = engine(|target, _| {
        if target.contains("watch=1") {
            return watch(&[]);
        }
        let broken = json!({"metadata": {"name": "broken", "namespace": ["x"]}, "spec": 7});
        list("1", &[app("whole", "1"), broken])
    })
    .await;

    let ticket = engine.subscribe(Topic::Kind(kind()));
    let findings = engine
        .delta(ticket, "both rows", |delta| match &delta.rows {
            Rows::Applications(rows) if rows.len() == 2 => {
                let broken = rows.iter().find(|row| &*row.object.name == "broken")?;
                Some(broken.findings.len())
            }
            _ => None,
        })
        .await;
    assert_eq!(findings, 2);
}

#[tokio::test]
async fn expired_credentials_wait_for_the_user() {
    let mut engine = engine(|target, call| match (call, target.contains("watch=1")) {
        (0, _) => status(401, "Unauthorized"),
        (_, false) => list("1", &[]),
        (_, true) => watch(&[]),
    })
    .await;

    engine.subscribe(Topic::Kind(kind()));
    freshness(&mut engine, "the wish for credentials", |freshness| {
        matches!(freshness, Freshness::NeedsCredentials { .. }).then_some(())
    })
    .await;
    engine.send(Ask::RetryNow);
    freshness(&mut engine, "life", |freshness| {
        (*freshness == Freshness::Live).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_forbidden_cluster_falls_back_to_one_namespace() {
    let mut engine = engine(|target, _| {
        if !target.contains("/namespaces/") {
            return status(403, "applications is forbidden");
        }
        if target.contains("watch=1") {
            return watch(&[]);
        }
        list("1", &[app("mine", "1")])
    })
    .await;

    let ticket = engine.subscribe(Topic::Kind(kind()));
    let restricted = engine
        .until("the restriction", |update| match update {
            Update::Connection { connection, .. } => connection.restricted_to.clone(),
            _ => None,
        })
        .await;
    assert_eq!(restricted, Text::from("team"));
    engine
        .delta(ticket, "the row", |delta| match &delta.rows {
            Rows::Applications(rows) => (!rows.is_empty()).then_some(()),
            Rows::Rollouts(_)
            | Rows::AnalysisRuns(_)
            | Rows::Runs(_)
            | Rows::CronRuns(_)
            | Rows::Registry(_)
            | Rows::Objects { .. } => None,
        })
        .await;
}

#[tokio::test]
async fn a_server_in_trouble_is_stale_with_a_next_try_and_comes_back() {
    let mut engine = engine(|target, call| match (call, target.contains("watch=1")) {
        (0, _) => status(503, "etcd has no leader"),
        (_, false) => list("1", &[]),
        (_, true) => watch(&[]),
    })
    .await;

    engine.subscribe(Topic::Kind(kind()));
    let reason = freshness(&mut engine, "trouble", |freshness| match freshness {
        Freshness::Stale {
            since,
            retry_at,
            reason,
        } if retry_at > since => Some(reason.clone()),
        _ => None,
    })
    .await;
    assert_eq!(&*reason, "etcd has no leader");
    freshness(&mut engine, "life", |freshness| {
        (*freshness == Freshness::Live).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_missing_kind_is_absent_with_a_sentence() {
    let mut engine = engine(|_, _| status(404, "404 page not found")).await;

    engine.subscribe(Topic::Kind(kind()));
    let reason = freshness(&mut engine, "absence", |freshness| match freshness {
        Freshness::Absent { reason } => Some(reason.clone()),
        _ => None,
    })
    .await;
    assert!(reason.contains("applications.argoproj.io"), "{reason}");
}

#[tokio::test]
async fn a_slow_reader_gets_the_newest_state_and_every_removal() {
    let mut engine = engine(|target, _| {
        if !target.contains("watch=1") {
            return list("1", &[app("old", "1")]);
        }
        let mut events: Vec<Value> = (2..5_000)
            .map(|version| {
                let name = format!("app-{}", version % 10);
                json!({"type": "MODIFIED", "object": app(&name, &version.to_string())})
            })
            .collect();
        events.push(json!({"type": "DELETED", "object": app("old", "5000")}));
        watch(&events)
    })
    .await;

    let ticket = engine.subscribe(Topic::Kind(kind()));
    let mut newest = std::collections::HashMap::new();
    let mut batches = 0;
    engine
        .delta(ticket, "the removal", |delta| {
            batches += 1;
            if let Rows::Applications(rows) = &delta.rows {
                for row in rows {
                    newest.insert(row.object.name.clone(), row.resource_version.0.clone());
                }
            }
            delta
                .removed
                .iter()
                .any(|(object, _)| &*object.name == "old")
                .then_some(())
        })
        .await;
    assert_eq!(newest.get("app-9").map(|version| &**version), Some("4999"));
    assert!(batches < 100, "{batches} batches for 5,000 events");
}

/// Prints what 10,000 Applications cost; `cargo test --release -- --ignored --nocapture ten_thousand`.
#[tokio::test]
#[ignore = "a measurement"]
#[allow(
    clippy::too_many_lines,
    reason = "it makes its own ten thousand objects"
)]
async fn ten_thousand_applications_are_listed_in_time_and_memory() {
    fn big(number: usize) -> Value {
        let resources: Vec<Value> = (0..20)
            .map(|index| json!({"group": "apps", "version": "v1", "kind": "Deployment",
                "namespace": format!("team-{}", number % 200), "name": format!("app-{number}-{index}"),
                "status": "Synced", "health": {"status": "Healthy"}, "syncWave": 0,
                "requiresPruning": false, "note": "x".repeat(40)}))
            .collect();
        let source = json!({"repoURL": format!("https://git.example.com/{}", number % 100),
            "path": format!("apps/{number}"), "targetRevision": "main"});
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": format!("app-{number}"), "namespace": "argocd",
                "uid": format!("00000000-0000-0000-0000-{number:012}"), "resourceVersion": number.to_string(),
                "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"team": format!("t{}", number % 50)}},
            "spec": {"project": "default", "source": source,
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "prod"}},
            "status": {"sync": {"status": "Synced", "revision": format!("{number:040}"),
                "comparedTo": {"source": source, "destination": {"server": "https://kubernetes.default.svc", "namespace": "prod"}}},
                "health": {"status": "Healthy"}, "resources": resources,
                "reconciledAt": "2026-01-01T00:00:00Z", "summary": {"images": ["example.com/app:1"]}}})
    }
    static PAGES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    let pages = PAGES.get_or_init(|| {
        (0..20)
            .map(|page| {
                let items: Vec<Value> = (page * 500..(page + 1) * 500).map(big).collect();
                let next = if page < 19 {
                    (page + 1).to_string()
                } else {
                    String::new()
                };
                json!({"metadata": {"resourceVersion": "1", "continue": next}, "items": items})
                    .to_string()
            })
            .collect()
    });
    let size: usize = pages.iter().map(String::len).sum();
    let mut engine = engine(|target, _| {
        if target.contains("watch=1") {
            return watch(&[]);
        }
        let page = target
            .split("continue=")
            .nth(1)
            .and_then(|token| token.parse().ok())
            .unwrap_or(0);
        let body = PAGES
            .get()
            .and_then(|pages: &Vec<String>| pages.get::<usize>(page));
        respond(
            200,
            Body::from(body.map(String::as_str).unwrap_or_default()),
        )
    })
    .await;
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: usize = statm
            .split(' ')
            .nth(1)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        pages * 4 / 1024
    };
    let before = resident();
    let begin = tokio::time::Instant::now();

    let ticket = engine.subscribe(Topic::Kind(kind()));
    let mut kept = Vec::new();
    engine
        .delta(ticket, "all rows", |delta| {
            if let Rows::Applications(rows) = &delta.rows {
                kept.extend(rows.iter().cloned());
            }
            (kept.len() == 10_000).then_some(())
        })
        .await;
    println!(
        "10,000 Applications of {} bytes: {} ms, +{} MiB resident",
        size / 10_000,
        begin.elapsed().as_millis(),
        resident().saturating_sub(before)
    );
}
