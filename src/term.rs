//! The terminal: enter, leave, suspend, and crossterm events as keys.
//!
//! Whatever ends the program (quit, an error, a panic in any thread), the terminal is left as it
//! was found: [`Session`] leaves when dropped, and [`install_panic_hook`] leaves before anything
//! is printed.

mod encode;
mod events;
mod painter;
mod panic;

pub use events::{Input, inputs};
pub use painter::Painter;
pub use panic::{install_panic_hook, panicked};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is ours at present; the panic hook asks it.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours.
#[derive(Debug)]
pub struct Session(());

impl Session {
    /// Takes the terminal: raw mode, alternate screen, bracketed paste, focus reports.
    ///
    /// # Errors
    /// When standard input or output is no terminal, or it refuses.
    pub fn enter() -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::other(
                "the cockpit needs a terminal, and standard input or output is none\n\
                 hint: use `tiphys get`, `tiphys do` or `tiphys snapshot` in scripts",
            ));
        }
        take()?;
        Ok(Self(()))
    }

    /// Gives the terminal to somebody else (an editor, the shell) until [`Session::resume`].
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn pause(&self) -> io::Result<()> {
        give_back()
    }

    /// Takes the terminal again.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn resume(&self) -> io::Result<()> {
        take()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // There is nobody left to tell; the shell's `reset` helps.
        let _left = give_back().is_ok();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableBracketedPaste,
        EnableFocusChange,
        cursor::Hide
    )
}

fn give_back() -> io::Result<()> {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    let raw = disable_raw_mode();
    execute!(
        io::stdout(),
        cursor::Show,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen
    )?;
    raw
}

/// The longest text that terminals take over OSC 52.
pub const CLIPBOARD_LIMIT: usize = 72_000;

/// Puts text on the clipboard by OSC 52; works over ssh, and silently not in terminals without it.
///
/// # Errors
/// When the text is too long, or the terminal cannot be written to.
pub fn copy(text: &str) -> io::Result<()> {
    if text.len() > CLIPBOARD_LIMIT {
        return Err(io::Error::other(
            "it is too long for the clipboard; save it with `ctrl-s` instead",
        ));
    }
    let mut out = io::stdout();
    execute!(out, CopyToClipboard::to_clipboard_from(text))?;
    out.flush()
}

/// Sets the title of the window; control characters are left out.
///
/// # Errors
/// When the terminal cannot be written to.
pub fn set_title(title: &str) -> io::Result<()> {
    let harmless: String = title.chars().filter(|c| !c.is_control()).collect();
    execute!(io::stdout(), crossterm::terminal::SetTitle(harmless))
}
