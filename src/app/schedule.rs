//! When the cockpit has to wake up although nothing happens.
//!
//! Nothing visible grows old and no toast waits: no deadline, and the program sleeps.

use super::screens::{
    AlertItem, AlertsScreen, ApplicationScreen, ImageScreen, RolloutItem, RolloutScreen, RunScreen,
    Screen, TableScreen,
};
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
    let log = if let Screen::Run(screen) = state.screen() {
        screen.log_due
    } else {
        None
    };
    let real = [state.toasts.next_deadline(), sequence, log];
    Deadline {
        platform: next_age_change(state),
        real: real.into_iter().flatten().min(),
    }
}

fn next_age_change(state: &State) -> Option<DateTime<Utc>> {
    let now = state.now.platform;
    let screen = state.screen();
    let filtered = screen.table();
    if filtered.is_some_and(|table| table.view.filter.depends_on_time()) {
        return Some(now + TimeDelta::seconds(1));
    }
    let mut shown = Shown::default();
    match screen {
        Screen::Applications(table) | Screen::Namespaces(table) | Screen::Kind(table) => {
            shown.add_table(table, state);
        }
        Screen::Application(screen) => shown.add_application(screen, rows_of(state)),
        Screen::History(screen) => {
            let detail = screen.detail.ready().and_then(Option::as_ref);
            let entries = detail.map(|detail| &*detail.history).unwrap_or_default();
            let deployed = entries.iter().filter_map(|entry| entry.deployed_at);
            shown.ages.extend(deployed);
        }
        Screen::Events(screen) => {
            let events = screen.content.ready().into_iter().flatten();
            shown
                .ages
                .extend(events.filter_map(|event| event.last_seen));
        }
        Screen::Ledger(_) => {
            let entries = state.ledger.entries().iter();
            let asked = entries.filter_map(super::ledger::Entry::asked_at);
            shown.ages.extend(asked);
        }
        Screen::Rollout(screen) => shown.add_rollout(screen, rows_of(state), now),
        Screen::Analysis(screen) => {
            if let Some(run) = screen.run() {
                shown.ages.extend(run.started);
                let metrics = screen.metric().into_iter();
                let measured = metrics.flat_map(|metric| &metric.measurements);
                let finished = measured.filter_map(|one| one.finished);
                shown.ages.extend(finished);
            }
        }
        Screen::Alerts(screen) => shown.add_alerts(screen, rows_of(state), now),
        Screen::Run(screen) => shown.add_run(screen, rows_of(state), now),
        Screen::Flow(screen) => {
            let made = screen.flow.ready().into_iter().flat_map(|flow| &flow.made);
            shown.ages.extend(made.filter_map(|made| made.at));
        }
        Screen::Image(screen) => shown.add_image(screen),
        // Charts are drawn anew when points arrive.
        Screen::Charts(_)
        | Screen::Dashboards(_)
        | Screen::Diff(_)
        | Screen::Text(_)
        | Screen::Logs(_)
        | Screen::Contexts(_)
        | Screen::Help(_) => {}
    }
    let ages = shown.ages.into_iter().map(|since| next_change(since, now));
    let stale = state.link.freshness.iter();
    let stale = stale.filter_map(|(_, freshness)| stale_change(freshness, now));
    ages.chain(stale).chain(shown.countdowns).min()
}

fn rows_of(state: &State) -> usize {
    usize::from(state.viewports.rows)
}

/// What of the visible rows reads differently later.
#[derive(Default)]
struct Shown {
    /// Moments whose age is shown.
    ages: Vec<DateTime<Utc>>,
    /// When a time that is left reads differently.
    countdowns: Vec<DateTime<Utc>>,
}

impl Shown {
    fn add_table(&mut self, screen: &TableScreen, state: &State) {
        let table = state.store.table(&screen.view.kind);
        let window = screen.view.window(rows_of(state)).iter();
        for row in window.filter_map(|id| table.and_then(|table| table.row(*id))) {
            self.ages.extend(moments_of(row));
            let now = state.now.platform;
            if let Some(run) = row.run().filter(|run| !run.phase.is_over()) {
                let begun = run.started.map(|since| count_change(since, now));
                self.countdowns.extend(begun);
            }
            let next = row.cron().and_then(|cron| cron.next(now));
            self.countdowns
                .extend(next.and_then(|next| countdown_change(next, now)));
        }
    }

    fn add_application(&mut self, screen: &ApplicationScreen, rows: usize) {
        let window = screen.rows().iter().skip(screen.offset).take(rows);
        let nodes = window.filter_map(|row| screen.node(row));
        self.ages.extend(nodes.filter_map(|node| node.created));
        if let Some(detail) = screen.application() {
            self.ages.extend(detail.row.created);
            self.ages.extend(moment_of(&detail.row.operation));
            self.ages.extend(detail.row.reconciled_at);
        }
    }

    fn add_rollout(&mut self, screen: &RolloutScreen, rows: usize, now: DateTime<Utc>) {
        let window = screen.rows().iter().skip(screen.offset).take(rows);
        self.ages
            .extend(window.filter_map(|row| match screen.item(row)? {
                RolloutItem::Revision(revision) => revision.replica_sets.first()?.created,
                RolloutItem::ReplicaSet(set) => set.created,
                RolloutItem::Pod(pod) => pod.created,
                RolloutItem::Analysis(run) => run.started.or(run.created),
                RolloutItem::Experiment(experiment) => experiment.created,
            }));
        let events = screen.events.ready().map(|all| &**all).unwrap_or_default();
        let newest = events.iter().rev().take(10);
        self.ages.extend(newest.filter_map(|event| event.last_seen));
        if let Some(detail) = screen.rollout() {
            self.countdowns.extend(pause_change(&detail.row, now));
            let ends = detail.replica_sets().filter_map(|set| set.scale_down_at);
            self.countdowns
                .extend(ends.filter_map(|end| countdown_change(end, now)));
        }
    }

    /// What runs counts up: every second, every minute when it takes long.
    fn add_run(&mut self, screen: &RunScreen, rows: usize, now: DateTime<Utc>) {
        let window = screen.rows().iter().skip(screen.offset).take(rows);
        let nodes = window.filter_map(|row| screen.node(row));
        let running = nodes.filter(|node| !node.phase.is_over());
        let begun = running.filter_map(|node| node.started);
        let own = screen.run().map(|run| &run.row);
        let own = own.filter(|row| !row.phase.is_over());
        let begun = begun.chain(own.and_then(|row| row.started));
        self.countdowns
            .extend(begun.map(|since| count_change(since, now)));
    }

    fn add_image(&mut self, screen: &ImageScreen) {
        let row = screen.image().map(|image| &image.row);
        let moments = row.map(|row| [row.pushed, row.pulled, row.built]);
        self.ages.extend(moments.into_iter().flatten().flatten());
    }

    fn add_alerts(&mut self, screen: &AlertsScreen, rows: usize, now: DateTime<Utc>) {
        let window = screen.rows().iter().skip(screen.cursor.offset).take(rows);
        for row in window {
            match screen.item(*row) {
                Some(AlertItem::Alert(alert)) => self.ages.extend(alert.since),
                Some(AlertItem::Silence(silence)) => {
                    let end = silence.ends.and_then(|end| countdown_change(end, now));
                    self.countdowns.extend(end);
                }
                None => {}
            }
        }
    }
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

/// Returns when a time that has passed since `begun` reads differently.
fn count_change(begun: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let passed = (now - begun).num_milliseconds().max(0);
    let unit = if passed >= 3_600_000 { 60_000 } else { 1_000 };
    now + TimeDelta::milliseconds(unit - passed.rem_euclid(unit))
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
    if let Some(cron) = row.cron() {
        return row.created().into_iter().chain(cron.last).collect();
    }
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
