//! Takes values out of lenient fields and remembers those that could not be read.

use crate::api::field::{Field, Shape, Str};
use crate::api::intern::Interner;
use crate::domain::finding::{Finding, Severity};
use crate::domain::object::Text;

/// How many unreadable fields of one object are told one by one.
const TOLD: usize = 8;

pub(super) struct Reader<'p> {
    pub(super) interner: &'p mut Interner,
    findings: Vec<Finding>,
    untold: usize,
}

impl<'p> Reader<'p> {
    pub(super) fn new(interner: &'p mut Interner) -> Self {
        Self {
            interner,
            findings: Vec::new(),
            untold: 0,
        }
    }

    /// Returns the value of a field; a wrong type is a finding.
    pub(super) fn take<'de, T: Shape<'de>>(&mut self, field: Field<T>, path: &str) -> Option<T> {
        match field {
            Field::Is(value) => Some(value),
            Field::Absent => None,
            Field::Wrong(shape) => {
                self.wrong(path, shape, T::EXPECTED);
                None
            }
        }
    }

    pub(super) fn wrong(&mut self, path: &str, shape: &str, expected: &str) {
        if self.findings.len() >= TOLD {
            self.untold += 1;
            return;
        }
        self.say(format!("`{path}` is {shape}; {expected} was expected"));
    }

    pub(super) fn say(&mut self, sentence: String) {
        let finding = Finding::new(Severity::Warning, sentence);
        self.findings
            .push(finding.with_hint("look at the object's YAML and correct the field"));
    }

    /// Returns text that is the same in many objects.
    pub(super) fn shared(&mut self, field: Field<Str<'_>>, path: &str) -> Text {
        let text = self.take(field, path).unwrap_or_default();
        self.interner.shared(&text)
    }

    /// Returns text that belongs to one object alone.
    pub(super) fn own(&mut self, field: Field<Str<'_>>, path: &str) -> Text {
        match self.take(field, path) {
            Some(text) if !text.is_empty() => Text::from(&*text),
            Some(_) | None => self.interner.shared(""),
        }
    }

    /// Returns texts that are the same in many objects.
    pub(super) fn shared_list(
        &mut self,
        field: Field<Vec<Field<Str<'_>>>>,
        path: &str,
    ) -> Vec<Text> {
        let items = self.take(field, path).unwrap_or_default();
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            if let Some(text) = self.take(item, path) {
                texts.push(self.interner.shared(&text));
            }
        }
        texts
    }

    pub(super) fn into_findings(mut self) -> Vec<Finding> {
        if self.untold > 0 {
            let more = self.untold;
            self.say(format!("{more} more fields could not be read"));
        }
        self.findings
    }
}
