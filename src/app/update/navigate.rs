//! Going places: opening and closing screens, history, contexts and namespaces.
//!
//! The Applications table is always at the bottom of the stack; its subscription lives as long
//! as the connection. Every other screen brings its own and takes it away when it closes.

mod history;
mod screen;

pub(super) use history::{last_place, walk};
use history::{places, remember};
use screen::{fetch_of, make};

use super::{Effects, charts, moving};
use crate::app::effect::Effect;
use crate::app::screens::{LogsScreen, Place, Screen, TableScreen, applications, rollouts};
use crate::app::state::State;
use crate::domain::kind::info_named;
use crate::domain::object::{GroupKind, ObjectRef, Text, Uid};
use crate::engine::protocol::{Fetch, Generation, Request, Scope, Ticket, Topic};

pub(super) fn start(state: &mut State, out: &mut Effects) {
    state.history.visited = vec![places(state)];
    if state.link.nothing.is_some() {
        return;
    }
    connect(state, out);
    let ticket = state.tickets.next();
    state.tickets.contexts = Some(ticket);
    fetch(ticket, Fetch::Contexts, out);
}

/// Starts a new connection to the link's context and scope; everything known is forgotten.
pub(super) fn connect(state: &mut State, out: &mut Effects) {
    state.link.generation = Generation(state.link.generation.0 + 1);
    state.link.connection = None;
    state.link.freshness.clear();
    state.link.troubles.clear();
    state.link.nothing = None;
    state.store.clear();
    state.kinds.clear();
    state.tickets.edits.clear();
    out.push(Effect::Engine(Request::Connect {
        generation: state.link.generation,
        context: state.link.context.clone(),
        scope: state.link.scope.clone(),
    }));
    let ticket = state.tickets.next();
    state.tickets.applications = Some(ticket);
    subscribe(ticket, Topic::Kind(applications()), out);
    let ticket = state.tickets.next();
    state.tickets.rollouts = Some(ticket);
    subscribe(ticket, Topic::Kind(rollouts()), out);
    let ticket = state.tickets.next();
    state.tickets.namespaces = Some(ticket);
    subscribe(ticket, Topic::Namespaces, out);
    let ticket = state.tickets.next();
    state.tickets.kinds = Some(ticket);
    fetch(ticket, Fetch::Kinds, out);
    for number in 0..state.stack.len() {
        subscribe_again(state, number, out);
    }
    state.dirty = true;
}

fn subscribe_again(state: &mut State, number: usize, out: &mut Effects) {
    let base = state.tickets.applications;
    let namespaces = state.tickets.namespaces;
    let shared = state.tickets.rollouts;
    let ticket = state.tickets.next();
    if let Some(Screen::Charts(_)) = state.stack.get(number) {
        charts::begin_again(state, number, out);
        return;
    }
    let Some(screen) = state.stack.get_mut(number) else {
        return;
    };
    if let Some(table) = screen.table_mut() {
        table.view.forget_rows();
    }
    if let Some((own, topic)) = own_topic(screen) {
        *own = Some(ticket);
        subscribe(ticket, topic, out);
    } else if let Screen::Dashboards(screen) = screen {
        screen.ticket = Some(ticket);
        fetch(ticket, Fetch::Dashboards { namespace: None }, out);
    } else if let Screen::Applications(table) = screen {
        table.ticket = base;
    } else if let Screen::Namespaces(table) = screen {
        table.ticket = namespaces;
    } else if let Screen::Kind(table) = screen {
        table.ticket = shared;
    }
}

/// Returns what a screen alone watches, and where its ticket stands.
fn own_topic(screen: &mut Screen) -> Option<(&mut Option<Ticket>, Topic)> {
    match screen {
        Screen::Kind(table) if table.view.kind == rollouts() => None,
        Screen::Kind(table) => {
            (table.extent, table.asked) = (None, 0);
            let topic = Topic::Kind(table.view.kind.clone());
            Some((&mut table.ticket, topic))
        }
        Screen::Application(screen) => {
            let topic = Topic::Application(screen.object.clone());
            Some((&mut screen.ticket, topic))
        }
        Screen::History(screen) => {
            let topic = Topic::Application(screen.object.clone());
            Some((&mut screen.ticket, topic))
        }
        Screen::Rollout(screen) => {
            let topic = Topic::Rollout(screen.object.clone());
            Some((&mut screen.ticket, topic))
        }
        Screen::Analysis(screen) => {
            let topic = Topic::AnalysisRun(screen.object.clone());
            Some((&mut screen.ticket, topic))
        }
        Screen::Alerts(screen) => Some((&mut screen.ticket, Topic::Alerts)),
        Screen::Run(screen) => {
            screen.log = None;
            let topic = Topic::Run(screen.object.clone());
            Some((&mut screen.ticket, topic))
        }
        Screen::Flow(screen) => Some((&mut screen.ticket, Topic::EventFlow)),
        Screen::Image(screen) => {
            let topic = Topic::Image(screen.object.clone());
            Some((&mut screen.ticket, topic))
        }
        Screen::Logs(screen) => {
            screen.clear();
            let topic = logs_topic(screen);
            Some((&mut screen.ticket, topic))
        }
        Screen::Applications(_)
        | Screen::Namespaces(_)
        | Screen::Text(_)
        | Screen::Diff(_)
        | Screen::Events(_)
        | Screen::Contexts(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Dashboards(_)
        | Screen::Charts(_) => None,
    }
}

/// Watches another namespace, or all.
pub(super) fn set_scope(state: &mut State, scope: Scope, out: &mut Effects) {
    if state.link.scope == scope {
        return;
    }
    if let Scope::Namespace(namespace) = &scope {
        remember_favourite(state, namespace.clone());
    }
    let to = match &scope {
        Scope::All => "all namespaces".to_owned(),
        Scope::Namespace(namespace) => format!("namespace `{namespace}`"),
    };
    state.link.scope = scope;
    keep_tables_only(state, out);
    connect(state, out);
    state.note(format!("showing {to}"));
}

/// Connects to another context; what belonged to the old one is closed.
pub(super) fn set_context(state: &mut State, context: Text, out: &mut Effects) {
    close_down_to(state, 1, out);
    state.link.context = Some(context);
    state.link.scope = Scope::All;
    state.link.favourites.clear();
    if let Some(Screen::Applications(table)) = state.stack.first_mut() {
        *table = TableScreen::new(applications());
    }
    connect(state, out);
    remember(state);
}

fn keep_tables_only(state: &mut State, out: &mut Effects) {
    let tables = state
        .stack
        .iter()
        .take_while(|screen| screen.table().is_some());
    let kept = tables.count().max(1);
    close_down_to(state, kept, out);
    // A table of namespaces was only opened to choose one.
    if matches!(state.screen(), Screen::Namespaces(_)) {
        close_down_to(state, 1, out);
    }
}

fn remember_favourite(state: &mut State, namespace: Text) {
    let favourites = &mut state.link.favourites;
    if !favourites.contains(&namespace) {
        favourites.insert(0, namespace);
        favourites.truncate(9);
    }
}

/// Goes to a place: back to it when it is open already, else above the present screen. A table
/// of a kind opens above Applications alone.
pub(super) fn go(state: &mut State, place: Place, out: &mut Effects) {
    open(state, place, None, out);
    remember(state);
}

/// Opens an object's place whose life is known.
pub(super) fn go_to(state: &mut State, place: Place, uid: Option<Uid>, out: &mut Effects) {
    open(state, place, uid, out);
    remember(state);
}

fn open(state: &mut State, place: Place, uid: Option<Uid>, out: &mut Effects) {
    state.dirty = true;
    let found = state
        .stack
        .iter()
        .position(|screen| screen.place() == place);
    if let Some(found) = found {
        close_down_to(state, found + 1, out);
        moving::refresh_table(state);
        return;
    }
    if matches!(place, Place::Kind(_)) {
        close_down_to(state, 1, out);
    }
    let screen = make(state, place, uid, out);
    state.stack.push(screen);
    moving::refresh_table(state);
    moving::relayout(state, |_| ());
}

pub(super) fn logs_topic(screen: &LogsScreen) -> Topic {
    Topic::Logs {
        object: screen.object.clone(),
        options: screen.options.clone(),
    }
}

/// Asks again for what the shown screen fetched once; returns whether it fetches at all.
pub(super) fn fetch_again(state: &mut State, out: &mut Effects) -> bool {
    let ticket = state.tickets.next();
    match state.screen_mut() {
        Screen::Text(screen) => {
            screen.ticket = Some(ticket);
            let what = fetch_of(&screen.source);
            fetch(ticket, what, out);
        }
        Screen::Diff(screen) => {
            screen.ticket = Some(ticket);
            let what = Fetch::Diff {
                application: screen.application.clone(),
                object: screen.object.clone(),
            };
            fetch(ticket, what, out);
        }
        Screen::Events(screen) => {
            screen.ticket = Some(ticket);
            let object = screen.object.clone();
            fetch(ticket, Fetch::Events { object }, out);
        }
        Screen::Contexts(screen) => {
            screen.ticket = Some(ticket);
            fetch(ticket, Fetch::Contexts, out);
        }
        Screen::Dashboards(screen) => {
            screen.ticket = Some(ticket);
            fetch(ticket, Fetch::Dashboards { namespace: None }, out);
        }
        Screen::Rollout(screen) => {
            screen.events_ticket = Some(ticket);
            let object = screen.object.clone();
            fetch(ticket, Fetch::Events { object }, out);
            out.push(Effect::Engine(Request::Reload));
        }
        Screen::Logs(_) => follow_again(state, out),
        Screen::Applications(_)
        | Screen::Application(_)
        | Screen::History(_)
        | Screen::Namespaces(_)
        | Screen::Kind(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Analysis(_)
        | Screen::Charts(_)
        | Screen::Run(_)
        | Screen::Image(_)
        | Screen::Flow(_)
        | Screen::Alerts(_) => return false,
    }
    true
}

/// Subscribes to the shown log anew, after its options changed.
pub(super) fn follow_again(state: &mut State, out: &mut Effects) {
    let ticket = state.tickets.next();
    let Screen::Logs(screen) = state.screen_mut() else {
        return;
    };
    if let Some(ticket) = screen.ticket.replace(ticket) {
        out.push(Effect::Engine(Request::Unsubscribe { ticket }));
    }
    screen.clear();
    screen.autoscroll = true;
    subscribe(ticket, logs_topic(screen), out);
}

/// Closes the shown screen; the last one stays.
pub(super) fn back(state: &mut State, out: &mut Effects) {
    let depth = state.stack.len();
    if depth > 1 {
        close_down_to(state, depth - 1, out);
        moving::refresh_table(state);
        remember(state);
    }
}

fn close_down_to(state: &mut State, depth: usize, out: &mut Effects) {
    while state.stack.len() > depth.max(1) {
        let Some(closed) = state.stack.pop() else {
            return;
        };
        close(state, &closed, out);
    }
    state.dirty = true;
}

fn close(state: &mut State, screen: &Screen, out: &mut Effects) {
    if let Screen::Charts(screen) = screen {
        for feed in &screen.feeds {
            let ticket = feed.ticket;
            out.push(Effect::Engine(Request::Unsubscribe { ticket }));
        }
    }
    if let Screen::Run(screen) = screen
        && let Some(ticket) = screen.log.as_ref().and_then(|log| log.lines.ticket)
    {
        out.push(Effect::Engine(Request::Unsubscribe { ticket }));
    }
    let ticket = match screen {
        Screen::Rollout(screen) => screen.ticket,
        Screen::Analysis(screen) => screen.ticket,
        Screen::Alerts(screen) => screen.ticket,
        Screen::Run(screen) => screen.ticket,
        Screen::Flow(screen) => screen.ticket,
        Screen::Image(screen) => screen.ticket,
        // Its rows belong to the rows of Applications as well.
        Screen::Kind(table) if table.view.kind == rollouts() => None,
        Screen::Kind(table) => {
            state.store.forget(&table.view.kind);
            table.ticket
        }
        Screen::Application(screen) => screen.ticket,
        Screen::History(screen) => screen.ticket,
        Screen::Logs(screen) => screen.ticket,
        // Their subscription is the connection's, or they have none.
        Screen::Applications(_)
        | Screen::Namespaces(_)
        | Screen::Diff(_)
        | Screen::Text(_)
        | Screen::Events(_)
        | Screen::Contexts(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Charts(_)
        | Screen::Dashboards(_) => None,
    };
    if let Some(ticket) = ticket {
        out.push(Effect::Engine(Request::Unsubscribe { ticket }));
    }
}

/// Returns the kind that a typed word names, known here or found on the server.
pub fn kind_named(state: &State, word: &str) -> Option<GroupKind> {
    if let Some(info) = info_named(word) {
        return Some(info.group_kind());
    }
    let mut kinds = state.kinds.iter();
    kinds
        .find(|entry| {
            let full = format!("{}.{}", entry.plural, entry.kind.group);
            entry.plural.eq_ignore_ascii_case(word)
                || entry.kind.kind.eq_ignore_ascii_case(word)
                || full.eq_ignore_ascii_case(word)
                || entry
                    .short_names
                    .iter()
                    .any(|short| short.eq_ignore_ascii_case(word))
        })
        .map(|entry| entry.kind.clone())
}

/// Returns an object's reference in the connected cluster.
pub(super) fn object_here(
    state: &State,
    kind: GroupKind,
    namespace: Option<Text>,
    name: Text,
) -> Option<ObjectRef> {
    let connection = state.link.connection.as_ref()?;
    Some(ObjectRef {
        cluster: connection.cluster.clone(),
        kind,
        namespace,
        name,
    })
}

pub(super) fn fetch(ticket: Ticket, what: Fetch, out: &mut Effects) {
    out.push(Effect::Engine(Request::Fetch { ticket, what }));
}

pub(super) fn subscribe(ticket: Ticket, topic: Topic, out: &mut Effects) {
    out.push(Effect::Engine(Request::Subscribe { ticket, topic }));
}
