//! The prompt: `:kind [namespace] [/filter] [@context]`, intents in words and commands; `/` for
//! filters and searches.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "most keys are typed into the line, and most commands take no name"
)]

mod words;

use words::{completions, filter_completions};

use super::{Effects, dialogs, keys, moving, navigate, run};
use crate::app::commands::{COMMANDS, Command};
use crate::app::filter::Filter;
use crate::app::intent_words::{intent_named, parse};
use crate::app::key::{Key, KeyCode};
use crate::app::overlays::{Completion, Overlay, Prompt, PromptKind};
use crate::app::screens::text::Search;
use crate::app::screens::{
    ChartsOf, Place, Screen, TextSource, analysis_runs, applications, rollouts,
};
use crate::app::state::State;
use crate::app::viewports::cycled;
use crate::app::words::nearest;
use crate::domain::kind::KINDS;
use crate::domain::object::GroupKind;
use crate::domain::pipeline::System;
use crate::engine::protocol::Scope;
use tui_input::Input;

/// Opens an empty prompt.
pub(super) fn open(state: &mut State, kind: PromptKind) {
    show(state, kind, String::new());
}

fn show(state: &mut State, kind: PromptKind, before: String) {
    state.overlay = Some(Overlay::Prompt(Prompt {
        kind,
        input: Input::new(before.clone()),
        completions: Vec::new(),
        chosen: None,
        ghost: String::new(),
        problem: None,
        before,
        recalled: None,
    }));
}

/// Opens the prompt for a command with the beginning of its line.
pub(super) fn open_with(state: &mut State, line: &str) {
    show(state, PromptKind::Command, line.to_owned());
}

/// Opens the prompt that filters or searches what is shown, with what it is filtered by.
pub(super) fn open_filter(state: &mut State) {
    let (kind, before) = match state.screen() {
        Screen::Applications(table) | Screen::Namespaces(table) | Screen::Kind(table) => {
            (PromptKind::Filter, table.view.filter.text().to_owned())
        }
        Screen::Application(tree) => (PromptKind::Filter, tree.filter.clone()),
        Screen::Logs(log) => (PromptKind::Filter, log.filter.clone()),
        Screen::Alerts(alerts) => (PromptKind::Filter, alerts.filter.clone()),
        Screen::Image(image) => (PromptKind::Filter, image.filter.clone()),
        Screen::Text(text) => (PromptKind::Search, text.search.text.clone()),
        Screen::Diff(_)
        | Screen::History(_)
        | Screen::Events(_)
        | Screen::Contexts(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Rollout(_)
        | Screen::Analysis(_)
        | Screen::Charts(_)
        | Screen::Dashboards(_)
        | Screen::Run(_)
        | Screen::Flow(_) => {
            state.note("this screen has no filter");
            return;
        }
    };
    show(state, kind, before);
}

pub(super) fn on_key(state: &mut State, key: Key, out: &mut Effects) {
    let Some(Overlay::Prompt(prompt)) = &mut state.overlay else {
        return;
    };
    let at_end = prompt.input.cursor() == prompt.input.value().chars().count();
    match (key.code, key.ctrl) {
        (KeyCode::Esc, _) | (KeyCode::Char('c'), true) => cancel(state),
        (KeyCode::Backspace, _) if prompt.input.value().is_empty() => cancel(state),
        (KeyCode::Enter, _) => accept(state, out),
        (KeyCode::Tab, _) => complete(state, if key.shift { -1 } else { 1 }),
        (KeyCode::Right, false) if at_end && !prompt.ghost.is_empty() => complete(state, 1),
        (KeyCode::Up, _) | (KeyCode::Char('p'), true) => recall(state, 1),
        (KeyCode::Down, _) | (KeyCode::Char('n'), true) => recall(state, -1),
        _ => {
            if keys::edit_line(&mut prompt.input, key) {
                on_typed(state);
            }
        }
    }
}

/// Follows each letter: completions for a command, rows for a filter, finds for a search.
pub(super) fn on_typed(state: &mut State) {
    let Some(Overlay::Prompt(prompt)) = &mut state.overlay else {
        return;
    };
    prompt.chosen = None;
    prompt.problem = None;
    prompt.recalled = None;
    let line = prompt.input.value().to_owned();
    let kind = prompt.kind;
    let problem = match kind {
        PromptKind::Command => None,
        PromptKind::Filter => filter_by(state, &line),
        PromptKind::Search => {
            search_for(state, &line);
            None
        }
    };
    let completions = match kind {
        PromptKind::Command => completions(state, &line),
        PromptKind::Filter => filter_completions(&line),
        PromptKind::Search => Vec::new(),
    };
    let Some(Overlay::Prompt(prompt)) = &mut state.overlay else {
        return;
    };
    prompt.problem = problem;
    prompt.ghost = ghost(&line, completions.first());
    prompt.completions = completions;
}

fn ghost(line: &str, first: Option<&Completion>) -> String {
    let rest = first.and_then(|first| first.line.strip_prefix(line));
    rest.filter(|_| !line.is_empty())
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}

fn complete(state: &mut State, step: isize) {
    let Some(Overlay::Prompt(prompt)) = &mut state.overlay else {
        return;
    };
    let count = prompt.completions.len();
    if count == 0 {
        return;
    }
    let next = match prompt.chosen {
        None if step < 0 => count - 1,
        None => 0,
        Some(chosen) => cycled(chosen, step, count),
    };
    let Some(line) = prompt.completions.get(next).map(|one| one.line.clone()) else {
        return;
    };
    prompt.input = Input::new(line);
    prompt.ghost.clear();
    prompt.problem = None;
    prompt.chosen = Some(next);
    // A single completion is taken; what may follow is offered next.
    if count == 1 {
        on_typed(state);
    } else if let Some(Overlay::Prompt(Prompt {
        kind: PromptKind::Filter,
        input,
        ..
    })) = &state.overlay
    {
        let line = input.value().to_owned();
        filter_by(state, &line);
    }
}

fn recall(state: &mut State, step: isize) {
    let commands = &state.history.commands;
    let Some(Overlay::Prompt(prompt)) = &mut state.overlay else {
        return;
    };
    if prompt.kind != PromptKind::Command {
        return;
    }
    let back = prompt.recalled.map_or(0, |number| number + 1).cast_signed() + step;
    prompt.recalled = usize::try_from(back - 1)
        .ok()
        .filter(|number| *number < commands.len());
    let line = prompt
        .recalled
        .and_then(|number| commands.iter().rev().nth(number))
        .cloned()
        .unwrap_or_default();
    prompt.input = Input::new(line);
    prompt.completions.clear();
    prompt.ghost.clear();
}

fn cancel(state: &mut State) {
    let Some(Overlay::Prompt(prompt)) = state.overlay.take() else {
        return;
    };
    match prompt.kind {
        PromptKind::Command => {}
        PromptKind::Filter => {
            filter_by(state, &prompt.before);
        }
        PromptKind::Search => search_for(state, &prompt.before),
    }
}

/// Narrows what is shown; returns what of the filter was not understood.
fn filter_by(state: &mut State, line: &str) -> Option<String> {
    let (window, now) = (state.window(), state.now.platform);
    let State { stack, store, .. } = state;
    match stack.last_mut()? {
        Screen::Application(tree) => {
            line.clone_into(&mut tree.filter);
            tree.rebuild();
            tree.keep_in(window);
            None
        }
        Screen::Alerts(alerts) => {
            alerts.set_filter(line, window);
            None
        }
        Screen::Image(image) => {
            image.set_filter(line, window);
            None
        }
        Screen::Logs(log) => {
            log.set_filter(line);
            log.top = log.len().saturating_sub(window);
            None
        }
        screen => {
            let table = screen.table_mut()?;
            let filter = Filter::parse(line);
            let problem = filter.problem().map(|problem| problem.sentence.clone());
            table.view.set_filter(filter, store, now);
            table.view.keep_in(window);
            problem
        }
    }
}

fn search_for(state: &mut State, line: &str) {
    let window = state.window();
    if let Screen::Text(text) = state.screen_mut() {
        let lines = text
            .content
            .ready()
            .map(|lines| &**lines)
            .unwrap_or_default();
        text.search = Search::new(line, lines);
        let top = text.top;
        let below = text.search.found.iter().position(|found| *found >= top);
        text.search.current = below.unwrap_or_default();
        show_find(text, window);
    }
}

/// Goes to the next or previous find.
pub(super) fn step_search(state: &mut State, step: isize) {
    let window = state.window();
    if let Screen::Text(text) = state.screen_mut() {
        text.search.step(step);
        show_find(text, window);
    }
}

fn show_find(text: &mut crate::app::screens::TextScreen, window: usize) {
    let Some(line) = text.search.found.get(text.search.current).copied() else {
        return;
    };
    if line < text.top || line >= text.top + window {
        text.top = line.saturating_sub(window / 3);
    }
}

fn accept(state: &mut State, out: &mut Effects) {
    let Some(Overlay::Prompt(prompt)) = &state.overlay else {
        return;
    };
    let line = prompt.input.value().trim().to_owned();
    if prompt.kind != PromptKind::Command || line.is_empty() {
        state.overlay = None;
        return;
    }
    match obey(state, &line, out) {
        Ok(()) => {
            // A command may have opened a dialog or another prompt in its place.
            if matches!(&state.overlay, Some(Overlay::Prompt(own)) if own.input.value().trim() == line)
            {
                state.overlay = None;
            }
            let commands = &mut state.history.commands;
            commands.retain(|known| *known != line);
            commands.push(line);
        }
        Err(problem) => {
            if let Some(Overlay::Prompt(prompt)) = &mut state.overlay {
                prompt.problem = Some(problem);
            }
        }
    }
}

/// Does what a line says, without a prompt; a problem is shown as a message.
pub(super) fn obey_line(state: &mut State, line: &str, out: &mut Effects) {
    let obeyed = obey(state, line.trim(), out);
    state.refused_line = obeyed.is_err();
    if let Err(problem) = obeyed {
        state.refuse(problem, "");
    }
}

/// `:yaml deploy/shop/api`, `:diff argocd/guestbook`: looks at an object by its name.
fn look_at(
    state: &mut State,
    command: Command,
    target: &str,
    out: &mut Effects,
) -> Result<(), String> {
    let of_application = matches!(command, Command::Diff | Command::History);
    let parts: Vec<&str> = target.split('/').collect();
    let kind = |word: &str| navigate::kind_named(state, word).ok_or_else(|| unknown(state, word));
    let repository = parts.get(1..3).map(|two| two.join("/"));
    let (kind, namespace, name) = match *parts.as_slice() {
        // The namespace of a run of Actions is its repository.
        [word, _, _, name] if kind(word)? == System::Actions.kind() => {
            (System::Actions.kind(), repository.as_deref(), name)
        }
        [word, namespace, name] => (kind(word)?, Some(namespace), name),
        [word, name] if !of_application && navigate::kind_named(state, word).is_some() => {
            (kind(word)?, None, name)
        }
        [namespace, name] => (applications(), Some(namespace), name),
        _ => {
            return Err(format!(
                "`{target}` is not the name of an object: write KIND/NAMESPACE/NAME"
            ));
        }
    };
    let found = navigate::object_here(state, kind, namespace.map(Into::into), name.into());
    let Some(object) = found else {
        return Err("there is no connection yet".to_owned());
    };
    let place = match command {
        Command::Diff => Place::Diff {
            application: object,
            object: None,
        },
        Command::History => Place::History(object),
        Command::Yaml => Place::Text(TextSource::Yaml {
            object,
            reveal_secrets: false,
        }),
        Command::Why => Place::Text(TextSource::Why(object)),
        Command::Events => Place::Events(object),
        Command::Logs | Command::PreviousLogs => Place::Logs {
            object,
            previous: command == Command::PreviousLogs,
        },
        Command::Open if crate::domain::pipeline::is_run(&object.kind) => Place::Run(object),
        Command::Open if crate::domain::image::image_of(&object).is_some() => Place::Image(object),
        Command::Open if object.kind == rollouts() => Place::Rollout(object),
        Command::Open if object.kind == analysis_runs() => Place::AnalysisRun(object),
        Command::Open => Place::Application(object),
        Command::Metrics => Place::Charts(ChartsOf::Object(object)),
        _ => Place::Text(TextSource::Describe(object)),
    };
    let uid = match &place {
        Place::Application(object)
        | Place::History(object)
        | Place::Rollout(object)
        | Place::Run(object)
        | Place::Image(object)
        | Place::AnalysisRun(object) => state.store.row(object).map(|row| row.uid().clone()),
        _ => None,
    };
    navigate::go_to(state, place, uid, out);
    Ok(())
}

/// Commands that may be followed by the name of an object.
const LOOKS: &[Command] = &[
    Command::Diff,
    Command::History,
    Command::Yaml,
    Command::Describe,
    Command::Why,
    Command::Events,
    Command::Logs,
    Command::PreviousLogs,
    Command::Open,
    Command::Metrics,
];

/// Does what a line says.
fn obey(state: &mut State, line: &str, out: &mut Effects) -> Result<(), String> {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    if let Some(charts) = charts_of(line) {
        navigate::go(state, Place::Charts(charts), out);
        return Ok(());
    }
    match (first, rest.as_slice()) {
        ("ctx" | "context" | "contexts", [name]) => return go_to_context(state, name, out),
        ("ns" | "namespace" | "namespaces", [name]) => {
            navigate::set_scope(state, scope_of(name), out);
            return Ok(());
        }
        _ => {}
    }
    if intent_named(first).is_some() && !rest.is_empty() {
        let worded = parse(line, |word| navigate::kind_named(state, word));
        let worded = worded.map_err(|problem| match problem.hint {
            Some(hint) => format!("{}; {hint}", problem.sentence),
            None => problem.sentence,
        })?;
        if state.is_read_only() {
            return Err(format!(
                "`{first}` is refused: this context is read-only here"
            ));
        }
        state.overlay = None;
        dialogs::open_worded(state, worded, out);
        return Ok(());
    }
    if let Some(command) = Command::named(first).filter(|command| LOOKS.contains(command))
        && let [target] = rest.as_slice()
    {
        return look_at(state, command, target, out);
    }
    if let Some(command) = Command::named(first).filter(|_| rest.is_empty()) {
        state.overlay = None;
        run::run(state, command, out);
        return Ok(());
    }
    if let Some(kind) = navigate::kind_named(state, first) {
        let own_screen = [applications(), rollouts(), analysis_runs()].contains(&kind);
        if let [target] = rest.as_slice()
            && own_screen
            && target.contains('/')
            && !target.starts_with('/')
        {
            let target = format!("{first}/{target}");
            return look_at(state, Command::Open, &target, out);
        }
        return go_to_kind(state, kind, &rest, out);
    }
    if let Some(line) = completed(state, line).filter(|_| rest.is_empty()) {
        return obey(state, &line, out);
    }
    Err(unknown(state, first))
}

/// The word that is offered behind the line, when it does nothing but show something.
fn completed(state: &State, line: &str) -> Option<String> {
    let Some(Overlay::Prompt(prompt)) = &state.overlay else {
        return None;
    };
    let first = prompt.completions.first()?.line.trim();
    let shows = intent_named(first).is_none() && first != line && !first.contains(' ');
    (shows && first.starts_with(line)).then(|| first.to_owned())
}

/// Reads `query EXPRESSION` and `dashboard NAME`; what follows the first word is one argument.
fn charts_of(line: &str) -> Option<ChartsOf> {
    let (first, rest) = line.trim_start().split_once(char::is_whitespace)?;
    let rest = rest.trim();
    match first {
        _ if rest.is_empty() => None,
        "query" | "promql" => Some(ChartsOf::Query(rest.into())),
        "dashboard" | "dashboards" => Some(ChartsOf::Dashboard(rest.into())),
        _ => None,
    }
}

fn scope_of(word: &str) -> Scope {
    if word == "all" || word == "*" {
        Scope::All
    } else {
        Scope::Namespace(word.into())
    }
}

fn go_to_context(state: &mut State, name: &str, out: &mut Effects) -> Result<(), String> {
    let known = state.contexts.iter().map(|context| &*context.name);
    if !state.contexts.is_empty() && !known.clone().any(|known| known == name) {
        let hint =
            nearest(name, known).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(format!("`{name}` is not a context{hint}"));
    }
    navigate::set_context(state, name.into(), out);
    Ok(())
}

/// `:kind [namespace] [/filter] [@context]`.
fn go_to_kind(
    state: &mut State,
    kind: GroupKind,
    rest: &[&str],
    out: &mut Effects,
) -> Result<(), String> {
    let line = rest.join(" ");
    let (before, filter) = match line.split_once('/') {
        Some((before, filter)) => (before.to_owned(), Some(filter.to_owned())),
        None => (line.clone(), None),
    };
    // `@context` may stand before or behind the filter.
    let mut filter = filter;
    let mut context = None;
    let mut scope = None;
    for word in before.split_whitespace() {
        match word.strip_prefix('@') {
            Some(name) => context = Some(name.to_owned()),
            None => scope = Some(scope_of(word)),
        }
    }
    if let Some((text, name)) = filter.as_deref().and_then(|text| text.rsplit_once(" @")) {
        context = Some(name.to_owned());
        filter = Some(text.to_owned());
    }
    if let Some(context) = context {
        go_to_context(state, &context, out)?;
    }
    if let Some(scope) = scope {
        navigate::set_scope(state, scope, out);
    }
    let place = if kind == applications() {
        Place::applications()
    } else {
        Place::Kind(kind)
    };
    navigate::go(state, place, out);
    if let Some(filter) = filter {
        filter_by(state, &filter);
    }
    moving::keep_cursor_visible(state);
    Ok(())
}

fn unknown(state: &State, word: &str) -> String {
    let kinds = KINDS
        .iter()
        .flat_map(|info| info.short_names.iter().copied().chain([info.plural]));
    let found = state.kinds.iter().map(|entry| &*entry.plural);
    let commands = COMMANDS.iter().map(|info| info.id);
    let words = kinds.chain(found).chain(commands);
    match nearest(word, words) {
        Some(near) => format!("`{word}` is neither a kind nor a command; did you mean `{near}`?"),
        None => format!("`{word}` is neither a kind nor a command; `ctrl-a` lists kinds"),
    }
}
