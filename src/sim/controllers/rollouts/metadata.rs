//! Labels and annotations that pods carry only while they are canary, stable, active or preview.
//!
//! Follows Argo Rollouts' `rollout/ephemeralmetadata.go`: what was put on a ReplicaSet's template is
//! remembered in an annotation, so that nothing else is ever taken away.

use super::model::Metadata;
use super::pass::{Outcome, Pass};
use super::replica_sets::hash_of;
use crate::sim::controllers::runtime::ObjectKey;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use std::sync::Arc;

const REMEMBERED: &str = "rollout.argoproj.io/ephemeral-metadata";

impl Pass<'_> {
    /// Returns what pods of the present set carry while they are new, and once they are stable.
    fn metadata_pair(&self) -> (Option<&Metadata>, Option<&Metadata>) {
        match (self.rollout.canary(), self.rollout.blue_green()) {
            (Some(one), _) => (one.canary_metadata.as_ref(), one.stable_metadata.as_ref()),
            (None, Some(one)) => (one.preview_metadata.as_ref(), one.active_metadata.as_ref()),
            (None, None) => (None, None),
        }
    }

    /// Puts the labels and annotations of its role on a set that is about to be made.
    pub(super) fn dress_new(&self, set: &mut ReplicaSet) {
        let (new, stable) = self.metadata_pair();
        let role = if self.sets.stable(&self.rollout).is_some() {
            new
        } else {
            stable
        };
        dress(set, role);
    }

    /// Gives every set and its pods the labels and annotations of their role.
    pub(super) async fn sync_metadata(&mut self) -> Outcome {
        let (new, stable) = self.metadata_pair();
        let (new, stable) = (new.cloned(), stable.cloned());
        let promoted = self.rollout.is_fully_promoted();
        for set in self.sets.all.clone() {
            let hash = hash_of(&set);
            let role = if hash == self.rollout.status.stable_rs || (promoted && hash == self.hash) {
                stable.as_ref()
            } else if hash == self.hash {
                new.as_ref()
            } else {
                None
            };
            self.dress_all(&set, role).await?;
        }
        Ok(())
    }

    async fn dress_all(&mut self, set: &Arc<ReplicaSet>, role: Option<&Metadata>) -> Outcome {
        let known = remembered(set);
        let mut changed = (**set).clone();
        if !dress(&mut changed, role) {
            return Ok(());
        }
        let uid = set.metadata.uid.clone().unwrap_or_default();
        for pod in self.controller.pods.informer().owned_by(&uid) {
            if pod.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let mut dressed = (*pod).clone();
            put_on(&mut dressed.metadata, known.as_ref(), role);
            let pods = &self.controller.pods;
            match pods.update(&*pod, &dressed).await {
                Err(error) if error.is_not_found() => {
                    let key = ObjectKey::of(&*pod);
                    tracing::debug!("the pod `{key}` is gone");
                }
                other => other.map(|_| ())?,
            }
        }
        self.update_set(set, &changed).await
    }
}

fn remembered(set: &ReplicaSet) -> Option<Metadata> {
    let text = set.metadata.annotations.as_ref()?.get(REMEMBERED)?;
    serde_json::from_str(text).ok()
}

/// Dresses a set's template; true when something changed.
fn dress(set: &mut ReplicaSet, role: Option<&Metadata>) -> bool {
    let known = remembered(set);
    if known.as_ref() == role {
        return false;
    }
    let template = set
        .spec
        .get_or_insert_default()
        .template
        .get_or_insert_default();
    let meta = template.metadata.get_or_insert_default();
    put_on(meta, known.as_ref(), role);
    let annotations = set.metadata.annotations.get_or_insert_default();
    match role.map(serde_json::to_string) {
        Some(Ok(text)) => {
            annotations.insert(REMEMBERED.to_owned(), text);
        }
        Some(Err(_)) | None => {
            annotations.remove(REMEMBERED);
        }
    }
    true
}

fn put_on(meta: &mut ObjectMeta, known: Option<&Metadata>, role: Option<&Metadata>) {
    let change = |present: &mut Option<BTreeMap<String, String>>,
                  old: Option<&BTreeMap<String, String>>,
                  new: Option<&BTreeMap<String, String>>| {
        let present = present.get_or_insert_default();
        for name in old.into_iter().flatten().map(|(name, _)| name) {
            present.remove(name);
        }
        for (name, value) in new.into_iter().flatten() {
            present.insert(name.clone(), value.clone());
        }
    };
    let labels = (known.map(|one| &one.labels), role.map(|one| &one.labels));
    change(&mut meta.labels, labels.0, labels.1);
    let notes = (
        known.map(|one| &one.annotations),
        role.map(|one| &one.annotations),
    );
    change(&mut meta.annotations, notes.0, notes.1);
}
