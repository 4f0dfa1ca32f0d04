//! What an Application was deployed from, newest first; rollback begins here.

use super::{Visible, state_of};
use crate::app::commands::Command;
use crate::app::screens::{HistoryScreen, Loaded};
use crate::app::state::State;
use crate::domain::age::age_text;
use crate::domain::application::{ApplicationDetail, HistoryEntry};
use crate::ui::canvas::{Boxed, Canvas, span};
use crate::ui::glyph;
use crate::ui::text::short_revision;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::table::{Column, RowPainter, Table, slots};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &HistoryScreen,
    state: &State,
) -> Visible {
    let boxed = Boxed {
        title: vec![
            span(Role::Title, " History "),
            span(Role::Strong, screen.object.name.to_string()),
            span(Role::Text, " "),
        ],
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    match &screen.detail {
        Loaded::Waiting => state_of::loading("Reading history").draw(canvas, inside),
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(None) => never("This Application was deleted.", state).draw(canvas, inside),
        Loaded::Ready(Some(detail)) if detail.history.is_empty() => {
            never(
                "It was never synced, so there is nothing to roll back to.",
                state,
            )
            .draw(canvas, inside);
        }
        Loaded::Ready(Some(detail)) => draw_entries(canvas, inside, (screen, detail), state),
    }
    Visible {
        rows: inside.height.saturating_sub(1),
        columns: inside.width,
    }
}

fn never(what: &str, state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(Role::Muted, what.to_owned())],
        sentences: Vec::new(),
        tries: state_of::key(state, Command::Back, "go back")
            .into_iter()
            .collect(),
    }
}

fn draw_entries(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (screen, detail): (&HistoryScreen, &ApplicationDetail),
    state: &State,
) {
    let columns = vec![
        Column::fixed("ID", 5, 0).right(),
        Column::flexible("REVISION", (12, 24), 0),
        Column::fixed("DEPLOYED", 8, 0).right(),
        Column::flexible("TARGET", (8, 20), 2),
        Column::flexible("BY", (10, 24), 1),
        Column::fixed("TOOK", 6, 4).right(),
        Column::flexible("SOURCE", (28, 80), 3),
    ];
    let slots = slots(columns, area.width);
    let table = Table {
        slots: &slots,
        name: 1,
        len: detail.history.len(),
        offset: screen.cursor.offset,
        cursor: Some(screen.cursor.position),
    };
    let now = state.now.platform;
    table.draw(canvas, area, |index, painter| {
        if let Some(entry) = detail.history.get(index) {
            draw_entry(painter, (index, entry), now);
        }
    });
}

fn draw_entry(
    painter: &mut RowPainter<'_, '_>,
    (index, entry): (usize, &HistoryEntry),
    now: DateTime<Utc>,
) {
    painter.text(0, &entry.id.to_string(), Role::Muted);
    let revisions: Vec<&str> = entry.revisions.iter().map(|r| short_revision(r)).collect();
    let mut spans = vec![span(Role::Text, revisions.join(","))];
    if index == 0 {
        spans.push(span(Role::Healthy, format!(" {} now", glyph::HEALTHY)));
    }
    painter.spans(1, &spans);
    let deployed = entry.deployed_at.map(|at| age_text(at, now));
    painter.text(2, &deployed.unwrap_or_default(), Role::Muted);
    let source = entry.sources.first();
    let target = source.map_or("", |source| &source.target_revision);
    painter.text(3, target, Role::Muted);
    painter.text(4, &entry.initiated_by, Role::Text);
    if let (Some(start), Some(end)) = (entry.started_at, entry.deployed_at) {
        painter.text(5, &age_text(start, end), Role::Muted);
    }
    let place = source.map(|source| {
        let repo = source.repo.trim_start_matches("https://");
        let repo = repo.trim_end_matches(".git");
        format!("{repo} {}{}", source.path, source.chart)
    });
    painter.text(6, &place.unwrap_or_default(), Role::Muted);
}
