//! Container images: what registries have, what runs, and how the two stand to each other.
//!
//! Identity is content: an image is known by its digest, tags are only names that may move.

mod detail;
mod matching;
mod plan;
mod reference;
mod rows;
mod scan;
pub mod tag;
mod verb;
mod why;

pub use detail::{Accessory, ArtifactDetail, HistoryStep, Platform, ReportState};
pub use matching::{
    Artifact, ImageState, Running, Shelf, Standing, content_states, judge, loudest,
};
pub use plan::{ChangedLine, CommitPlan, FileChange, ImagePlan, NoCommit, short_commit};
pub use reference::{DOCKER_HUB, Digest, ImageId, Reference, is_tag};
pub use rows::{
    Affected, ArtifactRow, Component, CveRow, Flavour, IMAGES_GROUP, Permission, Place, ProjectRow,
    RegistryHealth, RegistryRow, RobotRow, cves_kind, has_images, image_object, image_of,
    images_kind, is_of_registries, projects_kind, registries_kind, registry_object,
    repository_kind, repository_of, robots_kind,
};
pub use scan::{Report, Scan, Severity, VulnSummary, Vulnerability};
pub use verb::{ImageVerb, RobotWish};
pub use why::why_image;

use std::fmt::Write as _;

/// Writes a number of bytes as people read it: `12.3 MiB`.
pub fn bytes_text(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1_024.0;
    let mut unit = 0;
    while value >= 1_023.95 && unit + 1 < units.len() {
        value /= 1_024.0;
        unit += 1;
    }
    let mut text = String::new();
    let digits = usize::from(value < 99.95);
    // Writing into a String cannot be refused.
    let _written = write!(text, "{value:.digits$} {}", units[unit]).is_ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_by_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (12_900_000, "12.3 MiB"),
            (134_217_728, "128 MiB"),
            (1_073_741_824, "1.0 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(bytes_text(bytes), text);
        }
    }
}
