//! Services point at the revision that should serve.
//!
//! Follows Argo Rollouts' `rollout/service.go`.

use super::model::HASH_LABEL;
use super::pass::{Outcome, Pass};
use super::replica_sets::{hash_of, size};
use crate::sim::controllers::runtime::ReconcileError;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Service;
use serde_json::json;
use std::sync::Arc;

/// The annotation by which a Service knows its Rollout.
pub(super) const MANAGED_BY: &str = "argo-rollouts.argoproj.io/managed-by-rollouts";

/// Returns the revision that a Service selects.
pub(super) fn selected_hash(service: &Service) -> &str {
    let selector = service.spec.as_ref().and_then(|one| one.selector.as_ref());
    selector
        .and_then(|selector| selector.get(HASH_LABEL))
        .map_or("", String::as_str)
}

/// Returns the Rollout that a Service says it belongs to.
pub(super) fn managed_by(service: &Service) -> Option<&str> {
    let annotations = service.metadata.annotations.as_ref()?;
    annotations.get(MANAGED_BY).map(String::as_str)
}

impl Pass<'_> {
    /// Returns the names of the Services that the strategy names.
    pub(super) fn service_names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        if let Some(blue_green) = self.rollout.blue_green() {
            names.push(blue_green.active_service.as_str());
            names.push(blue_green.preview_service.as_str());
        }
        if let Some(canary) = self.rollout.canary() {
            names.push(canary.canary_service.as_str());
            names.push(canary.stable_service.as_str());
            if let Some(ping_pong) = &canary.ping_pong {
                names.push(ping_pong.ping_service.as_str());
                names.push(ping_pong.pong_service.as_str());
            }
        }
        names.retain(|name| !name.is_empty());
        names
    }

    pub(super) fn service(&self, name: &str) -> Outcome<Arc<Service>> {
        let key = self.key(name);
        let service = self.controller.services.informer().get(&key);
        service.ok_or_else(|| ReconcileError::Other(format!("service \"{name}\" not found")))
    }

    /// Makes a Service select a revision, and tells of it.
    pub(super) async fn switch(&self, service: &Service, hash: &str) -> Outcome<Arc<Service>> {
        let name = service.metadata.name.clone().unwrap_or_default();
        let old = selected_hash(service);
        let mut patch = json!({"spec": {"selector": {HASH_LABEL: hash}}});
        if managed_by(service).is_none() {
            patch["metadata"] = json!({"annotations": {MANAGED_BY: self.rollout.name()}});
        }
        let services = &self.controller.services;
        let written = services.patch(&self.key(&name), &patch).await?;
        self.tell(
            "SwitchService",
            format!("Switched selector for service '{name}' from '{old}' to '{hash}'"),
        );
        Ok(written)
    }

    /// Points the Services of a canary at their revisions.
    pub(super) async fn sync_canary_services(&self) -> Outcome {
        let Some(canary) = self.rollout.canary() else {
            return Ok(());
        };
        let stable = self.sets.stable(&self.rollout);
        self.point(&canary.stable_service, stable, true).await?;
        let new = if self.is_aborted() && !self.rollout.is_fully_promoted() {
            if canary.traffic_routing.is_some() {
                // It follows its traffic.
                return Ok(());
            }
            stable
        } else if self.returns_dynamically().is_some() {
            return Ok(());
        } else {
            self.sets.new_set()
        };
        self.point(&canary.canary_service, new, true).await
    }

    /// Points a Service at a revision, if that has pods to serve with.
    pub(super) async fn point(
        &self,
        name: &str,
        set: Option<&Arc<ReplicaSet>>,
        only_available: bool,
    ) -> Outcome {
        let Some(set) = set.filter(|_| !name.is_empty()) else {
            return Ok(());
        };
        let service = self.service(name)?;
        if selected_hash(&service) == hash_of(set) {
            return Ok(());
        }
        let size = size(set);
        let whole = size.wanted > 0 && size.available >= size.wanted;
        // A Service that is taken over serves others until all pods are there.
        let ready = if managed_by(&service).is_none() {
            whole
        } else {
            size.available > 0
        };
        if only_available && !ready {
            return Ok(());
        }
        self.switch(&service, hash_of(set)).await.map(|_| ())
    }

    /// Going back to stable in the middle of an update whose stable pods shrank with their
    /// traffic: returns the revision that the traffic comes from.
    pub(super) fn returns_dynamically(&self) -> Option<String> {
        let canary = self.rollout.canary()?;
        let dynamic = canary.traffic_routing.is_some() && canary.dynamic_stable_scale;
        if !dynamic || !self.rollout.is_fully_promoted() {
            return None;
        }
        let weights = self.rollout.status.canary.weights.as_ref()?;
        let new = self.sets.new_set()?;
        let from = &weights.canary.pod_template_hash;
        let back = *from != hash_of(new) && size(new).available < self.rollout.replicas();
        back.then(|| from.clone())
    }
}
