//! One image of one Application that Image Updater follows, as a row.

use super::choose::{Decision, Verdict};
use super::rules::Strategy;
use crate::domain::finding::Finding;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text, Uid};
use chrono::{DateTime, Utc};

/// Group of the kind; no server has it.
const GROUP: &str = "images.tiphys";

/// Returns the kind of the table of images that are followed.
pub fn updates_kind() -> GroupKind {
    GroupKind::new(GROUP, "ImageUpdate")
}

/// Names a row: the Application, and the image by its alias.
pub fn update_object(cluster: &Cluster, application: &ObjectRef, alias: &str) -> ObjectRef {
    ObjectRef {
        cluster: cluster.clone(),
        kind: updates_kind(),
        namespace: application.namespace.clone(),
        name: format!("{}/{alias}", application.name).into(),
    }
}

/// An image that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateRow {
    pub object: ObjectRef,
    pub uid: Uid,
    pub application: ObjectRef,
    /// The ImageUpdater that follows it.
    pub updater: ObjectRef,
    /// Empty for none.
    pub alias: Text,
    /// Without tag.
    pub image: Text,
    pub strategy: Strategy,
    /// Empty for none.
    pub constraint: Text,
    /// The tag, or tag and digest, that runs; empty when it does not run.
    pub current: Text,
    /// `None` as long as no registry has answered.
    pub decision: Option<Decision>,
    /// Why there is no decision; empty when there is one, or nobody was asked yet.
    pub trouble: Text,
    /// How it is written back: `argocd`, `git main kustomization`.
    pub write_back: Text,
    /// When the updater looked last.
    pub checked: Option<DateTime<Utc>>,
    /// When it wrote last, and what: `1.2.0 → 1.3.0`.
    pub updated: Option<(DateTime<Utc>, Text)>,
    pub findings: Vec<Finding>,
}

impl UpdateRow {
    /// Returns the last decision in a word.
    pub fn verdict(&self) -> &'static str {
        match &self.decision {
            _ if !self.trouble.is_empty() => "blocked",
            None => "",
            Some(decision) => match decision.verdict {
                Verdict::Update => "update",
                Verdict::UpToDate => "up to date",
                Verdict::NoCandidate => "no candidate",
                Verdict::Wrong => "wrong rule",
            },
        }
    }

    /// Returns why, in one sentence.
    pub fn why(&self) -> &str {
        if !self.trouble.is_empty() {
            return &self.trouble;
        }
        self.decision.as_ref().map_or("", |decision| &decision.why)
    }

    /// Returns the best that is allowed, as it would be written.
    pub fn candidate(&self) -> String {
        let found = self
            .decision
            .as_ref()
            .and_then(|one| one.candidate.as_ref());
        found
            .map(super::choose::Candidate::text)
            .unwrap_or_default()
    }

    /// Returns whether it needs a person.
    pub fn is_faulty(&self) -> bool {
        let stuck = self.decision.as_ref().is_some_and(|decision| {
            matches!(decision.verdict, Verdict::Wrong | Verdict::NoCandidate)
        });
        stuck || !self.trouble.is_empty() || !self.findings.is_empty()
    }
}
