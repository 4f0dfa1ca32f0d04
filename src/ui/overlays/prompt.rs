//! The prompt, on the last line of the window, so that nothing moves while one types.

use crate::app::overlays::{Prompt, PromptKind};
use crate::ui::canvas::{Boxed, Canvas, row_of, span};
use crate::ui::chrome::Parts;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::table::draw_scroll;
use ratatui::layout::Rect;

/// Completions shown at once.
const MOST: usize = 8;

pub(super) fn draw(canvas: &mut Canvas<'_>, parts: &Parts, prompt: &Prompt) -> u16 {
    let row = parts.footer;
    canvas.clear(row, Role::Prompt);
    let sign = match prompt.kind {
        PromptKind::Command => " : ",
        PromptKind::Filter | PromptKind::Search => " / ",
    };
    let used = canvas.put(row, sign, Role::Key);
    let field = Rect::new(row.x + used, row.y, row.width - used, 1);
    let typed = super::draw_input(canvas, field, &prompt.input, Role::Prompt);
    let at_end = prompt.input.cursor() == prompt.input.value().chars().count();
    if at_end && !prompt.ghost.is_empty() {
        draw_ghost(canvas, field, typed, &prompt.ghost);
    }
    if let Some(problem) = &prompt.problem {
        let room = row.width / 2;
        let place = Rect::new(row.right() - room, row.y, room.saturating_sub(1), 1);
        canvas.put_right(place, problem, Role::Error);
    }
    draw_completions(canvas, parts.body, prompt)
}

// The first letter of the ghost is under the cursor.
fn draw_ghost(canvas: &mut Canvas<'_>, field: Rect, typed: u16, ghost: &str) {
    let start = typed.saturating_sub(1).min(field.width);
    let place = Rect::new(field.x + start, field.y, field.width - start, 1);
    canvas.put(place, ghost, Role::Ghost);
    let cell = Rect::new(place.x, place.y, place.width.min(1), 1);
    let style = canvas
        .style(Role::Prompt)
        .add_modifier(ratatui::style::Modifier::REVERSED);
    canvas.buffer.set_style(cell, style);
}

fn draw_completions(canvas: &mut Canvas<'_>, body: Rect, prompt: &Prompt) -> u16 {
    let all = &prompt.completions;
    if all.is_empty() || body.height < 6 {
        return 0;
    }
    let shown = all.len().min(MOST).min(usize::from(body.height) - 4);
    let chosen = prompt.chosen.unwrap_or_default();
    let first = (chosen + 1).saturating_sub(shown);
    let words = all.iter().map(|one| text::width(&one.word)).max();
    let words = words.unwrap_or_default().min(40);
    let about = all.iter().map(|one| text::width(&one.about)).max();
    let width = (words + about.unwrap_or_default().min(40) + 7) as u16;
    let height = shown as u16 + 2;
    let width = width.min(body.width);
    // It covers the line that says why: the list belongs to the prompt below it.
    let area = Rect::new(body.x, body.bottom() + 1 - height, width, height);
    canvas.clear(area, Role::Dialog);
    let boxed = Boxed {
        border: Some(Role::BorderFocus),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    for (line, (at, one)) in all.iter().enumerate().skip(first).take(shown).enumerate() {
        let row = row_of(inside, line as u16);
        let word = text::pad(&text::harmless(&one.word), words);
        canvas.spans(
            row,
            &[
                span(Role::Text, format!(" {word}  ")),
                span(Role::Muted, &*one.about),
            ],
        );
        if prompt.chosen == Some(at) {
            canvas.tint(row, Role::Cursor);
        }
    }
    let edge = Rect::new(inside.right(), inside.y, 1, inside.height);
    draw_scroll(canvas, edge, (first, shown, all.len()));
    shown as u16
}
