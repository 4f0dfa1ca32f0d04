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

#[cfg(test)]
mod tests {
    use super::super::latency::Load;
    use super::*;

    fn share(pod: &str, uid: &str, part: f64, errors: f64) -> Share {
        let receiver = Receiver {
            service: ObjectKey::new("shop", "web"),
            pod: pod.into(),
            uid: uid.into(),
            restarts: 0,
            app: "web".into(),
            version: "1".into(),
            revision: "latest".into(),
            template_hash: "abc".into(),
            workload: "web".into(),
            mesh: None,
            load: Load {
                errors,
                error_code: 503,
                p50_ms: 40.0,
                p95_ms: 180.0,
            },
        };
        Share { part, receiver }
    }

    fn model() -> Model {
        let shape =
            toml::from_str("service = \"shop/web\"\nrequests-per-second = 50").expect("a shape");
        Model::new(vec![shape], 0, Seed(1))
    }

    fn answered(model: &Model, pod: &str) -> Option<(f64, f64)> {
        let key = (ObjectKey::new("shop", "web"), pod.to_owned());
        model.meters.get(&key).map(Meter::answered)
    }

    #[test]
    fn requests_are_split_by_the_parts_and_fail_as_the_image_does() {
        let mut model = model();
        model.set_shares(
            |_| vec![share("a", "1", 0.8, 0.0), share("b", "2", 0.2, 0.5)],
            |_| true,
        );

        model.run_until(100_000);
        model.run_until(90_000);

        let (good, bad) = answered(&model, "a").expect("a counts");
        assert!((good - 4_000.0).abs() < 2.0 && bad < 1.0, "{good} {bad}");
        let (good, bad) = answered(&model, "b").expect("b counts");
        assert!((good + bad - 1_000.0).abs() < 2.0, "{good} {bad}");
        assert!((bad - 500.0).abs() < 60.0, "{bad}");
    }

    #[test]
    fn a_new_process_counts_from_zero_and_a_gone_one_is_forgotten() {
        let mut model = model();
        model.set_shares(|_| vec![share("a", "1", 1.0, 0.0)], |_| true);
        model.run_until(10_000);

        model.set_shares(|_| vec![share("a", "2", 1.0, 0.0)], |one| one.uid == "2");
        assert_eq!(answered(&model, "a"), Some((0.0, 0.0)));
        model.set_shares(|_| Vec::new(), |_| false);
        assert_eq!(answered(&model, "a"), None);
    }

    #[test]
    fn a_long_silence_is_added_up_in_few_ticks() {
        let mut model = model();
        model.set_shares(|_| vec![share("a", "1", 1.0, 0.0)], |_| true);

        model.run_until(86_400_000);

        let (good, _) = answered(&model, "a").expect("a counts");
        assert!((good - 4_320_000.0).abs() < 10.0, "{good}");
    }

    #[test]
    fn only_families_that_have_something_are_written() {
        let mut model = model();
        model.set_shares(|_| vec![share("a", "1", 1.0, 0.0)], |_| true);
        model.run_until(10_000);
        let mut page = Page::default();

        model.write(&mut page, &Family::OF_APPS);
        model.write(&mut page, &Family::OF_MESH);

        let text = page.into_text();
        assert!(text.contains(
            "http_requests_total{namespace=\"shop\",app=\"web\",service=\"web\",version=\"1\",\
             pod=\"a\",rollouts_pod_template_hash=\"abc\",method=\"GET\",code=\"200\",status=\"200\"} 500"
        ), "{text}");
        assert!(text.contains("http_request_duration_seconds_bucket"));
        assert!(!text.contains("istio"));
    }
}
