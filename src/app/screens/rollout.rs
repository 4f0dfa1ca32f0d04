//! One Rollout: its weights, steps and analyses, and the tree of its revisions down to Pods.
//!
//! Folds and the cursor follow the object (a revision by its number), so that news change nothing
//! that a person chose. Revisions that serve nothing are folded until somebody unfolds them.

use super::lists::Loaded;
use crate::app::viewports::scrolled;
use crate::domain::analysis::{AnalysisRun, Experiment};
use crate::domain::object::{ObjectRef, Uid};
use crate::domain::rollout::{PodView, ReplicaSetView, Revision, RolloutDetail};
use crate::engine::protocol::{EventRow, Ticket};
use std::collections::HashSet;

/// Identifies a row from one report to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RolloutKey {
    Revision(i64),
    Object(Uid),
}

/// What a row shows: places in the lists of [`RolloutDetail::revisions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutNode {
    Revision(usize),
    ReplicaSet(usize, usize),
    Pod(usize, usize, usize),
    Analysis(usize, usize),
    Experiment(usize, usize),
}

/// A visible row of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutRow {
    pub node: RolloutNode,
    pub key: RolloutKey,
    pub depth: u16,
    pub has_children: bool,
    pub folded: bool,
}

/// What a row stands for.
#[derive(Clone, Copy, Debug)]
pub enum RolloutItem<'detail> {
    Revision(&'detail Revision),
    ReplicaSet(&'detail ReplicaSetView),
    Pod(&'detail PodView),
    Analysis(&'detail AnalysisRun),
    Experiment(&'detail Experiment),
}

/// The screen of one Rollout.
#[derive(Debug)]
pub struct RolloutScreen {
    pub object: ObjectRef,
    /// The life that was opened; absent until known.
    pub uid: Option<Uid>,
    pub ticket: Option<Ticket>,
    /// `Ready(None)` after it was deleted.
    pub detail: Loaded<Option<Box<RolloutDetail>>>,
    /// Oldest first; read again whenever the Rollout goes on.
    pub events: Loaded<Vec<EventRow>>,
    pub events_ticket: Option<Ticket>,
    pub offset: usize,
    position: usize,
    cursor: Option<RolloutKey>,
    /// Rows whose fold is not what it would be by itself.
    turned: HashSet<RolloutKey>,
    rows: Vec<RolloutRow>,
}

impl RolloutScreen {
    /// Makes the screen before anything has arrived.
    pub fn new(object: ObjectRef, uid: Option<Uid>) -> Self {
        Self {
            object,
            uid,
            ticket: None,
            detail: Loaded::Waiting,
            events: Loaded::Waiting,
            events_ticket: None,
            offset: 0,
            position: 0,
            cursor: None,
            turned: HashSet::new(),
            rows: Vec::new(),
        }
    }

    /// Returns the visible rows in order.
    pub fn rows(&self) -> &[RolloutRow] {
        &self.rows
    }

    /// Returns the index of the cursor among the visible rows.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Returns the Rollout's detail when it is there.
    pub fn rollout(&self) -> Option<&RolloutDetail> {
        self.detail.ready()?.as_deref()
    }

    /// Returns what a row stands for.
    pub fn item(&self, row: &RolloutRow) -> Option<RolloutItem<'_>> {
        item_of(self.rollout()?, row.node)
    }

    /// Returns what is under the cursor.
    pub fn current(&self) -> Option<RolloutItem<'_>> {
        self.item(self.rows.get(self.position)?)
    }

    pub(in crate::app) fn set_detail(&mut self, detail: Option<Box<RolloutDetail>>) {
        self.detail = Loaded::Ready(detail);
        self.rebuild();
    }

    fn rebuild(&mut self) {
        let Some(detail) = self.rollout() else {
            self.rows.clear();
            return;
        };
        let mut rows = Vec::new();
        for (number, revision) in detail.revisions.iter().enumerate() {
            self.push_revision(&mut rows, (number, revision), detail);
        }
        self.rows = rows;
        self.follow();
    }

    fn push_revision(
        &self,
        rows: &mut Vec<RolloutRow>,
        (at, revision): (usize, &Revision),
        detail: &RolloutDetail,
    ) {
        let key = RolloutKey::Revision(revision.number);
        let serves = revision
            .replica_sets
            .iter()
            .any(|set| !set.roles.is_empty() || set.current > 0);
        let folded = self.is_folded(&key, !serves);
        let children =
            revision.replica_sets.len() + revision.analyses.len() + revision.experiments.len();
        rows.push(RolloutRow {
            node: RolloutNode::Revision(at),
            key,
            depth: 0,
            has_children: children > 0,
            folded: folded && children > 0,
        });
        if folded {
            return;
        }
        for (number, set) in revision.replica_sets.iter().enumerate() {
            let key = RolloutKey::Object(set.uid.clone());
            // The Pods of what serves everybody are many and calm.
            let stable_beside = detail.row.stable_hash == set.hash
                && !detail.row.is_fully_promoted()
                && set.health == Some(crate::domain::status::Health::Healthy);
            let folded = self.is_folded(&key, stable_beside) && !set.pods.is_empty();
            rows.push(RolloutRow {
                node: RolloutNode::ReplicaSet(at, number),
                key,
                depth: 1,
                has_children: !set.pods.is_empty(),
                folded,
            });
            if folded {
                continue;
            }
            for (pod, view) in set.pods.iter().enumerate() {
                let node = RolloutNode::Pod(at, number, pod);
                rows.push(leaf(node, &view.uid, 2));
            }
        }
        for (number, run) in revision.analyses.iter().enumerate() {
            rows.push(leaf(RolloutNode::Analysis(at, number), &run.uid, 1));
        }
        for (number, experiment) in revision.experiments.iter().enumerate() {
            rows.push(leaf(
                RolloutNode::Experiment(at, number),
                &experiment.uid,
                1,
            ));
        }
    }

    fn is_folded(&self, key: &RolloutKey, by_itself: bool) -> bool {
        self.turned.contains(key) != by_itself
    }

    fn follow(&mut self) {
        let cursor = self.cursor.as_ref();
        let found = self.rows.iter().position(|row| Some(&row.key) == cursor);
        if let Some(found) = found {
            self.offset = (self.offset + found).saturating_sub(self.position);
            self.position = found;
        } else {
            self.position = self.position.min(self.rows.len().saturating_sub(1));
            self.cursor = self.rows.get(self.position).map(|row| row.key.clone());
        }
        self.offset = self.offset.min(self.rows.len().saturating_sub(1));
    }

    pub(in crate::app) fn move_to(&mut self, position: usize, window: usize) {
        self.position = position.min(self.rows.len().saturating_sub(1));
        self.cursor = self.rows.get(self.position).map(|row| row.key.clone());
        self.keep_in(window);
    }

    pub(in crate::app) fn keep_in(&mut self, window: usize) {
        self.offset = scrolled(self.offset, self.position, window, self.rows.len());
    }

    /// Folds or unfolds the row under the cursor; on a leaf, what it belongs to.
    pub(in crate::app) fn toggle_fold(&mut self) {
        let Some(here) = self.rows.get(self.position) else {
            return;
        };
        let above = self.rows.iter().take(self.position + 1).rev();
        let depth = here.depth;
        let found = if here.has_children {
            Some(here)
        } else {
            above.into_iter().find(|row| row.depth < depth)
        };
        let Some(key) = found.map(|row| row.key.clone()) else {
            return;
        };
        if !self.turned.remove(&key) {
            self.turned.insert(key.clone());
        }
        self.cursor = Some(key);
        self.rebuild();
    }

    /// Unfolds everything; a second time, all is folded as it would be by itself.
    pub(in crate::app) fn toggle_fold_all(&mut self) {
        let folded = self.rows.iter().filter(|row| row.folded);
        let keys: Vec<RolloutKey> = folded.map(|row| row.key.clone()).collect();
        if keys.is_empty() {
            self.turned.clear();
        }
        for key in keys {
            if !self.turned.remove(&key) {
                self.turned.insert(key);
            }
        }
        self.rebuild();
    }
}

fn leaf(node: RolloutNode, uid: &Uid, depth: u16) -> RolloutRow {
    RolloutRow {
        node,
        key: RolloutKey::Object(uid.clone()),
        depth,
        has_children: false,
        folded: false,
    }
}

fn item_of(detail: &RolloutDetail, node: RolloutNode) -> Option<RolloutItem<'_>> {
    let revision = |at: usize| detail.revisions.get(at);
    Some(match node {
        RolloutNode::Revision(at) => RolloutItem::Revision(revision(at)?),
        RolloutNode::ReplicaSet(at, set) => {
            RolloutItem::ReplicaSet(revision(at)?.replica_sets.get(set)?)
        }
        RolloutNode::Pod(at, set, pod) => {
            RolloutItem::Pod(revision(at)?.replica_sets.get(set)?.pods.get(pod)?)
        }
        RolloutNode::Analysis(at, run) => RolloutItem::Analysis(revision(at)?.analyses.get(run)?),
        RolloutNode::Experiment(at, number) => {
            RolloutItem::Experiment(revision(at)?.experiments.get(number)?)
        }
    })
}

impl RolloutItem<'_> {
    /// Returns the object of the row; a revision has none of its own.
    pub fn object(&self) -> Option<(&ObjectRef, &Uid)> {
        match self {
            Self::Revision(_) => None,
            Self::ReplicaSet(set) => Some((&set.object, &set.uid)),
            Self::Pod(pod) => Some((&pod.object, &pod.uid)),
            Self::Analysis(run) => Some((&run.object, &run.uid)),
            Self::Experiment(experiment) => Some((&experiment.object, &experiment.uid)),
        }
    }
}
