//! The value rules of a schema node: ranges, lengths, patterns, enums and logical combinations.

use super::node::{Node, SchemaError};
use serde_json::{Map, Value};

/// The value rules of a node. All absent in most nodes, so they lie in one box.
#[derive(Clone, Debug, Default)]
pub(in crate::sim::apiserver) struct Limits(Option<Box<Rules>>);

/// The rules, each checked only where it is given.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) choices: Vec<Value>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) above_minimum: bool,
    pub(super) below_maximum: bool,
    pub(super) multiple_of: Option<f64>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) pattern: Option<Pattern>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) min_properties: Option<u64>,
    pub(super) max_properties: Option<u64>,
    pub(super) unique: bool,
    pub(super) format: Option<String>,
    pub(super) all_of: Vec<Node>,
    pub(super) any_of: Vec<Node>,
    pub(super) one_of: Vec<Node>,
    pub(super) not: Option<Node>,
}

/// A regular expression, compiled once, with the text that messages show.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) expression: regex::Regex,
}

/// Keys that any rule could stand under; most nodes have none of them.
const RULE_KEYS: [&str; 19] = [
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "uniqueItems",
    "format",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
];

impl Limits {
    /// Returns the rules, if there are any.
    pub(super) fn rules(&self) -> Option<&Rules> {
        self.0.as_deref()
    }

    pub(super) fn parse(map: &Map<String, Value>, path: &str) -> Result<Self, SchemaError> {
        if !RULE_KEYS.iter().any(|key| map.contains_key(*key)) {
            return Ok(Self::default());
        }
        let number = |key: &str| map.get(key).and_then(Value::as_f64);
        let count = |key: &str| map.get(key).and_then(Value::as_u64);
        let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or_default();
        let rules = Rules {
            choices: list(map, "enum").to_vec(),
            minimum: number("minimum"),
            maximum: number("maximum"),
            above_minimum: flag("exclusiveMinimum"),
            below_maximum: flag("exclusiveMaximum"),
            multiple_of: number("multipleOf"),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            pattern: pattern(map, path)?,
            min_items: count("minItems"),
            max_items: count("maxItems"),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
            unique: flag("uniqueItems"),
            format: map.get("format").and_then(Value::as_str).map(str::to_owned),
            all_of: nodes(map, "allOf")?,
            any_of: nodes(map, "anyOf")?,
            one_of: nodes(map, "oneOf")?,
            not: map.get("not").map(Node::parse).transpose()?,
        };
        Ok(Self(Some(Box::new(rules))))
    }
}

fn list<'a>(map: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    map.get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn nodes(map: &Map<String, Value>, key: &str) -> Result<Vec<Node>, SchemaError> {
    list(map, key).iter().map(Node::parse).collect()
}

fn pattern(map: &Map<String, Value>, path: &str) -> Result<Option<Pattern>, SchemaError> {
    let Some(text) = map.get("pattern").and_then(Value::as_str) else {
        return Ok(None);
    };
    let expression = regex::Regex::new(text).map_err(|error| SchemaError {
        path: format!("{path}.pattern"),
        problem: format!(
            "Invalid value: \"{text}\": must be a valid regular expression, but isn't: {error}"
        ),
    })?;
    Ok(Some(Pattern {
        text: text.to_owned(),
        expression,
    }))
}
