//! `status.conditions[]`: what is wrong with an Application, in sentences.

use super::application::stamp;
use super::json;
use super::verdict::Condition;
use chrono::{DateTime, Utc};
use serde_json::{Value, json as make};

/// Conditions that a comparison decides on; others stay until someone else takes them away.
const EVALUATED: [&str; 7] = [
    "ComparisonError",
    "InvalidSpecError",
    "OrphanedResourceWarning",
    "RepeatedResourceWarning",
    "SharedResourceWarning",
    "SyncError",
    "ExcludedResourceWarning",
];

/// Returns the conditions after a comparison; one that says the same keeps its time.
pub fn renewed(before: &Value, found: &[Condition], now: DateTime<Utc>) -> Vec<Value> {
    let known = json::items(before, &["conditions"]);
    let kept = known
        .iter()
        .filter(|one| !EVALUATED.contains(&json::text(one, &["type"])))
        .cloned();
    let mut conditions: Vec<Value> = kept.collect();
    for (kind, message) in found {
        let same = |one: &&Value| {
            json::text(one, &["type"]) == *kind && json::text(one, &["message"]) == message
        };
        let one = known.iter().find(same).cloned().unwrap_or_else(
            || make!({"type": kind, "message": message, "lastTransitionTime": stamp(now)}),
        );
        if !conditions.contains(&one) {
            conditions.push(one);
        }
    }
    conditions.sort_by_key(|one| {
        (
            json::text(one, &["type"]).to_owned(),
            json::text(one, &["message"]).to_owned(),
        )
    });
    conditions
}

/// Returns whether a condition stops a sync.
pub fn is_error(kind: &str) -> bool {
    matches!(
        kind,
        "ComparisonError" | "InvalidSpecError" | "UnknownError"
    )
}

/// Writes conditions for an operation's message.
pub fn written(conditions: &[Condition]) -> String {
    let lines: Vec<_> = conditions
        .iter()
        .map(|(kind, message)| format!("{kind}: {message}"))
        .collect();
    lines.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn a_condition_that_stays_keeps_its_time() {
        let first = renewed(
            &Value::Null,
            &[("SyncError", "x".to_owned())],
            at("2026-11-21T10:00:00Z"),
        );
        let status = make!({"conditions": first});

        let again = renewed(
            &status,
            &[("SyncError", "x".to_owned())],
            at("2026-11-21T11:00:00Z"),
        );
        let other = renewed(
            &status,
            &[("SyncError", "y".to_owned())],
            at("2026-11-21T11:00:00Z"),
        );
        let gone = renewed(&status, &[], at("2026-11-21T11:00:00Z"));

        assert_eq!(again, json::items(&status, &["conditions"]));
        assert_eq!(other[0]["lastTransitionTime"], "2026-11-21T11:00:00Z");
        assert!(gone.is_empty());
    }

    #[test]
    fn conditions_of_others_stay() {
        let status = make!({"conditions": [{"type": "DeletionError", "message": "x"}]});

        assert_eq!(renewed(&status, &[], at("2026-11-21T11:00:00Z")).len(), 1);
    }
}
