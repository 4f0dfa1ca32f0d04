//! One artifact in full: platforms, layers, labels, what accompanies it, and its report.

use super::reference::Digest;
use super::rows::ArtifactRow;
use super::scan::Report;
use crate::domain::finding::Finding;
use crate::domain::object::Text;
use chrono::{DateTime, Utc};

/// One step of an image's history; every step that is not empty made a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryStep {
    pub created: Option<DateTime<Utc>>,
    pub created_by: Text,
    pub comment: Text,
    /// It changed the configuration only.
    pub empty: bool,
    /// In bytes, compressed; known when the manifest was read.
    pub size: Option<u64>,
}

/// What accompanies an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accessory {
    /// Such as `signature.cosign`, `sbom.harbor`.
    pub kind: Text,
    pub digest: Text,
    pub size: Option<u64>,
    pub created: Option<DateTime<Utc>>,
}

impl Accessory {
    /// Returns whether it is a signature.
    pub fn is_signature(&self) -> bool {
        self.kind.starts_with("signature.")
    }

    /// Returns whether it is a list of what is inside.
    pub fn is_sbom(&self) -> bool {
        self.kind.starts_with("sbom.")
    }
}

/// One platform of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Such as `linux/arm64/v8`.
    pub name: Text,
    pub digest: Digest,
    pub size: Option<u64>,
}

/// What is known of the vulnerabilities.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum ReportState {
    /// It is on its way.
    #[default]
    Loading,
    /// There is none, because.
    Absent(Text),
    Ready(Box<Report>),
}

impl ReportState {
    /// Returns the report, when there is one.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Ready(report) => Some(report),
            Self::Loading | Self::Absent(_) => None,
        }
    }
}

/// One artifact in full.
#[derive(Clone, Debug, PartialEq)]
pub struct ArtifactDetail {
    pub row: ArtifactRow,
    pub media_type: Text,
    pub platforms: Vec<Platform>,
    pub history: Vec<HistoryStep>,
    /// Of the image's configuration: `org.opencontainers.image.revision` and others, sorted.
    pub labels: Vec<(Text, Text)>,
    pub accessories: Vec<Accessory>,
    /// `None` as long as nobody has asked for one to be made.
    pub sbom: Option<Text>,
    pub report: ReportState,
    /// CVEs (id, package) that the newest artifact no longer has, with the tag of that artifact.
    pub mended: Option<(Text, Vec<(Text, Text)>)>,
    /// The repository's other artifacts, the newest first; the first page of them.
    pub siblings: Vec<ArtifactRow>,
    /// Of how many there are in all; `None` when the registry does not count.
    pub of_siblings: Option<u64>,
    pub findings: Vec<Finding>,
}

impl ArtifactDetail {
    /// Makes a detail of which only the row is known.
    pub fn of(row: ArtifactRow) -> Self {
        Self {
            row,
            media_type: "".into(),
            platforms: Vec::new(),
            history: Vec::new(),
            labels: Vec::new(),
            accessories: Vec::new(),
            sbom: None,
            report: ReportState::Loading,
            mended: None,
            siblings: Vec::new(),
            of_siblings: None,
            findings: Vec::new(),
        }
    }

    /// Returns a label of the image's configuration.
    pub fn label(&self, name: &str) -> Option<&Text> {
        let mut labels = self.labels.iter();
        labels
            .find(|(known, _)| &**known == name)
            .map(|(_, value)| value)
    }

    /// Returns the commit that it was built from.
    pub fn revision(&self) -> Option<&Text> {
        self.label("org.opencontainers.image.revision")
    }
}
