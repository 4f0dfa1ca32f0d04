//! Arguments: what `{{args.NAME}}` stands for, and where the values come from. Pure.
//!
//! Follows Argo Rollouts' `utils/template/template.go` and `BuildArgumentsForRolloutAnalysisRun` in
//! `utils/analysis/factory.go`. Arguments are kept as the wire has them: objects with `name`, `value`
//! and `valueFrom`.

use serde_json::{Map, Value, json};

/// The hashes that `podTemplateHashValue` stands for.
#[derive(Clone, Copy, Debug)]
pub struct Hashes<'a> {
    /// The pods that all users see.
    pub stable: &'a str,
    /// The pods that are being rolled out.
    pub latest: &'a str,
}

/// Settles the arguments that a Rollout gives to an analysis: hashes and fields become values.
pub fn of_rollout(
    rollout: &Value,
    arguments: &[Value],
    hashes: Hashes<'_>,
) -> Result<Vec<Value>, String> {
    arguments
        .iter()
        .map(|argument| {
            let from = argument.get("valueFrom");
            let hash = from
                .and_then(|from| from.get("podTemplateHashValue"))
                .and_then(Value::as_str);
            let field = from
                .and_then(|from| from.pointer("/fieldRef/fieldPath"))
                .and_then(Value::as_str);
            let value = match (hash, field) {
                (Some("Stable"), _) => hashes.stable.to_owned(),
                (Some("Latest"), _) => hashes.latest.to_owned(),
                (Some(_) | None, Some(path)) => field_of(rollout, path)?,
                (Some(_) | None, None) => text(argument, "value").to_owned(),
            };
            Ok(json!({"name": name_of(argument), "value": value}))
        })
        .collect()
}

/// Reads a field of an object by a path such as `metadata.labels['app']` or `spec.steps[0].weight`.
fn field_of(object: &Value, path: &str) -> Result<String, String> {
    let wrong = || format!("invalid path {path} in rollout");
    let mut found = object;
    for section in sections(path) {
        found = match found {
            Value::Array(items) => {
                let index: usize = section
                    .parse()
                    .map_err(|_not_a_number| format!("invalid index '{section}'"))?;
                items
                    .get(index)
                    .ok_or_else(|| format!("index {index} out of range"))?
            }
            Value::Object(map) => map.get(&section).ok_or_else(wrong)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(wrong());
            }
        };
    }
    match found {
        Value::Null => Err(wrong()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Ok(found.to_string())
        }
    }
}

/// Splits a path at dots and brackets; what is quoted inside of brackets stays whole.
fn sections(path: &str) -> Vec<String> {
    let mut sections = vec![String::new()];
    let mut quote = None;
    for letter in path.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            ('.' | '[' | ']', None) => sections.push(String::new()),
            (_, Some(_) | None) => {
                if let Some(last) = sections.last_mut() {
                    last.push(letter);
                }
            }
        }
    }
    sections.retain(|section| !section.is_empty());
    sections
}

/// Returns an argument's name.
pub(super) fn name_of(argument: &Value) -> &str {
    text(argument, "name")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Puts the arguments' values wherever a text of `template` names them.
///
/// Fails on an argument without a value, and on anything in double braces that is no argument.
pub fn resolve(template: &Value, arguments: &[Value]) -> Result<Value, String> {
    let mut values = Map::new();
    for argument in arguments {
        let name = name_of(argument);
        let Some(value) = argument.get("value").filter(|value| value.is_string()) else {
            return Err(format!("argument \"{name}\" was not supplied"));
        };
        values.insert(format!("args.{name}"), value.clone());
    }
    fill(template, &values)
}

/// Puts values wherever a text of `template` names them in double braces.
pub(in crate::sim::controllers) fn fill(
    template: &Value,
    values: &Map<String, Value>,
) -> Result<Value, String> {
    Ok(match template {
        Value::String(text) => Value::String(fill_text(text, values)?),
        Value::Array(items) => {
            let items: Result<_, String> = items.iter().map(|item| fill(item, values)).collect();
            Value::Array(items?)
        }
        Value::Object(map) => {
            let mut filled = Map::new();
            for (name, value) in map {
                filled.insert(fill_text(name, values)?, fill(value, values)?);
            }
            Value::Object(filled)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
    })
}

/// Puts values wherever `text` names them in double braces.
pub(in crate::sim::controllers) fn fill_text(
    text: &str,
    values: &Map<String, Value>,
) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((tag, after)) = after.split_once("}}") else {
            break;
        };
        let value = values.get(tag.trim()).and_then(Value::as_str);
        let value = value.ok_or_else(|| format!("failed to resolve {{{{{tag}}}}}"))?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_double_braces_become_their_values_everywhere() {
        let template = json!({
            "count": "{{args.count}}",
            "labels": {"{{ args.key }}": "a-{{args.count}}-{{args.key}}"},
            "plain": [1, null, "text"],
        });
        let arguments = [
            json!({"name": "count", "value": "3"}),
            json!({"name": "key", "value": "a \"quoted\"\nline"}),
        ];

        let resolved = resolve(&template, &arguments).expect("all are known");

        assert_eq!(
            resolved,
            json!({
                "count": "3",
                "labels": {"a \"quoted\"\nline": "a-3-a \"quoted\"\nline"},
                "plain": [1, null, "text"],
            })
        );
    }

    #[test]
    fn what_is_not_known_is_named() {
        let unknown = resolve(&json!("{{args.who}}"), &[]);
        let empty = resolve(&json!("x"), &[json!({"name": "who"})]);

        assert_eq!(unknown, Err("failed to resolve {{args.who}}".to_owned()));
        assert_eq!(empty, Err("argument \"who\" was not supplied".to_owned()));
    }

    #[test]
    fn a_rollout_gives_hashes_and_fields_of_its_own() {
        let rollout = json!({
            "metadata": {"labels": {"app.kubernetes.io/name": "web"}},
            "spec": {"replicas": 5, "steps": [{"weight": 20}]},
        });
        let from = |from: Value| json!({"name": "x", "valueFrom": from});
        let field = |path: &str| from(json!({"fieldRef": {"fieldPath": path}}));
        let arguments = [
            json!({"name": "plain", "value": "v"}),
            from(json!({"podTemplateHashValue": "Latest"})),
            from(json!({"podTemplateHashValue": "Stable"})),
            field("metadata.labels['app.kubernetes.io/name']"),
            field("spec.replicas"),
            field("spec.steps[0].weight"),
        ];
        let hashes = Hashes {
            stable: "aaa",
            latest: "bbb",
        };

        let settled = of_rollout(&rollout, &arguments, hashes).expect("all can be read");

        let values: Vec<&str> = settled.iter().map(|one| text(one, "value")).collect();
        assert_eq!(values, ["v", "bbb", "aaa", "web", "5", "20"]);
        for (path, wanted) in [
            ("spec.nothing", "invalid path spec.nothing in rollout"),
            ("spec.steps[x]", "invalid index 'x'"),
            ("spec.steps[4]", "index 4 out of range"),
            ("spec.replicas.x", "invalid path spec.replicas.x in rollout"),
        ] {
            let refused = of_rollout(&rollout, &[field(path)], hashes);
            assert_eq!(refused, Err(wanted.to_owned()));
        }
    }
}
