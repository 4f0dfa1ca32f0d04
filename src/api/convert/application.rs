//! An Application's row.

use super::operation::operation_view;
use super::reader::Reader;
use super::spec::{Spec, differs};
use super::{about, application_kind, object_ref};
use crate::api::application::{
    ApplicationWire, ComparedToWire, ConditionWire, ResourceCount, StatusWire, SyncWire,
};
use crate::api::field::Field;
use crate::api::intern::Interner;
use crate::api::meta::{AnnotationsWire, MetaWire, OwnerWire};
use crate::domain::application::{Application, Condition, Deletion, Refresh};
use crate::domain::object::{Cluster, GroupKind, ObjectRef, ResourceVersion, Text, Uid};
use crate::domain::status::{Health, SyncStatus};
use chrono::{DateTime, Utc};

/// Makes rows of Applications; keeps what repeats in one place.
#[derive(Debug)]
pub struct ApplicationReader {
    cluster: Cluster,
    kind: GroupKind,
    interner: Interner,
}

impl ApplicationReader {
    /// Reads Applications of one cluster.
    pub fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            kind: application_kind(),
            interner: Interner::default(),
        }
    }

    pub(super) fn reader(&mut self) -> Reader<'_> {
        Reader::new(&mut self.interner)
    }

    /// Reads a row from an object's JSON, however broken the object is.
    pub fn row(&mut self, json: &str) -> Application {
        let parsed: Result<Field<ApplicationWire<'_>>, _> = serde_json::from_str(json);
        let mut reader = Reader::new(&mut self.interner);
        let wire = match parsed {
            Ok(field) => reader.take(field, "the object").unwrap_or_default(),
            Err(error) => {
                reader.say(format!("the object cannot be read: {error}"));
                ApplicationWire::default()
            }
        };
        row_of(wire, (&self.cluster, &self.kind), reader)
    }
}

fn row_of(
    wire: ApplicationWire<'_>,
    (cluster, kind): (&Cluster, &GroupKind),
    mut reader: Reader<'_>,
) -> Application {
    let reader_ref = &mut reader;
    let meta = Meta::read(wire.metadata, reader_ref);
    let spec = reader_ref.take(wire.spec, "spec").unwrap_or_default();
    let status = reader_ref.take(wire.status, "status").unwrap_or_default();
    let requested = reader_ref.take(wire.operation, "operation").is_some();
    let object = object_ref(cluster, kind, &meta.namespace, &meta.name);
    let verdict = Verdict::read(status, requested, reader_ref);
    let verdict_outdated = verdict
        .compared_to
        .as_ref()
        .is_some_and(|compared| differs(&spec, compared));
    let spec = Spec::read(spec, reader_ref);
    let revisions = if spec.multi_source && !verdict.revisions.is_empty() {
        verdict.revisions
    } else {
        verdict.revision.into_iter().collect()
    };
    let rollouts = rollouts_of(&object, verdict.resources.rollouts);
    let findings = about(reader.into_findings(), &object);
    Application {
        object,
        uid: meta.uid,
        resource_version: meta.resource_version,
        created: meta.created,
        deleting: meta.deleting,
        labels: meta.labels,
        project: spec.project,
        sources: spec.sources,
        multi_source: spec.multi_source,
        destination: spec.destination,
        auto_sync: spec.auto_sync,
        sync: verdict.sync,
        revisions,
        health: verdict.health,
        health_message: verdict.health_message,
        resources: verdict.resources.total,
        out_of_sync: verdict.resources.out_of_sync,
        operation: verdict.operation,
        conditions: verdict.conditions,
        reconciled_at: verdict.reconciled_at,
        refresh_pending: meta.refresh,
        verdict_outdated,
        skip_reconcile: meta.skip_reconcile,
        owner_set: meta.owner_set,
        parent: meta.parent,
        images: verdict.images,
        rollouts,
        findings,
    }
}

struct Meta {
    name: Text,
    namespace: Text,
    uid: Uid,
    resource_version: ResourceVersion,
    created: Option<DateTime<Utc>>,
    deleting: Option<Deletion>,
    labels: Vec<(Text, Text)>,
    refresh: Option<Refresh>,
    skip_reconcile: bool,
    owner_set: Option<Text>,
    parent: Option<Text>,
}

impl Meta {
    fn read(field: Field<MetaWire<'_>>, reader: &mut Reader<'_>) -> Self {
        let wire = reader.take(field, "metadata").unwrap_or_default();
        let name = reader.own(wire.name, "metadata.name");
        let namespace = reader.shared(wire.namespace, "metadata.namespace");
        let since = reader.take(wire.deletion_timestamp, "metadata.deletionTimestamp");
        let finalizers = reader.shared_list(wire.finalizers, "metadata.finalizers");
        let labels = labels_of(wire.labels, reader);
        let annotations = reader.take(wire.annotations, "metadata.annotations");
        let notes = annotations.unwrap_or_default();
        let refresh = refresh_of(&notes);
        let skip = reader.take(notes.skip_reconcile, "metadata.annotations.skip-reconcile");
        let tracking = reader.take(notes.tracking_id, "metadata.annotations.tracking-id");
        let parent = tracking
            .and_then(|id| tracked_by(&id, &namespace, &name).map(Text::from))
            .or_else(|| instance_label(&labels, &name));
        Self {
            uid: Uid(reader.own(wire.uid, "metadata.uid")),
            resource_version: ResourceVersion(
                reader.own(wire.resource_version, "metadata.resourceVersion"),
            ),
            created: reader.take(wire.creation_timestamp, "metadata.creationTimestamp"),
            deleting: since.map(|since| Deletion { since, finalizers }),
            owner_set: owner_set(wire.owner_references, reader),
            skip_reconcile: skip.is_some_and(|skip| skip == "true"),
            name,
            namespace,
            labels,
            refresh,
            parent,
        }
    }
}

fn labels_of(
    field: Field<crate::api::field::Members<'_>>,
    reader: &mut Reader<'_>,
) -> Vec<(Text, Text)> {
    let members = reader.take(field, "metadata.labels").unwrap_or_default().0;
    let mut labels = Vec::with_capacity(members.len());
    for (key, value) in members {
        let value = reader.shared(value, "metadata.labels");
        labels.push((reader.interner.shared(&key), value));
    }
    labels.sort_unstable();
    labels
}

fn refresh_of(notes: &AnnotationsWire<'_>) -> Option<Refresh> {
    let word = notes.refresh.as_ref()?;
    Some(if word == "hard" {
        Refresh::Hard
    } else {
        Refresh::Normal
    })
}

/// Returns the Application that a tracking id names, when the id is for this very object; a
/// copied one is ignored, as Argo CD does (`controller/state.go`).
fn tracked_by<'a>(id: &'a str, namespace: &str, name: &str) -> Option<&'a str> {
    let mut parts = id.splitn(3, ':');
    let (instance, kind, object) = (parts.next()?, parts.next()?, parts.next()?);
    let (group, kind) = kind.split_once('/')?;
    let (tracked_namespace, tracked_name) = object.split_once('/')?;
    let ours = group == "argoproj.io"
        && kind == "Application"
        && tracked_namespace == namespace
        && tracked_name == name;
    ours.then_some(instance).filter(|parent| !parent.is_empty())
}

fn instance_label(labels: &[(Text, Text)], own_name: &Text) -> Option<Text> {
    let label = labels
        .iter()
        .find(|(key, _)| &**key == "argocd.argoproj.io/instance")?;
    (label.1 != *own_name).then(|| Text::clone(&label.1))
}

fn owner_set(field: Field<Vec<Field<OwnerWire<'_>>>>, reader: &mut Reader<'_>) -> Option<Text> {
    let owners = reader.take(field, "metadata.ownerReferences")?;
    for owner in owners {
        let owner = reader.take(owner, "metadata.ownerReferences")?;
        let kind = reader.take(owner.kind, "metadata.ownerReferences.kind");
        if kind.as_deref() == Some("ApplicationSet") {
            return Some(reader.shared(owner.name, "metadata.ownerReferences.name"));
        }
    }
    None
}

struct Verdict<'a> {
    sync: SyncStatus,
    revision: Option<Text>,
    revisions: Vec<Text>,
    compared_to: Option<ComparedToWire<'a>>,
    health: Health,
    health_message: Option<Text>,
    operation: crate::domain::application::OperationView,
    conditions: Vec<Condition>,
    reconciled_at: Option<DateTime<Utc>>,
    images: Vec<Text>,
    resources: ResourceCount,
}

impl<'a> Verdict<'a> {
    fn read(status: StatusWire<'a>, requested: bool, reader: &mut Reader<'_>) -> Self {
        let sync: SyncWire<'a> = reader.take(status.sync, "status.sync").unwrap_or_default();
        let sync_word = reader.take(sync.status, "status.sync.status");
        let revision = reader.take(sync.revision, "status.sync.revision");
        let health = reader
            .take(status.health, "status.health")
            .unwrap_or_default();
        let health_word = reader.take(health.status, "status.health.status");
        let message = reader.take(health.message, "status.health.message");
        let state = reader.take(status.operation_state, "status.operationState");
        let summary = reader
            .take(status.summary, "status.summary")
            .unwrap_or_default();
        Self {
            sync: SyncStatus::from_word(&sync_word.unwrap_or_default()),
            revision: revision
                .filter(|revision| !revision.is_empty())
                .map(|revision| reader.interner.shared(&revision)),
            revisions: reader.shared_list(sync.revisions, "status.sync.revisions"),
            compared_to: reader.take(sync.compared_to, "status.sync.comparedTo"),
            health: Health::from_word(&health_word.unwrap_or_default()),
            health_message: message
                .filter(|message| !message.is_empty())
                .map(|message| Text::from(&*message)),
            operation: operation_view(requested, state, reader),
            conditions: conditions_of(status.conditions, reader),
            reconciled_at: reader.take(status.reconciled_at, "status.reconciledAt"),
            images: reader.shared_list(summary.images, "status.summary.images"),
            resources: reader
                .take(status.resources, "status.resources")
                .unwrap_or_default(),
        }
    }
}

/// Names the Rollouts among the managed objects; they live in the cluster we are connected to, or
/// their rows are not found.
fn rollouts_of(application: &ObjectRef, named: Vec<(Text, Text)>) -> Vec<ObjectRef> {
    let kind = super::rollout::rollout_kind();
    let named = named.into_iter();
    named
        .map(|(namespace, name)| object_ref(&application.cluster, &kind, &namespace, &name))
        .collect()
}

fn conditions_of(
    field: Field<Vec<Field<ConditionWire<'_>>>>,
    reader: &mut Reader<'_>,
) -> Vec<Condition> {
    let items = reader.take(field, "status.conditions").unwrap_or_default();
    let mut conditions = Vec::with_capacity(items.len());
    for item in items {
        let Some(item) = reader.take(item, "status.conditions") else {
            continue;
        };
        conditions.push(Condition {
            kind: reader.shared(item.kind, "status.conditions.type"),
            message: reader.own(item.message, "status.conditions.message"),
            since: reader.take(
                item.last_transition_time,
                "status.conditions.lastTransitionTime",
            ),
        });
    }
    conditions
}

#[cfg(test)]
mod tests;
