//! A table that builds only the rows that are visible.
//!
//! Column widths follow from the columns and the window alone, so that nothing jumps when data
//! changes. Columns leave in the order of their priority when the window is narrow; those of
//! priority 0 never do.

use crate::ui::canvas::{Canvas, Span, row_of};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::layout::Rect;
use std::borrow::Cow;

/// Columns between two columns.
const GAP: u16 = 2;
/// Columns for the cursor or the mark.
pub const MARGIN: u16 = 2;

/// Which way a column sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    pub title: Cow<'a, str>,
    pub min: u16,
    /// What the column may grow to when there is room.
    pub max: u16,
    /// 0 never leaves; the highest leaves first.
    pub priority: u8,
    /// Right-aligned, as numbers and ages are.
    pub right: bool,
    pub sort: Option<Direction>,
}

impl<'a> Column<'a> {
    /// Builds a column that keeps one width.
    pub fn fixed(title: impl Into<Cow<'a, str>>, width: u16, priority: u8) -> Self {
        Self::flexible(title, (width, width), priority)
    }

    /// Builds a column that grows from a least to a greatest width.
    pub fn flexible(title: impl Into<Cow<'a, str>>, (min, max): (u16, u16), priority: u8) -> Self {
        Self {
            title: title.into(),
            min,
            max: max.max(min),
            priority,
            right: false,
            sort: None,
        }
    }

    /// Aligns to the right.
    #[must_use]
    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// Shows that the table is sorted by this column.
    #[must_use]
    pub fn sorted(mut self, sort: Option<Direction>) -> Self {
        self.sort = sort;
        self
    }
}

/// Returns the width of each column; 0 for one that has to leave.
pub fn widths(columns: &[Column<'_>], available: u16) -> Vec<u16> {
    let room = available.saturating_sub(MARGIN);
    let mut shown: Vec<bool> = vec![true; columns.len()];
    while total(columns, &shown) > room {
        let leaver = columns
            .iter()
            .enumerate()
            .filter(|(at, column)| column.priority > 0 && shown.get(*at) == Some(&true))
            .max_by_key(|(_, column)| column.priority);
        match leaver {
            Some((at, _)) => {
                if let Some(place) = shown.get_mut(at) {
                    *place = false;
                }
            }
            None => break,
        }
    }
    let mut widths: Vec<u16> = columns
        .iter()
        .zip(&shown)
        .map(|(column, shown)| if *shown { column.min } else { 0 })
        .collect();
    shrink(&mut widths, total(columns, &shown).saturating_sub(room));
    grow(
        columns,
        &mut widths,
        room.saturating_sub(total(columns, &shown)),
    );
    widths
}

fn total(columns: &[Column<'_>], shown: &[bool]) -> u16 {
    let visible = columns.iter().zip(shown).filter(|(_, shown)| **shown);
    let sum: u16 = visible.map(|(column, _)| column.min + GAP).sum();
    sum.saturating_sub(GAP)
}

// The first column carries the name; it gives when even the columns that stay are too many.
fn shrink(widths: &mut [u16], excess: u16) {
    if let Some(first) = widths.first_mut() {
        *first = first.saturating_sub(excess).max(4);
    }
}

fn grow(columns: &[Column<'_>], widths: &mut [u16], mut spare: u16) {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|at| columns.get(*at).map_or(0, |column| column.priority));
    // First half of what a column could use, then the rest: all breathe before one is full.
    for share in [2, 1] {
        for at in &order {
            let (Some(column), Some(width)) = (columns.get(*at), widths.get_mut(*at)) else {
                continue;
            };
            if *width == 0 {
                continue;
            }
            let wanted = (column.max.saturating_sub(*width)).div_ceil(share);
            let given = wanted.min(spare);
            *width += given;
            spare -= given;
        }
    }
}

/// A column with its place in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot<'a> {
    pub title: Cow<'a, str>,
    /// Columns from the left edge of the table, the margin included.
    pub x: u16,
    /// 0 when the column is hidden.
    pub width: u16,
    pub right: bool,
    pub sort: Option<Direction>,
}

/// Places columns in a width.
pub fn slots(columns: Vec<Column<'_>>, available: u16) -> Vec<Slot<'_>> {
    // One column stays free before the border.
    let widths = widths(&columns, available.saturating_sub(1));
    let mut x = MARGIN;
    columns
        .into_iter()
        .zip(widths)
        .map(|(column, width)| {
            let slot = Slot {
                title: column.title,
                x,
                width,
                right: column.right,
                sort: column.sort,
            };
            if width > 0 {
                x += width + GAP;
            }
            slot
        })
        .collect()
}

/// What a table shows.
#[derive(Debug)]
pub struct Table<'a> {
    pub slots: &'a [Slot<'a>],
    /// The slot that the cursor bar reaches to.
    pub name: usize,
    /// All rows, visible or not.
    pub len: usize,
    /// The first visible row.
    pub offset: usize,
    pub cursor: Option<usize>,
}

/// Draws the cells of one row.
#[derive(Debug)]
pub struct RowPainter<'p, 'c> {
    canvas: &'p mut Canvas<'c>,
    slots: &'p [Slot<'p>],
    row: Rect,
}

impl RowPainter<'_, '_> {
    /// Returns whether a column is shown; nothing needs to be made for one that is not.
    pub fn shows(&self, column: usize) -> bool {
        self.slots.get(column).is_some_and(|slot| slot.width > 0)
    }

    /// Returns the width of a column.
    pub fn width(&self, column: usize) -> usize {
        self.slots
            .get(column)
            .map_or(0, |slot| usize::from(slot.width))
    }

    /// Draws a cell.
    pub fn text(&mut self, column: usize, content: &str, role: Role) {
        let Some(area) = self.area(column) else {
            return;
        };
        if self.slots.get(column).is_some_and(|slot| slot.right) {
            self.canvas.put_right(area, content, role);
        } else {
            self.canvas.put(area, content, role);
        }
    }

    /// Draws a cell of several meanings.
    pub fn spans(&mut self, column: usize, spans: &[Span<'_>]) {
        let Some(area) = self.area(column) else {
            return;
        };
        if self.slots.get(column).is_some_and(|slot| slot.right) {
            self.canvas.spans_right(area, spans);
        } else {
            self.canvas.spans(area, spans);
        }
    }

    /// Draws the mark of a row that was chosen for a bulk intent.
    pub fn mark(&mut self) {
        let area = Rect::new(self.row.x, self.row.y, 1, 1);
        self.canvas.put(area, glyph::MARK, Role::Mark);
    }

    fn area(&self, column: usize) -> Option<Rect> {
        let slot = self.slots.get(column).filter(|slot| slot.width > 0)?;
        let room = self.row.width.saturating_sub(slot.x);
        let width = slot.width.min(room);
        Some(Rect::new(self.row.x + slot.x, self.row.y, width, 1))
    }
}

impl Table<'_> {
    /// Draws the header and the visible rows; `draw_row` is called for those only. Returns how
    /// many rows fit.
    pub fn draw(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        mut draw_row: impl FnMut(usize, &mut RowPainter<'_, '_>),
    ) -> usize {
        if area.height < 2 {
            return 0;
        }
        self.draw_header(canvas, row_of(area, 0));
        let room = usize::from(area.height - 1);
        for line in 0..room {
            let index = self.offset + line;
            if index >= self.len {
                break;
            }
            let row = row_of(area, line as u16 + 1);
            let mut painter = RowPainter {
                canvas: &mut *canvas,
                slots: self.slots,
                row,
            };
            draw_row(index, &mut painter);
            if self.cursor == Some(index) {
                self.draw_cursor(canvas, row);
            }
        }
        self.draw_scroll(canvas, area, room);
        room
    }

    fn draw_header(&self, canvas: &mut Canvas<'_>, row: Rect) {
        let mut painter = RowPainter {
            canvas,
            slots: self.slots,
            row,
        };
        for (at, column) in self.slots.iter().enumerate() {
            match column.sort {
                None => painter.text(at, &column.title, Role::Header),
                Some(direction) => {
                    let arrow = match direction {
                        Direction::Ascending => glyph::NEWER,
                        Direction::Descending => glyph::DESCENDING,
                    };
                    let room = painter.width(at).saturating_sub(1);
                    let title = text::fit(&column.title, room);
                    painter.text(at, &format!("{title}{arrow}"), Role::Sort);
                }
            }
        }
    }

    // The bar covers the name, not the whole row: what follows keeps the colours of its states,
    // and moving the cursor over a slow line costs a quarter of the bytes.
    fn draw_cursor(&self, canvas: &mut Canvas<'_>, row: Rect) {
        let reach = self
            .slots
            .get(self.name)
            .map_or(MARGIN, |slot| slot.x + slot.width);
        let bar = Rect::new(row.x, row.y, reach.min(row.width), 1);
        let marked = canvas
            .buffer
            .cell((row.x, row.y))
            .is_some_and(|cell| cell.symbol() == glyph::MARK);
        if !marked {
            canvas.put(Rect::new(row.x, row.y, 1, 1), glyph::CURSOR, Role::Accent);
        }
        canvas.tint(bar, Role::Cursor);
    }

    // One cell on the right edge says where the window is; nothing when everything fits.
    fn draw_scroll(&self, canvas: &mut Canvas<'_>, area: Rect, room: usize) {
        draw_scroll(
            canvas,
            Rect::new(area.right(), area.y + 1, 1, area.height - 1),
            (self.offset, room, self.len),
        );
    }
}

/// Draws a thumb on a vertical edge for (first visible, visible, all); nothing when all fits.
pub fn draw_scroll(
    canvas: &mut Canvas<'_>,
    edge: Rect,
    (offset, visible, all): (usize, usize, usize),
) {
    if all <= visible || edge.height == 0 {
        return;
    }
    let height = usize::from(edge.height);
    let size = (height * visible / all).clamp(1, height);
    let travel = height - size;
    let hidden = all - visible;
    let start = (offset.min(hidden) * travel + hidden / 2) / hidden;
    for line in start..start + size {
        let cell = Rect::new(edge.x, edge.y + line as u16, 1, 1);
        canvas.put(cell, "┃", Role::BorderFocus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column<'static>> {
        vec![
            Column::flexible("NAME", (16, 40), 0),
            Column::fixed("SYNC", 14, 0),
            Column::fixed("HEALTH", 13, 0),
            Column::flexible("PROJECT", (8, 16), 4),
            Column::fixed("AGE", 4, 2).right(),
        ]
    }

    #[test]
    fn narrow_window_keeps_columns_of_priority_zero() {
        assert_eq!(widths(&columns(), 50), [17, 14, 13, 0, 0]);
        let narrow = widths(&columns(), 40);
        assert_eq!(narrow.get(1..), Some(&[14, 13, 0, 0][..]));
    }

    #[test]
    fn widths_never_exceed_the_window_when_it_is_wide_enough() {
        for available in 50..220 {
            let widths = widths(&columns(), available);
            let gaps = widths.iter().filter(|width| **width > 0).count() as u16 - 1;
            let sum: u16 = widths.iter().sum::<u16>() + gaps * GAP + MARGIN;
            assert!(sum <= available, "{available}: {widths:?}");
        }
    }

    #[test]
    fn wide_window_gives_every_column_what_it_can_use() {
        assert_eq!(widths(&columns(), 200), [40, 14, 13, 16, 4]);
    }
}
