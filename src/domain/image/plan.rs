//! How an image can be set: by a commit in git, which lasts, or by a patch of the live object, which
//! git knows nothing of.

use crate::domain::object::{ObjectRef, Text, Uid};
use crate::domain::rollout::Keeper;

/// What is known before an image is set on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePlan {
    pub object: ObjectRef,
    pub uid: Option<Uid>,
    /// `*`: all that run the image.
    pub container: Text,
    pub image: Text,
    pub commit: Result<CommitPlan, NoCommit>,
    /// The Application that puts a patch back, or only shows it as drift.
    pub keeper: Option<Keeper>,
}

/// A commit that would be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPlan {
    pub application: ObjectRef,
    /// Its URL, without a login.
    pub repository: Text,
    pub branch: Text,
    /// The commit that it builds on.
    pub head: Text,
    /// Who pushes.
    pub account: Text,
    pub changes: Vec<FileChange>,
    pub auto_sync: bool,
}

/// The lines of one file that change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    pub path: Text,
    pub lines: Vec<ChangedLine>,
}

/// A line that goes or comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedLine {
    /// Counted from one: in the old file when it goes, in the new one when it comes.
    pub number: usize,
    pub comes: bool,
    pub text: Text,
}

/// Why there can be no commit, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoCommit {
    pub reason: Text,
    pub hint: Text,
    /// No Application manages the object: git has nothing to do with it.
    pub unmanaged: bool,
}

impl NoCommit {
    /// Says why, and what would help.
    pub fn new(reason: impl Into<Text>, hint: impl Into<Text>) -> Self {
        Self {
            reason: reason.into(),
            hint: hint.into(),
            unmanaged: false,
        }
    }
}

impl CommitPlan {
    /// Returns the first digits of the commit that it builds on.
    pub fn short_head(&self) -> &str {
        short_commit(&self.head)
    }

    /// Returns every change in one line: file, number, and what becomes what.
    pub fn words(&self) -> String {
        let files = self.changes.iter().map(|change| {
            let line = |one: &ChangedLine| {
                let sign = if one.comes { '+' } else { '-' };
                format!("{sign}{}", one.text.trim())
            };
            let lines: Vec<String> = change.lines.iter().map(line).collect();
            format!("`{}`: {}", change.path, lines.join(" "))
        });
        files.collect::<Vec<_>>().join("; ")
    }
}

/// Returns the first digits of a commit, as people quote it.
pub fn short_commit(id: &str) -> &str {
    id.get(..7).unwrap_or(id)
}
