//! Where a kind is served: its version, plural and paths.

use super::transport::segment;
use crate::domain::kind::{KindInfo, info_of};
use crate::domain::object::{GroupKind, ObjectRef, Text};
use std::fmt::Write;

/// A kind as one server serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) kind: GroupKind,
    pub(super) version: Text,
    pub(super) plural: Text,
    pub(super) namespaced: bool,
}

impl From<&KindInfo> for Resource {
    fn from(info: &KindInfo) -> Self {
        Self {
            kind: info.group_kind(),
            version: info.version.into(),
            plural: info.plural.into(),
            namespaced: info.namespaced,
        }
    }
}

impl Resource {
    /// Returns a kind of our table without asking the server.
    pub(super) fn known(kind: &GroupKind) -> Option<Self> {
        info_of(kind).map(Self::from)
    }

    /// Returns the path of the collection, in one namespace or in all.
    pub(super) fn collection(&self, namespace: Option<&str>) -> String {
        let mut path = if self.kind.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.kind.group, self.version)
        };
        if let Some(namespace) = namespace.filter(|_| self.namespaced) {
            let written = write!(path, "/namespaces/{}", segment(namespace));
            debug_assert!(written.is_ok(), "writing to a string works");
        }
        path.push('/');
        path.push_str(&self.plural);
        path
    }

    /// Returns the path of one object.
    pub(super) fn object(&self, object: &ObjectRef) -> String {
        let collection = self.collection(object.namespace.as_deref());
        format!("{collection}/{}", segment(&object.name))
    }

    /// Returns `apps/v1`, or `v1` for the core group.
    pub(super) fn api_version(&self) -> String {
        if self.kind.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.kind.group, self.version)
        }
    }

    /// Returns `applications.argoproj.io`, as forbidden messages and CRD names have it.
    pub(super) fn full_name(&self) -> String {
        if self.kind.group.is_empty() {
            self.plural.to_string()
        } else {
            format!("{}.{}", self.plural, self.kind.group)
        }
    }
}
