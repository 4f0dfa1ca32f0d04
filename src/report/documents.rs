//! The stable JSON of our own rows.
//!
//! Members are only ever added. Absent values are `null`, times are RFC 3339, words are Argo
//! CD's own.

use crate::domain::application::{Application, OperationView};
use crate::domain::finding::Finding;
use crate::domain::object::ObjectRef;
use crate::domain::rows::{Column, ObjectRow};
use crate::domain::why::why_row;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// Returns one Application.
pub fn application(app: &Application, now: DateTime<Utc>) -> Value {
    let sources: Vec<Value> = app
        .sources
        .iter()
        .map(|source| {
            json!({
                "repo": *source.repo,
                "path": *source.path,
                "chart": *source.chart,
                "targetRevision": *source.target_revision,
            })
        })
        .collect();
    let conditions: Vec<Value> = app
        .conditions
        .iter()
        .map(|one| json!({ "type": *one.kind, "message": *one.message, "since": one.since }))
        .collect();
    json!({
        "kind": "Application",
        "namespace": app.object.namespace.as_deref(),
        "name": &*app.object.name,
        "uid": &*app.uid.0,
        "created": app.created,
        "deletingSince": app.deleting.as_ref().map(|deletion| deletion.since),
        "project": &*app.project,
        "sync": app.sync.word(),
        "health": app.health.word(),
        "healthMessage": app.health_message.as_deref(),
        "revisions": app.revisions,
        "sources": sources,
        "destination": {
            "server": &*app.destination.server,
            "name": &*app.destination.name,
            "namespace": &*app.destination.namespace,
        },
        "autoSync": {
            "on": app.auto_sync.on,
            "prune": app.auto_sync.prune,
            "selfHeal": app.auto_sync.self_heal,
        },
        "resources": app.resources,
        "outOfSync": app.out_of_sync,
        "operation": operation(&app.operation),
        "conditions": conditions,
        "reconciledAt": app.reconciled_at,
        "images": app.images,
        "why": why_row(app, now).as_ref().map(finding),
    })
}

fn operation(view: &OperationView) -> Value {
    match view {
        OperationView::None => Value::Null,
        OperationView::Queued => json!({ "state": "Queued" }),
        OperationView::Active {
            phase,
            message,
            started,
        } => json!({
            "state": format!("{phase:?}"), "message": **message, "startedAt": started,
        }),
        OperationView::Waiting { message, started } => json!({
            "state": "Waiting", "message": **message, "startedAt": started,
        }),
        OperationView::Blocked { message } => json!({ "state": "Blocked", "message": **message }),
        OperationView::NeedsConfirmation { message } => {
            json!({ "state": "NeedsConfirmation", "message": **message })
        }
        OperationView::WaitingRetry {
            attempt,
            limit,
            at,
            message,
        } => json!({
            "state": "WaitingRetry", "message": **message, "attempt": attempt, "limit": limit,
            "retryAt": at,
        }),
        OperationView::Stuck { phase } => json!({ "state": format!("Stuck{phase:?}") }),
        OperationView::Finished {
            phase,
            message,
            at,
            by,
        } => json!({
            "state": format!("{phase:?}"), "message": **message, "finishedAt": at, "by": **by,
        }),
    }
}

/// Returns one object of any other kind, with the server's columns.
pub fn object(row: &ObjectRow, columns: &[Column]) -> Value {
    let cells: Map<String, Value> = columns
        .iter()
        .zip(&row.cells)
        .map(|(column, cell)| (column.name.to_string(), Value::from(&**cell)))
        .collect();
    json!({
        "kind": &*row.object.kind.kind,
        "group": &*row.object.kind.group,
        "namespace": row.object.namespace.as_deref(),
        "name": &*row.object.name,
        "uid": &*row.uid.0,
        "created": row.created,
        "deleting": row.deleting,
        "health": row.verdict.as_ref().map(|verdict| verdict.health.word()),
        "healthMessage": row.verdict.as_ref().map(|verdict| verdict.message.as_str()),
        "columns": cells,
    })
}

/// Returns a finding.
pub fn finding(finding: &Finding) -> Value {
    json!({
        "severity": format!("{:?}", finding.severity).to_lowercase(),
        "object": finding.subject.as_ref().map(path),
        "sentence": &*finding.sentence,
        "hint": finding.hint.as_deref(),
    })
}

/// Returns an object's path as it is typed: `KIND/NS/NAME`.
pub fn path(object: &ObjectRef) -> String {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    format!(
        "{}/{namespace}/{}",
        object.kind.kind.to_lowercase(),
        object.name
    )
}
