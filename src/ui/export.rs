//! A drawn frame as text, as ANSI, and as a picture, without a terminal.
//!
//! Everything here reads a finished buffer: what a person would see is what is exported.

pub mod ansi;
pub mod svg;

use super::text;
use super::theme::{Role, Theme};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Style;

pub use ansi::ansi;
pub use svg::svg;

/// Returns the frame as plain text, without blanks at the ends of lines.
pub fn plain(buffer: &Buffer) -> String {
    lines(buffer, |line, _, cell| line.push_str(cell.symbol()))
}

/// Returns one symbol for each cell that says which role its style belongs to (see
/// [`Role::symbol`]), for comparing styles as text. `~` is a style that no role has.
pub fn roles(buffer: &Buffer, theme: &Theme) -> String {
    let known: Vec<(Style, char)> = Role::ALL
        .iter()
        .map(|role| (theme.style(*role), role.symbol()))
        .collect();
    lines(buffer, |line, columns, cell| {
        let style = Style::default()
            .fg(cell.fg)
            .bg(cell.bg)
            .add_modifier(cell.modifier);
        let symbol = if cell.symbol() == " " && cell.bg == ratatui::style::Color::Reset {
            ' '
        } else {
            let same = |(candidate, _): &&(Style, char)| {
                candidate.fg.unwrap_or_default() == cell.fg
                    && candidate.bg.unwrap_or_default() == cell.bg
                    && candidate.add_modifier == style.add_modifier
            };
            known.iter().find(same).map_or('~', |(_, symbol)| *symbol)
        };
        line.extend(std::iter::repeat_n(symbol, columns));
    })
}

/// Builds lines from cells; a wide character is one cell of two columns.
fn lines(buffer: &Buffer, push: impl Fn(&mut String, usize, &Cell)) -> String {
    let area = buffer.area;
    let mut out = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        for (_, columns, cell) in row_cells(buffer, y) {
            push(&mut line, columns, cell);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Returns the cells of a row with their column and width, without those that a wide character
/// covers.
fn row_cells(buffer: &Buffer, y: u16) -> impl Iterator<Item = (u16, usize, &Cell)> {
    let area = buffer.area;
    let mut skip = 0;
    (area.left()..area.right()).filter_map(move |x| {
        if skip > 0 {
            skip -= 1;
            return None;
        }
        let cell = buffer.cell((x, y))?;
        let columns = text::width(cell.symbol()).max(1);
        skip = columns - 1;
        Some((x, columns, cell))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::{Background, Capability};
    use ratatui::layout::Rect;

    fn sample(theme: &Theme) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 16, 2));
        buffer.set_string(0, 0, "✗ Degraded", theme.style(Role::Degraded));
        buffer.set_string(0, 1, "ゲ <a&b>", theme.style(Role::Muted));
        buffer
    }

    fn theme() -> Theme {
        Theme::for_background(Background::Dark, Capability::default())
    }

    #[test]
    fn plain_text_has_no_trailing_blanks_and_wide_characters_once() {
        assert_eq!(plain(&sample(&theme())), "✗ Degraded\nゲ <a&b>\n");
    }

    #[test]
    fn roles_are_told_by_their_symbols() {
        let theme = theme();
        assert_eq!(roles(&sample(&theme), &theme), "D DDDDDDDD\nmm mmmmm\n");
    }

    #[test]
    fn svg_escapes_text_and_names_the_size() {
        let theme = theme();
        let picture = svg(&sample(&theme), &theme);
        assert!(picture.contains("&lt;a&amp;b&gt;"), "{picture}");
        assert!(picture.starts_with("<svg "));
        assert!(picture.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn ansi_ends_every_line_reset() {
        let theme = theme();
        let text = ansi(&sample(&theme));
        for line in text.lines() {
            assert!(line.ends_with("\u{1b}[0m"), "{line:?}");
        }
        assert!(text.contains("\u{1b}[1;38;2;255;110;110m"), "{text:?}");
    }
}
