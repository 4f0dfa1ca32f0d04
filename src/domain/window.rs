//! Sync windows of an `AppProject`: when a sync may run.
//!
//! Decision and match rules: Argo CD `pkg/apis/application/v1alpha1/types.go`, `SyncWindows`.
//! A window's zone counts with the offset it has now, as upstream does.

use super::cron::Schedule;
use super::duration::parse_duration;
use super::globs;
use super::node::Node;
use chrono::{DateTime, TimeDelta, Utc};

/// Who wants to sync, where.
#[derive(Clone, Debug, Default)]
pub struct Subject<'a> {
    pub application: &'a str,
    pub namespace: &'a str,
    pub server: &'a str,
    pub cluster: &'a str,
}

/// One window, read from `spec.syncWindows[]`.
#[derive(Clone, Debug)]
pub struct Window {
    pub allows: bool,
    pub manual_sync: bool,
    pub overrun: bool,
    applications: Vec<String>,
    namespaces: Vec<String>,
    clusters: Vec<String>,
    every_list: bool,
    schedule: Schedule,
    duration: TimeDelta,
    zone: String,
}

impl Window {
    /// Reads a window; the error says what is wrong with it.
    pub fn read<N: Node>(value: &N) -> Result<Self, String> {
        let text = |name: &str| value.member(name).and_then(Node::text).unwrap_or_default();
        let flag = |name: &str| value.member(name).and_then(Node::boolean) == Some(true);
        let owned = |name: &str| -> Vec<String> {
            let items = value.member(name).map(Node::items).unwrap_or_default();
            items
                .iter()
                .filter_map(Node::text)
                .map(str::to_owned)
                .collect()
        };
        let duration = text("duration");
        let duration = parse_duration(duration).ok_or_else(|| {
            format!("`{duration}` is not a duration such as `30s`, `5m` or `1h30m`")
        });
        let kind = text("kind");
        if kind != "allow" && kind != "deny" {
            return Err(format!("kind '{kind}' mismatch: can only be allow or deny"));
        }
        Ok(Self {
            allows: kind == "allow",
            manual_sync: flag("manualSync"),
            overrun: flag("syncOverrun"),
            applications: owned("applications"),
            namespaces: owned("namespaces"),
            clusters: owned("clusters"),
            every_list: flag("andOperator"),
            schedule: Schedule::parse(text("schedule"))?,
            duration: duration?,
            zone: text("timeZone").to_owned(),
        })
    }

    /// Returns whether the window speaks of this subject; one without lists speaks of nobody.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        let application = any(&self.applications, subject.application);
        let namespace = any(&self.namespaces, subject.namespace);
        let cluster = any(&self.clusters, subject.server)
            .map(|by_server| by_server || any(&self.clusters, subject.cluster).unwrap_or_default());
        let lists = [application, namespace, cluster];
        let mut given = lists.into_iter().flatten().peekable();
        if given.peek().is_none() {
            return false;
        }
        if self.every_list {
            given.all(|matched| matched)
        } else {
            given.any(|matched| matched)
        }
    }

    /// Returns whether the window is open at a time.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        let local = now.naive_utc() + offset_of(&self.zone, now);
        self.schedule
            .next(local - self.duration)
            .is_some_and(|start| start < local)
    }
}

/// `None` when the list is empty.
fn any(patterns: &[String], text: &str) -> Option<bool> {
    (!patterns.is_empty()).then(|| patterns.iter().any(|pattern| globs::matches(pattern, text)))
}

/// Returns a zone's offset from UTC; an unknown zone is UTC, as upstream has it.
pub(super) fn offset_of(zone: &str, now: DateTime<Utc>) -> TimeDelta {
    if zone.is_empty() || zone == "UTC" {
        return TimeDelta::zero();
    }
    let seconds = jiff::tz::TimeZone::get(zone).ok().and_then(|zone| {
        let instant = jiff::Timestamp::from_second(now.timestamp()).ok()?;
        Some(zone.to_offset(instant).seconds())
    });
    TimeDelta::seconds(i64::from(seconds.unwrap_or_default()))
}

/// What the windows say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    Blocked,
}

/// Decides whether a sync may run now. `windows` are those that match the subject.
pub fn decide(windows: &[Window], manual: bool, now: DateTime<Utc>) -> Decision {
    let (allows, denies): (Vec<_>, Vec<_>) = windows.iter().partition(|window| window.allows);
    let active = |list: &[&Window]| -> Vec<bool> {
        list.iter()
            .filter(|window| window.is_active(now))
            .map(|window| window.manual_sync)
            .collect()
    };
    let active_denies = active(&denies);
    if !active_denies.is_empty() {
        return if manual && active_denies.iter().all(|manual_sync| *manual_sync) {
            Decision::Allowed
        } else {
            Decision::Blocked
        };
    }
    if allows.is_empty() || !active(&allows).is_empty() {
        return Decision::Allowed;
    }
    if manual && allows.iter().all(|window| window.manual_sync) {
        return Decision::Allowed;
    }
    Decision::Blocked
}

/// Decides for an operation that began at `started`: with `syncOverrun` on every window it may
/// go on after the window closed.
pub fn decide_running(
    windows: &[Window],
    manual: bool,
    started: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Decision {
    if decide(windows, manual, now) == Decision::Allowed {
        return Decision::Allowed;
    }
    if !windows.is_empty() && windows.iter().all(|window| window.overrun) {
        return decide(windows, manual, started);
    }
    Decision::Blocked
}

/// Reads a project's windows that speak of a subject; malformed ones are returned as errors.
pub fn matching<N: Node>(project: &N, subject: &Subject<'_>) -> (Vec<Window>, Vec<String>) {
    let mut windows = Vec::new();
    let mut errors = Vec::new();
    for value in project
        .at(&["spec", "syncWindows"])
        .map(Node::items)
        .unwrap_or_default()
    {
        match Window::read(value) {
            Ok(window) if window.matches(subject) => windows.push(window),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    (windows, errors)
}
