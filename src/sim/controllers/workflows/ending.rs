//! The beginning and the end of a workflow: what it may refer to, exit handlers, its last phase.

use super::library::{Call, Home};
use super::model::read;
use super::model::{Arguments, Condition, Hook, text_of};
use super::node::{NodeFlag, NodeStatus, NodeType, Phase};
use super::operate::{Halt, Operation, Options};
use super::scope::{Scope, add_node};
use super::substitute::{holds, in_json, in_text};
use super::template::Step;
use crate::sim::controllers::runtime::time::{api_time, utc};
use chrono::SecondsFormat;
use serde_json::{Value, json};

/// What became of an exit handler.
enum Handled {
    None,
    Runs,
    Ended(Box<NodeStatus>),
}

impl Operation<'_> {
    /// Does all that can be done now.
    pub(super) fn run(&mut self) {
        self.set_globals();
        let is_new = matches!(self.status.phase, None | Some(Phase::Pending));
        if is_new && !(self.has_its_locks() && self.begin()) {
            self.settle();
            return;
        }
        self.assess_pods();
        self.fail_what_waits();
        if let Some(deadline) = self.deadline().filter(|deadline| *deadline > self.now) {
            self.look_at(deadline);
        }
        if !self.spec.suspend || self.is_shutting_down() {
            self.advance();
        }
        self.settle();
    }

    /// Takes the locks of the whole workflow; without them it is Pending, and says so.
    fn has_its_locks(&mut self) -> bool {
        if self.is_shutting_down() {
            return true;
        }
        let locks = self.spec.synchronization.clone();
        match self.take_locks("", locks.as_ref()) {
            Ok(None) => {
                self.status.message.clear();
                true
            }
            Ok(Some(message)) => {
                self.status.phase = Some(Phase::Pending);
                self.status.message = message;
                false
            }
            Err(Halt::Mistake(why)) => {
                self.end(Phase::Error, &why);
                false
            }
            Err(Halt::Parallelism) => false,
        }
    }

    /// Says which fields of its templates change nothing here.
    pub(super) fn warn(&mut self, message: String) {
        self.set_condition("SpecWarning", true);
        let conditions = &mut self.status.conditions;
        if let Some(known) = conditions.iter_mut().find(|one| one.kind == "SpecWarning") {
            known.message = message;
        }
    }

    /// Starts the workflow; false: it cannot be run at all.
    fn begin(&mut self) -> bool {
        self.status.phase = Some(Phase::Running);
        self.status.started_at = Some(api_time(self.now));
        self.tell(false, "WorkflowRunning", "Workflow Running".to_owned());
        if let Err(why) = super::validate::validate(self) {
            self.end(Phase::Failed, &format!("invalid spec: {why}"));
            return false;
        }
        let name = self.name().to_owned();
        let is_new = self.status.persistent_volume_claims.is_empty();
        for template in self.spec.volume_claim_templates.clone() {
            if !is_new {
                break;
            }
            let volume = template.pointer("/metadata/name").and_then(Value::as_str);
            let volume = volume.unwrap_or_default();
            let claim = format!("{name}-{volume}");
            self.status.persistent_volume_claims.push(json!({
                "name": volume,
                "persistentVolumeClaim": {"claimName": claim},
            }));
            let mut object = template.clone();
            object["apiVersion"] = json!("v1");
            object["kind"] = json!("PersistentVolumeClaim");
            object["metadata"]["name"] = json!(claim);
            self.wishes.push(super::operate::Wish::CreateClaim(object));
        }
        true
    }

    fn advance(&mut self) {
        let name = self.name().to_owned();
        if let Err(Halt::Mistake(why)) = self.run_workflow_hooks() {
            self.end(Phase::Error, &why);
            return;
        }
        let entry = self.spec.entrypoint.clone();
        let arguments = self.spec.arguments.clone();
        let home = self.home.clone();
        let outcome = self.execute(
            &name,
            Call::named(&entry, &home),
            &arguments,
            &Options::default(),
        );
        if let Err(Halt::Mistake(why)) = outcome {
            self.end(
                Phase::Error,
                &format!("error in entry template execution: {why}"),
            );
            return;
        }
        let Some(node) = self.node(&name).cloned().filter(NodeStatus::is_fulfilled) else {
            return;
        };
        match self.run_exit_handler(&node) {
            Ok(Handled::None) => self.conclude(&node, None),
            Ok(Handled::Ended(handler)) => self.conclude(&node, Some(&handler)),
            Ok(Handled::Runs) | Err(Halt::Parallelism) => {}
            Err(Halt::Mistake(why)) => {
                self.end(
                    Phase::Error,
                    &format!("error in exit template execution : {why}"),
                );
            }
        }
    }

    /// Runs the workflow's exit handler.
    fn run_exit_handler(&mut self, entry: &NodeStatus) -> Result<Handled, Halt> {
        let hook = self.spec.hooks.get("exit").cloned().or_else(|| {
            let template = self.spec.on_exit.clone();
            (!template.is_empty()).then(|| Hook {
                template,
                ..Hook::default()
            })
        });
        let Some(hook) = hook.filter(|_| self.spec.shutdown != "Terminate") else {
            return Ok(Handled::None);
        };
        let status = match entry.phase {
            Phase::Skipped | Phase::Omitted => Phase::Succeeded,
            phase @ (Phase::Pending
            | Phase::Running
            | Phase::Succeeded
            | Phase::Failed
            | Phase::Error) => phase,
        };
        self.globals
            .insert("workflow.status".to_owned(), status.word().to_owned());
        self.globals
            .insert("workflow.failures".to_owned(), self.failures());
        let name = format!("{}.onExit", self.name());
        let arguments = self.filled(&hook.arguments)?;
        let arguments = if arguments.is_empty() {
            self.spec.arguments.clone()
        } else {
            arguments
        };
        let home = self.home.clone();
        let call = Call {
            template: &hook.template,
            template_ref: hook.template_ref.as_ref(),
            inline: None,
            home: &home,
        };
        let options = Options {
            on_exit: true,
            flag: NodeFlag {
                hooked: true,
                retried: false,
            },
            ..Options::default()
        };
        self.execute(&name, call, &arguments, &options)?;
        let node = self.node(&name).cloned();
        let ended = node.filter(NodeStatus::is_fulfilled);
        Ok(ended.map_or(Handled::Runs, |node| Handled::Ended(Box::new(node))))
    }

    fn filled(&self, arguments: &Arguments) -> Result<Arguments, Halt> {
        let raw = serde_json::to_value(arguments).unwrap_or_default();
        Ok(read(&in_json(&raw, &self.globals, self.now)?)?)
    }

    fn failures(&self) -> String {
        let failed = self
            .status
            .nodes
            .values()
            .filter(|node| node.phase.is_bad())
            .map(|node| {
                let time = node.finished_at.as_ref().map(utc);
                json!({
                    "displayName": node.display_name,
                    "message": node.message,
                    "templateName": node.template_name,
                    "phase": node.phase.word(),
                    "podName": super::node::pod_name(self.name(), &node.name, &node.template_name),
                    "finishedAt": time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)),
                })
            });
        // It is put into a text inside of JSON, so quoted once more.
        Value::String(Value::Array(failed.collect()).to_string()).to_string()
    }

    /// Runs the hooks of the whole workflow whose expression holds.
    fn run_workflow_hooks(&mut self) -> Result<(), Halt> {
        let home = self.home.clone();
        for (label, hook) in self.spec.hooks.clone() {
            if label == "exit" {
                continue;
            }
            let name = format!("{}.hooks.{label}", self.name());
            let fires = self.node(&name).is_some()
                || holds(&hook.expression, &self.globals, self.now).unwrap_or(false);
            if !fires || self.is_fulfilled(&name) {
                continue;
            }
            let call = Call {
                template: &hook.template,
                template_ref: hook.template_ref.as_ref(),
                inline: None,
                home: &home,
            };
            let options = hooked();
            let arguments = self.filled(&hook.arguments)?;
            match self.execute(&name, call, &arguments, &options) {
                Ok(_) | Err(Halt::Parallelism) => {}
                Err(Halt::Mistake(why)) => return Err(Halt::Mistake(why)),
            }
        }
        Ok(())
    }

    /// Runs what follows a step that has ended; false: that has not ended itself.
    pub(super) fn run_exit_hook(
        &mut self,
        parent: &str,
        step: &Step,
        (home, scope, prefix): (&Home, &Scope, &str),
        options: &Options,
    ) -> Result<bool, Halt> {
        let Some(node) = self.node(parent).cloned() else {
            return Ok(true);
        };
        let Some(hook) = step.exit_hook() else {
            return Ok(true);
        };
        if !node.phase.is_completed() || !self.may_execute(true) {
            return Ok(true);
        }
        let name = format!("{parent}.onExit");
        if self.is_fulfilled(&name) {
            return Ok(true);
        }
        let mut scope = scope.clone();
        add_node(&mut scope, prefix, &node);
        let raw = serde_json::to_value(&hook.arguments).unwrap_or_default();
        let mut arguments: Arguments = read(&in_json(&raw, &scope.values, self.now)?)?;
        scope.resolve_artifacts(&mut arguments)?;
        let call = Call {
            template: &hook.template,
            template_ref: hook.template_ref.as_ref(),
            inline: None,
            home,
        };
        let options = Options {
            on_exit: true,
            boundary: options.boundary.clone(),
            ..hooked()
        };
        match self.execute(&name, call, &arguments, &options) {
            Ok(_) | Err(Halt::Parallelism) => {}
            Err(Halt::Mistake(why)) => self.mark(&name, Phase::Error, &why),
        }
        self.add_child(parent, &name);
        Ok(self.is_fulfilled(&name))
    }

    /// Ends the workflow as its entry node and its exit handler ended.
    fn conclude(&mut self, entry: &NodeStatus, handler: Option<&NodeStatus>) {
        let hooks_run = self
            .status
            .nodes
            .values()
            .any(|node| !node.is_fulfilled() && node.node_flag.is_some_and(|flag| flag.hooked));
        if hooks_run {
            return;
        }
        let message = if entry.phase.is_bad() && self.is_shutting_down() {
            format!("Stopped with strategy '{}'", self.spec.shutdown)
        } else {
            entry.message.clone()
        };
        match (entry.phase, handler) {
            (Phase::Failed | Phase::Error, _) => self.end(entry.phase, &message),
            (_, Some(handler)) if handler.phase.is_bad() => {
                self.end(handler.phase, &handler.message.clone());
            }
            _ => {
                if let Some(outputs) = &entry.outputs {
                    let outputs = outputs.clone();
                    self.publish(&outputs);
                }
                self.end(Phase::Succeeded, "");
            }
        }
    }

    /// Gives the workflow its last phase.
    pub(super) fn end(&mut self, phase: Phase, message: &str) {
        self.status.phase = Some(phase);
        message.clone_into(&mut self.status.message);
        self.status.finished_at = Some(api_time(self.now));
        let (warning, reason, said) = if phase == Phase::Succeeded {
            (false, "WorkflowSucceeded", "Workflow completed".to_owned())
        } else if message.is_empty() {
            (true, "WorkflowFailed", phase.word().to_owned())
        } else {
            (true, "WorkflowFailed", message.to_owned())
        };
        self.tell(warning, reason, said);
        let goes = matches!(phase, Phase::Succeeded);
        if goes {
            for claim in self.status.persistent_volume_claims.clone() {
                let name = claim
                    .pointer("/persistentVolumeClaim/claimName")
                    .and_then(text_of);
                self.wishes
                    .extend(name.map(super::operate::Wish::DeleteClaim));
            }
            self.status.persistent_volume_claims.clear();
        }
        let strategy = self
            .spec
            .pod_gc
            .as_ref()
            .map_or("", |gc| gc.strategy.as_str());
        if strategy == "OnWorkflowCompletion" || (goes && strategy == "OnWorkflowSuccess") {
            for pod in self.world.pods.values() {
                let name = pod.metadata.name.clone().unwrap_or_default();
                self.wishes.push(super::operate::Wish::DeletePod(name));
            }
        }
    }

    /// Brings up to date what is told of the whole.
    fn settle(&mut self) {
        super::progress::update(&mut self.status);
        let runs = self
            .status
            .nodes
            .values()
            .any(|node| node.kind == NodeType::Pod && node.phase == Phase::Running);
        self.set_condition("PodRunning", runs);
        if self.status.phase.is_some_and(Phase::is_fulfilled) {
            self.set_condition("Completed", true);
        }
    }

    fn set_condition(&mut self, kind: &str, holds: bool) {
        let status = if holds { "True" } else { "False" };
        let list = &mut self.status.conditions;
        match list.iter_mut().find(|one| one.kind == kind) {
            Some(known) => status.clone_into(&mut known.status),
            None => list.push(Condition {
                kind: kind.to_owned(),
                status: status.to_owned(),
                message: String::new(),
            }),
        }
    }

    /// Collects what every template may refer to.
    fn set_globals(&mut self) {
        let meta = &self.workflow.metadata;
        let mut put = |name: &str, value: String| {
            self.globals.insert(format!("workflow.{name}"), value);
        };
        put("name", meta.name.clone().unwrap_or_default());
        put("namespace", meta.namespace.clone().unwrap_or_default());
        put("uid", meta.uid.clone().unwrap_or_default());
        put("mainEntrypoint", self.spec.entrypoint.clone());
        let account = &self.spec.service_account_name;
        let account = if account.is_empty() {
            "default"
        } else {
            account
        };
        put("serviceAccountName", account.to_owned());
        put("priority", self.spec.priority.unwrap_or(0).to_string());
        let created = meta.creation_timestamp.as_ref().map_or(self.now, utc);
        put(
            "creationTimestamp",
            created.to_rfc3339_opts(SecondsFormat::Secs, true),
        );
        put("creationTimestamp.s", created.timestamp().to_string());
        put(
            "creationTimestamp.RFC3339",
            created.to_rfc3339_opts(SecondsFormat::Secs, true),
        );
        let phase = self.status.phase.unwrap_or(Phase::Running);
        put("status", phase.word().to_owned());
        for (kind, map) in [("labels", &meta.labels), ("annotations", &meta.annotations)] {
            for (name, value) in map.iter().flatten() {
                put(&format!("{kind}.{name}"), value.clone());
            }
        }
        let scheduled = meta
            .annotations
            .as_ref()
            .and_then(|all| all.get("workflows.argoproj.io/scheduled-time"));
        if let Some(scheduled) = scheduled {
            put("scheduledTime", scheduled.clone());
        }
        self.set_parameters();
        let outputs = self.status.outputs.clone();
        for parameter in &outputs.parameters {
            let name = format!("workflow.outputs.parameters.{}", parameter.name);
            self.globals
                .insert(name, parameter.value.clone().unwrap_or_default());
        }
        for artifact in outputs.artifacts {
            if let Some(name) = artifact["name"].as_str() {
                let name = format!("workflow.outputs.artifacts.{name}");
                self.global_artifacts.insert(name, artifact.clone());
            }
        }
    }

    fn set_parameters(&mut self) {
        let mut known = Vec::new();
        for mut parameter in self.spec.arguments.parameters.clone() {
            let from = parameter.value_from.as_ref();
            let value = parameter
                .value
                .clone()
                .or_else(|| self.configured(from?))
                .or_else(|| parameter.default.clone());
            let Some(value) = value else { continue };
            let value = in_text(&value, &self.globals, self.now).unwrap_or(value);
            self.globals.insert(
                format!("workflow.parameters.{}", parameter.name),
                value.clone(),
            );
            parameter.value = Some(value);
            parameter.value_from = None;
            known.push(parameter);
        }
        let json = serde_json::to_string(&known).unwrap_or_default();
        self.globals
            .insert("workflow.parameters.json".to_owned(), json.clone());
        self.globals
            .entry("workflow.parameters".to_owned())
            .or_insert(json);
        self.spec.arguments.parameters = self
            .spec
            .arguments
            .parameters
            .iter()
            .map(|one| {
                known
                    .iter()
                    .find(|known| known.name == one.name)
                    .unwrap_or(one)
                    .clone()
            })
            .collect();
    }
}

fn hooked() -> Options {
    Options {
        flag: NodeFlag {
            hooked: true,
            retried: false,
        },
        ..Options::default()
    }
}
