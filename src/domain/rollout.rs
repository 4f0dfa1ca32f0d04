//! A Rollout of Argo Rollouts, as the cockpit knows it.
//!
//! [`Rollout`] is the row. [`RolloutDetail`] is what its screen needs besides: its revisions with
//! their ReplicaSets and Pods, its analyses, and three views of its weight: what the steps want,
//! what the router is told, what the traffic does. How phase, step and weights are derived is in
//! [`phase_of`] and [`weights_of`]; what a promotion will do is in [`mod@forecast`].

use super::analysis::{AnalysisPhase, AnalysisRole};
use super::application::{Condition, Deletion};
use super::finding::Finding;
use super::object::{ObjectRef, ResourceVersion, Text, Uid};
use super::status::Health;
use chrono::{DateTime, TimeDelta, Utc};

mod detail;
mod facts;
pub mod forecast;
mod phase;
mod step;
mod weight;
mod why;

pub use detail::{
    Keeper, PodView, ReplicaSetView, Revision, Role, RolloutDetail, RouteView, ServiceView,
};
pub use facts::Facts;
pub use phase::phase_of;
pub use step::{CanaryScale, Step, StepState, span as span_text};
pub use weight::{Weights, weights_of};
pub use why::{message_of, why_analysis, why_rollout, why_rollout_row};

/// One row of the Rollouts screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    pub object: ObjectRef,
    pub uid: Uid,
    pub resource_version: ResourceVersion,
    pub created: Option<DateTime<Utc>>,
    pub deleting: Option<Deletion>,
    /// Sorted by key.
    pub labels: Vec<(Text, Text)>,
    pub strategy: Strategy,
    /// What a client shows; not always `status.phase`.
    pub phase: RolloutPhase,
    pub message: Text,
    pub steps: Vec<Step>,
    /// `status.currentStepIndex`; equal to the number of steps when all are done.
    pub step_index: Option<u32>,
    pub weights: Weights,
    pub replicas: Replicas,
    /// `status.currentPodHash`: what is being rolled out.
    pub current_hash: Text,
    /// `status.stableRS`; empty before the first rollout is through.
    pub stable_hash: Text,
    pub pauses: Vec<Pause>,
    /// `status.controllerPause`.
    pub controller_pause: bool,
    /// `spec.paused`.
    pub spec_paused: bool,
    /// `status.abort`.
    pub aborted: bool,
    pub aborted_at: Option<DateTime<Utc>>,
    pub promote_full: bool,
    pub restart_at: Option<DateTime<Utc>>,
    pub restarted_at: Option<DateTime<Utc>>,
    /// The spec that is shown was not seen by the controller yet.
    pub unobserved: bool,
    pub images: Vec<ContainerImage>,
    /// The Deployment (or other workload) that the template comes from.
    pub workload: Option<ObjectRef>,
    pub services: Services,
    pub router: Option<Router>,
    pub blue_green: Option<BlueGreen>,
    /// Analysis runs of the update that is under way.
    pub analyses: Vec<AnalysisLink>,
    pub conditions: Vec<Condition>,
    /// The Application that tracks it, by tracking id or instance label.
    pub application: Option<Text>,
    pub findings: Vec<Finding>,
}

/// How a new version comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    Canary,
    BlueGreen,
    /// The spec names none; the controller calls that invalid.
    Unknown,
}

impl Strategy {
    /// Returns the word Argo Rollouts' tools print.
    pub fn word(self) -> &'static str {
        match self {
            Self::Canary => "Canary",
            Self::BlueGreen => "BlueGreen",
            Self::Unknown => "Unknown",
        }
    }
}

/// The phase of a Rollout; the derived order is calm to loud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RolloutPhase {
    Healthy,
    Progressing,
    Paused,
    Degraded,
    /// A word of a newer Argo Rollouts.
    Unknown,
}

impl RolloutPhase {
    /// Returns the word Argo Rollouts uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Progressing => "Progressing",
            Self::Paused => "Paused",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads Argo Rollouts' word; anything else is [`RolloutPhase::Unknown`].
    pub fn from_word(word: &str) -> Self {
        match word {
            "Healthy" => Self::Healthy,
            "Progressing" => Self::Progressing,
            "Paused" => Self::Paused,
            "Degraded" => Self::Degraded,
            _ => Self::Unknown,
        }
    }

    /// Returns the health that draws the same glyph and colour.
    pub fn health(self) -> Health {
        match self {
            Self::Healthy => Health::Healthy,
            Self::Progressing => Health::Progressing,
            Self::Paused => Health::Suspended,
            Self::Degraded => Health::Degraded,
            Self::Unknown => Health::Unknown,
        }
    }
}

/// Replica counts; `updated` counts the ReplicaSet of the current hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replicas {
    /// `spec.replicas`; 1 when it is left out.
    pub desired: u32,
    pub current: u32,
    pub updated: u32,
    pub ready: u32,
    pub available: u32,
}

/// Why the controller waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Such as `CanaryPauseStep`, `BlueGreenPause`, `InconclusiveAnalysisRun`.
    pub reason: Text,
    pub since: Option<DateTime<Utc>>,
}

/// The image of one container of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerImage {
    pub container: Text,
    pub image: Text,
    /// It runs before the others.
    pub init: bool,
}

/// Names of the Services that the strategy uses; empty where it uses none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    pub stable: Text,
    pub canary: Text,
    pub active: Text,
    pub preview: Text,
}

/// What splits the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    /// Such as `Gateway API`, `Istio`, `nginx`.
    pub name: Text,
    /// Routes whose weights we can read.
    pub routes: Vec<ObjectRef>,
}

/// `status.blueGreen` and what of the spec decides when it switches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlueGreen {
    /// Hash that the active Service selects.
    pub active: Text,
    pub preview: Text,
    /// False: somebody has to promote it.
    pub auto_promotion: bool,
    pub auto_promotion_after: Option<TimeDelta>,
}

/// An analysis run that the status names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisLink {
    pub role: AnalysisRole,
    pub name: Text,
    pub phase: AnalysisPhase,
    pub message: Text,
}

impl Rollout {
    /// Returns `(3, 6)` for "three of six steps are done"; `None` without steps.
    pub fn progress(&self) -> Option<(u32, u32)> {
        let total = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        let index = self.step_index?;
        (total > 0).then_some((index.min(total), total))
    }

    /// Returns the step that is being done; `None` when all are done or there are none.
    pub fn current_step(&self) -> Option<&Step> {
        self.steps.get(self.step_index? as usize)
    }

    /// Returns where each step stands.
    pub fn step_states(&self) -> Vec<StepState> {
        let current = self.step_index.map_or(0, |index| index as usize);
        let states = (0..self.steps.len()).map(|number| {
            if self.aborted {
                StepState::Ahead
            } else if number < current {
                StepState::Done
            } else if number == current {
                StepState::Current
            } else {
                StepState::Ahead
            }
        });
        states.collect()
    }

    /// Returns whether what is wanted is what is stable: nothing is being rolled out.
    pub fn is_fully_promoted(&self) -> bool {
        self.current_hash == self.stable_hash
    }

    /// Returns whether a promotion is on its way to the controller; a second one would skip a
    /// step.
    pub fn is_unpausing(&self) -> bool {
        self.controller_pause && self.pauses.is_empty()
    }

    /// Returns when the pause that is running ends by itself; `None` when somebody has to act.
    pub fn pause_ends(&self) -> Option<DateTime<Utc>> {
        let pause = self.pauses.first()?;
        let since = pause.since?;
        let length = match &*pause.reason {
            "CanaryPauseStep" => match self.current_step()? {
                Step::Pause { duration } => (*duration)?,
                Step::SetWeight(_)
                | Step::Analysis { .. }
                | Step::Experiment { .. }
                | Step::SetCanaryScale(_)
                | Step::SetHeaderRoute { .. }
                | Step::SetMirrorRoute { .. }
                | Step::Plugin { .. }
                | Step::Unknown => return None,
            },
            "BlueGreenPause" => self.blue_green.as_ref()?.auto_promotion_after?,
            _ => return None,
        };
        Some(since + length)
    }
}

/// Orders rollouts for a list: what needs a person first, then by name.
pub fn attention_order(left: &Rollout, right: &Rollout) -> std::cmp::Ordering {
    let loud = right.phase.cmp(&left.phase);
    loud.then_with(|| left.object.cmp(&right.object))
}
