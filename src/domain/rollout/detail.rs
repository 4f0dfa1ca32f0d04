//! What the screen of one Rollout shows besides the row.

use super::{ContainerImage, Rollout};
use crate::domain::analysis::{AnalysisRun, Experiment};
use crate::domain::finding::Finding;
use crate::domain::image::ImageState;
use crate::domain::object::{ObjectRef, Text, Uid};
use crate::domain::status::Health;
use chrono::{DateTime, Utc};

/// A Rollout with everything that hangs on it.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutDetail {
    /// Its weights are complete: routed and measured too, where they can be known.
    pub row: Rollout,
    /// Newest first.
    pub revisions: Vec<Revision>,
    pub services: Vec<ServiceView>,
    pub routes: Vec<RouteView>,
    /// The Application that tracks it, when there is one and it can be read.
    pub keeper: Option<Keeper>,
    /// When the traffic was measured; `None` when it is not.
    pub measured_at: Option<DateTime<Utc>>,
    /// What the measurement counts, such as `istio_requests_total`; empty when there is none.
    pub measured_by: Text,
    pub findings: Vec<Finding>,
}

/// One revision and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revision {
    pub number: i64,
    pub replica_sets: Vec<ReplicaSetView>,
    /// Newest first.
    pub analyses: Vec<AnalysisRun>,
    pub experiments: Vec<Experiment>,
}

/// What a ReplicaSet is to its Rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Stable,
    Canary,
    Active,
    Preview,
}

impl Role {
    /// Returns the word Argo Rollouts' tools print.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
            Self::Active => "active",
            Self::Preview => "preview",
        }
    }
}

/// One ReplicaSet of a Rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaSetView {
    pub object: ObjectRef,
    pub uid: Uid,
    /// `rollouts-pod-template-hash`.
    pub hash: Text,
    pub revision: i64,
    pub roles: Vec<Role>,
    pub created: Option<DateTime<Utc>>,
    pub images: Vec<ContainerImage>,
    pub desired: u32,
    pub current: u32,
    pub ready: u32,
    pub available: u32,
    /// `None`: scaled down, and so neither good nor bad.
    pub health: Option<Health>,
    /// It is scaled down at this time (`scale-down-deadline`).
    pub scale_down_at: Option<DateTime<Utc>>,
    /// Oldest first.
    pub pods: Vec<PodView>,
}

impl ReplicaSetView {
    /// Returns how the images of its Pods stand, each state once, sorted.
    pub fn image_states(&self) -> Vec<ImageState> {
        let pods = self.pods.iter();
        let mut states: Vec<ImageState> = pods
            .flat_map(|pod| pod.image_states.iter().cloned())
            .collect();
        states.sort();
        states.dedup();
        states
    }
}

/// One Pod of a ReplicaSet.
#[derive(Clone, Debug, PartialEq)]
pub struct PodView {
    pub object: ObjectRef,
    pub uid: Uid,
    pub created: Option<DateTime<Utc>>,
    /// As `kubectl get pods` prints it, such as `Running` or `CrashLoopBackOff`.
    pub status: Text,
    pub health: Health,
    pub ready: u32,
    pub containers: u32,
    pub restarts: u32,
    /// How its images stand, sorted; empty where no registry can tell.
    pub image_states: Vec<ImageState>,
}

/// A Service of the strategy and which hash it selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceView {
    pub name: Text,
    pub role: Role,
    /// Empty when the Service selects no hash; `None` when there is no such Service.
    pub hash: Option<Text>,
}

/// A route and the weights it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteView {
    pub object: ObjectRef,
    /// Destination (a Service or a subset) and weight, canary first.
    pub backends: Vec<(Text, u32)>,
    pub canary: Option<u32>,
    pub stable: Option<u32>,
    /// What keeps it from working, in the words of its status.
    pub problem: Option<Text>,
}

/// The Application that keeps a Rollout as git has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    pub application: ObjectRef,
    pub auto_sync: bool,
    pub self_heal: bool,
}

impl RolloutDetail {
    /// Returns all ReplicaSets, newest revision first.
    pub fn replica_sets(&self) -> impl Iterator<Item = &ReplicaSetView> {
        self.revisions
            .iter()
            .flat_map(|revision| &revision.replica_sets)
    }

    /// Returns the ReplicaSet with a role.
    pub fn with_role(&self, role: Role) -> Option<&ReplicaSetView> {
        self.replica_sets().find(|set| set.roles.contains(&role))
    }

    /// Returns all analysis runs, newest revision first.
    pub fn analyses(&self) -> impl Iterator<Item = &AnalysisRun> {
        self.revisions
            .iter()
            .flat_map(|revision| &revision.analyses)
    }

    /// Returns the runs of the update that is under way.
    pub fn current_analyses(&self) -> impl Iterator<Item = &AnalysisRun> {
        let named = &self.row.analyses;
        self.analyses()
            .filter(move |run| named.iter().any(|link| link.name == run.object.name))
    }

    /// Returns the revision that is being rolled out.
    pub fn current_revision(&self) -> Option<&Revision> {
        let hash = &self.row.current_hash;
        self.revisions
            .iter()
            .find(|revision| revision.replica_sets.iter().any(|set| set.hash == *hash))
    }

    /// Returns what undo goes back to: the given revision, or the newest but one.
    pub fn undo_target(&self, revision: Option<i64>) -> Option<&Revision> {
        match revision {
            Some(number) => self.revisions.iter().find(|one| one.number == number),
            None => {
                let mut with_sets = self.revisions.iter();
                with_sets
                    .by_ref()
                    .find(|one| !one.replica_sets.is_empty())?;
                with_sets.find(|one| !one.replica_sets.is_empty())
            }
        }
    }
}
