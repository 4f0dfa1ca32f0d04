//! Moving the cursor or the text of whatever screen is shown.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "every other command belongs to another module"
)]

use super::Effects;
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::screens::{
    DiffScreen, HelpScreen, ImageScreen, ListCursor, LogsScreen, Screen, TableScreen, TextScreen,
};
use crate::app::state::State;
use crate::app::view::Sort;
use crate::engine::protocol::Request;
use crate::store::Store;

/// How far a command moves.
#[derive(Clone, Copy, Debug)]
enum Step {
    Rows(isize),
    First,
    Last,
}

impl Step {
    fn from(self, position: usize, total: usize) -> usize {
        let last = total.saturating_sub(1);
        match self {
            Self::Rows(rows) => position.saturating_add_signed(rows).min(last),
            Self::First => 0,
            Self::Last => last,
        }
    }

    fn along(self, cursor: &mut ListCursor, total: usize, window: usize) {
        cursor.move_to(self.from(cursor.position, total), window, total);
    }
}

/// Moves, if the command is one that moves; returns whether it was.
pub(super) fn on_command(state: &mut State, command: Command) -> bool {
    let page = state.window().cast_signed();
    let step = match command {
        Command::Down => Step::Rows(1),
        Command::Up => Step::Rows(-1),
        Command::PageDown => Step::Rows(page),
        Command::PageUp => Step::Rows(-page),
        Command::HalfPageDown => Step::Rows((page / 2).max(1)),
        Command::HalfPageUp => Step::Rows(-(page / 2).max(1)),
        Command::First => Step::First,
        Command::Last => Step::Last,
        _ => return false,
    };
    go(state, step);
    super::runs::cursor_moved(state);
    true
}

fn along_image(screen: &mut ImageScreen, step: Step, window: usize) {
    let total = screen.lines().len();
    step.along(&mut screen.cursor, total, window);
}

fn go(state: &mut State, step: Step) {
    let window = state.window();
    let entries = state.ledger.entries().len();
    let contexts = state.contexts.len();
    // The store is read while the screen above it moves.
    let State { stack, store, .. } = state;
    let Some(screen) = stack.last_mut() else {
        return;
    };
    if scroll_text(screen, step, window) {
        return;
    }
    match screen {
        Screen::Applications(table) | Screen::Namespaces(table) | Screen::Kind(table) => {
            move_table(table, step, store, window);
        }
        Screen::Application(screen) => {
            let to = step.from(screen.position(), screen.rows().len());
            screen.move_to(to, window);
        }
        Screen::Rollout(screen) => {
            let to = step.from(screen.position(), screen.rows().len());
            screen.move_to(to, window);
        }
        Screen::History(screen) => {
            let detail = screen.detail.ready().and_then(Option::as_ref);
            let total = detail.map_or(0, |detail| detail.history.len());
            step.along(&mut screen.cursor, total, window);
        }
        Screen::Events(screen) => {
            let total = screen.content.ready().map_or(0, Vec::len);
            step.along(&mut screen.cursor, total, window);
        }
        Screen::Contexts(screen) => step.along(&mut screen.cursor, contexts, window),
        Screen::Ledger(screen) => step.along(&mut screen.cursor, entries, window),
        Screen::Analysis(screen) => {
            let total = screen.run().map_or(0, |run| run.metrics.len());
            step.along(&mut screen.cursor, total, window);
        }
        Screen::Charts(screen) => {
            let total = screen.shown().len();
            step.along(&mut screen.cursor, total, window);
        }
        Screen::Alerts(screen) => {
            let total = screen.rows().len();
            step.along(&mut screen.cursor, total, window);
        }
        Screen::Run(screen) => {
            let to = step.from(screen.position(), screen.rows().len());
            screen.move_to(to, window);
        }
        Screen::Flow(screen) => {
            let total = screen.rows().len();
            step.along(&mut screen.cursor, total, window);
        }
        Screen::Image(screen) => along_image(screen, step, window),
        Screen::Dashboards(screen) => {
            let total = screen.content.ready().map_or(0, Vec::len);
            step.along(&mut screen.cursor, total, window);
        }
        Screen::Text(_) | Screen::Diff(_) | Screen::Help(_) | Screen::Logs(_) => {}
    }
}

/// Scrolls what has no cursor; returns whether the screen is of this sort.
fn scroll_text(screen: &mut Screen, step: Step, window: usize) -> bool {
    match screen {
        Screen::Text(TextScreen { top, content, .. }) => {
            let total = content.ready().map_or(0, Vec::len);
            *top = scroll(step, *top, total, window);
        }
        Screen::Diff(DiffScreen { top, content, .. }) => {
            let total = content.ready().map_or(0, Vec::len);
            *top = scroll(step, *top, total, window);
        }
        Screen::Help(HelpScreen { top, rows, .. }) => {
            *top = scroll(step, *top, rows.len(), window);
        }
        Screen::Logs(screen) => scroll_log(screen, step, window),
        _ => return false,
    }
    true
}

fn move_table(table: &mut TableScreen, step: Step, store: &Store, window: usize) {
    let view = &mut table.view;
    if let Some(position) = view.position() {
        let to = step.from(position, view.visible().len());
        view.move_to(to, store, window);
    }
}

/// Text has no cursor: the last line stays at the bottom of the window.
fn scroll(step: Step, top: usize, total: usize, window: usize) -> usize {
    let last = total.saturating_sub(window);
    match step {
        Step::Last => last,
        Step::First | Step::Rows(_) => step.from(top, total).min(last),
    }
}

fn scroll_log(screen: &mut LogsScreen, step: Step, window: usize) {
    let total = screen.len();
    screen.top = scroll(step, screen.top, total, window);
    // Going up stops following; reaching the end follows again.
    screen.autoscroll = screen.top >= total.saturating_sub(window);
}

/// Scrolls sideways; returns whether the command does that here.
pub(super) fn sideways(state: &mut State, command: Command) -> bool {
    let step: isize = match command {
        Command::Left => -8,
        Command::Right => 8,
        _ => return false,
    };
    let left = match state.screen_mut() {
        Screen::Text(screen) if !screen.wrap => Some(&mut screen.left),
        Screen::Logs(screen) if !screen.wrap => Some(&mut screen.left),
        Screen::Diff(screen) => Some(&mut screen.left),
        Screen::Applications(_)
        | Screen::Application(_)
        | Screen::History(_)
        | Screen::Text(_)
        | Screen::Events(_)
        | Screen::Logs(_)
        | Screen::Contexts(_)
        | Screen::Namespaces(_)
        | Screen::Kind(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Rollout(_)
        | Screen::Analysis(_)
        | Screen::Charts(_)
        | Screen::Alerts(_)
        | Screen::Dashboards(_)
        | Screen::Run(_)
        | Screen::Image(_)
        | Screen::Flow(_) => None,
    };
    if let Some(left) = left {
        *left = left.saturating_add_signed(step).min(4_000);
    }
    true
}

/// Scrolls so that the cursor is visible in the present window; returns whether it scrolled.
pub(super) fn keep_cursor_visible(state: &mut State) -> bool {
    let window = state.window();
    match state.screen_mut() {
        Screen::Applications(table) | Screen::Namespaces(table) | Screen::Kind(table) => {
            let before = table.view.offset;
            table.view.keep_in(window);
            table.view.offset != before
        }
        Screen::Application(screen) => {
            let before = screen.offset;
            screen.keep_in(window);
            screen.offset != before
        }
        Screen::Rollout(screen) => {
            let before = screen.offset;
            screen.keep_in(window);
            screen.offset != before
        }
        Screen::Run(screen) => {
            let before = screen.offset;
            screen.keep_in(window);
            screen.offset != before
        }
        Screen::Logs(screen) => {
            let before = screen.top;
            let last = screen.len().saturating_sub(window);
            screen.top = if screen.autoscroll {
                last
            } else {
                screen.top.min(last)
            };
            screen.top != before
        }
        Screen::Image(screen) => {
            let before = screen.cursor;
            let total = screen.lines().len();
            screen.cursor.move_to(before.position, window, total);
            screen.cursor != before
        }
        Screen::Events(screen) => {
            let before = screen.cursor;
            let total = screen.content.ready().map_or(0, Vec::len);
            screen.cursor.move_to(before.position, window, total);
            screen.cursor != before
        }
        Screen::Diff(_)
        | Screen::History(_)
        | Screen::Text(_)
        | Screen::Contexts(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Analysis(_)
        | Screen::Charts(_)
        | Screen::Alerts(_)
        | Screen::Dashboards(_)
        | Screen::Flow(_) => true,
    }
}

/// Brings the table that is shown up to date with the store; returns whether it looks different.
pub(super) fn refresh_table(state: &mut State) -> bool {
    let (window, shown, now) = (state.window(), state.shown(), state.now.platform);
    let State { stack, store, .. } = state;
    let table = stack.last_mut().and_then(Screen::table_mut);
    table.is_some_and(|table| {
        let changed = table.view.refresh(store, shown, window, now);
        table.view.keep_in(window);
        changed
    })
}

/// How many rows of a table that is read page by page are asked for at once.
const PAGE: usize = 100;

/// Asks for further rows where they are read page by page: the next ones when the cursor comes
/// near the last that are there, all of them when they are filtered or ordered otherwise.
pub(super) fn want_more(state: &mut State, out: &mut Effects) {
    let window = state.window();
    let State { stack, .. } = state;
    let Some(table) = stack.last_mut().and_then(Screen::table_mut) else {
        return;
    };
    let (Some(ticket), Some(extent)) = (table.ticket, table.extent) else {
        return;
    };
    let view = &table.view;
    let (Some(position), there) = (view.position(), view.total()) else {
        return;
    };
    let usual =
        view.filter.is_empty() && !view.faults_only && view.sort == Sort::of_kind(&view.kind);
    let rows = match usual {
        false => extent,
        true if position + window + window / 2 >= there => there - there % PAGE + PAGE,
        true => return,
    };
    let rows = rows.min(extent);
    if there < extent && rows > table.asked {
        table.asked = rows;
        out.push(Effect::Engine(Request::More { ticket, rows }));
    }
}

/// Asks a filter again whose answer depends on the time.
pub(super) fn filter_by_time(state: &mut State) {
    let now = state.now.platform;
    let State { stack, store, .. } = state;
    let table = stack.last_mut().and_then(Screen::table_mut);
    if let Some(table) = table.filter(|table| table.view.filter.depends_on_time()) {
        let filter = table.view.filter.clone();
        table.view.set_filter(filter, store, now);
    }
}

/// Changes how the shown table is laid out, and lays it out.
pub(super) fn relayout(state: &mut State, change: impl FnOnce(&mut crate::app::view::TableView)) {
    let (window, shown, now) = (state.window(), state.shown(), state.now.platform);
    let State { stack, store, .. } = state;
    if let Some(table) = stack.last_mut().and_then(Screen::table_mut) {
        change(&mut table.view);
        table.view.rebuild(store, shown, now);
        table.view.keep_in(window);
    }
}

/// Takes away what narrows the view: a filter, a search, marks; returns whether there was any.
pub(super) fn clear_filter(state: &mut State) -> bool {
    let (window, now) = (state.window(), state.now.platform);
    let State { stack, store, .. } = state;
    match stack.last_mut() {
        Some(Screen::Application(tree)) if !tree.filter.is_empty() => {
            tree.filter.clear();
            tree.rebuild();
            tree.keep_in(window);
            true
        }
        Some(Screen::Application(tree)) => tree.clear_marks(),
        Some(Screen::Text(screen)) if !screen.search.text.is_empty() => {
            screen.search = crate::app::screens::text::Search::default();
            true
        }
        Some(Screen::Logs(log)) if !log.filter.is_empty() => {
            log.set_filter("");
            log.top = log.len().saturating_sub(window);
            true
        }
        Some(Screen::Alerts(screen)) if !screen.filter.is_empty() => {
            screen.set_filter("", window);
            true
        }
        Some(Screen::Image(screen)) if !screen.filter.is_empty() => {
            screen.set_filter("", window);
            true
        }
        Some(Screen::Charts(screen)) if screen.zoomed => {
            screen.zoomed = false;
            true
        }
        Some(screen) => screen.table_mut().is_some_and(|table| {
            let view = &mut table.view;
            if !view.filter.is_empty() {
                view.set_filter(crate::app::filter::Filter::default(), store, now);
                view.keep_in(window);
                return true;
            }
            view.clear_marks()
        }),
        None => false,
    }
}
