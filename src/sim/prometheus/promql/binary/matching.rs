//! Which series of two sides meet (`promql/engine.go`: `VectorBinop`, `VectorAnd` …).
//!
//! Labels are compared once for each series; only who is there is looked at for each step.

use super::outcome;
use crate::sim::prometheus::labels::{Labels, NAME};
use crate::sim::prometheus::promql::ast::{Binary, Cardinality, MatchLabels, Operator};
use crate::sim::prometheus::promql::eval::{failed, filled, joined};
use crate::sim::prometheus::promql::stamp::{ABSENT, is_absent};
use crate::sim::prometheus::promql::types::{EvalError, Row, Rules, Steps};
use std::collections::{HashMap, HashSet};

/// The groups of series that may meet, by the labels that have to be equal.
#[derive(Default)]
struct Groups(HashMap<Labels, usize>);

impl Groups {
    fn of(&mut self, rows: &[Row], labels: &MatchLabels) -> Vec<usize> {
        rows.iter()
            .map(|row| {
                let next = self.0.len();
                *self.0.entry(signature(&row.labels, labels)).or_insert(next)
            })
            .collect()
    }
}

fn signature(labels: &Labels, matching: &MatchLabels) -> Labels {
    match matching {
        MatchLabels::On(names) => labels.filtered(|name| names.iter().any(|on| on == name)),
        MatchLabels::Ignoring(names) => {
            labels.filtered(|name| name != NAME && !names.iter().any(|ignored| ignored == name))
        }
    }
}

/// `and`, `or`, `unless`.
pub(super) fn set(
    binary: &Binary,
    mut left: Vec<Row>,
    right: &[Row],
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let mut groups = Groups::default();
    let left_groups = groups.of(&left, &binary.matching.labels);
    let right_groups = groups.of(right, &binary.matching.labels);
    let there = |rows: &[Row], of: &[usize]| {
        let mut there = vec![vec![false; steps.count]; groups.0.len()];
        for (row, group) in rows.iter().zip(of) {
            for (there, value) in there[*group].iter_mut().zip(&row.values) {
                *there |= !is_absent(*value);
            }
        }
        there
    };
    if binary.operator == Operator::Or {
        let there = there(&left, &left_groups);
        let mut added = right.to_vec();
        keep_where(&mut added, &right_groups, |group, step| !there[group][step]);
        left.extend(added);
    } else {
        let there = there(right, &right_groups);
        let wanted = binary.operator == Operator::And;
        keep_where(&mut left, &left_groups, |group, step| {
            there[group][step] == wanted
        });
    }
    joined(filled(left))
}

fn keep_where(rows: &mut [Row], groups: &[usize], keep: impl Fn(usize, usize) -> bool) {
    for (row, group) in rows.iter_mut().zip(groups) {
        for (step, value) in row.values.iter_mut().enumerate() {
            if !keep(*group, step) {
                *value = ABSENT;
            }
        }
    }
}

/// The two sides by how many series they may have.
struct Sides<'r> {
    binary: &'r Binary,
    many: &'r [Row],
    one: &'r [Row],
    swapped: bool,
    rules: Rules,
}

/// Arithmetic and comparisons between series.
pub(super) fn arithmetic(
    binary: &Binary,
    left: &[Row],
    right: &[Row],
    (steps, rules): (Steps, Rules),
) -> Result<Vec<Row>, EvalError> {
    if binary.matching.fill_left.is_some() || binary.matching.fill_right.is_some() {
        return Err(failed("fill modifiers are not supported by this server"));
    }
    let swapped = matches!(binary.matching.cardinality, Cardinality::OneToMany(_));
    let (many, one) = if swapped {
        (right, left)
    } else {
        (left, right)
    };
    let sides = Sides {
        binary,
        many,
        one,
        swapped,
        rules,
    };
    let mut groups = Groups::default();
    let many_groups = groups.of(many, &binary.matching.labels);
    let one_groups = groups.of(one, &binary.matching.labels);
    let partner = sides.partners(&one_groups, groups.0.len(), steps)?;
    sides.combine(&many_groups, &partner, steps)
}

const NOBODY: usize = usize::MAX;

impl Sides<'_> {
    /// Returns for each group and step the only series of the one side.
    fn partners(
        &self,
        groups: &[usize],
        count: usize,
        steps: Steps,
    ) -> Result<Vec<Vec<usize>>, EvalError> {
        let mut partner = vec![vec![NOBODY; steps.count]; count];
        let mut anybody = vec![false; steps.count];
        for row in self.many {
            for (anybody, value) in anybody.iter_mut().zip(&row.values) {
                *anybody |= !is_absent(*value);
            }
        }
        for (number, (row, group)) in self.one.iter().zip(groups).enumerate() {
            for (step, value) in row.values.iter().enumerate() {
                if is_absent(*value) || !anybody[step] {
                    continue;
                }
                let place = &mut partner[*group][step];
                if *place != NOBODY {
                    return Err(self.duplicate(number, *place));
                }
                *place = number;
            }
        }
        Ok(partner)
    }

    fn duplicate(&self, one: usize, other: usize) -> EvalError {
        let side = if self.swapped { "left" } else { "right" };
        let labels = |number: usize| self.one[number].labels.clone();
        let group = match &self.binary.matching.labels {
            MatchLabels::On(names) => {
                labels(one).filtered(|name| names.iter().any(|on| on == name))
            }
            MatchLabels::Ignoring(names) => labels(one)
                .filtered(|name| name != NAME && !names.iter().any(|ignored| ignored == name)),
        };
        failed(format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
            braced(&labels(one)),
            braced(&labels(other)),
        ))
    }

    fn combine(
        &self,
        groups: &[usize],
        partner: &[Vec<usize>],
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        let mut out: Vec<Row> = Vec::with_capacity(self.many.len());
        let mut used: HashSet<(usize, usize)> = HashSet::new();
        let one_to_one = matches!(self.binary.matching.cardinality, Cardinality::OneToOne);
        for (row, group) in self.many.iter().zip(groups) {
            // One series can meet several partners, one after the other.
            let mut places: HashMap<Labels, usize> = HashMap::new();
            let mut before = (NOBODY, 0);
            for (step, value) in row.values.iter().enumerate() {
                let other = partner[*group][step];
                if is_absent(*value) || other == NOBODY {
                    continue;
                }
                let result = self.value(*value, self.one[other].values[step]);
                if is_absent(result) {
                    continue;
                }
                if one_to_one && !used.insert((*group, step)) {
                    return Err(failed(
                        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                    ));
                }
                if before.0 != other {
                    let labels = self.labels(&row.labels, &self.one[other].labels);
                    let place = *places.entry(labels).or_insert_with_key(|labels| {
                        out.push(Row {
                            labels: labels.clone(),
                            values: vec![ABSENT; steps.count],
                        });
                        out.len() - 1
                    });
                    before = (other, place);
                }
                out[before.1].values[step] = result;
            }
        }
        joined(filled(out)).or(Err(failed(
            "multiple matches for labels: grouping labels must ensure unique matches",
        )))
    }

    fn value(&self, many: f64, one: f64) -> f64 {
        let (left, right) = if self.swapped {
            (one, many)
        } else {
            (many, one)
        };
        outcome(self.binary, left, right, left)
    }

    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        let drops_name = self.binary.operator.drops_name(self.rules) || self.binary.as_bool;
        let mut labels = if drops_name {
            many.without_name()
        } else {
            many.clone()
        };
        let included = match &self.binary.matching.cardinality {
            Cardinality::OneToOne => {
                labels = match &self.binary.matching.labels {
                    MatchLabels::On(names) => {
                        labels.filtered(|name| names.iter().any(|on| on == name))
                    }
                    MatchLabels::Ignoring(names) => {
                        labels.filtered(|name| !names.iter().any(|ignored| ignored == name))
                    }
                };
                return labels;
            }
            Cardinality::ManyToOne(included) | Cardinality::OneToMany(included) => included,
        };
        for name in included {
            labels = labels.with(name, one.get(name));
        }
        labels
    }
}

/// Writes labels with the name among them, as Prometheus does in this message.
fn braced(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}
