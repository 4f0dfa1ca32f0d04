//! Charts of an object, of a query or of a dashboard: panels side by side, as many as fit, the
//! one under the cursor always in sight.

mod panel;

use super::{Visible, state_of};
use crate::app::commands::Command;
use crate::app::screens::{ChartPanel, ChartsOf, ChartsScreen, Loaded};
use crate::app::state::{SourceName, State};
use crate::domain::age::age_text;
use crate::domain::dashboard::PanelKind;
use crate::domain::duration::short_span;
use crate::domain::metric::Position;
use crate::domain::status::Freshness;
use crate::ui::canvas::{Boxed, Canvas, Span, row_of, span};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use chrono::TimeDelta;
use ratatui::layout::Rect;

/// Least rows of a panel with its border.
const LEAST: u16 = 8;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &ChartsScreen,
    state: &State,
) -> Visible {
    let head = u16::from(matches!(screen.what, ChartsOf::Query(_))) * 2;
    let heading = row_of(area, 0);
    draw_heading(canvas, heading, screen, state);
    let inside = Rect::new(
        area.x,
        area.y + 1 + head,
        area.width,
        area.height.saturating_sub(1 + head),
    );
    let visible = Visible {
        rows: inside.height,
        columns: inside.width,
    };
    match &screen.panels {
        Loaded::Waiting => waiting(screen, state).draw(canvas, inside),
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(panels) if panels.is_empty() => nothing(screen).draw(canvas, inside),
        Loaded::Ready(panels) => match &screen.what {
            ChartsOf::Query(_) => {
                let asked = Rect::new(area.x, area.y + 1, area.width, head);
                draw_query(canvas, (asked, inside), panels);
            }
            ChartsOf::Object(_) | ChartsOf::Dashboard(_) => {
                draw_panels(canvas, inside, (screen, panels));
            }
        },
    }
    visible
}

fn draw_heading(canvas: &mut Canvas<'_>, row: Rect, screen: &ChartsScreen, state: &State) {
    let mut spans = vec![span(Role::Title, " Metrics ")];
    match &screen.what {
        ChartsOf::Object(object) => {
            spans.push(span(Role::Muted, format!("{} ", object.kind.kind)));
            spans.push(span(Role::Strong, object.name.to_string()));
            if let Some(namespace) = &object.namespace {
                spans.push(span(Role::Muted, format!(" ({namespace})")));
            }
            if !screen.source.is_empty() {
                spans.push(span(Role::Muted, format!("  {}", screen.source)));
            }
        }
        ChartsOf::Query(_) => spans.push(span(Role::Strong, "query")),
        ChartsOf::Dashboard(name) => {
            let board = screen.dashboard.as_ref();
            let title = board.map_or(name, |board| &board.title);
            spans.push(span(Role::Strong, title.to_string()));
            for variable in board.iter().flat_map(|board| &board.variables) {
                if !variable.hidden && !variable.chosen.is_empty() {
                    let value = if variable.all {
                        "all".to_owned()
                    } else {
                        variable.chosen.join(",")
                    };
                    let text = format!("  {}={value}", variable.name);
                    spans.push(span(Role::Muted, text));
                }
            }
        }
    }
    let used = canvas.spans(row, &spans);
    let rest = crate::ui::canvas::indented(row, used + 1);
    canvas.spans_right(rest, &corner(screen, state));
}

/// How far it looks back, in what steps, and how old it is when it is old.
fn corner(screen: &ChartsScreen, state: &State) -> Vec<Span<'static>> {
    let span_of = TimeDelta::seconds(i64::from(screen.seconds()));
    let mut text = format!("last {}", short_span(span_of));
    let grid = screen.shown().iter().find_map(|panel| panel.grid);
    if let Some(grid) = grid {
        text = format!("{text}, a point each {}", short_span(grid.step));
    }
    let mut spans = Vec::new();
    let prometheus = state.link.freshness_at(&SourceName::Prometheus);
    match prometheus {
        Some(Freshness::Stale { since, .. }) => {
            let age = age_text(*since, state.now.platform);
            spans.push(span(
                Role::Stale,
                format!("{} {age} old   ", glyph::WARNING),
            ));
        }
        Some(freshness @ (Freshness::NeedsCredentials { .. } | Freshness::Forbidden { .. })) => {
            let role = Role::of_freshness(freshness);
            spans.push(span(role, format!("{} not allowed   ", glyph::DEGRADED)));
        }
        Some(
            Freshness::Connecting
            | Freshness::Loading { .. }
            | Freshness::Live
            | Freshness::Absent { .. },
        )
        | None => {}
    }
    if let Some(note) = screen.notes.first() {
        spans.push(span(Role::Warning, format!("{note}   ")));
    }
    spans.push(span(Role::Muted, format!("{text} ")));
    spans
}

/// Says why nothing arrives, when it is known.
fn waiting(screen: &ChartsScreen, state: &State) -> Notice<'static> {
    match state.link.freshness_at(&SourceName::Prometheus) {
        Some(
            Freshness::Absent { reason }
            | Freshness::Stale { reason, .. }
            | Freshness::Forbidden { reason }
            | Freshness::NeedsCredentials { reason },
        ) => Notice {
            headline: vec![span(
                Role::Stale,
                format!("{} The metrics server does not answer", glyph::WARNING),
            )],
            sentences: vec![
                reason.to_string(),
                "It is asked again by itself; nothing else is affected.".to_owned(),
            ],
            tries: [
                state_of::key(state, Command::Reload, "try again"),
                state_of::key(state, Command::Back, "go back"),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Some(Freshness::Connecting | Freshness::Loading { .. } | Freshness::Live) | None => {
            state_of::loading(match &screen.what {
                ChartsOf::Dashboard(_) => "Reading the dashboard",
                ChartsOf::Object(_) | ChartsOf::Query(_) => "Asking the metrics server",
            })
        }
    }
}

fn nothing(screen: &ChartsScreen) -> Notice<'static> {
    let mut sentences: Vec<String> = screen.notes.iter().map(ToString::to_string).collect();
    if sentences.is_empty() {
        sentences.push("The metrics server knows no requests of it.".to_owned());
    }
    Notice {
        headline: vec![span(Role::Muted, "There is nothing to draw.")],
        sentences,
        tries: vec![(":query EXPR".to_owned(), "ask for anything".to_owned())],
    }
}

/// Where a panel stands: columns and rows counted from the top of all panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Laid {
    x: u16,
    y: u16,
    width: u16,
    height: u16,
}

fn draw_panels(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (screen, panels): (&ChartsScreen, &[ChartPanel]),
) {
    if screen.zoomed
        && let Some(one) = screen.current()
    {
        panel::draw(canvas, area, one, panel::Look::Focused);
        return;
    }
    let laid = match &screen.what {
        ChartsOf::Dashboard(_) if area.width >= 100 => in_grid(area, panels),
        ChartsOf::Dashboard(_) | ChartsOf::Object(_) | ChartsOf::Query(_) => {
            in_columns(area, panels)
        }
    };
    // Just as far down as the panel under the cursor needs.
    let current = laid.get(screen.cursor.position);
    let top = current.map_or(0, |one| (one.y + one.height).saturating_sub(area.height));
    for (number, (place, one)) in laid.iter().zip(panels).enumerate() {
        let Some(y) = place.y.checked_sub(top) else {
            continue;
        };
        if y >= area.height {
            continue;
        }
        let height = place.height.min(area.height - y);
        let rect = Rect::new(area.x + place.x, area.y + y, place.width, height);
        let look = if number == screen.cursor.position {
            panel::Look::Focused
        } else {
            panel::Look::Calm
        };
        panel::draw(canvas, rect, one, look);
    }
}

/// One, two or three columns, all panels of one height.
fn in_columns(area: Rect, panels: &[ChartPanel]) -> Vec<Laid> {
    let count = panels.len().max(1) as u16;
    let columns = match area.width {
        ..110 => 1,
        110..190 => 2,
        _ => 3,
    }
    .min(count);
    let lines = count.div_ceil(columns);
    let height = (area.height / lines)
        .clamp(LEAST, 24)
        .min(area.height.max(1));
    (0..count)
        .map(|number| {
            let column = number % columns;
            let x = area.width * column / columns;
            Laid {
                x,
                y: number / columns * height,
                width: area.width * (column + 1) / columns - x,
                height,
            }
        })
        .collect()
}

/// Bands of panels that begin at one height, each panel as wide as the dashboard says.
fn in_grid(area: Rect, panels: &[ChartPanel]) -> Vec<Laid> {
    let mut starts: Vec<u16> = panels.iter().map(|panel| panel.place.y).collect();
    starts.sort_unstable();
    starts.dedup();
    let mut tops = Vec::with_capacity(starts.len());
    let mut y = 0;
    for start in &starts {
        tops.push((*start, y));
        let band = panels.iter().filter(|panel| panel.place.y == *start);
        let heights = band.map(|panel| match panel.kind {
            PanelKind::Row => 1,
            PanelKind::Stat | PanelKind::Gauge => panel.place.height.clamp(4, 6),
            PanelKind::TimeSeries
            | PanelKind::BarChart
            | PanelKind::Table
            | PanelKind::Text(_)
            | PanelKind::Other(_) => panel.place.height.clamp(LEAST, 16),
        });
        y += heights.max().unwrap_or(LEAST);
    }
    let height_of = |start: u16| {
        let at = starts
            .iter()
            .position(|one| *one == start)
            .unwrap_or_default();
        let top = tops.get(at).map_or(0, |(_, y)| *y);
        let next = tops.get(at + 1).map_or(y, |(_, y)| *y);
        (top, next - top)
    };
    panels
        .iter()
        .map(|panel| {
            let (top, height) = height_of(panel.place.y);
            let left = u32::from(panel.place.x.min(23));
            let right = (left + u32::from(panel.place.width.max(1))).min(24);
            let x = u32::from(area.width) * left / 24;
            let end = u32::from(area.width) * right / 24;
            Laid {
                x: x as u16,
                y: top,
                width: (end - x) as u16,
                height,
            }
        })
        .collect()
}

/// The query with the place of its mistake marked under it, its chart and its newest values.
fn draw_query(canvas: &mut Canvas<'_>, (asked, area): (Rect, Rect), panels: &[ChartPanel]) {
    let Some(one) = panels.first() else { return };
    let problem = one.problem.as_ref();
    let position = problem.and_then(|problem| problem.position);
    draw_expr(canvas, asked, &one.expr, position);
    if let Some(problem) = problem
        && one.lines.is_empty()
    {
        let mut sentences = vec![problem.message.to_string()];
        sentences.extend(problem.hint.as_ref().map(ToString::to_string));
        let notice = Notice {
            headline: vec![span(
                Role::Degraded,
                format!("{} No answer to this query", glyph::DEGRADED),
            )],
            sentences,
            tries: Vec::new(),
        };
        notice.draw(canvas, area);
        return;
    }
    let rows = one.lines.len() as u16 + 1;
    let table = rows.min(area.height / 3).max(2).min(area.height);
    let chart = Rect::new(area.x, area.y, area.width, area.height - table);
    let below = Rect::new(area.x, chart.bottom(), area.width, table);
    panel::draw(canvas, chart, one, panel::Look::WithoutLegend);
    panel::draw_table(canvas, below, one);
}

/// Draws the query so that the place of its mistake is in sight.
fn draw_expr(canvas: &mut Canvas<'_>, area: Rect, expr: &str, position: Option<Position>) {
    let first = row_of(area, 0);
    let used = canvas.put(first, "  query ", Role::Muted);
    let row = crate::ui::canvas::indented(first, used);
    let shown = text::document_line(expr).into_owned();
    let Some(position) = position else {
        canvas.put(row, &shown, Role::Text);
        return;
    };
    let column = (position.column.max(1) - 1) as usize;
    let room = usize::from(row.width);
    let hidden = (column + 10).saturating_sub(room);
    canvas.put(row, &text::after_columns(&shown, hidden), Role::Text);
    let second = row_of(area, 1);
    let mark = Rect::new(
        row.x + (column - hidden.min(column)) as u16,
        second.y,
        second.width.saturating_sub(used).min(1),
        second.height,
    );
    canvas.put(mark, "^", Role::Error);
}

/// A box for a panel.
fn boxed(title: &str, look: panel::Look) -> Boxed<'static> {
    let border = match look {
        panel::Look::Focused => Role::BorderFocus,
        panel::Look::Calm | panel::Look::WithoutLegend => Role::Border,
    };
    let title = (!title.is_empty()).then(|| span(Role::Strong, format!(" {title} ")));
    Boxed {
        title: title.into_iter().collect(),
        border: Some(border),
        ..Boxed::default()
    }
}
