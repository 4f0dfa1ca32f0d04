//! What projects refuse: vulnerable or unsigned images, immutable tags, more bytes than the quota.

use super::error::Refusal;
use super::model::{Project, Status};
use super::scan::{Finding, ScanKind, Severity};
use super::state::Bench;
use super::webhook::Event;
use super::wire;

impl Bench<'_> {
    /// A rule of the project keeps the tag as it is.
    pub(super) fn is_immutable(&self, repository: &str, tag: &str) -> bool {
        let Some(project) = self.state.project_of(repository) else {
            return false;
        };
        let short = repository
            .split_once('/')
            .map_or(repository, |(_, rest)| rest);
        project.immutable.iter().any(|rule| rule.keeps(short, tag))
    }

    /// Refuses what may not be given out (`middleware/vulnerable`, `middleware/cosign`).
    pub(super) fn refuse_pull(&self, name: &str, digest: &str) -> Result<(), Refusal> {
        let Some(project) = self.state.project_of(name) else {
            return Err(Refusal::not_found(format!("repository {name} not found")));
        };
        let repository = self.repository(name)?;
        let artifact = self.artifact(name, digest)?;
        if repository.is_accessory(artifact) || wire::kind(artifact) != "IMAGE" {
            return Ok(());
        }
        if project.is("enable_content_trust_cosign") && !self.is_signed(name, digest) {
            return Err(Refusal::policy("The image is not signed by cosign."));
        }
        if !project.is("prevent_vul") {
            return Ok(());
        }
        let limit = project.metadata.get("severity").map_or("", String::as_str);
        let limit = Severity::read(limit);
        let rule = format!(
            "configured policy in 'Prevent images with vulnerability severity of \"{}\" or higher \
             from running.'",
            limit.word()
        );
        let (scans, count) = wire::scans(self, (name, artifact), ScanKind::Vulnerabilities);
        let done = scans
            .iter()
            .filter(|(_, scan)| scan.status == Status::Success);
        if done.count() < count {
            return Err(Refusal::policy(format!(
                "current image without vulnerability scanning cannot be pulled due to {rule} To \
                 continue with pull, please contact your project administrator for help."
            )));
        }
        let bad =
            |one: &&Finding| one.severity() >= limit && !self.is_allowed(project, &one.cve.id);
        let found = scans
            .iter()
            .flat_map(|(_, scan)| scan.findings.iter())
            .filter(bad);
        let mut ids: Vec<&str> = found.map(|one| one.cve.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        let noun = if ids.len() == 1 {
            "vulnerability"
        } else {
            "vulnerabilities"
        };
        Err(Refusal::policy(format!(
            "current image with {} {noun} cannot be pulled due to {rule} To continue with pull, \
             please contact your project administrator to exempt matched vulnerabilities through \
             configuring the CVE allowlist.",
            ids.len()
        )))
    }

    /// A list of the project, or of the system, makes an exception.
    fn is_allowed(&self, project: &Project, id: &String) -> bool {
        let of_system = project.is("reuse_sys_cve_allowlist");
        let list = if of_system {
            &self.state.allowlist
        } else {
            &project.allowlist
        };
        list.contains(id)
    }

    pub(super) fn is_signed(&self, name: &str, digest: &str) -> bool {
        let Some(repository) = self.store.repository(name) else {
            return false;
        };
        // The signature of an index counts for its platforms.
        let parents = repository
            .parents_of(digest)
            .map(|one| one.manifest.digest.as_str());
        std::iter::once(digest)
            .chain(parents)
            .flat_map(|one| repository.referrers_of(one))
            .any(|one| wire::accessory_type(one).starts_with("signature."))
    }

    /// Refuses content that a project does not take.
    pub(super) fn refuse_push(
        &mut self,
        name: &str,
        reference: &str,
        bytes: u64,
    ) -> Result<(), Refusal> {
        let Some(project) = self.state.project_of(name) else {
            let project = name.split('/').next().unwrap_or_default();
            return Err(Refusal::not_found(format!("project {project} not found")));
        };
        let tagged = self
            .store
            .repository(name)
            .is_some_and(|one| one.tags.contains_key(reference));
        if tagged && self.is_immutable(name, reference) {
            return Err(Refusal::precondition(format!(
                "Failed to process request due to '{name}:{reference}' configured as immutable."
            )));
        }
        let hard = project.quota;
        if hard < 0 {
            return Ok(());
        }
        let used = self.used(&project.name);
        if used + bytes <= hard as u64 {
            return Ok(());
        }
        self.announce(&Event {
            kind: "QUOTA_EXCEED",
            repository: name,
            digest: "",
            reference,
            by: "",
            scan: None,
        });
        Err(Refusal::denied(format!(
            "adding {} of storage resource, which when updated to current usage of {} will exceed \
             the configured upper limit of {}.",
            bytes_in_words(bytes),
            bytes_in_words(used),
            bytes_in_words(hard as u64)
        )))
    }

    /// Refuses to remove what is kept or needed.
    pub(super) fn refuse_removal(&self, name: &str, reference: &str) -> Result<(), Refusal> {
        let repository = self.repository(name)?;
        let artifact = self.artifact(name, reference)?;
        let digest = artifact.manifest.digest.as_str();
        let by_tag = repository.tags.contains_key(reference);
        let kept = repository
            .tags_of(digest)
            .map(|(tag, _)| tag)
            .filter(|tag| !by_tag || *tag == reference)
            .find(|tag| self.is_immutable(name, tag));
        if let Some(tag) = kept {
            return Err(Refusal::precondition(format!(
                "the tag {name}:{tag} is configured as immutable, it cannot be deleted"
            )));
        }
        if !by_tag && repository.is_child(digest) {
            return Err(Refusal::precondition(format!(
                "the deletion of {name}@{digest} is not allowed: it is referenced by an index"
            )));
        }
        Ok(())
    }

    /// Bytes that a project's artifacts take.
    pub(super) fn used(&self, project: &str) -> u64 {
        self.store.used_by(project)
    }
}

fn bytes_in_words(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return format!("{value:.1} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}
