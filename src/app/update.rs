//! The one way the state changes.
//!
//! [`update`] takes a message and the time, and returns what the runtime is to do. It never
//! waits, reads no clock and touches nothing outside. Answers of an older connection are dropped
//! here; rows change only because the engine says so.

mod charts;
mod choose;
mod dialogs;
mod engine;
mod export;
mod forms;
mod images;
mod intents;
mod keys;
mod moving;
mod navigate;
mod objects;
mod preview;
mod prompt;
mod rollouts;
mod run;
mod runs;
mod set_image;
mod subject;

pub use navigate::kind_named;

use super::effect::Effect;
use super::msg::Msg;
use super::now::Now;
use super::overlays::toasts::ToastKind;
use super::state::State;

/// What the runtime is to do, in order.
type Effects = Vec<Effect>;

/// Takes one message in; returns what the runtime is to do.
pub fn update(state: &mut State, msg: Msg, now: Now) -> Effects {
    state.now = now;
    if matches!(msg, Msg::Key(_) | Msg::Paste(_) | Msg::Obey(_)) {
        settle(state, now);
    }
    let mut out = Effects::new();
    match msg {
        Msg::Start => navigate::start(state, &mut out),
        Msg::Key(key) => keys::on_key(state, key, &mut out),
        Msg::Paste(text) => keys::on_paste(state, &text),
        Msg::Resize { columns, rows } => {
            state.size = (columns, rows);
            state.dirty = true;
        }
        Msg::Focus(focused) => state.settings.focused = focused,
        Msg::Viewports(viewports) => {
            state.viewports = viewports;
            state.dirty |= moving::keep_cursor_visible(state);
        }
        Msg::Update(update) => engine::on_update(state, *update, &mut out),
        Msg::Tick => on_tick(state, &mut out),
        Msg::Refused(_) => state.refuse(
            "the engine is busy, so this was not asked",
            "wait a moment and try again",
        ),
        Msg::EngineGone => state.refuse(
            "the engine has stopped; what is shown does not change any more",
            "quit and start again; the log says why",
        ),
        Msg::Saved(Ok(path)) => state.toast(ToastKind::Done, format!("saved `{path}`"), None),
        Msg::Copied(Ok(what)) => state.toast(ToastKind::Done, format!("copied {what}"), None),
        Msg::Saved(Err(sentence)) | Msg::Copied(Err(sentence)) => state.refuse(sentence, ""),
        Msg::Edited(edited) => intents::on_edited(state, edited, &mut out),
        Msg::Obey(line) => prompt::obey_line(state, &line, &mut out),
        Msg::Notice(text) => state.refuse(text, ""),
        Msg::Terminated => quit(state, &mut out),
    }
    moving::want_more(state, &mut out);
    out
}

/// Brings the shown table up to date with the rows that arrived since; done before a frame and
/// before a key, not for each batch, so that a storm of batches costs one sort.
pub fn settle(state: &mut State, now: Now) {
    if state.unsettled {
        state.now = now;
        state.unsettled = false;
        state.dirty |= moving::refresh_table(state);
    }
}

fn on_tick(state: &mut State, out: &mut Effects) {
    runs::settle_log(state, out);
    state.toasts.expire(state.now.real);
    if state.pending.until <= state.now.real {
        state.pending = super::keymap::Pending::default();
    }
    moving::filter_by_time(state);
    state.dirty = true;
}

fn quit(state: &mut State, out: &mut Effects) {
    state.quitting = true;
    out.push(Effect::Quit);
}
