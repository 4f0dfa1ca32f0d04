//! What the controller will do after an intent on a Rollout: the facts a dialog shows.
//!
//! Pure: the same rules as the controller's (Argo Rollouts `rollout/canary.go`,
//! `rollout/bluegreen.go`, `rollout/sync.go`), applied to what is known now.

use super::step::span;
use super::{Role, Rollout, RolloutDetail, Step, Strategy};
use crate::domain::analysis::AnalysisPhase;
use crate::domain::intent::Verb;

/// Returns what will happen, one sentence a line; the first says it, the others add to it.
pub fn forecast(detail: &RolloutDetail, verb: &Verb) -> Vec<String> {
    let mut lines = of_verb(detail, verb);
    lines.extend(will_be_reverted(detail, verb));
    lines
}

fn of_verb(detail: &RolloutDetail, verb: &Verb) -> Vec<String> {
    let row = &detail.row;
    match verb {
        Verb::Promote | Verb::Resume => promote(row),
        Verb::PromoteFull => promote_full(detail),
        Verb::Abort => abort(detail),
        Verb::Retry => vec![format!(
            "The update starts again from the first step{}; analyses are made anew.",
            first_step(row)
        )],
        Verb::Pause => vec![
            "No step is taken, nothing is scaled and no Service is switched until it is resumed."
                .to_owned(),
        ],
        Verb::RestartRollout => vec![format!(
            "All {} Pods made before now are evicted, a few at a time; the image stays the same.",
            row.replicas.current
        )],
        Verb::Undo { revision } => undo(detail, *revision),
        Verb::SetImage { container, image } => vec![
            format!("Container `{container}` gets `{image}`; a new revision is made."),
            begins(row),
        ],
        Verb::TerminateAnalysis
        | Verb::Silence(_)
        | Verb::ExpireSilence
        | Verb::Run(_)
        | Verb::Image(_)
        | Verb::Refresh(_)
        | Verb::Sync(_)
        | Verb::Terminate
        | Verb::Rollback { .. }
        | Verb::Switch { .. }
        | Verb::DeleteApplication(_)
        | Verb::ConfirmDeletion
        | Verb::Restart
        | Verb::Scale { .. }
        | Verb::Delete { .. }
        | Verb::Replace { .. } => Vec::new(),
    }
}

fn promote(row: &Rollout) -> Vec<String> {
    if row.is_unpausing() {
        return vec![
            "A promotion is on its way already; another one would skip a step and is refused."
                .to_owned(),
        ];
    }
    if row.strategy == Strategy::BlueGreen {
        return blue_green_promotion(row);
    }
    let index = row.step_index.unwrap_or(0) as usize;
    if row.spec_paused && row.pauses.is_empty() {
        return vec![format!("It goes on with {}.", place(row, index))];
    }
    let skipped = row.steps.get(index).filter(|_| row.pauses.is_empty());
    let mut lines = Vec::new();
    if let Some(step) = skipped {
        lines.push(format!("It skips `{}`, which is running.", step.words()));
    }
    lines.push(moves_to(row, index + 1));
    lines
}

fn blue_green_promotion(row: &Rollout) -> Vec<String> {
    if row.pauses.is_empty() && !row.spec_paused {
        return vec!["Nothing waits for a promotion; nothing will be sent.".to_owned()];
    }
    let mut lines = vec![format!(
        "The Service `{}` is switched to the new version at once, for all traffic.",
        row.services.active
    )];
    lines.push("The old version keeps running for a while, then it is scaled down.".to_owned());
    lines
}

/// Says where it goes and what comes until it stops again.
fn moves_to(row: &Rollout, index: usize) -> String {
    let total = row.steps.len();
    if index >= total {
        return format!(
            "It takes the last steps: all {} Pods become the new version, which is stable then.",
            row.replicas.desired
        );
    }
    let mut coming = Vec::new();
    for step in row.steps.iter().skip(index) {
        coming.push(step.words());
        if stops_at(step) {
            break;
        }
    }
    if coming.len() == total - index && row.steps.last().is_none_or(|step| !stops_at(step)) {
        coming.push(String::from("all of it"));
    }
    format!(
        "It moves to step {} of {total}: {}.",
        index + 1,
        coming.join(", then ")
    )
}

fn stops_at(step: &Step) -> bool {
    match step {
        Step::Pause { .. }
        | Step::Analysis { .. }
        | Step::Experiment { .. }
        | Step::Plugin { .. } => true,
        Step::SetWeight(_)
        | Step::SetCanaryScale(_)
        | Step::SetHeaderRoute { .. }
        | Step::SetMirrorRoute { .. }
        | Step::Unknown => false,
    }
}

fn place(row: &Rollout, index: usize) -> String {
    match row.steps.get(index) {
        Some(step) => format!(
            "step {} of {}: {}",
            index + 1,
            row.steps.len(),
            step.words()
        ),
        None => String::from("what was left to do"),
    }
}

fn promote_full(detail: &RolloutDetail) -> Vec<String> {
    let row = &detail.row;
    let mut lines = vec![match row.strategy {
        Strategy::BlueGreen => {
            String::from("The Service is switched at once; pauses and analyses are skipped.")
        }
        Strategy::Canary | Strategy::Unknown => {
            let left = row
                .steps
                .len()
                .saturating_sub(row.step_index.unwrap_or(0) as usize);
            format!(
                "All {left} steps that are left are skipped, pauses and analyses too: the new version gets all traffic as soon as {} Pods of it are available.",
                row.replicas.desired
            )
        }
    }];
    let bad = detail
        .current_analyses()
        .find(|run| run.phase >= AnalysisPhase::Inconclusive);
    if let Some(run) = bad {
        lines.push(format!(
            "Its analysis `{}` is {}.",
            run.object.name,
            run.phase.word()
        ));
    }
    lines
}

fn abort(detail: &RolloutDetail) -> Vec<String> {
    let row = &detail.row;
    let stable = detail
        .with_role(Role::Stable)
        .and_then(|set| set.images.first());
    let image = stable.map_or(String::new(), |image| format!(" (`{}`)", image.image));
    let first = match row.strategy {
        Strategy::BlueGreen => format!("All traffic goes to the stable version{image}."),
        Strategy::Canary | Strategy::Unknown => format!(
            "The weight of the new version goes from {} to 0; the stable version{image} gets all traffic.",
            row.weights.actual
        ),
    };
    vec![
        first,
        "It stays Degraded until it is retried, or until the template changes.".to_owned(),
    ]
}

fn undo(detail: &RolloutDetail, revision: Option<i64>) -> Vec<String> {
    let Some(target) = detail.undo_target(revision) else {
        return vec!["There is no such revision to go back to.".to_owned()];
    };
    let images = target.replica_sets.iter().flat_map(|set| &set.images);
    let images: Vec<&str> = images.map(|image| &*image.image).collect();
    let mut lines = vec![format!(
        "The template of revision {} ({}) is written back as a new revision.",
        target.number,
        images.join(", ")
    )];
    let is_stable = target
        .replica_sets
        .iter()
        .any(|set| set.roles.contains(&Role::Stable));
    lines.push(if is_stable {
        String::from("That is the stable version: no step is taken, traffic returns to it at once.")
    } else {
        begins(&detail.row)
    });
    if let Some(workload) = &detail.row.workload {
        lines.push(format!(
            "The template is that of {workload}; it is changed there."
        ));
    }
    lines
}

fn begins(row: &Rollout) -> String {
    match (row.strategy, row.steps.is_empty()) {
        (Strategy::BlueGreen, _) => {
            String::from("It comes up beside the active version, behind the preview Service.")
        }
        (Strategy::Canary | Strategy::Unknown, true) => {
            String::from("It replaces the old Pods without steps.")
        }
        (Strategy::Canary | Strategy::Unknown, false) => {
            format!(
                "It runs through {} steps{}.",
                row.steps.len(),
                first_step(row)
            )
        }
    }
}

fn first_step(row: &Rollout) -> String {
    row.steps.first().map_or(String::new(), |step| {
        format!(", the first is `{}`", step.words())
    })
}

/// Says whether Argo CD will put the spec back as git has it.
fn will_be_reverted(detail: &RolloutDetail, verb: &Verb) -> Option<String> {
    let keeper = detail.keeper.as_ref()?;
    if !changes_spec(detail, verb) {
        return None;
    }
    let name = keeper.application.path();
    Some(if keeper.auto_sync && keeper.self_heal {
        format!(
            "Argo CD's self-heal of `{name}` will revert it within seconds; change it in git instead, or turn self-heal off first."
        )
    } else if keeper.auto_sync {
        format!("`{name}` becomes OutOfSync; the next commit or sync will revert it.")
    } else {
        format!("`{name}` becomes OutOfSync; a sync will revert it.")
    })
}

/// Returns whether an intent changes what git says; the others change the status only.
fn changes_spec(detail: &RolloutDetail, verb: &Verb) -> bool {
    match verb {
        Verb::Pause | Verb::Undo { .. } | Verb::SetImage { .. } | Verb::RestartRollout => true,
        Verb::Promote | Verb::Resume | Verb::PromoteFull => detail.row.spec_paused,
        Verb::Abort
        | Verb::Retry
        | Verb::TerminateAnalysis
        | Verb::Silence(_)
        | Verb::ExpireSilence
        | Verb::Run(_)
        | Verb::Image(_)
        | Verb::Refresh(_)
        | Verb::Sync(_)
        | Verb::Terminate
        | Verb::Rollback { .. }
        | Verb::Switch { .. }
        | Verb::DeleteApplication(_)
        | Verb::ConfirmDeletion
        | Verb::Restart
        | Verb::Scale { .. }
        | Verb::Delete { .. }
        | Verb::Replace { .. } => false,
    }
}

/// Returns what it waits for now, in few words; empty when it waits for nothing.
pub fn waits_for(row: &Rollout, now: chrono::DateTime<chrono::Utc>) -> String {
    let Some(pause) = row.pauses.first() else {
        return if row.spec_paused {
            String::from("somebody to resume it")
        } else {
            String::new()
        };
    };
    match row.pause_ends() {
        Some(end) if end > now => format!("{} more", span(end - now)),
        Some(_) => String::from("the controller"),
        None if &*pause.reason == "InconclusiveAnalysisRun" => {
            String::from("somebody to judge the analysis: promote or abort")
        }
        None => String::from("a promotion"),
    }
}
