//! Keys of the screen that was open, or kinds with their short names.

use super::Visible;
use crate::app::screens::HelpScreen;
use crate::ui::canvas::{Boxed, Canvas, span};
use crate::ui::theme::Role;
use crate::ui::widgets::table::{Column, Table, slots};
use ratatui::layout::Rect;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, screen: &HelpScreen) -> Visible {
    let title = if screen.aliases { " Kinds " } else { " Keys " };
    let boxed = Boxed {
        title: vec![span(Role::Title, title)],
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let (keys, what) = if screen.aliases {
        ("SHORT", "KIND")
    } else {
        ("KEY", "WHAT IT DOES")
    };
    let columns = vec![
        Column::flexible("", (13, 16), 2),
        Column::flexible(keys, (14, 24), 0),
        Column::flexible(what, (28, 56), 0),
        Column::flexible("AFTER :", (14, 40), 1),
    ];
    let slots = slots(columns, inside.width);
    let table = Table {
        slots: &slots,
        name: 0,
        len: screen.rows.len(),
        offset: screen.top,
        cursor: None,
    };
    table.draw(canvas, inside, |index, painter| {
        let Some(row) = screen.rows.get(index) else {
            return;
        };
        let before = index.checked_sub(1).and_then(|at| screen.rows.get(at));
        let begins = index == screen.top || before.is_none_or(|before| before.group != row.group);
        if begins {
            painter.text(0, &row.group, Role::Title);
        }
        painter.text(1, &row.keys, Role::Key);
        painter.text(2, &row.title, Role::Text);
        painter.text(3, &row.word, Role::Muted);
    });
    Visible {
        rows: inside.height.saturating_sub(1),
        columns: inside.width,
    }
}
