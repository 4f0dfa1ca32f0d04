//! Conflicts of an apply, in the API server's words.

use super::element::{Element, Path};
use super::field_set::FieldSet;
use super::managers::{Entry, Operation};
use std::collections::BTreeMap;
use std::fmt;

/// A field that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The other manager as messages show it, such as `"kubectl-edit" using apps/v1`.
    pub manager: String,
    /// Where, such as `.spec.replicas`.
    pub field: String,
    pub(super) path: Path,
}

impl Conflict {
    /// Returns the message of the Status cause (reason `FieldManagerConflict`).
    pub fn message(&self) -> String {
        format!("conflict with {}", self.manager)
    }
}

/// Why a configuration was not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Other managers own fields that would change (409 Conflict).
    #[error("{}", sentence(.0))]
    Conflicts(Vec<Conflict>),
    /// The configuration cannot be applied at all (400 Bad Request).
    #[error("{0}")]
    Invalid(String),
}

/// Lists which of the touched fields other managers own.
pub(super) fn between(others: &[Entry], touched: &FieldSet) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for entry in others {
        let manager = shown(entry);
        for path in entry.fields.intersection(touched).paths() {
            conflicts.push(Conflict {
                manager: manager.clone(),
                field: path.iter().map(Element::to_string).collect(),
                path,
            });
        }
    }
    conflicts
}

fn shown(entry: &Entry) -> String {
    let mut text = format!("{:?}", entry.manager);
    if !entry.subresource.is_empty() {
        text = format!("{text} with subresource {:?}", entry.subresource);
    }
    if entry.operation == Operation::Update {
        text = format!("{text} using {}", entry.api_version);
    }
    text
}

fn sentence(conflicts: &[Conflict]) -> impl fmt::Display {
    if let [one] = conflicts {
        return format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            one.manager, one.field
        );
    }
    let mut by_manager: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in conflicts {
        by_manager.entry(&one.manager).or_default().push(&one.field);
    }
    let mut lines = Vec::new();
    for (manager, fields) in by_manager {
        lines.push(format!("conflicts with {manager}:"));
        lines.extend(fields.iter().map(|field| format!("- {field}")));
    }
    format!(
        "Apply failed with {} conflicts: {}",
        conflicts.len(),
        lines.join("\n")
    )
}
