//! Sets of paths, as managed fields keep them: a tree in which each place may be a member itself.

use super::element::{Element, Path};
use crate::sim::apiserver::schema::node::Node;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A set of paths. No branch is without a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet(BTreeMap<Element, Branch>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Branch {
    member: bool,
    below: FieldSet,
}

impl Branch {
    fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl FieldSet {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, path: &[Element]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let branch = self.0.entry(first.clone()).or_default();
        if rest.is_empty() {
            branch.member = true;
        } else {
            branch.below.insert(rest);
        }
    }

    pub(super) fn contains(&self, path: &[Element]) -> bool {
        let Some((first, rest)) = path.split_first() else {
            return false;
        };
        self.0.get(first).is_some_and(|branch| {
            if rest.is_empty() {
                branch.member
            } else {
                branch.below.contains(rest)
            }
        })
    }

    /// Says whether the place one step below is a member.
    pub(super) fn has(&self, element: &Element) -> bool {
        self.0.get(element).is_some_and(|branch| branch.member)
    }

    /// Returns the members below a place.
    pub(super) fn below(&self, element: &Element) -> Option<&Self> {
        let below = &self.0.get(element)?.below;
        (!below.is_empty()).then_some(below)
    }

    fn combine(&self, other: &Self, keep: impl Fn(bool, bool) -> bool + Copy) -> Self {
        let nothing = Branch::default();
        let names = self.0.keys().chain(other.0.keys());
        let mut combined = BTreeMap::new();
        for name in names {
            if combined.contains_key(name) {
                continue;
            }
            let one = self.0.get(name).unwrap_or(&nothing);
            let two = other.0.get(name).unwrap_or(&nothing);
            let branch = Branch {
                member: keep(one.member, two.member),
                below: one.below.combine(&two.below, keep),
            };
            if !branch.is_empty() {
                combined.insert(name.clone(), branch);
            }
        }
        Self(combined)
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        self.combine(other, |one, two| one || two)
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |one, two| one && two)
    }

    pub(super) fn difference(&self, other: &Self) -> Self {
        self.combine(other, |one, two| one && !two)
    }

    /// Lists the members.
    pub(super) fn paths(&self) -> Vec<Path> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    fn collect(&self, way: &mut Path, found: &mut Vec<Path>) {
        for (element, branch) in &self.0 {
            way.push(element.clone());
            if branch.member {
                found.push(way.clone());
            }
            branch.below.collect(way, found);
            way.pop();
        }
    }

    /// Makes every field that the schema names a member, if something below it is one.
    ///
    /// So that a struct goes with the last of its fields, while a map that somebody asked for stays.
    pub(super) fn with_named_fields(&self, node: &Node) -> Self {
        self.with_fields(Some(node))
    }

    fn with_fields(&self, node: Option<&Node>) -> Self {
        let node = node.map(Node::resolve);
        let branches = self.0.iter().map(|(element, branch)| {
            let (named, child) = match (element, node) {
                (Element::Field(name), Some(node)) => {
                    (node.names_field(name), node.known_field(name))
                }
                (Element::Key(_) | Element::Value(_) | Element::Index(_), Some(node)) => {
                    (false, node.items.as_deref())
                }
                (_, None) => (false, None),
            };
            let branch = Branch {
                member: branch.member || named,
                below: branch.below.with_fields(child),
            };
            (element.clone(), branch)
        });
        Self(branches.collect())
    }

    /// Leaves out what identifies an object or belongs to the server; nobody owns these.
    pub(super) fn without_identity(&self) -> Self {
        const SERVERS: [&str; 9] = [
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        ];
        let mut rest = self.clone();
        for name in ["apiVersion", "kind"] {
            rest.0.remove(&Element::field(name));
        }
        let metadata = Element::field("metadata");
        if let Some(mut branch) = rest.0.remove(&metadata) {
            branch.member = false;
            for name in SERVERS {
                branch.below.0.remove(&Element::field(name));
            }
            if !branch.is_empty() {
                rest.0.insert(metadata, branch);
            }
        }
        rest
    }

    /// Reads the `fieldsV1` form; steps that cannot be read are left out.
    pub(super) fn read(fields: &Value) -> Self {
        let map = fields.as_object().into_iter().flatten();
        let branches = map.filter_map(|(name, below)| {
            let element = Element::read(name)?;
            let is_leaf = below.as_object().is_none_or(Map::is_empty);
            let branch = Branch {
                member: is_leaf || below.get(".").is_some(),
                below: Self::read(below),
            };
            (!branch.is_empty()).then_some((element, branch))
        });
        Self(branches.collect())
    }

    /// Writes the `fieldsV1` form.
    pub(super) fn write(&self) -> Value {
        let fields = self.0.iter().map(|(element, branch)| {
            let mut below = branch.below.write();
            if branch.member && !branch.below.is_empty() {
                below["."] = Value::Object(Map::new());
            }
            (element.write(), below)
        });
        fields.collect::<Map<_, _>>().into()
    }
}
