//! A vulnerability report, which may be several megabytes: read without keeping what no screen shows.
//!
//! Descriptions are cut and only the worst are kept; a report that is too long says so.

use crate::api::field::{Field, Str};
use crate::domain::image::{Report, Severity, Vulnerability};
use crate::domain::object::Text;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// How many are kept of one report.
const KEPT: usize = 2_000;
/// How many letters of a description are kept.
const DESCRIBED: usize = 400;

/// Why a report cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportProblem {
    /// The image was never scanned, or the scan left nothing.
    #[error("there is no report; ask for a scan")]
    None,
    /// It is not what the API promises.
    #[error("the report cannot be read: {0}")]
    Unreadable(String),
}

#[derive(Deserialize)]
struct ReportWire<'a> {
    #[serde(borrow, default)]
    generated_at: Field<Str<'a>>,
    #[serde(borrow, default)]
    scanner: Option<&'a RawValue>,
    #[serde(borrow, default)]
    vulnerabilities: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct ScannerWire<'a> {
    #[serde(borrow, default)]
    name: Field<Str<'a>>,
    #[serde(borrow, default)]
    version: Field<Str<'a>>,
}

#[derive(Deserialize)]
struct VulnerabilityWire<'a> {
    #[serde(borrow, default)]
    id: Field<Str<'a>>,
    #[serde(borrow, default)]
    package: Field<Str<'a>>,
    #[serde(borrow, default)]
    version: Field<Str<'a>>,
    #[serde(borrow, default)]
    fix_version: Field<Str<'a>>,
    #[serde(borrow, default)]
    severity: Field<Str<'a>>,
    #[serde(borrow, default)]
    description: Field<Str<'a>>,
    #[serde(borrow, default)]
    links: Field<Vec<Field<Str<'a>>>>,
    #[serde(borrow, default)]
    preferred_cvss: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ScoreWire {
    #[serde(default)]
    score_v3: Option<f32>,
}

/// Reads the body of `additions/vulnerabilities`.
///
/// # Errors
/// Says that there is no report, or that it is none.
pub fn report(body: &[u8]) -> Result<Report, ReportProblem> {
    let by_type: BTreeMap<Str<'_>, &RawValue> = serde_json::from_slice(body)
        .map_err(|error| ReportProblem::Unreadable(error.to_string()))?;
    let generic = by_type
        .iter()
        .find(|(name, _)| name.starts_with(super::GENERIC));
    let any = generic
        .or_else(|| {
            by_type
                .iter()
                .find(|(name, _)| name.starts_with(super::NATIVE))
        })
        .or_else(|| by_type.iter().next());
    let Some((_, raw)) = any else {
        return Err(ReportProblem::None);
    };
    let wire: ReportWire<'_> = serde_json::from_str(raw.get())
        .map_err(|error| ReportProblem::Unreadable(error.to_string()))?;
    let scanner = wire
        .scanner
        .and_then(|raw| serde_json::from_str::<ScannerWire<'_>>(raw.get()).ok())
        .map(|one| {
            let part = |field: Field<Str<'_>>| field.value().unwrap_or_default().into_owned();
            format!("{} {}", part(one.name), part(one.version))
        });
    let generated = wire
        .generated_at
        .value()
        .and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
    let mut vulnerabilities: Vec<Vulnerability> = wire
        .vulnerabilities
        .unwrap_or_default()
        .into_iter()
        .filter_map(|raw| vulnerability(raw.get()))
        .collect();
    vulnerabilities.sort_by(Vulnerability::worst_first);
    let cut = vulnerabilities.len() > KEPT;
    vulnerabilities.truncate(KEPT);
    Ok(Report {
        generated: generated.map(|at| at.with_timezone(&Utc)),
        scanner: scanner.unwrap_or_default().trim().into(),
        vulnerabilities,
        cut,
    })
}

fn vulnerability(json: &str) -> Option<Vulnerability> {
    let wire: VulnerabilityWire<'_> = serde_json::from_str(json).ok()?;
    let text = |field: Field<Str<'_>>| Text::from(&*field.value().unwrap_or_default());
    let score = wire
        .preferred_cvss
        .and_then(|raw| serde_json::from_str::<ScoreWire>(raw.get()).ok());
    let links = wire.links.value().unwrap_or_default();
    let description = wire.description.value().unwrap_or_default();
    let short: String = description.chars().take(DESCRIBED).collect();
    Some(Vulnerability {
        id: text(wire.id),
        severity: Severity::from_word(&wire.severity.value().unwrap_or_default()),
        package: text(wire.package),
        version: text(wire.version),
        fix: text(wire.fix_version),
        score: score.and_then(|one| one.score_v3),
        description: short.into(),
        links: links.into_iter().map(text).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_read_the_worst_first() {
        let body = json!({"application/vnd.security.vulnerability.report; version=1.1": {
            "generated_at": "2026-01-01T10:00:00Z", "scanner": {"name": "Trivy", "version": "v1"},
            "severity": "Critical", "vulnerabilities": [
                {"id": "CVE-1", "package": "zlib", "version": "1.2", "severity": "Low"},
                {"id": "CVE-2", "package": "openssl", "version": "3.0", "fix_version": "3.1",
                 "severity": "Critical", "links": ["https://x"], "preferred_cvss": {"score_v3": 9.8},
                 "description": "bad \"thing\""},
                "not an object", {"id": 7, "severity": "High"}]}});

        let read = report(body.to_string().as_bytes()).expect("a report");

        let ids: Vec<&str> = read.vulnerabilities.iter().map(|one| &*one.id).collect();
        assert_eq!(ids, ["CVE-2", "", "CVE-1"]);
        assert_eq!(read.vulnerabilities[0].score, Some(9.8));
        assert_eq!(&*read.vulnerabilities[0].description, "bad \"thing\"");
        assert_eq!(&*read.scanner, "Trivy v1");
        assert!(!read.cut);
    }

    #[test]
    fn no_report_and_nonsense_are_told_apart() {
        assert_eq!(report(b"{}"), Err(ReportProblem::None));
        assert!(matches!(
            report(b"<html>"),
            Err(ReportProblem::Unreadable(_))
        ));
        let empty = report(br#"{"any":{"vulnerabilities":null}}"#).expect("a report");
        assert!(empty.vulnerabilities.is_empty());
    }

    #[test]
    fn megabytes_are_read_and_cut() {
        let one = json!({"id": "CVE-2026-0001", "package": "p", "version": "1", "severity": "High",
            "description": "long ".repeat(400)});
        let many: Vec<_> = std::iter::repeat_n(one, 3_000).collect();
        let body = json!({"x": {"vulnerabilities": many}}).to_string();
        assert!(body.len() > 5_000_000);

        let read = report(body.as_bytes()).expect("a report");

        assert!(read.cut);
        assert_eq!(read.vulnerabilities.len(), KEPT);
        assert_eq!(read.vulnerabilities[0].description.len(), DESCRIBED);
    }
}
