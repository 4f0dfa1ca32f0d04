//! Takes values from an event, and fills a template with them.
//!
//! Follows `pkg/template/{event,jsonpath,resource}.go`: `$(body.a.b)`, `$(header.X-Y)`,
//! `$(extensions.x)`, `$(context.eventID)`; `$(tt.params.x)` and `$(uid)` in templates.

use crate::sim::controllers::tekton::replace::Replacements;
use serde_json::{Map, Value, json};

/// Fills in what the value of a binding takes from an event.
pub(super) fn value_of(written: &str, event: &Value) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once("$(") {
        filled.push_str(before);
        let Some((path, tail)) = after.split_once(')') else {
            return Err(format!("{written}: a reference is not closed"));
        };
        filled.push_str(&lookup(path, event)?);
        rest = tail;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn lookup(path: &str, event: &Value) -> Result<String, String> {
    let mut value = event;
    let steps = steps(path)?;
    let is_header = steps.first().is_some_and(|first| first == "header");
    for step in &steps {
        let found = match value {
            Value::Array(items) => match step.parse::<usize>() {
                Ok(index) => items.get(index),
                Err(_) if step == "*" => Some(value),
                Err(_) => None,
            },
            Value::Object(entries) if is_header => entries
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(step))
                .map(|(_, value)| value),
            Value::Object(entries) => entries.get(step),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        value = found.ok_or_else(|| format!("{step} is not found"))?;
    }
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if is_header && steps.len() == 2 => {
            let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            texts.join(",")
        }
        Value::Null => "null".to_owned(),
        value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            value.to_string()
        }
    })
}

/// Splits a path: `body.a\.b[0]['c']`.
fn steps(path: &str) -> Result<Vec<String>, String> {
    let mut steps = Vec::new();
    let mut step = String::new();
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => step.extend(letters.next()),
            '.' => steps.push(std::mem::take(&mut step)),
            '[' => {
                steps.push(std::mem::take(&mut step));
                let inside: String = letters.by_ref().take_while(|one| *one != ']').collect();
                steps.push(inside.trim_matches(['\'', '"']).to_owned());
            }
            letter => step.push(letter),
        }
    }
    steps.push(step);
    steps.retain(|step| !step.is_empty());
    if steps.is_empty() {
        return Err(format!("{path:?} names nothing"));
    }
    Ok(steps)
}

/// Takes the values that bindings name; each is a name and what it is written as.
pub(super) fn values(
    bindings: &[(String, String)],
    event: &Value,
) -> Result<Vec<(String, String)>, String> {
    let mut values: Vec<(String, String)> = Vec::new();
    for (name, written) in bindings {
        if values.iter().any(|(known, _)| known == name) {
            return Err(format!("duplicate param name: {name}"));
        }
        let value = value_of(written, event).map_err(|why| {
            format!(
                "failed to ApplyEventValuesToParams: failed to replace JSONPath value for param \
                 {name}: {written}: {why}"
            )
        })?;
        values.push((name.clone(), value));
    }
    Ok(values)
}

/// Makes the objects of a TriggerTemplate.
pub(super) fn objects(template: &Value, values: &[(String, String)], id: &str) -> Vec<Value> {
    let mut known = Replacements::default();
    known.text("uid", id);
    let list = |field: &str| template.get(field).and_then(Value::as_array).cloned();
    for declared in list("params").unwrap_or_default() {
        let text = |field: &str| declared.get(field).and_then(Value::as_str);
        if let (Some(name), Some(default)) = (text("name"), text("default")) {
            known.text(format!("tt.params.{name}"), default);
        }
    }
    for (name, value) in values {
        known.text(format!("tt.params.{name}"), value.clone());
    }
    let mut objects = list("resourcetemplates").unwrap_or_default();
    for object in &mut objects {
        known.apply(object);
    }
    objects
}

/// Labels an object with what it was made for.
pub(super) fn label(object: &mut Value, labels: &[(&str, &str)]) {
    let Some(entries) = object.as_object_mut() else {
        return;
    };
    let meta = entries.entry("metadata").or_insert_with(|| json!({}));
    let Some(meta) = meta.as_object_mut() else {
        return;
    };
    let own = meta
        .entry("labels")
        .or_insert_with(|| Value::Object(Map::new()));
    for (key, value) in labels {
        own[*key] = json!(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Value {
        json!({
            "body": {
                "ref": "refs/heads/main",
                "head_commit": {"id": "abc", "added": ["a", "b"]},
                "commits": [{"id": "one"}],
                "dotted.key": 7,
            },
            "header": {"X-Github-Event": ["push"]},
            "context": {"eventID": "e-1"},
        })
    }

    #[test]
    fn values_are_taken_from_body_and_headers() {
        for (written, wanted) in [
            ("$(body.head_commit.id)", "abc"),
            (
                "git-$(body.commits[0].id)-$(context.eventID)",
                "git-one-e-1",
            ),
            ("$(header.X-GitHub-Event)", "push"),
            ("$(body.head_commit.added)", "[\"a\",\"b\"]"),
            ("$(body.dotted\\.key)$(body['ref'])", "7refs/heads/main"),
            ("fixed", "fixed"),
        ] {
            assert_eq!(
                value_of(written, &event()),
                Ok(wanted.to_owned()),
                "{written}"
            );
        }
        let why = values(&[("x".into(), "$(body.nobody)".into())], &event());
        assert_eq!(
            why.expect_err("it is missing"),
            "failed to ApplyEventValuesToParams: failed to replace JSONPath value for param x: \
             $(body.nobody): nobody is not found"
        );
    }

    #[test]
    fn a_template_is_filled_and_labelled() {
        let template = json!({
            "params": [{"name": "revision", "default": "main"}, {"name": "repo"}],
            "resourcetemplates": [{
                "kind": "PipelineRun",
                "metadata": {"generateName": "ci-$(uid)-"},
                "spec": {"params": [
                    {"name": "revision", "value": "$(tt.params.revision)"},
                    {"name": "repo", "value": "$(tt.params.repo)"},
                ]},
            }],
        });

        let mut objects = objects(&template, &[("repo".into(), "shop".into())], "e-1");
        label(&mut objects[0], &[("triggers.tekton.dev/trigger", "push")]);

        assert_eq!(
            objects[0]["spec"]["params"],
            json!([{"name": "revision", "value": "main"}, {"name": "repo", "value": "shop"}])
        );
        assert_eq!(objects[0]["metadata"]["generateName"], "ci-e-1-");
        assert_eq!(
            objects[0]["metadata"]["labels"]["triggers.tekton.dev/trigger"],
            "push"
        );
    }
}
