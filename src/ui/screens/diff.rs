//! Live against target: unified, and side by side in a wide window. Changed words stand out.

use super::{Visible, state_of};
use crate::app::screens::{DiffLine, DiffScreen, Loaded};
use crate::app::state::{DiffBase, State};
use crate::domain::object::ObjectRef;
use crate::ui::canvas::{Boxed, Canvas, Span, row_of, span};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::table::draw_scroll;
use ratatui::layout::Rect;
use similar::{ChangeTag, TextDiff};

/// From this width on, live and target stand side by side.
const SIDE_BY_SIDE: u16 = 160;
/// Longer runs of changes are shown without marking words.
const LONGEST_RUN: usize = 200;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &DiffScreen,
    state: &State,
) -> Visible {
    let boxed = Boxed {
        title: title(screen),
        corner: vec![
            span(Role::Removed, " - live "),
            span(Role::Added, " + target "),
        ],
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    match &screen.content {
        Loaded::Waiting => state_of::loading("Comparing").draw(canvas, inside),
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(lines) => draw_lines(canvas, inside, lines, screen),
    }
    Visible {
        rows: inside.height,
        columns: inside.width,
    }
}

fn title(screen: &DiffScreen) -> Vec<Span<'static>> {
    let mut spans = vec![
        span(Role::Title, " Diff "),
        span(Role::Strong, screen.application.name.to_string()),
    ];
    if let Some(object) = &screen.object {
        let text = format!(" {} {}", object.kind.kind, object.name);
        spans.push(span(Role::Text, text));
    }
    spans.push(span(Role::Muted, " live against target "));
    spans
}

fn draw_lines(canvas: &mut Canvas<'_>, area: Rect, lines: &[DiffLine], screen: &DiffScreen) {
    let side_by_side = area.width >= SIDE_BY_SIDE;
    let mut index = screen.top;
    let mut y = 0;
    while y < area.height && index < lines.len() {
        let row = row_of(area, y);
        index += if side_by_side {
            draw_pair(canvas, row, (lines, index), screen.left)
        } else {
            draw_line(canvas, row, (lines, index), screen.left);
            1
        };
        y += 1;
    }
    let edge = Rect::new(area.right(), area.y, 1, area.height);
    draw_scroll(
        canvas,
        edge,
        (screen.top, usize::from(area.height), lines.len()),
    );
}

/// Draws one line across; returns false when it is a line of text.
fn draw_common(canvas: &mut Canvas<'_>, row: Rect, line: &DiffLine) -> bool {
    match line {
        DiffLine::Object {
            object,
            against,
            added,
            removed,
        } => {
            canvas.spans(row, &heading(object, *against, (*added, *removed)));
            true
        }
        DiffLine::Note(note) => {
            canvas.spans(row, &[span(Role::Muted, format!("   {note}"))]);
            true
        }
        DiffLine::Skipped(count) => {
            let text = format!("   … {count} equal lines");
            canvas.put(row, &text, Role::Hunk);
            true
        }
        DiffLine::Same(_) | DiffLine::Added(_) | DiffLine::Removed(_) => false,
    }
}

fn heading(
    object: &ObjectRef,
    against: DiffBase,
    (added, removed): (usize, usize),
) -> Vec<Span<'static>> {
    let base = match against {
        DiffBase::Git => "against git",
        DiffBase::LastApplied => "against what was last applied",
        DiffBase::Nothing => "nothing to compare with",
    };
    vec![
        span(Role::Accent, " ▾ "),
        span(Role::Muted, format!("{} ", object.kind.kind)),
        span(Role::Strong, object.path()),
        span(Role::Muted, format!("  {base}  ")),
        span(Role::Added, format!("+{added} ")),
        span(Role::Removed, format!("-{removed}")),
    ]
}

fn draw_line(
    canvas: &mut Canvas<'_>,
    row: Rect,
    (lines, index): (&[DiffLine], usize),
    left: usize,
) {
    let Some(line) = lines.get(index) else { return };
    if draw_common(canvas, row, line) {
        return;
    }
    let (sign, content, role, word) = match line {
        DiffLine::Added(text) => (" + ", text, Role::Added, Role::AddedWord),
        DiffLine::Removed(text) => (" - ", text, Role::Removed, Role::RemovedWord),
        DiffLine::Same(text) => ("   ", text, Role::Muted, Role::Muted),
        DiffLine::Object { .. } | DiffLine::Note(_) | DiffLine::Skipped(_) => return,
    };
    canvas.put(row, sign, role);
    let body = Rect::new(row.x + 3, row.y, row.width.saturating_sub(3), 1);
    let partner = partner_of(lines, index);
    draw_words(canvas, body, (content, partner), (left, role, word));
}

/// Draws live on the left and target on the right; returns how many lines that took.
fn draw_pair(
    canvas: &mut Canvas<'_>,
    row: Rect,
    (lines, index): (&[DiffLine], usize),
    left: usize,
) -> usize {
    let Some(line) = lines.get(index) else {
        return 1;
    };
    if draw_common(canvas, row, line) {
        return 1;
    }
    let half = row.width / 2;
    let live = Rect::new(row.x, row.y, half - 1, 1);
    let target = Rect::new(row.x + half + 1, row.y, row.width - half - 1, 1);
    canvas.put(Rect::new(row.x + half - 1, row.y, 1, 1), "│", Role::Border);
    let same = |canvas: &mut Canvas<'_>, content: &str| {
        draw_words(
            canvas,
            body(live),
            (content, None),
            (left, Role::Muted, Role::Muted),
        );
        draw_words(
            canvas,
            body(target),
            (content, None),
            (left, Role::Muted, Role::Muted),
        );
    };
    match line {
        DiffLine::Same(content) => {
            same(canvas, content);
            1
        }
        DiffLine::Removed(content) => {
            let partner = partner_index(lines, index);
            canvas.put(live, " - ", Role::Removed);
            let other = partner.and_then(|at| content_of(lines.get(at)?));
            let roles = (left, Role::Removed, Role::RemovedWord);
            draw_words(canvas, body(live), (content, other), roles);
            if let Some(other) = other {
                canvas.put(target, " + ", Role::Added);
                let roles = (left, Role::Added, Role::AddedWord);
                draw_words(canvas, body(target), (other, Some(content)), roles);
            }
            1 + skipped_partners(lines, index)
        }
        DiffLine::Added(content) => {
            canvas.put(target, " + ", Role::Added);
            let roles = (left, Role::Added, Role::AddedWord);
            draw_words(canvas, body(target), (content, None), roles);
            1
        }
        DiffLine::Object { .. } | DiffLine::Note(_) | DiffLine::Skipped(_) => 1,
    }
}

fn body(side: Rect) -> Rect {
    Rect::new(side.x + 3, side.y, side.width.saturating_sub(3), 1)
}

// After the last removed line of a run, the added lines that were drawn beside it are done.
fn skipped_partners(lines: &[DiffLine], index: usize) -> usize {
    if matches!(lines.get(index + 1), Some(DiffLine::Removed(_))) {
        return 0;
    }
    let run = run_around(lines, index);
    run.map_or(0, |run| run.removed.min(run.added))
}

/// A run of removed lines followed by added ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    start: usize,
    removed: usize,
    added: usize,
}

fn run_around(lines: &[DiffLine], index: usize) -> Option<Run> {
    let is_removed = |at: &usize| matches!(lines.get(*at), Some(DiffLine::Removed(_)));
    let is_added = |at: &usize| matches!(lines.get(*at), Some(DiffLine::Added(_)));
    let mut start = index;
    let mut steps = 0;
    while start > 0 && steps < LONGEST_RUN {
        let before = start - 1;
        let joined = is_removed(&before) || (is_added(&before) && is_added(&start));
        if !joined {
            break;
        }
        start = before;
        steps += 1;
    }
    let removed = (start..start + LONGEST_RUN).take_while(is_removed).count();
    let first = start + removed;
    let added = (first..first + LONGEST_RUN).take_while(is_added).count();
    (removed > 0 && added > 0).then_some(Run {
        start,
        removed,
        added,
    })
}

fn partner_index(lines: &[DiffLine], index: usize) -> Option<usize> {
    let run = run_around(lines, index)?;
    let place = index.checked_sub(run.start)?;
    if place < run.removed {
        (place < run.added).then_some(run.start + run.removed + place)
    } else {
        let place = place - run.removed;
        (place < run.removed && place < run.added).then_some(run.start + place)
    }
}

fn partner_of(lines: &[DiffLine], index: usize) -> Option<&str> {
    content_of(lines.get(partner_index(lines, index)?)?)
}

fn content_of(line: &DiffLine) -> Option<&str> {
    match line {
        DiffLine::Same(text) | DiffLine::Added(text) | DiffLine::Removed(text) => Some(text),
        DiffLine::Object { .. } | DiffLine::Note(_) | DiffLine::Skipped(_) => None,
    }
}

fn draw_words(
    canvas: &mut Canvas<'_>,
    row: Rect,
    (content, partner): (&str, Option<&str>),
    (left, role, word): (usize, Role, Role),
) {
    let content = text::document_line(content);
    let Some(partner) = partner else {
        canvas.put(row, &text::after_columns(&content, left), role);
        return;
    };
    let partner = text::document_line(partner);
    let diff = TextDiff::from_unicode_words(&*partner, &*content);
    // Lines with nothing in common are easier to read whole.
    let marked = diff.ratio() > 0.4;
    let mut used = 0;
    let mut hidden = left;
    for change in diff.iter_all_changes() {
        if change.tag() == ChangeTag::Delete {
            continue;
        }
        let changed = change.tag() == ChangeTag::Insert && marked;
        let piece = text::after_columns(change.value(), hidden);
        hidden = hidden.saturating_sub(text::width(change.value()));
        let rest = Rect::new(row.x + used, row.y, row.width - used, 1);
        used += canvas.put(rest, &piece, if changed { word } else { role });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<DiffLine> {
        vec![
            DiffLine::Same("a".into()),
            DiffLine::Removed("b1".into()),
            DiffLine::Removed("b2".into()),
            DiffLine::Added("c1".into()),
            DiffLine::Same("d".into()),
            DiffLine::Added("e".into()),
        ]
    }

    #[test]
    fn changed_lines_find_their_partners() {
        let lines = lines();
        assert_eq!(partner_index(&lines, 1), Some(3));
        assert_eq!(partner_index(&lines, 3), Some(1));
        assert_eq!(partner_index(&lines, 2), None);
        assert_eq!(partner_index(&lines, 5), None);
        assert_eq!(partner_index(&lines, 0), None);
    }

    #[test]
    fn side_by_side_consumes_partners_once() {
        let lines = lines();
        assert_eq!(skipped_partners(&lines, 1), 0);
        assert_eq!(skipped_partners(&lines, 2), 1);
    }
}
