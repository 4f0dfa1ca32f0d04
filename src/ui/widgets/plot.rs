//! Scales of charts and bars: bounds in steps of 1, 2 and 5, and ticks. Nothing here draws.

/// The values that a chart's height stands for; `low` is below `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
}

impl Scale {
    /// Returns bounds that hold every finite value; absent without one. Values above zero keep
    /// zero in sight unless that would flatten them.
    pub fn holding(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (low, high) = finite.fold(None, |bounds: Option<(f64, f64)>, value| {
            let (low, high) = bounds.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })?;
        let low = if low > 0.0 && low < high * 0.7 {
            0.0
        } else {
            low
        };
        let (low, high) = apart(low, high);
        let step = nice_step((high - low) / 4.0);
        Some(Self {
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
        })
    }

    /// Returns where a value lies between the bounds, from 0 to 1; values beyond stay at the edge.
    pub fn share(self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Returns at most about `most` round values between the bounds, the lowest first.
    pub fn ticks(self, most: usize) -> Vec<f64> {
        let step = nice_step((self.high - self.low) / most.max(1) as f64);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last.min(first + 64))
            .map(|number| number as f64 * step)
            .collect()
    }
}

/// A flat line gets room around it.
fn apart(low: f64, high: f64) -> (f64, f64) {
    if high - low > high.abs().max(low.abs()) * 1e-9 {
        return (low, high);
    }
    match low {
        0.0 => (0.0, 1.0),
        value if value > 0.0 => (0.0, value * 1.25),
        value => (value * 1.25, 0.0),
    }
}

/// Returns the step of 1, 2 or 5 times a power of ten that is not smaller than `wanted`.
fn nice_step(wanted: f64) -> f64 {
    if wanted <= 0.0 || !wanted.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(wanted.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter();
    let fitting = factor.map(|factor| factor * power);
    fitting
        .into_iter()
        .find(|step| *step >= wanted * (1.0 - 1e-9))
        .unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_holds_all_values_in_round_steps() {
        let scale = Scale::holding([0.2, 7.3]).expect("values");
        assert_eq!((scale.low, scale.high), (0.0, 8.0));
        assert_eq!(scale.ticks(4), [0.0, 2.0, 4.0, 6.0, 8.0]);

        let narrow = Scale::holding([0.991, 0.997]).expect("values");
        assert!(narrow.low >= 0.98 && narrow.low <= 0.991, "{narrow:?}");
        assert!(Scale::holding([f64::NAN]).is_none());
    }

    #[test]
    fn flat_line_has_room_around_it() {
        let scale = Scale::holding([4.0, 4.0]).expect("values");
        assert!(scale.low < 4.0 && scale.high > 4.0);
        let zero = Scale::holding([0.0]).expect("values");
        assert!(zero.high > 0.0);
    }

    #[test]
    fn share_is_between_the_edges_even_beyond_them() {
        let scale = Scale {
            low: 0.0,
            high: 10.0,
        };
        for (value, share) in [(5.0, 0.5), (-1.0, 0.0), (11.0, 1.0)] {
            assert!((scale.share(value) - share).abs() < 1e-9, "{value}");
        }
    }
}
