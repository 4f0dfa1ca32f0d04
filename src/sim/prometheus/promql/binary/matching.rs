//! Which series of two sides meet (`promql/engine.go`: `VectorBinop`, `VectorAnd` …).
//!
//! Labels are compared once for each series; only who is there is looked at for each step.

use super::outcome;
use crate::sim::prometheus::labels::{Labels, NAME};
use crate::sim::prometheus::promql::annotations::Annotations;
use crate::sim::prometheus::promql::ast::{Binary, Cardinality, MatchLabels, Operator};
use crate::sim::prometheus::promql::eval::{failed, filled, joined};
use crate::sim::prometheus::promql::row::{Row, Sample};
use crate::sim::prometheus::promql::types::{EvalError, Rules, Steps};
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
            for (step, there) in there[*group].iter_mut().enumerate() {
                *there |= row.is_there(step);
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
        for step in 0..row.values.len() {
            if !keep(*group, step) {
                row.put(step, None);
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
    steps: Steps,
}

/// Arithmetic and comparisons between series.
pub(super) fn arithmetic(
    binary: &Binary,
    (left, right): (&[Row], &[Row]),
    (steps, rules): (Steps, Rules),
    remarks: &mut Annotations,
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
        steps,
    };
    let mut groups = Groups::default();
    let many_groups = groups.of(many, &binary.matching.labels);
    let one_groups = groups.of(one, &binary.matching.labels);
    let partner = sides.partners(&one_groups, groups.0.len())?;
    sides.combine(&many_groups, &partner, remarks)
}

const NOBODY: usize = usize::MAX;

impl Sides<'_> {
    /// Returns for each group and step the only series of the one side.
    fn partners(&self, groups: &[usize], count: usize) -> Result<Vec<Vec<usize>>, EvalError> {
        let mut partner = vec![vec![NOBODY; self.steps.count]; count];
        let mut anybody = vec![false; self.steps.count];
        for row in self.many {
            for (step, anybody) in anybody.iter_mut().enumerate() {
                *anybody |= row.is_there(step);
            }
        }
        for (number, (row, group)) in self.one.iter().zip(groups).enumerate() {
            for (step, anybody) in anybody.iter().enumerate() {
                if !anybody || !row.is_there(step) {
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
        remarks: &mut Annotations,
    ) -> Result<Vec<Row>, EvalError> {
        let mut out: Vec<Row> = Vec::with_capacity(self.many.len());
        let mut used: HashSet<(usize, usize)> = HashSet::new();
        let one_to_one = matches!(self.binary.matching.cardinality, Cardinality::OneToOne);
        for (row, group) in self.many.iter().zip(groups) {
            // One series can meet several partners, one after the other.
            let mut places: HashMap<Labels, usize> = HashMap::new();
            let mut before = (NOBODY, 0);
            for (step, other) in partner[*group].iter().copied().enumerate() {
                let many = row.sample(step).filter(|_| other != NOBODY);
                let Some(result) = many.and_then(|many| self.value(many, (other, step), remarks))
                else {
                    continue;
                };
                if one_to_one && !used.insert((*group, step)) {
                    return Err(failed(
                        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                    ));
                }
                if before.0 != other {
                    let labels = self.labels(&row.labels, &self.one[other].labels);
                    let place = *places.entry(labels).or_insert_with_key(|labels| {
                        out.push(Row::nothing(labels.clone(), self.steps.count));
                        out.len() - 1
                    });
                    before = (other, place);
                }
                out[before.1].put(step, Some(result));
            }
        }
        joined(filled(out)).or(Err(failed(
            "multiple matches for labels: grouping labels must ensure unique matches",
        )))
    }

    fn value(
        &self,
        many: Sample,
        (other, step): (usize, usize),
        remarks: &mut Annotations,
    ) -> Option<Sample> {
        let one = self.one[other].sample(step)?;
        let (left, right) = if self.swapped {
            (one, many)
        } else {
            (many, one)
        };
        outcome(self.binary, (left.clone(), right), left, remarks)
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
