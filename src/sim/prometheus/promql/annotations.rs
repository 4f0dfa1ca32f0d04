//! What a result should be read with: warnings and hints, each said once.

use super::native::NotNumbers;
use crate::sim::prometheus::histogram::Incompatible;
use crate::sim::prometheus::labels::quoted;

/// The remarks about one query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    warnings: Vec<String>,
    infos: Vec<String>,
}

impl Annotations {
    /// Returns what makes the result doubtful.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns what may be a mistake in the query.
    pub fn infos(&self) -> &[String] {
        &self.infos
    }

    /// Says that a limit left results out.
    pub fn cut(&mut self) {
        let text = "results truncated due to limit".to_owned();
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    fn warn(&mut self, text: &str) {
        let text = format!("PromQL warning: {text}");
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    fn inform(&mut self, text: &str) {
        let text = format!("PromQL info: {text}");
        if !self.infos.contains(&text) {
            self.infos.push(text);
        }
    }

    pub(super) fn bad_quantile(&mut self, quantile: f64) {
        let text = super::super::number::general(quantile);
        self.warn(&format!(
            "quantile value should be between 0 and 1, got {text}"
        ));
    }

    pub(super) fn bad_bucket(&mut self, metric: &str, bound: &str) {
        self.warn(&format!(
            "bucket label \"le\" is missing or has a malformed value of {} for metric name {}",
            quoted(bound),
            quoted(metric)
        ));
    }

    pub(super) fn forced_monotonic(&mut self, metric: &str) {
        self.inform(&format!(
            "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) for metric name {}",
            quoted(metric)
        ));
    }

    pub(super) fn not_a_counter(&mut self, metric: &str) {
        self.inform(&format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
            quoted(metric)
        ));
    }

    pub(super) fn mixed_range(&mut self, metric: &str) {
        self.warn(&format!(
            "encountered a mix of histograms and floats for metric name {}",
            quoted(metric)
        ));
    }

    pub(super) fn mixed_aggregation(&mut self) {
        self.warn("encountered a mix of histograms and floats for aggregation");
    }

    pub(super) fn mixed_classic_native(&mut self, metric: &str) {
        self.warn(&format!(
            "vector contains a mix of classic and native histograms for metric name {}",
            quoted(metric)
        ));
    }

    pub(super) fn incompatible(&mut self, metric: &str, why: Incompatible) {
        let what = match why {
            Incompatible::Kinds => {
                "vector contains a mix of histograms with exponential and custom buckets schemas"
            }
            Incompatible::Bounds => "vector contains histograms with incompatible custom buckets",
        };
        self.warn(&format!("{what} for metric name {}", quoted(metric)));
    }

    pub(super) fn incompatible_operands(&mut self, operator: &str) {
        self.warn(&format!(
            "incompatible bucket layout encountered for binary operator {operator}"
        ));
    }

    pub(super) fn histogram_not_a_counter(&mut self, metric: &str) {
        self.warn(&format!(
            "this native histogram metric is not a counter: {}",
            quoted(metric)
        ));
    }

    pub(super) fn histogram_not_a_gauge(&mut self, metric: &str) {
        self.warn(&format!(
            "this native histogram metric is not a gauge: {}",
            quoted(metric)
        ));
    }

    pub(super) fn ignored_in_range(&mut self, metric: &str) {
        self.inform(&format!(
            "ignored histograms in a range containing both floats and histograms for metric name {}",
            quoted(metric)
        ));
    }

    pub(super) fn ignored_in_aggregation(&mut self, aggregation: &str) {
        self.inform(&format!("ignored histogram in {aggregation} aggregation"));
    }

    pub(super) fn unfit_operands(&mut self, left: &str, operator: &str, right: &str) {
        self.inform(&format!(
            "incompatible sample types encountered for binary operator \"{operator}\": {left} {operator} {right}"
        ));
    }

    pub(super) fn not_numbers(&mut self, metric: &str, observed: NotNumbers) {
        let text = match observed {
            NotNumbers::Result => "input to histogram_quantile has NaN observations, result is NaN",
            NotNumbers::Skew => {
                "input to histogram_quantile has NaN observations, result is skewed higher"
            }
            NotNumbers::Fraction => {
                "input to histogram_fraction has NaN observations, which are excluded from all fractions"
            }
        };
        self.inform(&format!("{text} for metric name {}", quoted(metric)));
    }
}
