//! How the embedded Prometheus is set up.

use crate::sim::clock::PlatformClock;
use crate::sim::rng::Seed;
use std::time::Duration;

/// Which major version's rules queries follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// Prometheus 2.x: ranges include their left end.
    V2,
    /// Prometheus 3.x: ranges leave their left end out; extrapolation stops at zero first.
    #[default]
    V3,
}

/// What a server needs to know; all times are platform time.
#[derive(Clone, Debug)]
pub struct PrometheusOptions {
    /// The clock that scrapes and rules go by.
    pub clock: PlatformClock,
    /// Whose rules queries follow.
    pub semantics: Semantics,
    /// How often targets are read.
    pub scrape_interval: Duration,
    /// How often rules are evaluated, unless their group says otherwise.
    pub evaluation_interval: Duration,
    /// How long samples are kept.
    pub retention: Duration,
    /// How far an instant query looks back for a sample.
    pub lookback: Duration,
    /// The address by which people reach this server.
    pub external_url: String,
    /// The address by which people reach the Alertmanager.
    pub alertmanager_url: String,
    /// From which the ids of silences are drawn.
    pub seed: Seed,
}

impl PrometheusOptions {
    /// Returns the usual set-up: 3.x rules, a scrape and an evaluation every 15 s, six hours kept.
    pub fn new(clock: PlatformClock) -> Self {
        Self {
            clock,
            semantics: Semantics::V3,
            scrape_interval: Duration::from_secs(15),
            evaluation_interval: Duration::from_secs(15),
            retention: Duration::from_secs(6 * 3600),
            lookback: Duration::from_secs(300),
            external_url: "http://prometheus.monitoring.svc.cluster.local:9090".to_owned(),
            alertmanager_url: "http://alertmanager.monitoring.svc.cluster.local:9093".to_owned(),
            seed: Seed::default(),
        }
    }
}
