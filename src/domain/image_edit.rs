//! Sets an image in the text of a file of a manifest repository, and leaves every other byte as it
//! is: comments, order, quotes and line ends are somebody's own.
//!
//! A kustomization gets an entry in `images` (kustomize `ImageTagTransformer`); a plain manifest
//! gets another `image:`. What cannot be changed for certain is refused with a sentence.

mod kustomization;
mod manifest;

pub use kustomization::{entries_of, set_image};
pub use manifest::{Found, Whose, set_in_manifest};

/// The lines of a text with what ends them, so that they can be put together again.
struct Lines<'t> {
    lines: Vec<&'t str>,
    end: &'static str,
    ends: bool,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Self {
            lines: text.lines().collect(),
            end,
            ends: text.is_empty() || text.ends_with('\n'),
        }
    }

    /// Puts lines together as the text was: with or without an end of the last line.
    fn joined(&self, lines: &[String]) -> String {
        let mut text = lines.join(self.end);
        if self.ends {
            text.push_str(self.end);
        }
        text
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a line begins another document, or ends this one.
fn is_divider(line: &str) -> bool {
    let line = line.trim_end();
    line == "..." || line == "---" || line.starts_with("--- ")
}

/// A scalar on one line: quotes, text, and what stands behind it.
struct Scalar<'t> {
    quote: &'t str,
    text: &'t str,
    /// Blanks and a comment.
    rest: &'t str,
}

impl<'t> Scalar<'t> {
    /// Reads what follows a colon, without the blanks before it.
    fn read(text: &'t str) -> Option<Self> {
        let quote = text.get(..1).filter(|one| matches!(*one, "\"" | "'"));
        if let Some(quote) = quote {
            let inside = text.get(1..)?;
            let end = inside.find(quote)?;
            return Some(Self {
                quote,
                text: inside.get(..end)?,
                rest: inside.get(end + 1..)?,
            });
        }
        let comment = text.find(" #").unwrap_or(text.len());
        let plain = text.get(..comment)?.trim_end();
        Some(Self {
            quote: "",
            text: plain,
            rest: text.get(plain.len()..)?,
        })
    }

    /// Writes another text in its place: with the same quotes, or with some where YAML needs them.
    fn with(&self, text: &str) -> String {
        let rest = self.rest;
        match self.quote {
            "" => format!("{}{rest}", quoted(text)),
            quote => format!("{quote}{text}{quote}{rest}"),
        }
    }
}

/// Splits `key: value` behind the indentation and the dash of an item: what is before the value, the
/// key, and the value.
fn key_and_value(line: &str) -> Option<(&str, &str, &str)> {
    let inside = line.trim_start().trim_start_matches("- ").trim_start();
    let start = line.len() - inside.len();
    let colon = inside.find(':')?;
    let (key, rest) = (inside.get(..colon)?, inside.get(colon + 1..)?);
    if !(rest.is_empty() || rest.starts_with(' ')) || key.starts_with('#') {
        return None;
    }
    let value = rest.trim_start();
    let before = start + colon + 1 + (rest.len() - value.len());
    Some((line.get(..before)?, key.trim_matches(['"', '\'']), value))
}

/// Quotes what YAML would read as something else than text.
fn quoted(text: &str) -> String {
    let digits = |also: char| {
        text.starts_with(|first: char| first.is_ascii_digit())
            && text.chars().all(|one| one.is_ascii_digit() || one == also)
    };
    let special = text.parse::<f64>().is_ok()
        || digits('_')
        || digits('-')
        || matches!(
            text.to_ascii_lowercase().as_str(),
            "" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "null" | "~"
        )
        || text.starts_with("0x")
        || text.starts_with("0o");
    if special {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}
