//! Turns runs of GitHub Actions into [`domain::pipeline`](crate::domain::pipeline).
//!
//! Field meanings: `docs.github.com/en/rest/actions/workflow-runs` and `…/workflow-jobs`. A run has
//! no name of its own: here it is the workflow file's with the run's number and id, so that a name
//! leads back to the run. The repository stands where other runs have their namespace.

mod jobs;

use super::loose::{Loose, at};
use super::run_template::scalar;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, ResourceVersion, Text, Uid};
use crate::domain::pipeline::{
    ACTIONS, Commit, NodeKind, Nodes, Phase, RunDetail, RunNode, RunRow, System, Trigger,
    failing_of,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub use jobs::needs;

/// The kind of a run.
pub fn run_kind() -> GroupKind {
    System::Actions.kind()
}

/// The kind of a job, whose log can be read.
pub fn job_kind() -> GroupKind {
    GroupKind::new(ACTIONS, "WorkflowJob")
}

/// Returns whether an object is known to GitHub and not to the cluster.
pub fn is_of_actions(kind: &GroupKind) -> bool {
    *kind == run_kind() || *kind == job_kind()
}

/// Returns the id at the end of a run's or a job's name.
pub fn id_in(name: &str) -> Option<u64> {
    name.rsplit('-').next()?.parse().ok()
}

/// Names a run: `ci-12-1000012` in the namespace `owner/name`.
pub fn run_object(run: &Value, cluster: &Cluster, repository: &str) -> ObjectRef {
    let path = scalar(run.get("path"));
    // A called workflow is written with its ref: `ci.yml@main`.
    let file = path.rsplit('/').next().unwrap_or_default();
    let stem = file.split(['.', '@']).next().unwrap_or_default();
    let stem = if stem.is_empty() { "run" } else { stem };
    let (number, id) = (scalar(run.get("run_number")), scalar(run.get("id")));
    ObjectRef {
        cluster: cluster.clone(),
        kind: run_kind(),
        namespace: Some(repository.into()),
        name: format!("{stem}-{number}-{id}").into(),
    }
}

/// Returns a run or job with what every object of a cluster has, so that it is shown as one.
pub fn as_object(answer: &Value, object: &ObjectRef) -> Value {
    let mut value = answer.clone();
    value["apiVersion"] = json!(format!("{ACTIONS}/v3"));
    value["kind"] = json!(&*object.kind.kind);
    value["metadata"] = json!({
        "name": &*object.name,
        "namespace": object.namespace.as_deref(),
        "uid": scalar(answer.get("id")).to_string(),
        "creationTimestamp": answer.get("created_at"),
    });
    value
}

/// Reads the row of a run. Its jobs, when they are known, tell how far it is and what failed.
pub fn run_row(run: &Value, jobs: Option<&[Value]>, cluster: &Cluster, repository: &str) -> RunRow {
    row(run, (cluster, repository), jobs, &mut Loose::default())
}

/// Reads a run with its jobs; `needs` says which jobs a job waits for, by their names.
pub fn detail(
    run: &Value,
    jobs: &[Value],
    needs: &[(Text, Vec<Text>)],
    cluster: &Cluster,
    repository: &str,
) -> RunDetail {
    let mut loose = Loose::default();
    let row = row(run, (cluster, repository), Some(jobs), &mut loose);
    let mut notes: Vec<Text> = Vec::new();
    let attempt = scalar(run.get("run_attempt"));
    if !matches!(&*attempt, "" | "1") {
        notes.push(format!("attempt {attempt}").into());
    }
    for (name, words) in [("display_title", "about"), ("html_url", "at")] {
        let text = scalar(run.get(name));
        if !text.is_empty() {
            notes.push(format!("{words} {text}").into());
        }
    }
    RunDetail {
        parameters: Vec::new(),
        outputs: Vec::new(),
        nodes: jobs::nodes(jobs, needs, &row),
        service_account: "".into(),
        notes,
        findings: loose.findings(&row.object),
        row,
    }
}

fn row(
    run: &Value,
    (cluster, repository): (&Cluster, &str),
    jobs: Option<&[Value]>,
    loose: &mut Loose,
) -> RunRow {
    let object = run_object(run, cluster, repository);
    let verdict = Verdict::of(run);
    let text = |name: &str| scalar(run.get(name));
    let started = loose.time(run, &["run_started_at"]);
    let over = verdict.phase.is_over();
    let workflow = ObjectRef {
        kind: GroupKind::new(ACTIONS, "Workflow"),
        name: text("name"),
        ..object.clone()
    };
    let mut row = RunRow {
        uid: Uid(text("id")),
        resource_version: ResourceVersion(text("updated_at")),
        created: loose.time(run, &["created_at"]),
        deleting: None,
        labels: Vec::new(),
        system: System::Actions,
        template: (!workflow.name.is_empty()).then_some(workflow),
        phase: verdict.phase,
        status: verdict.status,
        message: if verdict.phase.is_bad() {
            text("message")
        } else {
            text("display_title")
        },
        progress: None,
        started: if verdict.phase == Phase::Pending {
            None
        } else {
            started
        },
        finished: over.then(|| loose.time(run, &["updated_at"])).flatten(),
        commit: Commit {
            revision: first(&[text("head_sha"), text("head_branch")]),
            repository: repository.into(),
            image: "".into(),
        },
        trigger: trigger(run),
        ending: "".into(),
        usual: None,
        failing: "".into(),
        nodes: Nodes::Inline,
        findings: Vec::new(),
        object,
    };
    if let Some(jobs) = jobs {
        let nodes = jobs::nodes(jobs, &[], &row);
        row.progress = progress(&nodes);
        if row.phase.is_bad()
            && let Some(node) = failing_of(&nodes).and_then(|at| nodes.get(at))
        {
            row.failing = Text::clone(&node.label);
        }
        // A run may be written to long after its last job has ended.
        let ends = nodes.iter().skip(1).filter_map(|node| node.finished).max();
        row.finished = row.finished.map(|written| ends.unwrap_or(written));
    }
    row
}

fn first(texts: &[Text]) -> Text {
    let found = texts.iter().find(|text| !text.is_empty());
    found.cloned().unwrap_or_else(|| "".into())
}

fn progress(nodes: &[RunNode]) -> Option<(u32, u32)> {
    let jobs = nodes.iter().filter(|node| node.kind == NodeKind::Job);
    let phases: Vec<Phase> = jobs.map(|node| node.phase).collect();
    let over = phases.iter().filter(|phase| phase.is_over()).count();
    (!phases.is_empty()).then_some((over as u32, phases.len() as u32))
}

fn trigger(run: &Value) -> Trigger {
    let event = scalar(run.get("event"));
    let who = scalar(at(run, &["triggering_actor", "login"]));
    let who = if who.is_empty() {
        scalar(at(run, &["actor", "login"]))
    } else {
        who
    };
    match (&*event, &*who) {
        ("", _) => Trigger::Manual,
        ("workflow_dispatch", "") => Trigger::Event("by hand".into()),
        ("workflow_dispatch", who) => Trigger::Event(format!("by hand, {who}").into()),
        (_, "") => Trigger::Event(event),
        (event, who) => Trigger::Event(format!("{event} by {who}").into()),
    }
}

/// What `status` and `conclusion` of a run, a job or a step say together.
pub(super) struct Verdict {
    pub(super) phase: Phase,
    /// GitHub's own word where ours says less; else empty.
    pub(super) status: Text,
}

impl Verdict {
    pub(super) fn of(value: &Value) -> Self {
        let (status, conclusion) = (scalar(value.get("status")), scalar(value.get("conclusion")));
        let (phase, says_more) = match (&*status, &*conclusion) {
            ("completed", "success") => (Phase::Succeeded, false),
            ("completed", "failure") => (Phase::Failed, false),
            ("completed", "cancelled") => (Phase::Cancelled, false),
            ("completed", "skipped") => (Phase::Skipped, false),
            ("completed", "neutral") => (Phase::Succeeded, true),
            ("completed", "timed_out") => (Phase::Failed, true),
            ("completed", "stale") => (Phase::Cancelled, true),
            // Somebody has to approve it before it goes on.
            ("completed", "action_required") | ("waiting", _) => (Phase::Suspended, true),
            ("completed", _) => (Phase::Error, true),
            ("in_progress", _) => (Phase::Running, false),
            _ => (Phase::Pending, false),
        };
        let word = first(&[conclusion, status]).replace('_', " ");
        Self {
            phase,
            status: if says_more {
                format!("{} ({word})", phase.word()).into()
            } else {
                "".into()
            },
        }
    }
}

pub(super) fn time(value: &Value, name: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(value.get(name)?.as_str()?).ok()?;
    Some(time.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(status: &str, conclusion: Option<&str>) -> Value {
        json!({
            "id": 1_000_012, "run_number": 12, "run_attempt": 2, "name": "CI",
            "path": ".github/workflows/ci.yml@main", "status": status, "conclusion": conclusion,
            "event": "push", "head_branch": "main", "head_sha": "c0ffee",
            "display_title": "Greet by name", "triggering_actor": {"login": "dev"},
            "created_at": "2026-01-01T00:00:00Z", "run_started_at": "2026-01-01T00:00:01Z",
            "updated_at": "2026-01-01T00:09:00Z",
        })
    }

    fn jobs() -> Vec<Value> {
        vec![
            json!({"id": 1, "name": "Test", "status": "completed", "conclusion": "success",
                "started_at": "2026-01-01T00:00:02Z", "completed_at": "2026-01-01T00:01:02Z"}),
            json!({"id": 2, "name": "Build", "status": "completed", "conclusion": "failure",
                "started_at": "2026-01-01T00:01:03Z", "completed_at": "2026-01-01T00:02:00Z",
                "steps": [
                    {"name": "Run docker", "number": 1, "status": "completed", "conclusion": "failure",
                     "started_at": "2026-01-01T00:01:04Z", "completed_at": "2026-01-01T00:01:59Z"}]}),
        ]
    }

    #[test]
    fn a_run_is_named_so_that_its_name_leads_back_to_it() {
        let row = run_row(
            &run("in_progress", None),
            None,
            &Cluster("c".into()),
            "shop/app",
        );

        assert_eq!(row.object.path(), "shop/app/ci-12-1000012");
        assert_eq!(id_in(&row.object.name), Some(1_000_012));
        assert_eq!((row.phase, row.finished), (Phase::Running, None));
        assert_eq!(row.trigger.words(), "push by dev");
        assert_eq!(row.family(), "CI");
        assert_eq!(&*row.message, "Greet by name");
    }

    #[test]
    fn jobs_tell_how_far_it_is_what_failed_and_when_it_ended() {
        let run = run("completed", Some("failure"));
        let row = run_row(&run, Some(&jobs()), &Cluster("c".into()), "shop/app");

        assert_eq!((row.phase, row.progress), (Phase::Failed, Some((2, 2))));
        assert_eq!(&*row.failing, "Build");
        let took = row
            .finished
            .map(|end| (end - row.started.expect("begun")).num_seconds());
        assert_eq!(took, Some(119), "not when it was last written to");
    }

    #[test]
    fn the_workflow_file_says_which_jobs_wait_for_which() {
        let file = "jobs:\n  t: {name: Test}\n  build: {needs: t}\n";
        let needs = needs(file);
        let mut jobs = jobs();
        jobs[1]["name"] = json!("build");

        let run = run("completed", Some("failure"));
        let detail = detail(&run, &jobs, &needs, &Cluster("c".into()), "shop/app");

        let labels: Vec<_> = detail.nodes.iter().map(|node| &*node.label).collect();
        assert_eq!(labels, ["ci-12-1000012", "Test", "build", "Run docker"]);
        assert_eq!(detail.nodes[0].children, [1]);
        assert_eq!(detail.nodes[1].children, [2]);
        assert_eq!(detail.nodes[3].boundary, Some(2));
        let pod = detail.nodes[2].pod.as_ref().expect("its log");
        assert_eq!(pod.path(), "shop/app/job-2");
        assert_eq!(detail.notes.first().map(|note| &**note), Some("attempt 2"));
    }

    #[test]
    fn every_word_of_github_has_a_phase() {
        let phase = |status: &str, conclusion: Option<&str>| {
            let verdict = Verdict::of(&run(status, conclusion));
            (verdict.phase, verdict.status.to_string())
        };
        let (pending, none) = (Phase::Pending, String::new());
        assert_eq!(phase("queued", None), (pending, none.clone()));
        assert_eq!(phase("requested", None), (pending, none));
        assert_eq!(
            phase("waiting", None),
            (Phase::Suspended, "Suspended (waiting)".to_owned())
        );
        let timed_out = phase("completed", Some("timed_out"));
        assert_eq!(timed_out, (Phase::Failed, "Failed (timed out)".to_owned()));
        let startup = phase("completed", Some("startup_failure"));
        assert_eq!(startup.0, Phase::Error);
        assert_eq!(phase("completed", Some("new word")).0, Phase::Error);
    }
}
