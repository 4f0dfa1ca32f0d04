//! Webhook policies of a project, and what became of their deliveries.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time};
use super::super::error::Refusal;
use super::super::model::{Execution, Project, Vendor};
use super::super::state::Bench;
use super::super::webhook::{EVENTS, Policy};
use super::{no_method, no_path, number};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    name: String,
    description: String,
    targets: Vec<Value>,
    event_types: Vec<String>,
    enabled: bool,
}

/// Answers what is below `/projects/P/webhook`.
pub(super) fn answer(
    bench: &mut Bench<'_>,
    call: &Call,
    project: &Project,
    below: &[&str],
) -> Answered {
    let scope = Scope::Project(&project.name);
    let need = |action: &'static str| ("notification-policy", action);
    match (call.method.as_str(), below) {
        ("GET", ["policies"]) => {
            bench.require(&call.caller, scope, need("list"))?;
            let rows = bench.state.webhooks.values();
            let rows: Vec<&Policy> = rows.filter(|one| one.project == project.id).collect();
            let page = call.page(rows, "id", |policy, key| match key {
                "id" => Some(json!(policy.id)),
                "name" => Some(json!(policy.name)),
                "enabled" => Some(json!(policy.enabled)),
                _ => None,
            })?;
            Ok(page.answer(|policy| policy.json()))
        }
        ("POST", ["policies"]) => {
            bench.require(&call.caller, scope, need("create"))?;
            create(bench, call, project)
        }
        ("GET", ["events"]) => {
            bench.require(&call.caller, scope, need("read"))?;
            Ok(Answer::json(&supported()))
        }
        ("GET", ["lasttrigger"]) => {
            bench.require(&call.caller, scope, need("read"))?;
            Ok(Answer::json(&last_triggers(bench, project)))
        }
        ("GET", ["jobs"]) => {
            bench.require(&call.caller, scope, need("read"))?;
            jobs(bench, call)
        }
        (method, ["policies", id, rest @ ..]) => {
            let action = match method {
                "GET" => "read",
                "PUT" => "update",
                "DELETE" => "delete",
                _ => return Err(no_method(call)),
            };
            bench.require(&call.caller, scope, need(action))?;
            let policy = found(bench, project, number(id, "webhook_policy_id")?)?;
            one(bench, call, &policy, rest)
        }
        (_, [..]) => Err(no_path(call)),
    }
}

fn found(bench: &Bench<'_>, project: &Project, id: i64) -> Result<Policy, Refusal> {
    let policy = bench
        .state
        .webhooks
        .get(&id)
        .filter(|one| one.project == project.id);
    let policy = policy.cloned();
    policy.ok_or_else(|| Refusal::not_found(format!("notification policy {id} not found")))
}

fn one(bench: &mut Bench<'_>, call: &Call, policy: &Policy, rest: &[&str]) -> Answered {
    match (call.method.as_str(), rest) {
        ("GET", []) => Ok(Answer::json(&policy.json())),
        ("PUT", []) => {
            let asked = checked(call)?;
            let now = bench.now;
            if let Some(known) = bench.state.webhooks.get_mut(&policy.id) {
                known.name = asked.name;
                known.description = asked.description;
                known.targets = asked.targets;
                known.events = asked.event_types;
                known.enabled = asked.enabled;
                known.updated = now;
            }
            Ok(Answer::ok())
        }
        ("DELETE", []) => {
            bench.state.webhooks.remove(&policy.id);
            Ok(Answer::ok())
        }
        ("GET", ["executions"]) => {
            let page = call.page(executions(bench, policy.id), "-id", |work, key| {
                field(work, key)
            })?;
            Ok(page.answer(|work| work.json()))
        }
        ("GET", ["executions", id, "tasks"]) => {
            let work = execution(bench, policy.id, number(id, "execution_id")?)?;
            let page = call.page(vec![work], "-id", |work, key| field(work, key))?;
            Ok(page.answer(|work| work.task_json()))
        }
        ("GET", ["executions", id, "tasks", _, "log"]) => {
            let work = execution(bench, policy.id, number(id, "execution_id")?)?;
            Ok(Answer::text("text/plain", work.log.join("\n") + "\n"))
        }
        (_, _) => Err(no_path(call)),
    }
}

fn executions<'b>(bench: &'b Bench<'_>, policy: i64) -> Vec<&'b Execution> {
    let all = bench.state.executions.values();
    let own = all.filter(|work| work.vendor == Vendor::Webhook && work.vendor_id == policy);
    own.collect()
}

fn execution<'b>(bench: &'b Bench<'_>, policy: i64, id: i64) -> Result<&'b Execution, Refusal> {
    let found = executions(bench, policy)
        .into_iter()
        .find(|work| work.id == id);
    found.ok_or_else(|| Refusal::not_found(format!("execution {id} not found")))
}

fn field(work: &Execution, key: &str) -> Option<Value> {
    match key {
        "id" => Some(json!(work.id)),
        "status" => Some(json!(work.status.word())),
        "start_time" => Some(time(work.start)),
        _ => None,
    }
}

fn checked(call: &Call) -> Result<Asked, Refusal> {
    let asked: Asked = call.read()?;
    if asked.targets.is_empty() {
        return Err(Refusal::bad_request(
            "empty notification target with policy",
        ));
    }
    for target in &asked.targets {
        let address = target["address"].as_str().unwrap_or_default();
        if !address.starts_with("http://") && !address.starts_with("https://") {
            return Err(Refusal::bad_request(format!(
                "invalid notification address: {address}"
            )));
        }
        if !matches!(target["type"].as_str(), Some("http" | "slack")) {
            return Err(Refusal::bad_request("unsupported target type"));
        }
    }
    if asked.event_types.is_empty() {
        return Err(Refusal::bad_request("empty event type"));
    }
    if let Some(kind) = asked
        .event_types
        .iter()
        .find(|kind| !EVENTS.contains(&kind.as_str()))
    {
        return Err(Refusal::bad_request(format!(
            "unsupported event type {kind}"
        )));
    }
    Ok(asked)
}

fn create(bench: &mut Bench<'_>, call: &Call, project: &Project) -> Answered {
    let asked = checked(call)?;
    let own = bench
        .state
        .webhooks
        .values()
        .filter(|one| one.project == project.id);
    if own.into_iter().any(|one| one.name == asked.name) {
        return Err(Refusal::conflict(format!(
            "notification policy {} already exists",
            asked.name
        )));
    }
    let id = bench.state.next_id();
    let policy = Policy {
        id,
        project: project.id,
        name: asked.name,
        description: asked.description,
        targets: asked.targets,
        events: asked.event_types,
        enabled: asked.enabled,
        creator: call.caller.name().to_owned(),
        created: bench.now,
        updated: bench.now,
    };
    bench.state.webhooks.insert(id, policy);
    let place = format!("/api/v2.0/projects/{}/webhook/policies/{id}", project.name);
    Ok(Answer::created(place))
}

fn supported() -> Value {
    json!({
        "event_type": EVENTS,
        "notify_type": ["http", "slack"],
        "payload_formats": [
            {"notify_type": "http", "formats": ["Default", "CloudEvents"]},
            {"notify_type": "slack", "formats": ["Default"]},
        ],
    })
}

fn last_triggers(bench: &Bench<'_>, project: &Project) -> Value {
    let own = bench
        .state
        .webhooks
        .values()
        .filter(|one| one.project == project.id);
    let rows = own.flat_map(|policy| {
        let works = executions(bench, policy.id);
        policy.events.iter().filter_map(move |kind| {
            let last = works
                .iter()
                .rev()
                .find(|work| work.details["event_type"] == **kind)?;
            Some(json!({
                "policy_name": policy.name,
                "event_type": kind,
                "enabled": policy.enabled,
                "creation_time": time(policy.created),
                "last_trigger_time": time(last.start),
            }))
        })
    });
    Value::Array(rows.collect())
}

fn jobs(bench: &Bench<'_>, call: &Call) -> Answered {
    let policy = call.parameter("policy_id").and_then(|id| id.parse().ok());
    let policy = policy.ok_or_else(|| Refusal::unprocessable("policy_id in query is required"))?;
    let page = call.page(executions(bench, policy), "-id", |work, key| {
        field(work, key)
    })?;
    Ok(page.answer(|work| {
        json!({
            "id": work.id,
            "policy_id": policy,
            "event_type": work.details["event_type"],
            "notify_type": work.details["type"],
            "status": work.status.word(),
            "job_detail": work.details["payload"].as_str().unwrap_or_default(),
            "creation_time": time(work.start),
            "update_time": time(work.end.unwrap_or(work.start)),
        })
    }))
}
