//! Which task of a Pipeline comes after which.
//!
//! Follows `pkg/reconciler/pipeline/dag`: `runAfter` and references to results are the edges. The
//! messages are upstream's.

use super::model::spec::PipelineTask;
use super::replace::result_references;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The tasks in an order in which each comes after those it waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Graph {
    pub(super) order: Vec<String>,
    parents: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Builds the graph of a Pipeline's tasks, without the final ones.
    pub(super) fn build(tasks: &[(PipelineTask, &Value)]) -> Result<Self, String> {
        let mut parents = BTreeMap::new();
        for (task, written) in tasks {
            let references = result_references(written).into_iter().map(|one| one.task);
            let wanted: BTreeSet<String> =
                task.run_after.iter().cloned().chain(references).collect();
            if parents.insert(task.name.clone(), wanted).is_some() {
                let name = &task.name;
                return Err(format!(
                    "task {name} is already present in Graph, can't add it again: \
                     duplicate pipeline task"
                ));
            }
        }
        let order = order(tasks, &parents)?;
        Ok(Self { order, parents })
    }

    /// Returns the tasks that a task waits for.
    pub(super) fn parents(&self, task: &str) -> impl Iterator<Item = &str> {
        self.parents
            .get(task)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

fn order(
    tasks: &[(PipelineTask, &Value)],
    parents: &BTreeMap<String, BTreeSet<String>>,
) -> Result<Vec<String>, String> {
    let mut left: BTreeMap<String, BTreeSet<String>> = parents.clone();
    let mut order: Vec<String> = Vec::new();
    // What is not in the Pipeline is reported after cycles, as upstream does.
    for wanted in left.values_mut() {
        wanted.retain(|one| parents.contains_key(one));
    }
    while order.len() < tasks.len() {
        let next = tasks.iter().find(|(task, _)| {
            left.get(&task.name)
                .is_some_and(|wanted| wanted.iter().all(|one| order.contains(one)))
        });
        let Some((task, _)) = next else {
            return Err(cycle(&left, &order));
        };
        left.remove(&task.name);
        order.push(task.name.clone());
    }
    for (task, wanted) in parents {
        if let Some(missing) = wanted.iter().find(|one| !parents.contains_key(*one)) {
            return Err(format!(
                "couldn't add link between {task} and {missing}: task {task} depends on \
                 {missing} but {missing} wasn't present in Pipeline"
            ));
        }
    }
    Ok(order)
}

fn cycle(left: &BTreeMap<String, BTreeSet<String>>, order: &[String]) -> String {
    let Some((task, wanted)) = left.iter().next() else {
        return "cycle detected".to_owned();
    };
    let names: Vec<String> = wanted
        .iter()
        .filter(|one| !order.contains(one))
        .map(|one| format!("{one:?}"))
        .collect();
    format!(
        "cycle detected; task {task:?} depends on {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[allow(
        clippy::needless_pass_by_value,
        reason = "the caller has no other use for it"
    )]
    fn build(tasks: Value) -> Result<Graph, String> {
        let written: Vec<Value> = tasks.as_array().cloned().expect("a list");
        let read: Vec<_> = written
            .iter()
            .map(|task| {
                let read = serde_json::from_value(task.clone()).expect("a task");
                (read, task)
            })
            .collect();
        Graph::build(&read)
    }

    #[test]
    fn run_after_and_results_are_edges() {
        let graph = build(json!([
            {"name": "deploy", "runAfter": ["test"],
             "params": [{"name": "i", "value": "$(tasks.build.results.image)"}]},
            {"name": "build"},
            {"name": "test", "runAfter": ["build"]},
        ]))
        .expect("a graph");

        assert_eq!(graph.order, ["build", "test", "deploy"]);
        assert_eq!(
            graph.parents("deploy").collect::<Vec<_>>(),
            ["build", "test"]
        );
    }

    #[test]
    fn cycles_missing_tasks_and_doubles_are_refused_in_upstreams_words() {
        for (tasks, wanted) in [
            (
                json!([{"name": "a", "runAfter": ["b"]}, {"name": "b", "runAfter": ["a"]}]),
                "cycle detected; task \"a\" depends on \"b\"",
            ),
            (
                json!([{"name": "a", "runAfter": ["nobody"]}]),
                "couldn't add link between a and nobody: task a depends on nobody but nobody \
                 wasn't present in Pipeline",
            ),
            (
                json!([{"name": "a"}, {"name": "a"}]),
                "task a is already present in Graph, can't add it again: duplicate pipeline task",
            ),
        ] {
            assert_eq!(build(tasks).expect_err("it is refused"), wanted);
        }
    }
}
