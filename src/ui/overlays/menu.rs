//! The menu of all commands for a row, and the palette of all commands.

use crate::app::overlays::{Menu, MenuItem, Palette, PaletteItem};
use crate::ui::canvas::{Boxed, Canvas, Span, centred, row_of, span};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::table::draw_scroll;
use ratatui::layout::Rect;

pub(super) fn draw_menu(canvas: &mut Canvas<'_>, body: Rect, menu: &Menu) -> u16 {
    let titles = menu.items.iter().map(|item| text::width(&item.title)).max();
    let reasons = menu.items.iter().filter_map(|item| item.refused.as_ref());
    let reason = reasons.map(|why| text::width(why) + 2).max();
    let wanted = titles.unwrap_or_default() + reason.unwrap_or_default() + 22;
    let width = (wanted as u16).clamp(36, 76).min(body.width);
    let height = (menu.items.len() as u16 + 2).min(body.height.saturating_sub(2));
    let area = centred(body, width, height);
    canvas.clear(area, Role::Dialog);
    let boxed = Boxed {
        title: vec![span(Role::Title, format!(" {} ", menu.title))],
        border: Some(Role::DialogBorder),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let rows = usize::from(inside.height);
    let items = menu.items.iter().enumerate().skip(menu.cursor.offset);
    for (line, (at, item)) in items.take(rows).enumerate() {
        let row = row_of(inside, line as u16);
        draw_item(canvas, row, item);
        if at == menu.cursor.position {
            canvas.tint(row, Role::Cursor);
        }
    }
    let edge = Rect::new(inside.right(), inside.y, 1, inside.height);
    draw_scroll(canvas, edge, (menu.cursor.offset, rows, menu.items.len()));
    inside.height
}

fn draw_item(canvas: &mut Canvas<'_>, row: Rect, item: &MenuItem) {
    let letter = item.letter.map_or_else(|| " ".to_owned(), String::from);
    let (letter_role, title_role) = if item.refused.is_some() {
        (Role::Muted, Role::Muted)
    } else {
        (Role::Key, Role::Text)
    };
    let mut spans = vec![
        span(letter_role, format!(" {letter}  ")),
        span(title_role, &*item.title),
    ];
    if let Some(why) = &item.refused {
        spans.push(span(Role::Muted, format!("  {why}")));
    }
    let used = canvas.spans(row, &spans);
    let rest = Rect::new(row.x + used, row.y, row.width.saturating_sub(used + 1), 1);
    if item.refused.is_none() && usize::from(rest.width) > text::width(&item.key) {
        canvas.put_right(rest, &item.key, Role::Muted);
    }
}

pub(super) fn draw_palette(canvas: &mut Canvas<'_>, body: Rect, palette: &Palette) -> u16 {
    let width = 72.min(body.width);
    let height = 18.min(body.height.saturating_sub(2)).max(5);
    let mut area = centred(body, width, height);
    area.y = body.y + (area.y - body.y) / 2;
    canvas.clear(area, Role::Dialog);
    let boxed = Boxed {
        title: vec![span(Role::Title, " All commands ")],
        border: Some(Role::DialogBorder),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let used = canvas.put(row_of(inside, 0), " > ", Role::Key);
    let field = Rect::new(inside.x + used, inside.y, inside.width - used, 1);
    super::draw_input(canvas, field, &palette.input, Role::Prompt);
    let list = Rect::new(
        inside.x,
        inside.y + 1,
        inside.width,
        inside.height.saturating_sub(1),
    );
    if palette.items.is_empty() {
        canvas.put(row_of(list, 1), "   No command matches.", Role::Muted);
        return list.height;
    }
    let rows = usize::from(list.height);
    let items = palette.items.iter().enumerate();
    for (line, (at, item)) in items.skip(palette.cursor.offset).take(rows).enumerate() {
        let row = row_of(list, line as u16);
        let used = canvas.spans(row, &palette_line(item));
        let rest = Rect::new(row.x + used, row.y, row.width.saturating_sub(used + 1), 1);
        canvas.put_right(rest, &item.key, Role::Muted);
        if at == palette.cursor.position {
            canvas.tint(row, Role::Cursor);
        }
    }
    let edge = Rect::new(list.right(), list.y, 1, list.height);
    draw_scroll(
        canvas,
        edge,
        (palette.cursor.offset, rows, palette.items.len()),
    );
    list.height
}

fn palette_line(item: &PaletteItem) -> Vec<Span<'static>> {
    let mut spans = vec![span(Role::Text, "   ")];
    for (at, letter) in item.title.chars().enumerate() {
        let role = if item.matched.contains(&(at as u32)) {
            Role::Key
        } else {
            Role::Text
        };
        spans.push(span(role, letter.to_string()));
    }
    spans
}
