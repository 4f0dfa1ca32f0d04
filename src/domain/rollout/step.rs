//! The steps of a canary.

use crate::domain::duration::short_span;
use crate::domain::object::Text;
use chrono::TimeDelta;

/// One step (`spec.strategy.canary.steps[]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    SetWeight(u32),
    /// `None`: until somebody promotes it.
    Pause {
        duration: Option<TimeDelta>,
    },
    Analysis {
        templates: Vec<Text>,
    },
    Experiment {
        templates: Vec<Text>,
        duration: Option<TimeDelta>,
    },
    SetCanaryScale(CanaryScale),
    SetHeaderRoute {
        name: Text,
    },
    SetMirrorRoute {
        name: Text,
        percentage: Option<u32>,
    },
    Plugin {
        name: Text,
    },
    /// A kind of step that we do not know.
    Unknown,
}

/// How many canary Pods there are to be, whatever the weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanaryScale {
    Weight(u32),
    Replicas(u32),
    MatchTrafficWeight,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepState {
    Done,
    Current,
    Ahead,
}

impl Step {
    /// Returns the step in few words: `weight 20`, `pause 2m`, `analysis success-rate`.
    pub fn words(&self) -> String {
        match self {
            Self::SetWeight(weight) => format!("weight {weight}"),
            Self::Pause { duration: None } => String::from("pause"),
            Self::Pause {
                duration: Some(duration),
            } => format!("pause {}", span(*duration)),
            Self::Analysis { templates } => format!("analysis {}", templates.join(", ")),
            Self::Experiment { templates, .. } => format!("experiment {}", templates.join(", ")),
            Self::SetCanaryScale(CanaryScale::Weight(weight)) => format!("scale to {weight} %"),
            Self::SetCanaryScale(CanaryScale::Replicas(1)) => String::from("scale to 1 Pod"),
            Self::SetCanaryScale(CanaryScale::Replicas(replicas)) => {
                format!("scale to {replicas} Pods")
            }
            Self::SetCanaryScale(CanaryScale::MatchTrafficWeight) => {
                String::from("scale with the weight")
            }
            Self::SetHeaderRoute { name } => format!("header route {name}"),
            Self::SetMirrorRoute { name, percentage } => {
                let share = percentage.map_or(String::new(), |share| format!(" {share} %"));
                format!("mirror route {name}{share}")
            }
            Self::Plugin { name } => format!("plugin {name}"),
            Self::Unknown => String::from("a step that is not known here"),
        }
    }

    /// Returns the weight that this step sets.
    pub fn weight(&self) -> Option<u32> {
        match self {
            Self::SetWeight(weight) => Some(*weight),
            Self::Pause { .. }
            | Self::Analysis { .. }
            | Self::Experiment { .. }
            | Self::SetCanaryScale(_)
            | Self::SetHeaderRoute { .. }
            | Self::SetMirrorRoute { .. }
            | Self::Plugin { .. }
            | Self::Unknown => None,
        }
    }
}

/// Writes a span without losing seconds: `2m`, `1m30s`, `45s`.
pub fn span(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds();
    match (seconds / 60, seconds % 60) {
        (1..60, 1..) => format!("{}m{}s", seconds / 60, seconds % 60),
        (60.., _) if seconds % 3_600 != 0 => {
            format!("{}h{}m", seconds / 3_600, seconds % 3_600 / 60)
        }
        (_, _) => short_span(duration),
    }
}
