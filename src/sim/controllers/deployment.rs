//! Deployments: rolls a template out over ReplicaSets, one per template.
//!
//! Follows `pkg/controller/deployment`: rolling updates within `maxSurge` and `maxUnavailable`,
//! `Recreate`, revisions as annotations, proportional scaling, pause, history, progress deadline.
//! Rolling back is a client's business: it writes an old template, which is then rolled out.

pub mod arithmetic;
mod replica_sets;
mod status;

use super::ownership::{claim, owner_keys};
use super::pods::is_finished;
use super::runtime::{Controller, Informer, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use arithmetic::{Size, Slack, grown, proportional, shrunk};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use replica_sets::{View, revision_of};
use status::Step;
use std::sync::Arc;

const MANAGER: &str = "kube-controller-manager";
pub(super) const HASH_LABEL: &str = "pod-template-hash";

/// The Deployment controller.
#[derive(Debug)]
#[allow(
    clippy::struct_field_names,
    reason = "named as the API names what is written"
)]
pub struct Deployments {
    deployments: Writer<Deployment>,
    sets: Writer<ReplicaSet>,
    pods: Informer<Pod>,
    recorder: Recorder,
    clock: PlatformClock,
}

impl Deployments {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let deployments = runtime.informer::<Deployment>();
        let sets = runtime.informer::<ReplicaSet>();
        let pods = runtime.informer::<Pod>();
        let queue = runtime.queue();
        deployments.feed(&queue, |change| [change.key()]);
        sets.feed(&queue, |change| owner_keys(change, "Deployment"));
        let controller = Self {
            deployments: deployments.writer(MANAGER),
            sets: sets.writer(MANAGER),
            pods: pods.clone(),
            recorder: events.recorder("deployment-controller"),
            clock: runtime.clock().clone(),
        };
        // `Recreate` waits for the last old pod to go; its set's status may have settled before.
        let wake = queue.clone();
        let sets = sets.clone();
        pods.on_change(move |change| {
            if change.new.is_some() {
                return;
            }
            for key in owner_keys(change, "ReplicaSet") {
                let owner = sets.get(&key).and_then(|set| {
                    super::ownership::controller_of(&set.metadata).map(|one| one.name.clone())
                });
                if let Some(name) = owner {
                    wake.add(ObjectKey::new(key.namespace, name));
                }
            }
        });
        runtime.run(controller, queue);
    }

    async fn roll(
        &self,
        deployment: &Deployment,
        view: &mut View,
    ) -> Result<Option<Step>, ReconcileError> {
        if is_paused(deployment) {
            self.rescale(deployment, view).await?;
            self.clean_up(deployment, view).await?;
            return Ok(None);
        }
        if view.is_scaled(wanted(deployment)) {
            self.annotate_revision(deployment, view).await?;
            self.rescale(deployment, view).await?;
            return Ok(None);
        }
        let step = if is_recreate(deployment) {
            self.recreate(deployment, view).await?
        } else {
            self.roll_on(deployment, view).await?
        };
        if view.is_settled(wanted(deployment)) {
            self.clean_up(deployment, view).await?;
        }
        Ok(step)
    }

    async fn roll_on(
        &self,
        deployment: &Deployment,
        view: &mut View,
    ) -> Result<Option<Step>, ReconcileError> {
        let slack = slack_of(deployment);
        let wanted = wanted(deployment);
        let step = self.ensure_new(deployment, view, slack.surge).await?;
        if let Some(new) = view.new.clone() {
            let present = set_wanted(&new);
            let size = if present > wanted {
                wanted
            } else {
                grown(present, view.wanted(), wanted, slack.surge)
            };
            view.new = Some(self.scale(deployment, &new, size).await?);
        }
        let new = view.new.as_deref().map(size_of).unwrap_or_default();
        let old: Vec<Size> = view.old.iter().map(|set| size_of(set)).collect();
        let sizes = shrunk(&old, new, wanted, slack.unavailable);
        for (index, size) in sizes.into_iter().enumerate() {
            if let Some(set) = view.old.get(index).cloned() {
                let scaled = self.scale(deployment, &set, size).await?;
                view.replace_old(index, scaled);
            }
        }
        Ok(step)
    }

    async fn recreate(
        &self,
        deployment: &Deployment,
        view: &mut View,
    ) -> Result<Option<Step>, ReconcileError> {
        let mut shrank = false;
        for index in 0..view.old.len() {
            let Some(set) = view.old.get(index).cloned() else {
                continue;
            };
            shrank |= set_wanted(&set) > 0;
            let scaled = self.scale(deployment, &set, 0).await?;
            view.replace_old(index, scaled);
        }
        let old_pods_left = view.old.iter().any(|set| {
            let uid = set.metadata.uid.as_deref().unwrap_or_default();
            self.pods.owned_by(uid).iter().any(|pod| !is_finished(pod))
        });
        if shrank || old_pods_left {
            return Ok(None);
        }
        let step = self.ensure_new(deployment, view, 0).await?;
        if let Some(new) = view.new.clone() {
            let scaled = self.scale(deployment, &new, wanted(deployment)).await?;
            view.new = Some(scaled);
        }
        Ok(step)
    }

    /// Shares a new number of replicas among the ReplicaSets there are.
    async fn rescale(
        &self,
        deployment: &Deployment,
        view: &mut View,
    ) -> Result<(), ReconcileError> {
        let wanted = wanted(deployment);
        if let Some(only) = view.only_active_or_latest() {
            let scaled = self.scale(deployment, &only, wanted).await?;
            view.put(&scaled);
            return Ok(());
        }
        let new_is_full = view
            .new
            .as_ref()
            .is_some_and(|new| set_wanted(new) == wanted && size_of(new).available == wanted);
        if new_is_full {
            for set in view.old.clone() {
                let scaled = self.scale(deployment, &set, 0).await?;
                view.put(&scaled);
            }
            return Ok(());
        }
        if is_recreate(deployment) {
            return Ok(());
        }
        let active = view.active_newest_first();
        let sizes: Vec<i32> = active.iter().map(|set| set_wanted(set)).collect();
        let most = if wanted > 0 {
            wanted + slack_of(deployment).surge
        } else {
            0
        };
        let old_most = active
            .iter()
            .filter_map(|set| replica_sets::most_of(set))
            .max()
            .unwrap_or_else(|| sizes.iter().sum());
        for (set, size) in active.iter().zip(proportional(&sizes, old_most, most)) {
            let scaled = self.scale(deployment, set, size).await?;
            view.put(&scaled);
        }
        Ok(())
    }

    /// Deletes the oldest ReplicaSets beyond the history limit.
    async fn clean_up(&self, deployment: &Deployment, view: &View) -> Result<(), ReconcileError> {
        let limit = deployment
            .spec
            .as_ref()
            .and_then(|spec| spec.revision_history_limit)
            .unwrap_or(10);
        let mut done: Vec<&Arc<ReplicaSet>> = view
            .old
            .iter()
            .filter(|set| set.metadata.deletion_timestamp.is_none())
            .collect();
        let surplus = (done.len() as i64 - i64::from(limit)).max(0) as usize;
        done.sort_by_key(|set| revision_of(&set.metadata));
        for set in done.into_iter().take(surplus) {
            let status = set.status.clone().unwrap_or_default();
            let observed = status.observed_generation >= set.metadata.generation;
            if status.replicas == 0 && set_wanted(set) == 0 && observed {
                self.sets
                    .delete(&**set, &DeleteParams::background())
                    .await?;
            }
        }
        Ok(())
    }

    async fn scale(
        &self,
        deployment: &Deployment,
        set: &Arc<ReplicaSet>,
        size: i32,
    ) -> Result<Arc<ReplicaSet>, ReconcileError> {
        let present = set_wanted(set);
        let mut changed = (**set).clone();
        changed.spec.get_or_insert_default().replicas = Some(size);
        replica_sets::note_desired(&mut changed.metadata, deployment);
        let Some(written) = self.sets.update(&**set, &changed).await? else {
            return Ok(Arc::clone(set));
        };
        if present != size {
            let direction = if size > present { "up" } else { "down" };
            self.recorder.normal(
                About::object(deployment),
                "ScalingReplicaSet",
                format!(
                    "Scaled {direction} replica set {} from {present} to {size}",
                    set.metadata.name.as_deref().unwrap_or_default()
                ),
            );
        }
        Ok(written)
    }
}

impl Controller for Deployments {
    type Key = ObjectKey;
    const NAME: &'static str = "deployment";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(deployment) = self.deployments.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let Some(spec) = &deployment.spec else {
            return Ok(Requeue::OnChange);
        };
        let sets = claim(&*deployment, &spec.selector, &self.sets).await?;
        let mut view = View::new(&spec.template, sets);
        let step = if deployment.metadata.deletion_timestamp.is_some() {
            None
        } else {
            self.roll(&deployment, &mut view).await?
        };
        let (status, due) = status::status(&deployment, &view, step, self.clock.now());
        let old = deployment.status.clone().unwrap_or_default();
        self.deployments
            .update_status(&*deployment, &old, &status)
            .await?;
        Ok(Requeue::OnChange.or_at(due))
    }
}

/// Returns how many replicas a Deployment asks for.
fn wanted(deployment: &Deployment) -> i32 {
    let replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    replicas.unwrap_or(1).max(0)
}

fn set_wanted(set: &ReplicaSet) -> i32 {
    let replicas = set.spec.as_ref().and_then(|spec| spec.replicas);
    replicas.unwrap_or(1).max(0)
}

fn size_of(set: &ReplicaSet) -> Size {
    let available = set
        .status
        .as_ref()
        .and_then(|status| status.available_replicas);
    Size {
        wanted: set_wanted(set),
        available: available.unwrap_or_default(),
    }
}

fn is_paused(deployment: &Deployment) -> bool {
    let spec = deployment.spec.as_ref();
    spec.is_some_and(|spec| spec.paused == Some(true))
}

fn is_recreate(deployment: &Deployment) -> bool {
    deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.strategy.as_ref())
        .is_some_and(|strategy| strategy.type_.as_deref() == Some("Recreate"))
}

fn slack_of(deployment: &Deployment) -> Slack {
    if is_recreate(deployment) {
        return Slack {
            surge: 0,
            unavailable: 0,
        };
    }
    let rolling = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.strategy.as_ref()?.rolling_update.as_ref());
    Slack::new(
        rolling.and_then(|rolling| rolling.max_surge.as_ref()),
        rolling.and_then(|rolling| rolling.max_unavailable.as_ref()),
        wanted(deployment),
    )
}
