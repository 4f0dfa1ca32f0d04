//! Events: what listens to what, what that made, and the webhooks that came in; of the row under
//! the cursor all that is known.

mod facts;
mod row;

use super::{Visible, state_of};
use crate::app::screens::{FlowScreen, Loaded};
use crate::app::state::State;
use crate::domain::event_flow::EventFlow;
use crate::ui::canvas::{Boxed, Canvas, Span, row_of, span};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::table::{Column, Table, slots};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

/// From this width on, the row stands beside the list.
const BESIDE: u16 = 130;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &FlowScreen,
    state: &State,
) -> Visible {
    let now = state.now.platform;
    let boxed = Boxed {
        title: title(screen),
        corner: screen.flow.ready().map(corner).unwrap_or_default(),
        foot: screen.flow.ready().map(foot).unwrap_or_default(),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let (list, side) = divide(inside);
    match &screen.flow {
        Loaded::Waiting => {
            state_of::loading("Reading EventSources and Sensors").draw(canvas, inside);
        }
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(flow) if screen.rows().is_empty() => nothing(flow).draw(canvas, inside),
        Loaded::Ready(_) => {
            draw_rows(canvas, list, screen, now);
            draw_side(canvas, side, screen, now);
        }
    }
    Visible {
        rows: list.height.saturating_sub(1),
        columns: inside.width,
    }
}

fn divide(inside: Rect) -> (Rect, Rect) {
    if inside.width >= BESIDE {
        let list = Rect::new(inside.x, inside.y, inside.width * 11 / 20, inside.height);
        let x = list.right() + 1;
        let side = Rect::new(
            x,
            inside.y,
            inside.right().saturating_sub(x + 1),
            inside.height,
        );
        return (list, side);
    }
    let below = match inside.height {
        ..14 => 0,
        14..24 => 7,
        height => height * 2 / 5,
    };
    let list = Rect::new(inside.x, inside.y, inside.width, inside.height - below);
    let side = Rect::new(
        inside.x + 1,
        list.bottom(),
        inside.width.saturating_sub(2),
        below,
    );
    (list, side)
}

fn nothing(flow: &EventFlow) -> Notice<'static> {
    let mut sentences =
        vec!["There is no EventSource, Sensor or EventListener in what is shown.".to_owned()];
    sentences.extend(flow.findings.iter().map(|one| one.sentence.to_string()));
    Notice {
        headline: vec![span(Role::Muted, "No events")],
        sentences,
        tries: vec![(":ns all".to_owned(), "show all namespaces".to_owned())],
    }
}

fn title(screen: &FlowScreen) -> Vec<Span<'static>> {
    let mut spans = vec![span(Role::Title, " Events ")];
    if let Some(flow) = screen.flow.ready() {
        let text = format!(
            "{}, {}, {} made ",
            text::counted(flow.sources.len(), "source"),
            text::counted(flow.sensors.len(), "sensor"),
            flow.made.len()
        );
        spans.push(span(Role::Muted, text));
    }
    spans
}

fn corner(flow: &EventFlow) -> Vec<Span<'static>> {
    let dropped = flow.webhooks.iter().filter(|one| one.dropped).count();
    let count = flow.webhooks.len();
    match (count, dropped) {
        (0, _) => Vec::new(),
        (_, 0) => vec![span(Role::Muted, format!(" {count} webhooks "))],
        _ => vec![
            span(Role::Muted, format!(" {count} webhooks, ")),
            span(Role::Warning, format!("{dropped} dropped ")),
        ],
    }
}

fn foot(flow: &EventFlow) -> Vec<Span<'static>> {
    let text = flow.without_webhooks.as_ref();
    text.map(|why| span(Role::Muted, format!(" webhooks: {why} ")))
        .into_iter()
        .collect()
}

fn draw_rows(canvas: &mut Canvas<'_>, area: Rect, screen: &FlowScreen, now: DateTime<Utc>) {
    let columns = vec![
        Column::flexible("EVENT", (28, 60), 0),
        Column::flexible("WHAT", (20, 70), 1),
        Column::fixed("AGE", 4, 2).right(),
    ];
    let slots = slots(columns, area.width);
    let rows = screen.rows();
    let table = Table {
        slots: &slots,
        name: 0,
        len: rows.len(),
        offset: screen.cursor.offset,
        cursor: (!rows.is_empty()).then_some(screen.cursor.position),
    };
    table.draw(canvas, area, |index, painter| {
        let Some((row, depth)) = rows.get(index) else {
            return;
        };
        if let Some(item) = screen.item(*row) {
            row::draw(painter, (&item, *depth), now);
        }
    });
}

fn draw_side(canvas: &mut Canvas<'_>, area: Rect, screen: &FlowScreen, now: DateTime<Utc>) {
    if area.height < 2 || area.width < 10 {
        return;
    }
    canvas.put(
        row_of(area, 0),
        &"─".repeat(usize::from(area.width)),
        Role::Border,
    );
    let lines = screen.current().map(|item| facts::of(&item, now));
    let mut y = 1;
    for (label, content) in lines.unwrap_or_default() {
        let room = usize::from(area.width.saturating_sub(11));
        for (at, piece) in text::wrap(&text::harmless(&content), room)
            .iter()
            .enumerate()
        {
            if y >= area.height {
                return;
            }
            let label = if at == 0 { label } else { "" };
            let line = [
                span(Role::Muted, format!("{label:<10} ")),
                span(Role::Text, piece.as_str()),
            ];
            canvas.spans(row_of(area, y), &line);
            y += 1;
        }
    }
}
