//! The embedded platform's git server: bare repositories on disk, read through libgit2.
//!
//! A repository is known by its path, such as `platform/guestbook`. Every URL with that path
//! means it, whatever the host, with or without `.git`: there is no network behind the embedded
//! platform, so an Application may keep the URL it has in real life. Reading and in-process
//! commits need no git program; clones and pushes over HTTP ([`http`]) do.

mod commit;
pub mod http;
mod tree;

pub use commit::{Author, FileEdit, NewCommit};

use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::files::FileTree;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use tokio::sync::broadcast;

/// The branch a new repository starts with.
pub const DEFAULT_BRANCH: &str = "main";

/// Trees of this many revisions stay in memory.
const CACHED_TREES: usize = 64;

/// A full commit id: 40 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha(Arc<str>);

impl Sha {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Sha {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<git2::Oid> for Sha {
    fn from(id: git2::Oid) -> Self {
        Self(id.to_string().into())
    }
}

/// Why git could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// In Argo CD's words; `url` says which.
    #[error("failed to list refs: repository not found")]
    UnknownRepository { url: String },
    /// In Argo CD's words (`util/git/client.go`).
    #[error("unable to resolve '{revision}' to a commit SHA")]
    UnknownRevision { url: String, revision: String },
    #[error(
        "`{0}` cannot be a repository: its path needs one to four parts of letters, digits, `-`, `_` and `.`"
    )]
    BadName(String),
    #[error("repository `{0}` exists already")]
    Exists(String),
    #[error("cannot commit to `{repository}`: {message}")]
    Refused { repository: String, message: String },
    #[error("cannot {doing} repository `{repository}`: {source}")]
    Git {
        doing: &'static str,
        repository: String,
        source: git2::Error,
    },
    #[error("cannot make the folder `{folder}` for repositories: {source}")]
    Folder {
        folder: String,
        source: std::io::Error,
    },
}

impl GitError {
    /// Says what to try, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownRepository { url } => Some(format!(
                "`{url}` is not served here; push to a repository with that path to create it"
            )),
            Self::UnknownRevision { url, revision } => Some(format!(
                "`{url}` has no branch, tag or commit `{revision}`; push it or change targetRevision"
            )),
            Self::BadName(_)
            | Self::Exists(_)
            | Self::Refused { .. }
            | Self::Git { .. }
            | Self::Folder { .. } => None,
        }
    }
}

/// One branch or tag that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefChange {
    /// Full name, such as `refs/heads/main`.
    pub name: String,
    /// `None`: it was created.
    pub before: Option<Sha>,
    /// `None`: it was deleted.
    pub after: Option<Sha>,
}

/// What a push (or an in-process commit) changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The repository's path, such as `platform/guestbook`.
    pub repository: String,
    pub changes: Vec<RefChange>,
    /// Who pushed, by the name they signed in with.
    pub pusher: String,
    pub at: DateTime<Utc>,
}

/// What a commit says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    pub sha: Sha,
    pub author: Author,
    pub date: DateTime<Utc>,
    pub message: String,
    pub parents: Vec<Sha>,
    pub tags: Vec<String>,
}

/// One file that differs between two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    pub path: String,
    pub kind: FileChangeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChangeKind {
    Added,
    Removed,
    Modified,
}

/// The repositories of the embedded platform. Clones share them.
#[derive(Clone, Debug)]
pub struct GitServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// Removes the folder at the end, when it is a temporary one.
    temporary: Option<tempfile::TempDir>,
    clock: PlatformClock,
    pushes: broadcast::Sender<Push>,
    trees: RwLock<VecDeque<(git2::Oid, Arc<tree::CommitTree>)>>,
}

impl GitServer {
    /// Serves the repositories in `folder`, or none yet in a temporary folder of its own.
    pub fn start(clock: PlatformClock, folder: Option<PathBuf>) -> Result<Self, GitError> {
        let unusable = |folder: &Path, source| GitError::Folder {
            folder: folder.display().to_string(),
            source,
        };
        let (folder, temporary) = match folder {
            Some(folder) => {
                std::fs::create_dir_all(&folder).map_err(|error| unusable(&folder, error))?;
                (folder, None)
            }
            None => {
                let temporary = tempfile::Builder::new()
                    .prefix("tiphys-git-")
                    .tempdir()
                    .map_err(|error| unusable(&std::env::temp_dir(), error))?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        Ok(Self(Arc::new(Inner {
            folder,
            temporary,
            clock,
            pushes: broadcast::channel(1024).0,
            trees: RwLock::default(),
        })))
    }

    /// Takes a temporary folder away at the end of its platform, however long others hold the server.
    pub fn discard(&self) {
        let Some(temporary) = &self.0.temporary else {
            return;
        };
        if let Err(error) = std::fs::remove_dir_all(temporary.path()) {
            tracing::debug!(%error, "the folder of the git server stays behind");
        }
    }

    /// Makes an empty repository whose HEAD is [`DEFAULT_BRANCH`].
    pub fn create(&self, name: &str) -> Result<(), GitError> {
        let name = repository_path(name);
        if !is_valid_name(&name) {
            return Err(GitError::BadName(name));
        }
        let folder = self.folder_of(&name);
        if folder.join("HEAD").exists() {
            return Err(GitError::Exists(name));
        }
        let mut options = git2::RepositoryInitOptions::new();
        options
            .bare(true)
            .mkpath(true)
            .external_template(false)
            .initial_head(DEFAULT_BRANCH);
        let made = git2::Repository::init_opts(&folder, &options)
            .and_then(|repository| repository.config()?.set_bool("http.receivepack", true));
        made.map_err(|source| GitError::Git {
            doing: "create",
            repository: name,
            source,
        })
    }

    /// Lists the paths of all repositories, sorted.
    pub fn repositories(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect_repositories(&self.0.folder, "", &mut found);
        found.sort();
        found
    }

    /// Says whether the repository of this URL (or path) exists.
    pub fn exists(&self, url: &str) -> bool {
        let name = repository_path(url);
        is_valid_name(&name) && self.folder_of(&name).join("HEAD").exists()
    }

    /// Resolves a branch, tag, full or short commit id; `HEAD` and the empty text mean the
    /// repository's default branch.
    pub fn resolve(&self, url: &str, revision: &str) -> Result<Sha, GitError> {
        let repository = self.open(url)?;
        let wanted = if revision.is_empty() {
            "HEAD"
        } else {
            revision
        };
        find_commit(&repository, wanted)
            .map(|commit| commit.id().into())
            .ok_or_else(|| GitError::UnknownRevision {
                url: url.to_owned(),
                revision: wanted.to_owned(),
            })
    }

    /// Returns the files of a commit.
    pub fn tree(&self, url: &str, sha: &Sha) -> Result<Arc<dyn FileTree>, GitError> {
        let repository = self.open(url)?;
        let commit = Self::commit_at(&repository, url, sha)?;
        let id = commit.tree_id();
        if let Some(tree) = self.cached_tree(id) {
            return Ok(tree);
        }
        let tree = tree::CommitTree::load(&repository, id)
            .map(Arc::new)
            .map_err(|source| git_error("read files of", url, source))?;
        if let Ok(mut trees) = self.0.trees.write() {
            trees.push_back((id, Arc::clone(&tree)));
            while trees.len() > CACHED_TREES {
                trees.pop_front();
            }
        }
        Ok(tree)
    }

    fn cached_tree(&self, id: git2::Oid) -> Option<Arc<tree::CommitTree>> {
        let trees = self.0.trees.read().ok()?;
        let (_, tree) = trees.iter().find(|(cached, _)| *cached == id)?;
        Some(Arc::clone(tree))
    }

    /// Returns what a commit says about itself.
    pub fn commit(&self, url: &str, sha: &Sha) -> Result<CommitInfo, GitError> {
        let repository = self.open(url)?;
        let commit = Self::commit_at(&repository, url, sha)?;
        Ok(commit::info(&commit, &tags_by_commit(&repository)))
    }

    /// Lists a revision's history, newest first, at most `limit` commits.
    pub fn log(
        &self,
        url: &str,
        revision: &str,
        limit: usize,
    ) -> Result<Vec<CommitInfo>, GitError> {
        let start = self.resolve(url, revision)?;
        let repository = self.open(url)?;
        let tags = tags_by_commit(&repository);
        let walk = || -> Result<Vec<CommitInfo>, git2::Error> {
            let mut walk = repository.revwalk()?;
            walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::TIME)?;
            walk.push(parse_id(start.as_str())?)?;
            walk.take(limit)
                .map(|id| Ok(commit::info(&repository.find_commit(id?)?, &tags)))
                .collect()
        };
        walk().map_err(|source| git_error("read the history of", url, source))
    }

    /// Lists the files that differ between two commits (`None`: the empty tree).
    pub fn diff(
        &self,
        url: &str,
        from: Option<&Sha>,
        to: &Sha,
    ) -> Result<Vec<FileChange>, GitError> {
        let repository = self.open(url)?;
        let differ = || -> Result<Vec<FileChange>, git2::Error> {
            let tree_of = |sha: &Sha| repository.find_commit(parse_id(sha.as_str())?)?.tree();
            let from = from.map(tree_of).transpose()?;
            let diff = repository.diff_tree_to_tree(from.as_ref(), Some(&tree_of(to)?), None)?;
            Ok(diff
                .deltas()
                .filter_map(|delta| file_change(&delta))
                .collect())
        };
        differ().map_err(|source| git_error("compare commits of", url, source))
    }

    /// Lists every branch and tag with the commit (or tag object) it points at.
    pub fn refs(&self, url: &str) -> Result<BTreeMap<String, Sha>, GitError> {
        let repository = self.open(url)?;
        refs_of(&repository).map_err(|source| git_error("list refs of", url, source))
    }

    /// Returns the branch that HEAD means; `None` where there is no such repository.
    pub fn default_branch(&self, url: &str) -> Option<String> {
        let repository = self.open(url).ok()?;
        let head = repository.find_reference("HEAD").ok()?;
        let target = head.symbolic_target().ok()??;
        target.strip_prefix("refs/heads/").map(str::to_owned)
    }

    /// Follows what is pushed from now on; a slow reader misses the oldest.
    pub fn pushes(&self) -> broadcast::Receiver<Push> {
        self.0.pushes.subscribe()
    }

    /// Tells everyone who follows [`GitServer::pushes`] what changed since `before`.
    fn announce(&self, name: &str, pusher: &str, before: &BTreeMap<String, Sha>) -> Option<Push> {
        let after = self.refs(name).ok()?;
        let changes = changes_between(before, &after);
        if changes.is_empty() {
            return None;
        }
        let push = Push {
            repository: name.to_owned(),
            changes,
            pusher: pusher.to_owned(),
            at: self.0.clock.now(),
        };
        // Nobody listening is no failure: the next reconcile finds the new commit.
        drop(self.0.pushes.send(push.clone()));
        Some(push)
    }

    /// Points HEAD at the only branch when the one it names does not exist.
    fn settle_head(&self, name: &str) -> Result<(), GitError> {
        let repository = self.open(name)?;
        if repository.head().is_ok() {
            return Ok(());
        }
        let branches: Vec<String> = self
            .refs(name)?
            .into_keys()
            .filter(|reference| reference.starts_with("refs/heads/"))
            .collect();
        match branches.first() {
            Some(branch) => repository
                .set_head(branch)
                .map_err(|source| git_error("set the default branch of", name, source)),
            None => Ok(()),
        }
    }

    fn folder_of(&self, name: &str) -> PathBuf {
        self.0.folder.join(format!("{name}.git"))
    }

    fn open(&self, url: &str) -> Result<git2::Repository, GitError> {
        if !self.exists(url) {
            return Err(GitError::UnknownRepository {
                url: url.to_owned(),
            });
        }
        git2::Repository::open_bare(self.folder_of(&repository_path(url)))
            .map_err(|source| git_error("open", url, source))
    }

    fn commit_at<'r>(
        repository: &'r git2::Repository,
        url: &str,
        sha: &Sha,
    ) -> Result<git2::Commit<'r>, GitError> {
        parse_id(sha.as_str())
            .and_then(|id| repository.find_commit(id))
            .map_err(|_absent| GitError::UnknownRevision {
                url: url.to_owned(),
                revision: sha.to_string(),
            })
    }
}

/// Returns the path of a repository URL: no scheme, user, host or `.git`.
pub fn repository_path(url: &str) -> String {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        // The short form of ssh: `git@host:path`.
        None => match url.split_once(':') {
            Some((host, path)) if !host.contains('/') => path,
            _ => url,
        },
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.trim_matches('/');
    path.strip_suffix(".git").unwrap_or(path).to_owned()
}

fn is_valid_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let legal = |part: &&str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    // A part that ends in `.git` would lie inside another repository's folder.
    parts.len() <= 4 && parts.iter().all(legal) && !parts.iter().any(|part| part.ends_with(".git"))
}

fn collect_repositories(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = entry.path();
        if let Some(repository) = name.strip_suffix(".git") {
            if path.join("HEAD").exists() {
                found.push(format!("{prefix}{repository}"));
            }
        } else if path.is_dir() {
            collect_repositories(&path, &format!("{prefix}{name}/"), found);
        }
    }
}

/// Finds a commit the way Argo CD does: a ref first, then a commit id of seven digits or more.
fn find_commit<'r>(repository: &'r git2::Repository, wanted: &str) -> Option<git2::Commit<'r>> {
    if wanted == "HEAD" {
        return repository.head().ok()?.peel_to_commit().ok();
    }
    if let Ok(reference) = repository.resolve_reference_from_short_name(wanted) {
        return reference.peel_to_commit().ok();
    }
    let is_id = (7..=40).contains(&wanted.len()) && wanted.chars().all(|c| c.is_ascii_hexdigit());
    if !is_id {
        return None;
    }
    repository.find_commit_by_prefix(wanted).ok()
}

fn refs_of(repository: &git2::Repository) -> Result<BTreeMap<String, Sha>, git2::Error> {
    let mut refs = BTreeMap::new();
    for reference in repository.references()? {
        let reference = reference?;
        if let (Ok(name), Some(target)) = (reference.name(), reference.target()) {
            refs.insert(name.to_owned(), target.into());
        }
    }
    Ok(refs)
}

fn tags_by_commit(repository: &git2::Repository) -> BTreeMap<git2::Oid, Vec<String>> {
    let mut tags: BTreeMap<git2::Oid, Vec<String>> = BTreeMap::new();
    let Ok(references) = repository.references_glob("refs/tags/*") else {
        return tags;
    };
    for reference in references.flatten() {
        if let (Ok(name), Ok(commit)) = (reference.shorthand(), reference.peel_to_commit()) {
            tags.entry(commit.id()).or_default().push(name.to_owned());
        }
    }
    tags
}

fn changes_between(
    before: &BTreeMap<String, Sha>,
    after: &BTreeMap<String, Sha>,
) -> Vec<RefChange> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| RefChange {
            name: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect()
}

fn file_change(delta: &git2::DiffDelta<'_>) -> Option<FileChange> {
    let kind = match delta.status() {
        git2::Delta::Added => FileChangeKind::Added,
        git2::Delta::Deleted => FileChangeKind::Removed,
        git2::Delta::Unmodified
        | git2::Delta::Modified
        | git2::Delta::Renamed
        | git2::Delta::Copied
        | git2::Delta::Ignored
        | git2::Delta::Untracked
        | git2::Delta::Typechange
        | git2::Delta::Unreadable
        | git2::Delta::Conflicted => FileChangeKind::Modified,
    };
    let file = match kind {
        FileChangeKind::Removed => delta.old_file(),
        FileChangeKind::Added | FileChangeKind::Modified => delta.new_file(),
    };
    let path = file.path()?.to_str()?.to_owned();
    Some(FileChange { path, kind })
}

fn parse_id(text: &str) -> Result<git2::Oid, git2::Error> {
    git2::Oid::from_str(text)
}

fn git_error(doing: &'static str, url: &str, source: git2::Error) -> GitError {
    GitError::Git {
        doing,
        repository: repository_path(url),
        source,
    }
}

#[cfg(test)]
mod tests;
