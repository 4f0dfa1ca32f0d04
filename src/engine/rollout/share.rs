//! The share of the requests that the new version of a Rollout gets, as a metrics server says.
//!
//! Istio counts by Service; what applications count themselves is told apart by Pod. The first
//! metric that has anything to say is used.

use super::{Change, metrics};
use crate::domain::metric::{QueryResult, Sample};
use crate::domain::object::Text;
use crate::domain::rollout::{Role, RolloutDetail};
use crate::engine::session::Session;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What was measured, and when.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Share {
    /// 0 to 1; `None` when there is no traffic at all.
    pub(super) canary: Option<f64>,
    pub(super) metric: Text,
    pub(super) at: DateTime<Utc>,
}

/// What to ask: changes when versions or Services do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    namespace: Text,
    name: Text,
    canary_service: Text,
    stable_service: Text,
    /// Name of the new ReplicaSet.
    canary_set: Text,
}

impl Question {
    /// Returns what to ask; `None` when there are no two versions to tell apart.
    pub(super) fn of(detail: &RolloutDetail) -> Option<Self> {
        let row = &detail.row;
        if row.is_fully_promoted() {
            return None;
        }
        let canary = detail
            .with_role(Role::Canary)
            .or_else(|| detail.with_role(Role::Preview))?;
        Some(Self {
            namespace: row.object.namespace.clone()?,
            name: Text::clone(&row.object.name),
            canary_service: Text::clone(&row.services.canary),
            stable_service: Text::clone(&row.services.stable),
            canary_set: Text::clone(&canary.object.name),
        })
    }

    /// Expressions by metric, each with a way to tell the new version's samples.
    fn attempts(&self) -> Vec<(&'static str, String)> {
        let mut attempts = Vec::new();
        let (namespace, name) = (&self.namespace, &self.name);
        if !self.canary_service.is_empty() && !self.stable_service.is_empty() {
            let services = format!("{}|{}", self.canary_service, self.stable_service);
            attempts.push((
                "istio_requests_total",
                format!(
                    "sum by (destination_service_name) (rate(istio_requests_total{{reporter=~\"waypoint|destination\",destination_service_namespace={namespace:?},destination_service_name=~{services:?}}}[2m]))"
                ),
            ));
        }
        for metric in [
            "http_requests_total",
            "http_server_request_duration_seconds_count",
            "http_request_duration_seconds_count",
        ] {
            attempts.push((
                metric,
                format!(
                    "sum by (pod) (rate({metric}{{namespace={namespace:?},pod=~\"{name}-.+\"}}[2m]))"
                ),
            ));
        }
        attempts
    }

    fn is_canary(&self, sample: &Sample) -> bool {
        let service = sample.label("destination_service_name");
        if !service.is_empty() {
            return service == &*self.canary_service;
        }
        let rest = sample.label("pod").strip_prefix(&*self.canary_set);
        rest.is_some_and(|rest| rest.starts_with('-'))
    }

    fn share_in(&self, samples: &[Sample]) -> Option<f64> {
        let sum = |wanted: bool| -> f64 {
            let chosen = samples.iter().filter(|one| self.is_canary(one) == wanted);
            chosen.filter_map(|one| one.value).sum()
        };
        let (canary, rest) = (sum(true), sum(false));
        let all = canary + rest;
        (all > 0.0).then(|| canary / all)
    }
}

/// Asks again and again until it is ended.
pub(super) async fn follow(
    session: Arc<Session>,
    question: Question,
    changes: mpsc::Sender<Change>,
) {
    let mut known: Option<&'static str> = None;
    loop {
        let mut share = None;
        for (metric, expr) in question.attempts() {
            if known.is_some_and(|known| known != metric) {
                continue;
            }
            let answer = metrics::instant(&session, &expr).await;
            let Ok(answer) = answer else { break };
            let QueryResult::Vector(samples) = &answer.result else {
                continue;
            };
            if samples.is_empty() {
                continue;
            }
            known = Some(metric);
            share = Some(Share {
                canary: question.share_in(samples),
                metric: metric.into(),
                at: answer.at,
            });
            break;
        }
        if share.is_none() {
            known = None;
        }
        if changes.send(Change::Share(share)).await.is_err() {
            return;
        }
        metrics::wait(&session, metrics::SCRAPE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pod: &str, value: f64) -> Sample {
        Sample {
            labels: vec![("pod".into(), pod.into())],
            at: DateTime::UNIX_EPOCH,
            value: Some(value),
        }
    }

    #[test]
    fn pods_of_the_new_replica_set_are_the_canary() {
        let question = Question {
            namespace: "shop".into(),
            name: "web".into(),
            canary_service: "".into(),
            stable_service: "".into(),
            canary_set: "web-58c4".into(),
        };
        let samples = [
            sample("web-58c4-x", 2.0),
            sample("web-7d9f-a", 5.0),
            sample("web-58c4b-y", 3.0),
        ];

        assert_eq!(question.share_in(&samples), Some(0.2));
        assert_eq!(question.share_in(&[]), None);
        assert_eq!(question.attempts().len(), 3, "no Service is named");
    }
}
