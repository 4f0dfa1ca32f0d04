//! Quantiles and fractions of histograms: classic ones, whose series differ in `le` only, and native.

use super::ast::Expr;
use super::eval::{Evaluator, filled, joined};
use super::native;
use super::quantile::{Bucket, fraction, of_buckets};
use super::row::Row;
use super::stamp::is_absent;
use super::types::{EvalError, Steps};
use crate::sim::prometheus::histogram::Histogram;
use crate::sim::prometheus::labels::Labels;
use crate::sim::prometheus::number::parse_value;
use std::collections::HashMap;

/// The label that holds the upper bound of a bucket.
const BOUND: &str = "le";

/// What belongs to one histogram: the rows of its classic buckets with their bounds, and native rows.
struct Family {
    labels: Labels,
    metric: String,
    buckets: Vec<(f64, usize)>,
    natives: Vec<usize>,
}

impl Evaluator<'_> {
    pub(super) fn histogram_quantile(
        &mut self,
        args: &[Expr],
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        let [quantile, buckets] = args else {
            return Ok(Vec::new());
        };
        let quantile = self.scalar(quantile, steps)?;
        let rows = self.vector(buckets, steps)?;
        for quantile in &quantile {
            if quantile.is_nan() || *quantile < 0.0 || *quantile > 1.0 {
                self.annotations.bad_quantile(*quantile);
            }
        }
        let mut out = Vec::new();
        for family in self.families(&rows, steps) {
            let remarks = &mut self.annotations;
            out.push(family.classic(&rows, steps, |step, buckets| {
                let (value, forced) = of_buckets(quantile[step], buckets);
                if forced {
                    remarks.forced_monotonic(&family.metric);
                }
                value
            }));
            out.extend(family.native(&rows, |step, histogram| {
                let (value, remark) = native::quantile(quantile[step], histogram);
                if let Some(observed) = remark {
                    remarks.not_numbers(&family.metric, observed);
                }
                value
            }));
        }
        joined(filled(out))
    }

    pub(super) fn histogram_fraction(
        &mut self,
        args: &[Expr],
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        let [lower, upper, buckets] = args else {
            return Ok(Vec::new());
        };
        let lower = self.scalar(lower, steps)?;
        let upper = self.scalar(upper, steps)?;
        let rows = self.vector(buckets, steps)?;
        let mut out = Vec::new();
        for family in self.families(&rows, steps) {
            let remarks = &mut self.annotations;
            out.push(family.classic(&rows, steps, |step, buckets| {
                fraction(lower[step], upper[step], buckets)
            }));
            out.extend(family.native(&rows, |step, histogram| {
                let (value, remark) = native::fraction((lower[step], upper[step]), histogram);
                if let Some(observed) = remark {
                    remarks.not_numbers(&family.metric, observed);
                }
                value
            }));
        }
        joined(filled(out))
    }

    /// Puts together the rows that belong to one histogram.
    fn families(&mut self, rows: &[Row], steps: Steps) -> Vec<Family> {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut out: Vec<Family> = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let text = row.labels.get(BOUND);
            let has_numbers = row.values.iter().any(|value| !is_absent(*value));
            let bound = parse_value(text).filter(|_| has_numbers);
            if has_numbers && bound.is_none() {
                self.annotations.bad_bucket(row.labels.name(), text);
            }
            if bound.is_none() && row.histograms.is_empty() {
                continue;
            }
            // Histograms of different names stay apart; nameless they may clash, which is refused.
            let labels = row.labels.filtered(|name| name != BOUND);
            let place = *places.entry(labels).or_insert_with_key(|labels| {
                out.push(Family {
                    labels: labels.without_name(),
                    metric: row.labels.name().to_owned(),
                    buckets: Vec::new(),
                    natives: Vec::new(),
                });
                out.len() - 1
            });
            if let Some(family) = out.get_mut(place) {
                family.buckets.extend(bound.map(|bound| (bound, number)));
                family
                    .natives
                    .extend((!row.histograms.is_empty()).then_some(number));
            }
        }
        for family in &out {
            if (0..steps.count).any(|step| family.is_mixed(rows, step)) {
                self.annotations.mixed_classic_native(&family.metric);
            }
        }
        out
    }
}

impl Family {
    /// Returns whether there are classic buckets and a native histogram at one step.
    fn is_mixed(&self, rows: &[Row], step: usize) -> bool {
        let classic = |(_, row): &(f64, usize)| !is_absent(rows[*row].values[step]);
        let native = |row: &usize| rows[*row].histograms.at(step).is_some();
        self.natives.iter().any(native) && self.buckets.iter().any(classic)
    }

    /// Makes a row of the classic buckets.
    fn classic(
        &self,
        rows: &[Row],
        steps: Steps,
        mut value: impl FnMut(usize, Vec<Bucket>) -> f64,
    ) -> Row {
        let samples = (0..steps.count).map(|step| {
            let buckets = self.buckets.iter().map(|(bound, row)| Bucket {
                bound: *bound,
                count: rows[*row].values[step],
            });
            let there = buckets.filter(|bucket| !is_absent(bucket.count));
            let there: Vec<Bucket> = there.collect();
            let alone = !there.is_empty() && !self.is_mixed(rows, step);
            alone.then(|| value(step, there).into())
        });
        Row::of(self.labels.clone(), samples)
    }

    /// Makes rows of the native histograms.
    fn native(&self, rows: &[Row], mut value: impl FnMut(usize, &Histogram) -> f64) -> Vec<Row> {
        let row = |row: &usize| {
            let row = &rows[*row];
            let mut out = Row::nothing(self.labels.clone(), row.values.len());
            for (step, histogram) in row.histograms.iter() {
                if !self.is_mixed(rows, step) {
                    out.put(step, Some(value(step, histogram).into()));
                }
            }
            out
        };
        self.natives.iter().map(row).collect()
    }
}
