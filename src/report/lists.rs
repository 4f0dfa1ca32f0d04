//! `tiphys keys`, `themes` and `config`: what there is, where it comes from, and what is wrong
//! with a file.

use super::{Ending, ReportError, table};
use crate::app::keymap::{Keymap, PRESETS};
use crate::config::{self, Config, Problem, choice};
use crate::ui::theme::BUILT_IN;
use std::io::Write;
use std::path::Path;

/// Prints the keymaps, then every binding of the one in use.
pub fn keys(config: &Config, keymap: &Keymap, out: &mut dyn Write) -> Result<(), ReportError> {
    let built_in: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    choices(config, &config.keymap.value, ("keymaps", &built_in), out)?;
    writeln!(out)?;
    let rows: Vec<Vec<String>> = keymap
        .bindings()
        .into_iter()
        .map(|(scope, keys, command)| {
            let info = command.info();
            vec![
                scope.name().to_owned(),
                keys,
                info.id.to_owned(),
                info.title.to_owned(),
            ]
        })
        .collect();
    Ok(table::write(
        out,
        &["SCREEN", "KEYS", "COMMAND", "WHAT IT DOES"],
        &rows,
    )?)
}

/// Prints the themes.
pub fn themes(config: &Config, out: &mut dyn Write) -> Result<(), ReportError> {
    let built_in: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    choices(config, &config.theme.value, ("themes", &built_in), out)
}

fn choices(
    config: &Config,
    chosen: &str,
    (kind, built_in): (&str, &[&str]),
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mark = |name: &str| String::from(if name == chosen { "in use" } else { "" });
    if chosen == choice::AUTO {
        rows.push(vec![
            chosen.to_owned(),
            mark(chosen),
            String::from("by the terminal"),
        ]);
    }
    for (name, path) in choice::own_files(kind) {
        rows.push(vec![name.clone(), mark(&name), path.display().to_string()]);
    }
    for name in built_in {
        rows.push(vec![
            (*name).to_owned(),
            mark(name),
            String::from("built in"),
        ]);
    }
    if !rows
        .iter()
        .any(|row| row.first().is_some_and(|name| name == chosen))
    {
        rows.push(vec![
            chosen.to_owned(),
            mark(chosen),
            origin_of(config, kind),
        ]);
    }
    Ok(table::write(out, &["NAME", "", "FROM"], &rows)?)
}

fn origin_of(config: &Config, kind: &str) -> String {
    let setting = if kind == "themes" {
        &config.theme
    } else {
        &config.keymap
    };
    setting.origin.to_string()
}

/// Prints every setting with its origin.
pub fn settings(config: &Config, out: &mut dyn Write) -> Result<(), ReportError> {
    let rows: Vec<Vec<String>> = config.table().into_iter().map(Vec::from).collect();
    table::write(out, &["SETTING", "VALUE", "FROM"], &rows)?;
    let file = config::folder().map(|folder| folder.join("config.toml"));
    if let Some(file) = file {
        writeln!(out, "\nthe file is {}", file.display())?;
    }
    Ok(())
}

/// Prints the mistakes of a file, or that there are none.
pub fn checked(
    path: &Path,
    problems: &[Problem],
    out: &mut dyn Write,
) -> Result<Ending, ReportError> {
    for problem in problems {
        writeln!(out, "{problem}")?;
    }
    if problems.is_empty() {
        writeln!(out, "{}: no mistakes", path.display())?;
        return Ok(Ending::Done);
    }
    Ok(Ending::Failed)
}

/// Reads a configuration file for its mistakes.
pub fn check_settings(path: &Path) -> Vec<Problem> {
    match std::fs::read_to_string(path) {
        Ok(text) => config::parse(path, &text),
        Err(error) => {
            let sentence = format!("cannot read it: {error}");
            vec![Problem {
                path: path.to_owned(),
                line: 0,
                sentence,
            }]
        }
    }
}
