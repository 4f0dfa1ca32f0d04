//! The tree of objects below an Application: managed objects, and what they own down to Pods.

use super::finding::Finding;
use super::image::ImageState;
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
    /// How the images of the Pods at and below it stand, sorted; empty where no registry can tell.
    pub image_states: Vec<ImageState>,
    pub created: Option<DateTime<Utc>>,
    /// Being deleted since.
    pub deleting: Option<DateTime<Utc>>,
}

impl ResourceTree {
    /// Tells of each Pod how its images stand, and of what is above it how those below stand.
    pub fn set_image_states(&mut self, of_pod: impl Fn(&ObjectRef) -> Vec<ImageState>) {
        // Children follow their parents.
        for index in (0..self.nodes.len()).rev() {
            let Some(node) = self.nodes.get_mut(index) else {
                continue;
            };
            node.image_states.extend(of_pod(&node.object));
            node.image_states.sort();
            node.image_states.dedup();
            let (states, parent) = (node.image_states.clone(), node.parent);
            if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
                parent.image_states.extend(states);
            }
        }
    }

    /// Returns how the images of all Pods stand, each state once, sorted.
    pub fn image_states(&self) -> Vec<ImageState> {
        let roots = self.nodes.iter().filter(|node| node.parent.is_none());
        let mut states: Vec<ImageState> = roots
            .flat_map(|node| node.image_states.iter().cloned())
            .collect();
        states.sort();
        states.dedup();
        states
    }

    /// Returns the indices of a node's children; of the roots for `None`.
    pub fn children(&self, parent: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(move |(_, node)| node.parent == parent)
            .map(|(index, _)| index)
    }
}
