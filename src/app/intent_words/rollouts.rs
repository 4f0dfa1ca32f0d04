//! Intents on Rollouts and analyses in words.

use super::{IntentWord, Parameters, WordsProblem, example};
use crate::domain::intent::Verb;
use crate::domain::kind::ARGO;
use crate::domain::object::GroupKind;

/// Two words mean something else for the kinds of Argo Rollouts.
pub(super) fn for_kind(verb: Verb, kind: &GroupKind) -> Verb {
    if verb == Verb::Terminate && is_analysis(kind) {
        return Verb::TerminateAnalysis;
    }
    if verb == Verb::Restart && *kind == rollouts() {
        return Verb::RestartRollout;
    }
    verb
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
        _ => Verb::SetImage {
            container: given.text("container").unwrap_or("*").into(),
            image: match given.text("image") {
                Some(image) if !image.is_empty() => image.into(),
                Some(_) | None => {
                    let sentence = "`set-image` needs image=".to_owned();
                    return Err(WordsProblem::new(sentence, Some(example(intent))));
                }
            },
        },
    })
}
