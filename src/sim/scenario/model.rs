//! The parts of a scenario, after everything in them has been checked.

use crate::sim::git::Author;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A part of the platform that a scenario may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// The controllers of Deployments, Jobs and the like, and a kubelet.
    Workloads,
    /// Argo CD.
    ArgoCd,
    /// Argo Rollouts: Rollouts, AnalysisRuns, Experiments.
    Rollouts,
    /// Prometheus, Alertmanager and what they scrape, in the namespace `monitoring`.
    Prometheus,
    /// Requests for the services that the scenario names.
    Traffic,
}

impl Component {
    pub const ALL: [Self; 5] = [
        Self::Workloads,
        Self::ArgoCd,
        Self::Rollouts,
        Self::Prometheus,
        Self::Traffic,
    ];

    /// The word in `starts`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Workloads => "workloads",
            Self::ArgoCd => "argocd",
            Self::Rollouts => "rollouts",
            Self::Prometheus => "prometheus",
            Self::Traffic => "traffic",
        }
    }
}

/// A git repository with its history.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// Its path on the git server, such as `platform/guestbook`.
    pub name: String,
    /// Oldest first; each with all the files it holds.
    pub commits: Vec<SeedCommit>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SeedCommit {
    /// Before the platform's start.
    pub age: Duration,
    pub author: Author,
    pub message: String,
    pub tag: Option<String>,
    pub files: BTreeMap<String, Bytes>,
}

/// A sync that somebody asked for before anyone watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedSync {
    pub namespace: String,
    pub application: String,
    /// Empty: the Application's own target revision.
    pub revision: String,
    pub by: String,
    /// The Application's next sync waits until it is healthy.
    pub until_healthy: bool,
}

/// Something that happens to the platform by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Platform time after the start.
    pub after: Duration,
    pub what: String,
    pub effect: FaultEffect,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FaultEffect {
    /// A merge patch by hand.
    Patch {
        object: ObjectName,
        patch: Value,
    },
    Delete {
        object: ObjectName,
    },
    /// A text in a file of a repository is replaced and committed to the default branch.
    Commit {
        repository: String,
        file: String,
        text: String,
        instead: String,
        author: Author,
        message: String,
    },
}

/// An object of the platform, by name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ObjectName {
    pub api_version: String,
    pub kind: String,
    #[serde(default)]
    pub namespace: Option<String>,
    pub name: String,
}
