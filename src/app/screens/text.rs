//! Text with a search: describe, YAML, and why.

use super::lists::Loaded;
use crate::app::viewports::cycled;
use crate::domain::object::{ObjectRef, Text};
use crate::engine::protocol::Ticket;

/// What the text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextSource {
    Yaml {
        object: ObjectRef,
        reveal_secrets: bool,
    },
    Describe(ObjectRef),
    Why(ObjectRef),
}

impl TextSource {
    /// Returns the object it is about.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Yaml { object, .. } | Self::Describe(object) | Self::Why(object) => object,
        }
    }

    /// Returns its word in the crumbs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Yaml { .. } => "yaml",
            Self::Describe(_) => "describe",
            Self::Why(_) => "why",
        }
    }
}

/// A text that was fetched.
#[derive(Debug)]
pub struct TextScreen {
    pub source: TextSource,
    pub ticket: Option<Ticket>,
    pub content: Loaded<Vec<Text>>,
    /// First visible line.
    pub top: usize,
    /// Cells hidden at the left; 0 while wrapping.
    pub left: usize,
    pub wrap: bool,
    /// Without header and border.
    pub full: bool,
    pub search: Search,
}

/// A search through lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Lower case; empty without a search.
    pub text: String,
    /// Lines that contain it.
    pub found: Vec<usize>,
    /// Index into `found` of the current one.
    pub current: usize,
}

impl Search {
    pub(in crate::app) fn new(text: &str, lines: &[Text]) -> Self {
        let text = text.to_lowercase();
        let found = if text.is_empty() {
            Vec::new()
        } else {
            let lines = lines.iter().enumerate();
            lines
                .filter(|(_, line)| line.to_lowercase().contains(&text))
                .map(|(number, _)| number)
                .collect()
        };
        Self {
            text,
            found,
            current: 0,
        }
    }

    /// Goes to the next or previous find and returns its line.
    pub(in crate::app) fn step(&mut self, step: isize) -> Option<usize> {
        self.current = cycled(self.current, step, self.found.len());
        self.found.get(self.current).copied()
    }
}
