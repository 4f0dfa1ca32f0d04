//! Walks the tree: each expression is evaluated once, for all steps together.

use super::annotations::Annotations;
use super::ast::{Expr, Subquery};
use super::row::{Row, Sample};
use super::stamp::{ABSENT, is_absent};
use super::types::{EvalError, EvalOptions, Outcome, Rules, Sampled, Source, Steps, Value};
use crate::sim::prometheus::histogram::{Histogram, ResetHint};
use crate::sim::prometheus::labels::Labels;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Evaluates a query.
///
/// # Errors
/// The query does not fit the data, or it was told to stop.
pub fn evaluate(
    expr: &Expr,
    source: &dyn Source,
    options: &EvalOptions<'_>,
) -> Result<Outcome, EvalError> {
    let mut evaluator = Evaluator {
        source,
        options: *options,
        annotations: Annotations::default(),
        samples: 0,
    };
    let value = evaluator.top(expr)?;
    Ok(Outcome {
        value,
        annotations: evaluator.annotations,
    })
}

/// One evaluation under way.
pub(super) struct Evaluator<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) options: EvalOptions<'a>,
    pub(super) annotations: Annotations,
    /// How many samples were read so far.
    pub(super) samples: usize,
}

impl Evaluator<'_> {
    fn top(&mut self, expr: &Expr) -> Result<Value, EvalError> {
        let steps = self.options.steps;
        match expr.bare() {
            Expr::Range(..) | Expr::Subquery(_) => {
                let ranges = self.ranges(expr.bare(), steps)?;
                Ok(Value::Matrix(ranges.first_windows(self.options.rules)))
            }
            Expr::Number(_)
            | Expr::Text(_)
            | Expr::Selector(_)
            | Expr::Call(..)
            | Expr::Aggregate(_)
            | Expr::Binary(_)
            | Expr::Negate(_)
            | Expr::Paren(_) => self.eval(expr, steps),
        }
    }

    pub(super) fn eval(&mut self, expr: &Expr, steps: Steps) -> Result<Value, EvalError> {
        self.go_on()?;
        match expr {
            Expr::Number(number) => Ok(Value::Scalar(vec![*number; steps.count])),
            Expr::Text(text) => Ok(Value::Text(text.clone())),
            Expr::Paren(inner) => self.eval(inner, steps),
            Expr::Selector(selector) => self.instant(selector, steps).map(Value::Vector),
            Expr::Negate(inner) => self.negate(inner, steps),
            Expr::Call(name, args) => self.call(name, args, steps),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, steps).map(Value::Vector),
            Expr::Binary(binary) => self.binary(binary, steps),
            Expr::Range(..) | Expr::Subquery(_) => {
                Err(failed("a range vector has no value of its own here"))
            }
        }
    }

    /// Returns an error when the query was told to stop.
    pub(super) fn go_on(&self) -> Result<(), EvalError> {
        match self.options.stop {
            Some(stop) if stop.load(Ordering::Relaxed) => Err(EvalError::Stopped),
            Some(_) | None => Ok(()),
        }
    }

    /// Counts samples that were read or made.
    pub(super) fn count_samples(&mut self, more: usize) -> Result<(), EvalError> {
        self.samples = self.samples.saturating_add(more);
        if self.samples > self.options.max_samples {
            return Err(failed(
                "query processing would load too many samples into memory in query execution",
            ));
        }
        self.go_on()
    }

    fn negate(&mut self, inner: &Expr, steps: Steps) -> Result<Value, EvalError> {
        match self.eval(inner, steps)? {
            Value::Scalar(numbers) => Ok(Value::Scalar(numbers.iter().map(|n| -n).collect())),
            Value::Vector(rows) => {
                let rows: Vec<Row> = rows.iter().map(negated).collect();
                distinct(&rows)?;
                Ok(Value::Vector(rows))
            }
            Value::Text(_) | Value::Matrix(_) => Err(failed("only numbers can be negated")),
        }
    }

    pub(super) fn vector(&mut self, expr: &Expr, steps: Steps) -> Result<Vec<Row>, EvalError> {
        match self.eval(expr, steps)? {
            Value::Vector(rows) => Ok(rows),
            Value::Scalar(_) | Value::Text(_) | Value::Matrix(_) => {
                Err(failed("expected an instant vector"))
            }
        }
    }

    pub(super) fn scalar(&mut self, expr: &Expr, steps: Steps) -> Result<Vec<f64>, EvalError> {
        match self.eval(expr, steps)? {
            Value::Scalar(numbers) => Ok(numbers),
            Value::Vector(_) | Value::Text(_) | Value::Matrix(_) => {
                Err(failed("expected a scalar"))
            }
        }
    }

    /// Evaluates the inside of a subquery at all of its instants.
    pub(super) fn sub_rows(
        &mut self,
        query: &Subquery,
        from: i64,
        to: i64,
    ) -> Result<Vec<Sampled>, EvalError> {
        let step = query.step.unwrap_or(self.options.subquery_step).max(1);
        let mut start = step * from.div_euclid(step);
        let left_out = match self.options.rules {
            Rules::V2 => start < from,
            Rules::V3 => start <= from,
        };
        if left_out {
            start += step;
        }
        if start > to {
            return Ok(Vec::new());
        }
        let steps = Steps::range(start, to, step);
        self.count_samples(steps.count)?;
        let rows = match self.eval(&query.expr, steps)? {
            Value::Vector(rows) => rows,
            Value::Scalar(values) => vec![Row::floats(Labels::default(), values)],
            Value::Text(_) | Value::Matrix(_) => {
                return Err(failed("subquery is only allowed on instant vector"));
            }
        };
        Ok(rows.into_iter().map(|row| sampled(row, steps)).collect())
    }
}

fn sampled(row: Row, steps: Steps) -> Sampled {
    let present =
        |(index, value): (usize, f64)| (!is_absent(value)).then(|| (steps.at(index), value));
    let histograms = row.histograms.iter();
    let histograms = histograms.map(|(index, one)| (steps.at(index), alone(one)));
    let histograms = histograms.collect();
    let (times, values) = row
        .values
        .into_iter()
        .enumerate()
        .filter_map(present)
        .unzip();
    Sampled {
        labels: row.labels,
        times,
        values,
        histograms,
    }
}

/// In a subquery a histogram has another one before it than in its series, or itself again.
fn alone(histogram: &Arc<Histogram>) -> Arc<Histogram> {
    match histogram.hint {
        ResetHint::Unknown | ResetHint::Gauge => Arc::clone(histogram),
        ResetHint::Reset | ResetHint::NotReset => Arc::new(Histogram {
            hint: ResetHint::Unknown,
            ..Histogram::clone(histogram)
        }),
    }
}

fn negated(row: &Row) -> Row {
    let samples = row.samples().map(|sample| {
        Some(match sample? {
            Sample::Float(value) => Sample::Float(-value),
            Sample::Histogram(histogram) => {
                Arc::unwrap_or_clone(histogram).times(-1.0).compact().into()
            }
        })
    });
    Row::of(row.labels.without_name(), samples)
}

pub(super) fn failed(message: impl Into<String>) -> EvalError {
    EvalError::Execution(message.into())
}

/// Changes each number and drops the metric's name; histograms are left out.
pub(super) fn map_rows(rows: Vec<Row>, change: impl Fn(f64) -> f64) -> Vec<Row> {
    let changed = rows.into_iter().map(|row| {
        let values = row.values.into_iter();
        let values = values.map(|value| present(value, &change)).collect();
        Row::floats(row.labels.without_name(), values)
    });
    filled(changed.collect())
}

/// Changes a value that is there.
pub(super) fn present(value: f64, change: impl Fn(f64) -> f64) -> f64 {
    if is_absent(value) {
        ABSENT
    } else {
        change(value)
    }
}

const SAME: &str = "vector cannot contain metrics with the same labelset";

/// Refuses rows of one identity.
pub(super) fn distinct(rows: &[Row]) -> Result<(), EvalError> {
    let mut seen = std::collections::HashSet::with_capacity(rows.len());
    if rows.iter().all(|row| seen.insert(&row.labels)) {
        Ok(())
    } else {
        Err(failed(SAME))
    }
}

/// Joins rows of one identity that have values at different steps, and refuses other ones.
pub(super) fn joined(rows: Vec<Row>) -> Result<Vec<Row>, EvalError> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(rows.len());
    let mut out: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.entry(row.labels.clone()) {
            Entry::Vacant(place) => {
                place.insert(out.len());
                out.push(row);
            }
            Entry::Occupied(place) => {
                let Some(there) = out.get_mut(*place.get()) else {
                    continue;
                };
                for (step, sample) in row.samples().enumerate() {
                    match (there.is_there(step), sample) {
                        (_, None) => {}
                        (false, sample) => there.put(step, sample),
                        (true, Some(_)) => return Err(failed(SAME)),
                    }
                }
            }
        }
    }
    Ok(out)
}

/// Leaves out rows without any value.
pub(super) fn filled(mut rows: Vec<Row>) -> Vec<Row> {
    rows.retain(Row::is_filled);
    rows
}
