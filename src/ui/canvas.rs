//! Where screens draw: a buffer, a theme, and the only ways to put text into cells.
//!
//! Every text goes through [`text::harmless`] here, so that no screen can forget it; also that of
//! a library's widget, which takes its lines from [`Canvas::line`].

use super::text::{self, is_single};
use super::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span as Piece};
use std::borrow::Cow;

/// A piece of text with a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    pub text: Cow<'a, str>,
    pub role: Role,
}

/// Builds a [`Span`].
pub fn span<'a>(role: Role, text: impl Into<Cow<'a, str>>) -> Span<'a> {
    Span {
        text: text.into(),
        role,
    }
}

/// Returns the columns that spans take together.
pub fn width_of(spans: &[Span<'_>]) -> u16 {
    let columns: usize = spans
        .iter()
        .map(|span| text::width(&text::harmless(&span.text)))
        .sum();
    columns as u16
}

/// A buffer with a theme.
#[derive(Debug)]
pub struct Canvas<'a> {
    pub buffer: &'a mut Buffer,
    pub theme: &'a Theme,
}

/// A box around what belongs together.
#[derive(Clone, Debug, Default)]
pub struct Boxed<'a> {
    pub title: Vec<Span<'a>>,
    /// At the right end of the upper edge.
    pub corner: Vec<Span<'a>>,
    /// On the lower edge.
    pub foot: Vec<Span<'a>>,
    pub border: Option<Role>,
}

impl Canvas<'_> {
    /// Returns the style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Writes text at the left of a row, cut with `…`; returns the columns used.
    pub fn put(&mut self, row: Rect, content: &str, role: Role) -> u16 {
        let style = self.style(role);
        self.put_styled(row, content, style)
    }

    /// As [`Canvas::put`], with a style.
    pub fn put_styled(&mut self, row: Rect, content: &str, style: Style) -> u16 {
        let row = row.intersection(self.buffer.area);
        if row.is_empty() {
            return 0;
        }
        let content = text::harmless(content);
        let content = text::fit(&content, usize::from(row.width));
        let style = whole(style);
        let (used, rest) = self.put_singles(row, &content, style);
        if rest.is_empty() {
            return used;
        }
        let columns = usize::from(row.width - used);
        let (end, _) = self
            .buffer
            .set_stringn(row.x + used, row.y, rest, columns, style);
        end - row.x
    }

    /// Writes the letters of a text that are a column each without looking for graphemes, which
    /// is what most of a frame would be spent on. The last of them is left out when something
    /// follows that may combine with it. Returns the columns used, and what is left to write.
    fn put_singles<'t>(&mut self, row: Rect, content: &'t str, style: Style) -> (u16, &'t str) {
        let start = self.buffer.index_of(row.x, row.y);
        let cells = self.buffer.content.get_mut(start..).unwrap_or_default();
        let mut used = 0;
        let mut letters = content.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let combines = letters.peek().is_some_and(|(_, next)| !is_single(*next));
            if !is_single(letter) || combines {
                return (used, content.get(at..).unwrap_or_default());
            }
            if let Some(cell) = cells.get_mut(usize::from(used)) {
                // Most of a row is blank, and most cells are before they are written.
                if letter != ' ' || cell.symbol().as_bytes() != b" " {
                    cell.set_char(letter);
                }
                cell.set_style(style);
            }
            used += 1;
        }
        (used, "")
    }

    /// Writes text at the right of a row, cut with `…`; returns the columns used.
    pub fn put_right(&mut self, row: Rect, content: &str, role: Role) -> u16 {
        let content = text::harmless(content);
        let columns = (text::width(&content) as u16).min(row.width);
        let start = row.x + row.width - columns;
        self.put(Rect::new(start, row.y, columns, 1), &content, role)
    }

    /// Writes spans one after the other; returns the columns used.
    pub fn spans(&mut self, row: Rect, spans: &[Span<'_>]) -> u16 {
        let mut used = 0;
        for span in spans {
            let rest = Rect::new(row.x + used, row.y, row.width - used, 1);
            used += self.put(rest, &span.text, span.role);
        }
        used
    }

    /// Writes spans at the right of a row; returns the columns used.
    pub fn spans_right(&mut self, row: Rect, spans: &[Span<'_>]) -> u16 {
        let columns = width_of(spans).min(row.width);
        let start = row.x + row.width - columns;
        self.spans(Rect::new(start, row.y, columns, 1), spans)
    }

    /// Builds a line for a library's widget, cut with `…`.
    pub fn line(&self, spans: &[Span<'_>], columns: usize) -> Line<'static> {
        let mut room = columns;
        let pieces = spans.iter().map(|span| {
            let content = text::harmless(&span.text);
            let content = text::fit(&content, room).into_owned();
            room -= text::width(&content).min(room);
            Piece::styled(content, whole(self.style(span.role)))
        });
        pieces.collect()
    }

    /// Lets a library's widget draw into an area that is empty so far, and no further.
    pub fn widget(&mut self, area: Rect, render: impl FnOnce(Rect, &mut Buffer)) {
        let area = area.intersection(self.buffer.area);
        let mut drawn = Buffer::empty(area);
        render(area, &mut drawn);
        for position in area.positions() {
            if let (Some(to), Some(from)) = (self.buffer.cell_mut(position), drawn.cell(position)) {
                to.clone_from(from);
            }
        }
    }

    /// Lays a style over an area.
    pub fn tint(&mut self, area: Rect, role: Role) {
        let style = self.style(role);
        self.buffer
            .set_style(area.intersection(self.buffer.area), style);
    }

    /// Empties an area, for what is drawn above it.
    pub fn clear(&mut self, area: Rect, role: Role) {
        let style = self.style(role);
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            self.unwiden(area.x, y);
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
        }
    }

    // A wide character that reaches into an area from the left would push its first column.
    fn unwiden(&mut self, x: u16, y: u16) {
        let Some(before) = x.checked_sub(1) else {
            return;
        };
        if let Some(cell) = self.buffer.cell_mut((before, y))
            && text::width(cell.symbol()) > 1
        {
            cell.set_symbol(" ");
        }
    }

    /// Draws a box and returns what is inside.
    pub fn boxed(&mut self, area: Rect, boxed: &Boxed<'_>) -> Rect {
        if area.width < 4 || area.height < 3 {
            return area;
        }
        let role = boxed.border.unwrap_or(Role::Border);
        let line = "─".repeat(usize::from(area.width - 2));
        let top = Rect::new(area.x, area.y, area.width, 1);
        let bottom = Rect::new(area.x, area.bottom() - 1, area.width, 1);
        self.put(top, &format!("┌{line}┐"), role);
        self.put(bottom, &format!("└{line}┘"), role);
        for y in area.y + 1..area.bottom() - 1 {
            self.put(Rect::new(area.x, y, 1, 1), "│", role);
            self.put(Rect::new(area.right() - 1, y, 1, 1), "│", role);
        }
        let edge = |row: Rect| Rect::new(row.x + 1, row.y, row.width - 2, 1);
        let used = if boxed.title.is_empty() {
            0
        } else {
            self.spans(edge(top), &boxed.title)
        };
        if !boxed.corner.is_empty() && used + width_of(&boxed.corner) + 2 < area.width {
            self.spans_right(edge(top), &boxed.corner);
        }
        if !boxed.foot.is_empty() {
            self.spans(edge(bottom), &boxed.foot);
        }
        Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
    }
}

/// Says everything but the background, so that nothing shines through from what was there before.
fn whole(style: Style) -> Style {
    Style {
        fg: style.fg.or(Some(Color::Reset)),
        sub_modifier: Modifier::all() - style.add_modifier,
        ..style
    }
}

/// Returns the n-th row of an area; empty when there is none.
pub fn row_of(area: Rect, index: u16) -> Rect {
    if index < area.height {
        Rect::new(area.x, area.y + index, area.width, 1)
    } else {
        Rect::new(area.x, area.bottom(), 0, 0)
    }
}

/// Returns an area without its first columns.
pub fn indented(area: Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    Rect::new(area.x + columns, area.y, area.width - columns, area.height)
}

/// Returns an area of a size in the middle of another.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 2,
        width,
        height,
    )
}
