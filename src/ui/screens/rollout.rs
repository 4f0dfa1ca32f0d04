//! One Rollout: who gets the traffic, which step it is at, what the analyses say, and the tree
//! of its revisions.
//!
//! The parts have heights that follow from the window and from the strategy, so that nothing
//! jumps while the rollout goes on: weights, steps, analyses, tree, events.

mod analyses;
mod steps;
mod tree;
mod weights;

use super::{Visible, state_of};
use crate::app::commands::Command;
use crate::app::screens::{Loaded, RolloutScreen};
use crate::app::state::State;
use crate::domain::age::age_text;
use crate::domain::rollout::{Rollout, RolloutDetail, Step, Strategy};
use crate::ui::canvas::{Boxed, Canvas, Span, row_of, span};
use crate::ui::glyph;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

pub(super) use analyses::{glyph_of, role_of, spark_of};

/// Columns of the words that begin the lines of the summary.
const LABEL: u16 = 8;
/// From this width on, the views of the weight stand behind its bar.
const ROOMY: u16 = 108;
/// From this width on, analyses stand in two columns.
const WIDE: u16 = 150;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &RolloutScreen,
    state: &State,
) -> Visible {
    let now = state.now.platform;
    let boxed = Boxed {
        title: title(screen),
        corner: screen
            .rollout()
            .map(|detail| corner(&detail.row, now))
            .unwrap_or_default(),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let detail = match &screen.detail {
        Loaded::Ready(Some(detail)) => detail,
        other @ (Loaded::Waiting | Loaded::Failed(_) | Loaded::Ready(None)) => {
            let name = &screen.object.name;
            let notice = match other {
                Loaded::Waiting => state_of::loading(&format!("Loading {name}")),
                Loaded::Failed(finding) => state_of::failed(finding, state),
                Loaded::Ready(_) => gone(name, state),
            };
            notice.draw(canvas, inside);
            return Visible {
                rows: inside.height,
                columns: inside.width,
            };
        }
    };
    let parts = divide(inside, detail);
    weights::draw(canvas, parts.weights, detail);
    steps::draw(canvas, parts.steps, &detail.row, now);
    analyses::draw(canvas, parts.analyses, detail);
    tree::draw(canvas, parts.tree, (screen, detail), now);
    draw_events(canvas, parts.events, screen, now);
    Visible {
        rows: parts.tree.height.saturating_sub(1),
        columns: inside.width,
    }
}

struct Parts {
    weights: Rect,
    steps: Rect,
    analyses: Rect,
    tree: Rect,
    events: Rect,
}

fn divide(inside: Rect, detail: &RolloutDetail) -> Parts {
    let row = &detail.row;
    let roomy = inside.width >= ROOMY;
    let weights = if roomy { 2 } else { 3 };
    let steps = match (row.strategy, row.steps.is_empty()) {
        (Strategy::Canary, false) => 1 + u16::from(inside.height >= 17 && !roomy),
        (Strategy::Canary, true) | (Strategy::BlueGreen | Strategy::Unknown, _) => 1,
    };
    let analysed = row
        .steps
        .iter()
        .any(|step| matches!(step, Step::Analysis { .. }))
        || !row.analyses.is_empty()
        || detail.analyses().next().is_some();
    let analyses = match (analysed, inside.height) {
        (false, _) => 0,
        (true, ..24) => 2,
        (true, _) => 4,
    };
    let events = match inside.height {
        ..26 => 0,
        26..40 => 6,
        _ => 10,
    };
    let mut y = 0;
    let mut take = |height: u16| {
        let height = height.min(inside.height.saturating_sub(y));
        let part = Rect::new(
            inside.x + 1,
            inside.y + y,
            inside.width.saturating_sub(2),
            height,
        );
        y += height;
        part
    };
    let [weights, steps, analyses] = [weights, steps, analyses].map(&mut take);
    let left = inside
        .height
        .saturating_sub(weights.height + steps.height + analyses.height);
    let tree = take(left.saturating_sub(events));
    let events = take(events);
    let whole = |part: Rect| Rect::new(inside.x, part.y, inside.width, part.height);
    Parts {
        weights,
        steps,
        analyses,
        tree: whole(tree),
        events: whole(events),
    }
}

fn gone(name: &str, state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(Role::Muted, format!("`{name}` was deleted."))],
        sentences: Vec::new(),
        tries: state_of::key(state, Command::Back, "go back")
            .into_iter()
            .collect(),
    }
}

fn title(screen: &RolloutScreen) -> Vec<Span<'static>> {
    let mut spans = vec![
        span(Role::Title, " Rollout "),
        span(Role::Strong, screen.object.name.to_string()),
    ];
    if let Some(namespace) = &screen.object.namespace {
        spans.push(span(Role::Muted, format!(" ({namespace})")));
    }
    spans.push(span(Role::Text, " "));
    spans
}

/// Phase, reason, and how much of a pause is left.
fn corner(row: &Rollout, now: DateTime<Utc>) -> Vec<Span<'static>> {
    let health = row.phase.health();
    let role = Role::of_health(health);
    let mut text = format!(" {} {}", glyph::of_health(health), row.phase.word());
    let reason = reason_of(row);
    if !reason.is_empty() {
        text = format!("{text} · {reason}");
    }
    if let Some(left) = pause_text(row, now) {
        text = format!("{text} · {left}");
    }
    vec![span(role, format!("{text} "))]
}

/// The first words of the message: the reason of a condition, or all of a short one.
fn reason_of(row: &Rollout) -> String {
    let message = &*row.message;
    let reason = message
        .split_once(": ")
        .map_or(message, |(reason, _)| reason);
    crate::ui::text::fit(reason, 44).into_owned()
}

/// Returns how much of the running pause is left, such as `1m12s left`; absent without an end.
pub(super) fn pause_text(row: &Rollout, now: DateTime<Utc>) -> Option<String> {
    let end = row.pause_ends()?;
    let left = end - now;
    Some(if left.num_milliseconds() <= 0 {
        "ends now".to_owned()
    } else {
        format!("{} left", crate::domain::rollout::span_text(left))
    })
}

fn label(canvas: &mut Canvas<'_>, row: Rect, word: &str) -> Rect {
    canvas.put(row, word, Role::Muted);
    crate::ui::canvas::indented(row, LABEL)
}

fn draw_events(canvas: &mut Canvas<'_>, area: Rect, screen: &RolloutScreen, now: DateTime<Utc>) {
    if area.height < 2 {
        return;
    }
    let heading = format!(
        " Events {}",
        "─".repeat(usize::from(area.width.saturating_sub(9)))
    );
    canvas.put(row_of(area, 0), &heading, Role::Border);
    canvas.put(Rect::new(area.x + 1, area.y, 6, 1), "Events", Role::Header);
    let Some(events) = screen.events.ready() else {
        let row = row_of(area, 1);
        canvas.put(
            Rect::new(row.x + 2, row.y, row.width.saturating_sub(2), row.height),
            "reading",
            Role::Muted,
        );
        return;
    };
    let room = usize::from(area.height - 1);
    let newest = events.iter().rev().take(room);
    for (at, event) in newest.enumerate() {
        let seen = event
            .last_seen
            .map(|at| age_text(at, now))
            .unwrap_or_default();
        let role = if event.warning {
            Role::Warning
        } else {
            Role::Text
        };
        let mark = if event.warning {
            glyph::WARNING
        } else {
            glyph::UNKNOWN
        };
        let row = row_of(area, at as u16 + 1);
        let row = Rect::new(row.x + 2, row.y, row.width.saturating_sub(3), row.height);
        canvas.spans(
            row,
            &[
                span(Role::Muted, format!("{seen:>4}  ")),
                span(role, format!("{mark} {} ", event.reason)),
                span(Role::Text, &*event.message),
            ],
        );
    }
    if events.is_empty() {
        let row = row_of(area, 1);
        canvas.put(
            Rect::new(row.x + 2, row.y, row.width.saturating_sub(2), row.height),
            "none",
            Role::Muted,
        );
    }
}
