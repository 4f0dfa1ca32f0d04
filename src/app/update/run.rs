//! Commands, whether they came by key, menu, palette or `:`.
//!
//! Each family of commands has its function; a test checks that every command of the table
//! belongs to one.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "each function answers for its own commands; a test finds one without a home"
)]

use super::{
    Effects, charts, choose, dialogs, export, images, intents, moving, navigate, objects, prompt,
    runs,
};
use crate::app::columns::{ColumnId, Detail};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::overlays::PromptKind;
use crate::app::screens::{ApplicationScreen, LogsScreen, Place, Screen, analysis_runs, rollouts};
use crate::app::state::State;
use crate::domain::pipeline::cron::cron_kind;
use crate::domain::pipeline::runs_kind;
use crate::engine::protocol::{LogLine, Request, Scope};

/// Carries a command out; returns whether any family knows it.
pub(super) fn run(state: &mut State, command: Command, out: &mut Effects) -> bool {
    state.dirty = true;
    runs::move_graph(state, command)
        || moving::on_command(state, command)
        || moving::sideways(state, command)
        || general(state, command, out)
        || going(state, command, out)
        || charts::on_command(state, command, out)
        || images::on_command(state, command, out)
        || tables(state, command)
        || looking(state, command, out)
        || asking(state, command, out)
        || texts(state, command, out)
        || logs(state, command, out)
}

/// Carries out a command that is known to belong to some family.
pub(super) fn run_unknown(state: &mut State, command: Command, out: &mut Effects) {
    let known = run(state, command, out);
    debug_assert!(known, "every command has a home");
}

fn general(state: &mut State, command: Command, out: &mut Effects) -> bool {
    match command {
        Command::Help => navigate::go(state, Place::Help, out),
        Command::Aliases => navigate::go(state, Place::Aliases, out),
        Command::CommandPrompt => prompt::open(state, PromptKind::Command),
        Command::FilterPrompt => prompt::open_filter(state),
        Command::Palette => choose::open_palette(state),
        Command::Menu => choose::open_menu(state),
        Command::Reload => reload(state, out),
        Command::RetryNow => {
            out.push(Effect::Engine(Request::RetryNow));
            state.note("trying again now");
        }
        Command::ToggleHeader => state.settings.header = !state.settings.header,
        Command::Save => export::save(state, out),
        Command::Suspend => out.push(Effect::Suspend),
        Command::Repaint => out.push(Effect::Repaint),
        Command::Quit => super::quit(state, out),
        _ => return false,
    }
    true
}

fn reload(state: &mut State, out: &mut Effects) {
    if state.link.nothing.is_some() {
        navigate::connect(state, out);
    } else if !navigate::fetch_again(state, out) {
        out.push(Effect::Engine(Request::Reload));
    }
    state.note("loading again");
}

fn going(state: &mut State, command: Command, out: &mut Effects) -> bool {
    match command {
        Command::Clear => clear(state, out),
        Command::Back => navigate::back(state, out),
        Command::HistoryBack => navigate::walk(state, -1, out),
        Command::HistoryForward => navigate::walk(state, 1, out),
        Command::LastPlace => navigate::last_place(state, out),
        Command::Ledger => navigate::go(state, Place::Ledger, out),
        Command::Contexts => navigate::go(state, Place::Contexts, out),
        Command::Namespaces => navigate::go(state, Place::namespaces(), out),
        Command::Applications => navigate::go(state, Place::applications(), out),
        Command::Rollouts => navigate::go(state, Place::Kind(rollouts()), out),
        Command::Runs => navigate::go(state, Place::Kind(runs_kind()), out),
        Command::Crons => navigate::go(state, Place::Kind(cron_kind()), out),
        Command::EventFlow => navigate::go(state, Place::Flow, out),
        Command::AnalysisRuns => navigate::go(state, Place::Kind(analysis_runs()), out),
        Command::Open => choose::open_current(state, out),
        other => match other.namespace_number() {
            Some(number) => choose_namespace(state, number, out),
            None => return false,
        },
    }
    true
}

fn choose_namespace(state: &mut State, number: usize, out: &mut Effects) {
    if number == 0 {
        navigate::set_scope(state, Scope::All, out);
        return;
    }
    match state.link.favourites.get(number - 1).cloned() {
        Some(namespace) => navigate::set_scope(state, Scope::Namespace(namespace), out),
        None => state.note(format!("there is no namespace on key {number}")),
    }
}

/// Esc in two steps: first what narrows the view goes, then the view.
/// Esc: takes away messages of trouble that cover the screen, else the filter, else the screen.
fn clear(state: &mut State, out: &mut Effects) {
    if state.toasts.dismiss() {
        return;
    }
    if !moving::clear_filter(state) {
        navigate::back(state, out);
    }
}

fn tables(state: &mut State, command: Command) -> bool {
    let window = state.window();
    if let Screen::Rollout(screen) = state.screen_mut()
        && matches!(command, Command::Fold | Command::FoldAll)
    {
        if command == Command::Fold {
            screen.toggle_fold();
        } else {
            screen.toggle_fold_all();
        }
        screen.keep_in(window);
        return true;
    }
    if let Screen::Run(screen) = state.screen_mut()
        && matches!(command, Command::Fold | Command::FoldAll)
    {
        if command == Command::Fold {
            screen.toggle_fold();
        } else {
            screen.toggle_fold_all();
        }
        screen.keep_in(window);
        runs::cursor_moved(state);
        return true;
    }
    match command {
        Command::ToggleGraph => {
            if let Screen::Run(screen) = state.screen_mut() {
                screen.toggle_view();
                screen.keep_in(window);
                runs::cursor_moved(state);
            }
        }
        Command::Mark | Command::MarkRange => mark(state, command),
        Command::ClearMarks => clear_marks(state),
        Command::Fold => tree(state, ApplicationScreen::toggle_fold),
        Command::FoldAll => tree(state, ApplicationScreen::toggle_fold_all),
        Command::ToggleFaults => toggle_faults(state),
        Command::ToggleWide => toggle_wide(state),
        Command::SortReverse => {
            moving::relayout(state, |view| view.sort.descending = !view.sort.descending);
        }
        Command::SortLeft | Command::SortRight => {
            let step = if command == Command::SortLeft { -1 } else { 1 };
            let table = state.screen().table();
            if let Some(column) = table.and_then(|table| table.view.neighbour_column(step)) {
                sort_by(state, column);
            }
        }
        other => match sort_column(state, other) {
            Some(column) => sort_by(state, column),
            None => return false,
        },
    }
    true
}

fn sort_column(state: &State, command: Command) -> Option<ColumnId> {
    Some(match command {
        Command::SortName => ColumnId::Name,
        Command::SortNamespace => ColumnId::Namespace,
        Command::SortAge => ColumnId::Age,
        Command::SortSync => ColumnId::Sync,
        Command::SortOperation => ColumnId::Operation,
        Command::SortStatus => status_column(state),
        _ => return None,
    })
}

/// Health for Applications; the server's own status column for other kinds.
fn status_column(state: &State) -> ColumnId {
    let table = state.screen().table();
    let columns = table.map(|table| table.view.columns()).unwrap_or_default();
    let mut server = columns
        .iter()
        .filter(|column| matches!(column.id, ColumnId::Cell(_)) && column.priority == 0);
    server.next().map_or(ColumnId::Health, |column| column.id)
}

/// The same column again turns the order round.
fn sort_by(state: &mut State, column: ColumnId) {
    moving::relayout(state, |view| {
        view.sort.descending = view.sort.column == column && !view.sort.descending;
        view.sort.column = column;
    });
}

fn mark(state: &mut State, command: Command) {
    let window = state.window();
    let State { stack, store, .. } = state;
    match stack.last_mut() {
        Some(Screen::Application(tree)) => tree.toggle_mark(),
        Some(screen) => {
            if let Some(table) = screen.table_mut() {
                let view = &mut table.view;
                if command == Command::MarkRange {
                    view.mark_range(store);
                } else {
                    view.toggle_mark(store);
                    let next = view.position().map_or(0, |position| position + 1);
                    view.move_to(next, store, window);
                }
            }
        }
        None => {}
    }
}

pub(super) fn clear_marks(state: &mut State) {
    match state.screen_mut() {
        Screen::Application(tree) => {
            tree.clear_marks();
        }
        screen => {
            if let Some(table) = screen.table_mut() {
                table.view.clear_marks();
            }
        }
    }
}

fn tree(state: &mut State, change: impl FnOnce(&mut ApplicationScreen)) {
    let window = state.window();
    if let Screen::Application(tree) = state.screen_mut() {
        change(tree);
        tree.keep_in(window);
    }
}

fn toggle_faults(state: &mut State) {
    tree(state, |tree| {
        tree.faults_only = !tree.faults_only;
        tree.rebuild();
    });
    moving::relayout(state, |view| view.faults_only = !view.faults_only);
}

fn toggle_wide(state: &mut State) {
    tree(state, |tree| tree.wide = !tree.wide);
    moving::relayout(state, |view| {
        view.detail = match view.detail {
            Detail::Normal => Detail::Wide,
            Detail::Wide => Detail::Normal,
        };
    });
}

fn looking(state: &mut State, command: Command, out: &mut Effects) -> bool {
    match command {
        Command::PreviousLogs if matches!(state.screen(), Screen::Logs(_)) => {
            with_log(state, out, |log| {
                log.options.previous = !log.options.previous;
                log.options.follow = !log.options.previous;
            });
        }
        Command::Describe
        | Command::Yaml
        | Command::Why
        | Command::Events
        | Command::Logs
        | Command::PreviousLogs => objects::look(state, command, out),
        Command::Diff => objects::diff(state, out),
        Command::History => objects::history(state, out),
        Command::CopyName | Command::CopyNamespace => objects::copy(state, command, out),
        Command::OpenLink => objects::copy_link(state, out),
        Command::RevealSecrets => objects::toggle_secrets(state, out),
        _ => return false,
    }
    true
}

/// Commands that change the platform: refused at once where nothing may be changed.
fn asking(state: &mut State, command: Command, out: &mut Effects) -> bool {
    if !choose::changes_something(command) {
        return false;
    }
    if let Some(refusal) = choose::refusal(state, command) {
        state.refuse(refusal, "");
        return true;
    }
    match command {
        Command::Submit => runs::begin_submit(state, out),
        Command::DeployImage | Command::OverrideImage => images::begin_set(state, command, out),
        Command::Refresh | Command::HardRefresh => intents::refresh(state, command, out),
        Command::Edit => objects::edit(state, out),
        _ => dialogs::open(state, command),
    }
    true
}

fn texts(state: &mut State, command: Command, out: &mut Effects) -> bool {
    match command {
        Command::SearchNext | Command::SearchPrevious => {
            let step = if command == Command::SearchNext {
                1
            } else {
                -1
            };
            prompt::step_search(state, step);
        }
        Command::CopyAll => export::copy_all(state, out),
        Command::ToggleWrap => match state.screen_mut() {
            Screen::Text(screen) => {
                screen.wrap = !screen.wrap;
                screen.left = 0;
            }
            Screen::Logs(screen) => {
                screen.wrap = !screen.wrap;
                screen.left = 0;
            }
            _ => {}
        },
        Command::ToggleFull => match state.screen_mut() {
            Screen::Text(screen) => screen.full = !screen.full,
            Screen::Logs(screen) => screen.full = !screen.full,
            Screen::Diff(_) => objects::toggle_full_diff(state),
            _ => {}
        },
        _ => return false,
    }
    true
}

fn logs(state: &mut State, command: Command, out: &mut Effects) -> bool {
    let since = match command {
        Command::ToggleAutoscroll
        | Command::ToggleTimestamps
        | Command::MarkLog
        | Command::ClearLog => {
            change_log(state, command);
            return true;
        }
        Command::LogTail => (500, None),
        Command::LogHead => (u32::MAX, None),
        Command::LogMinute => (u32::MAX, Some(60)),
        Command::LogFiveMinutes => (u32::MAX, Some(300)),
        Command::LogQuarter => (u32::MAX, Some(900)),
        Command::LogHalfHour => (u32::MAX, Some(1_800)),
        Command::LogHour => (u32::MAX, Some(3_600)),
        _ => return false,
    };
    with_log(state, out, |log| {
        (log.options.tail, log.options.since_seconds) = since;
    });
    true
}

fn change_log(state: &mut State, command: Command) {
    let window = state.window();
    let now = state.now.platform;
    let Screen::Logs(log) = state.screen_mut() else {
        return;
    };
    match command {
        Command::ToggleAutoscroll => log.autoscroll = !log.autoscroll,
        Command::ToggleTimestamps => log.timestamps = !log.timestamps,
        Command::ClearLog => log.clear(),
        _ => log.push(vec![LogLine {
            origin: "".into(),
            at: Some(now),
            text: "────────────────────────────────────────".into(),
        }]),
    }
    if log.autoscroll {
        log.top = log.len().saturating_sub(window);
    }
}

fn with_log(state: &mut State, out: &mut Effects, change: impl FnOnce(&mut LogsScreen)) {
    if let Screen::Logs(log) = state.screen_mut() {
        change(log);
        navigate::follow_again(state, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::commands::COMMANDS;
    use crate::app::keymap::Keymap;
    use crate::app::state::Settings;

    #[test]
    fn every_command_of_the_table_has_a_home() {
        for info in COMMANDS {
            let mut state = State::new(Settings::default(), Keymap::default());

            let known = run(&mut state, info.command, &mut Effects::new());

            assert!(known, "nothing answers for `{}`", info.id);
        }
    }
}
