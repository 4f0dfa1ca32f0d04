//! How long requests take: a log-normal curve through two percentiles, counted in buckets.

use crate::sim::kubelet::image::ImageProfile;

/// The upper bounds of the buckets in milliseconds, as Istio and most exporters cut them.
pub(super) const BOUNDS_MS: [f64; 18] = [
    1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 750.0,
    1_000.0, 2_500.0, 5_000.0, 10_000.0,
];

/// The standard normal deviate that 95 % lie below.
const Z_95: f64 = 1.644_853_6;

/// What an image does with the requests that reach it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// The share that fails.
    pub(super) errors: f64,
    /// What a request that fails is answered with.
    pub(super) error_code: u16,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
}

impl Load {
    /// Reads it from what the scenario says of the image.
    pub(super) fn of(profile: &ImageProfile) -> Self {
        let p50_ms = profile.latency_p50_ms.unwrap_or(12.0).max(0.1);
        let p95_ms = profile.latency_p95_ms.unwrap_or(p50_ms * 3.5);
        Self {
            errors: profile.errors.clamp(0.0, 1.0),
            error_code: profile.error_code.unwrap_or(500),
            p50_ms,
            p95_ms: p95_ms.max(p50_ms * 1.01),
        }
    }

    fn sigma(&self) -> f64 {
        (self.p95_ms / self.p50_ms).ln() / Z_95
    }

    /// Returns the share of requests that take no longer than `limit_ms`, when all take
    /// `slower` times as long as usual.
    pub(super) fn share_below(&self, limit_ms: f64, slower: f64) -> f64 {
        let deviate = (limit_ms / (self.p50_ms * slower)).ln() / self.sigma();
        normal_share_below(deviate)
    }

    /// Returns the mean in milliseconds.
    pub(super) fn mean_ms(&self, slower: f64) -> f64 {
        self.p50_ms * slower * (self.sigma().powi(2) / 2.0).exp()
    }
}

/// The normal distribution function, to about seven digits (Abramowitz and Stegun 26.2.17).
fn normal_share_below(deviate: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * deviate.abs());
    let factors = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let tail: f64 = factors
        .iter()
        .rev()
        .fold(0.0, |sum, factor| (sum + factor) * t);
    let density = (-deviate * deviate / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let above = density * tail;
    if deviate >= 0.0 { 1.0 - above } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_goes_through_its_percentiles() {
        let load = Load {
            errors: 0.0,
            error_code: 500,
            p50_ms: 40.0,
            p95_ms: 180.0,
        };

        assert!((load.share_below(40.0, 1.0) - 0.5).abs() < 1e-6);
        assert!((load.share_below(180.0, 1.0) - 0.95).abs() < 1e-6);
        assert!((load.share_below(80.0, 2.0) - 0.5).abs() < 1e-6);
        assert!(load.mean_ms(1.0) > 40.0);
    }

    #[test]
    fn an_image_of_which_nothing_is_said_answers_well() {
        let load = Load::of(&ImageProfile::default());

        assert!(load.errors.abs() < f64::EPSILON);
        assert!(load.share_below(500.0, 1.0) > 0.999);
    }
}
