//! A cluster with Tekton in it.

use crate::support::Cluster;
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tiphys::api::yaml;
use tiphys::sim::controllers::tekton;
use tiphys::sim::network::Network;
use tiphys::sim::steps::{NoEffects, StepProfile, Steps};

const DEFINITIONS: [&str; 8] = [
    "tasks.yaml",
    "pipelines.yaml",
    "taskruns.yaml",
    "pipelineruns.yaml",
    "eventlisteners.yaml",
    "triggers.yaml",
    "triggerbindings.yaml",
    "triggertemplates.yaml",
];

pub(super) struct Bed {
    pub(super) cluster: Cluster,
}

/// Returns a step's profile: its name, its exit codes, and its results.
pub(super) fn step(name: &str, codes: &[i32], results: &[(&str, &str)]) -> StepProfile {
    StepProfile {
        step: Some(name.to_owned()),
        exit_codes: codes.to_vec(),
        seconds: Some(1.0),
        outputs: results
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..StepProfile::default()
    }
}

/// The condition of a run, as status, reason and message.
pub(super) fn condition(run: &Value) -> (String, String, String) {
    let text = |field: &str| {
        let found = run.pointer(&format!("/status/conditions/0/{field}"));
        found.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    (text("status"), text("reason"), text("message"))
}

impl Bed {
    /// Starts a cluster whose steps behave as declared.
    pub(super) async fn start(profiles: Vec<StepProfile>) -> Self {
        let steps = Steps::new(profiles, Arc::new(NoEffects));
        let bed = Self {
            cluster: Cluster::start_with(Vec::new(), steps),
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/crds");
        for name in DEFINITIONS {
            let text = std::fs::read_to_string(folder.join(name)).expect("the file");
            bed.create(yaml::from_str(&text).expect("good YAML")).await;
        }
        let network = bed.network();
        tekton::start(&bed.cluster.runtime, &bed.cluster.events, network);
        bed
    }

    /// The network as a pod of the cluster sees it.
    pub(super) fn network(&self) -> Network {
        Network::of(self.cluster.server.clone()).expect("a network")
    }

    pub(super) fn api_of(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let named = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk(&named);
        let client = self.cluster.client.clone();
        match kind {
            "CustomResourceDefinition" | "ClusterRoleBinding" => Api::all_with(client, &resource),
            _ => Api::namespaced_with(client, "default", &resource),
        }
    }

    pub(super) fn tekton(&self, kind: &str) -> Api<DynamicObject> {
        self.api_of("tekton.dev/v1", kind)
    }

    /// Creates an object, whose kind may be about to be served; returns its name.
    pub(super) async fn create(&self, object: Value) -> String {
        let wanted: DynamicObject = serde_json::from_value(object).expect("an object");
        let types = wanted.types.clone().expect("apiVersion and kind");
        let api = self.api_of(&types.api_version, &types.kind);
        let creating = async {
            loop {
                match api.create(&PostParams::default(), &wanted).await {
                    Ok(made) => return made.metadata.name.unwrap_or_default(),
                    Err(kube::Error::Api(status)) if status.code == 404 => {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    Err(error) => panic!("{wanted:?} is not created: {error}"),
                }
            }
        };
        let limit = Duration::from_secs(10);
        let created = tokio::time::timeout(limit, creating).await;
        created.expect("the kind is served in time")
    }

    /// Creates a PipelineRun with its Pipeline inside.
    pub(super) async fn run(&self, name: &str, pipeline: Value, further: Value) {
        let mut run = json!({
            "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
            "metadata": {"name": name}, "spec": {"pipelineSpec": pipeline},
        });
        json_patch::merge(&mut run["spec"], &further);
        self.create(run).await;
    }

    pub(super) async fn get(&self, kind: &str, name: &str) -> Value {
        let group = match kind {
            "EventListener" => "triggers.tekton.dev/v1beta1",
            _ => "tekton.dev/v1",
        };
        let api = self.api_of(group, kind);
        let found = api.get_opt(name).await.expect("an answer");
        found.map_or(Value::Null, |found| {
            serde_json::to_value(found).expect("JSON")
        })
    }

    pub(super) async fn list(&self, kind: &str, labels: &str) -> Vec<Value> {
        let params = ListParams::default().labels(labels);
        let found = self.tekton(kind).list(&params).await.expect("a list");
        let found = found.items.into_iter();
        found
            .map(|one| serde_json::to_value(one).expect("JSON"))
            .collect()
    }

    pub(super) async fn patch(&self, kind: &str, name: &str, patch: Value) {
        let patched = self.try_patch(kind, name, patch).await;
        patched.expect("it is patched");
    }

    pub(super) async fn try_patch(
        &self,
        kind: &str,
        name: &str,
        patch: Value,
    ) -> Result<(), kube::Error> {
        let (api, params) = (self.tekton(kind), PatchParams::default());
        let patched = api.patch(name, &params, &Patch::Merge(patch)).await;
        patched.map(drop)
    }

    /// Waits until an object is as asked for.
    pub(super) async fn until(
        &self,
        (kind, name): (&str, &str),
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let waiting = format!("{kind} {name}: {what}");
        self.cluster
            .until(&waiting, async || {
                let found = self.get(kind, name).await;
                wanted(&found).then_some(found)
            })
            .await
    }

    /// Waits until a run has ended.
    pub(super) async fn end(&self, kind: &str, name: &str) -> Value {
        self.until((kind, name), "has ended", |run| {
            matches!(condition(run).0.as_str(), "True" | "False")
        })
        .await
    }
}
