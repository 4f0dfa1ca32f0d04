//! The conditions of a status (Argo Events `pkg/apis/events/v1alpha1/common.go`): it is ready when
//! all are true.

use super::model::{list, text};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// Why a condition is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unmet {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Unmet {
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// One condition and whether it is met; nothing is known of those that follow one that is not.
pub(super) type Verdict = (&'static str, Option<Result<(), Unmet>>);

/// Returns the new status; a condition that stays as it was keeps its time.
pub(super) fn status(
    old: &Value,
    generation: Option<i64>,
    verdicts: &[Verdict],
    now: DateTime<Utc>,
) -> Value {
    let conditions: Vec<Value> = verdicts
        .iter()
        .map(|(kind, verdict)| {
            let (status, reason, message) = match verdict {
                Some(Ok(())) => ("True", "", ""),
                Some(Err(unmet)) => ("False", unmet.reason, unmet.message.as_str()),
                None => ("Unknown", "", ""),
            };
            let before = list(old, "conditions")
                .iter()
                .find(|one| text(one, "type") == *kind && text(one, "status") == status);
            let since = before.and_then(|one| one.get("lastTransitionTime").cloned());
            let since =
                since.unwrap_or_else(|| now.to_rfc3339_opts(SecondsFormat::Secs, true).into());
            let mut condition =
                json!({"type": kind, "status": status, "lastTransitionTime": since});
            if !reason.is_empty() {
                condition["reason"] = reason.into();
                condition["message"] = message.into();
            }
            condition
        })
        .collect();
    json!({"conditions": conditions, "observedGeneration": generation})
}

/// Whether a status says that all conditions are met.
pub(super) fn is_ready(status: &Value) -> bool {
    let conditions = list(status, "conditions");
    !conditions.is_empty() && conditions.iter().all(|one| text(one, "status") == "True")
}
