//! When the cockpit has to wake up although nothing happens.
//!
//! Nothing visible grows old and no toast waits: no deadline, and the program sleeps.

use super::screens::{AlertItem, RolloutItem, Screen};
use super::state::State;
use crate::domain::age::next_change;
use crate::domain::application::OperationView;
use crate::domain::rollout::Rollout;
use crate::domain::status::Freshness;
use crate::store::Row;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// When to send `Msg::Tick`, on either clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadline {
    /// In the platform's time: an age that will read differently.
    pub platform: Option<DateTime<Utc>>,
    /// In real time: a toast, a half-typed sequence.
    pub real: Option<Duration>,
}

impl Deadline {
    /// Returns whether there is nothing to wake up for.
    pub fn is_none(&self) -> bool {
        self.platform.is_none() && self.real.is_none()
    }
}

/// Returns the next moment at which the screen changes by itself.
pub fn next_deadline(state: &State) -> Deadline {
    let sequence = (!state.pending.keys.is_empty()).then_some(state.pending.until);
    let real = [state.toasts.next_deadline(), sequence];
    Deadline {
        platform: next_age_change(state),
        real: real.into_iter().flatten().min(),
    }
}

fn next_age_change(state: &State) -> Option<DateTime<Utc>> {
    let now = state.now.platform;
    let mut moments: Vec<DateTime<Utc>> = Vec::new();
    let mut countdowns: Vec<DateTime<Utc>> = Vec::new();
    let rows = usize::from(state.viewports.rows);
    match state.screen() {
        Screen::Applications(screen) | Screen::Namespaces(screen) | Screen::Kind(screen) => {
            let table = state.store.table(&screen.view.kind);
            let window = screen.view.window(rows).iter();
            let shown = window.filter_map(|id| table.and_then(|table| table.row(*id)));
            for row in shown {
                moments.extend(moments_of(row));
            }
            if screen.view.filter.depends_on_time() {
                return Some(now + TimeDelta::seconds(1));
            }
        }
        Screen::Application(screen) => {
            let window = screen.rows().iter().skip(screen.offset).take(rows);
            let nodes = window.filter_map(|row| screen.node(row));
            moments.extend(nodes.filter_map(|node| node.created));
            if let Some(detail) = screen.application() {
                moments.extend(detail.row.created);
                moments.extend(moment_of(&detail.row.operation));
                moments.extend(detail.row.reconciled_at);
            }
        }
        Screen::History(screen) => {
            let detail = screen.detail.ready().and_then(Option::as_ref);
            let entries = detail.map(|detail| &*detail.history).unwrap_or_default();
            moments.extend(entries.iter().filter_map(|entry| entry.deployed_at));
        }
        Screen::Events(screen) => {
            let events = screen.content.ready().map(|all| &**all).unwrap_or_default();
            moments.extend(events.iter().filter_map(|event| event.last_seen));
        }
        Screen::Ledger(_) => {
            let entries = state.ledger.entries().iter();
            moments.extend(entries.filter_map(super::ledger::Entry::asked_at));
        }
        Screen::Rollout(screen) => {
            let window = screen.rows().iter().skip(screen.offset).take(rows);
            moments.extend(window.filter_map(|row| match screen.item(row)? {
                RolloutItem::Revision(revision) => revision.replica_sets.first()?.created,
                RolloutItem::ReplicaSet(set) => set.created,
                RolloutItem::Pod(pod) => pod.created,
                RolloutItem::Analysis(run) => run.started.or(run.created),
                RolloutItem::Experiment(experiment) => experiment.created,
            }));
            let events = screen.events.ready().map(|all| &**all).unwrap_or_default();
            let newest = events.iter().rev().take(10);
            moments.extend(newest.filter_map(|event| event.last_seen));
            if let Some(detail) = screen.rollout() {
                countdowns.extend(pause_change(&detail.row, now));
                let sets = detail.replica_sets();
                let ends = sets.filter_map(|set| set.scale_down_at);
                countdowns.extend(ends.filter_map(|end| countdown_change(end, now)));
            }
        }
        Screen::Analysis(screen) => {
            if let Some(run) = screen.run() {
                moments.extend(run.started);
                let metrics = screen.metric().into_iter();
                let measured = metrics.flat_map(|metric| &metric.measurements);
                moments.extend(measured.filter_map(|one| one.finished));
            }
        }
        Screen::Alerts(screen) => {
            let window = screen.rows().iter().skip(screen.cursor.offset).take(rows);
            for row in window {
                match screen.item(*row) {
                    Some(AlertItem::Alert(alert)) => moments.extend(alert.since),
                    Some(AlertItem::Silence(silence)) => {
                        let end = silence.ends.and_then(|end| countdown_change(end, now));
                        countdowns.extend(end);
                    }
                    None => {}
                }
            }
        }
        // Charts are drawn anew when points arrive.
        Screen::Charts(_)
        | Screen::Dashboards(_)
        | Screen::Diff(_)
        | Screen::Text(_)
        | Screen::Logs(_)
        | Screen::Contexts(_)
        | Screen::Help(_) => {}
    }
    let ages = moments.into_iter().map(|since| next_change(since, now));
    let stale = state.link.freshness.iter();
    let stale = stale.filter_map(|(_, freshness)| stale_change(freshness, now));
    ages.chain(stale).chain(countdowns).min()
}

/// The remaining pause counts down.
fn pause_change(row: &Rollout, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    countdown_change(row.pause_ends()?, now)
}

/// Returns when the time that is left until `end` reads differently: every second, and every
/// minute when more than an hour is left.
fn countdown_change(end: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let left = (end - now).num_milliseconds();
    if left <= 0 {
        return None;
    }
    let unit = if left > 3_600_000 { 60_000 } else { 1_000 };
    let over = left.rem_euclid(unit);
    Some(now + TimeDelta::milliseconds(over + 1))
}

/// A stale source shows its age and counts down to the next try.
fn stale_change(freshness: &Freshness, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match freshness {
        Freshness::Stale {
            since, retry_at, ..
        } => {
            let age = next_change(*since, now);
            let second = now + TimeDelta::seconds(1);
            Some(if *retry_at > now {
                age.min(second)
            } else {
                age
            })
        }
        Freshness::Connecting
        | Freshness::Loading { .. }
        | Freshness::Live
        | Freshness::NeedsCredentials { .. }
        | Freshness::Forbidden { .. }
        | Freshness::Absent { .. } => None,
    }
}

fn moments_of(row: &Row) -> Vec<DateTime<Utc>> {
    let operation = row.application().and_then(|app| moment_of(&app.operation));
    row.created().into_iter().chain(operation).collect()
}

fn moment_of(operation: &OperationView) -> Option<DateTime<Utc>> {
    match operation {
        OperationView::Active { started, .. } | OperationView::Waiting { started, .. } => *started,
        OperationView::Finished { at, .. } => *at,
        OperationView::None
        | OperationView::Queued
        | OperationView::Blocked { .. }
        | OperationView::NeedsConfirmation { .. }
        | OperationView::WaitingRetry { .. }
        | OperationView::Stuck { .. } => None,
    }
}
