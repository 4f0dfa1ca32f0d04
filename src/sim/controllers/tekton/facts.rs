//! How the tasks of a PipelineRun stand, and what comes next.
//!
//! Pure; follows `pkg/reconciler/pipelinerun/resources/{pipelinerunresolution,pipelinerunstate}.go`:
//! in which order reasons to skip a task are looked at, when a run is stopping, what final tasks
//! may read, and how the whole is summed up.

mod summary;

pub(super) use summary::summary;

use super::graph::Graph;
use super::model::spec::{PipelineTask, When};
use super::model::value::ParamValue;
use super::replace::{Replacements, ResultReference, result_references};
use super::when;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::collections::BTreeMap;

/// How a TaskRun has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Succeeded,
    Failed,
    Cancelled,
    /// Cancelled because the PipelineRun took too long.
    TimedOut,
}

/// A TaskRun, as far as its PipelineRun looks at it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Child {
    pub(super) name: String,
    pub(super) end: Option<End>,
    pub(super) reason: String,
    pub(super) results: BTreeMap<String, ParamValue>,
}

/// How the user lets a run come to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Halt {
    #[default]
    None,
    /// Running tasks are cancelled, final tasks run.
    CancelledRunFinally,
    /// Running tasks end by themselves, final tasks run.
    StoppedRunFinally,
}

/// Until when what may run; none: without limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) finally_started: Option<DateTime<Utc>>,
    pub(super) pipeline: Option<TimeDelta>,
    pub(super) tasks: Option<TimeDelta>,
    pub(super) finally: Option<TimeDelta>,
}

impl Limits {
    /// Returns when the whole run is over time.
    pub(super) fn pipeline_end(&self) -> Option<DateTime<Utc>> {
        Some(self.started? + self.pipeline?)
    }

    /// Returns when the tasks before the final ones are over time.
    pub(super) fn tasks_end(&self) -> Option<DateTime<Utc>> {
        Some(self.started? + self.tasks?)
    }

    /// Returns when the final tasks are over time.
    pub(super) fn finally_end(&self) -> Option<DateTime<Utc>> {
        Some(self.finally_started? + self.finally?)
    }
}

/// Why a task is not run; the words are upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    WhenExpressions,
    ParentTasks,
    Stopping,
    GracefullyCancelled,
    GracefullyStopped,
    MissingResults,
    PipelineTimedOut,
    TasksTimedOut,
    FinallyTimedOut,
    EmptyMatrix,
}

impl Skip {
    /// Returns the reason on the wire.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::WhenExpressions => "When Expressions evaluated to false",
            Self::ParentTasks => "Parent Tasks were skipped",
            Self::Stopping => "PipelineRun was stopping",
            Self::GracefullyCancelled => "PipelineRun was gracefully cancelled",
            Self::GracefullyStopped => "PipelineRun was gracefully stopped",
            Self::MissingResults => "Results were missing",
            Self::PipelineTimedOut => "PipelineRun timeout has been reached",
            Self::TasksTimedOut => "PipelineRun Tasks timeout has been reached",
            Self::FinallyTimedOut => "PipelineRun Finally timeout has been reached",
            Self::EmptyMatrix => "Matrix Parameters have an empty array",
        }
    }
}

/// How a task stands.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// Others have to end first.
    Waiting,
    /// It is to be run, as it is now: all it refers to is filled in.
    Ready(Box<(PipelineTask, Value)>),
    Running,
    Succeeded,
    Failed {
        ignored: bool,
    },
    Cancelled,
    TimedOut,
    Skipped(Skip, Vec<When>),
    /// It cannot be run: reason and message.
    Broken(&'static str, String),
}

impl Standing {
    /// Nothing will come of the task any more.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Waiting | Self::Ready(_) | Self::Running | Self::Broken(..) => false,
            Self::Succeeded
            | Self::Failed { .. }
            | Self::Cancelled
            | Self::TimedOut
            | Self::Skipped(..) => true,
        }
    }

    fn skipped(&self) -> Option<Skip> {
        if let Self::Skipped(skip, _) = self {
            Some(*skip)
        } else {
            None
        }
    }
}

/// All that is known of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// The tasks in the order of the Pipeline, read and as written.
    pub(super) tasks: &'a [(PipelineTask, Value)],
    pub(super) finally: &'a [(PipelineTask, Value)],
    pub(super) graph: &'a Graph,
    pub(super) children: &'a BTreeMap<String, Vec<Child>>,
    pub(super) halt: Halt,
    pub(super) limits: Limits,
    pub(super) now: DateTime<Utc>,
}

/// How all tasks stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Judgement {
    by_name: BTreeMap<String, Standing>,
    /// All tasks before the final ones are done.
    pub(super) tasks_done: bool,
}

impl Judgement {
    /// Returns how a task stands.
    pub(super) fn of(&self, task: &str) -> &Standing {
        self.by_name.get(task).unwrap_or(&Standing::Waiting)
    }
}

impl Facts<'_> {
    /// Judges all tasks.
    pub(super) fn judge(&self) -> Judgement {
        let mut judged = Judgement::default();
        let stopping = self.is_stopping();
        for name in &self.graph.order {
            if let Some(task) = self.tasks.iter().find(|(task, _)| &task.name == name) {
                let standing = self.task(task, stopping, &judged);
                judged.by_name.insert(name.clone(), standing);
            }
        }
        judged.tasks_done = judged.by_name.values().all(Standing::is_done);
        let known = self.statuses(&judged);
        for task in self.finally {
            let standing = self.final_task(task, &known, &judged);
            judged.by_name.insert(task.0.name.clone(), standing);
        }
        judged
    }

    /// Returns how the TaskRuns of a task stand together; none: there are none.
    fn run(&self, task: &PipelineTask) -> Option<Standing> {
        let children = self.children.get(&task.name)?;
        if children.is_empty() {
            return None;
        }
        let ends: Option<Vec<End>> = children.iter().map(|child| child.end).collect();
        let Some(ends) = ends else {
            return Some(Standing::Running);
        };
        let any = |wanted: End| ends.contains(&wanted);
        Some(if any(End::TimedOut) {
            Standing::TimedOut
        } else if any(End::Cancelled) {
            Standing::Cancelled
        } else if any(End::Failed) {
            Standing::Failed {
                ignored: task.failure_is_ignored(),
            }
        } else {
            Standing::Succeeded
        })
    }

    /// A task was cancelled or failed, so that no further ones are begun.
    fn is_stopping(&self) -> bool {
        self.tasks.iter().any(|(task, _)| match self.run(task) {
            Some(Standing::Cancelled | Standing::TimedOut) => true,
            Some(Standing::Failed { ignored }) => !ignored,
            Some(
                Standing::Waiting
                | Standing::Ready(_)
                | Standing::Running
                | Standing::Succeeded
                | Standing::Skipped(..)
                | Standing::Broken(..),
            )
            | None => false,
        })
    }

    fn task(
        &self,
        (task, written): &(PipelineTask, Value),
        stopping: bool,
        judged: &Judgement,
    ) -> Standing {
        if let Some(standing) = self.run(task) {
            return standing;
        }
        let skipped = |skip: Skip| Standing::Skipped(skip, task.when.clone());
        if stopping {
            return skipped(Skip::Stopping);
        }
        match self.halt {
            Halt::None => {}
            Halt::CancelledRunFinally => return skipped(Skip::GracefullyCancelled),
            Halt::StoppedRunFinally => return skipped(Skip::GracefullyStopped),
        }
        let parents: Vec<&Standing> = self
            .graph
            .parents(&task.name)
            .map(|parent| judged.of(parent))
            .collect();
        let is_skipped_for_good = |parent: &&Standing| {
            parent
                .skipped()
                .is_some_and(|skip| skip != Skip::WhenExpressions)
        };
        if parents.iter().any(is_skipped_for_good) {
            return skipped(Skip::ParentTasks);
        }
        if !parents.iter().all(|parent| parent.is_done()) {
            return Standing::Waiting;
        }
        let mut known = Replacements::default();
        if let Err((reference, why)) = self.resolve(written, judged, &mut known) {
            let parent = judged.of(&reference.task);
            let is_excused =
                parent.skipped().is_some() || matches!(parent, Standing::Failed { ignored: true });
            return if is_excused {
                skipped(Skip::MissingResults)
            } else {
                Standing::Broken("InvalidTaskResultReference", why)
            };
        }
        self.ready(written, &known, |now| {
            if self.limits.pipeline_end().is_some_and(|end| now > end) {
                Some(Skip::PipelineTimedOut)
            } else if self.limits.tasks_end().is_some_and(|end| now > end) {
                Some(Skip::TasksTimedOut)
            } else {
                None
            }
        })
    }

    fn final_task(
        &self,
        (task, written): &(PipelineTask, Value),
        statuses: &Replacements,
        judged: &Judgement,
    ) -> Standing {
        if let Some(standing) = self.run(task) {
            return standing;
        }
        if !judged.tasks_done {
            return Standing::Waiting;
        }
        let mut known = statuses.clone();
        if self.resolve(written, judged, &mut known).is_err() {
            return Standing::Skipped(Skip::MissingResults, Vec::new());
        }
        let standing = self.ready(written, &known, |now| {
            if self.limits.pipeline_end().is_some_and(|end| now > end) {
                Some(Skip::PipelineTimedOut)
            } else if self.limits.finally_end().is_some_and(|end| now > end) {
                Some(Skip::FinallyTimedOut)
            } else {
                None
            }
        });
        match standing.skipped() {
            Some(skip) if skip != Skip::WhenExpressions => Standing::Skipped(skip, Vec::new()),
            Some(_) | None => standing,
        }
    }

    /// Fills in what is known, and looks at what may still keep the task from running.
    fn ready(
        &self,
        written: &Value,
        known: &Replacements,
        too_late: impl Fn(DateTime<Utc>) -> Option<Skip>,
    ) -> Standing {
        let mut filled = written.clone();
        known.apply(&mut filled);
        let task: PipelineTask = match serde_json::from_value(filled.clone()) {
            Ok(task) => task,
            Err(error) => return Standing::Broken("PipelineValidationFailed", error.to_string()),
        };
        match when::allow(&task.when) {
            Ok(true) => {}
            Ok(false) => return Standing::Skipped(Skip::WhenExpressions, task.when),
            Err(why) => return Standing::Broken("CELEvaluationFailed", why),
        }
        if let Some(skip) = too_late(self.now) {
            return Standing::Skipped(skip, task.when);
        }
        if task
            .matrix
            .as_ref()
            .is_some_and(super::model::spec::Matrix::has_empty_list)
        {
            return Standing::Skipped(Skip::EmptyMatrix, task.when);
        }
        Standing::Ready(Box::new((task, filled)))
    }

    /// Looks up the results that a task refers to.
    fn resolve(
        &self,
        written: &Value,
        judged: &Judgement,
        known: &mut Replacements,
    ) -> Result<(), (ResultReference, String)> {
        for reference in result_references(written) {
            match self.result(&reference, judged) {
                Ok(value) => known.result(&reference.task, &reference.result, &value),
                Err(why) => return Err((reference, why)),
            }
        }
        Ok(())
    }

    /// Returns a result of a task that has ended.
    pub(super) fn result(
        &self,
        reference: &ResultReference,
        judged: &Judgement,
    ) -> Result<ParamValue, String> {
        let (task, result) = (&reference.task, &reference.result);
        let all = self.tasks.iter().chain(self.finally);
        let Some((found, _)) = all.into_iter().find(|(one, _)| &one.name == task) else {
            return Err(format!("could not find task {task:?} referenced by result"));
        };
        match judged.of(task) {
            Standing::Waiting | Standing::Ready(_) | Standing::Running | Standing::Skipped(..) => {
                return Err(format!(
                    "task {task:?} referenced by result was not finished"
                ));
            }
            Standing::Succeeded
            | Standing::Failed { .. }
            | Standing::Cancelled
            | Standing::TimedOut
            | Standing::Broken(..) => {}
        }
        let children = self.children.get(task).map_or(&[][..], Vec::as_slice);
        let missing = || format!("Could not find result with name {result} for task {task}");
        if found.matrix.is_some() {
            let texts: Vec<String> = children
                .iter()
                .filter_map(|child| child.results.get(result))
                .map(ParamValue::to_text)
                .collect();
            return if texts.is_empty() {
                Err(missing())
            } else {
                Ok(ParamValue::List(texts))
            };
        }
        let value = children.first().and_then(|child| child.results.get(result));
        value.cloned().ok_or_else(missing)
    }

    /// Returns what final tasks may read of how the others have ended.
    fn statuses(&self, judged: &Judgement) -> Replacements {
        let mut known = Replacements::default();
        let mut whole = if judged.tasks_done {
            "Succeeded"
        } else {
            "None"
        };
        for (task, _) in self.tasks {
            let children = self.children.get(&task.name).map_or(&[][..], Vec::as_slice);
            let has_failed = children
                .iter()
                .any(|child| child.end.is_some_and(|end| end != End::Succeeded));
            let status = match judged.of(&task.name) {
                Standing::Succeeded => "Succeeded",
                Standing::Waiting
                | Standing::Ready(_)
                | Standing::Running
                | Standing::Failed { .. }
                | Standing::Cancelled
                | Standing::TimedOut
                | Standing::Skipped(..)
                | Standing::Broken(..) => {
                    if has_failed {
                        "Failed"
                    } else {
                        "None"
                    }
                }
            };
            known.text(format!("tasks.{}.status", task.name), status);
            let reason = children.first().map_or("", |child| child.reason.as_str());
            known.text(format!("tasks.{}.reason", task.name), reason);
            if judged.tasks_done && whole != "Failed" {
                if status == "Failed" {
                    whole = "Failed";
                } else if judged.of(&task.name).skipped().is_some() {
                    whole = "Completed";
                }
            }
        }
        known.text("tasks.status", whole);
        known
    }
}

#[cfg(test)]
mod tests;
