//! Restarting the pods of a Rollout: evicts those that are older than `spec.restartAt`.
//!
//! Follows Argo Rollouts' `rollout/restart.go`.

use super::arithmetic::Bounds;
use super::pass::{Outcome, Pass};
use super::replica_sets::size;
use super::steps;
use crate::sim::controllers::deployment::arithmetic::{Rounding, scaled};
use crate::sim::controllers::pods::available_from;
use crate::sim::controllers::runtime::ObjectKey;
use crate::sim::controllers::runtime::time::utc;
use chrono::TimeDelta;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use std::sync::Arc;

/// After how many seconds to look again for pods that could not be evicted yet.
const RECHECK: i64 = 30;

impl Pass<'_> {
    /// Evicts old pods, as many as may be missing; notes when none is left.
    pub(super) async fn restart_pods(&mut self) -> Outcome {
        let Some(restart_at) = self.rollout.spec.restart_at.clone() else {
            return Ok(());
        };
        let at = utc(&restart_at);
        if self.rollout.status.restarted_at.as_ref() == Some(&restart_at) {
            return Ok(());
        }
        if at >= self.now {
            self.look_at(at + TimeDelta::seconds(1));
            return Ok(());
        }
        let pods = self.pods();
        let least_ready = self.rollout.spec.min_ready_seconds.unwrap_or(0);
        let available = pods.iter().filter(|pod| {
            pod.metadata.deletion_timestamp.is_none()
                && available_from(pod, least_ready).is_some_and(|from| from <= self.now)
        });
        let total: i32 = self.sets.all.iter().map(|set| size(set).wanted).sum();
        let at_once = self.bounds().unavailable.max(1);
        let least = self.rollout.replicas().max(total) - at_once;
        let mut allowed = available.count() as i32 - least;
        let mut remaining = 0;
        for pod in pods {
            let created = pod.metadata.creation_timestamp.as_ref().map(utc);
            if created.is_none_or(|created| created >= at) {
                continue;
            }
            remaining += 1;
            if allowed <= 0 || pod.metadata.deletion_timestamp.is_some() {
                continue;
            }
            if self.evict(&pod).await? {
                allowed -= 1;
            }
        }
        if remaining == 0 {
            self.new.restarted_at = Some(restart_at);
        } else {
            self.look_at(self.now + TimeDelta::seconds(RECHECK));
        }
        Ok(())
    }

    fn bounds(&self) -> Bounds {
        match self.rollout.blue_green() {
            None => steps::bounds(&self.rollout),
            Some(strategy) => {
                let given = strategy.max_unavailable.as_ref();
                let replicas = self.rollout.replicas();
                Bounds {
                    surge: 0,
                    unavailable: given.map_or(0, |one| scaled(one, replicas, Rounding::Down)),
                }
            }
        }
    }

    /// Returns the pods of the Rollout: those of the stable set first, then of the present one.
    fn pods(&self) -> Vec<Arc<Pod>> {
        let stable = self.sets.stable(&self.rollout);
        let new = self.sets.new_set();
        let others = self.sets.others(&self.rollout);
        let new = new.filter(|set| stable.is_none_or(|one| one.metadata.uid != set.metadata.uid));
        let sets = stable.into_iter().chain(new).chain(&others);
        sets.flat_map(|set| {
            let uid = set.metadata.uid.as_deref().unwrap_or_default();
            self.controller.pods.informer().owned_by(uid)
        })
        .collect()
    }

    /// Asks for a pod to go; false when a budget forbids it.
    async fn evict(&self, pod: &Pod) -> Outcome<bool> {
        let key = ObjectKey::of(pod);
        let body = json!({
            "apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"name": key.name, "namespace": key.namespace},
        });
        let pods = &self.controller.pods;
        match pods.post(&key, "eviction", &body).await {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Some(429) || error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}
