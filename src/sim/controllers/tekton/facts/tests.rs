//! The rules by which tasks are run, skipped and summed up.

use super::*;
use serde_json::json;

struct Run {
    tasks: Vec<(PipelineTask, Value)>,
    finally: Vec<(PipelineTask, Value)>,
    children: BTreeMap<String, Vec<Child>>,
    halt: Halt,
    limits: Limits,
}

fn read(tasks: &Value) -> Vec<(PipelineTask, Value)> {
    let list = tasks.as_array().cloned().unwrap_or_default();
    list.into_iter()
        .map(|task| (serde_json::from_value(task.clone()).expect("a task"), task))
        .collect()
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "the caller has no other use for it"
)]
fn run(pipeline: Value) -> Run {
    Run {
        tasks: read(&pipeline["tasks"]),
        finally: read(&pipeline["finally"]),
        children: BTreeMap::new(),
        halt: Halt::None,
        limits: Limits::default(),
    }
}

impl Run {
    fn with<T>(&self, look: impl FnOnce(&Facts<'_>) -> T) -> T {
        let pairs: Vec<_> = self
            .tasks
            .iter()
            .map(|(task, written)| (task.clone(), written))
            .collect();
        let graph = Graph::build(&pairs).expect("a graph");
        look(&Facts {
            tasks: &self.tasks,
            finally: &self.finally,
            graph: &graph,
            children: &self.children,
            halt: self.halt,
            limits: self.limits,
            now: DateTime::UNIX_EPOCH + TimeDelta::hours(1),
        })
    }

    fn end(&mut self, task: &str, end: End, results: &[(&str, &str)]) {
        let results = results
            .iter()
            .map(|(name, value)| ((*name).to_owned(), ParamValue::Text((*value).to_owned())))
            .collect();
        let child = Child {
            name: format!("run-{task}"),
            end: Some(end),
            reason: String::new(),
            results,
        };
        self.children.insert(task.to_owned(), vec![child]);
    }

    fn begin(&mut self, task: &str) {
        let child = Child {
            name: format!("run-{task}"),
            ..Child::default()
        };
        self.children.insert(task.to_owned(), vec![child]);
    }

    /// Returns each task with a word for how it stands.
    fn told(&self) -> Vec<(String, String)> {
        self.with(|facts| {
            let judged = facts.judge();
            let word = |standing: &Standing| match standing {
                Standing::Waiting => "waiting".to_owned(),
                Standing::Ready(_) => "ready".to_owned(),
                Standing::Running => "running".to_owned(),
                Standing::Succeeded => "ok".to_owned(),
                Standing::Failed { .. } => "failed".to_owned(),
                Standing::Cancelled => "cancelled".to_owned(),
                Standing::TimedOut => "timed out".to_owned(),
                Standing::Skipped(skip, _) => skip.reason().to_owned(),
                Standing::Broken(reason, _) => (*reason).to_owned(),
            };
            facts
                .tasks
                .iter()
                .chain(facts.finally)
                .map(|(task, _)| (task.name.clone(), word(judged.of(&task.name))))
                .collect()
        })
    }

    fn words(&self) -> Vec<String> {
        self.told().into_iter().map(|(_, word)| word).collect()
    }

    fn summed_up(&self) -> (&'static str, &'static str, String) {
        self.with(|facts| {
            let summary = summary(facts, &facts.judge(), "r");
            (summary.status, summary.reason, summary.message)
        })
    }
}

fn chain() -> Value {
    json!({
        "tasks": [
            {"name": "a"},
            {"name": "b", "runAfter": ["a"]},
            {"name": "c", "params": [{"name": "x", "value": "$(tasks.b.results.y)"}]},
        ],
        "finally": [
            {"name": "f", "when": [
                {"input": "$(tasks.b.status)", "operator": "in", "values": ["Failed"]},
                {"input": "$(tasks.status)", "operator": "in", "values": ["Failed"]},
            ]},
            {"name": "g", "params": [{"name": "x", "value": "$(tasks.b.results.y)"}]},
        ],
    })
}

#[test]
fn tasks_are_run_when_those_they_wait_for_have_ended() {
    let mut run = run(chain());
    assert_eq!(
        run.words(),
        ["ready", "waiting", "waiting", "waiting", "waiting"]
    );

    run.begin("a");
    assert_eq!(
        run.words(),
        ["running", "waiting", "waiting", "waiting", "waiting"]
    );
    assert_eq!(
        run.summed_up(),
        (
            "Unknown",
            "Running",
            "Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 5, Skipped: 0".to_owned()
        )
    );

    run.end("a", End::Succeeded, &[]);
    run.end("b", End::Succeeded, &[("y", "1")]);
    run.end("c", End::Succeeded, &[]);
    let when = "When Expressions evaluated to false";
    assert_eq!(run.words(), ["ok", "ok", "ok", when, "ready"]);
    run.end("g", End::Succeeded, &[]);
    assert_eq!(
        run.summed_up(),
        (
            "True",
            "Completed",
            "Tasks Completed: 4 (Failed: 0, Cancelled 0), Skipped: 1".to_owned()
        )
    );
}

#[test]
fn after_a_failure_nothing_new_but_final_tasks_is_run() {
    let mut run = run(chain());
    run.end("a", End::Succeeded, &[]);
    run.end("b", End::Failed, &[]);

    let told = run.words();

    let stopping = "PipelineRun was stopping";
    assert_eq!(
        told,
        ["ok", "failed", stopping, "ready", "Results were missing"]
    );
    run.end("f", End::Succeeded, &[]);
    let (status, reason, message) = run.summed_up();
    assert_eq!((status, reason), ("False", "Failed"));
    assert_eq!(
        message,
        "Tasks Completed: 3 (Failed: 1, Cancelled 0), Skipped: 2"
    );
}

#[test]
fn an_ignored_failure_lets_the_rest_go_on() {
    let mut pipeline = chain();
    pipeline["tasks"][0]["onError"] = json!("continue");
    let mut run = run(pipeline);
    run.end("a", End::Failed, &[]);

    assert_eq!(run.words().get(1).map(String::as_str), Some("ready"));
    for (task, results) in [("b", &[("y", "1")][..]), ("c", &[]), ("f", &[]), ("g", &[])] {
        run.end(task, End::Succeeded, results);
    }
    let (status, reason, message) = run.summed_up();
    assert_eq!((status, reason), ("True", "Succeeded"));
    assert_eq!(
        message,
        "Tasks Completed: 5 (Failed: 1 (Ignored: 1), Cancelled 0), Skipped: 0"
    );
}

#[test]
fn a_task_that_orders_after_a_skipped_one_runs_and_one_that_needs_its_result_does_not() {
    let mut run = run(json!({"tasks": [
        {"name": "guard", "when": [{"input": "a", "operator": "in", "values": ["b"]}]},
        {"name": "after", "runAfter": ["guard"]},
        {"name": "needs", "params": [{"name": "x", "value": "$(tasks.guard.results.y)"}]},
        {"name": "below", "runAfter": ["needs"]},
    ]}));

    assert_eq!(
        run.words(),
        [
            "When Expressions evaluated to false",
            "ready",
            "Results were missing",
            "Parent Tasks were skipped"
        ]
    );
    run.end("after", End::Succeeded, &[]);
    assert_eq!(run.summed_up().1, "Completed");
}

#[test]
fn a_result_that_a_task_did_not_write_breaks_the_run() {
    let mut run = run(chain());
    run.end("a", End::Succeeded, &[]);
    run.end("b", End::Succeeded, &[("other", "1")]);

    let broken = run.with(|facts| facts.judge().of("c").clone());

    assert!(
        matches!(&broken, Standing::Broken("InvalidTaskResultReference", why)
            if why == "Could not find result with name y for task b"),
        "{broken:?}"
    );
}

#[test]
fn a_run_that_is_stopped_gracefully_still_runs_its_final_tasks() {
    let mut run = run(chain());
    run.begin("a");
    run.halt = Halt::CancelledRunFinally;
    assert_eq!(run.summed_up().1, "CancelledRunningFinally");

    run.end("a", End::Cancelled, &[]);
    let none_failed = "When Expressions evaluated to false";
    assert_eq!(run.words().get(3).map(String::as_str), Some(none_failed));
    let (status, reason, message) = run.summed_up();

    assert_eq!((status, reason), ("False", "Cancelled"));
    assert_eq!(message, "PipelineRun \"r\" was cancelled");
}

#[test]
fn what_is_too_late_is_skipped_and_fails_the_run() {
    let mut run = run(json!({"tasks": [{"name": "a"}], "finally": [{"name": "f"}]}));
    run.limits = Limits {
        started: Some(DateTime::UNIX_EPOCH),
        tasks: Some(TimeDelta::minutes(30)),
        pipeline: Some(TimeDelta::hours(2)),
        ..Limits::default()
    };

    assert_eq!(
        run.words(),
        ["PipelineRun Tasks timeout has been reached", "ready"]
    );
    run.end("f", End::Succeeded, &[]);
    assert_eq!(run.summed_up().1, "Failed");
}

#[test]
fn a_matrix_hands_on_its_results_as_a_list() {
    let mut run = run(json!({"tasks": [
        {"name": "m", "matrix": {"params": [{"name": "os", "value": ["a", "b"]}]}},
        {"name": "after", "params": [{"name": "all", "value": "$(tasks.m.results.out[*])"}]},
        {"name": "empty", "matrix": {"params": [{"name": "os", "value": []}]}},
    ]}));
    run.end("m", End::Succeeded, &[("out", "1")]);
    let second = run.children["m"][0].clone();
    run.children.entry("m".to_owned()).or_default().push(second);

    let after = run.with(|facts| facts.judge().of("after").clone());

    let Standing::Ready(ready) = after else {
        panic!("{after:?}");
    };
    assert_eq!(
        ready.0.params.first().map(|param| param.value.clone()),
        Some(ParamValue::List(vec!["1".into(), "1".into()]))
    );
    assert_eq!(
        run.words().get(2).map(String::as_str),
        Some("Matrix Parameters have an empty array")
    );
}
