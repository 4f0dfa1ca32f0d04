//! The ReplicaSets of a Rollout: which is which, their revisions and their sizes.
//!
//! Follows Argo Rollouts' `rollout/sync.go` and `rollout/replicaset.go`.

use super::arithmetic::Size;
use super::conditions::{self, PROGRESSING};
use super::model::{HASH_LABEL, REVISION, Rollout};
use super::pass::{Outcome, Pass};
use super::steps;
use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::runtime::ReconcileError;
use crate::sim::controllers::runtime::time::utc;
use chrono::{DateTime, Utc};
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use std::sync::Arc;

const DESIRED: &str = "rollout.argoproj.io/desired-replicas";
const HISTORY: &str = "rollout.argoproj.io/revision-history";
pub(super) const WORKLOAD_GENERATION: &str = "rollout.argoproj.io/workload-generation";
/// Until when a set that serves no more keeps its pods.
pub(super) const DEADLINE: &str = "scale-down-deadline";
/// Annotations of a Rollout that its ReplicaSets do not take over.
const OWN: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    WORKLOAD_GENERATION,
];

/// The ReplicaSets of a Rollout, oldest first.
#[derive(Debug, Default)]
pub(super) struct Sets {
    pub(super) all: Vec<Arc<ReplicaSet>>,
    hash: String,
}

impl Sets {
    pub(super) fn new(mut all: Vec<Arc<ReplicaSet>>, hash: &str) -> Self {
        all.sort_by_key(|set| (created(set), set.metadata.name.clone()));
        Self {
            all,
            hash: hash.to_owned(),
        }
    }

    /// Returns the set of a template.
    pub(super) fn by_hash(&self, hash: &str) -> Option<&Arc<ReplicaSet>> {
        self.all
            .iter()
            .find(|set| !hash.is_empty() && hash_of(set) == hash)
    }

    /// Returns the set of the present template.
    pub(super) fn new_set(&self) -> Option<&Arc<ReplicaSet>> {
        self.by_hash(&self.hash)
    }

    /// Returns the set that an abort goes back to.
    pub(super) fn stable(&self, rollout: &Rollout) -> Option<&Arc<ReplicaSet>> {
        self.by_hash(&rollout.status.stable_rs)
    }

    /// Returns the stable set unless it is the present one.
    pub(super) fn other_stable(&self, rollout: &Rollout) -> Option<&Arc<ReplicaSet>> {
        self.stable(rollout).filter(|set| hash_of(set) != self.hash)
    }

    /// Returns the sets that are neither present nor stable, oldest first.
    pub(super) fn others(&self, rollout: &Rollout) -> Vec<Arc<ReplicaSet>> {
        let keep = [self.hash.as_str(), &rollout.status.stable_rs];
        let others = self.all.iter().filter(|set| !keep.contains(&hash_of(set)));
        others.cloned().collect()
    }

    /// Returns the sets that are not of the present template.
    fn older(&self) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.all.iter().filter(|set| hash_of(set) != self.hash)
    }

    pub(super) fn available(&self) -> i32 {
        self.all.iter().map(|set| size(set).available).sum()
    }

    pub(super) fn created(&self) -> i32 {
        self.all.iter().map(|set| size(set).created).sum()
    }

    pub(super) fn ready(&self) -> i32 {
        self.all.iter().map(|set| ready(set)).sum()
    }

    /// Puts a newer state of one of the sets in its place.
    fn put(&mut self, set: Arc<ReplicaSet>) {
        match self
            .all
            .iter_mut()
            .find(|known| known.metadata.uid == set.metadata.uid)
        {
            Some(place) => *place = set,
            None => self.all.push(set),
        }
    }
}

pub(super) fn created(set: &ReplicaSet) -> Option<DateTime<Utc>> {
    set.metadata.creation_timestamp.as_ref().map(utc)
}

/// Returns the letters of a set's template.
pub(super) fn hash_of(set: &ReplicaSet) -> &str {
    let labels = set.metadata.labels.as_ref();
    labels
        .and_then(|all| all.get(HASH_LABEL))
        .map_or("", String::as_str)
}

pub(super) fn name_of(set: &ReplicaSet) -> &str {
    set.metadata.name.as_deref().unwrap_or_default()
}

pub(super) fn size(set: &ReplicaSet) -> Size {
    let status = set.status.as_ref();
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas);
    Size {
        wanted: wanted.unwrap_or(1),
        created: status.map_or(0, |status| status.replicas),
        available: status
            .and_then(|status| status.available_replicas)
            .unwrap_or(0),
    }
}

fn ready(set: &ReplicaSet) -> i32 {
    let status = set.status.as_ref();
    status.and_then(|one| one.ready_replicas).unwrap_or(0)
}

fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(name).map(String::as_str)
}

/// Returns the revision of a set, 0 if it has none.
pub(super) fn revision_of(set: &ReplicaSet) -> i64 {
    annotation(&set.metadata, REVISION)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

fn desired_of(set: &ReplicaSet) -> Option<i32> {
    annotation(&set.metadata, DESIRED)?.parse().ok()
}

/// Returns until when a set keeps its pods, if it has been told; an unreadable time has passed.
pub(super) fn deadline_of(set: &ReplicaSet) -> Option<DateTime<Utc>> {
    let text = annotation(&set.metadata, DEADLINE).filter(|text| !text.is_empty())?;
    let time = DateTime::parse_from_rfc3339(text);
    Some(time.map_or(DateTime::UNIX_EPOCH, |time| time.with_timezone(&Utc)))
}

impl Pass<'_> {
    /// The size of a set, if it is there.
    pub(super) fn size_of(set: Option<&Arc<ReplicaSet>>) -> Option<Size> {
        set.map(|set| size(set))
    }

    /// The set is as large as the Rollout asks for, and available.
    pub(super) fn is_saturated(&self, set: &ReplicaSet) -> bool {
        let wanted = self.rollout.replicas();
        let size = size(set);
        size.wanted == wanted && size.available == wanted && desired_of(set) == Some(wanted)
    }

    /// The Rollout was scaled since its sets were last written.
    pub(super) fn is_scaled(&self) -> bool {
        let wanted = self.rollout.replicas();
        let active = self.sets.all.iter().filter(|set| size(set).wanted > 0);
        active
            .filter_map(|set| desired_of(set))
            .any(|desired| desired != wanted)
    }

    /// Makes sure that the present set has the highest revision; creates the set if asked to.
    pub(super) async fn sync_revision(&mut self, create: bool) -> Outcome {
        let highest = self.sets.older().map(|set| revision_of(set)).max();
        let next = highest.unwrap_or_default() + 1;
        let Some(set) = self.sets.new_set().cloned() else {
            if create {
                return self.create_set(next).await;
            }
            return Ok(());
        };
        let mut changed = (*set).clone();
        self.annotate(&mut changed.metadata, next);
        let seconds = self.rollout.spec.min_ready_seconds;
        changed.spec.get_or_insert_default().min_ready_seconds = seconds.filter(|one| *one > 0);
        let old = set.spec.as_ref().and_then(|spec| spec.min_ready_seconds);
        if old.unwrap_or(0) == seconds.unwrap_or(0) {
            changed.spec.get_or_insert_default().min_ready_seconds = old;
        }
        let set = match self.controller.sets.update(&*set, &changed).await? {
            Some(written) => {
                self.sets.put(Arc::clone(&written));
                written
            }
            None => set,
        };
        self.note_revision(revision_of(&set)).await?;
        if conditions::find(&self.rollout.status, PROGRESSING).is_none() {
            let message = format!("Found new replica set \"{}\"", name_of(&set));
            let saying = ("True", "FoundNewReplicaSet", message);
            let mut new = self.rollout.status.clone();
            conditions::set(&mut new, PROGRESSING, saying, self.now);
            self.write_conditions(new).await?;
        }
        Ok(())
    }

    /// Takes over the Rollout's annotations and writes the revision, if it is a higher one.
    fn annotate(&self, meta: &mut ObjectMeta, revision: i64) {
        let annotations = meta.annotations.get_or_insert_default();
        for (name, value) in self.rollout.metadata.annotations.iter().flatten() {
            if !OWN.contains(&name.as_str()) {
                annotations.insert(name.clone(), value.clone());
            }
        }
        let known = annotations.get(REVISION).cloned();
        let old: i64 = known.as_deref().unwrap_or("0").parse().unwrap_or(0);
        if old >= revision {
            return;
        }
        if let Some(known) = known {
            let history = annotations.entry(HISTORY.to_owned()).or_default();
            if !history.is_empty() {
                history.push(',');
            }
            history.push_str(&known);
        }
        annotations.insert(REVISION.to_owned(), revision.to_string());
    }

    async fn note_revision(&mut self, revision: i64) -> Outcome {
        let mut changed = (*self.stored).clone();
        let annotations = changed.metadata.annotations.get_or_insert_default();
        annotations.insert(REVISION.to_owned(), revision.to_string());
        let generation = annotation(&self.rollout.metadata, WORKLOAD_GENERATION);
        if let Some(generation) = generation {
            annotations.insert(WORKLOAD_GENERATION.to_owned(), generation.to_owned());
        }
        let rollouts = &self.controller.rollouts;
        let Some(written) = rollouts.update(&*self.stored, &changed).await? else {
            return Ok(());
        };
        if self.rollout.revision() != revision {
            self.tell(
                "RolloutUpdated",
                format!("Rollout updated to revision {revision}"),
            );
        }
        // A spec written meanwhile has not been looked at yet.
        let generation = self.rollout.metadata.generation;
        self.rollout.metadata = written.metadata.clone();
        self.rollout.metadata.generation = generation;
        self.stored = written;
        Ok(())
    }

    async fn create_set(&mut self, revision: i64) -> Outcome {
        let mut set = self.set_of_template();
        self.annotate(&mut set.metadata, revision);
        let annotations = set.metadata.annotations.get_or_insert_default();
        annotations.insert(DESIRED.to_owned(), self.rollout.replicas().to_string());
        self.dress_new(&mut set);
        let name = name_of(&set).to_owned();
        let made = match self.controller.sets.create(&set).await {
            Ok(made) => made,
            Err(error) if error.reason() == "AlreadyExists" => {
                let mut new = self.rollout.status.clone();
                new.collision_count = Some(new.collision_count.unwrap_or(0) + 1);
                self.write_conditions(new).await?;
                return Err(error);
            }
            Err(error) => return self.report_uncreated(&name, error).await,
        };
        self.sets.put(made);
        self.note_revision(revision).await?;
        let message = format!("Created ReplicaSet {name} (revision {revision})");
        self.tell("NewReplicaSetCreated", message);
        let message = format!("Created new replica set \"{name}\"");
        let saying = ("True", "NewReplicaSetCreated", message);
        let mut new = self.rollout.status.clone();
        conditions::set(&mut new, PROGRESSING, saying, self.now);
        self.write_conditions(new).await
    }

    async fn report_uncreated(&mut self, name: &str, error: ReconcileError) -> Outcome {
        let said = error.message();
        let message = format!("Failed to create new replica set \"{name}\": {said}");
        self.warn("ReplicaSetCreateError", message.clone());
        let saying = ("False", "ReplicaSetCreateError", message);
        let mut new = self.rollout.status.clone();
        conditions::set(&mut new, PROGRESSING, saying, self.now);
        self.write_conditions(new).await?;
        Err(error)
    }

    fn set_of_template(&self) -> ReplicaSet {
        let with_hash = |labels: Option<BTreeMap<String, String>>| {
            let mut labels = labels.unwrap_or_default();
            labels.insert(HASH_LABEL.to_owned(), self.hash.clone());
            Some(labels)
        };
        let mut template = self.template.clone();
        let meta = template.metadata.get_or_insert_default();
        meta.labels = with_hash(meta.labels.take());
        meta.creation_timestamp = None;
        let labels = meta.labels.clone();
        let mut selector = self.rollout.spec.selector.clone().unwrap_or_default();
        selector.match_labels = with_hash(selector.match_labels.take());
        ReplicaSet {
            metadata: ObjectMeta {
                name: Some(format!("{}-{}", self.rollout.name(), self.hash)),
                namespace: self.rollout.metadata.namespace.clone(),
                labels,
                owner_references: Some(vec![reference_to(&self.rollout)]),
                ..ObjectMeta::default()
            },
            spec: Some(ReplicaSetSpec {
                replicas: Some(0),
                min_ready_seconds: self.rollout.spec.min_ready_seconds,
                selector,
                template: Some(template),
            }),
            status: None,
        }
    }

    /// Gives a set a size; true when that is a new one.
    pub(super) async fn scale(&mut self, set: &Arc<ReplicaSet>, wanted: i32) -> Outcome<bool> {
        let present = size(set).wanted;
        let desired = self.rollout.replicas();
        if present == wanted && desired_of(set) == Some(desired) {
            return Ok(false);
        }
        let mut changed = (**set).clone();
        changed.spec.get_or_insert_default().replicas = Some(wanted);
        let annotations = changed.metadata.annotations.get_or_insert_default();
        annotations.insert(DESIRED.to_owned(), desired.to_string());
        if wanted == 0 && !self.delays_on_abort() {
            annotations.remove(DEADLINE);
        }
        let Some(written) = self.controller.sets.update(&**set, &changed).await? else {
            return Ok(false);
        };
        let (name, revision) = (name_of(&written).to_owned(), revision_of(&written));
        self.sets.put(written);
        if present == wanted {
            return Ok(false);
        }
        let direction = if wanted > present { "up" } else { "down" };
        self.tell(
            "ScalingReplicaSet",
            format!(
                "Scaled {direction} ReplicaSet {name} (revision {revision}) from {present} to {wanted}"
            ),
        );
        Ok(true)
    }

    /// Writes something else of a set.
    pub(super) async fn update_set(&mut self, old: &ReplicaSet, new: &ReplicaSet) -> Outcome {
        if let Some(written) = self.controller.sets.update(old, new).await? {
            self.sets.put(written);
        }
        Ok(())
    }

    /// Returns how large the present set should be now.
    pub(super) fn wanted_new(&self) -> i32 {
        let Some(set) = self.sets.new_set() else {
            return 0;
        };
        let replicas = self.rollout.replicas();
        if let Some(blue_green) = self.rollout.blue_green() {
            let status = &self.rollout.status;
            let Some(preview) = blue_green.preview_replica_count else {
                return replicas;
            };
            let active = self.sets.by_hash(&status.blue_green.active_selector);
            if active.is_none_or(|active| hash_of(active) == hash_of(set)) || status.promote_full {
                return replicas;
            }
            let resumed = !self.rollout.spec.paused && status.pause_conditions.is_empty();
            let passed = resumed && status.blue_green.scale_up_preview_check_point;
            return if passed && hash_of(set) == status.current_pod_hash {
                replicas
            } else {
                preview
            };
        }
        if self.rollout.traffic_routing().is_some() {
            return steps::routed(&self.rollout, self.new.canary.weights.as_ref())
                .goal()
                .0;
        }
        self.basic_counts().0
    }

    /// Returns the sizes to write now for a canary without a router: canary and stable.
    pub(super) fn basic_counts(&self) -> (i32, i32) {
        let others = self.sets.others(&self.rollout);
        steps::basic(&self.rollout).now(
            Self::size_of(self.sets.new_set()),
            Self::size_of(self.sets.other_stable(&self.rollout)),
            others.iter().map(|set| size(set).wanted).sum(),
        )
    }
}
