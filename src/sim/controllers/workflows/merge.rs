//! Puts a workflow's own spec over that of the stored template it refers to. Pure.
//!
//! Follows Argo Workflows' `workflow/util/merge.go`: what the workflow says itself wins; arguments are
//! merged by name.

use serde_json::{Value, json};

/// Returns the spec that is executed.
pub(super) fn merged(own: &Value, stored: &Value) -> Value {
    let mut spec = stored.clone();
    if !spec.is_object() {
        spec = json!({});
    }
    for (field, value) in own.as_object().into_iter().flatten() {
        match field.as_str() {
            "arguments" => {
                let below = spec.get("arguments").cloned().unwrap_or_else(|| json!({}));
                spec["arguments"] = arguments(value, &below);
            }
            "workflowTemplateRef" => {}
            "templates" if value.as_array().is_some_and(Vec::is_empty) => {}
            "templates" => {
                let mut templates = value.as_array().cloned().unwrap_or_default();
                let more = stored.get("templates").and_then(Value::as_array);
                for template in more.into_iter().flatten() {
                    if !templates.iter().any(|one| one["name"] == template["name"]) {
                        templates.push(template.clone());
                    }
                }
                spec["templates"] = Value::Array(templates);
            }
            _ if value.is_null() || value == "" => {}
            field => spec[field] = value.clone(),
        }
    }
    spec
}

fn arguments(own: &Value, below: &Value) -> Value {
    let mut merged = below.clone();
    for list in ["parameters", "artifacts"] {
        let mut all = below[list].as_array().cloned().unwrap_or_default();
        for one in own[list].as_array().into_iter().flatten() {
            match all.iter_mut().find(|known| known["name"] == one["name"]) {
                Some(known) => {
                    for (field, value) in one.as_object().into_iter().flatten() {
                        known[field.as_str()] = value.clone();
                    }
                }
                None => all.push(one.clone()),
            }
        }
        if !all.is_empty() {
            merged[list] = Value::Array(all);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workflow_says_the_last_word_and_arguments_merge_by_name() {
        let stored = json!({
            "entrypoint": "a",
            "arguments": {"parameters": [{"name": "x", "value": "1"}, {"name": "y"}]},
        });
        let own = json!({
            "workflowTemplateRef": {"name": "t"},
            "arguments": {"parameters": [{"name": "y", "value": "2"}]},
        });

        let spec = merged(&own, &stored);

        assert_eq!(spec["entrypoint"], "a");
        assert_eq!(
            spec["arguments"]["parameters"],
            json!([{"name": "x", "value": "1"}, {"name": "y", "value": "2"}])
        );
        assert_eq!(spec.get("workflowTemplateRef"), None);
    }
}
