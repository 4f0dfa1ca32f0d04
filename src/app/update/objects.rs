//! Looking at objects: what their screens show, and answers that arrive for them.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "screens and commands that are not named here have nothing of the kind"
)]

use super::subject::{Subject, application_row, chosen_applications, open_application, subjects};
use super::{Effects, navigate};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::screens::text::Search;
use crate::app::screens::{DiffLine, Loaded, Place, Screen, TextSource};
use crate::app::state::State;
use crate::domain::application::ApplicationDetail;
use crate::domain::finding::Finding;
use crate::domain::object::Text;
use crate::engine::protocol::{Answer, DiffBase, Fetch, ObjectDiff};
use similar::{ChangeTag, TextDiff};
use std::collections::BTreeSet;

/// Unchanged lines shown around a change.
const CONTEXT: usize = 3;

/// Opens what the command shows of the object under the cursor.
pub(super) fn look(state: &mut State, command: Command, out: &mut Effects) {
    let Some(subject) = subjects(state).into_iter().next() else {
        state.note("there is nothing under the cursor");
        return;
    };
    let object = subject.object.clone();
    let place = match command {
        Command::Describe => Place::Text(TextSource::Describe(object)),
        Command::Yaml => Place::Text(TextSource::Yaml {
            object,
            reveal_secrets: false,
        }),
        Command::Why => Place::Text(TextSource::Why(object)),
        Command::Events => Place::Events(object),
        Command::Logs => Place::Logs {
            object,
            previous: false,
        },
        _ => Place::Logs {
            object,
            previous: true,
        },
    };
    navigate::go_to(state, place, subject.uid, out);
}

/// Opens the difference to git: of one object of a tree, else of the whole Application.
pub(super) fn diff(state: &mut State, out: &mut Effects) {
    let below = match state.screen() {
        Screen::Application(screen) => screen.current().map(|node| node.object.clone()),
        _ => None,
    };
    let application = match below {
        Some(_) => open_application(state),
        None => chosen_applications(state).into_iter().next(),
    };
    let Some(application) = application else {
        state.refuse("only an Application has a difference to git", "");
        return;
    };
    let place = Place::Diff {
        application: application.object,
        object: below,
    };
    navigate::go(state, place, out);
}

/// Opens the history of the Application.
pub(super) fn history(state: &mut State, out: &mut Effects) {
    match chosen_applications(state).into_iter().next() {
        Some(app) => navigate::go_to(state, Place::History(app.object), app.uid, out),
        None => state.refuse("only an Application has a history", ""),
    }
}

/// Fetches the manifest for the editor.
pub(super) fn edit(state: &mut State, out: &mut Effects) {
    let Some(Subject { object, uid }) = subjects(state).into_iter().next() else {
        state.note("there is nothing under the cursor");
        return;
    };
    let ticket = state.tickets.next();
    state.tickets.edits.insert(ticket, (object.clone(), uid));
    // A masked value must never be written back.
    let what = Fetch::Yaml {
        object,
        reveal_secrets: true,
    };
    navigate::fetch(ticket, what, out);
}

/// Copies names or namespaces of what is chosen, one on each line.
pub(super) fn copy(state: &mut State, command: Command, out: &mut Effects) {
    let subjects = subjects(state);
    let texts: BTreeSet<String> = subjects
        .iter()
        .filter_map(|subject| {
            if command == Command::CopyNamespace {
                subject.object.namespace.as_deref().map(ToOwned::to_owned)
            } else if crate::domain::image::image_of(&subject.object).is_some() {
                Some(subject.object.path())
            } else {
                Some(subject.object.name.to_string())
            }
        })
        .collect();
    let texts: Vec<String> =
        if let (Screen::Contexts(screen), true) = (state.screen(), texts.is_empty()) {
            let context = state.contexts.get(screen.cursor.position);
            context
                .map(|context| context.name.to_string())
                .into_iter()
                .collect()
        } else {
            texts.into_iter().collect()
        };
    let Some(first) = texts.first() else {
        state.note("there is nothing to copy");
        return;
    };
    let what = match texts.len() {
        1 => format!("`{first}`"),
        count => format!("{count} names"),
    };
    out.push(Effect::Copy {
        text: texts.join("\n"),
        what: what.into(),
    });
}

/// Copies the address of what is under the cursor: a link of the Application, else its repository.
pub(super) fn copy_link(state: &mut State, out: &mut Effects) {
    let Some(app) = chosen_applications(state).into_iter().next() else {
        state.note("nothing here has a link");
        return;
    };
    let external = open_detail(state, &app).and_then(|detail| detail.external_urls.first());
    let repository = || {
        let row = application_row(state, &app.object)?;
        row.sources.first().map(|source| &source.repo)
    };
    let link = external.or_else(repository).filter(|link| !link.is_empty());
    match link.cloned() {
        Some(link) => out.push(Effect::Copy {
            what: format!("`{link}`").into(),
            text: link.to_string(),
        }),
        None => state.note("nothing here has a link"),
    }
}

fn open_detail<'state>(state: &'state State, app: &Subject) -> Option<&'state ApplicationDetail> {
    let mut screens = state.stack.iter();
    screens.find_map(|screen| match screen {
        Screen::Application(screen) if screen.object == app.object => screen.application(),
        _ => None,
    })
}

/// Shows or masks the values of a Secret.
pub(super) fn toggle_secrets(state: &mut State, out: &mut Effects) {
    if let Screen::Text(screen) = state.screen_mut() {
        if let TextSource::Yaml { reveal_secrets, .. } = &mut screen.source {
            *reveal_secrets = !*reveal_secrets;
            navigate::fetch_again(state, out);
        }
        return;
    }
    let Some(subject) = subjects(state).into_iter().next() else {
        return;
    };
    if !subject.object.kind.is("", "Secret") {
        state.note("only a Secret has values to show");
        return;
    }
    let source = TextSource::Yaml {
        object: subject.object,
        reveal_secrets: true,
    };
    navigate::go(state, Place::Text(source), out);
}

/// Gives a screen what it waited for.
pub(super) fn take_answer(screen: &mut Screen, answer: Answer) {
    match (screen, answer) {
        (Screen::Text(screen), Answer::Text { lines, .. }) => {
            screen.search = Search::new(&screen.search.text, &lines);
            screen.top = screen.top.min(lines.len().saturating_sub(1));
            screen.content = Loaded::Ready(lines);
        }
        (Screen::Text(screen), Answer::Why(findings)) => {
            screen.content = Loaded::Ready(why_lines(&findings));
        }
        (Screen::Rollout(screen), Answer::Events(events)) => {
            screen.events = Loaded::Ready(events);
        }
        (Screen::Dashboards(screen), Answer::Dashboards(all)) => {
            screen.content = Loaded::Ready(all);
        }
        (Screen::Events(screen), Answer::Events(events)) => {
            // The latest is what people look for: the cursor starts there.
            screen.cursor.position = events.len().saturating_sub(1);
            screen.cursor.offset = 0;
            screen.content = Loaded::Ready(events);
        }
        (Screen::Diff(screen), Answer::Diff(diffs)) => {
            let context = if screen.full { usize::MAX } else { CONTEXT };
            screen.content = Loaded::Ready(diff_lines(&diffs, context));
            screen.diffs = diffs;
            screen.top = 0;
        }
        (_, _) => {}
    }
}

/// Tells a screen why it gets nothing.
pub(super) fn take_failure(screen: &mut Screen, finding: Finding) {
    match screen {
        Screen::Text(screen) => screen.content = Loaded::Failed(finding),
        Screen::Events(screen) => screen.content = Loaded::Failed(finding),
        Screen::Diff(screen) => screen.content = Loaded::Failed(finding),
        Screen::Rollout(screen) => screen.events = Loaded::Failed(finding),
        Screen::Dashboards(screen) => screen.content = Loaded::Failed(finding),
        Screen::Contexts(screen) => screen.problem = Some(finding),
        _ => {}
    }
}

/// Shows or hides unchanged lines far from any change.
pub(super) fn toggle_full_diff(state: &mut State) {
    if let Screen::Diff(screen) = state.screen_mut() {
        screen.full = !screen.full;
        let context = if screen.full { usize::MAX } else { CONTEXT };
        screen.content = Loaded::Ready(diff_lines(&screen.diffs, context));
        screen.top = 0;
    }
}

fn why_lines(findings: &[Finding]) -> Vec<Text> {
    let mut lines: Vec<Text> = Vec::new();
    for finding in findings {
        lines.push(finding.sentence.clone());
        if let Some(hint) = &finding.hint {
            lines.push(format!("  {hint}").into());
        }
        lines.push("".into());
    }
    if lines.is_empty() {
        lines.push("nothing is wrong with it, as far as can be told".into());
    }
    lines
}

/// Lays a diff out in lines: from live to target, as a sync would change it.
pub(super) fn diff_lines(diffs: &[ObjectDiff], context: usize) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    for diff in diffs {
        push_object(&mut lines, diff, context);
    }
    if lines.is_empty() {
        lines.push(DiffLine::Note("live and target are the same".into()));
    }
    lines
}

fn push_object(lines: &mut Vec<DiffLine>, diff: &ObjectDiff, context: usize) {
    let heading = lines.len();
    let live = diff.live.as_deref().unwrap_or_default();
    let target = diff.target.as_deref().unwrap_or_default();
    let (mut added, mut removed) = (0, 0);
    lines.push(DiffLine::Note("".into()));
    if diff.against == DiffBase::Nothing {
        lines.push(DiffLine::Note(
            "there is nothing to compare with; this is the live object".into(),
        ));
        lines.extend(live.lines().map(|line| DiffLine::Same(line.into())));
    } else {
        let compared = TextDiff::from_lines(live, target);
        let all: Vec<(ChangeTag, Text)> = compared
            .iter_all_changes()
            .map(|change| (change.tag(), change.value().trim_end_matches('\n').into()))
            .collect();
        added = count(&all, ChangeTag::Insert);
        removed = count(&all, ChangeTag::Delete);
        push_changes(lines, &all, context);
    }
    lines[heading] = DiffLine::Object {
        object: diff.object.clone(),
        against: diff.against,
        added,
        removed,
    };
}

fn count(all: &[(ChangeTag, Text)], tag: ChangeTag) -> usize {
    all.iter().filter(|(other, _)| *other == tag).count()
}

fn push_changes(lines: &mut Vec<DiffLine>, all: &[(ChangeTag, Text)], context: usize) {
    let near = |index: usize| {
        let from = index.saturating_sub(context);
        let to = index
            .saturating_add(context)
            .saturating_add(1)
            .min(all.len());
        let window = all.get(from..to).unwrap_or_default();
        window.iter().any(|(tag, _)| *tag != ChangeTag::Equal)
    };
    if !all.iter().any(|(tag, _)| *tag != ChangeTag::Equal) {
        lines.push(DiffLine::Note("live and target are the same".into()));
        return;
    }
    let mut skipped = 0;
    for (index, (tag, text)) in all.iter().enumerate() {
        if *tag == ChangeTag::Equal && !near(index) {
            skipped += 1;
            continue;
        }
        if skipped > 0 {
            lines.push(DiffLine::Skipped(skipped));
            skipped = 0;
        }
        lines.push(match tag {
            ChangeTag::Equal => DiffLine::Same(text.clone()),
            ChangeTag::Insert => DiffLine::Added(text.clone()),
            ChangeTag::Delete => DiffLine::Removed(text.clone()),
        });
    }
    if skipped > 0 {
        lines.push(DiffLine::Skipped(skipped));
    }
}
