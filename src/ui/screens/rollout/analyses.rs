//! What the analyses of the update say: each metric as a sparkline against its threshold.

use super::WIDE;
use crate::domain::analysis::{AnalysisPhase, AnalysisRun, MetricResult};
use crate::domain::metric::number_text;
use crate::domain::rollout::RolloutDetail;
use crate::ui::canvas::{Canvas, Span, row_of, span};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::plot::Scale;
use crate::ui::widgets::spark::{Tip, sparkline};
use ratatui::layout::Rect;

/// Values of a sparkline.
const VALUES: usize = 10;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, detail: &RolloutDetail) {
    if area.is_empty() {
        return;
    }
    let runs = shown_runs(detail);
    let metrics: Vec<(&AnalysisRun, &MetricResult)> = runs
        .iter()
        .flat_map(|run| run.metrics.iter().map(move |metric| (*run, metric)))
        .collect();
    if metrics.is_empty() {
        let sentence = match runs.first() {
            Some(run) => format!("{} {}: {}", glyph::ANALYSIS, run.phase.word(), run.message),
            None => "no analysis has run for this revision".to_owned(),
        };
        canvas.put(row_of(area, 0), &sentence, Role::Muted);
        return;
    }
    let columns: usize = if area.width + 2 >= WIDE { 2 } else { 1 };
    let room = usize::from(area.height) * columns;
    let width = area.width / columns as u16;
    let names = metrics
        .iter()
        .take(room)
        .map(|(_, metric)| text::width(&metric.name));
    let names = names.max().unwrap_or_default().min(24);
    // What went wrong is shown first when not all fit.
    let mut order: Vec<&(&AnalysisRun, &MetricResult)> = metrics.iter().collect();
    if order.len() > room {
        order.sort_by_key(|(_, metric)| std::cmp::Reverse(metric.phase));
    }
    for (at, (run, metric)) in order.into_iter().take(room).enumerate() {
        let row = row_of(area, (at / columns) as u16);
        let x = row.x + (at % columns) as u16 * width;
        let cell = Rect::new(x, row.y, width.saturating_sub(2), row.height);
        canvas.spans(cell, &metric_spans(run, metric, names));
    }
}

/// The runs of this update; without any, the newest run of the revision.
fn shown_runs(detail: &RolloutDetail) -> Vec<&AnalysisRun> {
    let current: Vec<&AnalysisRun> = detail.current_analyses().collect();
    if !current.is_empty() {
        return current;
    }
    let revision = detail.current_revision();
    revision
        .and_then(|revision| revision.analyses.first())
        .into_iter()
        .collect()
}

fn metric_spans(run: &AnalysisRun, metric: &MetricResult, names: usize) -> Vec<Span<'static>> {
    let role = role_of(metric.phase);
    let wish = text::fit(&metric.wish(), 16).into_owned();
    let mut spans = vec![
        span(Role::Text, format!("{}  ", text::pad(&metric.name, names))),
        span(Role::Threshold, format!("{} ", text::pad(&wish, 10))),
    ];
    let line = spark_of(metric, VALUES);
    let used = line.len();
    spans.extend(line);
    spans.push(span(
        Role::Text,
        " ".repeat(VALUES.saturating_sub(used) + 1),
    ));
    let value = metric.last_number().map(number_text).unwrap_or_default();
    spans.push(span(Role::Strong, format!("{value:>7}  ")));
    spans.push(span(
        role,
        format!("{} {}", glyph_of(metric.phase), metric.progress()),
    ));
    if metric.phase != AnalysisPhase::Successful {
        spans.push(span(role, format!(" {}", metric.phase.word())));
    }
    if metric.counts.failed > 0 {
        spans.push(span(
            Role::Failed,
            format!("  {} failed", metric.counts.failed),
        ));
    }
    if metric.dry_run {
        spans.push(span(Role::Muted, "  dry run"));
    }
    if run.terminating {
        spans.push(span(Role::Warning, "  terminating"));
    }
    spans
}

/// Returns a metric's measurements as a sparkline; those that were not good stand out.
pub(in crate::ui::screens) fn spark_of(
    metric: &MetricResult,
    columns: usize,
) -> Vec<Span<'static>> {
    let numbers = metric.measurements.iter().filter_map(|one| one.number);
    let limits = metric.thresholds.iter().map(|threshold| threshold.value);
    let Some(scale) = Scale::holding(numbers.chain(limits)) else {
        return Vec::new();
    };
    let tips: Vec<Tip> = metric
        .measurements
        .iter()
        .map(|one| Tip {
            // What was measured and is no number is shown as such, not left out.
            value: Some(one.number.unwrap_or(f64::NAN)),
            role: match one.phase {
                AnalysisPhase::Successful => Role::Healthy,
                AnalysisPhase::Running | AnalysisPhase::Pending => Role::Progressing,
                AnalysisPhase::Inconclusive => Role::Warning,
                AnalysisPhase::Error | AnalysisPhase::Failed => Role::Failed,
            },
        })
        .collect();
    sparkline(&tips, scale, columns)
}

/// Returns the role of an analysis phase.
pub(in crate::ui::screens) fn role_of(phase: AnalysisPhase) -> Role {
    match phase {
        AnalysisPhase::Successful => Role::Healthy,
        AnalysisPhase::Running => Role::Progressing,
        AnalysisPhase::Pending => Role::Muted,
        AnalysisPhase::Inconclusive => Role::Warning,
        AnalysisPhase::Error | AnalysisPhase::Failed => Role::Failed,
    }
}

/// Returns the glyph of an analysis phase.
pub(in crate::ui::screens) fn glyph_of(phase: AnalysisPhase) -> &'static str {
    match phase {
        AnalysisPhase::Successful => glyph::STEP_DONE,
        AnalysisPhase::Running => glyph::PROGRESSING,
        AnalysisPhase::Pending => glyph::STEP_AHEAD,
        AnalysisPhase::Inconclusive => glyph::UNKNOWN,
        AnalysisPhase::Error => glyph::WARNING,
        AnalysisPhase::Failed => glyph::DEGRADED,
    }
}
