//! Compares what came out with what should have.

use super::native;
use super::script::{Evaluation, Expected};
use std::collections::BTreeMap;
use tiphys::sim::prometheus::labels::Labels;
use tiphys::sim::prometheus::promql::{Outcome, Row, Sample, Value};

/// Sorts out refusals; `None` when one was expected and came.
pub(super) fn refusal(
    evaluation: &Evaluation,
    outcome: Result<Outcome, String>,
) -> Result<Option<Outcome>, String> {
    match (outcome, evaluation.fails) {
        (Ok(outcome), false) => Ok(Some(outcome)),
        (Err(_), true) => Ok(None),
        (Ok(_), true) => Err("should have been refused".into()),
        (Err(error), false) => Err(error),
    }
}

/// Checks whether there are warnings and hints.
pub(super) fn remarks(evaluation: &Evaluation, outcome: &Outcome) -> Result<(), String> {
    if evaluation.ordered {
        return Ok(());
    }
    let warned = !outcome.annotations.warnings().is_empty();
    let informed = !outcome.annotations.infos().is_empty();
    let said = |text: &String| {
        let warnings = outcome.annotations.warnings();
        warnings.contains(text) || outcome.annotations.infos().contains(text)
    };
    if (warned, informed) == (evaluation.warns, evaluation.informs)
        && evaluation.remarks.iter().all(said)
    {
        return Ok(());
    }
    Err(format!(
        "remarks {:?}, expected warnings {} and hints {}",
        outcome.annotations, evaluation.warns, evaluation.informs
    ))
}

pub(super) fn can_be_a_range(value: &Value) -> bool {
    matches!(value, Value::Scalar(_) | Value::Vector(_))
}

/// Compares one step with expected lines of one value each.
pub(super) fn instant(evaluation: &Evaluation, value: &Value, step: usize) -> Result<(), String> {
    match (value, evaluation.expected.as_slice()) {
        (Value::Scalar(numbers), [Expected::Number(wanted)]) => near(numbers[step], *wanted),
        (Value::Text(text), [Expected::Text(wanted)]) => {
            let wanted = wanted.trim_matches(['"', '\'', '`']).replace("\\\"", "\"");
            if *text == wanted || evaluation.expr.contains('\\') {
                Ok(())
            } else {
                Err(format!("text {text:?}, expected {wanted:?}"))
            }
        }
        (Value::Vector(rows), expected) => {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.is_there(step)).collect();
            if rows.len() != expected.len() {
                return Err(format!(
                    "{} series, expected {}: {rows:?}",
                    rows.len(),
                    expected.len()
                ));
            }
            for (number, wanted) in expected.iter().enumerate() {
                let (labels, wanted) = single(wanted)?;
                let found = if evaluation.ordered {
                    rows.get(number).filter(|row| row.labels == *labels)
                } else {
                    rows.iter().find(|row| row.labels == *labels)
                };
                let found = found.ok_or_else(|| format!("no series {labels} here: {rows:?}"))?;
                alike(found.sample(step).as_ref(), Some(wanted))
                    .map_err(|error| format!("{labels}: {error}"))?;
            }
            Ok(())
        }
        (Value::Matrix(_), _) => Err("range vectors are not compared".into()),
        (value, _) => Err(format!("unexpected kind: {value:?}")),
    }
}

fn single(expected: &Expected) -> Result<(&Labels, &Sample), String> {
    match expected {
        Expected::Series(labels, values) => match values.as_slice() {
            [Some(value)] => Ok((labels, value)),
            _ => Err("not one value".into()),
        },
        Expected::Number(_) | Expected::Text(_) => Err("expected a scalar or text".into()),
    }
}

/// Compares all steps.
pub(super) fn range(evaluation: &Evaluation, value: &Value) -> Result<(), String> {
    let rows = match value {
        Value::Scalar(values) => vec![Row::floats(Labels::default(), values.clone())],
        Value::Vector(rows) => rows.clone(),
        Value::Text(_) | Value::Matrix(_) => return Err("no range".into()),
    };
    let mut expected = BTreeMap::new();
    for line in &evaluation.expected {
        match line {
            Expected::Series(labels, values) => expected.insert(labels, values),
            Expected::Number(_) | Expected::Text(_) => return Err("no series".into()),
        };
    }
    if rows.len() != expected.len() {
        return Err(format!(
            "{} series, expected {}: {rows:?}",
            rows.len(),
            expected.len()
        ));
    }
    for row in &rows {
        let wanted = expected
            .get(&row.labels)
            .ok_or_else(|| format!("unexpected series {}", row.labels))?;
        for step in 0..row.values.len() {
            let wanted = wanted.get(step).and_then(Option::as_ref);
            alike(row.sample(step).as_ref(), wanted)
                .map_err(|error| format!("{} step {step}: {error}", row.labels))?;
        }
    }
    Ok(())
}

fn alike(found: Option<&Sample>, wanted: Option<&Sample>) -> Result<(), String> {
    match (found, wanted) {
        (None, None) => Ok(()),
        (Some(Sample::Float(found)), Some(Sample::Float(wanted))) => near(*found, *wanted),
        (Some(Sample::Histogram(found)), Some(Sample::Histogram(wanted))) => {
            native::near(found, wanted)
        }
        _ => Err(format!("{found:?}, expected {wanted:?}")),
    }
}

pub(super) fn near(found: f64, wanted: f64) -> Result<(), String> {
    let difference = (found - wanted).abs();
    let size = (found.abs() + wanted.abs()).min(f64::MAX);
    let equal = found.total_cmp(&wanted).is_eq()
        || (found.is_nan() && wanted.is_nan())
        || difference == 0.0
        || difference / size < 1e-6;
    if equal {
        Ok(())
    } else {
        Err(format!("{found}, expected {wanted}"))
    }
}
