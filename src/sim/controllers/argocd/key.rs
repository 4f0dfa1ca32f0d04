//! Identity of an object inside the destination cluster, and the few metadata reads all rules use.

use super::json;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Group, kind, namespace (empty for cluster-scoped kinds) and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub group: Arc<str>,
    pub kind: Arc<str>,
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

impl Key {
    /// Builds a key from its parts.
    pub fn new(group: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Reads the key of an object.
    pub fn of(object: &Value) -> Self {
        Self::new(
            group_of(object),
            kind_of(object),
            json::text(object, &["metadata", "namespace"]),
            name_of(object),
        )
    }

    /// Returns whether this is the given group and kind.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        &*self.group == group && &*self.kind == kind
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.group, self.kind, self.namespace, self.name
        )
    }
}

/// Returns the group of `apiVersion`; empty for the core group.
pub fn group_of(object: &Value) -> &str {
    json::text(object, &["apiVersion"])
        .split_once('/')
        .map_or("", |(group, _)| group)
}

/// Returns the version of `apiVersion`.
pub fn version_of(object: &Value) -> &str {
    let whole = json::text(object, &["apiVersion"]);
    whole.split_once('/').map_or(whole, |(_, version)| version)
}

/// Returns the kind.
pub fn kind_of(object: &Value) -> &str {
    json::text(object, &["kind"])
}

/// Returns the name.
pub fn name_of(object: &Value) -> &str {
    json::text(object, &["metadata", "name"])
}

/// Returns an annotation, or the empty string.
pub fn annotation<'a>(object: &'a Value, name: &str) -> &'a str {
    json::text(object, &["metadata", "annotations", name])
}

/// Returns whether a comma-separated annotation holds an entry such as `Prune=false`.
pub fn annotation_has(object: &Value, name: &str, entry: &str) -> bool {
    annotation(object, name)
        .split(',')
        .any(|one| one.trim().eq_ignore_ascii_case(entry))
}

/// Returns whether the object is being deleted.
pub fn is_deleting(object: &Value) -> bool {
    json::at(object, &["metadata", "deletionTimestamp"]).is_some_and(|stamp| !stamp.is_null())
}

/// Returns whether this is a `CustomResourceDefinition`.
pub fn is_crd(object: &Value) -> bool {
    kind_of(object) == "CustomResourceDefinition" && group_of(object) == "apiextensions.k8s.io"
}
