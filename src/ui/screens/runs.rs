//! Runs in a table: their phase, and how their duration compares with what is usual.

use crate::domain::pipeline::{Pace, Phase};
use crate::store::Row;
use crate::ui::canvas::span;
use crate::ui::glyph;
use crate::ui::theme::Role;
use crate::ui::widgets::table::RowPainter;
use chrono::{DateTime, Utc};

/// Returns the glyph of a phase.
pub(super) fn glyph_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Succeeded => glyph::SYNCED,
        Phase::Skipped | Phase::Omitted | Phase::Cancelled => glyph::UNKNOWN,
        Phase::Pending => glyph::MISSING,
        Phase::Running => glyph::PROGRESSING,
        Phase::Suspended => glyph::SUSPENDED,
        Phase::Failed | Phase::Error => glyph::DEGRADED,
    }
}

/// Returns the role of a phase.
pub(super) fn role_of(phase: Phase) -> Role {
    match phase {
        Phase::Succeeded => Role::Healthy,
        Phase::Skipped | Phase::Omitted | Phase::Cancelled | Phase::Pending => Role::Muted,
        Phase::Running => Role::Progressing,
        Phase::Suspended => Role::Suspended,
        Phase::Failed | Phase::Error => Role::Degraded,
    }
}

/// Draws the phase of a run; what is over and good is quiet.
pub(super) fn draw_phase(painter: &mut RowPainter<'_, '_>, at: usize, row: &Row, content: &str) {
    let Some(run) = row.run() else { return };
    let role = role_of(run.phase);
    let word = if run.phase == Phase::Succeeded {
        Role::Muted
    } else {
        role
    };
    let glyph = glyph_of(run.phase);
    painter.spans(at, &[span(role, format!("{glyph} ")), span(word, content)]);
}

/// Draws how long a run took; what is slower than usual stands out.
pub(super) fn draw_took(
    painter: &mut RowPainter<'_, '_>,
    at: usize,
    (row, now): (&Row, DateTime<Utc>),
    content: &str,
) {
    let role = match row.run().map(|run| run.pace(now)) {
        Some(Pace::Slower(_)) => Role::Warning,
        Some(Pace::Usual | Pace::Faster | Pace::Unknown) | None => Role::Text,
    };
    painter.text(at, content, role);
}
