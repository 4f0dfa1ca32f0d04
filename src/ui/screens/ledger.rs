//! What was asked of the platform and what became of it, newest first.

use super::{Visible, state_of};
use crate::app::commands::Command;
use crate::app::ledger::Entry;
use crate::app::screens::LedgerScreen;
use crate::app::state::State;
use crate::domain::age::age_text;
use crate::domain::intent::Stage;
use crate::ui::canvas::{Boxed, Canvas, Span, span};
use crate::ui::glyph;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::table::{Column, RowPainter, Table, slots};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &LedgerScreen,
    state: &State,
) -> Visible {
    let entries = state.ledger.entries();
    let boxed = Boxed {
        title: vec![
            span(Role::Title, " Ledger"),
            span(Role::Text, format!("[{}] ", entries.len())),
        ],
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    if entries.is_empty() {
        nothing_asked(state).draw(canvas, inside);
    } else {
        draw_entries(canvas, inside, screen, state);
    }
    Visible {
        rows: inside.height.saturating_sub(1),
        columns: inside.width,
    }
}

fn nothing_asked(state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(Role::Muted, "Nothing was asked of the platform yet.")],
        sentences: vec![
            "Every sync, rollback, restart or delete is written down here with its outcome."
                .to_owned(),
        ],
        tries: state_of::key(state, Command::Back, "go back")
            .into_iter()
            .collect(),
    }
}

fn draw_entries(canvas: &mut Canvas<'_>, area: Rect, screen: &LedgerScreen, state: &State) {
    let entries = state.ledger.entries();
    let columns = vec![
        Column::fixed("ASKED", 5, 0).right(),
        Column::flexible("INTENT", (10, 22), 0),
        Column::flexible("OBJECT", (18, 52), 0),
        Column::fixed("STAGE", 11, 0),
        Column::fixed("TOOK", 5, 2).right(),
        Column::flexible("WHAT CAME OF IT", (18, 120), 1),
    ];
    let slots = slots(columns, area.width);
    let table = Table {
        slots: &slots,
        name: 2,
        len: entries.len(),
        offset: screen.cursor.offset,
        cursor: Some(screen.cursor.position),
    };
    let now = state.now.platform;
    table.draw(canvas, area, |index, painter| {
        let newest_first = entries.len().checked_sub(index + 1);
        if let Some(entry) = newest_first.and_then(|at| entries.get(at)) {
            draw_entry(painter, entry, now);
        }
    });
}

fn draw_entry(painter: &mut RowPainter<'_, '_>, entry: &Entry, now: DateTime<Utc>) {
    let asked = entry.asked_at();
    let age = asked.map(|at| age_text(at, now)).unwrap_or_default();
    painter.text(0, &age, Role::Muted);
    let dry = if entry.dry_run { " dry run" } else { "" };
    painter.spans(
        1,
        &[
            span(Role::Text, entry.intent.verb.id()),
            span(Role::Muted, dry),
        ],
    );
    let target = &entry.intent.target;
    painter.spans(
        2,
        &[
            span(Role::Text, target.path()),
            span(Role::Muted, format!(" {}", target.kind.kind)),
        ],
    );
    painter.spans(3, &stage(entry.stage()));
    if let (Some(asked), Some((last, _))) = (asked, entry.stages.last())
        && entry.stages.len() > 1
    {
        painter.text(4, &age_text(asked, *last), Role::Muted);
    }
    painter.spans(5, &outcome(entry.stage()));
}

fn stage(stage: &Stage) -> Vec<Span<'static>> {
    let (symbol, word, role) = match stage {
        Stage::Requested => (glyph::PROGRESSING, "requested", Role::Running),
        Stage::Accepted { .. } => (glyph::PROGRESSING, "accepted", Role::Running),
        Stage::Observed { .. } => (glyph::SYNCED, "observed", Role::Healthy),
        Stage::Failed { .. } => (glyph::DEGRADED, "failed", Role::Failed),
    };
    vec![span(role, format!("{symbol} {word}"))]
}

fn outcome(stage: &Stage) -> Vec<Span<'static>> {
    match stage {
        Stage::Requested => Vec::new(),
        Stage::Accepted { detail } | Stage::Observed { detail } => {
            vec![span(Role::Text, detail.to_string())]
        }
        Stage::Failed { sentence, hint } => {
            let mut spans = vec![span(Role::Failed, sentence.to_string())];
            if let Some(hint) = hint {
                spans.push(span(Role::Muted, format!("  {hint}")));
            }
            spans
        }
    }
}
