//! Why an image, a robot account, a project or a registry is as it is.

use super::detail::once;
use super::lists::{named_only, rows_once};
use crate::domain::finding::{Finding, Severity};
use crate::domain::image::{
    CveRow, ProjectRow, RegistryHealth, RegistryRow, RobotRow, image_of, why_image,
};
use crate::domain::image_update::UpdateRow;
use crate::domain::object::ObjectRef;
use crate::domain::status::Health;
use crate::engine::session::Session;
use std::sync::Arc;

/// Returns what is to be said, most important first.
pub(in crate::engine) async fn why(
    session: &Arc<Session>,
    object: &ObjectRef,
) -> Result<Vec<Finding>, Finding> {
    if let Some(reference) = image_of(object) {
        let detail = once(session, &reference).await;
        let detail = detail.ok_or_else(|| unknown(object))?;
        return Ok(why_image(&detail));
    }
    let rows = rows_once(session, &object.kind).await?;
    let found = rows.into_iter().find(|row| {
        let own = row.object();
        own.name == object.name && (object.namespace.is_none() || own.namespace == object.namespace)
    });
    let found = found.or_else(|| named_only(session, object));
    match found.ok_or_else(|| unknown(object))? {
        RegistryRow::Robot(row) => Ok(of_robot(&row)),
        RegistryRow::Project(row) => Ok(of_project(&row)),
        RegistryRow::Registry(row) => Ok(of_registry(&row)),
        RegistryRow::Cve(row) => Ok(of_cve(&row)),
        RegistryRow::Update(row) => Ok(of_update(&row)),
        RegistryRow::Image(row) => Ok(row.findings),
    }
}

pub(super) fn unknown(object: &ObjectRef) -> Finding {
    let sentence = format!("no registry that is asked has `{}`", object.path());
    Finding::new(Severity::Error, sentence)
        .with_hint("`tiphys get registries` lists those that are asked, and why others are not")
}

fn of_update(row: &UpdateRow) -> Vec<Finding> {
    let mut findings = row.findings.clone();
    let severity = match row.health() {
        Health::Degraded => Severity::Error,
        Health::Missing => Severity::Warning,
        Health::Healthy | Health::Suspended | Health::Progressing | Health::Unknown => {
            Severity::Info
        }
    };
    if !row.why().is_empty() {
        findings.push(Finding::new(severity, row.why()));
    }
    findings
}

fn of_robot(row: &RobotRow) -> Vec<Finding> {
    let mut findings = row.findings.clone();
    if row.disabled {
        let sentence = format!(
            "`{}` is disabled: logins and pulls with it are refused",
            row.object.name
        );
        findings.push(Finding::new(Severity::Warning, sentence).with_hint("enable it"));
    }
    if row.status() == "expires soon"
        && let Some(at) = row.expires
    {
        let sentence = format!("`{}` expires at {at:?}", row.object.name);
        findings.push(
            Finding::new(Severity::Warning, sentence)
                .with_hint("make a new one in time; the pull Secrets that carry it must follow"),
        );
    }
    findings
}

fn of_project(row: &ProjectRow) -> Vec<Finding> {
    let mut findings = row.findings.clone();
    if let Some(full) = row.fullness().filter(|full| *full >= 0.85) {
        let sentence = format!("its storage is {:.0} % full", full * 100.0);
        findings.push(
            Finding::new(
                if full >= 1.0 {
                    Severity::Error
                } else {
                    Severity::Warning
                },
                sentence,
            )
            .with_hint("raise the quota, or delete what is not needed and collect garbage"),
        );
    }
    if let Some(severity) = row.prevents {
        let sentence = format!(
            "it does not hand out images that are unscanned, or have a vulnerability that is {} or worse",
            severity.word()
        );
        findings.push(Finding::new(Severity::Info, sentence));
    }
    findings
}

fn of_registry(row: &RegistryHealth) -> Vec<Finding> {
    let mut findings = row.findings.clone();
    for part in row.components.iter().filter(|part| !part.healthy) {
        let sentence = format!("its part `{}` is not healthy: {}", part.name, part.error);
        findings.push(Finding::new(Severity::Error, sentence));
    }
    if row.read_only {
        let sentence = "it is read-only: nothing can be pushed, scanned or tagged";
        findings.push(Finding::new(Severity::Warning, sentence));
    }
    findings
}

fn of_cve(row: &CveRow) -> Vec<Finding> {
    let apps: Vec<&str> = row.applications().iter().map(|app| &*app.name).collect();
    let apps = if apps.is_empty() {
        String::from("no Application")
    } else {
        apps.join(", ")
    };
    let sentence = format!(
        "it is in {} images that run in {} containers; it hits {apps}",
        row.images.len(),
        row.places.len()
    );
    let mut findings = vec![Finding::new(Severity::Warning, sentence)];
    let mut fixes: Vec<String> = row
        .packages
        .iter()
        .filter(|one| !one.fix.is_empty())
        .map(|one| format!("{} {}", one.package, one.fix))
        .collect();
    fixes.dedup();
    if !fixes.is_empty() {
        let sentence = format!("it is fixed in {}", fixes.join(", "));
        findings.push(Finding::new(Severity::Info, sentence));
    }
    findings
}
