//! Labels, of all projects or of one, and those that artifacts carry.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time};
use super::super::error::Refusal;
use super::super::model::Label;
use super::super::state::{Bench, Place};
use super::{no_method, no_path, number};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    id: i64,
    name: String,
    description: String,
    color: String,
    scope: String,
    project_id: i64,
}

pub(super) fn answer(bench: &mut Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    match (call.method.as_str(), rest) {
        ("GET", []) => list(bench, call),
        ("POST", []) => create(bench, call),
        ("GET", [id]) => {
            let label = found(bench, number(id, "label_id")?)?;
            may(bench, call, label.project, "read")?;
            Ok(Answer::json(&label.json()))
        }
        ("PUT", [id]) => {
            let id = number(id, "label_id")?;
            let label = found(bench, id)?;
            may(bench, call, label.project, "update")?;
            let asked: Asked = call.read()?;
            let now = bench.now;
            if let Some(known) = bench.state.labels.get_mut(&id) {
                known.name = asked.name;
                known.description = asked.description;
                known.color = asked.color;
                known.updated = now;
            }
            Ok(Answer::ok())
        }
        ("DELETE", [id]) => {
            let id = number(id, "label_id")?;
            let label = found(bench, id)?;
            may(bench, call, label.project, "delete")?;
            bench.state.labels.remove(&id);
            for carried in bench.state.labelled.values_mut() {
                carried.remove(&id);
            }
            Ok(Answer::ok())
        }
        (_, [] | [_]) => Err(no_method(call)),
        (_, [..]) => Err(no_path(call)),
    }
}

fn found(bench: &Bench<'_>, id: i64) -> Result<Label, Refusal> {
    let label = bench.state.labels.get(&id).cloned();
    label.ok_or_else(|| Refusal::not_found(format!("label {id} not found")))
}

/// Labels of all projects are read by whoever has an account.
fn may(bench: &Bench<'_>, call: &Call, project: Option<i64>, action: &str) -> Result<(), Refusal> {
    let project = project.and_then(|id| bench.state.projects.get(&id));
    match project {
        Some(project) => {
            let scope = Scope::Project(&project.name);
            bench.require(&call.caller, scope, ("label", action))
        }
        None if matches!(action, "read" | "list") && call.caller.is_authenticated() => Ok(()),
        None => bench.require(&call.caller, Scope::System, ("label", action)),
    }
}

fn list(bench: &Bench<'_>, call: &Call) -> Answered {
    let project = call.parameter("project_id").and_then(|id| id.parse().ok());
    let of_project = match call.parameter("scope") {
        Some("g") => None,
        Some("p") => Some(project.ok_or_else(|| Refusal::bad_request("invalid project_id 0"))?),
        Some(other) => return Err(Refusal::bad_request(format!("invalid scope: {other}"))),
        None => return Err(Refusal::bad_request("invalid scope: ")),
    };
    may(bench, call, of_project, "list")?;
    let name = call.parameter("name").unwrap_or_default();
    let rows = bench.state.labels.values();
    let rows: Vec<&Label> = rows
        .filter(|label| label.project == of_project && label.name.contains(name))
        .collect();
    let page = call.page(rows, "name", |label, key| match key {
        "id" => Some(json!(label.id)),
        "name" => Some(json!(label.name)),
        "creation_time" => Some(time(label.created)),
        _ => None,
    })?;
    Ok(page.answer(|label| label.json()))
}

fn create(bench: &mut Bench<'_>, call: &Call) -> Answered {
    let asked: Asked = call.read()?;
    let project = (asked.scope == "p").then_some(asked.project_id);
    if project.is_some_and(|id| !bench.state.projects.contains_key(&id)) {
        return Err(Refusal::not_found(format!(
            "project {} not found",
            asked.project_id
        )));
    }
    may(bench, call, project, "create")?;
    if asked.name.is_empty() || asked.name.len() > 128 {
        return Err(Refusal::bad_request(
            "label name is required and has at most 128 letters",
        ));
    }
    let taken = bench.state.labels.values();
    let mut taken = taken.filter(|label| label.project == project && label.name == asked.name);
    if taken.next().is_some() {
        return Err(Refusal::conflict(format!(
            "label {} already exists",
            asked.name
        )));
    }
    let id = bench.state.next_id();
    let label = Label {
        id,
        name: asked.name,
        description: asked.description,
        color: asked.color,
        project,
        created: bench.now,
        updated: bench.now,
    };
    bench.state.labels.insert(id, label);
    Ok(Answer::created(format!("/api/v2.0/labels/{id}")))
}

/// Answers what is below `…/artifacts/A/labels`.
pub(super) fn of_artifact(
    bench: &mut Bench<'_>,
    call: &Call,
    (scope, place): (Scope<'_>, &Place),
    rest: &[&str],
) -> Answered {
    match (call.method.as_str(), rest) {
        ("POST", []) => {
            bench.require(&call.caller, scope, ("artifact-label", "create"))?;
            let asked: Asked = call.read()?;
            found(bench, asked.id)?;
            let carried = bench.state.labelled.entry(place.clone()).or_default();
            if !carried.insert(asked.id) {
                return Err(Refusal::conflict(format!(
                    "label {} is already added to the artifact {}",
                    asked.id, place.1
                )));
            }
            Ok(Answer::ok())
        }
        ("DELETE", [id]) => {
            bench.require(&call.caller, scope, ("artifact-label", "delete"))?;
            let id = number(id, "label_id")?;
            let carried = bench.state.labelled.get_mut(place);
            if carried.is_some_and(|carried| carried.remove(&id)) {
                return Ok(Answer::ok());
            }
            Err(Refusal::not_found(format!(
                "label {id} is not on the artifact"
            )))
        }
        (_, _) => Err(no_method(call)),
    }
}
