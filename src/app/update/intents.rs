//! Sending intents, and what becomes of them.
//!
//! Nothing is changed here but the ledger: rows follow when a watch reports them.

use super::subject::chosen_applications;
use super::{Effects, dialogs};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::overlays::toasts::ToastKind;
use crate::app::state::State;
use crate::domain::application::Refresh;
use crate::domain::intent::{Intent, IntentId, Stage, Verb};
use crate::domain::object::Text;
use crate::engine::protocol::Request;
use chrono::{DateTime, Utc};

/// Hands an intent to the engine and writes it down.
pub(super) fn send(
    state: &mut State,
    intent: Intent,
    rehearsal: Rehearsal,
    out: &mut Effects,
) -> IntentId {
    let dry_run = rehearsal == Rehearsal::DryRun;
    let id = state
        .ledger
        .ask(intent.clone(), dry_run, state.now.platform);
    out.push(Effect::Engine(Request::Act {
        id,
        intent,
        dry_run,
    }));
    state.dirty = true;
    id
}

/// Whether the server is to do it, or only to say whether it would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rehearsal {
    DryRun,
    ForReal,
}

/// Asks for a comparison at once: it changes no workload, so no dialog comes before it.
pub(super) fn refresh(state: &mut State, command: Command, out: &mut Effects) {
    let kind = if command == Command::HardRefresh {
        Refresh::Hard
    } else {
        Refresh::Normal
    };
    let apps = chosen_applications(state);
    if apps.is_empty() {
        state.refuse(
            "only an Application can be refreshed",
            "`ctrl-r` loads this view again",
        );
        return;
    }
    let what = match apps.as_slice() {
        [one] => format!("`{}`", one.object.path()),
        many => format!("{} Applications", many.len()),
    };
    for app in apps {
        let intent = Intent {
            target: app.object,
            uid: app.uid,
            verb: Verb::Refresh(kind),
        };
        send(state, intent, Rehearsal::ForReal, out);
    }
    state.note(format!("refresh of {what} requested"));
}

/// Moves an intent on and says so.
pub(super) fn on_outcome(state: &mut State, id: IntentId, at: DateTime<Utc>, stage: Stage) {
    let checked = state.tickets.checks.remove(&id);
    let Some(entry) = state.ledger.advance(id, stage, at) else {
        return;
    };
    let (verb, target) = (entry.intent.verb.id(), entry.intent.target.path());
    let dry_run = entry.dry_run;
    let stage = entry.stage().clone();
    state.dirty = true;
    match stage {
        Stage::Requested => {}
        Stage::Accepted { detail } => {
            if let Some(intent) = checked {
                dialogs::open_replace(state, intent, &detail);
            } else if dry_run {
                state.toast(
                    ToastKind::Done,
                    said(verb, &target, "would work", &detail),
                    None,
                );
            } else {
                state.toast(
                    ToastKind::Note,
                    said(verb, &target, "accepted", &detail),
                    None,
                );
            }
        }
        Stage::Observed { detail } => {
            state.toast(ToastKind::Done, said(verb, &target, "done", &detail), None);
        }
        Stage::Failed { sentence, hint } => state.toast(ToastKind::Trouble, sentence, hint),
    }
}

fn said(verb: &str, target: &str, what: &str, detail: &str) -> String {
    if detail.is_empty() {
        format!("{verb} of `{target}` {what}")
    } else {
        format!("{verb} of `{target}` {what}: {detail}")
    }
}

/// The editor was closed: the server checks the manifest before the user is asked.
pub(super) fn on_edited(
    state: &mut State,
    edited: Result<Option<Box<Intent>>, Text>,
    out: &mut Effects,
) {
    match edited {
        Ok(Some(intent)) => {
            let id = send(state, (*intent).clone(), Rehearsal::DryRun, out);
            state.tickets.checks.insert(id, *intent);
            state.note("the server is checking the edited manifest");
        }
        Ok(None) => state.note("nothing was changed"),
        Err(sentence) => state.refuse(sentence, ""),
    }
}
