//! The tree of a run, by the rules of `argo get` (Argo Workflows `cmd/argo/commands/common/get.go`).
//!
//! A node hangs in the step group or retry that lists it as a child, else in its boundary. Step
//! groups, retries with one attempt and omitted nodes are not shown; their children take their
//! place. Siblings stand by their start, then by the number of their item, then by name.

use super::{NodeKind, Phase, RunNode};
use std::cmp::Ordering;

/// Which nodes hang in which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunTree {
    roots: Vec<u32>,
    children: Vec<Vec<u32>>,
}

/// One line of the drawn tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeLine {
    /// Index of the node.
    pub node: u32,
    /// The lines before it, such as `│ ├─`.
    pub prefix: Box<str>,
    pub has_children: bool,
    pub folded: bool,
}

impl RunTree {
    /// Puts the nodes of a run in order.
    pub fn of(nodes: &[RunNode]) -> Self {
        let mut parents: Vec<Option<u32>> = nodes.iter().map(|node| node.boundary).collect();
        for (at, node) in nodes.iter().enumerate() {
            if !matches!(node.kind, NodeKind::StepGroup | NodeKind::Retry) {
                continue;
            }
            for child in &node.children {
                if let Some(parent) = parents.get_mut(*child as usize)
                    && *child as usize != at
                {
                    *parent = u32::try_from(at).ok();
                }
            }
        }
        let drawn = |node: &RunNode| {
            !matches!(node.kind, NodeKind::TaskGroup)
                && (node.kind != NodeKind::Container || node.object.is_some() || node.pod.is_some())
        };
        let mut tree = Self {
            roots: Vec::new(),
            children: vec![Vec::new(); nodes.len()],
        };
        for (at, node) in nodes.iter().enumerate() {
            let Ok(number) = u32::try_from(at) else { break };
            if !drawn(node) {
                continue;
            }
            // A boundary that is not there (or not drawn) makes a root: nothing is lost.
            let parent = parents.get(at).copied().flatten();
            let parent = parent.filter(|parent| {
                let known = nodes.get(*parent as usize);
                known.is_some_and(&drawn) && !leads_back(&parents, *parent, number)
            });
            match parent.and_then(|parent| tree.children.get_mut(parent as usize)) {
                Some(siblings) => siblings.push(number),
                None => tree.roots.push(number),
            }
        }
        let keys: Vec<_> = nodes.iter().map(order_key).collect();
        let by_start =
            |left: &u32, right: &u32| match (keys.get(*left as usize), keys.get(*right as usize)) {
                (Some(left), Some(right)) => left.cmp(right),
                _ => Ordering::Equal,
            };
        tree.roots.sort_by(by_start);
        for siblings in &mut tree.children {
            siblings.sort_by(by_start);
        }
        tree
    }

    /// Returns the lines to draw. `folded` says whether what is below a node is hidden.
    pub fn lines(&self, nodes: &[RunNode], folded: &dyn Fn(&RunNode) -> bool) -> Vec<TreeLine> {
        let mut drawing = Drawing {
            tree: self,
            nodes,
            folded,
            lines: Vec::with_capacity(nodes.len()),
        };
        for root in &self.roots {
            drawing.node(*root, &Prefixes::default());
        }
        drawing.lines
    }

    /// Returns what hangs in a node, in order, groups included.
    pub fn children(&self, node: usize) -> &[u32] {
        self.children
            .get(node)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

/// Whether going up from `from` comes to `wanted`: a server may send a circle.
fn leads_back(parents: &[Option<u32>], from: u32, wanted: u32) -> bool {
    let mut here = Some(from);
    for _ in 0..=64 {
        match here {
            None => return false,
            Some(at) if at == wanted => return true,
            Some(at) => here = parents.get(at as usize).copied().flatten(),
        }
    }
    // So deep a nest is walked to its end.
    let mut steps = parents.len();
    while let Some(at) = here {
        if at == wanted || steps == 0 {
            return true;
        }
        steps -= 1;
        here = parents.get(at as usize).copied().flatten();
    }
    false
}

pub(super) type OrderKey<'node> = (i64, u64, u32, &'node str);

/// Orders siblings: by start, then by the number of their item, then by name.
pub(super) fn order_key(node: &RunNode) -> OrderKey<'_> {
    // Who has not begun comes last.
    let start = node.started.map_or(i64::MAX, |at| at.timestamp_millis());
    (start, item_number(&node.label), node.order, &node.label)
}

/// The number in `name(12:value)`; without one, none stands before it.
fn item_number(label: &str) -> u64 {
    let inside = label.rsplit_once('(').map(|(_, inside)| inside);
    let number = inside.and_then(|inside| {
        let end = inside.find([':', ')'])?;
        inside.get(..end)?.parse().ok()
    });
    number.unwrap_or_default()
}

/// What stands before a node, and before what is below it.
#[derive(Clone, Debug, Default)]
struct Prefixes {
    own: String,
    below: String,
}

struct Drawing<'run> {
    tree: &'run RunTree,
    nodes: &'run [RunNode],
    folded: &'run dyn Fn(&RunNode) -> bool,
    lines: Vec<TreeLine>,
}

/// How a node is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Itself,
    /// Its children stand in its place, as one fork.
    Fork,
    /// Its children stand in its place.
    Lifted,
}

fn shown(node: &RunNode) -> Shown {
    match node.kind {
        NodeKind::StepGroup => Shown::Fork,
        NodeKind::Retry if node.children.len() == 1 => Shown::Fork,
        NodeKind::Skipped if node.phase == Phase::Omitted => Shown::Lifted,
        NodeKind::Retry
        | NodeKind::Skipped
        | NodeKind::Pod
        | NodeKind::Container
        | NodeKind::Steps
        | NodeKind::Dag
        | NodeKind::TaskGroup
        | NodeKind::Suspend
        | NodeKind::Http
        | NodeKind::Plugin
        | NodeKind::Task
        | NodeKind::Job
        | NodeKind::Finally => Shown::Itself,
    }
}

impl Drawing<'_> {
    fn node(&mut self, number: u32, prefixes: &Prefixes) {
        let Some(node) = self.nodes.get(number as usize) else {
            return;
        };
        let tree = self.tree;
        let children = tree.children(number as usize);
        let how = shown(node);
        if how == Shown::Itself {
            let folded = !children.is_empty() && (self.folded)(node);
            self.lines.push(TreeLine {
                node: number,
                prefix: prefixes.own.as_str().into(),
                has_children: !children.is_empty(),
                folded,
            });
            if folded {
                return;
            }
        }
        let last = children.len().saturating_sub(1);
        for (at, child) in children.iter().enumerate() {
            let below = under(how, (at, last), prefixes);
            self.node(*child, &below);
        }
    }
}

fn under(how: Shown, (at, last): (usize, usize), prefixes: &Prefixes) -> Prefixes {
    let (part, rest) = match how {
        Shown::Lifted => ("", ""),
        Shown::Fork if last == 0 => ("──", "  "),
        Shown::Fork if at == 0 => ("┬─", "│ "),
        Shown::Itself | Shown::Fork if at == last => ("└─", "  "),
        Shown::Itself | Shown::Fork => ("├─", "│ "),
    };
    // The first member of a fork continues the line that led to the fork.
    let before = if how != Shown::Itself && at == 0 {
        &prefixes.own
    } else {
        &prefixes.below
    };
    Prefixes {
        own: format!("{before}{part}"),
        below: format!("{}{rest}", prefixes.below),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta, Utc};

    fn node(label: &str, kind: NodeKind, boundary: Option<u32>, started: i64) -> RunNode {
        let mut node = RunNode::new(label, label, kind);
        node.boundary = boundary;
        node.phase = Phase::Succeeded;
        node.started = Some(DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(started));
        node
    }

    fn drawn(nodes: &[RunNode]) -> Vec<String> {
        let tree = RunTree::of(nodes);
        let lines = tree.lines(nodes, &|_| false);
        let text = |line: &TreeLine| format!("{}{}", line.prefix, nodes[line.node as usize].label);
        lines.iter().map(text).collect()
    }

    #[test]
    fn steps_are_drawn_as_argo_draws_them() {
        let mut nodes = vec![
            node("w", NodeKind::Steps, None, 0),
            node("[0]", NodeKind::StepGroup, Some(0), 0),
            node("hello1", NodeKind::Pod, Some(0), 0),
            node("[1]", NodeKind::StepGroup, Some(0), 5),
            node("hello2a", NodeKind::Pod, Some(0), 5),
            node("hello2b", NodeKind::Pod, Some(0), 5),
        ];
        nodes[0].children = vec![1];
        nodes[1].children = vec![2];
        nodes[2].children = vec![3];
        nodes[3].children = vec![4, 5];

        assert_eq!(
            drawn(&nodes),
            ["w", "├───hello1", "└─┬─hello2a", "  └─hello2b"]
        );
    }

    #[test]
    fn a_diamond_is_drawn_once_each_by_its_boundary() {
        let mut nodes = vec![
            node("d", NodeKind::Dag, None, 0),
            node("A", NodeKind::Pod, Some(0), 0),
            node("C", NodeKind::Pod, Some(0), 4),
            node("B", NodeKind::Pod, Some(0), 4),
            node("D", NodeKind::Pod, Some(0), 9),
        ];
        nodes[0].children = vec![1];
        nodes[1].children = vec![2, 3];
        nodes[2].children = vec![4];
        nodes[3].children = vec![4];

        assert_eq!(drawn(&nodes), ["d", "├─A", "├─B", "├─C", "└─D"]);
    }

    #[test]
    fn one_attempt_stands_for_its_retry_and_several_hang_in_it() {
        let mut nodes = vec![
            node("w", NodeKind::Retry, None, 0),
            node("w(0)", NodeKind::Pod, None, 0),
        ];
        nodes[0].children = vec![1];
        assert_eq!(drawn(&nodes), ["──w(0)"]);

        nodes.push(node("w(1)", NodeKind::Pod, None, 3));
        nodes[0].children = vec![1, 2];
        assert_eq!(drawn(&nodes), ["w", "├─w(0)", "└─w(1)"]);
    }

    #[test]
    fn items_stand_by_number_and_omitted_nodes_are_left_out() {
        let mut nodes = vec![
            node("d", NodeKind::Dag, None, 0),
            node("each(10:k)", NodeKind::Pod, Some(0), 1),
            node("each(2:c)", NodeKind::Pod, Some(0), 1),
            node("never", NodeKind::Skipped, Some(0), 1),
        ];
        nodes[3].phase = Phase::Omitted;
        assert_eq!(drawn(&nodes), ["d", "├─each(2:c)", "└─each(10:k)"]);
    }

    #[test]
    fn a_circle_ends_and_a_lost_boundary_makes_a_root() {
        let mut nodes = vec![
            node("a", NodeKind::Dag, Some(1), 0),
            node("b", NodeKind::Dag, Some(0), 1),
            node("c", NodeKind::Pod, Some(9), 2),
        ];
        nodes[0].children = vec![0, 1];

        let lines = drawn(&nodes);

        assert_eq!(lines.len(), 3, "{lines:?}");
    }

    #[test]
    fn two_thousand_nodes_are_quick() {
        let mut nodes = vec![node("d", NodeKind::Dag, None, 0)];
        for number in 0..2_000 {
            nodes.push(node(&format!("t({number}:x)"), NodeKind::Pod, Some(0), 1));
        }
        assert_eq!(drawn(&nodes).len(), 2_001);
    }
}
