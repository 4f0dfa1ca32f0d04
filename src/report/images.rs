//! What registries have as cells and as the stable JSON.
//!
//! Members are only ever added; words are those of Harbor and of the OCI distribution specification.

use super::documents::{finding, path};
use crate::app::columns::{
    expires_text, fix_text, guards_text, packages_text, says_text, short_tag, tags_text,
    updated_text, used_text,
};
use crate::domain::age::age_text;
use crate::domain::image::{
    ArtifactRow, CveRow, Digest, ImageState, Place, ProjectRow, RegistryHealth, RegistryRow,
    RobotRow, Scan, Severity, bytes_text,
};
use crate::domain::image_update::UpdateRow;
use crate::domain::object::{ObjectRef, Text};
use crate::store::Table;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// Returns what is not known of images and why, each registry once.
pub(super) fn notes(table: Option<&Table>) -> Vec<String> {
    let rows = table.into_iter().flat_map(Table::rows);
    let findings = rows
        .filter_map(|row| row.image())
        .flat_map(|row| &row.findings);
    let mut notes: Vec<String> = findings.map(super::sentence).collect();
    notes.sort();
    notes.dedup();
    notes
}

/// Returns the headings of [`cells`] for rows of one sort.
pub fn columns(row: &RegistryRow) -> &'static [&'static str] {
    match row {
        RegistryRow::Image(_) => &[
            "IMAGE", "TAGS", "STATE", "FOUND", "RUNS IN", "SIGNED", "NEWEST", "SIZE", "PUSHED",
            "DIGEST",
        ],
        RegistryRow::Project(_) => &["PROJECT", "ACCESS", "REPOSITORIES", "USED", "GUARDS", "AGE"],
        RegistryRow::Robot(_) => &["ROBOT", "STATE", "EXPIRES IN", "LEVEL", "MAY", "AGE"],
        RegistryRow::Cve(_) => &[
            "VULNERABILITY",
            "SEVERITY",
            "CVSS",
            "PACKAGE",
            "FIXED IN",
            "IMAGES",
            "RUNS IN",
            "APPLICATIONS",
        ],
        RegistryRow::Registry(_) => &[
            "REGISTRY", "KIND", "STATE", "VERSION", "ACCOUNT", "IN USE", "ADDRESS", "SAYS",
        ],
        RegistryRow::Update(_) => &[
            "APPLICATION",
            "IMAGE",
            "CURRENT",
            "CANDIDATE",
            "DECISION",
            "RULE",
            "WRITES",
            "LAST UPDATE",
            "WHY",
        ],
    }
}

/// Returns the cells of a row.
pub fn cells(row: &RegistryRow, now: DateTime<Utc>) -> Vec<String> {
    let age = |at: Option<DateTime<Utc>>| at.map(|at| age_text(at, now)).unwrap_or_default();
    let state = row.status();
    match row {
        RegistryRow::Image(row) => vec![
            row.repository.to_string(),
            tags_text(row),
            state,
            row.scan.text(),
            row.places.len().to_string(),
            row.signed
                .map_or("", |signed| if signed { "yes" } else { "no" })
                .to_owned(),
            row.newest.to_string(),
            row.size.map(bytes_text).unwrap_or_default(),
            age(row.pushed.or(row.built)),
            row.digest
                .as_ref()
                .map(|digest| digest.short().to_owned())
                .unwrap_or_default(),
        ],
        RegistryRow::Project(row) => vec![
            row.object.name.to_string(),
            state,
            row.repositories.to_string(),
            used_text(row),
            guards_text(row),
            age(row.created),
        ],
        RegistryRow::Robot(row) => vec![
            row.object.name.to_string(),
            state,
            expires_text(row, now),
            row.project.as_deref().unwrap_or("system").to_owned(),
            row.permissions_text(),
            age(row.created),
        ],
        RegistryRow::Cve(row) => cve_cells(row),
        RegistryRow::Update(row) => vec![
            row.application.name.to_string(),
            row.image.to_string(),
            short_tag(&row.current),
            short_tag(&row.candidate()),
            state,
            row.rule(),
            row.write_back.to_string(),
            updated_text(row, now),
            row.why().to_owned(),
        ],
        RegistryRow::Registry(row) => vec![
            row.object.name.to_string(),
            row.flavour.word().to_owned(),
            state,
            row.version.to_string(),
            row.account.to_string(),
            row.repositories.to_string(),
            row.address.to_string(),
            says_text(row),
        ],
    }
}

fn cve_cells(row: &CveRow) -> Vec<String> {
    let apps: Vec<&str> = row.applications().iter().map(|app| &*app.name).collect();
    vec![
        row.object.name.to_string(),
        row.severity.word().to_owned(),
        row.score
            .map(|score| format!("{}.{}", score / 10, score % 10))
            .unwrap_or_default(),
        packages_text(row),
        fix_text(row),
        row.images.len().to_string(),
        row.places.len().to_string(),
        apps.join(" "),
    ]
}

/// Returns one row.
pub fn document(row: &RegistryRow, now: DateTime<Utc>) -> Value {
    match row {
        RegistryRow::Image(row) => image(row),
        RegistryRow::Project(row) => project(row),
        RegistryRow::Robot(row) => robot(row, now),
        RegistryRow::Cve(row) => cve(row),
        RegistryRow::Registry(row) => registry(row),
        RegistryRow::Update(row) => update(row),
    }
}

/// Returns an image with where it runs.
pub fn image(row: &ArtifactRow) -> Value {
    let labels: Map<String, Value> = row
        .labels
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string().into()))
        .collect();
    json!({
        "kind": "Image",
        "registry": &*row.registry,
        "repository": &*row.repository,
        "digest": row.digest.as_ref().map(Digest::to_string),
        "tags": texts(&row.tags),
        "size": row.size,
        "pushed": row.pushed,
        "pulled": row.pulled,
        "built": row.built,
        "platforms": texts(&row.platforms),
        "labels": labels,
        "signed": row.signed,
        "scan": scan(&row.scan),
        "states": row.states.iter().map(ImageState::text).collect::<Vec<_>>(),
        "newest": (!row.newest.is_empty()).then(|| row.newest.to_string()),
        "places": row.places.iter().map(place).collect::<Vec<_>>(),
        "findings": row.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn texts(all: &[Text]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn scan(scan: &Scan) -> Value {
    let status = match scan {
        Scan::Untold => return Value::Null,
        Scan::Impossible => "not scannable",
        Scan::Never => "not scanned",
        Scan::Running { percent } => {
            return json!({ "status": "running", "percent": percent });
        }
        Scan::Failed { status } => return json!({ "status": &**status }),
        Scan::Done(summary) => {
            let counts: Map<String, Value> = Severity::WORST_FIRST
                .iter()
                .map(|one| (one.word().to_lowercase(), summary.count(*one).into()))
                .collect();
            return json!({
                "status": "done", "severity": summary.severity.word(), "total": summary.total,
                "fixable": summary.fixable, "counts": counts, "ended": summary.ended,
                "scanner": &*summary.scanner,
            });
        }
    };
    json!({ "status": status })
}

fn place(place: &Place) -> Value {
    let optional = |object: &Option<ObjectRef>| object.as_ref().map(path);
    json!({
        "pod": path(&place.pod),
        "container": &*place.container,
        "image": &*place.image,
        "workload": path(&place.workload),
        "application": optional(&place.application),
        "states": place.states.iter().map(ImageState::text).collect::<Vec<_>>(),
        "trouble": (!place.trouble.is_empty()).then(|| place.trouble.to_string()),
    })
}

fn project(row: &ProjectRow) -> Value {
    json!({
        "kind": "RegistryProject",
        "registry": &*row.registry,
        "name": &*row.object.name,
        "id": row.id,
        "public": row.public,
        "repositories": row.repositories,
        "owner": &*row.owner,
        "created": row.created,
        "used": row.used,
        "quota": row.quota,
        "scansPushes": row.scans_pushes,
        "prevents": row.prevents.map(Severity::word),
        "makesSboms": row.makes_sboms,
        "needsSignature": row.needs_signature,
        "findings": row.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn robot(row: &RobotRow, now: DateTime<Utc>) -> Value {
    let permissions: Vec<Value> = row
        .permissions
        .iter()
        .map(|one| json!({ "scope": &*one.scope, "resource": &*one.resource, "action": &*one.action }))
        .collect();
    let known = now > DateTime::UNIX_EPOCH;
    json!({
        "kind": "Robot",
        "registry": &*row.registry,
        "name": &*row.object.name,
        "id": row.id,
        "project": row.project.as_deref(),
        "description": &*row.description,
        "status": row.status(),
        "disabled": row.disabled,
        "expires": row.expires,
        "expiresInSeconds": row.expires.filter(|_| known).map(|at| (at - now).num_seconds()),
        "created": row.created,
        "permissions": permissions,
        "own": row.own,
    })
}

fn cve(row: &CveRow) -> Value {
    let packages: Vec<Value> = row
        .packages
        .iter()
        .map(|one| {
            let fix = (!one.fix.is_empty()).then(|| one.fix.to_string());
            json!({ "package": &*one.package, "version": &*one.version, "fix": fix })
        })
        .collect();
    let apps: Vec<String> = row.applications().iter().map(|app| app.path()).collect();
    let images: Vec<&str> = row.images.iter().map(|(_, title)| &**title).collect();
    json!({
        "kind": "Cve",
        "id": &*row.object.name,
        "severity": row.severity.word(),
        "score": row.score.map(|score| f64::from(score) / 10.0),
        "packages": packages,
        "images": images,
        "applications": apps,
        "places": row.places.iter().map(|one| place(one)).collect::<Vec<_>>(),
        "description": &*row.description,
        "links": texts(&row.links),
    })
}

fn update(row: &UpdateRow) -> Value {
    let last = row.updated.as_ref();
    json!({
        "kind": "ImageUpdate",
        "application": row.application.path(),
        "updater": row.updater.as_ref().map(ObjectRef::path),
        "alias": &*row.alias,
        "image": &*row.image,
        "current": &*row.current,
        "candidate": row.candidate(),
        "decision": row.verdict(),
        "why": row.why(),
        "strategy": row.strategy.word(),
        "constraint": &*row.constraint,
        "writeBack": &*row.write_back,
        "checkedAt": row.checked,
        "updatedAt": last.map(|(at, _)| at),
        "lastUpdate": last.map(|(_, what)| what.to_string()),
        "findings": row.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn registry(row: &RegistryHealth) -> Value {
    let components: Vec<Value> = row
        .components
        .iter()
        .map(|one| json!({ "name": &*one.name, "healthy": one.healthy, "error": &*one.error }))
        .collect();
    json!({
        "kind": "Registry",
        "host": &*row.object.name,
        "flavour": row.flavour.word(),
        "status": row.status(),
        "address": &*row.address,
        "version": &*row.version,
        "account": &*row.account,
        "accountFrom": &*row.account_from,
        "healthy": row.healthy,
        "components": components,
        "readOnly": row.read_only,
        "storage": row.storage.map(|(free, total)| json!({ "free": free, "total": total })),
        "repositoriesInUse": row.repositories,
        "findings": row.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
