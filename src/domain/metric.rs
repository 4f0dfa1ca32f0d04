//! Numbers over time, as a metrics server answers them.
//!
//! A gap is a point without a value: what the server did not send, and what is not a number
//! (`NaN`), is never drawn as zero. Times are whole milliseconds, as Prometheus keeps them.

use super::object::Text;
use chrono::{DateTime, TimeDelta, Utc};

mod grid;

pub use grid::{Grid, MAX_POINTS, RangeWish};

/// Names of labels with their values, sorted by name.
pub type Labels = Vec<(Text, Text)>;

/// A value at a time; `None` is a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub at: DateTime<Utc>,
    pub value: Option<f64>,
}

/// One line of a chart: a point for every step of the range, gaps included.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Labels,
    pub points: Vec<Point>,
}

/// One value of an instant query.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: Labels,
    pub at: DateTime<Utc>,
    /// `None` when it is not a number; infinities are values.
    pub value: Option<f64>,
}

/// What a query yields.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryResult {
    /// A range query: every series on the same grid.
    Range {
        grid: Grid,
        series: Vec<Series>,
    },
    Vector(Vec<Sample>),
    Scalar(Point),
    Text(Text),
    /// A range selector asked for at an instant: raw points, on no grid.
    Raw(Vec<Series>),
}

/// The answer to a query, with what the server had to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryAnswer {
    pub expr: Text,
    pub result: QueryResult,
    /// Warnings and infos of the server.
    pub notes: Vec<Text>,
    pub at: DateTime<Utc>,
}

/// Where in an expression the mistake is; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// What the server says, without the position.
    pub message: Text,
    pub position: Option<Position>,
    /// What to try.
    pub hint: Option<Text>,
    /// The mistake is in the expression: asking again does not help.
    pub of_expression: bool,
}

impl Series {
    /// Returns the value of a label; empty when it is not there.
    pub fn label(&self, name: &str) -> &str {
        label_of(&self.labels, name)
    }

    /// Returns the newest value.
    pub fn last(&self) -> Option<f64> {
        self.points.iter().rev().find_map(|point| point.value)
    }

    /// Returns the smallest and the largest finite value.
    pub fn extremes(&self) -> Option<(f64, f64)> {
        let values = self.points.iter().filter_map(|point| point.value);
        let finite = values.filter(|value| value.is_finite());
        finite.fold(None, |known, value| match known {
            None => Some((value, value)),
            Some((low, high)) => Some((low.min(value), high.max(value))),
        })
    }
}

impl Sample {
    /// Returns the value of a label; empty when it is not there.
    pub fn label(&self, name: &str) -> &str {
        label_of(&self.labels, name)
    }
}

/// Returns the value of a label; empty when it is not there.
pub fn label_of<'labels>(labels: &'labels Labels, name: &str) -> &'labels str {
    let found = labels.iter().find(|(known, _)| &**known == name);
    found.map_or("", |(_, value)| value)
}

/// Writes labels as Prometheus does: `name{a="b"}`, or `{}` when there are none.
pub fn labels_text(labels: &Labels) -> String {
    let name = label_of(labels, "__name__");
    let others = labels.iter().filter(|(label, _)| &**label != "__name__");
    let pairs: Vec<String> = others
        .map(|(label, value)| format!("{label}={:?}", &**value))
        .collect();
    match (name.is_empty(), pairs.is_empty()) {
        (false, true) => name.to_owned(),
        (_, _) => format!("{name}{{{}}}", pairs.join(",")),
    }
}

/// Reads where a parse error is from Prometheus's words: `1:5: parse error: …`, behind
/// `invalid parameter "query": ` or not. Returns the position and the message without it.
pub fn split_position(message: &str) -> (Option<Position>, &str) {
    let rest = message
        .strip_prefix("invalid parameter \"query\": ")
        .unwrap_or(message);
    let found = rest.split_once(": ").and_then(|(position, message)| {
        let (line, column) = position.split_once(':')?;
        let (line, column) = (line.parse().ok()?, column.parse().ok()?);
        Some((Position { line, column }, message))
    });
    match found {
        Some((position, message)) => {
            let message = message.strip_prefix("parse error: ").unwrap_or(message);
            (Some(position), message)
        }
        None => (None, rest),
    }
}

/// How a value is to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    #[default]
    Plain,
    /// 0 to 1, written as percent.
    Ratio,
    /// 0 to 100.
    Percent,
    Seconds,
    Milliseconds,
    Bytes,
    /// Per second: requests, events.
    PerSecond,
}

/// One chart of a board: what it shows and its lines, each with its legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub title: Text,
    pub unit: Unit,
    pub expr: Text,
    pub grid: Grid,
    /// Legend and line.
    pub lines: Vec<(Text, Series)>,
    /// Why there is nothing, when there is nothing.
    pub problem: Option<QueryError>,
}

/// The charts about one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    /// Which metrics they are made of, such as `istio_requests_total`; empty when none is there.
    pub source: Text,
    pub charts: Vec<Chart>,
    pub notes: Vec<Text>,
    pub at: DateTime<Utc>,
}

/// Writes a value with its unit in few letters: `182 ms`, `0.993`, `12 %`, `1.2k`.
pub fn value_text(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Plain => number_text(value),
        Unit::Ratio => format!("{} %", number_text(value * 100.0)),
        Unit::Percent => format!("{} %", number_text(value)),
        Unit::Seconds if value.abs() < 1.0 => format!("{} ms", number_text(value * 1_000.0)),
        Unit::Seconds => format!("{} s", number_text(value)),
        Unit::Milliseconds if value.abs() >= 1_000.0 => {
            format!("{} s", number_text(value / 1_000.0))
        }
        Unit::Milliseconds => format!("{} ms", number_text(value)),
        Unit::Bytes => bytes_text(value),
        Unit::PerSecond => format!("{}/s", number_text(value)),
    }
}

fn bytes_text(value: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = value;
    let mut at = 0;
    while scaled.abs() >= 1_024.0 && at + 1 < units.len() {
        scaled /= 1_024.0;
        at += 1;
    }
    format!("{} {}", number_text(scaled), units.get(at).unwrap_or(&""))
}

/// Writes a number in about four digits: `0.993`, `19.6`, `182`, `12.3k`, `4.5M`.
pub fn number_text(value: f64) -> String {
    if value.is_nan() {
        return String::from("no number");
    }
    if value.is_infinite() {
        return String::from(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    let size = value.abs();
    let (scaled, suffix) = if size >= 1.0e9 {
        (value / 1.0e9, "G")
    } else if size >= 1.0e6 {
        (value / 1.0e6, "M")
    } else if size >= 1.0e4 {
        (value / 1.0e3, "k")
    } else {
        (value, "")
    };
    let decimals = match scaled.abs() {
        0.0 => 0,
        size if size < 0.001 => return format!("{value:.1e}"),
        size if size < 1.0 => 3,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    // A share of nothing may come as -0.
    let scaled = scaled + 0.0;
    let text = format!("{scaled:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{suffix}")
}

/// Returns how far a point is from now, as staleness to show; `None` for a fresh one.
pub fn staleness(at: DateTime<Utc>, step: TimeDelta, now: DateTime<Utc>) -> Option<TimeDelta> {
    let late = now - at;
    (late > step * 2 + TimeDelta::seconds(5)).then_some(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parse_error_says_where_the_mistake_is() {
        let message = "invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis";
        let (position, rest) = split_position(message);

        assert_eq!(position, Some(Position { line: 1, column: 5 }));
        assert_eq!(rest, "unclosed left parenthesis");
    }

    #[test]
    fn an_error_without_a_position_keeps_its_words() {
        let message = "found duplicate series for the match group {a=\"b\"}: many-to-many";
        assert_eq!(split_position(message), (None, message));
    }

    #[test]
    fn numbers_are_short_and_never_lose_their_size() {
        let cases = [
            (0.0, "0"),
            (0.993, "0.993"),
            (0.95, "0.95"),
            (19.6, "19.6"),
            (182.4, "182"),
            (12_345.0, "12.3k"),
            (4_500_000.0, "4.5M"),
            (-3.0, "-3"),
            (0.000_02, "2.0e-5"),
            (100.0, "100"),
            (1_500.0, "1500"),
        ];
        for (value, text) in cases {
            assert_eq!(number_text(value), text);
        }
        assert_eq!(value_text(0.182, Unit::Seconds), "182 ms");
        assert_eq!(value_text(0.12, Unit::Ratio), "12 %");
        assert_eq!(value_text(1_536.0, Unit::Bytes), "1.5 KiB");
    }
}
