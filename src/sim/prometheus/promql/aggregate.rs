//! Aggregations: groups are found once, then each step is aggregated.

use super::ast::{Aggregate, Aggregation, Expr, Grouping};
use super::eval::{Evaluator, failed, filled, joined};
use super::quantile;
use super::reshape::{invalid_label, nan_last};
use super::stamp::{ABSENT, is_absent};
use super::sums::{Mean, Sum, Variance};
use super::types::{EvalError, Row, Rules, Steps};
use crate::sim::prometheus::labels::{Labels, NAME};
use crate::sim::prometheus::number::plain;
use std::collections::HashMap;

/// Rows that are aggregated together.
struct Group {
    labels: Labels,
    members: Vec<usize>,
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
                picked(&rows, &groups, aggregate.operator, &wanted)
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
                let of = |step: usize, values: &mut Vec<f64>| {
                    quantile::of_values(quantile[step], values)
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
                let reduce = reduction(aggregate.operator, self.options.rules);
                Ok(reduced(&rows, &groups, steps, |_, values| reduce(values)))
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

/// Aggregates the values of each group at each step.
fn reduced(
    rows: &[Row],
    groups: &[Group],
    steps: Steps,
    reduce: impl Fn(usize, &mut Vec<f64>) -> f64,
) -> Vec<Row> {
    let mut values = Vec::new();
    let mut out = Vec::with_capacity(groups.len());
    for group in groups {
        let row = (0..steps.count).map(|step| {
            values.clear();
            let members = group
                .members
                .iter()
                .map(|member| rows[*member].values[step]);
            values.extend(members.filter(|value| !is_absent(*value)));
            if values.is_empty() {
                ABSENT
            } else {
                reduce(step, &mut values)
            }
        });
        out.push(Row {
            values: row.collect(),
            labels: group.labels.clone(),
        });
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
    operator: Aggregation,
    wanted: &[f64],
) -> Result<Vec<Row>, EvalError> {
    let mut out: Vec<Row> = rows
        .iter()
        .map(|row| Row {
            labels: row.labels.clone(),
            values: vec![ABSENT; wanted.len()],
        })
        .collect();
    let mut order = Vec::new();
    for group in groups {
        for (step, wanted) in wanted.iter().enumerate() {
            let members = group.members.iter().copied();
            let mut there: Vec<usize> = members
                .filter(|row| !is_absent(rows[*row].values[step]))
                .collect();
            if operator != Aggregation::Limitk {
                let descending = operator == Aggregation::Topk;
                there.sort_by(|left, right| {
                    nan_last(
                        rows[*left].values[step],
                        rows[*right].values[step],
                        descending,
                    )
                });
            }
            there.truncate(how_many(*wanted)?);
            for row in &there {
                out[*row].values[step] = rows[*row].values[step];
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
                let value = rows[*member].values[step];
                if is_absent(value) {
                    continue;
                }
                let place = *places.entry(plain(value)).or_insert_with_key(|text| {
                    out.push(Row {
                        labels: group_labels(&group.labels, grouping).with(label, text),
                        values: vec![ABSENT; steps.count],
                    });
                    out.len() - 1
                });
                let count = &mut out[place].values[step];
                *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
            }
        }
    }
    joined(out)
}
