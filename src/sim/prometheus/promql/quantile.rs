//! Quantiles of values and of histogram buckets (`promql/quantile.go`).

use std::cmp::Ordering;

/// How different two neighbouring counts may be and still count as equal.
const TOLERANCE: f64 = 1e-12;

/// Orders numbers with NaN before all others.
pub(super) fn nan_first(left: f64, right: f64) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
    }
}

/// Returns the answer for a quantile outside 0 to 1.
pub(super) fn out_of_range(quantile: f64) -> Option<f64> {
    match quantile {
        nan if nan.is_nan() => Some(f64::NAN),
        low if low < 0.0 => Some(f64::NEG_INFINITY),
        high if high > 1.0 => Some(f64::INFINITY),
        _ => None,
    }
}

/// Returns the quantile of values, which are sorted on the way.
pub(super) fn of_values(quantile: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    if let Some(answer) = out_of_range(quantile) {
        return answer;
    }
    values.sort_by(|left, right| nan_first(*left, *right));
    let last = values.len() - 1;
    let rank = quantile * last as f64;
    let lower = (rank.floor().max(0.0) as usize).min(last);
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// A bucket: how many observations were at most this large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) bound: f64,
    pub(super) count: f64,
}

/// Sorts buckets and adds up those of one bound; `None` when the last has a limit.
fn prepared(mut buckets: Vec<Bucket>) -> Option<Vec<Bucket>> {
    buckets.sort_by(|left, right| left.bound.total_cmp(&right.bound));
    if buckets.last()?.bound.total_cmp(&f64::INFINITY).is_ne() {
        return None;
    }
    let mut merged: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match merged.last_mut() {
            Some(last) if last.bound.total_cmp(&bucket.bound).is_eq() => last.count += bucket.count,
            _ => merged.push(bucket),
        }
    }
    Some(merged)
}

/// Makes counts rise; returns whether one fell by more than rounding.
fn make_monotonic(buckets: &mut [Bucket]) -> bool {
    let mut forced = false;
    let mut before = buckets.first().map_or(0.0, |bucket| bucket.count);
    for bucket in buckets.iter_mut().skip(1) {
        if nearly_equal(before, bucket.count) {
            bucket.count = before;
        } else if bucket.count < before {
            bucket.count = before;
            forced = true;
        } else {
            before = bucket.count;
        }
    }
    forced
}

fn nearly_equal(left: f64, right: f64) -> bool {
    if left.total_cmp(&right).is_eq() {
        return true;
    }
    let difference = (left - right).abs();
    let size = left.abs() + right.abs();
    if left == 0.0 || right == 0.0 || size < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / size.min(f64::MAX) < TOLERANCE
}

/// Returns the quantile, and whether falling counts had to be mended.
pub(super) fn of_buckets(quantile: f64, buckets: Vec<Bucket>) -> (f64, bool) {
    if let Some(answer) = out_of_range(quantile) {
        return (answer, false);
    }
    let Some(mut buckets) = prepared(buckets) else {
        return (f64::NAN, false);
    };
    let forced = make_monotonic(&mut buckets);
    (inside(quantile, &buckets), forced)
}

fn inside(quantile: f64, buckets: &[Bucket]) -> f64 {
    let [first, .., before_last, last] = buckets else {
        return match buckets {
            [only, last] => inside_two(quantile, *only, *last),
            _ => f64::NAN,
        };
    };
    if last.count == 0.0 {
        return f64::NAN;
    }
    let rank = quantile * last.count;
    let limited = &buckets[..buckets.len() - 1];
    // As a binary search would: counts rise, but a NaN among them compares as not reached.
    let at = limited
        .partition_point(|bucket| bucket.count.partial_cmp(&rank).is_none_or(Ordering::is_lt));
    if at == limited.len() {
        return before_last.bound;
    }
    if at == 0 {
        return interpolate(None, *first, rank);
    }
    interpolate(Some(limited[at - 1]), limited[at], rank)
}

fn inside_two(quantile: f64, first: Bucket, last: Bucket) -> f64 {
    if last.count == 0.0 {
        return f64::NAN;
    }
    let rank = quantile * last.count;
    if first.count >= rank {
        interpolate(None, first, rank)
    } else {
        first.bound
    }
}

fn interpolate(before: Option<Bucket>, bucket: Bucket, rank: f64) -> f64 {
    let Some(before) = before else {
        if bucket.bound <= 0.0 {
            return bucket.bound;
        }
        return bucket.bound * (rank / bucket.count);
    };
    let share = (rank - before.count) / (bucket.count - before.count);
    before.bound + (bucket.bound - before.bound) * share
}

/// Returns the share of observations between two bounds.
pub(super) fn fraction(lower: f64, upper: f64, buckets: Vec<Bucket>) -> f64 {
    let Some(buckets) = prepared(buckets) else {
        return f64::NAN;
    };
    let total = buckets.last().map_or(0.0, |bucket| bucket.count);
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, &buckets) - rank_of(lower, &buckets)) / total
}

/// Returns how many observations were at most `value`.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let total = buckets.last().map_or(0.0, |bucket| bucket.count);
    let mut rank = 0.0;
    let mut low = f64::NEG_INFINITY;
    for bucket in buckets {
        if low >= value {
            return rank;
        }
        if bucket.bound > value {
            if low == f64::NEG_INFINITY {
                // Nothing is known about where the observations of the first are.
                return rank;
            }
            let share = (value - low) / (bucket.bound - low);
            let found: f64 = rank + (bucket.count - rank) * share;
            return if found > total { total } else { found };
        }
        rank = bucket.count;
        low = bucket.bound;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs
            .iter()
            .map(|(bound, count)| Bucket {
                bound: *bound,
                count: *count,
            })
            .collect()
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let counts = buckets(&[(0.1, 10.0), (0.5, 90.0), (f64::INFINITY, 100.0)]);

        let (median, forced) = of_buckets(0.5, counts.clone());
        let (high, _) = of_buckets(0.99, counts);

        assert!((median - 0.3).abs() < 1e-12);
        assert!(!forced);
        assert!((high - 0.5).abs() < 1e-12);
    }

    #[test]
    fn falling_counts_are_mended_and_reported() {
        let (_, forced) = of_buckets(
            0.5,
            buckets(&[(1.0, 10.0), (2.0, 5.0), (f64::INFINITY, 20.0)]),
        );

        assert!(forced);
    }

    #[test]
    fn a_quantile_of_values_is_interpolated() {
        assert!((of_values(0.5, &mut [3.0, 1.0]) - 2.0).abs() < 1e-12);
        assert!(of_values(f64::NAN, &mut [3.0, 1.0]).is_nan());
    }
}
