//! GitHub Actions on stepped time: workflow files run on a push, told through GitHub's REST API.

use crate::support::step_until;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request};
use serde_json::Value;
use std::sync::{Arc, PoisonError, RwLock};
use tiphys::sim::actions::{Actions, router};
use tiphys::sim::apiserver::{ApiServer, ServerOptions};
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::controllers::runtime::Runtime;
use tiphys::sim::git::{Author, GitServer, NewCommit};
use tiphys::sim::rng::Seed;
use tiphys::sim::steps::{DeclaredEffect, Doer, Effect, Effects, StepProfile, Steps};
use tower::ServiceExt as _;

const REPOSITORY: &str = "shop/flask-app";
/// The four stages of the platform that the demo recreates.
const PIPELINE: &str = r#"
name: CI/CD Pipeline
on:
  push:
    branches: [main]
  workflow_dispatch:
env:
  IMAGE: registry.tiphys.local/shop/flask-app
  TAG: v2.0.0-${{ github.sha }}-${{ github.run_number }}
jobs:
  test:
    name: Test
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - name: Run pytest
        run: pytest
  build:
    name: Build
    needs: test
    runs-on: ubuntu-latest
    outputs:
      tag: ${{ env.TAG }}
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        with: {push: true, tags: "${{ env.IMAGE }}:${{ env.TAG }}"}
  e2e:
    name: E2E test
    needs: build
    runs-on: ubuntu-latest
    steps:
      - name: Test in a kind cluster
        run: ./e2e.sh
      - name: Delete the cluster
        if: always()
        run: kind delete cluster
  update:
    name: Update GitOps
    needs: [build, e2e]
    runs-on: ubuntu-latest
    steps:
      - name: Update values.yaml
        run: update ${{ needs.build.outputs.tag }}
"#;

/// Remembers what steps did.
#[derive(Clone, Debug, Default)]
struct Witness(Arc<RwLock<Vec<String>>>);

impl Witness {
    fn told(&self) -> Vec<String> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Effects for Witness {
    fn carry_out(
        &self,
        effect: Effect,
        _: Doer,
    ) -> BoxFuture<'static, Result<Vec<String>, String>> {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(effect.to_string());
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

struct Bed {
    clock: PlatformClock,
    git: GitServer,
    router: Router,
    token: String,
    witness: Witness,
    _runtime: Runtime,
}

fn profile(step: &str, code: i32) -> StepProfile {
    StepProfile {
        step: Some(step.to_owned()),
        exit_codes: vec![code],
        seconds: Some(3.0),
        log: vec![format!("{step} says {{ref_name}}")],
        ..StepProfile::default()
    }
}

fn start(mut profiles: Vec<StepProfile>) -> Bed {
    let start = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
    let clock = PlatformClock::stepped(start);
    let server = ApiServer::start(ServerOptions::new(clock.clone()));
    let runtime = Runtime::new(server.client("actions"), clock.clone(), Seed(1));
    let git = GitServer::start(clock.clone(), None).expect("a git server");
    git.create(REPOSITORY).expect("a repository");
    let witness = Witness::default();
    let mut update = profile("Update values.yaml", 0);
    update.effects = vec![DeclaredEffect::CommitImage {
        repository: "shop/gitops".to_owned(),
        branch: String::new(),
        path: "values.yaml".to_owned(),
        image: "{IMAGE}:{TAG}".to_owned(),
        message: String::new(),
    }];
    profiles.push(update);
    let steps = Steps::new(profiles, Arc::new(witness.clone()));
    let actions = Actions::start(&runtime, &git, steps);
    Bed {
        token: actions.token(),
        router: router(actions),
        clock,
        git,
        witness,
        _runtime: runtime,
    }
}

impl Bed {
    async fn push(&self) -> String {
        // Pushes are followed from the first turn of the follower on.
        tokio::task::yield_now().await;
        let commit = NewCommit::new(Author::new("Dev", "dev@example.com"), "Greet by name")
            .write(".github/workflows/pipeline.yml", PIPELINE);
        let sha = self.git.commit_files(REPOSITORY, &commit);
        sha.expect("it is committed").to_string()
    }

    async fn ask(&self, method: Method, path: &str, token: Option<&str>) -> (u16, Bytes) {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/repos/{REPOSITORY}/actions{path}"));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).expect("a request");
        let answer = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
        (status, bytes.expect("a body"))
    }

    async fn get(&self, path: &str) -> Value {
        // Without a token only sixty requests an hour are answered.
        let (_, body) = self.ask(Method::GET, path, Some(&self.token)).await;
        serde_json::from_slice(&body).unwrap_or_default()
    }

    /// Waits until the newest run is as asked for; returns it.
    async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        step_until(&self.clock, what, async || {
            let runs = self.get("/runs").await;
            let run = runs["workflow_runs"][0].clone();
            (run.is_object() && wanted(&run)).then_some(run)
        })
        .await
    }

    async fn jobs(&self, run: &Value) -> Vec<(String, String)> {
        let jobs = self.get(&format!("/runs/{}/jobs", run["id"])).await;
        let jobs = jobs["jobs"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        jobs.iter()
            .map(|job| (text(&job["name"]), text(&job["conclusion"])))
            .collect()
    }
}

fn ended(run: &Value) -> bool {
    run["status"] == "completed"
}

fn named<'a>(jobs: &'a [(String, String)]) -> Vec<(&'a str, &'a str)> {
    let both = |(name, end): &'a (String, String)| (name.as_str(), end.as_str());
    jobs.iter().map(both).collect()
}

#[tokio::test]
async fn a_push_runs_the_four_stages_and_their_effects_are_real() {
    let bed = start(vec![profile("Run pytest", 0)]);
    let sha = bed.push().await;

    let run = bed.until("the run has ended", ended).await;

    assert_eq!(run["conclusion"], "success");
    assert_eq!(run["head_sha"], sha.as_str());
    assert_eq!(run["display_title"], "Greet by name");
    assert_eq!(run["event"], "push");
    let jobs = bed.jobs(&run).await;
    assert_eq!(
        named(&jobs),
        [
            ("Test", "success"),
            ("Build", "success"),
            ("E2E test", "success"),
            ("Update GitOps", "success"),
        ]
    );
    let image = format!("registry.tiphys.local/shop/flask-app:v2.0.0-{sha}-1");
    assert_eq!(
        bed.witness.told(),
        [
            format!("push `{image}`"),
            format!("commit `{image}` to `shop/gitops`"),
        ]
    );
    let listed = bed.get(&format!("/runs/{}/jobs", run["id"])).await;
    let job = listed["jobs"][0]["id"].clone();
    let (status, log) = bed
        .ask(Method::GET, &format!("/jobs/{job}/logs"), None)
        .await;
    assert_eq!(status, 200);
    let log = String::from_utf8_lossy(&log).into_owned();
    assert!(log.contains(" Run pytest says main\n"), "{log}");
}

#[tokio::test]
async fn a_failing_stage_stops_the_pipeline_and_can_be_run_again() {
    let bed = start(vec![profile("Test in a kind cluster", 1)]);
    bed.push().await;

    let run = bed.until("the run has ended", ended).await;

    assert_eq!(run["conclusion"], "failure");
    let jobs = bed.jobs(&run).await;
    let (e2e, update) = (("E2E test", "failure"), ("Update GitOps", "skipped"));
    assert_eq!(named(&jobs)[2..], [e2e, update]);
    let listed = bed.get(&format!("/runs/{}/jobs", run["id"])).await;
    assert_eq!(listed["jobs"][2]["steps"][0]["conclusion"], "failure");
    assert_eq!(listed["jobs"][2]["steps"][1]["conclusion"], "success");

    let path = format!("/runs/{}/rerun-failed-jobs", run["id"]);
    let (open, _) = bed.ask(Method::POST, &path, None).await;
    let (wrong, _) = bed.ask(Method::POST, &path, Some("nobody")).await;
    let (status, _) = bed.ask(Method::POST, &path, Some(&bed.token)).await;
    assert_eq!((open, wrong, status), (401, 401, 201));
    let again = bed
        .until("the second attempt has ended", |run| {
            ended(run) && run["run_attempt"] == 2
        })
        .await;
    assert_eq!(again["conclusion"], "failure");
    assert_eq!(bed.witness.told().len(), 1, "the image was pushed once");
}

#[tokio::test]
async fn a_run_is_cancelled() {
    let mut slow = profile("Run pytest", 0);
    slow.seconds = Some(60.0);
    let bed = start(vec![slow]);
    bed.push().await;
    let run = bed
        .until("the run goes on", |run| run["status"] == "in_progress")
        .await;
    let path = format!("/runs/{}/cancel", run["id"]);

    let (status, _) = bed.ask(Method::POST, &path, Some(&bed.token)).await;

    assert_eq!(status, 202);
    let run = bed.until("the run has ended", ended).await;
    assert_eq!(run["conclusion"], "cancelled");
    let jobs = bed.jobs(&run).await;
    assert!(jobs.iter().all(|(_, end)| end == "cancelled"), "{jobs:?}");
    let (again, _) = bed.ask(Method::POST, &path, Some(&bed.token)).await;
    assert_eq!(again, 409);
    let (missing, _) = bed.ask(Method::GET, "/runs/7", None).await;
    assert_eq!(missing, 404);
}
