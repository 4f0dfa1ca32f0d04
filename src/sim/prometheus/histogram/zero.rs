//! The bucket around zero: how wide it is differs between histograms.

use super::bounds::bound;
use super::{Buckets, Histogram, Layout};

/// A bucket around zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Zero {
    pub(super) threshold: f64,
    pub(super) count: f64,
}

impl Histogram {
    /// Returns the bucket around zero if it reached at least so far.
    ///
    /// It reaches farther when it would otherwise cut a bucket with observations in two.
    pub(super) fn zero_up_to(&self, threshold: f64) -> Zero {
        let mut threshold = threshold;
        'wider: loop {
            let mut count = self.zero_count;
            for buckets in [&self.positive, &self.negative] {
                for (number, more) in buckets.iter() {
                    if bound(&self.layout, number.saturating_sub(1)) >= threshold {
                        break;
                    }
                    let upper = bound(&self.layout, number);
                    if upper > threshold && more != 0.0 {
                        threshold = upper;
                        continue 'wider;
                    }
                    count += more;
                }
            }
            return Zero { threshold, count };
        }
    }

    /// Widens the bucket around zero until that of the other can be as wide; returns the other's.
    pub(super) fn widen_zero(&mut self, other: &Self) -> Zero {
        let mut theirs = Zero {
            threshold: other.zero_threshold,
            count: other.zero_count,
        };
        loop {
            if self.zero_threshold > theirs.threshold {
                theirs = other.zero_up_to(self.zero_threshold);
            }
            if theirs.threshold <= self.zero_threshold {
                return theirs;
            }
            let mine = self.zero_up_to(theirs.threshold);
            (self.zero_threshold, self.zero_count) = (mine.threshold, mine.count);
            self.positive = outside(&self.layout, &self.positive, mine.threshold);
            self.negative = outside(&self.layout, &self.negative, mine.threshold);
        }
    }
}

/// Returns the buckets that the one around zero does not reach.
pub(super) fn outside(layout: &Layout, buckets: &Buckets, threshold: f64) -> Buckets {
    let mut buckets = buckets.clone();
    buckets.retain(|number| bound(layout, number.saturating_sub(1)) >= threshold);
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Histogram {
        Histogram {
            zero_threshold: 0.1,
            zero_count: 1.0,
            positive: Buckets::run(0, &[2.0, 0.0, 4.0]),
            ..Histogram::default()
        }
    }

    #[test]
    fn zero_does_not_cut_a_bucket_with_observations() {
        let zero = |threshold, count| Zero { threshold, count };

        assert_eq!(some().zero_up_to(0.5), zero(0.5, 1.0));
        assert_eq!(some().zero_up_to(0.6), zero(1.0, 3.0));
        assert_eq!(some().zero_up_to(1.5), zero(1.5, 3.0));
        assert_eq!(some().zero_up_to(3.0), zero(4.0, 7.0));
    }

    #[test]
    fn both_sides_widen_until_they_agree() {
        let mut wide = Histogram {
            zero_threshold: 0.6,
            ..Histogram::default()
        };

        let theirs = wide.widen_zero(&some());

        assert_eq!((wide.zero_threshold, theirs.count), (1.0, 3.0));
    }
}
