//! The simulated kubelet: runs the pods of all nodes in platform time.
//!
//! One controller for all nodes. What a pod's containers do is decided by pure state machines
//! ([`container`], [`probe`], [`pod`]) from the pod, the images' profiles and a seed; this file
//! feeds them with time and writes what comes of it: status, Events, the final deletion. It wakes
//! only when something is due. No process runs anywhere.

mod command;
mod container;
pub mod image;
mod logs;
mod node;
mod pod;
mod probe;
mod read_logs;
mod references;
mod resource;
mod status;
mod step;
mod volumes;

pub use node::NodeShape;

use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::runtime::time::seconds;
use crate::sim::controllers::runtime::{
    Controller, Informer, ObjectKey, ReconcileError, Requeue, Runtime, Writer,
};
use crate::sim::events::{About, Events, Recorder};
use crate::sim::rng::Seed;
use crate::sim::steps::{Doer, Effect, Steps, Turn, task_result};
use chrono::{DateTime, TimeDelta, Utc};
use image::ImageSource;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use pod::{PodRun, Stage};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

const MANAGER: &str = "kubelet";
/// How long a container takes to end after SIGTERM, unless its image says otherwise.
const STOP_SECONDS: f64 = 0.2;
const MOUNT_RETRY: Duration = Duration::from_secs(5);
/// Between two looks at an object whose condition a step waits for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What the kubelet needs to know.
#[derive(Clone, Debug)]
pub struct KubeletOptions {
    /// The nodes to run.
    pub nodes: Vec<NodeShape>,
    /// Where images come from.
    pub images: Arc<dyn ImageSource>,
    /// The version it reports, such as `v1.33.2`.
    pub version: String,
    /// What containers do that are steps.
    pub steps: Steps,
}

/// A step whose work is done.
struct Done {
    container: String,
    /// What it says at last; none: what it waits for has not come.
    said: Option<Result<Vec<String>, String>>,
    outputs: BTreeMap<String, String>,
}

/// The kubelet of all nodes. Clones share it.
#[derive(Clone, Debug)]
pub struct Kubelet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pods: Writer<Pod>,
    recorder: Recorder,
    options: KubeletOptions,
    clock: PlatformClock,
    seed: Seed,
    runs: RwLock<BTreeMap<ObjectKey, PodRun>>,
    /// The images that each node has, with the digests they were pulled by.
    on_node: RwLock<HashMap<String, HashMap<String, String>>>,
    addresses: AtomicU32,
    /// What steps left in claims, and as artifacts.
    kept: volumes::Kept,
    /// Moves whenever a run changed, for those who follow logs.
    changed: watch::Sender<u64>,
}

impl Kubelet {
    /// Registers the nodes and starts running the pods that are bound to them.
    pub fn start(runtime: &Runtime, events: &Events, options: KubeletOptions) -> Self {
        let informer: Informer<Pod> = runtime.informer();
        let queue = runtime.queue();
        informer.feed(&queue, |change| [change.key()]);
        let kubelet = Self(Arc::new(Shared {
            pods: informer.writer(MANAGER),
            recorder: events.recorder(MANAGER),
            clock: runtime.clock().clone(),
            seed: runtime.seed(),
            runs: RwLock::default(),
            on_node: RwLock::default(),
            addresses: AtomicU32::new(0),
            kept: volumes::Kept::default(),
            changed: watch::Sender::new(0),
            options,
        }));
        runtime.spawn(register_nodes(runtime.clone(), kubelet.0.options.clone()));
        runtime.run(kubelet.clone(), queue);
        kubelet
    }

    fn run_of(&self, key: &ObjectKey, uid: &str) -> Option<PodRun> {
        let runs = self.0.runs.read().unwrap_or_else(PoisonError::into_inner);
        runs.get(key).filter(|run| run.uid == uid).cloned()
    }

    fn keep(&self, key: &ObjectKey, run: PodRun) {
        self.0
            .runs
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.clone(), run);
        self.0.changed.send_modify(|count| *count += 1);
    }

    fn forget(&self, key: &ObjectKey) {
        let gone = self
            .0
            .runs
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
        if gone.is_some() {
            self.0.changed.send_modify(|count| *count += 1);
        }
    }

    fn new_run(&self, pod: &Pod, node: usize, now: DateTime<Utc>) -> PodRun {
        let number = self.0.addresses.fetch_add(1, Ordering::Relaxed) + 1;
        let ip = format!(
            "10.{}.{}.{}",
            64 + node,
            (number >> 8) & 0xff,
            number & 0xff
        );
        PodRun::new(pod, ip, now)
    }

    /// Moves a pod on and reports what came of it.
    async fn run_pod(
        &self,
        key: &ObjectKey,
        pod: &Pod,
        node: usize,
    ) -> Result<Requeue, ReconcileError> {
        let now = self.0.clock.now();
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let mut run = match self.run_of(key, uid) {
            Some(run) => run,
            None if is_finished(pod) => return Ok(Requeue::OnChange),
            None => {
                let mut run = self.new_run(pod, node, now);
                if let Some(note) = &run.note {
                    let client = self.0.pods.informer().client();
                    run.files = self.0.kept.found_by(client, pod, note).await;
                }
                run
            }
        };
        let missing = if run.is_about_to_create() {
            references::missing(self.0.pods.informer().client(), pod).await?
        } else {
            references::Missing::default()
        };
        if let Some(why) = missing.mount {
            run.hold(now);
            let recorder = self.0.recorder.on_host(self.node_name(node));
            recorder.warning(About::object(pod), "FailedMount", why);
            self.report(key, pod, (run, node), now).await?;
            return Ok(Requeue::After(MOUNT_RETRY));
        }
        let mut due = self.advance(pod, &mut run, (node, &missing.containers), now);
        while let Some(done) = self.carry_out(pod, &run).await? {
            let Some(said) = done.said else {
                run.acted = true;
                self.report(key, pod, (run, node), now).await?;
                return Ok(Requeue::After(LOOK_AGAIN));
            };
            run.put_out(&done.container, done.outputs);
            let done = (done.container, said);
            self.finish_step(pod, &mut run, (node, &missing.containers), done);
            self.0.kept.keep(pod, &run);
            due = self.advance(pod, &mut run, (node, &missing.containers), now);
        }
        self.report(key, pod, (run, node), now).await?;
        Ok(Requeue::OnChange.or_at(due))
    }

    fn advance(
        &self,
        pod: &Pod,
        run: &mut PodRun,
        on: (usize, &HashMap<String, String>),
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        self.on_stage(pod, on, |stage| run.advance(stage, now))
    }

    fn finish_step(
        &self,
        pod: &Pod,
        run: &mut PodRun,
        on: (usize, &HashMap<String, String>),
        (name, said): (String, Result<Vec<String>, String>),
    ) {
        self.on_stage(pod, on, |stage| run.finish_step(stage, &name, said));
    }

    /// Does something to a pod and tells the Events that come of it.
    fn on_stage<T>(
        &self,
        pod: &Pod,
        (node, missing): (usize, &HashMap<String, String>),
        act: impl FnOnce(&mut Stage<'_>) -> T,
    ) -> T {
        let name = self.node_name(node);
        let mut on_node = self
            .0
            .on_node
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut stage = Stage {
            pod,
            images: &*self.0.options.images,
            on_node: on_node.entry(name.to_owned()).or_default(),
            missing,
            seed: self.0.seed,
            said: Vec::new(),
            steps: &self.0.options.steps,
        };
        let done = act(&mut stage);
        let said = stage.said;
        drop(on_node);
        let recorder = self.0.recorder.on_host(name);
        for one in said {
            let mut about = About::object(pod);
            if let Some(path) = one.field_path {
                about = about.at(path);
            }
            recorder.record(about, one.warning, (one.reason, one.message), one.at);
        }
        done
    }

    /// Carries out what the first finishing step does outside of its pod; none is finishing: none.
    async fn carry_out(&self, pod: &Pod, run: &PodRun) -> Result<Option<Done>, ReconcileError> {
        let Some(container) = run.finishing().into_iter().next() else {
            return Ok(None);
        };
        let mut done = Done {
            container: container.name.clone(),
            said: Some(Ok(Vec::new())),
            outputs: BTreeMap::new(),
        };
        let Some(step) = &container.step else {
            return Ok(Some(done));
        };
        if step.note.turn == Turn::Last {
            self.report_outputs(pod, run).await?;
            return Ok(Some(done));
        }
        if step.behaviour.exit_code != 0 {
            return Ok(Some(done));
        }
        if let Some(template) = &step.note.resource {
            let client = self.0.pods.informer().client();
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            let owner = serde_json::to_value(&pod.metadata.owner_references).ok();
            let around = (namespace, owner);
            let outputs = &step.note.outputs;
            match resource::act(client, around, template, outputs, run.acted).await {
                resource::Outcome::Done(lines, outputs) => {
                    done.said = Some(Ok(lines));
                    done.outputs = outputs;
                }
                resource::Outcome::Wait => done.said = None,
                resource::Outcome::Failed(why) => done.said = Some(Err(why)),
            }
            return Ok(Some(done));
        }
        done.said = Some(
            self.effects_of(pod, &container.name, &step.behaviour.effects)
                .await,
        );
        Ok(Some(done))
    }

    /// Carries out effects one after the other, up to the first that is refused.
    async fn effects_of(
        &self,
        pod: &Pod,
        container: &str,
        effects: &[Effect],
    ) -> Result<Vec<String>, String> {
        let doer = Doer {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            pod: pod.metadata.name.clone().unwrap_or_default(),
            container: container.to_owned(),
        };
        let mut lines = Vec::new();
        for effect in effects {
            let by = self.0.options.steps.effects();
            lines.extend(by.carry_out(effect.clone(), doer.clone()).await?);
        }
        Ok(lines)
    }

    /// Writes what the steps of a Workflow's pod put out where its controller finds it.
    async fn report_outputs(&self, pod: &Pod, run: &PodRun) -> Result<(), ReconcileError> {
        let mut steps = run.main.iter().filter_map(|run| run.step.as_ref());
        let Some(step) = steps.find(|step| step.note.turn != Turn::Last) else {
            return Ok(());
        };
        let Some(result) = task_result(pod, &step.report()) else {
            return Ok(());
        };
        let doing = || "create a WorkflowTaskResult".to_owned();
        let Ok(object) = serde_json::from_value::<DynamicObject>(result) else {
            return Ok(());
        };
        let resource = ApiResource {
            group: "argoproj.io".to_owned(),
            version: "v1alpha1".to_owned(),
            api_version: "argoproj.io/v1alpha1".to_owned(),
            kind: "WorkflowTaskResult".to_owned(),
            plural: "workflowtaskresults".to_owned(),
        };
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let client = self.0.pods.informer().client().clone();
        let api = Api::<DynamicObject>::namespaced_with(client, namespace, &resource);
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => Ok(()),
            Err(source) => match ReconcileError::api(doing(), source) {
                // An earlier attempt of the node reported.
                error if error.is_conflict() => {
                    let name = object.metadata.name.clone().unwrap_or_default();
                    let patch = serde_json::json!({"outputs": object.data["outputs"]});
                    let how = PatchParams::default();
                    let patched = api.patch(&name, &how, &Patch::Merge(patch)).await;
                    patched
                        .map(drop)
                        .map_err(|source| ReconcileError::api(doing(), source))
                }
                // The Workflow is not there any more.
                error if error.is_not_found() => Ok(()),
                error => Err(error),
            },
        }
    }

    async fn report(
        &self,
        key: &ObjectKey,
        pod: &Pod,
        (run, node): (PodRun, usize),
        now: DateTime<Utc>,
    ) -> Result<(), ReconcileError> {
        let status = status::pod_status(pod, &run, &node::address(node), now);
        self.keep(key, run);
        let old = pod.status.clone().unwrap_or_default();
        match self.0.pods.update_status(pod, &old, &status).await {
            Err(error) if !error.is_not_found() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Ends a pod that is being deleted, and then confirms the deletion.
    async fn stop_pod(&self, key: &ObjectKey, pod: &Pod) -> Result<Requeue, ReconcileError> {
        let now = self.0.clock.now();
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        if let Some(mut run) = self.run_of(key, uid) {
            let stopped_at = match run.stopped_at {
                Some(at) => at,
                None => self.begin_stop(key, pod, &mut run, now),
            };
            if stopped_at > now {
                return Ok(Requeue::At(stopped_at));
            }
            run.stop(stopped_at);
            self.keep(key, run);
        }
        let at_once = DeleteParams {
            grace_period_seconds: Some(0),
            ..DeleteParams::default()
        };
        self.0.pods.delete(pod, &at_once).await?;
        Ok(Requeue::OnChange)
    }

    fn begin_stop(
        &self,
        key: &ObjectKey,
        pod: &Pod,
        run: &mut PodRun,
        now: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let host = node_of(pod).unwrap_or_default();
        let recorder = self.0.recorder.on_host(host);
        let mut longest = 0.0_f64;
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        for spec in containers {
            if run
                .container(&spec.name)
                .is_some_and(container::ContainerRun::is_running)
            {
                let about = About::object(pod).at(format!("spec.containers{{{}}}", spec.name));
                recorder.normal(
                    about,
                    "Killing",
                    format!("Stopping container {}", spec.name),
                );
                let profile = self
                    .0
                    .options
                    .images
                    .profile(spec.image.as_deref().unwrap_or_default());
                longest = longest.max(profile.stop_seconds.unwrap_or(STOP_SECONDS));
            }
        }
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(30);
        let stopped_at = now + seconds(longest).min(TimeDelta::seconds(grace.max(0)));
        run.stopped_at = Some(stopped_at);
        self.keep(key, run.clone());
        stopped_at
    }

    fn node_name(&self, node: usize) -> &str {
        self.0
            .options
            .nodes
            .get(node)
            .map_or("", |shape| shape.name.as_str())
    }
}

impl Controller for Kubelet {
    type Key = ObjectKey;
    const NAME: &'static str = "kubelet";
    const CONCURRENCY: usize = 16;

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(pod) = self.0.pods.informer().get(key) else {
            self.forget(key);
            return Ok(Requeue::OnChange);
        };
        let is_deleting = pod.metadata.deletion_timestamp.is_some();
        let Some(name) = node_of(&pod) else {
            // A pod that was never bound has no kubelet to wait for.
            return if is_deleting {
                self.stop_pod(key, &pod).await
            } else {
                Ok(Requeue::OnChange)
            };
        };
        let Some(node) = self
            .0
            .options
            .nodes
            .iter()
            .position(|node| node.name == name)
        else {
            return Ok(Requeue::OnChange);
        };
        if is_deleting {
            return self.stop_pod(key, &pod).await;
        }
        self.run_pod(key, &pod, node).await
    }
}

/// Returns the node that a pod is bound to.
fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn is_finished(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Creates the nodes with their status, once the API server answers.
async fn register_nodes(runtime: Runtime, options: KubeletOptions) {
    let informer: Informer<Node> = runtime.informer();
    let nodes = informer.writer(MANAGER);
    if !informer.synced().await {
        return;
    }
    for (index, shape) in options.nodes.iter().enumerate() {
        let wanted = node::node(shape, index, &options.version, runtime.clock().now());
        let known = informer.get(&ObjectKey::new("", shape.name.clone()));
        let node = match known {
            Some(node) => Ok(node),
            None => nodes.create(&wanted).await,
        };
        let reported = match node {
            Ok(node) => {
                let old = node.status.clone().unwrap_or_default();
                let new = wanted.status.unwrap_or_default();
                nodes.update_status(&node, &old, &new).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = reported {
            tracing::error!("node `{}` is not registered: {error}", shape.name);
        }
    }
}
