//! One image of one Application that Image Updater follows, as a row.

use super::choose::{Candidate, Decision, Verdict};
use super::rules::Strategy;
use crate::domain::finding::Finding;
use crate::domain::image::IMAGES_GROUP;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text, Uid};
use crate::domain::status::Health;
use chrono::{DateTime, Utc};

/// Returns the kind of the table of images that are followed.
pub fn updates_kind() -> GroupKind {
    GroupKind::new(IMAGES_GROUP, "ImageUpdate")
}

/// Names a row: the Application, and the image by its alias.
pub fn update_object(cluster: &Cluster, application: &ObjectRef, alias: &str) -> ObjectRef {
    ObjectRef {
        cluster: cluster.clone(),
        kind: updates_kind(),
        namespace: application.namespace.clone(),
        name: format!("{}:{alias}", application.name).into(),
    }
}

/// An image that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateRow {
    pub object: ObjectRef,
    pub uid: Uid,
    pub application: ObjectRef,
    /// The ImageUpdater that follows it; none before version 1, and where nobody does.
    pub updater: Option<ObjectRef>,
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
        let decision = self.decision.as_ref();
        let found = decision.and_then(|one| one.candidate.as_ref());
        found.map(Candidate::text).unwrap_or_default()
    }

    /// Returns the rule in a few words: `semver ~1.4`.
    pub fn rule(&self) -> String {
        let text = format!("{} {}", self.strategy.word(), self.constraint);
        text.trim_end().to_owned()
    }

    /// Returns the health that its state stands for.
    pub fn health(&self) -> Health {
        let verdict = self.decision.as_ref().map(|decision| decision.verdict);
        match verdict {
            _ if !self.trouble.is_empty() || !self.findings.is_empty() => Health::Degraded,
            None => Health::Unknown,
            Some(Verdict::Wrong) => Health::Degraded,
            Some(Verdict::NoCandidate) => Health::Missing,
            Some(Verdict::Update) => Health::Progressing,
            Some(Verdict::UpToDate) => Health::Healthy,
        }
    }
}
