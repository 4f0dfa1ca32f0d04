//! Kubernetes events about an object, as they happened.

use super::{Visible, state_of};
use crate::app::screens::{EventsScreen, Loaded};
use crate::app::state::{EventRow, State};
use crate::domain::age::age_text;
use crate::ui::canvas::{Boxed, Canvas, span};
use crate::ui::glyph;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::table::{Column, Table, slots};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &EventsScreen,
    state: &State,
) -> Visible {
    let boxed = Boxed {
        title: vec![
            span(Role::Title, " Events "),
            span(Role::Muted, format!("{} ", screen.object.kind.kind)),
            span(Role::Strong, screen.object.name.to_string()),
            span(Role::Text, " "),
        ],
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    match &screen.content {
        Loaded::Waiting => state_of::loading("Reading events").draw(canvas, inside),
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(events) if events.is_empty() => quiet().draw(canvas, inside),
        Loaded::Ready(events) => draw_events(canvas, inside, (screen, events), state),
    }
    Visible {
        rows: inside.height.saturating_sub(1),
        columns: inside.width,
    }
}

fn quiet() -> Notice<'static> {
    Notice {
        headline: vec![span(Role::Muted, "No events.")],
        sentences: vec!["A cluster forgets them, usually after an hour.".to_owned()],
        tries: Vec::new(),
    }
}

fn draw_events(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (screen, events): (&EventsScreen, &[EventRow]),
    state: &State,
) {
    let columns = vec![
        Column::fixed("SEEN", 5, 0).right(),
        Column::flexible("REASON", (16, 26), 0),
        Column::fixed("COUNT", 5, 2).right(),
        Column::flexible("MESSAGE", (40, 140), 0),
        Column::flexible("SOURCE", (16, 28), 3),
    ];
    let slots = slots(columns, area.width);
    let table = Table {
        slots: &slots,
        name: 1,
        len: events.len(),
        offset: screen.cursor.offset,
        cursor: Some(screen.cursor.position),
    };
    let now = state.now.platform;
    table.draw(canvas, area, |index, painter| {
        let Some(event) = events.get(index) else {
            return;
        };
        let seen = event.last_seen.map(|at| age_text(at, now));
        painter.text(0, &seen.unwrap_or_default(), Role::Muted);
        let (symbol, role) = if event.warning {
            (glyph::WARNING, Role::Warning)
        } else {
            (glyph::UNKNOWN, Role::Muted)
        };
        let reason = if event.warning { role } else { Role::Text };
        painter.spans(
            1,
            &[
                span(role, format!("{symbol} ")),
                span(reason, &*event.reason),
            ],
        );
        if event.count > 1 {
            painter.text(2, &event.count.to_string(), Role::Muted);
        }
        painter.text(3, &event.message, Role::Text);
        painter.text(4, &event.source, Role::Muted);
    });
}
