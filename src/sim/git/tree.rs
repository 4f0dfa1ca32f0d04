//! The files of one commit: names at once, small contents at once, large ones when asked for.
//!
//! Rendering reads the same few small files again and again; a repository that somebody pushed
//! may hold gigabytes that nothing here ever reads.

use crate::sim::files::{Entry, FileTree, MemoryFiles};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Files up to this size are kept in memory …
const SMALL_FILE: usize = 64 * 1024;
/// … as long as all of them together are not larger than this.
const SMALL_TOTAL: usize = 16 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct CommitTree {
    repository: PathBuf,
    small: MemoryFiles,
    large: BTreeMap<String, git2::Oid>,
}

impl CommitTree {
    pub(super) fn load(
        repository: &git2::Repository,
        tree: git2::Oid,
    ) -> Result<Self, git2::Error> {
        let mut loaded = Self {
            repository: repository.path().to_owned(),
            small: MemoryFiles::default(),
            large: BTreeMap::new(),
        };
        let odb = repository.odb()?;
        let mut total = 0;
        let mut found = Vec::new();
        repository
            .find_tree(tree)?
            .walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
                // Symbolic links count as files holding their target, submodules do not count.
                if entry.kind() == Some(git2::ObjectType::Blob)
                    && let Ok(name) = entry.name()
                {
                    found.push((format!("{folder}{name}"), entry.id()));
                }
                git2::TreeWalkResult::Ok
            })?;
        for (path, id) in found {
            let (size, _) = odb.read_header(id)?;
            if size > SMALL_FILE || total + size > SMALL_TOTAL {
                loaded.large.insert(path, id);
            } else {
                total += size;
                let contents = odb.read(id)?.data().to_vec();
                loaded.small.insert(path, contents);
            }
        }
        Ok(loaded)
    }
}

impl FileTree for CommitTree {
    fn read(&self, path: &str) -> Option<Bytes> {
        if let Some(contents) = self.small.read(path) {
            return Some(contents);
        }
        let id = self.large.get(path)?;
        let repository = git2::Repository::open_bare(&self.repository).ok()?;
        let blob = repository.find_blob(*id).ok()?;
        Some(Bytes::copy_from_slice(blob.content()))
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let mut entries = self.small.list(folder);
        let names: MemoryFiles = self.large.keys().map(|path| (path.clone(), "")).collect();
        entries.extend(names.list(folder));
        entries.sort();
        entries.dedup();
        entries
    }
}
