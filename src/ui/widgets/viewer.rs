//! Shows a window of a long text, with search hits, coloured by what the text is.

use super::table::draw_scroll;
use super::yaml;
use crate::ui::canvas::{Canvas, row_of};
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::layout::Rect;

/// What kind of text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    Plain,
    Yaml,
}

/// A window onto a text.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    pub syntax: Syntax,
    /// The first visible line.
    pub offset: usize,
    /// Columns hidden on the left.
    pub left: usize,
    pub wrap: bool,
    /// Text to mark; case does not matter.
    pub search: &'a str,
    /// The line that the last `n` went to.
    pub current: Option<usize>,
}

impl Viewer<'_> {
    /// Draws the visible lines of `count`; `line` is called for those only.
    pub fn draw<'t>(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        count: usize,
        line: impl Fn(usize) -> &'t str,
    ) {
        let mut y = 0;
        let mut index = self.offset;
        while y < area.height && index < count {
            let content = text::document_line(line(index)).into_owned();
            let lines = if self.wrap {
                cut(&content, usize::from(area.width))
            } else {
                vec![text::after_columns(&content, self.left).into_owned()]
            };
            for content in lines {
                if y >= area.height {
                    break;
                }
                self.draw_line(
                    canvas,
                    row_of(area, y),
                    &content,
                    self.current == Some(index),
                );
                y += 1;
            }
            index += 1;
        }
        let edge = Rect::new(area.right(), area.y, 1, area.height);
        draw_scroll(canvas, edge, (self.offset, usize::from(area.height), count));
    }

    fn draw_line(&self, canvas: &mut Canvas<'_>, row: Rect, content: &str, current: bool) {
        match self.syntax {
            Syntax::Plain => {
                canvas.put(row, content, Role::Text);
            }
            Syntax::Yaml => {
                let mut used = 0;
                for (piece, role) in yaml::pieces(content) {
                    let rest = Rect::new(row.x + used, row.y, row.width - used, 1);
                    used += canvas.put(rest, piece, role);
                }
            }
        }
        let role = if current {
            Role::SearchCurrent
        } else {
            Role::SearchHit
        };
        mark_hits(canvas, row, (content, self.search), role);
    }
}

/// Lays a role over every place where the needle occurs in a line drawn at a row.
pub fn mark_hits(canvas: &mut Canvas<'_>, row: Rect, (line, needle): (&str, &str), role: Role) {
    if needle.is_empty() {
        return;
    }
    for (start, columns) in hits(line, needle) {
        let start = start as u16;
        if start < row.width {
            let columns = (columns as u16).min(row.width - start);
            canvas.tint(Rect::new(row.x + start, row.y, columns, 1), role);
        }
    }
}

/// Returns the columns at which a needle occurs, and how many it takes; case does not matter.
fn hits(line: &str, needle: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut starts = line.char_indices();
    while let Some((at, _)) = starts.next() {
        let rest = line.get(at..).unwrap_or_default();
        if let Some(length) = prefix_length(rest, needle) {
            let before = text::width(line.get(..at).unwrap_or_default());
            let columns = text::width(rest.get(..length).unwrap_or_default());
            found.push((before, columns));
            starts = line.char_indices();
            let _skipped = starts
                .by_ref()
                .take_while(|(i, _)| i + 1 < at + length)
                .count();
        }
    }
    found
}

fn prefix_length(text: &str, needle: &str) -> Option<usize> {
    let mut length = 0;
    let mut letters = text.chars();
    for wanted in needle.chars() {
        let letter = letters.next()?;
        if !letter.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
        length += letter.len_utf8();
    }
    Some(length)
}

/// Cuts a line into pieces of at most `columns` columns.
pub fn cut(line: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut pieces = Vec::new();
    let mut rest = line;
    loop {
        let mut head = text::beginning(rest, columns);
        let goes_on = rest.get(head.len()..).unwrap_or_default();
        if !goes_on.is_empty() && !goes_on.starts_with(' ') {
            // Between words, unless that wastes half of the row.
            let between = head.rfind(' ').filter(|at| *at > head.len() / 2);
            head = between.and_then(|at| head.get(..=at)).unwrap_or(head);
        }
        pieces.push(head.to_owned());
        rest = rest.get(head.len()..).unwrap_or_default();
        if rest.is_empty() || head.is_empty() {
            return pieces;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_found_in_any_case_and_by_column() {
        assert_eq!(hits("Error: error", "ERROR"), [(0, 5), (7, 5)]);
        assert_eq!(hits("ゲsync", "sync"), [(2, 4)]);
        assert_eq!(hits("aaa", "aa"), [(0, 2)]);
        assert!(hits("abc", "x").is_empty());
    }

    #[test]
    fn long_lines_are_cut_without_losing_text() {
        assert_eq!(cut("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(cut("", 4), [""]);
        assert_eq!(cut("one two three", 9), ["one two ", "three"]);
        assert_eq!(cut("a longerword", 6), ["a long", "erword"]);
        assert_eq!(cut("ゲスト", 3), ["ゲ", "ス", "ト"]);
    }
}
