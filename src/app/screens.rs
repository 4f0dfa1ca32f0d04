//! The screens: one struct each, and the places they can be reached again by.
//!
//! A screen owns its cursor, its scroll position and what it fetched. A [`Place`] is a screen
//! without its state: what history and `:` name.

pub mod alerts;
pub mod analysis;
pub mod application;
pub mod charts;
pub mod flow;
pub mod image;
pub mod lists;
pub mod logs;
pub mod rollout;
pub mod run;
pub mod table;
pub mod text;

pub use alerts::{AlertItem, AlertRow, AlertsScreen};
pub use analysis::AnalysisScreen;
pub use application::{ApplicationScreen, NodeKey, TreeRow};
pub use charts::{ChartLine, ChartPanel, ChartsOf, ChartsScreen, DashboardsScreen, SPANS};
pub use flow::{FlowItem, FlowRow, FlowScreen};
pub use image::{ImageLine, ImagePart, ImageScreen};
pub use lists::{
    ContextsScreen, DiffLine, DiffScreen, EventsScreen, HelpRow, HelpScreen, HistoryScreen,
    LedgerScreen, ListCursor, Loaded,
};
pub use logs::LogsScreen;
pub use rollout::{RolloutItem, RolloutKey, RolloutNode, RolloutRow, RolloutScreen};
pub use run::{NodeLog, RunScreen, RunView};
pub use table::TableScreen;
pub use text::{TextScreen, TextSource};

use crate::domain::kind::{ARGO, info_of};
use crate::domain::object::{GroupKind, ObjectRef};

/// What is shown.
#[derive(Debug)]
pub enum Screen {
    Applications(TableScreen),
    Application(Box<ApplicationScreen>),
    Diff(DiffScreen),
    History(HistoryScreen),
    Text(TextScreen),
    Events(EventsScreen),
    Logs(LogsScreen),
    Contexts(ContextsScreen),
    Namespaces(TableScreen),
    Kind(TableScreen),
    Help(HelpScreen),
    Ledger(LedgerScreen),
    Rollout(Box<RolloutScreen>),
    Analysis(AnalysisScreen),
    Charts(Box<ChartsScreen>),
    Alerts(AlertsScreen),
    Dashboards(DashboardsScreen),
    Run(Box<RunScreen>),
    Flow(FlowScreen),
    Image(Box<ImageScreen>),
}

/// What a screen shows, without its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A table of a kind; Applications and Namespaces have screens of their own.
    Kind(GroupKind),
    Application(ObjectRef),
    /// `None`: all objects of the Application.
    Diff {
        application: ObjectRef,
        object: Option<ObjectRef>,
    },
    History(ObjectRef),
    Text(TextSource),
    Events(ObjectRef),
    Logs {
        object: ObjectRef,
        previous: bool,
    },
    Contexts,
    Help,
    Aliases,
    Ledger,
    Rollout(ObjectRef),
    AnalysisRun(ObjectRef),
    Charts(ChartsOf),
    Alerts,
    Dashboards,
    /// One run of a pipeline.
    Run(ObjectRef),
    /// Events: source, sensor, trigger.
    Flow,
    /// One image.
    Image(ObjectRef),
}

impl Place {
    /// The Applications table: where the cockpit starts.
    pub fn applications() -> Self {
        Self::Kind(applications())
    }

    /// The namespaces table.
    pub fn namespaces() -> Self {
        Self::Kind(GroupKind::new("", "Namespace"))
    }
}

/// Returns the kind of Applications.
pub fn applications() -> GroupKind {
    GroupKind::new(ARGO, "Application")
}

impl Screen {
    /// Returns what it shows.
    pub fn place(&self) -> Place {
        match self {
            Self::Applications(screen) | Self::Namespaces(screen) | Self::Kind(screen) => {
                Place::Kind(screen.view.kind.clone())
            }
            Self::Application(screen) => Place::Application(screen.object.clone()),
            Self::Diff(screen) => Place::Diff {
                application: screen.application.clone(),
                object: screen.object.clone(),
            },
            Self::History(screen) => Place::History(screen.object.clone()),
            Self::Text(screen) => Place::Text(screen.source.clone()),
            Self::Events(screen) => Place::Events(screen.object.clone()),
            Self::Logs(screen) => Place::Logs {
                object: screen.object.clone(),
                previous: screen.options.previous,
            },
            Self::Contexts(_) => Place::Contexts,
            Self::Help(screen) => {
                if screen.aliases {
                    Place::Aliases
                } else {
                    Place::Help
                }
            }
            Self::Ledger(_) => Place::Ledger,
            Self::Rollout(screen) => Place::Rollout(screen.object.clone()),
            Self::Analysis(screen) => Place::AnalysisRun(screen.object.clone()),
            Self::Charts(screen) => Place::Charts(screen.what.clone()),
            Self::Alerts(_) => Place::Alerts,
            Self::Dashboards(_) => Place::Dashboards,
            Self::Run(screen) => Place::Run(screen.object.clone()),
            Self::Flow(_) => Place::Flow,
            Self::Image(screen) => Place::Image(screen.object.clone()),
        }
    }

    /// Returns the word of the crumb: the kind's plural, or the object's name.
    pub fn crumb(&self) -> String {
        match self {
            Self::Applications(screen) | Self::Namespaces(screen) | Self::Kind(screen) => {
                plural(&screen.view.kind)
            }
            Self::Application(screen) => screen.object.name.to_string(),
            Self::Diff(_) => "diff".to_owned(),
            Self::History(_) => "history".to_owned(),
            Self::Text(screen) => screen.source.word().to_owned(),
            Self::Events(_) | Self::Flow(_) => "events".to_owned(),
            Self::Logs(_) => "logs".to_owned(),
            Self::Contexts(_) => "contexts".to_owned(),
            Self::Help(screen) => if screen.aliases { "aliases" } else { "help" }.to_owned(),
            Self::Ledger(_) => "ledger".to_owned(),
            Self::Rollout(screen) => screen.object.name.to_string(),
            Self::Analysis(_) => "analysis".to_owned(),
            Self::Charts(screen) => match &screen.what {
                ChartsOf::Object(_) => "metrics".to_owned(),
                ChartsOf::Query(_) => "query".to_owned(),
                ChartsOf::Dashboard(name) => name.to_string(),
            },
            Self::Alerts(_) => "alerts".to_owned(),
            Self::Dashboards(_) => "dashboards".to_owned(),
            Self::Run(screen) => screen.object.name.to_string(),
            Self::Image(screen) => screen.crumb(),
        }
    }

    /// Returns the table, if it is one.
    pub fn table(&self) -> Option<&TableScreen> {
        match self {
            Self::Applications(screen) | Self::Namespaces(screen) | Self::Kind(screen) => {
                Some(screen)
            }
            Self::Application(_)
            | Self::Diff(_)
            | Self::History(_)
            | Self::Text(_)
            | Self::Events(_)
            | Self::Logs(_)
            | Self::Contexts(_)
            | Self::Help(_)
            | Self::Ledger(_)
            | Self::Rollout(_)
            | Self::Analysis(_)
            | Self::Charts(_)
            | Self::Alerts(_)
            | Self::Dashboards(_)
            | Self::Run(_)
            | Self::Image(_)
            | Self::Flow(_) => None,
        }
    }

    /// Returns the table, if it is one, to change it.
    pub(super) fn table_mut(&mut self) -> Option<&mut TableScreen> {
        match self {
            Self::Applications(screen) | Self::Namespaces(screen) | Self::Kind(screen) => {
                Some(screen)
            }
            Self::Application(_)
            | Self::Diff(_)
            | Self::History(_)
            | Self::Text(_)
            | Self::Events(_)
            | Self::Logs(_)
            | Self::Contexts(_)
            | Self::Help(_)
            | Self::Ledger(_)
            | Self::Rollout(_)
            | Self::Analysis(_)
            | Self::Charts(_)
            | Self::Alerts(_)
            | Self::Dashboards(_)
            | Self::Run(_)
            | Self::Image(_)
            | Self::Flow(_) => None,
        }
    }
}

/// Returns the kind of Rollouts.
pub fn rollouts() -> GroupKind {
    GroupKind::new(ARGO, "Rollout")
}

/// Returns the kind of AnalysisRuns.
pub fn analysis_runs() -> GroupKind {
    GroupKind::new(ARGO, "AnalysisRun")
}

/// Returns the plural of a kind as people type it.
pub fn plural(kind: &GroupKind) -> String {
    if let Some(repository) = crate::domain::image::repository_of(kind) {
        return repository.to_owned();
    }
    match info_of(kind) {
        Some(info) => info.plural.to_owned(),
        None => kind.kind.to_lowercase(),
    }
}
