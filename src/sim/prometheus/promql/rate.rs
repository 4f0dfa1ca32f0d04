//! How fast counters rise and gauges move (`promql/functions.go`: `extrapolatedRate`, `instantValue`).

mod native;

use super::annotations::Annotations;
use super::row::Sample;
use super::types::Rules;
use super::window::Window;

/// What is asked of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// `rate`: a counter, per second.
    Rate,
    /// `increase`: a counter, over the range.
    Increase,
    /// `delta`: a gauge, over the range.
    Delta,
}

/// Returns the change over the whole window, guessing what lies before the first and after the last sample.
pub(super) fn extrapolated(
    window: &Window<'_>,
    (change, rules): (Change, Rules),
    remarks: &mut Annotations,
) -> Option<Sample> {
    if window.is_mixed() {
        remarks.mixed_range(window.metric);
        return None;
    }
    let counter = change != Change::Delta;
    if let [(first_time, first), .., (last_time, _)] = window.histograms {
        let difference = native::difference(window, counter, remarks)?;
        let limited = counter && rules == Rules::V3 && difference.count > 0.0;
        let covered = Covered {
            first: *first_time,
            last: *last_time,
            count: window.histograms.len(),
            to_zero: (limited && first.count >= 0.0).then(|| first.count / difference.count),
        };
        let factor = covered.factor(window, (change, rules));
        return Some(difference.times(factor).into());
    }
    let [first_time, .., last_time] = window.times else {
        return None;
    };
    let first = *window.values.first()?;
    let difference = difference(window.values, counter)?;
    let limited = counter && difference > 0.0 && first >= 0.0;
    let covered = Covered {
        first: *first_time,
        last: *last_time,
        count: window.times.len(),
        to_zero: limited.then(|| first / difference),
    };
    let factor = covered.factor(window, (change, rules));
    Some(Sample::Float(difference * factor))
}

/// The part of a window that samples cover.
struct Covered {
    first: i64,
    last: i64,
    count: usize,
    /// How long before the first sample a counter would have been zero, in lengths of this part.
    to_zero: Option<f64>,
}

impl Covered {
    /// Returns what to multiply the change between the first and the last sample with.
    fn factor(&self, window: &Window<'_>, (change, rules): (Change, Rules)) -> f64 {
        let sampled = seconds(self.last - self.first);
        let average = sampled / (self.count - 1) as f64;
        let threshold = average * 1.1;
        let to_zero = self.to_zero.map(|share| sampled * share);

        let mut before = seconds(self.first - window.start);
        match rules {
            Rules::V2 => {
                before = to_zero.map_or(before, |to_zero| shorter(before, to_zero));
                if before >= threshold {
                    before = average / 2.0;
                }
            }
            Rules::V3 => {
                if before >= threshold {
                    before = average / 2.0;
                }
                before = to_zero.map_or(before, |to_zero| shorter(before, to_zero));
            }
        }
        let mut after = seconds(window.end - self.last);
        if after >= threshold {
            after = average / 2.0;
        }
        let factor = (sampled + before + after) / sampled;
        if change == Change::Rate {
            return factor / seconds(window.end - window.start);
        }
        factor
    }
}

fn shorter(span: f64, limit: f64) -> f64 {
    if limit < span { limit } else { span }
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Returns last minus first; a counter that fell was reset, and counts from zero.
fn difference(values: &[f64], counter: bool) -> Option<f64> {
    let mut difference = values.last()? - values.first()?;
    if counter {
        for (before, after) in values.iter().zip(values.iter().skip(1)) {
            if after < before {
                difference += before;
            }
        }
    }
    Some(difference)
}

/// Returns the change between the last two samples, per second for a counter.
pub(super) fn last_two(
    window: &Window<'_>,
    per_second: bool,
    remarks: &mut Annotations,
) -> Option<Sample> {
    let [(before_time, before), (after_time, after)] = window.last_two()?;
    let span = seconds(after_time - before_time);
    if span == 0.0 {
        return None;
    }
    match (before, after) {
        (Sample::Float(before), Sample::Float(after)) => {
            let reset = per_second && after < before;
            let change = if reset { after } else { after - before };
            let change = if per_second { change / span } else { change };
            Some(Sample::Float(change))
        }
        (Sample::Histogram(before), Sample::Histogram(after)) => {
            let pair = (before.as_ref(), after.as_ref());
            let change = native::step(window.metric, pair, per_second, remarks)?;
            let change = if per_second {
                change.divided_by(span)
            } else {
                change
            };
            Some(change.into())
        }
        (Sample::Float(_), Sample::Histogram(_)) | (Sample::Histogram(_), Sample::Float(_)) => {
            remarks.mixed_range(window.metric);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_starts_inside_the_window_differs_between_versions() {
        let window = Window {
            metric: "",
            histograms: &[],
            times: &[290_000, 300_000],
            values: &[1.0, 101.0],
            start: 0,
            end: 300_000,
            now: 300_000,
            step: 0,
        };

        let increase = |rules| {
            let change = (Change::Increase, rules);
            match extrapolated(&window, change, &mut Annotations::default()) {
                Some(Sample::Float(increase)) => increase,
                other => panic!("no number: {other:?}"),
            }
        };

        assert!((increase(Rules::V2) - 101.0).abs() < 1e-9);
        assert!((increase(Rules::V3) - 101.0).abs() < 1e-9);
    }

    #[test]
    fn a_reset_counts_from_zero() {
        assert_eq!(difference(&[5.0, 8.0, 2.0, 3.0], true), Some(6.0));
        assert_eq!(difference(&[5.0, 8.0, 2.0, 3.0], false), Some(-2.0));
    }
}
