//! What a scenario declares of projects, artifacts, robots and vulnerabilities.

use serde::Deserialize;
use std::collections::BTreeMap;

/// `[[project]]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProjectShape {
    pub name: String,
    /// Everybody may read it.
    pub public: bool,
    /// Bytes that its artifacts may take; none: without limit.
    pub quota: Option<u64>,
    /// What is pushed is scanned.
    pub auto_scan: bool,
    pub auto_sbom: bool,
    /// Images with findings of this severity (`low` to `critical`) are not given out.
    pub prevent_vulnerable: Option<String>,
    /// Tags of any repository that cannot be moved; `*` stands for anything.
    pub immutable: Vec<String>,
    /// How many tags the retention rule keeps.
    pub keep: Option<u32>,
}

/// `[[robot]]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RobotShape {
    /// Without prefix: `ci`.
    pub name: String,
    pub description: String,
    /// Its project; none: a robot of the system.
    pub project: Option<String>,
    /// Days from its making to its end; none: it never ends.
    pub days: Option<i64>,
    /// Days since it was made.
    pub age_days: i64,
    pub disabled: bool,
    /// What it may do in its projects: `repository:push`.
    pub may: Vec<String>,
    /// The projects of a robot of the system; none: all.
    pub projects: Vec<String>,
    /// What a robot of the system may do beyond projects: `catalog:read`.
    pub system: Vec<String>,
}

/// `[[artifact]]`: how an image of the list `images` is made.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ArtifactShape {
    /// The images it is about; `*` stands for anything. The first that fits counts.
    pub image: String,
    /// Since the push, such as `3d`.
    pub age: Option<String>,
    pub platforms: Vec<String>,
    /// The git repository whose commits it is built from.
    pub source: Option<String>,
    /// The commit; without it the one that `source` tags with the image's tag.
    pub revision: Option<String>,
    /// What is installed: `openssl 3.0.11-r2`.
    pub packages: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub signed: bool,
    pub sbom: bool,
    pub scanned: Option<bool>,
    /// Further tags of the same artifact.
    pub also: Vec<String>,
    pub pulls: u64,
    /// Megabytes that it claims to be.
    pub megabytes: Option<u64>,
}

/// `[[cve]]`: a vulnerability that scans know of.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CveShape {
    /// `CVE-2025-1234`
    pub id: String,
    /// `critical`, `high`, `medium`, `low`, `negligible`, `unknown`.
    pub severity: String,
    pub package: String,
    /// Where it is fixed: older versions have it. None: every version has it.
    pub fix_version: Option<String>,
    pub score: f64,
    pub vector: String,
    pub description: String,
    pub links: Vec<String>,
    /// `CWE-79`
    pub cwe: Vec<String>,
}

/// Everything a scenario declares about its registry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegistryShape {
    pub projects: Vec<ProjectShape>,
    pub robots: Vec<RobotShape>,
    pub artifacts: Vec<ArtifactShape>,
    pub cves: Vec<CveShape>,
}

/// What happens to a registry by itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum RegistryFault {
    /// A robot's time is over: its full name.
    ExpireRobot(String),
    /// A robot is switched off.
    DisableRobot(String),
    /// A tag points to another artifact.
    MoveTag {
        /// `registry.tiphys.local/shop/demo-app:2.4.1`
        image: String,
        /// What it is built from now; none: the same sources, built again.
        #[serde(default)]
        packages: Vec<String>,
    },
    /// The scanner's database learns of a vulnerability, and everything is scanned again.
    NewCve(CveShape),
}

impl CveShape {
    /// Returns what is wrong with it.
    pub fn mistake(&self) -> Option<&'static str> {
        let known = ["critical", "high", "medium", "low", "negligible", "unknown"];
        if !self.id.contains('-') {
            return Some("the `id` of a vulnerability is such as CVE-2025-1234");
        }
        if !known.contains(&self.severity.as_str()) {
            return Some("`severity` is critical, high, medium, low, negligible or unknown");
        }
        if self.package.is_empty() {
            return Some("a vulnerability is in a `package`");
        }
        (!(0.0..=10.0).contains(&self.score)).then_some("`score` is from 0 to 10")
    }
}

impl RobotShape {
    /// Returns what is wrong with it.
    pub fn mistake(&self) -> Option<&'static str> {
        if self.name.is_empty() || self.name.contains('$') {
            return Some("the `name` of a robot is without its prefix, such as ci");
        }
        let all = self.may.iter().chain(&self.system);
        all.clone()
            .any(|one| !one.contains(':'))
            .then_some("a permission is such as repository:pull")
    }
}

impl ProjectShape {
    /// Returns what is wrong with it.
    pub fn mistake(&self) -> Option<&'static str> {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        (self.name.is_empty() || !self.name.chars().all(is_word))
            .then_some("the `name` of a project has small letters, digits and `._-`")
    }
}

impl ArtifactShape {
    /// Returns what is wrong with it.
    pub fn mistake(&self) -> Option<&'static str> {
        if self.image.is_empty() {
            return Some("an artifact says by `image` which it is");
        }
        if self.packages.iter().any(|one| !one.contains(' ')) {
            return Some("a package is a name and a version: openssl 3.0.11-r2");
        }
        self.platforms
            .iter()
            .any(|one| !one.contains('/'))
            .then_some("a platform is such as linux/amd64")
    }
}
