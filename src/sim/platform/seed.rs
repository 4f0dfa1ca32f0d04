//! The scenario's repositories, written commit by commit.

use crate::sim::git::{FileEdit, GitError, GitServer, NewCommit};
use crate::sim::scenario::{Repository, SeedCommit};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Makes every repository that does not exist yet; those in a kept folder stay as they are.
pub(super) fn repositories(
    git: &GitServer,
    repositories: &[Repository],
    started: DateTime<Utc>,
) -> Result<(), GitError> {
    for repository in repositories.iter().filter(|one| !git.exists(&one.name)) {
        git.create(&repository.name)?;
        let mut before = BTreeMap::new();
        for commit in &repository.commits {
            write(git, &repository.name, commit, &before, started)?;
            before.clone_from(&commit.files);
        }
    }
    Ok(())
}

fn write(
    git: &GitServer,
    repository: &str,
    commit: &SeedCommit,
    before: &BTreeMap<String, Bytes>,
    started: DateTime<Utc>,
) -> Result<(), GitError> {
    let age = TimeDelta::from_std(commit.age).unwrap_or_default();
    let removed = before
        .keys()
        .filter(|path| !commit.files.contains_key(*path));
    let written = commit
        .files
        .iter()
        .filter(|(path, bytes)| before.get(*path) != Some(bytes))
        .map(|(path, bytes)| (path.clone(), FileEdit::Write(bytes.clone())));
    let mut new = NewCommit::new(commit.author.clone(), format!("{}\n", commit.message));
    new.at = Some(started - age);
    new.files = removed
        .map(|path| (path.clone(), FileEdit::Remove))
        .chain(written)
        .collect();
    let sha = git.commit_files(repository, &new)?;
    match &commit.tag {
        Some(tag) => git.tag(repository, tag, &sha),
        None => Ok(()),
    }
}
