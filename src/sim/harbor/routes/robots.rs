//! Robot accounts (`src/server/v2.0/handler/robot.go`). A secret is told once, when it is made.

use super::super::access::{Caller, Scope};
use super::super::call::{Answer, Answered, Call, time};
use super::super::error::Refusal;
use super::super::model::{Grant, Robot};
use super::super::state::Bench;
use super::super::{ROBOT_PREFIX, query};
use super::{no_method, no_path, number};
use crate::sim::registry::text::unescape;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    name: String,
    description: String,
    level: String,
    duration: Option<i64>,
    disable: bool,
    secret: String,
    permissions: Vec<AskedGrant>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AskedGrant {
    kind: String,
    namespace: String,
    access: Vec<AskedAccess>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AskedAccess {
    resource: String,
    action: String,
}

impl From<AskedGrant> for Grant {
    fn from(asked: AskedGrant) -> Self {
        let access = asked.access.into_iter();
        Self {
            kind: asked.kind,
            namespace: asked.namespace,
            access: access.map(|one| (one.resource, one.action)).collect(),
        }
    }
}

pub(super) fn answer(bench: &mut Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    match (call.method.as_str(), rest) {
        ("GET", []) => list(bench, call),
        ("POST", []) => create(bench, call),
        (_, []) => Err(no_method(call)),
        (method, [id]) => {
            let robot = found(bench, number(id, "robot_id")?)?;
            match method {
                "GET" => {
                    may(bench, call, &robot, "read")?;
                    Ok(Answer::json(&robot.json()))
                }
                "PUT" => update(bench, call, &robot),
                "PATCH" => refresh(bench, call, &robot),
                "DELETE" => {
                    may(bench, call, &robot, "delete")?;
                    bench.state.robots.remove(&robot.id);
                    note(bench, call, &robot, "delete");
                    Ok(Answer::ok())
                }
                _ => Err(no_method(call)),
            }
        }
        (_, [..]) => Err(no_path(call)),
    }
}

fn found(bench: &Bench<'_>, id: i64) -> Result<Robot, Refusal> {
    let robot = bench.state.robots.get(&id).cloned();
    robot.ok_or_else(|| Refusal::not_found(format!("robot {id} not found")))
}

fn note(bench: &mut Bench<'_>, call: &Call, robot: &Robot, operation: &'static str) {
    let name = robot.name.clone();
    bench.note(
        call.caller.name(),
        ("robot", operation),
        name,
        robot.project,
    );
}

fn may(bench: &Bench<'_>, call: &Call, robot: &Robot, action: &str) -> Result<(), Refusal> {
    may_in(bench, call, robot.project, action)
}

fn may_in(
    bench: &Bench<'_>,
    call: &Call,
    project: Option<i64>,
    action: &str,
) -> Result<(), Refusal> {
    let project = project.and_then(|id| bench.state.projects.get(&id));
    match project {
        Some(project) => {
            let scope = Scope::Project(&project.name);
            bench.require(&call.caller, scope, ("robot", action))
        }
        None => bench.require(&call.caller, Scope::System, ("robot", action)),
    }
}

/// `q=Level=project,ProjectID=1` asks for a project's robots, otherwise the system's are listed.
fn list(bench: &Bench<'_>, call: &Call) -> Answered {
    let asked = unescape(call.parameter("q").unwrap_or_default());
    let conditions = query::parse(&asked).map_err(Refusal::bad_request)?;
    let exact = |wanted: &str| {
        let found = conditions
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(wanted));
        found.and_then(|(_, condition)| match condition {
            query::Condition::Exact(value) => Some(value.as_str()),
            query::Condition::Fuzzy(_)
            | query::Condition::Range(..)
            | query::Condition::AnyOf(_)
            | query::Condition::AllOf(_) => None,
        })
    };
    let project = match (
        exact("level"),
        exact("projectid").or_else(|| exact("project_id")),
    ) {
        (Some("project"), Some(id)) => Some(id.parse::<i64>().map_err(|_not_a_number| {
            Refusal::bad_request("the ProjectID of the query is not a number")
        })?),
        (Some("project"), None) => {
            return Err(Refusal::bad_request(
                "must with project ID when to query project robots",
            ));
        }
        (Some("system") | None, _) => None,
        (Some(other), _) => return Err(Refusal::bad_request(format!("bad level `{other}`"))),
    };
    may_in(bench, call, project, "list")?;
    let rows = bench.state.robots.values();
    let rows: Vec<&Robot> = rows.filter(|robot| robot.project == project).collect();
    let page = call.page(rows, "-creation_time,id", |robot, key| -> Option<Value> {
        match key {
            "id" => Some(json!(robot.id)),
            "name" => Some(json!(robot.name)),
            "disable" | "disabled" => Some(json!(robot.disabled)),
            "expires_at" => Some(json!(robot.expires_at)),
            "duration" => Some(json!(robot.duration)),
            "creation_time" => Some(time(robot.created)),
            "update_time" => Some(time(robot.updated)),
            _ => None,
        }
    })?;
    Ok(page.answer(|robot| robot.json()))
}

/// Lower case words, separated by one of `._-`.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    name.split(['.', '_', '-']).all(is_word)
}

/// 8 to 128 letters with a capital, a small letter and a digit.
fn is_secret(secret: &str) -> bool {
    (8..=128).contains(&secret.len())
        && secret.bytes().any(|b| b.is_ascii_uppercase())
        && secret.bytes().any(|b| b.is_ascii_lowercase())
        && secret.bytes().any(|b| b.is_ascii_digit())
}

const WEAK: &str = "the secret must be 8-128, inclusively, characters long with at least 1 \
                    uppercase letter, 1 lowercase letter and 1 number";

/// Checks level and permissions, and returns the project of a robot of one.
fn check(bench: &Bench<'_>, call: &Call, asked: &Asked) -> Result<Option<i64>, Refusal> {
    if asked.permissions.is_empty() {
        return Err(Refusal::bad_request("bad request empty permission"));
    }
    for grant in &asked.permissions {
        if grant.access.is_empty() {
            return Err(Refusal::bad_request("bad request empty access"));
        }
        if !matches!(grant.kind.as_str(), "system" | "project") {
            return Err(Refusal::bad_request(format!(
                "bad request error kind: {}",
                grant.kind
            )));
        }
    }
    covered(&call.caller, &asked.permissions)?;
    match asked.level.as_str() {
        "system" => Ok(None),
        "project" => {
            let [grant] = asked.permissions.as_slice() else {
                return Err(Refusal::bad_request("bad request permission"));
            };
            let project = bench.state.project(&grant.namespace);
            let project = project.filter(|_| grant.kind == "project").ok_or_else(|| {
                Refusal::not_found(format!("project {} not found", grant.namespace))
            })?;
            Ok(Some(project.id))
        }
        other => Err(Refusal::bad_request(format!(
            "bad request error level input: {other}"
        ))),
    }
}

/// A robot makes robots only within what it may do itself.
fn covered(caller: &Caller, wanted: &[AskedGrant]) -> Result<(), Refusal> {
    if !matches!(caller, Caller::Robot { .. }) {
        return Ok(());
    }
    for grant in wanted {
        for one in &grant.access {
            let scope = if grant.kind == "system" {
                Scope::System
            } else {
                Scope::Project(&grant.namespace)
            };
            if !caller.may(scope, (&one.resource, &one.action), false) {
                return Err(Refusal::forbidden(format!(
                    "permission scope is invalid. It must be equal to or more restrictive than \
                     the creator robot's permissions: {}",
                    caller.name()
                )));
            }
        }
    }
    Ok(())
}

fn duration(asked: &Asked) -> Result<i64, Refusal> {
    match asked.duration {
        Some(days) if days == -1 || days > 0 => Ok(days),
        Some(days) => Err(Refusal::bad_request(format!(
            "bad request error duration input: {days}, duration must be either -1(Never) or a positive integer"
        ))),
        None => Ok(30),
    }
}

fn create(bench: &mut Bench<'_>, call: &Call) -> Answered {
    let asked: Asked = call.read()?;
    if !is_name(&asked.name) || asked.name.len() > 255 {
        return Err(Refusal::bad_request(format!(
            "robot name {} is not in lower case or contains illegal characters",
            asked.name
        )));
    }
    let level_project = check(bench, call, &asked)?;
    may_in(bench, call, level_project, "create")?;
    let days = duration(&asked)?;
    let full = match level_project.and_then(|id| bench.state.projects.get(&id)) {
        Some(project) => format!("{ROBOT_PREFIX}{}+{}", project.name, asked.name),
        None => format!("{ROBOT_PREFIX}{}", asked.name),
    };
    if bench.state.robots.values().any(|robot| robot.name == full) {
        return Err(Refusal::conflict(format!(
            "robot account {full} already exists"
        )));
    }
    if !asked.secret.is_empty() && !is_secret(&asked.secret) {
        return Err(Refusal::bad_request(WEAK));
    }
    let own = !asked.secret.is_empty();
    let secret = if own {
        asked.secret.clone()
    } else {
        (bench.secret)()
    };
    let id = bench.state.next_id();
    let robot = Robot {
        id,
        name: full.clone(),
        description: asked.description,
        project: level_project,
        duration: days,
        disabled: asked.disable,
        expires_at: expiry(bench.now, days),
        grants: asked.permissions.into_iter().map(Grant::from).collect(),
        secret: secret.clone(),
        created: bench.now,
        updated: bench.now,
    };
    let body = json!({
        "id": id,
        "name": full,
        "secret": if own { String::new() } else { secret },
        "creation_time": time(robot.created),
        "expires_at": robot.expires_at,
    });
    note(bench, call, &robot, "create");
    bench.state.robots.insert(id, robot);
    Ok(Answer::created(format!("/api/v2.0/robots/{id}")).with_body(&body))
}

/// Counts from the robot's making.
fn expiry(created: chrono::DateTime<chrono::Utc>, days: i64) -> i64 {
    if days == -1 {
        return -1;
    }
    let span = TimeDelta::try_days(days).unwrap_or(TimeDelta::MAX);
    created
        .checked_add_signed(span)
        .map_or(i64::MAX, |end| end.timestamp())
}

fn update(bench: &mut Bench<'_>, call: &Call, robot: &Robot) -> Answered {
    may(bench, call, robot, "update")?;
    let asked: Asked = call.read()?;
    let level_project = check(bench, call, &asked)?;
    if level_project != robot.project || asked.level != robot.level() {
        return Err(Refusal::bad_request(
            "cannot update the level or name of robot",
        ));
    }
    if asked.name != robot.name {
        return Err(Refusal::bad_request(
            "cannot update the level or name of robot",
        ));
    }
    let days = duration(&asked)?;
    let now = bench.now;
    if let Some(known) = bench.state.robots.get_mut(&robot.id) {
        known.description = asked.description;
        known.disabled = asked.disable;
        known.grants = asked.permissions.into_iter().map(Grant::from).collect();
        known.updated = now;
        if days != known.duration {
            known.duration = days;
            known.expires_at = expiry(known.created, days);
        }
    }
    note(bench, call, robot, "update");
    Ok(Answer::ok())
}

fn refresh(bench: &mut Bench<'_>, call: &Call, robot: &Robot) -> Answered {
    may(bench, call, robot, "update")?;
    let asked: Asked = call.read()?;
    if !asked.secret.is_empty() && !is_secret(&asked.secret) {
        return Err(Refusal::bad_request(WEAK));
    }
    let own = !asked.secret.is_empty();
    bench.state.next_id();
    let secret = if own { asked.secret } else { (bench.secret)() };
    let now = bench.now;
    if let Some(known) = bench.state.robots.get_mut(&robot.id) {
        known.secret.clone_from(&secret);
        known.updated = now;
    }
    note(bench, call, robot, "update");
    let told = if own { String::new() } else { secret };
    Ok(Answer::json(&json!({"secret": told})))
}
