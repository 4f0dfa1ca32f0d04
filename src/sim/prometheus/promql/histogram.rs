//! Histograms of buckets: series that differ in `le` only.

use super::ast::Expr;
use super::eval::{Evaluator, distinct, filled};
use super::quantile::{Bucket, fraction, of_buckets};
use super::stamp::{ABSENT, is_absent};
use super::types::{EvalError, Row, Steps};
use crate::sim::prometheus::labels::Labels;
use crate::sim::prometheus::number::parse_value;
use std::collections::HashMap;

/// The label that holds the upper bound of a bucket.
const BOUND: &str = "le";

/// The buckets of one histogram: their bounds and their rows.
struct Histogram {
    labels: Labels,
    metric: String,
    buckets: Vec<(f64, usize)>,
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
        let histograms = self.histograms(&rows);
        let mut out = Vec::with_capacity(histograms.len());
        for histogram in &histograms {
            let mut forced_any = false;
            let value = |step: usize, buckets: Vec<Bucket>| {
                let (value, forced) = of_buckets(quantile[step], buckets);
                forced_any |= forced;
                value
            };
            let row = histogram.row(&rows, steps, value);
            if forced_any {
                self.annotations.forced_monotonic(&histogram.metric);
            }
            out.push(row);
        }
        let out = filled(out);
        distinct(&out)?;
        Ok(out)
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
        let histograms = self.histograms(&rows);
        let out = histograms.iter().map(|histogram| {
            histogram.row(&rows, steps, |step, buckets| {
                fraction(lower[step], upper[step], buckets)
            })
        });
        Ok(filled(out.collect()))
    }

    /// Puts together the rows that belong to one histogram.
    fn histograms(&mut self, rows: &[Row]) -> Vec<Histogram> {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut out: Vec<Histogram> = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let text = row.labels.get(BOUND);
            let Some(bound) = parse_value(text) else {
                self.annotations.bad_bucket(row.labels.name(), text);
                continue;
            };
            // Histograms of different names stay apart; nameless they may clash, which is refused.
            let labels = row.labels.filtered(|name| name != BOUND);
            let place = *places.entry(labels).or_insert_with_key(|labels| {
                out.push(Histogram {
                    labels: labels.without_name(),
                    metric: row.labels.name().to_owned(),
                    buckets: Vec::new(),
                });
                out.len() - 1
            });
            if let Some(histogram) = out.get_mut(place) {
                histogram.buckets.push((bound, number));
            }
        }
        out
    }
}

impl Histogram {
    fn row(
        &self,
        rows: &[Row],
        steps: Steps,
        mut value: impl FnMut(usize, Vec<Bucket>) -> f64,
    ) -> Row {
        let values = (0..steps.count)
            .map(|step| {
                let buckets: Vec<Bucket> = self
                    .buckets
                    .iter()
                    .map(|(bound, row)| Bucket {
                        bound: *bound,
                        count: rows[*row].values[step],
                    })
                    .filter(|bucket| !is_absent(bucket.count))
                    .collect();
                if buckets.is_empty() {
                    ABSENT
                } else {
                    value(step, buckets)
                }
            })
            .collect();
        Row {
            labels: self.labels.clone(),
            values,
        }
    }
}
