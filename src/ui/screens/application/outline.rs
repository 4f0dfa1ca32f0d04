//! The OBJECT column of the tree: guides, folds, kinds and names.
//!
//! The tree widget gets the rows of the window and their ancestors alone, so that a frame costs
//! the same whatever the size of the tree. Ancestors above the window are items without a line:
//! they give their descendants the depth and take no room. The cursor is not drawn here; its bar
//! is that of all tables.

use crate::app::screens::TreeRow;
use crate::ui::canvas::{Canvas, Span, row_of};
use crate::ui::glyph;
use crate::ui::theme::Role;
use ratatui::layout::Rect;
use ratatui::text::Text;
use ratatui::widgets::StatefulWidget;
use std::io;
use std::ops::Range;
use tui_tree_widget::{Tree, TreeItem, TreeState};

/// Columns of a level, and of the fold before a label.
const LEVEL: u16 = 2;
/// Stands for children that have no line in the window; never the index of a row.
const HIDDEN: usize = usize::MAX;

/// Draws the rows from `offset` on, as many as fit. `label` gets the row and the columns that are
/// left for it.
pub(super) fn draw<'a>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (rows, offset): (&[TreeRow], usize),
    label: impl Fn(&TreeRow, usize) -> Vec<Span<'a>>,
) {
    let end = rows.len().min(offset + usize::from(area.height));
    let window = offset.min(end)..end;
    let area = Rect {
        height: window.len() as u16,
        ..area
    };
    let text = |index: usize, row: &TreeRow| {
        if index < offset {
            return Text::default();
        }
        let room = area.width.saturating_sub(fold_at(row) + LEVEL);
        let spans = label(row, usize::from(room));
        canvas.line(&spans, usize::from(room)).into()
    };
    // Indices are unique, so the library has nothing to refuse.
    let Ok(mut items) = items(rows, &window, text) else {
        return;
    };
    let Some((_, root)) = items.pop() else { return };
    let root = [root];
    let Ok(tree) = Tree::new(&root) else { return };
    let [open, closed] = [glyph::OPEN, glyph::CLOSED].map(|fold| format!("{fold} "));
    let tree = tree
        .node_open_symbol(&open)
        .node_closed_symbol(&closed)
        .node_no_children_symbol("  ");
    let mut state = opened(rows, &window);
    canvas.widget(area, |area, buffer| tree.render(area, buffer, &mut state));
    for (line, row) in rows[window].iter().enumerate() {
        draw_guides(canvas, row_of(area, line as u16), row);
    }
}

/// The rows of the window after those of its ancestors that are above it, with their indices.
fn shown<'r>(
    rows: &'r [TreeRow],
    window: &Range<usize>,
) -> impl DoubleEndedIterator<Item = (usize, &'r TreeRow)> {
    let mut level = rows.get(window.start).map_or(0, |first| first.depth);
    let mut above = Vec::new();
    for (index, row) in rows[..window.start].iter().enumerate().rev() {
        if level == 0 {
            break;
        }
        if row.depth < level {
            above.push((index, row));
            level = row.depth;
        }
    }
    let start = window.start;
    let inside = rows[window.clone()].iter().enumerate();
    let inside = inside.map(move |(line, row)| (start + line, row));
    above.into_iter().rev().chain(inside)
}

// From the last row to the first: what is deeper than a row and not taken yet are its children.
fn items<'t>(
    rows: &[TreeRow],
    window: &Range<usize>,
    text: impl Fn(usize, &TreeRow) -> Text<'t>,
) -> io::Result<Vec<(u16, TreeItem<'t, usize>)>> {
    let mut roots: Vec<(u16, TreeItem<'t, usize>)> = Vec::new();
    for (index, row) in shown(rows, window).rev() {
        let mut children = Vec::new();
        while let Some((_, child)) = roots.pop_if(|(depth, _)| *depth > row.depth) {
            children.push(child);
        }
        if children.is_empty() && row.has_children {
            children.push(TreeItem::new_leaf(HIDDEN, "…"));
        }
        let item = TreeItem::new(index, text(index, row), children)?;
        roots.push((row.depth, item));
    }
    Ok(roots)
}

fn opened(rows: &[TreeRow], window: &Range<usize>) -> TreeState<usize> {
    let mut state = TreeState::default();
    let mut path = Vec::new();
    for (index, row) in shown(rows, window) {
        path.truncate(usize::from(row.depth));
        path.push(index);
        if row.has_children && !row.folded {
            state.open(path.clone());
        }
    }
    state
}

fn fold_at(row: &TreeRow) -> u16 {
    row.depth.saturating_mul(LEVEL)
}

// Into the indentation that the widget leaves free.
fn draw_guides(canvas: &mut Canvas<'_>, line: Rect, row: &TreeRow) {
    canvas.put(line, &guides(row), Role::Border);
    if row.has_children {
        let fold = Rect::new(line.x + fold_at(row), line.y, 1, 1);
        canvas.tint(fold.intersection(line), Role::Accent);
    }
}

fn guides(row: &TreeRow) -> String {
    let mut text = String::new();
    let levels = row.last.len();
    for (at, last) in row.last.iter().enumerate() {
        let own = at + 1 == levels;
        text.push_str(match (own, last) {
            (true, true) => "└─",
            (true, false) => "├─",
            (false, true) => "  ",
            (false, false) => "│ ",
        });
    }
    if levels > 0 && !row.has_children {
        text.push('─');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::canvas::span;
    use crate::ui::export;
    use crate::ui::theme::{Background, Capability, Theme};
    use ratatui::buffer::Buffer;

    fn row(depth: u16, last: &[bool], (has_children, folded): (bool, bool)) -> TreeRow {
        TreeRow {
            node: None,
            depth,
            has_children,
            folded,
            last: last.to_vec(),
        }
    }

    fn rows() -> Vec<TreeRow> {
        vec![
            row(0, &[], (true, false)),
            row(1, &[false], (true, false)),
            row(2, &[false, false], (true, true)),
            row(2, &[false, true], (true, false)),
            row(3, &[false, true, true], (false, false)),
            row(1, &[false], (false, false)),
            row(1, &[true], (true, false)),
            row(2, &[true, true], (false, false)),
        ]
    }

    fn lines(rows: &[TreeRow], offset: usize, (width, height): (u16, u16)) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 40, height));
        let theme = Theme::for_background(Background::Dark, Capability::default());
        let mut canvas = Canvas {
            buffer: &mut buffer,
            theme: &theme,
        };
        let area = Rect::new(0, 0, width, height);
        draw(&mut canvas, area, (rows, offset), |row, _| {
            vec![span(Role::Text, format!("level {}", row.depth))]
        });
        let text = export::plain(&buffer);
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    #[test]
    fn folds_and_guides_show_what_belongs_to_what() {
        let expected = [
            "▾ level 0",
            "├─▾ level 1",
            "│ ├─▸ level 2",
            "│ └─▾ level 2",
            "│   └── level 3",
            "├── level 1",
            "└─▾ level 1",
            "  └── level 2",
        ];
        assert_eq!(lines(&rows(), 0, (30, 8)), expected);
    }

    #[test]
    fn every_window_shows_its_part_of_the_whole() {
        let whole = lines(&rows(), 0, (30, 8));
        for offset in 0..whole.len() {
            for height in 1..=whole.len() - offset {
                let window = lines(&rows(), offset, (30, height as u16));
                assert_eq!(window, whole[offset..offset + height], "{offset} {height}");
            }
        }
    }

    #[test]
    fn row_too_deep_for_the_column_stays_inside_it() {
        let mut rows = vec![row(0, &[], (true, false))];
        for depth in 1..=20 {
            rows.push(row(
                depth,
                &vec![true; usize::from(depth)],
                (depth < 20, false),
            ));
        }
        let lines = lines(&rows, 0, (10, 21));
        assert!(
            lines.iter().all(|line| crate::ui::text::width(line) <= 10),
            "{lines:?}"
        );
        assert_eq!(lines.get(2).map(String::as_str), Some("  └─▾ lev…"));
    }
}
