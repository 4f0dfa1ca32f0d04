//! Kubernetes events about one object.

use crate::domain::finding::Finding;
use crate::domain::object::ObjectRef;
use crate::engine::facts::{items, number, text};
use crate::engine::fault::Fault;
use crate::engine::protocol::EventRow;
use crate::engine::session::Session;
use crate::engine::transport::{Call, segment};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Returns the events about an object, oldest first.
pub(in crate::engine) async fn of(
    session: &Session,
    object: &ObjectRef,
) -> Result<Vec<EventRow>, Finding> {
    let listed = list(session, object).await.map_err(|fault| {
        fault.into_finding(&format!("cannot list events about `{}`", object.path()))
    })?;
    let mut rows: Vec<EventRow> = listed
        .iter()
        .filter(|event| is_about(event, object))
        .map(row)
        .collect();
    rows.sort_by_key(|row| row.last_seen);
    Ok(rows)
}

async fn list(session: &Session, object: &ObjectRef) -> Result<Vec<Value>, Fault> {
    // Events about objects without a namespace lie in `default`.
    let namespace = object.namespace.as_deref().unwrap_or("default");
    let path = format!("/api/v1/namespaces/{}/events", segment(namespace));
    let selector = format!(
        "involvedObject.name={},involvedObject.kind={}",
        object.name, object.kind.kind
    );
    let narrowed = format!("{path}?fieldSelector={}", segment(&selector));
    let list = match session.send_json(Call::get(narrowed)).await {
        Err(Fault::Refused(_)) => session.send_json(Call::get(path)).await?,
        other => other?,
    };
    Ok(items(&list, &["items"]).to_vec())
}

fn is_about(event: &Value, object: &ObjectRef) -> bool {
    text(event, &["involvedObject", "name"]) == &*object.name
        && text(event, &["involvedObject", "kind"]) == &*object.kind.kind
}

fn row(event: &Value) -> EventRow {
    let component = text(event, &["source", "component"]);
    let reporter = text(event, &["reportingComponent"]);
    let source = if component.is_empty() {
        reporter
    } else {
        component
    };
    let series = number(event, &["series", "count"]);
    let count = number(event, &["count"]).max(series).max(1);
    EventRow {
        last_seen: last_seen(event),
        warning: text(event, &["type"]) == "Warning",
        reason: text(event, &["reason"]).into(),
        message: text(event, &["message"]).into(),
        count: u32::try_from(count).unwrap_or(u32::MAX),
        source: source.into(),
    }
}

fn last_seen(event: &Value) -> Option<DateTime<Utc>> {
    let places: [&[&str]; 4] = [
        &["series", "lastObservedTime"],
        &["lastTimestamp"],
        &["eventTime"],
        &["metadata", "creationTimestamp"],
    ];
    places
        .iter()
        .find_map(|path| text(event, path).parse().ok())
}
