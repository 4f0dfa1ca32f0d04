//! Intents on Rollouts and analyses in words.

use super::{IntentWord, Parameters, WordsProblem, example};
use crate::app::screens::applications;
use crate::domain::image::ImageVerb;
use crate::domain::intent::Verb;
use crate::domain::kind::{ARGO, info_of};
use crate::domain::object::{GroupKind, Text};

/// Two words mean something else for the kinds of Argo Rollouts.
pub(super) fn for_kind(verb: Verb, kind: &GroupKind) -> Verb {
    if verb == Verb::Terminate && is_analysis(kind) {
        return Verb::TerminateAnalysis;
    }
    if let Verb::SetImage { image, .. } = &verb
        && *kind == applications()
    {
        let image = Text::clone(image);
        return Verb::Image(ImageVerb::Override { image });
    }
    if verb == Verb::Restart && *kind == rollouts() {
        return Verb::RestartRollout;
    }
    verb
}

/// The route is git's where it can be, unless another one is named.
fn set_image(intent: &IntentWord, given: &Parameters<'_>) -> Result<Verb, WordsProblem> {
    let container = given.text("container").unwrap_or("*").into();
    let Some(image) = given.text("image").filter(|image| !image.is_empty()) else {
        let sentence = "`set-image` needs image=".to_owned();
        return Err(WordsProblem::new(sentence, Some(example(intent))));
    };
    let image = image.into();
    let route = given.choice("route", &[("git", Some(false)), ("patch", None)])?;
    let or_patch = match route {
        Some(None) => return Ok(Verb::SetImage { container, image }),
        Some(Some(or_patch)) => or_patch,
        None => true,
    };
    Ok(Verb::Image(ImageVerb::Commit {
        container,
        image,
        or_patch,
    }))
}

/// Returns whether objects of a kind can be given an image.
pub(super) fn takes_image(kind: &GroupKind) -> bool {
    let restarts = info_of(kind).is_some_and(|info| info.abilities.restart);
    restarts || *kind == applications()
}

pub(super) fn is_analysis(kind: &GroupKind) -> bool {
    kind.is(ARGO, "AnalysisRun") || kind.is(ARGO, "Experiment")
}

pub(super) fn rollouts() -> GroupKind {
    GroupKind::new(ARGO, "Rollout")
}

/// Returns whether an intent is for Rollouts and nothing else.
pub fn is_for_rollouts(word: &str) -> bool {
    const WORDS: [&str; 8] = [
        "promote",
        "promote-full",
        "abort",
        "retry",
        "pause",
        "resume",
        "undo",
        "set-image",
    ];
    WORDS.contains(&word)
}

pub(super) fn rollout_verb(
    intent: &IntentWord,
    given: &Parameters<'_>,
) -> Result<Verb, WordsProblem> {
    Ok(match intent.word {
        "promote" => Verb::Promote,
        "promote-full" => Verb::PromoteFull,
        "abort" => Verb::Abort,
        "retry" => Verb::Retry,
        "pause" => Verb::Pause,
        "resume" => Verb::Resume,
        "undo" => Verb::Undo {
            revision: match given.text("revision") {
                Some(_) => Some(given.number("revision", "undo")?),
                None => None,
            },
        },
        _ => set_image(intent, given)?,
    })
}
