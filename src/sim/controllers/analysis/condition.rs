//! The language of conditions: the part of expr-lang that metrics use. Pure.
//!
//! Follows expr-lang's language definition and Argo Rollouts' `utils/evaluate/evaluate.go`. It is written
//! here, and not taken from the crate `expr-lang`, for three reasons: `now()` has to be platform time,
//! errors have to read as upstream's do and name the place, and a template from anyone must be able
//! neither to panic nor to use up the machine.

mod evaluation;
mod functions;
mod lexer;
mod parser;
mod value;

pub(in crate::sim::controllers) use value::Value;

use chrono::{DateTime, Utc};
use evaluation::Scope;
use std::collections::BTreeMap;

/// Evaluates a condition about the result of a measurement.
pub(super) fn holds(condition: &str, result: &Value, now: DateTime<Utc>) -> Result<bool, String> {
    let indexed = condition
        .split("result")
        .skip(1)
        .any(|rest| rest.trim_start().starts_with('['));
    if indexed && result.is_empty() {
        return Err(
            "metric result is empty or unavailable, and the condition cannot index into result; \
             guard the condition with len(result) > 0"
                .to_owned(),
        );
    }
    let program = parser::parse(condition)?;
    let value = Scope::new(result, now).evaluate(&program)?;
    if let Value::Bool(answer) = value {
        return Ok(answer);
    }
    Err(format!("expected bool, but got {}", value.type_name()))
}

/// Evaluates an expression that yields a time, such as `now() - duration("5m")`.
pub(super) fn time_of(expression: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let program = parser::parse(expression)?;
    let value = Scope::new(&Value::Nil, now).evaluate(&program)?;
    if let Value::Time(time) = value {
        return Ok(time);
    }
    Err(format!("expected time.Time, but got {}", value.type_name()))
}

/// Evaluates an expression in which the given names are known.
pub(in crate::sim::controllers) fn evaluate_with(
    expression: &str,
    names: BTreeMap<String, Value>,
    now: DateTime<Utc>,
) -> Result<Value, String> {
    let program = parser::parse_with(expression, names.keys().cloned().collect())?;
    Scope::with_names(names, now).evaluate(&program)
}

#[cfg(test)]
mod tests;
