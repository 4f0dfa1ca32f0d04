//! How a PipelineRun is as a whole.
//!
//! Follows `GetPipelineConditionStatus` of
//! `pkg/reconciler/pipelinerun/resources/pipelinerunstate.go`; the messages are upstream's.

use super::{Facts, Halt, Judgement, Skip, Standing};

/// The condition of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim::controllers::tekton) struct Summary {
    /// `True`, `False` or `Unknown`.
    pub(in crate::sim::controllers::tekton) status: &'static str,
    pub(in crate::sim::controllers::tekton) reason: &'static str,
    pub(in crate::sim::controllers::tekton) message: String,
}

#[derive(Default)]
struct Counts {
    succeeded: u32,
    failed: u32,
    ignored: u32,
    cancelled: u32,
    skipped: u32,
    too_late: u32,
    incomplete: u32,
}

impl Counts {
    fn of(facts: &Facts<'_>, judged: &Judgement) -> Self {
        let mut counts = Self::default();
        for (task, _) in facts.tasks.iter().chain(facts.finally) {
            match judged.of(&task.name) {
                Standing::Succeeded => counts.succeeded += 1,
                Standing::Failed { ignored: true } => counts.ignored += 1,
                Standing::Failed { ignored: false } | Standing::TimedOut => counts.failed += 1,
                Standing::Cancelled => counts.cancelled += 1,
                Standing::Skipped(skip, _) => {
                    counts.skipped += 1;
                    if matches!(
                        skip,
                        Skip::PipelineTimedOut | Skip::TasksTimedOut | Skip::FinallyTimedOut
                    ) {
                        counts.too_late += 1;
                    }
                }
                Standing::Waiting
                | Standing::Ready(_)
                | Standing::Running
                | Standing::Broken(..) => counts.incomplete += 1,
            }
        }
        counts
    }

    fn message(&self) -> String {
        let completed = self.succeeded + self.failed + self.cancelled + self.ignored;
        let failed = if self.ignored > 0 {
            format!("{} (Ignored: {})", self.failed + self.ignored, self.ignored)
        } else {
            self.failed.to_string()
        };
        let incomplete = if self.incomplete > 0 {
            format!("Incomplete: {}, ", self.incomplete)
        } else {
            String::new()
        };
        format!(
            "Tasks Completed: {completed} (Failed: {failed}, Cancelled {}), {incomplete}Skipped: {}",
            self.cancelled, self.skipped
        )
    }
}

/// Sums up a run that is within its time.
pub(in crate::sim::controllers::tekton) fn summary(
    facts: &Facts<'_>,
    judged: &Judgement,
    run: &str,
) -> Summary {
    let counts = Counts::of(facts, judged);
    let message = counts.message();
    let (status, reason) = match counts.incomplete {
        0 if counts.failed > 0 || counts.too_late > 0 => ("False", "Failed"),
        0 if facts.halt != Halt::None => {
            return Summary {
                status: "False",
                reason: "Cancelled",
                message: format!("PipelineRun {run:?} was cancelled"),
            };
        }
        0 if counts.cancelled > 0 => ("False", "Cancelled"),
        0 if counts.skipped > 0 => ("True", "Completed"),
        0 => ("True", "Succeeded"),
        _ => ("Unknown", underway(facts, judged, &counts)),
    };
    Summary {
        status,
        reason,
        message,
    }
}

fn underway(facts: &Facts<'_>, judged: &Judgement, counts: &Counts) -> &'static str {
    let finally_done = facts
        .finally
        .iter()
        .all(|(task, _)| judged.of(&task.name).is_done());
    match facts.halt {
        Halt::CancelledRunFinally => "CancelledRunningFinally",
        Halt::StoppedRunFinally => "StoppedRunningFinally",
        Halt::None if counts.cancelled > 0 || (counts.failed > 0 && finally_done) => {
            "PipelineRunStopping"
        }
        Halt::None => "Running",
    }
}
