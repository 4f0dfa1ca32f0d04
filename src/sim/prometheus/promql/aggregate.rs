//! Aggregations: groups are found once, then each step is aggregated.

mod native;

use super::annotations::Annotations;
use super::ast::{Aggregate, Aggregation, Expr, Grouping};
use super::eval::{Evaluator, failed, filled, joined};
use super::quantile;
use super::reshape::{invalid_label, nan_last};
use super::row::{Row, Sample};
use super::stamp::is_absent;
use super::sums::{Mean, Sum, Variance};
use super::types::{EvalError, Rules, Steps};
use crate::sim::prometheus::histogram::Histogram;
use crate::sim::prometheus::labels::{Labels, NAME};
use crate::sim::prometheus::number::plain;
use std::collections::HashMap;

/// Rows that are aggregated together.
struct Group {
    labels: Labels,
    members: Vec<usize>,
}

/// What is aggregated at one step.
#[derive(Default)]
struct Members<'r> {
    numbers: Vec<f64>,
    /// With the names of their metrics.
    histograms: Vec<(&'r str, &'r Histogram)>,
}

impl Evaluator<'_> {
    pub(super) fn aggregate(
        &mut self,
        aggregate: &Aggregate,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        let rows = self.vector(&aggregate.expr, steps)?;
        let groups = groups(&rows, &aggregate.grouping);
        let param = aggregate.param.as_ref();
        match aggregate.operator {
            Aggregation::Topk | Aggregation::Bottomk | Aggregation::Limitk => {
                let wanted = self.parameter(param, steps)?;
                let remarks = &mut self.annotations;
                picked(&rows, &groups, (aggregate.operator, &wanted), remarks)
            }
            Aggregation::CountValues => {
                let Some(param) = param else {
                    return Err(failed("count_values needs a label"));
                };
                let label = self.text(param)?;
                count_values(&rows, &groups, &label, &aggregate.grouping, steps)
            }
            Aggregation::Quantile => {
                let quantile = self.parameter(param, steps)?;
                if !rows.is_empty() {
                    for quantile in quantile.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
                        self.annotations.bad_quantile(*quantile);
                    }
                }
                let remarks = &mut self.annotations;
                let of = |step: usize, members: &mut Members<'_>| {
                    let there = members.only_numbers("quantile", remarks);
                    let value = || quantile::of_values(quantile[step], &mut members.numbers);
                    there.then(value).map(Sample::Float)
                };
                Ok(reduced(&rows, &groups, steps, of))
            }
            Aggregation::Sum
            | Aggregation::Avg
            | Aggregation::Count
            | Aggregation::Min
            | Aggregation::Max
            | Aggregation::Group
            | Aggregation::Stddev
            | Aggregation::Stdvar => {
                let how = (aggregate.operator, self.options.rules);
                let remarks = &mut self.annotations;
                let of =
                    |_: usize, members: &mut Members<'_>| native::reduce(members, how, remarks);
                Ok(reduced(&rows, &groups, steps, of))
            }
        }
    }

    fn parameter(&mut self, param: Option<&Expr>, steps: Steps) -> Result<Vec<f64>, EvalError> {
        match param {
            Some(param) => self.scalar(param, steps),
            None => Err(failed("the aggregation needs a parameter")),
        }
    }
}

fn groups(rows: &[Row], grouping: &Grouping) -> Vec<Group> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut out: Vec<Group> = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let labels = group_labels(&row.labels, grouping);
        let place = *places.entry(labels).or_insert_with_key(|labels| {
            out.push(Group {
                labels: labels.clone(),
                members: Vec::new(),
            });
            out.len() - 1
        });
        if let Some(group) = out.get_mut(place) {
            group.members.push(number);
        }
    }
    out
}

fn group_labels(labels: &Labels, grouping: &Grouping) -> Labels {
    match grouping {
        Grouping::By(names) if names.is_empty() => Labels::default(),
        Grouping::By(names) => labels.filtered(|name| names.iter().any(|by| by == name)),
        Grouping::Without(names) => {
            labels.filtered(|name| name != NAME && !names.iter().any(|without| without == name))
        }
    }
}

/// Aggregates what there is of each group at each step.
fn reduced<'r>(
    rows: &'r [Row],
    groups: &[Group],
    steps: Steps,
    mut reduce: impl FnMut(usize, &mut Members<'r>) -> Option<Sample>,
) -> Vec<Row> {
    let mut there = Members::default();
    let mut out = Vec::with_capacity(groups.len());
    for group in groups {
        let samples = (0..steps.count).map(|step| {
            there.numbers.clear();
            there.histograms.clear();
            for member in &group.members {
                let row = &rows[*member];
                if !is_absent(row.values[step]) {
                    there.numbers.push(row.values[step]);
                } else if let Some(histogram) = row.histograms.at(step) {
                    there.histograms.push((row.labels.name(), histogram));
                }
            }
            let nobody = there.numbers.is_empty() && there.histograms.is_empty();
            (!nobody).then(|| reduce(step, &mut there)).flatten()
        });
        out.push(Row::of(group.labels.clone(), samples));
    }
    filled(out)
}

/// Returns how an operator aggregates at least one value.
fn reduction(operator: Aggregation, rules: Rules) -> fn(&[f64]) -> f64 {
    match operator {
        Aggregation::Sum => |values| Sum::of(values.iter().copied()).total(),
        Aggregation::Avg => |values| {
            let mut mean = Mean::default();
            for value in values {
                mean.add(*value);
            }
            mean.mean()
        },
        Aggregation::Count => |values| values.len() as f64,
        Aggregation::Min => |values| best(values, |value, best| value < best),
        Aggregation::Max => |values| best(values, |value, best| value > best),
        Aggregation::Stdvar if rules == Rules::V2 => old_variance,
        Aggregation::Stddev if rules == Rules::V2 => |values| old_variance(values).sqrt(),
        Aggregation::Stdvar => variance,
        Aggregation::Stddev => |values| variance(values).sqrt(),
        Aggregation::Group
        | Aggregation::Topk
        | Aggregation::Bottomk
        | Aggregation::Limitk
        | Aggregation::CountValues
        | Aggregation::Quantile => |_| 1.0,
    }
}

fn variance(values: &[f64]) -> f64 {
    let mut variance = Variance::default();
    for value in values {
        variance.add(*value);
    }
    variance.variance()
}

/// In 2.x a single value deviates by nothing, even if it is no number.
fn old_variance(values: &[f64]) -> f64 {
    if values.len() == 1 {
        0.0
    } else {
        variance(values)
    }
}

/// NaN loses against every number.
fn best(values: &[f64], better: fn(f64, f64) -> bool) -> f64 {
    let pick = |best: f64, value: f64| {
        if better(value, best) || best.is_nan() {
            value
        } else {
            best
        }
    };
    values.iter().copied().reduce(pick).unwrap_or(f64::NAN)
}

/// `topk`, `bottomk` and `limitk`: the rows stay what they are, others leave.
fn picked(
    rows: &[Row],
    groups: &[Group],
    (operator, wanted): (Aggregation, &[f64]),
    remarks: &mut Annotations,
) -> Result<Vec<Row>, EvalError> {
    let mut out: Vec<Row> = rows
        .iter()
        .map(|row| Row::nothing(row.labels.clone(), wanted.len()))
        .collect();
    let mut order = Vec::new();
    for group in groups {
        for (step, wanted) in wanted.iter().enumerate() {
            let members = group.members.iter().copied();
            let mut there: Vec<usize> = members.filter(|row| rows[*row].is_there(step)).collect();
            if operator != Aggregation::Limitk {
                let descending = operator == Aggregation::Topk;
                rank(rows, &mut there, (step, descending), remarks);
            }
            there.truncate(how_many(*wanted)?);
            for row in &there {
                out[*row].put(step, rows[*row].sample(step));
            }
            order.extend(there);
        }
    }
    if wanted.len() > 1 {
        return Ok(filled(out));
    }
    // The order of an instant query is the order of the values.
    Ok(order
        .into_iter()
        .filter_map(|row| out.get(row).cloned())
        .collect())
}

/// Puts rows in the order of their numbers; histograms have none, and leave.
fn rank(
    rows: &[Row],
    there: &mut Vec<usize>,
    (step, descending): (usize, bool),
    remarks: &mut Annotations,
) {
    let all = there.len();
    there.retain(|row| !is_absent(rows[*row].values[step]));
    if there.len() < all {
        remarks.ignored_in_aggregation(if descending { "topk" } else { "bottomk" });
    }
    there.sort_by(|left, right| {
        nan_last(
            rows[*left].values[step],
            rows[*right].values[step],
            descending,
        )
    });
}

fn how_many(wanted: f64) -> Result<usize, EvalError> {
    if wanted.is_nan() {
        return Err(failed("Parameter value is NaN"));
    }
    if !(-9.2e18..9.2e18).contains(&wanted) {
        return Err(failed(format!(
            "Scalar value {} overflows int64",
            plain(wanted)
        )));
    }
    Ok(if wanted < 1.0 { 0 } else { wanted as usize })
}

fn count_values(
    rows: &[Row],
    groups: &[Group],
    label: &str,
    grouping: &Grouping,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    if label.is_empty() {
        return Err(invalid_label(label));
    }
    let mut out: Vec<Row> = Vec::new();
    for group in groups {
        let mut places: HashMap<String, usize> = HashMap::new();
        for step in 0..steps.count {
            for member in &group.members {
                let text = match rows[*member].sample(step) {
                    Some(Sample::Float(value)) => plain(value),
                    Some(Sample::Histogram(histogram)) => histogram.to_string(),
                    None => continue,
                };
                let place = *places.entry(text).or_insert_with_key(|text| {
                    let labels = group_labels(&group.labels, grouping).with(label, text);
                    out.push(Row::nothing(labels, steps.count));
                    out.len() - 1
                });
                let count = &mut out[place].values[step];
                *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
            }
        }
    }
    joined(out)
}
