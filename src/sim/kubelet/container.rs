//! One container's life: pulled, created, running, ended, restarted with back-off.
//!
//! Pure: [`ContainerRun::step`] moves it to the next thing that is due, and says what happened.
//! Times are due times, not the time of looking, so a clock that jumps hours replays what would
//! have happened in them. Reasons and messages are those of kubelet 1.33 on containerd.

mod waiting;

use super::command;
use super::image::{ImageProfile, ImageSource, PullOutcome, is_moving, is_valid};
use super::probe::Plan;
use super::step::{Bench, Script, StepRun};
use crate::sim::controllers::runtime::time::seconds;
use crate::sim::rng::{Rng, Seed};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::{Container, Pod};
use std::collections::HashMap;

const FIRST_BACK_OFF: f64 = 10.0;
const LONGEST_BACK_OFF: f64 = 300.0;
/// A container that ran this long has its back-off forgotten.
const CALM: TimeDelta = TimeDelta::minutes(10);
const START_SECONDS: f64 = 0.3;
/// From `ErrImagePull` to `ImagePullBackOff`: the kubelet's next look at the pod.
const PULL_ERROR_SHOWN: f64 = 1.5;
const CONFIG_RETRY: f64 = 5.0;

/// What became of one run of a container.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) reason: &'static str,
    pub(super) started: DateTime<Utc>,
    pub(super) finished: DateTime<Utc>,
    pub(super) id: String,
    /// The termination message.
    pub(super) message: Option<String>,
}

/// One run of a container, for its log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) number: u32,
    pub(super) start: DateTime<Utc>,
    pub(super) end: Option<DateTime<Utc>>,
    /// It ended by itself and has said its last words.
    pub(super) finished: bool,
    /// What a step prints; none: the image says.
    pub(super) script: Option<Script>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    /// Its turn has come at this time, or not yet.
    Waiting(Option<DateTime<Utc>>),
    Pulling {
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    },
    PullFailed {
        message: String,
        /// Until then the status says `ErrImagePull`, from then on `ImagePullBackOff`.
        back_off_from: Option<DateTime<Utc>>,
        retry: DateTime<Utc>,
    },
    /// It cannot be created: reason, message, and when to look again.
    Blocked(&'static str, String, Option<DateTime<Utc>>),
    Creating {
        until: DateTime<Utc>,
    },
    Running {
        since: DateTime<Utc>,
        plan: Plan,
    },
    /// Its work is done at this time; what it does outside is still to be carried out.
    Finishing {
        since: DateTime<Utc>,
        at: DateTime<Utc>,
    },
    Ended(Ended),
    CrashLoop {
        until: DateTime<Utc>,
        delay: f64,
    },
}

/// How a container takes part in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Runs to its end before the next one begins.
    Init,
    /// An init container that goes on running (`restartPolicy: Always`).
    Sidecar,
    Main,
}

/// When the pod's containers are started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Always,
    OnFailure,
    Never,
}

impl Policy {
    pub(super) fn of(pod: &Pod) -> Self {
        let policy = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.restart_policy.as_deref());
        match policy {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            Some(_) | None => Self::Always,
        }
    }

    pub(super) fn restarts(self, role: Role, code: i32) -> bool {
        match (self, role) {
            (_, Role::Sidecar) | (Self::Always, Role::Main) => true,
            (Self::Always, Role::Init) | (Self::OnFailure, Role::Init | Role::Main) => code != 0,
            (Self::Never, Role::Init | Role::Main) => false,
        }
    }
}

/// Something worth an Event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Happening {
    pub(super) at: DateTime<Utc>,
    /// Such as `spec.containers{web}`.
    pub(super) field_path: Option<String>,
    pub(super) warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// What surrounds a container while it is moved on.
pub(super) struct Scene<'a> {
    pub(super) pod: &'a Pod,
    pub(super) spec: &'a Container,
    pub(super) role: Role,
    pub(super) images: &'a dyn ImageSource,
    pub(super) on_node: &'a mut HashMap<String, String>,
    /// Why the container cannot be created: something it refers to is missing.
    pub(super) missing: Option<&'a String>,
    pub(super) ip: &'a str,
    pub(super) seed: Seed,
    pub(super) said: &'a mut Vec<Happening>,
    /// The pod's containers are steps.
    pub(super) steps: Option<Bench<'a>>,
}

impl Scene<'_> {
    pub(super) fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    pub(super) fn image(&self) -> &str {
        self.spec.image.as_deref().unwrap_or_default()
    }

    pub(super) fn profile(&self) -> ImageProfile {
        self.images.profile(self.image())
    }

    pub(super) fn rng(&self, purpose: &str, number: u32) -> Rng {
        let name = self.pod.metadata.name.as_deref().unwrap_or_default();
        let number = number.to_string();
        self.seed.stream(&[purpose, name, &self.spec.name, &number])
    }

    pub(super) fn normal(&mut self, at: DateTime<Utc>, reason: &'static str, message: String) {
        self.say(at, false, (reason, message));
    }

    pub(super) fn warning(&mut self, at: DateTime<Utc>, reason: &'static str, message: String) {
        self.say(at, true, (reason, message));
    }

    fn say(&mut self, at: DateTime<Utc>, warning: bool, (reason, message): (&'static str, String)) {
        let list = match self.role {
            Role::Init | Role::Sidecar => "initContainers",
            Role::Main => "containers",
        };
        self.said.push(Happening {
            at,
            field_path: Some(format!("spec.{list}{{{}}}", self.spec.name)),
            warning,
            reason,
            message,
        });
    }
}

/// A container of a pod on a node.
#[derive(Clone, Debug)]
pub(super) struct ContainerRun {
    pub(super) name: String,
    pub(super) phase: Phase,
    pub(super) restarts: u32,
    pub(super) last: Option<Ended>,
    pub(super) digest: Option<String>,
    /// The runs whose logs are kept: the present one and the one before.
    pub(super) spans: Vec<Span>,
    pub(super) id: String,
    /// What it does as a step.
    pub(super) step: Option<StepRun>,
    crashes: u32,
    pull_failures: u32,
}

impl ContainerRun {
    pub(super) fn new(spec: &Container) -> Self {
        Self {
            name: spec.name.clone(),
            phase: Phase::Waiting(None),
            restarts: 0,
            last: None,
            digest: None,
            spans: Vec::new(),
            id: String::new(),
            step: None,
            crashes: 0,
            pull_failures: 0,
        }
    }

    /// Returns when something happens next without anybody's doing.
    pub(super) fn due(&self) -> Option<DateTime<Utc>> {
        match &self.phase {
            Phase::Waiting(turn) => *turn,
            Phase::Pulling { until, .. }
            | Phase::Creating { until }
            | Phase::CrashLoop { until, .. } => Some(*until),
            Phase::PullFailed {
                back_off_from,
                retry,
                ..
            } => back_off_from.or(Some(*retry)),
            Phase::Blocked(_, _, retry) => *retry,
            Phase::Running { plan, .. } => plan.due(),
            Phase::Finishing { .. } | Phase::Ended(_) => None,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. } | Phase::Finishing { .. })
    }

    /// Started and, if it has a readiness probe, found ready.
    pub(super) fn is_ready(&self) -> bool {
        matches!(&self.phase, Phase::Running { plan, .. } if plan.ready)
    }

    /// Started and, if it has a startup probe, through it.
    pub(super) fn is_started(&self) -> bool {
        matches!(&self.phase, Phase::Running { plan, .. } if plan.started)
    }

    pub(super) fn exit_code(&self) -> Option<i32> {
        if let Phase::Ended(ended) = &self.phase {
            Some(ended.code)
        } else {
            None
        }
    }

    /// Does what is due at `at`; `now` is the time of looking.
    pub(super) fn step(&mut self, scene: &mut Scene<'_>, at: DateTime<Utc>, now: DateTime<Utc>) {
        match self.phase.clone() {
            Phase::Waiting(_) | Phase::Blocked(..) => self.begin(scene, at),
            Phase::Pulling { since, .. } => self.on_pull_ended(scene, since, at),
            Phase::PullFailed {
                message,
                back_off_from: Some(_),
                retry,
            } => {
                let image = scene.image().to_owned();
                scene.normal(at, "BackOff", format!("Back-off pulling image \"{image}\""));
                scene.warning(at, "Failed", "Error: ImagePullBackOff".to_owned());
                self.phase = Phase::PullFailed {
                    message,
                    back_off_from: None,
                    retry,
                };
            }
            Phase::PullFailed { .. } => self.start_pull(scene, at),
            Phase::Creating { .. } => self.on_created(scene, at),
            Phase::Running { since, plan } => self.on_running(scene, (since, plan), (at, now)),
            Phase::CrashLoop { .. } => {
                self.restarts += 1;
                self.begin(scene, at);
            }
            Phase::Finishing { .. } | Phase::Ended(_) => {}
        }
    }

    fn begin(&mut self, scene: &mut Scene<'_>, at: DateTime<Utc>) {
        let image = scene.image().to_owned();
        if !is_valid(&image) {
            let message = format!(
                "Failed to apply default image tag \"{image}\": couldn't parse image name \
                 \"{image}\": invalid reference format"
            );
            scene.warning(at, "InspectFailed", message.clone());
            scene.warning(at, "Failed", "Error: InvalidImageName".to_owned());
            self.phase = Phase::Blocked("InvalidImageName", message, None);
            return;
        }
        let present = scene.on_node.contains_key(&image);
        match scene.spec.image_pull_policy.as_deref() {
            Some("Never") if !present => {
                let message =
                    format!("Container image \"{image}\" is not present with pull policy of Never");
                scene.warning(at, "ErrImageNeverPull", message.clone());
                scene.warning(at, "Failed", "Error: ErrImageNeverPull".to_owned());
                self.phase = Phase::Blocked("ErrImageNeverPull", message, None);
            }
            Some("Always") => self.start_pull(scene, at),
            None if is_moving(&image) => self.start_pull(scene, at),
            Some(_) | None if present => {
                let message = format!("Container image \"{image}\" already present on machine");
                scene.normal(at, "Pulled", message);
                self.digest = scene.on_node.get(&image).cloned();
                self.create(scene, at);
            }
            Some(_) | None => self.start_pull(scene, at),
        }
    }

    fn start_pull(&mut self, scene: &mut Scene<'_>, at: DateTime<Utc>) {
        let image = scene.image().to_owned();
        scene.normal(at, "Pulling", format!("Pulling image \"{image}\""));
        let mut span = scene.profile().pull_seconds.unwrap_or_else(|| {
            scene
                .rng("pull", self.restarts + self.pull_failures)
                .between(0.5, 1.5)
        });
        if scene.on_node.contains_key(&image) {
            // Only the manifest is asked for when the layers are there.
            span = span.min(0.2);
        }
        self.phase = Phase::Pulling {
            since: at,
            until: at + seconds(span),
        };
    }

    fn on_pull_ended(&mut self, scene: &mut Scene<'_>, since: DateTime<Utc>, at: DateTime<Utc>) {
        let image = scene.image().to_owned();
        match scene.images.pull(&image) {
            PullOutcome::Pulled { digest, size } => {
                let took = (at - since).num_milliseconds();
                let took = if took < 1000 {
                    format!("{took}ms")
                } else {
                    format!("{}.{:03}s", took / 1000, took % 1000)
                };
                scene.normal(
                    at,
                    "Pulled",
                    format!(
                        "Successfully pulled image \"{image}\" in {took} ({took} including \
                         waiting). Image size: {size} bytes."
                    ),
                );
                scene.on_node.insert(image, digest.clone());
                self.digest = Some(digest);
                self.pull_failures = 0;
                self.create(scene, at);
            }
            PullOutcome::Failed { message } => self.on_pull_failed(scene, &message, at),
        }
    }

    fn on_pull_failed(&mut self, scene: &mut Scene<'_>, what: &str, at: DateTime<Utc>) {
        let image = scene.image().to_owned();
        let code = if what.ends_with("not found") {
            "NotFound"
        } else {
            "Unknown"
        };
        let message = format!("rpc error: code = {code} desc = {what}");
        scene.warning(
            at,
            "Failed",
            format!("Failed to pull image \"{image}\": {message}"),
        );
        scene.warning(at, "Failed", "Error: ErrImagePull".to_owned());
        let delay = back_off(self.pull_failures);
        self.pull_failures += 1;
        self.phase = Phase::PullFailed {
            message,
            back_off_from: Some(at + seconds(PULL_ERROR_SHOWN)),
            retry: at + seconds(delay),
        };
    }

    fn create(&mut self, scene: &mut Scene<'_>, at: DateTime<Utc>) {
        if let Some(missing) = scene.missing {
            scene.warning(at, "Failed", format!("Error: {missing}"));
            self.phase = Phase::Blocked(
                "CreateContainerConfigError",
                missing.clone(),
                Some(at + seconds(CONFIG_RETRY)),
            );
            return;
        }
        self.phase = Phase::Creating {
            until: at + seconds(START_SECONDS),
        };
    }

    fn on_created(&mut self, scene: &mut Scene<'_>, at: DateTime<Utc>) {
        let name = scene.spec.name.clone();
        scene.normal(at, "Created", format!("Created container: {name}"));
        scene.normal(at, "Started", format!("Started container {name}"));
        let number = self.spans.last().map_or(0, |span| span.number + 1);
        let uid = scene.uid().to_owned();
        self.id = format!(
            "containerd://{}",
            scene
                .seed
                .stream(&["container", &uid, &name, &number.to_string()])
                .hex(64)
        );
        if self.spans.len() > 1 {
            self.spans.remove(0);
        }
        self.spans.push(Span {
            number,
            start: at,
            end: None,
            finished: false,
            script: None,
        });
        let profile = scene.profile();
        let command = command::follow(scene.spec);
        let rng = scene.rng("run", number);
        let policy = Policy::of(scene.pod);
        let mut plan = Plan::new(at, scene.spec, &profile);
        match StepRun::begin(scene, number, at) {
            Some(step) => {
                self.step = Some(step);
                self.phase = Phase::Running { since: at, plan };
                self.begin_work(at);
            }
            None => {
                plan.set_exit(&profile, command.as_ref(), (scene.role, policy), rng);
                self.phase = Phase::Running { since: at, plan };
            }
        }
    }

    fn on_running(
        &mut self,
        scene: &mut Scene<'_>,
        (since, mut plan): (DateTime<Utc>, Plan),
        (at, now): (DateTime<Utc>, DateTime<Utc>),
    ) {
        if let Some(exit) = plan.exit_at(at) {
            if self.step.is_some() {
                self.phase = Phase::Finishing { since, at };
                return;
            }
            self.on_exit(scene, since, (exit.code, exit.reason), at);
            return;
        }
        if let Some(which) = plan.killed_at(at) {
            let name = scene.spec.name.clone();
            scene.normal(
                at,
                "Killing",
                format!("Container {name} failed {which} probe, will be restarted"),
            );
            self.on_exit(scene, since, (143, "Error"), at);
            return;
        }
        for failed in plan.take_failures(at, now) {
            let why = super::probe::failure_text(scene.spec, failed, scene.ip);
            scene.warning(at, "Unhealthy", why);
        }
        plan.settle(at);
        self.phase = Phase::Running { since, plan };
    }

    fn on_exit(
        &mut self,
        scene: &mut Scene<'_>,
        since: DateTime<Utc>,
        (code, reason): (i32, &'static str),
        at: DateTime<Utc>,
    ) {
        self.end_span(at, true);
        let ended = Ended {
            code,
            reason,
            started: since,
            finished: at,
            id: self.id.clone(),
            message: None,
        };
        if !Policy::of(scene.pod).restarts(scene.role, code) {
            self.phase = Phase::Ended(ended);
            return;
        }
        self.last = Some(ended);
        if at - since >= CALM {
            self.crashes = 0;
        }
        self.crashes += 1;
        if self.crashes == 1 {
            self.restarts += 1;
            self.begin(scene, at);
            return;
        }
        let delay = back_off(self.crashes - 2);
        let meta = &scene.pod.metadata;
        let message = format!(
            "Back-off restarting failed container {} in pod {}_{}({})",
            scene.spec.name,
            meta.name.as_deref().unwrap_or_default(),
            meta.namespace.as_deref().unwrap_or_default(),
            scene.uid()
        );
        scene.warning(at, "BackOff", message);
        self.phase = Phase::CrashLoop {
            until: at + seconds(delay),
            delay,
        };
    }

    /// Ends a running container from outside.
    pub(super) fn kill(&mut self, at: DateTime<Utc>) {
        self.end_by_signal(at, (0, "Completed"));
    }

    /// Ends a running container with what its program makes of the signal.
    pub(super) fn end_by_signal(&mut self, at: DateTime<Utc>, end: (i32, &'static str)) {
        if let Phase::Running { since, .. } | Phase::Finishing { since, .. } = self.phase {
            self.end_span(at, false);
            self.phase = Phase::Ended(Ended {
                code: end.0,
                reason: end.1,
                started: since,
                finished: at,
                id: self.id.clone(),
                message: None,
            });
        }
    }

    pub(super) fn end_span(&mut self, at: DateTime<Utc>, finished: bool) {
        if let Some(span) = self.spans.last_mut() {
            span.end = Some(at);
            span.finished = finished;
        }
    }
}

/// Returns how many seconds to wait after the given number of earlier failures.
fn back_off(earlier: u32) -> f64 {
    (FIRST_BACK_OFF * 2_f64.powi(earlier.min(10) as i32)).min(LONGEST_BACK_OFF)
}

#[cfg(test)]
mod tests {
    use super::waiting::spell;
    use super::*;

    #[test]
    fn back_off_doubles_up_to_five_minutes_and_is_spelled_as_go_does() {
        assert_eq!(
            (0..7).map(|n| spell(back_off(n))).collect::<Vec<_>>(),
            ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]
        );
    }

    #[test]
    fn init_containers_restart_only_when_they_failed() {
        assert!(!Policy::Always.restarts(Role::Init, 0));
        assert!(Policy::Always.restarts(Role::Init, 1));
        assert!(Policy::Always.restarts(Role::Main, 0));
        assert!(!Policy::OnFailure.restarts(Role::Main, 0));
        assert!(Policy::Never.restarts(Role::Sidecar, 0));
    }
}
