//! What a result should be read with: warnings and hints, each said once.

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
}
