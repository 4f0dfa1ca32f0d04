//! The values that conditions work with, and what operators make of them.

use chrono::{DateTime, TimeDelta, Utc};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A value of the language.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim::controllers) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
    Time(DateTime<Utc>),
    Span(TimeDelta),
}

impl Value {
    /// Returns a list of numbers, as a vector of samples is.
    pub(in crate::sim::controllers) fn floats(numbers: &[f64]) -> Self {
        Self::List(numbers.iter().copied().map(Self::Float).collect())
    }

    /// Takes JSON as Go's `encoding/json` would: every number is a float.
    pub(in crate::sim::controllers) fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(items) => {
                Self::List(items.iter().map(Self::from_json).collect())
            }
            serde_json::Value::Object(map) => {
                let map = map.iter();
                Self::Map(
                    map.map(|(name, one)| (name.clone(), Self::from_json(one)))
                        .collect(),
                )
            }
        }
    }

    /// Returns the value as JSON; whole floats are written as whole numbers.
    pub(in crate::sim::controllers) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Nil => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                (*number as i64).into()
            }
            Self::Float(number) => (*number).into(),
            Self::Text(text) => text.clone().into(),
            Self::List(list) => list.iter().map(Self::to_json).collect(),
            Self::Map(map) => serde_json::Value::Object(
                map.iter()
                    .map(|(name, one)| (name.clone(), one.to_json()))
                    .collect(),
            ),
            Self::Time(_) | Self::Span(_) => self.spelled().into(),
        }
    }

    /// There is nothing to index into.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Map(_)
            | Self::Time(_)
            | Self::Span(_) => false,
        }
    }

    /// There is no value: nil, or a list of nothing.
    pub(in crate::sim::controllers) fn is_missing(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::List(list) => list.is_empty(),
            Self::Text(_)
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Map(_)
            | Self::Time(_)
            | Self::Span(_) => false,
        }
    }

    /// Returns the type's name as Go spells it.
    pub(in crate::sim::controllers) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(list) if list.iter().all(|one| matches!(one, Self::Float(_))) => "[]float64",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Time(_) => "time.Time",
            Self::Span(_) => "time.Duration",
        }
    }

    /// Returns a number as a float.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Nil
            | Self::Bool(_)
            | Self::Text(_)
            | Self::List(_)
            | Self::Map(_)
            | Self::Time(_)
            | Self::Span(_) => None,
        }
    }

    /// Writes the value as Go's `%v` does, as far as conditions need it.
    pub(in crate::sim::controllers) fn spelled(&self) -> String {
        match self {
            Self::Nil => "<nil>".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(list) => {
                let items: Vec<String> = list.iter().map(Self::spelled).collect();
                format!("[{}]", items.join(" "))
            }
            Self::Map(map) => {
                let items: Vec<String> = map
                    .iter()
                    .map(|(name, one)| format!("{name}:{}", one.spelled()))
                    .collect();
                format!("map[{}]", items.join(" "))
            }
            Self::Time(time) => time.to_rfc3339(),
            Self::Span(span) => format!("{}s", span.num_milliseconds() as f64 / 1e3),
        }
    }

    /// The two can be asked whether they are equal.
    pub(super) fn is_comparable(&self, other: &Self) -> bool {
        let numbers = self.number().is_some() && other.number().is_some();
        numbers
            || matches!(self, Self::Nil)
            || matches!(other, Self::Nil)
            || std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The two are equal; numbers are, whatever their types.
    #[allow(clippy::float_cmp, reason = "the expression asks for `==`")]
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(left), Self::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(l, r)| l.equals(r))
            }
            (Self::Map(left), Self::Map(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .all(|(name, one)| right.get(name).is_some_and(|other| one.equals(other)))
            }
            (left, right) => match (left.number(), right.number()) {
                (Some(left), Some(right)) => left == right,
                _ => left == right,
            },
        }
    }

    /// Puts two values in order; none for a NaN, an error for what has no order.
    pub(super) fn order(&self, other: &Self, operator: &str) -> Result<Option<Ordering>, String> {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => Ok(Some(left.cmp(right))),
            (Self::Time(left), Self::Time(right)) => Ok(Some(left.cmp(right))),
            (Self::Span(left), Self::Span(right)) => Ok(Some(left.cmp(right))),
            (Self::Int(left), Self::Int(right)) => Ok(Some(left.cmp(right))),
            (left, right) => match (left.number(), right.number()) {
                (Some(left), Some(right)) => Ok(left.partial_cmp(&right)),
                _ => Err(mismatch(operator, left, right)),
            },
        }
    }

    /// Calculates with two values.
    pub(super) fn calculate(&self, operator: &str, other: &Self) -> Result<Self, String> {
        match (operator, self, other) {
            ("+", Self::Text(left), Self::Text(right)) => Ok(Self::Text(format!("{left}{right}"))),
            ("+", Self::Int(left), Self::Int(right)) => Ok(Self::Int(left.wrapping_add(*right))),
            ("-", Self::Int(left), Self::Int(right)) => Ok(Self::Int(left.wrapping_sub(*right))),
            ("*", Self::Int(left), Self::Int(right)) => Ok(Self::Int(left.wrapping_mul(*right))),
            ("%", Self::Int(_), Self::Int(0)) => Err("integer divide by zero".to_owned()),
            ("%", Self::Int(left), Self::Int(right)) => Ok(Self::Int(left.wrapping_rem(*right))),
            ("+", Self::Time(time), Self::Span(span))
            | ("+", Self::Span(span), Self::Time(time)) => time
                .checked_add_signed(*span)
                .map(Self::Time)
                .ok_or_else(out_of_range),
            ("-", Self::Time(time), Self::Span(span)) => time
                .checked_sub_signed(*span)
                .map(Self::Time)
                .ok_or_else(out_of_range),
            ("-", Self::Time(left), Self::Time(right)) => Ok(Self::Span(*left - *right)),
            ("+", Self::Span(left), Self::Span(right)) => left
                .checked_add(right)
                .map(Self::Span)
                .ok_or_else(out_of_range),
            ("-", Self::Span(left), Self::Span(right)) => left
                .checked_sub(right)
                .map(Self::Span)
                .ok_or_else(out_of_range),
            ("*", Self::Span(span), Self::Int(count))
            | ("*", Self::Int(count), Self::Span(span)) => {
                let count = i32::try_from(*count).ok();
                count
                    .and_then(|count| span.checked_mul(count))
                    .map(Self::Span)
                    .ok_or_else(out_of_range)
            }
            (_, left, right) => match (operator, left.number(), right.number()) {
                ("+", Some(left), Some(right)) => Ok(Self::Float(left + right)),
                ("-", Some(left), Some(right)) => Ok(Self::Float(left - right)),
                ("*", Some(left), Some(right)) => Ok(Self::Float(left * right)),
                ("/", Some(left), Some(right)) => Ok(Self::Float(left / right)),
                ("**" | "^", Some(left), Some(right)) => Ok(Self::Float(left.powf(right))),
                _ => Err(mismatch(operator, left, right)),
            },
        }
    }
}

fn out_of_range() -> String {
    "the time is out of range".to_owned()
}

/// Says that an operator does not work on two types, as expr-lang's checker does.
pub(super) fn mismatch(operator: &str, left: &Value, right: &Value) -> String {
    let (left, right) = (left.type_name(), right.type_name());
    format!("invalid operation: {operator} (mismatched types {left} and {right})")
}
