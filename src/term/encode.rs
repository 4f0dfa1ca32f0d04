//! The fewest bytes that turn what is on the terminal into the next frame.
//!
//! Three things cost most over a slow line, and each has an answer here: rows that only moved are
//! moved by the terminal (insert and delete line within margins, as every terminal since the
//! VT102 can), a colour is named only when it changes, and blanks are erased by count. The
//! terminal is left with default colours and full margins after each frame.

use crate::ui::theme::colour::sgr;
use foldhash::fast::FixedState;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hasher as _};
use unicode_width::UnicodeWidthStr;

/// Fewer rows than this are cheaper to write again than to move.
const WORTH_MOVING: usize = 5;
/// Blanks in a row from which erasing them is shorter than writing them.
const WORTH_ERASING: usize = 12;
/// A gap up to this many cells is written again rather than jumped over.
const SMALL_GAP: u16 = 3;

/// Returns the bytes that turn `shown` into `next`; `shown` may be changed on the way.
pub(super) fn encode(shown: &mut Buffer, next: &Buffer) -> String {
    let mut out = Encoder::default();
    let mut changed = changed_rows(shown, next);
    if let Some(shift) = shift_between(shown, next, &changed) {
        out.shift(shift);
        apply(shown, shift);
        changed = changed_rows(shown, next);
    }
    forget_wide_rows(shown, &changed);
    let changes = changes(shown, next, &changed);
    let mut at = 0;
    while let Some((x, y, cell)) = changes.get(at) {
        let blanks = blank_run(changes.get(at..).unwrap_or_default());
        if blanks >= WORTH_ERASING {
            out.go(*x, *y, next);
            out.erase(blanks);
            at += blanks;
        } else {
            out.go(*x, *y, next);
            out.cell(cell);
            at += 1;
        }
    }
    out.finish()
}

/// Rows that move together: `top..bottom` by `by` rows, upwards when positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shift {
    top: u16,
    bottom: u16,
    by: i32,
}

/// Finds the move that brings most rows of `shown` to where `next` has them.
fn shift_between(shown: &Buffer, next: &Buffer, changed: &[u16]) -> Option<Shift> {
    let moved = |y: &&u16| content(shown, **y) != content(next, **y);
    if changed.len() < WORTH_MOVING || changed.iter().filter(moved).count() < WORTH_MOVING {
        return None;
    }
    let old: Vec<u64> = (0..shown.area.height).map(|y| row_hash(shown, y)).collect();
    let new: Vec<u64> = (0..next.area.height).map(|y| row_hash(next, y)).collect();
    let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
    for (y, hash) in old.iter().enumerate() {
        places.entry(*hash).or_default().push(y);
    }
    let mut moved: HashMap<i32, Vec<usize>> = HashMap::new();
    for (y, hash) in new.iter().enumerate() {
        if old.get(y) == Some(hash) {
            continue;
        }
        // Rows that look alike (blank ones) say nothing about where they came from.
        if let Some([from]) = places.get(hash).map(Vec::as_slice) {
            let by = *from as i32 - y as i32;
            moved.entry(by).or_default().push(y);
        }
    }
    let (by, rows) = moved
        .into_iter()
        .max_by_key(|(by, rows)| (rows.len(), -by.abs()))?;
    if rows.len() < WORTH_MOVING {
        return None;
    }
    let first = i32::try_from(*rows.first()?).ok()?;
    let last = i32::try_from(*rows.last()?).ok()?;
    let top = first.min(first + by);
    let bottom = (last + 1).max(last + 1 + by);
    Some(Shift {
        top: u16::try_from(top).ok()?,
        bottom: u16::try_from(bottom).ok()?,
        by,
    })
}

/// Returns the rows that differ: nothing else is looked at again.
fn changed_rows(shown: &Buffer, next: &Buffer) -> Vec<u16> {
    (0..next.area.height)
        .filter(|y| {
            let mut cells = row(shown, *y).iter().zip(row(next, *y));
            !cells.all(|(old, new)| is_same(old, new))
        })
        .collect()
}

/// Whether two cells look alike. Every cell of every frame is compared here, and nearly all of
/// them hold one byte: comparing those as text costs four times as much.
fn is_same(old: &Cell, new: &Cell) -> bool {
    let symbols = match (old.symbol().as_bytes(), new.symbol().as_bytes()) {
        ([old], [new]) => old == new,
        (old, new) => old == new,
    };
    symbols && old.fg == new.fg && old.bg == new.bg && old.modifier == new.modifier
}

/// Returns the cells to write. Of a wide character that is its first one: the terminal puts it
/// over the next column by itself.
fn changes<'next>(
    shown: &Buffer,
    next: &'next Buffer,
    changed: &[u16],
) -> Vec<(u16, u16, &'next Cell)> {
    let mut changes = Vec::new();
    for y in changed {
        let mut covered = 0;
        for (x, (old, new)) in (0..).zip(row(shown, *y).iter().zip(row(next, *y))) {
            if x < covered {
                continue;
            }
            covered = x + columns_of(new);
            if !is_same(old, new) {
                changes.push((x, *y, new));
            }
        }
    }
    changes
}

/// What a row says, without its colours: where it is taken for another, the cells that differ are
/// written after it has moved.
fn row_hash(buffer: &Buffer, y: u16) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    for cell in content(buffer, y) {
        hasher.write(cell.symbol().as_bytes());
    }
    hasher.finish()
}

/// The cells of a row without the last two, which hold the border with its thumb: it does not
/// move with the rows.
fn content(buffer: &Buffer, y: u16) -> &[Cell] {
    let cells = row(buffer, y);
    cells
        .get(..cells.len().saturating_sub(2))
        .unwrap_or_default()
}

fn row(buffer: &Buffer, y: u16) -> &[Cell] {
    let width = usize::from(buffer.area.width);
    let start = usize::from(y) * width;
    buffer.content.get(start..start + width).unwrap_or_default()
}

/// Does to the buffer what [`Encoder::shift`] does to the terminal.
fn apply(buffer: &mut Buffer, shift: Shift) {
    let width = usize::from(buffer.area.width);
    let range = usize::from(shift.top) * width..usize::from(shift.bottom) * width;
    let Some(cells) = buffer.content.get_mut(range) else {
        return;
    };
    let distance = (shift.by.unsigned_abs() as usize * width).min(cells.len());
    let kept = cells.len() - distance;
    if shift.by > 0 {
        cells.rotate_left(distance);
        cells.iter_mut().skip(kept).for_each(Cell::reset);
    } else {
        cells.rotate_right(distance);
        cells.iter_mut().take(distance).for_each(Cell::reset);
    }
}

// What is left of a wide character after half of it was overwritten differs between terminals:
// a row that had one and changes is written whole.
fn forget_wide_rows(shown: &mut Buffer, changed: &[u16]) {
    let width = usize::from(shown.area.width);
    for y in changed {
        let start = usize::from(*y) * width;
        let Some(cells) = shown.content.get_mut(start..start + width) else {
            continue;
        };
        if cells.iter().any(|cell| columns_of(cell) > 1) {
            for cell in cells {
                cell.set_symbol("\u{10FFFD}");
            }
        }
    }
}

fn columns_of(cell: &Cell) -> u16 {
    let symbol = cell.symbol();
    if symbol.len() == 1 {
        return 1;
    }
    symbol.width().max(1) as u16
}

/// Counts the blank changes without colour that follow each other in one row.
fn blank_run(changes: &[(u16, u16, &Cell)]) -> usize {
    let Some((x, y, _)) = changes.first() else {
        return 0;
    };
    changes
        .iter()
        .zip(*x..)
        .take_while(|((at, line, cell), expected)| at == expected && line == y && is_blank(cell))
        .count()
}

fn is_blank(cell: &Cell) -> bool {
    let visible = Modifier::REVERSED | Modifier::UNDERLINED | Modifier::CROSSED_OUT;
    cell.symbol() == " " && cell.bg == Color::Reset && !cell.modifier.intersects(visible)
}

/// What the terminal is set to, and what has been written for it.
#[derive(Debug, Default)]
struct Encoder {
    out: String,
    /// Where the next character goes; unknown after a jump or at the right edge.
    place: Option<(u16, u16)>,
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Encoder {
    fn say(&mut self, sequence: std::fmt::Arguments<'_>) {
        // Writing into a String cannot be refused.
        let _written = self.out.write_fmt(sequence).is_ok();
    }

    fn shift(&mut self, shift: Shift) {
        let (top, bottom) = (shift.top + 1, shift.bottom);
        let count = shift.by.unsigned_abs();
        let verb = if shift.by > 0 { 'M' } else { 'L' };
        self.say(format_args!(
            "\u{1b}[{top};{bottom}r\u{1b}[{top}H\u{1b}[{count}{verb}\u{1b}[r"
        ));
        self.place = None;
    }

    /// Moves to a cell, over a small gap by writing what is there.
    fn go(&mut self, x: u16, y: u16, next: &Buffer) {
        match self.place {
            Some((at, line)) if line == y && at == x => {}
            Some((at, line)) if line == y && at < x => {
                let gap = x - at;
                if gap <= SMALL_GAP && self.can_rewrite((at, x), y, next) {
                    for column in at..x {
                        if let Some(cell) = next.cell((column, y)) {
                            self.cell(cell);
                        }
                    }
                } else {
                    self.say(format_args!("\u{1b}[{gap}C"));
                }
            }
            Some(_) | None => self.say(format_args!("\u{1b}[{};{}H", y + 1, x + 1)),
        }
        self.place = Some((x, y));
    }

    fn can_rewrite(&self, (from, to): (u16, u16), y: u16, next: &Buffer) -> bool {
        (from..to).all(|x| {
            next.cell((x, y)).is_some_and(|cell| {
                cell.symbol().is_ascii()
                    && cell.bg == self.bg
                    && cell.modifier == self.modifier
                    && (cell.fg == self.fg || cell.symbol() == " ")
            })
        })
    }

    fn erase(&mut self, blanks: usize) {
        self.look(Color::Reset, Color::Reset, Modifier::empty());
        self.say(format_args!("\u{1b}[{blanks}X"));
    }

    fn cell(&mut self, cell: &Cell) {
        // The colour of a blank's letter is never seen.
        let fg = if cell.symbol() == " " && !cell.modifier.intersects(Modifier::REVERSED) {
            self.fg
        } else {
            cell.fg
        };
        self.look(fg, cell.bg, cell.modifier);
        self.out.push_str(cell.symbol());
        let columns = columns_of(cell);
        self.place = self.place.map(|(x, y)| (x + columns, y));
    }

    /// Sets colours and weight, naming what changes only.
    fn look(&mut self, fg: Color, bg: Color, modifier: Modifier) {
        let mut codes: Vec<String> = Vec::new();
        let gone = self.modifier - modifier;
        if !gone.is_empty() {
            codes.push(String::new());
            (self.fg, self.bg, self.modifier) = (Color::Reset, Color::Reset, Modifier::empty());
        }
        for (one, code) in WEIGHTS {
            if modifier.contains(one) && !self.modifier.contains(one) {
                codes.push(code.to_owned());
            }
        }
        if fg != self.fg {
            codes.push(sgr(fg, 30).unwrap_or_else(|| "39".to_owned()));
        }
        if bg != self.bg {
            codes.push(sgr(bg, 40).unwrap_or_else(|| "49".to_owned()));
        }
        (self.fg, self.bg, self.modifier) = (fg, bg, modifier);
        if codes.is_empty() {
            return;
        }
        let plain = fg == Color::Reset && bg == Color::Reset && modifier.is_empty();
        if plain {
            self.out.push_str("\u{1b}[m");
        } else {
            self.say(format_args!("\u{1b}[{}m", codes.join(";")));
        }
    }

    fn finish(mut self) -> String {
        self.look(Color::Reset, Color::Reset, Modifier::empty());
        self.out
    }
}

const WEIGHTS: [(Modifier, &str); 6] = [
    (Modifier::BOLD, "1"),
    (Modifier::DIM, "2"),
    (Modifier::ITALIC, "3"),
    (Modifier::UNDERLINED, "4"),
    (Modifier::REVERSED, "7"),
    (Modifier::CROSSED_OUT, "9"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    const SIZE: (u16, u16) = (40, 14);

    fn blank() -> Buffer {
        Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1))
    }

    fn numbered(from: usize) -> Buffer {
        let mut buffer = blank();
        for y in 1..SIZE.1 - 1 {
            let text = format!("row {:03} some more text", from + usize::from(y));
            buffer.set_string(0, y, text, Style::new().fg(Color::Indexed(70)));
        }
        buffer
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the frames of this test have no other colours"
    )]
    fn colour_of(colour: Color) -> vt100::Color {
        match colour {
            Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
            Color::Indexed(index) => vt100::Color::Idx(index),
            _ => vt100::Color::Default,
        }
    }

    #[allow(clippy::expect_used, reason = "a test helper")]
    fn assert_shows(parser: &vt100::Parser, wanted: &Buffer) {
        for y in 0..SIZE.1 {
            let mut skip = 0;
            for x in 0..SIZE.0 {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let cell = wanted.cell((x, y)).expect("inside");
                let got = parser.screen().cell(y, x).expect("inside");
                let text = if got.contents().is_empty() {
                    " "
                } else {
                    got.contents()
                };
                assert_eq!(text, cell.symbol(), "at {x},{y}");
                assert_eq!(got.bgcolor(), colour_of(cell.bg), "background at {x},{y}");
                if cell.symbol() != " " {
                    assert_eq!(got.fgcolor(), colour_of(cell.fg), "colour at {x},{y}");
                    assert_eq!(got.bold(), cell.modifier.contains(Modifier::BOLD));
                }
                skip = columns_of(cell) - 1;
            }
        }
    }

    #[allow(clippy::expect_used, reason = "a test helper")]
    fn terminal() -> vt100::Parser {
        let rows = std::num::NonZeroU16::new(SIZE.1).expect("rows");
        let columns = std::num::NonZeroU16::new(SIZE.0).expect("columns");
        vt100::Parser::new(rows, columns, 0)
    }

    #[test]
    fn scrolled_rows_are_moved_by_the_terminal() {
        let mut shown = blank();
        let mut terminal = terminal();
        let mut last = 0;
        for from in [100, 101, 103, 102, 98] {
            let next = numbered(from);
            let bytes = encode(&mut shown, &next);
            terminal.process(bytes.as_bytes());
            assert_shows(&terminal, &next);
            last = bytes.len();
            shown = next;
        }
        assert!(last < 220, "{last} bytes for four new rows");
    }

    #[test]
    fn nothing_to_change_is_nothing_to_say() {
        assert_eq!(encode(&mut numbered(7), &numbered(7)), "");
    }

    fn some_colour() -> impl Strategy<Value = Color> {
        prop_oneof![
            Just(Color::Reset),
            any::<u8>().prop_map(Color::Indexed),
            any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Color::Rgb(r, g, b)),
        ]
    }

    fn some_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ a-d]{0,40}",
            Just("ゲスト ●".to_owned()),
            Just(" ".repeat(38))
        ]
    }

    fn some_pieces() -> impl Strategy<Value = Vec<(u16, u16, String, Color, Color, bool)>> {
        let piece = (
            0..SIZE.0,
            0..SIZE.1,
            some_text(),
            some_colour(),
            some_colour(),
            any::<bool>(),
        );
        prop::collection::vec(piece, 0..24)
    }

    fn drawn(pieces: &[(u16, u16, String, Color, Color, bool)]) -> Buffer {
        let mut buffer = blank();
        for (x, y, text, fg, bg, bold) in pieces {
            let mut style = Style::new().fg(*fg).bg(*bg);
            if *bold {
                style = style.add_modifier(Modifier::BOLD);
            }
            buffer.set_stringn(*x, *y, text, usize::from(SIZE.0 - x), style);
        }
        buffer
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_frame_after_any_other_is_shown_as_drawn(
            first in some_pieces(),
            second in some_pieces(),
            moved in -5_i32..5,
        ) {
            let mut shown = blank();
            let mut terminal = terminal();
            let mut third = drawn(&first);
            apply(&mut third, Shift { top: 1, bottom: 12, by: moved });
            for next in [drawn(&first), third, drawn(&second)] {
                let bytes = encode(&mut shown, &next);
                terminal.process(bytes.as_bytes());
                assert_shows(&terminal, &next);
                shown = next;
            }
        }
    }
}
