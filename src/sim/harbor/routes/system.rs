//! Health, what the system is, who asks, quotas, statistics, permissions.

use super::super::VERSION;
use super::super::access::{Caller, Scope};
use super::super::call::{Answer, Answered, Call, time};
use super::super::error::Refusal;
use super::super::model::Project;
use super::super::state::Bench;
use super::{no_method, no_path, number};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const COMPONENTS: [&str; 8] = [
    "core",
    "database",
    "jobservice",
    "portal",
    "redis",
    "registry",
    "registryctl",
    "trivy",
];
/// Bytes of the volume that the registry is said to be on.
const VOLUME: u64 = 50 * 1024 * 1024 * 1024;

pub(super) fn answer(
    bench: &mut Bench<'_>,
    call: &Call,
    (first, rest): (&str, &[&str]),
) -> Answered {
    let is_read = matches!(call.method.as_str(), "GET" | "HEAD");
    match (first, rest) {
        ("ping" | "health" | "systeminfo" | "statistics" | "permissions" | "search", _)
            if !is_read =>
        {
            Err(no_method(call))
        }
        ("ping", []) => Ok(Answer::text("text/plain; charset=utf-8", "Pong")),
        ("health", []) => Ok(health()),
        ("systeminfo", []) => Ok(info(bench, call)),
        ("systeminfo", ["volumes"]) => {
            bench.require(&call.caller, Scope::System, ("system-volumes", "read"))?;
            let used = bench.store.used();
            let free = VOLUME.saturating_sub(used);
            Ok(Answer::json(
                &json!({"storage": [{"total": VOLUME, "free": free}]}),
            ))
        }
        ("statistics", []) => statistics(bench, call),
        ("users", ["current"]) => current(call),
        ("users", ["current", "permissions"]) => match &call.caller {
            Caller::Admin(_) => Ok(Answer::json(&admin_permissions())),
            Caller::Anonymous | Caller::Robot { .. } => current(call),
        },
        ("users", []) => users(bench, call),
        ("permissions", []) => match &call.caller {
            Caller::Admin(_) => Ok(Answer::json(&permissions())),
            Caller::Anonymous => Err(Refusal::unauthorized("unauthorized")),
            Caller::Robot { .. } => Err(Refusal::forbidden("only admins can access permissions")),
        },
        ("search", []) => Ok(search(bench, call)),
        ("configurations", []) => configurations(bench, call),
        ("usergroups" | "ldap", _) if is_read => Ok(Answer::json(&json!([]))),
        (_, _) => Err(no_path(call)),
    }
}

fn health() -> Answer {
    let components = COMPONENTS.map(|name| json!({"name": name, "status": "healthy"}));
    Answer::json(&json!({"status": "healthy", "components": components}))
}

fn info(bench: &Bench<'_>, call: &Call) -> Answer {
    let mut info = json!({
        "auth_mode": "db_auth",
        "primary_auth_mode": false,
        "self_registration": false,
        "banner_message": "",
        "oidc_provider_name": "",
    });
    if call.caller.is_authenticated()
        && let Some(fields) = info.as_object_mut()
    {
        let more = json!({
            "harbor_version": VERSION,
            "registry_url": bench.host,
            "external_url": format!("https://{}", bench.host),
            "project_creation_restriction": "adminonly",
            "read_only": false,
            "has_ca_root": true,
            "current_time": time(bench.now),
            "notification_enable": true,
            "registry_storage_provider_name": "inmemory",
        });
        fields.extend(more.as_object().cloned().unwrap_or_default());
    }
    Answer::json(&info)
}

fn visible<'b>(bench: &'b Bench<'_>, call: &Call) -> Vec<&'b Project> {
    let all = bench.state.projects.values();
    all.filter(|one| call.caller.knows(&one.name, one.is_public()))
        .collect()
}

fn statistics(bench: &Bench<'_>, call: &Call) -> Answered {
    if !call.caller.is_authenticated() {
        return Err(Refusal::unauthorized("unauthorized"));
    }
    let projects = visible(bench, call);
    let count = |public: bool| {
        let own = projects.iter().filter(|one| one.is_public() == public);
        let repositories = own
            .clone()
            .map(|one| super::projects::repositories_of(bench, &one.name));
        (own.count(), repositories.sum::<usize>())
    };
    let (public, private) = (count(true), count(false));
    let mut body = json!({
        "public_project_count": public.0,
        "public_repo_count": public.1,
        "private_project_count": private.0,
        "private_repo_count": private.1,
        "total_project_count": public.0 + private.0,
        "total_repo_count": public.1 + private.1,
    });
    body["total_storage_consumption"] = json!(bench.store.used());
    Ok(Answer::json(&body))
}

/// 200 for a person, 412 for a robot, 401 for nobody (`handler/user.go`).
fn current(call: &Call) -> Answered {
    match &call.caller {
        Caller::Admin(name) => Ok(Answer::json(&user(name))),
        Caller::Anonymous => Err(Refusal::unauthorized("unauthorized")),
        Caller::Robot { .. } => Err(Refusal::precondition(
            "get current user not available for security context: robot",
        )),
    }
}

fn user(name: &str) -> Value {
    json!({
        "user_id": 1,
        "username": name,
        "realname": "system admin",
        "email": "admin@shop.example",
        "comment": "admin user",
        "sysadmin_flag": true,
        "admin_role_in_auth": false,
    })
}

fn users(bench: &Bench<'_>, call: &Call) -> Answered {
    if call.method != http::Method::GET {
        return Err(no_method(call));
    }
    bench.require(&call.caller, Scope::System, ("user", "list"))?;
    let page = call.page(vec![()], "", |(), _| None)?;
    Ok(page.answer(|()| user(super::super::ADMIN)))
}

fn search(bench: &Bench<'_>, call: &Call) -> Answer {
    let words = call.parameter("q").unwrap_or_default();
    let projects = visible(bench, call);
    let of_project: Vec<Value> = projects
        .iter()
        .filter(|one| one.name.contains(words))
        .map(|one| one.json(super::projects::repositories_of(bench, &one.name)))
        .collect();
    let repositories = bench
        .store
        .repositories()
        .iter()
        .filter_map(|(name, repository)| {
            let project = bench.state.project_of(name)?;
            let known = projects.iter().any(|one| one.id == project.id);
            (known && name.contains(words)).then(|| {
                json!({
                    "project_id": project.id,
                    "project_name": project.name,
                    "project_public": project.is_public(),
                    "repository_name": name,
                    "pull_count": repository.pulls,
                    "artifact_count": repository.count_shown(),
                })
            })
        });
    let repositories: Vec<Value> = repositories.collect();
    Answer::json(&json!({"project": of_project, "repository": repositories}))
}

fn configurations(bench: &Bench<'_>, call: &Call) -> Answered {
    if call.method != http::Method::GET {
        return Err(no_method(call));
    }
    bench.require(&call.caller, Scope::System, ("configuration", "read"))?;
    let item = |value: Value| json!({"value": value, "editable": false});
    Ok(Answer::json(&json!({
        "auth_mode": item(json!("db_auth")),
        "robot_name_prefix": item(json!(super::super::ROBOT_PREFIX)),
        "robot_token_duration": item(json!(30)),
        "token_expiration": item(json!(30)),
        "read_only": item(json!(false)),
        "self_registration": item(json!(false)),
        "quota_per_project_enable": item(json!(true)),
        "storage_per_project": item(json!(-1)),
        "notification_enable": item(json!(true)),
        "project_creation_restriction": item(json!("adminonly")),
        "session_timeout": item(json!(60)),
        "banner_message": item(json!("")),
    })))
}

/// What permissions there are (`src/common/rbac/const.go`).
fn permissions() -> Value {
    let list = |entries: &[(&str, &str)]| -> Vec<Value> {
        let pairs = entries.iter().flat_map(|(resource, actions)| {
            actions
                .split(' ')
                .map(move |action| json!({"resource": resource, "action": action}))
        });
        pairs.collect()
    };
    json!({
        "system": list(&[
            ("audit-log", "list"), ("catalog", "read"), ("garbage-collection", "create list read stop update"),
            ("jobservice-monitor", "list stop"), ("label", "create delete list read update"),
            ("project", "create list"), ("quota", "list read update"),
            ("registry", "create delete list read update"),
            ("replication", "create list read"), ("replication-policy", "create delete list read update"),
            ("robot", "create delete list read update"), ("scan-all", "create read stop update"),
            ("scanner", "create delete list read update"), ("security-hub", "list read"),
            ("system-volumes", "read"), ("user", "create delete list read update"),
        ]),
        "project": list(&[
            ("accessory", "list"), ("artifact", "create delete list read"),
            ("artifact-addition", "read"), ("artifact-label", "create delete"),
            ("immutable-tag", "create delete list update"), ("label", "create delete list read update"),
            ("log", "list"), ("member", "create delete list read update"),
            ("metadata", "create delete list read update"),
            ("notification-policy", "create delete list read update"),
            ("project", "delete read update"), ("quota", "read"),
            ("repository", "delete list pull push read update"), ("robot", "create delete list read"),
            ("sbom", "create read stop"), ("scan", "create read stop"), ("scanner", "create read"),
            ("tag", "create delete list"), ("tag-retention", "create delete list operate read update"),
        ]),
    })
}

fn admin_permissions() -> Value {
    let all = permissions();
    let all = all["system"]
        .as_array()
        .into_iter()
        .chain(all["project"].as_array());
    Value::Array(all.flatten().cloned().collect())
}

/// Answers what begins with `/quotas`.
pub(super) fn quotas(bench: &mut Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    match (call.method.as_str(), rest) {
        ("GET", []) => list_quotas(bench, call),
        ("GET", [id]) => {
            bench.require(&call.caller, Scope::System, ("quota", "read"))?;
            let id = number(id, "id")?;
            let project = bench.state.projects.get(&id);
            let project =
                project.ok_or_else(|| Refusal::not_found(format!("quota {id} not found")))?;
            Ok(Answer::json(&quota(bench, project)))
        }
        ("PUT", [id]) => update_quota(bench, call, number(id, "id")?),
        (_, [] | [_]) => Err(no_method(call)),
        (_, [..]) => Err(no_path(call)),
    }
}

fn quota(bench: &Bench<'_>, project: &Project) -> Value {
    json!({
        "id": project.id,
        "ref": {"id": project.id, "name": project.name, "owner_name": "admin"},
        "hard": {"storage": project.quota},
        "used": {"storage": bench.used(&project.name)},
        "creation_time": time(project.created),
        "update_time": time(project.quota_updated),
    })
}

fn list_quotas(bench: &Bench<'_>, call: &Call) -> Answered {
    bench.require(&call.caller, Scope::System, ("quota", "list"))?;
    let kind = call.parameter("reference").unwrap_or("project");
    let id = call.parameter("reference_id");
    let rows = bench.state.projects.values();
    let rows = rows.filter(|one| kind == "project" && id.is_none_or(|id| id == one.id.to_string()));
    let page = call.page(rows.collect(), "id", |project: &&Project, key| match key {
        "id" => Some(json!(project.id)),
        "hard.storage" => Some(json!(project.quota)),
        "used.storage" => Some(json!(bench.used(&project.name))),
        "creation_time" => Some(time(project.created)),
        _ => None,
    })?;
    Ok(page.answer(|project| quota(bench, project)))
}

fn update_quota(bench: &mut Bench<'_>, call: &Call, id: i64) -> Answered {
    #[derive(Deserialize)]
    struct Asked {
        hard: BTreeMap<String, i64>,
    }
    bench.require(&call.caller, Scope::System, ("quota", "update"))?;
    let asked: Asked = call.read()?;
    let now = bench.now;
    let Some(project) = bench.state.projects.get_mut(&id) else {
        return Err(Refusal::not_found(format!("quota {id} not found")));
    };
    match asked.hard.get("storage") {
        Some(limit) if *limit == -1 || *limit > 0 => {
            project.quota = *limit;
            project.quota_updated = now;
        }
        Some(limit) => return Err(Refusal::bad_request(format!("invalid hard limit: {limit}"))),
        None => return Err(Refusal::bad_request("hard limit of storage is missing")),
    }
    let name = project.name.clone();
    bench.note(call.caller.name(), ("quota", "update"), name, Some(id));
    Ok(Answer::ok())
}
