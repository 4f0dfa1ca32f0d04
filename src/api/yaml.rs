//! The one place where YAML is read and written.
//!
//! Reads what `kubectl` reads: `0644` is octal, `yes` and `on` are booleans, a duplicate key is
//! an error. Writes what `kubectl` reads back as the same value: ambiguous strings are quoted.
//! The YAML crate is used nowhere else, because its defaults differ in these points.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A YAML text that could not be read or written; lines and columns start at 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", Place(*line, *column))]
pub struct YamlError {
    /// The line of the mistake, when the parser knows it.
    pub line: Option<u64>,
    /// The column of the mistake, when the parser knows it.
    pub column: Option<u64>,
    /// What is wrong, without the place.
    pub message: String,
}

struct Place(Option<u64>, Option<u64>);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0, self.1) {
            (Some(line), Some(column)) => write!(f, "line {line}, column {column}: "),
            (Some(line), None) => write!(f, "line {line}: "),
            (None, _) => Ok(()),
        }
    }
}

/// Reads one YAML (or JSON) document.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| unreadable(&error))
}

/// Reads a stream of documents separated by `---`; empty documents are left out.
pub fn from_multi<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, YamlError> {
    serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| unreadable(&error))
}

/// Writes one document, without a leading `---`.
pub fn to_string<T: Serialize>(value: &T) -> Result<String, YamlError> {
    serde_saphyr::to_string(value).map_err(|error| YamlError {
        line: None,
        column: None,
        message: error.to_string(),
    })
}

/// Limits that stop a hostile document and let the largest custom resource definitions through.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_documents: 100_000,
            max_events: 20_000_000,
            max_nodes: 8_000_000,
            max_depth: 200,
        },
    }
}

fn unreadable(error: &serde_saphyr::Error) -> YamlError {
    let place = error.location().filter(|place| place.line() > 0);
    let text = error.without_snippet().to_string();
    YamlError {
        line: place.map(|place| place.line()),
        column: place.map(|place| place.column()),
        message: without_place(&text).to_owned(),
    }
}

/// Drops the place that the parser writes around its message; we say it once, in front.
fn without_place(text: &str) -> &str {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let text = text
        .strip_prefix("line ")
        .and_then(|rest| rest.split_once(": "))
        .map_or(text, |(_, message)| message);
    text.rsplit_once(" at line ")
        .map_or(text, |(message, _)| message)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn numbers_and_booleans_are_read_as_kubectl_reads_them() {
        let read: Value = from_str(
            "mode: 0644\nyes: on\nplain: 1.5\ntime: 2026-01-01\nport: '80'\nversion: 1.20.3\n",
        )
        .expect("a document");

        assert_eq!(
            read,
            json!({"mode": 420, "yes": true, "plain": 1.5, "time": "2026-01-01", "port": "80", "version": "1.20.3"})
        );
    }

    #[test]
    fn empty_documents_are_left_out() {
        let read: Vec<Value> =
            from_multi("---\n# only a comment\n---\na: 1\n---\n---\nb: 2\n").expect("documents");

        assert_eq!(read, [json!({"a": 1}), json!({"b": 2})]);
    }

    #[test]
    fn no_document_at_all_is_an_empty_list() {
        assert_eq!(
            from_multi::<Value>("").expect("documents"),
            Vec::<Value>::new()
        );
        assert_eq!(
            from_multi::<Value>("# c\n").expect("documents"),
            Vec::<Value>::new()
        );
    }

    #[test]
    fn mistakes_name_their_line() {
        let error = from_multi::<Value>("a: 1\n---\nb: [1, 2\nc: 3\n").expect_err("a mistake");

        assert!(error.line.is_some_and(|line| line >= 3), "{error}");
        assert!(error.to_string().starts_with("line "), "{error}");
        assert_eq!(error.to_string().matches("line ").count(), 1, "{error}");
    }

    #[test]
    fn duplicate_keys_are_refused() {
        let error = from_str::<Value>("a: 1\nb: 2\na: 3\n").expect_err("a mistake");

        assert_eq!(error.line, Some(3));
    }

    #[test]
    fn ambiguous_strings_survive_a_round_trip() {
        let strings = [
            "yes",
            "on",
            "y",
            "N",
            "0644",
            "1_000",
            "null",
            "~",
            "2026-01-01",
            "1e3",
            "",
            " a",
            "a: b",
            "# c",
            "line\nline\n",
            "true",
            ".5",
            "0x1f",
            "<<",
            "- a",
            "é\u{1}",
        ];
        let value = json!(strings);

        let written = to_string(&value).expect("written");

        assert_eq!(
            from_str::<Value>(&written).expect("read"),
            value,
            "{written}"
        );
    }
}
