//! The columns of what registries have: images, projects, robots, CVEs and the registries.

use super::{ColumnId, ColumnSpec, Detail, Shown};
use crate::domain::age::age_text;
use crate::domain::duration::short_span;
use crate::domain::image::{
    ArtifactRow, CveRow, Flavour, ProjectRow, RegistryHealth, RegistryRow, RobotRow, bytes_text,
    cves_kind, has_images, projects_kind, registries_kind, robots_kind,
};
use crate::domain::image_update::{UpdateRow, updates_kind};
use crate::domain::object::{GroupKind, ObjectRef};
use chrono::{DateTime, Utc};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Columns that only tables of registries have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RegistryColumn {
    Tags,
    Digest,
    Size,
    Pushed,
    Pulled,
    /// What a scan found, by severity.
    Found,
    Signed,
    /// In how many places it runs.
    Runs,
    /// What would follow upon it.
    Newest,
    Platforms,
    /// The registry's host.
    Host,
    Level,
    Expires,
    Permissions,
    Description,
    Repositories,
    Used,
    Guards,
    Owner,
    Score,
    Fix,
    Packages,
    Images,
    Applications,
    Flavour,
    Version,
    Account,
    Address,
    Says,
    /// The image that is followed.
    Image,
    Current,
    Candidate,
    Rule,
    WriteBack,
    Checked,
    Updated,
}

fn of(column: RegistryColumn, title: &str, sizes: (u16, u16), priority: u8) -> ColumnSpec {
    let (min, max) = sizes;
    ColumnSpec::new(ColumnId::Registry(column), title, min, max, priority)
}

/// Returns the columns of a kind of registries; `None` for any other kind.
pub(super) fn columns(kind: &GroupKind, shown: Shown, detail: Detail) -> Option<Vec<ColumnSpec>> {
    let wide = detail == Detail::Wide;
    let columns = if has_images(kind) {
        image_columns(wide)
    } else if *kind == projects_kind() {
        project_columns(wide)
    } else if *kind == robots_kind() {
        robot_columns(wide)
    } else if *kind == cves_kind() {
        cve_columns(wide)
    } else if *kind == registries_kind() {
        registry_columns()
    } else if *kind == updates_kind() {
        update_columns()
    } else {
        return None;
    };
    // A registry belongs to no namespace: the scope changes only what runs.
    let (Shown::AllNamespaces | Shown::OneNamespace) = shown;
    Some(columns)
}

fn image_columns(wide: bool) -> Vec<ColumnSpec> {
    use RegistryColumn as Own;
    let mut columns = vec![
        ColumnSpec::new(ColumnId::Name, "IMAGE", 12, 40, 0),
        of(Own::Tags, "TAGS", (8, 26), 0),
        ColumnSpec::new(ColumnId::Health, "STATE", 13, 24, 0).glyph(),
        of(Own::Found, "FOUND", (12, 15), 1),
        of(Own::Runs, "RUNS IN", (7, 7), 1).numeric(),
        of(Own::Signed, "SIGNED", (6, 6), 3),
        of(Own::Newest, "NEWEST", (6, 16), 4),
        of(Own::Size, "SIZE", (8, 9), 5).numeric(),
        of(Own::Pushed, "PUSHED", (6, 6), 2).numeric(),
        of(Own::Pulled, "PULLED", (6, 6), 6).numeric(),
        of(Own::Digest, "DIGEST", (12, 12), 7),
    ];
    if wide {
        columns.push(of(Own::Host, "REGISTRY", (12, 32), 8));
        columns.push(of(Own::Platforms, "PLATFORMS", (10, 30), 8));
        columns.push(of(Own::Applications, "APPLICATIONS", (12, 40), 9));
        columns.push(ColumnSpec::new(ColumnId::Labels, "LABELS", 6, 40, 9));
    }
    columns
}

fn project_columns(wide: bool) -> Vec<ColumnSpec> {
    use RegistryColumn as Own;
    let mut columns = vec![
        ColumnSpec::new(ColumnId::Name, "PROJECT", 12, 40, 0),
        ColumnSpec::new(ColumnId::Health, "ACCESS", 9, 9, 0).glyph(),
        of(Own::Repositories, "REPOSITORIES", (12, 12), 2).numeric(),
        of(Own::Used, "USED OF QUOTA", (13, 32), 0),
        of(Own::Guards, "GUARDS", (10, 48), 3),
        of(Own::Owner, "OWNER", (6, 16), 5),
    ];
    if wide {
        columns.push(of(Own::Host, "REGISTRY", (12, 32), 8));
    }
    columns.push(ColumnSpec::new(ColumnId::Age, "AGE", 4, 5, 4).numeric());
    columns
}

fn robot_columns(wide: bool) -> Vec<ColumnSpec> {
    use RegistryColumn as Own;
    let mut columns = vec![
        ColumnSpec::new(ColumnId::Name, "ROBOT", 14, 40, 0),
        ColumnSpec::new(ColumnId::Health, "STATE", 14, 14, 0).glyph(),
        of(Own::Expires, "EXPIRES IN", (10, 10), 1).numeric(),
        of(Own::Level, "LEVEL", (6, 20), 2),
        of(Own::Permissions, "MAY", (16, 80), 3),
    ];
    if wide {
        columns.push(of(Own::Description, "DESCRIPTION", (11, 40), 7));
        columns.push(of(Own::Host, "REGISTRY", (12, 32), 8));
    }
    columns.push(ColumnSpec::new(ColumnId::Age, "AGE", 4, 5, 4).numeric());
    columns
}

fn cve_columns(wide: bool) -> Vec<ColumnSpec> {
    use RegistryColumn as Own;
    let mut columns = vec![
        ColumnSpec::new(ColumnId::Name, "VULNERABILITY", 15, 24, 0),
        ColumnSpec::new(ColumnId::Health, "SEVERITY", 12, 12, 0).glyph(),
        of(Own::Score, "CVSS", (4, 5), 3).numeric(),
        of(Own::Packages, "PACKAGE", (10, 34), 1),
        of(Own::Fix, "FIXED IN", (8, 24), 2),
        of(Own::Images, "IMAGES", (6, 6), 4).numeric(),
        of(Own::Runs, "RUNS IN", (7, 7), 1).numeric(),
        of(Own::Applications, "APPLICATIONS", (12, 60), 2),
    ];
    if wide {
        columns.push(of(Own::Description, "DESCRIPTION", (11, 80), 8));
    }
    columns
}

fn registry_columns() -> Vec<ColumnSpec> {
    use RegistryColumn as Own;
    vec![
        ColumnSpec::new(ColumnId::Name, "REGISTRY", 21, 40, 0),
        of(Own::Flavour, "KIND", (9, 9), 1),
        ColumnSpec::new(ColumnId::Health, "STATE", 11, 11, 0).glyph(),
        of(Own::Version, "VERSION", (7, 14), 4),
        of(Own::Account, "ACCOUNT", (8, 34), 3),
        of(Own::Repositories, "IN USE", (6, 6), 2).numeric(),
        of(Own::Address, "ADDRESS", (12, 44), 5),
        of(Own::Says, "SAYS", (12, 80), 1),
    ]
}

fn update_columns() -> Vec<ColumnSpec> {
    use RegistryColumn as Own;
    vec![
        ColumnSpec::new(ColumnId::Name, "APPLICATION", 14, 32, 0),
        of(Own::Image, "IMAGE", (8, 24), 3),
        of(Own::Current, "CURRENT", (8, 20), 0),
        of(Own::Candidate, "CANDIDATE", (9, 20), 0),
        ColumnSpec::new(ColumnId::Health, "DECISION", 14, 14, 0).glyph(),
        of(Own::Rule, "RULE", (12, 24), 1),
        of(Own::Checked, "CHECKED", (7, 7), 5).numeric(),
        of(Own::WriteBack, "WRITES", (6, 24), 4),
        of(Own::Updated, "LAST UPDATE", (11, 40), 6),
        of(Own::Says, "WHY", (16, 44), 2),
    ]
}

/// Returns what a cell says.
pub(super) fn cell(row: &RegistryRow, column: ColumnId, now: DateTime<Utc>) -> Cow<'_, str> {
    if column == ColumnId::Health {
        return Cow::Owned(row.status());
    }
    let ColumnId::Registry(column) = column else {
        return Cow::Borrowed("");
    };
    match row {
        RegistryRow::Image(row) => image_cell(row, column, now),
        RegistryRow::Project(row) => project_cell(row, column),
        RegistryRow::Robot(row) => robot_cell(row, column, now),
        RegistryRow::Cve(row) => cve_cell(row, column),
        RegistryRow::Registry(row) => registry_cell(row, column),
        RegistryRow::Update(row) => update_cell(row, column, now),
    }
}

/// Returns the name of a row as people know it: of an image its repository.
pub(super) fn name(row: &RegistryRow) -> &str {
    match row {
        RegistryRow::Image(row) => &row.repository,
        RegistryRow::Update(row) => &row.application.name,
        RegistryRow::Project(_)
        | RegistryRow::Robot(_)
        | RegistryRow::Cve(_)
        | RegistryRow::Registry(_) => &row.object().name,
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table has its own columns; the others are empty in it"
)]
fn image_cell(row: &ArtifactRow, column: RegistryColumn, now: DateTime<Utc>) -> Cow<'_, str> {
    use RegistryColumn as Own;
    let age = |at: DateTime<Utc>| Cow::Owned(age_text(at, now));
    match column {
        Own::Tags => Cow::Owned(tags_text(row)),
        Own::Digest => row
            .digest
            .as_ref()
            .map_or(Cow::Borrowed(""), |one| Cow::Borrowed(one.short())),
        Own::Size => row
            .size
            .map_or(Cow::Borrowed(""), |size| Cow::Owned(bytes_text(size))),
        Own::Pushed => row.pushed.or(row.built).map_or(Cow::Borrowed(""), age),
        // A registry that does not count pulls says nothing of them.
        Own::Pulled if row.pushed.is_none() => Cow::Borrowed(""),
        Own::Pulled => row.pulled.map_or(Cow::Borrowed("never"), age),
        Own::Found => Cow::Owned(row.scan.text()),
        Own::Signed => Cow::Borrowed(match row.signed {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        }),
        Own::Runs if row.places.is_empty() => Cow::Borrowed(""),
        Own::Runs => Cow::Owned(row.places.len().to_string()),
        Own::Newest => Cow::Borrowed(&*row.newest),
        Own::Platforms => {
            let names: Vec<&str> = row.platforms.iter().map(|one| &**one).collect();
            Cow::Owned(names.join(" "))
        }
        Own::Host => Cow::Borrowed(&*row.registry),
        Own::Applications => Cow::Owned(names_of(&row.applications())),
        _ => Cow::Borrowed(""),
    }
}

fn names_of(objects: &[&ObjectRef]) -> String {
    let names: Vec<&str> = objects.iter().map(|one| &*one.name).collect();
    names.join(" ")
}

/// Returns the first tag and how many more there are: `2.3.0 +2`.
pub fn tags_text(row: &ArtifactRow) -> String {
    match row.tags.as_slice() {
        [] => String::from("untagged"),
        [one] => one.to_string(),
        [first, more @ ..] => format!("{first} +{}", more.len()),
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table has its own columns; the others are empty in it"
)]
fn project_cell(row: &ProjectRow, column: RegistryColumn) -> Cow<'_, str> {
    use RegistryColumn as Own;
    match column {
        Own::Repositories => Cow::Owned(row.repositories.to_string()),
        Own::Used => Cow::Owned(used_text(row)),
        Own::Guards => Cow::Owned(guards_text(row)),
        Own::Owner => Cow::Borrowed(&*row.owner),
        Own::Host => Cow::Borrowed(&*row.registry),
        _ => Cow::Borrowed(""),
    }
}

/// Returns `812 MiB of 1.0 GiB`, or without a limit what is used.
pub fn used_text(row: &ProjectRow) -> String {
    match (row.used, row.quota) {
        (None, _) => String::new(),
        (Some(used), None) => format!("{}, no limit", bytes_text(used)),
        (Some(used), Some(quota)) => format!("{} of {}", bytes_text(used), bytes_text(quota)),
    }
}

/// Returns what a project does by itself for its images.
pub fn guards_text(row: &ProjectRow) -> String {
    let prevents = row
        .prevents
        .map(|severity| format!("refuses {}", severity.word().to_lowercase()));
    let words = [
        row.scans_pushes.then(|| String::from("scans pushes")),
        prevents,
        row.makes_sboms.then(|| String::from("makes SBOMs")),
        row.needs_signature
            .then(|| String::from("needs a signature")),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table has its own columns; the others are empty in it"
)]
fn robot_cell(row: &RobotRow, column: RegistryColumn, now: DateTime<Utc>) -> Cow<'_, str> {
    use RegistryColumn as Own;
    match column {
        Own::Level => match &row.project {
            None => Cow::Borrowed("system"),
            Some(project) => Cow::Borrowed(&**project),
        },
        Own::Expires => Cow::Owned(expires_text(row, now)),
        Own::Permissions => Cow::Owned(row.permissions_text()),
        Own::Description => Cow::Borrowed(&*row.description),
        Own::Host => Cow::Borrowed(&*row.registry),
        _ => Cow::Borrowed(""),
    }
}

/// Returns in how long a robot expires: `12d`, `never`, `over`.
pub fn expires_text(row: &RobotRow, now: DateTime<Utc>) -> String {
    match row.expires {
        None => String::from("never"),
        Some(at) if at <= now => String::from("over"),
        Some(at) => short_span(at - now),
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table has its own columns; the others are empty in it"
)]
fn cve_cell(row: &CveRow, column: RegistryColumn) -> Cow<'_, str> {
    use RegistryColumn as Own;
    match column {
        Own::Score => row.score.map_or(Cow::Borrowed(""), |score| {
            Cow::Owned(format!("{}.{}", score / 10, score % 10))
        }),
        Own::Packages => Cow::Owned(packages_text(row)),
        Own::Fix => Cow::Owned(fix_text(row)),
        Own::Images => Cow::Owned(row.images.len().to_string()),
        Own::Runs => Cow::Owned(row.places.len().to_string()),
        Own::Applications => Cow::Owned(names_of(&row.applications())),
        Own::Description => Cow::Borrowed(&*row.description),
        _ => Cow::Borrowed(""),
    }
}

/// Returns the packages, each with its version.
pub fn packages_text(row: &CveRow) -> String {
    let packages: Vec<String> = row
        .packages
        .iter()
        .map(|one| format!("{} {}", one.package, one.version))
        .collect();
    packages.join(", ")
}

/// Returns the versions without it, each once.
pub fn fix_text(row: &CveRow) -> String {
    let mut fixes: Vec<&str> = row.packages.iter().map(|one| &*one.fix).collect();
    fixes.retain(|fix| !fix.is_empty());
    fixes.dedup();
    if fixes.is_empty() {
        String::from("no fix")
    } else {
        fixes.join(", ")
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table has its own columns; the others are empty in it"
)]
fn registry_cell(row: &RegistryHealth, column: RegistryColumn) -> Cow<'_, str> {
    use RegistryColumn as Own;
    match column {
        Own::Flavour => Cow::Borrowed(row.flavour.word()),
        Own::Version => Cow::Borrowed(&*row.version),
        Own::Account if row.account.is_empty() => Cow::Borrowed("nobody"),
        Own::Account => Cow::Borrowed(&*row.account),
        Own::Repositories => Cow::Owned(row.repositories.to_string()),
        Own::Address => Cow::Borrowed(&*row.address),
        Own::Says => Cow::Owned(says_text(row)),
        _ => Cow::Borrowed(""),
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table has its own columns; the others are empty in it"
)]
fn update_cell(row: &UpdateRow, column: RegistryColumn, now: DateTime<Utc>) -> Cow<'_, str> {
    use RegistryColumn as Own;
    match column {
        Own::Image => Cow::Borrowed(row.image.rsplit('/').next().unwrap_or_default()),
        Own::Current => Cow::Owned(short_tag(&row.current)),
        Own::Candidate => Cow::Owned(short_tag(&row.candidate())),
        Own::Rule => Cow::Owned(row.rule()),
        Own::WriteBack => Cow::Borrowed(&*row.write_back),
        Own::Checked => {
            let age = |at: DateTime<Utc>| Cow::Owned(age_text(at, now));
            row.checked.map_or(Cow::Borrowed(""), age)
        }
        Own::Updated => Cow::Owned(updated_text(row, now)),
        Own::Says => Cow::Borrowed(row.why()),
        _ => Cow::Borrowed(""),
    }
}

/// Returns a tag with the first digits of its digest: `stable@0123456789ab`.
pub fn short_tag(text: &str) -> String {
    let Some((tag, digest)) = text.split_once("sha256:") else {
        return text.to_owned();
    };
    format!("{tag}{}", digest.get(..12).unwrap_or(digest))
}

/// Returns what was written last, and how long ago: `1.4.0 → 1.4.2 3m`.
pub fn updated_text(row: &UpdateRow, now: DateTime<Utc>) -> String {
    let Some((at, what)) = &row.updated else {
        return String::new();
    };
    let parts: Vec<String> = what.split(" → ").map(short_tag).collect();
    format!("{} {}", parts.join(" → "), age_text(*at, now))
}

/// Returns what is wrong with a registry, else how much room it has.
pub fn says_text(row: &RegistryHealth) -> String {
    if let Some(finding) = row.findings.first() {
        // That it is not asked is its state; what stands here is how to change that.
        let hint = finding.hint.as_ref();
        let hint = hint.filter(|_| row.flavour == Flavour::Unasked);
        return hint.unwrap_or(&finding.sentence).to_string();
    }
    let ill = row.components.iter().find(|one| !one.healthy);
    if let Some(ill) = ill {
        return format!("{} is not healthy: {}", ill.name, ill.error);
    }
    row.storage.map_or(String::new(), |(free, total)| {
        format!("{} free of {}", bytes_text(free), bytes_text(total))
    })
}

/// Compares two rows by a column: numbers by value, what asks for a person first.
pub(in crate::app) fn compare(
    left: &RegistryRow,
    right: &RegistryRow,
    column: ColumnId,
) -> Ordering {
    let by_text = || {
        let epoch = DateTime::UNIX_EPOCH;
        cell(left, column, epoch).cmp(&cell(right, column, epoch))
    };
    match (left, right) {
        (RegistryRow::Image(left), RegistryRow::Image(right)) => {
            by_image(left, right, column).unwrap_or_else(by_text)
        }
        (RegistryRow::Cve(left), RegistryRow::Cve(right)) => {
            by_cve(left, right, column).unwrap_or_else(by_text)
        }
        (RegistryRow::Robot(left), RegistryRow::Robot(right))
            if column == ColumnId::Registry(RegistryColumn::Expires) =>
        {
            let end = DateTime::<Utc>::MAX_UTC;
            left.expires
                .unwrap_or(end)
                .cmp(&right.expires.unwrap_or(end))
        }
        (RegistryRow::Project(left), RegistryRow::Project(right))
            if column == ColumnId::Registry(RegistryColumn::Used) =>
        {
            right.used.cmp(&left.used)
        }
        (RegistryRow::Project(left), RegistryRow::Project(right))
            if column == ColumnId::Registry(RegistryColumn::Repositories) =>
        {
            right.repositories.cmp(&left.repositories)
        }
        _ => by_text(),
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the other columns are compared as text"
)]
fn by_image(left: &ArtifactRow, right: &ArtifactRow, column: ColumnId) -> Option<Ordering> {
    use RegistryColumn as Own;
    Some(match column {
        ColumnId::Name => by_name(left, right),
        ColumnId::Health => {
            let key = |row: &ArtifactRow| (row.health().severity(), row.scan.rank());
            key(right).cmp(&key(left))
        }
        ColumnId::Registry(Own::Found) => right.scan.rank().cmp(&left.scan.rank()),
        ColumnId::Registry(Own::Runs) => right.places.len().cmp(&left.places.len()),
        ColumnId::Registry(Own::Size) => right.size.cmp(&left.size),
        ColumnId::Registry(Own::Pushed) => pushed(right).cmp(&pushed(left)),
        ColumnId::Registry(Own::Pulled) => right.pulled.cmp(&left.pulled),
        ColumnId::Registry(Own::Tags) => {
            let first = |row: &ArtifactRow| row.tags.first().cloned().unwrap_or_default();
            crate::domain::image::tag::newest_first(&first(left), &first(right))
        }
        _ => return None,
    })
}

fn pushed(row: &ArtifactRow) -> Option<DateTime<Utc>> {
    row.pushed.or(row.built)
}

/// By repository; in one, what is newest first.
pub(in crate::app) fn by_name(left: &ArtifactRow, right: &ArtifactRow) -> Ordering {
    let place = (&left.repository, &left.registry).cmp(&(&right.repository, &right.registry));
    place.then_with(|| pushed(right).cmp(&pushed(left)))
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the other columns are compared as text"
)]
fn by_cve(left: &CveRow, right: &CveRow, column: ColumnId) -> Option<Ordering> {
    use RegistryColumn as Own;
    Some(match column {
        ColumnId::Health => (right.severity, right.score, right.places.len()).cmp(&(
            left.severity,
            left.score,
            left.places.len(),
        )),
        ColumnId::Registry(Own::Score) => right.score.cmp(&left.score),
        ColumnId::Registry(Own::Images) => right.images.len().cmp(&left.images.len()),
        ColumnId::Registry(Own::Runs) => right.places.len().cmp(&left.places.len()),
        _ => return None,
    })
}
