//! Replications and the registries that they are to. Policies and registries are only read here.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time};
use super::super::error::Refusal;
use super::super::model::{Execution, Status, Vendor};
use super::super::replication::{self, Policy};
use super::super::state::Bench;
use super::{no_method, no_path, number};
use crate::domain::globs;
use serde::Deserialize;
use serde_json::{Value, json};

/// Seconds that a replication takes.
const TAKES: i64 = 6;

/// Answers what begins with `/replication`.
pub(super) fn answer(bench: &mut Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    match rest {
        ["policies", rest @ ..] => policies(bench, call, rest),
        ["executions", rest @ ..] => executions(bench, call, rest),
        ["adapters"] => Ok(Answer::json(&json!(["harbor", "docker-registry"]))),
        [..] => Err(no_path(call)),
    }
}

fn policies(bench: &Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    let json = |policy: &Policy| policy.json(bench.state.registries.get(&policy.to));
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            bench.require(&call.caller, Scope::System, ("replication-policy", "list"))?;
            let rows: Vec<&Policy> = bench.state.replications.values().collect();
            let page = call.page(rows, "id", |policy, key| match key {
                "id" => Some(json!(policy.id)),
                "name" => Some(json!(policy.name)),
                "enabled" => Some(json!(policy.enabled)),
                "creation_time" => Some(time(policy.created)),
                _ => None,
            })?;
            Ok(page.answer(|policy| json(policy)))
        }
        ("GET", [id]) => {
            bench.require(&call.caller, Scope::System, ("replication-policy", "read"))?;
            let id = number(id, "id")?;
            let policy = bench.state.replications.get(&id);
            let policy = policy
                .ok_or_else(|| Refusal::not_found(format!("replication policy {id} not found")))?;
            Ok(Answer::json(&json(policy)))
        }
        (_, _) => Err(no_method(call)),
    }
}

fn executions(bench: &mut Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    let need = |action: &'static str| ("replication", action);
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            bench.require(&call.caller, Scope::System, need("list"))?;
            list(bench, call)
        }
        ("POST", []) => {
            bench.require(&call.caller, Scope::System, need("create"))?;
            begin(bench, call)
        }
        (_, []) => Err(no_method(call)),
        (method, [id, rest @ ..]) => {
            let action = if method == "PUT" { "create" } else { "read" };
            bench.require(&call.caller, Scope::System, need(action))?;
            let id = number(id, "id")?;
            let work = bench.state.executions.get(&id).cloned();
            let work = work
                .filter(|work| work.vendor == Vendor::Replication)
                .ok_or_else(|| {
                    Refusal::not_found(format!("replication execution {id} not found"))
                })?;
            match (method, rest) {
                ("GET", []) => Ok(Answer::json(&replication::execution_json(&work))),
                ("PUT", []) => {
                    if !work.status.is_final() {
                        bench.end_work(id, Status::Stopped, "");
                    }
                    Ok(Answer::ok())
                }
                ("GET", ["tasks"]) => {
                    let rows = replication::tasks_json(&work);
                    let page = call.page(rows, "id", |task, key| task.get(key).cloned())?;
                    Ok(page.answer(Value::clone))
                }
                ("GET", ["tasks", _, "log"]) => {
                    Ok(Answer::text("text/plain", work.log.join("\n") + "\n"))
                }
                (_, _) => Err(no_method(call)),
            }
        }
    }
}

fn list(bench: &Bench<'_>, call: &Call) -> Answered {
    let policy = call.parameter("policy_id");
    let status = call.parameter("status");
    let trigger = call.parameter("trigger");
    let fits = |work: &&Execution| {
        let json = replication::execution_json(work);
        let is = |key: &str, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| json[key].as_str() == Some(wanted))
        };
        policy.is_none_or(|id| work.vendor_id.to_string() == id)
            && is("status", status)
            && is("trigger", trigger)
    };
    let all = bench.state.executions.values();
    let own = all.filter(|work| work.vendor == Vendor::Replication);
    let rows: Vec<&Execution> = own.filter(fits).collect();
    let page = call.page(rows, "-start_time,-id", |work, key| match key {
        "id" => Some(json!(work.id)),
        "start_time" => Some(time(work.start)),
        _ => None,
    })?;
    Ok(page.answer(|work| replication::execution_json(work)))
}

fn begin(bench: &mut Bench<'_>, call: &Call) -> Answered {
    #[derive(Deserialize)]
    struct Asked {
        policy_id: i64,
    }
    let asked: Asked = call.read()?;
    let policy = bench.state.replications.get(&asked.policy_id);
    let Some(policy) = policy else {
        let message = format!("replication policy {} not found", asked.policy_id);
        return Err(Refusal::not_found(message));
    };
    if !policy.enabled {
        let message = format!("the policy {} is disabled", policy.id);
        return Err(Refusal::precondition(message));
    }
    let names = bench.store.repositories().keys();
    let names: Vec<&String> = names
        .filter(|name| globs::matches(&policy.names, name))
        .collect();
    let details = json!({"resources": names});
    let work = (Vendor::Replication, asked.policy_id);
    let id = bench.begin_work(work, "Manual", TAKES, details);
    Ok(Answer::created(format!(
        "/api/v2.0/replication/executions/{id}"
    )))
}

/// Answers what begins with `/registries`.
pub(super) fn registries(bench: &Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    let found = |id: &str| {
        let id = number(id, "id")?;
        let remote = bench.state.registries.get(&id);
        remote.ok_or_else(|| Refusal::not_found(format!("registry {id} not found")))
    };
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            bench.require(&call.caller, Scope::System, ("registry", "list"))?;
            let rows: Vec<_> = bench.state.registries.values().collect();
            let page = call.page(rows, "id", |remote, key| match key {
                "id" => Some(json!(remote.id)),
                "name" => Some(json!(remote.name)),
                "type" => Some(json!(remote.kind)),
                "url" => Some(json!(remote.url)),
                _ => None,
            })?;
            Ok(page.answer(|remote| remote.json()))
        }
        ("POST", ["ping"]) => {
            #[derive(Deserialize)]
            struct Asked {
                id: Option<i64>,
            }
            bench.require(&call.caller, Scope::System, ("registry", "read"))?;
            let asked: Asked = call.read()?;
            let remote = found(&asked.id.unwrap_or_default().to_string())?;
            if remote.healthy {
                return Ok(Answer::ok());
            }
            Err(Refusal::bad_request(format!(
                "the registry {} is unhealthy",
                remote.name
            )))
        }
        ("GET", [id]) => {
            bench.require(&call.caller, Scope::System, ("registry", "read"))?;
            Ok(Answer::json(&found(id)?.json()))
        }
        ("GET", [id, "info"]) => {
            bench.require(&call.caller, Scope::System, ("registry", "read"))?;
            let remote = found(id)?;
            Ok(Answer::json(&json!({
                "type": remote.kind,
                "description": remote.description,
                "supported_resource_filters": [
                    {"type": "name", "style": "input"}, {"type": "tag", "style": "input"},
                ],
                "supported_triggers": ["manual", "scheduled"],
                "supported_copy_by_chunk": false,
            })))
        }
        (_, _) => Err(no_method(call)),
    }
}
