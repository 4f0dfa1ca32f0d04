//! Whether a counter began anew between two samples.

use super::combine::common;
use super::zero::outside;
use super::{Buckets, Histogram, Layout, ResetHint};

impl Histogram {
    /// Returns whether this cannot be the same counter later on: something in it became fewer.
    pub fn is_reset_after(&self, before: &Self) -> bool {
        match self.hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < before.count {
            return true;
        }
        let Ok(layout) = common(&self.layout, &before.layout) else {
            return true;
        };
        if layout != self.layout {
            // A counter only ever gets coarser.
            return true;
        }
        if layout.is_custom() {
            return fewer(&self.positive, &before.positive);
        }
        self.zero_fell(before)
            || self.side_fell(&self.positive, (&before.layout, &before.positive))
            || self.side_fell(&self.negative, (&before.layout, &before.negative))
    }

    fn zero_fell(&self, before: &Self) -> bool {
        if self.zero_threshold < before.zero_threshold {
            return true;
        }
        let zero = before.zero_up_to(self.zero_threshold);
        zero.threshold > self.zero_threshold || self.zero_count < zero.count
    }

    fn side_fell(&self, now: &Buckets, (layout, before): (&Layout, &Buckets)) -> bool {
        let mut coarse = Self {
            positive: outside(layout, before, self.zero_threshold),
            ..Self::new(layout.clone())
        };
        coarse.reduce_to(&self.layout);
        fewer(now, &coarse.positive)
    }
}

fn fewer(now: &Buckets, before: &Buckets) -> bool {
    before
        .iter()
        .any(|(number, count)| now.count(number) < count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(schema: i8, counts: &[f64]) -> Histogram {
        Histogram {
            count: counts.iter().sum(),
            positive: Buckets::run(1, counts),
            ..Histogram::new(Layout::Exponential(schema))
        }
    }

    #[test]
    fn one_bucket_that_fell_is_enough() {
        assert!(of(0, &[2.0, 1.0, 9.0]).is_reset_after(&of(0, &[2.0, 2.0])));
        assert!(!of(0, &[2.0, 2.0, 9.0]).is_reset_after(&of(0, &[2.0, 2.0])));
    }

    #[test]
    fn a_counter_may_get_coarser_but_not_finer() {
        assert!(!of(0, &[3.0]).is_reset_after(&of(1, &[1.0, 2.0])));
        assert!(of(1, &[3.0, 4.0]).is_reset_after(&of(0, &[3.0])));
    }

    #[test]
    fn zero_may_take_in_buckets() {
        let wide = |zero_count| Histogram {
            zero_threshold: 2.0,
            zero_count,
            count: 9.0,
            ..Histogram::default()
        };

        assert!(!wide(3.0).is_reset_after(&of(0, &[3.0])));
        assert!(wide(2.0).is_reset_after(&of(0, &[3.0])));
        assert!(of(0, &[9.0]).is_reset_after(&wide(3.0)));
    }
}
