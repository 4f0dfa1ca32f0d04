//! The places that were visited, back and forth.

use super::{close_down_to, open};
use crate::app::screens::{Place, Screen};
use crate::app::state::State;
use crate::app::update::{Effects, moving};

/// How many stacks of places are remembered.
const REMEMBERED: usize = 50;

pub(super) fn places(state: &State) -> Vec<Place> {
    state.stack.iter().map(Screen::place).collect()
}

pub(super) fn remember(state: &mut State) {
    let here = places(state);
    let history = &mut state.history;
    if history.visited.get(history.position) == Some(&here) {
        return;
    }
    history.visited.truncate(history.position + 1);
    history.visited.push(here);
    if history.visited.len() > REMEMBERED {
        history.visited.remove(0);
    }
    history.position = history.visited.len() - 1;
}

/// Walks the history: -1 is back, 1 is forward.
pub(in crate::app::update) fn walk(state: &mut State, step: isize, out: &mut Effects) {
    let Some(position) = state.history.position.checked_add_signed(step) else {
        state.note("there is nothing further back");
        return;
    };
    let Some(stack) = state.history.visited.get(position).cloned() else {
        state.note("there is nothing further on");
        return;
    };
    state.history.position = position;
    restore(state, stack, out);
}

/// Switches to the place before this one; again, and it is back here.
pub(in crate::app::update) fn last_place(state: &mut State, out: &mut Effects) {
    let position = state.history.position;
    let other = if position > 0 {
        position - 1
    } else {
        position + 1
    };
    let Some(stack) = state.history.visited.get(other).cloned() else {
        state.note("there is no other place yet");
        return;
    };
    let here = places(state);
    if let Some(place) = state.history.visited.get_mut(other) {
        *place = here;
    }
    if let Some(place) = state.history.visited.get_mut(position) {
        place.clone_from(&stack);
    }
    restore(state, stack, out);
}

fn restore(state: &mut State, stack: Vec<Place>, out: &mut Effects) {
    let shared = places(state)
        .iter()
        .zip(&stack)
        .take_while(|(open, wanted)| open == wanted)
        .count();
    close_down_to(state, shared, out);
    for place in stack.into_iter().skip(state.stack.len()) {
        let uid = match &place {
            Place::Application(object)
            | Place::History(object)
            | Place::Rollout(object)
            | Place::Run(object)
            | Place::Image(object)
            | Place::AnalysisRun(object) => state.store.row(object).map(|row| row.uid().clone()),
            Place::Charts(_)
            | Place::Alerts
            | Place::Flow
            | Place::Dashboards
            | Place::Kind(_)
            | Place::Diff { .. }
            | Place::Text(_)
            | Place::Events(_)
            | Place::Logs { .. }
            | Place::Contexts
            | Place::Help
            | Place::Aliases
            | Place::Ledger => None,
        };
        open(state, place, uid, out);
    }
    moving::refresh_table(state);
}
