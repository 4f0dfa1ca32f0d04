//! Arithmetic with histograms.

use super::zero::outside;
use super::{Histogram, Layout, ResetHint};

/// Why two histograms cannot be combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incompatible {
    /// One has exponential buckets, the other listed ones.
    Kinds,
    /// Their listed bounds differ.
    Bounds,
}

impl Histogram {
    /// Adds another, at the resolution of the coarser of the two.
    ///
    /// # Errors
    /// The buckets do not fit together.
    pub fn add(&mut self, other: &Self) -> Result<(), Incompatible> {
        self.combine(other, 1.0)
    }

    /// Takes another away, at the resolution of the coarser of the two.
    ///
    /// # Errors
    /// The buckets do not fit together.
    pub fn subtract(&mut self, other: &Self) -> Result<(), Incompatible> {
        self.combine(other, -1.0)
    }

    fn combine(&mut self, other: &Self, times: f64) -> Result<(), Incompatible> {
        let layout = common(&self.layout, &other.layout)?;
        self.hint = common_hint(self.hint, other.hint);
        self.count += other.count * times;
        self.sum += other.sum * times;
        let mut theirs = other.clone();
        if !layout.is_custom() {
            let zero = self.widen_zero(other);
            self.zero_count += zero.count * times;
            // What the bucket around zero has taken in is not counted again.
            theirs.positive = outside(&other.layout, &other.positive, zero.threshold);
            theirs.negative = outside(&other.layout, &other.negative, zero.threshold);
        }
        self.reduce_to(&layout);
        theirs.reduce_to(&layout);
        self.positive.add(&theirs.positive, times);
        self.negative.add(&theirs.negative, times);
        Ok(())
    }

    /// Lowers the resolution to that of a coarser layout.
    pub fn reduce_to(&mut self, layout: &Layout) {
        let (Layout::Exponential(mine), Layout::Exponential(coarser)) = (&self.layout, layout)
        else {
            return;
        };
        let steps = u32::try_from(mine - coarser).unwrap_or_default();
        self.positive = self.positive.coarser(steps);
        self.negative = self.negative.coarser(steps);
        self.layout = Layout::Exponential(*mine.min(coarser));
    }

    /// Returns it so many times; what is negative is no counter.
    #[must_use]
    pub fn times(mut self, factor: f64) -> Self {
        self.change(|count| count * factor);
        self.gauge_below_zero(factor)
    }

    /// Returns it divided; a division by zero leaves no buckets.
    #[must_use]
    pub fn divided_by(mut self, divisor: f64) -> Self {
        self.change(|count| count / divisor);
        if divisor == 0.0 {
            self.positive.clear();
            self.negative.clear();
        }
        self.gauge_below_zero(divisor)
    }

    fn gauge_below_zero(self, factor: f64) -> Self {
        if factor < 0.0 { self.as_gauge() } else { self }
    }

    fn change(&mut self, change: impl Fn(f64) -> f64) {
        self.count = change(self.count);
        self.sum = change(self.sum);
        self.zero_count = change(self.zero_count);
        self.positive.change(&change);
        self.negative.change(&change);
    }
}

/// Returns the layout that both can be brought to.
pub(super) fn common(one: &Layout, other: &Layout) -> Result<Layout, Incompatible> {
    match (one, other) {
        (Layout::Exponential(one), Layout::Exponential(other)) => {
            Ok(Layout::Exponential(*one.min(other)))
        }
        (Layout::Custom(bounds), Layout::Custom(others)) if bounds == others => Ok(one.clone()),
        (Layout::Custom(_), Layout::Custom(_)) => Err(Incompatible::Bounds),
        (Layout::Custom(_), Layout::Exponential(_))
        | (Layout::Exponential(_), Layout::Custom(_)) => Err(Incompatible::Kinds),
    }
}

/// Two gauges or a gauge and a counter are a gauge; of counters, only what holds for both is known.
fn common_hint(one: ResetHint, other: ResetHint) -> ResetHint {
    if one == ResetHint::Gauge || other == ResetHint::Gauge {
        return ResetHint::Gauge;
    }
    if one == other {
        one
    } else {
        ResetHint::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::prometheus::histogram::Buckets;

    fn of(schema: i8, first: i32, counts: &[f64]) -> Histogram {
        let count = counts.iter().sum();
        Histogram {
            count,
            sum: 2.0 * count,
            positive: Buckets::run(first, counts),
            ..Histogram::new(Layout::Exponential(schema))
        }
    }

    #[test]
    fn a_sum_has_the_coarser_resolution() {
        let mut sum = of(1, 1, &[1.0, 2.0, 4.0]);

        sum.add(&of(0, 1, &[8.0])).expect("the same kind");

        assert_eq!(sum.to_string(), "{count:15, sum:30, (1,2]:11, (2,4]:4}");
    }

    #[test]
    fn observations_near_zero_are_counted_once() {
        let mut wide = of(0, 3, &[1.0]);
        wide.zero_threshold = 1.0;
        let near_zero = of(0, 0, &[2.0, 4.0]);

        let mut one = wide.clone();
        one.add(&near_zero).expect("the same kind");
        let mut other = near_zero.clone();
        other.add(&wide).expect("the same kind");

        let text = "{count:7, sum:14, [-1,1]:2, (1,2]:4, (4,8]:1}";
        assert_eq!(
            (one.to_string(), other.to_string()),
            (text.into(), text.into())
        );
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let custom = |bounds: &[f64]| Histogram::new(Layout::Custom(bounds.into()));

        assert_eq!(
            of(0, 1, &[1.0]).add(&custom(&[1.0])),
            Err(Incompatible::Kinds)
        );
        assert_eq!(
            custom(&[1.0]).add(&custom(&[2.0])),
            Err(Incompatible::Bounds)
        );
        assert_eq!(custom(&[1.0]).subtract(&custom(&[1.0])), Ok(()));
    }

    #[test]
    fn a_division_by_zero_leaves_no_buckets() {
        let nothing = of(0, 1, &[1.0]).divided_by(0.0);
        let negative = of(0, 1, &[1.0]).times(-2.0);

        assert!(nothing.positive.is_empty() && nothing.count.is_infinite());
        assert_eq!(negative.to_string(), "{count:-2, sum:-4, (1,2]:-2}");
        assert_eq!(negative.hint, ResetHint::Gauge);
    }
}
