//! Keys: the overlay takes them first, then the keymap of the screen.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "most keys are typed into the line or mean nothing"
)]

use super::{Effects, choose, dialogs, prompt, run};
use crate::app::key::{Key, KeyCode};
use crate::app::keymap::{KeyScope, Meaning, PATIENCE, Pending};
use crate::app::overlays::Overlay;
use crate::app::state::State;
use tui_input::{Input, InputRequest};

pub(super) fn on_key(state: &mut State, key: Key, out: &mut Effects) {
    state.dirty = true;
    match &state.overlay {
        Some(Overlay::Dialog(_)) => dialogs::on_key(state, key, out),
        Some(Overlay::Menu(_)) => choose::on_menu_key(state, key, out),
        Some(Overlay::Palette(_)) => choose::on_palette_key(state, key, out),
        Some(Overlay::Prompt(_)) => prompt::on_key(state, key, out),
        Some(Overlay::Secret(_)) => super::images::on_secret_key(state, key, out),
        None => on_screen_key(state, key, out),
    }
}

fn on_screen_key(state: &mut State, key: Key, out: &mut Effects) {
    let begun = !state.pending.keys.is_empty();
    let mut keys = std::mem::take(&mut state.pending).keys;
    if begun && key.code == KeyCode::Esc {
        return;
    }
    keys.push(key);
    let scopes = KeyScope::of(state.screen());
    match state.keymap.meaning(scopes, &keys) {
        Meaning::Command(command) => {
            run::run(state, command, out);
        }
        Meaning::Begun(continuations) => {
            state.pending = Pending {
                keys,
                continuations,
                until: state.now.real + PATIENCE,
            };
        }
        // The last key of a wrong sequence means nothing by itself either.
        Meaning::Nothing => {}
    }
}

pub(super) fn on_paste(state: &mut State, text: &str) {
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    let field = match &mut state.overlay {
        Some(Overlay::Dialog(dialog)) => dialogs::text_in_focus(dialog),
        Some(Overlay::Palette(palette)) => Some(&mut palette.input),
        Some(Overlay::Prompt(prompt)) => Some(&mut prompt.input),
        Some(Overlay::Menu(_) | Overlay::Secret(_)) | None => None,
    };
    let Some(field) = field else { return };
    for letter in line.chars() {
        type_into(field, InputRequest::InsertChar(letter));
    }
    state.dirty = true;
    match &state.overlay {
        Some(Overlay::Dialog(_)) => dialogs::refresh(state),
        Some(Overlay::Palette(_)) => choose::refresh_palette(state),
        Some(Overlay::Prompt(_)) => prompt::on_typed(state),
        Some(Overlay::Menu(_) | Overlay::Secret(_)) | None => {}
    }
}

/// Edits a line; returns whether the key meant something there.
pub(super) fn edit_line(input: &mut Input, key: Key) -> bool {
    let request = match (key.code, key.ctrl) {
        (KeyCode::Backspace, false) => InputRequest::DeletePrevChar,
        (KeyCode::Backspace | KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
        (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
        (KeyCode::Left, false) => InputRequest::GoToPrevChar,
        (KeyCode::Right, false) => InputRequest::GoToNextChar,
        (KeyCode::Left, true) => InputRequest::GoToPrevWord,
        (KeyCode::Right, true) => InputRequest::GoToNextWord,
        (KeyCode::Home, _) | (KeyCode::Char('a'), true) => InputRequest::GoToStart,
        (KeyCode::End, _) | (KeyCode::Char('e'), true) => InputRequest::GoToEnd,
        (KeyCode::Char('u'), true) => InputRequest::DeleteLine,
        (KeyCode::Char('k'), true) => InputRequest::DeleteTillEnd,
        _ => match key.typed() {
            Some(letter) => InputRequest::InsertChar(letter),
            None => return false,
        },
    };
    type_into(input, request);
    true
}

fn type_into(input: &mut Input, request: InputRequest) {
    // The answer says what changed; the whole line is looked at again in any case.
    let _changed = input.handle(request);
}
