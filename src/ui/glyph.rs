//! The glyphs of the program and their ASCII twins.
//!
//! Screens draw with the glyphs below only. In ASCII mode [`to_ascii`] rewrites the finished
//! buffer, so no screen has to know about it and nothing can be forgotten: what has no twin
//! becomes `?`, in as many columns as it took before.

use crate::domain::status::{Health, SyncStatus};
use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

pub const HEALTHY: &str = "●";
pub const PROGRESSING: &str = "◐";
pub const DEGRADED: &str = "✗";
pub const SUSPENDED: &str = "‖";
pub const MISSING: &str = "◌";
pub const UNKNOWN: &str = "·";
pub const SYNCED: &str = "✓";
pub const OUT_OF_SYNC: &str = "≠";
pub const CURSOR: &str = "▸";
pub const MARK: &str = "▪";
pub const OPEN: &str = "▾";
pub const CLOSED: &str = "▸";
pub const BAR: &str = "▇";
pub const BAR_REST: &str = "▁";
pub const NEWER: &str = "↑";
pub const DESCENDING: &str = "↓";
pub const WARNING: &str = "⚠";
pub const SEPARATOR: &str = "▸";
pub const DELETING: &str = "⌫";
pub const STEP_DONE: &str = "✔";
pub const STEP_NOW: &str = "▶";
pub const STEP_AHEAD: &str = "○";
pub const REPLICA_SET: &str = "⧉";
pub const POD: &str = "□";
pub const ANALYSIS: &str = "α";
pub const EXPERIMENT: &str = "Σ";
pub const REVISION: &str = "#";

/// Returns the glyph of a health.
pub fn of_health(health: Health) -> &'static str {
    match health {
        Health::Healthy => HEALTHY,
        Health::Suspended => SUSPENDED,
        Health::Progressing => PROGRESSING,
        Health::Missing => MISSING,
        Health::Degraded => DEGRADED,
        Health::Unknown => UNKNOWN,
    }
}

/// Returns the glyph of a sync status.
pub fn of_sync(sync: SyncStatus) -> &'static str {
    match sync {
        SyncStatus::Synced => SYNCED,
        SyncStatus::OutOfSync => OUT_OF_SYNC,
        SyncStatus::Unknown => UNKNOWN,
    }
}

/// Every glyph that may appear on a screen, with its twin.
const TWINS: &[(&str, &str)] = &[
    ("●", "o"),
    ("◐", "~"),
    ("✗", "x"),
    ("‖", "="),
    ("◌", "?"),
    ("○", "."),
    ("·", "."),
    ("✓", "+"),
    ("≠", "!"),
    ("▸", ">"),
    ("▾", "v"),
    ("▪", "*"),
    ("▇", "#"),
    ("▁", "-"),
    ("↑", "^"),
    ("↓", "v"),
    ("→", ">"),
    ("←", "<"),
    ("⚠", "!"),
    ("⌫", "X"),
    ("…", "~"),
    ("⏎", "$"),
    ("│", "|"),
    ("─", "-"),
    ("┌", "+"),
    ("┐", "+"),
    ("└", "+"),
    ("┘", "+"),
    ("├", "+"),
    ("┤", "+"),
    ("┬", "+"),
    ("┴", "+"),
    ("┼", "+"),
    ("╭", "+"),
    ("╮", "+"),
    ("╰", "+"),
    ("╯", "+"),
    ("┃", "#"),
    ("█", "#"),
    ("▐", "#"),
    ("≤", "<"),
    ("≥", ">"),
    ("✔", "+"),
    ("▶", ">"),
    ("⧉", "%"),
    ("□", "o"),
    ("α", "a"),
    ("Σ", "E"),
    ("×", "x"),
    ("µ", "u"),
    ("╌", "-"),
    ("▂", "-"),
    ("▃", "="),
    ("▄", "="),
    ("▅", "+"),
    ("▆", "*"),
];

/// Dots of a braille pattern in the upper half of a cell, and in the lower half.
const UPPER: u32 = 0x1b;
const LOWER: u32 = 0xe4;

/// Returns what stands for a line drawn in braille: where in the cell it runs.
fn line_twin(symbol: &str) -> Option<&'static str> {
    let pattern = u32::from(symbol.chars().next()?).checked_sub(0x2800)?;
    if pattern > 0xff {
        return None;
    }
    Some(match (pattern & UPPER != 0, pattern & LOWER != 0) {
        (true, true) => ":",
        (true, false) => "'",
        (false, true) => ".",
        (false, false) => " ",
    })
}

/// Rewrites a finished buffer so that it holds ASCII only.
pub fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if symbol.is_ascii() {
            continue;
        }
        let twin = TWINS.iter().find(|(glyph, _)| *glyph == symbol);
        let twin = match (twin, line_twin(symbol)) {
            (Some((_, twin)), _) => (*twin).to_owned(),
            (None, Some(twin)) => twin.to_owned(),
            (None, None) => "?".repeat(symbol.width().max(1)),
        };
        cell.set_symbol(&twin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    #[test]
    fn ascii_buffer_keeps_its_columns() {
        let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, 20, 1));
        buffer.set_string(0, 0, "✗ Degraded ゲ …│", Style::default());

        to_ascii(&mut buffer);

        let text: String = buffer
            .content
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        assert!(text.is_ascii());
        assert!(text.starts_with("x Degraded ?? "), "{text}");
    }

    #[test]
    fn charts_keep_their_shape_in_ascii() {
        let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, 4, 1));
        buffer.set_string(0, 0, "⠉⣀⣿▆", Style::default());

        to_ascii(&mut buffer);

        let text: String = buffer
            .content
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        assert_eq!(text, "'.:*");
    }

    #[test]
    fn every_glyph_is_one_column_wide_and_has_an_ascii_twin() {
        for (glyph, twin) in TWINS {
            assert_eq!(glyph.width(), 1, "{glyph}");
            assert_eq!(twin.len(), 1, "{glyph}");
            assert!(twin.is_ascii());
        }
    }
}
