//! The commits of a repository, worked out from the folder that is its newest state.
//!
//! A commit says what was different then: paths that did not exist yet (`without`) and texts that
//! read otherwise (`was`). The files themselves stay plain, so every tool reads them.

use super::model::SeedCommit;
use super::toml_items::Reader;
use super::{duration, model};
use crate::sim::files::{FileTree, MemoryFiles};
use crate::sim::git::Author;
use bytes::Bytes;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawRepository {
    pub(super) name: String,
    folder: String,
    #[serde(default)]
    commit: Vec<toml::Spanned<RawCommit>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawCommit {
    age: String,
    author: String,
    message: String,
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    was: Vec<Was>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Was {
    files: Vec<String>,
    text: String,
    instead: String,
}

/// Works out a repository's history; mistakes are reported to the reader.
pub(super) fn repository(
    raw: RawRepository,
    offset: usize,
    files: &dyn FileTree,
    reader: &mut Reader<'_>,
) -> Option<model::Repository> {
    let folder = raw.folder.trim_matches('/');
    let mut newest = BTreeMap::new();
    collect(files, folder, "", &mut newest);
    if newest.is_empty() {
        let message = format!("the folder `{folder}` does not exist or is empty");
        reader.report_near(offset, &raw.folder, message);
        return None;
    }
    if crate::sim::git::repository_path(&raw.name) != raw.name || raw.name.is_empty() {
        let message = format!(
            "`{}` is not a repository's path such as `platform/app`",
            raw.name
        );
        reader.report_near(offset, &raw.name, message);
    }
    let mut commits = Vec::new();
    for commit in &raw.commit {
        let place = commit.span().start;
        commits.extend(seed_commit(commit.get_ref(), place, &newest, reader));
    }
    if raw.commit.is_empty() {
        commits.push(SeedCommit {
            age: std::time::Duration::from_secs(3_600),
            author: Author::new("Tiphys", "tiphys@tiphys.local"),
            message: "Initial commit".to_owned(),
            tag: None,
            files: newest,
        });
    }
    if !commits.is_sorted_by(|older, newer| older.age >= newer.age) {
        let message = format!(
            "the commits of `{}` are not from the oldest to the newest",
            raw.name
        );
        reader.report_at(offset, message);
    }
    Some(model::Repository {
        name: raw.name,
        commits,
    })
}

fn seed_commit(
    raw: &RawCommit,
    offset: usize,
    newest: &BTreeMap<String, Bytes>,
    reader: &mut Reader<'_>,
) -> Option<SeedCommit> {
    let mut files = newest.clone();
    for path in &raw.without {
        let inside = format!("{}/", path.trim_end_matches('/'));
        let before = files.len();
        files.retain(|file, _| file != path && !file.starts_with(&inside));
        if files.len() == before {
            let message = format!("there is no `{path}` in the repository's folder");
            reader.report_near(offset, path, message);
        }
    }
    for was in &raw.was {
        for file in &was.files {
            rewrite(file, was, &mut files, offset, reader);
        }
    }
    let age = duration::parse(&raw.age)
        .map_err(|message| reader.report_near(offset, &raw.age, message))
        .ok()?;
    let author = author(&raw.author)
        .map_err(|message| reader.report_near(offset, &raw.author, message))
        .ok()?;
    Some(SeedCommit {
        age,
        author,
        message: raw.message.clone(),
        tag: raw.tag.clone(),
        files,
    })
}

fn rewrite(
    file: &str,
    was: &Was,
    files: &mut BTreeMap<String, Bytes>,
    offset: usize,
    reader: &mut Reader<'_>,
) {
    let Some(contents) = files.get_mut(file) else {
        let near = crate::domain::nearest::nearest(file, files.keys().map(String::as_str));
        let message = match near {
            Some(near) => format!("there is no file `{file}` here; did you mean `{near}`?"),
            None => format!("there is no file `{file}` in this commit"),
        };
        reader.report_near(offset, file, message);
        return;
    };
    let text = String::from_utf8_lossy(contents).into_owned();
    if text.contains(&was.text) {
        *contents = Bytes::from(text.replace(&was.text, &was.instead));
    } else {
        let message = format!("`{file}` does not contain `{}`", was.text);
        reader.report_near(offset, &was.text, message);
    }
}

/// Reads `Name <address>`.
pub(super) fn author(text: &str) -> Result<Author, String> {
    text.split_once('<')
        .and_then(|(name, rest)| Some((name.trim(), rest.trim().strip_suffix('>')?)))
        .filter(|(name, address)| !name.is_empty() && !address.is_empty())
        .map(|(name, address)| Author::new(name, address))
        .ok_or_else(|| format!("`{text}` is not an author such as `Shop team <shop@example.com>`"))
}

fn collect(files: &dyn FileTree, folder: &str, below: &str, into: &mut BTreeMap<String, Bytes>) {
    use crate::sim::files::EntryKind;
    let path = match below {
        "" => folder.to_owned(),
        below => format!("{folder}/{below}"),
    };
    for entry in files.list(&path) {
        let inside = match below {
            "" => entry.name,
            below => format!("{below}/{}", entry.name),
        };
        match entry.kind {
            EntryKind::Folder => collect(files, folder, &inside, into),
            EntryKind::File => {
                if let Some(bytes) = files.read(&format!("{folder}/{inside}")) {
                    into.insert(inside, bytes);
                }
            }
        }
    }
}

/// The files of one commit as a tree, for checks.
pub(super) fn as_tree(commit: &SeedCommit) -> MemoryFiles {
    commit
        .files
        .iter()
        .map(|(path, bytes)| (path.clone(), bytes.clone()))
        .collect()
}
