//! Keymap files: a table for each scope, with command ids and their keys.
//!
//! ```toml
//! name = "mine"
//! base = "k9s"            # a preset to begin with
//! [global]
//! quit = "ctrl-q"         # replaces the keys it had in this scope
//! [applications]
//! sync = ["s", "g s"]     # a sequence has spaces between its keys
//! diff = []               # no key
//! ```
//! All problems of a file are found at once, each with its line and the nearest valid name.

use super::{KeyScope, Keymap, SCOPES};
use crate::app::commands::{COMMANDS, Command};
use crate::app::key::Key;
use crate::app::words::nearest;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A mistake in a keymap file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    pub line: usize,
    pub sentence: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.sentence)
    }
}

/// Reads a keymap file. Without a `base` it begins with the default preset.
///
/// # Errors
/// Returns every mistake of the file, in the order of lines.
pub fn parse(file: &str, text: &str) -> Result<Keymap, Vec<Problem>> {
    let (keymap, problems) = read(file, text, Keymap::default());
    if problems.is_empty() {
        Ok(keymap)
    } else {
        Err(problems)
    }
}

/// Reads what can be read and returns the mistakes beside it.
pub(super) fn read(file: &str, text: &str, base: Keymap) -> (Keymap, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        file,
        text,
        keymap: base,
        problems: Vec::new(),
        bound: HashMap::new(),
        broken: HashSet::new(),
    };
    for error in errors {
        let sentence = error
            .message()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        reader.problem(&error.span().unwrap_or_default(), sentence);
    }
    // What follows from a line that cannot be read is not told again.
    reader.broken = reader.problems.iter().map(|problem| problem.line).collect();
    reader.read(table.get_ref());
    reader.problems.sort_by_key(|problem| problem.line);
    (reader.keymap, reader.problems)
}

struct Reader<'text> {
    file: &'text str,
    text: &'text str,
    keymap: Keymap,
    problems: Vec<Problem>,
    /// Which command a sequence was given in this file.
    bound: HashMap<(KeyScope, Vec<Key>), Command>,
    /// Lines that are no TOML.
    broken: HashSet<usize>,
}

impl Reader<'_> {
    fn read(&mut self, table: &DeTable<'_>) {
        let base = table.iter().find(|(key, _)| &**key.get_ref() == "base");
        if let Some((_, value)) = base {
            self.take_base(value);
        }
        for (key, value) in in_order(table) {
            let name: &str = key.get_ref();
            match name {
                "base" => {}
                "name" => match value.get_ref().as_str() {
                    Some(name) => name.clone_into(&mut self.keymap.name),
                    None => self.problem(&value.span(), "`name` is a text".to_owned()),
                },
                scope => self.read_scope(scope, key, value),
            }
        }
    }

    fn take_base(&mut self, value: &Spanned<DeValue<'_>>) {
        let name = value.get_ref().as_str().unwrap_or_default();
        if let Some(preset) = Keymap::preset(name) {
            self.keymap = preset;
            return;
        }
        let known = super::PRESETS.iter().map(|(name, _)| *name);
        let hint = nearest(name, known.clone()).map_or_else(
            || format!("; presets are {}", known.collect::<Vec<_>>().join(", ")),
            |near| format!("; did you mean `{near}`?"),
        );
        self.problem(&value.span(), format!("`{name}` is not a preset{hint}"));
    }

    fn read_scope(
        &mut self,
        name: &str,
        key: &Spanned<Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let scope = SCOPES.iter().find(|(known, _)| *known == name);
        let Some((_, scope)) = scope else {
            let known = SCOPES.iter().map(|(known, _)| *known);
            let hint = nearest(name, known.clone()).map_or_else(
                || format!("; screens are {}", known.collect::<Vec<_>>().join(", ")),
                |near| format!("; did you mean `{near}`?"),
            );
            self.problem(&key.span(), format!("`{name}` is not a screen{hint}"));
            return;
        };
        let Some(table) = value.get_ref().as_table() else {
            let sentence = format!("`{name}` is a table of commands and their keys");
            self.problem(&key.span(), sentence);
            return;
        };
        for (id, keys) in in_order(table) {
            let Some(command) = Command::with_id(id.get_ref()) else {
                let sentence = unknown_command(id.get_ref());
                self.problem(&id.span(), sentence);
                continue;
            };
            self.read_binding(*scope, command, keys);
        }
    }

    fn read_binding(&mut self, scope: KeyScope, command: Command, value: &Spanned<DeValue<'_>>) {
        self.keymap.unbind(scope, command);
        if let Some(text) = value.get_ref().as_str() {
            self.bind(scope, command, text, &value.span());
            return;
        }
        let Some(items) = value.get_ref().as_array() else {
            let sentence = format!(
                "the keys of `{}` are a text or a list of texts",
                command.id()
            );
            self.problem(&value.span(), sentence);
            return;
        };
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => self.bind(scope, command, text, &item.span()),
                None => self.problem(&item.span(), "a key is a text".to_owned()),
            }
        }
    }

    fn bind(&mut self, scope: KeyScope, command: Command, text: &str, span: &Range<usize>) {
        let keys: Result<Vec<Key>, String> = text.split_whitespace().map(Key::parse).collect();
        let keys = match keys {
            Ok(keys) if !keys.is_empty() => keys,
            Ok(_) => {
                self.problem(span, "a key is missing; `[]` unbinds a command".to_owned());
                return;
            }
            Err(sentence) => {
                self.problem(span, sentence);
                return;
            }
        };
        let before = self.bound.iter().find(|((other, known), bound)| {
            let shorter = known.len().min(keys.len());
            *other == scope && known[..shorter] == keys[..shorter] && **bound != command
        });
        if let Some(((_, known), other)) = before {
            let sentence = format!(
                "`{text}` is bound to `{}` already, as `{}`",
                other.id(),
                super::sequence_text(known)
            );
            self.problem(span, sentence);
            return;
        }
        self.keymap.bind(scope, &keys, command);
        self.bound.insert((scope, keys), command);
    }

    fn problem(&mut self, span: &Range<usize>, sentence: String) {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        if self.broken.contains(&line) {
            return;
        }
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line,
            sentence,
        });
    }
}

type Entry<'table, 'text> = (
    &'table Spanned<Cow<'text, str>>,
    &'table Spanned<DeValue<'text>>,
);

/// Entries as they stand in the file, so that the later one is the mistake.
fn in_order<'table, 'text>(table: &'table DeTable<'text>) -> Vec<Entry<'table, 'text>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn unknown_command(id: &str) -> String {
    match nearest(id, COMMANDS.iter().map(|info| info.id)) {
        Some(near) => format!("`{id}` is not a command; did you mean `{near}`?"),
        None => format!("`{id}` is not a command; `tiphys keys` lists them"),
    }
}
