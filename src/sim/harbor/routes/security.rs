//! The security hub: vulnerabilities of everything that was scanned.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call};
use super::super::model::Status;
use super::super::scan::{Finding, Scan, ScanKind, Severity};
use super::super::state::{Bench, Place, is_scannable};
use super::no_path;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Beyond so many an estimate has to do.
const COUNT_LIMIT: usize = 1000;
const DANGEROUS: usize = 5;

pub(super) fn answer(bench: &Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    match (call.method.as_str(), rest) {
        ("GET", ["summary"]) => {
            bench.require(&call.caller, Scope::System, ("security-hub", "read"))?;
            summary(bench, call)
        }
        ("GET", ["vul"]) => {
            bench.require(&call.caller, Scope::System, ("security-hub", "list"))?;
            list(bench, call)
        }
        (_, _) => Err(no_path(call)),
    }
}

/// The finished scans, each with what it is of.
fn scans<'b>(bench: &'b Bench<'_>) -> impl Iterator<Item = (&'b Place, &'b Scan)> {
    let all = bench.state.scans.iter();
    all.filter(|((_, kind), scan)| {
        *kind == ScanKind::Vulnerabilities && scan.status == Status::Success
    })
    .map(|((place, _), scan)| (place, scan))
}

fn count(scan: &Scan, severity: Severity) -> usize {
    let own = scan
        .findings
        .iter()
        .filter(|one| one.severity() == severity);
    own.count()
}

fn summary(bench: &Bench<'_>, call: &Call) -> Answered {
    let all: Vec<_> = scans(bench).collect();
    let sum = |severity: Severity| {
        all.iter()
            .map(|(_, scan)| count(scan, severity))
            .sum::<usize>()
    };
    let findings = || all.iter().flat_map(|(_, scan)| &scan.findings);
    let images: usize = bench
        .store
        .repositories()
        .values()
        .map(|one| {
            one.artifacts
                .values()
                .filter(|one| is_scannable(one))
                .count()
        })
        .sum();
    let mut body = json!({
        "critical_cnt": sum(Severity::Critical),
        "high_cnt": sum(Severity::High),
        "medium_cnt": sum(Severity::Medium),
        "low_cnt": sum(Severity::Low),
        "none_cnt": sum(Severity::None),
        "unknown_cnt": sum(Severity::Unknown) + sum(Severity::Negligible),
        "total_vuls": findings().count(),
        "scanned_cnt": all.len(),
        "total_artifact": images,
        "fixable_cnt": findings().filter(|one| !one.fix().is_empty()).count(),
    });
    if call.flag("with_dangerous_cve", false)? {
        body["dangerous_cves"] = dangerous_cves(findings());
    }
    if call.flag("with_dangerous_artifact", false)? {
        let mut worst = all.clone();
        worst.sort_by_key(|(_, scan)| {
            let order = [Severity::Critical, Severity::High, Severity::Medium];
            Reverse(order.map(|severity| count(scan, severity)))
        });
        let worst = worst
            .into_iter()
            .take(DANGEROUS)
            .map(|((name, digest), scan)| {
                json!({
                    "project_id": bench.state.project_of(name).map_or(0, |one| one.id),
                    "repository_name": name,
                    "digest": digest,
                    "critical_cnt": count(scan, Severity::Critical),
                    "high_cnt": count(scan, Severity::High),
                    "medium_cnt": count(scan, Severity::Medium),
                })
            });
        body["dangerous_artifacts"] = Value::Array(worst.collect());
    }
    Ok(Answer::json(&body))
}

fn dangerous_cves<'f>(findings: impl Iterator<Item = &'f Finding>) -> Value {
    let mut known: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in findings {
        known.entry(&finding.cve.id).or_insert(finding);
    }
    let mut worst: Vec<&Finding> = known.into_values().collect();
    worst.sort_by(|a, b| {
        let by_severity = b.severity().cmp(&a.severity());
        by_severity.then(b.cve.score.total_cmp(&a.cve.score))
    });
    let worst = worst.into_iter().take(DANGEROUS).map(|one| {
        json!({
            "cve_id": one.cve.id,
            "severity": one.severity().word(),
            "cvss_score_v3": one.cve.score,
            "desc": one.cve.description,
            "package": one.cve.package,
            "version": one.version,
        })
    });
    Value::Array(worst.collect())
}

fn list(bench: &Bench<'_>, call: &Call) -> Answered {
    let rows: Vec<(&Place, &Finding)> = scans(bench)
        .flat_map(|(place, scan)| scan.findings.iter().map(move |one| (place, one)))
        .collect();
    let tags = |place: &Place| tags_of(bench, place);
    let project = |place: &Place| bench.state.project_of(&place.0).map_or(0, |one| one.id);
    let page = call.page(
        rows,
        "-cvss_score_v3,cve_id",
        |(place, one), key| match key {
            "cve_id" => Some(json!(one.cve.id)),
            "severity" => Some(json!(one.severity().word())),
            "cvss_score_v3" | "cvss_v3_score" => Some(json!(one.cve.score)),
            "status" => Some(json!(if one.fix().is_empty() {
                "affected"
            } else {
                "fixed"
            })),
            "repository_name" => Some(json!(place.0)),
            "project_id" => Some(json!(project(place))),
            "package" => Some(json!(one.cve.package)),
            "digest" => Some(json!(place.1)),
            "tag" => Some(json!(tags(place))),
            _ => None,
        },
    )?;
    let with_tag = call.flag("with_tag", false)?;
    let total = page.total;
    let mut answer = page.answer(|(place, one)| {
        let mut row = json!({
            "project_id": project(place),
            "repository_name": place.0,
            "digest": place.1,
            "cve_id": one.cve.id,
            "severity": one.severity().word(),
            "status": if one.fix().is_empty() { "affected" } else { "fixed" },
            "cvss_v3_score": one.cve.score,
            "package": one.cve.package,
            "version": one.version,
            "fixed_version": one.fix(),
            "desc": one.cve.description,
            "links": one.links(),
        });
        if with_tag {
            row["tags"] = json!(tags(place));
        }
        row
    });
    if call.flag("tune_count", false)? && total > COUNT_LIMIT {
        for (name, value) in &mut answer.headers {
            if *name == "x-total-count" {
                "-1".clone_into(value);
            }
        }
    }
    Ok(answer)
}

/// The tags of an image, and of the indexes that list it.
fn tags_of(bench: &Bench<'_>, place: &Place) -> Vec<String> {
    let Some(repository) = bench.store.repository(&place.0) else {
        return Vec::new();
    };
    let parents = repository.parents_of(&place.1);
    let parents = parents.map(|one| one.manifest.digest.as_str());
    let mut tags = Vec::new();
    for digest in std::iter::once(place.1.as_str()).chain(parents) {
        tags.extend(repository.tags_of(digest).map(|(tag, _)| tag.clone()));
    }
    tags
}
