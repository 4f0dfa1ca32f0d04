//! Fixes what a PipelineRun runs: the Pipeline found, checked, and filled in.

use super::validation::{self, Names};
use super::{Failure, PipelineRuns, Work};
use crate::sim::controllers::runtime::ReconcileError;
use crate::sim::controllers::tekton::graph::Graph;
use crate::sim::controllers::tekton::model::spec::{
    ParamSpec, PipelineSpec, PipelineTask, ResultSpec, TaskSpec,
};
use crate::sim::controllers::tekton::model::value::ParamValue;
use crate::sim::controllers::tekton::replace::Replacements;
use crate::sim::controllers::tekton::resolve::{self, Resolved, Unresolved};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A Pipeline that is ready to be run.
pub(super) struct Prepared {
    pub(super) tasks: Vec<(PipelineTask, Value)>,
    pub(super) finally: Vec<(PipelineTask, Value)>,
    pub(super) graph: Graph,
    pub(super) results: Vec<ResultSpec>,
}

impl Prepared {
    /// A task of this name is not one of the final ones.
    pub(super) fn is_task(&self, name: &str) -> bool {
        self.tasks.iter().any(|(task, _)| task.name == name)
    }
}

impl PipelineRuns {
    /// Returns the Pipeline of a run; it is found and checked the first time only.
    pub(super) async fn prepare(
        &self,
        work: &mut Work<'_>,
    ) -> Result<Result<Prepared, Failure>, ReconcileError> {
        if let Some(spec) = &work.status.pipeline_spec {
            return Ok(read(spec, &work.key.name).map(|(prepared, _)| prepared));
        }
        let found = match self.find(work).await {
            Ok(found) => found,
            Err(Unresolved::Later(error)) => return Err(error),
            Err(Unresolved::Refused(why)) => {
                let message = format!(
                    "Error retrieving pipeline for pipelinerun {}: {why}",
                    work.key
                );
                return Ok(Err(("CouldntGetPipeline", message)));
            }
        };
        self.label(work, &found).await?;
        let (prepared, spec) = match read(&found.spec, &work.key.name) {
            Ok(read) => read,
            Err(failure) => return Ok(Err(failure)),
        };
        let names = Names {
            namespace: &work.key.namespace,
            run: &work.key.name,
            pipeline: &found.name,
        };
        let sections = (prepared.tasks.as_slice(), prepared.finally.as_slice());
        let checked = validation::pipeline(names, &spec, sections)
            .and_then(|()| validation::run(names, &work.spec, &spec));
        if let Err(failure) = checked {
            return Ok(Err(failure));
        }
        let declared = match self.declared_results(work, (names, &prepared)).await? {
            Ok(declared) => declared,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Err(failure) = validation::results(sections, &declared) {
            return Ok(Err(failure));
        }
        let filled = fill(work, &found, &spec);
        let again = read(&filled, &work.key.name);
        work.status.pipeline_spec = Some(filled);
        Ok(again.map(|(prepared, _)| prepared))
    }

    async fn find(&self, work: &Work<'_>) -> Result<Resolved, Unresolved> {
        if let Some(inline) = &work.spec.pipeline_spec {
            return Ok(Resolved {
                name: work.key.name.clone(),
                spec: inline.clone(),
                ..Resolved::default()
            });
        }
        let reference = work.spec.pipeline_ref.clone().unwrap_or_default();
        let client = self.runs.informer().client();
        resolve::pipeline(client, &work.key.namespace, &reference).await
    }

    /// Writes on the run which Pipeline it runs, and what that Pipeline hands on.
    async fn label(&self, work: &Work<'_>, found: &Resolved) -> Result<(), ReconcileError> {
        let meta = &work.run.metadata;
        let known = meta.labels.clone().unwrap_or_default();
        let mut labels = found.labels.clone();
        labels.insert("tekton.dev/pipeline".to_owned(), found.name.clone());
        labels.retain(|key, value| known.get(key) != Some(value));
        let written = meta.annotations.clone().unwrap_or_default();
        let mut annotations = found.annotations.clone();
        annotations.retain(|key, value| {
            key != "kubectl.kubernetes.io/last-applied-configuration"
                && written.get(key) != Some(value)
        });
        if labels.is_empty() && annotations.is_empty() {
            return Ok(());
        }
        let patch = json!({"metadata": {
            "uid": meta.uid, "labels": labels, "annotations": annotations,
        }});
        self.runs.patch(work.key, &patch).await?;
        Ok(())
    }

    /// Returns the results that each task declares; a Task that is not there is refused.
    async fn declared_results(
        &self,
        work: &Work<'_>,
        (names, prepared): (Names<'_>, &Prepared),
    ) -> Result<Result<BTreeMap<String, Vec<ResultSpec>>, Failure>, ReconcileError> {
        let client = self.runs.informer().client();
        let mut declared = BTreeMap::new();
        for (task, _) in prepared.tasks.iter().chain(&prepared.finally) {
            let spec = match (&task.task_spec, &task.task_ref) {
                (Some(spec), _) => spec.clone(),
                (None, None) => Value::Null,
                (None, Some(reference)) => {
                    match resolve::task(client, &work.key.namespace, reference).await {
                        Ok(found) => found.spec,
                        Err(Unresolved::Later(error)) => return Err(error),
                        Err(Unresolved::Refused(why)) => {
                            let message = format!(
                                "Pipeline {}/{} can't be Run; it contains Tasks that don't exist: \
                                 Couldn't retrieve Task {:?}: {why}",
                                names.namespace, names.pipeline, reference.name
                            );
                            return Ok(Err(("CouldntGetTask", message)));
                        }
                    }
                }
            };
            let spec: TaskSpec = serde_json::from_value(spec).unwrap_or_default();
            declared.insert(task.name.clone(), spec.results);
        }
        Ok(Ok(declared))
    }
}

/// Reads a Pipeline and builds its graph.
fn read(spec: &Value, run: &str) -> Result<(Prepared, PipelineSpec), Failure> {
    let unreadable = |error: serde_json::Error| {
        let message = format!("PipelineRun {run} has a Pipeline that cannot be read: {error}");
        ("PipelineValidationFailed", message)
    };
    let typed: PipelineSpec = serde_json::from_value(spec.clone()).map_err(unreadable)?;
    let section = |written: &[Value]| {
        written
            .iter()
            .map(|task| Ok((serde_json::from_value(task.clone())?, task.clone())))
            .collect::<Result<Vec<(PipelineTask, Value)>, _>>()
            .map_err(unreadable)
    };
    let (tasks, finally) = (section(&typed.tasks)?, section(&typed.finally)?);
    let pairs: Vec<_> = tasks
        .iter()
        .map(|(task, written)| (task.clone(), written))
        .collect();
    let graph = Graph::build(&pairs).map_err(|why| {
        let message = format!("PipelineRun {run}'s Pipeline DAG is invalid: {why}");
        ("PipelineInvalidGraph", message)
    })?;
    let prepared = Prepared {
        tasks,
        finally,
        graph,
        results: typed.results.clone(),
    };
    Ok((prepared, typed))
}

/// Fills in what is known before the first task.
fn fill(work: &Work<'_>, found: &Resolved, spec: &PipelineSpec) -> Value {
    let known = replacements(work, found, spec);
    let mut filled = found.spec.clone();
    for section in ["tasks", "finally"] {
        let tasks = filled.get_mut(section).and_then(Value::as_array_mut);
        for task in tasks.into_iter().flatten() {
            fill_task(task, &known);
        }
    }
    if let Some(results) = filled.get_mut("results") {
        known.apply(results);
    }
    filled
}

/// Fills in a task; what its inline Task declares itself is left to the TaskRun.
fn fill_task(task: &mut Value, known: &Replacements) {
    let mut known = known.clone();
    let retries = task.get("retries").and_then(Value::as_u64).unwrap_or(0);
    known.text("context.pipelineTask.retries", retries.to_string());
    let inline = task
        .as_object_mut()
        .and_then(|task| task.remove("taskSpec"));
    known.apply(task);
    let (Some(mut inline), Some(task)) = (inline, task.as_object_mut()) else {
        return;
    };
    let declared = inline.get("params").cloned().unwrap_or_default();
    let declared: Vec<ParamSpec> = serde_json::from_value(declared).unwrap_or_default();
    for param in declared {
        known.forget_param(&param.name);
    }
    known.apply(&mut inline);
    task.insert("taskSpec".to_owned(), inline);
}

fn replacements(work: &Work<'_>, found: &Resolved, spec: &PipelineSpec) -> Replacements {
    let mut known = Replacements::default();
    let meta = &work.run.metadata;
    known.text("context.pipeline.name", found.name.clone());
    known.text("context.pipelineRun.name", work.key.name.clone());
    known.text("context.pipelineRun.namespace", work.key.namespace.clone());
    known.text(
        "context.pipelineRun.uid",
        meta.uid.clone().unwrap_or_default(),
    );
    for workspace in &spec.workspaces {
        let name = &workspace.name;
        let is_bound = work.spec.workspaces.iter().any(|one| &one.name == name);
        known.text(format!("workspaces.{name}.bound"), is_bound.to_string());
    }
    for param in &work.spec.params {
        known.param(&param.name, &filled(&param.value, &known));
    }
    for declared in &spec.params {
        let given = work
            .spec
            .params
            .iter()
            .find(|one| one.name == declared.name);
        let Some(default) = &declared.default else {
            continue;
        };
        match given.map(|given| &given.value) {
            None => known.param(&declared.name, &filled(default, &known)),
            // Keys that the run leaves out are the default's.
            Some(ParamValue::Map(entries)) => {
                if let ParamValue::Map(mut all) = default.clone() {
                    all.extend(entries.clone());
                    known.param(&declared.name, &ParamValue::Map(all));
                }
            }
            Some(ParamValue::Text(_) | ParamValue::List(_)) => {}
        }
    }
    known
}

/// Fills in what the value of a parameter refers to itself.
fn filled(value: &ParamValue, known: &Replacements) -> ParamValue {
    let mut value = serde_json::to_value(value).unwrap_or(Value::Object(Map::new()));
    known.apply(&mut value);
    ParamValue::read(&value)
}
