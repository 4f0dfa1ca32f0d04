//! One Application: its tree of objects down to Pods.
//!
//! The first row is the Application itself. Folds, marks and the cursor follow the object's uid
//! (its reference, while it has none), so that a new tree changes nothing that a person chose.

use super::lists::Loaded;
use crate::app::viewports::scrolled;
use crate::domain::application::ApplicationDetail;
use crate::domain::graph::{ResourceTree, TreeNode};
use crate::domain::object::{ObjectRef, Uid};
use crate::engine::protocol::Ticket;
use std::collections::HashSet;

/// Owners that own each other would never end.
const DEEPEST: usize = 33;

/// Identifies a node of the tree from one tree to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NodeKey {
    /// The Application itself.
    Root,
    /// A live object.
    Live(Uid),
    /// A target without a live object.
    Target(ObjectRef),
}

/// A visible row of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// Index into the tree's nodes; `None` is the Application itself.
    pub node: Option<usize>,
    /// 0 for the Application, 1 for what it manages.
    pub depth: u16,
    pub has_children: bool,
    pub folded: bool,
    /// For each level from 1 to `depth`: whether this row's ancestor (or the row itself, last)
    /// is the last child there. Guides are drawn from it.
    pub last: Vec<bool>,
}

/// The screen of one Application.
#[derive(Debug)]
pub struct ApplicationScreen {
    pub object: ObjectRef,
    /// The life that was opened; absent until known.
    pub uid: Option<Uid>,
    pub ticket: Option<Ticket>,
    /// `Ready(None)` after it was deleted.
    pub detail: Loaded<Option<Box<ApplicationDetail>>>,
    pub tree: ResourceTree,
    /// Whether a tree has arrived.
    pub tree_known: bool,
    /// Only rows whose name or kind contains this.
    pub filter: String,
    /// Only what is not healthy or not synced, with its ancestors (ctrl-z).
    pub faults_only: bool,
    /// Whether images and more facts are shown (ctrl-w).
    pub wide: bool,
    pub offset: usize,
    folded: HashSet<NodeKey>,
    marks: HashSet<NodeKey>,
    cursor: NodeKey,
    position: usize,
    rows: Vec<TreeRow>,
}

impl ApplicationScreen {
    /// Makes the screen before anything has arrived.
    pub fn new(object: ObjectRef, uid: Option<Uid>) -> Self {
        Self {
            object,
            uid,
            ticket: None,
            detail: Loaded::Waiting,
            tree: ResourceTree::default(),
            tree_known: false,
            filter: String::new(),
            faults_only: false,
            wide: false,
            offset: 0,
            folded: HashSet::new(),
            marks: HashSet::new(),
            cursor: NodeKey::Root,
            position: 0,
            rows: vec![TreeRow {
                node: None,
                depth: 0,
                has_children: false,
                folded: false,
                last: Vec::new(),
            }],
        }
    }

    /// Returns the visible rows in order.
    pub fn rows(&self) -> &[TreeRow] {
        &self.rows
    }

    /// Returns the index of the cursor among the visible rows.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Returns the node under the cursor; `None` on the Application itself.
    pub fn current(&self) -> Option<&TreeNode> {
        self.node(self.rows.get(self.position)?)
    }

    /// Returns the node of a row; `None` for the Application itself.
    pub fn node(&self, row: &TreeRow) -> Option<&TreeNode> {
        self.tree.nodes.get(row.node?)
    }

    /// Returns whether a node is marked.
    pub fn is_marked(&self, node: &TreeNode) -> bool {
        self.marks.contains(&key_of(node))
    }

    /// Returns the marked nodes, in tree order.
    pub fn marked(&self) -> Vec<&TreeNode> {
        let nodes = self.tree.nodes.iter();
        nodes.filter(|node| self.is_marked(node)).collect()
    }

    /// Returns the Application's detail when it is there.
    pub fn application(&self) -> Option<&ApplicationDetail> {
        match &self.detail {
            Loaded::Ready(Some(detail)) => Some(detail),
            Loaded::Ready(None) | Loaded::Waiting | Loaded::Failed(_) => None,
        }
    }

    pub(in crate::app) fn set_tree(&mut self, tree: ResourceTree) {
        self.tree = tree;
        self.tree_known = true;
        let alive: HashSet<NodeKey> = self.tree.nodes.iter().map(key_of).collect();
        self.marks.retain(|key| alive.contains(key));
        self.rebuild();
    }

    /// Lays out the rows anew and keeps the cursor on its object.
    pub(in crate::app) fn rebuild(&mut self) {
        let kept = self.kept();
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.tree.nodes.len() + 1];
        for (index, node) in self.tree.nodes.iter().enumerate() {
            let parent = node.parent.map_or(0, |parent| parent + 1);
            if kept.get(index).copied().unwrap_or_default()
                && let Some(siblings) = children.get_mut(parent)
            {
                siblings.push(index);
            }
        }
        let mut rows = Vec::with_capacity(self.tree.nodes.len() + 1);
        let root_folded = self.folded.contains(&NodeKey::Root);
        rows.push(TreeRow {
            node: None,
            depth: 0,
            has_children: !children[0].is_empty(),
            folded: root_folded,
            last: Vec::new(),
        });
        if !root_folded {
            self.push_rows(None, &children, &[], &mut rows);
        }
        self.rows = rows;
        self.follow();
    }

    fn push_rows(
        &self,
        parent: Option<usize>,
        children: &[Vec<usize>],
        last: &[bool],
        rows: &mut Vec<TreeRow>,
    ) {
        let place = parent.map_or(0, |parent| parent + 1);
        let Some(siblings) = children.get(place) else {
            return;
        };
        for (number, index) in siblings.iter().enumerate() {
            let mut guides = last.to_vec();
            guides.push(number + 1 == siblings.len());
            let has_children = guides.len() < DEEPEST
                && children
                    .get(index + 1)
                    .is_some_and(|below| !below.is_empty());
            let folded = self
                .tree
                .nodes
                .get(*index)
                .is_some_and(|node| self.folded.contains(&key_of(node)));
            rows.push(TreeRow {
                node: Some(*index),
                depth: guides.len() as u16,
                has_children,
                folded,
                last: guides.clone(),
            });
            if has_children && !folded {
                self.push_rows(Some(*index), children, &guides, rows);
            }
        }
    }

    /// Which nodes pass the filter, or have a descendant that does.
    fn kept(&self) -> Vec<bool> {
        let filter = self.filter.to_lowercase();
        let mut kept: Vec<bool> = self
            .tree
            .nodes
            .iter()
            .map(|node| {
                (filter.is_empty() || matches_filter(node, &filter))
                    && (!self.faults_only || is_faulty(node))
            })
            .collect();
        for index in 0..kept.len() {
            let mut above = self.tree.nodes[index].parent;
            let mut steps = 0;
            while let Some(parent) = above.filter(|_| kept[index] && steps < 64) {
                if let Some(place) = kept.get_mut(parent) {
                    *place = true;
                }
                above = self.tree.nodes.get(parent).and_then(|node| node.parent);
                steps += 1;
            }
        }
        kept
    }

    fn key_at(&self, position: usize) -> NodeKey {
        self.rows
            .get(position)
            .and_then(|row| self.node(row))
            .map_or(NodeKey::Root, key_of)
    }

    fn follow(&mut self) {
        let found = (0..self.rows.len()).find(|position| self.key_at(*position) == self.cursor);
        if let Some(found) = found {
            self.offset = (self.offset + found).saturating_sub(self.position);
            self.position = found;
        } else {
            self.position = self.position.min(self.rows.len() - 1);
            self.cursor = self.key_at(self.position);
        }
        self.offset = self.offset.min(self.rows.len() - 1);
    }

    pub(in crate::app) fn move_to(&mut self, position: usize, window: usize) {
        self.position = position.min(self.rows.len() - 1);
        self.cursor = self.key_at(self.position);
        self.keep_in(window);
    }

    pub(in crate::app) fn keep_in(&mut self, window: usize) {
        self.offset = scrolled(self.offset, self.position, window, self.rows.len());
    }

    /// Folds or unfolds the node under the cursor; on a leaf, its parent.
    pub(in crate::app) fn toggle_fold(&mut self) {
        let Some(row) = self.rows.get(self.position) else {
            return;
        };
        let key = if row.has_children {
            self.key_at(self.position)
        } else {
            let parent = self.node(row).and_then(|node| node.parent);
            parent
                .and_then(|parent| self.tree.nodes.get(parent))
                .map_or(NodeKey::Root, key_of)
        };
        if !self.folded.remove(&key) {
            self.folded.insert(key.clone());
            self.cursor = key;
        }
        self.rebuild();
    }

    /// Folds everything below the managed objects; unfolds all when something is folded.
    pub(in crate::app) fn toggle_fold_all(&mut self) {
        if self.folded.is_empty() {
            let parents: HashSet<usize> = self
                .tree
                .nodes
                .iter()
                .filter_map(|node| node.parent)
                .collect();
            let nodes = parents
                .iter()
                .filter_map(|index| self.tree.nodes.get(*index));
            self.folded = nodes.map(key_of).collect();
        } else {
            self.folded.clear();
        }
        self.rebuild();
    }

    pub(in crate::app) fn toggle_mark(&mut self) {
        let key = self.key_at(self.position);
        if key != NodeKey::Root && !self.marks.remove(&key) {
            self.marks.insert(key);
        }
    }

    pub(in crate::app) fn clear_marks(&mut self) -> bool {
        let any = !self.marks.is_empty();
        self.marks.clear();
        any
    }
}

fn key_of(node: &TreeNode) -> NodeKey {
    match &node.uid {
        Some(uid) => NodeKey::Live(uid.clone()),
        None => NodeKey::Target(node.object.clone()),
    }
}

fn matches_filter(node: &TreeNode, filter: &str) -> bool {
    node.object.name.to_lowercase().contains(filter)
        || node.object.kind.kind.to_lowercase().contains(filter)
}

fn is_faulty(node: &TreeNode) -> bool {
    use crate::domain::status::{Health, SyncStatus};
    node.health.is_some_and(|health| health != Health::Healthy)
        || node.sync.is_some_and(|sync| sync != SyncStatus::Synced)
        || node.deleting.is_some()
}
