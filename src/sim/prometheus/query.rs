//! Queries from inside the program, and what can go wrong with them.

use super::labels::Labels;
use super::promql::{
    self, EvalError, EvalOptions, Expr, Outcome, ParseError, Rules, Steps, Value, is_absent,
};
use super::{Core, Semantics, read};
use std::sync::atomic::AtomicBool;

/// How many samples one query may read.
const MOST_SAMPLES: usize = 50_000_000;
/// How many steps one range may have.
const MOST_STEPS: i64 = 11_000;

/// The times of a range query, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryRange {
    /// The first time.
    pub start_ms: i64,
    /// The last time; it may be missed by less than a step.
    pub end_ms: i64,
    /// The distance of two times.
    pub step_ms: i64,
}

/// What kind of mistake it was, as the API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryErrorKind {
    /// The request is wrong.
    BadData,
    /// The query does not fit the data.
    Execution,
    /// It took too long.
    Timeout,
    /// The client went away.
    Canceled,
}

/// Why a query has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// What kind of mistake.
    pub kind: QueryErrorKind,
    /// What is wrong; a mistake in the query begins with its line and column.
    pub message: String,
}

impl QueryError {
    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self {
            kind: QueryErrorKind::BadData,
            message: message.into(),
        }
    }
}

impl From<ParseError> for QueryError {
    fn from(error: ParseError) -> Self {
        Self::bad_data(error.to_string())
    }
}

impl From<EvalError> for QueryError {
    fn from(error: EvalError) -> Self {
        let kind = match error {
            EvalError::Execution(_) => QueryErrorKind::Execution,
            EvalError::Stopped => QueryErrorKind::Canceled,
        };
        Self {
            kind,
            message: error.to_string(),
        }
    }
}

/// What an evaluation may be told besides its times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wishes<'a> {
    /// How far back to look instead of the usual.
    pub(super) lookback: Option<i64>,
    /// Set to stop.
    pub(super) stop: Option<&'a AtomicBool>,
}

impl Core {
    pub(super) fn evaluate_instant(&self, expr: &Expr, at: i64) -> Result<Outcome, QueryError> {
        self.evaluate(expr, Steps::instant(at), Wishes::default())
    }

    pub(super) fn evaluate_range(
        &self,
        expr: &Expr,
        range: QueryRange,
    ) -> Result<Outcome, QueryError> {
        self.evaluate(expr, steps(range)?, Wishes::default())
    }

    pub(super) fn evaluate(
        &self,
        expr: &Expr,
        steps: Steps,
        wishes: Wishes<'_>,
    ) -> Result<Outcome, QueryError> {
        let lookback = self.options.lookback.as_millis() as i64;
        let options = EvalOptions {
            steps,
            rules: match self.options.semantics {
                Semantics::V2 => Rules::V2,
                Semantics::V3 => Rules::V3,
            },
            lookback: wishes.lookback.unwrap_or(lookback),
            subquery_step: self.options.evaluation_interval.as_millis() as i64,
            max_samples: MOST_SAMPLES,
            stop: wishes.stop,
        };
        let store = read(&self.store);
        Ok(promql::evaluate(expr, &*store, &options)?)
    }

    /// Answers `{{ query "…" }}` of a template.
    pub(super) fn query_for_template(
        &self,
        text: &str,
        at: i64,
    ) -> Result<Vec<(Labels, f64)>, String> {
        let expr = promql::parse(text).map_err(|error| error.to_string())?;
        let outcome = self
            .evaluate_instant(&expr, at)
            .map_err(|error| error.to_string())?;
        Ok(match outcome.value {
            Value::Vector(rows) => rows
                .into_iter()
                .filter_map(|row| Some((row.labels, *row.values.first()?)))
                .filter(|(_, value)| !is_absent(*value))
                .collect(),
            Value::Scalar(numbers) => numbers
                .into_iter()
                .map(|number| (Labels::default(), number))
                .collect(),
            Value::Text(_) | Value::Matrix(_) => Vec::new(),
        })
    }
}

/// Checks a range in the words of the API.
pub(super) fn steps(range: QueryRange) -> Result<Steps, QueryError> {
    if range.end_ms < range.start_ms {
        return Err(QueryError::bad_data(
            "invalid parameter \"end\": end timestamp must not be before start time",
        ));
    }
    if range.step_ms <= 0 {
        return Err(QueryError::bad_data(
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    if (range.end_ms - range.start_ms) / range.step_ms > MOST_STEPS {
        return Err(QueryError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    Ok(Steps::range(range.start_ms, range.end_ms, range.step_ms))
}
