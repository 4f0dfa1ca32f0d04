//! The graph of a run: which step follows which, laid out in columns from left to right.
//!
//! Only nodes that are carried out are shown. Groups are looked through: what follows a group
//! hangs, in what Argo Workflows reports, on the last nodes of the group. A retry is one node.
//! An edge that passes columns runs through them on a row of its own, so that every line that is
//! drawn means an edge.

use super::tree::order_key;
use super::{NodeKind, Phase, RunDetail, RunNode};
use std::collections::{HashMap, HashSet};

/// With more edges than this through columns, long edges are left out.
const LONG_EDGES: usize = 4_000;

/// A laid out graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunGraph {
    pub columns: Vec<Vec<Cell>>,
    /// Between a column and the next one: rows of the left and of the right end.
    pub links: Vec<Vec<(usize, usize)>>,
    /// Edges that are not drawn because there are too many.
    pub untold: usize,
}

/// A place in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Index of a node.
    Node(u32),
    /// An edge on its way to a later column.
    Passing,
}

impl RunGraph {
    /// Lays out the nodes of a run.
    pub fn of(detail: &RunDetail) -> Self {
        let shown = shown(&detail.nodes);
        let edges = edges(&detail.nodes, &shown);
        let columns = columns(&shown, &edges, &detail.nodes);
        place(&columns, &edges)
    }

    /// Returns column and row of a node.
    pub fn place_of(&self, node: u32) -> Option<(usize, usize)> {
        self.columns
            .iter()
            .enumerate()
            .find_map(|(number, column)| {
                let row = column.iter().position(|cell| *cell == Cell::Node(node))?;
                Some((number, row))
            })
    }

    /// Returns the node that stands for another one: itself, or the retry that it is an attempt of.
    pub fn stand_in(&self, node: u32, nodes: &[RunNode]) -> Option<u32> {
        if self.place_of(node).is_some() {
            return Some(node);
        }
        let mut retries = nodes.iter().enumerate();
        let found = retries
            .find(|(_, other)| other.kind == NodeKind::Retry && other.children.contains(&node));
        let found = u32::try_from(found?.0).ok()?;
        self.place_of(found).map(|_| found)
    }

    /// Returns the node beside a place: the nearest in the next column to the left or right, or the
    /// next one up or down.
    pub fn neighbour(&self, from: u32, (right, down): (isize, isize)) -> Option<u32> {
        let (column, row) = self.place_of(from)?;
        if right != 0 {
            let mut at = column.checked_add_signed(right)?;
            loop {
                let cells = self.columns.get(at)?;
                let nodes = cells
                    .iter()
                    .enumerate()
                    .filter_map(|(at, cell)| match cell {
                        Cell::Node(node) => Some((at, *node)),
                        Cell::Passing => None,
                    });
                if let Some((_, node)) = nodes.min_by_key(|(at, _)| at.abs_diff(row)) {
                    return Some(node);
                }
                at = at.checked_add_signed(right)?;
            }
        }
        let cells = self.columns.get(column)?;
        let mut at = row.checked_add_signed(down)?;
        loop {
            match cells.get(at)? {
                Cell::Node(node) => return Some(*node),
                Cell::Passing => at = at.checked_add_signed(down)?,
            }
        }
    }

    /// Returns how many rows the tallest column has.
    pub fn height(&self) -> usize {
        self.columns.iter().map(Vec::len).max().unwrap_or_default()
    }
}

/// Which nodes are shown, in the order of the tree. Attempts stand behind their retry.
fn shown(nodes: &[RunNode]) -> Vec<u32> {
    let of_retries: HashSet<u32> = nodes
        .iter()
        .filter(|node| node.kind == NodeKind::Retry && retries_pods(node, nodes))
        .flat_map(|node| node.children.iter().copied())
        .collect();
    let shown = nodes.iter().enumerate().filter_map(|(at, node)| {
        let number = u32::try_from(at).ok()?;
        let retry = node.kind == NodeKind::Retry && retries_pods(node, nodes);
        let omitted = node.kind == NodeKind::Skipped && node.phase == Phase::Omitted;
        let carried_out = node.kind.is_executed() && node.kind != NodeKind::Container;
        let own = carried_out && !of_retries.contains(&number) && !omitted;
        (retry || own).then_some(number)
    });
    let mut shown: Vec<u32> = shown.collect();
    shown.sort_by_key(|at| nodes.get(*at as usize).map(order_key));
    shown
}

/// A retry of a whole group is looked through; one of single Pods is a node.
fn retries_pods(retry: &RunNode, nodes: &[RunNode]) -> bool {
    let mut attempts = retry.children.iter();
    attempts.all(|child| {
        let child = nodes.get(*child as usize);
        child.is_some_and(|child| child.kind.is_executed())
    })
}

/// Edges between shown nodes, each once, looking through what is not shown.
fn edges(nodes: &[RunNode], shown: &[u32]) -> Vec<(u32, u32)> {
    let is_shown: HashSet<u32> = shown.iter().copied().collect();
    let mut found: Vec<(u32, u32)> = Vec::new();
    for from in shown {
        let mut waiting: Vec<u32> = Vec::new();
        let mut seen: HashSet<u32> = HashSet::new();
        if let Some(node) = nodes.get(*from as usize) {
            waiting.extend(&node.children);
        }
        while let Some(at) = waiting.pop() {
            if at == *from || !seen.insert(at) {
                continue;
            }
            if is_shown.contains(&at) {
                found.push((*from, at));
            } else if let Some(node) = nodes.get(at as usize) {
                waiting.extend(&node.children);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The column of each node: behind all that it follows. What goes in circles stays at the left.
fn columns(shown: &[u32], edges: &[(u32, u32)], nodes: &[RunNode]) -> Vec<Vec<u32>> {
    let mut waits: HashMap<u32, usize> = shown.iter().map(|node| (*node, 0)).collect();
    let mut after: HashMap<u32, Vec<u32>> = HashMap::new();
    for (from, to) in edges {
        *waits.entry(*to).or_default() += 1;
        after.entry(*from).or_default().push(*to);
    }
    let mut depth: HashMap<u32, usize> = HashMap::new();
    let mut ready: Vec<u32> = shown
        .iter()
        .copied()
        .filter(|node| waits.get(node) == Some(&0))
        .collect();
    while let Some(node) = ready.pop() {
        let here = *depth.entry(node).or_default();
        for next in after.get(&node).into_iter().flatten() {
            let deepest = depth.entry(*next).or_default();
            *deepest = (*deepest).max(here + 1);
            if let Some(left) = waits.get_mut(next) {
                *left -= 1;
                if *left == 0 {
                    ready.push(*next);
                }
            }
        }
    }
    let last = depth.values().max().copied().unwrap_or_default();
    let mut columns: Vec<Vec<u32>> = vec![Vec::new(); if shown.is_empty() { 0 } else { last + 1 }];
    for node in shown {
        let place = depth.get(node).copied().unwrap_or_default();
        // Hooks and the exit handler stand at the end: they run when the rest is over.
        let is_hook = nodes.get(*node as usize).is_some_and(|node| {
            node.is_hook
                && !edges.iter().any(|(_, to)| {
                    nodes
                        .get(*to as usize)
                        .is_some_and(|other| other.id == node.id)
                })
        });
        let place = if is_hook { last } else { place };
        if let Some(column) = columns.get_mut(place) {
            column.push(*node);
        }
    }
    columns
}

/// Gives every node its row: near those it follows.
fn place(columns: &[Vec<u32>], edges: &[(u32, u32)]) -> RunGraph {
    let mut placing = Placing::of(columns, edges);
    let mut graph = RunGraph::default();
    for (number, column) in columns.iter().enumerate() {
        let incoming = placing.incoming(number);
        let items = ordered(column, &incoming);
        placing.rows = (items.iter().copied().zip(0..)).collect();
        let cells = items.iter().map(|item| match item {
            Item::Node(node) => Cell::Node(*node),
            Item::Way(_) => Cell::Passing,
        });
        graph.columns.push(cells.collect());
        if number > 0 {
            graph.links.push(placing.links(&incoming));
        }
    }
    graph.untold = placing.untold;
    graph
}

/// Rows in the column before, by what leads into a place.
type Incoming = HashMap<Item, Vec<usize>>;

/// The columns that are laid out so far.
struct Placing<'run> {
    /// Edges with the columns of their ends.
    edges: Vec<(&'run (u32, u32), usize, usize)>,
    /// Rows of the column that was laid out last. Edges on their way are named by where they end:
    /// one line stands for all that end there.
    rows: HashMap<Item, usize>,
    too_many: bool,
    untold: usize,
}

impl<'run> Placing<'run> {
    fn of(columns: &[Vec<u32>], edges: &'run [(u32, u32)]) -> Self {
        let columns = columns.iter().enumerate();
        let column_of: HashMap<u32, usize> = columns
            .flat_map(|(at, nodes)| nodes.iter().map(move |node| (*node, at)))
            .collect();
        let edges = edges.iter().filter_map(|edge| {
            let begin = *column_of.get(&edge.0)?;
            let end = *column_of.get(&edge.1)?;
            Some((edge, begin, end))
        });
        let edges: Vec<_> = edges.collect();
        let passing = edges.iter().map(|(_, begin, end)| {
            let span = end.saturating_sub(*begin);
            span.saturating_sub(1)
        });
        Self {
            too_many: passing.sum::<usize>() > LONG_EDGES,
            edges,
            rows: HashMap::new(),
            untold: 0,
        }
    }

    /// Finds what leads into the places of a column from the one before.
    fn incoming(&mut self, number: usize) -> Incoming {
        let mut incoming = Incoming::new();
        for ((from, to), begin, end) in &self.edges {
            if *begin >= number || *end < number {
                continue;
            }
            if self.too_many && end - begin > 1 {
                self.untold += usize::from(*end == number);
                continue;
            }
            let before = if *begin + 1 == number {
                Item::Node(*from)
            } else {
                Item::Way(*to)
            };
            let item = if *end == number {
                Item::Node(*to)
            } else {
                Item::Way(*to)
            };
            if let Some(row) = self.rows.get(&before) {
                incoming.entry(item).or_default().push(*row);
            }
        }
        incoming
    }

    fn links(&self, incoming: &Incoming) -> Vec<(usize, usize)> {
        let mut links: Vec<(usize, usize)> = Vec::new();
        for (item, from) in incoming {
            let Some(to) = self.rows.get(item) else {
                continue;
            };
            links.extend(from.iter().map(|from| (*from, *to)));
        }
        links.sort_unstable();
        links.dedup();
        links
    }
}

/// Puts the places of a column in order: by the middle of what leads into them.
fn ordered(column: &[u32], incoming: &Incoming) -> Vec<Item> {
    let weight = |item: &Item, fallback: usize| match incoming.get(item) {
        Some(rows) if !rows.is_empty() => rows.iter().sum::<usize>() as f64 / rows.len() as f64,
        Some(_) | None => fallback as f64,
    };
    let nodes = column.iter().enumerate().map(|(at, node)| {
        let item = Item::Node(*node);
        (weight(&item, at), at, item)
    });
    let ways = incoming.keys().filter(|item| matches!(item, Item::Way(_)));
    let ways = ways.map(|item| (weight(item, 0), usize::MAX, *item));
    let mut items: Vec<(f64, usize, Item)> = nodes.chain(ways).collect();
    items.sort_by(|left, right| {
        let by_weight = left.0.total_cmp(&right.0);
        by_weight.then_with(|| (left.1, left.2).cmp(&(right.1, right.2)))
    });
    items.into_iter().map(|(_, _, item)| item).collect()
}

/// What stands in a column while it is laid out; a way is named by where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Item {
    Node(u32),
    Way(u32),
}
