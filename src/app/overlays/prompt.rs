//! The prompt: `:` for commands, `/` for filters and searches.

use tui_input::Input;

/// A line being typed.
#[derive(Debug)]
pub struct Prompt {
    pub kind: PromptKind,
    pub input: Input,
    /// What may be meant, best first.
    pub completions: Vec<Completion>,
    /// Which completion was chosen with tab or the arrows.
    pub chosen: Option<usize>,
    /// Grey text after the cursor: what tab or right would add.
    pub ghost: String,
    /// Why the line cannot be accepted as it is.
    pub problem: Option<String>,
    /// What the filter was before, for Esc.
    pub before: String,
    /// Position in the history of commands; `None` below its end.
    pub recalled: Option<usize>,
}

/// What the line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptKind {
    Command,
    Filter,
    Search,
}

/// One thing that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The whole line after it is taken.
    pub line: String,
    /// The word shown in the list.
    pub word: String,
    /// What it is: `Deployment`, `command`, `namespace`.
    pub about: String,
}
