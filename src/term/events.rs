//! What crossterm reports, in our words.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "keys that crossterm knows and keymaps do not"
)]

use crate::app::key::{Key, KeyCode};
use crossterm::event::{self, Event, EventStream, KeyEvent, KeyEventKind, KeyModifiers};
use futures::{Stream, StreamExt};
use std::io;

/// One thing that came from the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Key(Key),
    Paste(String),
    Resize { columns: u16, rows: u16 },
    Focus(bool),
}

/// Returns what the terminal sends, until it goes away. Drop it before another program reads the
/// terminal.
pub fn inputs() -> impl Stream<Item = io::Result<Input>> + Unpin + Send {
    EventStream::new().filter_map(|event| {
        std::future::ready(match event {
            Ok(event) => input_of(event).map(Ok),
            Err(error) => Some(Err(error)),
        })
    })
}

fn input_of(event: Event) -> Option<Input> {
    match event {
        Event::Key(event) if event.kind != KeyEventKind::Release => key_of(event).map(Input::Key),
        Event::Key(_) | Event::Mouse(_) => None,
        Event::Paste(text) => Some(Input::Paste(text)),
        Event::Resize(columns, rows) => Some(Input::Resize { columns, rows }),
        Event::FocusGained => Some(Input::Focus(true)),
        Event::FocusLost => Some(Input::Focus(false)),
    }
}

fn key_of(event: KeyEvent) -> Option<Key> {
    let mut ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let mut shift = event.modifiers.contains(KeyModifiers::SHIFT);
    let code = match event.code {
        event::KeyCode::Char(letter) if ctrl => KeyCode::Char(of_control_code(letter)),
        event::KeyCode::Char(letter) => KeyCode::Char(letter),
        event::KeyCode::Null => {
            ctrl = true;
            KeyCode::Char(' ')
        }
        event::KeyCode::BackTab => {
            shift = true;
            KeyCode::Tab
        }
        event::KeyCode::Enter => KeyCode::Enter,
        event::KeyCode::Esc => KeyCode::Esc,
        event::KeyCode::Tab => KeyCode::Tab,
        event::KeyCode::Backspace => KeyCode::Backspace,
        event::KeyCode::Delete => KeyCode::Delete,
        event::KeyCode::Insert => KeyCode::Insert,
        event::KeyCode::Up => KeyCode::Up,
        event::KeyCode::Down => KeyCode::Down,
        event::KeyCode::Left => KeyCode::Left,
        event::KeyCode::Right => KeyCode::Right,
        event::KeyCode::Home => KeyCode::Home,
        event::KeyCode::End => KeyCode::End,
        event::KeyCode::PageUp => KeyCode::PageUp,
        event::KeyCode::PageDown => KeyCode::PageDown,
        event::KeyCode::F(number) => KeyCode::F(number),
        _ => return None,
    };
    let alt = event.modifiers.contains(KeyModifiers::ALT);
    let key = Key {
        code,
        ctrl,
        alt,
        shift,
    };
    Some(key.normalised())
}

/// The bytes 0x1c to 0x1f arrive as ctrl-4 to ctrl-7; people pressed ctrl-\ to ctrl-_.
fn of_control_code(letter: char) -> char {
    match letter {
        '4' => '\\',
        '5' => ']',
        '6' => '^',
        '7' => '_',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: event::KeyCode, modifiers: KeyModifiers) -> String {
        let key = key_of(KeyEvent::new(code, modifiers));
        key.map(|key| key.to_string()).unwrap_or_default()
    }

    #[test]
    fn terminal_dialects_become_one_key() {
        let ctrl = KeyModifiers::CONTROL;
        let char = event::KeyCode::Char;

        assert_eq!(read(char('R'), KeyModifiers::SHIFT), "shift-r");
        assert_eq!(read(char('R'), KeyModifiers::NONE), "shift-r");
        assert_eq!(read(char('?'), KeyModifiers::SHIFT), "?");
        assert_eq!(read(char('4'), ctrl), "ctrl-\\");
        assert_eq!(read(char(' '), ctrl), "ctrl-space");
        assert_eq!(
            read(event::KeyCode::BackTab, KeyModifiers::SHIFT),
            "shift-tab"
        );
    }
}
