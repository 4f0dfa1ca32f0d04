//! What a scanner found in an image, and whether it has looked at all.

use crate::domain::object::Text;
use chrono::{DateTime, Utc};

/// How bad a vulnerability is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Severity {
    /// The scanner does not say.
    #[default]
    Unknown,
    Negligible,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// All of them, the worst first.
    pub const WORST_FIRST: [Self; 6] = [
        Self::Critical,
        Self::High,
        Self::Medium,
        Self::Low,
        Self::Negligible,
        Self::Unknown,
    ];

    /// Returns the word scanners use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Negligible => "Negligible",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }

    /// Returns the letter of a severity bar.
    pub fn letter(self) -> char {
        match self {
            Self::Unknown => '?',
            Self::Negligible => 'N',
            Self::Low => 'L',
            Self::Medium => 'M',
            Self::High => 'H',
            Self::Critical => 'C',
        }
    }

    /// Reads a scanner's word. `None` is what Harbor says of a clean image; a word that is not
    /// known ranks highest, as in Harbor (`pkg/scan/vuln/severity.go`).
    pub fn from_word(word: &str) -> Self {
        match word {
            "" | "None" | "Unknown" => Self::Unknown,
            "Negligible" => Self::Negligible,
            "Low" => Self::Low,
            "Medium" => Self::Medium,
            "High" => Self::High,
            _ => Self::Critical,
        }
    }
}

/// The sums of a finished scan.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct VulnSummary {
    /// Changes with every scan; what was read of a report stays true as long as it does not.
    pub report: Text,
    /// Of the worst.
    pub severity: Severity,
    pub total: u32,
    /// There is a version without it.
    pub fixable: u32,
    /// By severity, as in [`Severity::WORST_FIRST`].
    pub counts: [u32; 6],
    pub ended: Option<DateTime<Utc>>,
    /// Name and version.
    pub scanner: Text,
}

impl VulnSummary {
    /// Returns how many have a severity.
    pub fn count(&self, severity: Severity) -> u32 {
        let place = Severity::WORST_FIRST
            .iter()
            .position(|one| *one == severity);
        place
            .and_then(|place| self.counts.get(place))
            .copied()
            .unwrap_or_default()
    }

    /// Returns the worst severities that occur, such as `C2 H5 M1`; at most `parts` of them.
    pub fn bar(&self, parts: usize) -> String {
        let found = Severity::WORST_FIRST.iter().zip(self.counts);
        let found = found.filter(|(_, count)| *count > 0);
        let words: Vec<String> = found
            .take(parts)
            .map(|(severity, count)| format!("{}{count}", severity.letter()))
            .collect();
        if words.is_empty() && self.total == 0 {
            String::from("clean")
        } else if words.is_empty() {
            self.total.to_string()
        } else {
            words.join(" ")
        }
    }
}

/// How far the scan of an image is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Scan {
    /// The registry scans nothing, or was not asked.
    #[default]
    Untold,
    /// There is no scanner for such an artifact.
    Impossible,
    /// Nobody has asked for one.
    Never,
    /// It is queued or runs; so many per cent are done.
    Running {
        percent: u8,
    },
    /// It ended without a report.
    Failed {
        status: Text,
    },
    Done(VulnSummary),
}

impl Scan {
    /// Returns the sums, when there are any.
    pub fn summary(&self) -> Option<&VulnSummary> {
        match self {
            Self::Done(summary) => Some(summary),
            Self::Untold
            | Self::Impossible
            | Self::Never
            | Self::Running { .. }
            | Self::Failed { .. } => None,
        }
    }

    /// Returns a short text: `C2 H5`, `clean`, `scanning 40%`, `not scanned`.
    pub fn text(&self) -> String {
        match self {
            Self::Untold => String::new(),
            Self::Impossible => String::from("no scanner"),
            Self::Never => String::from("not scanned"),
            Self::Running { percent } => format!("scanning {percent}%"),
            Self::Failed { status } => format!("scan {}", status.to_lowercase()),
            Self::Done(summary) => summary.bar(3),
        }
    }

    /// Orders by how much it asks for a person: the worst severities last.
    pub fn rank(&self) -> (u8, u32, u32, u32) {
        match self {
            Self::Untold => (0, 0, 0, 0),
            Self::Impossible => (1, 0, 0, 0),
            Self::Running { .. } => (2, 0, 0, 0),
            Self::Never => (3, 0, 0, 0),
            Self::Failed { .. } => (4, 0, 0, 0),
            Self::Done(summary) if summary.total == 0 => (1, 0, 0, 0),
            Self::Done(summary) => (
                5,
                summary.count(Severity::Critical),
                summary.count(Severity::High),
                summary.count(Severity::Medium),
            ),
        }
    }
}

/// One vulnerability of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Vulnerability {
    /// Such as `CVE-2026-12345`.
    pub id: Text,
    pub severity: Severity,
    pub package: Text,
    pub version: Text,
    /// The version without it; empty when there is none.
    pub fix: Text,
    /// CVSS 3.
    pub score: Option<f32>,
    pub description: Text,
    pub links: Vec<Text>,
}

impl Vulnerability {
    /// Orders a report: the worst first, what can be fixed before what cannot.
    pub fn worst_first(&self, other: &Self) -> std::cmp::Ordering {
        let key = |one: &Self| (one.severity, !one.fix.is_empty());
        let score = |one: &Self| one.score.unwrap_or_default();
        key(other)
            .cmp(&key(self))
            .then_with(|| score(other).total_cmp(&score(self)))
            .then_with(|| self.id.cmp(&other.id))
            .then_with(|| self.package.cmp(&other.package))
    }

    /// Returns whether a lower-case text is in what people look for.
    pub fn contains(&self, text: &str) -> bool {
        [&self.id, &self.package, &self.fix, &self.version]
            .into_iter()
            .any(|field| field.to_lowercase().contains(text))
            || self.severity.word().eq_ignore_ascii_case(text)
            || (text == "fixable" && !self.fix.is_empty())
    }
}

/// A report on one image, as far as it was read.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Report {
    pub generated: Option<DateTime<Utc>>,
    pub scanner: Text,
    /// The worst first.
    pub vulnerabilities: Vec<Vulnerability>,
    /// It is longer than is read; what is here is its beginning.
    pub cut: bool,
}

impl Report {
    /// Returns those that another report does not have (by id and package): what a change of the
    /// image would mend.
    pub fn without(&self, other: &Self) -> Vec<&Vulnerability> {
        let theirs: std::collections::HashSet<(&str, &str)> = other
            .vulnerabilities
            .iter()
            .map(|one| (&*one.id, &*one.package))
            .collect();
        let own = self.vulnerabilities.iter();
        own.filter(|one| !theirs.contains(&(&*one.id, &*one.package)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vulnerability(id: &str, severity: Severity, fix: &str) -> Vulnerability {
        Vulnerability {
            id: id.into(),
            severity,
            package: "openssl".into(),
            version: "3.0.1".into(),
            fix: fix.into(),
            score: None,
            description: "".into(),
            links: Vec::new(),
        }
    }

    #[test]
    fn an_unknown_word_ranks_highest() {
        assert_eq!(Severity::from_word("None"), Severity::Unknown);
        assert_eq!(Severity::from_word("Catastrophic"), Severity::Critical);
        let mut all = Severity::WORST_FIRST;
        all.sort();
        all.reverse();
        assert_eq!(all, Severity::WORST_FIRST);
    }

    #[test]
    fn the_bar_names_what_is_worst() {
        let mut summary = VulnSummary {
            total: 9,
            counts: [2, 0, 5, 2, 0, 0],
            ..VulnSummary::default()
        };
        assert_eq!(summary.bar(2), "C2 M5");
        assert_eq!(summary.count(Severity::Medium), 5);
        summary.counts = [0; 6];
        assert_eq!(summary.bar(2), "9", "an old report knows the total only");
        summary.total = 0;
        assert_eq!(summary.bar(2), "clean");
    }

    #[test]
    fn what_can_be_fixed_comes_before_what_cannot() {
        let mut report = [
            vulnerability("CVE-3", Severity::High, ""),
            vulnerability("CVE-2", Severity::High, "3.0.2"),
            vulnerability("CVE-1", Severity::Critical, ""),
        ];
        report.sort_by(Vulnerability::worst_first);
        let ids: Vec<&str> = report.iter().map(|one| &*one.id).collect();
        assert_eq!(ids, ["CVE-1", "CVE-2", "CVE-3"]);
        assert!(report[1].contains("fixable") && report[1].contains("high"));
        assert!(!report[0].contains("fixable"));
    }

    #[test]
    fn a_newer_image_mends_what_it_does_not_have() {
        let old = Report {
            vulnerabilities: vec![
                vulnerability("CVE-1", Severity::High, "3.0.2"),
                vulnerability("CVE-2", Severity::Low, ""),
            ],
            ..Report::default()
        };
        let new = Report {
            vulnerabilities: vec![vulnerability("CVE-2", Severity::Low, "")],
            ..Report::default()
        };
        let mended = old.without(&new);
        assert_eq!(
            mended.iter().map(|one| &*one.id).collect::<Vec<_>>(),
            ["CVE-1"]
        );
        assert!(new.without(&old).is_empty());
    }

    #[test]
    fn the_worse_scan_ranks_higher() {
        let done = |counts: [u32; 6]| {
            Scan::Done(VulnSummary {
                total: counts.iter().sum(),
                counts,
                ..VulnSummary::default()
            })
        };
        assert!(done([1, 0, 0, 0, 0, 0]).rank() > done([0, 9, 0, 0, 0, 0]).rank());
        assert!(done([0, 0, 0, 1, 0, 0]).rank() > Scan::Never.rank());
        assert!(Scan::Never.rank() > done([0; 6]).rank());
    }
}
