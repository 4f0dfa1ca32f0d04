//! A cluster with Argo Workflows in it.

use crate::support::Cluster;
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tiphys::api::yaml;
use tiphys::sim::controllers::workflows::Workflows;
use tiphys::sim::controllers::workflows::model::Workflow;
use tiphys::sim::controllers::workflows::node::{NodeType, Phase};
use tiphys::sim::network::Network;
use tiphys::sim::steps::{NoEffects, StepProfile, Steps};

const DEFINITIONS: [&str; 5] = [
    "workflows.yaml",
    "workflowtemplates.yaml",
    "clusterworkflowtemplates.yaml",
    "cronworkflows.yaml",
    "workflowtaskresults.yaml",
];

pub(super) struct Bed {
    pub(super) cluster: Cluster,
}

/// Reads step profiles as a scenario has them.
pub(super) fn profiles(toml: &str) -> Vec<StepProfile> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Scenario {
        step_profile: Vec<StepProfile>,
    }
    let scenario: Scenario = toml::from_str(toml).expect("good profiles");
    scenario.step_profile
}

impl Bed {
    pub(super) async fn start() -> Self {
        Self::with(Vec::new()).await
    }

    /// Starts the platform with steps that behave as declared.
    pub(super) async fn with(profiles: Vec<StepProfile>) -> Self {
        let steps = Steps::new(profiles, Arc::new(NoEffects));
        let cluster = Cluster::start_with(Vec::new(), steps);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/crds");
        for file in DEFINITIONS {
            let text = std::fs::read_to_string(folder.join(file)).expect("the definition");
            let definition: Value = yaml::from_str(&text).expect("good YAML");
            let object: DynamicObject = serde_json::from_value(definition).expect("an object");
            let gvk =
                GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
            let api: Api<DynamicObject> =
                Api::all_with(cluster.client.clone(), &ApiResource::from_gvk(&gvk));
            let made = api.create(&PostParams::default(), &object).await;
            made.expect("the definition is created");
        }
        let network = Network::of(cluster.server.clone()).expect("a network");
        Workflows::start(&cluster.runtime, &cluster.events, network);
        Self { cluster }
    }

    pub(super) fn workflows(&self) -> Api<Workflow> {
        self.cluster.api()
    }

    pub(super) async fn get(&self, name: &str) -> Workflow {
        self.workflows()
            .get(name)
            .await
            .expect("the workflow is there")
    }

    /// Creates a workflow of this name from YAML.
    pub(super) async fn submit(&self, name: &str, text: &str) {
        let mut object: Value = yaml::from_str(text).expect("good YAML");
        object["metadata"]["name"] = json!(name);
        if let Some(meta) = object["metadata"].as_object_mut() {
            meta.remove("generateName");
        }
        self.cluster.create(object).await;
    }

    pub(super) async fn patch(&self, name: &str, patch: Value) {
        let how = PatchParams::default();
        let patched = self
            .workflows()
            .patch(name, &how, &Patch::Merge(patch))
            .await;
        patched.expect("the workflow is patched");
    }

    /// Waits until the workflow is as wanted.
    pub(super) async fn until(
        &self,
        name: &str,
        what: &str,
        mut is: impl FnMut(&Workflow) -> bool,
    ) -> Workflow {
        let what = format!("{name}: {what}");
        let last = Arc::new(tokio::sync::RwLock::new(None));
        let seen = Arc::clone(&last);
        let waited = self.cluster.until(&what, async || {
            let found = self.workflows().get(name).await.ok();
            *seen.write().await = found.clone();
            found.filter(|found| is(found))
        });
        tokio::select! {
            found = waited => found,
            () = tokio::time::sleep(std::time::Duration::from_secs(25)) => {
                let last = last.read().await;
                let status = last.as_ref().map(|one| serde_json::to_string_pretty(&one.status));
                panic!("{what}: not in time\n{}", status.and_then(Result::ok).unwrap_or_default())
            }
        }
    }

    /// Waits until the workflow is over.
    pub(super) async fn ended(&self, name: &str) -> Workflow {
        self.until(name, "over", |one| {
            one.status.phase.is_some_and(Phase::is_fulfilled)
        })
        .await
    }
}

/// Returns the nodes as `name type phase message`, in the order of their names.
pub(super) fn told(workflow: &Workflow) -> Vec<String> {
    let mut lines: Vec<String> = workflow
        .status
        .nodes
        .values()
        .map(|node| {
            let kind = json!(node.kind);
            let kind = kind.as_str().unwrap_or_default().to_owned();
            format!(
                "{} {kind} {} {}",
                node.name,
                node.phase.word(),
                node.message
            )
            .trim_end()
            .to_owned()
        })
        .collect();
    lines.sort();
    lines
}

/// Returns the names of the nodes below a node.
pub(super) fn children(workflow: &Workflow, name: &str) -> Vec<String> {
    let nodes = &workflow.status.nodes;
    let node = nodes.values().find(|node| node.name == name);
    let ids = node.map(|node| node.children.clone()).unwrap_or_default();
    ids.iter()
        .filter_map(|id| Some(nodes.get(id)?.name.clone()))
        .collect()
}

/// Returns how many nodes of a type are in a phase.
pub(super) fn count(workflow: &Workflow, kind: NodeType, phase: Phase) -> usize {
    let nodes = workflow.status.nodes.values();
    nodes
        .filter(|node| node.kind == kind && node.phase == phase)
        .count()
}
