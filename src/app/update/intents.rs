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
    let topic = format!("refresh of {what}");
    let text = format!("{topic} requested");
    state.news(ToastKind::Note, topic, text, None);
}

/// Moves an intent on and says so.
pub(super) fn on_outcome(state: &mut State, id: IntentId, at: DateTime<Utc>, stage: Stage) {
    let checked = state.tickets.checks.remove(&id);
    let Some(entry) = state.ledger.advance(id, stage, at) else {
        return;
    };
    let topic = topic_of(&entry.intent);
    let dry_run = entry.dry_run;
    let stage = entry.stage().clone();
    state.dirty = true;
    match stage {
        Stage::Requested => {}
        Stage::Accepted { detail } => {
            if let Some(intent) = checked {
                dialogs::open_replace(state, intent, &detail);
                return;
            }
            let (kind, what) = if dry_run {
                (ToastKind::Done, "would work")
            } else {
                (ToastKind::Note, "accepted")
            };
            state.news(kind, topic.as_str(), said(&topic, what, &detail), None);
        }
        Stage::Observed { detail } => {
            let text = said(&topic, "done", &detail);
            state.news(ToastKind::Done, topic.as_str(), text, None);
        }
        Stage::Failed { sentence, hint } => {
            state.news(ToastKind::Trouble, topic.as_str(), sentence, hint);
        }
    }
}

/// Returns what messages about an intent begin with.
pub(super) fn topic_of(intent: &Intent) -> String {
    format!("{} of `{}`", intent.verb.id(), intent.target.path())
}

fn said(topic: &str, what: &str, detail: &str) -> String {
    if detail.is_empty() {
        format!("{topic} {what}")
    } else {
        format!("{topic} {what}: {detail}")
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
