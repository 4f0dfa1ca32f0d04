//! The TaskRun controller: a pod for each attempt, and a status told from it.
//!
//! Follows `pkg/reconciler/taskrun/taskrun.go`. The spec of the Task is fixed when the run begins
//! (`status.taskSpec`). A pod that disappears under a running TaskRun is made again.

mod bound;
mod pod;
mod progress;
mod workspace;

use super::model::spec::{TaskRunSpec, TaskSpec};
use super::model::status::{Conditions, TaskRunStatus};
use super::model::value::ParamValue;
use super::model::{TaskRun, status};
use super::replace::Replacements;
use super::resolve::{self, Unresolved};
use super::{Failure, LONGEST, go_span};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::analysis::duration;
use crate::sim::controllers::runtime::time::{api_time, utc};
use crate::sim::controllers::runtime::{
    Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer,
};
use crate::sim::events::{About, Events, Recorder};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::DeleteParams;
use progress::Progress;
use serde_json::{Value, json};
use std::sync::Arc;
pub(super) use workspace::{claim_of, claims};

/// The TaskRun controller.
pub struct TaskRuns {
    runs: Writer<TaskRun>,
    pods: Writer<Pod>,
    claims: Writer<PersistentVolumeClaim>,
    recorder: Recorder,
    clock: PlatformClock,
}

/// A TaskRun that is worked on.
struct Work<'a> {
    run: &'a TaskRun,
    key: &'a ObjectKey,
    spec: TaskRunSpec,
    status: TaskRunStatus,
    now: DateTime<Utc>,
}

impl TaskRuns {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let tools = super::tools(runtime, events, "TaskRun");
        let controller = Self {
            runs: tools.runs,
            pods: tools.children,
            claims: tools.claims,
            recorder: tools.recorder,
            clock: tools.clock,
        };
        runtime.run(controller, tools.queue);
    }

    /// Moves a run on; returns when it is over time.
    async fn advance(&self, work: &mut Work<'_>) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        if work.status.is_done() {
            return Ok(None);
        }
        let began = match &work.status.start_time {
            Some(began) => utc(began),
            None => {
                work.status.start_time = Some(api_time(work.now));
                if work.status.succeeded().is_none() {
                    work.status.say("Unknown", ("Started", ""), work.now);
                }
                work.now
            }
        };
        let name = &work.key.name;
        if work.spec.status == "TaskRunCancelled" {
            let message = format!(
                "TaskRun {name:?} was cancelled. {}",
                work.spec.status_message
            );
            let failure = ("TaskRunCancelled", message.trim_end().to_owned());
            self.abandon(work, failure).await?;
            return Ok(None);
        }
        let limit = work.spec.timeout.as_deref().map(duration::go);
        let limit = match limit {
            Some(Err(why)) => {
                fail(work, ("TaskRunValidationFailed", why));
                return Ok(None);
            }
            Some(Ok(limit)) => limit,
            None => LONGEST,
        };
        let end = (limit > TimeDelta::zero()).then_some(began + limit);
        if end.is_some_and(|end| work.now >= end) {
            let message = format!(
                "TaskRun {name:?} failed to finish within {:?}",
                go_span(limit)
            );
            self.abandon(work, ("TaskRunTimeout", message)).await?;
            return Ok(None);
        }
        match self.prepare(work).await? {
            Ok(task) => self.follow(work, &task).await?,
            Err(failure) => fail(work, failure),
        }
        Ok(end)
    }

    /// Returns the Task with everything filled in; it is fixed from the first time on.
    async fn prepare(
        &self,
        work: &mut Work<'_>,
    ) -> Result<Result<TaskSpec, Failure>, ReconcileError> {
        let mut spec = match (&work.status.task_spec, &work.spec.task_spec) {
            (Some(known), _) => known.clone(),
            (None, Some(inline)) => inline.clone(),
            (None, None) => {
                let reference = work.spec.task_ref.clone().unwrap_or_default();
                let client = self.runs.informer().client();
                match resolve::task(client, &work.key.namespace, &reference).await {
                    Ok(found) => found.spec,
                    Err(Unresolved::Later(error)) => return Err(error),
                    Err(Unresolved::Refused(why)) => {
                        let message = format!(
                            "error when listing tasks for taskRun {}: {why}",
                            work.key.name
                        );
                        return Ok(Err(("TaskRunResolutionFailed", message)));
                    }
                }
            }
        };
        let read = |spec: &Value| {
            serde_json::from_value::<TaskSpec>(spec.clone()).map_err(|error| {
                (
                    "TaskRunValidationFailed",
                    format!("invalid task spec: {error}"),
                )
            })
        };
        let task = match read(&spec) {
            Ok(task) => task,
            Err(failure) => return Ok(Err(failure)),
        };
        if work.status.task_spec.is_some() {
            return Ok(Ok(task));
        }
        if let Err(failure) = bound::check(&work.spec, &task) {
            return Ok(Err(failure));
        }
        let known = replacements(work, &task);
        // Twice: the value of a parameter may refer to a workspace.
        known.apply(&mut spec);
        known.apply(&mut spec);
        work.status.task_spec = Some(spec.clone());
        Ok(read(&spec))
    }

    /// Makes the pod, or tells the status from it.
    async fn follow(&self, work: &mut Work<'_>, task: &TaskSpec) -> Result<(), ReconcileError> {
        let wanted = pod_name(&work.key.name, work.status.retries_status.len());
        let known = self
            .pods
            .informer()
            .get(&ObjectKey::new(work.key.namespace.clone(), wanted.clone()));
        let is_own = |pod: &Arc<Pod>| {
            let owners = pod.metadata.owner_references.iter().flatten();
            let uid = work.run.metadata.uid.as_deref().unwrap_or_default();
            owners.into_iter().any(|owner| owner.uid == uid)
        };
        let Some(pod) = known.filter(is_own) else {
            return self.create(work, task, wanted).await;
        };
        if pod.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        work.status.pod_name = wanted;
        let annotation = "pipeline.tekton.dev/pipeline-task-on-error";
        let annotations = work.run.metadata.annotations.as_ref();
        let is_ignored = annotations
            .is_some_and(|all| all.get(annotation).is_some_and(|word| word == "continue"));
        let progress = progress::of(&pod, task, &work.key.name);
        self.tell(work, progress, is_ignored).await
    }

    async fn tell(
        &self,
        work: &mut Work<'_>,
        progress: Progress,
        is_ignored: bool,
    ) -> Result<(), ReconcileError> {
        work.status.steps = progress.steps;
        work.status.sidecars = progress.sidecars;
        let (reason, message) = (progress.reason, progress.message);
        match progress.succeeded {
            None => work.status.say("Unknown", (reason, &message), work.now),
            Some(true) => {
                work.status.results = progress.results;
                work.status.say("True", (reason, &message), work.now);
                work.status.completion_time = Some(api_time(work.now));
            }
            Some(false) => {
                work.status.results = progress.results;
                if progress.is_hopeless {
                    self.delete_pod(work).await?;
                }
                let reason = if is_ignored { "FailureIgnored" } else { reason };
                fail(work, (reason, message));
            }
        }
        Ok(())
    }

    async fn create(
        &self,
        work: &mut Work<'_>,
        task: &TaskSpec,
        name: String,
    ) -> Result<(), ReconcileError> {
        for claim in claims(work.run, &work.spec.workspaces) {
            let key = ObjectKey::of(&claim);
            if self.claims.informer().get(&key).is_none() {
                match self.claims.create(&claim).await {
                    Err(error) if error.reason() != "AlreadyExists" => return Err(error),
                    Ok(_) | Err(_) => {}
                }
            }
        }
        let pod = match pod::of(work.run, &work.spec, task, &name) {
            Ok(pod) => pod,
            Err(why) => {
                fail(
                    work,
                    ("PodCreationFailed", pod_failure(&work.key.name, &why)),
                );
                return Ok(());
            }
        };
        match self.pods.create(&pod).await {
            Ok(_) => {
                work.status.pod_name = name;
                work.status.say("Unknown", ("Pending", "Pending"), work.now);
                Ok(())
            }
            Err(error) if matches!(error.code(), Some(400 | 403 | 422)) => {
                let message = pod_failure(&work.key.name, &error.message());
                fail(work, ("PodCreationFailed", message));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Ends a run before its pod has ended.
    async fn abandon(&self, work: &mut Work<'_>, failure: Failure) -> Result<(), ReconcileError> {
        self.delete_pod(work).await?;
        let reason = failure.0;
        for step in &mut work.status.steps {
            progress::end_step(step, reason, work.now);
        }
        work.spec.retries = 0;
        fail(work, failure);
        Ok(())
    }

    async fn delete_pod(&self, work: &Work<'_>) -> Result<(), ReconcileError> {
        let key = ObjectKey::new(work.key.namespace.clone(), work.status.pod_name.clone());
        match self.pods.informer().get(&key) {
            Some(pod) => self.pods.delete(&*pod, &DeleteParams::default()).await,
            None => Ok(()),
        }
    }

    /// Records what has changed in the condition.
    fn record(&self, run: &TaskRun, old: &TaskRunStatus, new: &TaskRunStatus) {
        let (Some(condition), about) = (new.succeeded(), About::object(run)) else {
            return;
        };
        if old.succeeded() == Some(condition) {
            return;
        }
        let message = condition.message.clone();
        match condition.status.as_str() {
            "True" => self.recorder.normal(about, "Succeeded", message),
            "False" => self.recorder.warning(about, "Failed", message),
            _ => self.recorder.normal(about, &condition.reason, message),
        }
    }
}

/// Fails an attempt: the run goes on when it has retries left.
fn fail(work: &mut Work<'_>, (reason, message): Failure) {
    let status = &mut work.status;
    status.completion_time = Some(api_time(work.now));
    status.say("False", (reason, &message), work.now);
    let is_final = matches!(
        reason,
        "TaskRunResolutionFailed" | "TaskRunValidationFailed" | "TaskRunCancelled"
    );
    if is_final || status.retries_status.len() >= work.spec.retries as usize {
        return;
    }
    let mut attempt = status.clone();
    attempt.retries_status.clear();
    status
        .retries_status
        .push(serde_json::to_value(&attempt).unwrap_or_default());
    status.completion_time = None;
    status.start_time = None;
    status.pod_name.clear();
    status.results.clear();
    status.steps.clear();
    status.sidecars.clear();
    // The attempt is counted by `$(context.task.retry-count)`, so the spec is filled in anew.
    status.task_spec = None;
    status.say("Unknown", ("ToBeRetried", &message), work.now);
}

fn pod_failure(run: &str, why: &str) -> String {
    format!("failed to create task run pod {run:?}: {why}. Maybe invalid TaskSpec")
}

/// Returns the name of the pod of an attempt.
fn pod_name(run: &str, retries: usize) -> String {
    let suffix = match retries {
        0 => "-pod".to_owned(),
        retries => format!("-pod-retry{retries}"),
    };
    super::names::child_name(run, &suffix)
}

/// Returns what the references of a Task stand for in this run.
fn replacements(work: &Work<'_>, task: &TaskSpec) -> Replacements {
    let mut known = Replacements::default();
    for declared in &task.params {
        if let Some(default) = &declared.default {
            known.param(&declared.name, default);
        }
    }
    for param in &work.spec.params {
        known.param(&param.name, &param.value);
    }
    let meta = &work.run.metadata;
    known.text("context.taskRun.name", work.key.name.clone());
    known.text("context.taskRun.namespace", work.key.namespace.clone());
    known.text("context.taskRun.uid", meta.uid.clone().unwrap_or_default());
    let task_name = work.spec.task_ref.as_ref().map(|task| task.name.clone());
    known.text(
        "context.task.name",
        task_name.unwrap_or_else(|| work.key.name.clone()),
    );
    let retries = work.status.retries_status.len();
    known.text("context.task.retry-count", retries.to_string());
    for result in &task.results {
        let path = pod::result_path(&result.name);
        for key in [
            format!("results.{}.path", result.name),
            format!("results[\"{}\"].path", result.name),
            format!("results['{}'].path", result.name),
        ] {
            known.text(key, path.clone());
        }
    }
    for (index, step) in task.steps.iter().enumerate() {
        let container = pod::step_container(&step.name, index);
        let path = format!("/tekton/steps/{container}/exitCode");
        known.text(format!("steps.{container}.exitCode.path"), path.clone());
        known.text(format!("steps.{}.exitCode.path", step.name), path);
    }
    workspace::replacements(&mut known, task, &work.spec.workspaces);
    // Default values may refer to other parameters.
    for declared in &task.params {
        let is_given = work.spec.params.iter().any(|one| one.name == declared.name);
        if let (Some(ParamValue::Text(default)), false) = (&declared.default, is_given) {
            let filled = known.fill(default);
            known.param(&declared.name, &ParamValue::Text(filled));
        }
    }
    known
}

impl Controller for TaskRuns {
    type Key = ObjectKey;
    const NAME: &'static str = "taskrun";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(run) = self.runs.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        if run.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::OnChange);
        }
        let old: TaskRunStatus = status::read(&run.status);
        let mut work = Work {
            run: &run,
            key,
            spec: TaskRunSpec::default(),
            status: old.clone(),
            now: self.clock.now(),
        };
        let end = match serde_json::from_value(run.spec.clone()) {
            Ok(spec) => {
                work.spec = spec;
                self.advance(&mut work).await?
            }
            Err(error) if !old.is_done() => {
                fail(&mut work, ("TaskRunValidationFailed", error.to_string()));
                None
            }
            Err(_) => None,
        };
        let new = work.status;
        self.record(&run, &old, &new);
        let is_retried = new.retries_status.len() > old.retries_status.len();
        self.runs.update_status(&run, &old, &new).await?;
        if is_retried {
            return Ok(Requeue::At(self.clock.now()));
        }
        let labels =
            json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "tekton-pipelines"}}});
        let is_labelled = run
            .metadata
            .labels
            .as_ref()
            .is_some_and(|labels| labels.contains_key("app.kubernetes.io/managed-by"));
        if !is_labelled {
            self.runs.patch(key, &labels).await?;
        }
        Ok(Requeue::OnChange.or_at(end.filter(|_| !new.is_done())))
    }
}
