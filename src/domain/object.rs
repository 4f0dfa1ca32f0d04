//! Identity: which object, in which cluster, of which kind.
//!
//! Two Applications with one name in different namespaces (or clusters) are different objects,
//! so nothing in the program is keyed by a bare name. A name may be used again after a delete;
//! [`Uid`] tells the old object from the new one.

use std::fmt;
use std::sync::Arc;

/// A cheaply cloned, immutable string.
pub type Text = Arc<str>;

/// The cluster an object lives in: the kubeconfig context's name, or `demo`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cluster(pub Text);

/// A resource type without its version: identity does not change when an API is promoted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// API group; empty for the core group.
    pub group: Text,
    /// Kind in camel case, such as `Deployment`.
    pub kind: Text,
}

impl GroupKind {
    /// Builds a kind from its group and name.
    pub fn new(group: impl Into<Text>, kind: impl Into<Text>) -> Self {
        Self {
            group: group.into(),
            kind: kind.into(),
        }
    }

    /// Returns whether this is the given group and kind.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        &*self.group == group && &*self.kind == kind
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.kind)
        } else {
            write!(f, "{}.{}", self.kind, self.group)
        }
    }
}

/// Names one object: cluster, kind, namespace (none for cluster-scoped kinds) and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    pub cluster: Cluster,
    pub kind: GroupKind,
    pub namespace: Option<Text>,
    pub name: Text,
}

impl ObjectRef {
    /// Returns `namespace/name`, or the bare name of a cluster-scoped object.
    pub fn path(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.to_string(),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path())
    }
}

/// The server's identity of one life of an object; a new object of the same name has another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(pub Text);

/// An opaque version from the server; only equality has a meaning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceVersion(pub Text);
