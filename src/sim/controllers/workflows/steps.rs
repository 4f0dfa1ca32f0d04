//! Templates of steps: groups one after the other, the steps of a group beside each other.
//!
//! Follows Argo Workflows' `workflow/controller/steps.go`.

use super::execute::Ready;
use super::expand::expand;
use super::library::{Call, Home};
use super::model::read;
use super::node::{NodeStatus, NodeType, Phase};
use super::operate::{Halt, Operation, Options, Origin};
use super::scope::{Scope, add_node, add_nodes};
use super::substitute::in_json;
use super::template::Step;
use super::when;
use serde_json::Value;

impl Operation<'_> {
    pub(super) fn execute_steps(&mut self, name: &str, ready: &Ready) -> Result<(), Halt> {
        let mut scope = self.scope_of(&ready.template);
        let groups = ready.template.steps.clone().unwrap_or_default();
        let boundary = self.id_of(name);
        for (index, steps) in groups.iter().enumerate() {
            let group = format!("{name}[{index}]");
            if self.node(&group).is_none() {
                let options = Options {
                    boundary: boundary.clone(),
                    on_exit: ready.options.on_exit,
                    ..Options::default()
                };
                let origin = Origin {
                    scope: ready.found.home.scope.clone(),
                    ..Origin::default()
                };
                let what = (NodeType::StepGroup, Phase::Running, "");
                self.initialize(&group, what, &origin, &options);
                self.connect_group(name, index, &group);
            }
            let raw = ready.raw.pointer(&format!("/steps/{index}"));
            let raw = raw.and_then(Value::as_array).cloned().unwrap_or_default();
            self.execute_group(&group, &raw, ready, &scope)?;
            let Some(node) = self.node(&group).cloned() else {
                return Ok(());
            };
            if !node.is_fulfilled() {
                return Ok(());
            }
            if node.phase.is_bad() {
                self.set_steps_outbound(name, groups.len());
                self.mark(name, Phase::Failed, &node.message);
                return Ok(());
            }
            for step in steps {
                self.add_step(&mut scope, &group, &boundary, &step.name);
            }
        }
        let outputs = self.outputs_from(&ready.template, &scope);
        self.set_steps_outbound(name, groups.len());
        match outputs {
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

    /// Hangs a group below the template, or below what ends the group before it.
    fn connect_group(&mut self, name: &str, index: usize, group: &str) {
        let Some(before) = index.checked_sub(1) else {
            self.add_child(name, group);
            return;
        };
        let before = format!("{name}[{before}]");
        let children = self.node(&before).map(|node| node.children.clone());
        let children = children.unwrap_or_default();
        if children.is_empty() {
            self.add_child(&before, group);
            return;
        }
        let ends: Vec<String> = children.iter().flat_map(|id| self.outbound(id)).collect();
        for end in ends {
            if let Some(parent) = self.by_id(&end).map(|node| node.name.clone()) {
                self.add_child(&parent, group);
            }
        }
    }

    fn set_steps_outbound(&mut self, name: &str, groups: usize) {
        let last = (0..groups)
            .rev()
            .find_map(|index| self.node(&format!("{name}[{index}]")).cloned());
        let Some(last) = last else { return };
        let outbound = if last.children.is_empty() {
            vec![last.id]
        } else {
            last.children
                .iter()
                .flat_map(|id| self.outbound(id))
                .collect()
        };
        let id = self.id_of(name);
        if let Some(node) = self.status.nodes.get_mut(&id) {
            node.outbound_nodes = outbound;
        }
    }

    fn add_step(&self, scope: &mut Scope, group: &str, boundary: &str, step: &str) {
        let name = format!("{group}.{step}");
        let prefix = format!("steps.{step}");
        if let Some(node) = self.node(&name) {
            add_node(scope, &prefix, &node.clone());
            return;
        }
        let nodes = self.items_of(&name, boundary);
        if !nodes.is_empty() {
            add_nodes(scope, &prefix, &nodes);
        }
    }

    /// Returns the nodes that stand for the items of a step or task.
    pub(super) fn items_of(&self, name: &str, boundary: &str) -> Vec<NodeStatus> {
        let prefix = format!("{name}(");
        let is_item = |node: &&NodeStatus| {
            node.boundary_id == boundary
                && node.name.starts_with(&prefix)
                && !node
                    .node_flag
                    .is_some_and(|flag| flag.retried || flag.hooked)
        };
        self.status
            .nodes
            .values()
            .filter(is_item)
            .cloned()
            .collect()
    }

    fn execute_group(
        &mut self,
        group: &str,
        raw: &[Value],
        ready: &Ready,
        scope: &Scope,
    ) -> Result<(), Halt> {
        if self.is_fulfilled(group) {
            return Ok(());
        }
        let steps = match self.resolve_steps(raw, scope) {
            Ok(steps) => steps,
            Err(why) => {
                self.mark(group, Phase::Error, &why);
                return Ok(());
            }
        };
        let boundary = self.node(group).map(|node| node.boundary_id.clone());
        let options = Options {
            boundary: boundary.unwrap_or_default(),
            on_exit: ready.options.on_exit,
            ..Options::default()
        };
        for step in &steps {
            if !self.execute_step(group, step, &ready.found.home, &options) {
                return Ok(());
            }
        }
        self.settle_group(group, &steps, (&ready.found.home, scope), &options)
    }

    fn resolve_steps(&self, raw: &[Value], scope: &Scope) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        for one in raw {
            let filled = in_json(one, &scope.values, self.now)?;
            let step: Step = read(&filled)?;
            for made in expand(&filled, &step, self.now)? {
                let mut step: Step = read(&made)?;
                if runs(&step) {
                    scope.resolve_artifacts(&mut step.arguments)?;
                }
                steps.push(step);
            }
        }
        Ok(steps)
    }

    /// Executes one step; false: the group has ended over it.
    fn execute_step(&mut self, group: &str, step: &Step, home: &Home, options: &Options) -> bool {
        let name = format!("{group}.{}", step.name);
        if self.is_fulfilled(&name) {
            return true;
        }
        if !self.proceeds(&name, step, home, options) {
            self.add_child(group, &name);
            let has_failed = self.node(&name).is_some_and(|node| node.phase.is_bad());
            if has_failed {
                let why = self.node(&name).map(|node| node.message.clone());
                self.mark(group, Phase::Error, &why.unwrap_or_default());
            }
            return !has_failed;
        }
        match self.execute(&name, Call::of(step, home), &step.arguments, options) {
            Ok(_) => {
                self.add_child(group, &name);
                true
            }
            Err(Halt::Parallelism) => true,
            Err(Halt::Mistake(why)) => {
                self.add_child(group, &name);
                let message = format!("step group deemed errored due to child {name} error: {why}");
                self.mark(group, Phase::Error, &message);
                false
            }
        }
    }

    /// Asks a step's `when`; a step that is not to run gets a node that says so.
    pub(super) fn proceeds(
        &mut self,
        name: &str,
        step: &Step,
        home: &Home,
        options: &Options,
    ) -> bool {
        if step.when.is_empty() || self.node(name).is_some() {
            return true;
        }
        let origin = Origin {
            template: step.template.clone(),
            template_ref: step.template_ref.clone(),
            scope: home.scope.clone(),
        };
        let (phase, message) = match when::holds(&step.when) {
            Ok(true) => return true,
            Ok(false) => (
                Phase::Skipped,
                format!("when '{}' evaluated false", step.when),
            ),
            Err(why) => (Phase::Error, why),
        };
        let what = (NodeType::Skipped, phase, message.as_str());
        self.initialize(name, what, &origin, options);
        false
    }

    fn settle_group(
        &mut self,
        group: &str,
        steps: &[Step],
        (home, scope): (&Home, &Scope),
        options: &Options,
    ) -> Result<(), Halt> {
        let Some(node) = self.node(group).cloned() else {
            return Ok(());
        };
        let mut all_done = steps
            .iter()
            .all(|step| self.is_fulfilled(&format!("{group}.{}", step.name)));
        for step in steps {
            let name = format!("{group}.{}", step.name);
            let prefix = format!("steps.{}", step.name);
            all_done &= self.run_exit_hook(&name, step, (home, scope, &prefix), options)?;
        }
        if !all_done {
            return Ok(());
        }
        for id in &node.children {
            let Some(child) = self.by_id(id) else {
                continue;
            };
            let step = steps
                .iter()
                .find(|step| child.name == format!("{group}.{}", step.name));
            let goes_on = step.is_none_or(|step| step.continues_on(child.phase));
            if child.phase.is_bad() && !goes_on {
                let message = format!("child '{id}' failed");
                self.mark(group, Phase::Failed, &message);
                return Ok(());
            }
        }
        self.mark(group, Phase::Succeeded, "");
        Ok(())
    }
}

/// Whether a step's condition does not already say that it will not run.
pub(super) fn runs(step: &Step) -> bool {
    step.when.is_empty() || !matches!(when::holds(&step.when), Ok(false))
}
