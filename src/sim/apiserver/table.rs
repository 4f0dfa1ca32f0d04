//! Answers as a `Table`: what `kubectl get` prints.

use super::call::{self, Call};
use super::json;
use super::request::Query;
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
pub(super) fn of_objects(call: &Call, objects: &[Value], options: &Options) -> Value {
    let mut table = empty();
    if options.columns {
        table["columnDefinitions"] = json!([
            {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
            {"name": "Created At", "type": "date", "format": "", "description": "", "priority": 0},
        ]);
    }
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({
                "cells": [json::name_of(object), object["metadata"]["creationTimestamp"]],
            });
            match options.include {
                Include::Nothing => {}
                Include::Metadata => row["object"] = call::partial_metadata(object),
                Include::Object => row["object"] = object.clone(),
            }
            row
        })
        .collect();
    table["rows"] = rows.into();
    let _ = call;
    table
}
