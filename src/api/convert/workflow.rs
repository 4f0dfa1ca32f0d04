//! Turns Workflows and CronWorkflows of Argo Workflows into
//! [`domain::pipeline`](crate::domain::pipeline).
//!
//! Field meanings: Argo Workflows `pkg/apis/workflow/v1alpha1/workflow_types.go`.

mod nodes;

use super::loose::{Loose, Meta, annotation, at};
use super::run_template::{commit_of, parameters, parameters_with, scalar};
use crate::domain::finding::{Finding, Severity};
use crate::domain::kind::ARGO;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text};
use crate::domain::pipeline::cron::cron_kind;
use crate::domain::pipeline::{
    Commit, CronRun, Nodes, Parameter, Phase, RunDetail, RunNode, RunRow, System, Trigger,
    failing_of,
};
use serde_json::Value;
use std::collections::HashMap;

pub use nodes::{Known, decoded};

/// Prefix of the labels and annotations of Argo Workflows.
pub const PREFIX: &str = "workflows.argoproj.io";

/// The kind of a Workflow.
pub fn workflow_kind() -> GroupKind {
    System::Workflows.kind()
}

/// Reads the row of one Workflow.
pub fn run_row(value: &Value, cluster: &Cluster) -> RunRow {
    detail(value, cluster, None).row
}

/// Reads one Workflow. `pods` are those that exist, by the id of their node; `None` when nobody
/// has looked.
pub fn detail(value: &Value, cluster: &Cluster, pods: Option<&Known>) -> RunDetail {
    let mut loose = Loose::default();
    let meta = Meta::read(value, cluster, &workflow_kind(), &mut loose);
    let (nodes, place) = nodes::read(value, pods, &mut loose);
    let mut arguments = parameters(value, &["spec", "arguments", "parameters"], &mut loose);
    let stored = [
        "status",
        "storedWorkflowTemplateSpec",
        "arguments",
        "parameters",
    ];
    for one in parameters(value, &stored, &mut loose) {
        if !arguments.iter().any(|known| known.name == one.name) {
            arguments.push(one);
        }
    }
    let row = row(value, &meta, (&nodes, place, &arguments), &mut loose);
    let outputs = parameters(value, &["status", "outputs", "parameters"], &mut loose);
    let mut findings = loose.findings(&meta.object);
    findings.extend(condition_findings(value, &meta.object));
    findings.extend(lock_findings(value, &meta.object));
    RunDetail {
        parameters: arguments,
        outputs,
        service_account: scalar(at(value, &["spec", "serviceAccountName"])),
        notes: notes(value),
        nodes,
        findings,
        row,
    }
}

fn row(
    value: &Value,
    meta: &Meta,
    (nodes, place, arguments): (&[RunNode], Nodes, &[Parameter]),
    loose: &mut Loose,
) -> RunRow {
    let word = loose.str(value, &["status", "phase"]);
    let reported = Phase::from_word(word).unwrap_or_else(|| {
        loose.note(&["status", "phase"], &Value::Null, "a phase of a Workflow");
        Phase::Pending
    });
    let ending = loose.text(value, &["spec", "shutdown"]);
    let told = loose.flag(value, &["spec", "suspend"]).unwrap_or(false);
    let waits = told || nodes.iter().any(RunNode::waits);
    let goes_on = matches!(reported, Phase::Running | Phase::Pending) && !word.is_empty();
    let phase = if goes_on && waits {
        Phase::Suspended
    } else {
        reported
    };
    let status = match (phase, &*ending) {
        (Phase::Suspended, _) => "Running (Suspended)",
        (Phase::Failed, "Terminate" | "Stop") => "Failed (Terminated)",
        _ => "",
    };
    let failing = if phase.is_bad() {
        let failing = failing_of(nodes).and_then(|at| nodes.get(at));
        failing.map_or_else(|| "".into(), |node| Text::clone(&node.label))
    } else {
        "".into()
    };
    RunRow {
        object: meta.object.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        created: meta.created,
        deleting: meta.deleting.clone(),
        labels: meta.labels.clone(),
        system: System::Workflows,
        template: template_of(value, &["spec"], meta),
        phase,
        status: status.into(),
        message: loose.text(value, &["status", "message"]),
        progress: progress(loose.str(value, &["status", "progress"])),
        started: loose.time(value, &["status", "startedAt"]),
        finished: loose.time(value, &["status", "finishedAt"]),
        commit: commit(value, arguments),
        trigger: trigger(meta),
        ending,
        usual: None,
        failing,
        nodes: place,
        findings: Vec::new(),
    }
}

/// `3/5`; nothing when there is nothing to do.
pub(super) fn progress(text: &str) -> Option<(u32, u32)> {
    let (done, total) = text.split_once('/')?;
    let total: u32 = total.parse().ok()?;
    Some((done.parse().ok()?, total)).filter(|_| total > 0)
}

fn template_of(value: &Value, path: &[&str], meta: &Meta) -> Option<ObjectRef> {
    let named = |kind: &str, name: &str| ObjectRef {
        cluster: meta.object.cluster.clone(),
        kind: GroupKind::new(ARGO, kind),
        namespace: if kind == "WorkflowTemplate" {
            meta.object.namespace.clone()
        } else {
            None
        },
        name: name.into(),
    };
    let spec = at(value, path)?;
    if let Some(reference) = at(spec, &["workflowTemplateRef"]) {
        let name = at(reference, &["name"]).and_then(Value::as_str)?;
        let cluster_wide = at(reference, &["clusterScope"]).and_then(Value::as_bool);
        let kind = if cluster_wide == Some(true) {
            "ClusterWorkflowTemplate"
        } else {
            "WorkflowTemplate"
        };
        return Some(named(kind, name));
    }
    let label = |name: &str| {
        let value = meta.label(&format!("{PREFIX}/{name}"));
        (!value.is_empty()).then(|| value.to_owned())
    };
    let local = label("workflow-template").map(|name| named("WorkflowTemplate", &name));
    local.or_else(|| {
        label("cluster-workflow-template").map(|name| named("ClusterWorkflowTemplate", &name))
    })
}

fn commit(value: &Value, arguments: &[Parameter]) -> Commit {
    let mut commit = commit_of(arguments);
    if commit.revision.is_empty() {
        let written = annotation(value, "tiphys/revision");
        commit.revision = written.into();
    }
    commit
}

fn trigger(meta: &Meta) -> Trigger {
    let label = |name: &str| meta.label(name);
    let sensor = label("events.argoproj.io/sensor");
    if !sensor.is_empty() {
        return Trigger::Sensor {
            sensor: sensor.into(),
            trigger: label("events.argoproj.io/trigger").into(),
        };
    }
    let own = |name: &str| label(&format!("{PREFIX}/{name}")).to_owned();
    let cron = own("cron-workflow");
    if !cron.is_empty() {
        return Trigger::Cron(cron.into());
    }
    let again = own("resubmitted-from-workflow");
    if !again.is_empty() {
        return Trigger::Again(again.into());
    }
    Trigger::Manual
}

/// What is to know of the spec beside its steps.
fn notes(value: &Value) -> Vec<Text> {
    let text = |path: &[&str]| {
        let found = scalar(at(value, path));
        (!found.is_empty()).then_some(found)
    };
    let mut notes: Vec<Text> = Vec::new();
    let mut note = |path: &[&str], words: &dyn Fn(&str) -> String| {
        if let Some(found) = text(path) {
            notes.push(words(&found).into());
        }
    };
    note(&["spec", "onExit"], &|name| format!("then runs `{name}`"));
    note(&["spec", "activeDeadlineSeconds"], &|seconds| {
        format!("may take {seconds}s")
    });
    note(&["spec", "parallelism"], &|count| {
        format!("{count} Pods at a time")
    });
    note(
        &["spec", "ttlStrategy", "secondsAfterCompletion"],
        &|seconds| format!("is deleted {seconds}s after its end"),
    );
    note(
        &["spec", "ttlStrategy", "secondsAfterSuccess"],
        &|seconds| format!("is deleted {seconds}s after success"),
    );
    note(
        &["spec", "ttlStrategy", "secondsAfterFailure"],
        &|seconds| format!("is deleted {seconds}s after failure"),
    );
    notes
}

/// `SpecError`, `SpecWarning` and what else the controller complains of.
/// The locks that a run or one of its steps waits for, and who has them.
fn lock_findings(value: &Value, object: &ObjectRef) -> Vec<Finding> {
    let waiting = |kind: &str| {
        let list = at(value, &["status", "synchronization", kind, "waiting"]);
        list.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let sentence = |name: Text, holder: Text| {
        let sentence = format!("it waits for the lock `{name}`, which `{holder}` has");
        Finding::new(Severity::Info, sentence).about(object.clone())
    };
    let mutexes = waiting("mutex").into_iter();
    let mutexes = mutexes.map(|one| sentence(scalar(one.get("mutex")), scalar(one.get("holder"))));
    let semaphores = waiting("semaphore").into_iter().map(|one| {
        let holders = one.get("holders").and_then(Value::as_array);
        let holders: Vec<&str> = holders
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        sentence(scalar(one.get("semaphore")), holders.join("`, `").into())
    });
    mutexes.chain(semaphores).collect()
}

fn condition_findings(value: &Value, object: &ObjectRef) -> Vec<Finding> {
    let conditions = at(value, &["status", "conditions"]).and_then(Value::as_array);
    let told = conditions.into_iter().flatten().filter_map(|one| {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = text("type");
        let severity = match kind {
            "SpecError" | "ArtifactGCError" | "MetricsError" | "SubmissionError" => Severity::Error,
            "SpecWarning" => Severity::Warning,
            _ => return None,
        };
        (text("status") == "True").then(|| {
            let sentence = format!("{kind}: {}", text("message"));
            Finding::new(severity, sentence).about(object.clone())
        })
    });
    told.collect()
}

/// Reads one CronWorkflow.
pub fn cron_run(value: &Value, cluster: &Cluster) -> CronRun {
    let mut loose = Loose::default();
    let meta = Meta::read(value, cluster, &cron_kind(), &mut loose);
    let mut schedules: Vec<Text> = loose
        .list(value, &["spec", "schedules"])
        .iter()
        .map(|one| scalar(Some(one)))
        .collect();
    // Before version 4 there was one.
    let single = loose.text(value, &["spec", "schedule"]);
    if schedules.is_empty() && !single.is_empty() {
        schedules.push(single);
    }
    let active = loose.list(value, &["status", "active"]).iter();
    let active = active.map(|one| scalar(at(one, &["name"]))).collect();
    let problem = condition_findings(value, &meta.object);
    let policy = loose.text(value, &["spec", "concurrencyPolicy"]);
    CronRun {
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        created: meta.created,
        deleting: meta.deleting.is_some(),
        labels: meta.labels.clone(),
        suspended: loose.flag(value, &["spec", "suspend"]).unwrap_or(false),
        stopped: loose.str(value, &["status", "phase"]) == "Stopped",
        schedules,
        timezone: loose.text(value, &["spec", "timezone"]),
        policy: if policy.is_empty() {
            "Allow".into()
        } else {
            policy
        },
        when: loose.text(value, &["spec", "when"]),
        active,
        last: loose.time(value, &["status", "lastScheduledTime"]),
        succeeded: loose.count(value, &["status", "succeeded"]).unwrap_or(0),
        failed: loose.count(value, &["status", "failed"]).unwrap_or(0),
        template: template_of(value, &["spec", "workflowSpec"], &meta),
        problem: problem
            .into_iter()
            .next()
            .map_or_else(|| "".into(), |finding| finding.sentence),
        findings: loose.findings(&meta.object),
        object: meta.object,
    }
}

/// Returns the parameters of a spec with what the steps say of them: description and choices.
pub fn form_parameters(value: &Value) -> Vec<Parameter> {
    let path: &[&str] = match value.get("kind").and_then(Value::as_str) {
        Some("CronWorkflow") => &["spec", "workflowSpec", "arguments", "parameters"],
        _ => &["spec", "arguments", "parameters"],
    };
    parameters_with(value, path, &mut Loose::default())
}

/// Maps ids of nodes to Pods, from Pods that a watch shows.
pub fn pods_by_node<'pods>(pods: impl Iterator<Item = (&'pods str, ObjectRef)>) -> Known {
    let mut known: HashMap<Text, ObjectRef> = HashMap::new();
    for (node, pod) in pods {
        let _older = known.insert(node.into(), pod);
    }
    known
}

#[cfg(test)]
mod tests;
