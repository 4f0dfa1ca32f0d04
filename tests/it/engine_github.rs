//! The engine and GitHub Actions: the embedded API through the service proxy, and refusals, limits
//! and unchanged answers of an API by URL.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

use crate::engine_bed::{Bed, Engine, OneClient, context};
use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tiphys::domain::clock::Clock;
use tiphys::domain::finding::Finding;
use tiphys::domain::intent::{Stage, Verb};
use tiphys::domain::object::{GroupKind, ObjectRef, Text, Uid};
use tiphys::domain::pipeline::{CancelWay, Phase, RunDetail, RunRow, RunVerb, System, runs_kind};
use tiphys::domain::servers::{GitHubOptions, Login, Secret};
use tiphys::domain::status::Freshness;
use tiphys::engine::EngineOptions;
use tiphys::engine::platform::{Link, Platform};
use tiphys::engine::protocol::{
    Answer, ContextInfo, Delta, Fetch, LogOptions, Rows, SourceName, Ticket, Topic, Update,
};
use tiphys::sim::actions::{Actions, cluster_router};
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::controllers::runtime::Runtime;
use tiphys::sim::git::{Author, GitServer, NewCommit};
use tiphys::sim::rng::Seed;
use tiphys::sim::steps::{StepProfile, Steps};

const REPOSITORY: &str = "web/flask-app";
const PIPELINE: &str = "name: CI\non: push\njobs:\n  test:\n    name: Unit tests\n    runs-on: ubuntu-latest\n    \
    steps: [{uses: actions/checkout@v4}, {name: Run pytest, run: pytest}]\n  build:\n    needs: test\n    \
    runs-on: ubuntu-latest\n    steps: [{name: Build, run: make}]\n";

/// Runs by the platform's clock, which is fast.
#[derive(Debug)]
struct Fast(OneClient, PlatformClock);

impl Platform for Fast {
    fn contexts(&self) -> Result<Vec<ContextInfo>, Finding> {
        self.0.contexts()
    }

    fn connect(&self, context: Option<Text>) -> BoxFuture<'static, Result<Link, Finding>> {
        self.0.connect(context)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.1.clone())
    }
}

struct Hub {
    bed: Bed,
    git: GitServer,
    clock: PlatformClock,
    _runtime: Runtime,
}

fn profile(step: &str, code: i32, seconds: f64) -> StepProfile {
    StepProfile {
        step: Some(step.to_owned()),
        exit_codes: vec![code],
        seconds: Some(seconds),
        log: vec![format!("{step} is done")],
        ..StepProfile::default()
    }
}

#[allow(clippy::expect_used, reason = "a test's own ground")]
async fn embedded(profiles: Vec<StepProfile>) -> Hub {
    let bed = Bed::over_duplex().await;
    let clock = PlatformClock::running(chrono::Utc::now(), 60.0);
    let runtime = Runtime::new(bed.client.clone(), clock.clone(), Seed(1));
    let git = GitServer::start(clock.clone(), None).expect("a git server");
    git.create(REPOSITORY).expect("a repository");
    let actions = Actions::start(&runtime, &git, Steps::new(profiles, Arc::new(Nothing)));
    bed.server
        .add_service_backend("team", "github", cluster_router(actions));
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "github", "namespace": "team",
            "labels": {"app.kubernetes.io/name": "github-api"}},
        "spec": {"ports": [{"port": 80}]}});
    bed.create("/api/v1/namespaces/team/services", &service)
        .await;
    Hub {
        bed,
        git,
        clock,
        _runtime: runtime,
    }
}

/// Effects that nobody looks at.
#[derive(Debug)]
struct Nothing;

impl tiphys::sim::steps::Effects for Nothing {
    fn carry_out(
        &self,
        _: tiphys::sim::steps::Effect,
        _: tiphys::sim::steps::Doer,
    ) -> BoxFuture<'static, Result<Vec<String>, String>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }
}

impl Hub {
    async fn engine(&self) -> Engine {
        let client = OneClient(self.bed.server.client("oncall"));
        let platform = Arc::new(Fast(client, self.clock.clone()));
        Engine::connect(platform, EngineOptions::default()).await
    }

    #[allow(clippy::expect_used, reason = "a test's own ground")]
    async fn push(&self) {
        tokio::task::yield_now().await;
        let commit = NewCommit::new(Author::new("Dev", "dev@example.com"), "Greet by name")
            .write(".github/workflows/ci.yml", PIPELINE);
        let _sha = self
            .git
            .commit_files(REPOSITORY, &commit)
            .expect("committed");
    }
}

fn runs(delta: &Delta) -> &[RunRow] {
    match &delta.rows {
        Rows::Runs(rows) => rows,
        _ => &[],
    }
}

async fn row(engine: &mut Engine, ours: Ticket, what: &str, wanted: fn(&RunRow) -> bool) -> RunRow {
    let pick = |delta: &Delta| runs(delta).iter().find(|row| wanted(row)).cloned();
    engine.delta(ours, what, pick).await
}

async fn detail(engine: &mut Engine, ours: Ticket, wanted: fn(&RunDetail) -> bool) -> RunDetail {
    engine
        .until("the run's detail", |update| match update {
            Update::Run {
                ticket,
                detail: Some(detail),
                ..
            } if *ticket == ours && wanted(detail) => Some((**detail).clone()),
            _ => None,
        })
        .await
}

async fn log(engine: &mut Engine, object: ObjectRef, container: Option<&str>) -> Vec<String> {
    let options = LogOptions {
        container: container.map(Text::from),
        previous: false,
        tail: 1_000,
        since_seconds: None,
        follow: true,
    };
    let ours = engine.subscribe(Topic::Logs { object, options });
    let mut all = Vec::new();
    engine
        .until("the end of the log", |update| match update {
            Update::Logs {
                ticket,
                lines,
                ended,
            } if *ticket == ours => {
                all.extend(lines.iter().map(|line| line.text.to_string()));
                ended.as_ref().map(|_| ())
            }
            _ => None,
        })
        .await;
    all
}

#[tokio::test]
async fn a_push_shows_as_a_run_with_its_jobs_steps_and_logs() {
    let hub = embedded(vec![profile("Run pytest", 0, 5.0)]).await;
    let mut engine = hub.engine().await;
    let table = engine.subscribe(Topic::Kind(runs_kind()));
    hub.push().await;

    let begun = row(&mut engine, table, "a run", |row| {
        row.system == System::Actions
    })
    .await;
    assert_eq!(begun.object.namespace.as_deref(), Some(REPOSITORY));
    assert_eq!(&*begun.commit.repository, REPOSITORY);
    let done = row(&mut engine, table, "its end", |row| row.phase.is_over()).await;
    assert_eq!(
        (done.phase, done.progress),
        (Phase::Succeeded, Some((2, 2)))
    );

    let open = engine.subscribe(Topic::Run(done.object.clone()));
    let detail = detail(&mut engine, open, |_| true).await;
    let labels: Vec<&str> = detail.nodes.iter().map(|node| &*node.label).collect();
    let expected = [
        "Unit tests",
        "Run actions/checkout@v4",
        "Run pytest",
        "build",
        "Build",
    ];
    assert_eq!(labels.get(1..), Some(&expected[..]));
    assert_eq!(detail.nodes[1].children, [4], "build needs the tests");

    let job = detail.nodes[1].pod.clone().expect("it has a log");
    let whole = log(&mut engine, job.clone(), None).await;
    assert!(
        whole
            .iter()
            .any(|line| line == "##[group]Run actions/checkout@v4"),
        "{whole:?}"
    );
    let step = log(&mut engine, job, Some("2")).await;
    assert_eq!(step, ["##[group]Run pytest", "Run pytest is done"]);

    let why = engine
        .fetch(Fetch::Why {
            object: done.object.clone(),
        })
        .await;
    assert!(matches!(why, Ok(Answer::Why(_))), "{why:?}");
    let yaml = engine
        .fetch(Fetch::Yaml {
            object: done.object,
            reveal_secrets: false,
        })
        .await;
    let Ok(Answer::Text { lines, .. }) = yaml else {
        panic!("no YAML: {yaml:?}");
    };
    assert!(
        lines
            .iter()
            .any(|line| line.contains("display_title: Greet by name"))
    );
    let standing = engine.fetch(Fetch::GitHub).await;
    let Ok(Answer::Text { lines, .. }) = standing else {
        panic!("no standing: {standing:?}");
    };
    assert!(lines[0].contains("of 5000 requests are left"), "{lines:?}");
}

async fn last(engine: &mut Engine, ours: tiphys::domain::intent::IntentId) -> Stage {
    engine
        .until("the end of the intent", |update| match update {
            Update::Outcome { id, stage, .. } if *id == ours => match stage {
                Stage::Requested | Stage::Accepted { .. } => None,
                end => Some(end.clone()),
            },
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_run_is_cancelled_run_again_retried_and_deleted() {
    let hub = embedded(vec![profile("Run pytest", 1, 90.0)]).await;
    let mut engine = hub.engine().await;
    let table = engine.subscribe(Topic::Kind(System::Actions.kind()));
    hub.push().await;
    let going = row(&mut engine, table, "a run", |row| {
        row.phase == Phase::Running
    })
    .await;
    let (target, uid) = (going.object.clone(), going.uid.clone());
    let ask = |engine: &mut Engine, verb: RunVerb| {
        engine.act(&target, Some(uid.clone()), Verb::Run(verb))
    };

    let early = ask(&mut engine, RunVerb::Resubmit);
    let Stage::Failed { sentence, .. } = last(&mut engine, early).await else {
        panic!("GitHub does not run again what runs");
    };
    assert!(sentence.contains("it still runs"), "{sentence}");

    let cancel = ask(&mut engine, RunVerb::Cancel(CancelWay::Now));
    let stage = last(&mut engine, cancel).await;
    assert!(
        matches!(&stage, Stage::Observed { detail } if &**detail == "it is Cancelled"),
        "{stage:?}"
    );

    let again = ask(&mut engine, RunVerb::Resubmit);
    let stage = last(&mut engine, again).await;
    assert!(
        matches!(&stage, Stage::Observed { detail } if &**detail == "attempt 2 has begun"),
        "{stage:?}"
    );
    let failed = row(&mut engine, table, "a failure", |row| {
        row.phase == Phase::Failed
    })
    .await;
    assert_eq!(&*failed.failing, "Unit tests");

    let retry = ask(&mut engine, RunVerb::Retry);
    assert!(matches!(
        last(&mut engine, retry).await,
        Stage::Observed { .. }
    ));
    let _over = row(&mut engine, table, "a failure again", |row| {
        row.phase == Phase::Failed
    })
    .await;

    let delete = Verb::Delete {
        propagation: tiphys::domain::intent::Propagation::Background,
        force: false,
    };
    let delete = engine.act(&target, Some(Uid("1".into())), delete);
    let stage = last(&mut engine, delete).await;
    assert!(
        matches!(stage, Stage::Failed { .. }),
        "another life is not deleted: {stage:?}"
    );
}

/// A GitHub that can be told what to answer.
#[derive(Debug, Default)]
struct Fake {
    /// What it answers with; 0 is well.
    code: AtomicU64,
    asked: AtomicU64,
    unchanged: AtomicU64,
}

async fn fake(State(fake): State<Arc<Fake>>, request: Request) -> Response {
    fake.asked.fetch_add(1, Ordering::Relaxed);
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &str| {
        let value = value.parse().unwrap_or(http::HeaderValue::from_static(""));
        headers.insert(name, value);
    };
    let reset = chrono::Utc::now().timestamp() + 600;
    let code = fake.code.load(Ordering::Relaxed);
    put("x-ratelimit-limit", "5000");
    put(
        "x-ratelimit-remaining",
        if code == 429 { "0" } else { "4000" },
    );
    put("x-ratelimit-reset", &reset.to_string());
    put("etag", "W/\"one\"");
    if code != 0 {
        let code = StatusCode::from_u16(u16::try_from(code).unwrap_or(500));
        let body = Json(json!({"message": "said by GitHub."}));
        return (code.unwrap_or_default(), headers, body).into_response();
    }
    if request.headers().contains_key("if-none-match") {
        fake.unchanged.fetch_add(1, Ordering::Relaxed);
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let token = request.headers().get("authorization");
    if token.is_none_or(|token| token != "Bearer t0ken") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let run = json!({"id": 7, "run_number": 1, "name": "CI", "path": ".github/workflows/ci.yml",
        "status": "completed", "conclusion": "success", "updated_at": "2026-01-01T00:00:00Z"});
    let body: Value = match request.uri().path() {
        "/repos/web/app/actions/runs" => json!({"total_count": 1, "workflow_runs": [run]}),
        _ => json!({"total_count": 0, "jobs": []}),
    };
    (headers, Json(body)).into_response()
}

#[allow(clippy::expect_used, reason = "a test's own ground")]
async fn by_url() -> (Arc<Fake>, Engine) {
    let state = Arc::new(Fake::default());
    let router = Router::new().fallback(fake).with_state(Arc::clone(&state));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(tokio::spawn(
        async move { axum::serve(listener, router).await },
    ));
    let bed = Bed::over_duplex().await;
    let client = OneClient(bed.server.client("oncall"));
    let clock = PlatformClock::running(chrono::Utc::now(), 60.0);
    let options = EngineOptions {
        github: vec![GitHubOptions {
            context: context().name.to_string(),
            url: Some(url),
            repositories: vec!["web/app".to_owned()],
            login: Login {
                bearer_token: Some(Secret::new("t0ken")),
                ..Login::default()
            },
        }],
        ..EngineOptions::default()
    };
    (
        state,
        Engine::connect(Arc::new(Fast(client, clock)), options).await,
    )
}

async fn freshness(engine: &mut Engine, wanted: fn(&Freshness) -> bool) -> Freshness {
    engine
        .until("how GitHub is", |update| match update {
            Update::Freshness {
                source: SourceName::GitHub,
                freshness,
                ..
            } if wanted(freshness) => Some(freshness.clone()),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn unchanged_answers_cost_nothing_and_refusals_have_their_sentences() {
    let (fake, mut engine) = by_url().await;
    let table = engine.subscribe(Topic::Kind(GroupKind::new(
        "actions.github.com",
        "WorkflowRun",
    )));

    let _live = freshness(&mut engine, |one| *one == Freshness::Live).await;
    let row = row(&mut engine, table, "a run", |_| true).await;
    assert_eq!(row.object.path(), "web/app/ci-1-7");

    let shown = |freshness: &Freshness| match freshness {
        Freshness::NeedsCredentials { reason } | Freshness::Stale { reason, .. } => {
            reason.to_string()
        }
        _ => String::new(),
    };
    fake.code.store(401, Ordering::Relaxed);
    engine.send(tiphys::engine::protocol::Request::RetryNow);
    let refused = freshness(&mut engine, |one| *one != Freshness::Live).await;
    assert!(matches!(refused, Freshness::NeedsCredentials { .. }));
    assert!(
        shown(&refused).contains("does not accept the token: said by GitHub; renew"),
        "{refused:?}"
    );

    fake.code.store(0, Ordering::Relaxed);
    engine.send(tiphys::engine::protocol::Request::RetryNow);
    let _live = freshness(&mut engine, |one| *one == Freshness::Live).await;
    assert!(
        fake.unchanged.load(Ordering::Relaxed) > 0,
        "it asks with the ETag"
    );

    fake.code.store(429, Ordering::Relaxed);
    engine.send(tiphys::engine::protocol::Request::RetryNow);
    let spent = freshness(&mut engine, |one| *one != Freshness::Live).await;
    assert!(shown(&spent).contains("limit is reached"), "{spent:?}");
    let asked = fake.asked.load(Ordering::Relaxed);
    engine.send(tiphys::engine::protocol::Request::RetryNow);
    let closed = freshness(&mut engine, |one| *one != Freshness::Live).await;
    assert!(
        shown(&closed).contains("5000 requests an hour are used up until"),
        "{closed:?}"
    );
    assert_eq!(
        fake.asked.load(Ordering::Relaxed),
        asked,
        "a spent limit is left alone"
    );
}

#[tokio::test]
async fn without_any_github_nothing_is_asked_and_the_table_says_what_to_do() {
    let bed = Bed::over_duplex().await;
    let mut engine = bed.engine().await;
    let kind = System::Actions.kind();
    engine.subscribe(Topic::Kind(kind.clone()));

    let reason = engine
        .until("a reason", |update| match update {
            Update::Freshness {
                source: SourceName::Kind(of),
                freshness: Freshness::Absent { reason },
                ..
            } if *of == kind => Some(reason.to_string()),
            _ => None,
        })
        .await;

    assert!(reason.contains("`[[github]]`"), "{reason}");
}
