//! Reads values out of JSON whose types nobody promised, and remembers what was wrong.
//!
//! For objects that are few enough to be read as a whole; Applications have a slimmer reader.

use super::object_ref;
use crate::domain::application::Deletion;
use crate::domain::finding::{Finding, Severity};
use crate::domain::object::{Cluster, GroupKind, ObjectRef, ResourceVersion, Text, Uid};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// How many unreadable fields of one object are told one by one.
const TOLD: usize = 8;

/// A reader over one object.
#[derive(Debug, Default)]
pub(super) struct Loose {
    wrong: Vec<String>,
}

/// Walks to a value; `null` is nothing.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    let found = path.iter().try_fold(value, |value, name| value.get(name))?;
    (!found.is_null()).then_some(found)
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Loose {
    pub(super) fn note(&mut self, path: &[&str], value: &Value, expected: &str) {
        let path = path.join(".");
        self.wrong.push(format!(
            "`{path}` is {}; {expected} was expected",
            shape(value)
        ));
    }

    fn read<'v, T>(
        &mut self,
        value: &'v Value,
        path: &[&str],
        expected: &str,
        read: impl Fn(&'v Value) -> Option<T>,
    ) -> Option<T> {
        let found = at(value, path)?;
        let read = read(found);
        if read.is_none() {
            self.note(path, found, expected);
        }
        read
    }

    pub(super) fn str<'v>(&mut self, value: &'v Value, path: &[&str]) -> &'v str {
        self.read(value, path, "text", Value::as_str)
            .unwrap_or_default()
    }

    pub(super) fn text(&mut self, value: &Value, path: &[&str]) -> Text {
        self.str(value, path).into()
    }

    pub(super) fn integer(&mut self, value: &Value, path: &[&str]) -> Option<i64> {
        self.read(value, path, "a whole number", Value::as_i64)
    }

    pub(super) fn count(&mut self, value: &Value, path: &[&str]) -> Option<u32> {
        self.read(value, path, "a whole number from 0 up", |value| {
            u32::try_from(value.as_u64()?).ok()
        })
    }

    pub(super) fn flag(&mut self, value: &Value, path: &[&str]) -> Option<bool> {
        self.read(value, path, "a boolean", Value::as_bool)
    }

    pub(super) fn time(&mut self, value: &Value, path: &[&str]) -> Option<DateTime<Utc>> {
        self.read(
            value,
            path,
            "a time such as 2026-01-31T12:00:00Z",
            |value| {
                let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
                Some(time.with_timezone(&Utc))
            },
        )
    }

    pub(super) fn list<'v>(&mut self, value: &'v Value, path: &[&str]) -> &'v [Value] {
        self.read(value, path, "a list", Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// Returns texts by name, sorted: labels.
    pub(super) fn pairs(&mut self, value: &Value, path: &[&str]) -> Vec<(Text, Text)> {
        let members = self.read(value, path, "an object", Value::as_object);
        let mut pairs: Vec<(Text, Text)> = members
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.as_str().into(), value.as_str()?.into())))
            .collect();
        pairs.sort();
        pairs
    }

    /// Turns what was wrong into findings about the object.
    pub(super) fn findings(self, object: &ObjectRef) -> Vec<Finding> {
        let untold = self.wrong.len().saturating_sub(TOLD);
        let more = (untold > 0).then(|| format!("{untold} more fields could not be read"));
        let told = self.wrong.into_iter().take(TOLD).chain(more);
        told.map(|sentence| {
            Finding::new(Severity::Warning, sentence)
                .about(object.clone())
                .with_hint("look at the object's YAML and correct the field")
        })
        .collect()
    }
}

/// `metadata`, settled.
#[derive(Debug)]
pub(super) struct Meta {
    pub(super) object: ObjectRef,
    pub(super) uid: Uid,
    pub(super) resource_version: ResourceVersion,
    pub(super) created: Option<DateTime<Utc>>,
    pub(super) deleting: Option<Deletion>,
    pub(super) labels: Vec<(Text, Text)>,
}

impl Meta {
    pub(super) fn read(
        value: &Value,
        cluster: &Cluster,
        kind: &GroupKind,
        loose: &mut Loose,
    ) -> Self {
        let name = loose.text(value, &["metadata", "name"]);
        let namespace = loose.text(value, &["metadata", "namespace"]);
        let since = loose.time(value, &["metadata", "deletionTimestamp"]);
        let finalizers = loose.list(value, &["metadata", "finalizers"]).iter();
        let finalizers = finalizers.filter_map(Value::as_str).map(Text::from);
        Self {
            object: object_ref(cluster, kind, &namespace, &name),
            uid: Uid(loose.text(value, &["metadata", "uid"])),
            resource_version: ResourceVersion(loose.text(value, &["metadata", "resourceVersion"])),
            created: loose.time(value, &["metadata", "creationTimestamp"]),
            deleting: since.map(|since| Deletion {
                since,
                finalizers: finalizers.collect(),
            }),
            labels: loose.pairs(value, &["metadata", "labels"]),
        }
    }

    pub(super) fn label(&self, name: &str) -> &str {
        let found = self.labels.iter().find(|(known, _)| &**known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Returns an annotation; empty when it is not there.
pub(super) fn annotation<'v>(value: &'v Value, name: &str) -> &'v str {
    at(value, &["metadata", "annotations", name])
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Returns the owner that controls an object, else the first owner.
pub(super) fn owner(value: &Value, cluster: &Cluster, namespace: Option<&Text>) -> Option<Owner> {
    let owners = at(value, &["metadata", "ownerReferences"])?.as_array()?;
    let controls = |one: &&Value| one.get("controller").and_then(Value::as_bool) == Some(true);
    let owner = owners.iter().find(controls).or_else(|| owners.first())?;
    let text = |name: &str| owner.get(name).and_then(Value::as_str).unwrap_or_default();
    let group = text("apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group);
    Some(Owner {
        object: ObjectRef {
            cluster: cluster.clone(),
            kind: GroupKind::new(group, text("kind")),
            namespace: namespace.cloned(),
            name: text("name").into(),
        },
        uid: Uid(text("uid").into()),
    })
}

/// Who an object belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) object: ObjectRef,
    pub(super) uid: Uid,
}
