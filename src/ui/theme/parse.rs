//! Reads a theme file and reports everything that is wrong with it at once.
//!
//! A file has an optional `name`, `background` (`dark` or `light`) and `canvas`, a `[palette]`
//! of named colours and `[roles]`. A colour may be a list of up to three: for true colour, for
//! 256 and for 16 colours. A role is a colour, or a table of `fg`, `bg` and modifiers. What a
//! role leaves out comes from its fallback ([`Role::fallback`]).

use super::colour;
use super::role::Role;
use ratatui::style::{Color, Modifier};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake in a theme file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, with the nearest valid word where there is one.
    pub sentence: String,
}

/// One colour for each capability of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shade {
    pub full: Color,
    /// For 256 colours; worked out from `full` when absent.
    pub ansi256: Option<Color>,
    /// For 16 colours; worked out from `full` when absent.
    pub ansi16: Option<Color>,
}

impl Shade {
    /// The terminal's own colour.
    pub const DEFAULT: Self = Self {
        full: Color::Reset,
        ansi256: None,
        ansi16: None,
    };

    fn of(full: Color) -> Self {
        Self {
            full,
            ..Self::DEFAULT
        }
    }
}

/// The style of one role as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Look {
    pub fg: Option<Shade>,
    pub bg: Option<Shade>,
    pub modifiers: Modifier,
}

/// A theme file that was read without mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemeFile {
    pub name: String,
    pub dark: bool,
    /// Foreground and background of exported pictures: what the terminal's own colours stand for.
    pub canvas: (Color, Color),
    pub(super) roles: Vec<(Role, Look)>,
}

const TOP: [&str; 5] = ["name", "background", "canvas", "palette", "roles"];
const MODIFIERS: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underline", Modifier::UNDERLINED),
    ("reverse", Modifier::REVERSED),
];

struct Reader<'a> {
    source: &'a str,
    palette: BTreeMap<String, Shade>,
    problems: Vec<Problem>,
}

/// Reads a theme; `name` stands in when the file has none.
pub fn parse(name: &str, source: &str) -> Result<ThemeFile, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(source);
    let mut reader = Reader {
        source,
        palette: BTreeMap::new(),
        problems: Vec::new(),
    };
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        reader.problem(&at, error.message().to_owned());
    }
    let table = table.get_ref();
    for key in table.keys() {
        reader.known(&key.span(), key.get_ref(), "key", &TOP);
    }
    let dark = reader.background(table);
    let name = reader.name(table).unwrap_or_else(|| name.to_owned());
    reader.palette(table);
    let canvas = reader.canvas(table, dark);
    let roles = reader.roles(table);
    if reader.problems.is_empty() {
        Ok(ThemeFile {
            name,
            dark,
            canvas,
            roles,
        })
    } else {
        reader.problems.sort_by_key(|problem| problem.line);
        Err(reader.problems)
    }
}

impl Reader<'_> {
    fn problem(&mut self, at: &Range<usize>, sentence: String) {
        let before = self.source.get(..at.start).unwrap_or(self.source);
        let line = before.matches('\n').count() + 1;
        self.problems.push(Problem { line, sentence });
    }

    fn known(&mut self, at: &Range<usize>, word: &str, what: &str, valid: &[&str]) -> bool {
        if valid.contains(&word) {
            return true;
        }
        let sentence = unknown(word, what, valid.iter().copied());
        self.problem(at, sentence);
        false
    }

    fn name(&mut self, table: &DeTable<'_>) -> Option<String> {
        let value = table.get("name")?;
        if let DeValue::String(text) = value.get_ref() {
            return Some(text.to_string());
        }
        self.problem(&value.span(), "`name` must be a text".to_owned());
        None
    }

    fn background(&mut self, table: &DeTable<'_>) -> bool {
        let Some(value) = table.get("background") else {
            return true;
        };
        match value.get_ref().as_str() {
            Some("dark") => true,
            Some("light") => false,
            _ => {
                let sentence = "`background` must be `dark` or `light`".to_owned();
                self.problem(&value.span(), sentence);
                true
            }
        }
    }

    fn palette(&mut self, table: &DeTable<'_>) {
        let Some(entries) = self.section(table, "palette") else {
            return;
        };
        for (key, value) in entries {
            if let Some(shade) = self.shade(value) {
                self.palette.insert(key.get_ref().to_string(), shade);
            }
        }
    }

    fn section<'t>(&mut self, table: &'t DeTable<'t>, name: &str) -> Option<&'t DeTable<'t>> {
        let value = table.get(name)?;
        if let DeValue::Table(inner) = value.get_ref() {
            return Some(inner);
        }
        self.problem(&value.span(), format!("`{name}` must be a table"));
        None
    }

    fn canvas(&mut self, table: &DeTable<'_>, dark: bool) -> (Color, Color) {
        let mut colours = if dark {
            (Color::Rgb(0xd3, 0xda, 0xe3), Color::Rgb(0x12, 0x17, 0x1e))
        } else {
            (Color::Rgb(0x24, 0x2b, 0x33), Color::Rgb(0xfb, 0xfb, 0xf8))
        };
        let Some(entries) = self.section(table, "canvas") else {
            return colours;
        };
        for (key, value) in entries {
            if !self.known(&key.span(), key.get_ref(), "key of `canvas`", &["fg", "bg"]) {
                continue;
            }
            if let Some(shade) = self.shade(value) {
                match key.get_ref().as_ref() {
                    "fg" => colours.0 = shade.full,
                    _ => colours.1 = shade.full,
                }
            }
        }
        colours
    }

    fn roles(&mut self, table: &DeTable<'_>) -> Vec<(Role, Look)> {
        let words: Vec<&str> = Role::ALL.iter().map(|role| role.word()).collect();
        let mut looks = Vec::new();
        let Some(entries) = self.section(table, "roles") else {
            return looks;
        };
        for (key, value) in entries {
            let word = key.get_ref();
            if !self.known(&key.span(), word, "role", &words) {
                continue;
            }
            let role = Role::ALL.iter().find(|role| role.word() == word.as_ref());
            if let (Some(role), Some(look)) = (role, self.look(value)) {
                looks.push((*role, look));
            }
        }
        looks
    }

    fn look(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Look> {
        let DeValue::Table(entries) = value.get_ref() else {
            return Some(Look {
                fg: Some(self.shade(value)?),
                ..Look::default()
            });
        };
        let mut valid = vec!["fg", "bg"];
        valid.extend(MODIFIERS.iter().map(|(word, _)| *word));
        let mut look = Look::default();
        for (key, value) in entries {
            let word = key.get_ref().as_ref();
            if !self.known(&key.span(), word, "key of a role", &valid) {
                continue;
            }
            match word {
                "fg" => look.fg = self.shade(value),
                "bg" => look.bg = self.shade(value),
                _ => match value.get_ref().as_bool() {
                    Some(on) => {
                        let modifier = MODIFIERS.iter().find(|(known, _)| *known == word);
                        look.modifiers
                            .set(modifier.map_or(Modifier::empty(), |(_, m)| *m), on);
                    }
                    None => {
                        self.problem(&value.span(), format!("`{word}` must be true or false"));
                    }
                },
            }
        }
        Some(look)
    }

    /// Reads a colour, a name of the palette, or a list of up to three of them.
    fn shade(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Shade> {
        let DeValue::Array(items) = value.get_ref() else {
            return self.one_shade(value);
        };
        if items.is_empty() || items.len() > 3 {
            let sentence = "a list of colours has one to three: true colour, 256, 16".to_owned();
            self.problem(&value.span(), sentence);
            return None;
        }
        let colours: Vec<Option<Color>> = items
            .iter()
            .map(|item| self.one_shade(item).map(|shade| shade.full))
            .collect();
        Some(Shade {
            full: colours.first().copied().flatten()?,
            ansi256: colours.get(1).copied().flatten(),
            ansi16: colours.get(2).copied().flatten(),
        })
    }

    fn one_shade(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Shade> {
        let word = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                let sentence = "a colour is a name, `#rrggbb`, `default` or 0–255".to_owned();
                self.problem(&value.span(), sentence);
                return None;
            }
        };
        if let Some(shade) = self.palette.get(&word) {
            return Some(*shade);
        }
        if let Some(colour) = colour::parse(&word) {
            return Some(Shade::of(colour));
        }
        let own = self.palette.keys().map(String::as_str);
        let valid: Vec<&str> = own.chain(colour::names()).collect();
        let sentence = unknown(&word, "colour", valid.into_iter());
        self.problem(&value.span(), sentence);
        None
    }
}

/// Says that a word is not known, with the nearest one that is.
pub fn unknown<'a>(word: &str, what: &str, valid: impl Iterator<Item = &'a str>) -> String {
    let nearest = valid
        .map(|known| (distance(word, known), known))
        .min_by_key(|(far, _)| *far)
        .filter(|(far, known)| *far <= 1 + known.len().max(word.len()) / 3);
    let shown = super::super::text::harmless(word);
    match nearest {
        Some((_, known)) => format!("`{shown}` is not a {what}; did you mean `{known}`?"),
        None => format!("`{shown}` is not a {what}"),
    }
}

/// Counts the edits from one word to another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, to) in b.iter().enumerate() {
            let left = row.get(j).copied().unwrap_or(usize::MAX);
            let Some(here) = row.get_mut(j + 1) else {
                continue;
            };
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *here;
            *here = replaced.min(*here + 1).min(left + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_reported_with_line_and_nearest_word() {
        let source = "backgruond = \"dark\"\n[palette]\nsea = \"#12345\"\nsky = \"skyblu\"\n\
                      [roles]\nhealty = \"green\"\nmuted = { fg = \"gray\", blod = true }\n\
                      text = [1, 2, 3, 4]\nkey = { bold = \"yes\" }\n";

        let problems = parse("mine", source).expect_err("the theme has mistakes");

        let told: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.line, problem.sentence))
            .collect();
        assert_eq!(
            told,
            [
                "1: `backgruond` is not a key; did you mean `background`?",
                "3: `#12345` is not a colour",
                "4: `skyblu` is not a colour; did you mean `skyblue`?",
                "6: `healty` is not a role; did you mean `healthy`?",
                "7: `blod` is not a key of a role; did you mean `bold`?",
                "8: a list of colours has one to three: true colour, 256, 16",
                "9: `bold` must be true or false",
            ]
        );
    }

    #[test]
    fn broken_toml_is_reported_with_its_line() {
        let problems = parse("mine", "[roles]\ntext = \n").expect_err("not TOML");
        assert_eq!(problems.first().map(|problem| problem.line), Some(2));
    }

    #[test]
    fn distances_are_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
