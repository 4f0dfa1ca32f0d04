//! The Alertmanager: alerts that fire, silences over them, and its v2 API.
//!
//! There is one receiver that tells nobody; alerts are grouped by name and namespace. Silences
//! suppress alerts the moment they are written.

mod api;
mod filter;
mod silence;
mod times;

use super::labels::Labels;
use super::rules::{ActiveAlert, Phase};
use super::{Prometheus, PrometheusOptions, read, write};
use crate::sim::rng::{Rng, Seed};
use silence::Silence;
use std::collections::BTreeMap;
use std::sync::RwLock;
use std::time::Duration;

/// How long an alert that ended is remembered, in milliseconds.
const REMEMBERED: i64 = 15 * 60_000;

/// Alerts and silences.
pub(super) struct Alertmanager {
    state: RwLock<State>,
    external_url: String,
}

struct State {
    alerts: BTreeMap<u64, Alert>,
    silences: BTreeMap<String, Silence>,
    ids: Rng,
}

/// An alert as it was received; times are milliseconds.
#[derive(Clone, Debug)]
struct Alert {
    labels: Labels,
    annotations: BTreeMap<String, String>,
    starts_at: i64,
    ends_at: i64,
    updated_at: i64,
    generator_url: String,
}

impl Alertmanager {
    pub(super) fn new(options: &PrometheusOptions) -> Self {
        let Seed(seed) = options.seed;
        Self {
            state: RwLock::new(State {
                alerts: BTreeMap::new(),
                silences: BTreeMap::new(),
                ids: Seed(seed).stream(&["alertmanager", "silences"]),
            }),
            external_url: options.external_url.clone(),
        }
    }

    /// Takes the alerts of one rule after its evaluation.
    pub(super) fn receive(
        &self,
        active: &[ActiveAlert],
        (query, at, interval): (&str, i64, Duration),
    ) {
        // As long as upstream's notifier allows for lost messages.
        let valid = 4 * interval.max(Duration::from_secs(60)).as_millis() as i64;
        let generator_url = format!(
            "{}/graph?g0.expr={}&g0.tab=1",
            self.external_url,
            super::http::form::encode(query)
        );
        let mut state = write(&self.state);
        for alert in active {
            let starts_at = alert.fired_at.unwrap_or(alert.active_at);
            match alert.phase {
                Phase::Pending => {}
                Phase::Firing => {
                    let received = Alert {
                        labels: alert.labels.clone(),
                        annotations: alert.annotations.iter().cloned().collect(),
                        starts_at,
                        ends_at: at + valid,
                        updated_at: at,
                        generator_url: generator_url.clone(),
                    };
                    state.alerts.insert(fingerprint(&alert.labels), received);
                }
                Phase::Resolved => {
                    let ended = state.alerts.get_mut(&fingerprint(&alert.labels));
                    if let (Some(ended), Some(resolved)) = (ended, alert.resolved_at) {
                        ended.ends_at = ended.ends_at.min(resolved);
                    }
                }
            }
        }
        state
            .alerts
            .retain(|_, alert| at - alert.ends_at < REMEMBERED);
    }

    fn receive_one(&self, alert: Alert) {
        write(&self.state)
            .alerts
            .insert(fingerprint(&alert.labels), alert);
    }

    /// Returns the alerts that have not ended.
    fn alerts(&self, now: i64) -> Vec<(u64, Alert)> {
        read(&self.state)
            .alerts
            .iter()
            .filter(|(_, alert)| alert.ends_at > now)
            .map(|(fingerprint, alert)| (*fingerprint, alert.clone()))
            .collect()
    }

    /// Returns the ids of the active silences over an alert.
    fn silenced_by(&self, labels: &Labels, now: i64) -> Vec<String> {
        read(&self.state)
            .silences
            .values()
            .filter(|silence| silence.is_active(now) && silence.covers(labels))
            .map(|silence| silence.id.clone())
            .collect()
    }
}

/// Returns the hash by which alerts are known (`model.LabelSet.Fingerprint`: 64-bit FNV-1a).
fn fingerprint(labels: &Labels) -> u64 {
    let separated = labels.iter().flat_map(|(name, value)| {
        let name = name.bytes().chain([0xff]);
        name.chain(value.bytes()).chain([0xff])
    });
    separated.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Returns the v2 API.
pub(super) fn router(prometheus: &Prometheus) -> axum::Router {
    api::router(prometheus)
}
