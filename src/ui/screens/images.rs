//! What registries have in a table: what a scan found, who is signed, how full a project is.

use crate::app::columns::RegistryColumn;
use crate::domain::image::{RegistryRow, Scan, Severity, cves_kind, projects_kind, repository_of};
use crate::domain::image_update::updates_kind;
use crate::domain::object::GroupKind;
use crate::domain::status::Health;
use crate::store::Row;
use crate::ui::canvas::{Span, span};
use crate::ui::theme::Role;
use crate::ui::widgets::spark::bar;
use crate::ui::widgets::table::RowPainter;

/// Returns the title of a table of registries, where its kind's name is none for people.
pub(super) fn heading(kind: &GroupKind) -> Option<&str> {
    if *kind == projects_kind() {
        return Some("Projects of registries");
    }
    if *kind == cves_kind() {
        return Some("Vulnerabilities in what runs");
    }
    if *kind == updates_kind() {
        return Some("Image updates");
    }
    repository_of(kind)
}

/// Returns the role of a severity; only what is high is loud.
pub(super) fn role_of(severity: Severity) -> Role {
    match severity {
        Severity::Critical => Role::Degraded,
        Severity::High => Role::Warning,
        Severity::Medium => Role::Text,
        Severity::Low | Severity::Negligible | Severity::Unknown => Role::Muted,
    }
}

/// Returns what a scan found, each severity in its role: `C2 H5 M1`.
pub(super) fn found(scan: &Scan) -> Vec<Span<'static>> {
    let summary = match scan {
        Scan::Done(summary) if summary.total > 0 => summary,
        Scan::Running { .. } => return vec![span(Role::Progressing, scan.text())],
        Scan::Failed { .. } => return vec![span(Role::Warning, scan.text())],
        Scan::Done(_) | Scan::Untold | Scan::Impossible | Scan::Never => {
            return vec![span(Role::Muted, scan.text())];
        }
    };
    let mut spans = Vec::new();
    for severity in Severity::WORST_FIRST {
        let count = summary.count(severity);
        if count == 0 || spans.len() >= 5 {
            continue;
        }
        if !spans.is_empty() {
            spans.push(span(Role::Text, " "));
        }
        let text = format!("{}{count}", severity.letter());
        spans.push(span(role_of(severity), text));
    }
    if spans.is_empty() {
        spans.push(span(Role::Text, scan.text()));
    }
    spans
}

/// Draws a cell of a table of registries.
pub(super) fn draw_cell(
    painter: &mut RowPainter<'_, '_>,
    at: usize,
    (row, column): (&Row, RegistryColumn),
    content: &str,
) {
    let Some(row) = row.registry() else { return };
    match (row, column) {
        (RegistryRow::Image(row), RegistryColumn::Found) => painter.spans(at, &found(&row.scan)),
        (RegistryRow::Image(row), RegistryColumn::Signed) => {
            let role = if row.signed == Some(true) {
                Role::Muted
            } else {
                Role::Text
            };
            painter.text(at, content, role);
        }
        (RegistryRow::Project(row), RegistryColumn::Used) => {
            let mut spans = Vec::new();
            if let Some(share) = row.fullness()
                && painter.width(at) > 28
            {
                spans.extend(bar(share, 5, role_of_fullness(row_health(share))));
                spans.push(span(Role::Text, " "));
            }
            spans.push(span(Role::Text, content));
            painter.spans(at, &spans);
        }
        (_, column) => painter.text(at, content, role_of_column(row, column)),
    }
}

fn row_health(share: f64) -> Health {
    if share >= 1.0 {
        Health::Degraded
    } else if share >= 0.85 {
        Health::Missing
    } else {
        Health::Healthy
    }
}

fn role_of_fullness(health: Health) -> Role {
    match health {
        Health::Degraded => Role::Degraded,
        Health::Missing => Role::Warning,
        Health::Healthy | Health::Suspended | Health::Progressing | Health::Unknown => Role::Canary,
    }
}

fn role_of_column(row: &RegistryRow, column: RegistryColumn) -> Role {
    match column {
        RegistryColumn::Digest
        | RegistryColumn::Pushed
        | RegistryColumn::Pulled
        | RegistryColumn::Size
        | RegistryColumn::Host
        | RegistryColumn::Platforms
        | RegistryColumn::Permissions
        | RegistryColumn::Description
        | RegistryColumn::Guards
        | RegistryColumn::Owner
        | RegistryColumn::Version
        | RegistryColumn::Account
        | RegistryColumn::Address
        | RegistryColumn::Flavour
        | RegistryColumn::Level
        | RegistryColumn::Checked
        | RegistryColumn::WriteBack
        | RegistryColumn::Updated
        | RegistryColumn::Rule => Role::Muted,
        RegistryColumn::Says | RegistryColumn::Expires if row.is_faulty() => Role::Warning,
        RegistryColumn::Tags
        | RegistryColumn::Found
        | RegistryColumn::Signed
        | RegistryColumn::Runs
        | RegistryColumn::Newest
        | RegistryColumn::Expires
        | RegistryColumn::Repositories
        | RegistryColumn::Used
        | RegistryColumn::Score
        | RegistryColumn::Fix
        | RegistryColumn::Packages
        | RegistryColumn::Images
        | RegistryColumn::Applications
        | RegistryColumn::Image
        | RegistryColumn::Current
        | RegistryColumn::Candidate
        | RegistryColumn::Says => Role::Text,
    }
}
