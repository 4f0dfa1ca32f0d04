//! The secret of an account that was just made.

use crate::app::overlays::SecretNote;
use crate::ui::canvas::{Boxed, Canvas, Span, centred, row_of, span};
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::layout::Rect;

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect, note: &SecretNote) -> u16 {
    let account = text::harmless(&note.account).into_owned();
    let secret = text::harmless(note.secret.reveal()).into_owned();
    let copied = if note.copied { "copied" } else { "copy" };
    let lines: [Vec<Span<'_>>; 7] = [
        vec![span(Role::Muted, "account  "), span(Role::Text, account)],
        vec![span(Role::Muted, "secret   "), span(Role::Strong, secret)],
        Vec::new(),
        vec![span(Role::Text, "It is shown this once and kept nowhere:")],
        vec![span(
            Role::Text,
            "put it where it is needed before you close this.",
        )],
        Vec::new(),
        vec![
            span(Role::Key, "c"),
            span(Role::Hint, format!(" {copied}   ")),
            span(Role::Key, "esc"),
            span(Role::Hint, " close and forget"),
        ],
    ];
    let height = lines.len() as u16 + 2;
    let area = centred(body, body.width.saturating_sub(2).min(64), height);
    canvas.clear(area, Role::Dialog);
    let inside = canvas.boxed(
        area,
        &Boxed {
            title: vec![span(Role::Title, " Secret ")],
            border: Some(Role::DialogBorder),
            ..Boxed::default()
        },
    );
    let inside = Rect::new(
        inside.x + 2,
        inside.y,
        inside.width.saturating_sub(4),
        inside.height,
    );
    for (at, line) in lines.iter().enumerate() {
        canvas.spans(row_of(inside, at as u16), line);
    }
    0
}
