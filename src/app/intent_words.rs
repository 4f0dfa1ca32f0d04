//! Intents in words: the same after `:` and for `tiphys do`.
//!
//! `INTENT [KIND/]NAMESPACE/NAME [k=v …]`, for example `sync argocd/guestbook prune=true` or
//! `scale deployment/shop/api replicas=3`. A name without a kind is an Application for the intents
//! of Applications, and a Rollout for those of Rollouts. Nothing is guessed: a word that is not known is refused with the nearest one.

mod images;
mod rollouts;
mod runs;
mod silences;

pub use rollouts::is_for_rollouts;

use super::screens::applications;
use super::words::nearest;
use crate::domain::application::Refresh;
use crate::domain::intent::{Cascade, Propagation, Switch, SyncRequest, SyncResource, Verb};
use crate::domain::kind::info_named;
use crate::domain::object::{GroupKind, Text};
use crate::domain::pipeline::System;
use rollouts::{for_kind, is_analysis, rollout_verb, rollouts};

/// An intent as it was typed; the caller adds the cluster and the uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worded {
    pub verb: Verb,
    pub kind: GroupKind,
    pub namespace: Option<Text>,
    pub name: Text,
}

/// What is wrong with the words, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct WordsProblem {
    pub sentence: String,
    pub hint: Option<String>,
}

impl WordsProblem {
    fn new(sentence: String, hint: Option<String>) -> Self {
        Self { sentence, hint }
    }
}

/// One intent that can be written in words.
#[derive(Clone, Copy, Debug)]
pub struct IntentWord {
    /// The verb's id.
    pub word: &'static str,
    /// Whether it is for Applications only.
    pub applications_only: bool,
    /// Names of its parameters.
    pub parameters: &'static [&'static str],
    pub example: &'static str,
}

/// Every intent that can be written in words.
pub const INTENT_WORDS: &[IntentWord] = &[
    word("refresh", true, &[], "refresh argocd/guestbook"),
    word("hard-refresh", true, &[], "hard-refresh argocd/guestbook"),
    word(
        "sync",
        true,
        &[
            "revision",
            "prune",
            "dry-run",
            "force",
            "apply-only",
            "resource",
            "option",
        ],
        "sync argocd/guestbook prune=true",
    ),
    word("terminate", true, &[], "terminate argocd/guestbook"),
    word(
        "rollback",
        true,
        &["id", "prune", "dry-run"],
        "rollback argocd/guestbook id=3",
    ),
    word(
        "auto-sync",
        true,
        &["on"],
        "auto-sync argocd/guestbook on=false",
    ),
    word(
        "self-heal",
        true,
        &["on"],
        "self-heal argocd/guestbook on=true",
    ),
    word("prune", true, &["on"], "prune argocd/guestbook on=true"),
    word(
        "delete-app",
        true,
        &["cascade"],
        "delete-app argocd/guestbook cascade=foreground",
    ),
    word(
        "confirm-deletion",
        true,
        &[],
        "confirm-deletion argocd/guestbook",
    ),
    word("promote", false, &[], "promote shop/api"),
    word("promote-full", false, &[], "promote-full shop/api"),
    word("abort", false, &[], "abort shop/api"),
    word("retry", false, &[], "retry shop/api"),
    word("pause", false, &[], "pause shop/api"),
    word("resume", false, &[], "resume shop/api"),
    word("undo", false, &["revision"], "undo shop/api revision=3"),
    word(
        "set-image",
        false,
        &["container", "image", "route"],
        "set-image shop/api container=app image=registry.example.com/shop/api:1.4",
    ),
    word(
        "silence",
        false,
        &["for", "comment"],
        "silence HighErrorRate namespace=shop for=2h comment=known",
    ),
    word(
        "expire-silence",
        false,
        &[],
        "expire-silence 0b9a6e2e-0000-4000-8000-000000000000",
    ),
    word("submit", false, &[], "submit wftmpl/ci/build revision=main"),
    word("start", false, &[], "start pipeline/ci/build revision=main"),
    word("suspend", false, &[], "suspend workflow/ci/build-x7k2p"),
    word("stop", false, &[], "stop workflow/ci/build-x7k2p"),
    word("resubmit", false, &[], "resubmit workflow/ci/build-x7k2p"),
    word("rerun", false, &[], "rerun pipelinerun/ci/build-run-x7k2p"),
    word(
        "cancel",
        false,
        &["how"],
        "cancel pipelinerun/ci/build-run-x7k2p how=run-finally",
    ),
    word(
        "suspend-cron",
        false,
        &[],
        "suspend-cron cronworkflow/ci/nightly",
    ),
    word(
        "resume-cron",
        false,
        &[],
        "resume-cron cronworkflow/ci/nightly",
    ),
    word("trigger", false, &[], "trigger cronworkflow/ci/nightly"),
    word(
        "test-event",
        false,
        &["event", "payload"],
        "test-event eventsource/argo-events/git event=push payload={}",
    ),
    word("replay", false, &[], "replay r00042"),
    word("scan", false, &[], "scan registry.example.com/shop/api:1.4"),
    word(
        "stop-scan",
        false,
        &[],
        "stop-scan registry.example.com/shop/api:1.4",
    ),
    word(
        "make-sbom",
        false,
        &[],
        "make-sbom registry.example.com/shop/api:1.4",
    ),
    word(
        "tag",
        false,
        &["tag", "move"],
        "tag registry.example.com/shop/api:1.4 tag=prod move=true",
    ),
    word(
        "untag",
        false,
        &["tag"],
        "untag registry.example.com/shop/api:1.4 tag=prod",
    ),
    word(
        "copy-image",
        false,
        &["to"],
        "copy-image registry.example.com/shop/api:1.4 to=prod/api:1.4",
    ),
    word(
        "delete-image",
        false,
        &[],
        "delete-image registry.example.com/shop/api:1.3",
    ),
    word(
        "override-image",
        false,
        &["image"],
        "override-image argocd/api image=registry.example.com/shop/api:1.4",
    ),
    word("scan-all", false, &[], "scan-all registry.example.com"),
    word(
        "create-robot",
        false,
        &["name", "project", "may", "days", "description"],
        "create-robot registry.example.com name=ci project=shop may=pull,push days=30",
    ),
    word(
        "refresh-robot",
        false,
        &[],
        "refresh-robot registry.example.com/robot$shop+ci",
    ),
    word(
        "enable-robot",
        false,
        &[],
        "enable-robot registry.example.com/robot$shop+ci",
    ),
    word(
        "disable-robot",
        false,
        &[],
        "disable-robot registry.example.com/robot$shop+ci",
    ),
    word(
        "delete-robot",
        false,
        &[],
        "delete-robot registry.example.com/robot$shop+ci",
    ),
    word("restart", false, &[], "restart deployment/shop/api"),
    word(
        "scale",
        false,
        &["replicas"],
        "scale deployment/shop/api replicas=3",
    ),
    word(
        "delete",
        false,
        &["propagation", "force"],
        "delete pod/shop/api-0",
    ),
];

const fn word(
    word: &'static str,
    applications_only: bool,
    parameters: &'static [&'static str],
    example: &'static str,
) -> IntentWord {
    IntentWord {
        word,
        applications_only,
        parameters,
        example,
    }
}

/// Returns the intent that a word names.
pub fn intent_named(word: &str) -> Option<&'static IntentWord> {
    INTENT_WORDS.iter().find(|known| known.word == word)
}

/// Reads an intent in words. `kind_named` finds kinds beyond those we know (from discovery).
///
/// # Errors
/// Says which word is wrong and what to write instead.
pub fn parse(
    line: &str,
    kind_named: impl Fn(&str) -> Option<GroupKind>,
) -> Result<Worded, WordsProblem> {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    let Some(intent) = intent_named(first) else {
        return Err(unknown_intent(first));
    };
    if let "silence" | "expire-silence" = intent.word {
        return silences::parse(intent, words);
    }
    if images::is_own(intent.word) {
        return images::parse(intent, words);
    }
    if intent.word == "replay" {
        return runs::replay(intent, words);
    }
    let Some(target) = words.next().filter(|word| !word.contains('=')) else {
        let sentence = format!("`{first}` needs the name of an object");
        return Err(WordsProblem::new(sentence, Some(example(intent))));
    };
    let (kind, namespace, name) = parse_target(intent, target, &kind_named)?;
    if runs::is_own(intent.word) || runs::is_shared(intent.word, &kind) {
        return runs::parse(intent, (kind, namespace, name), words);
    }
    let mut parameters = Vec::new();
    for word in words {
        parameters.push(parse_parameter(intent, word)?);
    }
    let verb = verb_of(intent, &Parameters(parameters), &kind_named)?;
    Ok(Worded {
        verb: for_kind(verb, &kind),
        kind,
        namespace,
        name,
    })
}

fn example(intent: &IntentWord) -> String {
    format!("for example: {}", intent.example)
}

fn unknown_intent(word: &str) -> WordsProblem {
    let known = INTENT_WORDS.iter().map(|intent| intent.word);
    let hint = match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("intents are {}", known.collect::<Vec<_>>().join(", ")),
    };
    WordsProblem::new(format!("`{word}` is not an intent"), Some(hint))
}

type Target = (GroupKind, Option<Text>, Text);

fn parse_target(
    intent: &IntentWord,
    target: &str,
    kind_named: &impl Fn(&str) -> Option<GroupKind>,
) -> Result<Target, WordsProblem> {
    let parts: Vec<&str> = target.split('/').collect();
    if parts.iter().any(|part| part.is_empty()) {
        let sentence = format!("`{target}` is not the name of an object");
        return Err(WordsProblem::new(sentence, Some(example(intent))));
    }
    let found = |word: &str| {
        info_named(word)
            .map(crate::domain::kind::KindInfo::group_kind)
            .or_else(|| kind_named(word))
            .ok_or_else(|| unknown_kind(word))
    };
    let namespaced =
        |kind: &GroupKind| crate::domain::kind::info_of(kind).is_none_or(|info| info.namespaced);
    let (kind, namespace, name) = match *parts.as_slice() {
        // The namespace of a run of Actions is its repository.
        [kind, owner, repository, name] if found(kind)? == System::Actions.kind() => {
            let namespace = format!("{owner}/{repository}").into();
            return Ok((System::Actions.kind(), Some(namespace), name.into()));
        }
        [kind, namespace, name] => (found(kind)?, Some(namespace), name),
        [namespace, name] if intent.applications_only => (applications(), Some(namespace), name),
        [namespace, name] if is_for_rollouts(intent.word) => (rollouts(), Some(namespace), name),
        [kind, name] => match found(kind) {
            Ok(kind) => (kind, None, name),
            Err(_) => {
                let sentence =
                    format!("`{target}` does not say what it is: write KIND/NAMESPACE/NAME");
                return Err(WordsProblem::new(sentence, Some(example(intent))));
            }
        },
        _ => {
            let form = if intent.applications_only || is_for_rollouts(intent.word) {
                "NAMESPACE/NAME"
            } else {
                "KIND/NAMESPACE/NAME"
            };
            let sentence = format!("`{target}` is not the name of an object: write {form}");
            return Err(WordsProblem::new(sentence, Some(example(intent))));
        }
    };
    let of_run = runs::is_shared(intent.word, &kind);
    let sets_image = intent.word == "set-image" && rollouts::takes_image(&kind);
    if is_for_rollouts(intent.word) && kind != rollouts() && !of_run && !sets_image {
        let of = if intent.word == "set-image" {
            "Rollouts, workloads and Applications"
        } else {
            "Rollouts"
        };
        let sentence = format!("`{}` is for {of}, not for {kind}", intent.word);
        return Err(WordsProblem::new(sentence, Some(example(intent))));
    }
    let ends_analysis = intent.word == "terminate" && is_analysis(&kind);
    if intent.applications_only && kind != applications() && !ends_analysis && !of_run {
        let sentence = format!("`{}` is for Applications, not for {kind}", intent.word);
        return Err(WordsProblem::new(sentence, Some(example(intent))));
    }
    if namespace.is_none() && namespaced(&kind) {
        let sentence = format!("`{target}` lacks the namespace: write KIND/NAMESPACE/NAME");
        return Err(WordsProblem::new(sentence, Some(example(intent))));
    }
    Ok((kind, namespace.map(Into::into), name.into()))
}

fn unknown_kind(word: &str) -> WordsProblem {
    let known = crate::domain::kind::KINDS.iter();
    let names = known.flat_map(|info| info.short_names.iter().copied().chain([info.plural]));
    let hint = nearest(word, names).map(|near| format!("did you mean `{near}`?"));
    WordsProblem::new(format!("`{word}` is not a kind that is known here"), hint)
}

struct Parameters<'word>(Vec<(&'static str, &'word str)>);

fn parse_parameter<'word>(
    intent: &IntentWord,
    word: &'word str,
) -> Result<(&'static str, &'word str), WordsProblem> {
    let Some((name, value)) = word.split_once('=') else {
        let sentence = format!("`{word}` is not a parameter: write name=value");
        return Err(WordsProblem::new(sentence, Some(example(intent))));
    };
    let known = intent.parameters.iter().copied();
    if let Some(name) = known.clone().find(|known| *known == name) {
        return Ok((name, value));
    }
    let hint = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if intent.parameters.is_empty() => format!("`{}` takes none", intent.word),
        None => format!("it takes {}", known.collect::<Vec<_>>().join(", ")),
    };
    let sentence = format!("`{name}` is not a parameter of `{}`", intent.word);
    Err(WordsProblem::new(sentence, Some(hint)))
}

impl<'word> Parameters<'word> {
    fn text(&self, name: &str) -> Option<&'word str> {
        let found = self.0.iter().rev().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'word str> + use<'_, 'word> {
        let name = name.to_owned();
        self.0
            .iter()
            .filter(move |(known, _)| **known == *name)
            .map(|(_, value)| *value)
    }

    fn switch(&self, name: &str) -> Result<Option<bool>, WordsProblem> {
        match self.text(name) {
            None => Ok(None),
            Some("true" | "yes" | "on") => Ok(Some(true)),
            Some("false" | "no" | "off") => Ok(Some(false)),
            Some(other) => Err(WordsProblem::new(
                format!("`{name}={other}` is neither yes nor no"),
                Some(format!("write {name}=true or {name}=false")),
            )),
        }
    }

    fn number<T: std::str::FromStr>(&self, name: &str, verb: &str) -> Result<T, WordsProblem> {
        let Some(text) = self.text(name) else {
            let hint = intent_named(verb).map(example);
            return Err(WordsProblem::new(format!("`{verb}` needs {name}="), hint));
        };
        let number: Option<T> = text.parse().ok();
        number.ok_or_else(|| {
            WordsProblem::new(format!("`{name}={text}` is not a number that fits"), None)
        })
    }

    fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&'static str, T)],
    ) -> Result<Option<T>, WordsProblem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let found = choices.iter().find(|(word, _)| *word == text);
        if let Some((_, value)) = found {
            return Ok(Some(*value));
        }
        let words = choices.iter().map(|(word, _)| *word);
        let hint = match nearest(text, words.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", words.collect::<Vec<_>>().join(", ")),
        };
        Err(WordsProblem::new(
            format!("`{name}={text}` is not a choice"),
            Some(hint),
        ))
    }
}

const CASCADES: &[(&str, Cascade)] = &[
    ("foreground", Cascade::Foreground),
    ("background", Cascade::Background),
    ("none", Cascade::NonCascading),
];
const PROPAGATIONS: &[(&str, Propagation)] = &[
    ("background", Propagation::Background),
    ("foreground", Propagation::Foreground),
    ("orphan", Propagation::Orphan),
];

fn verb_of(
    intent: &IntentWord,
    given: &Parameters<'_>,
    kind_named: &impl Fn(&str) -> Option<GroupKind>,
) -> Result<Verb, WordsProblem> {
    if is_for_rollouts(intent.word) {
        return rollout_verb(intent, given);
    }
    let switch = |switch: Switch| -> Result<Verb, WordsProblem> {
        let Some(on) = given.switch("on")? else {
            let sentence = format!("`{}` needs on=true or on=false", intent.word);
            return Err(WordsProblem::new(sentence, Some(example(intent))));
        };
        Ok(Verb::Switch { switch, on })
    };
    Ok(match intent.word {
        "refresh" => Verb::Refresh(Refresh::Normal),
        "hard-refresh" => Verb::Refresh(Refresh::Hard),
        "sync" => Verb::Sync(sync_of(given, kind_named)?),
        "terminate" => Verb::Terminate,
        "rollback" => Verb::Rollback {
            history_id: given.number("id", "rollback")?,
            prune: given.switch("prune")?.unwrap_or_default(),
            dry_run: given.switch("dry-run")?.unwrap_or_default(),
        },
        "auto-sync" => switch(Switch::AutoSync)?,
        "self-heal" => switch(Switch::SelfHeal)?,
        "prune" => switch(Switch::Prune)?,
        "delete-app" => Verb::DeleteApplication(
            given
                .choice("cascade", CASCADES)?
                .unwrap_or(Cascade::Foreground),
        ),
        "confirm-deletion" => Verb::ConfirmDeletion,
        "restart" => Verb::Restart,
        "scale" => Verb::Scale {
            replicas: given.number("replicas", "scale")?,
        },
        _ => Verb::Delete {
            propagation: given
                .choice("propagation", PROPAGATIONS)?
                .unwrap_or(Propagation::Background),
            force: given.switch("force")?.unwrap_or_default(),
        },
    })
}

fn sync_of(
    given: &Parameters<'_>,
    kind_named: &impl Fn(&str) -> Option<GroupKind>,
) -> Result<SyncRequest, WordsProblem> {
    let mut resources = Vec::new();
    for text in given.all("resource").flat_map(|list| list.split(',')) {
        resources.push(sync_resource(text, kind_named)?);
    }
    let options: Vec<Text> = given
        .all("option")
        .flat_map(|list| list.split(','))
        .map(Into::into)
        .collect();
    Ok(SyncRequest {
        revision: given.text("revision").map(Into::into),
        prune: given.switch("prune")?.unwrap_or_default(),
        dry_run: given.switch("dry-run")?.unwrap_or_default(),
        force: given.switch("force")?.unwrap_or_default(),
        apply_only: given.switch("apply-only")?.unwrap_or_default(),
        resources,
        sync_options: (!options.is_empty()).then_some(options),
    })
}

/// Reads `KIND/NAMESPACE/NAME`, or `KIND/NAME` of a cluster-scoped kind.
fn sync_resource(
    text: &str,
    kind_named: &impl Fn(&str) -> Option<GroupKind>,
) -> Result<SyncResource, WordsProblem> {
    let parts: Vec<&str> = text.split('/').collect();
    let (kind, namespace, name) = match *parts.as_slice() {
        [kind, namespace, name] => (kind, namespace, name),
        [kind, name] => (kind, "", name),
        _ => {
            return Err(WordsProblem::new(
                format!("`resource={text}` is not an object"),
                Some("write resource=KIND/NAMESPACE/NAME".to_owned()),
            ));
        }
    };
    let known = info_named(kind).map(crate::domain::kind::KindInfo::group_kind);
    Ok(SyncResource {
        kind: known
            .or_else(|| kind_named(kind))
            .ok_or_else(|| unknown_kind(kind))?,
        namespace: namespace.into(),
        name: name.into(),
    })
}

#[cfg(test)]
mod tests;
