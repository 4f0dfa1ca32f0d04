//! The bounds of buckets, by the layout and the number of the bucket.

use super::Layout;

/// One bucket and its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The smaller bound.
    pub lower: f64,
    /// The larger bound.
    pub upper: f64,
    /// Whether the smaller bound belongs to it.
    pub with_lower: bool,
    /// Whether the larger bound belongs to it.
    pub with_upper: bool,
    /// How many observations it has.
    pub count: f64,
}

impl Bucket {
    pub(super) fn positive(layout: &Layout, number: i32, count: f64) -> Self {
        Self {
            lower: bound(layout, number.saturating_sub(1)),
            upper: bound(layout, number),
            with_lower: layout.is_custom() && number == 0,
            with_upper: true,
            count,
        }
    }

    pub(super) fn negative(layout: &Layout, number: i32, count: f64) -> Self {
        Self {
            lower: -bound(layout, number),
            upper: -bound(layout, number.saturating_sub(1)),
            with_lower: true,
            with_upper: false,
            count,
        }
    }
}

/// Returns the upper bound of a bucket above zero.
pub(super) fn bound(layout: &Layout, number: i32) -> f64 {
    match layout {
        Layout::Exponential(schema) => power(*schema, number),
        Layout::Custom(_) if number < 0 => f64::NEG_INFINITY,
        Layout::Custom(bounds) => {
            let bound = bounds.get(number.unsigned_abs() as usize);
            bound.copied().unwrap_or(f64::INFINITY)
        }
    }
}

/// The exponent of the first power of two that no number reaches.
const BEYOND: i64 = f64::MAX_EXP as i64;

/// Returns the power; the one that just cannot be written is the largest number there is, so that
/// only the bucket behind it is without limit.
fn power(schema: i8, number: i32) -> f64 {
    let number = i64::from(number);
    let (whole, part) = if schema <= 0 {
        (number << schema.unsigned_abs(), 0.0)
    } else {
        let parts = 1_i64 << schema;
        let part = number.rem_euclid(parts) as f64 / parts as f64;
        (number.div_euclid(parts), part)
    };
    if whole == BEYOND && part == 0.0 {
        return f64::MAX;
    }
    // In two steps, for the factors may be out of reach while their product is not.
    let half = whole.clamp(-3000, 3000) / 2;
    let rest = whole.clamp(-3000, 3000) - half;
    part.exp2() * (half as f64).exp2() * (rest as f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64) -> bool {
        ((found - wanted) / wanted).abs() < 1e-14
    }

    #[test]
    fn bounds_are_powers() {
        let at = |schema, number| bound(&Layout::Exponential(schema), number);

        assert!(near(at(0, 0), 1.0) && near(at(0, 3), 8.0) && near(at(0, -2), 0.25));
        assert!(near(at(2, 1), 2f64.powf(0.25)) && near(at(2, -1), 2f64.powf(-0.25)));
        assert!(near(at(-2, 1), 16.0) && near(at(8, 256), 2.0));
    }

    #[test]
    fn only_the_last_bucket_is_without_limit() {
        let layout = Layout::Exponential(0);

        assert!(near(bound(&layout, 1023), 2f64.powi(1023)));
        assert!(near(bound(&layout, 1024), f64::MAX));
        assert!(bound(&layout, 1025).is_infinite());
        assert!(bound(&layout, -1074) > 0.0);
    }
}
