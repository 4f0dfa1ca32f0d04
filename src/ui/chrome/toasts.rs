//! Short messages above the lower right corner. They cover, and never move, what is below.

use crate::app::overlays::{Toast, ToastKind};
use crate::ui::canvas::{Boxed, Canvas, row_of, span};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::layout::Rect;

/// Draws the messages above the lower edge of an area, the newest at the bottom.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, toasts: &[Toast]) {
    let mut bottom = area.bottom();
    for toast in toasts.iter().rev() {
        let width = area.width.saturating_sub(4).min(64);
        if width < 20 {
            return;
        }
        let lines = lines_of(toast, usize::from(width) - 6);
        let height = lines.len() as u16 + 2;
        if bottom < area.y + height {
            return;
        }
        let place = Rect::new(area.right() - width - 1, bottom - height, width, height);
        draw_one(canvas, place, toast, &lines);
        bottom -= height;
    }
}

fn lines_of(toast: &Toast, columns: usize) -> Vec<(String, Role)> {
    let wrapped = |content: &str, role: Role| -> Vec<(String, Role)> {
        let lines = text::wrap(&text::harmless(content), columns);
        lines.into_iter().take(4).map(|line| (line, role)).collect()
    };
    let mut lines = wrapped(&toast.text, Role::Toast);
    if let Some(hint) = &toast.hint {
        lines.extend(wrapped(hint, Role::Muted));
    }
    lines
}

fn draw_one(canvas: &mut Canvas<'_>, place: Rect, toast: &Toast, lines: &[(String, Role)]) {
    let (symbol, role, border) = match toast.kind {
        ToastKind::Note => (glyph::HEALTHY, Role::Info, Role::BorderFocus),
        ToastKind::Done => (glyph::SYNCED, Role::Healthy, Role::Healthy),
        ToastKind::Trouble => (glyph::DEGRADED, Role::Error, Role::Degraded),
    };
    canvas.clear(place, Role::Dialog);
    let boxed = Boxed {
        border: Some(border),
        ..Boxed::default()
    };
    let inside = canvas.boxed(place, &boxed);
    for (at, (line, line_role)) in lines.iter().enumerate() {
        let row = row_of(inside, at as u16);
        let lead = if at == 0 { symbol } else { " " };
        canvas.spans(
            row,
            &[
                span(role, format!(" {lead} ")),
                span(*line_role, line.clone()),
            ],
        );
    }
}
