//! Intents on runs, on what makes runs, and on event sources in words.
//!
//! `submit wftmpl/ci/build revision=main`: parameters of the run are written as they are named.
//! A word that Rollouts or Applications know too means theirs unless the kind is one of these.

use super::{IntentWord, Target, Worded, WordsProblem, example};
use crate::domain::event_flow::event_source_kind;
use crate::domain::intent::Verb;
use crate::domain::object::{GroupKind, Text};
use crate::domain::pipeline::cron::cron_kind;
use crate::domain::pipeline::template::is_template;
use crate::domain::pipeline::{CancelWay, RunVerb, is_run};

/// Words that are for runs and what makes them alone, with what they are for.
const OWN: [(&str, &str); 12] = [
    (
        "submit",
        "a WorkflowTemplate, a Pipeline, a Task or a CronWorkflow",
    ),
    (
        "start",
        "a WorkflowTemplate, a Pipeline, a Task or a CronWorkflow",
    ),
    ("suspend", "a Workflow"),
    ("stop", "a Workflow"),
    ("resubmit", "a run"),
    ("rerun", "a run"),
    ("cancel", "a PipelineRun or a TaskRun"),
    ("suspend-cron", "a CronWorkflow"),
    ("resume-cron", "a CronWorkflow"),
    ("trigger", "a CronWorkflow"),
    ("test-event", "an EventSource"),
    ("replay", "a webhook"),
];

/// Returns whether a word is an intent on runs and nothing else.
pub(super) fn is_own(word: &str) -> bool {
    OWN.iter().any(|(known, _)| *known == word)
}

/// Returns whether a word that others know too is meant for a run.
pub(super) fn is_shared(word: &str, kind: &GroupKind) -> bool {
    let shared = matches!(word, "resume" | "retry" | "terminate" | "suspend");
    shared && is_run(kind)
}

/// Reads an intent on a run. Parameters are free: they are those of the template.
pub(super) fn parse<'w>(
    intent: &IntentWord,
    (kind, namespace, name): Target,
    words: impl Iterator<Item = &'w str>,
) -> Result<Worded, WordsProblem> {
    let mut given: Vec<(Text, Text)> = Vec::new();
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            let sentence = format!("`{word}` is not a parameter: write name=value");
            return Err(WordsProblem::new(sentence, Some(example(intent))));
        };
        given.push((key.into(), value.into()));
    }
    let fits = match intent.word {
        "submit" | "start" => is_template(&kind),
        "trigger" | "suspend-cron" | "resume-cron" => kind == cron_kind(),
        "test-event" => kind == event_source_kind(),
        _ => is_run(&kind),
    };
    if !fits {
        let what = OWN.iter().find(|(word, _)| *word == intent.word);
        let what = what.map_or("a run", |(_, what)| what);
        let sentence = format!("`{}` is for {what}, not for {kind}", intent.word);
        return Err(WordsProblem::new(sentence, Some(example(intent))));
    }
    let verb = verb(intent, given)?;
    Ok(Worded {
        verb: Verb::Run(verb),
        kind,
        namespace,
        name,
    })
}

fn verb(intent: &IntentWord, mut given: Vec<(Text, Text)>) -> Result<RunVerb, WordsProblem> {
    let mut take = |name: &str| {
        let at = given.iter().position(|(key, _)| &**key == name)?;
        Some(given.remove(at).1)
    };
    let verb = match intent.word {
        "submit" | "start" => {
            let namespace = take("namespace");
            return Ok(RunVerb::Submit {
                parameters: given,
                namespace,
            });
        }
        "resume" => {
            let node = take("node");
            return Ok(RunVerb::Resume {
                node,
                parameters: given,
            });
        }
        "suspend" => RunVerb::Suspend,
        "stop" => RunVerb::Stop,
        "terminate" => RunVerb::Terminate,
        "retry" => RunVerb::Retry,
        "resubmit" | "rerun" => RunVerb::Resubmit,
        "cancel" => RunVerb::Cancel(cancel_way(take("how"), intent)?),
        "suspend-cron" => RunVerb::SuspendCron { on: true },
        "resume-cron" => RunVerb::SuspendCron { on: false },
        "trigger" => RunVerb::TriggerCron,
        _ => {
            let (event, payload) = (take("event"), take("payload"));
            let Some(event) = event else {
                let sentence = "`test-event` needs event=".to_owned();
                return Err(WordsProblem::new(sentence, Some(example(intent))));
            };
            let payload = payload.unwrap_or_else(|| "{}".into());
            RunVerb::TestEvent { event, payload }
        }
    };
    match given.first() {
        None => Ok(verb),
        Some((name, _)) => Err(WordsProblem::new(
            format!("`{name}` is not a parameter of `{}`", intent.word),
            Some(example(intent)),
        )),
    }
}

fn cancel_way(how: Option<Text>, intent: &IntentWord) -> Result<CancelWay, WordsProblem> {
    let Some(how) = how else {
        return Ok(CancelWay::RunFinally);
    };
    let found = CancelWay::ALL.into_iter().find(|way| way.word() == &*how);
    found.ok_or_else(|| {
        let sentence = format!("`how={how}` is not a way to cancel");
        let ways = CancelWay::ALL.map(CancelWay::word).join(", ");
        WordsProblem::new(
            sentence,
            Some(format!("it is one of {ways}; {}", example(intent))),
        )
    })
}

/// `replay ID`: a webhook has no kind and no namespace.
pub(super) fn replay<'w>(
    intent: &IntentWord,
    mut words: impl Iterator<Item = &'w str>,
) -> Result<Worded, WordsProblem> {
    let (Some(id), None) = (words.next(), words.next()) else {
        let sentence = "`replay` needs the id of one webhook".to_owned();
        return Err(WordsProblem::new(sentence, Some(example(intent))));
    };
    Ok(Worded {
        verb: Verb::Run(RunVerb::Replay { id: id.into() }),
        kind: GroupKind::new("", "Webhook"),
        namespace: None,
        name: id.into(),
    })
}
