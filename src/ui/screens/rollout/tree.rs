//! The tree of revisions: ReplicaSets and their Pods, analysis runs, experiments.

use super::analyses::{glyph_of, role_of};
use super::weights::image_of;
use crate::app::screens::{RolloutItem, RolloutRow, RolloutScreen};
use crate::domain::age::age_text;
use crate::domain::analysis::{AnalysisRun, Experiment};
use crate::domain::rollout::{PodView, ReplicaSetView, Revision, Role as Side, RolloutDetail};
use crate::domain::status::Health;
use crate::ui::canvas::{Canvas, Span, row_of, span};
use crate::ui::glyph;
use crate::ui::screens::image::{loudest_span, trouble_span};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::table::{Column, RowPainter, Table, slots};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (screen, detail): (&RolloutScreen, &RolloutDetail),
    now: DateTime<Utc>,
) {
    let columns = vec![
        Column::flexible("REVISION", (30, 60), 0),
        Column::fixed("STATUS", 16, 0),
        Column::fixed("READY", 7, 1),
        Column::flexible("INFO", (16, 60), 2),
        Column::fixed("AGE", 4, 1).right(),
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
        let Some(item) = screen.item(row) else { return };
        draw_row(painter, (row, item), detail, now);
    });
    if rows.is_empty() {
        let row = row_of(area, 1);
        let row = Rect::new(row.x + 2, row.y, row.width.saturating_sub(2), row.height);
        canvas.put(row, "no ReplicaSet yet", Role::Muted);
    }
}

fn draw_row(
    painter: &mut RowPainter<'_, '_>,
    (row, item): (&RolloutRow, RolloutItem<'_>),
    detail: &RolloutDetail,
    now: DateTime<Utc>,
) {
    let mut name = vec![span(Role::Muted, lead(row))];
    match item {
        RolloutItem::Revision(revision) => draw_revision(painter, name, (revision, detail), now),
        RolloutItem::ReplicaSet(set) => {
            name.push(span(Role::Muted, format!("{} ", glyph::REPLICA_SET)));
            name.push(name_span(painter, row, &set.object.name));
            painter.spans(0, &name);
            draw_set(painter, set, now);
        }
        RolloutItem::Pod(pod) => {
            name.push(span(Role::Muted, format!("{} ", glyph::POD)));
            name.push(name_span(painter, row, &pod.object.name));
            painter.spans(0, &name);
            draw_pod(painter, pod, now);
        }
        RolloutItem::Analysis(run) => {
            name.push(span(Role::Muted, format!("{} ", glyph::ANALYSIS)));
            name.push(name_span(painter, row, &run.object.name));
            painter.spans(0, &name);
            draw_run(painter, run, now);
        }
        RolloutItem::Experiment(experiment) => {
            name.push(span(Role::Muted, format!("{} ", glyph::EXPERIMENT)));
            name.push(name_span(painter, row, &experiment.object.name));
            painter.spans(0, &name);
            draw_experiment(painter, experiment, now);
        }
    }
}

fn lead(row: &RolloutRow) -> String {
    let indent = "  ".repeat(usize::from(row.depth));
    let fold = match (row.has_children, row.folded) {
        (true, true) => glyph::CLOSED,
        (true, false) => glyph::OPEN,
        (false, _) => " ",
    };
    format!("{indent}{fold} ")
}

/// Long generated names differ at their end.
fn name_span(painter: &RowPainter<'_, '_>, row: &RolloutRow, name: &str) -> Span<'static> {
    let used = usize::from(row.depth) * 2 + 4;
    let room = painter.width(0).saturating_sub(used);
    span(
        Role::Text,
        text::fit_middle(&text::harmless(name), room).into_owned(),
    )
}

fn draw_revision(
    painter: &mut RowPainter<'_, '_>,
    mut name: Vec<Span<'static>>,
    (revision, detail): (&Revision, &RolloutDetail),
    now: DateTime<Utc>,
) {
    name.push(span(Role::Strong, format!("revision {}", revision.number)));
    let roles = revision.replica_sets.iter().flat_map(|set| &set.roles);
    for side in roles {
        name.push(span(role_of_side(*side), format!(" {}", side.word())));
    }
    painter.spans(0, &name);
    let set = revision.replica_sets.first();
    if let Some(set) = set {
        let mut spans = vec![span(Role::Muted, format!("{}  ", image_of(set)))];
        spans.extend(loudest_span(&set.image_states()));
        painter.spans(3, &spans);
        draw_age(painter, set.created, now);
    }
    let aborted = detail.row.aborted && set.is_some_and(|set| set.hash == detail.row.current_hash);
    if aborted {
        painter.text(1, "aborted", Role::Failed);
    }
}

/// Returns the role of a side of the traffic.
fn role_of_side(side: Side) -> Role {
    match side {
        Side::Stable | Side::Active => Role::Stable,
        Side::Canary => Role::Canary,
        Side::Preview => Role::Preview,
    }
}

fn draw_set(painter: &mut RowPainter<'_, '_>, set: &ReplicaSetView, now: DateTime<Utc>) {
    match set.health {
        Some(health) => draw_health(painter, health, health.word()),
        None => painter.text(1, "· scaled down", Role::Muted),
    }
    painter.text(2, &format!("{}/{}", set.ready, set.desired), Role::Text);
    let mut spans: Vec<Span<'static>> = set
        .roles
        .iter()
        .map(|side| span(role_of_side(*side), format!("{} ", side.word())))
        .collect();
    if let Some(at) = set.scale_down_at.filter(|at| *at > now) {
        let left = crate::domain::rollout::span_text(at - now);
        spans.push(span(Role::Muted, format!("scaled down in {left}")));
    }
    painter.spans(3, &spans);
    draw_age(painter, set.created, now);
}

fn draw_pod(painter: &mut RowPainter<'_, '_>, pod: &PodView, now: DateTime<Utc>) {
    draw_health(painter, pod.health, &pod.status);
    painter.text(2, &format!("{}/{}", pod.ready, pod.containers), Role::Text);
    let mut spans = Vec::new();
    if pod.restarts > 0 {
        spans.push(span(Role::Warning, format!("restarts {} ", pod.restarts)));
    }
    let troubles = [true, false].map(|urgent| trouble_span(&pod.image_states, urgent));
    spans.extend(troubles.into_iter().flatten());
    painter.spans(3, &spans);
    draw_age(painter, pod.created, now);
}

fn draw_run(painter: &mut RowPainter<'_, '_>, run: &AnalysisRun, now: DateTime<Utc>) {
    let role = role_of(run.phase);
    let spans = [
        span(role, format!("{} ", glyph_of(run.phase))),
        span(role, run.phase.word()),
    ];
    painter.spans(1, &spans);
    let tally = run.tally;
    let info = [
        (tally.successful, glyph::STEP_DONE, Role::Muted),
        (tally.failed, glyph::DEGRADED, Role::Failed),
        (tally.inconclusive, "?", Role::Warning),
        (tally.error, glyph::WARNING, Role::Failed),
    ];
    let mut spans = vec![span(Role::Muted, format!("{} ", run.role.word()))];
    for (count, glyph, role) in info {
        if count > 0 {
            spans.push(span(role, format!("{glyph} {count} ")));
        }
    }
    spans.push(span(Role::Muted, run.message.to_string()));
    painter.spans(3, &spans);
    draw_age(painter, run.started.or(run.created), now);
}

fn draw_experiment(painter: &mut RowPainter<'_, '_>, experiment: &Experiment, now: DateTime<Utc>) {
    let role = role_of(experiment.phase);
    let spans = [
        span(role, format!("{} ", glyph_of(experiment.phase))),
        span(role, experiment.phase.word()),
    ];
    painter.spans(1, &spans);
    painter.text(3, &experiment.message, Role::Muted);
    draw_age(painter, experiment.created, now);
}

fn draw_health(painter: &mut RowPainter<'_, '_>, health: Health, word: &str) {
    let role = Role::of_health(health);
    let words = if health == Health::Healthy {
        Role::Muted
    } else {
        role
    };
    let spans = [
        span(role, format!("{} ", glyph::of_health(health))),
        span(words, word.to_owned()),
    ];
    painter.spans(1, &spans);
}

fn draw_age(painter: &mut RowPainter<'_, '_>, at: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    if let Some(at) = at {
        painter.text(4, &age_text(at, now), Role::Muted);
    }
}
