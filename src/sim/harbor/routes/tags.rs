//! Tags of an artifact. A tag that is taken is not moved: that is 409 (promotion is a push).

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time, time_or_zero};
use super::super::error::Refusal;
use super::super::state::{Bench, Place};
use super::super::wire;
use super::no_method;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) fn answer(
    bench: &mut Bench<'_>,
    call: &Call,
    (scope, place): (Scope<'_>, &Place),
    rest: &[&str],
) -> Answered {
    let (name, digest) = place;
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            bench.require(&call.caller, scope, ("tag", "list"))?;
            list(bench, call, place)
        }
        ("POST", []) => create(bench, call, scope, place),
        ("DELETE", [tag]) => {
            bench.require(&call.caller, scope, ("tag", "delete"))?;
            let repository = bench.repository(name)?;
            if repository
                .tags
                .get(*tag)
                .is_none_or(|found| found.digest != *digest)
            {
                return Err(Refusal::not_found(format!("tag {tag} not found")));
            }
            if bench.is_immutable(name, tag) {
                return Err(Refusal::precondition(format!(
                    "the tag {name}:{tag} is configured as immutable, it cannot be deleted"
                )));
            }
            bench.store.untag(name, tag);
            let project = bench.state.project_of(name).map(|project| project.id);
            let what = format!("{name}:{tag}");
            bench.note(call.caller.name(), ("tag", "delete"), what, project);
            Ok(Answer::ok())
        }
        (_, _) => Err(no_method(call)),
    }
}

fn list(bench: &Bench<'_>, call: &Call, (name, digest): &Place) -> Answered {
    let repository = bench.repository(name)?;
    let immutable = call.flag("with_immutable_status", false)?;
    let rows: Vec<_> = repository.tags_of(digest).collect();
    let page = call.page(
        rows,
        "-push_time,-id",
        |(tag, found), key| -> Option<Value> {
            match key {
                "name" => Some(json!(tag)),
                "id" => Some(json!(found.id)),
                "push_time" => Some(time(found.pushed)),
                "pull_time" => Some(time_or_zero(found.pulled)),
                _ => None,
            }
        },
    )?;
    Ok(page.answer(|(tag, _)| wire::tag(bench, (name, repository), tag, immutable)))
}

fn create(bench: &mut Bench<'_>, call: &Call, scope: Scope<'_>, place: &Place) -> Answered {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        name: String,
    }
    bench.require(&call.caller, scope, ("tag", "create"))?;
    let (name, digest) = place;
    let asked: Asked = call.read()?;
    let letters = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let tag = asked.name;
    if tag.is_empty() || tag.len() > 128 || !tag.chars().all(letters) || tag.starts_with(['.', '-'])
    {
        return Err(Refusal::bad_request(format!("invalid tag name: {tag}")));
    }
    if bench.repository(name)?.tags.contains_key(&tag) {
        return Err(Refusal::conflict(format!(
            "tag {tag} already attached to an artifact under the repository {name}"
        )));
    }
    bench.store.tag(name, &tag, digest, bench.now);
    let project = bench.state.project_of(name).map(|project| project.id);
    bench.note(
        call.caller.name(),
        ("tag", "create"),
        format!("{name}:{tag}"),
        project,
    );
    let short = name
        .split_once('/')
        .map_or(name.as_str(), |(_, short)| short);
    Ok(Answer::created(format!("{}/{short}:{tag}", call.path)))
}
