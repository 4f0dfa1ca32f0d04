//! The kinds that the server serves: built in, and registered by custom resource definitions.
//!
//! A [`Kind`] is one served version of a resource. Versions of one resource share their objects,
//! which lie on the shelf named by [`Kind::resource`]. The table is replaced as a whole when a
//! definition changes, so a request sees one consistent table.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Where a custom resource keeps what the scale subresource shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// Such as `.spec.replicas`.
    pub spec: String,
    /// Such as `.status.replicas`.
    pub status: String,
    /// Such as `.status.selector`.
    pub selector: Option<String>,
}

/// A printer column of a custom resource definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrinterColumn {
    pub name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub kind: String,
    pub format: String,
    pub description: String,
    pub priority: i64,
    /// A JSONPath without braces, such as `.status.phase`.
    pub json_path: String,
}

/// One served version of a resource.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Empty for the core group.
    pub group: String,
    pub version: String,
    pub kind: String,
    pub list_kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// Whether `status` is a subresource of its own.
    pub status: bool,
    pub scale: Option<ScalePaths>,
    /// Further subresources (`log`, `eviction`), with the kind they answer with.
    pub subresources: Vec<(&'static str, &'static str)>,
    /// Whether a custom resource definition brought it.
    pub custom: bool,
    /// Whether the version objects are written in is this one.
    pub storage: bool,
    pub columns: Vec<PrinterColumn>,
    /// Fields beyond name and namespace that a field selector may name.
    pub selectable: Vec<String>,
    /// A sentence shown as a warning on each use.
    pub deprecation: Option<String>,
    /// Whether only `create` is served and nothing is kept (access reviews).
    pub create_only: bool,
}

impl Kind {
    /// Returns `plural.group`, or the plural for the core group; also the shelf's name.
    pub fn resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Names the shelf that its objects lie on; both groups of events share one.
    pub fn shelf(&self) -> String {
        if !self.custom && self.kind == "Event" {
            return self.plural.clone();
        }
        self.resource()
    }

    /// Returns `Kind.group`, or the kind for the core group.
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.clone()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }

    /// Returns the `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Says whether this is the kind `kind` of the group `group`.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// Says whether objects carry `metadata.generation`.
    pub fn has_generation(&self) -> bool {
        const COUNTED: [&str; 15] = [
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
            "DaemonSet",
            "Job",
            "CronJob",
            "Pod",
            "ReplicationController",
            "Ingress",
            "NetworkPolicy",
            "PodDisruptionBudget",
            "PriorityClass",
            "CustomResourceDefinition",
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        ];
        self.custom || COUNTED.contains(&self.kind.as_str())
    }

    /// The verbs that discovery shows.
    pub fn verbs(&self) -> Vec<&'static str> {
        if self.create_only {
            return vec!["create"];
        }
        vec![
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ]
    }
}

/// All kinds served at one moment.
#[derive(Clone, Debug, Default)]
pub struct KindTable {
    /// By group, version and plural.
    kinds: BTreeMap<(String, String, String), Arc<Kind>>,
}

impl KindTable {
    /// Finds the kind at a path.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        let key = (group.to_owned(), version.to_owned(), plural.to_owned());
        self.kinds.get(&key).map(Arc::clone)
    }

    /// Finds a kind by the `apiVersion` and `kind` of an object.
    pub fn by_object(&self, api_version: &str, kind: &str) -> Option<Arc<Kind>> {
        self.kinds
            .values()
            .find(|one| one.kind == kind && one.api_version() == api_version)
            .map(Arc::clone)
    }

    /// Finds a kind in a group, in its storage version.
    pub fn by_kind(&self, group: &str, kind: &str) -> Option<Arc<Kind>> {
        self.kinds
            .values()
            .find(|one| one.is(group, kind) && one.storage)
            .map(Arc::clone)
    }

    /// Lists all kinds, sorted by group, version and plural.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.values()
    }

    /// Lists the groups with their versions, the preferred version first.
    pub fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (group, version, _) in self.kinds.keys() {
            let versions = groups.entry(group.clone()).or_default();
            if !versions.contains(version) {
                versions.push(version.clone());
            }
        }
        for versions in groups.values_mut() {
            versions.sort_by_key(|version| std::cmp::Reverse(version_rank(version)));
        }
        groups.into_iter().collect()
    }

    /// Lists the kinds of a group and version.
    pub fn in_version(&self, group: &str, version: &str) -> Vec<Arc<Kind>> {
        self.all()
            .filter(|kind| kind.group == group && kind.version == version)
            .map(Arc::clone)
            .collect()
    }

    fn insert(&mut self, kind: Kind) {
        let key = (
            kind.group.clone(),
            kind.version.clone(),
            kind.plural.clone(),
        );
        self.kinds.insert(key, Arc::new(kind));
    }

    fn remove(&mut self, group: &str, plural: &str) {
        self.kinds
            .retain(|key, _| !(key.0 == group && key.2 == plural));
    }
}

/// Orders versions as Kubernetes does: GA over beta over alpha, then by number.
fn version_rank(version: &str) -> (u8, u32, u32) {
    let Some(rest) = version.strip_prefix('v') else {
        return (0, 0, 0);
    };
    let major: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let number = major.parse().unwrap_or(0);
    let tail = rest.strip_prefix(major.as_str()).unwrap_or_default();
    if tail.is_empty() {
        return (3, number, 0);
    }
    if let Some(minor) = tail.strip_prefix("beta") {
        return (2, number, minor.parse().unwrap_or(0));
    }
    if let Some(minor) = tail.strip_prefix("alpha") {
        return (1, number, minor.parse().unwrap_or(0));
    }
    (0, number, 0)
}

/// The present table, shared by all requests.
#[derive(Debug)]
pub struct Registry(RwLock<Arc<KindTable>>);

impl Registry {
    /// Starts with the given kinds.
    pub fn new(kinds: Vec<Kind>) -> Self {
        let mut table = KindTable::default();
        for kind in kinds {
            table.insert(kind);
        }
        Self(RwLock::new(Arc::new(table)))
    }

    /// Returns the present table.
    pub fn table(&self) -> Arc<KindTable> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts all versions of one resource in the place of its former ones.
    pub fn replace(&self, group: &str, plural: &str, kinds: Vec<Kind>) {
        let mut guard = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut table = (**guard).clone();
        table.remove(group, plural);
        for kind in kinds {
            table.insert(kind);
        }
        *guard = Arc::new(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rank_stable_over_beta_over_alpha() {
        let mut versions = vec!["v1alpha1", "v2", "v1beta2", "v1", "v10", "v2beta1"];

        versions.sort_by_key(|version| std::cmp::Reverse(version_rank(version)));

        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v2beta1", "v1beta2", "v1alpha1"]
        );
    }
}
