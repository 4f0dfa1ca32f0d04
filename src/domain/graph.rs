//! The tree of objects below an Application: managed objects, and what they own down to Pods.

use super::finding::Finding;
use super::object::{ObjectRef, Text, Uid};
use super::status::{Health, SyncStatus};
use chrono::{DateTime, Utc};

/// All nodes of one Application, parents before children, siblings in display order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ResourceTree {
    pub nodes: Vec<TreeNode>,
    /// What keeps the tree from being whole: another cluster, kinds we may not read.
    pub findings: Vec<Finding>,
}

/// One object of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeNode {
    pub object: ObjectRef,
    /// Absent for a target that has no live object.
    pub uid: Option<Uid>,
    /// Index of the parent in [`ResourceTree::nodes`]; absent below the Application itself.
    pub parent: Option<usize>,
    /// Our own verdict from the live object; absent for kinds without health.
    pub health: Option<Health>,
    pub health_message: Option<Text>,
    /// Absent for objects that are not managed themselves (Pods of a Deployment).
    pub sync: Option<SyncStatus>,
    pub requires_pruning: bool,
    pub hook: bool,
    pub wave: Option<i64>,
    /// Short facts in the style of kubectl columns: `2/2`, `Running`, `restarts 3`, `rev 4`.
    pub info: Vec<Text>,
    pub images: Vec<Text>,
    pub created: Option<DateTime<Utc>>,
    /// Being deleted since.
    pub deleting: Option<DateTime<Utc>>,
}

impl ResourceTree {
    /// Returns the indices of a node's children; of the roots for `None`.
    pub fn children(&self, parent: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(move |(_, node)| node.parent == parent)
            .map(|(index, _)| index)
    }
}
