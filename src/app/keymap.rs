//! Which keys mean which commands, on which screens.
//!
//! A keymap is a trie for each scope: sequences of keys are possible, and a half-typed one shows
//! its continuations. The scope of the screen is asked first, then its family (`table`, `text`),
//! then `global`. Keymap files are read by [`mod@file`]; every command can be bound again by its id.

pub mod file;
mod trie;

pub use file::{Problem, parse};

use super::commands::Command;
use super::key::Key;
use super::screens::{Screen, analysis_runs, rollouts};
use crate::domain::image::{has_images, is_of_registries};
use crate::domain::image_update::updates_kind;
use crate::domain::pipeline::cron::cron_kind;
use crate::domain::pipeline::template::is_template;
use crate::domain::pipeline::{is_run, runs_kind};
use std::collections::BTreeMap;
use std::time::Duration;
use trie::{Found, Trie};

/// How long a half-typed sequence waits for its next key.
pub const PATIENCE: Duration = Duration::from_secs(3);

macro_rules! scopes {
    ($($name:ident, $id:literal;)*) => {
        /// Where a binding holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum KeyScope { $($name),* }

        /// Every scope with its name in keymap files.
        pub const SCOPES: &[(&str, KeyScope)] = &[$(($id, KeyScope::$name)),*];
    };
}

scopes! {
    Global, "global";
    Table, "table";
    Applications, "applications";
    Application, "application";
    Namespaces, "namespaces";
    Contexts, "contexts";
    History, "history";
    Events, "events";
    Ledger, "ledger";
    Text, "text";
    Diff, "diff";
    Logs, "logs";
    Help, "help";
    Rollouts, "rollouts";
    Rollout, "rollout";
    Analysis, "analysis";
    Charts, "charts";
    Alerts, "alerts";
    Dashboards, "dashboards";
    Runs, "runs";
    Run, "run";
    Crons, "crons";
    Templates, "templates";
    Flow, "flow";
    Images, "images";
    Robots, "robots";
    Image, "image";
}

impl KeyScope {
    /// Returns its name in keymap files.
    pub fn name(self) -> &'static str {
        SCOPES[self as usize].0
    }

    /// Returns the scopes that hold on a screen, the narrowest first.
    pub fn of(screen: &Screen) -> &'static [Self] {
        match screen {
            Screen::Applications(_) => &[Self::Applications, Self::Table, Self::Global],
            Screen::Kind(table) if table.view.kind == rollouts() => {
                &[Self::Rollouts, Self::Table, Self::Global]
            }
            Screen::Kind(table) if table.view.kind == analysis_runs() => {
                &[Self::Analysis, Self::Table, Self::Global]
            }
            Screen::Kind(table) if table.view.kind == runs_kind() || is_run(&table.view.kind) => {
                &[Self::Runs, Self::Table, Self::Global]
            }
            Screen::Kind(table) if table.view.kind == cron_kind() => {
                &[Self::Crons, Self::Table, Self::Global]
            }
            Screen::Kind(table) if is_template(&table.view.kind) => {
                &[Self::Templates, Self::Table, Self::Global]
            }
            Screen::Kind(table) if has_images(&table.view.kind) => {
                &[Self::Images, Self::Table, Self::Global]
            }
            Screen::Kind(table) if table.view.kind == updates_kind() => {
                &[Self::Table, Self::Global]
            }
            Screen::Kind(table) if is_of_registries(&table.view.kind) => {
                &[Self::Robots, Self::Table, Self::Global]
            }
            Screen::Kind(_) => &[Self::Table, Self::Global],
            Screen::Run(_) => &[Self::Run, Self::Runs, Self::Global],
            Screen::Flow(_) => &[Self::Flow, Self::Global],
            Screen::Image(_) => &[Self::Image, Self::Images, Self::Global],
            Screen::Rollout(_) => &[Self::Rollout, Self::Rollouts, Self::Global],
            Screen::Analysis(_) => &[Self::Analysis, Self::Global],
            Screen::Charts(_) => &[Self::Charts, Self::Global],
            Screen::Alerts(_) => &[Self::Alerts, Self::Global],
            Screen::Dashboards(_) => &[Self::Dashboards, Self::Global],
            Screen::Namespaces(_) => &[Self::Namespaces, Self::Table, Self::Global],
            Screen::Application(_) => &[Self::Application, Self::Global],
            Screen::Contexts(_) => &[Self::Contexts, Self::Global],
            Screen::History(_) => &[Self::History, Self::Global],
            Screen::Events(_) => &[Self::Events, Self::Global],
            Screen::Ledger(_) => &[Self::Ledger, Self::Global],
            Screen::Text(_) => &[Self::Text, Self::Global],
            Screen::Diff(_) => &[Self::Diff, Self::Text, Self::Global],
            Screen::Logs(_) => &[Self::Logs, Self::Text, Self::Global],
            Screen::Help(_) => &[Self::Help, Self::Text, Self::Global],
        }
    }
}

/// All bindings.
#[derive(Clone, Debug)]
pub struct Keymap {
    pub name: String,
    scopes: BTreeMap<KeyScope, Trie>,
}

/// A preset that comes with the program: its name and its file.
pub const PRESETS: &[(&str, &str)] = &[
    ("k9s", include_str!("../../keymaps/k9s.toml")),
    ("vim", include_str!("../../keymaps/vim.toml")),
    ("arrows", include_str!("../../keymaps/arrows.toml")),
];

impl Default for Keymap {
    fn default() -> Self {
        Self::preset("k9s").unwrap_or_else(|| Self::empty("none"))
    }
}

/// Keys typed of a sequence that is not complete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pending {
    pub keys: Vec<Key>,
    /// Next keys and what they would mean.
    pub continuations: Vec<(Key, String)>,
    /// Real time at which the sequence is forgotten.
    pub until: Duration,
}

/// What a sequence of keys means.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    Command(Command),
    /// More keys are needed: the next key and what it leads to.
    Begun(Vec<(Key, String)>),
    Nothing,
}

impl Keymap {
    /// Makes a keymap without bindings.
    pub fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            scopes: BTreeMap::new(),
        }
    }

    /// Returns a preset by name.
    pub fn preset(name: &str) -> Option<Self> {
        let (name, text) = PRESETS.iter().find(|(known, _)| *known == name)?;
        let (keymap, _problems) = file::read(name, text, Self::empty(name));
        Some(keymap)
    }

    /// Binds a sequence of keys; the command it meant before in that scope is returned.
    pub fn bind(&mut self, scope: KeyScope, keys: &[Key], command: Command) -> Option<Command> {
        self.scopes.entry(scope).or_default().bind(keys, command)
    }

    /// Takes all bindings of a command in a scope away.
    pub fn unbind(&mut self, scope: KeyScope, command: Command) {
        if let Some(trie) = self.scopes.get_mut(&scope) {
            trie.unbind(command);
        }
    }

    /// Returns what a sequence means where these scopes hold, the narrowest first.
    pub fn meaning(&self, scopes: &[KeyScope], keys: &[Key]) -> Meaning {
        let mut begun: Vec<(Key, String)> = Vec::new();
        for scope in scopes {
            match self.scopes.get(scope).map(|trie| trie.find(keys)) {
                Some(Found::Command(command)) if begun.is_empty() => {
                    return Meaning::Command(command);
                }
                Some(Found::Begun(next)) => {
                    let known: Vec<Key> = begun.iter().map(|(key, _)| *key).collect();
                    begun.extend(next.into_iter().filter(|(key, _)| !known.contains(key)));
                }
                Some(Found::Command(_) | Found::Nothing) | None => {}
            }
        }
        if begun.is_empty() {
            Meaning::Nothing
        } else {
            Meaning::Begun(begun)
        }
    }

    /// Returns the keys of a command where these scopes hold, as shown: `ctrl-f`, `g g`.
    pub fn keys_of(&self, scopes: &[KeyScope], command: Command) -> Vec<String> {
        let mut found = Vec::new();
        for (number, scope) in scopes.iter().enumerate() {
            let Some(trie) = self.scopes.get(scope) else {
                continue;
            };
            for keys in trie.keys_of(command) {
                let narrower = scopes.get(..number).unwrap_or_default();
                let hidden = !matches!(self.meaning(narrower, &keys), Meaning::Nothing);
                let text = sequence_text(&keys);
                if !hidden && !found.contains(&text) {
                    found.push(text);
                }
            }
        }
        found
    }

    /// Returns the first key of a command on a screen; empty without one.
    pub fn key_hint(&self, screen: &Screen, command: Command) -> String {
        let keys = self.keys_of(KeyScope::of(screen), command);
        keys.into_iter().next().unwrap_or_default()
    }

    /// Returns every binding: scope, keys as shown, command.
    pub fn bindings(&self) -> Vec<(KeyScope, String, Command)> {
        let mut all = Vec::new();
        for (scope, trie) in &self.scopes {
            for (keys, command) in trie.bindings() {
                all.push((*scope, sequence_text(&keys), command));
            }
        }
        all
    }
}

/// Returns a sequence as it is shown and written in files.
pub fn sequence_text(keys: &[Key]) -> String {
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    names.join(" ")
}
