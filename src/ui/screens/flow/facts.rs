//! All that is known of the row under the cursor of the flow of events.

use crate::app::screens::FlowItem;
use crate::domain::age::age_text;
use crate::domain::event_flow::{
    Dependency, EventSource, Made, Sensor, SensorTrigger, SourceEvent, Webhook,
};
use chrono::{DateTime, Utc};

/// How many lines of a payload are shown.
const PAYLOAD: usize = 40;

/// A name and what it is.
pub(super) type Fact = (&'static str, String);

/// Returns what is known; nothing empty.
pub(super) fn of(item: &FlowItem<'_>, now: DateTime<Utc>) -> Vec<Fact> {
    let mut facts = match item {
        FlowItem::Source(one) => source(one),
        FlowItem::Event(of, one) => event(of, one),
        FlowItem::Listens(sensor, one) => listens(sensor, one),
        FlowItem::Trigger(sensor, one) => trigger(sensor, one),
        FlowItem::Made(one) => made(one, now),
        FlowItem::Sensor(one) => sensor(one),
        FlowItem::Listener(one) | FlowItem::ListenerTrigger(one, _) => vec![
            ("listener", one.object.path()),
            ("address", one.address.to_string()),
            ("state", one.ready.words().to_owned()),
        ],
        FlowItem::Webhooks => Vec::new(),
        FlowItem::Webhook(one) => webhook(one),
    };
    facts.retain(|(_, text)| !text.is_empty());
    facts
}

fn source(one: &EventSource) -> Vec<Fact> {
    vec![
        ("source", one.object.path()),
        ("bus", one.bus.to_string()),
        ("state", one.ready.words().to_owned()),
        ("events", one.events.len().to_string()),
    ]
}

fn event(source: &EventSource, one: &SourceEvent) -> Vec<Fact> {
    vec![
        ("event", format!("{} of {}", one.name, source.object.path())),
        ("kind", one.kind.to_string()),
        ("listens", one.what.to_string()),
    ]
}

fn listens(sensor: &Sensor, one: &Dependency) -> Vec<Fact> {
    let what = format!("{}: {}/{}", one.name, one.source, one.event);
    let mut facts = vec![("sensor", sensor.object.path()), ("dependency", what)];
    facts.extend(
        one.filters
            .iter()
            .map(|filter| ("filter", filter.to_string())),
    );
    facts.push(("state", sensor.ready.words().to_owned()));
    facts
}

fn trigger(sensor: &Sensor, one: &SensorTrigger) -> Vec<Fact> {
    let when = if one.conditions.is_empty() {
        one.uses.join(" and ")
    } else {
        one.conditions.to_string()
    };
    let mut facts = vec![
        (
            "trigger",
            format!("{} of {}", one.name, sensor.object.path()),
        ),
        ("does", one.what.to_string()),
        ("makes", one.makes.to_string()),
        ("when", when),
    ];
    facts.extend(one.parameters.iter().map(|one| ("sets", one.to_string())));
    facts
}

fn made(one: &Made, now: DateTime<Utc>) -> Vec<Fact> {
    let age = one.at.map(|at| age_text(at, now));
    vec![
        ("made", one.object.to_string()),
        ("by", format!("{}/{}", one.by, one.trigger)),
        ("phase", one.phase.word().to_owned()),
        ("revision", one.revision.to_string()),
        ("age", age.unwrap_or_default()),
    ]
}

fn sensor(one: &Sensor) -> Vec<Fact> {
    let waits = one.dependencies.iter();
    let waits = waits.map(|one| ("waits for", format!("{}/{}", one.source, one.event)));
    let mut facts = vec![("sensor", one.object.path())];
    facts.extend(waits);
    facts.push(("state", one.ready.words().to_owned()));
    facts
}

fn webhook(one: &Webhook) -> Vec<Fact> {
    let mut facts = vec![
        ("id", one.id.to_string()),
        ("to", format!("{} {} {}", one.to, one.method, one.path)),
        ("answer", one.code.to_string()),
    ];
    facts.extend(one.outcome.iter().map(|line| ("outcome", line.to_string())));
    let payload = one.payload.lines().take(PAYLOAD).enumerate();
    facts.extend(payload.map(|(at, line)| {
        let label = if at == 0 { "payload" } else { "" };
        (label, line.to_owned())
    }));
    let headers = one.headers.iter();
    facts.extend(headers.map(|(name, value)| ("header", format!("{name}: {value}"))));
    facts
}
