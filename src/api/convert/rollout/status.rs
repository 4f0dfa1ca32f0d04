//! The status: pauses, conditions, and the analyses it names.

use crate::api::convert::loose::{Loose, at};
use crate::domain::analysis::{AnalysisPhase, AnalysisRole};
use crate::domain::application::Condition;
use crate::domain::object::Text;
use crate::domain::rollout::{AnalysisLink, Pause};
use serde_json::Value;

pub(super) fn pauses(value: &Value, loose: &mut Loose) -> Vec<Pause> {
    let pauses = loose.list(value, &["status", "pauseConditions"]);
    let pauses = pauses.iter().map(|one| Pause {
        reason: loose.text(one, &["reason"]),
        since: loose.time(one, &["startTime"]),
    });
    pauses.collect()
}

/// Returns the conditions and, in the same order, their reasons.
pub(super) fn conditions(value: &Value, loose: &mut Loose) -> (Vec<Condition>, Vec<Text>) {
    let conditions = loose.list(value, &["status", "conditions"]);
    let read = conditions.iter().map(|one| {
        let condition = Condition {
            kind: loose.text(one, &["type"]),
            message: loose.text(one, &["message"]),
            since: loose.time(one, &["lastTransitionTime"]),
        };
        (condition, loose.text(one, &["reason"]))
    });
    read.unzip()
}

/// Returns the runs of the update that is under way.
pub(super) fn analyses(value: &Value, step: Option<u32>, loose: &mut Loose) -> Vec<AnalysisLink> {
    let places = [
        (
            ["canary", "currentStepAnalysisRunStatus"],
            AnalysisRole::Step(step.unwrap_or(0)),
        ),
        (
            ["canary", "currentBackgroundAnalysisRunStatus"],
            AnalysisRole::Background,
        ),
        (
            ["blueGreen", "prePromotionAnalysisRunStatus"],
            AnalysisRole::PrePromotion,
        ),
        (
            ["blueGreen", "postPromotionAnalysisRunStatus"],
            AnalysisRole::PostPromotion,
        ),
    ];
    let mut links = Vec::new();
    for ([strategy, field], role) in places {
        let Some(one) = at(value, &["status", strategy, field]) else {
            continue;
        };
        let word = loose.str(one, &["status"]);
        links.push(AnalysisLink {
            role,
            name: loose.text(one, &["name"]),
            phase: AnalysisPhase::from_word(word).unwrap_or(AnalysisPhase::Pending),
            message: loose.text(one, &["message"]),
        });
    }
    links
}
