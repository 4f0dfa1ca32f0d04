//! Making ReplicaSets smaller: those that serve no more, those of an abort, those beyond the history.
//!
//! Follows Argo Rollouts' `rollout/replicaset.go` and `scaleDownOldReplicaSetsForCanary`.

use super::model::INCONCLUSIVE_ANALYSIS;
use super::pass::{Outcome, Pass};
use super::replica_sets::{DEADLINE, deadline_of, hash_of, revision_of, size};
use super::run::Run;
use super::services::selected_hash;
use super::steps;
use crate::sim::controllers::runtime::Writer;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::api::DeleteParams;
use std::cmp::Reverse;
use std::sync::Arc;

impl Pass<'_> {
    /// An aborted revision keeps its pods for a while.
    pub(super) fn delays_on_abort(&self) -> bool {
        if !self.is_aborted() || self.sets.stable(&self.rollout).is_none() {
            return false;
        }
        if self.rollout.abort_scale_down_delay().is_none() {
            return false;
        }
        match self.rollout.canary() {
            Some(canary) => {
                canary.traffic_routing.is_some()
                    && (!canary.dynamic_stable_scale
                        || canary.abort_scale_down_delay_seconds.is_some())
            }
            None => true,
        }
    }

    /// Gives the present set the size that is asked for; true when that is a new one.
    pub(super) async fn scale_new(&mut self) -> Outcome<bool> {
        let Some(set) = self.sets.new_set().cloned() else {
            return Ok(false);
        };
        let mut wanted = self.wanted_new();
        if self.delays_on_abort() {
            let delay = self.rollout.abort_scale_down_delay().unwrap_or(30);
            let Some(deadline) = deadline_of(&set) else {
                let stable = self.sets.stable(&self.rollout);
                let available = stable.map_or(0, |set| size(set).available);
                if available == self.rollout.replicas() {
                    self.set_deadline(&set, delay).await?;
                }
                return Ok(false);
            };
            if deadline > self.now {
                self.look_at(deadline);
                return Ok(false);
            }
            wanted = 0;
        }
        self.scale(&set, wanted).await
    }

    async fn set_deadline(&mut self, set: &Arc<ReplicaSet>, seconds: i32) -> Outcome {
        let deadline = self.now + TimeDelta::seconds(i64::from(seconds));
        let mut changed = (**set).clone();
        let annotations = changed.metadata.annotations.get_or_insert_default();
        let text = deadline.to_rfc3339_opts(SecondsFormat::Secs, true);
        annotations.insert(DEADLINE.to_owned(), text);
        self.update_set(set, &changed).await?;
        self.look_at(deadline + TimeDelta::seconds(1));
        Ok(())
    }

    /// The sets that serve lose their deadlines: we may have come back to an older revision.
    pub(super) async fn remove_deadlines(&mut self) -> Outcome {
        let mut serving: Vec<Arc<ReplicaSet>> = Vec::new();
        if !self.delays_on_abort() {
            serving.extend(self.sets.new_set().cloned());
        }
        serving.extend(self.sets.other_stable(&self.rollout).cloned());
        for set in serving {
            if deadline_of(&set).is_none() {
                continue;
            }
            let mut changed = (*set).clone();
            if let Some(annotations) = &mut changed.metadata.annotations {
                annotations.remove(DEADLINE);
            }
            self.update_set(&set, &changed).await?;
        }
        Ok(())
    }

    /// Makes the sets that are neither present nor stable smaller; true when one was.
    pub(super) async fn shrink_others(&mut self) -> Outcome<bool> {
        let mut others = self.sets.others(&self.rollout);
        others.retain(|set| size(set).wanted > 0);
        if others.is_empty() {
            return Ok(false);
        }
        others.sort_by_key(|set| Reverse(revision_of(set)));
        if self.rollout.blue_green().is_some() {
            self.shrink_blue_green(others).await
        } else {
            self.shrink_canary(others).await
        }
    }

    async fn shrink_canary(&mut self, mut others: Vec<Arc<ReplicaSet>>) -> Outcome<bool> {
        let mut shrank = false;
        // Pods that are not available hold nobody's traffic.
        for index in 0..others.len() {
            let Some(set) = others.get(index).cloned() else {
                continue;
            };
            let present = size(&set);
            if present.available < present.wanted {
                shrank |= self.scale(&set, present.available).await?;
                if let (Some(place), Some(newer)) =
                    (others.get_mut(index), self.sets.by_hash(hash_of(&set)))
                {
                    *place = Arc::clone(newer);
                }
            }
        }
        let least = self.rollout.replicas() - steps::bounds(&self.rollout).unavailable;
        let mut spare = self.sets.available() - least;
        let routed = self.rollout.traffic_routing().is_some();
        let mut noted = 0;
        for set in others {
            let present = size(&set).wanted;
            if spare <= 0 || present == 0 || (routed && self.is_referenced(&set)) {
                continue;
            }
            let wanted = if routed {
                self.wanted_of_old(&set, &mut noted).await?
            } else {
                (present - spare).max(0)
            };
            if wanted != present {
                shrank |= self.scale(&set, wanted).await?;
                spare -= present - wanted;
            }
        }
        Ok(shrank)
    }

    /// Returns what an old set behind a router keeps: all until its deadline, then nothing.
    async fn wanted_of_old(&mut self, set: &Arc<ReplicaSet>, noted: &mut i32) -> Outcome<i32> {
        let dynamic = self
            .rollout
            .canary()
            .is_some_and(|canary| canary.dynamic_stable_scale);
        let promoted = self.rollout.is_fully_promoted() || deadline_of(set).is_some();
        if dynamic || !promoted {
            return Ok(0);
        }
        self.wanted_until_deadline(set, noted, size(set).wanted)
            .await
    }

    /// Returns what a set keeps: `kept` until its deadline, which it is given now if it has none.
    async fn wanted_until_deadline(
        &mut self,
        set: &Arc<ReplicaSet>,
        noted: &mut i32,
        kept: i32,
    ) -> Outcome<i32> {
        let limit = match (self.rollout.blue_green(), self.rollout.canary()) {
            (Some(one), _) => one.scale_down_delay_revision_limit,
            (None, Some(one)) => one.scale_down_delay_revision_limit,
            (None, None) => None,
        };
        *noted += 1;
        if *noted > limit.unwrap_or(i32::MAX) {
            return Ok(0);
        }
        match deadline_of(set) {
            None => {
                let delay = self.rollout.scale_down_delay();
                if delay > 0 {
                    self.set_deadline(set, delay).await?;
                    return Ok(size(set).wanted);
                }
                Ok(0)
            }
            Some(deadline) if deadline > self.now => {
                self.look_at(deadline);
                Ok(kept)
            }
            Some(_) => Ok(0),
        }
    }

    async fn shrink_blue_green(&mut self, others: Vec<Arc<ReplicaSet>>) -> Outcome<bool> {
        let status = &self.rollout.status;
        if status.pause(INCONCLUSIVE_ANALYSIS).is_some() || self.waits_for_verdict() {
            return Ok(false);
        }
        let mut shrank = false;
        let mut noted = 0;
        for set in others {
            if self.is_referenced(&set) {
                continue;
            }
            let replicas = self.rollout.replicas();
            let wanted = self
                .wanted_until_deadline(&set, &mut noted, replicas)
                .await?;
            // A set scaled down by hand is not scaled up again to be deleted.
            let wanted = wanted.min(size(&set).wanted);
            if wanted != size(&set).wanted {
                shrank |= self.scale(&set, wanted).await?;
            }
        }
        Ok(shrank)
    }

    /// The old pods stay until the analysis after the switch has succeeded.
    fn waits_for_verdict(&self) -> bool {
        let Some(blue_green) = self.rollout.blue_green() else {
            return false;
        };
        let analysed = blue_green.post_promotion_analysis.is_some()
            && blue_green.scale_down_delay_seconds.is_none()
            && !self.skips_analysis_after();
        let run = self.runs.after.as_ref();
        analysed && run.is_none_or(|run| run.status.phase != "Successful")
    }

    /// Something still points at a set: the status, or a Service.
    fn is_referenced(&self, set: &ReplicaSet) -> bool {
        let hash = hash_of(set);
        let status = &self.rollout.status;
        let weights = status.canary.weights.as_ref();
        let known = [
            Some(&status.stable_rs),
            Some(&status.current_pod_hash),
            Some(&status.blue_green.active_selector),
            Some(&status.blue_green.preview_selector),
            weights.map(|weights| &weights.canary.pod_template_hash),
            weights.map(|weights| &weights.stable.pod_template_hash),
        ];
        if hash.is_empty() {
            return false;
        }
        if known.into_iter().flatten().any(|known| known == hash) {
            return true;
        }
        let services = self.controller.services.informer();
        self.service_names().into_iter().any(|name| {
            let service = services.get(&self.key(name));
            service.is_some_and(|service| selected_hash(&service) == hash)
        })
    }

    /// Deletes the oldest sets beyond the history limit, and their runs.
    pub(super) async fn forget_old_sets(&mut self) -> Outcome {
        let limit = self.rollout.spec.revision_history_limit.unwrap_or(10);
        let mut old = self.sets.others(&self.rollout);
        old.retain(|set| set.metadata.deletion_timestamp.is_none());
        let surplus = (old.len() as i64 - i64::from(limit)).max(0) as usize;
        for set in old.into_iter().take(surplus) {
            let size = size(&set);
            let observed = set.status.as_ref().and_then(|one| one.observed_generation);
            if size.created != 0 || size.wanted != 0 || observed < set.metadata.generation {
                continue;
            }
            let background = DeleteParams::background();
            self.controller.sets.delete(&*set, &background).await?;
            self.sets
                .all
                .retain(|known| known.metadata.uid != set.metadata.uid);
        }
        Ok(())
    }

    /// Deletes the runs of forgotten revisions, and those beyond the history limits.
    pub(super) async fn forget_runs(&self, runs: &[Arc<Run>], writer: &Writer<Run>) -> Outcome {
        let limits = self.rollout.spec.analysis.unwrap_or_default();
        let mut good = limits.successful_run_history_limit.unwrap_or(5);
        let mut bad = limits.unsuccessful_run_history_limit.unwrap_or(5);
        let mut newest_first: Vec<&Arc<Run>> = runs.iter().collect();
        newest_first.sort_by_key(|run| Reverse(age_of(run)));
        for run in newest_first {
            let Some(hash) = run
                .hash()
                .filter(|_| run.metadata.deletion_timestamp.is_none())
            else {
                continue;
            };
            if self.sets.by_hash(hash).is_some() {
                let left = match run.status.phase.as_str() {
                    "Successful" => &mut good,
                    "Failed" | "Error" | "Inconclusive" => &mut bad,
                    _ => continue,
                };
                *left -= 1;
                if *left >= 0 {
                    continue;
                }
            }
            writer.delete(&**run, &DeleteParams::background()).await?;
        }
        Ok(())
    }
}

fn age_of(run: &Run) -> Option<DateTime<Utc>> {
    let created = run.metadata.creation_timestamp.as_ref();
    created.map(crate::sim::controllers::runtime::time::utc)
}
