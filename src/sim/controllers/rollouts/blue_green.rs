//! Blue-green: new pods run beside the old ones until all traffic is switched at once.
//!
//! Follows Argo Rollouts' `rollout/bluegreen.go`.

use super::model::{BLUE_GREEN_PAUSE, RolloutStatus};
use super::pass::{Outcome, Pass};
use super::pauses::end_of;
use super::replica_sets::{hash_of, name_of, size};
use super::services::{managed_by, selected_hash};
use super::status_text;
use k8s_openapi::api::core::v1::Service;
use std::sync::Arc;

/// The Services of a blue-green Rollout.
struct Services {
    active: Arc<Service>,
    preview: Option<Arc<Service>>,
}

impl Pass<'_> {
    /// Works on a blue-green Rollout.
    pub(super) async fn blue_green(&mut self) -> Outcome {
        let mut services = self.blue_green_services()?;
        self.sync_revision(true).await?;
        if let Some(preview) = services.preview.clone() {
            services.preview = Some(self.sync_preview(preview).await?);
        }
        if self.is_new_template() {
            return self.sync_blue_green(&services).await;
        }
        self.restart_pods().await?;
        self.scale_blue_green(&services.active).await?;
        self.pause_blue_green(&services.active);
        services.active = self.sync_active(services.active.clone()).await?;
        self.sync_runs().await?;
        self.sync_metadata().await?;
        self.sync_blue_green(&services).await
    }

    fn blue_green_services(&self) -> Outcome<Services> {
        let strategy = self.rollout.blue_green().cloned().unwrap_or_default();
        let preview = if strategy.preview_service.is_empty() {
            None
        } else {
            Some(self.service(&strategy.preview_service)?)
        };
        Ok(Services {
            active: self.service(&strategy.active_service)?,
            preview,
        })
    }

    /// The preview points at the present revision at once.
    async fn sync_preview(&self, preview: Arc<Service>) -> Outcome<Arc<Service>> {
        if self.is_halted() {
            return Ok(preview);
        }
        self.select(preview, &self.hash).await
    }

    async fn select(&self, service: Arc<Service>, hash: &str) -> Outcome<Arc<Service>> {
        let known = managed_by(&service).is_some();
        if hash.is_empty() || (known && selected_hash(&service) == hash) {
            return Ok(service);
        }
        self.switch(&service, hash).await
    }

    async fn scale_blue_green(&mut self, active: &Service) -> Outcome {
        self.remove_deadlines().await?;
        let serving = self.sets.by_hash(selected_hash(active)).cloned();
        if let Some(set) = serving {
            self.scale(&set, self.rollout.replicas()).await?;
        }
        self.scale_new().await?;
        self.shrink_others().await?;
        self.forget_old_sets().await
    }

    /// The present set is as large as it should be now, and available.
    fn is_ready_for_pause(&self) -> bool {
        let wanted = self.wanted_new();
        let new = self.sets.new_set().map(|set| size(set));
        new.is_some_and(|new| new.wanted == wanted && new.available == wanted)
    }

    /// Nothing has to pass before the switch.
    fn is_fast_tracked(&self, active: &Service) -> bool {
        let selected = selected_hash(active);
        self.returns_in_time
            || self.rollout.status.promote_full
            || selected.is_empty()
            || selected == self.hash
    }

    fn pause_blue_green(&mut self, active: &Service) {
        let status = &self.rollout.status;
        if status.abort || !self.is_ready_for_pause() || self.is_halted() {
            return;
        }
        let strategy = self.rollout.blue_green();
        let pauses = strategy.is_some_and(super::model::BlueGreen::pauses);
        if self.is_fast_tracked(active) || status.blue_green.scale_up_preview_check_point || !pauses
        {
            self.pauses.remove(BLUE_GREEN_PAUSE);
            return;
        }
        if !self.is_analysed_before() {
            return;
        }
        let seconds = strategy
            .and_then(|strategy| strategy.auto_promotion_seconds)
            .unwrap_or(0);
        match status.pause(BLUE_GREEN_PAUSE) {
            // Without a condition but with the mark, somebody has just resumed.
            None if !status.controller_pause => self.pauses.add(BLUE_GREEN_PAUSE),
            Some(_) if self.pauses.is_blue_green_over(&self.rollout, self.now) => {
                self.pauses.remove(BLUE_GREEN_PAUSE);
            }
            Some(pause) if seconds > 0 => {
                let end = end_of(pause, i64::from(seconds));
                self.look_at(end);
            }
            Some(_) | None => {}
        }
        if self.rollout.status.pause(BLUE_GREEN_PAUSE).is_none() && seconds > 0 {
            self.look_at(self.now + chrono::TimeDelta::seconds(i64::from(seconds)));
        }
    }

    /// The analysis before the switch has succeeded, or there is none.
    fn is_analysed_before(&self) -> bool {
        let strategy = self.rollout.blue_green();
        if strategy.is_none_or(|one| one.pre_promotion_analysis.is_none()) {
            return true;
        }
        let run = self.runs.before.as_ref();
        run.is_some_and(|run| run.status.phase == "Successful")
    }

    async fn sync_active(&self, active: Arc<Service>) -> Outcome<Arc<Service>> {
        let new = self.sets.new_set();
        let saturated = new.is_some_and(|set| self.is_saturated(set));
        if self.is_halted() || !self.is_ready_for_pause() || !saturated {
            // An abort goes back even if the new pods never came up.
            if self.rollout.status.abort && !self.is_halted() {
                let stable = self.rollout.status.stable_rs.clone();
                return self.select(active, &stable).await;
            }
            return Ok(active);
        }
        let passed =
            self.pauses.is_blue_green_over(&self.rollout, self.now) && self.is_analysed_before();
        let hash = if self.rollout.status.abort {
            self.rollout.status.stable_rs.clone()
        } else if self.is_fast_tracked(&active) || passed {
            self.hash.clone()
        } else {
            selected_hash(&active).to_owned()
        };
        self.select(active, &hash).await
    }

    /// Ends a pass over a blue-green Rollout.
    async fn sync_blue_green(&mut self, services: &Services) -> Outcome {
        let mut new = self.base_status();
        if self.is_new_template() {
            self.reset_status(&mut new);
        }
        if self.rollout.status.promote_full || self.is_rollback_within_window() {
            self.pauses.clear();
            self.pauses.remove_abort();
        }
        let selected = |service: &Arc<Service>| selected_hash(service).to_owned();
        new.blue_green.preview_selector =
            services.preview.as_ref().map(selected).unwrap_or_default();
        new.blue_green.active_selector = selected(&services.active);
        match self.reason_to_switch(&new) {
            Some(reason) => self.promote(&mut new, &reason),
            None => new.blue_green.scale_up_preview_check_point = self.passes_check_point(),
        }
        self.count_active(&mut new);
        self.set_conditions(&mut new);
        self.persist(new).await
    }

    /// What a blue-green Rollout counts are the pods that serve.
    fn count_active(&self, new: &mut RolloutStatus) {
        let active = self.sets.by_hash(&new.blue_green.active_selector);
        if let Some(active) = active {
            let size = size(active);
            let status = active.status.as_ref();
            let selector = active.spec.as_ref().map(|spec| &spec.selector);
            new.hpa_replicas = size.created;
            new.available_replicas = size.available;
            new.ready_replicas = status.and_then(|one| one.ready_replicas).unwrap_or(0);
            new.selector = status_text::selector(selector);
        } else {
            new.hpa_replicas = self.sets.created();
            new.available_replicas = self.sets.available();
            new.selector = status_text::selector(self.rollout.spec.selector.as_ref());
        }
    }

    fn passes_check_point(&self) -> bool {
        let Some(preview) = self
            .rollout
            .blue_green()
            .and_then(|strategy| strategy.preview_replica_count)
        else {
            return false;
        };
        if self.rollout.status.blue_green.scale_up_preview_check_point {
            return true;
        }
        let available = self.sets.new_set().map_or(0, |set| size(set).available);
        self.is_analysed_before()
            && self.pauses.is_blue_green_over(&self.rollout, self.now)
            && available == preview
    }

    /// Returns why the present revision becomes the stable one now.
    fn reason_to_switch(&self, new: &RolloutStatus) -> Option<String> {
        let active = &new.blue_green.active_selector;
        if self.sets.stable(&self.rollout).is_none() || active.is_empty() {
            return Some("Initial deploy".to_owned());
        }
        if *active != new.current_pod_hash {
            return None;
        }
        if self.rollout.status.promote_full {
            return Some("Full promotion requested".to_owned());
        }
        if self.is_rollback_within_window() {
            return Some("Rollback within window".to_owned());
        }
        if self.is_aborted() {
            return None;
        }
        let strategy = self.rollout.blue_green()?;
        if strategy.post_promotion_analysis.is_some() {
            let set = self.sets.by_hash(&new.current_pod_hash)?;
            if self.returns_in_time {
                let name = name_of(set);
                return Some(format!("Rollback to '{name}' within scaleDownDelay"));
            }
            let run = self.runs.after.as_ref()?;
            if run.status.phase != "Successful" {
                return None;
            }
        }
        Some("Completed blue-green update".to_owned())
    }

    /// Only the number of replicas changed: nothing but sizes is written.
    pub(super) async fn only_scale(&mut self) -> Outcome {
        let mut new = self.rollout.status.clone();
        if let Some(strategy) = self.rollout.blue_green() {
            let active = self.service(&strategy.active_service)?;
            self.scale_blue_green(&active).await?;
            let serving = self.sets.by_hash(&new.blue_green.active_selector);
            let size = serving.map(|set| size(set));
            new.hpa_replicas = size.map_or_else(|| self.sets.created(), |one| one.created);
            new.available_replicas =
                size.map_or_else(|| self.sets.available(), |one| one.available);
        } else {
            self.scale_canary().await?;
            new.available_replicas = self.sets.available();
            new.hpa_replicas = self.sets.created();
        }
        // Sets that are halted still learn the number, or every pass would end here.
        for set in self.sets.all.clone() {
            let wanted = size(&set).wanted;
            if wanted > 0
                && self
                    .sets
                    .by_hash(hash_of(&set))
                    .is_some_and(|one| size(one).wanted == wanted)
            {
                self.scale(&set, wanted).await?;
            }
        }
        self.persist(new).await
    }
}
