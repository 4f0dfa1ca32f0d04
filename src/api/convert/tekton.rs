//! Turns PipelineRuns and TaskRuns of Tekton into [`domain::pipeline`](crate::domain::pipeline).
//!
//! Field meanings: Tekton `pkg/apis/pipeline/v1/pipelinerun_types.go`, `taskrun_types.go`. The
//! graph comes from the resolved `status.pipelineSpec`; states come from the children that
//! `status.childReferences` names, never from names alone.

mod tasks;

use super::loose::{Loose, Meta, at};
use super::run_template::{commit_of, scalar};
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text};
use crate::domain::pipeline::{
    Nodes, Parameter, Phase, RunDetail, RunRow, System, TEKTON, Trigger, failing_of,
};
use serde_json::Value;

pub use tasks::Children;

/// The kind of a PipelineRun.
pub fn pipeline_run_kind() -> GroupKind {
    System::Tekton.kind()
}

/// The kind of a TaskRun.
pub fn task_run_kind() -> GroupKind {
    GroupKind::new(TEKTON, "TaskRun")
}

/// Reads the row of one PipelineRun, or of a TaskRun that stands alone.
pub fn run_row(value: &Value, cluster: &Cluster, kind: &GroupKind) -> RunRow {
    let mut loose = Loose::default();
    let meta = Meta::read(value, cluster, kind, &mut loose);
    row(value, &meta, &mut loose)
}

/// Reads one run with its tasks.
pub fn detail(
    value: &Value,
    cluster: &Cluster,
    kind: &GroupKind,
    children: &Children<'_>,
) -> RunDetail {
    let mut loose = Loose::default();
    let meta = Meta::read(value, cluster, kind, &mut loose);
    let mut row = row(value, &meta, &mut loose);
    let nodes = if *kind == task_run_kind() {
        tasks::of_task_run(value, &meta.object, children)
    } else {
        tasks::of_pipeline_run(value, &meta.object, (children, row.phase))
    };
    if row.phase.is_bad()
        && let Some(node) = failing_of(&nodes).and_then(|at| nodes.get(at))
    {
        row.failing = Text::clone(&node.label);
    }
    let service_account = ["taskRunTemplate", "serviceAccountName"];
    let account = scalar(at(value, &["spec", service_account[0], service_account[1]]));
    RunDetail {
        parameters: params(at(value, &["spec", "params"])),
        outputs: params(at(value, &["status", "results"])),
        service_account: account,
        notes: notes(value),
        nodes,
        findings: loose.findings(&meta.object),
        row,
    }
}

fn row(value: &Value, meta: &Meta, loose: &mut Loose) -> RunRow {
    let verdict = Verdict::of(value);
    let ending = loose.text(value, &["spec", "status"]);
    let phase = match (verdict.phase, &*ending) {
        (Phase::Pending | Phase::Running, "PipelineRunPending") => Phase::Pending,
        (phase, _) => phase,
    };
    RunRow {
        object: meta.object.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        created: meta.created,
        deleting: meta.deleting.clone(),
        labels: meta.labels.clone(),
        system: System::Tekton,
        template: template_of(value, meta),
        phase,
        status: verdict.status(),
        progress: progress_of(&verdict.message),
        message: verdict.message,
        started: loose.time(value, &["status", "startTime"]),
        finished: loose.time(value, &["status", "completionTime"]),
        commit: commit_of(&params(at(value, &["spec", "params"]))),
        trigger: trigger(meta),
        ending,
        usual: None,
        failing: "".into(),
        nodes: Nodes::Inline,
        findings: Vec::new(),
    }
}

/// What the condition `Succeeded` says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    phase: Phase,
    reason: Text,
    message: Text,
}

impl Verdict {
    fn of(value: &Value) -> Self {
        let conditions = at(value, &["status", "conditions"]).and_then(Value::as_array);
        let succeeded = conditions
            .into_iter()
            .flatten()
            .find(|one| one.get("type").and_then(Value::as_str) == Some("Succeeded"));
        let text = |name: &str| scalar(succeeded.and_then(|one| one.get(name)));
        let reason = text("reason");
        let phase = match &*text("status") {
            "True" => Phase::Succeeded,
            "False" => bad_phase(&reason),
            "Unknown"
                if matches!(
                    &*reason,
                    "Pending" | "PipelineRunPending" | "TaskRunPending"
                ) =>
            {
                Phase::Pending
            }
            "Unknown" => Phase::Running,
            _ => Phase::Pending,
        };
        Self {
            phase,
            reason,
            message: text("message"),
        }
    }

    /// As `tkn` prints it: the phase, and the reason where it says more.
    fn status(&self) -> Text {
        let plain = [
            "",
            "Completed",
            "Started",
            "Running",
            "Succeeded",
            "Failed",
            "Pending",
            "PipelineRunPending",
            "Cancelled",
        ];
        if plain.contains(&&*self.reason) {
            return "".into();
        }
        format!("{} ({})", self.phase.word(), self.reason).into()
    }
}

fn bad_phase(reason: &str) -> Phase {
    let cancelled = [
        "Cancelled",
        "PipelineRunCancelled",
        "TaskRunCancelled",
        "CancelledRunFinally",
        "StoppedRunFinally",
    ];
    if cancelled.contains(&reason) {
        Phase::Cancelled
    } else if reason.starts_with("Couldnt")
        || reason.starts_with("Invalid")
        || reason.contains("ValidationFailed")
    {
        Phase::Error
    } else {
        Phase::Failed
    }
}

/// Reads `Tasks Completed: 3 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 1`.
fn progress_of(message: &str) -> Option<(u32, u32)> {
    let number = |word: &str| -> Option<u32> {
        let (_, rest) = message.split_once(word)?;
        let rest = rest.trim_start();
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    };
    let completed = number("Tasks Completed:")?;
    let skipped = number("Skipped:").unwrap_or_default();
    let left = number("Incomplete:").unwrap_or_default();
    let done = completed + skipped;
    Some((done, done + left)).filter(|(_, total)| *total > 0)
}

fn template_of(value: &Value, meta: &Meta) -> Option<ObjectRef> {
    let (reference, kind) = match at(value, &["spec", "pipelineRef"]) {
        Some(reference) => (reference, "Pipeline"),
        None => (at(value, &["spec", "taskRef"])?, "Task"),
    };
    let own = scalar(at(reference, &["name"]));
    // A resolver has no name; the label has it when it is known.
    let label = meta.label(if kind == "Pipeline" {
        "tekton.dev/pipeline"
    } else {
        "tekton.dev/task"
    });
    let name = if own.is_empty() { label.into() } else { own };
    (!name.is_empty()).then(|| ObjectRef {
        cluster: meta.object.cluster.clone(),
        kind: GroupKind::new(TEKTON, kind),
        namespace: meta.object.namespace.clone(),
        name,
    })
}

fn trigger(meta: &Meta) -> Trigger {
    let sensor = meta.label("events.argoproj.io/sensor");
    if !sensor.is_empty() {
        return Trigger::Sensor {
            sensor: sensor.into(),
            trigger: meta.label("events.argoproj.io/trigger").into(),
        };
    }
    let listener = meta.label("triggers.tekton.dev/eventlistener");
    if !listener.is_empty() {
        return Trigger::Listener {
            listener: listener.into(),
            trigger: meta.label("triggers.tekton.dev/trigger").into(),
            event: meta.label("triggers.tekton.dev/triggers-eventid").into(),
        };
    }
    Trigger::Manual
}

/// Reads parameters or results: text, a list or an object.
fn params(value: Option<&Value>) -> Vec<Parameter> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.map(|one| Parameter {
        name: scalar(one.get("name")),
        value: one.get("value").map(|value| scalar(Some(value))),
        ..Parameter::default()
    })
    .collect()
}

fn notes(value: &Value) -> Vec<Text> {
    let mut notes: Vec<Text> = Vec::new();
    let mut note = |path: &[&str], words: &str| {
        let found = scalar(at(value, path));
        if !found.is_empty() {
            notes.push(format!("{words} {found}").into());
        }
    };
    note(&["spec", "timeouts", "pipeline"], "may take");
    note(&["spec", "timeouts", "tasks"], "tasks may take");
    note(&["spec", "timeout"], "may take");
    notes
}

/// Returns what a Pipeline or Task has to be given: parameters and workspaces.
pub(super) fn form(value: &Value) -> (Vec<Parameter>, Vec<Text>) {
    let list = |name: &str| {
        let found = at(value, &["spec", name]).and_then(Value::as_array);
        found.map(Vec::as_slice).unwrap_or_default()
    };
    let parameters = list("params").iter().map(|one| Parameter {
        name: scalar(one.get("name")),
        value: None,
        supplied: false,
        default: at(one, &["default"]).map(|default| scalar(Some(default))),
        choices: at(one, &["enum"])
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|one| scalar(Some(one)))
            .collect(),
        description: scalar(one.get("description")),
    });
    let needed = list("workspaces")
        .iter()
        .filter(|one| one.get("optional").and_then(Value::as_bool) != Some(true));
    let workspaces = needed.map(|one| scalar(one.get("name")));
    (parameters.collect(), workspaces.collect())
}

#[cfg(test)]
mod tests;
