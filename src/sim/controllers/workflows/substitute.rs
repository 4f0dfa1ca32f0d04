//! Puts values in the places of `{{name}}` and `{{=expression}}`.
//!
//! Follows Argo Workflows' `util/template`: what cannot be resolved yet stays as it is; an expression
//! that refers to something unknown likewise.

use crate::sim::controllers::analysis::condition::{self, Value as Term};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::BTreeMap;

/// Values by their dotted names, such as `inputs.parameters.message`.
pub(super) type Values = BTreeMap<String, String>;

/// Puts values into every text of a JSON value.
pub(super) fn in_json(json: &Value, values: &Values, now: DateTime<Utc>) -> Result<Value, String> {
    Ok(match json {
        Value::String(text) => Value::String(in_text(text, values, now)?),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|one| in_json(one, values, now))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(name, one)| Ok((in_text(name, values, now)?, in_json(one, values, now)?)))
                .collect::<Result<_, String>>()?,
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
    })
}

/// Puts values into a text.
pub(super) fn in_text(text: &str, values: &Values, now: DateTime<Utc>) -> Result<String, String> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((tag, tail)) = after.split_once("}}") else {
            filled.push_str("{{");
            rest = after;
            continue;
        };
        match value_of(tag, values, now)? {
            Some(value) => filled.push_str(&value),
            None => {
                filled.push_str("{{");
                filled.push_str(tag);
                filled.push_str("}}");
            }
        }
        rest = tail;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value_of(tag: &str, values: &Values, now: DateTime<Utc>) -> Result<Option<String>, String> {
    let tag = tag.trim();
    let Some(expression) = tag.strip_prefix('=') else {
        return Ok(values.get(tag).cloned());
    };
    let expression = expression.trim();
    if names_unknown(expression, values) {
        return Ok(None);
    }
    evaluate(expression, values, now)
        .map(|value| Some(spelled(&value)))
        .map_err(|why| format!("failed to evaluate expression: {why}"))
}

/// The expression refers to an output or an item that is not there yet.
fn names_unknown(expression: &str, values: &Values) -> bool {
    let has_any = |root: &str| {
        let prefix = format!("{root}.");
        values
            .keys()
            .any(|key| *key == root || key.starts_with(&prefix))
    };
    [
        "steps",
        "tasks",
        "item",
        "inputs",
        "outputs",
        "retries",
        "lastRetry",
    ]
    .iter()
    .any(|root| mentions(expression, root) && !has_any(root))
}

fn mentions(expression: &str, root: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '\'' || c == '"';
    expression.match_indices(root).any(|(at, _)| {
        let (before, after) = expression.split_at(at);
        let next = after.chars().nth(root.len());
        !before.ends_with(is_word) && matches!(next, None | Some('.' | '[' | ' '))
    })
}

/// Evaluates an expression; names are taken apart at their dots.
pub(super) fn evaluate(
    expression: &str,
    values: &Values,
    now: DateTime<Utc>,
) -> Result<Term, String> {
    let mut roots: BTreeMap<String, Term> = BTreeMap::new();
    for (name, value) in values {
        let parts: Vec<&str> = name.split('.').collect();
        if let Some((root, path)) = parts.split_first() {
            put(
                roots.entry((*root).to_owned()).or_insert(Term::Nil),
                path,
                value,
            );
        }
    }
    condition::evaluate_with(expression, roots, now)
}

fn put(at: &mut Term, path: &[&str], value: &str) {
    let Some((first, rest)) = path.split_first() else {
        if !matches!(at, Term::Map(_)) {
            *at = Term::Text(value.to_owned());
        }
        return;
    };
    if !matches!(at, Term::Map(_)) {
        *at = Term::Map(BTreeMap::new());
    }
    if let Term::Map(map) = at {
        put(
            map.entry((*first).to_owned()).or_insert(Term::Nil),
            rest,
            value,
        );
    }
}

/// Writes a value where an expression stood.
pub(super) fn spelled(value: &Term) -> String {
    if matches!(value, Term::List(_) | Term::Map(_)) {
        return value.to_json().to_string();
    }
    value.spelled()
}

/// Evaluates an expression that must be true or false.
pub(super) fn holds(expression: &str, values: &Values, now: DateTime<Utc>) -> Result<bool, String> {
    let value = evaluate(expression, values, now)?;
    if let Term::Bool(answer) = value {
        return Ok(answer);
    }
    Err(format!("expected bool, but got {}", value.type_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> String {
        let values = BTreeMap::from(
            [
                ("inputs.parameters.should-print", "true"),
                (
                    "workflow.parameters.json",
                    r#"[{"name":"a","value":"true"}]"#,
                ),
                ("workflow.name", "w"),
                ("steps.flip.outputs.result", "heads"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        in_text(text, &values, DateTime::UNIX_EPOCH).unwrap_or_else(|why| why)
    }

    #[test]
    fn names_and_expressions_are_put_in_and_the_unknown_stays() {
        assert_eq!(fill("{{workflow.name}}-{{ workflow.name }}"), "w-w");
        assert_eq!(fill("{{item}} {{x"), "{{item}} {{x");
        assert_eq!(
            fill("{{= inputs.parameters[\"should-print\"] == 'true'}}"),
            "true"
        );
        assert_eq!(
            fill("{{=jsonpath(workflow.parameters.json, '$[0].value') == 'true'}}"),
            "true"
        );
        assert_eq!(
            fill("{{=steps['flip'].outputs.result == 'tails' ? 1 : 2}}"),
            "2"
        );
        assert_eq!(
            fill("{{=tasks.x.outputs.result}}"),
            "{{=tasks.x.outputs.result}}"
        );
        assert_eq!(fill("{{=sprig.upper(workflow.name)}}"), "W");
    }
}
