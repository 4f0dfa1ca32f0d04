//! Reads TOML items one by one, so that one mistake does not hide the next.

use super::Mistake;
use crate::domain::nearest::{explain_unknown_field, nearest};
use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// The text of a TOML file, and the mistakes found in it so far.
pub(super) struct Reader<'t> {
    pub(super) file: &'t str,
    text: &'t str,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            text,
            mistakes: Vec::new(),
        }
    }

    /// Parses the file; syntax mistakes are reported and what could be read is returned.
    pub(super) fn parse(&mut self) -> DeTable<'t> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let start = error.span().map_or(0, |span| span.start);
            self.report_at(start, error.message());
        }
        table.into_inner()
    }

    pub(super) fn report_at(&mut self, offset: usize, message: impl Into<String>) {
        let before = self.text.bytes().take(offset);
        let line = before.filter(|byte| *byte == b'\n').count() as u64 + 1;
        self.mistakes.push(Mistake {
            file: self.file.to_owned(),
            line: Some(line),
            message: message.into(),
        });
    }

    /// Reports a mistake at the first line, from `offset` on, that holds `words`.
    pub(super) fn report_near(&mut self, offset: usize, words: &str, message: impl Into<String>) {
        let place = self.text.get(offset..).and_then(|rest| rest.find(words));
        self.report_at(offset + place.unwrap_or(0), message);
    }

    /// Reports every field of the table that is not one of `known`.
    pub(super) fn refuse_unknown(&mut self, table: &DeTable<'t>, known: &[&str]) {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let message = match nearest(name, known.iter().copied()) {
                    Some(field) => {
                        format!("`{name}` is not a field here; did you mean `{field}`?")
                    }
                    None => format!("`{name}` is not a field here"),
                };
                self.report_at(key.span().start, message);
            }
        }
    }

    /// Reads one value, reporting everything that is wrong with it.
    ///
    /// A table with a wrong field is read again without that field, to find the next mistake.
    pub(super) fn item<T: DeserializeOwned>(&mut self, value: &Spanned<DeValue<'t>>) -> Option<T> {
        let mut value = value.clone();
        let mut is_right = true;
        loop {
            let error = match T::deserialize(deserializer(&value)) {
                Ok(item) => return is_right.then_some(item),
                Err(error) => error,
            };
            is_right = false;
            let at = error.span().filter(|span| !span.is_empty());
            let start = at.as_ref().map_or(value.span().start, |span| span.start);
            self.report_at(start, explain_unknown_field(error.message()));
            if !remove_field_at(&mut value, start) {
                return None;
            }
        }
    }

    /// Reads an array of tables such as `[[image-profile]]`.
    pub(super) fn items<T: DeserializeOwned>(
        &mut self,
        table: &DeTable<'t>,
        field: &str,
    ) -> Vec<(usize, T)> {
        let Some(value) = table.get(field) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            let message = format!("`{field}` is a list of tables; write `[[{field}]]`");
            self.report_at(value.span().start, message);
            return Vec::new();
        };
        array
            .iter()
            .filter_map(|item| Some((item.span().start, self.item(item)?)))
            .collect()
    }

    /// Reads a field, or takes its default where it is absent.
    pub(super) fn field<T: DeserializeOwned + Default>(
        &mut self,
        table: &DeTable<'t>,
        field: &str,
    ) -> T {
        table
            .get(field)
            .and_then(|value| self.item(value))
            .unwrap_or_default()
    }
}

fn deserializer<'t>(value: &Spanned<DeValue<'t>>) -> ValueDeserializer<'t> {
    value.clone().into_deserializer()
}

/// Removes the field that starts at or holds the offset; false: there is none.
fn remove_field_at(value: &mut Spanned<DeValue<'_>>, offset: usize) -> bool {
    let DeValue::Table(table) = value.get_mut() else {
        return false;
    };
    let found = table
        .iter()
        .find(|(key, value)| key.span().contains(&offset) || value.span().contains(&offset))
        .map(|(key, _)| key.clone());
    match found {
        Some(key) => table.remove(&key).is_some(),
        None => false,
    }
}
