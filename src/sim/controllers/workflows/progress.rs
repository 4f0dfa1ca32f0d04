//! How far a workflow is, as `N/M` (`workflow/progress/updater.go`). Pure.

use super::model::WorkflowStatus;
use super::node::{NodeStatus, NodeType, Phase};
use std::collections::{BTreeMap, BTreeSet};

fn is_counted(node: &NodeStatus) -> bool {
    matches!(node.kind, NodeType::Pod | NodeType::Http | NodeType::Plugin)
}

fn read(progress: &str) -> Option<(u64, u64)> {
    let (done, all) = progress.split_once('/')?;
    Some((done.parse().ok()?, all.parse().ok()?))
}

/// Brings the progress of all nodes, and of the whole, up to date.
pub(super) fn update(status: &mut WorkflowStatus) {
    let mut total = (0, 0);
    for node in status.nodes.values_mut().filter(|node| is_counted(node)) {
        let (done, all) = read(&node.progress).unwrap_or((0, 1));
        let done = match node.phase {
            Phase::Succeeded | Phase::Skipped | Phase::Omitted => all,
            Phase::Pending | Phase::Running | Phase::Failed | Phase::Error => done,
        };
        node.progress = format!("{done}/{all}");
        total = (total.0 + done, total.1 + all);
    }
    status.progress = format!("{}/{}", total.0, total.1);
    let sums: BTreeMap<String, String> = status
        .nodes
        .values()
        .filter(|node| !is_counted(node))
        .map(|node| {
            let mut seen = BTreeSet::new();
            let (done, all) = below(&status.nodes, node, &mut seen);
            (node.id.clone(), format!("{done}/{all}"))
        })
        .collect();
    for (id, progress) in sums {
        if let Some(node) = status.nodes.get_mut(&id) {
            node.progress = progress;
        }
    }
}

fn below<'n>(
    nodes: &'n BTreeMap<String, NodeStatus>,
    node: &'n NodeStatus,
    seen: &mut BTreeSet<&'n str>,
) -> (u64, u64) {
    let mut sum = (0, 0);
    let mut queue: Vec<&str> = node.children.iter().map(String::as_str).collect();
    while let Some(id) = queue.pop() {
        let Some(child) = nodes.get(id).filter(|_| seen.insert(id)) else {
            continue;
        };
        if is_counted(child) {
            let (done, all) = read(&child.progress).unwrap_or((0, 0));
            sum = (sum.0 + done, sum.1 + all);
        }
        queue.extend(child.children.iter().map(String::as_str));
    }
    sum
}
