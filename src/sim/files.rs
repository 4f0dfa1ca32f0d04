//! Files of one revision of a repository, however they are stored.
//!
//! Paths are relative to the root, separated by `/`, without a leading or trailing one; the root
//! is the empty path. A tree never changes: another revision is another tree.

use bytes::Bytes;
use std::collections::BTreeMap;

/// A folder tree that can only be read.
pub trait FileTree: Send + Sync + std::fmt::Debug {
    /// Returns the contents of a file; `None` where there is no file.
    fn read(&self, path: &str) -> Option<Bytes>;

    /// Lists a folder by name, sorted; empty where there is no folder.
    fn list(&self, folder: &str) -> Vec<Entry>;

    /// Says whether a folder exists; the root always does.
    fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || !self.list(path).is_empty()
    }
}

/// What a folder holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The last part of its path.
    pub name: String,
    pub kind: EntryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    File,
    Folder,
}

/// A [`FileTree`] in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(BTreeMap<String, Bytes>);

impl MemoryFiles {
    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, contents: impl Into<Bytes>) {
        self.0.insert(path.into(), contents.into());
    }

    /// Returns every file with its path, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(path, bytes)| (path.as_str(), bytes))
    }

    /// Says whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<P: Into<String>, C: Into<Bytes>> FromIterator<(P, C)> for MemoryFiles {
    fn from_iter<I: IntoIterator<Item = (P, C)>>(files: I) -> Self {
        let files = files.into_iter();
        Self(
            files
                .map(|(path, bytes)| (path.into(), bytes.into()))
                .collect(),
        )
    }
}

impl FileTree for MemoryFiles {
    fn read(&self, path: &str) -> Option<Bytes> {
        self.0.get(path).cloned()
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let prefix = match folder {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let below = self.0.range(prefix.clone()..);
        let mut entries: Vec<Entry> = below
            .map_while(|(path, _)| path.strip_prefix(&prefix))
            .map(|rest| match rest.split_once('/') {
                Some((name, _)) => Entry {
                    name: name.to_owned(),
                    kind: EntryKind::Folder,
                },
                None => Entry {
                    name: rest.to_owned(),
                    kind: EntryKind::File,
                },
            })
            .collect();
        entries.sort();
        entries.dedup();
        entries
    }
}

/// Joins a relative path to a folder and resolves `.` and `..`; `None` if it leaves the tree.
pub fn join(folder: &str, relative: &str) -> Option<String> {
    let absolute = relative.starts_with('/');
    let mut parts: Vec<&str> = if absolute {
        Vec::new()
    } else {
        folder.split('/').filter(|part| !part.is_empty()).collect()
    };
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_list_their_own_entries_only() {
        let files: MemoryFiles = [
            ("a/b/c.yaml", "1"),
            ("a/d.yaml", "2"),
            ("ab/x", "3"),
            ("top", "4"),
        ]
        .into_iter()
        .collect();

        let names = |folder: &str| -> Vec<String> {
            files
                .list(folder)
                .into_iter()
                .map(|entry| entry.name)
                .collect()
        };

        assert_eq!(names(""), ["a", "ab", "top"]);
        assert_eq!(names("a"), ["b", "d.yaml"]);
        assert!(names("none").is_empty());
        assert!(files.is_folder("a/b") && !files.is_folder("top") && files.is_folder(""));
    }

    #[test]
    fn paths_never_leave_the_tree() {
        assert_eq!(join("a/b", "../c"), Some("a/c".to_owned()));
        assert_eq!(join("a", "./b//c/"), Some("a/b/c".to_owned()));
        assert_eq!(join("a", "../.."), None);
        assert_eq!(join("", "."), Some(String::new()));
    }
}
