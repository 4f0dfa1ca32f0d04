//! What a native histogram says about its observations (`promql/quantile.go`, `promql/functions.go`).

use super::quantile::out_of_range;
use crate::sim::prometheus::histogram::{Bucket, Histogram};

/// What observations that are no numbers do to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotNumbers {
    /// The quantile lies among them.
    Result,
    /// The quantile is larger than it would be without them.
    Skew,
    /// They are in no fraction.
    Fraction,
}

/// Returns the number that a function of a name reads from a histogram.
pub(super) fn by_name(name: &str) -> Option<fn(&Histogram) -> f64> {
    Some(match name {
        "histogram_count" => |histogram| histogram.count,
        "histogram_sum" => |histogram| histogram.sum,
        "histogram_avg" => |histogram| histogram.sum / histogram.count,
        "histogram_stdvar" => variance,
        "histogram_stddev" => |histogram| variance(histogram).sqrt(),
        _ => return None,
    })
}

/// Returns the variance as if all observations of a bucket were in its middle.
fn variance(histogram: &Histogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let custom = histogram.layout.is_custom();
    let buckets = histogram.buckets().into_iter();
    let squares = buckets.filter(|bucket| bucket.count != 0.0).map(|bucket| {
        let middle = match bucket {
            bucket if custom => f64::midpoint(bucket.lower, bucket.upper),
            bucket if around_zero(&bucket) => 0.0,
            bucket => (bucket.lower * bucket.upper).sqrt().copysign(bucket.upper),
        };
        bucket.count * (middle - mean) * (middle - mean)
    });
    super::sums::Sum::of(squares).total() / histogram.count
}

fn around_zero(bucket: &Bucket) -> bool {
    bucket.lower <= 0.0 && bucket.upper >= 0.0
}

/// Returns the quantile, and whether observations that are no numbers play a part in it.
pub(super) fn quantile(quantile: f64, histogram: &Histogram) -> (f64, Option<NotNumbers>) {
    if let Some(answer) = out_of_range(quantile) {
        return (answer, None);
    }
    if histogram.count == 0.0 {
        return (f64::NAN, None);
    }
    // From the nearer end, for precision; what is no number comes after all that are.
    let unordered = histogram.sum.is_nan();
    let from_below = unordered || quantile < 0.5;
    let share = if from_below { quantile } else { 1.0 - quantile };
    let rank = share * histogram.count;
    let mut buckets = histogram.buckets();
    buckets.retain(|bucket| bucket.count != 0.0);
    if !from_below {
        buckets.reverse();
    }
    let Some((bucket, counted)) = reached(&buckets, rank) else {
        return (f64::NAN, unordered.then_some(NotNumbers::Result));
    };
    let counted = counted.min(histogram.count);
    let bucket = one_sided(bucket, histogram);
    if counted < rank && unordered {
        return (f64::NAN, Some(NotNumbers::Result));
    }
    let remark = unordered.then_some(NotNumbers::Skew);
    if histogram.layout.is_custom()
        && let Some(bound) = without_limit(&bucket)
    {
        return (bound, remark);
    }
    if counted < rank {
        return (bucket.upper, remark);
    }
    let inside = if from_below {
        rank - (counted - bucket.count)
    } else {
        counted - rank
    };
    let linear = histogram.layout.is_custom() || around_zero(&bucket);
    (at(&bucket, inside / bucket.count, linear), remark)
}

/// Returns the bucket with which so many observations are reached, or the last, and how many they are.
fn reached(buckets: &[Bucket], rank: f64) -> Option<(Bucket, f64)> {
    let mut counted = 0.0;
    for bucket in buckets {
        counted += bucket.count;
        if counted >= rank {
            return Some((*bucket, counted));
        }
    }
    buckets.last().map(|last| (*last, counted))
}

/// The bucket around zero has only observations on the side where the others are, and of listed
/// buckets the first begins at zero, if it can.
fn one_sided(mut bucket: Bucket, histogram: &Histogram) -> Bucket {
    if histogram.layout.is_custom() {
        if bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 {
            bucket.lower = 0.0;
        }
    } else if around_zero(&bucket) {
        match (histogram.negative.is_empty(), histogram.positive.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            (true, true) | (false, false) => {}
        }
    }
    bucket
}

/// Returns the only bound of a bucket that has but one.
fn without_limit(bucket: &Bucket) -> Option<f64> {
    if bucket.lower == f64::NEG_INFINITY {
        return Some(bucket.upper);
    }
    (bucket.upper == f64::INFINITY).then_some(bucket.lower)
}

/// Returns the value at a share of a bucket.
fn at(bucket: &Bucket, share: f64, linear: bool) -> f64 {
    if linear {
        return bucket.lower + (bucket.upper - bucket.lower) * share;
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    let power = (lower + (upper - lower) * share).exp2();
    power.copysign(bucket.upper)
}

/// Returns the share of observations between two bounds, and whether some are no numbers.
pub(super) fn fraction(
    (lower, upper): (f64, f64),
    histogram: &Histogram,
) -> (f64, Option<NotNumbers>) {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return (f64::NAN, None);
    }
    let buckets = histogram.buckets();
    let mut ordered = histogram.count;
    let mut remark = None;
    if histogram.sum.is_nan() {
        let counted: f64 = buckets.iter().map(|bucket| bucket.count).sum();
        if counted < histogram.count {
            ordered = counted;
            remark = Some(NotNumbers::Fraction);
        }
    }
    if lower >= upper {
        return (0.0, remark);
    }
    let rank = |value| rank_of(value, &buckets, histogram).min(ordered);
    let share = (rank(upper) - rank(lower)) / histogram.count;
    (share, remark)
}

/// Returns how many observations were at most `value`.
fn rank_of(value: f64, buckets: &[Bucket], histogram: &Histogram) -> f64 {
    let custom = histogram.layout.is_custom();
    let mut rank = 0.0;
    for bucket in buckets {
        let linear = custom || around_zero(bucket);
        let bucket = if custom {
            *bucket
        } else {
            one_sided(*bucket, histogram)
        };
        if bucket.lower >= value {
            return rank;
        }
        if bucket.upper > value {
            return rank + bucket.count * share_below(value, &bucket, linear);
        }
        rank += bucket.count;
    }
    f64::INFINITY
}

/// Returns which share of a bucket lies below a value inside it.
fn share_below(value: f64, bucket: &Bucket, linear: bool) -> f64 {
    if bucket.lower == f64::NEG_INFINITY {
        // Nothing is known about where they are.
        return 0.0;
    }
    if linear {
        return (value - bucket.lower) / (bucket.upper - bucket.lower);
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    (value.abs().log2() - lower) / (upper - lower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::prometheus::histogram::{Buckets, Layout};

    fn near(found: f64, wanted: f64) -> bool {
        (found - wanted).abs() < 1e-9
    }

    /// Two observations around zero, four in (1, 2], two in (4, 8].
    fn some() -> Histogram {
        Histogram {
            count: 8.0,
            sum: 20.0,
            zero_threshold: 0.01,
            zero_count: 2.0,
            positive: Buckets::run(1, &[4.0, 0.0, 2.0]),
            ..Histogram::default()
        }
    }

    fn mirrored() -> Histogram {
        let some = some();
        Histogram {
            sum: -some.sum,
            negative: some.positive,
            positive: Buckets::default(),
            ..some
        }
    }

    #[test]
    fn quantiles_lie_evenly_among_the_powers() {
        let of = |q| quantile(q, &some()).0;

        assert!(near(of(0.5), 2f64.sqrt()));
        assert!(near(of(0.875), 32f64.sqrt()));
        assert!(near(of(1.0), 8.0));
        // All observations around zero are taken for positive, as all others are.
        assert!(near(of(0.125), 0.005));
        assert!(near(quantile(0.5, &mirrored()).0, -(2f64.sqrt())));
    }

    #[test]
    fn fractions_are_the_inverse_of_quantiles() {
        for histogram in [some(), mirrored()] {
            for q in [0.05, 0.3, 0.6, 0.75, 0.9] {
                let (value, _) = quantile(q, &histogram);
                let (share, _) = fraction((f64::NEG_INFINITY, value), &histogram);
                assert!(near(share, q), "{q}: {value} {share}");
            }
        }
    }

    #[test]
    fn listed_buckets_without_limit_have_no_inside() {
        let histogram = Histogram {
            count: 4.0,
            sum: 9.0,
            positive: Buckets::run(0, &[1.0, 2.0, 1.0]),
            ..Histogram::new(Layout::Custom([1.0, 3.0].into()))
        };

        assert!(near(quantile(0.5, &histogram).0, 2.0));
        assert!(near(quantile(0.125, &histogram).0, 0.5));
        assert!(near(quantile(0.99, &histogram).0, 3.0));
        assert!(near(
            fraction((f64::NEG_INFINITY, 100.0), &histogram).0,
            0.75
        ));
    }

    #[test]
    fn what_is_no_number_lies_above_all_numbers() {
        let histogram = Histogram {
            sum: f64::NAN,
            count: 16.0,
            ..some()
        };

        let (high, remark) = quantile(0.9, &histogram);
        let (low, skew) = quantile(0.25, &histogram);
        let (all, left_out) = fraction((f64::NEG_INFINITY, f64::INFINITY), &histogram);

        assert!(high.is_nan() && near(low, 2f64.sqrt()) && near(all, 0.5));
        assert_eq!(remark, Some(NotNumbers::Result));
        assert_eq!(skew, Some(NotNumbers::Skew));
        assert_eq!(left_out, Some(NotNumbers::Fraction));
    }
}
