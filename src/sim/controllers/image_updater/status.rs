//! What an ImageUpdater says of a round (`internal/controller/status.go`).

use super::name_of;
use crate::domain::image_update::{ImageRule, Written};
use crate::sim::controllers::runtime::time::api_time;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// What became of one look at all Applications of an object.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) matched: u32,
    pub(super) considered: u32,
    updates: Vec<Update>,
    errors: Vec<String>,
}

#[derive(Debug)]
struct Update {
    written: Written,
    applications: u32,
    at: DateTime<Utc>,
}

impl Round {
    pub(super) fn fail(&mut self, application: &Value, rule: &ImageRule, why: &str) {
        let name = name_of(application);
        tracing::debug!(application = name, image = %rule.image, "{why}");
        self.errors.push(format!("{name}: {}: {why}", rule.image));
    }

    pub(super) fn updated(&mut self, changes: Vec<Written>, now: DateTime<Utc>) {
        for written in changes {
            let known = self.updates.iter_mut().find(|one| one.written == written);
            match known {
                Some(known) => known.applications += 1,
                None => self.updates.push(Update {
                    written,
                    applications: 1,
                    at: now,
                }),
            }
        }
    }

    fn recent(&self) -> Vec<Value> {
        let updates = self.updates.iter();
        updates
            .map(|one| {
                let written = &one.written;
                json!({
                    "alias": &*written.alias,
                    "image": format!("{}:{}", written.image, written.new),
                    "newVersion": &*written.new,
                    "applicationsUpdated": one.applications,
                    "updatedAt": api_time(one.at),
                    "message": format!("Updated from {} to {}.", written.old, written.new),
                })
            })
            .collect()
    }
}

/// Returns the status after a round.
pub(super) fn status(
    old: &Value,
    round: &Round,
    (generation, now): (Option<i64>, DateTime<Utc>),
) -> Value {
    let time = api_time(now);
    let mut new = if old.is_object() {
        old.clone()
    } else {
        json!({})
    };
    new["observedGeneration"] = json!(generation);
    new["lastCheckedAt"] = json!(time);
    new["applicationsMatched"] = json!(round.matched);
    new["imagesManaged"] = json!(round.considered);
    if !round.updates.is_empty() {
        new["lastUpdatedAt"] = json!(time);
        // Of the last round that updated anything.
        new["recentUpdates"] = Value::Array(round.recent());
    }
    let (reason, error) = if round.errors.is_empty() {
        ("ReconcileSucceeded", ("False", "NoErrors", String::new()))
    } else {
        let all = round.errors.join("; ");
        (
            "ReconcileCompletedWithErrors",
            ("True", "PartialErrors", all),
        )
    };
    let ready = format!(
        "{} applications matched, {} images checked, {} updated, {} errors",
        round.matched,
        round.considered,
        round.updates.len(),
        round.errors.len()
    );
    let conditions = [
        ("Ready", ("True", reason, ready)),
        (
            "Reconciling",
            ("False", "ReconcileCompleted", String::new()),
        ),
        ("Error", error),
    ];
    let conditions = conditions.map(|(kind, (status, reason, message))| {
        let since = since(old, kind, status).unwrap_or_else(|| json!(time));
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "observedGeneration": generation,
            "lastTransitionTime": since,
        })
    });
    new["conditions"] = json!(conditions);
    new
}

/// Returns since when a condition has had this status, when it has it.
fn since(old: &Value, kind: &str, status: &str) -> Option<Value> {
    let conditions = old.get("conditions")?.as_array()?;
    let found = conditions
        .iter()
        .find(|one| one["type"] == kind && one["status"] == status)?;
    found.get("lastTransitionTime").cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Written {
        Written {
            alias: "web".into(),
            image: "r.io/web".into(),
            old: "1.0".into(),
            new: "1.1".into(),
        }
    }

    #[test]
    fn a_round_that_updates_nothing_keeps_what_was_updated_last() {
        let now = DateTime::UNIX_EPOCH;
        let mut first = Round::default();
        first.updated(vec![written()], now);
        first.updated(vec![written()], now);
        let first = status(&Value::Null, &first, (Some(1), now));
        let later = now + chrono::TimeDelta::minutes(2);
        let second = status(&first, &Round::default(), (Some(1), later));

        assert_eq!(second["recentUpdates"][0]["applicationsUpdated"], 2);
        assert_eq!(
            second["recentUpdates"][0]["message"],
            "Updated from 1.0 to 1.1."
        );
        assert_ne!(second["lastCheckedAt"], second["lastUpdatedAt"]);
        assert_eq!(
            second["conditions"][0]["lastTransitionTime"],
            first["conditions"][0]["lastTransitionTime"],
            "what stays true does not turn"
        );
    }

    #[test]
    fn errors_leave_it_ready_and_are_said() {
        let round = Round {
            errors: vec!["shop: r.io/web: `r.io` says 401".to_owned()],
            ..Round::default()
        };
        let status = status(&Value::Null, &round, (None, DateTime::UNIX_EPOCH));
        assert_eq!(
            status["conditions"][0]["reason"],
            "ReconcileCompletedWithErrors"
        );
        assert_eq!(status["conditions"][2]["status"], "True");
        assert_eq!(
            status["conditions"][2]["message"],
            "shop: r.io/web: `r.io` says 401"
        );
    }
}
