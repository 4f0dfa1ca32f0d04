//! The contexts of the kubeconfig.

use super::{Visible, state_of};
use crate::app::screens::ContextsScreen;
use crate::app::state::State;
use crate::ui::canvas::{Boxed, Canvas, span};
use crate::ui::glyph;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::table::{Column, Table, slots};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &ContextsScreen,
    state: &State,
) -> Visible {
    let contexts = &state.contexts;
    let boxed = Boxed {
        title: vec![
            span(Role::Title, " Contexts"),
            span(Role::Text, format!("[{}] ", contexts.len())),
        ],
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let visible = Visible {
        rows: inside.height.saturating_sub(1),
        columns: inside.width,
    };
    if let Some(finding) = &screen.problem {
        state_of::failed(finding, state).draw(canvas, inside);
        return visible;
    }
    if contexts.is_empty() {
        let notice = if screen.loaded {
            none()
        } else {
            state_of::loading("Reading the kubeconfig")
        };
        notice.draw(canvas, inside);
        return visible;
    }
    draw_contexts(canvas, inside, screen, state);
    visible
}

fn none() -> Notice<'static> {
    Notice {
        headline: vec![span(Role::Muted, "The kubeconfig has no contexts.")],
        sentences: vec!["Name another file with --kubeconfig or KUBECONFIG.".to_owned()],
        tries: vec![(
            "tiphys demo".to_owned(),
            "start the embedded platform".to_owned(),
        )],
    }
}

fn draw_contexts(canvas: &mut Canvas<'_>, area: Rect, screen: &ContextsScreen, state: &State) {
    let columns = vec![
        Column::flexible("NAME", (20, 60), 0),
        Column::flexible("CLUSTER", (12, 40), 2),
        Column::flexible("SERVER", (24, 60), 1),
        Column::flexible("USER", (10, 40), 3),
        Column::flexible("NAMESPACE", (9, 24), 4),
    ];
    let slots = slots(columns, area.width);
    let table = Table {
        slots: &slots,
        name: 0,
        len: state.contexts.len(),
        offset: screen.cursor.offset,
        cursor: Some(screen.cursor.position),
    };
    table.draw(canvas, area, |index, painter| {
        let Some(context) = state.contexts.get(index) else {
            return;
        };
        let name = if context.current {
            vec![
                span(Role::Strong, &*context.name),
                span(Role::Healthy, format!(" {} now", glyph::HEALTHY)),
            ]
        } else {
            vec![span(Role::Text, &*context.name)]
        };
        painter.spans(0, &name);
        painter.text(1, &context.cluster, Role::Muted);
        painter.text(2, &context.server, Role::Muted);
        painter.text(3, &context.user, Role::Muted);
        painter.text(4, &context.namespace, Role::Muted);
    });
}
