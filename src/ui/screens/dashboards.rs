//! The Grafana dashboards that lie in the cluster's ConfigMaps.

use super::{Visible, state_of};
use crate::app::screens::{DashboardsScreen, Loaded};
use crate::app::state::State;
use crate::ui::canvas::{Boxed, Canvas, span};
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::table::{Column, Table, slots};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &DashboardsScreen,
    state: &State,
) -> Visible {
    let boxed = Boxed {
        title: vec![span(Role::Title, " Dashboards ")],
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    match &screen.content {
        Loaded::Waiting => state_of::loading("Looking for dashboards").draw(canvas, inside),
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(all) if all.is_empty() => none().draw(canvas, inside),
        Loaded::Ready(all) => {
            let columns = vec![
                Column::flexible("DASHBOARD", (24, 60), 0),
                Column::fixed("PANELS", 6, 1).right(),
                Column::flexible("UID", (10, 40), 2),
                Column::flexible("FROM", (20, 70), 0),
            ];
            let slots = slots(columns, inside.width);
            let table = Table {
                slots: &slots,
                name: 0,
                len: all.len(),
                offset: screen.cursor.offset,
                cursor: Some(screen.cursor.position),
            };
            table.draw(canvas, inside, |index, painter| {
                let Some(board) = all.get(index) else { return };
                painter.text(0, &board.title, Role::Text);
                painter.text(1, &board.panels.len().to_string(), Role::Muted);
                painter.text(2, &board.uid, Role::Muted);
                painter.text(3, &board.origin, Role::Muted);
            });
        }
    }
    Visible {
        rows: inside.height.saturating_sub(1),
        columns: inside.width,
    }
}

fn none() -> Notice<'static> {
    Notice {
        headline: vec![span(Role::Muted, "No dashboards in this cluster.")],
        sentences: vec![
            "ConfigMaps with the label `grafana_dashboard` are looked for, as Grafana's own sidecar does."
                .to_owned(),
        ],
        tries: vec![(":query EXPR".to_owned(), "ask the metrics server".to_owned())],
    }
}
