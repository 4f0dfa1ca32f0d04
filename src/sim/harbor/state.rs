//! Everything Harbor knows beside the content, and how work in it goes on with time.

use super::access::{Caller, Scope};
use super::error::Refusal;
use super::model::{AuditEntry, Execution, Label, Project, Robot, Status, Vendor};
use super::scan::{Scan, ScanKind};
use super::scans::{Database, ScanKey, Scans};
use super::webhook::{Delivery, Policy as WebhookPolicy};
use crate::sim::registry::image::{self, Package};
use crate::sim::registry::store::{Artifact, Repository, Store};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Seconds that a scan waits, and that it takes.
const SCAN_WAITS: i64 = 1;
const SCAN_TAKES: i64 = 5;
/// Older entries are forgotten.
const LONGEST_LOG: usize = 5000;

/// An artifact of a repository, by digest.
pub(super) type Place = (String, String);

/// What Harbor knows.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) projects: BTreeMap<i64, Project>,
    pub(super) robots: BTreeMap<i64, Robot>,
    pub(super) labels: BTreeMap<i64, Label>,
    pub(super) labelled: BTreeMap<Place, BTreeSet<i64>>,
    pub(super) scans: Scans,
    pub(super) database: Database,
    pub(super) executions: BTreeMap<i64, Execution>,
    pub(super) audit: Vec<AuditEntry>,
    pub(super) webhooks: BTreeMap<i64, WebhookPolicy>,
    /// What is to be sent.
    pub(super) outbox: Vec<Delivery>,
    pub(super) replications: BTreeMap<i64, super::replication::Policy>,
    pub(super) registries: BTreeMap<i64, super::replication::Remote>,
    pub(super) schedules: BTreeMap<&'static str, Schedule>,
    pub(super) paused: BTreeSet<String>,
    pub(super) allowlist: Vec<String>,
    pub(super) admin_secret: String,
    pub(super) token_key: String,
    /// Whether the database was moved after a scan was asked for.
    pub(super) last_id: i64,
}

/// When something is done by itself.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) kind: String,
    pub(super) cron: String,
    pub(super) parameters: Value,
    pub(super) created: DateTime<Utc>,
}

/// State and content at one moment.
pub(super) struct Bench<'b> {
    pub(super) state: &'b mut State,
    pub(super) store: &'b mut Store,
    pub(super) now: DateTime<Utc>,
    /// The host of image references.
    pub(super) host: &'b str,
    /// Random enough for a demo's secrets.
    pub(super) secret: &'b dyn Fn() -> String,
}

impl State {
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn project(&self, name: &str) -> Option<&Project> {
        self.projects.values().find(|project| project.name == name)
    }

    /// Returns the project that holds a repository.
    pub(super) fn project_of(&self, repository: &str) -> Option<&Project> {
        self.project(repository.split('/').next().unwrap_or_default())
    }

    /// When the next piece of work goes on.
    pub(super) fn due(&self) -> Option<DateTime<Utc>> {
        let works = self
            .executions
            .values()
            .filter(|work| !work.status.is_final());
        let scans = self.scans.due().into_iter();
        scans.chain(works.map(|work| work.due)).min()
    }

    pub(super) fn log(&mut self, entry: AuditEntry) {
        if self.audit.len() >= LONGEST_LOG {
            self.audit.drain(..LONGEST_LOG / 10);
        }
        self.audit.push(entry);
    }
}

impl Bench<'_> {
    /// Refuses what the caller may not do.
    pub(super) fn require(
        &self,
        caller: &Caller,
        scope: Scope<'_>,
        wanted: (&str, &str),
    ) -> Result<(), Refusal> {
        let public = match scope {
            Scope::System => false,
            Scope::Project(name) => self.state.project(name).is_some_and(Project::is_public),
        };
        if caller.may(scope, wanted, public) {
            return Ok(());
        }
        Err(caller.refusal(wanted))
    }

    /// Notes who did what.
    pub(super) fn note(
        &mut self,
        by: &str,
        (resource_type, operation): (&'static str, &'static str),
        resource: impl Into<String>,
        project: Option<i64>,
    ) {
        let entry = AuditEntry {
            id: self.state.next_id(),
            by: by.to_owned(),
            resource: resource.into(),
            resource_type,
            operation,
            project,
            at: self.now,
        };
        self.state.log(entry);
    }

    pub(super) fn repository(&self, name: &str) -> Result<&Repository, Refusal> {
        let found = self.store.repository(name);
        found.ok_or_else(|| Refusal::not_found(format!("repository {name} not found")))
    }

    pub(super) fn artifact(&self, repository: &str, reference: &str) -> Result<&Artifact, Refusal> {
        let found = self.repository(repository)?.artifact(reference);
        found.ok_or_else(|| {
            let joint = if reference.starts_with("sha256:") {
                '@'
            } else {
                ':'
            };
            Refusal::not_found(format!("artifact {repository}{joint}{reference} not found"))
        })
    }

    /// Returns the packages that an image's layers say are installed.
    pub(super) fn packages(&self, artifact: &Artifact) -> Vec<Package> {
        let layers = artifact.manifest.layers.iter();
        let layers: Vec<&Bytes> = layers
            .filter_map(|layer| self.store.any_blob(&layer.digest))
            .collect();
        image::packages(layers.into_iter())
    }

    /// Begins to scan an artifact; of an index each platform.
    pub(super) fn begin_scan(
        &mut self,
        (repository, digest): (&str, &str),
        kind: ScanKind,
        by: &str,
        scan_all: Option<i64>,
    ) -> Result<(), Refusal> {
        let found = self.repository(repository)?;
        let artifact = self.artifact(repository, digest)?;
        let images: Vec<String> = found
            .images(artifact)
            .iter()
            .filter(|image| is_scannable(image))
            .map(|image| image.manifest.digest.clone())
            .collect();
        if images.is_empty() {
            return Err(Refusal::bad_request(format!(
                "the configured scanner Trivy does not support scanning artifact with mime type {}",
                artifact.manifest.media_type
            )));
        }
        let running = images
            .iter()
            .filter_map(|digest| self.state.scans.get((repository, digest), kind))
            .find(|scan| !scan.status.is_final());
        if let Some(scan) = running {
            return Err(Refusal::conflict(format!(
                "a previous scan process is {}",
                scan.status.word()
            )));
        }
        for digest in images {
            let id = self.state.next_id();
            let mark =
                crate::sim::registry::manifest::digest_of(format!("{digest}{id}").as_bytes());
            let hex = |from: usize, to: usize| mark.get(7 + from..7 + to).unwrap_or_default();
            let report_id = format!(
                "{}-{}-4{}-8{}-{}",
                hex(0, 8),
                hex(8, 12),
                hex(13, 16),
                hex(17, 20),
                hex(20, 32)
            );
            let scan = Scan {
                report_id,
                status: Status::Pending,
                start: self.now,
                end: None,
                due: self.now + TimeDelta::seconds(SCAN_WAITS),
                by: by.to_owned(),
                findings: Arc::default(),
                sbom: String::new(),
                scan_all,
            };
            let key = (repository.to_owned(), digest, kind);
            self.state.scans.insert(key, scan);
        }
        Ok(())
    }

    /// Does what is due.
    pub(super) fn advance(&mut self) {
        let now = self.now;
        for key in self.state.scans.due_by(now) {
            self.advance_scan(&key);
        }
        let works: Vec<i64> = self
            .state
            .executions
            .values()
            .filter(|work| !work.status.is_final() && work.due <= now)
            .map(|work| work.id)
            .collect();
        for id in works {
            self.advance_work(id);
        }
    }

    fn advance_scan(&mut self, key: &ScanKey) {
        let now = self.now;
        let (repository, digest, kind) = key;
        self.state.scans.change(key, |scan| {
            if scan.status == Status::Pending {
                scan.status = Status::Running;
                scan.due += TimeDelta::seconds(SCAN_TAKES);
            }
        });
        let scan = self.state.scans.get((repository, digest), *kind);
        let Some((end, by)) = scan.map(|scan| (scan.due, scan.by.clone())) else {
            return;
        };
        if end > now {
            return;
        }
        let found = self.artifact(repository, digest);
        let Ok(artifact) = found.cloned() else {
            self.state.scans.remove((repository, digest));
            return;
        };
        let packages = self.packages(&artifact);
        let mut sbom = String::new();
        if *kind == ScanKind::Sbom {
            let name = format!("{}/{repository}@{digest}", self.host);
            let built = image::sbom(&name, &artifact.manifest, &packages, end);
            if built.push(self.store, repository, "", end).is_ok() {
                built.digest().clone_into(&mut sbom);
            }
        }
        let findings = match kind {
            ScanKind::Vulnerabilities => self.state.database.findings(&packages),
            ScanKind::Sbom => Arc::default(),
        };
        self.state.scans.change(key, |scan| {
            scan.status = Status::Success;
            scan.end = Some(end);
            scan.findings = findings;
            scan.sbom = sbom;
        });
        self.announce_scan((repository, digest), *kind, &by);
    }

    fn advance_work(&mut self, id: i64) {
        let Some(work) = self.state.executions.get_mut(&id) else {
            return;
        };
        if work.status == Status::Pending {
            work.status = Status::Running;
        }
        match work.vendor {
            Vendor::ScanAll => self.advance_scan_all(id),
            Vendor::GarbageCollection => self.collect_garbage(id),
            Vendor::Retention => self.retain(id),
            Vendor::Replication => self.replicate(id),
            // It is over when its answer came.
            Vendor::Webhook => {
                if let Some(work) = self.state.executions.get_mut(&id) {
                    work.due = self.now + TimeDelta::seconds(5);
                }
            }
        }
    }

    /// A scan of everything is over when all its scans are.
    fn advance_scan_all(&mut self, id: i64) {
        let own = self
            .state
            .scans
            .going()
            .filter(|(_, scan)| scan.scan_all == Some(id));
        let next = own.map(|(_, scan)| scan.due).max();
        match next {
            Some(due) => {
                let wait = due.max(self.now + TimeDelta::seconds(1));
                if let Some(work) = self.state.executions.get_mut(&id) {
                    work.due = wait;
                }
            }
            None => self.end_work(id, Status::Success, ""),
        }
    }

    pub(super) fn end_work(&mut self, id: i64, status: Status, message: &str) {
        let now = self.now;
        if let Some(work) = self.state.executions.get_mut(&id) {
            work.status = status;
            work.end = Some(now);
            message.clone_into(&mut work.message);
            let stamp = now.format("%Y-%m-%dT%H:%M:%SZ");
            work.log
                .push(format!("{stamp} [INFO] {} {message}", status.word()));
        }
    }

    /// Begins a piece of work and returns its number.
    pub(super) fn begin_work(
        &mut self,
        (vendor, vendor_id): (Vendor, i64),
        trigger: &'static str,
        seconds: i64,
        details: Value,
    ) -> i64 {
        let id = self.state.next_id();
        let stamp = self.now.format("%Y-%m-%dT%H:%M:%SZ");
        let work = Execution {
            id,
            vendor,
            vendor_id,
            trigger,
            status: Status::Running,
            message: String::new(),
            start: self.now,
            end: None,
            due: self.now + TimeDelta::seconds(seconds),
            details,
            log: vec![format!("{stamp} [INFO] {} started", vendor.word())],
        };
        self.state.executions.insert(id, work);
        id
    }

    /// Scans everything that can be scanned.
    pub(super) fn scan_all(&mut self, trigger: &'static str) -> i64 {
        let id = self.begin_work((Vendor::ScanAll, 0), trigger, 2, Value::Null);
        let all: Vec<Place> = self
            .store
            .repositories()
            .iter()
            .flat_map(|(name, repository)| {
                let all = repository.artifacts.values();
                let images = all.filter(|one| is_scannable(one));
                images.map(|one| (name.clone(), one.manifest.digest.clone()))
            })
            .collect();
        for (repository, digest) in all {
            let place = (repository.as_str(), digest.as_str());
            // What is being scanned already is not scanned twice.
            let begun = self.begin_scan(place, ScanKind::Vulnerabilities, "scanner", Some(id));
            if let Err(refusal) = begun {
                tracing::debug!(repository, digest, message = refusal.message, "not scanned");
            }
        }
        id
    }

    fn collect_garbage(&mut self, id: i64) {
        let details = self
            .state
            .executions
            .get(&id)
            .map(|work| work.details.clone());
        let details = details.unwrap_or_default();
        let flag = |name: &str| details[name] == json!(true);
        let dry = flag("dry_run");
        let freed = self.store.collect_garbage(flag("delete_untagged"), dry);
        let (manifests, blobs, bytes) = freed;
        if let Some(work) = self.state.executions.get_mut(&id) {
            work.details["purged_manifests"] = json!(manifests);
            work.details["purged_blobs"] = json!(blobs);
            work.details["freed_space"] = json!(bytes);
            let verb = if dry { "would be" } else { "were" };
            work.log.push(format!(
                "[INFO] {manifests} manifests and {blobs} blobs {verb} removed, {bytes} bytes"
            ));
        }
        self.end_work(id, Status::Success, "");
    }

    fn retain(&mut self, id: i64) {
        let Some(work) = self.state.executions.get(&id) else {
            return;
        };
        let (dry, policy) = (work.details["dry_run"] == json!(true), work.vendor_id);
        let found = self.state.projects.values().find(|project| {
            project
                .retention
                .as_ref()
                .is_some_and(|rule| rule.id == policy)
        });
        let Some(project) = found.cloned() else {
            self.end_work(id, Status::Error, "the policy is gone");
            return;
        };
        let keep = project.retention.as_ref().map_or(0, |rule| rule.keep) as usize;
        let mut removed = Vec::new();
        let mut total = 0;
        for (name, repository) in self.store.repositories_of(&project.name) {
            let short = name.split_once('/').map_or("", |(_, short)| short);
            let mut tags: Vec<_> = repository.tags.iter().collect();
            total += tags.len();
            tags.sort_by_key(|(_, tag)| std::cmp::Reverse(tag.pushed));
            let old = tags.into_iter().skip(keep).map(|(tag, _)| tag.clone());
            let kept = |tag: &String| project.immutable.iter().any(|rule| rule.keeps(short, tag));
            removed.extend(old.filter(|tag| !kept(tag)).map(|tag| (name.clone(), tag)));
        }
        for (name, tag) in removed.iter().filter(|_| !dry) {
            self.store.untag(name, tag);
        }
        let count = removed.len();
        if let Some(work) = self.state.executions.get_mut(&id) {
            work.details["total"] = json!(total);
            work.details["retained"] = json!(total - count);
            let lines = removed
                .iter()
                .map(|(name, tag)| format!("[INFO] DEL {name}:{tag}"));
            work.log.extend(lines);
        }
        self.end_work(id, Status::Success, "");
    }
}

/// An image, not a signature or a list.
pub(super) fn is_scannable(artifact: &Artifact) -> bool {
    use crate::sim::registry::manifest::{DOCKER_CONFIG, OCI_CONFIG};
    let config = artifact.manifest.config.as_ref();
    config.is_some_and(|config| matches!(config.media_type.as_str(), OCI_CONFIG | DOCKER_CONFIG))
        && artifact.manifest.subject.is_none()
}
