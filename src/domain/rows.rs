//! Rows as the watches report them, in batches of one kind.
//!
//! Applications, Rollouts, AnalysisRuns, runs of pipelines and their schedules have projections of
//! their own, and so has what registries tell; every other kind is a row of the server's Table.

use super::analysis::AnalysisRun;
use super::application::Application;
use super::health::Verdict;
use super::image::RegistryRow;
use super::object::{GroupKind, ObjectRef, Text, Uid};
use super::pipeline::{CronRun, RunRow};
use super::rollout::Rollout;
use chrono::{DateTime, Utc};

/// A batch of changed rows of one kind; the newest state of each object only.
///
/// `removed` comes before `rows`: an object that was deleted and made again is in both, with two
/// uids. A list in several pages resets with its first page only.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    pub kind: GroupKind,
    /// The rows replace everything known (a new list); otherwise they are changes.
    pub reset: bool,
    pub rows: Rows,
    /// Objects that are gone.
    pub removed: Vec<(ObjectRef, Uid)>,
}

/// Rows by projection.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    Applications(Vec<Application>),
    Rollouts(Vec<Rollout>),
    AnalysisRuns(Vec<AnalysisRun>),
    /// Runs of all systems, under the kind of [`super::pipeline::runs_kind`].
    Runs(Vec<RunRow>),
    CronRuns(Vec<CronRun>),
    /// Images, and what else registries have, under the kinds of [`super::image`].
    Registry(Vec<RegistryRow>),
    Objects {
        columns: Option<Vec<Column>>,
        rows: Vec<ObjectRow>,
    },
}

/// A column of a server's Table. Cells of `Age` grow old: draw them from [`ObjectRow::created`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: Text,
    /// 0 is always shown; higher only in the wide view.
    pub priority: i32,
    pub numeric: bool,
}

/// One object in the generic table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRow {
    pub object: ObjectRef,
    pub uid: Uid,
    /// As many as there are columns.
    pub cells: Vec<Text>,
    pub verdict: Option<Verdict>,
    pub labels: Vec<(Text, Text)>,
    pub created: Option<DateTime<Utc>>,
    pub deleting: bool,
}
