//! The loop over Workflows: gathers the world of one, lets a pass decide, and does what it wishes.

mod wishes;

use super::library::{Home, shelf};
use super::locks::Locks;
use super::merge::merged;
use super::model::{
    ClusterWorkflowTemplate, Spec, Workflow, WorkflowStatus, WorkflowTaskResult, WorkflowTemplate,
    read,
};
use super::node::{NodeStatus, Phase};
use super::operate::{Operation, Wish, World};
use super::pods::label;
use super::{compress, http};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::runtime::time::utc;
use crate::sim::controllers::runtime::{
    Change, Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer, merge_patch,
};
use crate::sim::events::{About, Events, Recorder};
use crate::sim::network::Network;
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Client;
use kube::api::{Api, DeleteParams};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

const MANAGER: &str = "workflow-controller";
const WORKFLOW: &str = "workflows.argoproj.io/workflow";
const COMPLETED: &str = "workflows.argoproj.io/completed";
const PHASE: &str = "workflows.argoproj.io/phase";
const BY_WORKFLOW: &str = "workflow";
/// Passes at most this often in a row over what its own wishes brought about.
const MOST_PASSES: usize = 4;

/// The Workflow controller.
pub struct Workflows {
    workflows: Writer<Workflow>,
    pods: Writer<Pod>,
    results: Writer<WorkflowTaskResult>,
    templates: Writer<WorkflowTemplate>,
    cluster_templates: Writer<ClusterWorkflowTemplate>,
    client: Client,
    network: Network,
    recorder: Recorder,
    clock: PlatformClock,
    locks: Locks,
}

fn key_of_workflow<K: kube::Resource>(meta: &K) -> Vec<String> {
    let labels = meta.meta().labels.as_ref();
    let name = labels.and_then(|labels| labels.get(WORKFLOW));
    let namespace = meta.meta().namespace.as_deref().unwrap_or_default();
    name.map(|name| format!("{namespace}/{name}"))
        .into_iter()
        .collect()
}

fn workflow_of<K: crate::sim::controllers::runtime::Watched>(change: &Change<K>) -> Vec<ObjectKey> {
    let objects = change.old.iter().chain(&change.new);
    let mut keys: Vec<ObjectKey> = objects
        .filter_map(|object| {
            let meta = object.meta();
            let name = meta.labels.as_ref()?.get(WORKFLOW)?;
            Some(ObjectKey::new(meta.namespace.clone()?, name.clone()))
        })
        .collect();
    keys.dedup();
    keys
}

impl Workflows {
    /// Starts the controllers of Workflows and CronWorkflows.
    pub fn start(runtime: &Runtime, events: &Events, network: Network) {
        let workflows = runtime.informer::<Workflow>();
        let pods = runtime.informer::<Pod>();
        let results = runtime.informer::<WorkflowTaskResult>();
        let templates = runtime.informer::<WorkflowTemplate>();
        let cluster_templates = runtime.informer::<ClusterWorkflowTemplate>();
        pods.add_index(BY_WORKFLOW, key_of_workflow::<Pod>);
        results.add_index(BY_WORKFLOW, key_of_workflow::<WorkflowTaskResult>);
        let queue = runtime.queue();
        workflows.feed(&queue, |change| [change.key()]);
        pods.feed(&queue, workflow_of::<Pod>);
        results.feed(&queue, workflow_of::<WorkflowTaskResult>);
        templates.required_by(&queue);
        cluster_templates.required_by(&queue);
        let controller = Self {
            workflows: workflows.writer(MANAGER),
            pods: pods.writer(MANAGER),
            results: results.writer(MANAGER),
            templates: templates.writer(MANAGER),
            cluster_templates: cluster_templates.writer(MANAGER),
            client: runtime.client().clone(),
            network,
            recorder: events.recorder(MANAGER),
            clock: runtime.clock().clone(),
            locks: Locks::default(),
        };
        runtime.run(controller, queue);
        super::cron::CronWorkflows::start(runtime, events);
    }

    fn stored(&self, namespace: &str, name: &str, cluster: bool) -> Option<Value> {
        if cluster {
            let key = ObjectKey::new("", name);
            let found = self.cluster_templates.informer().get(&key)?;
            return Some(found.spec.clone());
        }
        let found = self
            .templates
            .informer()
            .get(&ObjectKey::new(namespace, name))?;
        Some(found.spec.clone())
    }

    /// Returns the spec that is executed, and remembers what it came from.
    fn spec(&self, workflow: &Workflow, status: &mut WorkflowStatus) -> Result<Value, String> {
        let reference = workflow.spec.get("workflowTemplateRef");
        let Some(reference) = reference.filter(|reference| !reference.is_null()) else {
            return Ok(workflow.spec.clone());
        };
        if status.stored_workflow_template_spec.is_null() {
            let name = reference["name"].as_str().unwrap_or_default();
            let cluster = reference["clusterScope"] == json!(true);
            let namespace = workflow.metadata.namespace.as_deref().unwrap_or_default();
            let kind = if cluster {
                "clusterworkflowtemplates"
            } else {
                "workflowtemplates"
            };
            let stored = self
                .stored(namespace, name, cluster)
                .ok_or_else(|| format!("{kind}.argoproj.io \"{name}\" not found"))?;
            status.stored_workflow_template_spec = merged(&workflow.spec, &stored);
        }
        Ok(merged(
            &workflow.spec,
            &status.stored_workflow_template_spec,
        ))
    }

    /// Gathers what a pass looks at.
    async fn world(&self, key: &ObjectKey, spec: &Value, status: &mut WorkflowStatus) -> World {
        let by = format!("{}/{}", key.namespace, key.name);
        let mut world = World {
            locks: self.locks.clone(),
            ..World::default()
        };
        for pod in self.pods.informer().by_index(BY_WORKFLOW, &by) {
            let annotations = pod.metadata.annotations.as_ref();
            let id = annotations.and_then(|all| all.get("workflows.argoproj.io/node-id"));
            if let Some(id) = id {
                world.pods.insert(id.clone(), Arc::clone(&pod));
            }
        }
        for result in self.results.informer().by_index(BY_WORKFLOW, &by) {
            let name = result.metadata.name.clone().unwrap_or_default();
            world.results.insert(name, result.outputs.clone());
        }
        let mut wanted = references(spec);
        while let Some((name, cluster)) = wanted.pop() {
            let shelf = shelf(&name, cluster);
            if world.library.contains_key(&shelf) {
                continue;
            }
            if let Some(stored) = self.stored(&key.namespace, &name, cluster) {
                wanted.extend(references(&stored));
                for template in stored["templates"].as_array().into_iter().flatten() {
                    let label = template["name"].as_str().unwrap_or_default();
                    status
                        .stored_templates
                        .insert(format!("{shelf}/{label}"), template.clone());
                }
                world.library.insert(shelf, Arc::new(stored));
            }
        }
        self.read_config(key, spec, &mut world).await;
        world
    }

    async fn read_config(&self, key: &ObjectKey, spec: &Value, world: &mut World) {
        let mut names = config_names(spec);
        for stored in world.library.values() {
            names.extend(config_names(stored));
        }
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &key.namespace);
        for name in names {
            // A ConfigMap that cannot be read leaves its parameters without value, which is said.
            let Ok(Some(found)) = api.get_opt(&name).await else {
                continue;
            };
            for (entry, value) in found.data.into_iter().flatten() {
                world.config.insert((name.clone(), entry), value);
            }
        }
    }

    /// Passes over a workflow until nothing more follows from what it wished for.
    async fn operate(
        &self,
        key: &ObjectKey,
        workflow: &Workflow,
    ) -> Result<Requeue, ReconcileError> {
        let mut status = workflow.status.clone();
        let before = status.clone();
        if let Err(why) = compress::expand(&mut status) {
            tracing::warn!("the nodes of workflow `{key}` cannot be read: {why}");
            return Ok(Requeue::OnChange);
        }
        let mut due = None;
        let mut answers = HashMap::new();
        for _ in 0..MOST_PASSES {
            let mut world = match self.spec(workflow, &mut status) {
                Ok(spec) => self.world(key, &spec, &mut status).await,
                Err(_) => World::default(),
            };
            world.answers.clone_from(&answers);
            let pass = self.pass(workflow, &world, status);
            status = pass.status;
            due = pass.due;
            for one in &pass.told {
                let about = About::object(workflow);
                if one.warning {
                    self.recorder
                        .warning(about, one.reason, one.message.clone());
                } else {
                    self.recorder.normal(about, one.reason, one.message.clone());
                }
            }
            let asked = self.carry_out(workflow, &mut status, pass.wishes).await?;
            if asked.is_empty() {
                break;
            }
            answers.extend(asked);
        }
        self.save(key, workflow, &before, status).await?;
        Ok(Requeue::OnChange.or_at(due))
    }

    fn pass(&self, workflow: &Workflow, world: &World, mut status: WorkflowStatus) -> Passed {
        let spec = self.spec(workflow, &mut status);
        let spec = spec.and_then(|raw| Ok((read::<Spec>(&raw)?, raw)));
        let now = self.clock.now();
        let (typed, raw, mistake) = match spec {
            Ok((typed, raw)) => (typed, raw, None),
            Err(why) => (Spec::default(), Value::Null, Some(why)),
        };
        let name = workflow.metadata.name.as_deref().unwrap_or_default();
        let uses_results = raw.to_string().contains("outputs.result")
            || world
                .library
                .values()
                .any(|spec| spec.to_string().contains("outputs.result"));
        let mut operation = Operation {
            workflow,
            world,
            home: Home::of_spec(format!("local/{name}"), &raw),
            spec: typed,
            uses_results,
            now,
            status,
            globals: BTreeMap::new(),
            global_artifacts: BTreeMap::new(),
            wishes: Vec::new(),
            due: None,
            told: Vec::new(),
            depth: 0,
        };
        match mistake {
            Some(why) => operation.end(Phase::Error, &why),
            None => operation.run(),
        }
        if let Some(warning) = unfollowed(&raw, world) {
            operation.warn(warning);
        }
        let holder = format!("{}/{name}", operation.namespace());
        let status = &mut operation.status;
        let is_over = status.phase.is_some_and(Phase::is_fulfilled);
        world.locks.release(&holder, |node| {
            let node = status.nodes.get(node);
            is_over || node.is_some_and(NodeStatus::is_fulfilled)
        });
        status.synchronization = world.locks.status(&holder);
        Passed {
            status: operation.status,
            wishes: operation.wishes,
            due: operation.due,
            told: operation.told,
        }
    }

    /// Writes what has changed, if nobody changed the workflow meanwhile.
    async fn save(
        &self,
        key: &ObjectKey,
        workflow: &Workflow,
        before: &WorkflowStatus,
        mut status: WorkflowStatus,
    ) -> Result<(), ReconcileError> {
        compress::shrink(&mut status);
        let value = |status: &WorkflowStatus| {
            serde_json::to_value(status).map_err(|source| ReconcileError::Encoding {
                doing: format!("update workflows `{key}`"),
                source,
            })
        };
        let changed = merge_patch(&value(before)?, &value(&status)?);
        let phase = status.phase.map_or("", Phase::word);
        let ended = status.phase.is_some_and(Phase::is_fulfilled);
        let mut labels = json!({});
        for (name, wanted) in [
            (PHASE, phase),
            (COMPLETED, if ended { "true" } else { "false" }),
        ] {
            let known = workflow
                .metadata
                .labels
                .as_ref()
                .and_then(|all| all.get(name));
            if known.map(String::as_str) != Some(wanted) {
                labels[name] = json!(wanted);
            }
        }
        let relabel = labels.as_object().is_some_and(|labels| !labels.is_empty());
        if changed.is_none() && !relabel {
            return Ok(());
        }
        let mut patch = json!({"metadata": {
            "uid": workflow.metadata.uid,
            "resourceVersion": workflow.metadata.resource_version,
        }});
        if relabel {
            patch["metadata"]["labels"] = labels;
        }
        if let Some(changed) = changed {
            patch["status"] = changed;
        }
        self.workflows.patch(key, &patch).await?;
        Ok(())
    }

    /// Deletes a workflow that has been over for as long as it wants to be kept.
    async fn bury(&self, workflow: &Arc<Workflow>) -> Result<Requeue, ReconcileError> {
        match self.expires(workflow) {
            Some(due) if due <= self.clock.now() => {
                let how = DeleteParams::background();
                self.workflows.delete(workflow, &how).await?;
                Ok(Requeue::OnChange)
            }
            due => Ok(Requeue::OnChange.or_at(due)),
        }
    }

    fn expires(&self, workflow: &Workflow) -> Option<DateTime<Utc>> {
        let mut status = workflow.status.clone();
        let spec: Spec = read(&self.spec(workflow, &mut status).ok()?).ok()?;
        let lifetime = spec.ttl_strategy?;
        let by_phase = match workflow.status.phase? {
            Phase::Succeeded => lifetime.seconds_after_success,
            Phase::Failed | Phase::Error => lifetime.seconds_after_failure,
            Phase::Pending | Phase::Running | Phase::Skipped | Phase::Omitted => None,
        };
        let seconds = by_phase.or(lifetime.seconds_after_completion)?;
        let finished = workflow.status.finished_at.as_ref().map(utc)?;
        Some(finished + TimeDelta::seconds(seconds))
    }
}

struct Passed {
    status: WorkflowStatus,
    wishes: Vec<Wish>,
    due: Option<DateTime<Utc>>,
    told: Vec<super::operate::Told>,
}
/// Returns the stored templates that a spec refers to, at any depth.
fn references(json: &Value) -> Vec<(String, bool)> {
    match json {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(field, value)| {
                let name = value.get("name").and_then(Value::as_str);
                match name.filter(|_| field == "templateRef") {
                    Some(name) => vec![(name.to_owned(), value["clusterScope"] == json!(true))],
                    None => references(value),
                }
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Says which fields are read and change nothing: `memoize` always runs its step.
fn unfollowed(spec: &Value, world: &World) -> Option<String> {
    let library = world.library.values().map(|stored| &**stored);
    let templates = std::iter::once(spec).chain(library);
    let templates = templates.filter_map(|spec| spec.get("templates")?.as_array());
    let memoized = templates
        .flatten()
        .filter(|template| template.get("memoize").is_some_and(Value::is_object));
    let names: Vec<String> = memoized
        .filter_map(|template| Some(format!("templates.{}", template.get("name")?.as_str()?)))
        .collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("memoize is not simulated: {names} always run, and nothing is kept in a cache")
    })
}

/// Returns the ConfigMaps that parameters come from.
fn config_names(json: &Value) -> BTreeSet<String> {
    match json {
        Value::Array(items) => items.iter().flat_map(config_names).collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(field, value)| {
                let name = value.get("name").and_then(Value::as_str);
                match name.filter(|_| field == "configMapKeyRef") {
                    Some(name) => BTreeSet::from([name.to_owned()]),
                    None => config_names(value),
                }
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

impl Controller for Workflows {
    type Key = ObjectKey;
    const NAME: &'static str = "workflows";
    const CONCURRENCY: usize = 32;

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(workflow) = self.workflows.informer().get(key) else {
            let holder = format!("{}/{}", key.namespace, key.name);
            self.locks.release(&holder, |_| true);
            return Ok(Requeue::OnChange);
        };
        if workflow.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::OnChange);
        }
        if workflow.status.phase.is_some_and(Phase::is_fulfilled) {
            self.label_leftovers(&workflow).await?;
            return self.bury(&workflow).await;
        }
        self.operate(key, &workflow).await
    }
}

impl Workflows {
    /// Labels pods that ended after their workflow did.
    async fn label_leftovers(&self, workflow: &Workflow) -> Result<(), ReconcileError> {
        let name = workflow.metadata.name.as_deref().unwrap_or_default();
        let namespace = workflow.metadata.namespace.as_deref().unwrap_or_default();
        let by = format!("{namespace}/{name}");
        for pod in self.pods.informer().by_index(BY_WORKFLOW, &by) {
            let ended = matches!(super::pods::pod_phase(&pod), "Succeeded" | "Failed");
            if ended && label(&pod, COMPLETED) == Some("false") {
                let patch = json!({"metadata": {"labels": {COMPLETED: "true"}}});
                let pod = pod.metadata.name.clone().unwrap_or_default();
                self.patch_pod(namespace, &pod, &patch).await?;
            }
        }
        Ok(())
    }
}
