//! Artifacts: lists, one, its tags, labels, accessories and additions; copies and removals.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time, time_or_zero};
use super::super::error::Refusal;
use super::super::model::Project;
use super::super::scan::{self, ScanKind};
use super::super::state::{Bench, Place};
use super::super::wire::{self, Wants};
use super::{labels, no_method, no_path, scanning, tags};
use crate::sim::registry::store::{Artifact, Repository};
use crate::sim::registry::text::unescape;
use crate::sim::registry::{Deed, Happening};
use serde_json::{Value, json};

/// Answers what is below `…/repositories/R/artifacts`.
pub(super) fn answer(
    bench: &mut Bench<'_>,
    call: &Call,
    (project, name): (&Project, &str),
    below: &[&str],
) -> Answered {
    let scope = Scope::Project(&project.name);
    match (call.method.as_str(), below) {
        ("GET", []) => {
            bench.require(&call.caller, scope, ("artifact", "list"))?;
            list(bench, call, name)
        }
        ("POST", []) => copy(bench, call, (project, name)),
        ("GET", [reference]) => {
            bench.require(&call.caller, scope, ("artifact", "read"))?;
            let repository = bench.repository(name)?;
            let artifact = bench.artifact(name, reference)?;
            let wants = wants(call)?;
            let value = wire::artifact(bench, (name, repository), artifact, &wants);
            Ok(Answer::json(&value))
        }
        ("DELETE", [reference]) => remove(bench, call, (scope, name), reference),
        (_, [] | [_]) => Err(no_method(call)),
        (_, [reference, what, rest @ ..]) => {
            let artifact = bench.artifact(name, reference)?;
            let digest = artifact.manifest.digest.clone();
            below_one(
                bench,
                call,
                (scope, &(name.to_owned(), digest)),
                (what, rest),
            )
        }
    }
}

fn below_one(
    bench: &mut Bench<'_>,
    call: &Call,
    place: (Scope<'_>, &Place),
    (what, rest): (&str, &[&str]),
) -> Answered {
    let (scope, (name, digest)) = place;
    match (call.method.as_str(), what, rest) {
        (_, "tags", rest) => tags::answer(bench, call, place, rest),
        (_, "labels", rest) => labels::of_artifact(bench, call, place, rest),
        (_, "scan", rest) => scanning::answer(bench, call, place, rest),
        ("GET", "accessories", []) => {
            bench.require(&call.caller, scope, ("accessory", "list"))?;
            let repository = bench.repository(name)?;
            let artifact = bench.artifact(name, digest)?;
            let rows = wire::accessories(repository, name, artifact);
            let page = call.page(rows, "id", |row, key| row.get(key).cloned())?;
            Ok(page.answer(Value::clone))
        }
        ("GET", "additions", [addition]) => {
            bench.require(&call.caller, scope, ("artifact-addition", "read"))?;
            additions(bench, call, (name, digest), addition)
        }
        (_, "accessories" | "additions", _) => Err(no_method(call)),
        (_, _, _) => Err(no_path(call)),
    }
}

fn wants(call: &Call) -> Result<Wants<'_>, Refusal> {
    Ok(Wants {
        tags: call.flag("with_tag", true)?,
        labels: call.flag("with_label", false)?,
        scan: call.flag("with_scan_overview", false)?,
        sbom: call.flag("with_sbom_overview", false)?,
        accessories: call.flag("with_accessory", false)?,
        inherited: call.flag("with_inherited_accessory", false)?,
        immutable: call.flag("with_immutable_status", false)?,
        accepts: call.header("x-accept-vulnerabilities"),
    })
}

/// Untagged platforms of an index are shown only where the query asks for the base.
fn wants_base(call: &Call) -> bool {
    let asked = unescape(call.parameter("q").unwrap_or_default());
    asked.split(',').any(|part| part.trim() == "base=*")
}

fn list(bench: &Bench<'_>, call: &Call, name: &str) -> Answered {
    let repository = bench.repository(name)?;
    let rows: Vec<&Artifact> = if wants_base(call) {
        let all = repository.artifacts.values();
        all.filter(|one| !repository.is_accessory(one)).collect()
    } else {
        repository.shown().collect()
    };
    let rows = filter_tags(call, repository, rows);
    let page = call.page(rows, "-push_time,-id", |artifact, key| {
        field(bench, (name, repository), artifact, key)
    })?;
    let wants = wants(call)?;
    Ok(page.answer(|artifact| wire::artifact(bench, (name, repository), artifact, &wants)))
}

/// `tags=*` and `tags=nil` are about having any.
fn filter_tags<'a>(
    call: &Call,
    repository: &Repository,
    mut rows: Vec<&'a Artifact>,
) -> Vec<&'a Artifact> {
    let asked = unescape(call.parameter("q").unwrap_or_default());
    let is_tagged = |one: &Artifact| repository.is_tagged(&one.manifest.digest);
    for part in asked.split(',').map(str::trim) {
        match part {
            "tags=*" => rows.retain(|one| is_tagged(one)),
            "tags=nil" => rows.retain(|one| !is_tagged(one)),
            _ => {}
        }
    }
    rows
}

fn field(
    bench: &Bench<'_>,
    (name, repository): (&str, &Repository),
    artifact: &Artifact,
    key: &str,
) -> Option<Value> {
    let digest = &artifact.manifest.digest;
    match key {
        "id" => Some(json!(artifact.id)),
        "digest" => Some(json!(digest)),
        "type" => Some(json!(wire::kind(artifact))),
        "media_type" => {
            let config = artifact.manifest.config.as_ref();
            let own = &artifact.manifest.media_type;
            Some(json!(config.map_or(own, |config| &config.media_type)))
        }
        "artifact_type" => Some(json!(artifact.manifest.artifact_type)),
        "size" => Some(json!(repository.size_of(artifact))),
        "push_time" => Some(time(artifact.pushed)),
        "pull_time" => Some(time_or_zero(artifact.pulled)),
        "tags" => {
            let mut tags: Vec<&String> = repository.tags_of(digest).map(|(tag, _)| tag).collect();
            // `*` and `nil` are dealt with before.
            let (any, none) = ("*".to_owned(), "nil".to_owned());
            tags.push(&any);
            tags.push(&none);
            Some(json!(tags))
        }
        "labels" => {
            let place = (name.to_owned(), digest.clone());
            Some(json!(bench.state.labelled.get(&place)))
        }
        _ => None,
    }
}

/// `GET /projects/P/artifacts`: artifacts of all repositories in one list.
pub(super) fn of_project(bench: &Bench<'_>, call: &Call, project: &Project) -> Answered {
    let scope = Scope::Project(&project.name);
    bench.require(&call.caller, scope, ("artifact", "list"))?;
    let latest = call.flag("latest_in_repository", false)?;
    let asked = unescape(call.parameter("q").unwrap_or_default());
    let by_type =
        |part: &str| part.starts_with("media_type=") || part.starts_with("artifact_type=");
    if !asked.split(',').any(by_type) {
        return Err(Refusal::bad_request(
            "either media_type or artifact_type must be specified in the query",
        ));
    }
    let mut rows: Vec<(&str, &Repository, &Artifact)> = Vec::new();
    let base = wants_base(call);
    for (name, repository) in bench.store.repositories_of(&project.name) {
        let own = repository.artifacts.values().filter(|one| {
            !repository.is_accessory(one)
                && (base || !repository.is_child(&one.manifest.digest) || !latest)
        });
        if latest {
            let newest = own.max_by_key(|one| (one.pushed, one.id));
            rows.extend(newest.map(|one| (name.as_str(), repository, one)));
        } else {
            rows.extend(own.map(|one| (name.as_str(), repository, one)));
        }
    }
    let page = call.page(
        rows,
        "-push_time,-id",
        |(name, repository, artifact), key| {
            match key {
                // An index is what its platforms are.
                "media_type" => {
                    let images = repository.images(artifact);
                    let types = images.iter().filter_map(|one| one.manifest.config.as_ref());
                    let mut types: Vec<&str> = types.map(|one| one.media_type.as_str()).collect();
                    types.push(&artifact.manifest.media_type);
                    Some(json!(types))
                }
                "repository_name" => Some(json!(name)),
                _ => field(bench, (name, repository), artifact, key),
            }
        },
    )?;
    let wants = wants(call)?;
    Ok(page.answer(|(name, repository, artifact)| {
        wire::artifact(bench, (name, repository), artifact, &wants)
    }))
}

fn additions(
    bench: &Bench<'_>,
    call: &Call,
    (name, digest): (&str, &str),
    addition: &str,
) -> Answered {
    let artifact = bench.artifact(name, digest)?;
    let unsupported = || {
        let kind = wire::kind(artifact);
        Refusal::bad_request(format!("addition {addition} isn't supported for {kind}"))
    };
    match addition {
        "vulnerabilities" => {
            let (scans, count) = wire::scans(bench, (name, artifact), ScanKind::Vulnerabilities);
            if count == 0 {
                return Err(unsupported());
            }
            let form = scan::form(call.header("x-accept-vulnerabilities"));
            let body = match scan::report(&scans) {
                Some(report) => json!({form: report}),
                None => json!({}),
            };
            Ok(Answer::json(&body))
        }
        "build_history" => {
            let config = wire::config(bench, artifact).ok_or_else(unsupported)?;
            Ok(Answer::json(&config["history"]))
        }
        "sbom" => {
            if wire::kind(artifact) != "SBOM" {
                return Err(unsupported());
            }
            let layer = artifact.manifest.layers.first();
            let contents = layer.and_then(|layer| bench.store.any_blob(&layer.digest));
            let contents = contents.cloned().ok_or_else(unsupported)?;
            let kind = crate::sim::registry::image::HARBOR_SBOM;
            Ok(Answer::text(kind, contents))
        }
        "values.yaml" | "readme.md" | "dependencies" | "files" | "license" => Err(unsupported()),
        _ => Err(Refusal::unprocessable(format!(
            "addition in path should be one of the known ones: {addition}"
        ))),
    }
}

fn remove(
    bench: &mut Bench<'_>,
    call: &Call,
    (scope, name): (Scope<'_>, &str),
    reference: &str,
) -> Answered {
    bench.require(&call.caller, scope, ("artifact", "delete"))?;
    let digest = bench.artifact(name, reference)?.manifest.digest.clone();
    bench.refuse_removal(name, &digest)?;
    if bench.store.remove_artifact(name, &digest).is_err() {
        return Err(Refusal::not_found(format!(
            "artifact {name}@{digest} not found"
        )));
    }
    bench.state.scans.remove((name, &digest));
    bench.on_happening(&Happening {
        deed: Deed::Deleted,
        repository: name.to_owned(),
        reference: reference.to_owned(),
        digest,
        by: call.caller.name().to_owned(),
    });
    Ok(Answer::ok())
}

/// `POST …/artifacts?from=project/repository@sha256:…`
fn copy(bench: &mut Bench<'_>, call: &Call, (project, name): (&Project, &str)) -> Answered {
    let scope = Scope::Project(&project.name);
    bench.require(&call.caller, scope, ("artifact", "create"))?;
    let from = call.parameter("from").unwrap_or_default();
    let split = from.split_once('@').or_else(|| from.rsplit_once(':'));
    let Some((source, reference)) = split else {
        return Err(Refusal::bad_request(format!("invalid from `{from}`")));
    };
    let source_project = source.split('/').next().unwrap_or_default();
    bench.require(
        &call.caller,
        Scope::Project(source_project),
        ("artifact", "read"),
    )?;
    let digest = bench.artifact(source, reference)?.manifest.digest.clone();
    if bench.artifact(name, &digest).is_ok() {
        return Err(Refusal::conflict(format!(
            "the artifact {name}@{digest} already exists"
        )));
    }
    bench.refuse_push(name, &digest, 0)?;
    let tags: Vec<String> = if reference.starts_with("sha256:") {
        Vec::new()
    } else {
        vec![reference.to_owned()]
    };
    copy_content(bench, source, name, &digest);
    for tag in &tags {
        bench.store.tag(name, tag, &digest, bench.now);
    }
    bench.on_happening(&Happening {
        deed: Deed::Pushed,
        repository: name.to_owned(),
        reference: tags.first().unwrap_or(&digest).clone(),
        digest: digest.clone(),
        by: call.caller.name().to_owned(),
    });
    let short = name.split_once('/').map_or(name, |(_, short)| short);
    let short = crate::sim::registry::text::escape(short);
    Ok(Answer::created(format!(
        "/api/v2.0/projects/{}/repositories/{short}/artifacts/{digest}",
        project.name
    )))
}

/// Copies an artifact with its platforms and what is about it.
fn copy_content(bench: &mut Bench<'_>, from: &str, to: &str, digest: &str) {
    let Some(repository) = bench.store.repository(from) else {
        return;
    };
    let Some(artifact) = repository.artifact(digest) else {
        return;
    };
    let mut wanted: Vec<Artifact> = Vec::new();
    if artifact.manifest.is_index() {
        wanted.extend(repository.images(artifact).into_iter().cloned());
    }
    wanted.push(artifact.clone());
    let about: Vec<Artifact> = wanted
        .iter()
        .flat_map(|one| repository.referrers_of(&one.manifest.digest))
        .cloned()
        .collect();
    for one in wanted.into_iter().chain(about) {
        let manifest = one.manifest;
        for blob in manifest.config.iter().chain(&manifest.layers) {
            bench.store.mount(from, to, &blob.digest, bench.now);
        }
        let reference = manifest.digest.clone();
        if bench
            .store
            .put_manifest(to, &reference, manifest, bench.now)
            .is_err()
        {
            tracing::debug!(to, reference, "a part of an artifact was not copied");
            continue;
        }
        for kind in [ScanKind::Vulnerabilities, ScanKind::Sbom] {
            let scan = bench.state.scans.get((from, &reference), kind).cloned();
            if let Some(scan) = scan {
                let key = (to.to_owned(), reference.clone(), kind);
                bench.state.scans.insert(key, scan);
            }
        }
    }
}
