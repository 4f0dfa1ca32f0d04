//! The node under the cursor: what it is, what went in and came out, and its log.

use super::{glyph_of, role_of};
use crate::app::screens::RunScreen;
use crate::domain::pipeline::{Parameter, RunDetail, RunNode};
use crate::domain::rollout::span_text;
use crate::ui::canvas::{Canvas, Span, row_of, span};
use crate::ui::theme::Role;
use crate::ui::widgets::log::Log;
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (screen, run): (&RunScreen, &RunDetail),
    now: DateTime<Utc>,
) {
    if area.height < 2 || area.width < 10 {
        return;
    }
    let area = Rect::new(area.x + 1, area.y, area.width - 2, area.height);
    let node = screen.current();
    let heading = heading(node, now);
    let used = canvas.spans(row_of(area, 0), &heading);
    let line = row_of(area, 0);
    let rest = Rect::new(line.x + used, line.y, line.width.saturating_sub(used), 1);
    canvas.put(rest, &"─".repeat(usize::from(rest.width)), Role::Border);
    let facts = node.map_or_else(|| facts_of_run(run), |node| facts_of(node, run));
    let room = facts_room(area.height, facts.len());
    let mut y = 1;
    for fact in facts.iter().take(room) {
        canvas.spans(row_of(area, y), fact);
        y += 1;
    }
    if facts.len() > room && room > 0 {
        let more = format!("… {} more", facts.len() - room);
        canvas.put(row_of(area, y), &more, Role::Muted);
        y += 1;
    }
    let below = Rect::new(
        area.x,
        area.y + y,
        area.width,
        area.height.saturating_sub(y),
    );
    draw_log(canvas, below, (screen, node));
}

/// The log has the larger part of the room.
fn facts_room(height: u16, facts: usize) -> usize {
    let room = match height {
        ..8 => 2,
        8..16 => 4,
        _ => 8,
    };
    if facts <= room + 1 { facts } else { room }
}

fn heading(node: Option<&RunNode>, now: DateTime<Utc>) -> Vec<Span<'static>> {
    let Some(node) = node else {
        return vec![span(Role::Header, "run ")];
    };
    let mut spans = vec![
        span(role_of(node.phase), format!("{} ", glyph_of(node.phase))),
        span(Role::Strong, format!("{} ", node.label)),
        span(Role::Muted, format!("{} ", node.kind.word())),
    ];
    if let Some(took) = node.duration(now) {
        spans.push(span(Role::Text, format!("{} ", span_text(took))));
    }
    if let Some(code) = node.exit_code {
        let role = if code == 0 { Role::Muted } else { Role::Failed };
        spans.push(span(role, format!("exit {code} ")));
    }
    spans
}

fn pair<'a>(label: &'static str, one: &'a Parameter) -> Vec<Span<'a>> {
    let value = match (&one.value, one.supplied) {
        (Some(value), _) => span(Role::Text, &**value),
        (None, true) => span(Role::Suspended, "to be given by a person"),
        (None, false) => span(Role::Muted, one.default.as_deref().unwrap_or("–")),
    };
    vec![
        span(Role::Muted, format!("{label:<7}")),
        span(Role::Accent, &*one.name),
        span(Role::Muted, " = "),
        value,
    ]
}

fn facts_of_run(run: &RunDetail) -> Vec<Vec<Span<'_>>> {
    let inputs = run.parameters.iter().map(|one| pair("in", one));
    let outputs = run.outputs.iter().map(|one| pair("out", one));
    let notes = run.notes.iter().map(|note| {
        vec![
            span(Role::Muted, format!("{:<7}", "note")),
            span(Role::Text, &**note),
        ]
    });
    inputs.chain(outputs).chain(notes).collect()
}

fn facts_of<'a>(node: &'a RunNode, run: &'a RunDetail) -> Vec<Vec<Span<'a>>> {
    let mut facts: Vec<Vec<Span<'_>>> = Vec::new();
    if !node.message.is_empty() {
        let role = if node.phase.is_bad() {
            Role::Failed
        } else {
            Role::Text
        };
        facts.push(vec![
            span(Role::Muted, format!("{:<7}", "says")),
            span(role, &*node.message),
        ]);
    }
    facts.extend(node.inputs.iter().map(|one| pair("in", one)));
    facts.extend(node.outputs.iter().map(|one| pair("out", one)));
    facts.extend(node.artifacts.iter().map(|one| {
        vec![
            span(Role::Muted, format!("{:<7}", "file")),
            span(Role::Accent, &*one.name),
            span(Role::Muted, " "),
            span(Role::Text, &*one.place),
        ]
    }));
    // The whole run is its first node: what went into it stands there.
    if node.boundary.is_none() && !node.is_hook && !node.is_attempt {
        facts.extend(facts_of_run(run));
    }
    facts
}

fn draw_log(canvas: &mut Canvas<'_>, area: Rect, (screen, node): (&RunScreen, Option<&RunNode>)) {
    if area.height == 0 {
        return;
    }
    let log = screen
        .log
        .as_ref()
        .filter(|log| node.is_some_and(|node| node.id == log.node));
    let Some(log) = log else {
        canvas.put(row_of(area, 0), why_no_log(screen, node), Role::Muted);
        return;
    };
    let lines = &log.lines;
    if lines.is_empty() {
        let word = match (&lines.ended, lines.started) {
            (Some(why), _) => format!("no lines: {why}"),
            (None, true) => String::from("no lines so far"),
            (None, false) => String::from("reading the log"),
        };
        canvas.put(row_of(area, 0), &word, Role::Muted);
        return;
    }
    let shown = Log {
        offset: lines.len().saturating_sub(usize::from(area.height)),
        left: 0,
        wrap: false,
        timestamps: false,
        origins: false,
        search: "",
    };
    shown.draw(canvas, area, lines.len(), |index| lines.line(index));
}

fn why_no_log(screen: &RunScreen, node: Option<&RunNode>) -> &'static str {
    match node {
        Some(node) if node.pod_gone => "its Pod is gone, and its log with it",
        Some(node) if node.pod.is_some() && screen.log_due.is_some() => "",
        Some(node) if node.kind.is_executed() && node.started.is_none() => "it has not begun",
        Some(node) if node.kind.is_executed() => "it has no log of its own",
        Some(_) => "l shows the logs of all its Pods, merged by time",
        None => "",
    }
}
