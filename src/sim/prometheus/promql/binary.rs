//! Binary operators between numbers and series.

mod matching;
mod native;

use super::annotations::Annotations;
use super::ast::{Binary, Operator};
use super::eval::{Evaluator, failed, filled, joined};
use super::row::{Row, Sample};
use super::types::{EvalError, Steps, Value};

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, binary: &Binary, steps: Steps) -> Result<Value, EvalError> {
        let left = self.eval(&binary.left, steps)?;
        let right = self.eval(&binary.right, steps)?;
        match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => {
                let both = left.into_iter().zip(right);
                let values = both.map(|(left, right)| number(binary.operator, left, right));
                Ok(Value::Scalar(values.collect()))
            }
            (Value::Vector(rows), Value::Scalar(numbers)) => {
                let sides = |step: usize, sample| (sample, Sample::Float(numbers[step]));
                self.with_scalar(&rows, binary, sides).map(Value::Vector)
            }
            (Value::Scalar(numbers), Value::Vector(rows)) => {
                let sides = |step: usize, sample| (Sample::Float(numbers[step]), sample);
                self.with_scalar(&rows, binary, sides).map(Value::Vector)
            }
            (Value::Vector(left), Value::Vector(right)) => {
                self.count_samples((left.len() + right.len()).saturating_mul(steps.count))?;
                let rows = if binary.operator.is_set() {
                    matching::set(binary, left, &right, steps)?
                } else {
                    let how = (steps, self.options.rules);
                    matching::arithmetic(binary, (&left, &right), how, &mut self.annotations)?
                };
                Ok(Value::Vector(rows))
            }
            _ => Err(failed(
                "binary expression must contain only scalar and instant vector types",
            )),
        }
    }

    /// A vector with a scalar. `sides` gives the left and the right one.
    fn with_scalar(
        &mut self,
        rows: &[Row],
        binary: &Binary,
        sides: impl Fn(usize, Sample) -> (Sample, Sample),
    ) -> Result<Vec<Row>, EvalError> {
        let keeps_name = !binary.operator.drops_name(self.options.rules) && !binary.as_bool;
        let remarks = &mut self.annotations;
        let rows = rows.iter().map(|row| {
            let labels = if keeps_name {
                row.labels.clone()
            } else {
                row.labels.without_name()
            };
            let samples = row.samples().enumerate().map(|(step, sample)| {
                let own = sample?;
                let (left, right) = sides(step, own.clone());
                outcome(binary, (left, right), own, remarks)
            });
            Row::of(labels, samples)
        });
        joined(filled(rows.collect()))
    }
}

/// A scalar with a scalar; a comparison yields 0 or 1.
fn number(operator: Operator, left: f64, right: f64) -> f64 {
    let (value, kept) = apply(operator, left, right);
    if operator.is_comparison() {
        truth(kept)
    } else {
        value
    }
}

fn truth(kept: bool) -> f64 {
    if kept { 1.0 } else { 0.0 }
}

/// Returns what two samples come to; `own` is what a comparison lets through.
fn outcome(
    binary: &Binary,
    sides: (Sample, Sample),
    own: Sample,
    remarks: &mut Annotations,
) -> Option<Sample> {
    let (value, kept) = match sides {
        (Sample::Float(left), Sample::Float(right)) => {
            let (value, kept) = apply(binary.operator, left, right);
            (Sample::Float(value), kept)
        }
        (left, right) => native::apply(binary.operator, left, right, remarks)?,
    };
    match (binary.operator.is_comparison(), binary.as_bool) {
        (false, _) => Some(value),
        (true, true) => Some(Sample::Float(truth(kept))),
        (true, false) => kept.then_some(own),
    }
}

/// Returns the result, and for a comparison whether it holds.
fn apply(operator: Operator, left: f64, right: f64) -> (f64, bool) {
    match operator {
        Operator::Add => (left + right, true),
        Operator::Subtract => (left - right, true),
        Operator::Multiply => (left * right, true),
        Operator::Divide => (left / right, true),
        Operator::Modulo => (left % right, true),
        Operator::Power => (left.powf(right), true),
        Operator::Atan2 => (left.atan2(right), true),
        Operator::Equal => (left, same(left, right)),
        Operator::NotEqual => (left, !same(left, right)),
        Operator::Greater => (left, left > right),
        Operator::GreaterOrEqual => (left, left >= right),
        Operator::Less => (left, left < right),
        Operator::LessOrEqual => (left, left <= right),
        Operator::And | Operator::Or | Operator::Unless => (left, false),
    }
}

#[allow(clippy::float_cmp, reason = "PromQL compares numbers exactly")]
fn same(left: f64, right: f64) -> bool {
    left == right
}
