//! Instant selectors: the newest sample that is not too old.

use super::ast::Selector;
use super::eval::{Evaluator, filled};
use super::row::{Row, Sample};
use super::select::Times;
use super::stamp::is_absent;
use super::types::{EvalError, Rules, Sampled, Steps};
use std::sync::Arc;

/// What of a sample is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Value,
    /// When it was taken, in seconds.
    Time,
}

impl Evaluator<'_> {
    pub(super) fn instant(
        &mut self,
        selector: &Selector,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        self.newest(selector, steps, Wanted::Value)
    }

    /// Returns when the samples were taken, in seconds, instead of their values.
    pub(super) fn sample_times(
        &mut self,
        selector: &Selector,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        self.newest(selector, steps, Wanted::Time)
    }

    fn newest(
        &mut self,
        selector: &Selector,
        steps: Steps,
        wanted: Wanted,
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
            .map(|series| {
                let samples = samples(&series, times, oldest, wanted);
                Row::of(series.labels.clone(), samples)
            })
            .collect();
        Ok(filled(rows))
    }
}

fn samples(
    series: &Sampled,
    times: Times,
    oldest: i64,
    wanted: Wanted,
) -> impl Iterator<Item = Option<Sample>> {
    let (mut floats, mut histograms) = (0, 0);
    (0..times.steps.count).map(move |index| {
        let at = times.at(index);
        while series.times.get(floats).is_some_and(|time| *time <= at) {
            floats += 1;
        }
        while series
            .histograms
            .get(histograms)
            .is_some_and(|(time, _)| *time <= at)
        {
            histograms += 1;
        }
        let float = floats.checked_sub(1);
        let float = float.and_then(|newest| Some((*series.times.get(newest)?, newest)));
        let histogram = histograms.checked_sub(1);
        let histogram = histogram.and_then(|newest| series.histograms.get(newest));
        let (time, sample) = match (float, histogram) {
            (Some((time, _)), Some((later, histogram))) if *later > time => {
                (*later, Sample::Histogram(Arc::clone(histogram)))
            }
            (Some((time, newest)), _) => (time, Sample::Float(*series.values.get(newest)?)),
            (None, Some((time, histogram))) => (*time, Sample::Histogram(Arc::clone(histogram))),
            (None, None) => return None,
        };
        let ended = matches!(sample, Sample::Float(value) if is_absent(value));
        if at - time > oldest || ended {
            return None;
        }
        Some(match wanted {
            Wanted::Value => sample,
            Wanted::Time => Sample::Float(time as f64 / 1000.0),
        })
    })
}
