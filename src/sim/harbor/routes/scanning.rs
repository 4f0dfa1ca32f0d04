//! Scans of an artifact, and the scanner.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time};
use super::super::error::Refusal;
use super::super::model::{Project, Status};
use super::super::scan::{self, GENERIC, NATIVE, SCANNER_ID, ScanKind};
use super::super::state::{Bench, Place};
use super::super::webhook::Event;
use super::super::wire;
use super::{no_method, no_path};
use crate::sim::registry::manifest::{DOCKER_MANIFEST, OCI_MANIFEST};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
struct Asked {
    #[serde(default)]
    scan_type: Option<String>,
}

impl Asked {
    fn kind(&self) -> Result<ScanKind, Refusal> {
        match self.scan_type.as_deref() {
            None | Some("" | "vulnerability") => Ok(ScanKind::Vulnerabilities),
            Some("sbom") => Ok(ScanKind::Sbom),
            Some(other) => Err(Refusal::unprocessable(format!(
                "scan_type in body should be one of [vulnerability sbom]: \"{other}\""
            ))),
        }
    }
}

fn resource(kind: ScanKind) -> &'static str {
    match kind {
        ScanKind::Vulnerabilities => "scan",
        ScanKind::Sbom => "sbom",
    }
}

/// Answers what is below `…/artifacts/A/scan`.
pub(super) fn answer(
    bench: &mut Bench<'_>,
    call: &Call,
    (scope, place): (Scope<'_>, &Place),
    rest: &[&str],
) -> Answered {
    match (call.method.as_str(), rest) {
        ("POST", []) => {
            let asked = if call.body.is_empty() {
                Asked::default()
            } else {
                call.read()?
            };
            let kind = asked.kind()?;
            bench.require(&call.caller, scope, (resource(kind), "create"))?;
            let by = call.caller.name().to_owned();
            bench.begin_scan((&place.0, &place.1), kind, &by, None)?;
            Ok(Answer::accepted())
        }
        ("POST", ["stop"]) => {
            let asked: Asked = call.read()?;
            let kind = asked.kind()?;
            bench.require(&call.caller, scope, (resource(kind), "stop"))?;
            stop(bench, call, place, kind)
        }
        ("GET", [id, "log"]) => {
            bench.require(&call.caller, scope, ("scan", "read"))?;
            let artifact = bench.artifact(&place.0, &place.1)?;
            let all = [ScanKind::Vulnerabilities, ScanKind::Sbom];
            let all = all.map(|kind| wire::scans(bench, (&place.0, artifact), kind).0);
            let mut all = all.into_iter().flatten().map(|(_, scan)| scan);
            let found = all.find(|scan| scan.report_id == **id);
            let scan = found.ok_or_else(|| Refusal::not_found(format!("report {id} not found")))?;
            Ok(Answer::text("text/plain", scan.log()))
        }
        (_, [] | ["stop"] | [_, "log"]) => Err(no_method(call)),
        (_, [..]) => Err(no_path(call)),
    }
}

fn stop(bench: &mut Bench<'_>, call: &Call, place: &Place, kind: ScanKind) -> Answered {
    let (name, digest) = place;
    let artifact = bench.artifact(name, digest)?;
    let (scans, _) = wire::scans(bench, (name, artifact), kind);
    let going: Vec<String> = scans
        .iter()
        .filter(|(_, scan)| !scan.status.is_final())
        .map(|(digest, _)| (*digest).to_owned())
        .collect();
    let now = bench.now;
    for digest in &going {
        let key = (name.clone(), digest.clone(), kind);
        bench.state.scans.change(&key, |scan| {
            scan.status = Status::Stopped;
            scan.end = Some(now);
        });
    }
    if !going.is_empty() {
        bench.announce(&Event {
            kind: "SCANNING_STOPPED",
            repository: name,
            digest,
            reference: digest,
            by: call.caller.name(),
            scan: Some(kind),
        });
    }
    Ok(Answer::accepted())
}

fn registration(bench: &Bench<'_>) -> Value {
    let since = bench
        .state
        .projects
        .values()
        .map(|project| project.created)
        .min();
    let since = time(since.unwrap_or(bench.now));
    json!({
        "uuid": SCANNER_ID,
        "name": "Trivy",
        "description": "The Trivy scanner adapter",
        "url": "http://harbor-trivy:8080",
        "disabled": false,
        "is_default": true,
        "auth": "",
        "access_credential": "",
        "skip_certVerify": false,
        "use_internal_addr": true,
        "health": "healthy",
        "adapter": "Trivy",
        "vendor": "Aqua Security",
        "version": "v0.68.1",
        "capabilities": {"support_vulnerability": true, "support_sbom": true},
        "create_time": since,
        "update_time": since,
    })
}

/// Answers what begins with `/scanners`.
pub(super) fn scanners(bench: &Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    bench.require(&call.caller, Scope::System, ("scanner", "list"))?;
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            let page = call.page(vec![()], "", |(), _| None)?;
            Ok(page.answer(|()| registration(bench)))
        }
        ("GET", [id]) if *id == SCANNER_ID => Ok(Answer::json(&registration(bench))),
        ("GET", [id, "metadata"]) if *id == SCANNER_ID => Ok(Answer::json(&metadata())),
        ("GET", [id, ..]) => Err(Refusal::not_found(format!(
            "scanner registration {id} not found"
        ))),
        (_, _) => Err(no_method(call)),
    }
}

fn metadata() -> Value {
    json!({
        "scanner": scan::scanner(),
        "capabilities": [
            {
                "type": "vulnerability",
                "consumes_mime_types": [OCI_MANIFEST, DOCKER_MANIFEST],
                "produces_mime_types": [NATIVE, GENERIC],
            },
            {
                "type": "sbom",
                "consumes_mime_types": [OCI_MANIFEST, DOCKER_MANIFEST],
                "produces_mime_types": ["application/vnd.security.sbom.report+json; version=1.0"],
            },
        ],
        "properties": {
            "harbor.scanner-adapter/scanner-type": "os-package-vulnerability",
            "org.label-schema.version": "v0.35.0",
        },
    })
}

/// Answers what is below `/projects/P/scanner`.
pub(super) fn of_project(
    bench: &Bench<'_>,
    call: &Call,
    project: &Project,
    rest: &[&str],
) -> Answered {
    let scope = Scope::Project(&project.name);
    bench.require(&call.caller, scope, ("scanner", "read"))?;
    match (call.method.as_str(), rest) {
        ("GET", []) => Ok(Answer::json(&registration(bench))),
        ("GET", ["candidates"]) => {
            let page = call.page(vec![()], "", |(), _| None)?;
            Ok(page.answer(|()| registration(bench)))
        }
        (_, _) => Err(no_method(call)),
    }
}
