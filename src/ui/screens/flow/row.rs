//! One row of the flow of events: its name, what it is or does, and when.

use crate::app::screens::FlowItem;
use crate::domain::age::age_text;
use crate::domain::event_flow::{Listener, Made, Readiness, Webhook};
use crate::domain::object::{ObjectRef, Text};
use crate::ui::canvas::{Span, span};
use crate::ui::glyph;
use crate::ui::screens::runs::{glyph_of, role_of};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::table::RowPainter;
use chrono::{DateTime, Utc};

/// What stands in the columns of a row: the name, what it is, the role of that, and when.
type Drawn<'a> = (Vec<Span<'a>>, String, Role, Option<DateTime<Utc>>);

pub(super) fn draw(
    painter: &mut RowPainter<'_, '_>,
    (item, depth): (&FlowItem<'_>, u16),
    now: DateTime<Utc>,
) {
    let lead = span(Role::Muted, "  ".repeat(usize::from(depth)));
    let (name, what, role, at) = match item {
        FlowItem::Source(one) => {
            let what = problem(&one.ready, "EventSource");
            headed(lead, (&one.object, &one.ready), what)
        }
        FlowItem::Sensor(one) => {
            let what = String::from("Sensor; nobody sends what it waits for");
            let (name, what, _, at) = headed(lead, (&one.object, &one.ready), what);
            (name, what, Role::Warning, at)
        }
        FlowItem::Listener(one) => {
            let what = format!("EventListener {}", one.address);
            headed(lead, (&one.object, &one.ready), what)
        }
        FlowItem::Event(_, event) => {
            let what = format!("{} {}", event.kind, event.what);
            below(lead, span(Role::Muted, "┌ "), (&event.name, what))
        }
        FlowItem::Trigger(_, one) => {
            let what = match &*one.makes {
                "" => one.what.to_string(),
                makes => format!("{}: {makes}", one.what),
            };
            below(lead, span(Role::Accent, "▶ "), (&one.name, what))
        }
        FlowItem::ListenerTrigger(one, at) => {
            let (name, how) = trigger_of(one, *at);
            below(lead, span(Role::Accent, "▶ "), (name, how.to_owned()))
        }
        FlowItem::Listens(sensor, one) => (
            vec![
                lead,
                ready(&sensor.ready),
                span(Role::Text, sensor.object.name.to_string()),
                span(Role::Muted, format!(" {}", one.name)),
            ],
            match one.filters.as_slice() {
                [] => String::from("every event"),
                filters => format!("if {}", filters.join(", ")),
            },
            Role::Text,
            None,
        ),
        FlowItem::Made(made) => made_row(lead, made),
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

fn ready(readiness: &Readiness) -> Span<'static> {
    let health = readiness.health();
    let mark = format!("{} ", glyph::of_health(health));
    span(Role::of_health(health), mark)
}

/// A row that begins something: an object with its readiness and its namespace.
fn headed<'a>(
    lead: Span<'a>,
    (object, readiness): (&ObjectRef, &Readiness),
    what: String,
) -> Drawn<'a> {
    let namespace: Option<&Text> = object.namespace.as_ref();
    let namespace = namespace.map(|name| format!(" {name}"));
    let name = vec![
        lead,
        ready(readiness),
        span(Role::Strong, object.name.to_string()),
        span(Role::Muted, namespace.unwrap_or_default()),
    ];
    (name, what, role_of_ready(readiness), None)
}

/// A row that belongs to the one above it.
fn below<'a>(lead: Span<'a>, mark: Span<'a>, (name, what): (&str, String)) -> Drawn<'a> {
    let name = vec![lead, mark, span(Role::Text, name.to_owned())];
    (name, what, Role::Muted, None)
}

fn trigger_of(listener: &Listener, at: usize) -> (&str, &str) {
    let trigger = listener.triggers.get(at);
    trigger.map_or(("", ""), |(name, how)| (name, how))
}

fn made_row<'a>(lead: Span<'a>, made: &Made) -> Drawn<'a> {
    let role = role_of(made.phase);
    let name = vec![
        lead,
        span(role, format!("{} ", glyph_of(made.phase))),
        span(Role::Text, made.object.name.to_string()),
    ];
    let revision = text::short_revision(&made.revision);
    let what = format!("{} {revision}", made.phase.word());
    (name, what, role, made.at)
}

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
