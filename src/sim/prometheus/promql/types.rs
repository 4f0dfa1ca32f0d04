//! What goes into an evaluation and what comes out.

use super::annotations::Annotations;
use super::row::Row;
use crate::sim::prometheus::histogram::Histogram;
use crate::sim::prometheus::labels::Labels;
use crate::sim::prometheus::matcher::Matcher;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The instants at which a query is evaluated; times are milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The first instant.
    pub start: i64,
    /// The distance of two instants; at least 1.
    pub step: i64,
    /// How many instants; at least 1.
    pub count: usize,
    /// The end that was asked for: the last instant may miss it.
    pub until: i64,
}

impl Steps {
    /// One instant.
    pub fn instant(at: i64) -> Self {
        Self {
            start: at,
            step: 1,
            count: 1,
            until: at,
        }
    }

    /// All instants from `start` to `end`, which may be missed.
    pub fn range(start: i64, end: i64, step: i64) -> Self {
        let step = step.max(1);
        let count = if end < start {
            0
        } else {
            (end - start) / step + 1
        };
        Self {
            start,
            step,
            count: usize::try_from(count).unwrap_or_default().max(1),
            until: end,
        }
    }

    /// Returns the time of one instant.
    pub fn at(self, index: usize) -> i64 {
        self.start + self.step * index as i64
    }
}

/// Which version's rules apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    /// Prometheus 2.x.
    V2,
    /// Prometheus 3.x.
    #[default]
    V3,
}

/// How to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct EvalOptions<'a> {
    /// When.
    pub steps: Steps,
    /// By whose rules.
    pub rules: Rules,
    /// How far back an instant selector looks, in milliseconds.
    pub lookback: i64,
    /// The step of a subquery that names none, in milliseconds.
    pub subquery_step: i64,
    /// How many samples may be read.
    pub max_samples: usize,
    /// Set from outside to stop.
    pub stop: Option<&'a AtomicBool>,
}

/// The samples of one series, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampled {
    /// Whose samples.
    pub labels: Labels,
    /// When, in milliseconds.
    pub times: Vec<i64>,
    /// What; [`super::ABSENT`] where the series ended.
    pub values: Vec<f64>,
    /// Native histograms at times of their own.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

impl Sampled {
    /// Returns how many samples there are.
    pub fn count(&self) -> usize {
        self.times.len() + self.histograms.len()
    }
}

/// Where series come from.
pub trait Source {
    /// Returns the series that meet the matchers with their samples in `from..=to`.
    fn select(&self, matchers: &[Matcher], from: i64, to: i64) -> Vec<Sampled>;
}

/// What an expression is worth.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number for each step.
    Scalar(Vec<f64>),
    /// A text.
    Text(String),
    /// Series with a value for each step.
    Vector(Vec<Row>),
    /// Series with samples at their own times; only at a single instant.
    Matrix(Vec<Sampled>),
}

/// A value and what has to be said about it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The value.
    pub value: Value,
    /// Warnings and hints.
    pub annotations: Annotations,
}

/// Why an evaluation ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The query cannot be evaluated on these data.
    #[error("{0}")]
    Execution(String),
    /// It was told to stop.
    #[error("query was canceled in expression evaluation")]
    Stopped,
}

/// A query that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: parse error: {message}")]
pub struct ParseError {
    /// The line of the mistake, from 1.
    pub line: usize,
    /// The column of the mistake in letters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}
