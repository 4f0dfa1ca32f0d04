//! Templates of tasks that depend on each other.
//!
//! Follows Argo Workflows' `workflow/controller/dag.go`: targets are executed from their end back to what
//! they depend on; the whole is assessed along the branches, where an omitted task inherits the
//! phase of what came before it.

use super::depends::{self, Result as Outcome};
use super::execute::Ready;
use super::expand::expand;
use super::library::Call;
use super::model::read;
use super::node::{NodeType, Phase};
use super::operate::{Halt, Operation, Options, Origin};
use super::scope::{Scope, add_node, add_nodes};
use super::substitute::in_json;
use super::template::Step;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The graph that is being executed.
struct Graph<'g> {
    name: &'g str,
    boundary: String,
    ready: &'g Ready,
    tasks: Vec<Step>,
    visited: BTreeSet<String>,
}

impl Graph<'_> {
    fn node_name(&self, task: &str) -> String {
        format!("{}.{task}", self.name)
    }

    fn task(&self, name: &str) -> Option<&Step> {
        self.tasks.iter().find(|task| task.name == name)
    }

    fn logic(&self, task: &str) -> String {
        self.task(task)
            .map(|task| depends::logic(task, &self.tasks))
            .unwrap_or_default()
    }

    fn targets(&self, target: &str) -> Vec<String> {
        if !target.is_empty() {
            return target.split(' ').map(str::to_owned).collect();
        }
        let needed: BTreeSet<String> = self
            .tasks
            .iter()
            .flat_map(|task| depends::names(&depends::logic(task, &self.tasks)))
            .collect();
        let names = self.tasks.iter().map(|task| task.name.clone());
        names.filter(|name| !needed.contains(name)).collect()
    }

    fn options(&self) -> Options {
        Options {
            boundary: self.boundary.clone(),
            on_exit: self.ready.options.on_exit,
            ..Options::default()
        }
    }

    fn origin(&self, task: &Step) -> Origin {
        Origin {
            template: task.template.clone(),
            template_ref: task.template_ref.clone(),
            scope: self.ready.found.home.scope.clone(),
        }
    }
}

impl Operation<'_> {
    pub(super) fn execute_dag(&mut self, name: &str, ready: &Ready) -> Result<(), Halt> {
        let dag = ready.template.dag.clone().unwrap_or_default();
        let mut graph = Graph {
            name,
            boundary: self.id_of(name),
            ready,
            tasks: dag.tasks,
            visited: BTreeSet::new(),
        };
        let targets = graph.targets(&dag.target);
        for task in &targets {
            self.execute_task(&mut graph, task)?;
        }
        let mut hooks_done = true;
        for task in graph.tasks.clone() {
            let node = graph.node_name(&task.name);
            if self.is_fulfilled(&node) {
                hooks_done &= self.run_task_hook(&graph, &task)?;
            }
        }
        if !hooks_done {
            return Ok(());
        }
        match self.assess_dag(&graph, &targets, dag.fail_fast.unwrap_or(true)) {
            Phase::Running | Phase::Pending => return Ok(()),
            phase @ (Phase::Failed | Phase::Error) => {
                self.set_dag_outbound(&graph, &targets);
                self.mark(name, phase, "");
                return Ok(());
            }
            Phase::Succeeded | Phase::Skipped | Phase::Omitted => {}
        }
        let mut scope = self.scope_of(&ready.template);
        for task in &graph.tasks {
            self.add_task(&mut scope, &graph, &task.name);
        }
        self.set_dag_outbound(&graph, &targets);
        match self.outputs_from(&ready.template, &scope) {
            Ok(outputs) => {
                if let Some(outputs) = outputs {
                    self.publish(&outputs);
                    self.set_outputs(name, Some(outputs));
                }
                self.mark(name, Phase::Succeeded, "");
            }
            Err(why) => self.mark(name, Phase::Error, &why),
        }
        Ok(())
    }

    fn run_task_hook(&mut self, graph: &Graph<'_>, task: &Step) -> Result<bool, Halt> {
        let mut scope = Scope::default();
        if task.exit_hook().is_some() {
            scope = self.scope_of(&graph.ready.template);
            self.add_task(&mut scope, graph, &task.name);
        }
        let prefix = format!("tasks.{}", task.name);
        let name = graph.node_name(&task.name);
        let around = (&graph.ready.found.home, &scope, prefix.as_str());
        self.run_exit_hook(&name, task, around, &graph.options())
    }

    fn set_dag_outbound(&mut self, graph: &Graph<'_>, targets: &[String]) {
        let outbound = targets
            .iter()
            .map(|task| self.id_of(&graph.node_name(task)))
            .flat_map(|id| self.outbound(&id))
            .collect();
        if let Some(node) = self.status.nodes.get_mut(&graph.boundary) {
            node.outbound_nodes = outbound;
        }
    }

    fn add_task(&self, scope: &mut Scope, graph: &Graph<'_>, task: &str) {
        let name = graph.node_name(task);
        let Some(node) = self.node(&name) else { return };
        let prefix = format!("tasks.{task}");
        if node.kind == NodeType::TaskGroup {
            let nodes = self.items_of(&name, &graph.boundary);
            add_nodes(scope, &prefix, &nodes);
        }
        add_node(scope, &prefix, node);
    }

    fn execute_task(&mut self, graph: &mut Graph<'_>, task: &str) -> Result<(), Halt> {
        if !graph.visited.insert(task.to_owned()) {
            return Ok(());
        }
        let name = graph.node_name(task);
        if self.is_fulfilled(&name) {
            return Ok(());
        }
        let logic = graph.logic(task);
        let needed = depends::names(&logic);
        for one in &needed {
            self.execute_task(graph, one)?;
        }
        let Some(step) = graph.task(task).cloned() else {
            return Ok(());
        };
        match self.may_begin(graph, &logic, &needed)? {
            None => return Ok(()),
            Some(Ok(true)) => {}
            Some(Ok(false)) => {
                let message = "omitted: depends condition not met";
                let what = (NodeType::Skipped, Phase::Omitted, message);
                self.initialize(&name, what, &graph.origin(&step), &graph.options());
                self.connect(graph, &needed, &name);
                return Ok(());
            }
            Some(Err(why)) => {
                self.fail_task(graph, &step, (&name, &needed), &why);
                return Ok(());
            }
        }
        self.begin_task(graph, &step, &needed);
        Ok(())
    }

    /// Says whether a task may begin: not yet, or the answer of its logic.
    fn may_begin(
        &mut self,
        graph: &Graph<'_>,
        logic: &str,
        needed: &[String],
    ) -> Result<Option<Result<bool, String>>, Halt> {
        let mut outcomes = BTreeMap::new();
        for task in needed {
            let name = graph.node_name(task);
            let Some(node) = self.node(&name).cloned() else {
                return Ok(None);
            };
            if !node.is_fulfilled() && node.daemoned != Some(true) {
                return Ok(None);
            }
            if let Some(step) = graph.task(task).cloned()
                && !self.run_task_hook(graph, &step)?
            {
                return Ok(None);
            }
            let items = if node.kind == NodeType::TaskGroup {
                self.items_of(&name, &graph.boundary)
            } else {
                Vec::new()
            };
            let is = |phase: Phase| items.iter().filter(move |one| one.phase == phase).count();
            outcomes.insert(
                task.clone(),
                Outcome {
                    phase: Some(node.phase),
                    any_succeeded: is(Phase::Succeeded) > 0,
                    all_failed: !items.is_empty() && is(Phase::Failed) == items.len(),
                    daemoned: node.daemoned == Some(true),
                },
            );
        }
        if logic.is_empty() {
            return Ok(Some(Ok(true)));
        }
        Ok(Some(depends::holds(logic, &outcomes)))
    }

    fn fail_task(
        &mut self,
        graph: &Graph<'_>,
        step: &Step,
        (name, needed): (&str, &[String]),
        why: &str,
    ) {
        let what = (NodeType::Skipped, Phase::Error, why);
        self.initialize(name, what, &graph.origin(step), &graph.options());
        self.connect(graph, needed, name);
    }

    /// Hangs a task below the graph, or below what ends the tasks that it depends on.
    fn connect(&mut self, graph: &Graph<'_>, needed: &[String], name: &str) {
        if needed.is_empty() {
            self.add_child(graph.name, name);
            return;
        }
        let ends: Vec<String> = needed
            .iter()
            .map(|task| self.id_of(&graph.node_name(task)))
            .flat_map(|id| self.outbound(&id))
            .collect();
        for end in ends {
            if let Some(parent) = self.by_id(&end).map(|node| node.name.clone()) {
                self.add_child(&parent, name);
            }
        }
    }

    fn begin_task(&mut self, graph: &Graph<'_>, step: &Step, needed: &[String]) {
        let name = graph.node_name(&step.name);
        let made = match self.resolve_task(graph, step, needed) {
            Ok(made) => made,
            Err(why) => return self.fail_task(graph, step, (&name, needed), &why),
        };
        if step.expands() && self.node(&name).is_none() {
            let what = if made.is_empty() {
                (NodeType::Skipped, Phase::Skipped, "Skipped, empty params")
            } else {
                (NodeType::TaskGroup, Phase::Running, "")
            };
            self.initialize(&name, what, &graph.origin(step), &graph.options());
            self.connect(graph, needed, &name);
        }
        for one in &made {
            let item = graph.node_name(&one.name);
            self.execute_item(graph, one, &item);
            if step.expands() {
                self.add_child(&name, &item);
            } else {
                self.connect(graph, needed, &item);
            }
        }
        if step.expands() && !made.is_empty() {
            self.settle_task_group(graph, &name, &made);
        }
    }

    fn execute_item(&mut self, graph: &Graph<'_>, step: &Step, name: &str) {
        let home = graph.ready.found.home.clone();
        let options = graph.options();
        if !self.proceeds(name, step, &home, &options) {
            return;
        }
        match self.execute(name, Call::of(step, &home), &step.arguments, &options) {
            Ok(_) | Err(Halt::Parallelism) => {}
            Err(Halt::Mistake(why)) => self.mark(name, Phase::Error, &why),
        }
    }

    fn settle_task_group(&mut self, graph: &Graph<'_>, name: &str, items: &[Step]) {
        let mut phase = Phase::Succeeded;
        for item in items {
            match self.node(&graph.node_name(&item.name)) {
                Some(node) if node.is_fulfilled() => {
                    if node.phase.is_bad() {
                        phase = node.phase;
                    }
                }
                Some(_) | None => return,
            }
        }
        self.mark(name, phase, "");
    }

    /// Puts in what the tasks before it put out, and makes one step of each item.
    fn resolve_task(
        &self,
        graph: &Graph<'_>,
        step: &Step,
        needed: &[String],
    ) -> Result<Vec<Step>, String> {
        let mut scope = self.scope_of(&graph.ready.template);
        let mut ancestors: VecDeque<String> = needed.iter().cloned().collect();
        let mut seen = BTreeSet::new();
        while let Some(one) = ancestors.pop_front() {
            if seen.insert(one.clone()) {
                self.add_task(&mut scope, graph, &one);
                ancestors.extend(depends::names(&graph.logic(&one)));
            }
        }
        let tasks = graph
            .ready
            .raw
            .pointer("/dag/tasks")
            .and_then(Value::as_array);
        let raw = tasks
            .into_iter()
            .flatten()
            .find(|task| task.get("name").and_then(Value::as_str) == Some(&step.name))
            .ok_or_else(|| format!("task {} is not there", step.name))?;
        let filled = in_json(raw, &scope.values, self.now)?;
        let resolved: Step = read(&filled)?;
        let mut made = Vec::new();
        for one in expand(&filled, &resolved, self.now)? {
            let mut one: Step = read(&one)?;
            if super::steps::runs(&one) {
                scope.resolve_artifacts(&mut one.arguments)?;
            }
            made.push(one);
        }
        Ok(made)
    }

    /// Says how the graph as a whole stands.
    fn assess_dag(&self, graph: &Graph<'_>, targets: &[String], fail_fast: bool) -> Phase {
        let mut found: BTreeMap<String, Option<Phase>> = targets
            .iter()
            .map(|task| (self.id_of(&graph.node_name(task)), None))
            .collect();
        let below = self
            .by_id(&graph.boundary)
            .map(|node| node.children.clone());
        let mut queue: VecDeque<(String, Phase)> = below
            .unwrap_or_default()
            .into_iter()
            .map(|id| (id, Phase::Succeeded))
            .collect();
        let mut seen = BTreeSet::new();
        while let Some((id, branch)) = queue.pop_front() {
            if !seen.insert((id.clone(), branch.word())) {
                continue;
            }
            let Some(node) = self.by_id(&id) else {
                continue;
            };
            if !node.is_fulfilled() {
                return Phase::Running;
            }
            let branch = if node.phase.is_completed() {
                node.phase
            } else {
                branch
            };
            if let Some(known) = found.get_mut(&id)
                && !known.is_some_and(Phase::is_bad)
            {
                *known = Some(branch);
            }
            let next = if node.kind == NodeType::Retry {
                self.last_attempt(node).map(|last| last.children.clone())
            } else {
                Some(node.children.clone())
            };
            queue.extend(next.unwrap_or_default().into_iter().map(|id| (id, branch)));
        }
        self.verdict(graph, targets, &found, fail_fast)
    }

    /// Says what the phases of the targets amount to.
    fn verdict(
        &self,
        graph: &Graph<'_>,
        targets: &[String],
        found: &BTreeMap<String, Option<Phase>>,
        fail_fast: bool,
    ) -> Phase {
        let mut result = Phase::Succeeded;
        for task in targets {
            match found
                .get(&self.id_of(&graph.node_name(task)))
                .copied()
                .flatten()
            {
                None if self.is_shutting_down() => result = Phase::Failed,
                None => {
                    result = Phase::Running;
                    if !fail_fast {
                        break;
                    }
                }
                Some(phase) if phase.is_bad() => {
                    if graph
                        .task(task)
                        .is_some_and(|task| task.continues_on(phase))
                    {
                        continue;
                    }
                    result = phase;
                    if fail_fast {
                        break;
                    }
                }
                Some(_) => {}
            }
        }
        result
    }
}
