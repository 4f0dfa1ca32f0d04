//! Decides what a step does.

use super::effect::{Effect, Effects, NoEffects};
use super::known;
use super::note::StepNote;
use super::profile::StepProfile;
use super::shell;
use crate::sim::kubelet::image::digest_of;
use crate::sim::rng::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A container that runs to its end, as far as its behaviour depends on it.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub image: &'a str,
    /// Command and arguments.
    pub words: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// The files that it finds, by path.
    pub files: BTreeMap<String, String>,
    pub note: &'a StepNote,
}

impl Step<'_> {
    /// Returns what `{name}` stands for.
    pub(super) fn value_of(&self, name: &str) -> Option<String> {
        if name.starts_with('-') {
            return self.flag(name);
        }
        if let Some(variable) = name.strip_prefix("env:") {
            return self.environment.get(variable).cloned();
        }
        if name == "step.image" {
            return Some(self.image.to_owned());
        }
        self.note.parameters.get(name).cloned()
    }

    /// Returns command, arguments and script.
    pub(super) fn text(&self) -> String {
        let script = self.note.script.iter();
        let all: Vec<&str> = self
            .words
            .iter()
            .chain(script)
            .map(String::as_str)
            .collect();
        all.join(" ")
    }

    /// Returns the value of `--flag=value` or `--flag value`.
    pub(super) fn flag(&self, flag: &str) -> Option<String> {
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            if word == flag {
                return words.next().cloned();
            }
            if let Some(value) = word
                .strip_prefix(flag)
                .and_then(|rest| rest.strip_prefix('='))
            {
                return Some(value.trim_matches('"').to_owned());
            }
        }
        None
    }
}

/// What a step does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// How long it takes.
    pub seconds: f64,
    pub exit_code: i32,
    /// The kernel ended it.
    pub out_of_memory: bool,
    /// It never ends by itself.
    pub forever: bool,
    /// What it prints.
    pub lines: Vec<String>,
    /// Outputs or results by name.
    pub outputs: BTreeMap<String, String>,
    /// The files that it wrote, by path.
    pub files: BTreeMap<String, String>,
    /// The files that it removed.
    pub removed: Vec<String>,
    /// What it changes outside, when it ends well.
    pub effects: Vec<Effect>,
}

impl Behaviour {
    /// Returns an output or result: as declared by its name, or what its file holds.
    pub fn output(&self, name: &str, path: &str) -> Option<&str> {
        self.outputs
            .get(name)
            .or_else(|| self.files.get(path))
            .map(String::as_str)
    }
}

/// The declared behaviours of a platform, and who carries out effects. Clones share them.
#[derive(Clone, Debug)]
pub struct Steps {
    profiles: Arc<[StepProfile]>,
    effects: Arc<dyn Effects>,
}

impl Default for Steps {
    fn default() -> Self {
        Self::new(Vec::new(), Arc::new(NoEffects))
    }
}

impl Steps {
    /// The first profile that fits a step decides.
    pub fn new(profiles: Vec<StepProfile>, effects: Arc<dyn Effects>) -> Self {
        Self {
            profiles: profiles.into(),
            effects,
        }
    }

    /// Returns who carries out what steps do.
    pub fn effects(&self) -> &Arc<dyn Effects> {
        &self.effects
    }

    /// Returns what a step was declared to do, if it was.
    pub fn declared(&self, step: &Step<'_>, rng: &mut Rng) -> Option<Behaviour> {
        let profile = self.profiles.iter().find(|profile| profile.matches(step))?;
        Some(self.with_digests(profile.behaviour(step, rng)))
    }

    /// Returns what a step does whose command or script can be followed.
    pub fn followed(&self, step: &Step<'_>, rng: &mut Rng) -> Option<Behaviour> {
        shell::of_step(step, rng).map(|behaviour| self.with_digests(behaviour))
    }

    /// Returns what an undeclared step does: by what its image is known for, or it just ends well.
    pub fn usual(&self, step: &Step<'_>, rng: &mut Rng) -> Behaviour {
        self.with_digests(known::behaviour(step, rng))
    }

    /// Puts the digests of what is pushed where the names' own stand in for them.
    fn with_digests(&self, mut behaviour: Behaviour) -> Behaviour {
        let pushed: Vec<(String, String)> = behaviour
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::PushImage { reference } => {
                    let digest = self.effects.digest_of(reference)?;
                    Some((digest_of(reference), digest))
                }
                Effect::CommitImage { .. } | Effect::Clone { .. } => None,
            })
            .collect();
        for (stand_in, digest) in &pushed {
            let texts = behaviour.lines.iter_mut();
            let texts = texts.chain(behaviour.outputs.values_mut());
            for text in texts.chain(behaviour.files.values_mut()) {
                if text.contains(stand_in) {
                    *text = text.replace(stand_in, digest);
                }
            }
        }
        behaviour
    }
}
