//! Repositories and artifacts as Harbor's API tells them.

use super::call::{time, time_or_zero};
use super::scan::{self, Scan, ScanKind};
use super::state::{Bench, is_scannable};
use crate::sim::registry::image::{COSIGN_SIGNATURE, HARBOR_SBOM};
use crate::sim::registry::manifest::{DOCKER_CONFIG, OCI_CONFIG};
use crate::sim::registry::store::{Artifact, Repository};
use crate::sim::registry::text::escape;
use serde_json::{Value, json};

/// The icon that Harbor shows for images, by its digest.
const IMAGE_ICON: &str = "sha256:0048162a053eef4d4ce3fe7518615bef084403614f8bca43b40ae2e762e11e06";
const NOTATION: &str = "application/vnd.cncf.notary.signature";
const HELM: &str = "application/vnd.cncf.helm.config.v1+json";

/// What is told of an artifact beside the usual.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wants<'w> {
    pub(super) tags: bool,
    pub(super) labels: bool,
    pub(super) scan: bool,
    pub(super) sbom: bool,
    pub(super) accessories: bool,
    pub(super) inherited: bool,
    pub(super) immutable: bool,
    /// `X-Accept-Vulnerabilities`.
    pub(super) accepts: Option<&'w str>,
}

/// Returns the type of an artifact that is about another one.
pub(super) fn accessory_type(artifact: &Artifact) -> &'static str {
    match artifact.manifest.artifact_type.as_deref() {
        Some(COSIGN_SIGNATURE) => "signature.cosign",
        Some(NOTATION) => "signature.notation",
        Some(HARBOR_SBOM) => "sbom.harbor",
        Some(_) | None => "subject.accessory",
    }
}

/// Returns the short type in capitals.
pub(super) fn kind(artifact: &Artifact) -> &'static str {
    let manifest = &artifact.manifest;
    if manifest.is_index() {
        return "IMAGE";
    }
    match manifest.artifact_type.as_deref() {
        Some(OCI_CONFIG | DOCKER_CONFIG) => "IMAGE",
        Some(HELM) => "CHART",
        Some(HARBOR_SBOM) => "SBOM",
        Some(COSIGN_SIGNATURE | NOTATION) => "SIGNATURE",
        Some(_) | None => "UNKNOWN",
    }
}

/// The configuration's media type; of an index its own.
fn media_type(artifact: &Artifact) -> &str {
    let manifest = &artifact.manifest;
    let config = manifest.config.as_ref();
    config.map_or(manifest.media_type.as_str(), |config| {
        config.media_type.as_str()
    })
}

pub(super) fn repository(bench: &Bench<'_>, name: &str, repository: &Repository) -> Value {
    json!({
        "id": repository.id,
        "project_id": bench.state.project_of(name).map_or(0, |project| project.id),
        "name": name,
        "description": repository.description,
        "artifact_count": repository.count_shown(),
        "pull_count": repository.pulls,
        "creation_time": time(repository.created),
        "update_time": time(repository.updated),
    })
}

pub(super) fn tag(
    bench: &Bench<'_>,
    (name, repository): (&str, &Repository),
    tag: &str,
    immutable: bool,
) -> Value {
    let Some(found) = repository.tags.get(tag) else {
        return Value::Null;
    };
    let artifact = repository.artifacts.get(&found.digest);
    json!({
        "id": found.id,
        "repository_id": repository.id,
        "artifact_id": artifact.map_or(0, |artifact| artifact.id),
        "name": tag,
        "push_time": time(found.pushed),
        "pull_time": time_or_zero(found.pulled),
        "immutable": immutable && bench.is_immutable(name, tag),
    })
}

/// Returns the address of something more about an artifact.
fn addition(name: &str, digest: &str, what: &str) -> Value {
    let (project, repository) = name.split_once('/').unwrap_or((name, ""));
    let repository = escape(&escape(repository));
    let href = format!(
        "/api/v2.0/projects/{project}/repositories/{repository}/artifacts/{digest}/additions/{what}"
    );
    json!({"href": href, "absolute": false})
}

/// Reads an image's configuration.
pub(super) fn config(bench: &Bench<'_>, artifact: &Artifact) -> Option<Value> {
    let config = artifact.manifest.config.as_ref()?;
    if !matches!(config.media_type.as_str(), OCI_CONFIG | DOCKER_CONFIG) {
        return None;
    }
    serde_json::from_slice(bench.store.any_blob(&config.digest)?).ok()
}

/// The scans of an artifact's platforms, and how many platforms there are.
pub(super) fn scans<'b>(
    bench: &'b Bench<'_>,
    (name, artifact): (&str, &'b Artifact),
    kind: ScanKind,
) -> (Vec<(&'b str, &'b Scan)>, usize) {
    let Some(repository) = bench.store.repository(name) else {
        return (Vec::new(), 0);
    };
    let images = repository.images(artifact);
    let images: Vec<_> = images
        .into_iter()
        .filter(|image| is_scannable(image))
        .collect();
    let count = images.len();
    let found = images.into_iter().filter_map(|image| {
        let digest = image.manifest.digest.as_str();
        Some((digest, bench.state.scans.get((name, digest), kind)?))
    });
    (found.collect(), count)
}

/// Returns the overview of an artifact's scan, by the form that the client accepts.
pub(super) fn scan_overview(
    bench: &Bench<'_>,
    place: (&str, &Artifact),
    accepts: Option<&str>,
) -> Option<Value> {
    let (found, count) = scans(bench, place, ScanKind::Vulnerabilities);
    let found: Vec<&Scan> = found.into_iter().map(|(_, scan)| scan).collect();
    let overview = scan::overview(&found, count)?;
    Some(json!({scan::form(accepts): overview}))
}

pub(super) fn accessories(repository: &Repository, name: &str, artifact: &Artifact) -> Vec<Value> {
    let about = repository.referrers_of(&artifact.manifest.digest);
    about
        .map(|one| {
            json!({
                "id": one.id,
                "artifact_id": one.id,
                "subject_artifact_id": artifact.id,
                "subject_artifact_digest": artifact.manifest.digest,
                "subject_artifact_repo": name,
                "size": one.manifest.size(),
                "digest": one.manifest.digest,
                "type": accessory_type(one),
                "icon": "",
                "creation_time": time(one.pushed),
            })
        })
        .collect()
}

/// Tells an artifact.
pub(super) fn artifact(
    bench: &Bench<'_>,
    (name, repository): (&str, &Repository),
    artifact: &Artifact,
    wants: &Wants<'_>,
) -> Value {
    let manifest = &artifact.manifest;
    let mut value = json!({
        "id": artifact.id,
        "type": kind(artifact),
        "media_type": media_type(artifact),
        "manifest_media_type": manifest.media_type,
        "artifact_type": manifest.artifact_type.as_deref().unwrap_or(&manifest.media_type),
        "project_id": bench.state.project_of(name).map_or(0, |project| project.id),
        "repository_id": repository.id,
        "repository_name": name,
        "digest": manifest.digest,
        "size": repository.size_of(artifact),
        "icon": IMAGE_ICON,
        "push_time": time(artifact.pushed),
        "pull_time": time_or_zero(artifact.pulled),
        "addition_links": links(repository, name, artifact),
    });
    if let Some(config) = config(bench, artifact) {
        value["extra_attrs"] = json!({
            "architecture": config["architecture"],
            "os": config["os"],
            "created": config["created"],
            "author": config["author"].as_str().unwrap_or_default(),
            "config": config["config"],
        });
    }
    if !manifest.annotations.is_empty() {
        value["annotations"] = json!(manifest.annotations);
    }
    if manifest.is_index() {
        value["references"] = references(repository, artifact);
    }
    add_wanted(bench, (name, repository), (artifact, &mut value), wants);
    value
}

fn links(repository: &Repository, name: &str, artifact: &Artifact) -> Value {
    let digest = artifact.manifest.digest.as_str();
    let mut links = json!({});
    let images = repository.images(artifact);
    if images.iter().any(|image| is_scannable(image)) {
        links["vulnerabilities"] = addition(name, digest, "vulnerabilities");
    }
    if is_scannable(artifact) {
        links["build_history"] = addition(name, digest, "build_history");
    }
    let about = images
        .iter()
        .flat_map(|image| repository.referrers_of(&image.manifest.digest));
    let sbom = about
        .chain(repository.referrers_of(digest))
        .find(|one| accessory_type(one) == "sbom.harbor");
    if let Some(sbom) = sbom {
        links["sbom"] = addition(name, &sbom.manifest.digest, "sbom");
    }
    if kind(artifact) == "SBOM" {
        links["sbom"] = addition(name, digest, "sbom");
    }
    links
}

fn references(repository: &Repository, artifact: &Artifact) -> Value {
    let entries = artifact.manifest.children.iter().map(|child| {
        let known = repository.artifacts.get(&child.digest);
        json!({
            "parent_id": artifact.id,
            "child_id": known.map_or(0, |known| known.id),
            "child_digest": child.digest,
            "platform": child.platform.clone().unwrap_or_else(|| json!({})),
            "annotations": child.annotations,
            "urls": [],
        })
    });
    Value::Array(entries.collect())
}

fn add_wanted(
    bench: &Bench<'_>,
    (name, repository): (&str, &Repository),
    (artifact, value): (&Artifact, &mut Value),
    wants: &Wants<'_>,
) {
    let digest = artifact.manifest.digest.as_str();
    if wants.tags {
        let tags: Vec<Value> = repository
            .tags_of(digest)
            .map(|(tag, _)| self::tag(bench, (name, repository), tag, wants.immutable))
            .collect();
        if !tags.is_empty() {
            value["tags"] = Value::Array(tags);
        }
    }
    if wants.labels {
        let place = (name.to_owned(), digest.to_owned());
        let ids = bench.state.labelled.get(&place).into_iter().flatten();
        let labels: Vec<Value> = ids
            .filter_map(|id| bench.state.labels.get(id))
            .map(super::model::Label::json)
            .collect();
        if !labels.is_empty() {
            value["labels"] = Value::Array(labels);
        }
    }
    if wants.scan
        && let Some(overview) = scan_overview(bench, (name, artifact), wants.accepts)
    {
        value["scan_overview"] = overview;
    }
    if wants.sbom {
        let (found, _) = scans(bench, (name, artifact), ScanKind::Sbom);
        if let Some((_, scan)) = found.first() {
            value["sbom_overview"] = scan.sbom_overview();
        }
    }
    if wants.accessories {
        let accessories = accessories(repository, name, artifact);
        if !accessories.is_empty() {
            value["accessories"] = Value::Array(accessories);
        }
    }
    if wants.inherited {
        let parents = repository.parents_of(digest);
        let inherited: Vec<Value> = parents
            .flat_map(|parent| accessories(repository, name, parent))
            .collect();
        if !inherited.is_empty() {
            value["inherited_accessories"] = Value::Array(inherited);
        }
    }
}
