//! What surrounds every screen: header, the line that says why, crumbs and keys, toasts.

pub mod footer;
pub mod header;
pub mod toasts;
pub mod why;

use ratatui::layout::Rect;

/// The parts of the window. They depend on the window and on toggles only, never on data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Empty when the header is hidden.
    pub header: Rect,
    pub body: Rect,
    pub why: Rect,
    pub footer: Rect,
}

/// Divides the window. `header` and `full` are the user's toggles.
pub fn divide(area: Rect, header: bool, full: bool) -> Parts {
    let head = u16::from(header && !full);
    let tail = if full { 1 } else { 2 };
    let body = area.height.saturating_sub(head + tail);
    let line = |y: u16, height: u16| Rect::new(area.x, area.y + y, area.width, height);
    Parts {
        header: line(0, head),
        body: line(head, body),
        why: line(head + body, tail - 1),
        footer: line(head + body + tail - 1, 1),
    }
}
