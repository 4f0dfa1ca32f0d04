//! Rows of a kind that are made from the whole object.

use super::projection::{Projection, Seen};
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text, Uid};
use serde_json::Value;
use serde_json::value::RawValue;

/// Makes a row of an object.
type Read<R> = Box<dyn Fn(&Value, &Cluster) -> R + Send + Sync>;

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
        Seen {
            object: ObjectRef {
                cluster: self.cluster.clone(),
                kind: self.kind.clone(),
                namespace: (!namespace.is_empty()).then_some(namespace),
                name: meta("name"),
            },
            uid: Uid(meta("uid")),
            version: meta("resourceVersion"),
            row: (self.read)(&value, &self.cluster),
        }
    }
}
