//! What an intent will do, in sentences: the platform's answer to "what happens next".

use crate::domain::alert::Matcher;
use crate::domain::application::{Application, OperationView, Refresh};
use crate::domain::duration::short_span;
use crate::domain::intent::{
    Cascade, Intent, Propagation, SilenceRequest, Switch, SyncRequest, Verb,
};

/// Returns what the controller will do, given what is known of the Application.
pub(super) fn preview(intent: &Intent, app: Option<&Application>) -> Vec<String> {
    match &intent.verb {
        Verb::Refresh(Refresh::Normal) => {
            vec!["The controller compares live objects with git again.".to_owned()]
        }
        Verb::Refresh(Refresh::Hard) => {
            vec!["The controller renders the manifests again, past its cache.".to_owned()]
        }
        Verb::Sync(request) => sync_preview(request, app),
        Verb::Terminate => vec![
            "The controller stops the running operation.".to_owned(),
            "What it has applied so far stays.".to_owned(),
        ],
        Verb::Rollback {
            history_id,
            prune,
            dry_run,
        } => rollback_preview(*history_id, *prune, *dry_run),
        Verb::Switch { switch, on } => vec![switch_preview(*switch, *on, app)],
        Verb::DeleteApplication(cascade) => delete_preview(*cascade, app),
        Verb::ConfirmDeletion => {
            vec!["The controller deletes what waits for this confirmation.".to_owned()]
        }
        Verb::Restart => vec![
            "Every Pod is replaced by a new one, as the update strategy allows.".to_owned(),
            "The template gets an annotation; Argo CD does not count it as drift.".to_owned(),
        ],
        Verb::Scale { replicas: 0 } => vec!["All its Pods stop.".to_owned()],
        Verb::Scale { replicas } => {
            vec![format!(
                "It gets {replicas} replicas; self-heal may set them back."
            )]
        }
        Verb::Delete { propagation, force } => object_preview(*propagation, *force),
        Verb::Replace { .. } => vec![
            "The live object is replaced; the server has checked the manifest.".to_owned(),
            "If git manages it, self-heal may set it back.".to_owned(),
        ],
        // Their dialogs tell what `domain::rollout::forecast` and `domain::pipeline::forecast` say,
        // and those on images what `update::images` says.
        Verb::Run(_)
        | Verb::Image(_)
        | Verb::Promote
        | Verb::PromoteFull
        | Verb::Abort
        | Verb::Retry
        | Verb::Pause
        | Verb::Resume
        | Verb::RestartRollout
        | Verb::Undo { .. }
        | Verb::SetImage { .. } => Vec::new(),
        Verb::TerminateAnalysis => vec![
            "What is being measured ends; metrics without a verdict count as Successful."
                .to_owned(),
        ],
        Verb::Silence(request) => vec![silence_preview(request)],
        Verb::ExpireSilence => vec!["Alerts that it kept quiet ring again.".to_owned()],
    }
}

/// How many names stand before what is said of some of many objects.
const NAMES: usize = 3;
/// How many sentences are said of many objects.
const SENTENCES: usize = 6;

/// Returns what is said of several objects: each sentence once, behind the names of those that it
/// is said of when it is not said of all.
pub(super) fn of_all<'n>(
    said: impl Iterator<Item = (&'n str, Vec<String>)>,
    count: usize,
) -> Vec<String> {
    let mut gathered: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, sentences) in said {
        for sentence in sentences {
            match gathered.iter_mut().find(|(known, _)| *known == sentence) {
                Some((_, names)) => names.push(name),
                None => gathered.push((sentence, vec![name])),
            }
        }
    }
    let more = gathered.len().saturating_sub(SENTENCES);
    let kept = if count > 1 { SENTENCES } else { gathered.len() };
    let mut lines: Vec<String> = gathered
        .into_iter()
        .take(kept)
        .map(|(sentence, names)| {
            let names_itself = names.iter().all(|name| sentence.contains(name));
            if names.len() >= count || names_itself {
                return sentence;
            }
            let shown: Vec<&str> = names.iter().copied().take(NAMES).collect();
            let shown = shown.join(", ");
            match names.len().saturating_sub(NAMES) {
                0 => format!("{shown}: {sentence}"),
                rest => format!("{shown} and {rest} more: {sentence}"),
            }
        })
        .collect();
    if count > 1 && more > 0 {
        lines.push(format!("And {more} more sentences of this kind."));
    }
    lines
}

fn silence_preview(request: &SilenceRequest) -> String {
    let matchers: Vec<String> = request.matchers.iter().map(Matcher::words).collect();
    let length = chrono::TimeDelta::seconds(i64::from(request.length_seconds));
    format!(
        "Alerts with {} stay quiet for {}.",
        matchers.join(", "),
        short_span(length)
    )
}

fn sync_preview(request: &SyncRequest, app: Option<&Application>) -> Vec<String> {
    let mut lines = Vec::new();
    if request.dry_run {
        lines.push("Nothing is changed: the API server only checks the manifests.".to_owned());
    }
    lines.push(what_is_applied(request, app));
    if let Some(app) = app {
        lines.push(match app.out_of_sync {
            0 => "Nothing differs at present.".to_owned(),
            count => format!("{count} of {} objects differ.", app.resources),
        });
        if is_running(&app.operation) {
            lines.push("Another operation is running: it has to end first.".to_owned());
        }
    }
    if request.prune {
        lines.push("Objects that have left git are DELETED.".to_owned());
    }
    if request.force {
        lines.push("What cannot be changed in place is deleted and made again.".to_owned());
    }
    if request.apply_only {
        lines.push("Hooks do not run.".to_owned());
    }
    lines
}

fn what_is_applied(request: &SyncRequest, app: Option<&Application>) -> String {
    let what = match request.resources.as_slice() {
        [] => "everything".to_owned(),
        [one] => format!("{} `{}` only", one.kind.kind, short(&one.name)),
        many => format!("{} chosen objects only", many.len()),
    };
    let source = app.and_then(|app| app.sources.first());
    let revision = request
        .revision
        .as_deref()
        .or(source.map(|source| &*source.target_revision))
        .unwrap_or("the target revision");
    let to = app.map(|app| &app.destination).map_or(String::new(), |to| {
        let cluster = if to.name.is_empty() {
            &to.server
        } else {
            &to.name
        };
        format!(" to `{}` on {}", short(&to.namespace), short(cluster))
    });
    format!(
        "The controller applies {what} at `{}`{to}.",
        short(revision)
    )
}

fn is_running(operation: &OperationView) -> bool {
    matches!(
        operation,
        OperationView::Queued | OperationView::Active { .. } | OperationView::Waiting { .. }
    )
}

fn rollback_preview(id: i64, prune: bool, dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if dry_run {
        lines.push("Nothing is changed: the API server only checks the manifests.".to_owned());
    }
    lines.push(format!("The controller applies history entry {id} again."));
    lines.push("The Application is then OutOfSync with git until the next sync.".to_owned());
    if prune {
        lines.push("Objects that this entry has not are DELETED.".to_owned());
    }
    lines
}

fn switch_preview(switch: Switch, on: bool, app: Option<&Application>) -> String {
    let differs = app.is_some_and(|app| app.out_of_sync > 0);
    match (switch, on) {
        (Switch::AutoSync, true) if differs => {
            "Auto-sync goes on: what differs is synced at once.".to_owned()
        }
        (Switch::AutoSync, true) => "Auto-sync goes on: new commits are synced.".to_owned(),
        (Switch::AutoSync, false) => "Auto-sync goes off: only people sync.".to_owned(),
        (Switch::SelfHeal, true) => {
            "Self-heal goes on: changes made elsewhere are reverted within seconds.".to_owned()
        }
        (Switch::SelfHeal, false) => {
            "Self-heal goes off: changes made elsewhere stay until the next sync.".to_owned()
        }
        (Switch::Prune, true) => "Prune goes on: what leaves git is DELETED.".to_owned(),
        (Switch::Prune, false) => "Prune goes off: what leaves git stays.".to_owned(),
    }
}

fn delete_preview(cascade: Cascade, app: Option<&Application>) -> Vec<String> {
    let count = app.map_or("all".to_owned(), |app| format!("the {}", app.resources));
    let mut lines = vec![match cascade {
        Cascade::Foreground => {
            format!("The Application and {count} objects it manages are DELETED, objects first.")
        }
        Cascade::Background => {
            format!("The Application and {count} objects it manages are DELETED.")
        }
        Cascade::NonCascading => {
            "The Application is deleted; what it manages stays and runs on.".to_owned()
        }
    }];
    if let Some(set) = app.and_then(|app| app.owner_set.as_ref()) {
        lines.push(format!(
            "ApplicationSet `{}` may make it again.",
            short(set)
        ));
    }
    lines
}

fn object_preview(propagation: Propagation, force: bool) -> Vec<String> {
    let mut lines = vec![match propagation {
        Propagation::Background => "It is DELETED, and then what it owns.".to_owned(),
        Propagation::Foreground => "What it owns is DELETED first, then it.".to_owned(),
        Propagation::Orphan => "It is DELETED; what it owns stays.".to_owned(),
    }];
    if force {
        lines.push("There is no grace period for its processes.".to_owned());
    }
    lines.push("A controller or self-heal may make it again.".to_owned());
    lines
}

/// Returns the verb with a capital, for a title.
pub(super) fn word_of(verb: &Verb) -> String {
    let id = verb.id().replace('-', " ");
    let mut letters = id.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Cuts text from a server or a person to what fits into a sentence.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}
