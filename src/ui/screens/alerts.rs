//! Alerts, the loudest first, and the silences below them; of the one under the cursor all labels
//! and annotations.

use super::{Visible, state_of};
use crate::app::commands::Command;
use crate::app::screens::{AlertItem, AlertsScreen, Loaded};
use crate::app::state::State;
use crate::domain::age::age_text;
use crate::domain::alert::{Alert, AlertBoard, AlertState, Silence, SilenceState};
use crate::domain::metric::number_text;
use crate::domain::rollout::span_text;
use crate::ui::canvas::{Boxed, Canvas, Span, row_of, span};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::table::{Column, RowPainter, Table, slots};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &AlertsScreen,
    state: &State,
) -> Visible {
    let board = screen.board.ready();
    let boxed = Boxed {
        title: title(screen, board),
        corner: board.map(corner).unwrap_or_default(),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let beside = inside.width >= 150;
    let below = match (beside, inside.height) {
        (true, _) => 0,
        (false, ..18) => 5,
        (false, _) => 9,
    };
    let list = if beside {
        Rect::new(inside.x, inside.y, inside.width * 3 / 5, inside.height)
    } else {
        Rect::new(
            inside.x,
            inside.y,
            inside.width,
            inside.height.saturating_sub(below),
        )
    };
    match &screen.board {
        Loaded::Waiting => waiting(state).draw(canvas, inside),
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(board) if screen.rows().is_empty() => {
            calm(board, screen, state).draw(canvas, inside);
        }
        Loaded::Ready(_) => {
            let now = state.now.platform;
            draw_rows(canvas, list, screen, now);
            let detail = if beside {
                let x = list.right() + 1;
                Rect::new(x, inside.y, inside.right().saturating_sub(x), inside.height)
            } else {
                let rest = inside.bottom() - list.bottom();
                Rect::new(
                    inside.x + 1,
                    list.bottom(),
                    inside.width.saturating_sub(2),
                    rest,
                )
            };
            draw_detail(canvas, detail, screen, now);
        }
    }
    Visible {
        rows: list.height.saturating_sub(1),
        columns: inside.width,
    }
}

fn title(screen: &AlertsScreen, board: Option<&AlertBoard>) -> Vec<Span<'static>> {
    let mut spans = vec![span(Role::Title, " Alerts ")];
    if let Some(board) = board {
        let count = |wanted: AlertState| {
            let alerts = board.alerts.iter();
            alerts.filter(|alert| alert.state == wanted).count()
        };
        let (firing, pending) = (count(AlertState::Firing), count(AlertState::Pending));
        let role = if firing > 0 {
            Role::Degraded
        } else {
            Role::Muted
        };
        spans.push(span(role, format!("{firing} firing")));
        spans.push(span(Role::Muted, format!(", {pending} pending")));
        let quiet = count(AlertState::Suppressed);
        if quiet > 0 {
            spans.push(span(Role::Muted, format!(", {quiet} quiet")));
        }
    }
    if !screen.filter.is_empty() {
        spans.push(span(Role::Filter, format!(" /{}", screen.filter)));
    }
    spans.push(span(Role::Text, " "));
    spans
}

fn corner(board: &AlertBoard) -> Vec<Span<'static>> {
    let note = board.notes.first();
    note.map(|note| span(Role::Warning, format!(" {note} ")))
        .into_iter()
        .collect()
}

fn waiting(state: &State) -> Notice<'static> {
    let sources = [
        crate::app::state::SourceName::Prometheus,
        crate::app::state::SourceName::Alertmanager,
    ];
    let reasons = sources
        .iter()
        .filter_map(|source| state_of::reason(state.link.freshness_at(source)?));
    let sentences: Vec<String> = reasons.collect();
    if sentences.is_empty() {
        return state_of::loading("Reading alerts");
    }
    Notice {
        headline: vec![span(
            Role::Stale,
            format!("{} Alerts cannot be read", glyph::WARNING),
        )],
        sentences,
        tries: state_of::key(state, Command::Reload, "try again")
            .into_iter()
            .collect(),
    }
}

fn calm(board: &AlertBoard, screen: &AlertsScreen, state: &State) -> Notice<'static> {
    if !screen.filter.is_empty() {
        return state_of::all_hidden(board.alerts.len() + board.silences.len(), "alerts", state);
    }
    // With a server that did not answer, nobody knows that all is calm.
    let headline = if board.notes.is_empty() {
        span(
            Role::Healthy,
            format!("{} Nothing fires, and nothing is silenced.", glyph::HEALTHY),
        )
    } else {
        span(
            Role::Stale,
            format!(
                "{} No alert is known, but not all could be asked.",
                glyph::WARNING
            ),
        )
    };
    Notice {
        headline: vec![headline],
        sentences: board.notes.iter().map(ToString::to_string).collect(),
        tries: Vec::new(),
    }
}

fn draw_rows(canvas: &mut Canvas<'_>, area: Rect, screen: &AlertsScreen, now: DateTime<Utc>) {
    let columns = vec![
        Column::flexible("ALERT", (18, 36), 0),
        Column::fixed("STATE", 12, 0),
        Column::fixed("SEVERITY", 9, 2),
        Column::flexible("WHERE", (20, 34), 1),
        Column::flexible("SUMMARY", (16, 90), 3),
        Column::fixed("SINCE", 6, 0).right(),
    ];
    let slots = slots(columns, area.width);
    let rows = screen.rows();
    let table = Table {
        slots: &slots,
        name: 0,
        len: rows.len(),
        offset: screen.cursor.offset,
        cursor: Some(screen.cursor.position),
    };
    table.draw(canvas, area, |index, painter| {
        match rows.get(index).and_then(|row| screen.item(*row)) {
            Some(AlertItem::Alert(alert)) => draw_alert(painter, alert, now),
            Some(AlertItem::Silence(silence)) => draw_silence(painter, silence, now),
            None => {}
        }
    });
}

fn draw_alert(painter: &mut RowPainter<'_, '_>, alert: &Alert, now: DateTime<Utc>) {
    let (symbol, role) = look_of(alert);
    painter.text(0, alert.name(), Role::Text);
    let word = if alert.silenced_by.is_empty() {
        alert.state.word()
    } else {
        "silenced"
    };
    painter.spans(1, &[span(role, format!("{symbol} {word}"))]);
    let loud = alert.state == AlertState::Firing
        && crate::domain::alert::severity_rank(alert.severity()) <= 1;
    let severity = if loud { Role::Degraded } else { Role::Muted };
    painter.text(2, alert.severity(), severity);
    painter.text(3, &place_of(alert), Role::Text);
    painter.text(4, alert.summary(), Role::Muted);
    let since = alert.since.map(|at| age_text(at, now));
    painter.text(5, &since.unwrap_or_default(), Role::Muted);
}

fn look_of(alert: &Alert) -> (&'static str, Role) {
    match alert.state {
        AlertState::Firing => (glyph::DEGRADED, Role::Degraded),
        AlertState::Pending => (glyph::PROGRESSING, Role::Warning),
        AlertState::Suppressed => (glyph::SUSPENDED, Role::Suspended),
    }
}

/// Namespace and the thing that it is about, as far as labels say.
fn place_of(alert: &Alert) -> String {
    let label = |name: &str| crate::domain::metric::label_of(&alert.labels, name);
    let thing = ["app", "rollout", "name", "service", "job"]
        .into_iter()
        .map(label)
        .find(|text| !text.is_empty())
        .unwrap_or_default();
    match (alert.namespace(), thing) {
        ("", thing) => thing.to_owned(),
        (namespace, "") => namespace.to_owned(),
        (namespace, thing) => format!("{namespace}/{thing}"),
    }
}

fn draw_silence(painter: &mut RowPainter<'_, '_>, silence: &Silence, now: DateTime<Utc>) {
    painter.spans(
        0,
        &[
            span(Role::Muted, "silence "),
            span(Role::Text, silence.comment.to_string()),
        ],
    );
    let role = match silence.state {
        SilenceState::Active => Role::Suspended,
        SilenceState::Pending | SilenceState::Expired => Role::Muted,
    };
    painter.spans(
        1,
        &[span(
            role,
            format!("{} {}", glyph::SUSPENDED, silence.state.word()),
        )],
    );
    painter.text(3, &silence.created_by, Role::Muted);
    painter.text(4, &matchers_text(silence), Role::Text);
    let left = silence
        .ends
        .filter(|end| *end > now && silence.state != SilenceState::Expired);
    let left = left.map(|end| span_text(end - now));
    painter.text(5, &left.unwrap_or_default(), Role::Muted);
}

fn matchers_text(silence: &Silence) -> String {
    let words = silence
        .matchers
        .iter()
        .map(crate::domain::alert::Matcher::words);
    words.collect::<Vec<_>>().join(" ")
}

fn draw_detail(canvas: &mut Canvas<'_>, area: Rect, screen: &AlertsScreen, now: DateTime<Utc>) {
    let columns = usize::from(area.width.saturating_sub(1)).max(1);
    let lines = match screen.current() {
        Some(AlertItem::Alert(alert)) => alert_lines(alert, columns, now),
        Some(AlertItem::Silence(silence)) => silence_lines(silence, now),
        None => Vec::new(),
    };
    let rule = "─".repeat(usize::from(area.width));
    canvas.put(row_of(area, 0), &rule, Role::Border);
    let room = usize::from(area.height.saturating_sub(1));
    let left = lines.len().saturating_sub(room);
    for (at, line) in lines.iter().take(room).enumerate() {
        let row = row_of(area, at as u16 + 1);
        if at + 1 == room && left > 0 {
            canvas.put(row, &format!("and {} more lines", left + 1), Role::Muted);
        } else {
            canvas.spans(row, line);
        }
    }
}

fn alert_lines(alert: &Alert, columns: usize, now: DateTime<Utc>) -> Vec<Vec<Span<'static>>> {
    let (symbol, role) = look_of(alert);
    let mut first = vec![
        span(role, format!("{symbol} {} ", alert.state.word())),
        span(Role::Strong, alert.name().to_owned()),
    ];
    if let Some(since) = alert.since {
        first.push(span(Role::Muted, format!("  for {}", age_text(since, now))));
    }
    if let Some(value) = alert.value {
        first.push(span(Role::Text, format!("  value {}", number_text(value))));
    }
    if !alert.delivered {
        first.push(span(Role::Muted, "  Alertmanager does not have it"));
    }
    if !alert.silenced_by.is_empty() {
        let ids = alert.silenced_by.join(", ");
        first.push(span(Role::Suspended, format!("  silenced by {ids}")));
    }
    if !alert.inhibited_by.is_empty() {
        first.push(span(Role::Suspended, "  inhibited by another alert"));
    }
    let mut lines = vec![first];
    for (name, value) in &alert.annotations {
        let whole = format!("{name}: {value}");
        for line in text::wrap(&text::harmless(&whole), columns) {
            lines.push(vec![span(Role::Text, line)]);
        }
    }
    let labels: Vec<String> = alert
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    for line in text::wrap(&text::harmless(&labels.join("  ")), columns) {
        lines.push(vec![span(Role::Muted, line)]);
    }
    lines
}

fn silence_lines(silence: &Silence, now: DateTime<Utc>) -> Vec<Vec<Span<'static>>> {
    let mut first = vec![
        span(Role::Strong, format!("silence {} ", silence.id)),
        span(Role::Muted, format!("by {}", silence.created_by)),
    ];
    if let Some(end) = silence.ends {
        let text = if end > now {
            format!("  ends in {}", span_text(end - now))
        } else {
            format!("  ended {} ago", age_text(end, now))
        };
        first.push(span(Role::Muted, text));
    }
    vec![
        first,
        vec![span(Role::Text, silence.comment.to_string())],
        vec![span(Role::Text, matchers_text(silence))],
    ]
}
