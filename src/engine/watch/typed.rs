//! Rows of a kind that are made from the whole object.

use super::projection::{Projection, Seen};
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text, Uid};
use serde_json::Value;
use serde_json::value::RawValue;

/// Makes a row of an object.
type Read<R> = Box<dyn Fn(Value, &Cluster) -> R + Send + Sync>;

/// Reads every object as a whole and makes a row of it.
pub(in crate::engine) struct Typed<R> {
    cluster: Cluster,
    kind: GroupKind,
    read: Read<R>,
}

impl<R> Typed<R> {
    pub(in crate::engine) fn new(
        cluster: Cluster,
        kind: GroupKind,
        read: impl Fn(&Value, &Cluster) -> R + Send + Sync + 'static,
    ) -> Self {
        Self::owned(cluster, kind, move |value, cluster| read(&value, cluster))
    }

    /// For rows that keep the object: copying a large one takes longer than reading it.
    pub(in crate::engine) fn owned(
        cluster: Cluster,
        kind: GroupKind,
        read: impl Fn(Value, &Cluster) -> R + Send + Sync + 'static,
    ) -> Self {
        Self {
            cluster,
            kind,
            read: Box::new(read),
        }
    }
}

impl<R: Send + Sync + 'static> Projection for Typed<R> {
    type Row = R;

    fn object(&mut self, object: &RawValue) -> Seen<R> {
        let value: Value = serde_json::from_str(object.get()).unwrap_or_default();
        let meta = |field: &str| {
            let text = value
                .get("metadata")
                .and_then(|meta| meta.get(field)?.as_str());
            Text::from(text.unwrap_or_default())
        };
        let namespace = meta("namespace");
        let (name, uid, version) = (meta("name"), meta("uid"), meta("resourceVersion"));
        Seen {
            object: ObjectRef {
                cluster: self.cluster.clone(),
                kind: self.kind.clone(),
                namespace: (!namespace.is_empty()).then_some(namespace),
                name,
            },
            uid: Uid(uid),
            version,
            row: (self.read)(value, &self.cluster),
        }
    }
}
