//! Aggregations where numbers and native histograms may meet.

use super::super::annotations::Annotations;
use super::super::ast::Aggregation;
use super::super::row::Sample;
use super::super::types::Rules;
use super::{Members, reduction};
use crate::sim::prometheus::histogram::Histogram;

impl Members<'_> {
    /// Returns whether there are numbers, for an aggregation that looks at nothing else.
    pub(super) fn only_numbers(&self, name: &str, remarks: &mut Annotations) -> bool {
        if !self.histograms.is_empty() {
            remarks.ignored_in_aggregation(name);
        }
        !self.numbers.is_empty()
    }
}

/// Aggregates at least one member.
pub(super) fn reduce(
    members: &Members<'_>,
    (operator, rules): (Aggregation, Rules),
    remarks: &mut Annotations,
) -> Option<Sample> {
    let numbers = || Sample::Float(reduction(operator, rules)(&members.numbers));
    let count = members.histograms.len() as f64;
    match operator {
        Aggregation::Sum | Aggregation::Avg if members.histograms.is_empty() => Some(numbers()),
        Aggregation::Sum => sum(members, remarks).map(Sample::from),
        Aggregation::Avg => sum(members, remarks).map(|sum| sum.divided_by(count).into()),
        Aggregation::Count => Some(Sample::Float(members.numbers.len() as f64 + count)),
        Aggregation::Group => Some(Sample::Float(1.0)),
        Aggregation::Min
        | Aggregation::Max
        | Aggregation::Stddev
        | Aggregation::Stdvar
        | Aggregation::Topk
        | Aggregation::Bottomk
        | Aggregation::Limitk
        | Aggregation::CountValues
        | Aggregation::Quantile => {
            let there = members.only_numbers(name(operator), remarks);
            there.then(numbers)
        }
    }
}

fn sum(members: &Members<'_>, remarks: &mut Annotations) -> Option<Histogram> {
    let [(_, first), others @ ..] = members.histograms.as_slice() else {
        return None;
    };
    if !members.numbers.is_empty() {
        remarks.mixed_aggregation();
        return None;
    }
    let mut sum = Histogram::clone(first);
    for (metric, histogram) in others {
        if let Err(why) = sum.add(histogram) {
            remarks.incompatible(metric, why);
            return None;
        }
    }
    Some(sum.compact())
}

fn name(operator: Aggregation) -> &'static str {
    match operator {
        Aggregation::Sum => "sum",
        Aggregation::Avg => "avg",
        Aggregation::Count => "count",
        Aggregation::Min => "min",
        Aggregation::Max => "max",
        Aggregation::Group => "group",
        Aggregation::Stddev => "stddev",
        Aggregation::Stdvar => "stdvar",
        Aggregation::Topk => "topk",
        Aggregation::Bottomk => "bottomk",
        Aggregation::CountValues => "count_values",
        Aggregation::Quantile => "quantile",
        Aggregation::Limitk => "limitk",
    }
}
