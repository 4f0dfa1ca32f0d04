//! One pod's life on its node: init containers in order, then all others, then the end.
//!
//! Pure, like [`super::container`]: [`PodRun::advance`] does everything that is due and returns
//! when to look again.

use super::container::{ContainerRun, Happening, Phase, Policy, Role, Scene};
use super::image::ImageSource;
use super::step::{Bench, Cabinet};
use crate::sim::rng::Seed;
use crate::sim::steps::{PodNote, Steps, Turn};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use std::collections::{BTreeMap, HashMap};

/// More steps than any pod needs; a mistake must not hang the platform.
const MOST_STEPS: usize = 50_000;
/// From the binding until the sandbox is there.
const SANDBOX: TimeDelta = TimeDelta::milliseconds(100);

/// A pod that a node runs.
#[derive(Clone, Debug)]
pub(super) struct PodRun {
    pub(super) uid: String,
    pub(super) ip: String,
    pub(super) began: DateTime<Utc>,
    pub(super) init: Vec<ContainerRun>,
    pub(super) main: Vec<ContainerRun>,
    /// When the containers will have stopped, once the pod is being deleted.
    pub(super) stopped_at: Option<DateTime<Utc>>,
    /// It was active longer than its spec allows.
    pub(super) expired: bool,
    /// A step has acted on an object and waits for its condition.
    pub(super) acted: bool,
    /// Which steps its containers are.
    pub(super) note: Option<PodNote>,
    /// The files that its steps wrote, by path.
    pub(super) files: Cabinet,
}

/// What surrounds a pod while it is moved on.
pub(super) struct Stage<'a> {
    pub(super) pod: &'a Pod,
    pub(super) images: &'a dyn ImageSource,
    pub(super) on_node: &'a mut HashMap<String, String>,
    /// By container: what it refers to and is not there.
    pub(super) missing: &'a HashMap<String, String>,
    pub(super) seed: Seed,
    pub(super) said: Vec<Happening>,
    pub(super) steps: &'a Steps,
}

impl PodRun {
    pub(super) fn new(pod: &Pod, ip: String, now: DateTime<Utc>) -> Self {
        let empty = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&empty);
        let runs = |list: &[Container]| list.iter().map(ContainerRun::new).collect();
        let mut run = Self {
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            ip,
            began: now,
            init: runs(spec.init_containers.as_deref().unwrap_or_default()),
            main: runs(&spec.containers),
            stopped_at: None,
            expired: false,
            acted: false,
            note: PodNote::of(pod),
            files: Cabinet::default(),
        };
        let first_turn = Phase::Waiting(Some(now + SANDBOX));
        if let Some(first) = run.init.first_mut() {
            first.phase = first_turn;
        } else {
            for container in &mut run.main {
                container.phase = first_turn.clone();
            }
        }
        run
    }

    pub(super) fn container(&self, name: &str) -> Option<&ContainerRun> {
        self.init
            .iter()
            .chain(&self.main)
            .find(|container| container.name == name)
    }

    pub(super) fn due(&self) -> Option<DateTime<Utc>> {
        self.init
            .iter()
            .chain(&self.main)
            .filter_map(ContainerRun::due)
            .min()
    }

    /// A container's turn has come, and it has not been created yet.
    pub(super) fn is_about_to_create(&self) -> bool {
        self.init.iter().chain(&self.main).any(|container| {
            matches!(
                container.phase,
                Phase::Waiting(Some(_))
                    | Phase::Blocked(_, _, Some(_))
                    | Phase::Pulling { .. }
                    | Phase::CrashLoop { .. }
            )
        })
    }

    /// Keeps containers from beginning: what they need to be mounted is not there.
    pub(super) fn hold(&mut self, now: DateTime<Utc>) {
        for run in self.init.iter_mut().chain(&mut self.main) {
            if let Phase::Waiting(Some(turn)) = &mut run.phase {
                *turn = now;
            }
        }
    }

    /// Does everything that is due by `now`; returns when something is due next.
    pub(super) fn advance(
        &mut self,
        stage: &mut Stage<'_>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let deadline = self.deadline(stage.pod);
        for _ in 0..MOST_STEPS {
            let due = self.due();
            if let Some(deadline) = deadline.filter(|deadline| {
                *deadline <= now && due.is_none_or(|due| *deadline <= due) && !self.expired
            }) {
                self.expire(stage, deadline);
                return None;
            }
            match due {
                Some(due) if due <= now => self.step(stage, due, now),
                Some(due) => return Some(deadline.map_or(due, |deadline| deadline.min(due))),
                None => return deadline.filter(|_| !self.has_ended()),
            }
        }
        Some(now + TimeDelta::minutes(1))
    }

    fn has_ended(&self) -> bool {
        self.expired
            || self
                .main
                .iter()
                .all(|run| matches!(run.phase, Phase::Ended(_)))
    }

    fn deadline(&self, pod: &Pod) -> Option<DateTime<Utc>> {
        let most = pod.spec.as_ref()?.active_deadline_seconds?;
        (!self.has_ended()).then(|| self.began + TimeDelta::seconds(most))
    }

    fn expire(&mut self, stage: &mut Stage<'_>, at: DateTime<Utc>) {
        self.expired = true;
        for run in self.init.iter_mut().chain(&mut self.main) {
            run.end_by_signal(at, (143, "Error"));
        }
        stage.said.push(Happening {
            at,
            field_path: None,
            warning: false,
            reason: "DeadlineExceeded",
            message: "Pod was active on the node longer than the specified deadline".to_owned(),
        });
    }

    /// Lets the steps begin whose turn has come, and ends the one that watches the others.
    fn give_step_turns(&mut self, stage: &Stage<'_>, at: DateTime<Utc>) {
        let mut may_begin = Some(true);
        for index in 0..self.main.len() {
            let all_others_ended = self.others_ended(index);
            let Some(run) = self.main.get_mut(index) else {
                break;
            };
            let Some(step) = run.step.as_mut() else {
                may_begin = None;
                continue;
            };
            match (step.note.turn, step.waits) {
                (Turn::AfterPrevious, true) if may_begin == Some(false) => {
                    run.end_by_signal(at, (1, "Error"));
                }
                (Turn::AfterPrevious, true) if may_begin == Some(true) => {
                    step.decide(stage.steps, stage.images, &self.files);
                    run.begin_work(at);
                }
                (Turn::Last, true) if all_others_ended => {
                    step.decide(stage.steps, stage.images, &self.files);
                    run.begin_work(at);
                }
                (Turn::AtOnce | Turn::AfterPrevious | Turn::Last, _) => {}
            }
            let is_last = run
                .step
                .as_ref()
                .is_some_and(|step| step.note.turn == Turn::Last);
            if !is_last {
                may_begin = match (may_begin, run.exit_code()) {
                    (Some(true), Some(0)) => Some(true),
                    (Some(_), Some(_)) => Some(false),
                    (_, None) | (None, _) => None,
                };
            }
        }
    }

    /// Notes what a step put out beside its files.
    pub(super) fn put_out(&mut self, name: &str, outputs: BTreeMap<String, String>) {
        let run = self.main.iter_mut().find(|run| run.name == name);
        if let Some(step) = run.and_then(|run| run.step.as_mut()) {
            step.behaviour.outputs.extend(outputs);
        }
    }

    /// Returns the steps whose work is done and whose effects are to be carried out.
    pub(super) fn finishing(&self) -> Vec<&ContainerRun> {
        let is_finishing = |run: &&ContainerRun| matches!(run.phase, Phase::Finishing { .. });
        self.main.iter().filter(is_finishing).collect()
    }

    /// Ends a step whose effects have been carried out, or were refused.
    pub(super) fn finish_step(
        &mut self,
        stage: &Stage<'_>,
        name: &str,
        said: Result<Vec<String>, String>,
    ) {
        let Some(run) = self.main.iter_mut().find(|run| run.name == name) else {
            return;
        };
        let Phase::Finishing { at, .. } = run.phase else {
            return;
        };
        run.finish_step(said);
        if let Some(step) = &run.step {
            for path in &step.behaviour.removed {
                self.files.remove(path);
            }
            self.files.extend(step.behaviour.files.clone());
        }
        self.give_step_turns(stage, at);
    }

    fn others_ended(&self, index: usize) -> bool {
        let others = self.main.iter().enumerate().filter(|(at, _)| *at != index);
        others
            .filter(|(_, run)| {
                run.step
                    .as_ref()
                    .is_none_or(|step| step.note.turn != Turn::Last)
            })
            .all(|(_, run)| matches!(run.phase, Phase::Ended(_)))
    }

    fn step(&mut self, stage: &mut Stage<'_>, at: DateTime<Utc>, now: DateTime<Utc>) {
        let empty = PodSpec::default();
        let spec = stage.pod.spec.as_ref().unwrap_or(&empty);
        let init = spec.init_containers.as_deref().unwrap_or_default();
        let policy = Policy::of(stage.pod);
        let all = self
            .init
            .iter_mut()
            .zip(init)
            .map(|(run, spec)| (run, spec, init_role(spec)))
            .chain(
                self.main
                    .iter_mut()
                    .zip(&spec.containers)
                    .map(|(run, spec)| (run, spec, Role::Main)),
            );
        for (run, spec, role) in all {
            if run.due().is_some_and(|due| due <= at) {
                let mut scene = Scene {
                    pod: stage.pod,
                    spec,
                    role,
                    images: stage.images,
                    on_node: stage.on_node,
                    missing: stage.missing.get(&spec.name),
                    ip: &self.ip,
                    seed: stage.seed,
                    said: &mut stage.said,
                    steps: self.note.as_ref().map(|note| Bench {
                        note,
                        steps: stage.steps,
                        files: &self.files,
                    }),
                };
                run.step(&mut scene, at, now);
            }
        }
        self.give_turns(init, at);
        self.give_step_turns(stage, at);
        if self.main_has_ended(policy) {
            for sidecar in &mut self.init {
                sidecar.kill(at);
            }
        }
    }

    /// Lets the next init container begin, or the main ones after the last.
    fn give_turns(&mut self, init: &[Container], at: DateTime<Utc>) {
        for (run, spec) in self.init.iter_mut().zip(init) {
            let through = match init_role(spec) {
                Role::Sidecar => run.is_started() || matches!(run.phase, Phase::Ended(_)),
                Role::Init | Role::Main => run.exit_code() == Some(0),
            };
            if run.phase == Phase::Waiting(None) {
                run.phase = Phase::Waiting(Some(at));
                return;
            }
            if !through {
                return;
            }
        }
        for run in &mut self.main {
            if run.phase == Phase::Waiting(None) {
                run.phase = Phase::Waiting(Some(at));
            }
        }
    }

    fn main_has_ended(&self, policy: Policy) -> bool {
        policy != Policy::Always
            && self
                .main
                .iter()
                .all(|run| matches!(run.phase, Phase::Ended(_)))
    }

    /// Stops all containers, as after SIGTERM.
    pub(super) fn stop(&mut self, at: DateTime<Utc>) {
        for run in self.init.iter_mut().chain(&mut self.main) {
            run.kill(at);
        }
    }
}

pub(super) fn init_role(spec: &Container) -> Role {
    if spec.restart_policy.as_deref() == Some("Always") {
        Role::Sidecar
    } else {
        Role::Init
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::controllers::runtime::time::seconds;
    use crate::sim::kubelet::image::{ImageCatalog, ImageProfile};
    use crate::sim::kubelet::status::pod_status;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    struct World {
        pod: Pod,
        run: PodRun,
        images: ImageCatalog,
        on_node: HashMap<String, String>,
        said: Vec<Happening>,
    }

    fn at(second: f64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + seconds(second)
    }

    fn container(name: &str, image: &str) -> Container {
        Container {
            name: name.into(),
            image: Some(image.into()),
            ..Container::default()
        }
    }

    fn world(spec: PodSpec, profiles: Vec<ImageProfile>) -> World {
        let pod = Pod {
            metadata: ObjectMeta {
                name: Some("web-1".into()),
                namespace: Some("shop".into()),
                uid: Some("u1".into()),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
            ..Pod::default()
        };
        World {
            run: PodRun::new(&pod, "10.0.0.1".into(), at(0.0)),
            pod,
            images: ImageCatalog::new(vec!["registry.demo".into()], profiles),
            on_node: HashMap::new(),
            said: Vec::new(),
        }
    }

    impl World {
        fn advance(&mut self, second: f64) -> k8s_openapi::api::core::v1::PodStatus {
            let mut stage = Stage {
                pod: &self.pod,
                images: &self.images,
                on_node: &mut self.on_node,
                missing: &HashMap::new(),
                seed: Seed(1),
                said: Vec::new(),
                steps: &Steps::default(),
            };
            self.run.advance(&mut stage, at(second));
            self.said.extend(stage.said);
            pod_status(&self.pod, &self.run, "10.0.0.254", at(second))
        }

        fn reasons(&self) -> Vec<&'static str> {
            self.said.iter().map(|one| one.reason).collect()
        }
    }

    #[test]
    fn a_pod_is_pulled_created_started_and_ready_within_two_seconds() {
        let mut world = world(
            PodSpec {
                containers: vec![container("web", "nginx:1")],
                ..PodSpec::default()
            },
            Vec::new(),
        );

        assert_eq!(world.advance(0.2).phase.as_deref(), Some("Pending"));
        let status = world.advance(2.0);

        assert_eq!(status.phase.as_deref(), Some("Running"));
        assert_eq!(world.reasons(), ["Pulling", "Pulled", "Created", "Started"]);
        assert!(
            status
                .conditions
                .iter()
                .flatten()
                .all(|one| one.status == "True")
        );
    }

    #[test]
    fn a_crash_restarts_at_once_and_then_backs_off_even_when_the_clock_jumps() {
        let bad = ImageProfile {
            image: "*bad*".into(),
            exit_after: Some(1.0),
            exit_code: 7,
            ..ImageProfile::default()
        };
        let mut world = world(
            PodSpec {
                containers: vec![container("web", "nginx:bad")],
                ..PodSpec::default()
            },
            vec![bad],
        );

        let status = world.advance(6.0);

        let web = &status.container_statuses.as_deref().unwrap_or_default()[0];
        assert_eq!(web.restart_count, 1);
        let waiting = web.state.as_ref().and_then(|state| state.waiting.as_ref());
        let waiting = waiting.expect("it waits");
        assert_eq!(waiting.reason.as_deref(), Some("CrashLoopBackOff"));
        assert_eq!(
            waiting.message.as_deref(),
            Some("back-off 10s restarting failed container=web pod=web-1_shop(u1)")
        );
        let last = web.last_state.as_ref().and_then(|s| s.terminated.as_ref());
        assert_eq!(last.map(|ended| ended.exit_code), Some(7));
        assert_eq!(status.phase.as_deref(), Some("Running"));

        let later = world.advance(3600.0);
        let web = &later.container_statuses.as_deref().unwrap_or_default()[0];
        assert!(
            (10..20).contains(&web.restart_count),
            "{}",
            web.restart_count
        );
    }

    #[test]
    fn a_missing_image_fails_and_then_backs_off() {
        let mut world = world(
            PodSpec {
                containers: vec![container("web", "registry.demo/web:v9")],
                ..PodSpec::default()
            },
            Vec::new(),
        );
        let reason = |status: &k8s_openapi::api::core::v1::PodStatus| {
            let web = &status.container_statuses.as_deref().unwrap_or_default()[0];
            let waiting = web.state.as_ref().and_then(|s| s.waiting.clone());
            waiting.and_then(|waiting| waiting.reason)
        };

        let first = world.advance(2.0);
        let second = world.advance(5.0);

        assert_eq!(reason(&first).as_deref(), Some("ErrImagePull"));
        assert_eq!(reason(&second).as_deref(), Some("ImagePullBackOff"));
        assert_eq!(second.phase.as_deref(), Some("Pending"));
        world.images.add("registry.demo/web:v9");
        assert_eq!(world.advance(30.0).phase.as_deref(), Some("Running"));
    }

    #[test]
    fn init_containers_run_one_after_the_other_before_the_rest() {
        let mut world = world(
            PodSpec {
                init_containers: Some(vec![
                    container("one", "busybox:1"),
                    container("two", "busybox:1"),
                ]),
                containers: vec![container("web", "nginx:1")],
                ..PodSpec::default()
            },
            Vec::new(),
        );

        let early = world.advance(1.8);
        let late = world.advance(8.0);

        assert_eq!(early.phase.as_deref(), Some("Pending"));
        assert_eq!(late.phase.as_deref(), Some("Running"));
        let started: Vec<_> = world
            .said
            .iter()
            .filter(|one| one.reason == "Started")
            .map(|one| one.message.as_str())
            .collect();
        assert_eq!(
            started,
            [
                "Started container one",
                "Started container two",
                "Started container web"
            ]
        );
    }

    #[test]
    fn a_job_pod_ends_with_the_code_of_its_command() {
        let mut failing = container("hook", "busybox:1");
        failing.command = Some(vec!["sh".into(), "-c".into(), "sleep 3; exit 4".into()]);
        let mut world = world(
            PodSpec {
                containers: vec![failing],
                restart_policy: Some("Never".into()),
                ..PodSpec::default()
            },
            Vec::new(),
        );

        assert_eq!(world.advance(4.0).phase.as_deref(), Some("Running"));
        let status = world.advance(10.0);

        assert_eq!(status.phase.as_deref(), Some("Failed"));
        let hook = &status.container_statuses.as_deref().unwrap_or_default()[0];
        let ended = hook.state.as_ref().and_then(|s| s.terminated.as_ref());
        assert_eq!(ended.map(|ended| ended.exit_code), Some(4));
    }
}
