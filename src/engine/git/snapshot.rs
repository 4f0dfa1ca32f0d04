//! A snapshot, which is one commit in a temporary folder: what it has is read, and a commit on top of it is
//! made. The past is not there, and nothing is checked out.
//!
//! libgit2 blocks, so everything here runs where it may.

use chrono::{DateTime, Utc};
use git2::{Oid, Repository};
use std::collections::BTreeMap;
use std::io::Write as _;

/// The longest file that is read.
const LONGEST: usize = 1024 * 1024;

/// A commit that was fetched.
#[derive(Debug)]
pub(super) struct Snapshot {
    folder: tempfile::TempDir,
    head: Oid,
}

/// A snapshot that is read; one thread has it.
pub(super) struct Opened {
    repository: Repository,
    head: Oid,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// A commit on top of the snapshot, as it goes to the server.
#[derive(Debug)]
pub(super) struct NewCommit {
    pub(super) id: String,
    pub(super) pack: Vec<u8>,
}

/// Who commits, when, and what they say.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) message: String,
    pub(super) at: DateTime<Utc>,
}

impl Snapshot {
    /// Unpacks a commit.
    pub(super) fn unpack(head: &str, pack: &[u8]) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("tiphys-git-").tempdir();
        let folder = folder.map_err(|error| format!("no temporary folder can be made: {error}"))?;
        let made = || -> Result<Oid, git2::Error> {
            let mut options = git2::RepositoryInitOptions::new();
            options.bare(true).external_template(false);
            let repository = Repository::init_opts(folder.path(), &options)?;
            let odb = repository.odb()?;
            let mut writer = odb.packwriter()?;
            writer
                .write_all(pack)
                .map_err(|error| git2::Error::from_str(&error.to_string()))?;
            writer.commit()?;
            let head = Oid::from_str(head)?;
            repository.find_commit(head)?;
            Ok(head)
        };
        let head = made().map_err(said)?;
        Ok(Self { folder, head })
    }

    /// Opens it for this thread.
    pub(super) fn open(&self) -> Result<Opened, String> {
        let repository = Repository::open_bare(self.folder.path()).map_err(said)?;
        Ok(Opened {
            repository,
            head: self.head,
        })
    }
}

impl Opened {
    fn tree(&self) -> Result<git2::Tree<'_>, git2::Error> {
        self.repository.find_commit(self.head)?.tree()
    }

    /// Returns the text of a file; nothing when there is none, or it is no text.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let entry = self.tree().ok()?.get_path(path.as_ref()).ok()?;
        let blob = self.repository.find_blob(entry.id()).ok()?;
        if blob.size() > LONGEST {
            return None;
        }
        String::from_utf8(blob.content().to_vec()).ok()
    }

    /// Lists the files of a folder (empty: the root), and of those below it when it is `deep`.
    pub(super) fn files(&self, folder: &str, deep: bool) -> Vec<String> {
        let Ok(root) = self.tree() else {
            return Vec::new();
        };
        let tree = if folder.is_empty() {
            Some(root)
        } else {
            let entry = root.get_path(folder.as_ref()).ok();
            entry.and_then(|entry| self.repository.find_tree(entry.id()).ok())
        };
        let Some(tree) = tree else {
            return Vec::new();
        };
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let mut files = Vec::new();
        let walked = tree.walk(git2::TreeWalkMode::PreOrder, |below, entry| {
            let is_file = entry.kind() == Some(git2::ObjectType::Blob);
            if is_file && let Ok(name) = entry.name() {
                files.push(format!("{prefix}{below}{name}"));
            }
            let skips = entry.kind() == Some(git2::ObjectType::Tree) && !deep;
            if skips {
                git2::TreeWalkResult::Skip
            } else {
                git2::TreeWalkResult::Ok
            }
        });
        if let Err(error) = walked {
            tracing::debug!(%error, "a folder of a repository could not be read to its end");
        }
        files
    }

    /// Commits files and packs what is new.
    pub(super) fn commit(
        &self,
        files: &BTreeMap<String, String>,
        words: &Words,
    ) -> Result<NewCommit, String> {
        let made = || -> Result<NewCommit, git2::Error> {
            let repository = &self.repository;
            let parent = repository.find_commit(self.head)?;
            let base = parent.tree()?;
            let mut update = git2::build::TreeUpdateBuilder::new();
            let mut new = Vec::new();
            for (path, text) in files {
                let mode = base.get_path(path.as_ref())?.filemode();
                let mode = if mode == 0o100_755 {
                    git2::FileMode::BlobExecutable
                } else {
                    git2::FileMode::Blob
                };
                let blob = repository.blob(text.as_bytes())?;
                new.push(blob);
                update.upsert(path.as_str(), blob, mode);
            }
            let tree = repository.find_tree(update.create_updated(repository, &base)?)?;
            new.extend(trees_of(&tree, files)?);
            let at = git2::Time::new(words.at.timestamp(), 0);
            let author = git2::Signature::new(&words.name, &words.email, &at)?;
            let id =
                repository.commit(None, &author, &author, &words.message, &tree, &[&parent])?;
            new.push(id);
            let mut builder = repository.packbuilder()?;
            for object in new {
                builder.insert_object(object, None)?;
            }
            let mut pack = git2::Buf::new();
            builder.write_buf(&mut pack)?;
            Ok(NewCommit {
                id: id.to_string(),
                pack: pack.to_vec(),
            })
        };
        made().map_err(said)
    }
}

/// The folders that are new when these files are: each of their paths, and the root.
fn trees_of(
    root: &git2::Tree<'_>,
    files: &BTreeMap<String, String>,
) -> Result<Vec<Oid>, git2::Error> {
    let mut trees = vec![root.id()];
    for path in files.keys() {
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..end).unwrap_or_default();
            let id = root.get_path(folder.as_ref())?.id();
            if !trees.contains(&id) {
                trees.push(id);
            }
        }
    }
    Ok(trees)
}

#[allow(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn said(error: git2::Error) -> String {
    error.message().to_owned()
}
