//! One row of any kind, with the little that every table needs of it.

use crate::domain::analysis::{AnalysisPhase, AnalysisRun};
use crate::domain::application::{Application, OperationView, Phase};
use crate::domain::image::{ArtifactRow, RegistryRow};
use crate::domain::object::{ObjectRef, Text, Uid};
use crate::domain::pipeline::{CronRun, RunRow};
use crate::domain::rollout::{Rollout, RolloutPhase};
use crate::domain::rows::ObjectRow;
use crate::domain::status::Health;
use chrono::{DateTime, Utc};
use std::fmt::Write as _;

/// A row of a kind with a projection of its own, or of the server's Table.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    Application(Box<Application>),
    Rollout(Box<Rollout>),
    AnalysisRun(Box<AnalysisRun>),
    Run(Box<RunRow>),
    Cron(Box<CronRun>),
    Registry(RegistryRow),
    Object(ObjectRow),
}

impl Row {
    /// Returns which object this is.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Application(app) => &app.object,
            Self::Rollout(row) => &row.object,
            Self::AnalysisRun(row) => &row.object,
            Self::Run(row) => &row.object,
            Self::Cron(row) => &row.object,
            Self::Registry(row) => row.object(),
            Self::Object(row) => &row.object,
        }
    }

    /// Returns which life of the object this is.
    pub fn uid(&self) -> &Uid {
        match self {
            Self::Application(app) => &app.uid,
            Self::Rollout(row) => &row.uid,
            Self::AnalysisRun(row) => &row.uid,
            Self::Run(row) => &row.uid,
            Self::Cron(row) => &row.uid,
            Self::Registry(row) => row.uid(),
            Self::Object(row) => &row.uid,
        }
    }

    /// Returns the labels, sorted by key.
    pub fn labels(&self) -> &[(Text, Text)] {
        match self {
            Self::Application(app) => &app.labels,
            Self::Rollout(row) => &row.labels,
            Self::AnalysisRun(row) => &row.labels,
            Self::Run(row) => &row.labels,
            Self::Cron(row) => &row.labels,
            Self::Registry(row) => row.labels(),
            Self::Object(row) => &row.labels,
        }
    }

    /// Returns when the object was created.
    pub fn created(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Application(app) => app.created,
            Self::Rollout(row) => row.created,
            Self::AnalysisRun(row) => row.created,
            Self::Run(row) => row.created,
            Self::Cron(row) => row.created,
            Self::Registry(row) => row.created(),
            Self::Object(row) => row.created,
        }
    }

    /// Returns whether the object is being deleted.
    pub fn is_deleting(&self) -> bool {
        match self {
            Self::Application(app) => app.deleting.is_some(),
            Self::Rollout(row) => row.deleting.is_some(),
            Self::AnalysisRun(row) => row.deleting,
            Self::Run(row) => row.deleting.is_some(),
            Self::Cron(row) => row.deleting,
            Self::Registry(_) => false,
            Self::Object(row) => row.deleting,
        }
    }

    /// Returns the health, when the kind has one.
    pub fn health(&self) -> Option<Health> {
        match self {
            Self::Application(app) => Some(app.health),
            Self::Rollout(row) => Some(row.phase.health()),
            Self::AnalysisRun(row) => Some(row.phase.health()),
            Self::Run(row) => Some(row.phase.health()),
            Self::Cron(row) => Some(row.health()),
            Self::Registry(row) => Some(row.health()),
            Self::Object(row) => row.verdict.as_ref().map(|verdict| verdict.health),
        }
    }

    /// Returns the Application, if it is one.
    pub fn application(&self) -> Option<&Application> {
        match self {
            Self::Application(app) => Some(app),
            Self::Rollout(_)
            | Self::AnalysisRun(_)
            | Self::Run(_)
            | Self::Cron(_)
            | Self::Registry(_)
            | Self::Object(_) => None,
        }
    }

    /// Returns the Rollout, if it is one.
    pub fn rollout(&self) -> Option<&Rollout> {
        match self {
            Self::Rollout(row) => Some(row),
            Self::Application(_)
            | Self::AnalysisRun(_)
            | Self::Run(_)
            | Self::Cron(_)
            | Self::Registry(_)
            | Self::Object(_) => None,
        }
    }

    /// Returns the AnalysisRun, if it is one.
    pub fn analysis_run(&self) -> Option<&AnalysisRun> {
        match self {
            Self::AnalysisRun(row) => Some(row),
            Self::Application(_)
            | Self::Rollout(_)
            | Self::Run(_)
            | Self::Cron(_)
            | Self::Registry(_)
            | Self::Object(_) => None,
        }
    }

    /// Returns the generic row, if it is one.
    pub fn generic(&self) -> Option<&ObjectRow> {
        match self {
            Self::Application(_)
            | Self::Rollout(_)
            | Self::AnalysisRun(_)
            | Self::Run(_)
            | Self::Cron(_)
            | Self::Registry(_) => None,
            Self::Object(row) => Some(row),
        }
    }

    /// Returns the run of a pipeline, if it is one.
    pub fn run(&self) -> Option<&RunRow> {
        match self {
            Self::Run(row) => Some(row),
            Self::Application(_)
            | Self::Rollout(_)
            | Self::AnalysisRun(_)
            | Self::Cron(_)
            | Self::Registry(_)
            | Self::Object(_) => None,
        }
    }

    /// Returns the schedule of runs, if it is one.
    pub fn cron(&self) -> Option<&CronRun> {
        match self {
            Self::Cron(row) => Some(row),
            Self::Application(_)
            | Self::Rollout(_)
            | Self::AnalysisRun(_)
            | Self::Run(_)
            | Self::Registry(_)
            | Self::Object(_) => None,
        }
    }

    /// Returns what a registry tells, if it is that.
    pub fn registry(&self) -> Option<&RegistryRow> {
        match self {
            Self::Registry(row) => Some(row),
            Self::Application(_)
            | Self::Rollout(_)
            | Self::AnalysisRun(_)
            | Self::Run(_)
            | Self::Cron(_)
            | Self::Object(_) => None,
        }
    }

    /// Returns the image, if it is one.
    pub fn image(&self) -> Option<&ArtifactRow> {
        match self.registry()? {
            RegistryRow::Image(row) => Some(row),
            RegistryRow::Project(_)
            | RegistryRow::Robot(_)
            | RegistryRow::Cve(_)
            | RegistryRow::Registry(_)
            | RegistryRow::Update(_) => None,
        }
    }

    /// Returns whether this needs a person: not healthy, not synced, failed, or full of findings.
    pub fn is_faulty(&self) -> bool {
        match self {
            Self::Application(app) => {
                app.health != Health::Healthy
                    || app.sync != crate::domain::status::SyncStatus::Synced
                    || app.deleting.is_some()
                    || !app.findings.is_empty()
                    || operation_failed(&app.operation)
            }
            Self::Rollout(row) => {
                row.phase == RolloutPhase::Degraded
                    || row.deleting.is_some()
                    || !row.findings.is_empty()
            }
            Self::AnalysisRun(row) => {
                row.phase >= AnalysisPhase::Inconclusive || !row.findings.is_empty()
            }
            Self::Run(row) => {
                row.phase.is_bad()
                    || row.phase == crate::domain::pipeline::Phase::Suspended
                    || row.deleting.is_some()
                    || !row.findings.is_empty()
            }
            Self::Cron(row) => !row.problem.is_empty() || !row.findings.is_empty(),
            Self::Registry(row) => row.is_faulty(),
            Self::Object(row) => {
                row.deleting
                    || row
                        .verdict
                        .as_ref()
                        .is_some_and(|verdict| verdict.health != Health::Healthy)
            }
        }
    }

    /// Replaces what no screen shows by what `newer` says, so that only visible changes differ.
    pub(super) fn take_invisible(&mut self, newer: &Self) {
        if let (Self::Application(old), Self::Application(new)) = (&mut *self, newer) {
            old.resource_version = new.resource_version.clone();
            old.reconciled_at = new.reconciled_at;
        }
        if let (Self::Rollout(old), Self::Rollout(new)) = (&mut *self, newer) {
            old.resource_version = new.resource_version.clone();
        }
        if let (Self::AnalysisRun(old), Self::AnalysisRun(new)) = (&mut *self, newer) {
            old.resource_version = new.resource_version.clone();
        }
        if let (Self::Run(old), Self::Run(new)) = (&mut *self, newer) {
            old.resource_version = new.resource_version.clone();
        }
        if let (Self::Cron(old), Self::Cron(new)) = (&mut *self, newer) {
            old.resource_version = new.resource_version.clone();
        }
    }

    /// Writes the text that filters search, in lower case.
    pub(super) fn write_haystack(&self, text: &mut String) {
        let object = self.object();
        push(text, &object.name);
        push(text, object.namespace.as_deref().unwrap_or_default());
        match self {
            Self::Application(app) => {
                push(text, &app.project);
                push(text, app.sync.word());
                push(text, app.health.word());
                push(text, &app.destination.namespace);
                push(text, &app.destination.name);
                for source in &app.sources {
                    push(text, &source.repo);
                    push(text, &source.path);
                    push(text, &source.chart);
                    push(text, &source.target_revision);
                }
                for revision in &app.revisions {
                    push(text, revision);
                }
            }
            Self::Rollout(row) => {
                push(text, row.strategy.word());
                push(text, row.phase.word());
                push(text, &row.message);
                // As the table shows it: a registry's name would match in every row.
                for image in &row.images {
                    push(text, image.image.rsplit('/').next().unwrap_or_default());
                }
            }
            Self::AnalysisRun(row) => {
                push(text, row.phase.word());
                push(text, row.role.word());
                for metric in &row.metrics {
                    push(text, &metric.name);
                }
            }
            Self::Run(row) => push_run(text, row),
            Self::Cron(row) => {
                push(text, row.status_words());
                for schedule in &row.schedules {
                    push(text, schedule);
                }
                push(text, &row.problem);
            }
            Self::Registry(row) => {
                for word in row.words() {
                    push(text, &word);
                }
            }
            Self::Object(row) => {
                for cell in &row.cells {
                    push(text, cell);
                }
            }
        }
    }
}

fn push_run(text: &mut String, row: &RunRow) {
    push(text, row.system.word());
    push(text, row.status_words());
    push(text, &row.trigger.words());
    if let Some(template) = &row.template {
        push(text, &template.name);
    }
    for piece in [
        &row.commit.revision,
        &row.commit.repository,
        &row.commit.image,
        &row.failing,
        &row.message,
    ] {
        push(text, piece);
    }
}

fn operation_failed(operation: &OperationView) -> bool {
    match operation {
        OperationView::Blocked { .. }
        | OperationView::NeedsConfirmation { .. }
        | OperationView::WaitingRetry { .. }
        | OperationView::Stuck { .. } => true,
        OperationView::Finished { phase, .. } => matches!(phase, Phase::Failed | Phase::Error),
        OperationView::None
        | OperationView::Queued
        | OperationView::Active { .. }
        | OperationView::Waiting { .. } => false,
    }
}

fn push(text: &mut String, piece: &str) {
    if piece.is_empty() {
        return;
    }
    if piece.is_ascii() {
        let start = text.len();
        text.push_str(piece);
        if let Some(written) = text.get_mut(start..) {
            written.make_ascii_lowercase();
        }
    } else {
        text.extend(piece.chars().flat_map(char::to_lowercase));
    }
    // Writing into a String cannot be refused.
    let _written = text.write_char(' ').is_ok();
}
