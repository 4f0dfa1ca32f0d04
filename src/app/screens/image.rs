//! One image: where it runs, what is in it, what accompanies it, and its vulnerabilities.
//!
//! All of it is one list under headings; the cursor follows what it stands on when the list is made
//! anew. The filter narrows places, vulnerabilities and other artifacts.

use super::lists::{ListCursor, Loaded};
use crate::domain::image::{ArtifactDetail, ReportState};
use crate::domain::object::{ObjectRef, Text, Uid};
use crate::engine::protocol::Ticket;

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePart {
    Places,
    Vulnerabilities,
    Platforms,
    History,
    Labels,
    Accessories,
    Siblings,
}

impl ImagePart {
    /// Returns its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Places => "Where it runs",
            Self::Vulnerabilities => "Vulnerabilities",
            Self::Platforms => "Platforms",
            Self::History => "Layers and history",
            Self::Labels => "Labels",
            Self::Accessories => "Signatures and SBOMs",
            Self::Siblings => "Others in this repository",
        }
    }
}

/// A row of the screen: a heading, or a place in the detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageLine {
    /// With how many there are of it, filtered or not.
    Heading(ImagePart, String),
    Place(usize),
    Vulnerability(usize),
    Platform(usize),
    Step(usize),
    Label(usize),
    Accessory(usize),
    Sibling(usize),
    /// A sentence where there is nothing to list.
    Note(Text),
}

/// The screen of one image.
#[derive(Debug)]
pub struct ImageScreen {
    pub object: ObjectRef,
    pub uid: Option<Uid>,
    pub ticket: Option<Ticket>,
    /// `Ready(None)` when nobody knows it.
    pub detail: Loaded<Option<Box<ArtifactDetail>>>,
    /// Only what contains this (lower case).
    pub filter: String,
    pub cursor: ListCursor,
    lines: Vec<ImageLine>,
}

impl ImageScreen {
    /// Makes the screen before anything has arrived.
    pub fn new(object: ObjectRef, uid: Option<Uid>) -> Self {
        Self {
            object,
            uid,
            ticket: None,
            detail: Loaded::Waiting,
            filter: String::new(),
            cursor: ListCursor::default(),
            lines: Vec::new(),
        }
    }

    /// Returns the rows in order.
    pub fn lines(&self) -> &[ImageLine] {
        &self.lines
    }

    /// Returns the image when it is there.
    pub fn image(&self) -> Option<&ArtifactDetail> {
        self.detail.ready()?.as_deref()
    }

    /// Returns the row under the cursor.
    pub fn current(&self) -> Option<&ImageLine> {
        self.lines.get(self.cursor.position)
    }

    /// Returns the object that the row under the cursor stands for: a workload, or another image.
    pub fn object_of(&self, line: &ImageLine) -> Option<(ObjectRef, Option<Uid>)> {
        let detail = self.image()?;
        match line {
            ImageLine::Place(at) => {
                let place = detail.row.places.get(*at)?;
                Some((place.workload.clone(), None))
            }
            ImageLine::Sibling(at) => {
                let row = detail.siblings.get(*at)?;
                Some((row.object.clone(), Some(row.uid.clone())))
            }
            ImageLine::Heading(..)
            | ImageLine::Vulnerability(_)
            | ImageLine::Platform(_)
            | ImageLine::Step(_)
            | ImageLine::Label(_)
            | ImageLine::Accessory(_)
            | ImageLine::Note(_) => None,
        }
    }

    /// Returns what the crumb says: the repository's last part with the tag.
    pub fn crumb(&self) -> String {
        let title = self.image().map(|image| image.row.title());
        let title = title.unwrap_or_else(|| {
            let name = &self.object.name;
            let short = name.split("@sha256:").next().unwrap_or(name);
            short.to_owned()
        });
        title.rsplit('/').next().unwrap_or_default().to_owned()
    }

    pub(in crate::app) fn set_detail(
        &mut self,
        detail: Option<Box<ArtifactDetail>>,
        window: usize,
    ) {
        let first = self.image().is_none();
        let kept = (!first).then(|| self.identity()).flatten();
        self.detail = Loaded::Ready(detail);
        self.rebuild(kept.as_ref(), window);
    }

    pub(in crate::app) fn set_filter(&mut self, filter: &str, window: usize) {
        let kept = self.identity();
        self.filter = filter.to_lowercase();
        self.rebuild(kept.as_ref(), window);
    }

    /// What stays the same of the row under the cursor from one report to the next.
    fn identity(&self) -> Option<Text> {
        self.identity_of(self.current()?)
    }

    fn identity_of(&self, line: &ImageLine) -> Option<Text> {
        let detail = self.image()?;
        Some(match line {
            ImageLine::Heading(part, _) => part.title().into(),
            ImageLine::Place(at) => {
                let place = detail.row.places.get(*at)?;
                format!("{}/{}", place.pod.path(), place.container).into()
            }
            ImageLine::Vulnerability(at) => {
                let one = detail.report.report()?.vulnerabilities.get(*at)?;
                format!("{}/{}", one.id, one.package).into()
            }
            ImageLine::Sibling(at) => Text::clone(&detail.siblings.get(*at)?.object.name),
            ImageLine::Platform(at) => format!("platform {at}").into(),
            ImageLine::Step(at) => format!("step {at}").into(),
            ImageLine::Label(at) => format!("label {at}").into(),
            ImageLine::Accessory(at) => format!("accessory {at}").into(),
            ImageLine::Note(text) => Text::clone(text),
        })
    }

    fn rebuild(&mut self, kept: Option<&Text>, window: usize) {
        let lines = self
            .image()
            .map(|detail| lines_of(detail, &self.filter))
            .unwrap_or_default();
        self.lines = lines;
        let same = self
            .lines
            .iter()
            .position(|line| kept.is_some() && self.identity_of(line).as_ref() == kept);
        // The first heading is nothing to stand on.
        let position = same.unwrap_or_else(|| self.cursor.position.max(1));
        let total = self.lines.len();
        self.cursor.move_to(position, window, total);
    }
}

fn lines_of(detail: &ArtifactDetail, filter: &str) -> Vec<ImageLine> {
    let mut lines = Vec::new();
    let all = filter.is_empty();
    push_places(&mut lines, detail, filter);
    push_vulnerabilities(&mut lines, detail, filter);
    if all {
        push(
            &mut lines,
            ImagePart::Platforms,
            detail.platforms.len(),
            ImageLine::Platform,
        );
        push_accessories(&mut lines, detail);
        push(
            &mut lines,
            ImagePart::Labels,
            detail.labels.len(),
            ImageLine::Label,
        );
        push(
            &mut lines,
            ImagePart::History,
            detail.history.len(),
            ImageLine::Step,
        );
    }
    push_siblings(&mut lines, detail, filter);
    lines
}

/// A part that is empty is left out.
fn push(lines: &mut Vec<ImageLine>, part: ImagePart, count: usize, line: fn(usize) -> ImageLine) {
    if count > 0 {
        lines.push(ImageLine::Heading(part, count.to_string()));
        lines.extend((0..count).map(line));
    }
}

fn count_text(shown: usize, all: usize) -> String {
    if shown == all {
        all.to_string()
    } else {
        format!("{shown} of {all}")
    }
}

fn push_places(lines: &mut Vec<ImageLine>, detail: &ArtifactDetail, filter: &str) {
    let places = detail.row.places.iter().enumerate();
    let found: Vec<usize> = places
        .filter(|(_, place)| {
            let app = place
                .application
                .as_ref()
                .map(|app| app.name.to_lowercase());
            let words = [
                place.pod.path().to_lowercase(),
                place.workload.name.to_lowercase(),
                app.unwrap_or_default(),
            ];
            words.iter().any(|word| word.contains(filter))
        })
        .map(|(at, _)| at)
        .collect();
    let count = count_text(found.len(), detail.row.places.len());
    lines.push(ImageLine::Heading(ImagePart::Places, count));
    if detail.row.places.is_empty() {
        lines.push(ImageLine::Note("it runs nowhere in what is watched".into()));
    }
    lines.extend(found.into_iter().map(ImageLine::Place));
}

fn push_vulnerabilities(lines: &mut Vec<ImageLine>, detail: &ArtifactDetail, filter: &str) {
    let part = ImagePart::Vulnerabilities;
    let note = match &detail.report {
        ReportState::Loading => "reading the report",
        ReportState::Absent(reason) => reason,
        ReportState::Ready(report) if report.vulnerabilities.is_empty() => "none is known",
        ReportState::Ready(report) => {
            let all = report.vulnerabilities.iter().enumerate();
            let found = all.filter(|(_, one)| filter.is_empty() || one.contains(filter));
            let found: Vec<usize> = found.map(|(at, _)| at).collect();
            let count = count_text(found.len(), report.vulnerabilities.len());
            lines.push(ImageLine::Heading(part, count));
            lines.extend(found.into_iter().map(ImageLine::Vulnerability));
            return;
        }
    };
    lines.push(ImageLine::Heading(part, String::new()));
    lines.push(ImageLine::Note(note.into()));
}

fn push_accessories(lines: &mut Vec<ImageLine>, detail: &ArtifactDetail) {
    let count = detail.accessories.len();
    if count > 0 {
        push(lines, ImagePart::Accessories, count, ImageLine::Accessory);
    } else if detail.row.signed == Some(false) {
        lines.push(ImageLine::Heading(ImagePart::Accessories, String::new()));
        lines.push(ImageLine::Note("it is not signed, and has no SBOM".into()));
    }
}

fn push_siblings(lines: &mut Vec<ImageLine>, detail: &ArtifactDetail, filter: &str) {
    let rows = detail.siblings.iter().enumerate();
    let found: Vec<usize> = rows
        .filter(|(_, row)| {
            let tags = row
                .tags
                .iter()
                .any(|tag| tag.to_lowercase().contains(filter));
            tags || filter.is_empty() || row.object.name.contains(filter)
        })
        .map(|(at, _)| at)
        .collect();
    if detail.siblings.is_empty() {
        return;
    }
    // The artifact itself is not among the others.
    let others = detail
        .of_siblings
        .map(|all| (all as usize).saturating_sub(1));
    let all = others.unwrap_or_default().max(detail.siblings.len());
    let count = count_text(found.len(), all);
    lines.push(ImageLine::Heading(ImagePart::Siblings, count));
    lines.extend(found.into_iter().map(ImageLine::Sibling));
}
