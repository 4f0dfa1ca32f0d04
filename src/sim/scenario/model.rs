//! The parts of a scenario, after everything in them has been checked.

use crate::sim::git::Author;
use crate::sim::harbor::shape::RegistryFault;
use crate::sim::webhook::Form;
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
    /// Tekton Pipelines and Triggers.
    Tekton,
    /// Prometheus, Alertmanager and what they scrape, in the namespace `monitoring`.
    Prometheus,
    /// Requests for the services that the scenario names.
    Traffic,
    /// Argo Workflows: Workflows, their templates, CronWorkflows.
    Workflows,
    /// Argo Events.
    Events,
    /// Harbor with its registry, in the namespace `harbor`.
    Harbor,
    /// GitHub's API for runs of Actions, as the service `github/api`.
    Actions,
    /// Argo CD Image Updater; needs Argo CD.
    ImageUpdater,
}

impl Component {
    pub const ALL: [Self; 11] = [
        Self::Workloads,
        Self::ArgoCd,
        Self::Rollouts,
        Self::Tekton,
        Self::Prometheus,
        Self::Traffic,
        Self::Workflows,
        Self::Events,
        Self::Harbor,
        Self::Actions,
        Self::ImageUpdater,
    ];

    /// The word in `starts`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Workloads => "workloads",
            Self::ArgoCd => "argocd",
            Self::Rollouts => "rollouts",
            Self::Tekton => "tekton",
            Self::Prometheus => "prometheus",
            Self::Traffic => "traffic",
            Self::Workflows => "workflows",
            Self::Events => "events",
            Self::Harbor => "harbor",
            Self::Actions => "actions",
            Self::ImageUpdater => "image-updater",
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

/// A webhook of the git server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookShape {
    /// Whose pushes are told; `*` stands for anything.
    pub repository: String,
    /// Where they are told: a service of the platform, or any server that can be reached.
    pub url: String,
    #[serde(default)]
    pub form: Form,
    /// What signs them; without it the platform's own webhook secret.
    #[serde(default)]
    pub secret: Option<String>,
}

impl WebhookShape {
    /// Returns what is wrong with it.
    pub fn mistake(&self) -> Option<&'static str> {
        let is_http = self.url.starts_with("http://") || self.url.starts_with("https://");
        (!is_http).then_some(
            "the `url` of a webhook is such as http://git-eventsource-svc.argo-events.svc:12000/push",
        )
    }
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
    /// What it is asked for by; empty: it cannot be asked for.
    pub name: String,
    /// Platform time after the start; none: only when it is asked for.
    pub after: Option<Duration>,
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
    /// Something in the embedded registry.
    Registry(RegistryFault),
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
