//! One run: its nodes as a tree or as a graph, and the log of the node under the cursor.
//!
//! Folds and the cursor follow the node by its id. Until a person moves it, the cursor stands on
//! what needs one: the step that failed, that waits, that runs. The log follows the cursor when it
//! has rested for a moment, so that moving through thousands of nodes opens no thousand logs.

use super::lists::Loaded;
use super::logs::LogsScreen;
use crate::app::viewports::scrolled;
use crate::domain::object::{ObjectRef, Text, Uid};
use crate::domain::pipeline::graph::RunGraph;
use crate::domain::pipeline::tree::{RunTree, TreeLine};
use crate::domain::pipeline::{NodeKind, Phase, RunDetail, RunNode};
use crate::engine::protocol::Ticket;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::time::Duration;

/// How long the cursor rests before the log follows it.
pub const REST: Duration = Duration::from_millis(150);

/// How the nodes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunView {
    Tree,
    Graph,
}

/// The screen of one run.
#[derive(Debug)]
pub struct RunScreen {
    pub object: ObjectRef,
    /// The life that was opened; absent until known.
    pub uid: Option<Uid>,
    pub ticket: Option<Ticket>,
    /// `Ready(None)` after it was deleted.
    pub detail: Loaded<Option<Box<RunDetail>>>,
    pub view: RunView,
    /// First visible row of the tree.
    pub offset: usize,
    /// The log of a node.
    pub log: Option<Box<NodeLog>>,
    /// Real time at which the log follows the cursor.
    pub log_due: Option<Duration>,
    position: usize,
    cursor: Option<Text>,
    /// Whether a person has put the cursor where it is.
    moved: bool,
    turned: HashSet<Text>,
    tree: RunTree,
    rows: Vec<TreeLine>,
    /// Laid out when it is first looked at: that takes as long as ten frames.
    graph: OnceCell<RunGraph>,
}

/// The log beside the tree.
#[derive(Debug)]
pub struct NodeLog {
    /// The node's id.
    pub node: Text,
    pub lines: LogsScreen,
}

impl RunScreen {
    /// Makes the screen before anything has arrived.
    pub fn new(object: ObjectRef, uid: Option<Uid>) -> Self {
        Self {
            object,
            uid,
            ticket: None,
            detail: Loaded::Waiting,
            view: RunView::Tree,
            offset: 0,
            log: None,
            log_due: None,
            position: 0,
            cursor: None,
            moved: false,
            turned: HashSet::new(),
            tree: RunTree::default(),
            rows: Vec::new(),
            graph: OnceCell::new(),
        }
    }

    /// Returns the visible rows of the tree in order.
    pub fn rows(&self) -> &[TreeLine] {
        &self.rows
    }

    /// Returns the index of the cursor among the visible rows.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Returns the laid out graph.
    pub fn graph(&self) -> &RunGraph {
        let lay_out = || self.run().map(RunGraph::of).unwrap_or_default();
        self.graph.get_or_init(lay_out)
    }

    /// Returns the run when it is there.
    pub fn run(&self) -> Option<&RunDetail> {
        self.detail.ready()?.as_deref()
    }

    /// Returns the node of a row.
    pub fn node(&self, row: &TreeLine) -> Option<&RunNode> {
        self.run()?.nodes.get(row.node as usize)
    }

    /// Returns the index of the node under the cursor.
    pub fn current_index(&self) -> Option<u32> {
        match self.view {
            RunView::Tree => self.rows.get(self.position).map(|row| row.node),
            RunView::Graph => {
                let cursor = self.cursor.as_deref()?;
                let nodes = &self.run()?.nodes;
                let at = nodes.iter().position(|node| &*node.id == cursor)?;
                u32::try_from(at).ok()
            }
        }
    }

    /// Returns the node under the cursor.
    pub fn current(&self) -> Option<&RunNode> {
        let at = self.current_index()?;
        self.run()?.nodes.get(at as usize)
    }

    /// Returns the Pod and container whose log belongs beside the cursor.
    pub fn wanted_log(&self) -> Option<(Text, ObjectRef, Text)> {
        let node = self.current()?;
        let pod = node.pod.clone().filter(|_| !node.pod_gone)?;
        Some((Text::clone(&node.id), pod, Text::clone(&node.container)))
    }

    pub(in crate::app) fn set_detail(&mut self, detail: Option<Box<RunDetail>>) {
        self.detail = Loaded::Ready(detail);
        let nodes = self.run().map(|run| &*run.nodes).unwrap_or_default();
        self.tree = RunTree::of(nodes);
        self.graph = OnceCell::new();
        if !self.moved {
            self.cursor = self.run().and_then(of_interest).or(self.cursor.take());
        }
        self.rebuild();
    }

    fn rebuild(&mut self) {
        let turned = &self.turned;
        let nodes = match &self.detail {
            Loaded::Ready(Some(run)) => &*run.nodes,
            Loaded::Ready(None) | Loaded::Waiting | Loaded::Failed(_) => &[],
        };
        let folded = |node: &RunNode| turned.contains(&node.id) != folds_by_itself(node);
        self.rows = self.tree.lines(nodes, &folded);
        self.follow();
    }

    fn follow(&mut self) {
        let nodes = match &self.detail {
            Loaded::Ready(Some(run)) => &*run.nodes,
            Loaded::Ready(None) | Loaded::Waiting | Loaded::Failed(_) => &[],
        };
        let id_of = |row: &TreeLine| nodes.get(row.node as usize).map(|node| &node.id);
        let cursor = self.cursor.as_ref();
        let found = cursor.and_then(|cursor| {
            let mut rows = self.rows.iter();
            rows.position(|row| id_of(row) == Some(cursor))
        });
        if let Some(found) = found {
            self.offset = (self.offset + found).saturating_sub(self.position);
            self.position = found;
        } else {
            self.position = self.position.min(self.rows.len().saturating_sub(1));
            if self.view == RunView::Tree {
                self.cursor = self.rows.get(self.position).and_then(id_of).cloned();
            }
        }
        self.offset = self.offset.min(self.rows.len().saturating_sub(1));
    }

    pub(in crate::app) fn move_to(&mut self, position: usize, window: usize) {
        self.moved = true;
        self.position = position.min(self.rows.len().saturating_sub(1));
        let row = self.rows.get(self.position).map(|row| row.node);
        self.cursor = row.and_then(|node| {
            let node = self.run()?.nodes.get(node as usize)?;
            Some(Text::clone(&node.id))
        });
        self.keep_in(window);
    }

    /// Moves through the graph: columns to the right, rows down.
    pub(in crate::app) fn move_in_graph(&mut self, step: (isize, isize)) {
        self.moved = true;
        let first = || {
            let cells = self.graph().columns.first()?;
            cells.iter().find_map(|cell| match cell {
                crate::domain::pipeline::graph::Cell::Node(node) => Some(*node),
                crate::domain::pipeline::graph::Cell::Passing => None,
            })
        };
        let here = self
            .current_index()
            .filter(|at| self.graph().place_of(*at).is_some());
        let next = match here {
            Some(here) => self.graph().neighbour(here, step),
            None => first(),
        };
        self.point_at(next);
    }

    fn point_at(&mut self, node: Option<u32>) {
        let id = node.and_then(|at| {
            let node = self.run()?.nodes.get(at as usize)?;
            Some(Text::clone(&node.id))
        });
        if let Some(id) = id {
            self.cursor = Some(id);
            self.follow();
        }
    }

    pub(in crate::app) fn keep_in(&mut self, window: usize) {
        self.offset = scrolled(self.offset, self.position, window, self.rows.len());
    }

    /// Shows the other of tree and graph, with the same node under the cursor where it has it.
    pub(in crate::app) fn toggle_view(&mut self) {
        self.moved = true;
        match self.view {
            RunView::Tree => {
                let here = self.current_index();
                self.view = RunView::Graph;
                let nodes = self.run().map(|run| &*run.nodes).unwrap_or_default();
                let stand_in = here.and_then(|at| self.graph().stand_in(at, nodes));
                match stand_in {
                    Some(_) => self.point_at(stand_in),
                    None => self.move_in_graph((0, 0)),
                }
            }
            RunView::Graph => {
                self.view = RunView::Tree;
                self.follow();
            }
        }
    }

    /// Folds or unfolds the row under the cursor; on a leaf, what it belongs to.
    pub(in crate::app) fn toggle_fold(&mut self) {
        self.moved = true;
        let Some(here) = self.rows.get(self.position) else {
            return;
        };
        let width = here.prefix.chars().count();
        let mut above = self.rows.iter().take(self.position).rev();
        let found = if here.has_children {
            Some(here)
        } else {
            above.find(|row| row.has_children && row.prefix.chars().count() < width)
        };
        let id = found
            .and_then(|row| self.node(row))
            .map(|node| Text::clone(&node.id));
        let Some(id) = id else { return };
        if !self.turned.remove(&id) {
            self.turned.insert(Text::clone(&id));
        }
        self.cursor = Some(id);
        self.rebuild();
    }

    /// Unfolds everything; a second time, all is folded as it would be by itself.
    pub(in crate::app) fn toggle_fold_all(&mut self) {
        let folded = self.rows.iter().filter(|row| row.folded);
        let ids: Vec<Text> = folded
            .filter_map(|row| self.node(row))
            .map(|node| Text::clone(&node.id))
            .collect();
        if ids.is_empty() {
            self.turned.clear();
        }
        for id in ids {
            if !self.turned.remove(&id) {
                self.turned.insert(id);
            }
        }
        self.rebuild();
    }
}

/// The steps of a task are shown when they are asked for, or when one went wrong.
fn folds_by_itself(node: &RunNode) -> bool {
    matches!(node.kind, NodeKind::Task | NodeKind::Job) && !node.phase.is_bad()
}

/// Where the cursor stands at first.
fn of_interest(run: &RunDetail) -> Option<Text> {
    let failing = run.failing().and_then(|at| run.nodes.get(at));
    let waiting = || run.waiting().next();
    let running = || {
        let mut nodes = run.nodes.iter();
        nodes.find(|node| node.phase == Phase::Running && node.kind.is_executed())
    };
    let node = failing.or_else(waiting).or_else(running)?;
    Some(Text::clone(&node.id))
}
