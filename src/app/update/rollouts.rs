//! Rollouts: which ones a command is about, what may be asked of them now, and what their dialogs
//! say.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "screens that are not named here show no Rollout"
)]

use super::subject::{Subject, subjects};
use crate::app::commands::Command;
use crate::app::screens::{Screen, analysis_runs};
use crate::app::state::State;
use crate::domain::alert::Alert;
use crate::domain::duration::short_span;
use crate::domain::intent::{Intent, Verb};
use crate::domain::object::{ObjectRef, Text};
use crate::domain::rollout::{Keeper, Rollout, RolloutDetail, Strategy, forecast};

/// Returns the Rollouts a command is about: chosen ones, those of chosen Applications, or the one
/// whose screen is open.
pub(super) fn chosen_rollouts(state: &State) -> Vec<Subject> {
    let mut found: Vec<Subject> = Vec::new();
    for subject in subjects(state) {
        if subject.is_rollout() {
            found.push(subject);
        } else if subject.is_application()
            && let Some(app) = super::subject::application_row(state, &subject.object)
        {
            let rows = app.rollouts.iter();
            found.extend(rows.filter_map(|object| known_rollout(state, object)));
        }
    }
    if found.is_empty() {
        found.extend(open_rollout(state));
    }
    found
}

fn known_rollout(state: &State, object: &ObjectRef) -> Option<Subject> {
    let row = state.store.row(object)?;
    Some(Subject {
        object: object.clone(),
        uid: Some(row.uid().clone()),
    })
}

/// Returns the Rollout that the open screens belong to.
fn open_rollout(state: &State) -> Option<Subject> {
    let mut screens = state.stack.iter().rev();
    screens.find_map(|screen| match screen {
        Screen::Rollout(screen) => Some(Subject {
            object: screen.object.clone(),
            uid: screen.uid.clone(),
        }),
        Screen::Analysis(screen) => {
            let owner = screen.run()?.owner.as_ref()?;
            known_rollout(state, owner)
        }
        _ => None,
    })
}

/// Returns the AnalysisRuns a command is about.
pub(super) fn chosen_runs(state: &State) -> Vec<Subject> {
    let all = subjects(state).into_iter();
    all.filter(|subject| {
        let kind = &subject.object.kind;
        *kind == analysis_runs() || kind.is(crate::domain::kind::ARGO, "Experiment")
    })
    .collect()
}

/// Returns what is known of a Rollout: the detail of an open screen, else its row.
pub(super) fn rollout_row<'state>(
    state: &'state State,
    object: &ObjectRef,
) -> Option<&'state Rollout> {
    open_detail(state, object)
        .map(|detail| &detail.row)
        .or_else(|| state.store.row(object)?.rollout())
}

pub(super) fn open_detail<'state>(
    state: &'state State,
    object: &ObjectRef,
) -> Option<&'state RolloutDetail> {
    let mut screens = state.stack.iter();
    screens.find_map(|screen| match screen {
        Screen::Rollout(screen) if screen.object == *object => screen.rollout(),
        _ => None,
    })
}

/// Returns what the controller will do next, and whether Argo CD puts it back.
pub(super) fn preview(state: &State, intent: &Intent) -> Vec<String> {
    if let Some(detail) = open_detail(state, &intent.target) {
        return forecast::forecast(detail, &intent.verb);
    }
    let Some(row) = rollout_row(state, &intent.target) else {
        return Vec::new();
    };
    // Without its screen the ReplicaSets are not known; what follows from the row is.
    let detail = RolloutDetail {
        keeper: keeper_of(state, row),
        row: row.clone(),
        revisions: Vec::new(),
        services: Vec::new(),
        routes: Vec::new(),
        measured_at: None,
        measured_by: "".into(),
        findings: Vec::new(),
    };
    match &intent.verb {
        Verb::Undo { revision: None } => vec![
            "The template of the revision before is written back as a new revision.".to_owned(),
        ],
        verb => forecast::forecast(&detail, verb),
    }
}

/// Finds the Application that manages a Rollout among the rows.
fn keeper_of(state: &State, row: &Rollout) -> Option<Keeper> {
    let table = state.store.table(&crate::app::screens::applications())?;
    let apps = table.rows().filter_map(crate::store::Row::application);
    let found = apps
        .into_iter()
        .find(|app| app.rollouts.contains(&row.object))?;
    Some(Keeper {
        application: found.object.clone(),
        auto_sync: found.auto_sync.on,
        self_heal: found.auto_sync.self_heal,
    })
}

/// Returns why an intent cannot be asked of a Rollout as it is now.
///
/// The rules of Argo CD's own commands for Rollouts, with the guard against a second promotion.
pub(super) fn objection(state: &State, object: &ObjectRef, verb: &Verb) -> Option<String> {
    let row = rollout_row(state, object)?;
    let name = object.path();
    if matches!(verb, Verb::Promote | Verb::Resume) {
        let under_way = state.ledger.entries().iter().any(|entry| {
            !entry.is_over()
                && entry.intent.target == *object
                && matches!(
                    entry.intent.verb,
                    Verb::Promote | Verb::Resume | Verb::PromoteFull
                )
        });
        if under_way || row.is_unpausing() {
            return Some(format!(
                "a promotion of `{name}` is on its way; another one would skip a step"
            ));
        }
    }
    let promoted = row.is_fully_promoted();
    let paused = row.spec_paused || !row.pauses.is_empty();
    let at_end = row
        .step_index
        .is_none_or(|index| index as usize >= row.steps.len());
    let can_step = row.strategy == Strategy::Canary && !row.steps.is_empty() && !at_end;
    let reason = match verb {
        Verb::Promote | Verb::Resume if row.aborted => {
            "was aborted; retry it, and its steps begin anew"
        }
        Verb::Promote if !paused && !can_step => "waits for nothing",
        Verb::Resume if !paused => "is not paused",
        Verb::PromoteFull if promoted => "has nothing left to promote",
        Verb::Abort if promoted => "is not being updated",
        Verb::Abort if row.aborted => "was aborted already",
        Verb::Retry if !row.aborted => "was not aborted",
        Verb::Pause if row.spec_paused => "is paused already",
        Verb::Pause if promoted => "is not being updated, so there is nothing to pause",
        Verb::Pause if row.aborted => "was aborted: no step will be taken anyway",
        _ => return None,
    };
    Some(format!("`{name}` {reason}"))
}

/// Returns the intent of a command that has no options; absent for other commands.
pub(super) fn verb_of(state: &State, command: Command) -> Option<Verb> {
    Some(match command {
        Command::Promote => Verb::Promote,
        Command::PromoteFull => Verb::PromoteFull,
        Command::Abort => Verb::Abort,
        Command::RetryRollout => Verb::Retry,
        Command::Pause => {
            let chosen = chosen_rollouts(state);
            let mut rows = chosen
                .iter()
                .filter_map(|one| rollout_row(state, &one.object));
            if !chosen.is_empty() && rows.all(|row| row.spec_paused || !row.pauses.is_empty()) {
                Verb::Resume
            } else {
                Verb::Pause
            }
        }
        Command::Resume => Verb::Resume,
        _ => return None,
    })
}

/// Returns where a Rollout stands, in one line for a dialog.
pub(super) fn standing(row: &Rollout, now: chrono::DateTime<chrono::Utc>) -> String {
    let mut text = row.phase.word().to_owned();
    if !row.message.is_empty() {
        text = format!("{text}: {}", super::preview::short(&row.message));
    }
    if let Some((done, total)) = row.progress() {
        let at = if done < total {
            format!("at step {} of {total}", done + 1)
        } else {
            format!("all {total} steps done")
        };
        text = format!("{text}, {at}, weight {}", row.weights.actual);
    }
    let waits = forecast::waits_for(row, now);
    if !waits.is_empty() {
        text = format!("{text}, waits for {waits}");
    }
    text
}

/// Returns the revisions to go back to, newest first, each with its number and words.
pub(super) fn revisions(state: &State, object: &ObjectRef) -> Vec<(i64, Text)> {
    let Some(detail) = open_detail(state, object) else {
        return Vec::new();
    };
    let others = detail.revisions.iter().filter(|revision| {
        let mut sets = revision.replica_sets.iter();
        !revision.replica_sets.is_empty() && sets.all(|set| set.hash != detail.row.current_hash)
    });
    others
        .take(12)
        .map(|revision| {
            let image = revision
                .replica_sets
                .iter()
                .flat_map(|set| &set.images)
                .next();
            let image = image.map(|one| one.image.rsplit('/').next().unwrap_or_default());
            let text = format!("{} {}", revision.number, image.unwrap_or_default());
            (revision.number, text.trim().into())
        })
        .collect()
}

/// Returns the alert under the cursor.
pub(super) fn current_alert(state: &State) -> Option<&Alert> {
    match state.screen() {
        Screen::Alerts(screen) => match screen.current()? {
            crate::app::screens::AlertItem::Alert(alert) => Some(alert),
            crate::app::screens::AlertItem::Silence(_) => None,
        },
        _ => None,
    }
}

/// Returns the silence under the cursor.
pub(super) fn current_silence(state: &State) -> Option<&crate::domain::alert::Silence> {
    match state.screen() {
        Screen::Alerts(screen) => match screen.current()? {
            crate::app::screens::AlertItem::Silence(silence) => Some(silence),
            crate::app::screens::AlertItem::Alert(_) => None,
        },
        _ => None,
    }
}

/// Reads `90m`, `2h` or `1d12h` as seconds.
pub(super) fn length_of(text: &str) -> Result<u32, String> {
    let span = crate::domain::age::parse_span(text);
    let seconds = span.and_then(|span| u32::try_from(span.num_seconds()).ok());
    seconds
        .filter(|seconds| (60..=31_536_000).contains(seconds))
        .ok_or_else(|| {
            format!(
                "`{}` is not a length of time from {} to a year; write `30m`, `2h` or `1d`",
                super::preview::short(text),
                short_span(chrono::TimeDelta::seconds(60))
            )
        })
}

/// Reads matchers separated by blanks or commas; quoted values may hold both.
pub(super) fn matchers_of(text: &str) -> Result<Vec<crate::domain::alert::Matcher>, String> {
    let mut pieces: Vec<String> = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        quoted ^= letter == '"';
        match letter {
            ' ' | ',' if !quoted => pieces.push(String::new()),
            other => {
                if let Some(piece) = pieces.last_mut() {
                    piece.push(other);
                }
            }
        }
    }
    let mut matchers = Vec::new();
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        let matcher = crate::domain::alert::Matcher::parse(piece);
        matchers.push(matcher.ok_or_else(|| {
            format!("`{piece}` is not a matcher; write name=\"value\" or name=~\"pattern\"")
        })?);
    }
    // Alertmanager refuses a silence that matches everything.
    if matchers.iter().all(|one| one.value.is_empty()) {
        return Err("a silence needs a matcher with a value".to_owned());
    }
    Ok(matchers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_with_blanks_in_quotes() {
        let read = matchers_of("alertname=\"High errors\" pod=~\"a,b\"  severity!=page");
        let words: Vec<String> = read
            .expect("matchers")
            .iter()
            .map(crate::domain::alert::Matcher::words)
            .collect();
        assert_eq!(
            words,
            [
                "alertname=\"High errors\"",
                "pod=~\"a,b\"",
                "severity!=\"page\""
            ]
        );
        assert!(matchers_of("nonsense").is_err());
        assert!(matchers_of("").is_err());
        assert!(matchers_of("a=\"\"").is_err());
    }

    #[test]
    fn lengths_have_units_and_an_end() {
        assert_eq!(length_of("2h"), Ok(7_200));
        assert_eq!(length_of("1h30m"), Ok(5_400));
        for wrong in ["", "5", "10s", "900d", "soon"] {
            assert!(length_of(wrong).is_err(), "{wrong}");
        }
    }
}
