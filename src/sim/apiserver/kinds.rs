//! The kinds that the server serves: built in, and registered by custom resource definitions.
//!
//! A [`Kind`] is one served version of a resource. Versions of one resource share their objects,
//! which lie on the shelf named by [`Kind::resource`]. The table is replaced as a whole when a
//! definition changes, so a request sees one consistent table.

use super::crd::{CrdColumn, KindFromCrd};
use super::openapi::{DocKind, DocSchema};
use super::schema::{CoreType, Schema};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Where a custom resource keeps what the scale subresource shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScalePaths {
    /// Such as `.spec.replicas`.
    pub(super) spec: String,
    /// Such as `.status.replicas`.
    pub(super) status: String,
    /// Such as `.status.selector`.
    pub(super) selector: Option<String>,
}

/// A subresource and what it answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subresource {
    pub(super) name: String,
    /// Group, version and kind, where not those of the resource.
    pub(super) answers: Option<(String, String, String)>,
    pub(super) verbs: Vec<String>,
}

/// Where the schema of a kind was written.
#[derive(Clone, Debug)]
pub(super) enum Definition {
    /// The upstream name of a built-in type.
    Core(String),
    /// The OpenAPI schema of a custom resource definition.
    Custom(Arc<Value>),
}

/// One served version of a resource.
#[allow(
    clippy::struct_field_names,
    reason = "kind and listKind are the wire's words"
)]
#[derive(Clone, Debug)]
pub(super) struct Kind {
    /// Empty for the core group.
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) list_kind: String,
    pub(super) plural: String,
    pub(super) singular: String,
    pub(super) short_names: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) namespaced: bool,
    /// Whether `status` is a subresource of its own.
    pub(super) status: bool,
    pub(super) scale: Option<ScalePaths>,
    /// All subresources, `status` and `scale` among them.
    pub(super) subresources: Vec<Subresource>,
    pub(super) verbs: Vec<String>,
    /// Whether a custom resource definition brought it.
    pub(super) custom: bool,
    /// Whether the version objects are written in is this one.
    pub(super) storage: bool,
    pub(super) schema: Schema,
    pub(super) definition: Definition,
    /// The printer columns of a custom resource definition.
    pub(super) columns: Vec<CrdColumn>,
    /// Fields beyond name and namespace that a field selector may name.
    pub(super) selectable: Vec<String>,
    /// A sentence shown as a warning on each use.
    pub(super) deprecation: Option<String>,
    /// Whether only `create` is served and nothing is kept (access reviews).
    pub(super) create_only: bool,
}

impl Kind {
    /// Returns `plural.group`, or the plural for the core group; also the shelf's name.
    pub(super) fn resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Names the shelf that its objects lie on; both groups of events share one.
    pub(super) fn shelf(&self) -> String {
        if !self.custom && self.kind == "Event" {
            return self.plural.clone();
        }
        self.resource()
    }

    /// Returns `Kind.group`, or the kind for the core group.
    pub(super) fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.clone()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }

    /// Returns the `apiVersion` of its objects.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Says whether this is the kind `kind` of the group `group`.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// Says whether objects carry `metadata.generation`.
    pub(super) fn has_generation(&self) -> bool {
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

    /// Reads a built-in kind.
    pub(super) fn of_core(core: &CoreType) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let subresources: Vec<Subresource> = core
            .subresources
            .iter()
            .map(|one| Subresource {
                name: one.name.to_owned(),
                answers: one
                    .kind
                    .map(|(group, version, kind)| (group.into(), version.into(), kind.into())),
                verbs: owned(one.verbs),
            })
            .collect();
        let has = |name: &str| subresources.iter().any(|one| one.name == name);
        Self {
            group: core.group.to_owned(),
            version: core.version.to_owned(),
            kind: core.kind.to_owned(),
            list_kind: format!("{}List", core.kind),
            plural: core.plural.to_owned(),
            singular: core.singular.to_owned(),
            short_names: owned(core.short_names),
            categories: owned(core.categories),
            namespaced: core.namespaced,
            status: has("status"),
            scale: has("scale").then(|| ScalePaths {
                spec: ".spec.replicas".to_owned(),
                status: ".status.replicas".to_owned(),
                selector: None,
            }),
            subresources,
            verbs: owned(core.verbs),
            custom: false,
            storage: !(core.group == "autoscaling" && core.version == "v1")
                && core.group != "events.k8s.io",
            schema: core.schema(),
            definition: Definition::Core(core.definition().to_owned()),
            columns: Vec::new(),
            selectable: super::builtin::selectable(core.kind),
            deprecation: super::builtin::deprecation(core.kind),
            create_only: core.create_only(),
        }
    }

    /// Reads a kind that a custom resource definition brings.
    pub(super) fn of_definition(custom: KindFromCrd) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let change = || owned(&["get", "patch", "update"]);
        let mut subresources = Vec::new();
        if custom.status {
            subresources.push(Subresource {
                name: "status".to_owned(),
                answers: None,
                verbs: change(),
            });
        }
        if custom.scale.is_some() {
            subresources.push(Subresource {
                name: "scale".to_owned(),
                answers: Some(("autoscaling".into(), "v1".into(), "Scale".into())),
                verbs: change(),
            });
        }
        Self {
            group: custom.group,
            version: custom.version,
            kind: custom.kind,
            list_kind: custom.list_kind,
            plural: custom.plural,
            singular: custom.singular,
            short_names: custom.short_names,
            categories: custom.categories,
            namespaced: custom.namespaced,
            status: custom.status,
            scale: custom.scale.map(|scale| ScalePaths {
                spec: scale.spec,
                status: scale.status,
                selector: scale.selector,
            }),
            subresources,
            verbs: owned(&[
                "create",
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "update",
                "watch",
            ]),
            custom: true,
            storage: custom.storage,
            schema: custom.schema,
            definition: Definition::Custom(Arc::new(custom.open_api)),
            columns: custom.columns,
            selectable: custom.selectable_fields,
            deprecation: custom.deprecation,
            create_only: false,
        }
    }

    /// Shows the kind to the OpenAPI documents.
    pub(super) fn documented(&self) -> DocKind<'_> {
        DocKind {
            group: &self.group,
            version: &self.version,
            kind: &self.kind,
            plural: &self.plural,
            namespaced: self.namespaced,
            create_only: self.create_only,
            status: self.status,
            scale: self.scale.is_some(),
            schema: match &self.definition {
                Definition::Core(name) => DocSchema::Core(name),
                Definition::Custom(schema) => DocSchema::Custom(schema),
            },
        }
    }
}

/// All kinds served at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct KindTable {
    /// By group, version and plural.
    kinds: BTreeMap<(String, String, String), Arc<Kind>>,
}

impl KindTable {
    /// Finds the kind at a path.
    pub(super) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        let key = (group.to_owned(), version.to_owned(), plural.to_owned());
        self.kinds.get(&key).map(Arc::clone)
    }

    /// Finds a kind by the `apiVersion` and `kind` of an object.
    pub(super) fn by_object(&self, api_version: &str, kind: &str) -> Option<Arc<Kind>> {
        self.kinds
            .values()
            .find(|one| one.kind == kind && one.api_version() == api_version)
            .map(Arc::clone)
    }

    /// Finds a kind in a group, in its storage version.
    pub(super) fn by_kind(&self, group: &str, kind: &str) -> Option<Arc<Kind>> {
        self.kinds
            .values()
            .find(|one| one.is(group, kind) && one.storage)
            .map(Arc::clone)
    }

    /// Lists all kinds, sorted by group, version and plural.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.values()
    }

    /// Lists the groups with their versions, the preferred version first.
    pub(super) fn groups(&self) -> Vec<(String, Vec<String>)> {
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
    pub(super) fn in_version(&self, group: &str, version: &str) -> Vec<Arc<Kind>> {
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
pub(super) struct Registry(RwLock<Arc<KindTable>>);

impl Registry {
    /// Starts with the given kinds.
    pub(super) fn new(kinds: Vec<Kind>) -> Self {
        let mut table = KindTable::default();
        for kind in kinds {
            table.insert(kind);
        }
        Self(RwLock::new(Arc::new(table)))
    }

    /// Returns the present table.
    pub(super) fn table(&self) -> Arc<KindTable> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts all versions of one resource in the place of its former ones.
    pub(super) fn replace(&self, group: &str, plural: &str, kinds: Vec<Kind>) {
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
