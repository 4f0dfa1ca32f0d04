//! The log of who did what.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time};
use super::super::model::{AuditEntry, Project};
use super::super::state::Bench;
use super::{no_method, no_path};
use serde_json::{Value, json};

pub(super) fn answer(bench: &Bench<'_>, call: &Call, (first, rest): (&str, &[&str])) -> Answered {
    if call.method != http::Method::GET {
        return Err(no_method(call));
    }
    match (first, rest) {
        (_, []) => {
            bench.require(&call.caller, Scope::System, ("audit-log", "list"))?;
            list(call, bench.state.audit.iter().collect())
        }
        ("auditlog-exts", ["events"]) => {
            let kinds = [
                "create_artifact",
                "delete_artifact",
                "pull_artifact",
                "create_robot",
            ];
            let events = kinds.map(|kind| json!({"event_type": kind}));
            Ok(Answer::json(&json!(events)))
        }
        (_, _) => Err(no_path(call)),
    }
}

pub(super) fn of_project(bench: &Bench<'_>, call: &Call, project: &Project) -> Answered {
    let scope = Scope::Project(&project.name);
    bench.require(&call.caller, scope, ("log", "list"))?;
    let own = bench.state.audit.iter();
    list(
        call,
        own.filter(|entry| entry.project == Some(project.id))
            .collect(),
    )
}

fn list(call: &Call, rows: Vec<&AuditEntry>) -> Answered {
    let page = call.page(rows, "-op_time,-id", |entry, key| -> Option<Value> {
        match key {
            "id" => Some(json!(entry.id)),
            "username" => Some(json!(entry.by)),
            "resource" => Some(json!(entry.resource)),
            "resource_type" => Some(json!(entry.resource_type)),
            "operation" => Some(json!(entry.operation)),
            "op_time" => Some(time(entry.at)),
            "operation_result" => Some(json!(true)),
            _ => None,
        }
    })?;
    Ok(page.answer(|entry| entry.json()))
}
