//! Repositories. Their names come double-encoded in paths.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time};
use super::super::error::Refusal;
use super::super::model::Project;
use super::super::state::Bench;
use super::super::wire;
use super::{artifacts, no_method, no_path};
use crate::sim::registry::store::Repository;
use serde::Deserialize;
use serde_json::{Value, json};

/// Answers what is below `/projects/P/repositories`.
pub(super) fn answer(
    bench: &mut Bench<'_>,
    call: &Call,
    project: &Project,
    below: &[&str],
) -> Answered {
    let scope = Scope::Project(&project.name);
    match (call.method.as_str(), below) {
        ("GET", []) => {
            bench.require(&call.caller, scope, ("repository", "list"))?;
            let own = bench.store.repositories_of(&project.name);
            list(bench, call, own.collect())
        }
        (method, [short]) => {
            let name = format!("{}/{short}", project.name);
            match method {
                "GET" => {
                    bench.require(&call.caller, scope, ("repository", "read"))?;
                    let repository = bench.repository(&name)?;
                    Ok(Answer::json(&wire::repository(bench, &name, repository)))
                }
                "PUT" => update(bench, call, (scope, &name)),
                "DELETE" => remove(bench, call, (scope, &name)),
                _ => Err(no_method(call)),
            }
        }
        (_, [short, "artifacts", below @ ..]) => {
            let name = format!("{}/{short}", project.name);
            artifacts::answer(bench, call, (project, &name), below)
        }
        (_, []) => Err(no_method(call)),
        (_, [..]) => Err(no_path(call)),
    }
}

/// `GET /repositories`: all that the caller may see.
pub(super) fn all(bench: &Bench<'_>, call: &Call) -> Answered {
    if call.method != http::Method::GET {
        return Err(no_method(call));
    }
    let visible = bench.state.projects.values().filter(|one| {
        let scope = Scope::Project(&one.name);
        call.caller
            .may(scope, ("repository", "list"), one.is_public())
    });
    let all = visible.flat_map(|one| bench.store.repositories_of(&one.name));
    list(bench, call, all.collect())
}

fn list(bench: &Bench<'_>, call: &Call, rows: Vec<(&String, &Repository)>) -> Answered {
    let page = call.page(rows, "-creation_time,name", |(name, repository), key| {
        field(bench, (name, repository), key)
    })?;
    Ok(page.answer(|(name, repository)| wire::repository(bench, name, repository)))
}

fn field(bench: &Bench<'_>, (name, repository): (&str, &Repository), key: &str) -> Option<Value> {
    match key {
        "name" => Some(json!(name)),
        "id" | "repository_id" => Some(json!(repository.id)),
        "project_id" => bench
            .state
            .project_of(name)
            .map(|project| json!(project.id)),
        "pull_count" => Some(json!(repository.pulls)),
        "artifact_count" => Some(json!(repository.count_shown())),
        "creation_time" => Some(time(repository.created)),
        "update_time" => Some(time(repository.updated)),
        _ => None,
    }
}

fn update(bench: &mut Bench<'_>, call: &Call, (scope, name): (Scope<'_>, &str)) -> Answered {
    #[derive(Deserialize)]
    struct Asked {
        description: Option<String>,
    }
    bench.require(&call.caller, scope, ("repository", "update"))?;
    let asked: Asked = call.read()?;
    let now = bench.now;
    let Some(repository) = bench.store.repository_mut(name) else {
        return Err(Refusal::not_found(format!("repository {name} not found")));
    };
    repository.description = asked.description.unwrap_or_default();
    repository.updated = now;
    Ok(Answer::ok())
}

fn remove(bench: &mut Bench<'_>, call: &Call, (scope, name): (Scope<'_>, &str)) -> Answered {
    bench.require(&call.caller, scope, ("repository", "delete"))?;
    let repository = bench.repository(name)?;
    if let Some(tag) = repository
        .tags
        .keys()
        .find(|tag| bench.is_immutable(name, tag))
    {
        return Err(Refusal::precondition(format!(
            "the tag {name}:{tag} is configured as immutable, it cannot be deleted"
        )));
    }
    bench.store.remove_repository(name);
    bench.state.scans.remove_repository(name);
    let project = bench.state.project_of(name).map(|project| project.id);
    bench.note(call.caller.name(), ("repository", "delete"), name, project);
    Ok(Answer::ok())
}
