//! What registries have in plain lines, in the style of `kubectl describe`.

use super::detail::once;
use super::lists::{named_only, rows_once};
use super::why::unknown;
use crate::domain::finding::Finding;
use crate::domain::image::{
    ArtifactDetail, CveRow, Flavour, ImageState, Place, ProjectRow, RegistryHealth, RegistryRow,
    RobotRow, Severity, bytes_text, image_of, why_image,
};
use crate::domain::image_update::UpdateRow;
use crate::domain::object::{ObjectRef, Text};
use crate::engine::session::Session;
use chrono::{DateTime, SecondsFormat, Utc};
use std::sync::Arc;

/// Lines with a label before each value.
#[derive(Default)]
struct Lines(Vec<Text>);

impl Lines {
    fn fact(&mut self, label: &str, value: impl std::fmt::Display) {
        let value = value.to_string();
        if !value.is_empty() {
            self.0.push(format!("{label:<16}{value}").into());
        }
    }

    fn time(&mut self, label: &str, at: Option<DateTime<Utc>>) {
        if let Some(at) = at {
            self.fact(label, time_text(at));
        }
    }

    fn heading(&mut self, text: &str) {
        self.0.push("".into());
        self.0.push(text.into());
    }

    fn item(&mut self, text: impl std::fmt::Display) {
        self.0.push(format!("  {text}").into());
    }

    fn places<'p>(&mut self, places: impl ExactSizeIterator<Item = &'p Place>) {
        self.heading(&format!("Runs in {}", counted(places.len(), "container")));
        for place in places {
            let app = place.application.as_ref().map(ObjectRef::path);
            let app = app.unwrap_or_else(|| String::from("no Application"));
            let states: Vec<String> = place.states.iter().map(ImageState::text).collect();
            self.item(format!(
                "{app}  {} {}  pod {}  container {}  {}",
                place.workload.kind.kind,
                place.workload.path(),
                place.pod.name,
                place.container,
                states.join(", ")
            ));
        }
    }

    fn findings(&mut self, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        self.heading("Why");
        for finding in findings {
            self.item(&finding.sentence);
            if let Some(hint) = &finding.hint {
                self.item(format!("  hint: {hint}"));
            }
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn time_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Describes an image, a project, a robot account, a vulnerability or a registry.
pub(in crate::engine) async fn describe(
    session: &Arc<Session>,
    object: &ObjectRef,
) -> Result<Vec<Text>, Finding> {
    let mut lines = Lines::default();
    if let Some(reference) = image_of(object) {
        let detail = once(session, &reference).await;
        of_image(&mut lines, &detail.ok_or_else(|| unknown(object))?);
        return Ok(lines.0);
    }
    let rows = rows_once(session, &object.kind).await?;
    let found = rows.into_iter().find(|row| {
        let own = row.object();
        own.name == object.name && (object.namespace.is_none() || own.namespace == object.namespace)
    });
    let found = found.or_else(|| named_only(session, object));
    match found.ok_or_else(|| unknown(object))? {
        RegistryRow::Robot(row) => of_robot(&mut lines, &row),
        RegistryRow::Project(row) => of_project(&mut lines, &row),
        RegistryRow::Registry(row) => of_registry(&mut lines, &row),
        RegistryRow::Cve(row) => of_cve(&mut lines, &row),
        RegistryRow::Update(row) => of_update(&mut lines, &row),
        RegistryRow::Image(row) => lines.places(row.places.iter()),
    }
    Ok(lines.0)
}

fn of_update(lines: &mut Lines, row: &UpdateRow) {
    lines.fact("Application", row.application.path());
    let updater = row.updater.as_ref().map(ObjectRef::path);
    lines.fact("Followed by", updater.unwrap_or_default());
    lines.fact("Image", &row.image);
    lines.fact("Rule", row.rule());
    lines.fact("Current", &row.current);
    lines.fact("Candidate", row.candidate());
    lines.fact("Decision", row.verdict());
    lines.fact("Why", row.why());
    lines.fact("Written to", &row.write_back);
    lines.time("Checked", row.checked);
    if let Some((at, what)) = &row.updated {
        lines.time("Updated", Some(*at));
        lines.fact("Last update", what);
    }
    lines.findings(&row.findings);
}

fn of_image(lines: &mut Lines, detail: &ArtifactDetail) {
    let row = &detail.row;
    lines.fact("Repository", format!("{}/{}", row.registry, row.repository));
    if let Some(digest) = &row.digest {
        lines.fact("Digest", digest);
    }
    lines.fact("Tags", row.tags.join(", "));
    lines.fact("Size", row.size.map(bytes_text).unwrap_or_default());
    lines.time("Pushed", row.pushed);
    lines.time("Pulled", row.pulled);
    lines.time("Built", row.built);
    lines.fact("Platforms", row.platforms.join(", "));
    lines.fact("Found", row.scan.text());
    lines.fact("Newest", &row.newest);
    if !detail.labels.is_empty() {
        lines.heading("Labels");
    }
    for (name, value) in &detail.labels {
        lines.item(format!("{name}={value}"));
    }
    lines.places(row.places.iter());
    if let Some(report) = detail.report.report() {
        lines.heading(&format!(
            "Vulnerabilities: {}",
            report.vulnerabilities.len()
        ));
        for one in &report.vulnerabilities {
            let fix = if one.fix.is_empty() {
                "no fix"
            } else {
                &one.fix
            };
            lines.item(format!(
                "{:<18} {:<10} {} {}  {fix}",
                one.id,
                one.severity.word(),
                one.package,
                one.version
            ));
        }
    }
    lines.findings(&why_image(detail));
}

fn of_robot(lines: &mut Lines, row: &RobotRow) {
    lines.fact("Name", &row.object.name);
    lines.fact("Registry", &row.registry);
    lines.fact("Level", row.project.as_deref().unwrap_or("system"));
    lines.fact("State", row.status());
    lines.fact("Description", &row.description);
    lines.time("Created", row.created);
    match row.expires {
        Some(at) => lines.fact("Expires", time_text(at)),
        None => lines.fact("Expires", "never"),
    }
    lines.heading("May");
    for one in &row.permissions {
        lines.item(format!("{}  {} {}", one.scope, one.resource, one.action));
    }
    lines.findings(&row.findings);
}

fn of_project(lines: &mut Lines, row: &ProjectRow) {
    lines.fact("Name", &row.object.name);
    lines.fact("Registry", &row.registry);
    lines.fact("Access", if row.public { "public" } else { "private" });
    lines.fact("Owner", &row.owner);
    lines.fact("Repositories", row.repositories);
    lines.fact("Used", row.used.map(bytes_text).unwrap_or_default());
    match row.quota {
        Some(quota) => lines.fact("Quota", bytes_text(quota)),
        None => lines.fact("Quota", "no limit"),
    }
    let scans = if row.scans_pushes { "yes" } else { "no" };
    lines.fact("Scans pushes", scans);
    let prevents = row.prevents.map(Severity::word);
    lines.fact("Refuses", prevents.unwrap_or_default());
    lines.time("Created", row.created);
    lines.findings(&row.findings);
}

fn of_registry(lines: &mut Lines, row: &RegistryHealth) {
    lines.fact("Host", &row.object.name);
    lines.fact("Kind", row.flavour.word());
    lines.fact("State", row.status());
    lines.fact("Address", &row.address);
    lines.fact("Version", &row.version);
    lines.fact("Account", &row.account);
    lines.fact("Account from", &row.account_from);
    // A host that is not asked is described by what is known without it.
    if row.repositories > 0 || row.flavour != Flavour::Unasked {
        lines.fact("In use", format!("{} repositories", row.repositories));
    }
    if let Some((free, total)) = row.storage {
        lines.fact(
            "Storage",
            format!("{} free of {}", bytes_text(free), bytes_text(total)),
        );
    }
    if !row.components.is_empty() {
        lines.heading("Parts");
    }
    for one in &row.components {
        let state = if one.healthy { "healthy" } else { "unhealthy" };
        lines.item(format!("{:<14}{state} {}", one.name, one.error));
    }
    lines.findings(&row.findings);
}

fn of_cve(lines: &mut Lines, row: &CveRow) {
    lines.fact("Id", &row.object.name);
    lines.fact("Severity", row.severity.word());
    let score = row
        .score
        .map(|score| format!("{}.{}", score / 10, score % 10));
    lines.fact("CVSS", score.unwrap_or_default());
    lines.fact("Says", &row.description);
    lines.heading("Packages");
    for one in &row.packages {
        let fix = if one.fix.is_empty() {
            "no fix"
        } else {
            &one.fix
        };
        lines.item(format!("{} {}  {fix}", one.package, one.version));
    }
    let apps = row.applications();
    lines.heading(&format!("Hits {}", counted(apps.len(), "Application")));
    for app in apps {
        lines.item(app.path());
    }
    lines.heading("Images");
    for (_, title) in &row.images {
        lines.item(title);
    }
    lines.places(row.places.iter().map(|place| &**place));
    if !row.links.is_empty() {
        lines.heading("Links");
    }
    for link in &row.links {
        lines.item(link);
    }
}
