//! Reads `config.toml` and says everything that is wrong with it at once.

use super::{Config, Origin, Setting, shown};
use crate::domain::nearest::nearest;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: PathBuf,
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
    pub sentence: String,
}

impl Problem {
    pub(super) fn of_file(path: &Path, sentence: String) -> Self {
        Self {
            path: path.to_owned(),
            line: 0,
            sentence,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", shown(&self.path), self.sentence),
            line => write!(f, "{}:{line}: {}", shown(&self.path), self.sentence),
        }
    }
}

/// Names of the settings that a file may hold.
const NAMES: &[&str] = &[
    "theme",
    "keymap",
    "readonly",
    "ascii",
    "color",
    "protected-contexts",
    "readonly-contexts",
    "argocd-namespace",
    "username",
    "editor",
    "log-file",
    "metrics",
    "registry",
    "git",
    "github",
];

/// Reads a file's text for its mistakes alone (`tiphys config --check`).
pub fn parse(path: &Path, text: &str) -> Vec<Problem> {
    let mut problems = apply(&mut Config::default(), path, text);
    let environment = super::Environment::default();
    let _servers = super::metrics::read(path, text, &environment, &mut problems);
    let _registries = super::registries::read(path, text, &environment, &mut problems);
    let _git = super::registries::read_git(path, text, &environment, &mut problems);
    let _github = super::github::read(path, text, &environment, &mut problems);
    problems
}

/// Takes over what the file says and returns what is wrong with it.
pub(super) fn apply(config: &mut Config, path: &Path, text: &str) -> Vec<Problem> {
    config.file = Some(path.to_owned());
    let line_at = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(0, |span| line_at(span.start));
            let sentence = error.message().to_owned();
            return vec![Problem {
                path: path.to_owned(),
                line,
                sentence,
            }];
        }
    };
    let mut problems = Vec::new();
    let mut entries: Vec<_> = table.into_inner().into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let line = line_at(key.span().start);
        let origin = Origin::File(path.to_owned(), line);
        if let Err(sentence) = apply_one(config, key.into_inner().as_ref(), &value, origin) {
            problems.push(Problem {
                path: path.to_owned(),
                line,
                sentence,
            });
        }
    }
    problems
}

fn apply_one(
    config: &mut Config,
    name: &str,
    value: &Spanned<DeValue<'_>>,
    origin: Origin,
) -> Result<(), String> {
    let value = value.get_ref();
    match name {
        "theme" => put(&mut config.theme, text(name, value)?, origin),
        "keymap" => put(&mut config.keymap, text(name, value)?, origin),
        "readonly" => put(&mut config.read_only, truth(name, value)?, origin),
        "ascii" => put(&mut config.ascii, truth(name, value)?, origin),
        "color" => put(&mut config.color, truth(name, value)?, origin),
        "protected-contexts" => put(&mut config.protected_contexts, list(name, value)?, origin),
        "readonly-contexts" => put(&mut config.readonly_contexts, list(name, value)?, origin),
        "argocd-namespace" => put(&mut config.argocd_namespace, text(name, value)?, origin),
        "username" => put(&mut config.username, text(name, value)?, origin),
        "editor" => put(&mut config.editor, text(name, value)?, origin),
        "log-file" => put(
            &mut config.log_file,
            Some(text(name, value)?.into()),
            origin,
        ),
        // Read as a whole by their own modules.
        "metrics" | "registry" | "git" | "github" => {}
        _ => {
            let hint = nearest(name, NAMES.iter().copied())
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            return Err(format!("`{name}` is not a setting{hint}"));
        }
    }
    Ok(())
}

fn put<T>(setting: &mut Setting<T>, value: T, origin: Origin) {
    setting.set(Some(value), origin);
}

fn text(name: &str, value: &DeValue<'_>) -> Result<String, String> {
    value
        .as_str()
        .map(String::from)
        .ok_or_else(|| format!("`{name}` takes a string, not {}", word_for(value)))
}

fn truth(name: &str, value: &DeValue<'_>) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("`{name}` takes true or false, not {}", word_for(value)))
}

fn list(name: &str, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let wrong = || format!("`{name}` takes a list of strings, not {}", word_for(value));
    let items = value.as_array().ok_or_else(wrong)?;
    items
        .iter()
        .map(|item| text(name, item.get_ref()))
        .collect()
}

fn word_for(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
