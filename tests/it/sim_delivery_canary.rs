//! A release of the demo app, from the commit to its end: judged well, or sent back.
//!
//! The default scenario's repository, images and requests, on stepped time; only the Application
//! that is watched runs.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::{Value, json};
use std::time::Duration;
use tiphys::domain::clock::Clock as _;
use tiphys::sim::git::{Author, NewCommit};
use tiphys::sim::scenario::Scenario;
use tiphys::sim::{Pace, Simulation, SimulationOptions, scenario};

const REPOSITORY: &str = "platform/demo-app";
const STEP: Duration = Duration::from_millis(500);
/// Looks that must find nothing to do before time goes on.
const QUIET_LOOKS: u32 = 2;

/// Returns the default scenario with one of its Applications, and nothing that happens by itself.
pub(crate) fn only(application: &str) -> Scenario {
    let mut scenario = scenario::load(scenario::DEFAULT, None).expect("a scenario");
    scenario.manifests.retain(|object| {
        object["kind"] != "Application" || object["metadata"]["name"] == application
    });
    scenario.syncs.clear();
    scenario.faults.clear();
    scenario
}

struct Delivery {
    simulation: Simulation,
    namespace: &'static str,
    stage: &'static str,
}

impl Delivery {
    /// Starts the default scenario with one of its Applications.
    async fn start(stage: &'static str, namespace: &'static str) -> Self {
        let scenario = only(&format!("demo-app-{stage}"));
        let start = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let options = SimulationOptions {
            pace: Pace::Stepped { start },
            ..SimulationOptions::new(scenario)
        };
        let delivery = Self {
            simulation: Simulation::start(options).await.expect("a platform"),
            namespace,
            stage,
        };
        delivery
            .until("the first version is healthy", 30, async || {
                let rollout = delivery.rollout().await;
                let application = delivery.application().await;
                text(&rollout, "/status/phase") == "Healthy"
                    && text(&application, "/status/health/status") == "Healthy"
                    && text(&application, "/status/sync/status") == "Synced"
            })
            .await;
        delivery
    }

    /// Commits another image tag, as a person or a pipeline does.
    fn push(&self, tag: &str) {
        let git = self.simulation.git();
        let file = format!("overlays/{}/kustomization.yaml", self.stage);
        let head = git.resolve(REPOSITORY, "HEAD").expect("a commit");
        let tree = git.tree(REPOSITORY, &head).expect("a tree");
        let old = tree.read(&file).expect("a file");
        let old = String::from_utf8_lossy(&old).into_owned();
        assert!(old.contains("newTag: 2.4.1"), "{old}");
        let author = Author::new("ci-bot", "ci@shop.example");
        let commit = NewCommit::new(author, format!("Release {tag}\n"))
            .write(file, old.replace("2.4.1", tag));
        git.commit_files(REPOSITORY, &commit).expect("it commits");
    }

    async fn object(&self, kind: &str, namespace: &str, name: &str) -> Value {
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind);
        let api: Api<DynamicObject> = Api::namespaced_with(
            self.simulation.client(),
            namespace,
            &ApiResource::from_gvk(&kind),
        );
        let found = api.get_opt(name).await.expect("an answer");
        found.map_or(Value::Null, |object| object.data)
    }

    async fn rollout(&self) -> Value {
        self.object("Rollout", self.namespace, "demo-app").await
    }

    async fn application(&self) -> Value {
        self.object("Application", "argocd", self.namespace).await
    }

    async fn analyses(&self) -> Vec<(String, Value)> {
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "AnalysisRun");
        let api: Api<DynamicObject> = Api::namespaced_with(
            self.simulation.client(),
            self.namespace,
            &ApiResource::from_gvk(&kind),
        );
        let found = api.list(&ListParams::default()).await.expect("a list");
        found
            .into_iter()
            .map(|run| (run.metadata.name.unwrap_or_default(), run.data))
            .collect()
    }

    /// Returns the tags of the images that ready pods run.
    async fn tags(&self) -> Vec<String> {
        let pods: Api<Pod> = Api::namespaced(self.simulation.client(), self.namespace);
        let pods = pods.list(&ListParams::default()).await.expect("a list");
        let mut tags: Vec<String> = pods
            .into_iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter_map(|pod| {
                let image = pod.spec?.containers.first()?.image.clone()?;
                Some(image.rsplit(':').next().unwrap_or_default().to_owned())
            })
            .collect();
        tags.sort();
        tags
    }

    /// Asks Prometheus through the API server, as the engine does.
    async fn query(&self, expression: &str) -> Vec<f64> {
        let escaped: String = expression
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let path = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query";
        let request = http::Request::get(format!("{path}?query={escaped}"));
        let request = request.body(Vec::new()).expect("a request");
        let answer: Value = self
            .simulation
            .client()
            .request(request)
            .await
            .expect("an answer");
        let results = answer.pointer("/data/result").and_then(Value::as_array);
        let results = results.unwrap_or_else(|| panic!("{answer}"));
        let value = |result: &Value| text(result, "/value/1").parse().expect("a number");
        results.iter().map(value).collect()
    }

    /// Moves time on until something is so, at most so many seconds of the platform's time.
    async fn until(&self, what: &str, seconds: i64, mut is_so: impl AsyncFnMut() -> bool) {
        let clock = self.simulation.clock();
        let end = clock.now() + chrono::TimeDelta::seconds(seconds);
        loop {
            self.quiet().await;
            if is_so().await {
                return;
            }
            if clock.now() >= end {
                let state = json!({
                    "rollout": self.rollout().await["status"],
                    "application": self.application().await["status"]["health"],
                    "analyses": self.analyses().await.into_iter()
                        .map(|(name, run)| json!([name, run["status"]])).collect::<Vec<_>>(),
                    "tags": self.tags().await,
                });
                panic!("{what}: not within {seconds} s of platform time: {state:#}");
            }
            clock.step(STEP);
        }
    }

    /// Lets everything that woke up run.
    async fn quiet(&self) {
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            tokio::time::sleep(Duration::from_millis(2)).await;
            quiet = if self.simulation.busy() == 0 {
                quiet + 1
            } else {
                0
            };
        }
    }

    async fn is_at(&self, step: i64, phase: &str) -> bool {
        let rollout = self.rollout().await;
        rollout
            .pointer("/status/currentStepIndex")
            .and_then(Value::as_i64)
            == Some(step)
            && text(&rollout, "/status/phase") == phase
    }

    async fn analysis_phases(&self) -> Vec<String> {
        let mut runs = self.analyses().await;
        runs.sort_by(|a, b| a.0.cmp(&b.0));
        runs.iter()
            .map(|(_, run)| text(run, "/status/phase").to_owned())
            .collect()
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_image_is_measured_twice_and_takes_over() {
    let delivery = Delivery::start("dev", "demo-app-dev").await;

    delivery.push("2.5.0");

    delivery
        .until("one pod of five is new", 20, async || {
            delivery.is_at(1, "Paused").await
        })
        .await;
    assert_eq!(
        delivery.tags().await,
        ["2.4.1", "2.4.1", "2.4.1", "2.4.1", "2.5.0"]
    );
    let application = delivery.application().await;
    assert_eq!(text(&application, "/status/sync/status"), "Synced");
    delivery
        .until("the first analysis runs", 40, async || {
            delivery.analysis_phases().await == ["Running"]
        })
        .await;
    delivery
        .until("it is promoted", 200, async || {
            let rollout = delivery.rollout().await;
            text(&rollout, "/status/phase") == "Healthy"
                && rollout["status"]["stableRS"] == rollout["status"]["currentPodHash"]
        })
        .await;
    assert_eq!(
        delivery.analysis_phases().await,
        ["Successful", "Successful"]
    );
    delivery
        .until("only the new version is left", 60, async || {
            delivery.tags().await == ["2.5.0"; 5]
        })
        .await;
    delivery
        .until("the Application is healthy", 20, async || {
            text(&delivery.application().await, "/status/health/status") == "Healthy"
        })
        .await;
    delivery.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_fails_is_sent_back_by_its_analysis() {
    let delivery = Delivery::start("dev", "demo-app-dev").await;

    delivery.push("2.6.0");

    delivery
        .until("it is aborted", 120, async || {
            let rollout = delivery.rollout().await;
            rollout["status"]["abort"] == true && text(&rollout, "/status/phase") == "Degraded"
        })
        .await;
    let rollout = delivery.rollout().await;
    let message = text(&rollout, "/status/message");
    assert!(
        message.contains("RolloutAborted") && message.contains("success-rate"),
        "{message}"
    );
    assert_eq!(delivery.analysis_phases().await, ["Failed"]);
    delivery
        .until("only the old version is left", 60, async || {
            delivery.tags().await == ["2.4.1"; 5]
        })
        .await;
    delivery
        .until("the Application says so", 20, async || {
            let application = delivery.application().await;
            text(&application, "/status/health/status") == "Degraded"
                && text(&application, "/status/sync/status") == "Synced"
        })
        .await;
    delivery.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_route_gives_the_new_version_the_weight_that_is_measured() {
    let delivery = Delivery::start("staging", "demo-app-staging").await;

    delivery.push("2.5.0");
    delivery
        .until("a fifth goes to the new version", 30, async || {
            delivery.is_at(1, "Paused").await
        })
        .await;
    let rollout = delivery.rollout().await;
    assert_eq!(
        rollout["status"]["canary"]["weights"]["canary"]["weight"],
        20
    );
    assert_eq!(
        text(&delivery.application().await, "/status/sync/status"),
        "Synced"
    );

    let share = "sum(rate(http_requests_total{namespace=\"demo-app-staging\",\
                 version=\"2.5.0\"}[20s])) / \
                 sum(rate(http_requests_total{namespace=\"demo-app-staging\"}[20s]))";
    delivery
        .until("a fifth is measured", 45, async || {
            let measured = delivery.query(share).await;
            measured
                .first()
                .is_some_and(|share| (0.18..0.22).contains(share))
        })
        .await;
    delivery.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hour_before_the_start_has_been_measured() {
    let delivery = Delivery::start("dev", "demo-app-dev").await;

    delivery
        .until("there is a past", 20, async || {
            let past = "sum(rate(http_requests_total{app=\"demo-app\"}[5m] offset 30m))";
            let rates = delivery.query(past).await;
            rates
                .first()
                .is_some_and(|rate| (10.0..30.0).contains(rate))
        })
        .await;
    let failed = delivery
        .query("sum(rate(http_requests_total{app=\"demo-app\",code=~\"5..\"}[5m] offset 30m))")
        .await;
    assert!(failed.first().is_some_and(|rate| *rate < 0.2), "{failed:?}");
    delivery.simulation.shutdown().await;
}
