//! Charts: subscribing to what they show, the span of time, dashboards and their variables.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "screens and commands that are not named here have no charts"
)]

use super::subject::{Subject, subjects};
use super::{Effects, navigate};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::screens::charts::{Feed, is_named};
use crate::app::screens::{ChartsOf, ChartsScreen, Loaded, Place, SPANS, Screen};
use crate::app::state::State;
use crate::domain::dashboard::VariableKind;
use crate::domain::finding::{Finding, Severity};
use crate::domain::metric::{Board, QueryAnswer, QueryError};
use crate::domain::object::ObjectRef;
use crate::engine::protocol::{Answer, Fetch, Request, Ticket, Topic};

/// Begins what a new screen of charts needs.
pub(super) fn begin(state: &mut State, screen: &mut ChartsScreen, out: &mut Effects) {
    if let ChartsOf::Dashboard(_) = &screen.what
        && screen.dashboard.is_none()
    {
        let ticket = state.tickets.next();
        screen.list_ticket = Some(ticket);
        navigate::fetch(ticket, Fetch::Dashboards { namespace: None }, out);
        return;
    }
    subscribe(state, screen, out);
}

/// Asks anew after a new connection was made; what the old one was asked is over.
pub(super) fn begin_again(state: &mut State, place: usize, out: &mut Effects) {
    let Screen::Charts(mut screen) = state.stack.remove(place) else {
        return;
    };
    screen.feeds.clear();
    begin(state, &mut screen, out);
    state.stack.insert(place, Screen::Charts(screen));
}

/// Subscribes to everything a screen of charts shows, and to nothing else.
fn subscribe(state: &mut State, screen: &mut ChartsScreen, out: &mut Effects) {
    for feed in std::mem::take(&mut screen.feeds) {
        let ticket = feed.ticket;
        out.push(Effect::Engine(Request::Unsubscribe { ticket }));
    }
    let columns = state.viewports.columns;
    let wish = screen.wish(columns);
    if let ChartsOf::Object(object) = &screen.what {
        let topic = Topic::Board {
            object: object.clone(),
            wish,
        };
        let ticket = state.tickets.next();
        screen.feeds.push(feed(ticket, 0, 0));
        navigate::subscribe(ticket, topic, out);
        return;
    }
    for (panel, target, expr) in screen.queries(columns, state.now.platform) {
        let ticket = state.tickets.next();
        screen.feeds.push(feed(ticket, panel, target));
        navigate::subscribe(ticket, Topic::Query { expr, wish }, out);
    }
}

fn feed(ticket: Ticket, panel: usize, target: usize) -> Feed {
    Feed {
        ticket,
        panel,
        target,
    }
}

/// Takes the screen out of the stack while it is changed together with the rest of the state.
fn with_shown(state: &mut State, change: impl FnOnce(&mut State, &mut ChartsScreen)) {
    let Some(Screen::Charts(mut screen)) = state.stack.pop() else {
        return;
    };
    change(state, &mut screen);
    state.stack.push(Screen::Charts(screen));
    state.dirty = true;
}

/// Carries out a command of charts; returns whether it is one.
pub(super) fn on_command(state: &mut State, command: Command, out: &mut Effects) -> bool {
    match command {
        Command::LongerSpan => change_span(state, 1, out),
        Command::ShorterSpan => change_span(state, -1, out),
        Command::ZoomPanel => {
            if let Screen::Charts(screen) = state.screen_mut() {
                screen.zoomed = !screen.zoomed && screen.shown().len() > 1;
            }
        }
        Command::EditQuery => {
            let expr = match state.screen() {
                Screen::Charts(screen) => screen.current().map(|panel| panel.expr.to_string()),
                Screen::Analysis(screen) => screen.metric().map(|metric| metric.query.to_string()),
                _ => None,
            };
            super::prompt::open_with(state, &format!("query {}", expr.unwrap_or_default()));
        }
        Command::Query => super::prompt::open_with(state, "query "),
        Command::Metrics => open_metrics(state, out),
        Command::Alerts => navigate::go(state, Place::Alerts, out),
        Command::Dashboards => navigate::go(state, Place::Dashboards, out),
        _ => return false,
    }
    true
}

/// Draws what the rule of the alert under the cursor asks.
pub(super) fn open_alert(state: &mut State, out: &mut Effects) {
    let Some(alert) = super::rollouts::current_alert(state) else {
        return;
    };
    let expression = alert.expression.clone();
    if expression.is_empty() {
        state.note("nobody says what the rule of this alert asks");
        return;
    }
    navigate::go(state, Place::Charts(ChartsOf::Query(expression)), out);
}

fn change_span(state: &mut State, step: isize, out: &mut Effects) {
    let Screen::Charts(screen) = state.screen() else {
        state.note("only charts have a span to look back over");
        return;
    };
    let span = screen.span.saturating_add_signed(step).min(SPANS.len() - 1);
    if span == screen.span {
        state.note(if step > 0 {
            "this is as far back as it goes"
        } else {
            "this is the shortest span"
        });
        return;
    }
    with_shown(state, |state, screen| {
        screen.span = span;
        subscribe(state, screen, out);
    });
}

fn open_metrics(state: &mut State, out: &mut Effects) {
    // The query of a metric says more than the charts of its run's owner.
    if let Screen::Analysis(screen) = state.screen()
        && let Some(metric) = screen.metric().filter(|metric| !metric.query.is_empty())
    {
        let place = Place::Charts(ChartsOf::Query(metric.query.clone()));
        navigate::go(state, place, out);
        return;
    }
    match charted(state) {
        Some(object) => navigate::go(state, Place::Charts(ChartsOf::Object(object)), out),
        None => state.refuse(
            "nothing here has charts of its own",
            "`:query EXPRESSION` asks the metrics server anything",
        ),
    }
}

/// Returns the object whose charts a command opens: what is under the cursor, or the Rollout or
/// Application whose screen is open.
pub(super) fn charted(state: &State) -> Option<ObjectRef> {
    let has_charts = |subject: &Subject| {
        let kind = &subject.object.kind;
        subject.is_application()
            || subject.is_rollout()
            || kind.is("", "Namespace")
            || kind.is("", "Service")
            || kind.is("apps", "Deployment")
            || kind.is("apps", "StatefulSet")
            || kind.is("apps", "DaemonSet")
    };
    let first = subjects(state).into_iter().find(has_charts);
    let open = || {
        let mut screens = state.stack.iter().rev();
        screens.find_map(|screen| match screen {
            Screen::Rollout(screen) => Some(screen.object.clone()),
            Screen::Application(screen) => Some(screen.object.clone()),
            _ => None,
        })
    };
    first.map(|subject| subject.object).or_else(open)
}

/// Opens what is under the cursor of a list of charts or dashboards.
pub(super) fn open_current(state: &mut State, out: &mut Effects) {
    match state.screen() {
        Screen::Dashboards(screen) => {
            let Some(dashboard) = screen.current().cloned() else {
                return;
            };
            let place = Place::Charts(ChartsOf::Dashboard(name_of(&dashboard)));
            navigate::go(state, place, out);
        }
        Screen::Charts(_) => {
            on_command(state, Command::ZoomPanel, out);
        }
        _ => {}
    }
}

fn name_of(dashboard: &crate::domain::dashboard::Dashboard) -> crate::domain::object::Text {
    if dashboard.uid.is_empty() {
        dashboard.title.clone()
    } else {
        dashboard.uid.clone()
    }
}

/// Takes the answer to a query in.
pub(super) fn on_query(
    state: &mut State,
    ticket: Ticket,
    answer: Result<Box<QueryAnswer>, QueryError>,
) {
    let mut answer = Some(answer);
    let top = state.stack.len().saturating_sub(1);
    for (number, screen) in state.stack.iter_mut().enumerate() {
        if let Screen::Charts(screen) = screen
            && screen.feeds.iter().any(|feed| feed.ticket == ticket)
            && let Some(answer) = answer.take()
        {
            state.dirty |= screen.set_answer(ticket, answer) && number == top;
        }
    }
}

/// Takes the charts of an object in.
pub(super) fn on_board(state: &mut State, ticket: Ticket, board: &Board) {
    let top = state.stack.len().saturating_sub(1);
    for (number, screen) in state.stack.iter_mut().enumerate() {
        if let Screen::Charts(screen) = screen
            && screen.feeds.iter().any(|feed| feed.ticket == ticket)
        {
            screen.set_board(board.clone());
            state.dirty |= number == top;
        }
    }
}

/// Returns whether a screen of charts asked for this.
pub(super) fn awaits(screen: &ChartsScreen, ticket: Ticket) -> bool {
    let mut variables = screen.variable_tickets.iter();
    screen.list_ticket == Some(ticket) || variables.any(|(own, _)| *own == ticket)
}

/// Takes in what a screen of charts fetched once: its dashboard, or the options of a variable.
pub(super) fn on_fetched(
    state: &mut State,
    ticket: Ticket,
    answer: Result<Answer, Finding>,
    out: &mut Effects,
) {
    let asked = |screen: &Screen| matches!(screen, Screen::Charts(own) if awaits(own, ticket));
    let Some(place) = state.stack.iter().position(asked) else {
        return;
    };
    let Screen::Charts(mut screen) = state.stack.remove(place) else {
        return;
    };
    match answer {
        Ok(Answer::Dashboards(all)) => take_dashboard(state, &mut screen, all, out),
        Ok(Answer::Values(values)) => take_values(&mut screen, ticket, values),
        Ok(_) => {}
        Err(finding) if screen.list_ticket == Some(ticket) => {
            screen.panels = Loaded::Failed(finding);
        }
        Err(finding) => {
            screen.notes.push(finding.sentence.clone());
            take_values(&mut screen, ticket, Vec::new());
        }
    }
    let ready = screen.dashboard.is_some() && screen.variable_tickets.is_empty();
    if ready && screen.feeds.is_empty() {
        subscribe(state, &mut screen, out);
    }
    state.stack.insert(place, Screen::Charts(screen));
    state.dirty = true;
}

fn take_dashboard(
    state: &mut State,
    screen: &mut ChartsScreen,
    all: Vec<crate::domain::dashboard::Dashboard>,
    out: &mut Effects,
) {
    screen.list_ticket = None;
    let ChartsOf::Dashboard(name) = screen.what.clone() else {
        return;
    };
    let Some(dashboard) = all.into_iter().find(|one| is_named(one, &name)) else {
        let sentence = format!("there is no dashboard `{name}` in the cluster");
        screen.panels = Loaded::Failed(
            Finding::new(Severity::Warning, sentence).with_hint("`:dashboards` lists them"),
        );
        return;
    };
    for (number, variable) in dashboard.variables.iter().enumerate() {
        let unknown = variable.options.is_empty()
            && (variable.chosen.is_empty() || (variable.all && variable.all_value.is_none()));
        if let VariableKind::Query(query) = &variable.kind
            && unknown
        {
            let ticket = state.tickets.next();
            screen.variable_tickets.push((ticket, number));
            let query = query.clone();
            navigate::fetch(ticket, Fetch::Values { query }, out);
        }
    }
    screen.set_dashboard(dashboard);
}

fn take_values(
    screen: &mut ChartsScreen,
    ticket: Ticket,
    values: Vec<crate::domain::object::Text>,
) {
    let found = screen
        .variable_tickets
        .iter()
        .find(|(own, _)| *own == ticket);
    let number = found.map(|(_, number)| *number);
    screen.variable_tickets.retain(|(own, _)| *own != ticket);
    let dashboard = screen.dashboard.as_mut();
    let variable = dashboard
        .zip(number)
        .and_then(|(board, at)| board.variables.get_mut(at));
    if let Some(variable) = variable {
        if variable.chosen.is_empty() && !variable.all {
            variable.chosen.extend(values.first().cloned());
        }
        variable.options = values;
    }
}
