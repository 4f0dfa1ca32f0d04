//! How fast counters rise and gauges move (`promql/functions.go`: `extrapolatedRate`, `instantValue`).

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
pub(super) fn extrapolated(window: &Window<'_>, change: Change, rules: Rules) -> Option<f64> {
    let (first_time, last_time) = (*window.times.first()?, *window.times.last()?);
    let first = *window.values.first()?;
    if window.times.len() < 2 {
        return None;
    }
    let counter = change != Change::Delta;
    let difference = difference(window.values, counter)?;
    let sampled = seconds(last_time - first_time);
    let average = sampled / (window.times.len() - 1) as f64;
    let threshold = average * 1.1;
    let to_zero =
        (counter && difference > 0.0 && first >= 0.0).then(|| sampled * (first / difference));

    let mut before = seconds(first_time - window.start);
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
    let mut after = seconds(window.end - last_time);
    if after >= threshold {
        after = average / 2.0;
    }
    let mut factor = (sampled + before + after) / sampled;
    if change == Change::Rate {
        factor /= seconds(window.end - window.start);
    }
    Some(difference * factor)
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
pub(super) fn last_two(window: &Window<'_>, per_second: bool) -> Option<f64> {
    let [.., before, after] = window.values else {
        return None;
    };
    let [.., before_time, after_time] = window.times else {
        return None;
    };
    let change = if per_second && after < before {
        *after
    } else {
        after - before
    };
    let span = after_time - before_time;
    if span == 0 {
        return None;
    }
    Some(if per_second {
        change / seconds(span)
    } else {
        change
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_starts_inside_the_window_differs_between_versions() {
        let window = Window {
            times: &[290_000, 300_000],
            values: &[1.0, 101.0],
            start: 0,
            end: 300_000,
            now: 300_000,
            step: 0,
        };

        let old = extrapolated(&window, Change::Increase, Rules::V2).expect("two samples");
        let new = extrapolated(&window, Change::Increase, Rules::V3).expect("two samples");

        assert!((old - 101.0).abs() < 1e-9);
        assert!((new - 101.0).abs() < 1e-9);
    }

    #[test]
    fn a_reset_counts_from_zero() {
        assert_eq!(difference(&[5.0, 8.0, 2.0, 3.0], true), Some(6.0));
        assert_eq!(difference(&[5.0, 8.0, 2.0, 3.0], false), Some(-2.0));
    }
}
