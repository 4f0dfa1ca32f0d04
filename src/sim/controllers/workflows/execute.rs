//! Executes a template: reuses its node, tries again, and hands it to what its kind does.

use super::library::{Call, Found, find, home_of};
use super::model::Arguments;
use super::node::{Inputs, NodeFlag, NodeStatus, NodeType, Outputs, Phase};
use super::operate::{Halt, Operation, Options};
use super::substitute::{Values, in_json};
use super::template::{Template, TemplateKind};
use super::{model::read, retries::Verdict};
use serde_json::Value;

/// Templates nested deeper than this are refused, as upstream does.
const DEEPEST: usize = 100;

/// A template on its way to being executed.
pub(super) struct Ready {
    pub(super) raw: Value,
    pub(super) template: Template,
    pub(super) found: Found,
    pub(super) options: Options,
}

impl Operation<'_> {
    /// Executes a template as the node of this name; false: there is no node yet.
    pub(super) fn execute(
        &mut self,
        name: &str,
        call: Call<'_>,
        arguments: &Arguments,
        options: &Options,
    ) -> Result<bool, Halt> {
        if self.is_fulfilled(name) {
            return Ok(true);
        }
        self.depth += 1;
        let done = if self.depth > DEEPEST {
            Err(Halt::Mistake(
                "Maximum recursion depth exceeded. See \
                 https://argo-workflows.readthedocs.io/en/latest/scaling/#maximum-recursion-depth"
                    .to_owned(),
            ))
        } else {
            self.execute_found(name, call, arguments, options)
        };
        self.depth -= 1;
        done
    }

    fn execute_found(
        &mut self,
        name: &str,
        call: Call<'_>,
        arguments: &Arguments,
        options: &Options,
    ) -> Result<bool, Halt> {
        let ready = find(self.world, call)
            .map_err(Halt::Mistake)
            .and_then(|found| {
                let locals = self.locals(name, &found);
                let (raw, template) = self.process(&found.raw, arguments, &locals)?;
                if template.kind().is_none() {
                    return Err(Halt::Mistake(format!(
                        "templates.{} must specify one of: container, containerSet, steps, script, \
                         resource, dag, suspend, template, template ref",
                        template.name
                    )));
                }
                Ok(Ready {
                    raw,
                    template,
                    found,
                    options: options.clone(),
                })
            });
        let ready = match ready {
            Ok(ready) => ready,
            Err(Halt::Mistake(why)) => {
                self.initialize_or_mark_error(name, call, options, &why);
                return Err(Halt::Mistake(why));
            }
            Err(Halt::Parallelism) => return Err(Halt::Parallelism),
        };
        self.check_parallelism(name, &ready)?;
        if self.node(name).is_none() {
            let id = self.id_of(name);
            let locks = ready.template.synchronization.as_ref();
            // What it waits for stands in the workflow's status.
            if self.take_locks(&id, locks)?.is_some() {
                return Err(Halt::Parallelism);
            }
        }
        if ready.template.retry_strategy.is_some() {
            return self.execute_with_retries(name, &ready);
        }
        self.execute_kind(name, &ready)
    }

    fn initialize_or_mark_error(
        &mut self,
        name: &str,
        call: Call<'_>,
        options: &Options,
        why: &str,
    ) {
        if self.node(name).is_some() {
            self.mark(name, Phase::Error, why);
            return;
        }
        let origin = super::operate::Origin {
            template: call.template.to_owned(),
            template_ref: call.template_ref.cloned(),
            scope: call.home.scope.clone(),
        };
        let what = (NodeType::Skipped, Phase::Error, why);
        self.initialize(name, what, &origin, options);
    }

    fn locals(&self, name: &str, found: &Found) -> Values {
        let template = found
            .raw
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Values::from([
            ("node.name".to_owned(), name.to_owned()),
            (
                "pod.name".to_owned(),
                super::node::pod_name(self.name(), name, template),
            ),
        ])
    }

    /// Refuses to go on where as many run as may.
    fn check_parallelism(&mut self, name: &str, ready: &Ready) -> Result<(), Halt> {
        let is_pod = ready.template.kind() == Some(TemplateKind::Pod);
        let is_new = self.node(name).is_none_or(|node| {
            node.kind == NodeType::Retry
                && self.last_attempt(node).is_none_or(NodeStatus::is_fulfilled)
        });
        if !is_new {
            return Ok(());
        }
        let most = self.spec.parallelism;
        if is_pod && most.is_some_and(|most| self.active_pods(None) >= most) {
            return Err(Halt::Parallelism);
        }
        let boundary = self.by_id(&ready.options.boundary).map(|node| {
            let bad = |id: &String| self.by_id(id).is_some_and(|child| child.phase.is_bad());
            let failed = self
                .status
                .nodes
                .values()
                .filter(|one| one.boundary_id == node.id)
                .any(|one| bad(&one.id));
            (node.id.clone(), node.name.clone(), failed)
        });
        let Some((id, name, has_failed)) = boundary else {
            return Ok(());
        };
        let Some((most, fail_fast)) = self.limits_of(&name) else {
            return Ok(());
        };
        let active = self.active_children(&id);
        if fail_fast && has_failed {
            if active == 0 {
                let why = "template has failed or errored children and failFast enabled";
                self.mark(&name, Phase::Failed, why);
            }
            return Err(Halt::Parallelism);
        }
        if most.is_some_and(|most| active >= most) {
            return Err(Halt::Parallelism);
        }
        Ok(())
    }

    /// Returns how many may run below a node at once, and whether one failure stops the others.
    fn limits_of(&self, name: &str) -> Option<(Option<i64>, bool)> {
        let node = self.node(name)?;
        let home = home_of(self.world, &self.home, &node.template_scope);
        let call = Call {
            template: &node.template_name,
            template_ref: node.template_ref.as_ref(),
            inline: None,
            home: &home,
        };
        let found = find(self.world, call).ok()?;
        let number = found.raw.get("parallelism").and_then(Value::as_i64);
        let fail_fast = found.raw.get("failFast") == Some(&Value::Bool(true));
        Some((number, fail_fast))
    }

    fn active_children(&self, boundary: &str) -> i64 {
        let is_active = |node: &&NodeStatus| {
            node.boundary_id == boundary
                && !node.is_fulfilled()
                && matches!(
                    node.kind,
                    NodeType::Pod | NodeType::Steps | NodeType::Dag | NodeType::Suspend
                )
        };
        self.status.nodes.values().filter(is_active).count() as i64
    }

    fn execute_with_retries(&mut self, name: &str, ready: &Ready) -> Result<bool, Halt> {
        if self.node(name).is_none() {
            self.initialize_executable(name, NodeType::Retry, Phase::Running, ready);
        }
        let strategy = ready.template.retry_strategy.clone().unwrap_or_default();
        match self.process_retries(name, &strategy) {
            Verdict::Wait => return Ok(true),
            Verdict::Done => {
                self.take_over_outputs(name);
                return Ok(true);
            }
            Verdict::Attempt => {}
        }
        let Some(node) = self.node(name).cloned() else {
            return Ok(false);
        };
        let number = self.attempts(&node).len();
        let (attempt, child) = self.attempt_of(&node, ready)?;
        let outcome = self.execute_kind(&attempt, &child);
        if let Err(Halt::Mistake(why)) = &outcome {
            if self.node(&attempt).is_none() {
                let what = (NodeType::Skipped, Phase::Error, why.as_str());
                self.initialize(&attempt, what, &child.found.origin, &child.options);
            }
            self.mark(&attempt, Phase::Error, why);
        }
        self.add_child(name, &attempt);
        if self.is_fulfilled(&attempt) && number < 1000 {
            // The attempt ended at once: what follows from it is decided now.
            self.depth += 1;
            let again = self.execute_with_retries(name, ready);
            self.depth -= 1;
            return again;
        }
        match outcome {
            Err(Halt::Parallelism) => Err(Halt::Parallelism),
            Ok(_) | Err(Halt::Mistake(_)) => Ok(true),
        }
    }

    /// Returns the attempt that runs or comes next, and what it executes.
    fn attempt_of(&self, node: &NodeStatus, ready: &Ready) -> Result<(String, Ready), Halt> {
        let running = self
            .last_attempt(node)
            .filter(|last| !last.is_fulfilled())
            .map(|last| last.name.clone());
        let number = self.attempts(node).len();
        let attempt = running.unwrap_or_else(|| format!("{}({number})", node.name));
        let values = self.retry_values(node);
        let raw = in_json(&ready.raw, &values, self.now)?;
        let template = read(&raw)?;
        let child = Ready {
            raw,
            template,
            found: ready.found.clone(),
            options: Options {
                flag: NodeFlag {
                    retried: true,
                    ..ready.options.flag
                },
                ..ready.options.clone()
            },
        };
        Ok((attempt, child))
    }

    fn take_over_outputs(&mut self, name: &str) {
        let outputs = self
            .node(name)
            .and_then(|node| self.last_attempt(node))
            .and_then(|last| last.outputs.clone());
        self.set_outputs(name, outputs);
    }

    /// Adds the node of a template that is about to do something.
    pub(super) fn initialize_executable(
        &mut self,
        name: &str,
        kind: NodeType,
        phase: Phase,
        ready: &Ready,
    ) {
        let what = (kind, phase, "");
        self.initialize(name, what, &ready.found.origin, &ready.options);
        let inputs = Inputs {
            parameters: ready.template.inputs.parameters.clone(),
            artifacts: ready.template.inputs.artifacts.clone(),
        };
        let id = self.id_of(name);
        if let Some(node) = self.status.nodes.get_mut(&id) {
            if inputs != Inputs::default() {
                node.inputs = Some(inputs);
            }
            if kind == NodeType::Suspend && !ready.template.outputs.parameters.is_empty() {
                node.outputs = Some(Outputs {
                    parameters: ready.template.outputs.parameters.clone(),
                    ..Outputs::default()
                });
            }
        }
    }

    fn execute_kind(&mut self, name: &str, ready: &Ready) -> Result<bool, Halt> {
        match ready.template.kind() {
            Some(TemplateKind::Pod) => self.execute_pod(name, ready),
            Some(TemplateKind::Steps) => {
                if self.node(name).is_none() {
                    self.initialize_executable(name, NodeType::Steps, Phase::Running, ready);
                }
                self.execute_steps(name, ready)?;
                Ok(true)
            }
            Some(TemplateKind::Dag) => {
                if self.node(name).is_none() {
                    self.initialize_executable(name, NodeType::Dag, Phase::Running, ready);
                }
                self.execute_dag(name, ready)?;
                Ok(true)
            }
            Some(TemplateKind::Suspend) => {
                self.execute_suspend(name, ready)?;
                Ok(true)
            }
            Some(TemplateKind::Http) => {
                self.execute_http(name, ready);
                Ok(true)
            }
            Some(TemplateKind::Plugin) => Err(Halt::Mistake(
                "plugin templates are not simulated: there is no executor for them".to_owned(),
            )),
            None => Ok(false),
        }
    }
}
