//! The TaskRuns of a PipelineRun: read, made, cancelled.

use super::{BY_TIMEOUT, Failure, PipelineRuns, Work};
use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::runtime::{ObjectKey, ReconcileError};
use crate::sim::controllers::tekton::facts::{Child, End};
use crate::sim::controllers::tekton::model::spec::{Param, PipelineTask, WorkspaceBinding};
use crate::sim::controllers::tekton::model::status::{ChildReference, Conditions, TaskRunStatus};
use crate::sim::controllers::tekton::model::{PipelineRun, TaskRun, status};
use crate::sim::controllers::tekton::names::child_name;
use crate::sim::controllers::tekton::task_run::{claim_of, claims};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const TASK: &str = "tekton.dev/pipelineTask";

impl PipelineRuns {
    fn task_runs(&self, run: &PipelineRun) -> Vec<(String, Arc<TaskRun>)> {
        let uid = run.metadata.uid.as_deref().unwrap_or_default();
        let mut found: Vec<_> = self
            .task_runs
            .informer()
            .owned_by(uid)
            .into_iter()
            .filter_map(|one| {
                let labels = one.metadata.labels.as_ref()?;
                Some((labels.get(TASK)?.clone(), one))
            })
            .collect();
        // The numbers of a matrix in their order: `-2` before `-10`.
        found.sort_by_key(|(_, one)| {
            let name = one.metadata.name.clone().unwrap_or_default();
            (name.len(), name)
        });
        found
    }

    /// Returns how the TaskRuns are, by task.
    pub(super) fn children(&self, run: &PipelineRun) -> BTreeMap<String, Vec<Child>> {
        let mut children: BTreeMap<String, Vec<Child>> = BTreeMap::new();
        for (task, found) in self.task_runs(run) {
            children.entry(task).or_default().push(child(&found));
        }
        children
    }

    /// Cancels the TaskRuns of some tasks that have not ended.
    pub(super) async fn cancel(
        &self,
        work: &Work<'_>,
        is_meant: impl Fn(&str) -> bool,
        why: &str,
    ) -> Result<(), ReconcileError> {
        for (task, found) in self.task_runs(work.run) {
            let status: TaskRunStatus = status::read(&found.status);
            let is_told = found.spec.get("status").and_then(Value::as_str).is_some();
            if is_told || status.is_done() || !is_meant(&task) {
                continue;
            }
            let patch = json!({"spec": {"status": "TaskRunCancelled", "statusMessage": why}});
            match self.task_runs.patch(&ObjectKey::of(&*found), &patch).await {
                Err(error) if !error.is_not_found() => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Makes the TaskRuns of a task whose turn has come.
    pub(super) async fn begin(
        &self,
        work: &Work<'_>,
        ready: &(PipelineTask, Value),
        is_final: bool,
    ) -> Result<Result<Vec<ChildReference>, Failure>, ReconcileError> {
        for claim in claims(work.run, &work.spec.workspaces) {
            if self.claims.informer().get(&ObjectKey::of(&claim)).is_none() {
                match self.claims.create(&claim).await {
                    Err(error) if error.reason() != "AlreadyExists" => return Err(error),
                    Ok(_) | Err(_) => {}
                }
            }
        }
        let task = &ready.0;
        let combinations = match &task.matrix {
            Some(matrix) => matrix.combinations().into_iter().map(Some).collect(),
            None => vec![None],
        };
        let mut references = Vec::new();
        for (index, combination) in combinations.into_iter().enumerate() {
            let suffix = match combination {
                Some(_) => format!("-{}-{index}", task.name),
                None => format!("-{}", task.name),
            };
            let name = child_name(&work.key.name, &suffix);
            let child = TaskRun {
                metadata: meta(work, ready, (name.clone(), is_final)),
                spec: spec(work, task, combination.unwrap_or_default()),
                status: Value::Null,
            };
            match self.task_runs.create(&child).await {
                Ok(_) => {}
                Err(error) if error.reason() == "AlreadyExists" => {}
                Err(error) if matches!(error.code(), Some(400 | 403 | 422)) => {
                    let message = format!(
                        "error creating TaskRuns called [{name}] for PipelineTask {} from \
                         PipelineRun {}: {}",
                        task.name,
                        work.key.name,
                        error.message()
                    );
                    return Ok(Err(("CreateRunFailed", message)));
                }
                Err(error) => return Err(error),
            }
            references.push(ChildReference {
                api_version: "tekton.dev/v1".to_owned(),
                kind: "TaskRun".to_owned(),
                name,
                display_name: task.display_name.clone(),
                pipeline_task_name: task.name.clone(),
                when_expressions: task.when.clone(),
            });
        }
        Ok(Ok(references))
    }
}

fn child(run: &TaskRun) -> Child {
    let status: TaskRunStatus = status::read(&run.status);
    let condition = status.succeeded();
    let reason = condition.map(|one| one.reason.clone()).unwrap_or_default();
    let end = condition.and_then(|one| match one.status.as_str() {
        "True" => Some(End::Succeeded),
        "False" if one.reason == "TaskRunCancelled" => {
            let why = run.spec.get("statusMessage").and_then(Value::as_str);
            Some(if why == Some(BY_TIMEOUT) {
                End::TimedOut
            } else {
                End::Cancelled
            })
        }
        "False" => Some(End::Failed),
        _ => None,
    });
    Child {
        name: run.metadata.name.clone().unwrap_or_default(),
        end,
        reason,
        results: status
            .results
            .into_iter()
            .map(|result| (result.name, result.value))
            .collect(),
    }
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let texts = value.and_then(|value| serde_json::from_value(value.clone()).ok());
    texts.unwrap_or_default()
}

fn meta(
    work: &Work<'_>,
    (task, written): &(PipelineTask, Value),
    (name, is_final): (String, bool),
) -> ObjectMeta {
    let run = &work.run.metadata;
    let mut labels = texts(written.pointer("/taskSpec/metadata/labels"));
    labels.extend(run.labels.clone().unwrap_or_default());
    labels
        .entry("tekton.dev/pipeline".to_owned())
        .or_insert_with(|| {
            let reference = work.spec.pipeline_ref.as_ref().map(|one| one.name.clone());
            reference.unwrap_or_else(|| work.key.name.clone())
        });
    let own = [
        ("tekton.dev/pipelineRun", work.key.name.as_str()),
        (
            "tekton.dev/pipelineRunUID",
            run.uid.as_deref().unwrap_or_default(),
        ),
        (TASK, task.name.as_str()),
        (
            "tekton.dev/memberOf",
            if is_final { "finally" } else { "tasks" },
        ),
        ("app.kubernetes.io/managed-by", "tekton-pipelines"),
    ];
    labels.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    if let Some(reference) = task.task_ref.as_ref().filter(|one| !one.name.is_empty()) {
        labels.insert("tekton.dev/task".to_owned(), reference.name.clone());
    }
    let mut annotations = texts(written.pointer("/taskSpec/metadata/annotations"));
    annotations.extend(run.annotations.clone().unwrap_or_default());
    annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    if !task.on_error.is_empty() {
        annotations.insert(
            "pipeline.tekton.dev/pipeline-task-on-error".to_owned(),
            task.on_error.clone(),
        );
    }
    ObjectMeta {
        name: Some(name),
        namespace: run.namespace.clone(),
        labels: Some(labels),
        annotations: (!annotations.is_empty()).then_some(annotations),
        owner_references: Some(vec![reference_to(work.run)]),
        ..ObjectMeta::default()
    }
}

fn spec(work: &Work<'_>, task: &PipelineTask, combination: Vec<Param>) -> Value {
    let mut params = task.params.clone();
    for param in combination {
        params.retain(|one| one.name != param.name);
        params.push(param);
    }
    let own = work
        .spec
        .task_run_specs
        .iter()
        .find(|one| one.pipeline_task_name == task.name);
    let template = &work.spec.task_run_template;
    let account = own
        .map(|own| own.service_account_name.as_str())
        .filter(|name| !name.is_empty())
        .unwrap_or(&template.service_account_name);
    let account = if account.is_empty() {
        "default"
    } else {
        account
    };
    let timeout = own
        .map(|own| own.timeout.as_str())
        .filter(|text| !text.is_empty())
        .or_else(|| Some(task.timeout.as_str()).filter(|text| !text.is_empty()))
        .unwrap_or("1h0m0s");
    let mut spec = json!({"serviceAccountName": account, "timeout": timeout});
    if !params.is_empty() {
        spec["params"] = json!(params);
    }
    if task.retries > 0 {
        spec["retries"] = json!(task.retries);
    }
    let pod = own.and_then(|own| own.pod_template.as_ref());
    if let Some(pod) = pod.or(template.pod_template.as_ref()) {
        spec["podTemplate"] = pod.clone();
    }
    if let Some(reference) = &task.task_ref {
        spec["taskRef"] = match reference.resolver.as_str() {
            "" => json!({"kind": "Task", "name": reference.name}),
            resolver => json!({"resolver": resolver, "params": reference.params}),
        };
    }
    if let Some(Value::Object(inline)) = &task.task_spec {
        let mut inline: Map<String, Value> = inline.clone();
        inline.remove("metadata");
        spec["taskSpec"] = Value::Object(inline);
    }
    let workspaces = workspaces(work, task);
    if !workspaces.is_empty() {
        spec["workspaces"] = json!(workspaces);
    }
    spec
}

/// Returns the workspaces of the run under the names that the task knows them by.
fn workspaces(work: &Work<'_>, task: &PipelineTask) -> Vec<WorkspaceBinding> {
    let binding = |wanted: &crate::sim::controllers::tekton::model::spec::TaskWorkspace| {
        let name = match wanted.workspace.as_str() {
            "" => &wanted.name,
            name => name,
        };
        let bound = work.spec.workspaces.iter().find(|one| one.name == name)?;
        let mut binding = bound.clone();
        if let Some(claim) = claim_of(work.run, bound) {
            binding.source.clear();
            let source = json!({"claimName": claim});
            binding
                .source
                .insert("persistentVolumeClaim".to_owned(), source);
        }
        binding.name.clone_from(&wanted.name);
        binding.sub_path = match (bound.sub_path.as_str(), wanted.sub_path.as_str()) {
            ("", path) | (path, "") => path.to_owned(),
            (outer, inner) => format!("{outer}/{inner}"),
        };
        Some(binding)
    };
    task.workspaces.iter().filter_map(binding).collect()
}
