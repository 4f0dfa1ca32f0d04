//! Choosing: Enter, the menu, the palette, and the help and alias screens.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "commands that are not named here belong everywhere"
)]

use super::subject::{Subject, chosen_applications, subjects};
use super::{Effects, images, keys, navigate, rollouts, run, runs};
use crate::app::commands::{COMMANDS, Command, Group};
use crate::app::key::{Key, KeyCode};
use crate::app::keymap::KeyScope;
use crate::app::overlays::{Menu, MenuItem, Overlay, Palette, PaletteItem};
use crate::app::screens::{
    AlertItem, HelpRow, HelpScreen, ListCursor, Place, Screen, TextSource, analysis_runs,
};
use crate::app::state::State;
use crate::domain::image::image_of;
use crate::domain::kind::{Abilities, KINDS, info_of};
use crate::domain::pipeline::{ACTIONS, System, is_run};
use crate::engine::protocol::Scope;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use std::collections::HashSet;
use tui_input::Input;

/// Opens what is under the cursor.
pub(super) fn open_current(state: &mut State, out: &mut Effects) {
    match state.screen() {
        Screen::Applications(_)
        | Screen::Kind(_)
        | Screen::Application(_)
        | Screen::Ledger(_)
        | Screen::Rollout(_)
        | Screen::Image(_)
        | Screen::Flow(_) => open_object(state, out),
        Screen::Run(_) => run::run_unknown(state, Command::Logs, out),
        Screen::Analysis(_) => run::run_unknown(state, Command::Metrics, out),
        Screen::Charts(_) | Screen::Dashboards(_) => super::charts::open_current(state, out),
        Screen::Namespaces(table) => {
            let name = table.view.cursor().map(|(object, _)| object.name.clone());
            if let Some(name) = name {
                navigate::set_scope(state, Scope::Namespace(name), out);
            }
        }
        Screen::Contexts(screen) => {
            let context = state.contexts.get(screen.cursor.position);
            if let Some(name) = context.map(|context| context.name.clone()) {
                navigate::set_context(state, name, out);
            }
        }
        Screen::History(_) => super::objects::diff(state, out),
        Screen::Alerts(_) => super::charts::open_alert(state, out),
        Screen::Diff(_)
        | Screen::Text(_)
        | Screen::Events(_)
        | Screen::Logs(_)
        | Screen::Help(_) => {}
    }
}

fn open_object(state: &mut State, out: &mut Effects) {
    let under_cursor = match state.screen() {
        Screen::Applications(table) | Screen::Kind(table) => {
            table.view.current(&state.store).map(|row| Subject {
                object: row.object().clone(),
                uid: Some(row.uid().clone()),
            })
        }
        // Of the tree, the first of the marked ones is not what Enter means.
        Screen::Application(screen) => screen.current().map(|node| Subject {
            object: node.object.clone(),
            uid: node.uid.clone(),
        }),
        _ => subjects(state).into_iter().next(),
    };
    let Some(subject) = under_cursor else {
        return;
    };
    if let Some(application) = images::followed_by(state, &subject.object) {
        navigate::go(state, Place::Application(application), out);
        return;
    }
    // Enter on a revision folds it: there is no object to open.
    if let Screen::Rollout(screen) = state.screen()
        && subject.object == screen.object
    {
        run::run_unknown(state, Command::Fold, out);
        return;
    }
    if let Screen::Image(screen) = state.screen()
        && subject.object
            == *screen
                .image()
                .map_or(&screen.object, |image| &image.row.object)
    {
        return;
    }
    let place = if image_of(&subject.object).is_some() {
        Place::Image(subject.object)
    } else if is_run(&subject.object.kind) {
        Place::Run(subject.object)
    } else if subject.is_application() {
        Place::Application(subject.object)
    } else if subject.is_rollout() {
        Place::Rollout(subject.object)
    } else if subject.object.kind == analysis_runs() {
        Place::AnalysisRun(subject.object)
    } else if subject.object.kind.is("", "Pod") {
        Place::Logs {
            object: subject.object,
            previous: false,
        }
    } else {
        Place::Text(TextSource::Describe(subject.object))
    };
    navigate::go_to(state, place, subject.uid, out);
}

/// Returns whether a command asks something of the platform.
pub(super) fn changes_something(command: Command) -> bool {
    matches!(
        command,
        Command::Sync
            | Command::SyncOne
            | Command::Refresh
            | Command::HardRefresh
            | Command::Rollback
            | Command::Switches
            | Command::Terminate
            | Command::ConfirmDeletion
            | Command::Edit
            | Command::Restart
            | Command::Scale
            | Command::Delete
            | Command::Promote
            | Command::PromoteFull
            | Command::Abort
            | Command::RetryRollout
            | Command::Pause
            | Command::Resume
            | Command::Undo
            | Command::SetImage
            | Command::Silence
            | Command::ExpireSilence
            | Command::Submit
            | Command::ResumeRun
            | Command::SuspendRun
            | Command::RetryRun
            | Command::Resubmit
            | Command::StopRun
            | Command::CancelRun
            | Command::TriggerCron
            | Command::SwitchCron
            | Command::TestEvent
            | Command::Replay
            | Command::Scan
            | Command::StopScan
            | Command::MakeSbom
            | Command::ScanAll
            | Command::Tag
            | Command::Untag
            | Command::CopyImage
            | Command::DeployImage
            | Command::OverrideImage
            | Command::CreateRobot
            | Command::RefreshRobot
            | Command::SwitchRobot
    )
}

/// Returns why a command that changes something cannot be used now.
pub(super) fn refusal(state: &State, command: Command) -> Option<String> {
    if state.is_read_only() {
        let context = state.link.context_name();
        return Some(format!(
            "`{}` is refused: `{context}` is read-only here",
            command.id()
        ));
    }
    if state.link.connection.is_none() {
        return Some(format!("`{}` needs a connection", command.id()));
    }
    (!suits(state, command)).then(|| not_here(command))
}

/// The sentence for a command that has nothing to work on.
pub(super) fn not_here(command: Command) -> String {
    if let Some(what) = images::needs(command) {
        return format!("`{}` needs {what}", command.id());
    }
    let what = match command {
        Command::Rollback => "a history entry",
        Command::Restart => "a Deployment, StatefulSet, DaemonSet or Rollout",
        Command::Promote
        | Command::PromoteFull
        | Command::Abort
        | Command::RetryRollout
        | Command::Pause
        | Command::Resume
        | Command::Undo => "a Rollout",
        Command::SetImage => "a Rollout, a Deployment, a StatefulSet or a DaemonSet",
        Command::Submit => "a WorkflowTemplate, a Pipeline or a run that has one",
        Command::ResumeRun | Command::SuspendRun | Command::StopRun => "a Workflow",
        Command::RetryRun => "a Workflow or a run of GitHub Actions",
        Command::Resubmit => "a run",
        Command::CancelRun => "a run of Tekton or GitHub Actions",
        Command::TriggerCron | Command::SwitchCron => "a CronWorkflow",
        Command::TestEvent => "an EventSource",
        Command::Replay => "a webhook under the cursor",
        Command::Silence => "an alert under the cursor",
        Command::ExpireSilence => "a silence under the cursor",
        Command::Terminate => "an Application, an AnalysisRun or a Workflow",
        Command::Scale => "a workload with replicas",
        Command::Delete => "objects of one sort under the cursor or marked",
        Command::Edit => "an object under the cursor",
        _ => "an Application",
    };
    format!("`{}` needs {what}", command.id())
}

/// Whether there is something on screen that the command is for.
fn suits(state: &State, command: Command) -> bool {
    let able = |ability: fn(&Abilities) -> bool| {
        let subjects = subjects(state);
        let able = |subject: &Subject| {
            info_of(&subject.object.kind).is_some_and(|info| ability(&info.abilities))
        };
        !subjects.is_empty() && subjects.iter().all(able)
    };
    if let Some(suits) = images::suits(state, command) {
        return suits;
    }
    if let Some(suits) = suits_runs(state, command) {
        return suits;
    }
    match command {
        Command::Sync
        | Command::Refresh
        | Command::HardRefresh
        | Command::Switches
        | Command::ConfirmDeletion
        | Command::History
        | Command::Diff
        | Command::OpenLink => !chosen_applications(state).is_empty(),
        Command::Promote
        | Command::PromoteFull
        | Command::Abort
        | Command::RetryRollout
        | Command::Pause
        | Command::Resume
        | Command::Undo => !rollouts::chosen_rollouts(state).is_empty(),
        Command::SetImage => !super::set_image::chosen(state).is_empty(),
        Command::Silence => rollouts::current_alert(state).is_some(),
        Command::ExpireSilence => rollouts::current_silence(state).is_some(),
        Command::Metrics => super::charts::charted(state).is_some(),
        Command::SyncOne => {
            matches!(state.screen(), Screen::Application(tree) if tree.current().is_some())
        }
        Command::Rollback => matches!(state.screen(), Screen::History(_)),
        Command::Restart => {
            let all = subjects(state);
            let rollouts = !all.is_empty() && all.iter().all(Subject::is_rollout);
            let open = matches!(state.screen(), Screen::Rollout(_));
            rollouts || open || able(|abilities| abilities.restart)
        }
        Command::Scale => able(|abilities| abilities.scale),
        Command::Logs | Command::PreviousLogs => {
            able(|abilities| abilities.logs) || !chosen_applications(state).is_empty()
        }
        // GitHub's objects are not the cluster's: there is nothing to edit, and no events.
        Command::Edit | Command::Events => !of_github(state) && !subjects(state).is_empty(),
        Command::RevealSecrets => {
            let mut all = subjects(state).into_iter();
            all.any(|subject| subject.object.kind.is("", "Secret"))
        }
        Command::LongerSpan | Command::ShorterSpan | Command::ZoomPanel => {
            matches!(state.screen(), Screen::Charts(_))
        }
        Command::EditQuery => {
            matches!(state.screen(), Screen::Charts(_) | Screen::Analysis(_))
        }
        _ => !subjects(state).is_empty(),
    }
}

/// Whether something chosen is known to GitHub and not to the cluster.
fn of_github(state: &State) -> bool {
    let all = subjects(state);
    all.iter().any(|one| &*one.object.kind.group == ACTIONS)
}

/// As [`suits`], for the commands on runs and events; absent for others.
fn suits_runs(state: &State, command: Command) -> Option<bool> {
    Some(match command {
        Command::Terminate => {
            !chosen_applications(state).is_empty()
                || !rollouts::chosen_runs(state).is_empty()
                || runs_are(state, |system| system == System::Workflows)
        }
        Command::Submit => runs::chosen_template(state).is_some(),
        Command::ResumeRun | Command::SuspendRun | Command::StopRun => {
            runs_are(state, |system| system == System::Workflows)
        }
        Command::RetryRun => runs_are(state, |system| system != System::Tekton),
        Command::CancelRun => runs_are(state, |system| system != System::Workflows),
        Command::Resubmit => runs_are(state, |_| true),
        Command::TriggerCron | Command::SwitchCron => !runs::chosen_crons(state).is_empty(),
        Command::TestEvent => runs::chosen_source(state).is_some(),
        Command::Replay => runs::chosen_webhook(state).is_some(),
        Command::ToggleGraph => matches!(state.screen(), Screen::Run(_)),
        _ => return None,
    })
}

/// Whether there are runs to ask something of, all of systems that know the command.
fn runs_are(state: &State, fits: fn(System) -> bool) -> bool {
    let chosen = runs::chosen_runs(state);
    let fits = |one: &Subject| System::of_kind(&one.object.kind).is_some_and(fits);
    !chosen.is_empty() && chosen.iter().all(fits)
}

/// Whether commands of a group are about what is under the cursor.
fn is_of_object(group: Group) -> bool {
    matches!(
        group,
        Group::Objects
            | Group::Applications
            | Group::Rollouts
            | Group::Runs
            | Group::Images
            | Group::Metrics
    )
}

/// Opens the menu of all commands for what is chosen.
pub(super) fn open_menu(state: &mut State) {
    let subjects = subjects(state);
    let alert = match state.screen() {
        Screen::Alerts(screen) => screen.current().map(|item| match item {
            AlertItem::Alert(alert) => alert.name().to_owned(),
            AlertItem::Silence(silence) => silence.comment.to_string(),
        }),
        Screen::Charts(_) => Some("charts".to_owned()),
        _ => runs::chosen_webhook(state).map(|(_, id)| format!("webhook {id}")),
    };
    let title = match subjects.as_slice() {
        [] if alert.is_some() => alert.unwrap_or_default(),
        [] => {
            state.note("there is nothing under the cursor");
            return;
        }
        [one] => one.object.path(),
        many => format!("{} objects", many.len()),
    };
    let offered = COMMANDS
        .iter()
        .filter(|info| is_of_object(info.group))
        .filter(|info| suits(state, info.command));
    let mut items: Vec<MenuItem> = offered
        .map(|info| MenuItem {
            letter: None,
            command: info.command,
            title: info.title.to_owned(),
            key: state.keymap.key_hint(state.screen(), info.command),
            refused: changes_something(info.command)
                .then(|| refusal(state, info.command))
                .flatten(),
        })
        .collect();
    give_letters(&mut items);
    state.overlay = Some(Overlay::Menu(Menu {
        title,
        items,
        cursor: ListCursor::default(),
    }));
}

/// Gives every item a letter: its own key first, then the letter of its key with a modifier, then
/// a letter of its title, then any.
fn give_letters(items: &mut [MenuItem]) {
    let mut taken: Vec<char> = Vec::new();
    let own = |item: &MenuItem| {
        let mut letters = item.key.chars();
        letters.next().filter(|_| letters.next().is_none())
    };
    let modified = |item: &MenuItem| {
        let letter = item.key.chars().last();
        letter.filter(|_| item.key.contains('-') && !item.key.contains(' '))
    };
    let of_title = |item: &MenuItem, taken: &[char]| {
        let title = item.title.to_lowercase();
        let mut letters = title.chars().chain('a'..='z');
        letters.find(|letter| is_free(*letter, taken))
    };
    for pass in 0..3 {
        for item in items.iter_mut().filter(|item| item.letter.is_none()) {
            let letter = match pass {
                0 => own(item),
                1 => modified(item),
                _ => of_title(item, &taken),
            };
            item.letter = letter.filter(|letter| is_free(*letter, &taken));
            taken.extend(item.letter);
        }
    }
}

/// j, k and q move and leave in every menu.
fn is_free(letter: char, taken: &[char]) -> bool {
    letter.is_ascii_lowercase() && !taken.contains(&letter) && !"jkq".contains(letter)
}

pub(super) fn on_menu_key(state: &mut State, key: Key, out: &mut Effects) {
    let rows = usize::from(state.viewports.overlay_rows.max(1));
    let Some(Overlay::Menu(menu)) = &mut state.overlay else {
        return;
    };
    let total = menu.items.len();
    let here = menu.cursor.position;
    let chosen = match key.code {
        KeyCode::Esc | KeyCode::Char('q') => {
            state.overlay = None;
            return;
        }
        KeyCode::Char('c') if key.ctrl => {
            state.overlay = None;
            return;
        }
        KeyCode::Down | KeyCode::Char('j') => {
            menu.cursor.move_to((here + 1) % total.max(1), rows, total);
            return;
        }
        KeyCode::Up | KeyCode::Char('k') => {
            let up = (here + total.max(1) - 1) % total.max(1);
            menu.cursor.move_to(up, rows, total);
            return;
        }
        KeyCode::Enter => menu.items.get(here),
        KeyCode::Char(typed) => {
            let mut items = menu.items.iter();
            items.find(|item| item.letter == Some(typed))
        }
        _ => None,
    };
    if let Some(command) = chosen.map(|item| item.command) {
        state.overlay = None;
        run::run(state, command, out);
    }
}

/// Opens the palette with every command.
pub(super) fn open_palette(state: &mut State) {
    state.overlay = Some(Overlay::Palette(Palette {
        input: Input::default(),
        items: Vec::new(),
        cursor: ListCursor::default(),
    }));
    refresh_palette(state);
}

/// Finds commands for what has been typed, best first.
pub(super) fn refresh_palette(state: &mut State) {
    let Some(Overlay::Palette(mut palette)) = state.overlay.take() else {
        return;
    };
    let typed = palette.input.value();
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut letters = Vec::new();
    let mut found: Vec<(u32, PaletteItem)> = Vec::new();
    let suitable = COMMANDS
        .iter()
        .filter(|info| !is_of_object(info.group) || suits(state, info.command));
    for info in suitable {
        let mut matched = Vec::new();
        let title = Utf32Str::new(info.title, &mut letters);
        let by_title = pattern.indices(title, &mut matcher, &mut matched);
        let score = by_title.or_else(|| {
            matched.clear();
            let mut letters = Vec::new();
            pattern.score(Utf32Str::new(info.id, &mut letters), &mut matcher)
        });
        let Some(score) = score else { continue };
        matched.sort_unstable();
        matched.dedup();
        let item = PaletteItem {
            command: info.command,
            title: info.title.to_owned(),
            key: state.keymap.key_hint(state.screen(), info.command),
            matched,
        };
        found.push((score, item));
    }
    found.sort_by(|(left, _), (right, _)| right.cmp(left));
    palette.items = found.into_iter().map(|(_, item)| item).collect();
    palette.cursor = ListCursor::default();
    state.overlay = Some(Overlay::Palette(palette));
}

pub(super) fn on_palette_key(state: &mut State, key: Key, out: &mut Effects) {
    let rows = usize::from(state.viewports.overlay_rows.max(1));
    let Some(Overlay::Palette(palette)) = &mut state.overlay else {
        return;
    };
    let total = palette.items.len();
    let here = palette.cursor.position;
    match (key.code, key.ctrl) {
        (KeyCode::Esc, _) | (KeyCode::Char('c'), true) => state.overlay = None,
        (KeyCode::Down | KeyCode::Tab, _) | (KeyCode::Char('n'), true) => {
            palette.cursor.move_to(here + 1, rows, total);
        }
        (KeyCode::Up, _) | (KeyCode::Char('p'), true) => {
            palette.cursor.move_to(here.saturating_sub(1), rows, total);
        }
        (KeyCode::Enter, _) => {
            let command = palette.items.get(here).map(|item| item.command);
            state.overlay = None;
            if let Some(command) = command {
                run::run(state, command, out);
            }
        }
        _ => {
            if keys::edit_line(&mut palette.input, key) {
                refresh_palette(state);
            }
        }
    }
}

/// Lists the keys that hold on the screen that is shown.
pub(super) fn help_screen(state: &State) -> HelpScreen {
    let scopes = KeyScope::of(state.screen());
    let mut rows: Vec<HelpRow> = COMMANDS
        .iter()
        .map(|info| HelpRow {
            group: info.group.title().into(),
            keys: state.keymap.keys_of(scopes, info.command).join("  "),
            title: info.title.to_owned(),
            word: info.id.to_owned(),
        })
        .filter(|row| !row.keys.is_empty() || !row.word.starts_with("namespace-"))
        .collect();
    // First what is particular to the screen, then what holds everywhere.
    let narrowest = scopes.get(..1).unwrap_or_default();
    let own: HashSet<&str> = COMMANDS
        .iter()
        .filter(|info| !state.keymap.keys_of(narrowest, info.command).is_empty())
        .map(|info| info.group.title())
        .collect();
    rows.sort_by_key(|row| !own.contains(&*row.group));
    HelpScreen {
        aliases: false,
        rows,
        top: 0,
    }
}

/// Lists the kinds and what may be typed for them.
pub(super) fn aliases_screen(state: &State) -> HelpScreen {
    let mut rows: Vec<HelpRow> = state
        .kinds
        .iter()
        .map(|entry| HelpRow {
            group: entry.kind.group.clone(),
            keys: entry.short_names.join("  "),
            title: entry.kind.kind.to_string(),
            word: entry.plural.to_string(),
        })
        .collect();
    if rows.is_empty() {
        rows.extend(KINDS.iter().map(|info| HelpRow {
            group: info.group.into(),
            keys: info.short_names.join("  "),
            title: info.kind.to_owned(),
            word: info.plural.to_owned(),
        }));
    }
    rows.sort_by(|left, right| (&left.group, &left.title).cmp(&(&right.group, &right.title)));
    HelpScreen {
        aliases: true,
        rows,
        top: 0,
    }
}
