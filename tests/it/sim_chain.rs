//! From a `git push` to a finished release: webhook, event, sensor, run, image, commit, sync, canary.
//!
//! The default scenario on stepped time, with one Application; the push is made by the real git.
//! Each hop is awaited on its own, so that a failure says how far it came, and its platform time
//! is printed.

use crate::sim_delivery_canary::only;
use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tiphys::domain::clock::Clock as _;
use tiphys::sim::{Pace, Simulation, SimulationOptions};

const SOURCE: &str = "shop/demo-app";
const MANIFESTS: &str = "platform/demo-app";
const STAGE: &str = "demo-app-dev";
const STEP: Duration = Duration::from_millis(500);

struct Chain {
    simulation: Simulation,
    folder: tempfile::TempDir,
    pushed: DateTime<Utc>,
}

impl Chain {
    /// Starts the platform; `None` (announced) where git is not installed.
    async fn start() -> Option<Self> {
        if Command::new("git").arg("--version").output().is_err() {
            let required = std::env::var_os("TIPHYS_REQUIRE_TOOLS");
            assert!(
                required.is_none_or(|value| value != "1"),
                "git is required and not installed"
            );
            println!("skipped: git is not installed");
            return None;
        }
        let start = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let options = SimulationOptions {
            pace: Pace::Stepped { start },
            listen: Some("127.0.0.1:0".parse().expect("an address")),
            ..SimulationOptions::new(only(STAGE))
        };
        let chain = Self {
            simulation: Simulation::start(options).await.expect("a platform"),
            folder: tempfile::tempdir().expect("a folder"),
            pushed: start,
        };
        chain
            .hop("the first version is healthy", 60, async || {
                let rollout = chain.object("Rollout", STAGE, "demo-app").await;
                let sensor = chain.object("Sensor", "argo-events", "demo-app").await;
                let ready = sensor["status"]["conditions"].as_array()?;
                let is_ready = ready.iter().all(|one| one["status"] == "True");
                (text(&rollout, "/status/phase") == "Healthy" && is_ready).then_some(())
            })
            .await;
        Some(chain)
    }

    /// Clones the source, changes it and pushes to a branch; returns the commit.
    fn push(&mut self, branch: &str) -> String {
        let endpoints = self.simulation.endpoints().expect("it listens");
        let git = &endpoints.git;
        let address = git.url.strip_prefix("http://").expect("an address");
        let url = format!(
            "http://{}:{}@{address}/{SOURCE}.git",
            git.username, git.password
        );
        let clone = self.folder.path().join("source");
        let at = |folder: &Path, arguments: &[&str]| {
            let output = Command::new("git")
                .args(["-c", "user.name=Dev", "-c", "user.email=dev@shop.example"])
                .args(arguments)
                .current_dir(folder)
                .env("GIT_CONFIG_NOSYSTEM", "1")
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_TERMINAL_PROMPT", "0")
                .output()
                .expect("git runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "git {arguments:?}: {said}");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        at(self.folder.path(), &["clone", "--quiet", &url, "source"]);
        std::fs::write(clone.join("app.py"), "CATALOG = [\"lamp\"]\n").expect("it is written");
        at(
            &clone,
            &["commit", "--quiet", "--all", "--message", "Sell lamps only"],
        );
        self.pushed = self.simulation.clock().now();
        at(
            &clone,
            &[
                "push",
                "--quiet",
                "origin",
                &format!("HEAD:refs/heads/{branch}"),
            ],
        );
        at(&clone, &["rev-parse", "HEAD"])
    }

    async fn object(&self, kind: &str, namespace: &str, name: &str) -> Value {
        let found = self
            .api("argoproj.io/v1alpha1", kind, namespace)
            .get_opt(name)
            .await;
        found
            .expect("an answer")
            .map_or(Value::Null, |object| object.data)
    }

    fn api(&self, version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (group, version) = version.split_once('/').expect("a group");
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk(&kind);
        Api::namespaced_with(self.simulation.client(), namespace, &resource)
    }

    async fn list(&self, version: &str, kind: &str, namespace: &str) -> Vec<DynamicObject> {
        let found = self
            .api(version, kind, namespace)
            .list(&ListParams::default())
            .await;
        found.expect("a list").items
    }

    /// Moves time on until something is found, at most so many seconds of the platform's time.
    async fn hop<T>(
        &self,
        what: &str,
        seconds: i64,
        mut look: impl AsyncFnMut() -> Option<T>,
    ) -> T {
        let clock = self.simulation.clock();
        let end = clock.now() + chrono::TimeDelta::seconds(seconds);
        loop {
            self.quiet().await;
            if let Some(found) = look().await {
                let since = (clock.now() - self.pushed).num_milliseconds() as f64 / 1_000.0;
                println!("{since:>7.1} s  {what}");
                return found;
            }
            if clock.now() >= end {
                let received = self.received().await;
                panic!("{what}: not within {seconds} s of platform time; received: {received}");
            }
            clock.step(STEP);
        }
    }

    /// Lets everything that woke up run.
    async fn quiet(&self) {
        let mut quiet = 0;
        while quiet < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            quiet = if self.simulation.busy() == 0 {
                quiet + 1
            } else {
                0
            };
        }
    }

    /// Returns what came in, newest first, as the API serves it.
    async fn received(&self) -> Value {
        let url = "/api/v1/namespaces/argo-events/services/webhooks/proxy/webhooks";
        let request = http::Request::get(url).body(Vec::new()).expect("a request");
        let text = self.simulation.client().request_text(request).await;
        serde_json::from_str(&text.expect("an answer")).expect("JSON")
    }

    /// Waits for the webhook and for what its sensor made of it; returns the run's name.
    async fn triggered(&self, trigger: &str) -> String {
        let at = "the webhook is received, signed as it should be";
        self.hop(at, 10, async || {
            let all = self.received().await;
            let newest = &all["items"][0];
            (newest["event"] == "demo-app" && newest["request"]["status"] == 200).then_some(())
        })
        .await;
        self.hop("the sensor has fired", 10, async || {
            let all = self.received().await;
            let consequences = all["items"][0]["consequences"].as_array()?.clone();
            let own = consequences.into_iter().find(|one| one["of"] == trigger)?;
            assert_eq!(own["outcome"], "fired", "{own}");
            Some(text(&own, "/object/name").to_owned())
        })
        .await
    }

    /// Waits for everything that follows the run: image, commit, sync, canary.
    async fn delivered(&self, commit: &str) {
        let tag = commit.get(..7).expect("a digest");
        let git = self.simulation.git();
        let release = self
            .hop("the manifests name the new image", 60, async || {
                let head = git.resolve(MANIFESTS, "HEAD").ok()?;
                let tree = git.tree(MANIFESTS, &head).ok()?;
                let file = tree.read("overlays/dev/kustomization.yaml")?;
                let wanted = [format!("newTag: {tag}"), format!("newTag: \"{tag}\"")];
                let text = String::from_utf8_lossy(&file).into_owned();
                wanted
                    .iter()
                    .any(|one| text.contains(one))
                    .then(|| head.to_string())
            })
            .await;
        self.hop("Argo CD has synced the commit", 60, async || {
            let application = self.object("Application", "argocd", STAGE).await;
            let synced = text(&application, "/status/operationState/syncResult/revision")
                == release
                && text(&application, "/status/sync/revision") == release;
            synced.then_some(())
        })
        .await;
        self.hop("the canary runs the pushed image", 60, async || {
            let pods: Api<Pod> = Api::namespaced(self.simulation.client(), STAGE);
            let pods = pods.list(&ListParams::default()).await.expect("a list");
            let runs = |pod: Pod| {
                let ready = pod.status.and_then(|status| status.container_statuses);
                let ready = ready.is_some_and(|all| all.iter().all(|one| one.ready));
                let image = pod
                    .spec
                    .and_then(|spec| spec.containers.into_iter().next()?.image);
                ready && image.is_some_and(|image| image.ends_with(&format!(":{tag}")))
            };
            pods.into_iter().any(runs).then_some(())
        })
        .await;
        self.hop(
            "an analysis of the canary was successful",
            240,
            async || {
                let runs = self
                    .list("argoproj.io/v1alpha1", "AnalysisRun", STAGE)
                    .await;
                let good = |run: &DynamicObject| text(&run.data, "/status/phase") == "Successful";
                runs.iter().any(good).then_some(())
            },
        )
        .await;
        self.hop("the release is done", 300, async || {
            let rollout = self.object("Rollout", STAGE, "demo-app").await;
            let status = &rollout["status"];
            let image = text(&rollout, "/spec/template/spec/containers/0/image");
            let done = status["phase"] == "Healthy"
                && status["stableRS"] == status["currentPodHash"]
                && image.ends_with(tag);
            done.then_some(())
        })
        .await;
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_to_main_is_built_by_a_workflow_and_released() {
    let Some(mut chain) = Chain::start().await else {
        return;
    };

    let commit = chain.push("main");

    let run = chain.triggered("build-with-workflow").await;
    for step in ["clone", "test", "build", "push", "update-manifest"] {
        chain
            .hop(
                &format!("the step `{step}` has ended well"),
                120,
                async || {
                    let workflow = chain.object("Workflow", "ci", &run).await;
                    let nodes = workflow["status"]["nodes"].as_object()?;
                    let mut nodes = nodes.values();
                    let node = nodes.find(|node| node["displayName"] == step)?;
                    let phase = text(node, "/phase");
                    assert!(!["Failed", "Error"].contains(&phase), "{node:#}");
                    (phase == "Succeeded").then_some(())
                },
            )
            .await;
    }
    chain.delivered(&commit).await;
    let workflow = chain.object("Workflow", "ci", &run).await;
    assert_eq!(
        text(&workflow, "/status/phase"),
        "Succeeded",
        "{workflow:#}"
    );
    chain.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_to_a_release_branch_is_built_by_tekton_and_released() {
    let Some(mut chain) = Chain::start().await else {
        return;
    };

    let commit = chain.push("release/2.8");

    let run = chain.triggered("build-with-tekton").await;
    chain
        .hop("the PipelineRun has ended well", 240, async || {
            let found = chain
                .api("tekton.dev/v1", "PipelineRun", "ci")
                .get(&run)
                .await;
            let run = found.expect("a run").data;
            let condition = run["status"]["conditions"].as_array()?.first()?.clone();
            assert_ne!(condition["status"], "False", "{run:#}");
            (condition["status"] == "True").then_some(())
        })
        .await;
    let tasks = chain.list("tekton.dev/v1", "TaskRun", "ci").await;
    assert_eq!(tasks.len(), 5, "clone, test, build, push, update");
    chain.delivered(&commit).await;
    chain.simulation.shutdown().await;
}
