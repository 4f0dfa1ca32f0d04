//! Functions that change labels or order, not values.

use super::ast::Expr;
use super::eval::{Evaluator, failed, filled, joined};
use super::row::Row;
use super::stamp::is_absent;
use super::types::{EvalError, Steps, Value};
use crate::sim::prometheus::labels::{Labels, NAME, quoted};
use crate::sim::prometheus::matcher::{Comparison, Matcher, whole};
use std::cmp::Ordering;
use std::collections::BTreeMap;

impl Evaluator<'_> {
    pub(super) fn label_replace(
        &mut self,
        args: &[Expr],
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        let rows = self.vector(argument(args, 0)?, steps)?;
        let target = self.text(argument(args, 1)?)?;
        let replacement = self.text(argument(args, 2)?)?;
        let source = self.text(argument(args, 3)?)?;
        let pattern = self.text(argument(args, 4)?)?;
        let regex =
            whole(&pattern).map_err(|error| failed(format!("{error} in label_replace()")))?;
        if target.is_empty() {
            return Err(failed(format!(
                "invalid destination label name in label_replace(): {target}"
            )));
        }
        let rows = rows.into_iter().map(|row| {
            let Some(found) = regex.captures(row.labels.get(&source)) else {
                return row;
            };
            let mut value = String::new();
            found.expand(&replacement, &mut value);
            let labels = row.labels.with(&target, &value);
            row.with_labels(labels)
        });
        joined(rows.collect())
    }

    pub(super) fn label_join(
        &mut self,
        args: &[Expr],
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        let rows = self.vector(argument(args, 0)?, steps)?;
        let target = self.text(argument(args, 1)?)?;
        let separator = self.text(argument(args, 2)?)?;
        let mut sources = Vec::new();
        for source in args.iter().skip(3) {
            sources.push(self.text(source)?);
        }
        if target.is_empty() {
            return Err(failed(format!(
                "invalid destination label name in label_join(): {target}"
            )));
        }
        if let Some(empty) = sources.iter().find(|source| source.is_empty()) {
            return Err(failed(format!(
                "invalid source label name in label_join(): {empty}"
            )));
        }
        let rows = rows.into_iter().map(|row| {
            let parts: Vec<&str> = sources
                .iter()
                .map(|source| row.labels.get(source))
                .collect();
            let labels = row.labels.with(&target, &parts.join(&separator));
            row.with_labels(labels)
        });
        joined(rows.collect())
    }

    pub(super) fn text(&mut self, expr: &Expr) -> Result<String, EvalError> {
        match self.eval(expr, Steps::instant(0))? {
            Value::Text(text) => Ok(text),
            Value::Scalar(_) | Value::Vector(_) | Value::Matrix(_) => {
                Err(failed("expected a string"))
            }
        }
    }

    /// `sort` and `sort_desc`: only the order of an instant query means anything.
    pub(super) fn sorted(
        &mut self,
        args: &[Expr],
        steps: Steps,
        descending: bool,
    ) -> Result<Vec<Row>, EvalError> {
        let rows = self.vector(argument(args, 0)?, steps)?;
        // Histograms have no order, and leave.
        let numbers = rows
            .into_iter()
            .map(|row| Row::floats(row.labels, row.values));
        let mut rows = filled(numbers.collect());
        if steps.count == 1 {
            rows.sort_by(|left, right| nan_last(left.values[0], right.values[0], descending));
        }
        Ok(rows)
    }

    /// `sort_by_label` and `sort_by_label_desc`.
    pub(super) fn sorted_by_label(
        &mut self,
        args: &[Expr],
        steps: Steps,
        descending: bool,
    ) -> Result<Vec<Row>, EvalError> {
        let mut rows = self.vector(argument(args, 0)?, steps)?;
        let mut names = Vec::new();
        for name in args.iter().skip(1) {
            names.push(self.text(name)?);
        }
        rows.sort_by(|left, right| {
            let named = names
                .iter()
                .map(|name| natural(left.labels.get(name), right.labels.get(name)))
                .find(|order| order.is_ne());
            let order = named.unwrap_or_else(|| left.labels.cmp(&right.labels));
            if descending { order.reverse() } else { order }
        });
        Ok(rows)
    }
}

pub(super) fn argument(args: &[Expr], at: usize) -> Result<&Expr, EvalError> {
    args.get(at).ok_or_else(|| failed("an argument is missing"))
}

/// Orders numbers, NaN last whatever the direction.
pub(super) fn nan_last(left: f64, right: f64, descending: bool) -> Ordering {
    let absent = |value: f64| value.is_nan() || is_absent(value);
    match (absent(left), absent(right)) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if descending => right.total_cmp(&left),
        (false, false) => left.total_cmp(&right),
    }
}

/// Orders text with numbers in it as people do: `node2` before `node10`.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let (Some(one), Some(other)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len());
        };
        let order;
        if one.is_ascii_digit() && other.is_ascii_digit() {
            let (number, rest) = digits(left);
            let (other_number, other_rest) = digits(right);
            order = number
                .len()
                .cmp(&other_number.len())
                .then(number.cmp(other_number));
            (left, right) = (rest, other_rest);
        } else {
            order = one.cmp(&other);
            left = left.get(one.len_utf8()..).unwrap_or_default();
            right = right.get(other.len_utf8()..).unwrap_or_default();
        }
        if order.is_ne() {
            return order;
        }
    }
}

/// Splits off the leading number, without its leading zeros.
fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    (number.trim_start_matches('0'), rest)
}

/// Returns the labels that a missing series would have had: those asked for exactly once by `=`.
pub(super) fn labels_of_absent(expr: &Expr) -> Labels {
    let (Expr::Selector(selector) | Expr::Range(selector, _)) = expr else {
        return Labels::default();
    };
    let mut wanted: BTreeMap<&str, Option<&Matcher>> = BTreeMap::new();
    for matcher in &selector.matchers {
        if matcher.name == NAME {
            continue;
        }
        let once = !wanted.contains_key(matcher.name.as_str());
        let equal = matcher.comparison() == Comparison::Equal;
        wanted.insert(&matcher.name, (once && equal).then_some(matcher));
    }
    Labels::new(
        wanted
            .into_values()
            .flatten()
            .map(|matcher| (matcher.name.as_str().into(), matcher.value.as_str().into())),
    )
}

/// Says that a label's name is no name.
pub(super) fn invalid_label(name: &str) -> EvalError {
    failed(format!("invalid label name {}", quoted(name)))
}
