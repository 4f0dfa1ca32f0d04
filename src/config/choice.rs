//! Which theme or keymap a setting names: a file, a file of the user's folder, or a built-in.

use super::{Origin, Problem, Setting, folder};
use crate::app::keymap::{self, Keymap, PRESETS};
use crate::domain::nearest::nearest;
use crate::ui::theme::parse::{self, ThemeFile};
use crate::ui::theme::{BUILT_IN, Background, Capability, Theme};
use std::path::{Path, PathBuf};

/// The name that means: dark or light, by the terminal's background.
pub const AUTO: &str = "auto";

/// Returns the keymap that a setting names. With mistakes, the default keymap is used.
pub fn keymap(setting: &Setting<String>) -> (Keymap, Vec<Problem>) {
    let built_in: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    let path = match find("keymaps", &setting.value, &built_in) {
        Found::File(path) => path,
        Found::BuiltIn(name) => return (Keymap::preset(name).unwrap_or_default(), Vec::new()),
        Found::Nothing(sentence) => return (Keymap::default(), vec![lost(setting, sentence)]),
    };
    match read_keymap(&path) {
        Ok(keymap) => (keymap, Vec::new()),
        Err(problems) => (Keymap::default(), problems),
    }
}

/// Returns the theme that a setting names. With mistakes, the one for the background is used.
pub fn theme(
    setting: &Setting<String>,
    capability: Capability,
    background: impl FnOnce() -> Background,
) -> (Theme, Vec<Problem>) {
    if setting.value == AUTO {
        return (Theme::for_background(background(), capability), Vec::new());
    }
    let built_in: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    let found = match find("themes", &setting.value, &built_in) {
        Found::BuiltIn(name) => Ok(Theme::named(name, capability)),
        Found::Nothing(sentence) => Err(vec![lost(setting, sentence)]),
        Found::File(path) => read_theme(&path).map(|file| Some(Theme::new(&file, capability))),
    };
    match found {
        Ok(Some(theme)) => (theme, Vec::new()),
        Ok(None) => (Theme::for_background(background(), capability), Vec::new()),
        Err(problems) => (Theme::for_background(background(), capability), problems),
    }
}

/// Reads a keymap file.
///
/// # Errors
/// Returns every mistake of the file.
pub fn read_keymap(path: &Path) -> Result<Keymap, Vec<Problem>> {
    let text = read(path)?;
    keymap::parse(&path.display().to_string(), &text).map_err(|problems| {
        let place = |one: keymap::Problem| Problem {
            path: path.to_owned(),
            line: one.line,
            sentence: one.sentence,
        };
        problems.into_iter().map(place).collect()
    })
}

/// Reads a theme file.
///
/// # Errors
/// Returns every mistake of the file.
pub fn read_theme(path: &Path) -> Result<ThemeFile, Vec<Problem>> {
    let text = read(path)?;
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    parse::parse(&stem.unwrap_or_default(), &text).map_err(|problems| {
        let place = |one: parse::Problem| Problem {
            path: path.to_owned(),
            line: one.line,
            sentence: one.sentence,
        };
        problems.into_iter().map(place).collect()
    })
}

fn read(path: &Path) -> Result<String, Vec<Problem>> {
    std::fs::read_to_string(path)
        .map_err(|error| vec![Problem::of_file(path, format!("cannot read it: {error}"))])
}

/// Returns the files of the user's folder for `themes` or `keymaps`: name and path, by name.
pub fn own_files(kind: &str) -> Vec<(String, PathBuf)> {
    let entries = folder().and_then(|folder| std::fs::read_dir(folder.join(kind)).ok());
    let mut files: Vec<(String, PathBuf)> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .filter_map(|path| Some((path.file_stem()?.to_string_lossy().into_owned(), path)))
        .collect();
    files.sort();
    files
}

enum Found<'a> {
    File(PathBuf),
    BuiltIn(&'a str),
    Nothing(String),
}

fn find<'a>(kind: &str, name: &str, built_in: &[&'a str]) -> Found<'a> {
    let path = Path::new(name);
    if path.components().count() > 1 || path.extension().is_some_and(|end| end == "toml") {
        return Found::File(path.to_owned());
    }
    let own = own_files(kind);
    if let Some((_, path)) = own.iter().find(|(stem, _)| stem == name) {
        return Found::File(path.clone());
    }
    if let Some(name) = built_in.iter().find(|known| **known == name) {
        return Found::BuiltIn(name);
    }
    let known = own
        .iter()
        .map(|(name, _)| name.as_str())
        .chain(built_in.iter().copied());
    let hint = nearest(name, known.clone()).map_or_else(
        || format!("; there are {}", known.collect::<Vec<_>>().join(", ")),
        |near| format!("; did you mean `{near}`?"),
    );
    Found::Nothing(format!("there is no `{name}` among the {kind}{hint}"))
}

/// A name that leads nowhere is a mistake of the place where it was given.
fn lost(setting: &Setting<String>, sentence: String) -> Problem {
    let (path, line) = match &setting.origin {
        Origin::File(path, line) => (path.clone(), *line),
        origin @ (Origin::Default | Origin::Environment(_) | Origin::Flag(_)) => {
            (PathBuf::from(origin.to_string()), 0)
        }
    };
    Problem {
        path,
        line,
        sentence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_keymap_is_named_with_its_origin_and_the_nearest() {
        let origin = Origin::Flag("keymap");
        let setting = Setting {
            value: String::from("k9"),
            origin,
        };

        let (keymap, problems) = keymap(&setting);

        assert_eq!(keymap.name, "k9s", "the default keymap is used");
        let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            ["--keymap: there is no `k9` among the keymaps; did you mean `k9s`?"]
        );
    }

    #[test]
    fn file_that_is_not_there_is_a_problem_and_not_an_end() {
        let setting = Setting {
            value: String::from("no/such.toml"),
            origin: Origin::Default,
        };
        let background = || Background::Light;

        let (theme, problems) = theme(&setting, Capability::default(), background);

        assert_eq!(theme.name, "tiphys-light");
        assert!(
            problems[0]
                .to_string()
                .starts_with("no/such.toml: cannot read it")
        );
    }
}
