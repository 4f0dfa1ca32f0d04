//! Commits made inside the process: seeds, tests and pipelines.

use super::{CommitInfo, GitError, GitServer, Sha, git_error, repository_path};
use crate::domain::clock::Clock;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// From this many files on, objects go into one pack rather than a file each.
const PACK_FROM: usize = 200;
/// Somebody else may commit to the branch at the same time.
const ATTEMPTS: usize = 5;

/// Who wrote a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub name: String,
    pub email: String,
}

impl Author {
    pub fn new(name: impl Into<String>, email: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            email: email.into(),
        }
    }
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

/// What a commit does to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileEdit {
    Write(Bytes),
    Remove,
}

/// A commit to make on top of a branch; the branch is made when it does not exist.
#[derive(Clone, Debug)]
pub struct NewCommit {
    pub branch: String,
    pub author: Author,
    pub message: String,
    /// What a new branch begins with; `None`: with nothing.
    pub base: Option<Sha>,
    /// By path.
    pub files: BTreeMap<String, FileEdit>,
    /// `None`: now, on the platform's clock.
    pub at: Option<DateTime<Utc>>,
}

impl NewCommit {
    /// Starts a commit without files on [`super::DEFAULT_BRANCH`], made now.
    pub fn new(author: Author, message: impl Into<String>) -> Self {
        Self {
            branch: super::DEFAULT_BRANCH.to_owned(),
            author,
            message: message.into(),
            base: None,
            files: BTreeMap::new(),
            at: None,
        }
    }

    /// Adds or replaces a file.
    #[must_use]
    pub fn write(mut self, path: impl Into<String>, contents: impl Into<Bytes>) -> Self {
        let edit = FileEdit::Write(contents.into());
        self.files.insert(path.into(), edit);
        self
    }

    /// Removes a file.
    #[must_use]
    pub fn remove(mut self, path: impl Into<String>) -> Self {
        self.files.insert(path.into(), FileEdit::Remove);
        self
    }
}

impl GitServer {
    /// Commits files to a branch and announces it as a push.
    pub fn commit_files(&self, url: &str, commit: &NewCommit) -> Result<Sha, GitError> {
        let name = repository_path(url);
        let before = self.refs(url)?;
        let mut attempt = 1;
        let sha = loop {
            let repository = self.open(url)?;
            match write(&repository, commit, self.0.clock.now()) {
                Ok(id) => break id.into(),
                // The branch moved in between: the next attempt builds on where it is now.
                Err(error) if error.code() == git2::ErrorCode::Modified && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => {
                    return Err(GitError::Refused {
                        repository: name,
                        message: error.message().to_owned(),
                    });
                }
            }
        };
        self.settle_head(&name)?;
        self.announce(&name, &commit.author.name, &before);
        Ok(sha)
    }

    /// Sets a lightweight tag.
    pub fn tag(&self, url: &str, tag: &str, sha: &Sha) -> Result<(), GitError> {
        let before = self.refs(url)?;
        let repository = self.open(url)?;
        let set = || {
            let object = repository.find_object(super::parse_id(sha.as_str())?, None)?;
            repository.tag_lightweight(tag, &object, true)
        };
        set().map_err(|source| git_error("tag a commit of", url, source))?;
        self.announce(&repository_path(url), "tiphys", &before);
        Ok(())
    }
}

fn write(
    repository: &git2::Repository,
    commit: &NewCommit,
    now: DateTime<Utc>,
) -> Result<git2::Oid, git2::Error> {
    let reference = format!("refs/heads/{}", commit.branch);
    let tip = match repository.find_reference(&reference) {
        Ok(found) => Some(found.peel_to_commit()?),
        Err(error) if error.code() == git2::ErrorCode::NotFound => None,
        Err(error) => return Err(error),
    };
    let parent = match (&tip, &commit.base) {
        (Some(tip), _) => Some(tip.clone()),
        (None, Some(base)) => Some(repository.find_commit(super::parse_id(base.as_str())?)?),
        (None, None) => None,
    };
    let pack = (commit.files.len() >= PACK_FROM)
        .then(|| repository.odb())
        .transpose()?;
    let memory = pack
        .as_ref()
        .map(|odb| odb.add_new_mempack_backend(999))
        .transpose()?;

    let tree = write_tree(repository, commit, parent.as_ref())?;
    let at = git2::Time::new(commit.at.unwrap_or(now).timestamp(), 0);
    let author = git2::Signature::new(&commit.author.name, &commit.author.email, &at)?;
    let tree = repository.find_tree(tree)?;
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    let id = repository.commit(None, &author, &author, &commit.message, &tree, &parents)?;

    if let (Some(odb), Some(memory)) = (&pack, &memory) {
        let mut bytes = git2::Buf::new();
        memory.dump(repository, &mut bytes)?;
        let mut writer = odb.packwriter()?;
        std::io::Write::write_all(&mut writer, &bytes)
            .map_err(|error| git2::Error::from_str(&error.to_string()))?;
        writer.commit()?;
        memory.reset()?;
    }
    move_branch(repository, &reference, id, tip.as_ref())?;
    Ok(id)
}

fn write_tree(
    repository: &git2::Repository,
    commit: &NewCommit,
    parent: Option<&git2::Commit<'_>>,
) -> Result<git2::Oid, git2::Error> {
    let base = match parent {
        Some(parent) => parent.tree()?,
        None => repository.find_tree(repository.treebuilder(None)?.write()?)?,
    };
    let mut update = git2::build::TreeUpdateBuilder::new();
    for (path, edit) in &commit.files {
        let legal = !path.is_empty()
            && !path.contains('\0')
            && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !legal {
            let message = format!("`{path}` is not a path inside a repository");
            return Err(git2::Error::from_str(&message));
        }
        match edit {
            FileEdit::Write(contents) => {
                let blob = repository.blob(contents)?;
                update.upsert(path.as_str(), blob, git2::FileMode::Blob);
            }
            FileEdit::Remove => {
                update.remove(path.as_str());
            }
        }
    }
    update.create_updated(repository, &base)
}

/// Moves the branch only if it is where the commit was built on.
fn move_branch(
    repository: &git2::Repository,
    reference: &str,
    id: git2::Oid,
    parent: Option<&git2::Commit<'_>>,
) -> Result<(), git2::Error> {
    let log = "commit";
    match parent {
        Some(parent) => repository
            .reference_matching(reference, id, true, parent.id(), log)
            .map(drop),
        None => repository.reference(reference, id, false, log).map(drop),
    }
}

pub(super) fn info(
    commit: &git2::Commit<'_>,
    tags: &BTreeMap<git2::Oid, Vec<String>>,
) -> CommitInfo {
    let author = commit.author();
    CommitInfo {
        sha: commit.id().into(),
        author: Author {
            name: String::from_utf8_lossy(author.name_bytes()).into_owned(),
            email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
        },
        date: DateTime::from_timestamp(commit.time().seconds(), 0).unwrap_or_default(),
        message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
        parents: commit.parent_ids().map(Into::into).collect(),
        tags: tags.get(&commit.id()).cloned().unwrap_or_default(),
    }
}
