//! One step of a path into an object: a field, or an item of a list.

use serde_json::{Map, Value};
use std::fmt;

/// One step of a path. Keys and values are kept as canonical JSON text, so that steps have an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    Field(String),
    /// The item of a list whose key fields have these values.
    Key(String),
    /// The member of a set.
    Value(String),
    /// The item at a place; upstream knows it, and nothing here makes it.
    Index(usize),
}

/// Steps from the root of an object.
pub(super) type Path = Vec<Element>;

impl Element {
    pub(super) fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    /// Reads a step as managed fields write it, such as `f:spec` or `k:{"name":"web"}`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let canonical = || {
            let value: Value = serde_json::from_str(rest).ok()?;
            Some(value.to_string())
        };
        match kind {
            "f" => Some(Self::field(rest)),
            "k" => canonical().map(Self::Key),
            "v" => canonical().map(Self::Value),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }

    /// Writes a step as managed fields do.
    pub(super) fn write(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(key) => format!("k:{key}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
        }
    }
}

/// As conflicts show it: `.spec`, `[name="web"]`, `[="a"]`.
impl fmt::Display for Element {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(out, ".{name}"),
            Self::Key(key) => {
                let fields: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let pairs: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                write!(out, "[{}]", pairs.join(","))
            }
            Self::Value(value) => write!(out, "[={value}]"),
            Self::Index(index) => write!(out, "[{index}]"),
        }
    }
}
