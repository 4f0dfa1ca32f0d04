//! A cluster with Rollouts in it, and what a client shows of one.

use crate::support::Cluster;
use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Service;
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
    WatchEvent, WatchParams,
};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tiphys::api::yaml;
use tiphys::sim::controllers::rollouts::Rollouts;
use tiphys::sim::kubelet::image::ImageProfile;

const DEFINITIONS: [&str; 7] = [
    "rollouts.yaml",
    "analysisruns.yaml",
    "analysistemplates.yaml",
    "clusteranalysistemplates.yaml",
    "experiments.yaml",
    "gateway-api.yaml",
    "istio.yaml",
];

/// A cluster whose Rollouts are worked on.
pub(super) struct Bed {
    pub(super) cluster: Cluster,
}

/// What a client shows of a Rollout.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) step: String,
    pub(super) set_weight: i64,
    pub(super) actual_weight: i64,
    pub(super) phase: String,
    pub(super) message: String,
}

/// Shorthand for a row that is waited for.
pub(super) fn row(step: &str, (set, actual): (i64, i64), phase: &str, message: &str) -> Row {
    Row {
        step: step.to_owned(),
        set_weight: set,
        actual_weight: actual,
        phase: phase.to_owned(),
        message: message.to_owned(),
    }
}

/// Every state of a Rollout since it was first looked at.
#[derive(Clone, Default)]
pub(super) struct History(Arc<RwLock<Vec<Value>>>);

impl History {
    /// Returns step, phase and message of each state, without repetitions.
    pub(super) fn told(&self) -> Vec<(String, String, String)> {
        let states = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut told: Vec<_> = states
            .iter()
            .map(|state| {
                let (phase, message) = phase_of(state);
                (step_of(state), phase, message)
            })
            .collect();
        told.dedup();
        told
    }

    /// Asserts that these messages were told in this order, whatever was in between.
    pub(super) fn assert_order(&self, wanted: &[(&str, &str)]) {
        let told = self.told();
        let mut left = told.iter();
        for (step, message) in wanted {
            let found = left.any(|(at, _, said)| at == step && said == message);
            assert!(found, "{step} `{message}` is missing in {told:#?}");
        }
    }
}

fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn steps_of(rollout: &Value) -> &[Value] {
    let steps = rollout.pointer("/spec/strategy/canary/steps");
    steps.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn index_of(rollout: &Value) -> Option<usize> {
    let index = rollout.pointer("/status/currentStepIndex")?.as_u64()?;
    Some(index as usize)
}

fn step_of(rollout: &Value) -> String {
    match index_of(rollout) {
        Some(index) => format!("{index}/{}", steps_of(rollout).len()),
        None => String::new(),
    }
}

/// The phase by the client's rules: what the controller has not seen yet comes first.
pub(super) fn phase_of(rollout: &Value) -> (String, String) {
    let observed: i64 = text(rollout, "/status/observedGeneration")
        .parse()
        .unwrap_or(0);
    let waiting = |what: &str| ("Progressing".to_owned(), what.to_owned());
    if observed != number(rollout, "/metadata/generation") {
        return waiting("waiting for rollout spec update to be observed");
    }
    let paused = rollout.pointer("/status/controllerPause") == Some(&json!(true));
    if paused && rollout.pointer("/status/pauseConditions").is_none() {
        return waiting("waiting for rollout to unpause");
    }
    let phase = text(rollout, "/status/phase").to_owned();
    (phase, text(rollout, "/status/message").to_owned())
}

fn set_weight_of(rollout: &Value) -> i64 {
    if rollout.pointer("/status/abort") == Some(&json!(true)) {
        return 0;
    }
    let steps = steps_of(rollout);
    match index_of(rollout) {
        Some(index) if index < steps.len() => steps
            .iter()
            .take(index + 1)
            .rev()
            .find_map(|step| step.get("setWeight")?.as_i64())
            .unwrap_or(0),
        Some(_) | None => 100,
    }
}

impl Bed {
    /// Starts a cluster with the definitions of Rollouts and what goes with them.
    pub(super) async fn start() -> Self {
        Self::with_images(Vec::new()).await
    }

    /// The same, with images that behave in a certain way.
    pub(super) async fn with_images(profiles: Vec<ImageProfile>) -> Self {
        let bed = Self {
            cluster: Cluster::start(profiles),
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/crds");
        for file in DEFINITIONS {
            let text = std::fs::read_to_string(folder.join(file)).expect("the file can be read");
            let definitions: Vec<Value> = yaml::from_multi(&text).expect("good YAML");
            for definition in definitions {
                bed.create(definition).await;
            }
        }
        Rollouts::start(&bed.cluster.runtime, &bed.cluster.events);
        bed
    }

    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let (group, version) = text(object, "/apiVersion")
            .split_once('/')
            .unwrap_or(("", "v1"));
        let kind = GroupVersionKind::gvk(group, version, text(object, "/kind"));
        let resource = ApiResource::from_gvk(&kind);
        if kind.kind == "CustomResourceDefinition" {
            Api::all_with(self.cluster.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.cluster.client.clone(), "default", &resource)
        }
    }

    /// Creates an object; its kind may be about to be served.
    pub(super) async fn create(&self, object: Value) {
        let api = self.api(&object);
        let wanted: DynamicObject = serde_json::from_value(object).expect("an object");
        let created = async {
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
        tokio::time::timeout(limit, created)
            .await
            .expect("the kind is served in time");
    }

    pub(super) fn rollouts(&self) -> Api<DynamicObject> {
        self.kind("argoproj.io/v1alpha1", "Rollout")
    }

    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        self.api(&json!({"apiVersion": api_version, "kind": kind}))
    }

    pub(super) async fn get(&self, name: &str) -> Value {
        let found = self
            .rollouts()
            .get(name)
            .await
            .expect("the rollout is there");
        serde_json::to_value(found).expect("JSON")
    }

    /// Sends a merge patch to a Rollout.
    pub(super) async fn patch(&self, name: &str, patch: Value) {
        let params = PatchParams::default();
        let patched = self
            .rollouts()
            .patch(name, &params, &Patch::Merge(patch))
            .await;
        patched.expect("the rollout is patched");
    }

    /// Sends a merge patch to a Rollout's status.
    pub(super) async fn patch_status(&self, name: &str, patch: Value) {
        let params = PatchParams::default();
        let patch = Patch::Merge(json!({"status": patch}));
        let patched = self.rollouts().patch_status(name, &params, &patch).await;
        patched.expect("the rollout's status is patched");
    }

    pub(super) async fn set_image(&self, name: &str, image: &str) {
        let containers = json!([container(image)]);
        let template = json!({"spec": {"containers": containers}});
        self.patch(name, json!({"spec": {"template": template}}))
            .await;
    }

    /// Promotes as the command-line client does when the Rollout is paused.
    pub(super) async fn promote(&self, name: &str) {
        self.patch_status(name, json!({"pauseConditions": null}))
            .await;
    }

    /// Returns the available pods of a revision.
    pub(super) async fn available(&self, hash: &str) -> i64 {
        let sets = self.cluster.api::<ReplicaSet>();
        let labels = ListParams::default().labels(&format!("rollouts-pod-template-hash={hash}"));
        let sets = sets.list(&labels).await.expect("sets").items;
        let available = sets
            .iter()
            .filter_map(|set| set.status.as_ref()?.available_replicas);
        available.map(i64::from).sum()
    }

    /// Returns the hash that a Service selects.
    pub(super) async fn selected(&self, service: &str) -> String {
        let found = self
            .cluster
            .api::<Service>()
            .get(service)
            .await
            .expect("a service");
        let selector = found
            .spec
            .and_then(|spec| spec.selector)
            .unwrap_or_default();
        selector
            .get("rollouts-pod-template-hash")
            .cloned()
            .unwrap_or_default()
    }

    pub(super) async fn row(&self, name: &str) -> Row {
        let rollout = self.get(name).await;
        let (phase, message) = phase_of(&rollout);
        let set_weight = set_weight_of(&rollout);
        let index = index_of(&rollout).unwrap_or(usize::MAX);
        let available = number(&rollout, "/status/availableReplicas");
        let actual_weight = if index >= steps_of(&rollout).len() {
            100
        } else if rollout
            .pointer("/spec/strategy/canary/trafficRouting")
            .is_some()
        {
            number(&rollout, "/status/canary/weights/canary/weight")
        } else if available > 0 {
            self.available(text(&rollout, "/status/currentPodHash"))
                .await
                * 100
                / available
        } else {
            0
        };
        Row {
            step: step_of(&rollout),
            set_weight,
            actual_weight,
            phase,
            message,
        }
    }

    /// Waits until a client would show this row.
    pub(super) async fn until_row(&self, name: &str, wanted: &Row) {
        let seen = RwLock::new(None);
        let what = format!("{wanted:?}");
        let waited = self.cluster.until(&what, async || {
            let row = self.row(name).await;
            let reached = row == *wanted;
            *seen.write().unwrap_or_else(PoisonError::into_inner) = Some(row);
            reached.then_some(())
        });
        // The deadline of `until` is longer; this one shows what was there instead.
        if tokio::time::timeout(Duration::from_secs(20), waited)
            .await
            .is_err()
        {
            let rollout = self.get(name).await;
            panic!("{wanted:?} is not reached but {seen:?}: {rollout:#}");
        }
    }

    pub(super) async fn until_phase(&self, name: &str, phase: &str, message: &str) {
        let what = format!("{name} is {phase} `{message}`");
        let seen = RwLock::new((String::new(), String::new()));
        let waited = self.cluster.until(&what, async || {
            let told = phase_of(&self.get(name).await);
            let reached = told.0 == phase && told.1 == message;
            *seen.write().unwrap_or_else(PoisonError::into_inner) = told;
            reached.then_some(())
        });
        if tokio::time::timeout(Duration::from_secs(20), waited)
            .await
            .is_err()
        {
            let rollout = self.get(name).await;
            panic!("{what}: {seen:?}: {rollout:#}");
        }
    }

    /// Follows a Rollout from now on.
    pub(super) fn follow(&self, name: &str) -> History {
        let history = History::default();
        let (kept, rollouts) = (history.clone(), self.rollouts());
        let only = WatchParams::default().fields(&format!("metadata.name={name}"));
        tokio::spawn(async move {
            let events = rollouts.watch(&only, "0").await.expect("a watch");
            let mut events = std::pin::pin!(events);
            while let Ok(Some(event)) = events.try_next().await {
                if let WatchEvent::Added(one) | WatchEvent::Modified(one) = event {
                    let state = serde_json::to_value(one).expect("JSON");
                    let mut states = kept.0.write().unwrap_or_else(PoisonError::into_inner);
                    states.push(state);
                }
            }
        });
        history
    }

    /// Returns the messages of the events of a reason about a Rollout.
    pub(super) async fn said(&self, name: &str, reason: &str) -> Vec<String> {
        let events = self.cluster.events(name).await;
        let of_reason = events.into_iter().filter(|(one, _)| one == reason);
        of_reason.map(|(_, message)| message).collect()
    }
}

pub(super) fn container(image: &str) -> Value {
    json!({
        "name": "app", "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    })
}

/// Returns a Rollout of an app.
pub(super) fn rollout(name: &str, replicas: i32, strategy: Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container("demo-app:abc123")]},
            },
            "strategy": strategy,
        },
    })
}

/// Returns a Service of an app.
pub(super) fn service(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": "http"}]},
    })
}
