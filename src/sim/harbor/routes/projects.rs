//! Projects, and everything below one.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time};
use super::super::error::Refusal;
use super::super::model::Project;
use super::super::scan::Severity;
use super::super::state::Bench;
use super::{artifacts, audit, no_method, no_path, repositories, rules, scanning, webhooks};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Answers what begins with `/projects`.
pub(super) fn answer(bench: &mut Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    let method = call.method.as_str();
    match (method, rest) {
        ("GET", []) => list(bench, call),
        ("HEAD", []) => exists(bench, call),
        ("POST", []) => create(bench, call),
        (_, []) => Err(no_method(call)),
        (_, [name, below @ ..]) => {
            let project = found(bench, call, name)?;
            inside(bench, call, &project, below)
        }
    }
}

fn inside(bench: &mut Bench<'_>, call: &Call, project: &Project, below: &[&str]) -> Answered {
    let scope = Scope::Project(&project.name);
    match (call.method.as_str(), below) {
        ("GET", []) => {
            bench.require(&call.caller, scope, ("project", "read"))?;
            let count = repositories_of(bench, &project.name);
            Ok(Answer::json(&project.json(count)))
        }
        ("PUT", []) => update(bench, call, project),
        ("DELETE", []) => remove(bench, call, project),
        ("GET", ["summary"]) => summary(bench, call, project),
        ("GET", ["_deletable"]) => {
            bench.require(&call.caller, scope, ("project", "delete"))?;
            let empty = repositories_of(bench, &project.name) == 0;
            let mut body = json!({"deletable": empty});
            if !empty {
                body["message"] = json!("the project contains repositories, can not be deleted");
            }
            Ok(Answer::json(&body))
        }
        ("GET", ["members"]) => members(bench, call, project),
        ("GET", ["metadatas"]) => {
            bench.require(&call.caller, scope, ("metadata", "list"))?;
            Ok(Answer::json(&json!(project.metadata)))
        }
        ("GET", ["metadatas", key]) => {
            bench.require(&call.caller, scope, ("metadata", "read"))?;
            match project.metadata.get(*key) {
                Some(value) => Ok(Answer::json(&json!({*key: value}))),
                None => Err(Refusal::not_found(format!("metadata {key} not found"))),
            }
        }
        (_, ["repositories", below @ ..]) => repositories::answer(bench, call, project, below),
        ("GET", ["artifacts"]) => artifacts::of_project(bench, call, project),
        ("GET", ["logs" | "auditlog-exts"]) => audit::of_project(bench, call, project),
        (_, ["scanner", below @ ..]) => scanning::of_project(bench, call, project, below),
        (_, ["immutabletagrules", below @ ..]) => rules::immutable(bench, call, project, below),
        (_, ["webhook", below @ ..]) => webhooks::answer(bench, call, project, below),
        (_, ["robots", ..]) => Err(Refusal::not_found(
            "robots of a project are at /robots?q=Level=project,ProjectID=N",
        )),
        ("GET", ["preheat", ..]) => Ok(Answer::json(&json!([]))),
        (_, [] | ["summary" | "members" | "metadatas" | "artifacts", ..]) => Err(no_method(call)),
        (_, [..]) => Err(no_path(call)),
    }
}

/// Returns the project that a path names: digits are its number unless a header says otherwise.
pub(super) fn found(bench: &Bench<'_>, call: &Call, name: &str) -> Result<Project, Refusal> {
    let is_name = call.header("x-is-resource-name") == Some("true");
    let by_id = name.parse::<i64>().ok().filter(|_| !is_name);
    let project = match by_id {
        Some(id) => bench.state.projects.get(&id),
        None => bench.state.project(name),
    };
    let visible = project.filter(|one| call.caller.knows(&one.name, one.is_public()));
    if let Some(project) = visible {
        return Ok(project.clone());
    }
    // Who may not see it is not told whether it is there.
    match project {
        Some(_) => Err(call.caller.refusal(("project", "read"))),
        None if call.caller.is_authenticated() => {
            Err(Refusal::not_found(format!("project {name} not found")))
        }
        None => Err(Refusal::unauthorized("unauthorized: project:read")),
    }
}

pub(super) fn repositories_of(bench: &Bench<'_>, project: &str) -> usize {
    bench.store.repositories_of(project).count()
}

fn list(bench: &Bench<'_>, call: &Call) -> Answered {
    let visible = bench.state.projects.values();
    let name = call.parameter("name");
    let public = call.parameter("public").map(|text| text == "true");
    let owner = call.parameter("owner");
    let rows: Vec<&Project> = visible
        .filter(|one| call.caller.knows(&one.name, one.is_public()))
        .filter(|one| name.is_none_or(|part| one.name.contains(part)))
        .filter(|one| public.is_none_or(|public| one.is_public() == public))
        .filter(|_| owner.is_none_or(|owner| owner == "admin"))
        .collect();
    let page = call.page(rows, "project_id", |project, key| match key {
        "name" => Some(json!(project.name)),
        "project_id" | "id" => Some(json!(project.id)),
        "public" => Some(json!(project.is_public())),
        "owner" => Some(json!("admin")),
        "creation_time" => Some(time(project.created)),
        "update_time" => Some(time(project.updated)),
        _ => None,
    })?;
    Ok(page.answer(|project| project.json(repositories_of(bench, &project.name))))
}

fn exists(bench: &Bench<'_>, call: &Call) -> Answered {
    let name = call.parameter("project_name").unwrap_or_default();
    match bench.state.project(name) {
        Some(_) => Ok(Answer::ok()),
        None => Err(Refusal::not_found(format!("project {name} not found"))),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    project_name: String,
    public: Option<bool>,
    metadata: BTreeMap<String, Option<Value>>,
    storage_limit: Option<i64>,
    cve_allowlist: Option<Allowlist>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Allowlist {
    pub(super) items: Vec<AllowlistItem>,
    pub(super) expires_at: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AllowlistItem {
    pub(super) cve_id: String,
}

impl Asked {
    /// Takes over what is said about a project; the error is a value that is none.
    fn apply(self, project: &mut Project) -> Result<(), Refusal> {
        for (key, value) in self.metadata {
            let text = match value {
                Some(Value::String(text)) => text,
                Some(Value::Bool(flag)) => flag.to_string(),
                Some(_) | None => continue,
            };
            if key == "severity" && Severity::read(&text) == Severity::Unknown {
                return Err(Refusal::bad_request(format!("invalid severity {text}")));
            }
            if key != "retention_id" {
                project.metadata.insert(key, text);
            }
        }
        if let Some(public) = self.public {
            project
                .metadata
                .insert("public".to_owned(), public.to_string());
        }
        if let Some(list) = self.cve_allowlist {
            project.allowlist = list.items.into_iter().map(|item| item.cve_id).collect();
            project.allowlist_expires = list.expires_at;
        }
        Ok(())
    }
}

fn create(bench: &mut Bench<'_>, call: &Call) -> Answered {
    bench.require(&call.caller, Scope::System, ("project", "create"))?;
    let asked: Asked = call.read()?;
    let name = asked.project_name.clone();
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(is_word) || !name.starts_with(char::is_alphanumeric) {
        return Err(Refusal::bad_request(
            "project name is not in lower case or contains illegal characters!",
        ));
    }
    if bench.state.project(&name).is_some() {
        return Err(Refusal::conflict(format!(
            "The project named {name} already exists"
        )));
    }
    let id = bench.state.next_id();
    let now = bench.now;
    let mut project = Project {
        id,
        name: name.clone(),
        created: now,
        updated: now,
        metadata: BTreeMap::from([("public".to_owned(), "false".to_owned())]),
        quota: asked
            .storage_limit
            .filter(|limit| *limit != 0)
            .unwrap_or(-1),
        quota_updated: now,
        allowlist: Vec::new(),
        allowlist_expires: None,
        immutable: Vec::new(),
        retention: None,
    };
    asked.apply(&mut project)?;
    bench.state.projects.insert(id, project);
    bench.note(call.caller.name(), ("project", "create"), name, Some(id));
    Ok(Answer::created(format!("/api/v2.0/projects/{id}")))
}

fn update(bench: &mut Bench<'_>, call: &Call, project: &Project) -> Answered {
    let scope = Scope::Project(&project.name);
    bench.require(&call.caller, scope, ("project", "update"))?;
    let asked: Asked = call.read()?;
    let now = bench.now;
    if let Some(known) = bench.state.projects.get_mut(&project.id) {
        asked.apply(known)?;
        known.updated = now;
    }
    let name = project.name.clone();
    bench.note(
        call.caller.name(),
        ("project", "update"),
        name,
        Some(project.id),
    );
    Ok(Answer::ok())
}

fn remove(bench: &mut Bench<'_>, call: &Call, project: &Project) -> Answered {
    let scope = Scope::Project(&project.name);
    bench.require(&call.caller, scope, ("project", "delete"))?;
    if repositories_of(bench, &project.name) > 0 {
        return Err(Refusal::precondition(format!(
            "project {} can not be deleted: the project contains repositories, can not be deleted",
            project.id
        )));
    }
    bench.state.projects.remove(&project.id);
    bench
        .state
        .robots
        .retain(|_, robot| robot.project != Some(project.id));
    let name = project.name.clone();
    bench.note(call.caller.name(), ("project", "delete"), name, None);
    Ok(Answer::ok())
}

fn summary(bench: &Bench<'_>, call: &Call, project: &Project) -> Answered {
    let scope = Scope::Project(&project.name);
    bench.require(&call.caller, scope, ("project", "read"))?;
    let mut body = json!({
        "repo_count": repositories_of(bench, &project.name),
        "project_admin_count": 1,
        "maintainer_count": 0,
        "developer_count": 0,
        "guest_count": 0,
        "limited_guest_count": 0,
    });
    if bench
        .require(&call.caller, scope, ("quota", "read"))
        .is_ok()
    {
        body["quota"] = json!({
            "hard": {"storage": project.quota},
            "used": {"storage": bench.used(&project.name)},
        });
    }
    Ok(Answer::json(&body))
}

fn members(bench: &Bench<'_>, call: &Call, project: &Project) -> Answered {
    let scope = Scope::Project(&project.name);
    bench.require(&call.caller, scope, ("member", "list"))?;
    let page = call.page(vec![()], "", |(), _| None)?;
    Ok(page.answer(|()| {
        json!({
            "id": 1, "project_id": project.id, "entity_name": "admin", "role_name": "projectAdmin",
            "role_id": 1, "entity_id": 1, "entity_type": "u",
        })
    }))
}
