//! Instant selectors: the newest sample that is not too old.

use super::ast::Selector;
use super::eval::{Evaluator, filled};
use super::select::Times;
use super::stamp::{ABSENT, is_absent};
use super::types::{EvalError, Row, Rules, Sampled, Steps};

impl Evaluator<'_> {
    pub(super) fn instant(
        &mut self,
        selector: &Selector,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        self.newest(selector, steps, |_, value| value)
    }

    /// Returns when the samples were taken, in seconds, instead of their values.
    pub(super) fn sample_times(
        &mut self,
        selector: &Selector,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        self.newest(selector, steps, |time, _| time as f64 / 1000.0)
    }

    fn newest(
        &mut self,
        selector: &Selector,
        steps: Steps,
        pick: fn(i64, f64) -> f64,
    ) -> Result<Vec<Row>, EvalError> {
        let times = self.times(selector.shift, steps);
        let lookback = self.options.lookback;
        let series = self.read(selector, lookback, times)?;
        self.count_samples(series.len().saturating_mul(steps.count))?;
        let oldest = match self.options.rules {
            Rules::V2 => lookback,
            Rules::V3 => lookback - 1,
        };
        let rows = series
            .into_iter()
            .map(|series| Row {
                values: values(&series, times, oldest, pick),
                labels: series.labels,
            })
            .collect();
        Ok(filled(rows))
    }
}

fn values(series: &Sampled, times: Times, oldest: i64, pick: fn(i64, f64) -> f64) -> Vec<f64> {
    let mut seen = 0;
    (0..times.steps.count)
        .map(|index| {
            let at = times.at(index);
            while series.times.get(seen).is_some_and(|time| *time <= at) {
                seen += 1;
            }
            let newest = seen.checked_sub(1)?;
            let (time, value) = (*series.times.get(newest)?, *series.values.get(newest)?);
            (at - time <= oldest && !is_absent(value)).then(|| pick(time, value))
        })
        .map(|value| value.unwrap_or(ABSENT))
        .collect()
}
