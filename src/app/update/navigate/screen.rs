//! Makes the screen of a place, with what it asks the engine for.

use super::{fetch, logs_topic, subscribe};
use crate::app::screens::text::Search;
use crate::app::screens::{
    AlertsScreen, AnalysisScreen, ApplicationScreen, ChartsScreen, ContextsScreen,
    DashboardsScreen, DiffScreen, EventsScreen, FlowScreen, HistoryScreen, ImageScreen,
    LedgerScreen, ListCursor, Loaded, LogsScreen, Place, RolloutScreen, RunScreen, Screen,
    TableScreen, TextScreen, TextSource, rollouts,
};
use crate::app::state::State;
use crate::app::update::{Effects, charts, choose};
use crate::domain::object::{GroupKind, ObjectRef, Uid};
use crate::engine::protocol::{Fetch, Ticket, Topic};

pub(super) fn make(state: &mut State, place: Place, uid: Option<Uid>, out: &mut Effects) -> Screen {
    let ticket = state.tickets.next();
    match place {
        Place::Kind(kind) => make_table(state, kind, ticket, out),
        Place::Application(object) => {
            let mut screen = ApplicationScreen::new(object.clone(), uid);
            screen.ticket = Some(ticket);
            subscribe(ticket, Topic::Application(object), out);
            Screen::Application(Box::new(screen))
        }
        Place::Diff {
            application,
            object,
        } => make_diff(application, object, ticket, out),
        Place::History(object) => {
            subscribe(ticket, Topic::Application(object.clone()), out);
            Screen::History(HistoryScreen {
                object,
                uid,
                ticket: Some(ticket),
                detail: Loaded::Waiting,
                cursor: ListCursor::default(),
            })
        }
        Place::Text(source) => make_text(source, ticket, out),
        Place::Events(object) => make_events(object, ticket, out),
        Place::Logs { object, previous } => {
            let mut screen = LogsScreen::new(object, previous);
            screen.ticket = Some(ticket);
            subscribe(ticket, logs_topic(&screen), out);
            Screen::Logs(screen)
        }
        Place::Contexts => {
            fetch(ticket, Fetch::Contexts, out);
            Screen::Contexts(ContextsScreen {
                ticket: Some(ticket),
                problem: None,
                loaded: !state.contexts.is_empty(),
                cursor: ListCursor::default(),
            })
        }
        Place::Help => Screen::Help(choose::help_screen(state)),
        Place::Aliases => Screen::Help(choose::aliases_screen(state)),
        Place::Ledger => Screen::Ledger(LedgerScreen::default()),
        Place::Rollout(_)
        | Place::AnalysisRun(_)
        | Place::Charts(_)
        | Place::Alerts
        | Place::Dashboards
        | Place::Run(_)
        | Place::Image(_)
        | Place::Flow => make_delivery(state, place, uid, (ticket, out)),
    }
}

/// Makes the screens of progressive delivery.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the other places are made by the caller"
)]
fn make_delivery(
    state: &mut State,
    place: Place,
    uid: Option<Uid>,
    (ticket, out): (Ticket, &mut Effects),
) -> Screen {
    match place {
        Place::Rollout(object) => {
            let mut screen = RolloutScreen::new(object.clone(), uid);
            screen.ticket = Some(ticket);
            subscribe(ticket, Topic::Rollout(object), out);
            Screen::Rollout(Box::new(screen))
        }
        Place::AnalysisRun(object) => {
            let mut screen = AnalysisScreen::new(object.clone(), uid);
            screen.ticket = Some(ticket);
            subscribe(ticket, Topic::AnalysisRun(object), out);
            Screen::Analysis(screen)
        }
        Place::Charts(what) => {
            let mut screen = ChartsScreen::new(what);
            charts::begin(state, &mut screen, out);
            Screen::Charts(Box::new(screen))
        }
        Place::Run(object) => {
            let mut screen = RunScreen::new(object.clone(), uid);
            screen.ticket = Some(ticket);
            subscribe(ticket, Topic::Run(object), out);
            Screen::Run(Box::new(screen))
        }
        Place::Image(object) => {
            let mut screen = ImageScreen::new(object.clone(), uid);
            screen.ticket = Some(ticket);
            subscribe(ticket, Topic::Image(object), out);
            Screen::Image(Box::new(screen))
        }
        Place::Flow => {
            subscribe(ticket, Topic::EventFlow, out);
            let mut screen = FlowScreen::default();
            screen.ticket = Some(ticket);
            Screen::Flow(screen)
        }
        Place::Alerts => {
            let mut screen = AlertsScreen::default();
            screen.ticket = Some(ticket);
            subscribe(ticket, Topic::Alerts, out);
            Screen::Alerts(screen)
        }
        _ => {
            fetch(ticket, Fetch::Dashboards { namespace: None }, out);
            Screen::Dashboards(DashboardsScreen {
                ticket: Some(ticket),
                ..DashboardsScreen::default()
            })
        }
    }
}

fn make_table(state: &State, kind: GroupKind, ticket: Ticket, out: &mut Effects) -> Screen {
    let mut table = TableScreen::new(kind.clone());
    if Place::Kind(kind.clone()) == Place::namespaces() {
        table.ticket = state.tickets.namespaces;
        return Screen::Namespaces(table);
    }
    if kind == rollouts() {
        table.ticket = state.tickets.rollouts;
        return Screen::Kind(table);
    }
    table.ticket = Some(ticket);
    subscribe(ticket, Topic::Kind(kind), out);
    Screen::Kind(table)
}

fn make_diff(
    application: ObjectRef,
    object: Option<ObjectRef>,
    ticket: Ticket,
    out: &mut Effects,
) -> Screen {
    let what = Fetch::Diff {
        application: application.clone(),
        object: object.clone(),
    };
    fetch(ticket, what, out);
    Screen::Diff(DiffScreen {
        application,
        object,
        ticket: Some(ticket),
        content: Loaded::Waiting,
        top: 0,
        left: 0,
        full: false,
        diffs: Vec::new(),
    })
}

fn make_events(object: ObjectRef, ticket: Ticket, out: &mut Effects) -> Screen {
    let what = Fetch::Events {
        object: object.clone(),
    };
    fetch(ticket, what, out);
    Screen::Events(EventsScreen {
        object,
        ticket: Some(ticket),
        content: Loaded::Waiting,
        cursor: ListCursor::default(),
    })
}

fn make_text(source: TextSource, ticket: Ticket, out: &mut Effects) -> Screen {
    fetch(ticket, fetch_of(&source), out);
    Screen::Text(TextScreen {
        // Sentences are to be read to their end.
        wrap: matches!(source, TextSource::Why(_)),
        source,
        ticket: Some(ticket),
        content: Loaded::Waiting,
        top: 0,
        left: 0,
        full: false,
        search: Search::default(),
    })
}

pub(super) fn fetch_of(source: &TextSource) -> Fetch {
    match source.clone() {
        TextSource::Yaml {
            object,
            reveal_secrets,
        } => Fetch::Yaml {
            object,
            reveal_secrets,
        },
        TextSource::Describe(object) => Fetch::Describe { object },
        TextSource::Why(object) => Fetch::Why { object },
    }
}
