//! Assessments of runs, as measurements come in.

use super::*;
use crate::sim::controllers::analysis::metric::read_all;
use crate::sim::controllers::analysis::model::Lifetime;
use serde_json::{Value, json};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

#[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
fn metric(extra: Value) -> Metric {
    let mut json = json!({"name": "rate", "provider": {"prometheus": {"query": "up"}}});
    json_patch::merge(&mut json, &extra);
    read_all(&[json]).expect("it is good").remove(0)
}

fn measured(phase: Phase, seconds: i64) -> Measurement {
    Measurement {
        phase,
        started_at: Some(api_time(at(seconds))),
        finished_at: phase.has_ended().then(|| api_time(at(seconds))),
        message: if phase == Phase::Error {
            "down".to_owned()
        } else {
            String::new()
        },
        ..Measurement::default()
    }
}

/// Measures one after the other: s(uccessful), f(ailed), i(nconclusive), e(rror).
fn after(phases: &str) -> MetricResult {
    let mut result = MetricResult {
        name: "rate".to_owned(),
        phase: Phase::Running,
        ..MetricResult::default()
    };
    for (second, letter) in phases.chars().enumerate() {
        let phase = match letter {
            's' => Phase::Successful,
            'f' => Phase::Failed,
            'i' => Phase::Inconclusive,
            _ => Phase::Error,
        };
        record(&mut result, measured(phase, second as i64), false);
    }
    result
}

#[test]
fn limits_and_counts_decide_about_a_metric() {
    let every = json!({"interval": "1m"});
    decides(&json!({}), "", Phase::Pending);
    decides(&json!({}), "s", Phase::Successful);
    decides(&json!({}), "f", Phase::Failed);
    decides(&json!({}), "i", Phase::Inconclusive);
    decides(&json!({}), "e", Phase::Running);
    decides(&json!({}), "eeee", Phase::Running);
    decides(&json!({}), "eeeee", Phase::Error);
    decides(&json!({"consecutiveErrorLimit": 0}), "e", Phase::Error);
    decides(&every, "ssss", Phase::Running);
    decides(&every, "sssf", Phase::Failed);
    decides(&every, "fi", Phase::Inconclusive);
    let endless = json!({"interval": "1m", "failureLimit": -1});
    decides(&endless, "ffffff", Phase::Running);
    let once = json!({"interval": "1m", "inconclusiveLimit": 1});
    decides(&once, "ii", Phase::Inconclusive);
    // If several limits are crossed at once, the last in upstream's order wins.
    let strict = json!({"interval": "1m", "consecutiveErrorLimit": 0});
    decides(&strict, "fie", Phase::Error);
}

#[test]
fn a_count_is_reached_by_measurements_without_errors() {
    let three = json!({"interval": "1m", "count": 3});
    decides(&three, "ss", Phase::Running);
    decides(&three, "ssees", Phase::Successful);

    let lenient = json!({"interval": "1m", "count": 3, "failureLimit": 1});
    decides(&lenient, "fs", Phase::Running);
    decides(&lenient, "fsf", Phase::Failed);
    decides(&lenient, "fss", Phase::Successful);
}

#[test]
fn successes_in_a_row_decide_where_they_are_asked_for() {
    let row = json!({"interval": "1m", "consecutiveSuccessLimit": 2, "failureLimit": 5});
    decides(&row, "sfs", Phase::Running);
    decides(&row, "sfss", Phase::Successful);

    let mut counted = row;
    json_patch::merge(&mut counted, &json!({"count": 3, "failureLimit": 3}));
    decides(&counted, "sfs", Phase::Inconclusive);
    counted["failureLimit"] = json!(-1);
    decides(&counted, "sfs", Phase::Failed);
}

fn decides(extra: &Value, phases: &str, wanted: Phase) {
    let found = metric_phase(&metric(extra.clone()), &after(phases), false);
    assert_eq!(found, wanted, "{extra} after `{phases}`");
}

#[test]
fn a_metric_that_is_ended_early_is_a_success_unless_a_limit_is_crossed() {
    let metric = metric(json!({"interval": "1m"}));

    assert_eq!(metric_phase(&metric, &after(""), true), Phase::Successful);
    assert_eq!(metric_phase(&metric, &after("s"), true), Phase::Successful);
    assert_eq!(metric_phase(&metric, &after("f"), true), Phase::Failed);
}

#[test]
fn errors_are_tried_again_soon_and_the_rest_waits_for_the_interval() {
    let metrics = [metric(json!({"interval": "1m", "count": 5}))];
    let mut run = AnalysisRun::default();
    run.status.set_result(after("s"));
    assert_eq!(next_look(&run.status, &metrics, at(0)), Some(at(60)));
    assert!(tasks(&run, &metrics, at(59)).is_empty());
    assert_eq!(tasks(&run, &metrics, at(60)).len(), 1);

    run.status.set_result(after("e"));
    assert_eq!(next_look(&run.status, &metrics, at(0)), Some(at(10)));
    assert_eq!(tasks(&run, &metrics, at(10)).len(), 1);

    run.spec.terminate = true;
    assert!(tasks(&run, &metrics, at(100)).is_empty());
}

#[test]
fn the_first_measurement_waits_for_its_delay() {
    let metrics = [metric(json!({"initialDelay": "30s"}))];
    let mut run = AnalysisRun::default();
    assert!(tasks(&run, &metrics, at(5)).is_empty());

    assess(&mut run, &metrics, &Rules::default(), at(5));

    assert_eq!(run.status.phase, Phase::Running);
    assert_eq!(next_look(&run.status, &metrics, at(5)), Some(at(35)));
    assert!(tasks(&run, &metrics, at(34)).is_empty());
    assert_eq!(tasks(&run, &metrics, at(35)).len(), 1);
}

#[test]
fn a_measurement_under_way_is_gone_on_with_even_when_the_run_ends() {
    let metrics = [metric(json!({}))];
    let mut run = AnalysisRun::default();
    let mut result = after("");
    record(&mut result, measured(Phase::Running, 0), false);
    run.status.set_result(result.clone());
    run.spec.terminate = true;

    let tasks = tasks(&run, &metrics, at(1));

    assert_eq!(tasks.len(), 1);
    assert!(tasks[0].begun.is_some());
    record(&mut result, measured(Phase::Successful, 1), true);
    assert_eq!(result.measurements.len(), 1);
}

#[test]
fn the_worst_metric_decides_and_says_why() {
    let metrics = [
        metric(json!({"interval": "1m"})),
        metric(json!({"name": "latency", "consecutiveErrorLimit": 0})),
    ];
    let mut run = AnalysisRun::default();
    run.status.set_result(after("s"));
    run.status.set_result(MetricResult {
        name: "latency".to_owned(),
        ..after("e")
    });

    let first = assess(&mut run, &metrics, &Rules::default(), at(9));

    // The other metric is still at work; it is ended by the next look.
    assert_eq!(run.status.phase, Phase::Running);
    assert_eq!(first.len(), 1);
    let second = assess(&mut run, &metrics, &Rules::default(), at(9));
    assert_eq!(run.status.phase, Phase::Error);
    assert_eq!(
        run.status.message,
        "Metric \"latency\" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): \"Error Message: down\""
    );
    assert_eq!(
        second,
        [Ended {
            metric: "rate".to_owned(),
            phase: Phase::Successful
        }]
    );
    assert_eq!(
        run.status.run_summary,
        Some(Summary {
            count: 2,
            successful: 1,
            error: 1,
            ..Summary::default()
        })
    );
    assert!(run.status.completed_at.is_some());
}

#[test]
fn a_metric_in_dry_run_decides_nothing() {
    let metrics = [metric(json!({}))];
    let rule = Rule::default();
    let rules = Rules {
        dry_run: BTreeMap::from([("rate".to_owned(), &rule)]),
        retention: BTreeMap::new(),
    };
    let mut run = AnalysisRun::default();
    run.status.set_result(MetricResult {
        dry_run: true,
        ..after("f")
    });

    assess(&mut run, &metrics, &rules, at(1));

    assert_eq!(run.status.phase, Phase::Successful);
    let result = run.status.result("rate").expect("a result");
    assert_eq!(result.phase, Phase::Failed);
    assert_eq!(
        result.message,
        "Metric assessed Failed due to failed (1) > failureLimit (0)"
    );
    assert_eq!(
        run.status.dry_run_summary,
        Some(Summary {
            count: 1,
            failed: 1,
            ..Summary::default()
        })
    );
}

#[test]
fn a_run_that_is_ended_before_it_began_is_a_success() {
    let metrics = [metric(json!({"initialDelay": "1h"}))];
    let mut run = AnalysisRun::default();
    run.spec.terminate = true;

    assess(&mut run, &metrics, &Rules::default(), at(1));

    assert_eq!(run.status.phase, Phase::Successful);
    assert_eq!(run.status.message, "Run Terminated");
}

#[test]
fn old_measurements_are_dropped() {
    let mut status = RunStatus::default();
    status.set_result(after("ssssssssssss"));
    assert_eq!(trim(&mut status, &Rules::default()), ["rate"]);
    assert_eq!(
        status.result("rate").map(|one| one.measurements.len()),
        Some(10)
    );
    assert_eq!(status.result("rate").map(|one| one.count), Some(12));

    let rule = Rule {
        metric_name: "rate".to_owned(),
        limit: 2,
    };
    let rules = Rules {
        dry_run: BTreeMap::new(),
        retention: BTreeMap::from([("rate".to_owned(), &rule)]),
    };
    trim(&mut status, &rules);
    assert_eq!(
        status.result("rate").map(|one| one.measurements.len()),
        Some(2)
    );
}

#[test]
fn a_run_that_has_ended_lives_as_long_as_its_strategy_says() {
    let mut run = AnalysisRun::default();
    run.status.phase = Phase::Failed;
    run.status.completed_at = Some(api_time(at(100)));
    assert_eq!(expires(&run), None);

    run.spec.ttl_strategy = Some(Lifetime {
        seconds_after_completion: Some(60),
        seconds_after_failure: Some(30),
        seconds_after_success: None,
    });

    assert_eq!(expires(&run), Some(at(130)));
    run.status.phase = Phase::Successful;
    assert_eq!(expires(&run), Some(at(160)));
}
