//! Why a run is as it is, and what an intent on it will do.

use super::{CancelWay, NodeKind, Nodes, Phase, RunDetail, RunNode, RunRow, RunVerb, System};
use crate::domain::duration::short_span;
use crate::domain::finding::{Finding, Severity};
use crate::domain::object::Text;
use chrono::{DateTime, Utc};

/// Returns what is to be said of a run, most important first; nothing when all is well.
pub fn why_run(detail: &RunDetail, now: DateTime<Utc>) -> Vec<Finding> {
    let row = &detail.row;
    let mut findings = Vec::new();
    let failing = detail.failing().and_then(|at| detail.nodes.get(at));
    if let Some(node) = failing.filter(|node| node.kind.is_executed()) {
        findings.push(failed_node(node, detail));
    }
    if row.phase.is_bad() || row.phase == Phase::Cancelled {
        findings.push(ended_badly(row));
    }
    for node in detail.waiting() {
        findings.push(waiting_node(node, now));
    }
    if row.phase == Phase::Suspended && findings.is_empty() {
        let finding = Finding::new(Severity::Info, "it is suspended, so no step begins");
        findings.push(finding.with_hint("resume it"));
    }
    if row.phase == Phase::Pending {
        findings.push(pending(row));
    }
    findings.extend(unseen_nodes(row));
    let named = findings
        .into_iter()
        .map(|one| one.about(row.object.clone()));
    named
        .chain(detail.findings.iter().cloned())
        .chain(row.findings.iter().cloned())
        .collect()
}

fn ended_badly(row: &RunRow) -> Finding {
    let colon = if row.message.is_empty() { "" } else { ": " };
    let sentence = format!("it ended as {}{colon}{}", row.status_words(), row.message);
    let hint = match (row.phase, row.system) {
        (Phase::Cancelled, _) => "resubmit it when it is wanted again",
        (_, System::Workflows) => "look at the failing step's log; then retry or resubmit it",
        (_, System::Tekton) => "look at the failing task's log; then run it again",
        (_, System::Actions) => {
            "look at the failing job's log; then retry its failed jobs or rerun it"
        }
    };
    Finding::new(Severity::Error, sentence).with_hint(hint)
}

fn failed_node(node: &RunNode, detail: &RunDetail) -> Finding {
    let code = match node.exit_code {
        Some(code) if code != 0 => format!(", exit code {code}"),
        _ => String::new(),
    };
    let colon = if node.message.is_empty() { "" } else { ": " };
    let retry = detail
        .nodes
        .iter()
        .filter(|other| other.kind == NodeKind::Retry)
        .find(|other| {
            let mut attempts = other.children.iter();
            attempts.any(|at| {
                detail
                    .nodes
                    .get(*at as usize)
                    .is_some_and(|one| one.id == node.id)
            })
        });
    let tried = retry.map_or(node.retries, |retry| retry.children.len() as u32 - 1);
    let tried = if tried > 0 {
        format!(", after {tried} retries")
    } else {
        String::new()
    };
    let sentence = format!(
        "step `{}` {}{code}{tried}{colon}{}",
        node.label,
        node.phase.word(),
        node.message
    );
    let hint = if node.pod_gone {
        "its Pod is gone, and its log with it"
    } else {
        "its log says more"
    };
    Finding::new(Severity::Error, sentence).with_hint(hint)
}

fn waiting_node(node: &RunNode, now: DateTime<Utc>) -> Finding {
    let since = node
        .started
        .map(|at| format!(" for {}", short_span(now - at)))
        .unwrap_or_default();
    let wanted: Vec<String> = node.wanted().map(|one| format!("`{}`", one.name)).collect();
    let sentence = if wanted.is_empty() {
        format!("step `{}` has waited to be resumed{since}", node.label)
    } else {
        let wanted = wanted.join(", ");
        format!("step `{}` has waited{since} for {wanted}", node.label)
    };
    Finding::new(Severity::Info, sentence).with_hint("resume the step when it may go on")
}

fn pending(row: &RunRow) -> Finding {
    let sentence = if row.message.is_empty() {
        String::from("it has not begun")
    } else {
        format!("it has not begun: {}", row.message)
    };
    let hint = match row.system {
        System::Workflows => {
            "it may wait for a lock or a free place; else, is its controller running?"
        }
        System::Tekton => {
            "a run with `PipelineRunPending` waits to be released; else, is its controller running?"
        }
        System::Actions => "it waits for a runner",
    };
    Finding::new(Severity::Info, sentence).with_hint(hint)
}

fn unseen_nodes(row: &RunRow) -> Option<Finding> {
    match &row.nodes {
        Nodes::Inline | Nodes::Compressed => None,
        Nodes::Offloaded => Some(
            Finding::new(
                Severity::Warning,
                "its nodes are kept in a database (offloaded), which the Kubernetes API does not show",
            )
            .with_hint("ask argo-server for them; phase, progress and Pods are shown here"),
        ),
        Nodes::Unreadable(reason) => Some(Finding::new(
            Severity::Warning,
            format!("its compressed nodes cannot be read: {reason}"),
        )),
    }
}

/// Returns what will happen after an intent, one sentence a line.
pub fn forecast(row: Option<&RunRow>, detail: Option<&RunDetail>, verb: &RunVerb) -> Vec<String> {
    if let Some(line) = of_actions(row, verb) {
        return vec![line.to_owned()];
    }
    let mut lines = match verb {
        RunVerb::Submit { parameters, .. } => vec![submit(parameters)],
        RunVerb::Suspend => vec![
            "No further step begins until it is resumed; what runs now runs to its end.".to_owned(),
        ],
        RunVerb::Resume { node: None, .. } => resume_all(detail),
        RunVerb::Resume {
            node: Some(node),
            parameters,
        } => resume_one(detail, node, parameters),
        RunVerb::Stop => vec![
            "Running steps are ended and no further step begins; exit handlers still run."
                .to_owned(),
        ],
        RunVerb::Terminate => {
            vec!["Running steps are killed at once; exit handlers do not run.".to_owned()]
        }
        RunVerb::Retry => retry(detail),
        RunVerb::Resubmit => vec![
            "A new run is made with the same spec and arguments; this one stays as it is."
                .to_owned(),
        ],
        RunVerb::Cancel(CancelWay::Now) => {
            vec!["All running tasks are cancelled at once; final tasks do not run.".to_owned()]
        }
        RunVerb::Cancel(CancelWay::RunFinally) => {
            vec!["Running tasks are cancelled; then the final tasks run.".to_owned()]
        }
        RunVerb::Cancel(CancelWay::LetTasksEnd) => vec![
            "Running tasks end by themselves, no other begins; then the final tasks run."
                .to_owned(),
        ],
        RunVerb::SuspendCron { on: true } => {
            vec!["The schedule makes no more runs; what runs now goes on.".to_owned()]
        }
        RunVerb::SuspendCron { on: false } => {
            vec!["The schedule makes runs again, from the next time on.".to_owned()]
        }
        RunVerb::TriggerCron => vec![
            "A run is made now, besides the schedule; its concurrency policy is not asked."
                .to_owned(),
        ],
        RunVerb::TestEvent { event, .. } => vec![
            format!("The payload is sent to the endpoint of `{event}` as a real event."),
            "Every Sensor that listens may fire, and make what its triggers make.".to_owned(),
        ],
        RunVerb::Replay { .. } => vec![
            "The same bytes and headers are delivered once more.".to_owned(),
            "Every Sensor that listens may fire again.".to_owned(),
        ],
    };
    if let (Some(row), RunVerb::Stop | RunVerb::Terminate | RunVerb::Cancel(_)) = (row, verb)
        && let Some((done, total)) = row.progress
    {
        lines.push(format!("{done} of {total} steps are done."));
    }
    lines
}

/// What GitHub does differently.
fn of_actions(row: Option<&RunRow>, verb: &RunVerb) -> Option<&'static str> {
    let _of_actions = row.filter(|row| row.system == System::Actions)?;
    match verb {
        RunVerb::Cancel(_) => Some("Its jobs are cancelled; steps with `if: always()` still run."),
        RunVerb::Resubmit => {
            Some("All its jobs run again as a new attempt of the same run, on the same commit.")
        }
        RunVerb::Retry => Some(
            "Jobs that failed run again, and those that need them, as a new attempt of the same run.",
        ),
        RunVerb::Submit { .. }
        | RunVerb::Suspend
        | RunVerb::Resume { .. }
        | RunVerb::Stop
        | RunVerb::Terminate
        | RunVerb::SuspendCron { .. }
        | RunVerb::TriggerCron
        | RunVerb::TestEvent { .. }
        | RunVerb::Replay { .. } => None,
    }
}

fn submit(parameters: &[(Text, Text)]) -> String {
    let given = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let given: Vec<String> = given.collect();
    if given.is_empty() {
        String::from("A new run is made with the defaults of the template.")
    } else {
        format!("A new run is made with {}.", given.join(", "))
    }
}

fn resume_all(detail: Option<&RunDetail>) -> Vec<String> {
    let waiting: Vec<String> = detail
        .into_iter()
        .flat_map(RunDetail::waiting)
        .map(|node| format!("`{}`", node.label))
        .collect();
    match waiting.as_slice() {
        [] => vec!["Steps begin again.".to_owned()],
        nodes => vec![format!("It goes on from {}.", nodes.join(", "))],
    }
}

fn resume_one(detail: Option<&RunDetail>, node: &str, parameters: &[(Text, Text)]) -> Vec<String> {
    let label = detail
        .and_then(|detail| detail.node(node))
        .map_or_else(|| node.to_owned(), |node| node.label.to_string());
    let mut lines = vec![format!(
        "It goes on from `{label}`; other steps that wait still wait."
    )];
    for (name, value) in parameters {
        lines.push(format!("`{name}` becomes `{value}`."));
    }
    lines
}

fn retry(detail: Option<&RunDetail>) -> Vec<String> {
    let mut lines = vec![
        "Steps that succeeded are kept; what failed, and what followed it, runs again in the same run."
            .to_owned(),
    ];
    if let Some(detail) = detail {
        let bad = detail.nodes.iter().filter(|node| {
            node.phase.is_bad() && node.kind.is_executed() && node.kind != NodeKind::Container
        });
        let pods = bad.filter(|node| node.pod.is_some()).count();
        if pods > 0 {
            lines.push(format!(
                "{pods} Pods of failed steps are deleted, with their logs."
            ));
        }
    }
    lines
}
