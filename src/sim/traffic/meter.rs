//! What one pod has counted of the requests that reached it through one Service.
//!
//! Counters only grow; a pod that starts again counts from zero, as a process does.

use super::latency::{BOUNDS_MS, Load};
use crate::sim::controllers::runtime::ObjectKey;

/// How far errors and latencies move with the noise.
const ERROR_NOISE: f64 = 0.2;
const LATENCY_NOISE: f64 = 0.12;
/// The size of a request and of its answer, for meshes that only see bytes.
const SENT_BYTES: f64 = 2_400.0;
const RECEIVED_BYTES: f64 = 620.0;

/// What a mesh sees of a namespace's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mesh {
    /// A proxy beside each pod.
    Sidecar,
    /// A proxy of the namespace: requests are seen, but not by the pod.
    Waypoint,
    /// Connections only.
    Ambient,
}

/// A pod behind a Service.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Receiver {
    /// The Service through which requests reach the pod.
    pub(super) service: ObjectKey,
    pub(super) pod: String,
    pub(super) uid: String,
    pub(super) restarts: i32,
    pub(super) app: String,
    pub(super) version: String,
    /// What Istio calls the revision: a version label, or `latest`.
    pub(super) revision: String,
    pub(super) template_hash: String,
    /// The Deployment, Rollout or the like that the pod is of.
    pub(super) workload: String,
    pub(super) mesh: Option<Mesh>,
    pub(super) load: Load,
}

/// The counters of a pod.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    pub(super) receiver: Receiver,
    carry: f64,
    error_carry: f64,
    good: u64,
    bad: u64,
    buckets: [f64; BOUNDS_MS.len()],
    sum_ms: f64,
}

impl Meter {
    pub(super) fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            carry: 0.0,
            error_carry: 0.0,
            good: 0,
            bad: 0,
            buckets: [0.0; BOUNDS_MS.len()],
            sum_ms: 0.0,
        }
    }

    /// Whether this still counts for the same process.
    pub(super) fn is_of(&self, receiver: &Receiver) -> bool {
        self.receiver.uid == receiver.uid && self.receiver.restarts == receiver.restarts
    }

    /// Counts requests; `noise` (-1 to 1) makes them fail and last a little more or less.
    pub(super) fn count(&mut self, requests: f64, noise: f64) {
        let load = self.receiver.load;
        self.carry += requests;
        let whole = self.carry.floor();
        self.carry -= whole;
        let errors = (load.errors * (1.0 + ERROR_NOISE * noise)).clamp(0.0, 1.0);
        self.error_carry += whole * errors;
        let bad = self.error_carry.floor().min(whole);
        self.error_carry -= bad;
        self.bad += bad as u64;
        self.good += (whole - bad) as u64;
        let slower = 1.0 + LATENCY_NOISE * noise;
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS_MS) {
            *bucket += whole * load.share_below(bound, slower);
        }
        self.sum_ms += whole * load.mean_ms(slower);
    }

    /// Returns how many requests were answered: well, and with an error.
    pub(super) fn answered(&self) -> (f64, f64) {
        (self.good as f64, self.bad as f64)
    }

    /// Returns how many requests took no longer than each bound, and how many there were.
    pub(super) fn histogram(&self) -> (impl Iterator<Item = (f64, f64)> + '_, f64) {
        let bounded = BOUNDS_MS.into_iter().zip(self.buckets.iter());
        let total = (self.good + self.bad) as f64;
        (bounded.map(|(bound, count)| (bound, count.floor())), total)
    }

    pub(super) fn sum_ms(&self) -> f64 {
        self.sum_ms.round()
    }

    /// Returns the bytes that were sent and received, as a proxy of connections counts them.
    pub(super) fn bytes(&self) -> (f64, f64) {
        let total = (self.good + self.bad) as f64;
        (total * SENT_BYTES, total * RECEIVED_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(errors: f64) -> Meter {
        Meter::new(Receiver {
            service: ObjectKey::new("shop", "web"),
            pod: "web-1".into(),
            uid: "1".into(),
            restarts: 0,
            app: "web".into(),
            version: "1".into(),
            revision: "latest".into(),
            template_hash: "abc".into(),
            workload: "web".into(),
            mesh: None,
            load: Load {
                errors,
                error_code: 500,
                p50_ms: 40.0,
                p95_ms: 180.0,
            },
        })
    }

    #[test]
    fn parts_of_requests_are_kept_until_they_are_whole() {
        let mut meter = meter(0.25);

        for _ in 0..1_000 {
            meter.count(0.4, 0.0);
        }

        let (good, bad) = meter.answered();
        assert!((good + bad - 400.0).abs() <= 1.0, "{good} {bad}");
        assert!((bad - 100.0).abs() <= 1.0, "{bad}");
    }

    #[test]
    fn buckets_are_cumulative_and_never_hold_more_than_all_requests() {
        let mut meter = meter(0.0);

        for tick in 0..500 {
            meter.count(7.3, f64::from(tick % 21 - 10) / 10.0);
        }

        let (buckets, total) = meter.histogram();
        let counts: Vec<f64> = buckets.map(|(_, count)| count).collect();
        assert!(counts.is_sorted(), "{counts:?}");
        assert!(counts.iter().all(|count| *count <= total));
        let below_250 = counts.get(9).copied().unwrap_or_default() / total;
        assert!((0.95..1.0).contains(&below_250), "{below_250}");
    }
}
