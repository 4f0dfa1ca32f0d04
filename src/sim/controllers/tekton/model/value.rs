//! The value of a parameter or result: a text, a list of texts or texts by name.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A value as Tekton knows it; numbers and the like are read as their text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ParamValue {
    Text(String),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

impl Default for ParamValue {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl ParamValue {
    /// Reads a value of the wire.
    pub fn read(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.iter().map(text_of).collect()),
            Value::Object(entries) => Self::Map(
                entries
                    .iter()
                    .map(|(name, value)| (name.clone(), text_of(value)))
                    .collect(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Self::Text(text_of(value))
            }
        }
    }

    /// Reads what a step wrote into the file of a result of a type.
    pub fn result(text: &str, kind: &str) -> Self {
        if matches!(kind, "array" | "object")
            && let Ok(value) = serde_json::from_str::<Value>(text)
        {
            return Self::read(&value);
        }
        Self::Text(text.to_owned())
    }

    /// Returns the type's word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }

    /// Returns the value as one text: lists and maps as JSON.
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(_) | Self::Map(_) => serde_json::to_string(self).unwrap_or_default(),
        }
    }
}

impl<'de> Deserialize<'de> for ParamValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self::read(&value))
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_the_wire_are_texts_lists_or_maps() {
        assert_eq!(ParamValue::read(&json!(3)), ParamValue::Text("3".into()));
        assert_eq!(ParamValue::read(&json!(["a", 1])).to_text(), r#"["a","1"]"#);
        assert_eq!(ParamValue::read(&json!({"a": "b"})).kind(), "object");
        assert_eq!(
            ParamValue::result(r#"["x"]"#, "array"),
            ParamValue::List(vec!["x".into()])
        );
        assert_eq!(
            ParamValue::result("[", "array"),
            ParamValue::Text("[".into())
        );
    }
}
