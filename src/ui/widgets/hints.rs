//! Keys and what they do, as many as fit.

use crate::ui::canvas::{Canvas, Span, span, width_of};
use crate::ui::theme::Role;
use ratatui::layout::Rect;

/// One key with its word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    pub key: String,
    pub word: String,
}

/// Builds a [`Hint`].
pub fn hint(key: impl Into<String>, word: impl Into<String>) -> Hint {
    Hint {
        key: key.into(),
        word: word.into(),
    }
}

/// Returns the spans of the hints that fit; the first ones matter most.
pub fn fitting(hints: &[Hint], columns: u16) -> Vec<Span<'static>> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for hint in hints {
        let gap = if spans.is_empty() { "" } else { "   " };
        let next = [
            span(Role::Hint, gap.to_owned()),
            span(Role::Key, hint.key.clone()),
            span(Role::Hint, format!(" {}", hint.word)),
        ];
        let needed = width_of(&next);
        if used + needed > columns {
            break;
        }
        used += needed;
        spans.extend(next);
    }
    spans
}

/// Draws the hints at the right of a row.
pub fn draw_right(canvas: &mut Canvas<'_>, row: Rect, hints: &[Hint]) {
    let spans = fitting(hints, row.width);
    canvas.spans_right(row, &spans);
}
