//! Containers that are steps: what they do is decided when their turn comes.
//!
//! The scenario's step profiles decide first, then an image profile that says when the container
//! exits, then the shell words that can be followed, then what the image is known for.

use super::container::{ContainerRun, Ended, Phase, Scene};
use super::image::{ImageProfile, ImageSource};
use crate::sim::controllers::runtime::time::seconds;
use crate::sim::rng::Rng;
use crate::sim::steps::{
    Behaviour, PodNote, Report, Step, StepNote, Steps, Turn, termination_message,
};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::Container;
use std::collections::BTreeMap;

/// Files that steps wrote, by path.
pub(super) type Cabinet = BTreeMap<String, String>;

/// What a step prints, from the time it begins its work.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Script {
    pub(super) began: DateTime<Utc>,
    pub(super) every: TimeDelta,
    pub(super) lines: Vec<String>,
    pub(super) last_words: Vec<String>,
}

impl Script {
    pub(super) fn of(behaviour: &Behaviour, began: DateTime<Utc>) -> Self {
        let count = behaviour.lines.len() as f64;
        Self {
            began,
            every: seconds(behaviour.seconds.min(3600.0) * 0.9 / (count + 1.0)),
            lines: behaviour.lines.clone(),
            last_words: Vec::new(),
        }
    }
}

/// The container as a step.
#[derive(Clone, Debug)]
pub(super) struct StepRun {
    pub(super) note: StepNote,
    /// Its turn has not come.
    pub(super) waits: bool,
    pub(super) began: DateTime<Utc>,
    pub(super) behaviour: Behaviour,
    image: String,
    words: Vec<String>,
    environment: BTreeMap<String, String>,
    rng: Rng,
}

/// What decides what steps do.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) note: &'a PodNote,
    pub(super) steps: &'a Steps,
    pub(super) files: &'a Cabinet,
}

impl StepRun {
    /// Returns the container's run as a step, if its pod's note says that it is one.
    pub(super) fn begin(scene: &Scene<'_>, number: u32, at: DateTime<Utc>) -> Option<Self> {
        let bench = scene.steps?;
        let note = bench.note.steps.get(&scene.spec.name)?;
        let mut run = Self {
            note: note.clone(),
            waits: note.turn != Turn::AtOnce,
            began: at,
            behaviour: Behaviour::default(),
            image: scene.image().to_owned(),
            words: words(scene.spec),
            environment: environment(scene.spec),
            rng: scene.rng("step", number),
        };
        if !run.waits {
            run.decide(bench.steps, scene.images, bench.files);
        }
        Some(run)
    }

    /// Decides what the step does, now that its turn has come.
    pub(super) fn decide(&mut self, steps: &Steps, images: &dyn ImageSource, files: &Cabinet) {
        self.waits = false;
        if self.note.turn == Turn::Last {
            return;
        }
        let step = Step {
            image: &self.image,
            words: self.words.clone(),
            environment: self.environment.clone(),
            files: files.clone(),
            note: &self.note,
        };
        let profile = images.profile(&self.image);
        let behaviour = steps
            .declared(&step, &mut self.rng)
            .or_else(|| by_image(&profile))
            .or_else(|| steps.followed(&step, &mut self.rng))
            .unwrap_or_else(|| steps.usual(&step, &mut self.rng));
        self.behaviour = behaviour;
        self.tell_missing();
    }

    /// Says which outputs the step will not leave, before somebody looks for them.
    fn tell_missing(&mut self) {
        let behaviour = &self.behaviour;
        if behaviour.exit_code != 0 || behaviour.forever {
            return;
        }
        let outputs = self.note.outputs.iter();
        let missing = outputs.filter(|(name, path)| behaviour.output(name, path).is_none());
        let lines: Vec<String> = missing
            .map(|(name, path)| {
                format!(
                    "[simulation] nothing writes the output `{name}` ({path}), and none is declared"
                )
            })
            .collect();
        self.behaviour.lines.extend(lines);
    }

    /// Returns the exit code and reason that are planned.
    pub(super) fn outcome(&self) -> (i32, &'static str) {
        (
            self.behaviour.exit_code,
            self.reason(self.behaviour.exit_code),
        )
    }

    pub(super) fn reason(&self, code: i32) -> &'static str {
        match (code, self.behaviour.out_of_memory) {
            (0, _) => "Completed",
            (_, true) => "OOMKilled",
            (_, false) => "Error",
        }
    }

    pub(super) fn report(&self) -> Report<'_> {
        Report {
            note: &self.note,
            behaviour: &self.behaviour,
            started: self.began,
            exit_code: self.behaviour.exit_code,
        }
    }

    /// Returns what the entrypoint of a Task's step leaves behind.
    pub(super) fn termination_message(&self) -> Option<String> {
        (self.note.turn == Turn::AfterPrevious).then(|| termination_message(&self.report()))
    }

    pub(super) fn script(&self) -> Script {
        Script::of(&self.behaviour, self.began)
    }
}

impl ContainerRun {
    /// Lets a step that was started do its work, unless it waits for its turn.
    pub(super) fn begin_work(&mut self, at: DateTime<Utc>) {
        let Some(step) = self.step.as_mut().filter(|step| !step.waits) else {
            return;
        };
        step.began = at;
        if let Phase::Running { plan, .. } = &mut self.phase
            && !step.behaviour.forever
        {
            plan.exit_after(at, step.behaviour.seconds, step.outcome());
        }
        if let Some(span) = self.spans.last_mut() {
            span.script = Some(step.script());
        }
    }

    /// Ends a step whose effects have been carried out, or were refused.
    pub(super) fn finish_step(&mut self, said: Result<Vec<String>, String>) {
        let Phase::Finishing { since, at } = self.phase else {
            return;
        };
        let Some(step) = &mut self.step else { return };
        let (mut code, lines) = match said {
            Ok(lines) => (step.behaviour.exit_code, lines),
            Err(line) => (1, vec![line]),
        };
        if let Some(script) = self.spans.last_mut().and_then(|span| span.script.as_mut()) {
            script.last_words.extend(lines.iter().cloned());
        }
        step.behaviour.lines.extend(lines);
        step.behaviour.exit_code = code;
        let message = step.termination_message();
        if step.note.continue_on_error {
            code = 0;
        }
        let reason = step.reason(code);
        self.end_span(at, true);
        self.phase = Phase::Ended(Ended {
            code,
            reason,
            started: since,
            finished: at,
            id: self.id.clone(),
            message,
        });
    }
}

/// Returns command and arguments; of a Task's step those that Tekton's entrypoint begins.
fn words(spec: &Container) -> Vec<String> {
    let command = spec.command.iter().flatten();
    let words: Vec<String> = command.chain(spec.args.iter().flatten()).cloned().collect();
    if words
        .first()
        .is_none_or(|first| first != "/tekton/bin/entrypoint")
    {
        return words;
    }
    let mut parts = words.splitn(2, |word| word == "--");
    let own = parts.next().unwrap_or_default();
    let program = own.iter().skip_while(|word| *word != "-entrypoint").nth(1);
    let rest = parts.next().unwrap_or_default();
    program.into_iter().chain(rest).cloned().collect()
}

fn environment(spec: &Container) -> BTreeMap<String, String> {
    spec.env
        .iter()
        .flatten()
        .filter_map(|one| Some((one.name.clone(), one.value.clone()?)))
        .collect()
}

fn by_image(profile: &ImageProfile) -> Option<Behaviour> {
    let lines = profile.log_start.iter().chain(&profile.log_end);
    Some(Behaviour {
        seconds: profile.exit_after?,
        exit_code: if profile.out_of_memory {
            137
        } else {
            profile.exit_code
        },
        out_of_memory: profile.out_of_memory,
        lines: lines.cloned().collect(),
        ..Behaviour::default()
    })
}
