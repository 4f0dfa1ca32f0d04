//! The nodes of a run as a tree, drawn as `argo get` draws them.

use super::{glyph_of, role_of};
use crate::app::screens::RunScreen;
use crate::domain::pipeline::tree::TreeLine;
use crate::domain::pipeline::{NodeKind, Nodes, Phase, RunDetail, RunNode};
use crate::domain::rollout::span_text;
use crate::ui::canvas::{Canvas, row_of, span};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::table::{Column, RowPainter, Table, slots};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (screen, run): (&RunScreen, &RunDetail),
    now: DateTime<Utc>,
) {
    let columns = vec![
        Column::flexible("STEP", (28, 64), 0),
        Column::fixed("PHASE", 9, 1),
        Column::fixed("TOOK", 7, 0).right(),
        Column::flexible("SAYS", (12, 60), 2),
    ];
    let slots = slots(columns, area.width);
    let rows = screen.rows();
    let table = Table {
        slots: &slots,
        name: 0,
        len: rows.len(),
        offset: screen.offset,
        cursor: (!rows.is_empty()).then_some(screen.position()),
    };
    table.draw(canvas, area, |index, painter| {
        let Some(row) = rows.get(index) else { return };
        let Some(node) = run.nodes.get(row.node as usize) else {
            return;
        };
        draw_row(painter, (row, node), now);
    });
    if rows.is_empty() {
        let row = row_of(area, 1);
        let row = Rect::new(row.x + 2, row.y, row.width.saturating_sub(2), row.height);
        let word = match run.row.nodes {
            Nodes::Inline | Nodes::Compressed => "no step so far",
            Nodes::Offloaded | Nodes::Unreadable(_) => "its steps cannot be seen from here",
        };
        canvas.put(row, word, Role::Muted);
    }
}

fn draw_row(
    painter: &mut RowPainter<'_, '_>,
    (row, node): (&TreeLine, &RunNode),
    now: DateTime<Utc>,
) {
    let role = role_of(node.phase);
    let used = text::width(&row.prefix) + 2;
    let room = painter.width(0).saturating_sub(used + 2);
    let label = text::harmless(&node.label);
    let label = text::fit_middle(&label, room).into_owned();
    let mut name = vec![
        span(Role::Border, &*row.prefix),
        span(role, format!("{} ", glyph_of(node.phase))),
        span(role_of_name(node), label),
    ];
    if row.folded {
        name.push(span(Role::Muted, format!(" {}", glyph::CLOSED)));
    }
    painter.spans(0, &name);
    let quiet = matches!(
        node.phase,
        Phase::Succeeded | Phase::Skipped | Phase::Omitted
    );
    let phase = if quiet { Role::Muted } else { role };
    painter.text(1, node.phase.word(), phase);
    if let Some(took) = node.duration(now) {
        painter.text(2, &span_text(took), Role::Text);
    }
    painter.text(
        3,
        &says(node),
        if node.phase.is_bad() {
            role
        } else {
            Role::Muted
        },
    );
}

fn role_of_name(node: &RunNode) -> Role {
    match node.phase {
        Phase::Failed | Phase::Error => Role::Degraded,
        Phase::Skipped | Phase::Omitted | Phase::Pending | Phase::Cancelled => Role::Muted,
        Phase::Succeeded | Phase::Running | Phase::Suspended => Role::Text,
    }
}

/// Why it is as it is; else how often it was tried, and its progress.
fn says(node: &RunNode) -> String {
    let mut words: Vec<String> = Vec::new();
    if let Some(code) = node.exit_code.filter(|code| *code != 0) {
        words.push(format!("exit {code}"));
    }
    if node.retries > 0 {
        words.push(format!("{} retries", node.retries));
    }
    if node.kind == NodeKind::Retry && node.children.len() > 1 {
        words.push(format!("{} attempts", node.children.len()));
    }
    if node.waits() {
        let wanted: Vec<&str> = node.wanted().map(|one| &*one.name).collect();
        words.push(if wanted.is_empty() {
            String::from("waits to be resumed")
        } else {
            format!("waits for {}", wanted.join(", "))
        });
    }
    if !node.message.is_empty() {
        words.push(node.message.to_string());
    }
    if words.is_empty() && node.template != node.label {
        words.push(node.template.to_string());
    }
    words.join(" · ")
}
