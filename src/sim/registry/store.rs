//! What a registry holds: blobs by digest, and per repository manifests and tags.
//!
//! One store serves every interface over it. A blob is shared by all repositories but readable in
//! a repository only when it was pushed or mounted there. A manifest is taken only when everything
//! it refers to is there, as in `distribution`'s manifest verification.

use super::manifest::{Manifest, is_digest};
use super::usage::Usage;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

/// A tag of a repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    pub id: i64,
    /// The manifest that it points to.
    pub digest: String,
    pub pushed: DateTime<Utc>,
    pub pulled: Option<DateTime<Utc>>,
}

/// A manifest of a repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    pub id: i64,
    pub manifest: Manifest,
    pub pushed: DateTime<Utc>,
    pub pulled: Option<DateTime<Utc>>,
}

/// A repository such as `shop/demo-app`.
#[derive(Clone, Debug)]
pub struct Repository {
    pub id: i64,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
    pub pulls: u64,
    pub description: String,
    /// The blobs that can be read here.
    pub blobs: HashSet<String>,
    /// By digest.
    pub artifacts: BTreeMap<String, Artifact>,
    pub tags: BTreeMap<String, Tag>,
    /// The names of an artifact's tags, by its digest.
    tagged: HashMap<String, BTreeSet<String>>,
    /// How many artifacts lists show, until something changes.
    shown: OnceLock<usize>,
    /// The indexes that list a manifest, by the manifest's digest.
    parents: HashMap<String, BTreeSet<String>>,
    /// What is about a manifest, by the manifest's digest.
    referrers: HashMap<String, BTreeSet<String>>,
}

/// Why something was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The content has another digest than was said.
    DigestMismatch,
    /// The manifest refers to a blob that is not in the repository.
    MissingBlob(String),
    /// The index lists a manifest that is not in the repository.
    MissingManifest(String),
    /// Indexes of the repository list the manifest.
    Referenced,
    Unknown,
}

impl Repository {
    fn new(id: i64, now: DateTime<Utc>) -> Self {
        Self {
            id,
            created: now,
            updated: now,
            pulls: 0,
            description: String::new(),
            blobs: HashSet::new(),
            artifacts: BTreeMap::new(),
            tags: BTreeMap::new(),
            tagged: HashMap::new(),
            shown: OnceLock::new(),
            parents: HashMap::new(),
            referrers: HashMap::new(),
        }
    }

    /// Returns the artifact that a tag or digest names.
    pub fn artifact(&self, reference: &str) -> Option<&Artifact> {
        let digest = self.tags.get(reference).map(|tag| tag.digest.as_str());
        self.artifacts.get(digest.unwrap_or(reference))
    }

    /// Returns the tags of an artifact, in their order.
    pub fn tags_of(&self, digest: &str) -> impl Iterator<Item = (&String, &Tag)> {
        let names = self.tagged.get(digest).into_iter().flatten();
        names.filter_map(|name| self.tags.get_key_value(name))
    }

    /// Returns whether an artifact has any tag.
    pub fn is_tagged(&self, digest: &str) -> bool {
        self.tagged.contains_key(digest)
    }

    /// Something about another artifact, which lists do not show.
    pub fn is_accessory(&self, artifact: &Artifact) -> bool {
        let subject = artifact.manifest.subject.as_ref();
        subject.is_some_and(|subject| self.artifacts.contains_key(&subject.digest))
    }

    /// The artifacts that lists show: no accessories, and no untagged platforms of an index.
    pub fn shown(&self) -> impl Iterator<Item = &Artifact> {
        self.artifacts.values().filter(|artifact| {
            let digest = artifact.manifest.digest.as_str();
            !self.is_accessory(artifact) && (!self.is_child(digest) || self.is_tagged(digest))
        })
    }

    /// Returns how many artifacts lists show.
    pub fn count_shown(&self) -> usize {
        *self.shown.get_or_init(|| self.shown().count())
    }

    /// An index of the repository lists it.
    pub fn is_child(&self, digest: &str) -> bool {
        self.parents.contains_key(digest)
    }

    /// Returns the indexes that list a manifest.
    pub fn parents_of(&self, digest: &str) -> impl Iterator<Item = &Artifact> {
        let all = self.parents.get(digest).into_iter().flatten();
        all.filter_map(|parent| self.artifacts.get(parent))
    }

    /// Returns what is about a manifest: signatures, SBOMs.
    pub fn referrers_of(&self, digest: &str) -> impl Iterator<Item = &Artifact> {
        let all = self.referrers.get(digest).into_iter().flatten();
        all.filter_map(|one| self.artifacts.get(one))
    }

    /// Returns the manifests of an index, or the artifact itself.
    pub fn images<'a>(&'a self, artifact: &'a Artifact) -> Vec<&'a Artifact> {
        if !artifact.manifest.is_index() {
            return vec![artifact];
        }
        let children = artifact.manifest.children.iter();
        children
            .filter_map(|child| self.artifacts.get(&child.digest))
            .collect()
    }

    /// Bytes of an artifact; of an index with all its platforms.
    pub fn size_of(&self, artifact: &Artifact) -> u64 {
        if !artifact.manifest.is_index() {
            return artifact.manifest.size();
        }
        let images = self.images(artifact);
        let children: u64 = images.iter().map(|image| image.manifest.size()).sum();
        artifact.manifest.size() + children
    }

    fn name(&mut self, tag: &str, digest: &str) {
        self.shown = OnceLock::new();
        let names = self.tagged.entry(digest.to_owned()).or_default();
        names.insert(tag.to_owned());
    }

    fn unname(&mut self, tag: &str, digest: &str) {
        self.shown = OnceLock::new();
        forget(&mut self.tagged, digest, tag);
    }

    fn link(&mut self, manifest: &Manifest) {
        self.shown = OnceLock::new();
        for child in &manifest.children {
            let parents = self.parents.entry(child.digest.clone()).or_default();
            parents.insert(manifest.digest.clone());
        }
        if let Some(subject) = &manifest.subject {
            let referrers = self.referrers.entry(subject.digest.clone()).or_default();
            referrers.insert(manifest.digest.clone());
        }
    }

    fn unlink(&mut self, manifest: &Manifest) {
        self.shown = OnceLock::new();
        for child in &manifest.children {
            forget(&mut self.parents, &child.digest, &manifest.digest);
        }
        if let Some(subject) = &manifest.subject {
            forget(&mut self.referrers, &subject.digest, &manifest.digest);
        }
    }
}

/// Takes a value from a key's set, and the set when it was the last.
fn forget(map: &mut HashMap<String, BTreeSet<String>>, key: &str, value: &str) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}

/// Returns the project of a repository: what comes before the first `/`.
fn project_of(repository: &str) -> &str {
    repository.split('/').next().unwrap_or_default()
}

/// The contents of a registry.
#[derive(Clone, Debug, Default)]
pub struct Store {
    blobs: HashMap<String, Bytes>,
    repositories: BTreeMap<String, Repository>,
    /// What projects take, and what all of them take together.
    used: HashMap<String, Usage>,
    used_in_all: Usage,
    last_id: i64,
}

impl Store {
    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// Returns all repositories, in the order of their names.
    pub fn repositories(&self) -> &BTreeMap<String, Repository> {
        &self.repositories
    }

    /// Returns the repositories of a project, in the order of their names.
    pub fn repositories_of(&self, project: &str) -> impl Iterator<Item = (&String, &Repository)> {
        let prefix = format!("{project}/");
        let from = self.repositories.range(prefix.clone()..);
        from.take_while(move |(name, _)| name.starts_with(&prefix))
    }

    pub fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.get(name)
    }

    pub fn repository_mut(&mut self, name: &str) -> Option<&mut Repository> {
        self.repositories.get_mut(name)
    }

    /// Returns the repository, making it where there is none.
    pub fn ensure(&mut self, name: &str, now: DateTime<Utc>) -> &mut Repository {
        let id = self.last_id + 1;
        let mut made = false;
        let repository = self.repositories.entry(name.to_owned()).or_insert_with(|| {
            made = true;
            Repository::new(id, now)
        });
        if made {
            self.last_id = id;
        }
        repository
    }

    /// Removes a repository with everything in it.
    pub fn remove_repository(&mut self, name: &str) -> bool {
        let Some(gone) = self.repositories.remove(name) else {
            return false;
        };
        for artifact in gone.artifacts.values() {
            self.count_out(name, &artifact.manifest);
        }
        true
    }

    fn count_in(&mut self, repository: &str, manifest: &Manifest) {
        self.used_in_all.add(manifest);
        let own = self.used.entry(project_of(repository).to_owned());
        own.or_default().add(manifest);
    }

    fn count_out(&mut self, repository: &str, manifest: &Manifest) {
        self.used_in_all.remove(manifest);
        if let Some(own) = self.used.get_mut(project_of(repository)) {
            own.remove(manifest);
        }
    }

    /// Returns a blob as a repository sees it.
    pub fn blob(&self, repository: &str, digest: &str) -> Option<&Bytes> {
        let repository = self.repositories.get(repository)?;
        repository.blobs.contains(digest).then_some(())?;
        self.blobs.get(digest)
    }

    /// Returns a blob of any repository.
    pub fn any_blob(&self, digest: &str) -> Option<&Bytes> {
        self.blobs.get(digest)
    }

    /// Stores a blob of a repository and returns its digest.
    pub fn put_blob(&mut self, repository: &str, bytes: Bytes, now: DateTime<Utc>) -> String {
        let digest = super::manifest::digest_of(&bytes);
        self.keep_blob(repository, (&digest, bytes), now);
        digest
    }

    /// Stores a blob whose digest is known to be right.
    pub(super) fn keep_blob(
        &mut self,
        repository: &str,
        (digest, bytes): (&str, Bytes),
        now: DateTime<Utc>,
    ) {
        if !self.blobs.contains_key(digest) {
            self.blobs.insert(digest.to_owned(), bytes);
        }
        let own = &mut self.ensure(repository, now).blobs;
        if !own.contains(digest) {
            own.insert(digest.to_owned());
        }
    }

    /// Lets a repository read a blob that another one has.
    pub fn mount(&mut self, from: &str, to: &str, digest: &str, now: DateTime<Utc>) -> bool {
        if self.blob(from, digest).is_none() {
            return false;
        }
        self.ensure(to, now).blobs.insert(digest.to_owned());
        true
    }

    /// Takes a blob away from a repository.
    pub fn remove_blob(&mut self, repository: &str, digest: &str) -> bool {
        let found = self.repositories.get_mut(repository);
        found.is_some_and(|repository| repository.blobs.remove(digest))
    }

    /// Stores a manifest, and points a tag to it unless the reference is its digest.
    pub fn put_manifest(
        &mut self,
        repository: &str,
        reference: &str,
        manifest: Manifest,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        if is_digest(reference) && reference != manifest.digest {
            return Err(Refusal::DigestMismatch);
        }
        let known = self.ensure(repository, now);
        let blobs = manifest.config.iter().chain(&manifest.layers);
        let missing = blobs
            .map(|blob| &blob.digest)
            .find(|digest| !known.blobs.contains(*digest));
        if let Some(digest) = missing {
            return Err(Refusal::MissingBlob(digest.clone()));
        }
        let children = manifest.children.iter().map(|child| &child.digest);
        let missing = children
            .clone()
            .find(|digest| !known.artifacts.contains_key(*digest));
        if let Some(digest) = missing {
            return Err(Refusal::MissingManifest(digest.clone()));
        }
        let digest = manifest.digest.clone();
        if !known.artifacts.contains_key(&digest) {
            self.count_in(repository, &manifest);
        }
        let id = self.next_id();
        if let Some(known) = self.repositories.get_mut(repository) {
            known.link(&manifest);
            known.updated = now;
            let artifact = known
                .artifacts
                .entry(digest.clone())
                .or_insert_with(|| Artifact {
                    id,
                    manifest,
                    pushed: now,
                    pulled: None,
                });
            artifact.pushed = now;
        }
        if reference != digest {
            self.tag(repository, reference, &digest, now);
        }
        Ok(())
    }

    /// Points a tag to an artifact of the repository.
    pub fn tag(&mut self, repository: &str, name: &str, digest: &str, now: DateTime<Utc>) {
        let id = self.next_id();
        let Some(known) = self.repositories.get_mut(repository) else {
            return;
        };
        known.updated = now;
        let before = known.tags.get(name).map(|tag| tag.digest.clone());
        if let Some(before) = before {
            known.unname(name, &before);
        }
        known.name(name, digest);
        let tag = known.tags.entry(name.to_owned()).or_insert_with(|| Tag {
            id,
            digest: digest.to_owned(),
            pushed: now,
            pulled: None,
        });
        digest.clone_into(&mut tag.digest);
        tag.pushed = now;
    }

    /// Takes a tag away; its artifact stays.
    pub fn untag(&mut self, repository: &str, name: &str) -> bool {
        let Some(known) = self.repositories.get_mut(repository) else {
            return false;
        };
        let Some(tag) = known.tags.remove(name) else {
            return false;
        };
        known.unname(name, &tag.digest);
        true
    }

    /// Removes an artifact with its tags, and what is about it.
    pub fn remove_artifact(&mut self, repository: &str, digest: &str) -> Result<(), Refusal> {
        let known = self.repositories.get_mut(repository);
        let known = known.ok_or(Refusal::Unknown)?;
        if known.is_child(digest) {
            return Err(Refusal::Referenced);
        }
        let artifact = known.artifacts.remove(digest).ok_or(Refusal::Unknown)?;
        known.unlink(&artifact.manifest);
        for tag in known.tagged.remove(digest).unwrap_or_default() {
            known.tags.remove(&tag);
        }
        let about: Vec<String> = known
            .referrers_of(digest)
            .map(|one| one.manifest.digest.clone())
            .collect();
        // An index takes its platforms along unless another index or a tag keeps them.
        let children: Vec<String> = artifact
            .manifest
            .children
            .iter()
            .map(|child| child.digest.clone())
            .filter(|child| !known.is_child(child) && !known.is_tagged(child))
            .collect();
        self.count_out(repository, &artifact.manifest);
        for one in about.iter().chain(&children) {
            match self.remove_artifact(repository, one) {
                Ok(()) | Err(Refusal::Unknown | Refusal::Referenced) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }

    /// Notes that somebody pulled, and returns the artifact's digest.
    pub fn note_pull(
        &mut self,
        repository: &str,
        reference: &str,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let known = self.repositories.get_mut(repository)?;
        let digest = known.artifact(reference)?.manifest.digest.clone();
        known.pulls += 1;
        if let Some(artifact) = known.artifacts.get_mut(&digest) {
            artifact.pulled = Some(now);
        }
        if let Some(tag) = known.tags.get_mut(reference) {
            tag.pulled = Some(now);
        }
        Some(digest)
    }

    /// Bytes of everything that is held, each blob counted once.
    pub fn used(&self) -> u64 {
        self.used_in_all.bytes()
    }

    /// Bytes that a project's repositories hold, each blob counted once.
    pub fn used_by(&self, project: &str) -> u64 {
        self.used.get(project).map_or(0, Usage::bytes)
    }

    /// Removes what nothing refers to and returns how many manifests, blobs and bytes that were.
    pub fn collect_garbage(&mut self, untagged: bool, dry_run: bool) -> (usize, usize, u64) {
        let mut gone = Vec::new();
        for (name, repository) in self.repositories.iter().filter(|_| untagged) {
            let orphans = repository.artifacts.values().filter(|artifact| {
                let digest = artifact.manifest.digest.as_str();
                let about = artifact.manifest.subject.as_ref();
                !repository.is_tagged(digest)
                    && !repository.is_child(digest)
                    && about.is_none_or(|about| !repository.artifacts.contains_key(&about.digest))
            });
            gone.extend(orphans.map(|one| (name.clone(), one.manifest.digest.clone())));
        }
        let manifests = gone.len();
        let mut after = if dry_run {
            self.clone()
        } else {
            std::mem::take(self)
        };
        for (name, digest) in gone {
            if after.remove_artifact(&name, &digest).is_err() {
                tracing::debug!(name, digest, "an untagged manifest stays");
            }
        }
        let mut kept = HashSet::new();
        for repository in after.repositories.values_mut() {
            let mut own = HashSet::new();
            for artifact in repository.artifacts.values() {
                let blobs = artifact
                    .manifest
                    .config
                    .iter()
                    .chain(&artifact.manifest.layers);
                own.extend(blobs.map(|blob| blob.digest.clone()));
            }
            repository.blobs = own.clone();
            kept.extend(own);
        }
        let freed = after
            .blobs
            .iter()
            .filter(|(digest, _)| !kept.contains(*digest));
        let (blobs, bytes) = freed.fold((0, 0), |(count, sum), (_, blob)| {
            (count + 1, sum + blob.len() as u64)
        });
        after.blobs.retain(|digest, _| kept.contains(digest));
        if !dry_run {
            *self = after;
        }
        (manifests, blobs, bytes)
    }
}

#[cfg(test)]
mod tests;
