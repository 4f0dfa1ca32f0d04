//! The menu (`m`) of all commands for a row, and the palette of all commands.

use super::super::commands::Command;
use crate::app::screens::ListCursor;
use tui_input::Input;

/// All commands for what is under the cursor or marked, each with its letter.
#[derive(Debug)]
pub struct Menu {
    /// What it is about: `argocd/guestbook`, or `3 applications`.
    pub title: String,
    pub items: Vec<MenuItem>,
    pub cursor: ListCursor,
}

/// One line of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuItem {
    /// The letter that chooses it in the menu; `None` when letters have run out.
    pub letter: Option<char>,
    pub command: Command,
    pub title: String,
    /// Its key outside the menu, for learning; empty without one.
    pub key: String,
    /// Why it cannot be used now; it stays visible.
    pub refused: Option<String>,
}

/// All commands, found by typing.
#[derive(Debug)]
pub struct Palette {
    pub input: Input,
    /// Matches, best first.
    pub items: Vec<PaletteItem>,
    pub cursor: ListCursor,
}

/// One line of the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaletteItem {
    pub command: Command,
    pub title: String,
    pub key: String,
    /// Positions of the letters of the title that matched.
    pub matched: Vec<u32>,
}
