//! The PipelineRun controller: TaskRuns in the order of the graph, and a status told from them.
//!
//! Follows `pkg/reconciler/pipelinerun/pipelinerun.go`. The Pipeline is fixed when the run begins
//! (`status.pipelineSpec`, with parameters filled in), so that editing it changes later runs only.

mod children;
mod prepare;
mod results;
mod validation;

use super::facts::{Facts, Halt, Judgement, Limits, Standing, summary};
use super::model::spec::PipelineRunSpec;
use super::model::status::{ChildReference, Conditions, PipelineRunStatus, SkippedTask};
use super::model::{PipelineRun, TaskRun, status};
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
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use prepare::Prepared;

const BY_CANCEL: &str = "TaskRun cancelled as the PipelineRun it belongs to has been cancelled.";
const BY_TIMEOUT: &str = "TaskRun cancelled as the PipelineRun it belongs to has timed out.";

/// The PipelineRun controller.
pub struct PipelineRuns {
    runs: Writer<PipelineRun>,
    task_runs: Writer<TaskRun>,
    claims: Writer<PersistentVolumeClaim>,
    recorder: Recorder,
    clock: PlatformClock,
}

/// A PipelineRun that is worked on.
struct Work<'a> {
    run: &'a PipelineRun,
    key: &'a ObjectKey,
    spec: PipelineRunSpec,
    status: PipelineRunStatus,
    now: DateTime<Utc>,
}

impl Work<'_> {
    fn fail(&mut self, (reason, message): Failure) {
        self.status.completion_time = Some(api_time(self.now));
        self.status.say("False", (reason, &message), self.now);
    }

    /// Returns how long the parts of the run may take; a span that cannot be read is refused.
    fn limits(&self) -> Result<Limits, Failure> {
        let read = |text: &Option<String>| {
            let span = text.as_deref().map(duration::go).transpose();
            span.map_err(|why| ("PipelineValidationFailed", why))
        };
        let timeouts = &self.spec.timeouts;
        let pipeline = read(&timeouts.pipeline)?.unwrap_or(LONGEST);
        let (tasks, finally) = (read(&timeouts.tasks)?, read(&timeouts.finally)?);
        let limited = |span: Option<TimeDelta>| span.filter(|span| *span > TimeDelta::zero());
        let rest = |other: Option<TimeDelta>| {
            let other = limited(other)?;
            limited(Some(pipeline)).map(|pipeline| pipeline - other)
        };
        Ok(Limits {
            started: self.status.start_time.as_ref().map(utc),
            finally_started: self.status.finally_start_time.as_ref().map(utc),
            pipeline: limited(Some(pipeline)),
            tasks: limited(tasks).or_else(|| rest(finally)),
            finally: limited(finally).or_else(|| rest(tasks)),
        })
    }

    fn halt(&self) -> Halt {
        match self.spec.status.as_str() {
            "CancelledRunFinally" => Halt::CancelledRunFinally,
            "StoppedRunFinally" => Halt::StoppedRunFinally,
            _ => Halt::None,
        }
    }
}

impl PipelineRuns {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let tools = super::tools(runtime, events, "PipelineRun");
        let controller = Self {
            runs: tools.runs,
            task_runs: tools.children,
            claims: tools.claims,
            recorder: tools.recorder,
            clock: tools.clock,
        };
        runtime.run(controller, tools.queue);
    }

    /// Moves a run on; returns when something is over time.
    async fn advance(&self, work: &mut Work<'_>) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        if work.status.is_done() {
            return Ok(None);
        }
        let name = work.key.name.clone();
        if work.spec.status == "PipelineRunPending" && work.status.start_time.is_none() {
            let message = format!("PipelineRun {name:?} is pending");
            work.status
                .say("Unknown", ("PipelineRunPending", &message), work.now);
            return Ok(None);
        }
        if work.status.start_time.is_none() {
            work.status.start_time = Some(api_time(work.now));
            work.status.say("Unknown", ("Started", ""), work.now);
        }
        if work.spec.status == "Cancelled" {
            self.cancel(work, |_| true, BY_CANCEL).await?;
            self.refer(work, None);
            work.fail(("Cancelled", format!("PipelineRun {name:?} was cancelled")));
            return Ok(None);
        }
        let limits = match work.limits() {
            Ok(limits) => limits,
            Err(failure) => {
                work.fail(failure);
                return Ok(None);
            }
        };
        if limits.pipeline_end().is_some_and(|end| work.now >= end) {
            self.cancel(work, |_| true, BY_TIMEOUT).await?;
            self.refer(work, None);
            let span = go_span(limits.pipeline.unwrap_or(LONGEST));
            let message = format!("PipelineRun {name:?} failed to finish within {span:?}");
            work.fail(("PipelineRunTimeout", message));
            return Ok(None);
        }
        match self.prepare(work).await? {
            Ok(prepared) => self.proceed(work, &prepared, limits).await,
            Err(failure) => {
                work.fail(failure);
                Ok(None)
            }
        }
    }

    /// Begins what can be begun, and tells how all stands.
    async fn proceed(
        &self,
        work: &mut Work<'_>,
        prepared: &Prepared,
        limits: Limits,
    ) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        self.halt_tasks(work, (prepared, limits)).await?;
        let before = self.children(work.run);
        let after;
        let mut facts = Facts {
            tasks: &prepared.tasks,
            finally: &prepared.finally,
            graph: &prepared.graph,
            children: &before,
            halt: work.halt(),
            limits,
            now: work.now,
        };
        let mut judged = facts.judge();
        let created = match self.begin_ready(work, (prepared, &judged)).await? {
            Ok(created) => created,
            Err(failure) => {
                self.refer(work, None);
                work.fail(failure);
                return Ok(None);
            }
        };
        if !created.is_empty() {
            after = self.children(work.run);
            facts.children = &after;
            judged = facts.judge();
        }
        let known = Known { prepared, created };
        self.refer(work, Some(&known));
        conclude(work, &facts, (&judged, prepared));
        let ends = [
            limits.pipeline_end(),
            limits.tasks_end(),
            limits.finally_end(),
        ];
        Ok(ends
            .into_iter()
            .flatten()
            .filter(|end| *end > work.now)
            .min())
    }

    /// Cancels the tasks that are not to go on.
    async fn halt_tasks(
        &self,
        work: &Work<'_>,
        (prepared, limits): (&Prepared, Limits),
    ) -> Result<(), ReconcileError> {
        let is_task = |name: &str| prepared.is_task(name);
        if work.halt() == Halt::CancelledRunFinally {
            self.cancel(work, is_task, BY_CANCEL).await?;
        }
        if limits.tasks_end().is_some_and(|end| work.now >= end) {
            self.cancel(work, is_task, BY_TIMEOUT).await?;
        }
        if limits.finally_end().is_some_and(|end| work.now >= end) {
            self.cancel(work, |name| !is_task(name), BY_TIMEOUT).await?;
        }
        Ok(())
    }

    /// Begins the tasks whose turn has come; one that cannot be run fails the run.
    async fn begin_ready(
        &self,
        work: &mut Work<'_>,
        (prepared, judged): (&Prepared, &Judgement),
    ) -> Result<Result<Vec<ChildReference>, Failure>, ReconcileError> {
        let mut created = Vec::new();
        for (task, _) in prepared.tasks.iter().chain(&prepared.finally) {
            match judged.of(&task.name) {
                Standing::Ready(ready) => {
                    let is_final = !prepared.is_task(&task.name);
                    if is_final && work.status.finally_start_time.is_none() {
                        work.status.finally_start_time = Some(api_time(work.now));
                    }
                    match self.begin(work, ready, is_final).await? {
                        Ok(references) => created.extend(references),
                        Err(failure) => return Ok(Err(failure)),
                    }
                }
                Standing::Broken(reason, why) => return Ok(Err((*reason, why.clone()))),
                Standing::Waiting
                | Standing::Running
                | Standing::Succeeded
                | Standing::Failed { .. }
                | Standing::Cancelled
                | Standing::TimedOut
                | Standing::Skipped(..) => {}
            }
        }
        Ok(Ok(created))
    }

    /// Lists the TaskRuns in the order of the Pipeline.
    fn refer(&self, work: &mut Work<'_>, known: Option<&Known<'_>>) {
        let old = std::mem::take(&mut work.status.child_references);
        let created = known.map_or(&[][..], |known| known.created.as_slice());
        let mut references = Vec::new();
        let mut children = self.children(work.run);
        let order = known.into_iter().flat_map(|known| {
            let tasks = known.prepared.tasks.iter();
            tasks.chain(&known.prepared.finally)
        });
        for (task, _) in order {
            for child in children.remove(&task.name).into_iter().flatten() {
                let told = old.iter().chain(created).find(|one| one.name == child.name);
                references.push(told.cloned().unwrap_or_else(|| ChildReference {
                    api_version: "tekton.dev/v1".to_owned(),
                    kind: "TaskRun".to_owned(),
                    name: child.name,
                    pipeline_task_name: task.name.clone(),
                    ..ChildReference::default()
                }));
            }
        }
        // A TaskRun that was deleted was there all the same.
        let gone = old
            .into_iter()
            .filter(|one| references.iter().all(|other| other.name != one.name));
        let gone: Vec<_> = gone.collect();
        references.extend(gone);
        work.status.child_references = references;
    }

    fn record(&self, run: &PipelineRun, old: &PipelineRunStatus, new: &PipelineRunStatus) {
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

/// What a pass has found out.
struct Known<'a> {
    prepared: &'a Prepared,
    created: Vec<ChildReference>,
}

/// Says how the run is as a whole.
fn conclude(work: &mut Work<'_>, facts: &Facts<'_>, (judged, prepared): (&Judgement, &Prepared)) {
    let all = facts.tasks.iter().chain(facts.finally);
    work.status.skipped_tasks = all
        .filter_map(|(task, _)| match judged.of(&task.name) {
            Standing::Skipped(skip, when) => Some(SkippedTask {
                name: task.name.clone(),
                reason: skip.reason().to_owned(),
                when_expressions: when.clone(),
            }),
            Standing::Waiting
            | Standing::Ready(_)
            | Standing::Running
            | Standing::Succeeded
            | Standing::Failed { .. }
            | Standing::Cancelled
            | Standing::TimedOut
            | Standing::Broken(..) => None,
        })
        .collect();
    let summary = summary(facts, judged, &work.key.name);
    let told = (summary.reason, summary.message.as_str());
    work.status.say(summary.status, told, work.now);
    if summary.status == "Unknown" {
        return;
    }
    work.status.completion_time = Some(api_time(work.now));
    work.status.results = results::of(&prepared.results, facts, judged);
}

impl Controller for PipelineRuns {
    type Key = ObjectKey;
    const NAME: &'static str = "pipelinerun";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(run) = self.runs.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        if run.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::OnChange);
        }
        let old: PipelineRunStatus = status::read(&run.status);
        let mut work = Work {
            run: &run,
            key,
            spec: PipelineRunSpec::default(),
            status: old.clone(),
            now: self.clock.now(),
        };
        let due = match serde_json::from_value(run.spec.clone()) {
            Ok(spec) => {
                work.spec = spec;
                self.advance(&mut work).await?
            }
            Err(error) => {
                if !old.is_done() {
                    work.fail(("PipelineValidationFailed", error.to_string()));
                }
                None
            }
        };
        let new = work.status;
        self.record(&run, &old, &new);
        self.runs.update_status(&run, &old, &new).await?;
        Ok(Requeue::OnChange.or_at(due.filter(|_| !new.is_done())))
    }
}
