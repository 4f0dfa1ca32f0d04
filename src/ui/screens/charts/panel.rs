//! One panel: its lines with a legend that carries the newest values, or a number, or a table.

use crate::app::screens::{ChartLine, ChartPanel};
use crate::domain::dashboard::PanelKind;
use crate::domain::metric::value_text;
use crate::ui::canvas::{Canvas, Span, row_of, span, width_of};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::chart::{Chart, Limit, Trace, draw_empty};
use crate::ui::widgets::plot::Scale;
use crate::ui::widgets::spark::{Tip, sparkline};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

/// Lines that are drawn and named; more than that nobody can tell apart.
const LINES: usize = 24;

/// How a panel stands among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Focused,
    Calm,
    /// A table says what its legend would.
    WithoutLegend,
}

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, panel: &ChartPanel, look: Look) {
    if panel.kind == PanelKind::Row {
        let line = format!(" {} ", panel.title);
        canvas.put(row_of(area, 0), &line, Role::Header);
        return;
    }
    if area.height < 3 || area.width < 12 {
        return;
    }
    let inside = canvas.boxed(area, &super::boxed(&panel.title, look));
    match &panel.kind {
        PanelKind::Text(words) => {
            let lines = text::wrap(&text::harmless(words), usize::from(inside.width.max(1)));
            for (at, line) in lines.iter().take(usize::from(inside.height)).enumerate() {
                canvas.put(row_of(inside, at as u16), line, Role::Text);
            }
        }
        PanelKind::Other(kind) => {
            let sentence = format!("`{kind}` panels cannot be drawn here");
            draw_empty(canvas, inside, &sentence, Role::Muted);
        }
        PanelKind::Stat | PanelKind::Gauge => draw_number(canvas, inside, panel),
        PanelKind::Table => draw_table(canvas, inside, panel),
        PanelKind::TimeSeries | PanelKind::BarChart => draw_lines(canvas, inside, panel, look),
        PanelKind::Row => {}
    }
}

fn draw_lines(canvas: &mut Canvas<'_>, area: Rect, panel: &ChartPanel, look: Look) {
    let legend = match look {
        Look::WithoutLegend => Vec::new(),
        Look::Focused | Look::Calm => legend_lines(panel, area),
    };
    let plot = Rect::new(
        area.x,
        area.y,
        area.width,
        area.height.saturating_sub(legend.len() as u16),
    );
    let (from, to) = ends(panel);
    let traces: Vec<Trace> = panel
        .lines
        .iter()
        .take(LINES)
        .enumerate()
        .map(|(number, line)| trace(number, line, (from, to)))
        .collect();
    let limits: Vec<Limit> = panel
        .limits
        .iter()
        .map(|value| Limit {
            value: *value,
            role: Role::Threshold,
        })
        .collect();
    let chart = Chart {
        traces: &traces,
        limits: &limits,
        unit: panel.unit,
        from,
        to,
    };
    if !chart.draw(canvas, plot) {
        draw_problem(canvas, plot, panel);
    }
    for (at, line) in legend.iter().enumerate() {
        let row = Rect::new(
            area.x + 1,
            plot.bottom() + at as u16,
            area.width.saturating_sub(1),
            1,
        );
        canvas.spans(row, line);
    }
}

fn draw_problem(canvas: &mut Canvas<'_>, area: Rect, panel: &ChartPanel) {
    let (sentence, role) = match (&panel.problem, panel.answered) {
        (Some(problem), _) => (
            format!("{} {}", glyph::WARNING, problem.message),
            Role::Warning,
        ),
        (None, true) => ("no data in this span".to_owned(), Role::Muted),
        (None, false) => ("waiting".to_owned(), Role::Progressing),
    };
    let area = Rect::new(
        area.x + 1,
        area.y,
        area.width.saturating_sub(2),
        area.height,
    );
    draw_empty(canvas, area, &sentence, role);
}

/// The shown time: that of the grid, else from the first point to the last.
fn ends(panel: &ChartPanel) -> (DateTime<Utc>, DateTime<Utc>) {
    if let Some(grid) = panel.grid {
        return (grid.start, grid.end);
    }
    let points = panel.lines.iter().flat_map(|line| &line.series.points);
    let times = points.map(|point| point.at);
    let from = times.clone().min().unwrap_or_default();
    (from, times.max().unwrap_or_default())
}

fn letter_of(number: usize) -> char {
    char::from(b'a' + (number % 26) as u8)
}

fn trace(number: usize, line: &ChartLine, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> Trace {
    let span = ((to - from).num_milliseconds() as f64).max(1.0);
    let points = line.series.points.iter().map(|point| {
        let share = (point.at - from).num_milliseconds() as f64 / span;
        (share, point.value)
    });
    Trace {
        letter: letter_of(number),
        role: role_of(number, &line.legend),
        points: points.collect(),
    }
}

/// Canary and stable have the colours they have everywhere; other lines take turns.
fn role_of(number: usize, legend: &str) -> Role {
    let says = |word: &str| {
        legend
            .split([' ', '(', ')', ',', '·'])
            .any(|piece| piece == word)
    };
    let is_latency = legend.starts_with('p') && says("canary") && !says("p95");
    match () {
        () if is_latency => Role::of_series(number),
        () if says("canary") => Role::Canary,
        () if says("preview") => Role::Preview,
        () if (says("stable") || says("active")) && !legend.starts_with('p') => Role::Stable,
        () => Role::of_series(number),
    }
}

/// Legends with their newest values, wrapped into the lines that the panel can spare.
fn legend_lines(panel: &ChartPanel, area: Rect) -> Vec<Vec<Span<'static>>> {
    let most = match area.height {
        ..5 => 0,
        5..9 => 1,
        9..14 => 2,
        _ => 4,
    };
    if most == 0 || panel.lines.is_empty() {
        return Vec::new();
    }
    let columns = area.width.saturating_sub(1);
    let mut lines: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    let named = panel.lines.iter().take(LINES).enumerate();
    for (number, line) in named {
        let entry = legend_entry(panel, number, line);
        let full = lines.len() >= most;
        let Some(last) = lines.last_mut() else { break };
        let fits = width_of(last) + width_of(&entry) <= columns || last.is_empty();
        if fits {
            last.extend(entry);
        } else if full {
            let left = panel.lines.len() - number;
            last.push(span(Role::Muted, format!("+{left}")));
            break;
        } else {
            lines.push(entry);
        }
    }
    lines
}

fn legend_entry(panel: &ChartPanel, number: usize, line: &ChartLine) -> Vec<Span<'static>> {
    let role = role_of(number, &line.legend);
    let value = newest(panel, line);
    let mut spans = Vec::new();
    if panel.lines.len() > 1 {
        spans.push(span(role, format!("{} ", letter_of(number))));
    }
    spans.push(span(Role::Text, text::fit(&line.legend, 40).into_owned()));
    spans.push(span(Role::Strong, format!(" {value}   ")));
    spans
}

/// A line whose newest point is a gap has no value now, whatever it was before.
fn newest(panel: &ChartPanel, line: &ChartLine) -> String {
    let last = line.series.points.last().and_then(|point| point.value);
    last.map_or("no value".to_owned(), |value| value_text(value, panel.unit))
}

fn draw_number(canvas: &mut Canvas<'_>, area: Rect, panel: &ChartPanel) {
    if panel.lines.is_empty() {
        draw_problem(canvas, area, panel);
        return;
    }
    for (at, line) in panel
        .lines
        .iter()
        .take(usize::from(area.height))
        .enumerate()
    {
        let row = row_of(area, at as u16);
        let row = Rect::new(row.x + 1, row.y, row.width.saturating_sub(2), row.height);
        let value = newest(panel, line);
        let above = line
            .series
            .last()
            .is_some_and(|value| panel.limits.iter().any(|limit| value >= *limit));
        let role = if above { Role::Warning } else { Role::Strong };
        let mut spans = vec![span(role, format!("{value:<10} "))];
        spans.extend(spark(
            line,
            usize::from(row.width).saturating_sub(40).min(30),
        ));
        if panel.lines.len() > 1 {
            spans.push(span(Role::Muted, format!(" {}", line.legend)));
        }
        canvas.spans(row, &spans);
    }
}

fn spark(line: &ChartLine, columns: usize) -> Vec<Span<'static>> {
    let values = line.series.points.iter().filter_map(|point| point.value);
    let Some(scale) = Scale::holding(values) else {
        return Vec::new();
    };
    let tips: Vec<Tip> = line
        .series
        .points
        .iter()
        .map(|point| Tip {
            value: point.value,
            role: Role::Series1,
        })
        .collect();
    sparkline(&tips, scale, columns)
}

/// Draws every line's newest value, as many as fit.
pub(super) fn draw_table(canvas: &mut Canvas<'_>, area: Rect, panel: &ChartPanel) {
    if panel.lines.is_empty() {
        draw_problem(canvas, area, panel);
        return;
    }
    let room = usize::from(area.height);
    let values: Vec<String> = panel.lines.iter().map(|line| newest(panel, line)).collect();
    let wide = values
        .iter()
        .map(|value| text::width(value))
        .max()
        .unwrap_or_default();
    for (number, (line, value)) in panel.lines.iter().zip(&values).take(room).enumerate() {
        let row = row_of(area, number as u16);
        let row = Rect::new(row.x + 1, row.y, row.width.saturating_sub(2), row.height);
        let left = panel.lines.len() - number;
        if number + 1 == room && left > 1 {
            canvas.put(row, &format!("and {left} more"), Role::Muted);
            return;
        }
        let role = role_of(number, &line.legend);
        canvas.spans(
            row,
            &[
                span(role, format!("{} ", letter_of(number))),
                span(Role::Strong, format!("{value:>wide$}  ")),
                span(Role::Text, line.legend.clone()),
            ],
        );
    }
}
