//! From managed resources and live objects to a tree; pure.
//!
//! Children hang below their owner by uid. Argo CD's inferred links
//! (gitops-engine `pkg/cache/references.go`) are added where no owner reference exists.

use super::live_node::LiveNode;
use crate::domain::application::{ApplicationDetail, ManagedResource};
use crate::domain::graph::{ResourceTree, TreeNode};
use crate::domain::object::{GroupKind, ObjectRef, Text};
use crate::domain::status::Health;
use std::collections::{HashMap, HashSet};

/// What is known of the live objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// All of them are known: who is not there is missing.
    Whole,
    /// Not listed yet, or not to be listed.
    Unknown,
}

/// Builds the tree. `coverage` tells of a kind and namespace whether absence means missing.
pub(super) fn build(
    detail: &ApplicationDetail,
    live: &HashMap<ObjectRef, LiveNode>,
    coverage: impl Fn(&GroupKind, Option<&Text>) -> Coverage,
) -> ResourceTree {
    let mut builder = Builder {
        children: children_by_owner(live),
        placed: HashSet::new(),
        nodes: Vec::new(),
    };
    let mut managed: Vec<&ManagedResource> = detail.resources.iter().collect();
    managed.sort_by(|a, b| order(a).cmp(&order(b)));
    let roots: Vec<(ObjectRef, &ManagedResource)> = managed
        .into_iter()
        .map(|one| (reference(detail, one), one))
        .collect();
    // Managed objects are roots even when another managed object owns them.
    builder
        .placed
        .extend(roots.iter().map(|(object, _)| object.clone()));
    for (object, resource) in roots {
        let node = live.get(&object);
        let whole = coverage(&object.kind, object.namespace.as_ref()) == Coverage::Whole;
        let root = root_node(object, resource, node, whole);
        builder.push(root, node);
    }
    ResourceTree {
        nodes: builder.nodes,
        findings: Vec::new(),
    }
}

fn order(resource: &ManagedResource) -> (i64, &str, &str, &str) {
    (
        resource.wave,
        &resource.kind.kind,
        &resource.namespace,
        &resource.name,
    )
}

pub(super) fn reference(detail: &ApplicationDetail, resource: &ManagedResource) -> ObjectRef {
    ObjectRef {
        cluster: detail.row.object.cluster.clone(),
        kind: resource.kind.clone(),
        namespace: (!resource.namespace.is_empty()).then(|| Text::clone(&resource.namespace)),
        name: Text::clone(&resource.name),
    }
}

/// Live objects by the uid of their owner, inferred links included, in display order.
fn children_by_owner(live: &HashMap<ObjectRef, LiveNode>) -> HashMap<Text, Vec<&LiveNode>> {
    let mut children: HashMap<Text, Vec<&LiveNode>> = HashMap::new();
    for node in live.values() {
        for owner in &node.owners {
            children.entry(Text::clone(owner)).or_default().push(node);
        }
        if node.owners.is_empty()
            && let Some(owner) = inferred_owner(node, live)
        {
            children.entry(owner).or_default().push(node);
        }
    }
    for list in children.values_mut() {
        list.sort_by(|a, b| sibling_order(a).cmp(&sibling_order(b)));
    }
    children
}

/// Newest ReplicaSet first; everything else by kind and name.
fn sibling_order(node: &LiveNode) -> (&str, std::cmp::Reverse<i64>, &ObjectRef) {
    let revision = node
        .info
        .iter()
        .find_map(|fact| fact.strip_prefix("rev "))
        .and_then(|revision| revision.parse().ok())
        .unwrap_or_default();
    (
        &node.object.kind.kind,
        std::cmp::Reverse(revision),
        &node.object,
    )
}

fn inferred_owner(node: &LiveNode, live: &HashMap<ObjectRef, LiveNode>) -> Option<Text> {
    let same_place = |other: &&LiveNode| other.object.namespace == node.object.namespace;
    let found = match &*node.object.kind.kind {
        "PersistentVolumeClaim" => live.values().filter(same_place).find(|other| {
            other.claims.iter().any(|claim| {
                let ordinal = node.object.name.strip_prefix(claim.as_str());
                ordinal.is_some_and(|rest| rest.parse::<u32>().is_ok())
            })
        }),
        "Secret" => live.values().filter(same_place).find(|other| {
            other.object.kind.is("", "ServiceAccount")
                && node.account.as_ref() == Some(&other.object.name)
        }),
        _ => None,
    };
    found.map(|owner| Text::clone(&owner.uid.0))
}

fn root_node(
    object: ObjectRef,
    resource: &ManagedResource,
    live: Option<&LiveNode>,
    whole: bool,
) -> TreeNode {
    let hook_gone = resource.hook && live.is_none();
    let missing = whole && live.is_none() && !hook_gone;
    let own = match live {
        Some(live) => live.health,
        None => resource.health,
    };
    TreeNode {
        uid: live.map(|live| live.uid.clone()),
        parent: None,
        health: if missing { Some(Health::Missing) } else { own },
        health_message: live.and_then(|live| live.message.clone()),
        sync: (!resource.hook).then_some(resource.sync),
        requires_pruning: resource.requires_pruning,
        hook: resource.hook,
        wave: Some(resource.wave),
        info: live.map(|live| live.info.clone()).unwrap_or_default(),
        images: live.map(|live| live.images.clone()).unwrap_or_default(),
        image_states: Vec::new(),
        created: live.and_then(|live| live.created),
        deleting: live.and_then(|live| live.deleting),
        object,
    }
}

fn child_node(live: &LiveNode, parent: usize) -> TreeNode {
    TreeNode {
        object: live.object.clone(),
        uid: Some(live.uid.clone()),
        parent: Some(parent),
        health: live.health,
        health_message: live.message.clone(),
        sync: None,
        requires_pruning: false,
        hook: false,
        wave: live.wave,
        info: live.info.clone(),
        images: live.images.clone(),
        image_states: Vec::new(),
        created: live.created,
        deleting: live.deleting,
    }
}

struct Builder<'l> {
    children: HashMap<Text, Vec<&'l LiveNode>>,
    placed: HashSet<ObjectRef>,
    nodes: Vec<TreeNode>,
}

impl<'l> Builder<'l> {
    /// Adds a node and everything below it.
    fn push(&mut self, node: TreeNode, live: Option<&'l LiveNode>) {
        self.nodes.push(node);
        let mut waiting = vec![(self.nodes.len() - 1, live)];
        // Depth first, so that children follow their parent.
        while let Some((index, live)) = waiting.pop() {
            let Some(live) = live else { continue };
            let below = self.children.get(&live.uid.0).cloned().unwrap_or_default();
            for child in below {
                if self.placed.insert(child.object.clone()) {
                    self.nodes.push(child_node(child, index));
                    waiting.push((self.nodes.len() - 1, Some(child)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
