//! The security hub: vulnerabilities of everything that was scanned.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call};
use super::super::model::Status;
use super::super::scan::{Finding, ScanKind, Severity};
use super::super::state::{Bench, is_scannable};
use super::no_path;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

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

/// Images in which the same was found.
struct Alike<'b> {
    findings: &'b [Finding],
    places: Vec<(&'b String, &'b String)>,
}

impl Alike<'_> {
    fn count(&self, severity: Severity) -> usize {
        let own = self.findings.iter();
        own.filter(|one| one.severity() == severity).count()
    }
}

/// The finished scans, those with the same findings together. Lists of findings are shared, so
/// that many images are few of these.
fn scanned<'b>(bench: &'b Bench<'_>) -> Vec<Alike<'b>> {
    let mut all: Vec<Alike<'b>> = Vec::new();
    let mut known: HashMap<(*const Finding, usize), usize> = HashMap::new();
    let scans = bench.state.scans.of_kind(ScanKind::Vulnerabilities);
    for (name, digest, scan) in scans.filter(|(_, _, scan)| scan.status == Status::Success) {
        let findings = &*scan.findings;
        let at = *known
            .entry((findings.as_ptr(), findings.len()))
            .or_insert(all.len());
        if at == all.len() {
            all.push(Alike {
                findings,
                places: Vec::new(),
            });
        }
        if let Some(alike) = all.get_mut(at) {
            alike.places.push((name, digest));
        }
    }
    all
}

fn summary(bench: &Bench<'_>, call: &Call) -> Answered {
    let all = scanned(bench);
    let sum = |severity: Severity| {
        let counts = all.iter().map(|one| one.count(severity) * one.places.len());
        counts.sum::<usize>()
    };
    let total = |wanted: fn(&&Finding) -> bool| {
        let counts = all.iter().map(|one| {
            let own = one.findings.iter().filter(wanted).count();
            own * one.places.len()
        });
        counts.sum::<usize>()
    };
    let images = bench.store.repositories().values();
    let images = images.flat_map(|one| one.artifacts.values());
    let mut body = json!({
        "critical_cnt": sum(Severity::Critical),
        "high_cnt": sum(Severity::High),
        "medium_cnt": sum(Severity::Medium),
        "low_cnt": sum(Severity::Low),
        "none_cnt": sum(Severity::None),
        "unknown_cnt": sum(Severity::Unknown) + sum(Severity::Negligible),
        "total_vuls": total(|_| true),
        "scanned_cnt": all.iter().map(|one| one.places.len()).sum::<usize>(),
        "total_artifact": images.filter(|one| is_scannable(one)).count(),
        "fixable_cnt": total(|one| !one.fix().is_empty()),
    });
    if call.flag("with_dangerous_cve", false)? {
        body["dangerous_cves"] = dangerous_cves(all.iter().flat_map(|one| one.findings));
    }
    if call.flag("with_dangerous_artifact", false)? {
        body["dangerous_artifacts"] = dangerous_artifacts(bench, all);
    }
    Ok(Answer::json(&body))
}

fn dangerous_artifacts(bench: &Bench<'_>, mut all: Vec<Alike<'_>>) -> Value {
    all.sort_by_cached_key(|one| {
        let order = [Severity::Critical, Severity::High, Severity::Medium];
        Reverse(order.map(|severity| one.count(severity)))
    });
    let worst = all
        .iter()
        .flat_map(|alike| alike.places.iter().map(move |place| (place, alike)));
    let worst = worst.take(DANGEROUS).map(|((name, digest), alike)| {
        json!({
            "project_id": bench.state.project_of(name).map_or(0, |one| one.id),
            "repository_name": name,
            "digest": digest,
            "critical_cnt": alike.count(Severity::Critical),
            "high_cnt": alike.count(Severity::High),
            "medium_cnt": alike.count(Severity::Medium),
        })
    });
    Value::Array(worst.collect())
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

/// A field of a finding; `None` for those of an image.
fn of_finding(one: &Finding, key: &str) -> Option<Value> {
    match key {
        "cve_id" => Some(json!(one.cve.id)),
        "severity" => Some(json!(one.severity().word())),
        "cvss_score_v3" | "cvss_v3_score" => Some(json!(one.cve.score)),
        "status" => Some(json!(status(one))),
        "package" => Some(json!(one.cve.package)),
        _ => None,
    }
}

fn status(one: &Finding) -> &'static str {
    if one.fix().is_empty() {
        "affected"
    } else {
        "fixed"
    }
}

/// A field of an image; `None` for those of a finding, and for unknown ones.
fn of_place(bench: &Bench<'_>, (name, digest): (&str, &str), key: &str) -> Option<Value> {
    match key {
        "repository_name" => Some(json!(name)),
        "project_id" => {
            let project = bench.state.project_of(name);
            Some(json!(project.map_or(0, |one| one.id)))
        }
        "digest" => Some(json!(digest)),
        "tag" => Some(json!(tags_of(bench, (name, digest)))),
        _ => None,
    }
}

/// The worst first, then by name; of one vulnerability image after image. That is the only order
/// that Harbor knows here.
fn list(bench: &Bench<'_>, call: &Call) -> Answered {
    let (window, conditions) = (call.window()?, call.conditions()?);
    let fits = |field: &dyn Fn(&str) -> Option<Value>| {
        let mut all = conditions.iter();
        all.all(|(key, condition)| field(key).is_none_or(|value| condition.admits(&value)))
    };
    let mut all = scanned(bench);
    for alike in &mut all {
        alike
            .places
            .retain(|(name, digest)| fits(&|key| of_place(bench, (name, digest), key)));
    }
    let mut found: Vec<(&Finding, &Alike<'_>)> = all
        .iter()
        .flat_map(|alike| alike.findings.iter().map(move |one| (one, alike)))
        .filter(|(one, _)| fits(&|key| of_finding(one, key)))
        .collect();
    found.sort_by(|(a, _), (b, _)| {
        let by_score = b.cve.score.total_cmp(&a.cve.score);
        by_score.then_with(|| (&a.cve.id, &a.cve.package).cmp(&(&b.cve.id, &b.cve.package)))
    });
    let total = found.iter().map(|(_, alike)| alike.places.len()).sum();
    let mut skipped = window.skip();
    let mut rows = Vec::new();
    for (one, alike) in found {
        let left = window.take() - rows.len();
        let here = alike.places.iter().skip(skipped).take(left);
        rows.extend(here.map(|(name, digest)| ((name.as_str(), digest.as_str()), one)));
        skipped = skipped.saturating_sub(alike.places.len());
        if rows.len() == window.take() {
            break;
        }
    }
    let with_tag = call.flag("with_tag", false)?;
    let page = call.page_of(window, rows, total);
    let mut answer = page.answer(|(place, one)| row(bench, *place, one, with_tag));
    if call.flag("tune_count", false)? && total > COUNT_LIMIT {
        for (name, value) in &mut answer.headers {
            if *name == "x-total-count" {
                "-1".clone_into(value);
            }
        }
    }
    Ok(answer)
}

fn row(bench: &Bench<'_>, place: (&str, &str), one: &Finding, with_tag: bool) -> Value {
    let (name, digest) = place;
    let mut row = json!({
        "project_id": bench.state.project_of(name).map_or(0, |one| one.id),
        "repository_name": name,
        "digest": digest,
        "cve_id": one.cve.id,
        "severity": one.severity().word(),
        "status": status(one),
        "cvss_v3_score": one.cve.score,
        "package": one.cve.package,
        "version": one.version,
        "fixed_version": one.fix(),
        "desc": one.cve.description,
        "links": one.links(),
    });
    if with_tag {
        row["tags"] = json!(tags_of(bench, place));
    }
    row
}

/// The tags of an image, and of the indexes that list it.
fn tags_of<'b>(bench: &'b Bench<'_>, (name, digest): (&str, &str)) -> Vec<&'b String> {
    let Some(repository) = bench.store.repository(name) else {
        return Vec::new();
    };
    let parents = repository.parents_of(digest);
    let parents = parents.map(|one| one.manifest.digest.as_str());
    let mut tags = Vec::new();
    for digest in std::iter::once(digest).chain(parents) {
        tags.extend(repository.tags_of(digest).map(|(tag, _)| tag));
    }
    tags
}
