//! The dialog before a change: verb, object, cluster, revision, options, and what happens next.

use crate::app::overlays::{Dialog, Field, FieldValue, Focus};
use crate::domain::intent::Risk;
use crate::ui::canvas::{Boxed, Canvas, Span, centred, row_of, span, width_of};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::table::draw_scroll;
use ratatui::layout::Rect;

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect, dialog: &Dialog) -> u16 {
    let width = body.width.saturating_sub(2).min(76);
    let columns = usize::from(width.saturating_sub(6));
    let head = facts(dialog);
    let fields = dialog.fields.len();
    // What is left for the consequences after the border, the buttons, blank lines between the
    // groups and a few fields.
    let kept = head.len() + fields.min(4) + 6;
    let most = usize::from(body.height).saturating_sub(kept);
    let tail = consequences(dialog, columns, most);
    let groups = usize::from(fields > 0) + usize::from(!tail.is_empty());
    let fixed = head.len() + tail.len() + groups + 4;
    let room = usize::from(body.height).saturating_sub(fixed);
    let shown = fields.min(room.max(1));
    let height = (fixed + shown) as u16;
    let area = centred(body, width, height);
    canvas.clear(area, Role::Dialog);
    let inside = canvas.boxed(area, &frame(dialog));
    let inside = Rect::new(
        inside.x + 2,
        inside.y,
        inside.width.saturating_sub(4),
        inside.height,
    );
    let mut y = 0;
    for line in &head {
        canvas.spans(row_of(inside, y), line);
        y += 1;
    }
    if fields > 0 {
        y += 1;
        draw_fields(canvas, inside, (dialog, shown), y);
        y += shown as u16;
    }
    if !tail.is_empty() {
        y += 1;
        for line in &tail {
            canvas.spans(row_of(inside, y), line);
            y += 1;
        }
        draw_typed(canvas, inside, dialog, y);
    }
    let last = row_of(inside, inside.height.saturating_sub(1));
    draw_buttons(canvas, last, dialog);
    shown as u16
}

fn frame(dialog: &Dialog) -> Boxed<'static> {
    let (title, border) = match dialog.risk {
        Risk::Harmless | Risk::Changes => (Role::Title, Role::DialogBorder),
        Risk::Destroys => (Role::DialogDanger, Role::DialogDanger),
    };
    let corner = match dialog.risk {
        Risk::Harmless => vec![span(Role::Muted, " changes nothing ")],
        Risk::Changes => Vec::new(),
        Risk::Destroys => vec![span(
            Role::DialogDanger,
            format!(" {} cannot be undone ", glyph::WARNING),
        )],
    };
    Boxed {
        title: vec![span(title, format!(" {} ", dialog.title))],
        corner,
        foot: Vec::new(),
        border: Some(border),
    }
}

fn facts(dialog: &Dialog) -> Vec<Vec<Span<'static>>> {
    let labels = dialog.facts.iter().map(|(label, _)| text::width(label));
    let labels = labels.max().unwrap_or_default();
    dialog
        .facts
        .iter()
        .map(|(label, value)| {
            vec![
                span(Role::Muted, text::pad(label, labels)),
                span(Role::Text, format!("  {value}")),
            ]
        })
        .collect()
}

fn consequences(dialog: &Dialog, columns: usize, most: usize) -> Vec<Vec<Span<'static>>> {
    let mut lines = changed_lines(dialog, columns);
    for sentence in &dialog.preview {
        for line in text::wrap(&text::harmless(sentence), columns) {
            lines.push(vec![span(Role::Text, line)]);
        }
    }
    let must = usize::from(dialog.problem.is_some()) + usize::from(dialog.confirmation.is_some());
    let room = most.saturating_sub(must).max(1);
    if lines.len() > room {
        let left_out = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(vec![span(
            Role::Muted,
            format!("and {left_out} more lines"),
        )]);
    }
    if let Some(problem) = &dialog.problem {
        for line in text::wrap(&text::harmless(problem), columns) {
            lines.push(vec![span(Role::Error, line)]);
        }
    }
    if let Some(confirmation) = &dialog.confirmation {
        lines.push(vec![
            span(Role::Text, "Type "),
            span(Role::DialogDanger, confirmation.must_type.clone()),
            span(Role::Text, " to confirm: "),
        ]);
    }
    lines
}

/// The lines of files that go and come, each file under its name.
fn changed_lines(dialog: &Dialog, columns: usize) -> Vec<Vec<Span<'static>>> {
    let mut lines = Vec::new();
    for change in &dialog.changes {
        let path = text::fit_middle(&text::harmless(&change.path), columns).into_owned();
        lines.push(vec![span(Role::Strong, path)]);
        for line in &change.lines {
            let (sign, role) = if line.comes {
                ('+', Role::Added)
            } else {
                ('-', Role::Removed)
            };
            let shown = format!("{:>5} {sign} {}", line.number, text::harmless(&line.text));
            lines.push(vec![span(role, text::fit(&shown, columns).into_owned())]);
        }
    }
    lines
}

// The field stands behind the last line of the consequences.
fn draw_typed(canvas: &mut Canvas<'_>, inside: Rect, dialog: &Dialog, y: u16) {
    let Some(confirmation) = &dialog.confirmation else {
        return;
    };
    let label = format!("Type {} to confirm: ", confirmation.must_type);
    let used = (text::width(&label) as u16).min(inside.width);
    let row = row_of(inside, y.saturating_sub(1));
    let field = Rect::new(row.x + used, row.y, row.width.saturating_sub(used), 1);
    if dialog.focus == Focus::Confirmation {
        super::draw_input(canvas, field, &confirmation.typed, Role::Prompt);
    } else {
        canvas.put(field, confirmation.typed.value(), Role::Muted);
    }
}

fn draw_fields(canvas: &mut Canvas<'_>, inside: Rect, (dialog, shown): (&Dialog, usize), top: u16) {
    let labels = dialog.fields.iter().map(|field| text::width(&field.label));
    let labels = labels.max().unwrap_or_default().min(36);
    let fields = dialog.fields.iter().enumerate().skip(dialog.offset);
    for (line, (at, field)) in fields.take(shown).enumerate() {
        let row = row_of(inside, top + line as u16);
        draw_field(
            canvas,
            row,
            (field, labels),
            dialog.focus == Focus::Field(at),
        );
    }
    let edge = Rect::new(inside.right() + 2, inside.y + top, 1, shown as u16);
    draw_scroll(canvas, edge, (dialog.offset, shown, dialog.fields.len()));
}

fn draw_field(canvas: &mut Canvas<'_>, row: Rect, (field, labels): (&Field, usize), focused: bool) {
    let lead = if focused { glyph::CURSOR } else { " " };
    let label = text::pad(&text::harmless(&field.label), labels);
    let role = if focused { Role::Strong } else { Role::Text };
    let used = canvas.spans(
        row,
        &[
            span(Role::Accent, format!("{lead} ")),
            span(role, format!("{label}  ")),
        ],
    );
    let rest = Rect::new(row.x + used, row.y, row.width.saturating_sub(used), 1);
    let value = draw_value(canvas, rest, field, focused);
    let hint = Rect::new(rest.x + value, rest.y, rest.width.saturating_sub(value), 1);
    if !field.hint.is_empty() {
        canvas.put(hint, &format!("  {}", field.hint), Role::Muted);
    }
}

fn draw_value(canvas: &mut Canvas<'_>, row: Rect, field: &Field, focused: bool) -> u16 {
    match &field.value {
        FieldValue::Toggle(on) => {
            let (mark, word, role) = if *on {
                ("[x]", "on ", Role::Accent)
            } else {
                ("[ ]", "off", Role::Muted)
            };
            let spans = [span(role, mark), span(role, format!(" {word}"))];
            let used = canvas.spans(row, &spans);
            if focused {
                canvas.tint(Rect::new(row.x, row.y, 3.min(row.width), 1), Role::Cursor);
            }
            used
        }
        FieldValue::Text(input) if focused => {
            let hint = match text::width(&field.hint) as u16 {
                0 => 0,
                width => width + 2,
            };
            let width = row.width.saturating_sub(hint).max(20.min(row.width));
            let place = Rect::new(row.x, row.y, width, 1);
            super::draw_input(canvas, place, input, Role::Prompt)
        }
        FieldValue::Text(input) => canvas.put(row, input.value(), Role::Text),
        FieldValue::Choice { options, chosen } => {
            let mut spans = Vec::new();
            for (at, option) in options.iter().enumerate() {
                let role = match (at == *chosen, focused) {
                    (true, true) => Role::Cursor,
                    (true, false) => Role::Accent,
                    (false, _) => Role::Muted,
                };
                spans.push(span(role, format!(" {option} ")));
            }
            canvas.spans(row, &spans)
        }
    }
}

fn draw_buttons(canvas: &mut Canvas<'_>, row: Rect, dialog: &Dialog) {
    let confirm = match (dialog.focus == Focus::Confirm, dialog.risk) {
        (true, Risk::Destroys) => Role::ButtonDanger,
        (true, Risk::Harmless | Risk::Changes) => Role::ButtonFocus,
        (false, _) => Role::Button,
    };
    let cancel = if dialog.focus == Focus::Cancel {
        Role::ButtonFocus
    } else {
        Role::Button
    };
    // A terminal without colours shows by the mark where Enter goes.
    let lead = |focus| {
        if dialog.focus == focus {
            glyph::CURSOR
        } else {
            " "
        }
    };
    let spans = [
        span(cancel, format!("{} Cancel  ", lead(Focus::Cancel))),
        span(Role::Text, "   "),
        span(
            confirm,
            format!("{} {}  ", lead(Focus::Confirm), dialog.title),
        ),
    ];
    let width = width_of(&spans).min(row.width);
    let start = row.x + (row.width - width) / 2;
    canvas.spans(Rect::new(start, row.y, width, 1), &spans);
}
