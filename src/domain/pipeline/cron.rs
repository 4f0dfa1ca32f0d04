//! Schedules that make runs: CronWorkflows.

use crate::domain::cron::Schedule;
use crate::domain::finding::Finding;
use crate::domain::kind::ARGO;
use crate::domain::object::{GroupKind, ObjectRef, ResourceVersion, Text, Uid};
use crate::domain::status::Health;
use crate::domain::window::offset_of;
use chrono::{DateTime, Utc};

/// Returns the kind of CronWorkflows.
pub fn cron_kind() -> GroupKind {
    GroupKind::new(ARGO, "CronWorkflow")
}

/// One CronWorkflow in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct CronRun {
    pub object: ObjectRef,
    pub uid: Uid,
    pub resource_version: ResourceVersion,
    pub created: Option<DateTime<Utc>>,
    pub deleting: bool,
    pub labels: Vec<(Text, Text)>,
    pub suspended: bool,
    /// It has stopped by its own condition (`status.phase`).
    pub stopped: bool,
    pub schedules: Vec<Text>,
    /// Empty is UTC as far as can be told from here: the controller's zone.
    pub timezone: Text,
    /// `Allow`, `Forbid` or `Replace`.
    pub policy: Text,
    /// Condition that has to hold; empty for none.
    pub when: Text,
    /// Runs that are under way.
    pub active: Vec<Text>,
    pub last: Option<DateTime<Utc>>,
    pub succeeded: u32,
    pub failed: u32,
    pub template: Option<ObjectRef>,
    /// Why it cannot make runs, in the words of its conditions; empty when it can.
    pub problem: Text,
    pub findings: Vec<Finding>,
}

impl CronRun {
    /// Returns the words for its state.
    pub fn status_words(&self) -> &'static str {
        if !self.problem.is_empty() {
            "Error"
        } else if self.stopped {
            "Stopped"
        } else if self.suspended {
            "Suspended"
        } else if self.active.is_empty() {
            "Waiting"
        } else {
            "Running"
        }
    }

    /// Returns the health that stands for its state.
    pub fn health(&self) -> Health {
        if !self.problem.is_empty() {
            Health::Degraded
        } else if self.stopped || self.suspended {
            Health::Suspended
        } else if self.active.is_empty() {
            Health::Healthy
        } else {
            Health::Progressing
        }
    }

    /// Returns when the next run is due; `None` when none will be made.
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.suspended || self.stopped {
            return None;
        }
        let offset = offset_of(&self.timezone, now);
        let local = now.naive_utc() + offset;
        let schedules = self.schedules.iter();
        let next = schedules.filter_map(|text| Schedule::parse(text).ok()?.next(local));
        next.min().map(|local| (local - offset).and_utc())
    }
}
