//! Native histograms: one sample that counts observations by buckets.
//!
//! The bounds of the buckets are powers that follow from a schema, or they are listed. Only buckets
//! that were named are kept, in rising order of their number; a kept bucket may be empty until
//! [`Histogram::compact`]. The rules are those of Prometheus (`model/histogram/float_histogram.go`,
//! "Native Histograms" in its specifications); counts are floats, as in every evaluation.

mod bounds;
mod buckets;
mod combine;
mod reset;
mod zero;

pub use bounds::Bucket;
pub use buckets::Buckets;
pub use combine::Incompatible;

use super::number::general;
use std::fmt;
use std::sync::Arc;

/// What is known about the sample before this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetHint {
    /// Nothing: the two have to be compared.
    #[default]
    Unknown,
    /// The counter began anew here.
    Reset,
    /// The counter went on.
    NotReset,
    /// It is no counter.
    Gauge,
}

/// Where the bounds of buckets lie.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// Powers of 2^(2^-schema); from −4, the coarsest, to 8.
    Exponential(i8),
    /// At these rising upper bounds; one more bucket is without limit.
    Custom(Arc<[f64]>),
}

impl Default for Layout {
    fn default() -> Self {
        Self::Exponential(0)
    }
}

impl Layout {
    /// The schema that stands for listed bounds.
    pub const CUSTOM: i8 = -53;

    /// Returns the layout of a schema that has one.
    pub fn exponential(schema: i8) -> Option<Self> {
        (-4..=8)
            .contains(&schema)
            .then_some(Self::Exponential(schema))
    }

    /// Returns whether the bounds are listed.
    pub fn is_custom(&self) -> bool {
        matches!(self, Self::Custom(_))
    }
}

/// A histogram.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// What is known about the sample before.
    pub hint: ResetHint,
    /// Where the buckets lie.
    pub layout: Layout,
    /// How many observations there are.
    pub count: f64,
    /// What they add up to.
    pub sum: f64,
    /// How far from zero the bucket around zero reaches; listed bounds have none.
    pub zero_threshold: f64,
    /// How many observations are around zero.
    pub zero_count: f64,
    /// The buckets above zero, or all that are listed.
    pub positive: Buckets,
    /// The buckets below zero, by their distance from it.
    pub negative: Buckets,
}

/// Data are the same when their bits are; what is known about the sample before is not a part of them.
impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        let same = |one: f64, other: f64| one.to_bits() == other.to_bits();
        self.layout == other.layout
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && same(self.zero_threshold, other.zero_threshold)
            && same(self.zero_count, other.zero_count)
            && self.positive == other.positive
            && self.negative == other.negative
    }
}

impl Histogram {
    /// Makes one without observations.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            ..Self::default()
        }
    }

    /// Forgets empty buckets.
    #[must_use]
    pub fn compact(mut self) -> Self {
        self.positive.compact();
        self.negative.compact();
        self
    }

    /// Returns it as something that is no counter.
    #[must_use]
    pub fn as_gauge(mut self) -> Self {
        self.hint = ResetHint::Gauge;
        self
    }

    /// Returns all buckets that were named, from the lowest values to the highest.
    pub fn buckets(&self) -> Vec<Bucket> {
        let negative = self.negative.iter().rev();
        let below = negative.map(|(number, count)| Bucket::negative(&self.layout, number, count));
        let zero = (self.zero_count != 0.0).then(|| Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            with_lower: true,
            with_upper: true,
            count: self.zero_count,
        });
        let positive = self.positive.iter();
        let above = positive.map(|(number, count)| Bucket::positive(&self.layout, number, count));
        below.chain(zero).chain(above).collect()
    }
}

/// As Prometheus writes it, where a text is needed: `{count:3, sum:4.5, (1,2]:3}`.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{count:{}, sum:{}",
            general(self.count),
            general(self.sum)
        )?;
        for bucket in self.buckets() {
            if bucket.count == 0.0 {
                continue;
            }
            let open = if bucket.with_lower { '[' } else { '(' };
            let close = if bucket.with_upper { ']' } else { ')' };
            let (lower, upper) = (general(bucket.lower), general(bucket.upper));
            let count = general(bucket.count);
            write!(f, ", {open}{lower},{upper}{close}:{count}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observations 0.3 and 3 above zero, −1.5 below and one around zero.
    fn some() -> Histogram {
        Histogram {
            count: 5.0,
            sum: 4.8,
            zero_threshold: 0.01,
            zero_count: 1.0,
            positive: Buckets::run(-1, &[1.0, 0.0, 0.0, 2.0]),
            negative: Buckets::run(1, &[1.0]),
            ..Histogram::default()
        }
    }

    #[test]
    fn buckets_come_from_the_lowest_to_the_highest() {
        assert_eq!(
            some().to_string(),
            "{count:5, sum:4.8, [-2,-1):1, [-0.01,0.01]:1, (0.25,0.5]:1, (2,4]:2}"
        );
    }

    #[test]
    fn listed_bounds_reach_from_end_to_end() {
        let histogram = Histogram {
            count: 6.0,
            positive: Buckets::run(0, &[1.0, 2.0, 3.0]),
            ..Histogram::new(Layout::Custom([0.5, 1.0].into()))
        };

        assert_eq!(
            histogram.to_string(),
            "{count:6, sum:0, [-Inf,0.5]:1, (0.5,1]:2, (1,+Inf]:3}"
        );
    }

    #[test]
    fn histograms_are_the_same_whatever_is_known_of_the_sample_before() {
        assert_eq!(some(), some().as_gauge());
        assert_ne!(some(), some().compact());
        assert_ne!(some(), Histogram { sum: 4.9, ..some() });
    }
}
