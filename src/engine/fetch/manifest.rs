//! An object as YAML: without what only machines read, and with secrets masked.

use crate::api::yaml;
use crate::domain::finding::{Finding, Severity};
use crate::domain::node::Node;
use crate::domain::object::Text;
use serde_json::Value;

/// Stands for a secret value. An edited manifest that holds it is refused.
pub(in crate::engine) const MASK: &str = "••••••••";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Takes out `managedFields`, and masks Secret values unless they are to be revealed.
pub(super) fn presentable(mut object: Value, reveal_secrets: bool) -> Value {
    let is_secret = object.at(&["kind"]).and_then(Node::text) == Some("Secret");
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
    }
    if is_secret && !reveal_secrets {
        mask(&mut object);
    }
    object
}

fn mask(secret: &mut Value) {
    for field in ["data", "stringData"] {
        let values = secret.get_mut(field).and_then(Value::as_object_mut);
        for value in values.into_iter().flatten().map(|(_, value)| value) {
            *value = MASK.into();
        }
    }
    // The annotation repeats the values.
    if let Some(applied) = secret.pointer_mut("/metadata/annotations")
        && let Some(applied) = applied.get_mut(LAST_APPLIED)
    {
        *applied = MASK.into();
    }
}

/// Writes an object as lines of YAML.
pub(super) fn yaml_lines(object: Value, reveal_secrets: bool) -> Result<Vec<Text>, Finding> {
    let text = yaml_text(&presentable(object, reveal_secrets))?;
    Ok(text.lines().map(Text::from).collect())
}

pub(super) fn yaml_text(object: &Value) -> Result<String, Finding> {
    yaml::to_string(object).map_err(|error| {
        Finding::new(
            Severity::Error,
            format!("the object cannot be written as YAML: {error}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret() -> Value {
        json!({"kind": "Secret", "data": {"token": "aHVudGVy"}, "metadata": {
            "managedFields": [1], "annotations": {LAST_APPLIED: "{\"data\":\"aHVudGVy\"}"}}})
    }

    #[test]
    fn secrets_are_masked_everywhere_unless_revealed() {
        let masked = presentable(secret(), false).to_string();
        assert!(
            !masked.contains("aHVudGVy") && masked.contains(MASK),
            "{masked}"
        );

        let revealed = presentable(secret(), true).to_string();
        assert!(revealed.contains("aHVudGVy") && !revealed.contains("managedFields"));
    }
}
