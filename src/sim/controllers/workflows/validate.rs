//! Refuses workflows that cannot be run, in upstream's words (`workflow/validate/validate.go`).

use super::depends;
use super::library::{Call, Found, Home, find};
use super::model::read;
use super::operate::Operation;
use super::template::{Step, Template};
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks the workflow's arguments and every template that its entrypoint leads to.
pub(super) fn validate(operation: &Operation<'_>) -> Result<(), String> {
    let spec = &operation.spec;
    if spec.entrypoint.is_empty() {
        return Err("spec.entrypoint is required".to_owned());
    }
    unique_templates(&spec.templates)?;
    for parameter in &spec.arguments.parameters {
        let has_value = parameter.value.is_some() || parameter.value_from.is_some();
        if !has_value {
            let name = &parameter.name;
            return Err(format!(
                "spec.arguments.{name}.value or spec.arguments.{name}.valueFrom is required"
            ));
        }
    }
    let mut walk = Walk {
        operation,
        seen: BTreeSet::new(),
    };
    let home = operation.home.clone();
    let given: Vec<String> = spec
        .arguments
        .parameters
        .iter()
        .map(|one| one.name.clone())
        .collect();
    walk.template(
        Call::named(&spec.entrypoint, &home),
        &given,
        "spec.entrypoint",
    )?;
    if !spec.on_exit.is_empty() {
        walk.template(Call::named(&spec.on_exit, &home), &given, "spec.onExit")?;
    }
    for (name, hook) in &spec.hooks {
        let call = Call {
            template: &hook.template,
            template_ref: hook.template_ref.as_ref(),
            inline: None,
            home: &home,
        };
        let mut given = given.clone();
        given.extend(hook.arguments.parameters.iter().map(|one| one.name.clone()));
        walk.template(call, &given, &format!("spec.hooks.{name}"))?;
    }
    Ok(())
}

fn unique_templates(templates: &[Value]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for (index, template) in templates.iter().enumerate() {
        let name = template
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if name.is_empty() {
            return Err(format!("spec.templates[{index}].name is required"));
        }
        if !seen.insert(name) {
            return Err(format!(
                "spec.templates[{index}].name '{name}' is not unique"
            ));
        }
    }
    Ok(())
}

struct Walk<'o> {
    operation: &'o Operation<'o>,
    seen: BTreeSet<(String, String)>,
}

impl Walk<'_> {
    fn template(&mut self, call: Call<'_>, given: &[String], at: &str) -> Result<(), String> {
        let found = find(self.operation.world, call).map_err(|why| format!("{at} {why}"))?;
        let template: Template = read(&found.raw).map_err(|why| format!("{at}: {why}"))?;
        let name = match template.name.as_str() {
            "" => format!("{at}.inline"),
            name => name.to_owned(),
        };
        for input in &template.inputs.parameters {
            let has_value = given.contains(&input.name)
                || input.value.is_some()
                || input.default.is_some()
                || input.value_from.is_some();
            if !has_value {
                return Err(format!(
                    "{at} templates.{name} inputs.parameters.{} was not supplied",
                    input.name
                ));
            }
        }
        if !self.seen.insert((found.home.scope.clone(), name.clone())) {
            return Ok(());
        }
        if template.kind().is_none() {
            return Err(format!(
                "templates.{name} must specify one of: container, containerSet, steps, script, \
                 resource, dag, suspend, template, template ref"
            ));
        }
        self.references(&name, &template, &found)?;
        self.steps(&name, &template, &found)?;
        self.dag(&name, &template, &found)
    }

    fn call(&mut self, home: &Home, step: &Step, at: &str) -> Result<(), String> {
        if step.name.is_empty() {
            return Err(format!("{at}.name is required"));
        }
        if step.template.is_empty() && step.template_ref.is_none() && step.inline.is_none() {
            return Err(format!(
                "{at}.{} template or templateRef is required",
                step.name
            ));
        }
        let given: Vec<String> = step
            .arguments
            .parameters
            .iter()
            .filter(|one| one.value.is_some() || one.value_from.is_some())
            .map(|one| one.name.clone())
            .collect();
        self.template(Call::of(step, home), &given, &format!("{at}.{}", step.name))
    }

    fn steps(&mut self, name: &str, template: &Template, found: &Found) -> Result<(), String> {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for (index, group) in template.steps.iter().flatten().enumerate() {
            let at = format!("templates.{name}.steps[{index}]");
            let mut here = Vec::new();
            for (position, step) in group.iter().enumerate() {
                if seen.contains(&step.name) || here.contains(&step.name) {
                    return Err(format!("{at}.name '{}' is not unique", step.name));
                }
                let raw = found.raw.pointer(&format!("/steps/{index}/{position}"));
                known_steps("steps", raw, &seen)
                    .map_err(|tag| format!("{at}.{} failed to resolve {{{{{tag}}}}}", step.name))?;
                self.call(&found.home, step, &at)?;
                here.push(step.name.clone());
            }
            seen.extend(here);
        }
        Ok(())
    }

    fn dag(&mut self, name: &str, template: &Template, found: &Found) -> Result<(), String> {
        let Some(dag) = &template.dag else {
            return Ok(());
        };
        let at = format!("templates.{name}.tasks");
        let mut names = BTreeSet::new();
        for task in &dag.tasks {
            if !names.insert(task.name.clone()) {
                return Err(format!("{at}.name '{}' is not unique", task.name));
            }
        }
        for task in &dag.tasks {
            if !task.depends.is_empty() && !task.dependencies.is_empty() {
                return Err(format!(
                    "templates.{name} cannot use both 'depends' and 'dependencies' in the same DAG \
                     template"
                ));
            }
            let logic = depends::logic(task, &dag.tasks);
            for needed in depends::names(&logic) {
                if !names.contains(&needed) {
                    return Err(format!(
                        "{at}.{} dependency '{needed}' not defined",
                        task.name
                    ));
                }
            }
            let ends = depends::names(&logic)
                .into_iter()
                .map(|name| (name, depends::Result::default()))
                .collect();
            if !logic.is_empty() {
                depends::holds(&logic, &ends)
                    .map_err(|why| format!("{at}.{} depends '{logic}': {why}", task.name))?;
            }
        }
        cycle(&dag.tasks).map_err(|path| format!("{at} dependency cycle detected: {path}"))?;
        for target in dag.target.split_whitespace() {
            if !names.contains(target) {
                return Err(format!("{at} target '{target}' is not defined"));
            }
        }
        for (index, task) in dag.tasks.iter().enumerate() {
            let raw = found.raw.pointer(&format!("/dag/tasks/{index}"));
            let before = ancestors(&task.name, &dag.tasks);
            known_steps("tasks", raw, &before)
                .map_err(|tag| format!("{at}.{} failed to resolve {{{{{tag}}}}}", task.name))?;
            self.call(&found.home, task, &at)?;
        }
        Ok(())
    }

    /// Checks that what a template refers to is among its inputs and the workflow's parameters.
    fn references(&self, name: &str, template: &Template, found: &Found) -> Result<(), String> {
        for tag in tags(&found.raw) {
            let inputs = &template.inputs.parameters;
            let is_unknown = if let Some(input) = tag.strip_prefix("inputs.parameters.") {
                !inputs.iter().any(|one| one.name == input)
            } else if let Some(parameter) = tag.strip_prefix("workflow.parameters.") {
                !parameter.starts_with("json")
                    && !self.operation.globals.contains_key(&tag)
                    && self.operation.spec.arguments.parameter(parameter).is_none()
            } else {
                false
            };
            if is_unknown {
                return Err(format!("templates.{name}: failed to resolve {{{{{tag}}}}}"));
            }
        }
        Ok(())
    }
}

/// Returns the plain tags in the texts of a JSON value.
fn tags(json: &Value) -> Vec<String> {
    match json {
        Value::String(text) => text
            .split("{{")
            .skip(1)
            .filter_map(|rest| rest.split_once("}}"))
            .map(|(tag, _)| tag.trim().to_owned())
            .filter(|tag| !tag.starts_with('='))
            .collect(),
        Value::Array(items) => items.iter().flat_map(tags).collect(),
        Value::Object(map) => map
            .iter()
            .filter(|(field, _)| *field != "inline")
            .flat_map(|(_, value)| tags(value))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Returns the first tag that names a step or task which does not come before.
fn known_steps(root: &str, raw: Option<&Value>, before: &BTreeSet<String>) -> Result<(), String> {
    let Some(mut raw) = raw.cloned() else {
        return Ok(());
    };
    if let Some(map) = raw.as_object_mut() {
        // A hook may refer to its own step; an inline template has steps of its own.
        map.remove("hooks");
        map.remove("inline");
    }
    for tag in tags(&raw) {
        let Some(rest) = tag
            .strip_prefix(root)
            .and_then(|rest| rest.strip_prefix('.'))
        else {
            continue;
        };
        let name = rest.split('.').next().unwrap_or_default();
        if name != "name" && !before.contains(name) {
            return Err(tag);
        }
    }
    Ok(())
}

fn ancestors(task: &str, tasks: &[Step]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut queue = vec![task.to_owned()];
    while let Some(name) = queue.pop() {
        let Some(step) = tasks.iter().find(|step| step.name == name) else {
            continue;
        };
        for needed in depends::names(&depends::logic(step, tasks)) {
            if found.insert(needed.clone()) {
                queue.push(needed);
            }
        }
    }
    found
}

/// Returns the tasks along a cycle.
fn cycle(tasks: &[Step]) -> Result<(), String> {
    fn visit(
        name: &str,
        tasks: &[Step],
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        if done.contains(name) {
            return Ok(());
        }
        if path.iter().any(|one| one == name) {
            return Err(format!("{}->{name}", path.join("->")));
        }
        path.push(name.to_owned());
        if let Some(task) = tasks.iter().find(|task| task.name == name) {
            for needed in depends::names(&depends::logic(task, tasks)) {
                visit(&needed, tasks, path, done)?;
            }
        }
        path.pop();
        done.insert(name.to_owned());
        Ok(())
    }
    let mut done = BTreeSet::new();
    tasks
        .iter()
        .try_for_each(|task| visit(&task.name, tasks, &mut Vec::new(), &mut done))
}
