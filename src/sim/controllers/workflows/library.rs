//! Where templates are found: in the workflow itself, or in a stored template that it refers to.

use super::model::{Arguments, Parameter, TemplateRef, read, text_of};
use super::operate::{Halt, Operation, Origin, World};
use super::substitute::{Values, in_json};
use super::template::{Step, Template};
use serde_json::{Value, json};
use std::sync::Arc;

/// The templates among which a name is looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Home {
    /// Such as `local/w` or `namespaced/shared`.
    pub(super) scope: String,
    pub(super) templates: Arc<Vec<Value>>,
}

/// A template that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) raw: Value,
    pub(super) home: Home,
    pub(super) origin: Origin,
}

/// What names a template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'c> {
    pub(super) template: &'c str,
    pub(super) template_ref: Option<&'c TemplateRef>,
    pub(super) inline: Option<&'c Value>,
    /// Where its name is looked up.
    pub(super) home: &'c Home,
}

impl<'c> Call<'c> {
    pub(super) fn named(template: &'c str, home: &'c Home) -> Self {
        Self {
            template,
            template_ref: None,
            inline: None,
            home,
        }
    }

    pub(super) fn of(step: &'c Step, home: &'c Home) -> Self {
        Self {
            template: &step.template,
            template_ref: step.template_ref.as_ref(),
            inline: step.inline.as_ref(),
            home,
        }
    }
}

/// Returns where stored templates of a reference are kept in [`World::library`].
pub(super) fn shelf(name: &str, cluster: bool) -> String {
    let scope = if cluster { "cluster" } else { "namespaced" };
    format!("{scope}/{name}")
}

impl Home {
    pub(super) fn of_spec(scope: String, spec: &Value) -> Self {
        let templates = spec.get("templates").and_then(Value::as_array);
        Self {
            scope,
            templates: Arc::new(templates.cloned().unwrap_or_default()),
        }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.templates
            .iter()
            .find(|one| one.get("name").and_then(Value::as_str) == Some(name))
    }
}

/// Finds a template.
pub(super) fn find(world: &World, call: Call<'_>) -> Result<Found, String> {
    let home = call.home;
    if let Some(inline) = call.inline {
        return Ok(Found {
            raw: inline.clone(),
            home: home.clone(),
            origin: Origin {
                scope: home.scope.clone(),
                ..Origin::default()
            },
        });
    }
    let origin = |scope: &str| Origin {
        template: call.template.to_owned(),
        template_ref: call.template_ref.cloned(),
        scope: scope.to_owned(),
    };
    if let Some(wanted) = call.template_ref {
        let key = shelf(&wanted.name, wanted.cluster_scope);
        let spec = world.library.get(&key).ok_or_else(|| {
            let kind = if wanted.cluster_scope {
                "clusterworkflowtemplates"
            } else {
                "workflowtemplates"
            };
            format!("{kind}.argoproj.io \"{}\" not found", wanted.name)
        })?;
        let there = Home::of_spec(key, spec);
        let raw = there.find(&wanted.template).ok_or_else(|| {
            format!(
                "template {} not found in workflow template {}",
                wanted.template, wanted.name
            )
        })?;
        return Ok(Found {
            raw: raw.clone(),
            home: there.clone(),
            origin: origin(&home.scope),
        });
    }
    let raw = home
        .find(call.template)
        .ok_or_else(|| format!("template name '{}' undefined", call.template))?;
    Ok(Found {
        raw: raw.clone(),
        home: home.clone(),
        origin: origin(&home.scope),
    })
}

impl Operation<'_> {
    /// Puts arguments into a template's inputs, and all that is known into the template.
    pub(super) fn process(
        &self,
        raw: &Value,
        arguments: &Arguments,
        locals: &Values,
    ) -> Result<(Value, Template), Halt> {
        let mut raw = self.with_defaults(raw);
        raw = in_json(&raw, &self.globals, self.now)?;
        let before: Template = read(&raw)?;
        let mut values = locals.clone();
        let mut inputs = Vec::new();
        for slot in &before.inputs.parameters {
            let value = self.input(slot, arguments)?;
            values.insert(format!("inputs.parameters.{}", slot.name), value.clone());
            inputs.push(Parameter {
                value: Some(value),
                value_from: None,
                ..slot.clone()
            });
        }
        let artifacts = artifacts(&before, arguments, &mut values)?;
        values.insert(
            "inputs.parameters".to_owned(),
            serde_json::to_string(&inputs).unwrap_or_default(),
        );
        for slot in &before.outputs.artifacts {
            if let (Some(name), Some(path)) = (text_at(slot, "name"), text_at(slot, "path")) {
                values.insert(format!("outputs.artifacts.{name}.path"), path);
            }
        }
        for slot in &before.outputs.parameters {
            let path = slot
                .value_from
                .as_ref()
                .and_then(|from| text_at(from, "path"));
            if let Some(path) = path {
                values.insert(format!("outputs.parameters.{}.path", slot.name), path);
            }
        }
        values.extend(self.globals.clone());
        if !inputs.is_empty() || !artifacts.is_empty() {
            raw["inputs"] = json!({"parameters": inputs, "artifacts": artifacts});
        }
        let filled = in_json(&raw, &values, self.now)?;
        let template = read(&filled)?;
        Ok((filled, template))
    }

    fn with_defaults(&self, raw: &Value) -> Value {
        let mut raw = raw.clone();
        let defaults = self
            .spec
            .template_defaults
            .as_ref()
            .and_then(Value::as_object);
        if let (Some(defaults), Some(map)) = (defaults, raw.as_object_mut()) {
            for (field, value) in defaults {
                let is_shape = ["container", "script", "steps", "dag"].contains(&field.as_str());
                if !is_shape && !map.contains_key(field) {
                    map.insert(field.clone(), value.clone());
                }
            }
        }
        raw
    }

    fn input(&self, slot: &Parameter, arguments: &Arguments) -> Result<String, Halt> {
        let given = arguments.parameter(&slot.name);
        let value = given.and_then(|one| one.value.clone());
        let from_given = || self.configured(given?.value_from.as_ref()?);
        let from_slot = || self.configured(slot.value_from.as_ref()?);
        let value = value
            .or_else(from_given)
            .or_else(|| slot.value.clone())
            .or_else(from_slot)
            .or_else(|| slot.default.clone())
            .ok_or_else(|| {
                Halt::Mistake(format!("inputs.parameters.{} was not supplied", slot.name))
            })?;
        let allowed: Vec<String> = slot.choices.iter().filter_map(text_of).collect();
        if !allowed.is_empty() && !allowed.contains(&value) {
            return Err(Halt::Mistake(format!(
                "inputs.parameters.{} value {value} should be present in enum [{}] list",
                slot.name,
                allowed.join(" ")
            )));
        }
        Ok(value)
    }

    /// Reads a value that a ConfigMap has.
    pub(super) fn configured(&self, from: &Value) -> Option<String> {
        let reference = from.get("configMapKeyRef")?;
        let key = (text_at(reference, "name")?, text_at(reference, "key")?);
        let default = || from.get("default").and_then(text_of);
        self.world.config.get(&key).cloned().or_else(default)
    }
}

pub(super) fn text_at(value: &Value, field: &str) -> Option<String> {
    value.get(field).and_then(Value::as_str).map(str::to_owned)
}

fn artifacts(
    template: &Template,
    arguments: &Arguments,
    values: &mut Values,
) -> Result<Vec<Value>, Halt> {
    const SOURCES: [&str; 10] = [
        "raw",
        "git",
        "http",
        "s3",
        "gcs",
        "hdfs",
        "oss",
        "azure",
        "artifactory",
        "from",
    ];
    let mut found = Vec::new();
    for slot in &template.inputs.artifacts {
        let name = text_at(slot, "name").unwrap_or_default();
        if let Some(path) = text_at(slot, "path") {
            values.insert(format!("inputs.artifacts.{name}.path"), path);
        }
        let given = arguments
            .artifacts
            .iter()
            .find(|one| text_at(one, "name").as_deref() == Some(&name));
        let has_source = SOURCES.iter().any(|source| slot.get(source).is_some());
        let optional = slot.get("optional") == Some(&Value::Bool(true));
        let mut artifact = slot.clone();
        match given {
            Some(given) => {
                for (field, value) in given.as_object().into_iter().flatten() {
                    if field != "path" && field != "name" {
                        artifact[field.as_str()] = value.clone();
                    }
                }
            }
            None if has_source => {}
            None if optional => continue,
            None => {
                return Err(Halt::Mistake(format!(
                    "inputs.artifacts.{name} was not supplied"
                )));
            }
        }
        found.push(artifact);
    }
    Ok(found)
}

impl Found {
    /// Returns the template's name, as pods are named after it.
    pub(super) fn origin_template(&self) -> String {
        match &self.origin.template_ref {
            Some(reference) => reference.template.clone(),
            None => self.origin.template.clone(),
        }
    }
}

/// Returns the templates of a node's scope.
pub(super) fn home_of(world: &World, own: &Home, scope: &str) -> Home {
    match world.library.get(scope) {
        Some(spec) if scope != own.scope => Home::of_spec(scope.to_owned(), spec),
        Some(_) | None => own.clone(),
    }
}
