//! What would have been measured before the platform started.
//!
//! The pods of that hour are others, of the same versions: they ended when the first pods that
//! are really there became ready, as after a restart of the nodes.

use super::families::Family;
use super::meter::Meter;
use super::model::{Model, Service};
use crate::sim::rng::Seed;
use std::time::Duration;

/// Prometheus' mark of a series that has ended (`model/value/value.go`).
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// The samples of one series, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct PastSeries {
    /// With `__name__`; without the labels of a scrape.
    pub labels: Vec<(String, String)>,
    /// Milliseconds since 1970, and the value.
    pub samples: Vec<(i64, f64)>,
}

/// Returns the past of a service up to `until_ms`, as its present receivers would have made it.
pub(super) fn of_service(
    service: &Service,
    until_ms: i64,
    (span, step): (Duration, Duration),
    seed: Seed,
) -> Vec<PastSeries> {
    let step_ms = (step.as_millis() as i64).max(1_000);
    let steps = span.as_millis() as i64 / step_ms;
    let mut past = Vec::new();
    for share in &service.shares {
        let mut receiver = share.receiver.clone();
        receiver.pod = predecessor(&receiver.pod, seed);
        let mut meter = Meter::new(receiver);
        let mut series: Vec<PastSeries> = Vec::new();
        for number in (1..=steps).rev() {
            let at = until_ms - number * step_ms;
            Model::count(&mut meter, service, (at - step_ms, at, share.part), seed);
            let mut place = 0;
            for family in Family::OF_APPS.into_iter().chain(Family::OF_MESH) {
                if !family.covers(meter.receiver.mesh) {
                    continue;
                }
                for sample in family.samples(&meter) {
                    if series.len() <= place {
                        series.push(begin(family, &meter, sample.name, &sample.own));
                    }
                    if let Some(one) = series.get_mut(place) {
                        one.samples.push((at, sample.value));
                    }
                    place += 1;
                }
            }
        }
        for one in &mut series {
            one.samples.push((until_ms - 1, f64::from_bits(STALE)));
        }
        past.append(&mut series);
    }
    past
}

fn begin(family: Family, meter: &Meter, name: &str, own: &[(&'static str, String)]) -> PastSeries {
    let shared = family.labels(&meter.receiver);
    let mut labels = vec![("__name__".to_owned(), name.to_owned())];
    labels.extend(
        shared
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    labels.extend(
        own.iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    PastSeries {
        labels,
        samples: Vec::new(),
    }
}

/// Returns the name of a pod of the same ReplicaSet.
fn predecessor(pod: &str, seed: Seed) -> String {
    let suffix = seed.stream(&["traffic", "past", pod]).suffix(5);
    match pod.rsplit_once('-') {
        Some((base, _)) => format!("{base}-{suffix}"),
        None => format!("{pod}-{suffix}"),
    }
}
