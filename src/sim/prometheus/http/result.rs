//! Writes results as JSON. They may be large, so no tree of values is made of them.

use crate::sim::prometheus::histogram::Histogram;
use crate::sim::prometheus::labels::Labels;
use crate::sim::prometheus::number::api_value;
use crate::sim::prometheus::promql::{Row, Sample, Sampled, Steps, Value, is_absent};
use std::fmt::Write as _;

/// Writes `{"resultType":…,"result":…}`; `most` results, 0 for all.
pub(super) fn json(value: Value, steps: Steps, (range, most): (bool, usize)) -> String {
    let (kind, result) = match value {
        Value::Scalar(values) if range => (
            "matrix",
            matrix(vec![Row::floats(Labels::default(), values)], steps, most),
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
        let (key, value) = match row.sample(0)? {
            Sample::Float(value) => ("value", point(at, &api_value(value))),
            Sample::Histogram(histogram) => ("histogram", histogram_point(at, &histogram)),
        };
        let metric = labels(&row.labels);
        Some(format!("{{\"metric\":{metric},\"{key}\":{value}}}"))
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
        let histograms = row.histograms.iter();
        let histograms = histograms.map(|(step, one)| histogram_point(steps.at(step), one));
        let points = points.map(|(step, value)| (steps.at(step), *value));
        series(&row.labels, points, histograms)
    }))
}

fn samples(mut all: Vec<Sampled>, most: usize) -> String {
    all.sort_by(|left, right| left.labels.cmp(&right.labels));
    list(all.iter().take(limit(most)).map(|one| {
        let points = one.times.iter().copied().zip(one.values.iter().copied());
        let histograms = one.histograms.iter();
        let histograms = histograms.map(|(time, one)| histogram_point(*time, one));
        series(&one.labels, points, histograms)
    }))
}

fn series(
    metric: &Labels,
    points: impl Iterator<Item = (i64, f64)>,
    histograms: impl Iterator<Item = String>,
) -> String {
    let mut out = format!("{{\"metric\":{}", labels(metric));
    let mut before = ",\"values\":[";
    for (at, value) in points {
        out.push_str(before);
        write_point(&mut out, at, &api_value(value));
        before = ",";
    }
    if before == "," {
        out.push(']');
    }
    let mut histograms = histograms.peekable();
    if histograms.peek().is_some() {
        // Writing to a string cannot fail.
        write!(out, ",\"histograms\":{}", list(histograms)).unwrap_or_default();
    }
    out.push('}');
    out
}

/// Writes `[seconds,{"count":…,"sum":…,"buckets":[[sides,"lower","upper","count"]]}]`.
fn histogram_point(at: i64, histogram: &Histogram) -> String {
    let buckets = histogram.buckets().into_iter();
    let buckets = buckets.filter(|bucket| bucket.count != 0.0).map(|bucket| {
        let sides = match (bucket.with_lower, bucket.with_upper) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        };
        let texts = [bucket.lower, bucket.upper, bucket.count].map(api_value);
        let [lower, upper, count] = texts;
        format!("[{sides},\"{lower}\",\"{upper}\",\"{count}\"]")
    });
    let buckets: Vec<String> = buckets.collect();
    let (count, sum) = (api_value(histogram.count), api_value(histogram.sum));
    let mut out = format!("[{},{{\"count\":\"{count}\",\"sum\":\"{sum}\"", seconds(at));
    if !buckets.is_empty() {
        // Writing to a string cannot fail.
        write!(out, ",\"buckets\":[{}]", buckets.join(",")).unwrap_or_default();
    }
    out.push_str("}]");
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
    use crate::sim::prometheus::histogram::Buckets;

    #[test]
    fn results_have_the_shapes_of_the_api() {
        let labels = Labels::of(&[("__name__", "up"), ("job", "a\"b")]);
        let absent = crate::sim::prometheus::promql::ABSENT;
        let row = Row::floats(labels, vec![1.0, absent, f64::NAN]);
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

    #[test]
    fn histograms_are_objects_beside_the_numbers() {
        let histogram = Histogram {
            count: 4.0,
            sum: 2.5,
            zero_threshold: 0.001,
            zero_count: 1.0,
            positive: Buckets::run(0, &[2.0, 0.0]),
            negative: Buckets::run(1, &[1.0]),
            ..Histogram::default()
        };
        let series = Sampled {
            times: vec![1_000],
            values: vec![7.0],
            histograms: vec![(2_000, histogram.into())],
            ..Sampled::default()
        };

        let written = json(Value::Matrix(vec![series]), Steps::instant(0), (false, 0));

        assert_eq!(
            written,
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1,"7"]],"histograms":[[2,{"count":"4","sum":"2.5","buckets":[[1,"-2","-1","1"],[3,"-0.001","0.001","1"],[0,"0.5","1","2"]]}]]}]}"#
        );
    }
}
