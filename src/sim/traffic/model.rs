//! The counters of all pods, brought up to date when somebody looks.
//!
//! Between two looks requests are added up in ticks; what a service's requests were split by
//! stays as it was until a change is noticed.

use super::families::Family;
use super::meter::{Meter, Receiver};
use super::receivers::Share;
use super::shape::{TrafficShape, noise_at};
use crate::sim::controllers::runtime::ObjectKey;
use crate::sim::exposition::Page;
use crate::sim::rng::Seed;
use std::collections::BTreeMap;

/// Requests are added up over at most this long, and at most this often for one look.
const TICK_MS: i64 = 5_000;
const MOST_TICKS: i64 = 240;

/// A service of the scenario and who answers for it.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) shape: TrafficShape,
    pub(super) key: ObjectKey,
    pub(super) shares: Vec<Share>,
    /// Its past was told, or is too late to be told.
    pub(super) has_past: bool,
}

/// A pod behind a Service, by their names.
type MeterKey = (ObjectKey, String);

#[derive(Debug)]
pub(super) struct Model {
    seed: Seed,
    pub(super) services: Vec<Service>,
    meters: BTreeMap<MeterKey, Meter>,
    until_ms: i64,
}

fn key_of(receiver: &Receiver) -> MeterKey {
    (receiver.service.clone(), receiver.pod.clone())
}

impl Model {
    pub(super) fn new(shapes: Vec<TrafficShape>, now_ms: i64, seed: Seed) -> Self {
        let services = shapes.into_iter().filter_map(|shape| {
            let (namespace, name) = shape.service.split_once('/')?;
            Some(Service {
                key: ObjectKey::new(namespace, name),
                shape,
                shares: Vec::new(),
                has_past: false,
            })
        });
        Self {
            seed,
            services: services.collect(),
            meters: BTreeMap::new(),
            until_ms: now_ms,
        }
    }

    /// Adds up the requests until a time; an earlier one changes nothing.
    pub(super) fn run_until(&mut self, until_ms: i64) {
        let from_ms = self.until_ms;
        let span = until_ms - from_ms;
        if span <= 0 {
            return;
        }
        let ticks = (span / TICK_MS).clamp(1, MOST_TICKS);
        for service in &self.services {
            for share in &service.shares {
                let Some(meter) = self.meters.get_mut(&key_of(&share.receiver)) else {
                    continue;
                };
                for tick in 0..ticks {
                    let from = from_ms + span * tick / ticks;
                    let to = from_ms + span * (tick + 1) / ticks;
                    Self::count(meter, service, (from, to, share.part), self.seed);
                }
            }
        }
        self.until_ms = until_ms;
    }

    /// Counts a part of the requests for a service between two times.
    pub(super) fn count(
        meter: &mut Meter,
        service: &Service,
        (from_ms, to_ms, part): (i64, i64, f64),
        seed: Seed,
    ) {
        let middle = i64::midpoint(from_ms, to_ms);
        let seconds = (to_ms - from_ms) as f64 / 1_000.0;
        let requests = service.shape.rate_at(middle, seed) * seconds * part;
        let noise = noise_at(&meter.receiver.pod, middle, seed);
        meter.count(requests, noise);
    }

    /// Takes who answers from now on, and forgets the processes that are gone.
    pub(super) fn set_shares(
        &mut self,
        shares: impl Fn(&ObjectKey) -> Vec<Share>,
        is_alive: impl Fn(&Receiver) -> bool,
    ) {
        self.meters.retain(|_, meter| is_alive(&meter.receiver));
        for service in &mut self.services {
            service.shares = shares(&service.key);
            for share in &service.shares {
                let key = key_of(&share.receiver);
                match self.meters.get_mut(&key) {
                    // Labels and the image's behaviour may have changed under the same process.
                    Some(meter) if meter.is_of(&share.receiver) => {
                        meter.receiver.clone_from(&share.receiver);
                    }
                    Some(_) | None => {
                        self.meters.insert(key, Meter::new(share.receiver.clone()));
                    }
                }
            }
        }
    }

    /// Writes families of all pods.
    pub(super) fn write(&self, page: &mut Page, families: &[Family]) {
        for family in families {
            let mut meters = self
                .meters
                .values()
                .filter(|meter| family.covers(meter.receiver.mesh))
                .peekable();
            if meters.peek().is_none() {
                continue;
            }
            family.open(page);
            for meter in meters {
                let mut labels = family.labels(&meter.receiver);
                let shared = labels.len();
                let samples = family.samples(meter);
                for sample in &samples {
                    labels.truncate(shared);
                    labels.extend(sample.own.iter().map(|(name, text)| (*name, text.as_str())));
                    page.sample(sample.name, &labels, sample.value);
                }
            }
        }
    }
}
