//! What the steps and tasks of a template can say of each other (`operator.go`, `buildLocalScope`).

use super::library::text_at;
use super::model::{Arguments, Parameter, text_of};
use super::node::{NodeStatus, Outputs};
use super::operate::Operation;
use super::substitute::{Values, evaluate, in_text, spelled};
use super::template::Template;
use crate::sim::controllers::runtime::time::utc;
use chrono::SecondsFormat;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Values and artifacts by their dotted names.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) values: Values,
    pub(super) artifacts: BTreeMap<String, Value>,
}

impl Scope {
    /// Returns the artifact that a reference such as `{{steps.a.outputs.artifacts.b}}` means.
    fn artifact(&self, reference: &str) -> Option<&Value> {
        let name = reference
            .trim()
            .trim_start_matches("{{")
            .trim_end_matches("}}");
        self.artifacts.get(name.trim())
    }

    /// Puts artifacts in the places of references to them.
    pub(super) fn resolve_artifacts(&self, arguments: &mut Arguments) -> Result<(), String> {
        let mut kept = Vec::new();
        for artifact in &arguments.artifacts {
            let Some(from) = text_at(artifact, "from") else {
                kept.push(artifact.clone());
                continue;
            };
            match self.artifact(&from) {
                Some(found) => {
                    let mut resolved = found.clone();
                    if let Some(map) = resolved.as_object_mut() {
                        map.remove("path");
                        map.remove("globalName");
                    }
                    resolved["name"] = artifact["name"].clone();
                    kept.push(resolved);
                }
                None if artifact.get("optional") == Some(&Value::Bool(true)) => {}
                None => {
                    return Err(format!(
                        "unable to resolve references: Unable to resolve: \"{from}\""
                    ));
                }
            }
        }
        arguments.artifacts = kept;
        Ok(())
    }
}

fn time_text(time: &Time) -> String {
    utc(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Operation<'_> {
    /// Returns a scope with what the whole workflow put out and what the template was given.
    pub(super) fn scope_of(&self, template: &Template) -> Scope {
        let mut scope = Scope {
            values: self.globals.clone(),
            artifacts: self.global_artifacts.clone(),
        };
        for parameter in &template.inputs.parameters {
            let value = parameter.value.clone().unwrap_or_default();
            scope
                .values
                .insert(format!("inputs.parameters.{}", parameter.name), value);
        }
        for artifact in &template.inputs.artifacts {
            if let Some(name) = text_at(artifact, "name") {
                scope
                    .artifacts
                    .insert(format!("inputs.artifacts.{name}"), artifact.clone());
            }
        }
        scope
    }

    /// Returns what a template of steps or tasks puts out itself.
    pub(super) fn outputs_from(
        &self,
        template: &Template,
        scope: &Scope,
    ) -> Result<Option<Outputs>, String> {
        let slots = &template.outputs;
        if slots.parameters.is_empty() && slots.artifacts.is_empty() {
            return Ok(None);
        }
        let mut outputs = Outputs::default();
        for slot in &slots.parameters {
            let value = self.output_value(slot, scope)?;
            outputs.parameters.push(Parameter {
                value: Some(value),
                value_from: None,
                ..slot.clone()
            });
        }
        for slot in &slots.artifacts {
            let from = text_at(slot, "from").unwrap_or_default();
            let optional = slot.get("optional") == Some(&Value::Bool(true));
            match scope.artifact(&from) {
                Some(found) => {
                    let mut artifact = found.clone();
                    artifact["name"] = slot["name"].clone();
                    if let Some(global) = slot.get("globalName") {
                        artifact["globalName"] = global.clone();
                    }
                    outputs.artifacts.push(artifact);
                }
                None if optional || slot.get("fromExpression").is_some() => {}
                None => {
                    return Err(format!(
                        "unable to resolve references: Unable to resolve: \"{from}\""
                    ));
                }
            }
        }
        Ok(Some(outputs))
    }

    fn output_value(&self, slot: &Parameter, scope: &Scope) -> Result<String, String> {
        let from = slot.value_from.clone().unwrap_or(Value::Null);
        let default = from.get("default").and_then(text_of);
        if let Some(expression) = text_at(&from, "expression") {
            let value = evaluate(&expression, &scope.values, self.now);
            return match (value, default) {
                (Ok(value), _) => Ok(spelled(&value)),
                (Err(_), Some(default)) => Ok(default),
                (Err(why), None) => Err(why),
            };
        }
        if let Some(reference) = text_at(&from, "parameter") {
            let value = in_text(&reference, &scope.values, self.now)?;
            return match (value.contains("{{"), default) {
                (false, _) => Ok(value),
                (true, Some(default)) => Ok(default),
                (true, None) => Err(format!(
                    "unable to resolve references: Unable to resolve: \"{reference}\""
                )),
            };
        }
        slot.value
            .clone()
            .or(default)
            .or_else(|| self.configured(&from))
            .ok_or_else(|| format!("output parameter {} has no value", slot.name))
    }

    /// Lets the whole workflow know what a node put out under a global name.
    pub(super) fn publish(&mut self, outputs: &Outputs) {
        for parameter in outputs
            .parameters
            .iter()
            .filter(|one| !one.global_name.is_empty())
        {
            let name = parameter.global_name.clone();
            let value = parameter.value.clone().unwrap_or_default();
            self.globals
                .insert(format!("workflow.outputs.parameters.{name}"), value.clone());
            let global = Parameter {
                name: name.clone(),
                value: Some(value),
                ..Parameter::default()
            };
            let list = &mut self.status.outputs.parameters;
            match list.iter_mut().find(|one| one.name == name) {
                Some(known) => *known = global,
                None => list.push(global),
            }
        }
        for artifact in &outputs.artifacts {
            let Some(name) = text_at(artifact, "globalName") else {
                continue;
            };
            let mut global = artifact.clone();
            global["name"] = json!(name);
            if let Some(map) = global.as_object_mut() {
                map.remove("globalName");
                map.remove("path");
            }
            self.global_artifacts
                .insert(format!("workflow.outputs.artifacts.{name}"), global.clone());
            let list = &mut self.status.outputs.artifacts;
            match list.iter_mut().find(|one| one["name"] == json!(name)) {
                Some(known) => *known = global,
                None => list.push(global),
            }
        }
    }
}

/// Adds what is known of one node.
pub(super) fn add_node(scope: &mut Scope, prefix: &str, node: &NodeStatus) {
    let mut put = |name: &str, value: String| {
        scope.values.insert(format!("{prefix}.{name}"), value);
    };
    put("id", node.id.clone());
    if let Some(time) = &node.started_at {
        put("startedAt", time_text(time));
    }
    if let Some(time) = &node.finished_at {
        put("finishedAt", time_text(time));
    }
    if !node.host_node_name.is_empty() {
        put("hostNodeName", node.host_node_name.clone());
    }
    if !node.pod_ip.is_empty() {
        put("ip", node.pod_ip.clone());
    }
    put("status", node.phase.word().to_owned());
    let Some(outputs) = &node.outputs else { return };
    if let Some(result) = &outputs.result {
        put("outputs.result", result.clone());
    }
    if let Some(code) = &outputs.exit_code {
        put("exitCode", code.clone());
    }
    for parameter in &outputs.parameters {
        if let Some(value) = &parameter.value {
            put(
                &format!("outputs.parameters.{}", parameter.name),
                value.clone(),
            );
        }
    }
    for artifact in &outputs.artifacts {
        if let Some(name) = text_at(artifact, "name") {
            scope.artifacts.insert(
                format!("{prefix}.outputs.artifacts.{name}"),
                artifact.clone(),
            );
        }
    }
}

/// Adds what several nodes of one step put out, as lists.
pub(super) fn add_nodes(scope: &mut Scope, prefix: &str, nodes: &[NodeStatus]) {
    let mut results = Vec::new();
    let mut all = Vec::new();
    let mut by_name: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for node in sorted(nodes) {
        let outputs = node.outputs.clone().unwrap_or_default();
        if let Some(result) = &outputs.result {
            results.push(json_or_text(result));
        }
        let mut one = serde_json::Map::new();
        for parameter in &outputs.parameters {
            if let Some(value) = &parameter.value {
                one.insert(parameter.name.clone(), Value::String(value.clone()));
                let list = by_name.entry(parameter.name.clone()).or_default();
                list.push(Value::String(value.clone()));
            }
        }
        if !one.is_empty() {
            all.push(Value::Object(one));
        }
    }
    let mut put = |name: String, value: Value| {
        scope
            .values
            .insert(format!("{prefix}.{name}"), value.to_string());
    };
    put("outputs.result".to_owned(), Value::Array(results));
    if !all.is_empty() {
        put("outputs.parameters".to_owned(), Value::Array(all));
    }
    for (name, values) in by_name {
        put(format!("outputs.parameters.{name}"), Value::Array(values));
    }
}

/// Orders the nodes of one step by the number of their item.
fn sorted(nodes: &[NodeStatus]) -> Vec<&NodeStatus> {
    let index = |node: &NodeStatus| {
        let label = node.name.rsplit_once('(').map_or("", |(_, label)| label);
        let digits: String = label.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().unwrap_or(usize::MAX)
    };
    let mut sorted: Vec<&NodeStatus> = nodes.iter().collect();
    sorted.sort_by_key(|node| {
        // The label may hold brackets of its own; the first one counts.
        let first = node
            .display_name
            .split_once('(')
            .map_or("", |(_, label)| label);
        let digits: String = first.chars().take_while(char::is_ascii_digit).collect();
        digits
            .parse::<usize>()
            .unwrap_or_else(|_no_number| index(node))
    });
    sorted
}

fn json_or_text(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_) | Value::Number(_) | Value::Bool(_))) => {
            value
        }
        Ok(Value::Null | Value::String(_)) | Err(_) => Value::String(text.to_owned()),
    }
}
