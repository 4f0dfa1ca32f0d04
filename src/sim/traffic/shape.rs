//! How many requests a service gets at a time: a daily wave, and noise that a seed decides.
//!
//! The rate is a function of the platform's time alone: however often anyone looks, the same
//! requests have been made.

use crate::sim::rng::Seed;
use serde::Deserialize;

/// Noise changes from one of these to the next, smoothly.
const NOISE_MS: i64 = 10_000;
const HOUR_MS: f64 = 3_600_000.0;

/// The requests that a scenario sends to a service (`[[traffic]]`).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrafficShape {
    /// The Service the requests are for, as `NAMESPACE/NAME`. A VirtualService or an HTTPRoute
    /// for it, or with it among its backends, decides which pods they reach.
    pub service: String,
    /// Over the day, on average.
    pub requests_per_second: f64,
    /// How much more there are at the busiest hour, and less twelve hours later, as a share of
    /// the average: 0 to 1.
    #[serde(default)]
    pub wave: f64,
    /// The busiest hour of the day, in UTC.
    #[serde(default = "afternoon")]
    pub peak_hour: f64,
    /// How far chance takes the rate up and down, as a share: 0 to 1.
    #[serde(default)]
    pub noise: f64,
}

fn afternoon() -> f64 {
    14.0
}

impl TrafficShape {
    /// Returns what is wrong with the numbers and the service's name.
    pub fn mistake(&self) -> Option<String> {
        let is_share = |value: f64| (0.0..=1.0).contains(&value);
        let named = self.service.split_once('/');
        if named.is_none_or(|(namespace, name)| namespace.is_empty() || name.is_empty()) {
            return Some(format!(
                "`{}` is not the name of a Service; write `NAMESPACE/NAME`",
                self.service
            ));
        }
        if !(self.requests_per_second > 0.0 && self.requests_per_second <= 100_000.0) {
            return Some("`requests-per-second` is more than 0 and at most 100000".to_owned());
        }
        if !is_share(self.wave) || !is_share(self.noise) {
            return Some("`wave` and `noise` are shares from 0 to 1".to_owned());
        }
        (!(0.0..24.0).contains(&self.peak_hour))
            .then(|| "`peak-hour` is an hour of the day, from 0 to 23".to_owned())
    }

    /// Returns the requests per second at a time (milliseconds since 1970).
    pub fn rate_at(&self, at_ms: i64, seed: Seed) -> f64 {
        let hour = at_ms as f64 / HOUR_MS - self.peak_hour;
        let wave = 1.0 + self.wave * (hour / 24.0 * std::f64::consts::TAU).cos();
        let noise = 1.0 + self.noise * noise_at(&self.service, at_ms, seed);
        (self.requests_per_second * wave * noise).max(0.0)
    }
}

/// Returns a number from -1 to 1 that moves slowly with time; each purpose has its own.
pub(super) fn noise_at(purpose: &str, at_ms: i64, seed: Seed) -> f64 {
    let place = at_ms.div_euclid(NOISE_MS);
    let draw = |place: i64| {
        let place = place.to_string();
        seed.stream(&["traffic", purpose, &place])
            .between(-1.0, 1.0)
    };
    let share = at_ms.rem_euclid(NOISE_MS) as f64 / NOISE_MS as f64;
    draw(place) * (1.0 - share) + draw(place + 1) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> TrafficShape {
        toml::from_str("service = \"shop/web\"\nrequests-per-second = 100\nwave = 0.4")
            .expect("it reads")
    }

    #[test]
    fn the_wave_is_highest_at_its_hour_and_lowest_half_a_day_later() {
        let at = |hour: f64| shape().rate_at((hour * HOUR_MS) as i64, Seed(1));

        assert!((at(14.0) - 140.0).abs() < 1e-6, "{}", at(14.0));
        assert!((at(2.0) - 60.0).abs() < 1e-6, "{}", at(2.0));
    }

    #[test]
    fn noise_is_the_same_for_the_same_seed_and_stays_in_its_share() {
        let noisy = TrafficShape {
            wave: 0.0,
            noise: 0.1,
            ..shape()
        };
        let rates = |seed| -> Vec<f64> {
            (0..200)
                .map(|tick| noisy.rate_at(tick * 3_000, Seed(seed)))
                .collect()
        };

        assert_eq!(rates(7), rates(7));
        assert_ne!(rates(7), rates(8));
        assert!(rates(7).iter().all(|rate| (90.0..=110.0).contains(rate)));
    }

    #[test]
    fn impossible_numbers_are_named() {
        let wrong = |change: fn(&mut TrafficShape)| {
            let mut shape = shape();
            change(&mut shape);
            shape.mistake().unwrap_or_default()
        };

        assert!(wrong(|_| ()).is_empty());
        assert!(wrong(|shape| shape.service = "web".into()).contains("NAMESPACE/NAME"));
        assert!(wrong(|shape| shape.requests_per_second = -1.0).contains("requests-per-second"));
        assert!(wrong(|shape| shape.wave = 2.0).contains("shares"));
        assert!(wrong(|shape| shape.peak_hour = 25.0).contains("peak-hour"));
    }
}
