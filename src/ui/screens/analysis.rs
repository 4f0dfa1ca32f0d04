//! One AnalysisRun: its metrics, and of the one under the cursor what it wants, what it asked,
//! what was measured, drawn against its thresholds.

use super::rollout::{glyph_of, role_of, spark_of};
use super::{Visible, state_of};
use crate::app::commands::Command;
use crate::app::screens::{AnalysisScreen, Loaded};
use crate::app::state::State;
use crate::domain::age::age_text;
use crate::domain::analysis::{AnalysisRun, Limits, MetricResult};
use crate::domain::duration::short_span;
use crate::domain::metric::{Unit, number_text};
use crate::ui::canvas::{Boxed, Canvas, Span, row_of, span};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::chart::{Chart, Limit, Trace};
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::table::{Column, RowPainter, Table, slots};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &AnalysisScreen,
    state: &State,
) -> Visible {
    let now = state.now.platform;
    let boxed = Boxed {
        title: title(screen),
        corner: screen.run().map(|run| corner(run, now)).unwrap_or_default(),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let visible = Visible {
        rows: inside.height.saturating_sub(1),
        columns: inside.width,
    };
    let run = match &screen.detail {
        Loaded::Ready(Some(run)) => run,
        Loaded::Waiting => {
            state_of::loading("Loading the analysis").draw(canvas, inside);
            return visible;
        }
        Loaded::Failed(finding) => {
            state_of::failed(finding, state).draw(canvas, inside);
            return visible;
        }
        Loaded::Ready(None) => {
            gone(state).draw(canvas, inside);
            return visible;
        }
    };
    let padded = Rect::new(
        inside.x + 1,
        inside.y,
        inside.width.saturating_sub(2),
        inside.height,
    );
    canvas.spans(row_of(padded, 0), &about(run, now));
    canvas.put(row_of(padded, 1), &run.message, role_of(run.phase));
    let rows = (run.metrics.len() as u16).clamp(1, (inside.height / 4).max(1)) + 1;
    let top = Rect::new(
        inside.x,
        inside.y + 2,
        inside.width,
        rows.min(inside.height.saturating_sub(2)),
    );
    draw_metrics(canvas, top, (screen, run));
    let below = top.bottom().min(inside.bottom());
    let rest = Rect::new(padded.x, below, padded.width, inside.bottom() - below);
    if let Some(metric) = screen.metric() {
        draw_metric(canvas, rest, metric, now);
    }
    Visible {
        rows: top.height.saturating_sub(1),
        columns: inside.width,
    }
}

fn gone(state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(Role::Muted, "This AnalysisRun was deleted.")],
        sentences: vec!["A Rollout keeps the last five of each outcome.".to_owned()],
        tries: state_of::key(state, Command::Back, "go back")
            .into_iter()
            .collect(),
    }
}

fn title(screen: &AnalysisScreen) -> Vec<Span<'static>> {
    let mut spans = vec![
        span(Role::Title, " AnalysisRun "),
        span(Role::Strong, screen.object.name.to_string()),
    ];
    if let Some(namespace) = &screen.object.namespace {
        spans.push(span(Role::Muted, format!(" ({namespace})")));
    }
    spans.push(span(Role::Text, " "));
    spans
}

fn corner(run: &AnalysisRun, now: DateTime<Utc>) -> Vec<Span<'static>> {
    let role = role_of(run.phase);
    let mut text = format!(" {} {}", glyph_of(run.phase), run.phase.word());
    match (run.started, run.completed) {
        (Some(started), None) => text = format!("{text} for {}", age_text(started, now)),
        (Some(started), Some(completed)) => {
            text = format!("{text} after {}", age_text(started, completed));
        }
        (None, _) => {}
    }
    if run.terminating {
        text.push_str(" · terminating");
    }
    vec![span(role, format!("{text} "))]
}

fn about(run: &AnalysisRun, now: DateTime<Utc>) -> Vec<Span<'static>> {
    let mut spans = vec![span(Role::Muted, format!("{} analysis", run.role.word()))];
    if let Some(owner) = &run.owner {
        spans.push(span(Role::Muted, format!(" of {} ", owner.kind.kind)));
        spans.push(span(Role::Text, owner.name.to_string()));
    }
    if let Some(revision) = run.revision {
        spans.push(span(Role::Muted, format!("  revision {revision}")));
    }
    if let Some(started) = run.started {
        spans.push(span(
            Role::Muted,
            format!("  started {} ago", age_text(started, now)),
        ));
    }
    for (name, value) in &run.args {
        spans.push(span(Role::Muted, format!("  {name}=")));
        spans.push(span(Role::Text, value.to_string()));
    }
    spans
}

fn draw_metrics(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (screen, run): (&AnalysisScreen, &AnalysisRun),
) {
    let columns = vec![
        Column::flexible("METRIC", (16, 36), 0),
        Column::fixed("PHASE", 14, 0),
        Column::flexible("WANTED", (10, 28), 1),
        Column::fixed("MEASURED", 10, 2),
        Column::fixed("VALUE", 8, 0).right(),
        Column::fixed("DONE", 9, 1),
        Column::flexible("OUTCOMES", (14, 34), 3),
    ];
    let slots = slots(columns, area.width);
    let table = Table {
        slots: &slots,
        name: 0,
        len: run.metrics.len(),
        offset: screen.cursor.offset,
        cursor: (!run.metrics.is_empty()).then_some(screen.cursor.position),
    };
    table.draw(canvas, area, |index, painter| {
        if let Some(metric) = run.metrics.get(index) {
            draw_row(painter, metric);
        }
    });
}

fn draw_row(painter: &mut RowPainter<'_, '_>, metric: &MetricResult) {
    let mut name = vec![span(Role::Text, metric.name.to_string())];
    if metric.dry_run {
        name.push(span(Role::Muted, " dry run"));
    }
    painter.spans(0, &name);
    let role = role_of(metric.phase);
    painter.spans(
        1,
        &[
            span(role, format!("{} ", glyph_of(metric.phase))),
            span(role, metric.phase.word()),
        ],
    );
    painter.text(2, &metric.wish(), Role::Threshold);
    painter.spans(3, &spark_of(metric, 10));
    let value = metric.last_number().map(number_text).unwrap_or_default();
    painter.text(4, &value, Role::Strong);
    painter.text(5, &metric.progress(), Role::Text);
    painter.spans(6, &outcomes(metric));
}

fn outcomes(metric: &MetricResult) -> Vec<Span<'static>> {
    let counts = metric.counts;
    [
        (counts.successful, "good", Role::Muted),
        (counts.failed, "failed", Role::Failed),
        (counts.inconclusive, "unclear", Role::Warning),
        (counts.error, "error", Role::Failed),
    ]
    .into_iter()
    .filter(|(count, _, _)| *count > 0)
    .map(|(count, word, role)| span(role, format!("{count} {word} ")))
    .collect()
}

fn draw_metric(canvas: &mut Canvas<'_>, area: Rect, metric: &MetricResult, now: DateTime<Utc>) {
    let facts = facts(metric, usize::from(area.width), area.height);
    for (at, line) in facts.iter().enumerate() {
        canvas.spans(row_of(area, at as u16), line);
    }
    let used = facts.len() as u16;
    let rest = Rect::new(
        area.x,
        area.y + used.min(area.height),
        area.width,
        area.height.saturating_sub(used),
    );
    let wide = rest.width >= 110;
    let (chart, list) = if wide {
        let half = rest.width / 2;
        (
            Rect::new(rest.x, rest.y, half - 1, rest.height),
            Rect::new(rest.x + half, rest.y, rest.width - half, rest.height),
        )
    } else {
        let height = rest.height / 2;
        (
            Rect::new(rest.x, rest.y, rest.width, height),
            Rect::new(rest.x, rest.y + height, rest.width, rest.height - height),
        )
    };
    draw_chart(canvas, chart, metric);
    draw_measurements(canvas, list, metric, now);
}

/// What it wants, when it is over, whom it asks and what.
fn facts(metric: &MetricResult, columns: usize, height: u16) -> Vec<Vec<Span<'static>>> {
    let mut lines: Vec<Vec<Span<'static>>> = Vec::new();
    let mut conditions = Vec::new();
    for (word, condition) in [
        ("success ", &metric.success_condition),
        ("failure ", &metric.failure_condition),
    ] {
        if !condition.is_empty() {
            conditions.push(span(Role::Muted, word));
            conditions.push(span(Role::Text, format!("{condition}   ")));
        }
    }
    conditions.push(span(Role::Muted, limits_text(metric)));
    lines.push(conditions);
    if !metric.message.is_empty() {
        lines.push(vec![span(
            role_of(metric.phase),
            metric.message.to_string(),
        )]);
    }
    let mut asks = vec![span(Role::Muted, format!("{} ", metric.provider))];
    asks.push(span(Role::Muted, metric.address.to_string()));
    let most = if height >= 20 { 4 } else { 1 };
    let query = metric
        .query
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if !query.is_empty() {
        let wrapped = text::wrap(&text::harmless(&query), columns.saturating_sub(2).max(1));
        lines.push(asks);
        let left = wrapped.len().saturating_sub(most);
        for (at, line) in wrapped.into_iter().take(most).enumerate() {
            let cut = if at + 1 == most && left > 0 {
                "…"
            } else {
                ""
            };
            lines.push(vec![span(Role::Text, format!("  {line}{cut}"))]);
        }
    } else if !metric.provider.is_empty() {
        lines.push(asks);
    }
    lines
}

fn limits_text(metric: &MetricResult) -> String {
    let Limits {
        count,
        failure,
        inconclusive,
        consecutive_error,
        consecutive_success,
    } = metric.limits;
    let mut parts = Vec::new();
    if let Some(interval) = metric.interval {
        parts.push(format!("every {}", short_span(interval)));
    }
    match count {
        Some(count) => parts.push(format!("{count} times")),
        None => parts.push("without end".to_owned()),
    }
    if let Some(failure) = failure {
        parts.push(format!("at most {failure} failed"));
    }
    if let Some(limit) = inconclusive.filter(|limit| *limit > 0) {
        parts.push(format!("{limit} unclear"));
    }
    if let Some(limit) = consecutive_error {
        parts.push(format!("{limit} errors in a row"));
    }
    if consecutive_success > 0 {
        parts.push(format!("enough: {consecutive_success} good in a row"));
    }
    parts.join(", ")
}

fn draw_chart(canvas: &mut Canvas<'_>, area: Rect, metric: &MetricResult) {
    let measured: Vec<(DateTime<Utc>, Option<f64>)> = metric
        .measurements
        .iter()
        .filter_map(|one| Some((one.finished.or(one.started)?, one.number)))
        .collect();
    let (Some((from, _)), Some((to, _))) = (measured.first(), measured.last()) else {
        return;
    };
    let span_ms = ((*to - *from).num_milliseconds() as f64).max(1.0);
    let points = measured.iter().map(|(at, number)| {
        let share = (*at - *from).num_milliseconds() as f64 / span_ms;
        (share, *number)
    });
    let traces = [Trace {
        letter: 'a',
        role: Role::Series1,
        points: points.collect(),
    }];
    let limits: Vec<Limit> = metric
        .thresholds
        .iter()
        .map(|threshold| Limit {
            value: threshold.value,
            role: Role::Threshold,
        })
        .collect();
    let chart = Chart {
        traces: &traces,
        limits: &limits,
        unit: Unit::Plain,
        from: *from,
        to: *to,
    };
    if !chart.draw(canvas, area) {
        canvas.put(row_of(area, 0), "no number was measured", Role::Muted);
    }
}

/// The newest measurement first: it is what people look for.
fn draw_measurements(
    canvas: &mut Canvas<'_>,
    area: Rect,
    metric: &MetricResult,
    now: DateTime<Utc>,
) {
    let columns = vec![
        Column::fixed("AGE", 4, 0).right(),
        Column::fixed("PHASE", 14, 0),
        Column::flexible("VALUE", (12, 30), 0),
        Column::flexible("MESSAGE", (12, 90), 1),
    ];
    // It has no cursor, so the margin is given back.
    let slots = slots(columns, area.width);
    let table = Table {
        slots: &slots,
        name: 0,
        len: metric.measurements.len(),
        offset: 0,
        cursor: None,
    };
    table.draw(canvas, area, |index, painter| {
        let Some(one) = metric.measurements.iter().rev().nth(index) else {
            return;
        };
        let age = one.finished.or(one.started).map(|at| age_text(at, now));
        painter.text(0, &age.unwrap_or_default(), Role::Muted);
        let role = role_of(one.phase);
        painter.spans(
            1,
            &[
                span(role, format!("{} ", glyph_of(one.phase))),
                span(role, one.phase.word()),
            ],
        );
        painter.text(2, &one.value, Role::Text);
        painter.text(3, &one.message, Role::Muted);
    });
    if metric.measurements.is_empty() {
        let row = row_of(area, 1);
        canvas.put(row, "  nothing was measured yet", Role::Muted);
    }
}
