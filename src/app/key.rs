//! A keystroke, normalised, with the names that keymaps use.
//!
//! Terminals differ in how they report shift: a letter is always kept in lower case with
//! `shift`, and any other character never has it (`?` is `?`, whatever produces it).

use std::fmt;

/// One keystroke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub code: KeyCode,
    pub ctrl: bool,
    pub alt: bool,
    pub shift: bool,
}

/// Which key, without its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyCode {
    Char(char),
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Insert,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    F(u8),
}

const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("space", KeyCode::Char(' ')),
];

impl Key {
    /// Builds a key without modifiers; an upper-case letter becomes its lower case with shift.
    pub fn plain(code: KeyCode) -> Self {
        Self {
            code,
            ctrl: false,
            alt: false,
            shift: false,
        }
        .normalised()
    }

    /// Builds the key of a character as it is typed.
    pub fn char(letter: char) -> Self {
        Self::plain(KeyCode::Char(letter))
    }

    /// Builds ctrl with a character.
    pub fn ctrl(letter: char) -> Self {
        Self {
            ctrl: true,
            ..Self::char(letter)
        }
    }

    /// Returns the same stroke in the one form that keymaps and tests compare.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        let KeyCode::Char(letter) = self.code else {
            return self;
        };
        let mut lower = letter.to_lowercase();
        let one = lower.next().filter(|_| lower.next().is_none());
        if letter.is_uppercase()
            && let Some(lower) = one
        {
            self.code = KeyCode::Char(lower);
            self.shift = true;
        } else if !letter.is_lowercase() {
            self.shift = false;
        }
        self
    }

    /// Returns the character this key types into a text field.
    pub fn typed(self) -> Option<char> {
        let KeyCode::Char(letter) = self.code else {
            return None;
        };
        if self.ctrl || self.alt {
            return None;
        }
        if self.shift {
            letter.to_uppercase().next()
        } else {
            Some(letter)
        }
    }

    /// Reads a name such as `ctrl-a`, `shift-r`, `R`, `esc`, `f5` or `>`.
    ///
    /// # Errors
    /// Says what is wrong with the name.
    pub fn parse(name: &str) -> Result<Self, String> {
        let mut key = Self::plain(KeyCode::Esc);
        let mut rest = name;
        while let Some((modifier, after)) = rest.split_once('-') {
            if after.is_empty() {
                break;
            }
            match modifier.to_ascii_lowercase().as_str() {
                "ctrl" => key.ctrl = true,
                "alt" => key.alt = true,
                "shift" => key.shift = true,
                _ => {
                    return Err(format!(
                        "`{name}` is not a key: `{modifier}` is no modifier"
                    ));
                }
            }
            rest = after;
        }
        key.code = code_named(rest).ok_or_else(|| unknown_key(name, rest))?;
        Ok(key.normalised())
    }
}

fn code_named(word: &str) -> Option<KeyCode> {
    let mut letters = word.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return (!letter.is_control()).then_some(KeyCode::Char(letter));
    }
    let lower = word.to_ascii_lowercase();
    if let Some(number) = lower.strip_prefix('f').and_then(|n| n.parse::<u8>().ok()) {
        return (1..=12).contains(&number).then_some(KeyCode::F(number));
    }
    NAMED
        .iter()
        .find(|(name, _)| *name == lower)
        .map(|(_, code)| *code)
}

fn unknown_key(name: &str, word: &str) -> String {
    match super::words::nearest(word, NAMED.iter().map(|(name, _)| *name)) {
        Some(near) => format!("`{name}` is not a key; did you mean `{near}`?"),
        None => format!("`{name}` is not a key"),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (on, word) in [
            (self.ctrl, "ctrl-"),
            (self.alt, "alt-"),
            (self.shift, "shift-"),
        ] {
            if on {
                f.write_str(word)?;
            }
        }
        if let Some((name, _)) = NAMED.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            KeyCode::Char(letter) => write!(f, "{letter}"),
            KeyCode::F(number) => write!(f, "f{number}"),
            KeyCode::Enter
            | KeyCode::Esc
            | KeyCode::Tab
            | KeyCode::Backspace
            | KeyCode::Delete
            | KeyCode::Insert
            | KeyCode::Up
            | KeyCode::Down
            | KeyCode::Left
            | KeyCode::Right
            | KeyCode::Home
            | KeyCode::End
            | KeyCode::PageUp
            | KeyCode::PageDown => write!(f, "{:?}", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_letter_is_shift_with_the_lower_case_one() {
        assert_eq!(Key::parse("R"), Key::parse("shift-r"));
        assert_eq!(Key::char('R'), Key::parse("shift-r").expect("a key"));
        assert_eq!(Key::char('R').typed(), Some('R'));
    }

    #[test]
    fn name_is_read_as_it_is_shown() {
        for name in [
            "a",
            "shift-a",
            "ctrl-a",
            "ctrl-space",
            "ctrl-\\",
            "-",
            "ctrl--",
            ">",
            "f5",
            "esc",
            "alt-enter",
            "shift-left",
            "[",
            "0",
        ] {
            let key = Key::parse(name).expect("a key");
            assert_eq!(key.to_string(), name);
        }
    }

    #[test]
    fn unknown_key_names_the_nearest() {
        let problem = Key::parse("ctrl-entr").expect_err("no key");
        assert_eq!(problem, "`ctrl-entr` is not a key; did you mean `enter`?");
        assert!(Key::parse("super-x").is_err());
        assert!(Key::parse("f13").is_err());
    }
}
