//! Binary operators between numbers and series.

mod matching;

use super::ast::{Binary, Operator};
use super::eval::{Evaluator, failed, filled, joined};
use super::stamp::{ABSENT, is_absent};
use super::types::{EvalError, Row, Rules, Steps, Value};

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
                let value = |step: usize, value: f64| (value, numbers[step], value);
                with_scalar(rows, binary, self.options.rules, value).map(Value::Vector)
            }
            (Value::Scalar(numbers), Value::Vector(rows)) => {
                let value = |step: usize, value: f64| (numbers[step], value, value);
                with_scalar(rows, binary, self.options.rules, value).map(Value::Vector)
            }
            (Value::Vector(left), Value::Vector(right)) => {
                self.count_samples((left.len() + right.len()).saturating_mul(steps.count))?;
                let rows = if binary.operator.is_set() {
                    matching::set(binary, left, &right, steps)?
                } else {
                    matching::arithmetic(binary, &left, &right, (steps, self.options.rules))?
                };
                Ok(Value::Vector(rows))
            }
            _ => Err(failed(
                "binary expression must contain only scalar and instant vector types",
            )),
        }
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

/// A vector with a scalar. `sides` gives left, right and the element's own value.
fn with_scalar(
    rows: Vec<Row>,
    binary: &Binary,
    rules: Rules,
    sides: impl Fn(usize, f64) -> (f64, f64, f64),
) -> Result<Vec<Row>, EvalError> {
    let keeps_name = !binary.operator.drops_name(rules) && !binary.as_bool;
    let rows = rows.into_iter().map(|row| Row {
        labels: if keeps_name {
            row.labels
        } else {
            row.labels.without_name()
        },
        values: row
            .values
            .into_iter()
            .enumerate()
            .map(|(step, value)| {
                if is_absent(value) {
                    return ABSENT;
                }
                let (left, right, own) = sides(step, value);
                outcome(binary, left, right, own)
            })
            .collect(),
    });
    joined(filled(rows.collect()))
}

/// Returns what two numbers come to; `own` is what a comparison lets through.
fn outcome(binary: &Binary, left: f64, right: f64, own: f64) -> f64 {
    let (value, kept) = apply(binary.operator, left, right);
    match (binary.operator.is_comparison(), binary.as_bool) {
        (false, _) => value,
        (true, true) => truth(kept),
        (true, false) if kept => own,
        (true, false) => ABSENT,
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
