//! The evaluations of Prometheus's own test scripts (`promql/promqltest`), on our store and engine.
//!
//! What does not pass is listed in `promql_oracle/known.txt`, one `file:line` each with the reason;
//! a listed evaluation that passes fails the test, so that the list can only shrink. As upstream
//! does, an instant evaluation is repeated as the middle of a range.

mod compare;
mod native;
mod script;

use script::{Command, Evaluation, When};
use std::collections::BTreeMap;
use std::path::Path;
use tiphys::sim::prometheus::promql::{self, EvalError, EvalOptions, Outcome, Rules, Steps};
use tiphys::sim::prometheus::store::Store;

const FIVE_MINUTES: i64 = 300_000;

/// Evaluates over the store, or says what refused.
fn evaluate(store: &Store, expr: &str, steps: Steps) -> Result<Outcome, String> {
    let expr = promql::parse(expr).map_err(|error| error.to_string())?;
    let options = EvalOptions {
        steps,
        rules: Rules::V3,
        lookback: FIVE_MINUTES,
        subquery_step: 60_000,
        max_samples: 50_000_000,
        stop: None,
    };
    promql::evaluate(&expr, store, &options).map_err(|error: EvalError| error.to_string())
}

fn check(store: &Store, evaluation: &Evaluation) -> Result<(), String> {
    match evaluation.when {
        When::Range { from, to, step } => {
            let outcome = evaluate(store, &evaluation.expr, Steps::range(from, to, step));
            let Some(outcome) = compare::refusal(evaluation, outcome)? else {
                return Ok(());
            };
            compare::remarks(evaluation, &outcome)?;
            compare::range(evaluation, &outcome.value)
        }
        When::Instant(at) => {
            let outcome = evaluate(store, &evaluation.expr, Steps::instant(at));
            let Some(outcome) = compare::refusal(evaluation, outcome)? else {
                return Ok(());
            };
            compare::remarks(evaluation, &outcome)?;
            compare::instant(evaluation, &outcome.value, 0)?;
            if evaluation.ordered || !compare::can_be_a_range(&outcome.value) {
                return Ok(());
            }
            let around = Steps::range(at - 60_000, at + 60_000, 60_000);
            let outcome = evaluate(store, &evaluation.expr, around)
                .map_err(|error| format!("as a range: {error}"))?;
            compare::instant(evaluation, &outcome.value, 1)
                .map_err(|error| format!("as a range: {error}"))
        }
    }
}

/// Runs a script; returns how many evaluations pass, and adds those that do not.
fn run(path: &Path, failed: &mut BTreeMap<String, String>) -> usize {
    let text = std::fs::read_to_string(path).expect("a script is text");
    let name = path.file_name().expect("a name").to_string_lossy();
    let mut store = Store::new(100_000);
    let mut passed = 0;
    for command in script::read(&text) {
        match command {
            Command::Clear => store.clear(),
            Command::Load(series) => script::load(&mut store, &series),
            Command::Eval(evaluation) => match check(&store, &evaluation) {
                Ok(()) => passed += 1,
                Err(reason) => {
                    let place = format!("{name}:{}", evaluation.line);
                    failed.insert(place, format!("{}  {reason}", evaluation.expr));
                }
            },
        }
    }
    passed
}

#[test]
fn evaluations_of_upstream_pass() {
    let Some(folder) = crate::oracles::folder("promql") else {
        return;
    };
    let known = known();
    let mut failed = BTreeMap::new();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the oracles can be read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "test"))
        .collect();
    files.sort();
    let passed: usize = files.iter().map(|path| run(path, &mut failed)).sum();

    let total = passed + failed.len();
    println!(
        "{passed} of {total} evaluations pass; {} are known not to",
        known.len()
    );
    for (place, reason) in failed
        .iter()
        .filter(|(place, _)| !known.contains_key(*place))
    {
        println!("{place} {reason}");
    }
    let unexpected = failed
        .keys()
        .filter(|place| !known.contains_key(*place))
        .count();
    let mended: Vec<_> = known
        .keys()
        .filter(|place| !failed.contains_key(*place))
        .collect();
    assert!(
        unexpected == 0,
        "{unexpected} evaluations fail that are not listed"
    );
    assert!(mended.is_empty(), "listed, but passing: {mended:?}");
    assert!(
        passed * 1000 >= total * 998,
        "only {passed} of {total} pass"
    );
}

/// The evaluations that are known not to pass, with the reason.
fn known() -> BTreeMap<String, String> {
    include_str!("promql_oracle/known.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (place, reason) = line.split_once(' ').unwrap_or((line, ""));
            (place.to_owned(), reason.to_owned())
        })
        .collect()
}
