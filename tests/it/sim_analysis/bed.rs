//! A cluster with AnalysisRuns, Experiments and Rollouts in it, and servers to measure at.

use crate::support::Cluster;
use axum::Router;
use axum::response::IntoResponse;
use http::{HeaderMap, Method, StatusCode, Uri};
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tiphys::api::yaml;
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::controllers::analysis::Analyses;
use tiphys::sim::controllers::experiments::Experiments;
use tiphys::sim::controllers::rollouts::Rollouts;
use tiphys::sim::network::Network;

/// Where the scripted Prometheus is.
pub(super) const ADDRESS: &str = "http://prometheus.monitoring.svc.cluster.local:9090";

/// What a scripted server answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// A status and a body.
    Body(u16, String),
    /// Nothing, for so many seconds of platform time.
    Silence(u64),
}

/// A server that answers as a test says, and remembers what it was asked.
#[derive(Clone)]
pub(super) struct Scripted {
    answer: Arc<RwLock<Answer>>,
    asked: Arc<RwLock<Vec<Asked>>>,
}

#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// The answer of a Prometheus with one vector of these values.
pub(super) fn vector(values: &[f64]) -> Answer {
    let result: Vec<Value> = values
        .iter()
        .map(|value| json!({"metric": {}, "value": [1, value.to_string()]}))
        .collect();
    let data = json!({"resultType": "vector", "result": result});
    Answer::Body(200, json!({"status": "success", "data": data}).to_string())
}

/// The refusal of a Prometheus.
pub(super) fn refusal(status: u16, kind: &str, why: &str) -> Answer {
    let body = json!({"status": "error", "errorType": kind, "error": why});
    Answer::Body(status, body.to_string())
}

impl Scripted {
    pub(super) fn new(answer: Answer) -> Self {
        Self {
            answer: Arc::new(RwLock::new(answer)),
            asked: Arc::default(),
        }
    }

    pub(super) fn say(&self, answer: Answer) {
        *self.answer.write().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.read().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }

    fn router(&self, clock: PlatformClock) -> Router {
        let own = self.clone();
        Router::new().fallback(
            async move |method: Method, uri: Uri, headers: HeaderMap, body: String| {
                let asked = Asked {
                    method,
                    uri,
                    headers,
                    body,
                };
                own.asked
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(asked);
                let answer = own
                    .answer
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                match answer {
                    Answer::Body(status, body) => {
                        let status = StatusCode::from_u16(status).expect("a status");
                        (status, body).into_response()
                    }
                    Answer::Silence(seconds) => {
                        clock.sleep(Duration::from_secs(seconds)).await;
                        StatusCode::OK.into_response()
                    }
                }
            },
        )
    }
}

pub(super) struct Bed {
    pub(super) cluster: Cluster,
    /// Stands behind [`ADDRESS`].
    pub(super) prometheus: Scripted,
}

impl Bed {
    pub(super) async fn start() -> Self {
        let cluster = Cluster::start(Vec::new());
        let prometheus = Scripted::new(vector(&[0.99]));
        let bed = Self {
            cluster,
            prometheus: prometheus.clone(),
        };
        bed.serve("prometheus", &prometheus);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/crds");
        for name in [
            "rollouts",
            "analysisruns",
            "analysistemplates",
            "clusteranalysistemplates",
            "experiments",
        ] {
            let text = std::fs::read_to_string(folder.join(format!("{name}.yaml")));
            let definition: Value = yaml::from_str(&text.expect("the file")).expect("good YAML");
            bed.create(definition).await;
        }
        let network = Network::of(bed.cluster.server.clone()).expect("a network");
        let (runtime, events) = (&bed.cluster.runtime, &bed.cluster.events);
        Analyses::start(runtime, events, network);
        Experiments::start(runtime, events);
        Rollouts::start(runtime, events);
        bed
    }

    /// Puts a scripted server behind the service `NAME.monitoring`.
    pub(super) fn serve(&self, name: &str, server: &Scripted) {
        let router = server.router(self.cluster.clock.clone());
        self.cluster
            .server
            .add_service_backend("monitoring", name, router);
    }

    pub(super) fn api(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let named = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk(&named);
        let client = self.cluster.client.clone();
        match kind {
            "CustomResourceDefinition" | "ClusterAnalysisTemplate" => {
                Api::all_with(client, &resource)
            }
            _ => Api::namespaced_with(client, "default", &resource),
        }
    }

    pub(super) fn argo(&self, kind: &str) -> Api<DynamicObject> {
        self.api("argoproj.io/v1alpha1", kind)
    }

    /// Creates an object; its kind may be about to be served.
    pub(super) async fn create(&self, object: Value) {
        let wanted: DynamicObject = serde_json::from_value(object).expect("an object");
        let types = wanted.types.clone().expect("apiVersion and kind");
        let api = self.api(&types.api_version, &types.kind);
        let creating = async {
            loop {
                match api.create(&PostParams::default(), &wanted).await {
                    Ok(_) => return,
                    Err(kube::Error::Api(status)) if status.code == 404 => {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    Err(error) => panic!("{wanted:?} is not created: {error}"),
                }
            }
        };
        let limit = Duration::from_secs(10);
        let created = tokio::time::timeout(limit, creating).await;
        created.expect("the kind is served in time");
    }

    /// Creates an AnalysisRun.
    pub(super) async fn run(&self, name: &str, spec: Value) {
        self.create(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
            "metadata": {"name": name}, "spec": spec,
        }))
        .await;
    }

    pub(super) async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let found = self.argo(kind).get_opt(name).await.expect("an answer");
        found.map(|found| serde_json::to_value(found).expect("JSON"))
    }

    pub(super) async fn list(&self, kind: &str) -> Vec<Value> {
        let found = self.argo(kind).list(&ListParams::default()).await;
        let found = found.expect("a list").items.into_iter();
        found
            .map(|one| serde_json::to_value(one).expect("JSON"))
            .collect()
    }

    pub(super) async fn patch(&self, kind: &str, name: &str, patch: Value) {
        let patched = self
            .argo(kind)
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        patched.expect("it is patched");
    }

    /// Waits until an object's status says what is asked for.
    pub(super) async fn status(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let waiting = format!("{kind} {name}: {what}");
        self.cluster
            .until(&waiting, async || {
                let found = self.get(kind, name).await?;
                let status = found["status"].clone();
                wanted(&status).then_some(status)
            })
            .await
    }

    /// Waits until a run or an experiment has ended.
    pub(super) async fn end(&self, kind: &str, name: &str) -> Value {
        self.status(kind, name, "has ended", |status| {
            let phase = status["phase"].as_str().unwrap_or_default();
            !matches!(phase, "" | "Pending" | "Running")
        })
        .await
    }
}

/// A metric that asks the scripted Prometheus.
pub(super) fn metric(name: &str, extra: Value) -> Value {
    let mut metric = json!({
        "name": name,
        "successCondition": "result[0] >= 0.95",
        "provider": {"prometheus": {"address": ADDRESS, "query": "rate(ok[1m])"}},
    });
    json_patch::merge(&mut metric, &extra);
    metric
}
