//! Turns what Harbor's API v2.0 says into [`domain::image`](crate::domain::image).
//!
//! Shapes: `api/v2.0/swagger.yaml` of Harbor. What was not asked for is absent, never `null`; an
//! artifact without `scan_overview` was never scanned, one without a link to vulnerabilities cannot
//! be. Times before 1971 mean "never".

mod accounts;
mod report;

pub use accounts::{
    Quota, SystemInfo, health, made_robot, project, quota, robot, system_info, volumes,
};
pub use report::{ReportProblem, report};

use super::loose::{Loose, at};
use crate::domain::image::{
    Accessory, ArtifactRow, Digest, HistoryStep, Platform, Reference, Scan, Severity, VulnSummary,
    image_object, tag,
};
use crate::domain::object::{Cluster, Text, Uid};
use chrono::{DateTime, Datelike as _, Utc};
use serde_json::Value;

/// The report that Harbor itself makes of every scanner's; looked up by its beginning.
const NATIVE: &str = "application/vnd.scanner.adapter.vuln.report.harbor+json";
/// The report with CVSS.
const GENERIC: &str = "application/vnd.security.vulnerability.report";

/// An artifact as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ArtifactRead {
    pub row: ArtifactRow,
    /// Digests of the platforms' manifests.
    pub platforms: Vec<Platform>,
    pub accessories: Vec<Accessory>,
    pub media_type: Text,
    pub labels: Vec<(Text, Text)>,
    /// Digest of the SBOM, when there is one.
    pub sbom: Option<Text>,
}

/// A time; Harbor's zero time is none.
fn time(loose: &mut Loose, value: &Value, path: &[&str]) -> Option<DateTime<Utc>> {
    loose.time(value, path).filter(|at| at.year() > 1970)
}

/// Reads an artifact of a repository (`host` and `project/name`).
pub fn artifact(value: &Value, cluster: &Cluster, host: &Text, repository: &Text) -> ArtifactRead {
    let mut loose = Loose::default();
    let digest = Digest::parse(loose.str(value, &["digest"]));
    if digest.is_none() {
        let found = at(value, &["digest"]).unwrap_or(&Value::Null);
        loose.note(&["digest"], found, "a digest");
    }
    let reference = Reference {
        host: Text::clone(host),
        repository: Text::clone(repository),
        tag: None,
        digest: digest.clone(),
    };
    let mut row = ArtifactRow::unknown(cluster, &reference);
    row.object = image_object(cluster, &reference);
    row.uid = Uid(digest.as_ref().map_or_else(
        || loose.text(value, &["id"]),
        |digest| Text::clone(digest.text()),
    ));
    row.tags = tags(&mut loose, value);
    row.size = size(&mut loose, value, &["size"]);
    row.pushed = time(&mut loose, value, &["push_time"]);
    row.pulled = time(&mut loose, value, &["pull_time"]);
    row.built = time(&mut loose, value, &["extra_attrs", "created"]);
    row.scan = scan(&mut loose, value);
    let accessories = accessories(&mut loose, value);
    // They are always asked for, and left out when there are none.
    row.signed = Some(accessories.iter().any(Accessory::is_signature));
    let platforms = platforms(&mut loose, value);
    row.platforms = platform_names(&mut loose, value, &platforms);
    row.labels = own_labels(&mut loose, value);
    let labels = loose.pairs(value, &["extra_attrs", "config", "Labels"]);
    let media_type = loose.text(value, &["manifest_media_type"]);
    let sbom = loose.text(value, &["sbom_overview", "sbom_digest"]);
    row.findings = loose.findings(&row.object);
    ArtifactRead {
        row,
        platforms,
        accessories,
        media_type,
        labels,
        sbom: (!sbom.is_empty()).then_some(sbom),
    }
}

fn size(loose: &mut Loose, value: &Value, path: &[&str]) -> Option<u64> {
    loose
        .integer(value, path)
        .and_then(|size| u64::try_from(size).ok())
}

fn tags(loose: &mut Loose, value: &Value) -> Vec<Text> {
    let list = loose.list(value, &["tags"]);
    let mut tags: Vec<Text> = list
        .iter()
        .filter_map(|one| one.get("name")?.as_str())
        .map(Text::from)
        .collect();
    tags.sort_by(|a, b| tag::newest_first(a, b));
    tags
}

fn own_labels(loose: &mut Loose, value: &Value) -> Vec<(Text, Text)> {
    let list = loose.list(value, &["labels"]);
    let mut labels: Vec<(Text, Text)> = list
        .iter()
        .filter_map(|one| one.get("name")?.as_str())
        .map(|name| (Text::from(name), Text::from("")))
        .collect();
    labels.sort();
    labels
}

fn platform_name(value: &Value) -> String {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let parts = [text("os"), text("architecture"), text("variant")];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

fn platforms(loose: &mut Loose, value: &Value) -> Vec<Platform> {
    let list = loose.list(value, &["references"]);
    let read = list.iter().filter_map(|one| {
        let digest = Digest::parse(one.get("child_digest")?.as_str()?)?;
        let name = one.get("platform").map(platform_name).unwrap_or_default();
        Some(Platform {
            name: name.into(),
            digest,
            size: None,
        })
    });
    // What BuildKit attests is no platform.
    read.filter(|one| &*one.name != "unknown/unknown").collect()
}

fn platform_names(loose: &mut Loose, value: &Value, of_index: &[Platform]) -> Vec<Text> {
    if !of_index.is_empty() {
        return of_index.iter().map(|one| Text::clone(&one.name)).collect();
    }
    let _checked = loose.str(value, &["extra_attrs", "os"]);
    let own = at(value, &["extra_attrs"]).map(platform_name);
    let own = own.filter(|name| !name.is_empty());
    own.map(Text::from).into_iter().collect()
}

fn accessories(loose: &mut Loose, value: &Value) -> Vec<Accessory> {
    let list = loose.list(value, &["accessories"]).to_vec();
    list.iter().map(|one| accessory(loose, one)).collect()
}

fn accessory(loose: &mut Loose, one: &Value) -> Accessory {
    Accessory {
        kind: loose.text(one, &["type"]),
        digest: loose.text(one, &["digest"]),
        size: size(loose, one, &["size"]),
        created: time(loose, one, &["creation_time"]),
    }
}

/// Reads what accompanies an artifact.
pub fn accessory_list(value: &Value) -> Vec<Accessory> {
    let mut loose = Loose::default();
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|one| accessory(&mut loose, one)).collect()
}

/// Returns the member whose name begins with one of the report types, or the only one.
fn by_type(map: &Value) -> Option<&Value> {
    let members = map.as_object()?;
    let starting = |kind: &str| {
        let mut found = members.iter().filter(|(name, _)| name.starts_with(kind));
        found.next().map(|(_, value)| value)
    };
    starting(GENERIC)
        .or_else(|| starting(NATIVE))
        .or_else(|| members.values().next().filter(|_| members.len() == 1))
}

fn scan(loose: &mut Loose, value: &Value) -> Scan {
    let Some(overview) = at(value, &["scan_overview"]) else {
        let links = at(value, &["addition_links"]);
        let can = links.is_none_or(|links| links.get("vulnerabilities").is_some());
        return if can { Scan::Never } else { Scan::Impossible };
    };
    let Some(overview) = by_type(overview) else {
        return Scan::Never;
    };
    let status = loose.str(overview, &["scan_status"]);
    let percent = loose.count(overview, &["complete_percent"]);
    match status {
        "Pending" | "Scheduled" | "Running" => Scan::Running {
            percent: u8::try_from(percent.unwrap_or_default().min(100)).unwrap_or(100),
        },
        "Error" | "Stopped" => Scan::Failed {
            status: status.into(),
        },
        _ if at(overview, &["summary"]).is_none() => Scan::Never,
        _ => Scan::Done(summary(loose, overview)),
    }
}

fn summary(loose: &mut Loose, overview: &Value) -> VulnSummary {
    let mut counts = [0; 6];
    let by_word = at(overview, &["summary", "summary"]).and_then(Value::as_object);
    for (word, count) in by_word.into_iter().flatten() {
        let severity = Severity::from_word(word);
        let place = Severity::WORST_FIRST
            .iter()
            .position(|one| *one == severity);
        let count = count.as_u64().and_then(|count| u32::try_from(count).ok());
        if let Some(slot) = place.and_then(|place| counts.get_mut(place)) {
            *slot += count.unwrap_or_default();
        }
    }
    let mut name = |part: &str| loose.str(overview, &["scanner", part]).to_owned();
    let scanner = format!("{} {}", name("name"), name("version"));
    VulnSummary {
        report: loose.text(overview, &["report_id"]),
        severity: Severity::from_word(loose.str(overview, &["severity"])),
        total: loose
            .count(overview, &["summary", "total"])
            .unwrap_or_default(),
        fixable: loose
            .count(overview, &["summary", "fixable"])
            .unwrap_or_default(),
        counts,
        ended: time(loose, overview, &["end_time"]),
        scanner: scanner.trim().into(),
    }
}

/// Reads the history of an image's build.
pub fn history(value: &Value) -> Vec<HistoryStep> {
    let mut loose = Loose::default();
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|one| HistoryStep {
            created: time(&mut loose, one, &["created"]),
            created_by: loose.text(one, &["created_by"]),
            comment: loose.text(one, &["comment"]),
            empty: loose.flag(one, &["empty_layer"]).unwrap_or_default(),
            size: None,
        })
        .collect()
}

/// What the error body of Harbor and of registries says: the code and the message.
pub fn error_body(body: &[u8]) -> Option<(String, String)> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let first = value.get("errors")?.as_array()?.first()?;
    let text = |name: &str| {
        let text = first.get(name).and_then(Value::as_str).unwrap_or_default();
        text.to_owned()
    };
    Some((text("code"), text("message")))
}

/// Returns a repository's name in a path: encoded twice, because Harbor decodes twice.
pub fn in_path(repository: &str) -> String {
    repository.replace('%', "%25").replace('/', "%252F")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn read(value: &Value) -> ArtifactRead {
        let cluster = Cluster("demo".into());
        artifact(value, &cluster, &"r.io".into(), &"shop/app".into())
    }

    #[test]
    fn an_index_is_read_with_its_scan_and_signature() {
        let read = read(&json!({
            "digest": A, "size": 1024, "push_time": "2026-01-01T10:00:00Z",
            "pull_time": "0001-01-01T00:00:00.000Z", "manifest_media_type": "index",
            "tags": [{"name": "latest"}, {"name": "1.2.0"}, {"name": "1.10.0"}],
            "references": [
                {"child_digest": B, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
                {"child_digest": A, "platform": {"os": "unknown", "architecture": "unknown"}}],
            "accessories": [{"type": "signature.cosign", "digest": B, "size": 2}],
            "addition_links": {"vulnerabilities": {"href": "/x"}},
            "scan_overview": {"application/vnd.security.vulnerability.report; version=1.1": {
                "report_id": "r1", "scan_status": "Success", "severity": "High",
                "scanner": {"name": "Trivy", "version": "v0.60"}, "end_time": "2026-01-01T11:00:00Z",
                "summary": {"total": 4, "fixable": 2, "summary": {"High": 1, "Low": 3}}}},
        }));
        let row = read.row;
        assert_eq!(
            row.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(),
            ["1.10.0", "1.2.0", "latest"]
        );
        assert_eq!(row.pulled, None, "the zero time is never");
        assert_eq!(row.signed, Some(true));
        assert_eq!(
            row.platforms.iter().map(|one| &**one).collect::<Vec<_>>(),
            ["linux/arm64/v8"]
        );
        let summary = row.scan.summary().expect("a summary");
        assert_eq!(
            (summary.severity, summary.total, summary.fixable),
            (Severity::High, 4, 2)
        );
        assert_eq!(summary.bar(3), "H1 L3");
        assert_eq!(&*summary.scanner, "Trivy v0.60");
        assert!(row.findings.is_empty(), "{:?}", row.findings);
    }

    #[test]
    fn what_was_not_scanned_is_told_apart() {
        let never = read(&json!({"digest": A, "addition_links": {"vulnerabilities": {}}}));
        assert_eq!(never.row.scan, Scan::Never);
        assert_eq!(never.row.signed, Some(false), "none are left out");
        let chart = read(&json!({"digest": A, "addition_links": {"readme.md": {}}}));
        assert_eq!(chart.row.scan, Scan::Impossible);
        let overview = |status: &str| {
            json!({"digest": A, "scan_overview": {"any; version=1.0": {
                "scan_status": status, "complete_percent": 40}}})
        };
        assert_eq!(
            read(&overview("Running")).row.scan,
            Scan::Running { percent: 40 }
        );
        assert_eq!(
            read(&overview("Error")).row.scan,
            Scan::Failed {
                status: "Error".into()
            }
        );
        assert_eq!(read(&overview("Success")).row.scan, Scan::Never);
    }

    #[test]
    fn a_wrong_field_is_a_finding_and_the_row_stays() {
        let read = read(
            &json!({"digest": 7, "size": "big", "tags": {}, "push_time": "soon",
            "references": null, "labels": [{"name": "prod"}, 3]}),
        );
        assert_eq!(read.row.digest, None);
        assert_eq!(read.row.findings.len(), 5, "{:?}", read.row.findings);
        assert_eq!(&*read.row.labels[0].0, "prod");
    }

    #[test]
    fn names_are_encoded_twice() {
        assert_eq!(in_path("a/b/c"), "a%252Fb%252Fc");
        let body = br#"{"errors":[{"code":"CONFLICT","message":"tag prod exists"}]}"#;
        let (code, message) = error_body(body).expect("an error");
        assert_eq!((&*code, &*message), ("CONFLICT", "tag prod exists"));
        assert_eq!(error_body(b"<html>"), None);
    }
}
