//! What a tree keeps of each live object.

use crate::api::convert::pod_images::{PodImages, pod_images, pod_kind};
use crate::domain::health::health_of;
use crate::domain::node::Node;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text, Uid};
use crate::domain::status::Health;
use crate::engine::facts::{facts_of, images_of, items, text};
use crate::engine::watch::{Projection, Seen};
use chrono::{DateTime, Utc};
use serde_json::Value;
use serde_json::value::RawValue;

/// One live object, reduced.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LiveNode {
    pub(super) object: ObjectRef,
    pub(super) uid: Uid,
    pub(super) owners: Vec<Text>,
    pub(super) health: Option<Health>,
    pub(super) message: Option<Text>,
    pub(super) info: Vec<Text>,
    pub(super) images: Vec<Text>,
    /// Of a Pod: what it runs.
    pub(super) pod: Option<Box<PodImages>>,
    pub(super) created: Option<DateTime<Utc>>,
    pub(super) deleting: Option<DateTime<Utc>>,
    pub(super) wave: Option<i64>,
    /// `<template>-<name>-` of a StatefulSet's claims: its PVCs have no owner reference.
    pub(super) claims: Vec<String>,
    /// The `ServiceAccount` that a token Secret belongs to.
    pub(super) account: Option<Text>,
}

/// Reduces objects of one kind.
#[derive(Debug)]
pub(super) struct LiveNodes {
    pub(super) cluster: Cluster,
    pub(super) kind: GroupKind,
    pub(super) api_version: Text,
}

impl Projection for LiveNodes {
    type Row = LiveNode;

    fn object(&mut self, object: &RawValue) -> Seen<LiveNode> {
        let mut value: Value = serde_json::from_str(object.get()).unwrap_or_default();
        // Items of a list do not repeat their kind; health rules go by it.
        if let Some(members) = value.as_object_mut() {
            members
                .entry("kind")
                .or_insert_with(|| (*self.kind.kind).into());
            members
                .entry("apiVersion")
                .or_insert_with(|| (*self.api_version).into());
        }
        let row = self.reduce(&value);
        Seen {
            object: row.object.clone(),
            uid: row.uid.clone(),
            version: text(&value, &["metadata", "resourceVersion"]).into(),
            row,
        }
    }
}

impl LiveNodes {
    fn reduce(&self, value: &Value) -> LiveNode {
        let name = text(value, &["metadata", "name"]);
        let namespace = text(value, &["metadata", "namespace"]);
        let (health, message) = self.health(value);
        let texts = |list: Vec<String>| list.into_iter().map(Text::from).collect();
        let annotation = |key| text(value, &["metadata", "annotations", key]);
        let account = annotation("kubernetes.io/service-account.name");
        let owners = items(value, &["metadata", "ownerReferences"]).iter();
        let claims = items(value, &["spec", "volumeClaimTemplates"]).iter();
        LiveNode {
            object: ObjectRef {
                cluster: self.cluster.clone(),
                kind: self.kind.clone(),
                namespace: (!namespace.is_empty()).then(|| namespace.into()),
                name: name.into(),
            },
            uid: Uid(text(value, &["metadata", "uid"]).into()),
            owners: owners.map(|owner| text(owner, &["uid"]).into()).collect(),
            health,
            message,
            info: texts(facts_of(&self.kind.kind, value)),
            images: texts(images_of(value)),
            pod: (self.kind == pod_kind()).then(|| Box::new(pod_images(value, &self.cluster))),
            created: text(value, &["metadata", "creationTimestamp"]).parse().ok(),
            deleting: text(value, &["metadata", "deletionTimestamp"]).parse().ok(),
            wave: annotation("argocd.argoproj.io/sync-wave").parse().ok(),
            claims: claims
                .map(|claim| format!("{}-{name}-", text(claim, &["metadata", "name"])))
                .collect(),
            account: (!account.is_empty()).then(|| account.into()),
        }
    }

    fn health(&self, value: &Value) -> (Option<Health>, Option<Text>) {
        // A child Application says itself how it is; Argo CD has no rule for it.
        if self.kind.is(crate::domain::kind::ARGO, "Application") {
            let word = value
                .at(&["status", "health", "status"])
                .and_then(Node::text);
            return (word.map(Health::from_word), None);
        }
        match health_of(value) {
            Some(verdict) => {
                let message = (!verdict.message.is_empty()).then(|| verdict.message.into());
                (Some(verdict.health), message)
            }
            None => (None, None),
        }
    }
}
