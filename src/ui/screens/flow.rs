//! Events: what listens to what, what that made, and the webhooks that came in; of the row under
//! the cursor all that is known.

use super::runs::{glyph_of, role_of};
use super::{Visible, state_of};
use crate::app::screens::{FlowItem, FlowScreen, Loaded};
use crate::app::state::State;
use crate::domain::age::age_text;
use crate::domain::event_flow::{EventFlow, Readiness, Webhook};
use crate::ui::canvas::{Boxed, Canvas, Span, row_of, span};
use crate::ui::glyph;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;
use crate::ui::widgets::table::{Column, RowPainter, Table, slots};
use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

/// From this width on, the row stands beside the list.
const BESIDE: u16 = 130;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &FlowScreen,
    state: &State,
) -> Visible {
    let now = state.now.platform;
    let boxed = Boxed {
        title: title(screen),
        corner: screen.flow.ready().map(corner).unwrap_or_default(),
        foot: screen.flow.ready().map(foot).unwrap_or_default(),
        ..Boxed::default()
    };
    let inside = canvas.boxed(area, &boxed);
    let (list, side) = divide(inside);
    match &screen.flow {
        Loaded::Waiting => {
            state_of::loading("Reading EventSources and Sensors").draw(canvas, inside);
        }
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(flow) if screen.rows().is_empty() => nothing(flow).draw(canvas, inside),
        Loaded::Ready(_) => {
            draw_rows(canvas, list, screen, now);
            draw_side(canvas, side, screen, now);
        }
    }
    Visible {
        rows: list.height.saturating_sub(1),
        columns: inside.width,
    }
}

fn divide(inside: Rect) -> (Rect, Rect) {
    if inside.width >= BESIDE {
        let list = Rect::new(inside.x, inside.y, inside.width * 11 / 20, inside.height);
        let x = list.right() + 1;
        let side = Rect::new(
            x,
            inside.y,
            inside.right().saturating_sub(x + 1),
            inside.height,
        );
        return (list, side);
    }
    let below = match inside.height {
        ..14 => 0,
        14..24 => 7,
        height => height * 2 / 5,
    };
    let list = Rect::new(inside.x, inside.y, inside.width, inside.height - below);
    let side = Rect::new(
        inside.x + 1,
        list.bottom(),
        inside.width.saturating_sub(2),
        below,
    );
    (list, side)
}

fn nothing(flow: &EventFlow) -> Notice<'static> {
    let mut sentences =
        vec!["There is no EventSource, Sensor or EventListener in what is shown.".to_owned()];
    sentences.extend(flow.findings.iter().map(|one| one.sentence.to_string()));
    Notice {
        headline: vec![span(Role::Muted, "No events")],
        sentences,
        tries: vec![(":ns all".to_owned(), "show all namespaces".to_owned())],
    }
}

fn title(screen: &FlowScreen) -> Vec<Span<'static>> {
    let mut spans = vec![span(Role::Title, " Events ")];
    if let Some(flow) = screen.flow.ready() {
        let text = format!(
            "{} sources, {} sensors, {} made ",
            flow.sources.len(),
            flow.sensors.len(),
            flow.made.len()
        );
        spans.push(span(Role::Muted, text));
    }
    spans
}

fn corner(flow: &EventFlow) -> Vec<Span<'static>> {
    let dropped = flow.webhooks.iter().filter(|one| one.dropped).count();
    let count = flow.webhooks.len();
    match (count, dropped) {
        (0, _) => Vec::new(),
        (_, 0) => vec![span(Role::Muted, format!(" {count} webhooks "))],
        _ => vec![
            span(Role::Muted, format!(" {count} webhooks, ")),
            span(Role::Warning, format!("{dropped} dropped ")),
        ],
    }
}

fn foot(flow: &EventFlow) -> Vec<Span<'static>> {
    let text = flow.without_webhooks.as_ref();
    text.map(|why| span(Role::Muted, format!(" webhooks: {why} ")))
        .into_iter()
        .collect()
}

fn draw_rows(canvas: &mut Canvas<'_>, area: Rect, screen: &FlowScreen, now: DateTime<Utc>) {
    let columns = vec![
        Column::flexible("EVENT", (28, 60), 0),
        Column::flexible("WHAT", (20, 70), 1),
        Column::fixed("AGE", 4, 2).right(),
    ];
    let slots = slots(columns, area.width);
    let rows = screen.rows();
    let table = Table {
        slots: &slots,
        name: 0,
        len: rows.len(),
        offset: screen.cursor.offset,
        cursor: (!rows.is_empty()).then_some(screen.cursor.position),
    };
    table.draw(canvas, area, |index, painter| {
        let Some((row, depth)) = rows.get(index) else {
            return;
        };
        if let Some(item) = screen.item(*row) {
            draw_row(painter, (item, *depth), now);
        }
    });
}

#[allow(clippy::too_many_lines, reason = "one arm for each kind of row")]
fn draw_row(
    painter: &mut RowPainter<'_, '_>,
    (item, depth): (FlowItem<'_>, u16),
    now: DateTime<Utc>,
) {
    let indent = "  ".repeat(usize::from(depth));
    let lead = span(Role::Muted, indent);
    let ready = |readiness: &Readiness| {
        let health = readiness.health();
        span(
            Role::of_health(health),
            format!("{} ", glyph::of_health(health)),
        )
    };
    let plain = |name: &str| span(Role::Text, name.to_owned());
    let place = |namespace: Option<&crate::domain::object::Text>| {
        let namespace = namespace.map(|name| format!(" {name}"));
        span(Role::Muted, namespace.unwrap_or_default())
    };
    let (name, what, role, at) = match item {
        FlowItem::Source(one) => (
            vec![
                lead,
                ready(&one.ready),
                span(Role::Strong, one.object.name.to_string()),
                place(one.object.namespace.as_ref()),
            ],
            problem(&one.ready, "EventSource"),
            role_of_ready(&one.ready),
            None,
        ),
        FlowItem::Event(_, event) => (
            vec![lead, span(Role::Muted, "┌ "), plain(&event.name)],
            format!("{} {}", event.kind, event.what),
            Role::Muted,
            None,
        ),
        FlowItem::Listens(sensor, one) => (
            vec![
                lead,
                ready(&sensor.ready),
                plain(&sensor.object.name),
                span(Role::Muted, format!(" {}", one.name)),
            ],
            if one.filters.is_empty() {
                String::from("every event")
            } else {
                format!("if {}", one.filters.join(", "))
            },
            Role::Text,
            None,
        ),
        FlowItem::Sensor(sensor) => (
            vec![
                lead,
                ready(&sensor.ready),
                span(Role::Strong, sensor.object.name.to_string()),
                place(sensor.object.namespace.as_ref()),
            ],
            String::from("Sensor; nobody sends what it waits for"),
            Role::Warning,
            None,
        ),
        FlowItem::Trigger(_, one) => (
            vec![lead, span(Role::Accent, "▶ "), plain(&one.name)],
            if one.makes.is_empty() {
                one.what.to_string()
            } else {
                format!("{}: {}", one.what, one.makes)
            },
            Role::Muted,
            None,
        ),
        FlowItem::Made(made) => (
            vec![
                lead,
                span(role_of(made.phase), format!("{} ", glyph_of(made.phase))),
                plain(&made.object.name),
            ],
            format!(
                "{} {}",
                made.phase.word(),
                text::short_revision(&made.revision)
            ),
            role_of(made.phase),
            made.at,
        ),
        FlowItem::Listener(one) => (
            vec![
                lead,
                ready(&one.ready),
                span(Role::Strong, one.object.name.to_string()),
                place(one.object.namespace.as_ref()),
            ],
            format!("EventListener {}", one.address),
            role_of_ready(&one.ready),
            None,
        ),
        FlowItem::ListenerTrigger(one, at) => {
            let trigger = one.triggers.get(at);
            let (name, how) = trigger.map_or(("", ""), |(name, how)| (name, how));
            (
                vec![lead, span(Role::Accent, "▶ "), plain(name)],
                how.to_owned(),
                Role::Muted,
                None,
            )
        }
        FlowItem::Webhooks => (
            vec![span(Role::Header, "WEBHOOKS RECEIVED")],
            String::new(),
            Role::Muted,
            None,
        ),
        FlowItem::Webhook(one) => webhook_row(lead, one),
    };
    painter.spans(0, &name);
    painter.text(1, &what, role);
    if let Some(at) = at {
        painter.text(2, &age_text(at, now), Role::Muted);
    }
}

type Drawn<'a> = (Vec<Span<'a>>, String, Role, Option<DateTime<Utc>>);

fn webhook_row<'a>(lead: Span<'a>, one: &Webhook) -> Drawn<'a> {
    let (mark, role) = if one.dropped {
        (glyph::DEGRADED, Role::Warning)
    } else {
        (glyph::SYNCED, Role::Healthy)
    };
    let event = if one.event.is_empty() {
        format!("{} {}", one.method, one.path)
    } else {
        one.event.to_string()
    };
    let name = vec![
        lead,
        span(role, format!("{mark} ")),
        span(Role::Text, event),
        span(Role::Muted, format!(" {}", one.to)),
    ];
    let outcome = one.outcome.iter().map(|line| &**line).collect::<Vec<_>>();
    let what = format!("{} {}", one.code, outcome.join("; "));
    let role = if one.dropped {
        Role::Warning
    } else {
        Role::Muted
    };
    (name, what, role, one.at)
}

fn role_of_ready(ready: &Readiness) -> Role {
    match ready {
        Readiness::Ready | Readiness::Unknown => Role::Muted,
        Readiness::NotReady(_) => Role::Degraded,
    }
}

fn problem(ready: &Readiness, otherwise: &str) -> String {
    match ready {
        Readiness::Ready | Readiness::Unknown => otherwise.to_owned(),
        Readiness::NotReady(why) => why.to_string(),
    }
}

fn draw_side(canvas: &mut Canvas<'_>, area: Rect, screen: &FlowScreen, now: DateTime<Utc>) {
    if area.height < 2 || area.width < 10 {
        return;
    }
    canvas.put(
        row_of(area, 0),
        &"─".repeat(usize::from(area.width)),
        Role::Border,
    );
    let lines = screen.current().map(|item| lines_of(&item, now));
    let mut y = 1;
    for (label, content) in lines.unwrap_or_default() {
        let room = usize::from(area.width.saturating_sub(11));
        for (at, piece) in text::wrap(&text::harmless(&content), room)
            .iter()
            .enumerate()
        {
            if y >= area.height {
                return;
            }
            let label = if at == 0 { label } else { "" };
            let line = [
                span(Role::Muted, format!("{label:<10} ")),
                span(Role::Text, piece.as_str()),
            ];
            canvas.spans(row_of(area, y), &line);
            y += 1;
        }
    }
}

type Fact = (&'static str, String);

#[allow(clippy::too_many_lines, reason = "one arm for each kind of row")]
fn lines_of(item: &FlowItem<'_>, now: DateTime<Utc>) -> Vec<Fact> {
    let mut lines: Vec<Fact> = Vec::new();
    let mut say = |label: &'static str, text: String| {
        if !text.is_empty() {
            lines.push((label, text));
        }
    };
    match item {
        FlowItem::Source(one) => {
            say("source", one.object.path());
            say("bus", one.bus.to_string());
            say("state", one.ready.words().to_owned());
            say("events", one.events.len().to_string());
        }
        FlowItem::Event(source, event) => {
            say(
                "event",
                format!("{} of {}", event.name, source.object.path()),
            );
            say("kind", event.kind.to_string());
            say("listens", event.what.to_string());
        }
        FlowItem::Listens(sensor, one) => {
            say("sensor", sensor.object.path());
            say(
                "dependency",
                format!("{}: {}/{}", one.name, one.source, one.event),
            );
            for filter in &one.filters {
                say("filter", filter.to_string());
            }
            say("state", sensor.ready.words().to_owned());
        }
        FlowItem::Trigger(sensor, one) => {
            say(
                "trigger",
                format!("{} of {}", one.name, sensor.object.path()),
            );
            say("does", one.what.to_string());
            say("makes", one.makes.to_string());
            say(
                "when",
                if one.conditions.is_empty() {
                    one.uses.join(" and ")
                } else {
                    one.conditions.to_string()
                },
            );
            for parameter in &one.parameters {
                say("sets", parameter.to_string());
            }
        }
        FlowItem::Made(one) => {
            say("made", one.object.to_string());
            say("by", format!("{}/{}", one.by, one.trigger));
            say("phase", one.phase.word().to_owned());
            say("revision", one.revision.to_string());
            say(
                "age",
                one.at.map(|at| age_text(at, now)).unwrap_or_default(),
            );
        }
        FlowItem::Sensor(one) => {
            say("sensor", one.object.path());
            for dependency in &one.dependencies {
                say(
                    "waits for",
                    format!("{}/{}", dependency.source, dependency.event),
                );
            }
            say("state", one.ready.words().to_owned());
        }
        FlowItem::Listener(one) | FlowItem::ListenerTrigger(one, _) => {
            say("listener", one.object.path());
            say("address", one.address.to_string());
            say("state", one.ready.words().to_owned());
        }
        FlowItem::Webhooks => {}
        FlowItem::Webhook(one) => {
            say("id", one.id.to_string());
            say("to", format!("{} {} {}", one.to, one.method, one.path));
            say("answer", one.code.to_string());
            for line in &one.outcome {
                say("outcome", line.to_string());
            }
            for (at, line) in one.payload.lines().take(40).enumerate() {
                say(if at == 0 { "payload" } else { "" }, line.to_owned());
            }
            for (name, value) in &one.headers {
                say("header", format!("{name}: {value}"));
            }
        }
    }
    lines
}
