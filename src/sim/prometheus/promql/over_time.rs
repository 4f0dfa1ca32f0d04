//! What a window of samples comes to (`promql/functions.go`).

mod native;

use super::annotations::Annotations;
use super::quantile;
use super::row::Sample;
use super::sums::{Mean, Sum, Variance};
use super::window::Window;

/// A function of a window, and what is to be said of it.
pub(super) type Look = fn(&Window<'_>, &mut Annotations) -> Option<Sample>;

/// A function of the numbers in a window.
type LookAtNumbers = fn(&Window<'_>) -> Option<f64>;

impl Window<'_> {
    /// Returns whether there are numbers, for functions that look at nothing else.
    pub(super) fn has_numbers(&self, remarks: &mut Annotations) -> bool {
        if self.is_mixed() {
            remarks.ignored_in_range(self.metric);
        }
        !self.values.is_empty()
    }
}

/// Returns the function of a name, if it takes nothing but a range vector.
pub(super) fn by_name(
    name: &str,
) -> Option<impl Fn(&Window<'_>, &mut Annotations) -> Option<Sample>> {
    let any = native::by_name(name);
    let numbers = of_numbers(name);
    (any.is_some() || numbers.is_some()).then_some(
        move |window: &Window<'_>, remarks: &mut Annotations| {
            if let Some(look) = any {
                return look(window, remarks);
            }
            let look = numbers.filter(|_| window.has_numbers(remarks))?;
            look(window).map(Sample::Float)
        },
    )
}

fn of_numbers(name: &str) -> Option<LookAtNumbers> {
    Some(match name {
        "min_over_time" => {
            |window| extreme(window, |value, best| value < best).map(|(_, value)| value)
        }
        "max_over_time" => {
            |window| extreme(window, |value, best| value > best).map(|(_, value)| value)
        }
        "stddev_over_time" => |window| Some(variance(window.values).sqrt()),
        "stdvar_over_time" => |window| Some(variance(window.values)),
        "mad_over_time" => |window| Some(median_deviation(window.values)),
        "deriv" => |window| line(window, *window.times.first()?).map(|line| line.slope),
        "ts_of_min_over_time" => |window| time_of(window, |value, best| value <= best),
        "ts_of_max_over_time" => |window| time_of(window, |value, best| value >= best),
        _ => return None,
    })
}

/// Returns whether a function's result is still the metric it was.
pub(super) fn keeps_name(name: &str) -> bool {
    matches!(name, "last_over_time" | "first_over_time")
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

fn mean(values: &[f64]) -> f64 {
    let mut mean = Mean::default();
    for value in values {
        mean.add(*value);
    }
    mean.mean()
}

fn variance(values: &[f64]) -> f64 {
    let mut variance = Variance::default();
    for value in values {
        variance.add(*value);
    }
    variance.variance()
}

fn extreme(window: &Window<'_>, better: fn(f64, f64) -> bool) -> Option<(i64, f64)> {
    let samples = window
        .times
        .iter()
        .copied()
        .zip(window.values.iter().copied());
    samples.reduce(|best, sample| {
        if better(sample.1, best.1) || best.1.is_nan() {
            sample
        } else {
            best
        }
    })
}

fn time_of(window: &Window<'_>, better: fn(f64, f64) -> bool) -> Option<f64> {
    extreme(window, better).map(|(time, _)| seconds(time))
}

fn median_deviation(values: &[f64]) -> f64 {
    let median = quantile::of_values(0.5, &mut values.to_vec());
    let mut deviations: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
    quantile::of_values(0.5, &mut deviations)
}

/// A line through samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// Per second.
    pub(super) slope: f64,
    /// At the time that was asked for.
    pub(super) value: f64,
}

/// Fits a line by least squares; two samples are needed.
pub(super) fn line(window: &Window<'_>, at: i64) -> Option<Line> {
    let first = *window.values.first()?;
    if window.values.len() < 2 {
        return None;
    }
    if window.values.iter().all(|value| same(*value, first)) {
        let still = if first.is_infinite() { f64::NAN } else { 0.0 };
        let value = if first.is_infinite() { f64::NAN } else { first };
        return Some(Line {
            slope: still,
            value,
        });
    }
    let count = window.values.len() as f64;
    let xs = || window.times.iter().map(|time| seconds(time - at));
    let ys = || window.values.iter().copied();
    let sum_x = Sum::of(xs()).total();
    let sum_y = Sum::of(ys()).total();
    let sum_xy = Sum::of(xs().zip(ys()).map(|(x, y)| x * y)).total();
    let sum_x2 = Sum::of(xs().map(|x| x * x)).total();
    let slope = (sum_xy - sum_x * sum_y / count) / (sum_x2 - sum_x * sum_x / count);
    Some(Line {
        slope,
        value: sum_y / count - slope * sum_x / count,
    })
}

/// Two NaN are not the same: they make no level line.
#[allow(
    clippy::float_cmp,
    reason = "a line is level only if all values are equal"
)]
fn same(left: f64, right: f64) -> bool {
    left == right
}

/// Smooths twice (Holt's linear method): the level and the trend.
pub(super) fn smoothed(window: &Window<'_>, level_factor: f64, trend_factor: f64) -> Option<f64> {
    let [first, second, ..] = window.values else {
        return None;
    };
    let (mut before, mut level) = (0.0, *first);
    let mut trend = second - first;
    for (number, value) in window.values.iter().enumerate().skip(1) {
        if number > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        let next = level_factor * value + (1.0 - level_factor) * (level + trend);
        before = level;
        level = next;
    }
    Some(level)
}
