//! Writes results as JSON. They may be large, so no tree of values is made of them.

use crate::sim::prometheus::labels::Labels;
use crate::sim::prometheus::number::api_value;
use crate::sim::prometheus::promql::{Row, Sampled, Steps, Value, is_absent};
use std::fmt::Write as _;

/// Writes `{"resultType":…,"result":…}`; `most` results, 0 for all.
pub(super) fn json(value: Value, steps: Steps, (range, most): (bool, usize)) -> String {
    let (kind, result) = match value {
        Value::Scalar(values) if range => (
            "matrix",
            matrix(
                vec![Row {
                    labels: Labels::default(),
                    values,
                }],
                steps,
                most,
            ),
        ),
        Value::Vector(rows) if range => ("matrix", matrix(rows, steps, most)),
        Value::Scalar(values) => (
            "scalar",
            point(
                steps.start,
                &api_value(values.first().copied().unwrap_or(f64::NAN)),
            ),
        ),
        Value::Text(text) => ("string", text_point(steps.start, &text)),
        Value::Vector(rows) => ("vector", vector(&rows, steps.start, most)),
        Value::Matrix(series) => ("matrix", samples(series, most)),
    };
    format!("{{\"resultType\":\"{kind}\",\"result\":{result}}}")
}

/// Returns whether a limit leaves results out.
pub(super) fn is_cut(value: &Value, most: usize) -> bool {
    let count = match value {
        Value::Vector(rows) => rows.len(),
        Value::Matrix(series) => series.len(),
        Value::Scalar(_) | Value::Text(_) => 0,
    };
    most > 0 && count > most
}

fn limit(most: usize) -> usize {
    if most == 0 { usize::MAX } else { most }
}

fn vector(rows: &[Row], at: i64, most: usize) -> String {
    let there = rows.iter().filter_map(|row| {
        let value = row
            .values
            .first()
            .copied()
            .filter(|value| !is_absent(*value))?;
        Some(format!(
            "{{\"metric\":{},\"value\":{}}}",
            labels(&row.labels),
            point(at, &api_value(value))
        ))
    });
    list(there.take(limit(most)))
}

fn matrix(mut rows: Vec<Row>, steps: Steps, most: usize) -> String {
    rows.sort_by(|left, right| left.labels.cmp(&right.labels));
    list(rows.iter().take(limit(most)).map(|row| {
        let points = row
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| !is_absent(**value));
        series(
            &row.labels,
            points.map(|(step, value)| (steps.at(step), *value)),
        )
    }))
}

fn samples(mut all: Vec<Sampled>, most: usize) -> String {
    all.sort_by(|left, right| left.labels.cmp(&right.labels));
    list(all.iter().take(limit(most)).map(|one| {
        let points = one.times.iter().copied().zip(one.values.iter().copied());
        series(&one.labels, points)
    }))
}

fn series(metric: &Labels, points: impl Iterator<Item = (i64, f64)>) -> String {
    let mut out = format!("{{\"metric\":{},\"values\":[", labels(metric));
    for (number, (at, value)) in points.enumerate() {
        if number > 0 {
            out.push(',');
        }
        write_point(&mut out, at, &api_value(value));
    }
    out.push_str("]}");
    out
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[{}]", items.join(","))
}

fn labels(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{}:{}", escaped(name), escaped(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

fn escaped(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn point(at: i64, value: &str) -> String {
    let mut out = String::new();
    write_point(&mut out, at, value);
    out
}

fn text_point(at: i64, text: &str) -> String {
    format!("[{},{}]", seconds(at), escaped(text))
}

/// Writes `[seconds,"value"]`; a value needs no escaping.
fn write_point(out: &mut String, at: i64, value: &str) {
    // Writing to a string cannot fail.
    write!(out, "[{},\"{value}\"]", seconds(at)).unwrap_or_default();
}

/// Writes milliseconds as seconds, with a fraction only if there is one.
fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let (whole, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    if rest == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{rest:03}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_shapes_of_the_api() {
        let row = Row {
            labels: Labels::of(&[("__name__", "up"), ("job", "a\"b")]),
            values: vec![1.0, crate::sim::prometheus::promql::ABSENT, f64::NAN],
        };
        let steps = Steps::range(1_500, 3_500, 1_000);

        let matrix = json(Value::Vector(vec![row.clone()]), steps, (true, 0));
        let vector = json(Value::Vector(vec![row]), Steps::instant(2_000), (false, 0));

        assert_eq!(
            matrix,
            r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a\"b"},"values":[[1.500,"1"],[3.500,"NaN"]]}]}"#
        );
        assert_eq!(
            vector,
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a\"b"},"value":[2,"1"]}]}"#
        );
    }
}
