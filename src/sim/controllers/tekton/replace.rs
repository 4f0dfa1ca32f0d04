//! Fills in what `$(…)` stands for.
//!
//! Follows `pkg/substitution` and `pkg/reconciler/*/resources/apply.go`. A text that is nothing
//! but a reference to a list or map becomes that list or map; inside a list, the elements take
//! its place. What stands for nothing is left as it is.

use super::model::value::ParamValue;
use serde_json::Value;
use std::collections::BTreeMap;

/// What references stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Replacements {
    texts: BTreeMap<String, String>,
    lists: BTreeMap<String, Vec<String>>,
    maps: BTreeMap<String, BTreeMap<String, String>>,
}

impl Replacements {
    /// Takes a text.
    pub(super) fn text(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.texts.insert(key.into(), value.into());
    }

    /// Takes a parameter, in all the ways it can be written.
    pub(super) fn param(&mut self, name: &str, value: &ParamValue) {
        let keys = [
            format!("params.{name}"),
            format!("params[\"{name}\"]"),
            format!("params['{name}']"),
            format!("inputs.params.{name}"),
        ];
        self.value(&keys, value);
    }

    /// Takes a result of a task of the Pipeline.
    pub(super) fn result(&mut self, task: &str, result: &str, value: &ParamValue) {
        let mut keys = Vec::new();
        for section in ["tasks", "finally"] {
            keys.push(format!("{section}.{task}.results.{result}"));
            keys.push(format!("{section}.{task}.results[\"{result}\"]"));
            keys.push(format!("{section}.{task}.results['{result}']"));
        }
        self.value(&keys, value);
    }

    fn value(&mut self, keys: &[String], value: &ParamValue) {
        for key in keys {
            match value {
                ParamValue::Text(text) => self.text(key.clone(), text.clone()),
                ParamValue::List(items) => {
                    for (index, item) in items.iter().enumerate() {
                        self.text(format!("{key}[{index}]"), item.clone());
                    }
                    self.lists.insert(key.clone(), items.clone());
                }
                ParamValue::Map(entries) => {
                    for (name, entry) in entries {
                        self.text(format!("{key}.{name}"), entry.clone());
                        self.text(format!("{key}[{name}]"), entry.clone());
                    }
                    self.maps.insert(key.clone(), entries.clone());
                }
            }
        }
    }

    /// Forgets a parameter.
    pub(super) fn forget_param(&mut self, name: &str) {
        let is_own = |key: &str| {
            ["params.", "inputs.params."].iter().any(|start| {
                let rest = key
                    .strip_prefix(start)
                    .and_then(|key| key.strip_prefix(name));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
            }) || key.starts_with(&format!("params[\"{name}\"]"))
                || key.starts_with(&format!("params['{name}']"))
        };
        self.texts.retain(|key, _| !is_own(key));
        self.lists.retain(|key, _| !is_own(key));
        self.maps.retain(|key, _| !is_own(key));
    }

    /// Fills in all texts of a value.
    pub(super) fn apply(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                *value = match self.whole(text) {
                    Some(whole) => whole,
                    None => Value::String(self.fill(text)),
                };
            }
            Value::Array(items) => {
                let mut filled = Vec::with_capacity(items.len());
                for mut item in std::mem::take(items) {
                    let whole = item.as_str().and_then(|text| self.whole(text));
                    if let Some(Value::Array(elements)) = whole {
                        filled.extend(elements);
                    } else {
                        self.apply(&mut item);
                        filled.push(item);
                    }
                }
                *items = filled;
            }
            Value::Object(entries) => entries.values_mut().for_each(|entry| self.apply(entry)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Returns the list or map that a text is nothing but a reference to.
    fn whole(&self, text: &str) -> Option<Value> {
        let key = text.trim().strip_prefix("$(")?.strip_suffix(')')?;
        let key = key.strip_suffix("[*]").unwrap_or(key);
        if let Some(items) = self.lists.get(key) {
            return serde_json::to_value(items).ok();
        }
        let entries = self.maps.get(key)?;
        serde_json::to_value(entries).ok()
    }

    /// Fills in the references of a text.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("$(") {
            filled.push_str(before);
            let known = after
                .split_once(')')
                .and_then(|(key, tail)| self.texts.get(key).map(|value| (value, tail)));
            if let Some((value, tail)) = known {
                filled.push_str(value);
                rest = tail;
            } else {
                filled.push_str("$(");
                rest = after;
            }
        }
        filled.push_str(rest);
        filled
    }
}

/// A result of a task that something refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ResultReference {
    pub(super) task: String,
    pub(super) result: String,
}

/// Returns the results of tasks that a value refers to, each once.
pub(super) fn result_references(value: &Value) -> Vec<ResultReference> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<ResultReference>) {
    match value {
        Value::String(text) => {
            for piece in text.split("$(").skip(1) {
                let Some((inside, _)) = piece.split_once(')') else {
                    continue;
                };
                if let Some(reference) = read_reference(inside)
                    && !found.contains(&reference)
                {
                    found.push(reference);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(entries) => entries.values().for_each(|entry| collect(entry, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn read_reference(inside: &str) -> Option<ResultReference> {
    let inside = inside
        .strip_prefix("tasks.")
        .or_else(|| inside.strip_prefix("finally."))?;
    let (task, rest) = inside.split_once(".results")?;
    let result = match rest.strip_prefix('.') {
        Some(rest) => rest.split(['.', '[']).next()?,
        None => {
            let rest = rest.strip_prefix('[')?;
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            rest.get(1..)?.split(quote).next()?
        }
    };
    (!result.is_empty()).then(|| ResultReference {
        task: task.to_owned(),
        result: result.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn known() -> Replacements {
        let mut known = Replacements::default();
        known.param("name", &ParamValue::Text("web".into()));
        known.param("list", &ParamValue::List(vec!["a".into(), "b".into()]));
        known.param(
            "map",
            &ParamValue::Map(BTreeMap::from([("key".into(), "v".into())])),
        );
        known.result("build", "digest", &ParamValue::Text("sha256:1".into()));
        known
    }

    #[test]
    fn references_are_filled_in_however_they_are_written() {
        let mut value = json!({
            "text": "$(params.name)-$(params[\"name\"])-$(inputs.params.name)-$(params.nobody)",
            "index": "$(params.list[1])$(params.map.key)",
            "result": "x@$(tasks.build.results.digest)",
            "shell": "$(date) $(( 1 + $(params.list[0]) ))",
        });

        known().apply(&mut value);

        assert_eq!(value["text"], "web-web-web-$(params.nobody)");
        assert_eq!(value["index"], "bv");
        assert_eq!(value["result"], "x@sha256:1");
        assert_eq!(value["shell"], "$(date) $(( 1 + a ))");
    }

    #[test]
    fn a_list_takes_the_place_of_its_reference() {
        let mut value = json!({
            "args": ["--x", "$(params.list[*])", "$(params.list)"],
            "value": "$(params.list[*])",
            "map": "$(params.map[*])",
        });

        known().apply(&mut value);

        assert_eq!(value["args"], json!(["--x", "a", "b", "a", "b"]));
        assert_eq!(value["value"], json!(["a", "b"]));
        assert_eq!(value["map"], json!({"key": "v"}));
    }

    #[test]
    fn a_forgotten_parameter_is_left_as_it_is() {
        let mut known = known();
        known.forget_param("name");

        assert_eq!(
            known.fill("$(params.name)$(params['name'])"),
            "$(params.name)$(params['name'])"
        );
        assert_eq!(known.fill("$(params.list[0])"), "a");
    }

    #[test]
    fn results_that_something_refers_to_are_found_once() {
        let value = json!([
            "$(tasks.a.results.one) $(tasks.a.results.one[0])",
            {"x": "$(tasks.b.results['two.dots'][*])", "y": "$(tasks.c.status) $(params.d)"},
        ]);

        let found = result_references(&value);

        let pairs: Vec<_> = found
            .iter()
            .map(|one| (one.task.as_str(), one.result.as_str()))
            .collect();
        assert_eq!(pairs, [("a", "one"), ("b", "two.dots")]);
    }
}
