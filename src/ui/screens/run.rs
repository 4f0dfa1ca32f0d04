//! One run: where it stands, its nodes as a tree or a graph, and beside them the node under the
//! cursor with its inputs, outputs and log.
//!
//! The parts have sizes that follow from the window alone, so that nothing jumps while it runs.

mod graph;
mod side;
mod tree;

use super::runs::{glyph_of, role_of};
use super::{Visible, state_of};
use crate::app::commands::Command;
use crate::app::screens::{Loaded, RunScreen, RunView};
use crate::app::state::State;
use crate::domain::pipeline::{Pace, RunDetail, RunRow};
use crate::domain::rollout::span_text;
use crate::ui::canvas::{Boxed, Canvas, Span, row_of, span};
use crate::ui::text::short_revision;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::spark::bar;
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

/// From this width on, the node stands beside the tree.
const BESIDE: u16 = 118;
/// Lines of the summary.
const SUMMARY: u16 = 2;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &RunScreen,
    state: &State,
) -> Visible {
    let now = state.now.platform;
    let boxed = Boxed {
        title: title(screen),
        corner: screen.run().map(|run| corner(&run.row)).unwrap_or_default(),
        foot: foot(screen),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let run = match &screen.detail {
        Loaded::Ready(Some(run)) => run,
        other @ (Loaded::Waiting | Loaded::Failed(_) | Loaded::Ready(None)) => {
            notice(other, screen, state).draw(canvas, inside);
            return Visible {
                rows: inside.height,
                columns: inside.width,
            };
        }
    };
    let parts = divide(inside);
    draw_summary(canvas, parts.summary, &run.row, now);
    let rows = match screen.view {
        RunView::Tree => {
            tree::draw(canvas, parts.nodes, (screen, run), now);
            parts.nodes.height.saturating_sub(1)
        }
        RunView::Graph => {
            graph::draw(canvas, parts.nodes, (screen, run), now);
            parts.nodes.height
        }
    };
    side::draw(canvas, parts.side, (screen, run), now);
    Visible {
        rows,
        columns: inside.width,
    }
}

struct Parts {
    summary: Rect,
    nodes: Rect,
    side: Rect,
}

fn divide(inside: Rect) -> Parts {
    let summary = Rect::new(
        inside.x + 1,
        inside.y,
        inside.width.saturating_sub(2),
        SUMMARY.min(inside.height),
    );
    let rest = Rect::new(
        inside.x,
        inside.y + summary.height,
        inside.width,
        inside.height - summary.height,
    );
    if inside.width >= BESIDE {
        let nodes = Rect::new(rest.x, rest.y, rest.width * 11 / 20, rest.height);
        let side = Rect::new(nodes.right(), rest.y, rest.width - nodes.width, rest.height);
        return Parts {
            summary,
            nodes,
            side,
        };
    }
    let below = match rest.height {
        ..12 => 0,
        12..20 => 7,
        height => height * 2 / 5,
    };
    let nodes = Rect::new(rest.x, rest.y, rest.width, rest.height - below);
    let side = Rect::new(rest.x, nodes.bottom(), rest.width, below);
    Parts {
        summary,
        nodes,
        side,
    }
}

fn notice(
    detail: &Loaded<Option<Box<RunDetail>>>,
    screen: &RunScreen,
    state: &State,
) -> Notice<'static> {
    let name = &screen.object.name;
    match detail {
        Loaded::Waiting => state_of::loading(&format!("Loading {name}")),
        Loaded::Failed(finding) => state_of::failed(finding, state),
        Loaded::Ready(_) => Notice {
            headline: vec![span(Role::Muted, format!("`{name}` is gone."))],
            sentences: vec![
                "It was deleted, by hand or because its time to live was over.".to_owned(),
            ],
            tries: state_of::key(state, Command::Back, "go back")
                .into_iter()
                .collect(),
        },
    }
}

fn title(screen: &RunScreen) -> Vec<Span<'static>> {
    let system = screen.run().map_or("Run", |run| run.row.system.word());
    let mut spans = vec![
        span(Role::Title, format!(" {system} ")),
        span(Role::Strong, screen.object.name.to_string()),
    ];
    if let Some(namespace) = &screen.object.namespace {
        spans.push(span(Role::Muted, format!(" ({namespace})")));
    }
    spans.push(span(Role::Text, " "));
    spans
}

fn corner(row: &RunRow) -> Vec<Span<'static>> {
    let text = format!(" {} {} ", glyph_of(row.phase), row.status_words());
    vec![span(role_of(row.phase), text)]
}

/// What is wrong with the picture itself.
fn foot(screen: &RunScreen) -> Vec<Span<'static>> {
    let finding = screen.run().and_then(|run| {
        let away = crate::domain::pipeline::why_run(run, DateTime::UNIX_EPOCH);
        let told = away
            .into_iter()
            .find(|one| one.sentence.contains("nodes") || one.sentence.contains("cannot be seen"));
        told.map(|one| one.sentence.to_string())
    });
    finding
        .map(|sentence| span(Role::Warning, format!(" {sentence} ")))
        .into_iter()
        .collect()
}

fn draw_summary(canvas: &mut Canvas<'_>, area: Rect, row: &RunRow, now: DateTime<Utc>) {
    if area.height == 0 {
        return;
    }
    let mut source: Vec<Span<'_>> = Vec::new();
    let mut say = |label: &'static str, text: String| {
        if !text.is_empty() {
            source.push(span(Role::Muted, label));
            source.push(span(Role::Text, text));
            source.push(span(Role::Text, "   "));
        }
    };
    say("commit ", short_revision(&row.commit.revision).to_owned());
    let repository = row.commit.repository.rsplit('/').next();
    say("of ", repository.unwrap_or_default().to_owned());
    say("trigger ", row.trigger.words());
    if row.template.is_some() {
        say("from ", row.family().to_owned());
    }
    let image = row.commit.image.rsplit('/').next();
    say("image ", image.unwrap_or_default().to_owned());
    canvas.spans(row_of(area, 0), &source);
    if area.height > 1 {
        canvas.spans(row_of(area, 1), &standing(row, now));
    }
}

/// How far it is, how long it took against what is usual, and what it says.
fn standing(row: &RunRow, now: DateTime<Utc>) -> Vec<Span<'_>> {
    let mut spans: Vec<Span<'_>> = Vec::new();
    if let Some((done, total)) = row.progress {
        let share = f64::from(done) / f64::from(total.max(1));
        spans.extend(bar(share, 12, role_of(row.phase)));
        spans.push(span(Role::Text, format!(" {done}/{total}   ")));
    }
    if let Some(took) = row.duration(now) {
        let role = match row.pace(now) {
            Pace::Slower(_) => Role::Warning,
            Pace::Usual | Pace::Faster | Pace::Unknown => Role::Text,
        };
        spans.push(span(role, span_text(took)));
        if let Some(usual) = row.usual {
            spans.push(span(
                Role::Muted,
                format!(" (usually {})", span_text(usual)),
            ));
        }
        spans.push(span(Role::Text, "   "));
    }
    if !row.failing.is_empty() {
        spans.push(span(Role::Failed, format!("at {}   ", row.failing)));
    }
    if !row.ending.is_empty() && !row.phase.is_over() {
        spans.push(span(Role::Warning, format!("{} asked for   ", row.ending)));
    }
    spans.push(span(Role::Muted, &*row.message));
    spans
}
