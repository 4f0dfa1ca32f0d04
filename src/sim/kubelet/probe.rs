//! What a running container will do, and when its probes notice.
//!
//! Probes run at `initialDelaySeconds` and then every `periodSeconds`. When they succeed is known
//! from the start, because the image's profile says when the program is well; so nothing wakes up
//! for a probe whose result changes nothing.

use super::command::Outcome;
use super::container::{Policy, Role};
use super::image::ImageProfile;
use crate::sim::controllers::runtime::time::seconds;
use crate::sim::rng::Rng;
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// How the container's program ends by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Exit {
    pub(super) at: DateTime<Utc>,
    pub(super) code: i32,
    pub(super) reason: &'static str,
}

/// Which probe failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    Startup,
    Readiness,
    Liveness,
}

/// The future of one run of a container.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) started: bool,
    pub(super) ready: bool,
    start_at: DateTime<Utc>,
    ready_at: Option<DateTime<Utc>>,
    exit: Option<Exit>,
    kill: Option<(DateTime<Utc>, &'static str)>,
    /// The next failure of a probe to tell of, its period, and when they stop.
    failures: Option<Failures>,
}

#[derive(Clone, Debug, PartialEq)]
struct Failures {
    which: Failed,
    next: DateTime<Utc>,
    period: TimeDelta,
    until: Option<DateTime<Utc>>,
}

struct Rhythm {
    first: DateTime<Utc>,
    period: TimeDelta,
    failures: i32,
    successes: i32,
}

impl Rhythm {
    fn of(probe: &Probe, from: DateTime<Utc>, not_before: DateTime<Utc>) -> Self {
        let delay = probe.initial_delay_seconds.unwrap_or(0).max(0);
        Self {
            first: (from + TimeDelta::seconds(i64::from(delay))).max(not_before),
            period: TimeDelta::seconds(i64::from(probe.period_seconds.unwrap_or(10).max(1))),
            failures: probe.failure_threshold.unwrap_or(3).max(1),
            successes: probe.success_threshold.unwrap_or(1).max(1),
        }
    }

    /// Returns the first run of the probe at or after `time`.
    fn first_from(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        if time <= self.first {
            return self.first;
        }
        let late = (time - self.first).num_milliseconds();
        let period = self.period.num_milliseconds().max(1);
        let periods = late / period + i64::from(late % period != 0);
        self.first + TimeDelta::milliseconds(periods * period)
    }

    fn after(&self, time: DateTime<Utc>, periods: i32) -> DateTime<Utc> {
        time + self.period * periods
    }
}

impl Plan {
    pub(super) fn new(since: DateTime<Utc>, spec: &Container, profile: &ImageProfile) -> Self {
        let well = since + seconds(profile.ready_after);
        let mut plan = Self {
            started: false,
            ready: false,
            start_at: since,
            ready_at: None,
            exit: None,
            kill: None,
            failures: None,
        };
        if let Some(probe) = &spec.startup_probe {
            let rhythm = Rhythm::of(probe, since, since);
            plan.start_at = rhythm.first_from(well);
            let last = rhythm.after(rhythm.first, rhythm.failures - 1);
            if plan.start_at > last {
                plan.kill = Some((last, "startup"));
            }
            plan.tell(Failed::Startup, &rhythm, Some(plan.start_at));
        }
        match &spec.readiness_probe {
            None => plan.ready_at = Some(plan.start_at),
            Some(probe) => {
                let rhythm = Rhythm::of(probe, since, plan.start_at);
                let first_good = rhythm.first_from(well);
                plan.ready_at =
                    (!profile.never_ready).then(|| rhythm.after(first_good, rhythm.successes - 1));
                if plan.failures.is_none() {
                    let until = (!profile.never_ready).then_some(first_good);
                    plan.tell(Failed::Readiness, &rhythm, until);
                }
            }
        }
        plan.plan_liveness(since, spec, profile);
        plan.settle(since);
        plan
    }

    fn plan_liveness(&mut self, since: DateTime<Utc>, spec: &Container, profile: &ImageProfile) {
        let (Some(probe), Some(after)) = (&spec.liveness_probe, profile.unhealthy_after) else {
            return;
        };
        let rhythm = Rhythm::of(probe, since, self.start_at);
        let first_bad = rhythm.first_from(since + seconds(after));
        let kill = rhythm.after(first_bad, rhythm.failures - 1);
        if self.kill.is_none() {
            self.kill = Some((kill, "liveness"));
        }
        if self.failures.is_none() {
            self.failures = Some(Failures {
                which: Failed::Liveness,
                next: first_bad,
                period: rhythm.period,
                until: Some(kill + TimeDelta::milliseconds(1)),
            });
        }
    }

    fn tell(&mut self, which: Failed, rhythm: &Rhythm, until: Option<DateTime<Utc>>) {
        if until.is_none_or(|until| rhythm.first < until) {
            self.failures = Some(Failures {
                which,
                next: rhythm.first,
                period: rhythm.period,
                until,
            });
        }
    }

    /// Decides how the program ends by itself, if it does.
    pub(super) fn set_exit(
        &mut self,
        profile: &ImageProfile,
        command: Option<&Outcome>,
        (role, policy): (Role, Policy),
        mut rng: Rng,
    ) {
        let since = self.start_at.min(self.ready_at.unwrap_or(self.start_at));
        let exit = |after: f64, code: i32| Exit {
            at: since + seconds(after.max(0.1)),
            code,
            reason: if code == 0 { "Completed" } else { "Error" },
        };
        self.exit = match (profile.exit_after, command) {
            (Some(after), _) if profile.out_of_memory => Some(Exit {
                reason: "OOMKilled",
                ..exit(after, 137)
            }),
            (Some(after), _) => Some(exit(after, profile.exit_code)),
            (None, Some(outcome)) if outcome.forever => None,
            (None, Some(outcome)) => Some(exit(outcome.seconds + 0.2, outcome.code)),
            (None, None) => match (role, policy) {
                (Role::Init, _) => Some(exit(rng.between(0.3, 0.8), profile.exit_code)),
                (Role::Main, Policy::Never | Policy::OnFailure) => {
                    Some(exit(rng.between(1.5, 3.5), profile.exit_code))
                }
                (Role::Main, Policy::Always) | (Role::Sidecar, _) => None,
            },
        };
    }

    /// Decides that the program ends by itself so many seconds after `at`.
    pub(super) fn exit_after(
        &mut self,
        at: DateTime<Utc>,
        after: f64,
        (code, reason): (i32, &'static str),
    ) {
        self.exit = Some(Exit {
            at: at + seconds(after.max(0.1)),
            code,
            reason,
        });
    }

    pub(super) fn due(&self) -> Option<DateTime<Utc>> {
        [
            (!self.started).then_some(self.start_at),
            self.ready_at.filter(|_| !self.ready),
            self.exit.map(|exit| exit.at),
            self.kill.map(|(at, _)| at),
            self.failures.as_ref().map(|failures| failures.next),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn exit_at(&self, at: DateTime<Utc>) -> Option<Exit> {
        self.exit.filter(|exit| exit.at <= at)
    }

    pub(super) fn killed_at(&self, at: DateTime<Utc>) -> Option<&'static str> {
        self.kill
            .filter(|(due, _)| *due <= at)
            .map(|(_, which)| which)
    }

    /// Returns the probe failures up to `at`, and skips those that only a jump of the clock
    /// would make one tell.
    pub(super) fn take_failures(&mut self, at: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Failed> {
        let Some(failures) = self.failures.as_mut().filter(|one| one.next <= at) else {
            return Vec::new();
        };
        let which = failures.which;
        failures.next += failures.period;
        let behind = (now - failures.next).num_milliseconds() / failures.period.num_milliseconds();
        if behind > 1 {
            failures.next += failures.period * (behind as i32 - 1);
        }
        if failures.until.is_some_and(|until| failures.next >= until) {
            self.failures = None;
        }
        vec![which]
    }

    /// Notes what has come true by `at`.
    pub(super) fn settle(&mut self, at: DateTime<Utc>) {
        self.started |= self.start_at <= at && self.kill.is_none_or(|(_, what)| what != "startup");
        if self.kill.is_some_and(|(_, what)| what == "startup") {
            // It never gets through its startup probe; do not wake up for it again.
            self.start_at = self.kill.map_or(self.start_at, |(due, _)| due);
            return;
        }
        self.ready |= self.started && self.ready_at.is_some_and(|due| due <= at);
    }
}

/// Says how a probe failed, as the kubelet does for its kind of probe.
pub(super) fn failure_text(spec: &Container, failed: Failed, ip: &str) -> String {
    let (name, probe) = match failed {
        Failed::Startup => ("Startup", &spec.startup_probe),
        Failed::Readiness => ("Readiness", &spec.readiness_probe),
        Failed::Liveness => ("Liveness", &spec.liveness_probe),
    };
    let Some(probe) = probe else {
        return format!("{name} probe failed");
    };
    if probe.http_get.is_some() {
        return format!("{name} probe failed: HTTP probe failed with statuscode: 503");
    }
    if let Some(tcp) = &probe.tcp_socket {
        let port = match &tcp.port {
            IntOrString::Int(port) => port.to_string(),
            IntOrString::String(name) => named_port(spec, name),
        };
        return format!("{name} probe failed: dial tcp {ip}:{port}: connect: connection refused");
    }
    format!("{name} probe failed: command exited with code 1")
}

fn named_port(spec: &Container, name: &str) -> String {
    spec.ports
        .iter()
        .flatten()
        .find(|port| port.name.as_deref() == Some(name))
        .map_or_else(|| name.to_owned(), |port| port.container_port.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: f64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + seconds(second)
    }

    fn probed(delay: i32, period: i32) -> Probe {
        Probe {
            initial_delay_seconds: Some(delay),
            period_seconds: Some(period),
            ..Probe::default()
        }
    }

    #[test]
    fn without_probes_a_container_is_ready_at_once() {
        let plan = Plan::new(at(0.0), &Container::default(), &ImageProfile::default());

        assert!(plan.started && plan.ready);
        assert_eq!(plan.due(), None);
    }

    #[test]
    fn readiness_comes_with_the_first_probe_after_the_program_is_well() {
        let spec = Container {
            readiness_probe: Some(probed(2, 5)),
            ..Container::default()
        };
        let profile = ImageProfile {
            ready_after: 8.0,
            ..ImageProfile::default()
        };

        let mut plan = Plan::new(at(0.0), &spec, &profile);

        assert_eq!(plan.take_failures(at(2.0), at(2.0)), [Failed::Readiness]);
        assert_eq!(plan.take_failures(at(7.0), at(7.0)), [Failed::Readiness]);
        assert_eq!(plan.due(), Some(at(12.0)));
        plan.settle(at(12.0));
        assert!(plan.ready);
        assert_eq!(plan.due(), None);
    }

    #[test]
    fn a_program_too_slow_for_its_startup_probe_is_killed() {
        let spec = Container {
            startup_probe: Some(probed(0, 1)),
            ..Container::default()
        };
        let profile = ImageProfile {
            ready_after: 60.0,
            ..ImageProfile::default()
        };

        let plan = Plan::new(at(0.0), &spec, &profile);

        assert_eq!(plan.killed_at(at(1.9)), None);
        assert_eq!(plan.killed_at(at(2.0)), Some("startup"));
    }

    #[test]
    fn a_jump_of_hours_tells_of_a_failing_probe_a_few_times_only() {
        let spec = Container {
            readiness_probe: Some(probed(0, 10)),
            ..Container::default()
        };
        let profile = ImageProfile {
            never_ready: true,
            ..ImageProfile::default()
        };
        let mut plan = Plan::new(at(0.0), &spec, &profile);

        let mut told = 0;
        while let Some(due) = plan.due().filter(|due| *due <= at(36_000.0)) {
            told += plan.take_failures(due, at(36_000.0)).len();
        }

        assert!((2..10).contains(&told), "told {told} times");
    }
}
