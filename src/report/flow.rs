//! Events for `tiphys get`: what listens to what, what it made, and webhooks received.
//!
//! The JSON is stable: members are only ever added.

use super::documents::{finding, path};
use super::session::Session;
use super::{ReportError, table, write_json, write_yaml};
use crate::cli::{Get, Output};
use crate::domain::age::age_text;
use crate::domain::event_flow::{EventFlow, Webhook};
use crate::engine::protocol::{Request, Topic, Update};
use crate::ui::text::harmless;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

/// How long sources and sensors are waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// After the last change, so long nothing new may come.
const SETTLED: Duration = Duration::from_millis(700);

/// Returns whether `get` means the flow of events.
pub fn knows(kind: &str) -> bool {
    matches!(kind, "event-flow" | "flow" | "webhooks")
}

/// Prints the flow, or the webhooks that came in.
pub async fn get(
    session: &mut Session,
    get: &Get,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let flow = settled(session).await?;
    let only_webhooks = get.kind == "webhooks";
    match get.output {
        Output::Json => write_json(out, &document(&flow))?,
        Output::Yaml => write_yaml(out, &document(&flow))?,
        Output::Name => {
            for made in &flow.made {
                writeln!(out, "{}", path(&made.object))?;
            }
        }
        Output::Table | Output::Wide => {
            if !only_webhooks {
                print_triggers(&flow, now, out)?;
            }
            print_webhooks(&flow, now, out)?;
            for finding in &flow.findings {
                writeln!(out, "\n{}", super::sentence(finding))?;
            }
        }
    }
    Ok(())
}

async fn settled(session: &mut Session) -> Result<EventFlow, ReportError> {
    let ours = session.ticket();
    let topic = Topic::EventFlow;
    session
        .send(Request::Subscribe {
            ticket: ours,
            topic,
        })
        .await?;
    let mut latest: Option<EventFlow> = None;
    loop {
        let patience = if latest.is_some() { SETTLED } else { PATIENCE };
        match session.next(patience).await {
            Ok(Update::EventFlow { ticket, flow, .. }) if ticket == ours => latest = Some(*flow),
            Ok(other) => session.take(other)?,
            Err(ReportError::NotObserved(_)) if latest.is_some() => break,
            Err(error) => return Err(error),
        }
    }
    session.send(Request::Unsubscribe { ticket: ours }).await?;
    latest.ok_or_else(|| ReportError::NotObserved(String::from("nothing was said of events")))
}

/// Returns the whole flow.
pub fn document(flow: &EventFlow) -> Value {
    let sources = flow.sources.iter().map(|one| {
        let events = one.events.iter().map(
            |event| json!({ "name": &*event.name, "type": &*event.kind, "listens": &*event.what }),
        );
        json!({
            "object": path(&one.object), "bus": &*one.bus, "ready": one.ready.words(),
            "events": events.collect::<Vec<_>>(),
        })
    });
    let sensors = flow.sensors.iter().map(|one| {
        let dependencies = one.dependencies.iter().map(|one| {
            json!({ "name": &*one.name, "eventSource": &*one.source, "event": &*one.event,
                "filters": texts(&one.filters) })
        });
        let triggers = one.triggers.iter().map(|one| {
            json!({ "name": &*one.name, "does": &*one.what, "makes": &*one.makes,
                "conditions": &*one.conditions, "parameters": texts(&one.parameters) })
        });
        json!({
            "object": path(&one.object), "ready": one.ready.words(),
            "dependencies": dependencies.collect::<Vec<_>>(),
            "triggers": triggers.collect::<Vec<_>>(),
        })
    });
    let made = flow.made.iter().map(|one| {
        json!({ "object": path(&one.object), "by": &*one.by, "trigger": &*one.trigger,
            "at": one.at, "phase": one.phase.word(), "revision": &*one.revision })
    });
    json!({
        "sources": sources.collect::<Vec<_>>(),
        "sensors": sensors.collect::<Vec<_>>(),
        "made": made.collect::<Vec<_>>(),
        "webhooks": flow.webhooks.iter().map(webhook).collect::<Vec<_>>(),
        "withoutWebhooks": flow.without_webhooks.as_deref(),
        "findings": flow.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn texts(all: &[crate::domain::object::Text]) -> Vec<&str> {
    all.iter().map(|one| &**one).collect()
}

fn webhook(one: &Webhook) -> Value {
    json!({
        "id": &*one.id, "at": one.at, "to": &*one.to, "method": &*one.method, "path": &*one.path,
        "event": &*one.event, "code": one.code, "dropped": one.dropped,
        "outcome": texts(&one.outcome), "payload": &*one.payload,
    })
}

fn print_triggers(
    flow: &EventFlow,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let mut cells: Vec<Vec<String>> = Vec::new();
    for sensor in &flow.sensors {
        for trigger in &sensor.triggers {
            let listens = sensor.dependencies.iter();
            let listens = listens.filter(|one| trigger.uses.contains(&one.name));
            let listens: Vec<String> = listens
                .map(|one| format!("{}/{}", one.source, one.event))
                .collect();
            let last = flow.made_by(&sensor.object.name, &trigger.name).next();
            cells.push(vec![
                listens.join(" "),
                sensor.object.path(),
                trigger.name.to_string(),
                trigger.makes.to_string(),
                last.map(|made| format!("{} {}", made.object.name, made.phase.word()))
                    .unwrap_or_default(),
                last.and_then(|made| made.at)
                    .map(|at| age_text(at, now))
                    .unwrap_or_default(),
            ]);
        }
    }
    if cells.is_empty() {
        return Ok(writeln!(out, "no Sensor listens to anything")?);
    }
    let header = ["EVENT", "SENSOR", "TRIGGER", "MAKES", "LAST", "AGE"];
    Ok(table::write(out, &header, &cells)?)
}

fn print_webhooks(
    flow: &EventFlow,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    if let Some(why) = &flow.without_webhooks {
        return Ok(writeln!(out, "\nwebhooks: {}", harmless(why))?);
    }
    let cells: Vec<Vec<String>> = flow
        .webhooks
        .iter()
        .map(|one| {
            vec![
                one.id.to_string(),
                one.event.to_string(),
                one.to.to_string(),
                one.code.to_string(),
                one.outcome.join("; "),
                one.at.map(|at| age_text(at, now)).unwrap_or_default(),
            ]
        })
        .collect();
    writeln!(out)?;
    let header = ["ID", "EVENT", "TO", "CODE", "OUTCOME", "AGE"];
    Ok(table::write(out, &header, &cells)?)
}
