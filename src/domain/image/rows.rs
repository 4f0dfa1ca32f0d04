//! Rows of what registries have: images, projects, robot accounts, CVEs and the registries
//! themselves.
//!
//! None of them is an object of the API server. Their kinds are of the group [`IMAGES_GROUP`], and
//! the place of a namespace is taken by the registry's host (for images: host and project).

mod kinds;

pub use kinds::{
    IMAGES_GROUP, cves_kind, has_images, image_object, image_of, images_kind, is_of_registries,
    projects_kind, registries_kind, registry_object, repository_kind, repository_of, robots_kind,
};

use super::matching::{ImageState, loudest};
use super::reference::{Digest, Reference};
use super::scan::{Scan, Severity};
use crate::domain::finding::Finding;
use crate::domain::image_update::UpdateRow;
use crate::domain::object::{Cluster, ObjectRef, Text, Uid};
use crate::domain::status::Health;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Where an image runs: one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub pod: ObjectRef,
    pub container: Text,
    /// As the Pod asks for it.
    pub image: Text,
    /// What keeps the Pod: a Rollout, a Deployment, a Workflow; the Pod itself when nothing does.
    pub workload: ObjectRef,
    /// The Application that manages the workload.
    pub application: Option<ObjectRef>,
    /// The states of this container's image.
    pub states: Vec<ImageState>,
    /// Why it cannot be pulled; empty when it can.
    pub trouble: Text,
}

/// Returns the Applications of some places, each once, sorted.
fn applications_of<'p>(places: impl Iterator<Item = &'p Place>) -> Vec<&'p ObjectRef> {
    let mut found: Vec<&ObjectRef> = places
        .filter_map(|place| place.application.as_ref())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// One artifact of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactRow {
    pub object: ObjectRef,
    pub uid: Uid,
    pub registry: Text,
    /// Path below the host.
    pub repository: Text,
    pub digest: Option<Digest>,
    /// The newest version first.
    pub tags: Vec<Text>,
    /// In bytes, compressed.
    pub size: Option<u64>,
    pub pushed: Option<DateTime<Utc>>,
    /// `None` when it was never pulled, or nobody counts.
    pub pulled: Option<DateTime<Utc>>,
    pub built: Option<DateTime<Utc>>,
    pub scan: Scan,
    /// `None` when the registry cannot tell.
    pub signed: Option<bool>,
    /// Such as `linux/amd64`.
    pub platforms: Vec<Text>,
    pub labels: Vec<(Text, Text)>,
    /// Of all places where it runs, and of its content.
    pub states: Vec<ImageState>,
    /// The newest tag that would follow upon it; empty when it is the newest.
    pub newest: Text,
    pub places: Vec<Place>,
    pub findings: Vec<Finding>,
}

impl ArtifactRow {
    /// Makes a row of which nothing is known but its name.
    pub fn unknown(cluster: &Cluster, image: &Reference) -> Self {
        let object = image_object(cluster, image);
        Self {
            uid: Uid(Text::clone(&object.name)),
            object,
            registry: Text::clone(&image.host),
            repository: Text::clone(&image.repository),
            digest: image.digest.clone(),
            tags: image.tag.iter().cloned().collect(),
            size: None,
            pushed: None,
            pulled: None,
            built: None,
            scan: Scan::Untold,
            signed: None,
            platforms: Vec::new(),
            labels: Vec::new(),
            states: Vec::new(),
            newest: "".into(),
            places: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Returns the name people know: `repository:tag`, else with the short digest.
    pub fn title(&self) -> String {
        match (self.tags.first(), &self.digest) {
            (Some(tag), _) => format!("{}:{tag}", self.repository),
            (None, Some(digest)) => format!("{}@{}", self.repository, digest.short()),
            (None, None) => self.repository.to_string(),
        }
    }

    /// Returns the reference by digest, or by tag when that is all there is.
    pub fn reference(&self) -> Reference {
        Reference {
            host: Text::clone(&self.registry),
            repository: Text::clone(&self.repository),
            tag: self.tags.first().filter(|_| self.digest.is_none()).cloned(),
            digest: self.digest.clone(),
        }
    }

    /// Returns what is most in need of a person.
    pub fn loudest(&self) -> Option<&ImageState> {
        loudest(&self.states)
    }

    /// Returns its state in a word or two. How many have a fix stands beside it.
    pub fn status(&self) -> String {
        match self.loudest() {
            Some(ImageState::Vulnerable { severity, .. }) => severity.word().to_lowercase(),
            Some(state) => state.text(),
            None if self.places.is_empty() => String::from("not in use"),
            None => String::new(),
        }
    }

    /// Returns the worst health that its states stand for.
    pub fn health(&self) -> Health {
        let mut health = Health::Healthy;
        for state in &self.states {
            let own = match state {
                ImageState::Gone | ImageState::Mixed => Health::Degraded,
                ImageState::Vulnerable { severity, .. } if *severity == Severity::Critical => {
                    Health::Degraded
                }
                ImageState::MovedTag => Health::Missing,
                ImageState::Vulnerable { severity, .. } if *severity == Severity::High => {
                    Health::Missing
                }
                ImageState::Unknown if !self.places.is_empty() => Health::Unknown,
                ImageState::Vulnerable { .. }
                | ImageState::Behind(_)
                | ImageState::NotScanned
                | ImageState::Unsigned
                | ImageState::Unknown
                | ImageState::Pinned
                | ImageState::Newest => Health::Healthy,
            };
            if own.severity() > health.severity() {
                health = own;
            }
        }
        health
    }

    /// Returns the Applications that run it, each once, sorted.
    pub fn applications(&self) -> Vec<&ObjectRef> {
        applications_of(self.places.iter())
    }
}

/// A project of Harbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRow {
    pub object: ObjectRef,
    pub uid: Uid,
    pub registry: Text,
    pub id: i64,
    pub public: bool,
    pub repositories: u64,
    pub owner: Text,
    pub created: Option<DateTime<Utc>>,
    /// In bytes; `None` when the account may not see it.
    pub used: Option<u64>,
    /// In bytes; `None` is unlimited.
    pub quota: Option<u64>,
    /// Images are scanned when they are pushed.
    pub scans_pushes: bool,
    /// Images with a vulnerability this bad, or unscanned, are not handed out.
    pub prevents: Option<Severity>,
    pub makes_sboms: bool,
    /// Unsigned images are not handed out.
    pub needs_signature: bool,
    pub findings: Vec<Finding>,
}

impl ProjectRow {
    /// Returns how full it is, 0 to 1; `None` without a limit.
    pub fn fullness(&self) -> Option<f64> {
        let quota = self.quota.filter(|quota| *quota > 0)?;
        Some(self.used? as f64 / quota as f64)
    }

    fn health(&self) -> Health {
        match self.fullness() {
            Some(full) if full >= 1.0 => Health::Degraded,
            Some(full) if full >= 0.85 => Health::Missing,
            Some(_) | None => Health::Healthy,
        }
    }
}

/// What a robot account may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Permission {
    /// `/` for the system, a project, or `*` for all projects.
    pub scope: Text,
    pub resource: Text,
    pub action: Text,
}

/// A robot account of Harbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RobotRow {
    /// Named with its prefix, as it logs in.
    pub object: ObjectRef,
    pub uid: Uid,
    pub registry: Text,
    pub id: i64,
    /// `None`: of the system.
    pub project: Option<Text>,
    pub description: Text,
    pub disabled: bool,
    /// `None`: never.
    pub expires: Option<DateTime<Utc>>,
    pub created: Option<DateTime<Utc>>,
    /// Sorted.
    pub permissions: Vec<Permission>,
    /// When the row was made; whether it has expired goes by this.
    pub as_of: DateTime<Utc>,
    /// It is the account that the cockpit uses.
    pub own: bool,
    pub findings: Vec<Finding>,
}

/// What is allowed of each resource, in one scope.
type Scope<'r> = (&'r str, Vec<(&'r str, Vec<&'r str>)>);

/// Robots that expire within this many days ask for a person.
const SOON: i64 = 7;

impl RobotRow {
    /// Returns whether it can log in no more.
    pub fn has_expired(&self) -> bool {
        self.expires.is_some_and(|at| at <= self.as_of)
    }

    /// Returns how it is: `active`, `expires soon`, `expired`, `disabled`.
    pub fn status(&self) -> &'static str {
        let soon = |at: DateTime<Utc>| (at - self.as_of).num_days() < SOON;
        match self.expires {
            _ if self.disabled => "disabled",
            Some(at) if at <= self.as_of => "expired",
            Some(at) if soon(at) => "expires soon",
            Some(_) | None => "active",
        }
    }

    fn health(&self) -> Health {
        match self.status() {
            "disabled" => Health::Suspended,
            "expired" => Health::Degraded,
            "expires soon" => Health::Missing,
            _ => Health::Healthy,
        }
    }

    /// Returns what it may do, by scope: `shop: repository pull push; *: artifact read`.
    pub fn permissions_text(&self) -> String {
        let mut scopes: Vec<Scope<'_>> = Vec::new();
        for one in &self.permissions {
            if scopes.last().is_none_or(|(scope, _)| *scope != &*one.scope) {
                scopes.push((&one.scope, Vec::new()));
            }
            let Some((_, resources)) = scopes.last_mut() else {
                continue;
            };
            match resources.last_mut() {
                Some((resource, actions)) if *resource == &*one.resource => {
                    actions.push(&one.action);
                }
                Some(_) | None => resources.push((&one.resource, vec![&one.action])),
            }
        }
        let scopes = scopes.into_iter().map(|(scope, resources)| {
            let resources: Vec<String> = resources
                .into_iter()
                .map(|(resource, actions)| format!("{resource} {}", actions.join(" ")))
                .collect();
            format!("{scope}: {}", resources.join(", "))
        });
        scopes.collect::<Vec<_>>().join("; ")
    }
}

/// A package with a vulnerability.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Affected {
    pub package: Text,
    pub version: Text,
    /// Empty when there is no version without it.
    pub fix: Text,
}

/// A vulnerability with everything that runs and has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CveRow {
    pub object: ObjectRef,
    pub uid: Uid,
    pub severity: Severity,
    /// In tenths: `score` of CVSS 3 is 9.8 for 98.
    pub score: Option<u16>,
    /// Sorted, each once.
    pub packages: Vec<Affected>,
    /// The artifacts, with the titles people know.
    pub images: Vec<(ObjectRef, Text)>,
    /// Shared: one place has hundreds of vulnerabilities.
    pub places: Vec<Arc<Place>>,
    pub description: Text,
    pub links: Vec<Text>,
}

impl CveRow {
    /// Returns whether some package has a version without it.
    pub fn is_fixable(&self) -> bool {
        self.packages.iter().any(|one| !one.fix.is_empty())
    }

    /// Returns the Applications that it hits, each once, sorted.
    pub fn applications(&self) -> Vec<&ObjectRef> {
        applications_of(self.places.iter().map(|place| &**place))
    }

    fn health(&self) -> Health {
        match self.severity {
            Severity::Critical => Health::Degraded,
            Severity::High => Health::Missing,
            Severity::Medium | Severity::Low | Severity::Negligible | Severity::Unknown => {
                Health::Healthy
            }
        }
    }
}

/// What a registry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// It has Harbor's API.
    Harbor,
    /// It has the distribution API only.
    Distribution,
    /// It is not asked.
    Unasked,
}

impl Flavour {
    /// Returns its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Harbor => "Harbor",
            Self::Distribution => "OCI",
            Self::Unasked => "not asked",
        }
    }
}

/// A part of a registry, and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub name: Text,
    pub healthy: bool,
    pub error: Text,
}

/// One registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryHealth {
    pub object: ObjectRef,
    pub uid: Uid,
    pub flavour: Flavour,
    /// How it is reached: a URL without its user, or a Service.
    pub address: Text,
    pub version: Text,
    /// The account, never its secret; empty for nobody.
    pub account: Text,
    /// Where the account was found.
    pub account_from: Text,
    /// `None` when it does not tell.
    pub healthy: Option<bool>,
    pub components: Vec<Component>,
    pub read_only: bool,
    /// Free and total bytes.
    pub storage: Option<(u64, u64)>,
    /// Repositories of it that run here.
    pub repositories: u32,
    /// What is wrong, and what to do.
    pub findings: Vec<Finding>,
}

impl RegistryHealth {
    /// Returns how it is in a word.
    pub fn status(&self) -> &'static str {
        match (self.flavour, self.healthy) {
            (Flavour::Unasked, _) => "not asked",
            (Flavour::Harbor | Flavour::Distribution, Some(false)) => "unhealthy",
            (Flavour::Harbor | Flavour::Distribution, _) if !self.findings.is_empty() => "trouble",
            (Flavour::Harbor | Flavour::Distribution, _) if self.read_only => "read-only",
            (Flavour::Harbor | Flavour::Distribution, _) => "healthy",
        }
    }

    fn health(&self) -> Health {
        match self.status() {
            "unhealthy" | "trouble" => Health::Degraded,
            "read-only" => Health::Suspended,
            "not asked" => Health::Unknown,
            _ => Health::Healthy,
        }
    }
}

/// A row of any of the tables of registries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryRow {
    Image(Box<ArtifactRow>),
    Project(Box<ProjectRow>),
    Robot(Box<RobotRow>),
    Cve(Box<CveRow>),
    Registry(Box<RegistryHealth>),
    Update(Box<UpdateRow>),
}

impl RegistryRow {
    /// Returns which object this is.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Image(row) => &row.object,
            Self::Project(row) => &row.object,
            Self::Robot(row) => &row.object,
            Self::Cve(row) => &row.object,
            Self::Registry(row) => &row.object,
            Self::Update(row) => &row.object,
        }
    }

    /// Returns which life of the object this is.
    pub fn uid(&self) -> &Uid {
        match self {
            Self::Image(row) => &row.uid,
            Self::Project(row) => &row.uid,
            Self::Robot(row) => &row.uid,
            Self::Cve(row) => &row.uid,
            Self::Registry(row) => &row.uid,
            Self::Update(row) => &row.uid,
        }
    }

    /// Returns the labels, sorted by key.
    pub fn labels(&self) -> &[(Text, Text)] {
        match self {
            Self::Image(row) => &row.labels,
            Self::Project(_)
            | Self::Robot(_)
            | Self::Cve(_)
            | Self::Registry(_)
            | Self::Update(_) => &[],
        }
    }

    /// Returns since when it is there.
    pub fn created(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Image(row) => row.pushed.or(row.built),
            Self::Project(row) => row.created,
            Self::Robot(row) => row.created,
            Self::Cve(_) | Self::Registry(_) | Self::Update(_) => None,
        }
    }

    /// Returns the health that its state stands for.
    pub fn health(&self) -> Health {
        match self {
            Self::Image(row) => row.health(),
            Self::Project(row) => row.health(),
            Self::Robot(row) => row.health(),
            Self::Cve(row) => row.health(),
            Self::Registry(row) => row.health(),
            Self::Update(row) => row.health(),
        }
    }

    /// Returns the word of its state.
    pub fn status(&self) -> String {
        match self {
            Self::Image(row) => row.status(),
            Self::Project(row) if row.public => String::from("public"),
            Self::Project(_) => String::from("private"),
            Self::Robot(row) => row.status().to_owned(),
            Self::Cve(row) => row.severity.word().to_owned(),
            Self::Registry(row) => row.status().to_owned(),
            Self::Update(row) => row.verdict().to_owned(),
        }
    }

    /// Returns whether it needs a person.
    pub fn is_faulty(&self) -> bool {
        let health = self.health();
        health == Health::Degraded || health == Health::Missing
    }

    /// Returns the pieces of text that a filter searches, besides name and namespace.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Image(row) => image_words(row),
            Self::Project(row) => vec![row.owner.to_string(), self.status()],
            Self::Robot(row) => vec![
                self.status(),
                row.description.to_string(),
                row.permissions_text(),
            ],
            Self::Cve(row) => {
                let packages = row.packages.iter();
                let mut words: Vec<String> = packages.map(|one| one.package.to_string()).collect();
                words.push(self.status());
                if row.is_fixable() {
                    words.push(String::from("fixable"));
                }
                words.extend(row.images.iter().map(|(_, title)| title.to_string()));
                let apps = row.applications();
                words.extend(apps.iter().map(|app| app.name.to_string()));
                words
            }
            Self::Registry(row) => vec![
                row.flavour.word().to_owned(),
                self.status(),
                row.address.to_string(),
            ],
            Self::Update(row) => vec![
                row.image.to_string(),
                row.current.to_string(),
                row.candidate(),
                row.rule(),
                self.status(),
                row.why().to_owned(),
                row.write_back.to_string(),
            ],
        }
    }
}

fn image_words(row: &ArtifactRow) -> Vec<String> {
    let mut words = vec![row.repository.to_string()];
    words.extend(
        row.tags
            .iter()
            .map(|tag| format!("{}:{tag}", row.repository)),
    );
    words.extend(row.states.iter().map(ImageState::text));
    if let Some(summary) = row.scan.summary() {
        words.push(summary.severity.word().to_owned());
    }
    for place in &row.places {
        let own = [&place.workload.name, &place.pod.name];
        words.extend(own.into_iter().map(ToString::to_string));
        words.extend(place.pod.namespace.iter().map(ToString::to_string));
        words.extend(place.application.iter().map(|app| app.name.to_string()));
    }
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests;
