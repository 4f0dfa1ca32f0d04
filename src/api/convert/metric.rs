//! Turns answers of Prometheus's HTTP API into [`domain::metric`](crate::domain::metric).
//!
//! Shapes: Prometheus `docs/querying/api.md`. `NaN` and missing points become gaps; of a native
//! histogram its count is shown.

use crate::domain::metric::{Grid, Labels, Point, QueryResult, Sample, Series};
use crate::domain::object::Text;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::HashMap;

/// Reads the `data` of a query; `grid` is what a range query asked for.
///
/// # Errors
/// Says what is not as the API has it.
pub fn query_result(data: &Value, grid: Option<Grid>) -> Result<QueryResult, String> {
    let result = data.get("result").ok_or("the answer has no `result`")?;
    let kind = data
        .get("resultType")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match kind {
        "vector" => Ok(QueryResult::Vector(
            items(result).filter_map(sample).collect(),
        )),
        "scalar" => {
            let (at, text) = pair(result).ok_or("a scalar is not a pair")?;
            let value = number(text);
            Ok(QueryResult::Scalar(Point { at, value }))
        }
        "string" => {
            let (_, text) = pair(result).ok_or("a string is not a pair")?;
            Ok(QueryResult::Text(text.into()))
        }
        "matrix" => Ok(match grid {
            Some(grid) => QueryResult::Range {
                grid,
                series: items(result).map(|one| on_grid(one, &grid)).collect(),
            },
            None => QueryResult::Raw(items(result).map(raw).collect()),
        }),
        other => Err(format!("`{other}` is a result type that is not known here")),
    }
}

/// Returns whether there are native histograms in the `data` of a query.
pub fn has_histograms(data: &Value) -> bool {
    let keys = ["histogram", "histograms"];
    let mut series = data.get("result").into_iter().flat_map(items);
    series.any(|one| keys.iter().any(|key| one.get(key).is_some()))
}

/// Reads a list of texts: label names, label values.
pub fn texts(data: &Value) -> Vec<Text> {
    items(data)
        .filter_map(Value::as_str)
        .map(Text::from)
        .collect()
}

/// Reads labels, sorted by name.
pub fn labels(value: Option<&Value>) -> Labels {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    let mut labels: Labels = members
        .filter_map(|(name, value)| Some((name.as_str().into(), value.as_str()?.into())))
        .collect();
    labels.sort();
    labels
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Reads a value as Prometheus writes it; what is not a number is none.
pub fn number(text: &str) -> Option<f64> {
    let number = match text {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        other => other.parse().ok()?,
    };
    (!number.is_nan()).then_some(number)
}

fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let milliseconds = (value.as_f64()? * 1_000.0).round();
    (milliseconds.abs() < 9.0e15)
        .then(|| DateTime::from_timestamp_millis(milliseconds as i64))
        .flatten()
}

fn pair(value: &Value) -> Option<(DateTime<Utc>, &str)> {
    Some((instant(value.get(0)?)?, value.get(1)?.as_str()?))
}

/// A value, or the count of a native histogram.
fn measured(value: &Value) -> Option<(DateTime<Utc>, Option<f64>)> {
    let at = instant(value.get(0)?)?;
    let second = value.get(1)?;
    let text = second.as_str().or_else(|| second.get("count")?.as_str())?;
    Some((at, number(text)))
}

fn sample(value: &Value) -> Option<Sample> {
    let one = value.get("value").or_else(|| value.get("histogram"))?;
    let (at, number) = measured(one)?;
    Some(Sample {
        labels: labels(value.get("metric")),
        at,
        value: number,
    })
}

fn measurements(value: &Value) -> impl Iterator<Item = (DateTime<Utc>, Option<f64>)> + '_ {
    let lists = ["values", "histograms"].into_iter();
    lists
        .filter_map(|list| value.get(list))
        .flat_map(items)
        .filter_map(measured)
}

fn raw(value: &Value) -> Series {
    let mut points: Vec<Point> = measurements(value)
        .map(|(at, value)| Point { at, value })
        .collect();
    points.sort_by_key(|point| point.at);
    Series {
        labels: labels(value.get("metric")),
        points,
    }
}

/// Puts a series on the instants that were asked for; those without a value are gaps.
fn on_grid(value: &Value, grid: &Grid) -> Series {
    let known: HashMap<DateTime<Utc>, Option<f64>> = measurements(value).collect();
    let points = grid.instants().map(|at| Point {
        at,
        value: known.get(&at).copied().flatten(),
    });
    Series {
        labels: labels(value.get("metric")),
        points: points.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use serde_json::json;

    #[test]
    fn missing_points_and_what_is_no_number_are_gaps() {
        let start = DateTime::from_timestamp(1_767_227_400, 0).expect("a time");
        let grid = Grid {
            start,
            end: start + TimeDelta::seconds(40),
            step: TimeDelta::seconds(10),
        };
        let data = json!({"resultType": "matrix", "result": [{"metric": {"b": "2", "a": "1"},
            "values": [[1_767_227_400, "1"], [1_767_227_410.0, "NaN"], [1_767_227_430, "+Inf"]]}]});

        let QueryResult::Range { series, .. } = query_result(&data, Some(grid)).expect("a matrix")
        else {
            panic!("a range was expected");
        };

        let values: Vec<_> = series[0].points.iter().map(|point| point.value).collect();
        assert_eq!(values, [Some(1.0), None, None, Some(f64::INFINITY), None]);
        assert_eq!(series[0].labels[0].0.as_ref(), "a");
    }

    #[test]
    fn every_result_type_is_read() {
        let vector = json!({"resultType": "vector", "result": [
            {"metric": {}, "value": [1.5, "1e-09"]},
            {"metric": {}, "histogram": [1.5, {"count": "7", "sum": "9"}]}]});
        let QueryResult::Vector(samples) = query_result(&vector, None).expect("a vector") else {
            panic!("a vector was expected");
        };
        assert_eq!(
            (samples[0].value, samples[1].value),
            (Some(1e-9), Some(7.0))
        );
        assert_eq!(samples[0].at.timestamp_millis(), 1_500);
        assert!(has_histograms(&vector));

        let scalar = json!({"resultType": "scalar", "result": [1, "2"]});
        assert!(matches!(
            query_result(&scalar, None),
            Ok(QueryResult::Scalar(_))
        ));
        assert!(!has_histograms(&scalar));
        let odd = json!({"resultType": "tensor", "result": []});
        assert!(query_result(&odd, None).is_err());
    }
}
