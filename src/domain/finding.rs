//! A sentence that explains trouble, with what to do about it.

use super::object::{ObjectRef, Text};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// What is wrong, with what, and what to try. Sentences follow `docs/ARCHITECTURE.md`, "Errors".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// The object it is about, when it is about one.
    pub subject: Option<ObjectRef>,
    /// Lower case, names in backticks, no final full stop.
    pub sentence: Text,
    /// What to try, in the imperative.
    pub hint: Option<Text>,
}

impl Finding {
    /// Builds a finding without a subject or a hint.
    pub fn new(severity: Severity, sentence: impl Into<Text>) -> Self {
        Self {
            severity,
            subject: None,
            sentence: sentence.into(),
            hint: None,
        }
    }

    /// Says which object it is about.
    #[must_use]
    pub fn about(mut self, subject: ObjectRef) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Says what to try.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Text>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
