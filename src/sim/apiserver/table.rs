//! Answers as a `Table`: what `kubectl get` prints.
//!
//! Built-in kinds have the columns of upstream's `pkg/printers/internalversion`, custom ones those
//! of their definition. Ages are dates, which clients turn into ages with their own clock, except
//! where upstream sends text.

mod cells;
mod columns;
mod workloads;

use super::call::{self, Call};
use super::crd::CrdColumn;
use super::json;
use super::kinds::Kind;
use super::request::Query;
use chrono::{DateTime, Utc};
use columns::Column;
use serde_json::{Value, json};

/// What a table shall hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    include: Include,
    /// Whether the column definitions are sent; watches send them once.
    pub(super) columns: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Include {
    Nothing,
    Metadata,
    Object,
}

impl Options {
    pub(super) fn read(query: &Query) -> Self {
        Self {
            include: match query.text("includeObject") {
                Some("None") => Include::Nothing,
                Some("Object") => Include::Object,
                Some(_) | None => Include::Metadata,
            },
            columns: true,
        }
    }
}

/// A table without rows and columns.
pub(super) fn empty() -> Value {
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [],
        "rows": [],
    })
}

/// Makes the table of some objects of the call's kind.
pub(super) fn of_objects(call: &Call, objects: &[Value], options: Options) -> Value {
    let kind = &call.kind;
    let now = call.core.now();
    let mut table = empty();
    if let [only] = objects
        && let Some(version) = json::at(only, &["metadata", "resourceVersion"])
    {
        table["metadata"]["resourceVersion"] = version.clone();
    }
    let columns = columns::of_kind(kind);
    if options.columns {
        table["columnDefinitions"] = definitions(kind, columns);
    } else {
        table["columnDefinitions"] = Value::Null;
    }
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({ "cells": cells_of(kind, columns, object, now) });
            match options.include {
                Include::Nothing => {}
                Include::Metadata => row["object"] = call::partial_metadata(object),
                Include::Object => row["object"] = object.clone(),
            }
            row
        })
        .collect();
    table["rows"] = rows.into();
    table
}

fn definition(name: &str, kind: &str, format: &str, priority: i64) -> Value {
    json!({
        "name": name, "type": kind, "format": format, "description": "", "priority": priority,
    })
}

fn definitions(kind: &Kind, columns: Option<&[Column]>) -> Value {
    let mut all = vec![definition("Name", "string", "name", 0)];
    match columns {
        Some(columns) => all.extend(columns.iter().map(|column| {
            let wide = i64::from(column.wide);
            definition(column.name, column.shape.name(), "", wide)
        })),
        None if kind.custom && !kind.columns.is_empty() => {
            all.extend(kind.columns.iter().map(|column| {
                let mut shown =
                    definition(&column.name, &column.kind, &column.format, column.priority);
                shown["description"] = column.description.clone().into();
                shown
            }));
        }
        None if kind.custom => all.push(definition("Age", "date", "", 0)),
        None => all.push(definition("Created At", "date", "", 0)),
    }
    all.into()
}

fn cells_of(
    kind: &Kind,
    columns: Option<&[Column]>,
    object: &Value,
    now: DateTime<Utc>,
) -> Vec<Value> {
    let mut all = vec![json::name_of(object).into()];
    match columns {
        Some(columns) => all.extend(columns.iter().map(|column| (column.cell)(object, now))),
        None if kind.custom && !kind.columns.is_empty() => {
            all.extend(
                kind.columns
                    .iter()
                    .map(|column| custom_cell(column, object, now)),
            );
        }
        None if kind.custom => all.push(cells::age(object, now)),
        None => all.push(
            json::at(object, &["metadata", "creationTimestamp"])
                .cloned()
                .unwrap_or_default(),
        ),
    }
    all
}

/// Reads a printer column; what does not have its type is left out, as upstream.
fn custom_cell(column: &CrdColumn, object: &Value, now: DateTime<Utc>) -> Value {
    let Some(found) = select(&column.json_path, object) else {
        return Value::Null;
    };
    match column.kind.as_str() {
        "integer" => found.as_i64().map_or(Value::Null, Value::from),
        "number" => found.as_f64().map_or(Value::Null, Value::from),
        "boolean" => found.as_bool().map_or(Value::Null, Value::from),
        "date" => found
            .as_str()
            .map_or(Value::Null, |text| cells::since(text, now).into()),
        _ => match found {
            Value::String(text) => text.into(),
            Value::Null => Value::Null,
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                other.to_string().into()
            }
        },
    }
}

/// Follows a JSONPath as definitions write it, such as `.status.conditions[?(@.type=="Ready")].status`.
fn select(path: &str, object: &Value) -> Option<Value> {
    let path = path.trim();
    let plain = path
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '-');
    if plain {
        let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
        return json::at(object, &steps).cloned();
    }
    let dotted = if path.starts_with('.') || path.starts_with('[') {
        format!("${}", quoted_steps(path))
    } else {
        format!("$.{}", quoted_steps(path))
    };
    let parsed = serde_json_path::JsonPath::parse(&dotted).ok()?;
    parsed.query(object).first().cloned()
}

/// Turns `.a\.b/c` into `['a.b/c']`, which the standard's JSONPath reads.
fn quoted_steps(path: &str) -> String {
    let mut text = String::new();
    let mut letters = path.chars().peekable();
    let mut depth = 0_i32;
    while let Some(letter) = letters.next() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if letter != '.' || depth > 0 {
            text.push(letter);
            continue;
        }
        let mut step = String::new();
        while let Some(next) = letters.peek().copied() {
            if next == '.' || next == '[' {
                break;
            }
            letters.next();
            if next == '\\' {
                step.extend(letters.next());
            } else {
                step.push(next);
            }
        }
        if !step.is_empty() {
            let step = step.replace('\'', "\\'");
            text.extend(["['", step.as_str(), "']"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printer_columns_follow_their_json_path() {
        let object = json!({
            "metadata": {"annotations": {"a.b/c": "deep"}},
            "status": {"phase": "Up", "conditions": [
                {"type": "Ready", "status": "True"}, {"type": "Old", "status": "False"}]},
        });
        let cases = [
            (".status.phase", json!("Up")),
            ("status.phase", json!("Up")),
            (
                ".status.conditions[?(@.type==\"Ready\")].status",
                json!("True"),
            ),
            (".status.conditions[1].type", json!("Old")),
            (".metadata.annotations.a\\.b/c", json!("deep")),
        ];
        for (path, expected) in cases {
            assert_eq!(select(path, &object), Some(expected), "{path}");
        }
        assert_eq!(select(".spec.nothing", &object), None);
    }
}
