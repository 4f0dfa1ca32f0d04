//! The ReplicaSets of a Deployment: which is new, which are old, what their annotations say.
//!
//! Follows `pkg/controller/deployment/sync.go` (`getNewReplicaSet`) and
//! `util/deployment_util.go`.

use super::status::Step;
use super::{Deployments, HASH_LABEL, set_wanted, slack_of, wanted};
use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::runtime::ReconcileError;
use crate::sim::controllers::runtime::time::utc;
use crate::sim::events::About;
use crate::sim::rng::{fnv32a, safe_encode};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use std::sync::Arc;

const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MOST: &str = "deployment.kubernetes.io/max-replicas";
/// Annotations of a Deployment that its ReplicaSets do not take over.
const OWN: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    DESIRED,
    MOST,
];

/// The ReplicaSets of a Deployment.
#[derive(Debug)]
pub(super) struct View {
    /// The one of the present template.
    pub(super) new: Option<Arc<ReplicaSet>>,
    /// The others, oldest first.
    pub(super) old: Vec<Arc<ReplicaSet>>,
}

impl View {
    pub(super) fn new(template: &PodTemplateSpec, mut sets: Vec<Arc<ReplicaSet>>) -> Self {
        sets.sort_by_key(|set| {
            let created = set.metadata.creation_timestamp.as_ref().map(utc);
            (created, set.metadata.name.clone())
        });
        let wanted = without_hash(template);
        let new = sets.iter().position(|set| {
            let own = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
            own.is_some_and(|own| without_hash(own) == wanted)
        });
        Self {
            new: new.map(|index| sets.remove(index)),
            old: sets,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.old.iter().chain(&self.new)
    }

    pub(super) fn wanted(&self) -> i32 {
        self.all().map(|set| set_wanted(set)).sum()
    }

    pub(super) fn replace_old(&mut self, index: usize, set: Arc<ReplicaSet>) {
        if let Some(place) = self.old.get_mut(index) {
            *place = set;
        }
    }

    /// Puts a newer state of one of the sets in its place.
    pub(super) fn put(&mut self, set: &Arc<ReplicaSet>) {
        for place in self.old.iter_mut().chain(&mut self.new) {
            if place.metadata.uid == set.metadata.uid {
                *place = Arc::clone(set);
            }
        }
    }

    fn active(&self) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.all().filter(|set| set_wanted(set) > 0)
    }

    pub(super) fn active_newest_first(&self) -> Vec<Arc<ReplicaSet>> {
        let mut active: Vec<_> = self.active().cloned().collect();
        active.reverse();
        active
    }

    /// Returns the set to scale when there is no doubt which one that is.
    pub(super) fn only_active_or_latest(&self) -> Option<Arc<ReplicaSet>> {
        let mut active = self.active();
        match (active.next(), active.next()) {
            (None, _) => self.new.as_ref().or(self.old.last()).cloned(),
            (Some(only), None) => Some(Arc::clone(only)),
            (Some(_), Some(_)) => None,
        }
    }

    /// The Deployment was scaled since its sets were last written.
    pub(super) fn is_scaled(&self, wanted: i32) -> bool {
        self.active()
            .filter_map(|set| desired_of(set))
            .any(|desired| desired != wanted)
    }

    /// The rollout has ended: all replicas are new and available.
    pub(super) fn is_settled(&self, wanted: i32) -> bool {
        let new_available = self
            .new
            .as_ref()
            .is_some_and(|new| super::size_of(new).available == wanted);
        new_available && self.old.iter().all(|set| set_wanted(set) == 0)
    }
}

fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    if let Some(labels) = template
        .metadata
        .as_mut()
        .and_then(|meta| meta.labels.as_mut())
    {
        labels.remove(HASH_LABEL);
    }
    template
}

fn number_in(meta: &ObjectMeta, name: &str) -> Option<i64> {
    meta.annotations.as_ref()?.get(name)?.parse().ok()
}

/// Returns the revision an object is annotated with, 0 if none.
pub(super) fn revision_of(meta: &ObjectMeta) -> i64 {
    number_in(meta, REVISION).unwrap_or_default()
}

/// Returns how many replicas the Deployment had when the set was last written.
pub(super) fn desired_of(set: &ReplicaSet) -> Option<i32> {
    number_in(&set.metadata, DESIRED).map(|count| count as i32)
}

/// Returns how many replicas were allowed in all when the set was last written.
pub(super) fn most_of(set: &ReplicaSet) -> Option<i32> {
    number_in(&set.metadata, MOST).map(|count| count as i32)
}

/// Writes on a set how many replicas the Deployment wants and allows.
pub(super) fn note_desired(meta: &mut ObjectMeta, deployment: &Deployment) {
    let wanted = wanted(deployment);
    let annotations = meta.annotations.get_or_insert_default();
    annotations.insert(DESIRED.to_owned(), wanted.to_string());
    let most = wanted + slack_of(deployment).surge;
    annotations.insert(MOST.to_owned(), most.to_string());
}

/// Takes over the Deployment's annotations and writes the revision.
fn annotate(meta: &mut ObjectMeta, deployment: &Deployment, revision: i64) {
    let annotations = meta.annotations.get_or_insert_default();
    for (name, value) in deployment.metadata.annotations.iter().flatten() {
        if !OWN.contains(&name.as_str()) {
            annotations.insert(name.clone(), value.clone());
        }
    }
    annotations.insert(REVISION.to_owned(), revision.to_string());
    note_desired(meta, deployment);
}

/// Returns the letters that name a template among those of its Deployment.
fn template_hash(template: &PodTemplateSpec, collisions: i32) -> Result<String, ReconcileError> {
    let mut bytes = serde_json::to_vec(template).map_err(|source| ReconcileError::Encoding {
        doing: "name a pod template".to_owned(),
        source,
    })?;
    bytes.extend(collisions.to_le_bytes());
    Ok(safe_encode(&fnv32a(&bytes).to_string()))
}

impl Deployments {
    /// Makes sure that there is a ReplicaSet of the present template, with its revision.
    pub(super) async fn ensure_new(
        &self,
        deployment: &Deployment,
        view: &mut View,
        surge: i32,
    ) -> Result<Option<Step>, ReconcileError> {
        if view.new.is_some() {
            self.annotate_revision(deployment, view).await?;
            return Ok(Some(Step::Found));
        }
        let size = super::grown(0, view.wanted(), wanted(deployment), surge);
        let revision = next_revision(view);
        let set = new_set(deployment, (size, revision))?;
        let created = self.sets.create(&set).await?;
        if size > 0 {
            let name = created.metadata.name.as_deref().unwrap_or_default();
            self.recorder.normal(
                About::object(deployment),
                "ScalingReplicaSet",
                format!("Scaled up replica set {name} from 0 to {size}"),
            );
        }
        view.new = Some(created);
        self.note_revision(deployment, revision).await?;
        Ok(Some(Step::Created))
    }

    /// Raises the revision of a set that became the new one again (a rollback), and notes it.
    pub(super) async fn annotate_revision(
        &self,
        deployment: &Deployment,
        view: &mut View,
    ) -> Result<(), ReconcileError> {
        let Some(new) = view.new.clone() else {
            return Ok(());
        };
        let revision = revision_of(&new.metadata).max(next_revision(view));
        let mut changed = (*new).clone();
        let desired = changed.metadata.annotations.clone();
        annotate(&mut changed.metadata, deployment, revision);
        // What the set knew of the wanted size tells scaling apart; only scaling changes it.
        for name in [DESIRED, MOST] {
            let known = desired.as_ref().and_then(|all| all.get(name));
            if let (Some(known), Some(all)) = (known, changed.metadata.annotations.as_mut()) {
                all.insert(name.to_owned(), known.clone());
            }
        }
        let seconds = deployment
            .spec
            .as_ref()
            .and_then(|spec| spec.min_ready_seconds);
        changed.spec.get_or_insert_default().min_ready_seconds = seconds;
        if let Some(written) = self.sets.update(&*new, &changed).await? {
            view.new = Some(written);
        }
        self.note_revision(deployment, revision).await
    }

    async fn note_revision(
        &self,
        deployment: &Deployment,
        revision: i64,
    ) -> Result<(), ReconcileError> {
        let mut changed = deployment.clone();
        let annotations = changed.metadata.annotations.get_or_insert_default();
        annotations.insert(REVISION.to_owned(), revision.to_string());
        match self.deployments.update(deployment, &changed).await {
            // A newer Deployment is on its way, which will be reconciled again.
            Err(error) if error.is_conflict() => Ok(()),
            other => other.map(|_| ()),
        }
    }
}

fn next_revision(view: &View) -> i64 {
    let highest = view.old.iter().map(|set| revision_of(&set.metadata)).max();
    highest.unwrap_or_default() + 1
}

fn new_set(
    deployment: &Deployment,
    (size, revision): (i32, i64),
) -> Result<ReplicaSet, ReconcileError> {
    let spec = deployment.spec.clone().unwrap_or_default();
    let collisions = deployment
        .status
        .as_ref()
        .and_then(|status| status.collision_count)
        .unwrap_or_default();
    let hash = template_hash(&spec.template, collisions)?;
    let with_hash = |labels: Option<BTreeMap<String, String>>| {
        let mut labels = labels.unwrap_or_default();
        labels.insert(HASH_LABEL.to_owned(), hash.clone());
        Some(labels)
    };
    let mut template = spec.template;
    let template_meta = template.metadata.get_or_insert_default();
    template_meta.labels = with_hash(template_meta.labels.take());
    let labels = template_meta.labels.clone();
    let mut selector = spec.selector;
    selector.match_labels = with_hash(selector.match_labels.take());
    let name = deployment.metadata.name.as_deref().unwrap_or_default();
    let mut set = ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{name}-{hash}")),
            namespace: deployment.metadata.namespace.clone(),
            labels,
            owner_references: Some(vec![reference_to(deployment)]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(size),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        }),
        status: None,
    };
    annotate(&mut set.metadata, deployment, revision);
    Ok(set)
}
