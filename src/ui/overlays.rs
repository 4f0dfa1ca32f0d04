//! Layers above a screen.

pub mod dialog;
pub mod menu;
pub mod prompt;
pub mod secret;

use crate::app::overlays::Overlay;
use crate::ui::canvas::Canvas;
use crate::ui::chrome::Parts;
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use tui_input::Input;

/// Draws the open overlay; returns how many rows of its list fit.
pub fn draw(canvas: &mut Canvas<'_>, parts: &Parts, overlay: &Overlay) -> u16 {
    match overlay {
        Overlay::Dialog(open) => dialog::draw(canvas, parts.body, open),
        Overlay::Menu(open) => menu::draw_menu(canvas, parts.body, open),
        Overlay::Palette(open) => menu::draw_palette(canvas, parts.body, open),
        Overlay::Prompt(open) => prompt::draw(canvas, parts, open),
        Overlay::Secret(open) => secret::draw(canvas, parts.body, open),
    }
}

/// Draws a line that is being typed, with its cursor; returns the columns used.
fn draw_input(canvas: &mut Canvas<'_>, row: Rect, input: &Input, role: Role) -> u16 {
    let width = usize::from(row.width.saturating_sub(1));
    let hidden = input.visual_scroll(width);
    let shown = text::harmless(input.value()).into_owned();
    let used = canvas.put(row, &text::after_columns(&shown, hidden), role);
    let cursor = input.visual_cursor().saturating_sub(hidden) as u16;
    if cursor < row.width {
        let cell = Rect::new(row.x + cursor, row.y, 1, 1);
        let style = canvas.style(role).add_modifier(Modifier::REVERSED);
        canvas.buffer.set_style(cell, style);
    }
    used.max(cursor.saturating_add(1))
}
