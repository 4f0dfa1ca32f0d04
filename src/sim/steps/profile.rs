//! The declared behaviour of steps, as a scenario writes it.
//!
//! In every text, `{name}` stands for a parameter of the step, `{--flag}` for the value of a
//! flag of its command, `{env:NAME}` for a variable of its environment.

use super::behaviour::{Behaviour, Step};
use super::effect::Effect;
use crate::domain::globs;
use crate::sim::rng::Rng;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How steps of some images, templates or names behave. What is left out behaves well.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct StepProfile {
    /// A reference in which `*` stands for anything; by default any image.
    pub image: Option<String>,
    /// The Workflow's template or the Task; `*` stands for anything.
    pub template: Option<String>,
    /// The step's or task's name; `*` stands for anything.
    pub step: Option<String>,
    /// Its whole command and script, joined by spaces; `*` stands for anything.
    pub command: Option<String>,
    /// How long it takes; by default 2 s.
    pub seconds: Option<f64>,
    /// What it ends with; one of several is drawn at each run.
    pub exit_codes: Vec<i32>,
    /// The end is the kernel's doing: out of memory.
    pub out_of_memory: bool,
    /// What it prints, over its time.
    pub log: Vec<String>,
    /// What it prints at last; one of several is drawn at each run.
    pub one_of: Vec<String>,
    /// Outputs or results by name.
    pub outputs: BTreeMap<String, String>,
    /// What it writes, by path.
    pub files: BTreeMap<String, String>,
    /// What it changes outside, when it ends well.
    pub effects: Vec<DeclaredEffect>,
}

/// An effect as a scenario declares it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum DeclaredEffect {
    /// An image's reference.
    PushImage(String),
    #[serde(rename_all = "kebab-case")]
    CommitImage {
        repository: String,
        #[serde(default)]
        branch: String,
        #[serde(default)]
        path: String,
        image: String,
        #[serde(default)]
        message: String,
    },
    #[serde(rename_all = "kebab-case")]
    Clone {
        repository: String,
        #[serde(default)]
        revision: String,
    },
}

impl StepProfile {
    /// Returns what is wrong with it.
    pub fn mistake(&self) -> Option<&'static str> {
        if self.seconds.is_some_and(|s| !(0.0..=1e7).contains(&s)) {
            return Some("`seconds` is how long the step takes, from 0 to 10000000");
        }
        let names_none = self.image.is_none()
            && self.template.is_none()
            && self.step.is_none()
            && self.command.is_none();
        names_none
            .then_some("a step profile needs an `image`, a `template`, a `step` or a `command`")
    }

    pub(super) fn matches(&self, step: &Step<'_>) -> bool {
        let fits = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|p| globs::matches(p, text))
        };
        fits(&self.image, step.image)
            && fits(&self.template, &step.note.template)
            && fits(&self.step, &step.note.step)
            && self
                .command
                .as_ref()
                .is_none_or(|pattern| globs::matches(pattern, &step.text()))
    }

    pub(super) fn behaviour(&self, step: &Step<'_>, rng: &mut Rng) -> Behaviour {
        let code = draw(&self.exit_codes, rng).copied().unwrap_or(0);
        let mut lines: Vec<String> = self.log.iter().map(|line| fill(line, step)).collect();
        lines.extend(draw(&self.one_of, rng).map(|line| fill(line, step)));
        let filled = |map: &BTreeMap<String, String>| {
            map.iter()
                .map(|(name, value)| (fill(name, step), fill(value, step)))
                .collect()
        };
        Behaviour {
            seconds: self.seconds.unwrap_or(2.0),
            exit_code: if self.out_of_memory { 137 } else { code },
            out_of_memory: self.out_of_memory,
            forever: false,
            lines,
            outputs: filled(&self.outputs),
            files: filled(&self.files),
            removed: Vec::new(),
            effects: self.effects.iter().map(|one| effect(one, step)).collect(),
        }
    }
}

fn draw<'a, T>(choices: &'a [T], rng: &mut Rng) -> Option<&'a T> {
    choices.get(rng.below(choices.len() as u64) as usize)
}

fn effect(declared: &DeclaredEffect, step: &Step<'_>) -> Effect {
    match declared {
        DeclaredEffect::PushImage(reference) => Effect::PushImage {
            reference: fill(reference, step),
        },
        DeclaredEffect::CommitImage {
            repository,
            branch,
            path,
            image,
            message,
        } => Effect::CommitImage {
            repository: fill(repository, step),
            branch: fill(branch, step),
            path: fill(path, step),
            image: fill(image, step),
            message: fill(message, step),
        },
        DeclaredEffect::Clone {
            repository,
            revision,
        } => Effect::Clone {
            repository: fill(repository, step),
            revision: fill(revision, step),
        },
    }
}

/// Replaces `{…}`; what stands for nothing is left as it is.
pub(super) fn fill(text: &str, step: &Step<'_>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.split_once('}') {
            Some((name, tail)) => {
                match step.value_of(name) {
                    Some(value) => filled.push_str(&value),
                    None => {
                        filled.push('{');
                        filled.push_str(name);
                        filled.push('}');
                    }
                }
                rest = tail;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::super::note::StepNote;
    use super::*;
    use crate::sim::rng::Seed;

    fn step(note: &StepNote, words: Vec<String>) -> Step<'_> {
        Step {
            image: "gcr.io/kaniko-project/executor:v1.23.2",
            words,
            environment: BTreeMap::new(),
            files: BTreeMap::new(),
            note,
        }
    }

    #[test]
    fn a_profile_fills_in_parameters_and_flags() {
        let profile: StepProfile = toml::from_str(
            "image = \"*kaniko*\"\nlog = [\"building {image} {x}\"]\n\
             effects = [{ push-image = \"{--destination}\" }]",
        )
        .expect("it reads");
        let note = StepNote {
            parameters: BTreeMap::from([("image".to_owned(), "a/b:1".to_owned())]),
            ..StepNote::default()
        };
        let step = step(&note, vec!["--destination=a/b:1".to_owned()]);

        let behaviour = profile.behaviour(&step, &mut Seed(1).stream(&["t"]));

        assert!(profile.matches(&step));
        assert_eq!(behaviour.lines, ["building a/b:1 {x}"]);
        assert_eq!(
            behaviour.effects,
            [Effect::PushImage {
                reference: "a/b:1".to_owned()
            }]
        );
    }

    #[test]
    fn a_profile_for_nothing_and_typos_are_mistakes() {
        assert!(StepProfile::default().mistake().is_some());
        assert!(toml::from_str::<StepProfile>("imago = \"x\"").is_err());
    }
}
