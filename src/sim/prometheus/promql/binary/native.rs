//! Binary operators where at least one side is a native histogram (`promql/engine.go`: `vectorElemBinop`).

use crate::sim::prometheus::histogram::Histogram;
use crate::sim::prometheus::promql::annotations::Annotations;
use crate::sim::prometheus::promql::ast::Operator;
use crate::sim::prometheus::promql::row::Sample;
use std::sync::Arc;

/// Returns the result, and for a comparison whether it holds; nothing if the two do not fit.
pub(super) fn apply(
    operator: Operator,
    left: Sample,
    right: Sample,
    remarks: &mut Annotations,
) -> Option<(Sample, bool)> {
    let kinds = (kind(&left), kind(&right));
    let done = |histogram: Histogram| Some((histogram.compact().into(), true));
    match (left, operator, right) {
        (Sample::Histogram(left), Operator::Multiply, Sample::Float(right)) => {
            done(Arc::unwrap_or_clone(left).times(right))
        }
        (Sample::Float(left), Operator::Multiply, Sample::Histogram(right)) => {
            done(Arc::unwrap_or_clone(right).times(left))
        }
        (Sample::Histogram(left), Operator::Divide, Sample::Float(right)) => {
            done(Arc::unwrap_or_clone(left).divided_by(right))
        }
        (Sample::Histogram(left), Operator::Add, Sample::Histogram(right)) => {
            let mut sum = Arc::unwrap_or_clone(left);
            if sum.add(&right).is_err() {
                remarks.incompatible_operands(operator.text());
                return None;
            }
            done(sum)
        }
        (Sample::Histogram(left), Operator::Subtract, Sample::Histogram(right)) => {
            let mut difference = Arc::unwrap_or_clone(left);
            if difference.subtract(&right).is_err() {
                remarks.incompatible_operands(operator.text());
                return None;
            }
            done(difference.as_gauge())
        }
        (Sample::Histogram(left), Operator::Equal, Sample::Histogram(right)) => {
            let kept = left == right;
            Some((left.into(), kept))
        }
        (Sample::Histogram(left), Operator::NotEqual, Sample::Histogram(right)) => {
            let kept = left != right;
            Some((left.into(), kept))
        }
        _ => {
            remarks.unfit_operands(kinds.0, operator.text(), kinds.1);
            None
        }
    }
}

fn kind(sample: &Sample) -> &'static str {
    match sample {
        Sample::Float(_) => "float",
        Sample::Histogram(_) => "histogram",
    }
}
