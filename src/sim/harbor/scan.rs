//! Scans: what is installed in an image, held against the vulnerabilities that are known.
//!
//! Reports are in the two forms of the scanner adapter API (`goharbor/pluggable-scanner-spec`).

use super::call::time;
use super::model::Status;
use super::shape::CveShape;
use crate::sim::registry::image::Package;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The generic form, with CVSS, and Harbor's own.
pub(super) const GENERIC: &str = "application/vnd.security.vulnerability.report; version=1.1";
pub(super) const NATIVE: &str =
    "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0";

pub(super) const SCANNER_ID: &str = "6b2d1f2e-9c1a-4b7e-8f55-3a0c6d1f7b10";

/// Who scans.
pub(super) fn scanner() -> Value {
    json!({"name": "Trivy", "vendor": "Aqua Security", "version": "v0.68.1"})
}

/// How bad a finding is, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    None,
    Unknown,
    Negligible,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// The severities that summaries count.
    pub(super) const COUNTED: [Self; 6] = [
        Self::Critical,
        Self::High,
        Self::Medium,
        Self::Low,
        Self::Negligible,
        Self::Unknown,
    ];

    pub(super) fn read(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" => Self::High,
            "medium" => Self::Medium,
            "low" => Self::Low,
            "negligible" => Self::Negligible,
            "none" => Self::None,
            _ => Self::Unknown,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Unknown => "Unknown",
            Self::Negligible => "Negligible",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }
}

/// A vulnerability in a package of an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) cve: CveShape,
    severity: Severity,
    /// What is installed.
    pub(super) version: String,
}

impl Finding {
    pub(super) fn severity(&self) -> Severity {
        self.severity
    }

    pub(super) fn fix(&self) -> &str {
        self.cve.fix_version.as_deref().unwrap_or_default()
    }

    fn is_fixable(&self) -> bool {
        !self.fix().is_empty()
    }

    pub(super) fn links(&self) -> Vec<String> {
        if self.cve.links.is_empty() {
            let address = "https://avd.aquasec.com/nvd/";
            return vec![format!("{address}{}", self.cve.id.to_lowercase())];
        }
        self.cve.links.clone()
    }

    /// `digests` are the images that have it.
    fn json(&self, digests: &[String]) -> Value {
        let cve = &self.cve;
        json!({
            "id": cve.id,
            "package": cve.package,
            "version": self.version,
            "fix_version": self.fix(),
            "severity": self.severity().word(),
            "status": if self.is_fixable() { "fixed" } else { "affected" },
            "description": cve.description,
            "links": self.links(),
            "artifact_digests": digests,
            "preferred_cvss": {
                "score_v3": cve.score,
                "score_v2": null,
                "vector_v3": cve.vector,
                "vector_v2": "",
            },
            "cwe_ids": cve.cwe,
            "vendor_attributes": {"CVSS": {"nvd": {"V3Score": cve.score, "V3Vector": cve.vector}}},
        })
    }
}

/// Returns what is wrong with installed packages, the worst first.
pub(super) fn findings(packages: &[Package], known: &[CveShape]) -> Vec<Finding> {
    let mut found: Vec<Finding> = known
        .iter()
        .flat_map(|cve| {
            let has = packages.iter().filter(|package| is_hit(package, cve));
            has.map(|package| Finding {
                cve: cve.clone(),
                severity: Severity::read(&cve.severity),
                version: package.version.clone(),
            })
        })
        .collect();
    found.sort_by(|a, b| {
        let by_severity = b.severity().cmp(&a.severity());
        by_severity.then_with(|| a.cve.id.cmp(&b.cve.id))
    });
    found
}

fn is_hit(package: &Package, cve: &CveShape) -> bool {
    let fixed = cve.fix_version.as_deref();
    package.name == cve.package
        && fixed.is_none_or(|fixed| compare_versions(&package.version, fixed) == Ordering::Less)
}

/// Compares versions number by number, as Alpine's package manager does for plain ones.
fn compare_versions(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(u64, String)> {
        let pieces = text.split(['.', '-', '_']);
        pieces
            .map(|piece| {
                let digits: String = piece.chars().filter(char::is_ascii_digit).collect();
                let letters = piece.chars().filter(|c| !c.is_ascii_digit()).collect();
                (digits.parse().unwrap_or(0), letters)
            })
            .collect()
    };
    parts(one).cmp(&parts(other))
}

/// What is done to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ScanKind {
    Vulnerabilities,
    Sbom,
}

impl ScanKind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Vulnerabilities => "vulnerability",
            Self::Sbom => "sbom",
        }
    }
}

/// The newest scan of an image.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub(super) report_id: String,
    pub(super) status: Status,
    pub(super) start: DateTime<Utc>,
    pub(super) end: Option<DateTime<Utc>>,
    /// When something happens to it next.
    pub(super) due: DateTime<Utc>,
    pub(super) by: String,
    /// Of vulnerabilities; images with the same packages share them.
    pub(super) findings: Arc<[Finding]>,
    /// Of contents: the digest of the list.
    pub(super) sbom: String,
    /// The whole database was gone through.
    pub(super) scan_all: Option<i64>,
}

impl Scan {
    pub(super) fn severity(&self) -> Severity {
        let severities = self.findings.iter().map(Finding::severity);
        severities.max().unwrap_or(Severity::None)
    }

    fn seconds(&self) -> i64 {
        self.end.map_or(0, |end| (end - self.start).num_seconds())
    }

    /// Writes the scan of a list of contents.
    pub(super) fn sbom_overview(&self) -> Value {
        let mut overview = json!({
            "report_id": self.report_id,
            "scan_status": self.status.word(),
            "start_time": time(self.start),
            "duration": self.seconds(),
            "scanner": scanner(),
        });
        if let Some(end) = self.end {
            overview["end_time"] = time(end);
        }
        if !self.sbom.is_empty() {
            overview["sbom_digest"] = json!(self.sbom);
        }
        overview
    }

    pub(super) fn log(&self) -> String {
        let stamp = self.start.format("%Y-%m-%dT%H:%M:%SZ");
        let mut lines = vec![
            format!(
                "{stamp} [INFO] [/pkg/scan/job.go]: Scan job started, report {}",
                self.report_id
            ),
            format!("{stamp} [INFO] [/pkg/scan/job.go]: scanner Trivy v0.68.1"),
        ];
        if let Some(end) = self.end {
            let stamp = end.format("%Y-%m-%dT%H:%M:%SZ");
            lines.push(match self.status {
                Status::Stopped => format!("{stamp} [INFO] [/pkg/scan/job.go]: stopped on request"),
                Status::Error => format!("{stamp} [ERROR] [/pkg/scan/job.go]: the scan failed"),
                Status::Pending | Status::Running | Status::Success => format!(
                    "{stamp} [INFO] [/pkg/scan/job.go]: {} findings, worst {}",
                    self.findings.len(),
                    self.severity().word()
                ),
            });
        }
        lines.join("\n") + "\n"
    }
}

/// Merges the scans of an index's platforms, or tells the one of an image.
pub(super) fn overview(scans: &[&Scan], asked: usize) -> Option<Value> {
    let first = scans.first()?;
    let done = scans.iter().filter(|scan| scan.status.is_final()).count();
    let status = merged_status(scans);
    let start = scans
        .iter()
        .map(|scan| scan.start)
        .min()
        .unwrap_or(first.start);
    let end = scans.iter().filter_map(|scan| scan.end).max();
    let severity = scans.iter().map(|scan| scan.severity()).max();
    let mut value = json!({
        "report_id": first.report_id,
        "scan_status": status.word(),
        "severity": severity.unwrap_or(Severity::Unknown).word(),
        "duration": end.map_or(0, |end| (end - start).num_seconds()),
        "start_time": time(start),
        "complete_percent": done * 100 / asked.max(1),
        "scanner": scanner(),
    });
    if let Some(end) = end.filter(|_| status.is_final()) {
        value["end_time"] = time(end);
    }
    if status == Status::Success {
        value["summary"] = summary(&merged(scans));
    }
    Some(value)
}

fn merged_status(scans: &[&Scan]) -> Status {
    let has = |status: Status| scans.iter().any(|scan| scan.status == status);
    let order = [
        Status::Running,
        Status::Pending,
        Status::Success,
        Status::Error,
    ];
    let found = order.into_iter().find(|status| has(*status));
    found.unwrap_or(Status::Stopped)
}

/// Counts each finding once, whichever platforms have it.
fn merged<'s>(scans: &[&'s Scan]) -> Vec<&'s Finding> {
    let mut seen = BTreeMap::new();
    for finding in scans.iter().flat_map(|scan| scan.findings.iter()) {
        let key = (&finding.cve.id, &finding.cve.package, &finding.version);
        seen.entry(key).or_insert(finding);
    }
    seen.into_values().collect()
}

fn summary(findings: &[&Finding]) -> Value {
    let mut counts = Map::new();
    for severity in Severity::COUNTED {
        let count = findings
            .iter()
            .filter(|one| one.severity() == severity)
            .count();
        if count > 0 {
            counts.insert(severity.word().to_owned(), json!(count));
        }
    }
    let fixable = findings.iter().filter(|one| one.is_fixable()).count();
    json!({"total": findings.len(), "fixable": fixable, "summary": counts})
}

/// Writes the report of an image's scans, with the digests they are of.
pub(super) fn report(scans: &[(&str, &Scan)]) -> Option<Value> {
    let done: Vec<_> = scans
        .iter()
        .filter(|(_, scan)| scan.status == Status::Success)
        .collect();
    let generated = done.iter().filter_map(|(_, scan)| scan.end).max()?;
    let all: Vec<&Scan> = done.iter().map(|(_, scan)| *scan).collect();
    let mut found = merged(&all);
    found.sort_by(|a, b| {
        b.severity()
            .cmp(&a.severity())
            .then_with(|| a.cve.id.cmp(&b.cve.id))
    });
    let vulnerabilities: Vec<Value> = found
        .iter()
        .map(|finding| {
            let having = done
                .iter()
                .filter(|(_, scan)| scan.findings.contains(finding));
            let digests: Vec<String> = having.map(|(digest, _)| (*digest).to_owned()).collect();
            finding.json(&digests)
        })
        .collect();
    let severity = all.iter().map(|scan| scan.severity()).max();
    Some(json!({
        "generated_at": time(generated),
        "scanner": scanner(),
        "severity": severity.unwrap_or(Severity::None).word(),
        "vulnerabilities": vulnerabilities,
    }))
}

/// Returns the first form that a client accepts and there is (`X-Accept-Vulnerabilities`).
pub(super) fn form(accepted: Option<&str>) -> &'static str {
    let Some(accepted) = accepted else {
        return GENERIC;
    };
    let squeezed = |text: &str| text.replace(' ', "");
    let mut wanted = accepted.split(',').map(squeezed);
    let known = [GENERIC, NATIVE];
    wanted
        .find_map(|one| known.into_iter().find(|form| squeezed(form) == one))
        .unwrap_or(NATIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cve(id: &str, severity: &str, fix: Option<&str>) -> CveShape {
        CveShape {
            id: id.to_owned(),
            severity: severity.to_owned(),
            package: "openssl".to_owned(),
            fix_version: fix.map(str::to_owned),
            ..CveShape::default()
        }
    }

    fn package(version: &str) -> Package {
        Package {
            name: "openssl".to_owned(),
            version: version.to_owned(),
        }
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(compare_versions("3.0.9", "3.0.11"), Ordering::Less);
        assert_eq!(compare_versions("3.0.11-r2", "3.0.11-r10"), Ordering::Less);
        assert_eq!(compare_versions("3.1", "3.0.11"), Ordering::Greater);
        assert_eq!(compare_versions("1.2.13-r1", "1.2.13-r1"), Ordering::Equal);
    }

    #[test]
    fn only_older_versions_have_what_was_fixed() {
        let known = [
            cve("CVE-1", "low", Some("3.0.11")),
            cve("CVE-2", "critical", Some("3.0.12")),
            cve("CVE-3", "high", None),
        ];

        let found = findings(&[package("3.0.11")], &known);

        let ids: Vec<&str> = found.iter().map(|one| one.cve.id.as_str()).collect();
        assert_eq!(ids, ["CVE-2", "CVE-3"]);
    }

    #[test]
    fn the_first_accepted_form_is_given() {
        assert_eq!(form(None), GENERIC);
        assert_eq!(form(Some(&format!("text/x, {NATIVE}, {GENERIC}"))), NATIVE);
        let squeezed = GENERIC.replace(' ', "");
        assert_eq!(form(Some(&squeezed)), GENERIC);
        assert_eq!(form(Some("application/json")), NATIVE);
    }

    #[test]
    fn platforms_are_merged() {
        let at = DateTime::UNIX_EPOCH;
        let scan = |status, ids: &[&str]| Scan {
            report_id: "r".to_owned(),
            status,
            start: at,
            end: Some(at),
            due: at,
            by: String::new(),
            findings: findings(
                &[package("1")],
                &ids.iter()
                    .map(|id| cve(id, "high", Some("2")))
                    .collect::<Vec<_>>(),
            )
            .into(),
            sbom: String::new(),
            scan_all: None,
        };
        let (one, other) = (
            scan(Status::Success, &["CVE-1"]),
            scan(Status::Success, &["CVE-1", "CVE-2"]),
        );

        let both = overview(&[&one, &other], 2).expect("an overview");
        assert_eq!(both["summary"]["total"], 2);
        assert_eq!(both["summary"]["fixable"], 2);
        assert_eq!(both["complete_percent"], 100);
        let running = scan(Status::Running, &[]);
        let half = overview(&[&one, &running], 2).expect("an overview");
        assert_eq!(
            (
                half["scan_status"].as_str(),
                half["complete_percent"].as_i64()
            ),
            (Some("Running"), Some(50))
        );
        assert!(half.get("summary").is_none());
        let report = report(&[("a", &one), ("b", &other)]).expect("a report");
        assert_eq!(
            report["vulnerabilities"][0]["artifact_digests"],
            json!(["a", "b"])
        );
    }
}
