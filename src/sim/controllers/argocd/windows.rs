//! Sync windows of an `AppProject`: when a sync may run.
//!
//! Decision and match rules: Argo CD `pkg/apis/application/v1alpha1/types.go`, `SyncWindows`.
//! A window's zone counts with the offset it has now, as upstream does.

use super::cron::Schedule;
use super::{durations, globs, json};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

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
    pub fn read(value: &Value) -> Result<Self, String> {
        let owned = |name: &str| -> Vec<String> {
            json::texts(value, &[name])
                .into_iter()
                .map(str::to_owned)
                .collect()
        };
        let kind = json::text(value, &["kind"]);
        if kind != "allow" && kind != "deny" {
            return Err(format!("kind '{kind}' mismatch: can only be allow or deny"));
        }
        Ok(Self {
            allows: kind == "allow",
            manual_sync: json::flag(value, &["manualSync"]),
            overrun: json::flag(value, &["syncOverrun"]),
            applications: owned("applications"),
            namespaces: owned("namespaces"),
            clusters: owned("clusters"),
            every_list: json::flag(value, &["andOperator"]),
            schedule: Schedule::parse(json::text(value, &["schedule"]))?,
            duration: durations::parse(json::text(value, &["duration"]))?,
            zone: json::text(value, &["timeZone"]).to_owned(),
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
fn offset_of(zone: &str, now: DateTime<Utc>) -> TimeDelta {
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
pub fn matching(project: &Value, subject: &Subject<'_>) -> (Vec<Window>, Vec<String>) {
    let mut windows = Vec::new();
    let mut errors = Vec::new();
    for value in json::items(project, &["spec", "syncWindows"]) {
        match Window::read(value) {
            Ok(window) if window.matches(subject) => windows.push(window),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    (windows, errors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn window(kind: &str, schedule: &str, manual: bool) -> Window {
        Window::read(
            &json!({"kind": kind, "schedule": schedule, "duration": "1h",
            "applications": ["*"], "manualSync": manual}),
        )
        .expect("a window")
    }

    const NOW: &str = "2026-11-21T10:30:00Z";
    const OPEN: &str = "0 10 * * *";
    const CLOSED: &str = "0 12 * * *";

    #[test]
    fn windows_decide_as_upstream() {
        let blocked = Decision::Blocked;
        let allowed = Decision::Allowed;
        // (windows, automatic, manual)
        let cases = [
            (vec![], allowed, allowed),
            (vec![window("allow", OPEN, false)], allowed, allowed),
            (vec![window("allow", CLOSED, false)], blocked, blocked),
            (vec![window("allow", CLOSED, true)], blocked, allowed),
            (vec![window("deny", OPEN, false)], blocked, blocked),
            (vec![window("deny", OPEN, true)], blocked, allowed),
            (vec![window("deny", CLOSED, false)], allowed, allowed),
            (
                vec![window("deny", OPEN, true), window("deny", OPEN, false)],
                blocked,
                blocked,
            ),
            (
                vec![window("allow", OPEN, false), window("deny", OPEN, false)],
                blocked,
                blocked,
            ),
            (
                vec![window("allow", OPEN, false), window("allow", CLOSED, false)],
                allowed,
                allowed,
            ),
            (
                vec![
                    window("allow", CLOSED, true),
                    window("allow", CLOSED, false),
                ],
                blocked,
                blocked,
            ),
            (
                vec![
                    window("allow", CLOSED, false),
                    window("deny", CLOSED, false),
                ],
                blocked,
                blocked,
            ),
        ];
        for (index, (windows, automatic, manual)) in cases.into_iter().enumerate() {
            assert_eq!(
                decide(&windows, false, at(NOW)),
                automatic,
                "automatic, case {index}"
            );
            assert_eq!(
                decide(&windows, true, at(NOW)),
                manual,
                "manual, case {index}"
            );
        }
    }

    #[test]
    fn a_window_opens_in_its_own_zone() {
        let zoned = Window::read(
            &json!({"kind": "allow", "schedule": "0 19 * * *", "duration": "1h",
            "timeZone": "Asia/Tokyo", "applications": ["*"]}),
        )
        .expect("a window");

        let has_zones = jiff::tz::TimeZone::get("Asia/Tokyo").is_ok();
        assert_eq!(zoned.is_active(at(NOW)), has_zones);
    }

    #[test]
    fn lists_are_joined_by_or_unless_told_otherwise() {
        let subject = Subject {
            application: "shop",
            namespace: "prod",
            server: "https://kubernetes.default.svc",
            cluster: "in-cluster",
        };
        let read = |and: bool, applications: &[&str], namespaces: &[&str], clusters: &[&str]| {
            Window::read(&json!({"kind": "deny", "schedule": OPEN, "duration": "1h",
                "andOperator": and, "applications": applications, "namespaces": namespaces,
                "clusters": clusters}))
            .expect("a window")
            .matches(&subject)
        };

        assert!(read(false, &["shop"], &["dev"], &[]));
        assert!(!read(true, &["shop"], &["dev"], &[]));
        assert!(read(true, &["sh*"], &[], &["in-cluster"]));
        assert!(read(false, &[], &[], &["https://*"]));
        assert!(!read(false, &[], &[], &[]));
    }

    #[test]
    fn an_operation_that_overruns_its_window_goes_on() {
        let read = |overrun: bool| {
            vec![
                Window::read(&json!({"kind": "allow", "schedule": OPEN, "duration": "1h",
                "applications": ["*"], "syncOverrun": overrun}))
                .expect("a window"),
            ]
        };
        let later = at("2026-11-21T11:10:00Z");

        assert_eq!(
            decide_running(&read(true), false, at(NOW), later),
            Decision::Allowed
        );
        assert_eq!(
            decide_running(&read(false), false, at(NOW), later),
            Decision::Blocked
        );
    }

    #[test]
    fn a_malformed_window_is_reported() {
        let project = json!({"spec": {"syncWindows": [
            {"kind": "allow", "schedule": "nonsense", "duration": "1h", "applications": ["*"]},
            {"kind": "maybe", "schedule": OPEN, "duration": "1h", "applications": ["*"]}]}});

        let (windows, errors) = matching(&project, &Subject::default());

        assert!(windows.is_empty());
        assert_eq!(errors.len(), 2);
    }
}
