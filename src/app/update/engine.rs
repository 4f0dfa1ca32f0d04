//! What the engine reports. Reports of an older connection or of a closed screen are dropped.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "screens that are not named have not asked"
)]

use super::{Effects, charts, intents, navigate};
use crate::app::effect::Effect;
use crate::app::screens::{Loaded, Screen};
use crate::app::state::State;
use crate::domain::alert::AlertBoard;
use crate::domain::analysis::AnalysisRun;
use crate::domain::application::ApplicationDetail;
use crate::domain::event_flow::EventFlow;
use crate::domain::finding::{Finding, Severity};
use crate::domain::graph::ResourceTree;
use crate::domain::object::{ObjectRef, Text};
use crate::domain::pipeline::RunDetail;
use crate::domain::rollout::RolloutDetail;
use crate::domain::status::Freshness;
use crate::engine::protocol::{
    Answer, Connection, Delta, Fetch, Generation, LogLine, Rows, SourceName, Ticket, Update,
};

pub(super) fn on_update(state: &mut State, update: Update, out: &mut Effects) {
    if generation_of(&update).is_some_and(|generation| generation != state.link.generation) {
        return;
    }
    match update {
        Update::Connection { connection, .. } => on_connection(state, connection),
        Update::Freshness {
            source, freshness, ..
        } => on_freshness(state, source, freshness),
        Update::Delta { ticket, delta, .. } => on_delta(state, ticket, delta),
        Update::Extent { ticket, total, .. } => on_extent(state, ticket, total),
        Update::Application { ticket, detail, .. } => on_detail(state, ticket, detail.as_deref()),
        Update::Tree { ticket, tree, .. } => on_tree(state, ticket, &tree),
        Update::Rollout { ticket, detail, .. } => on_rollout(state, ticket, detail.as_deref(), out),
        Update::AnalysisRun { ticket, run, .. } => on_run(state, ticket, run.as_deref()),
        Update::Query { ticket, answer, .. } => charts::on_query(state, ticket, answer),
        Update::Board { ticket, board, .. } => charts::on_board(state, ticket, &board),
        Update::Alerts { ticket, board, .. } => on_alerts(state, ticket, &board),
        Update::Run { ticket, detail, .. } => on_pipeline_run(state, ticket, detail, out),
        Update::EventFlow { ticket, flow, .. } => on_flow(state, ticket, &flow),
        Update::Image { ticket, detail, .. } => {
            super::images::on_detail(state, ticket, detail.as_deref());
        }
        Update::Secret {
            account, secret, ..
        } => super::images::on_secret(state, account, secret),
        Update::Logs {
            ticket,
            lines,
            ended,
        } => on_logs(state, ticket, lines, ended),
        Update::Fetched { ticket, answer } => on_fetched(state, ticket, answer, out),
        Update::Outcome { id, at, stage } => intents::on_outcome(state, id, at, stage),
        Update::Trouble { finding, .. } => on_trouble(state, finding),
    }
}

fn generation_of(update: &Update) -> Option<Generation> {
    match update {
        Update::Connection { generation, .. }
        | Update::Freshness { generation, .. }
        | Update::Delta { generation, .. }
        | Update::Extent { generation, .. }
        | Update::Application { generation, .. }
        | Update::Tree { generation, .. }
        | Update::Rollout { generation, .. }
        | Update::AnalysisRun { generation, .. }
        | Update::Query { generation, .. }
        | Update::Board { generation, .. }
        | Update::Alerts { generation, .. }
        | Update::Run { generation, .. }
        | Update::EventFlow { generation, .. }
        | Update::Image { generation, .. }
        | Update::Trouble { generation, .. } => Some(*generation),
        Update::Logs { .. }
        | Update::Fetched { .. }
        | Update::Outcome { .. }
        | Update::Secret { .. } => None,
    }
}

fn on_connection(state: &mut State, connection: Connection) {
    if let Some(namespace) = &connection.restricted_to {
        let sentence = format!(
            "all namespaces cannot be listed; showing `{namespace}` only, because cluster-wide lists are forbidden"
        );
        let known = state.link.connection.as_ref();
        if known.is_none_or(|known| known.restricted_to != connection.restricted_to) {
            state.note(sentence);
        }
    }
    state.dirty |= state.link.connection.as_ref() != Some(&connection);
    state.link.connection = Some(connection);
}

fn on_freshness(state: &mut State, source: SourceName, freshness: Freshness) {
    let complete = freshness == Freshness::Live;
    let known = &mut state.link.freshness;
    match known.iter_mut().find(|(known, _)| *known == source) {
        Some((_, old)) if *old == freshness => return,
        Some((_, old)) => *old = freshness,
        None => known.push((source.clone(), freshness)),
    }
    state.dirty = true;
    let SourceName::Kind(kind) = source else {
        return;
    };
    for table in state.stack.iter_mut().filter_map(Screen::table_mut) {
        if complete && table.view.kind == kind {
            table.view.freeze_widths();
        }
    }
}

fn on_delta(state: &mut State, ticket: Ticket, delta: Delta) {
    if !is_watched(state, ticket) {
        return;
    }
    if Some(ticket) == state.tickets.namespaces {
        note_namespaces(state, &delta);
    }
    let shown = state.screen().table();
    let is_shown = shown.is_some_and(|table| table.view.kind == delta.kind);
    let touched = rollouts_shown(state, &delta);
    let changed = state.store.apply(delta);
    state.unsettled |= changed && is_shown;
    state.dirty |= changed && touched;
}

fn on_extent(state: &mut State, ticket: Ticket, total: Option<usize>) {
    for table in state.stack.iter_mut().filter_map(Screen::table_mut) {
        if table.ticket == Some(ticket) && table.extent != total {
            table.extent = total;
            state.dirty = true;
        }
    }
}

/// Whether rows of the shown Applications tell of Rollouts that this is about.
fn rollouts_shown(state: &State, delta: &Delta) -> bool {
    let Rows::Rollouts(rows) = &delta.rows else {
        return false;
    };
    if let Screen::Application(screen) = state.screen() {
        let shown =
            |object: &ObjectRef| screen.tree.nodes.iter().any(|node| node.object == *object);
        return rows.iter().any(|row| shown(&row.object));
    }
    let Screen::Applications(screen) = state.screen() else {
        return false;
    };
    let Some(table) = state.store.table(&screen.view.kind) else {
        return false;
    };
    let window = screen.view.window(usize::from(state.viewports.rows)).iter();
    let mut apps = window.filter_map(|id| table.row(*id)?.application());
    apps.any(|app| {
        let changed = rows.iter().map(|row| &row.object);
        let removed = delta.removed.iter().map(|(object, _)| object);
        changed
            .chain(removed)
            .any(|object| app.rollouts.contains(object))
    })
}

fn is_watched(state: &State, ticket: Ticket) -> bool {
    let tickets = &state.tickets;
    let tables = state.stack.iter().filter_map(Screen::table);
    [tickets.applications, tickets.namespaces, tickets.rollouts]
        .into_iter()
        .chain(tables.map(|table| table.ticket))
        .any(|watched| watched == Some(ticket))
}

/// Keys 1 to 9 choose the first namespaces by name, until the user has chosen others.
fn note_namespaces(state: &mut State, delta: &Delta) {
    let Rows::Objects { rows, .. } = &delta.rows else {
        return;
    };
    let mut names: Vec<Text> = rows.iter().map(|row| row.object.name.clone()).collect();
    names.sort();
    for name in names {
        let favourites = &mut state.link.favourites;
        if favourites.len() < 9 && !favourites.contains(&name) {
            favourites.push(name);
            state.dirty = true;
        }
    }
}

fn on_detail(state: &mut State, ticket: Ticket, detail: Option<&ApplicationDetail>) {
    for screen in &mut state.stack {
        match screen {
            Screen::Application(screen) if screen.ticket == Some(ticket) => {
                // Another life of the same name is another Application; it is said, not shown.
                screen.uid = screen
                    .uid
                    .clone()
                    .or_else(|| detail.map(|detail| detail.row.uid.clone()));
                screen.detail = Loaded::Ready(detail.cloned().map(Box::new));
                state.dirty = true;
            }
            Screen::History(screen) if screen.ticket == Some(ticket) => {
                screen.take(detail);
                state.dirty = true;
            }
            Screen::Application(_)
            | Screen::History(_)
            | Screen::Applications(_)
            | Screen::Diff(_)
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
            | Screen::Flow(_) => {}
        }
    }
}

fn on_tree(state: &mut State, ticket: Ticket, tree: &ResourceTree) {
    let window = state.window();
    let screens = state.stack.iter_mut().filter_map(|screen| match screen {
        Screen::Application(screen) if screen.ticket == Some(ticket) => Some(screen),
        Screen::Application(_)
        | Screen::Applications(_)
        | Screen::Diff(_)
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
    });
    for screen in screens {
        if screen.tree_known && screen.tree == *tree {
            continue;
        }
        screen.set_tree(tree.clone());
        screen.keep_in(window);
        state.dirty = true;
    }
}

/// Its events are read again whenever it goes on: they say what the controller has done.
fn on_rollout(
    state: &mut State,
    ticket: Ticket,
    detail: Option<&RolloutDetail>,
    out: &mut Effects,
) {
    let window = state.window();
    let next = state.tickets.next();
    let top = state.stack.len().saturating_sub(1);
    for (number, screen) in state.stack.iter_mut().enumerate() {
        let Screen::Rollout(screen) = screen else {
            continue;
        };
        if screen.ticket != Some(ticket) || is_shown(&screen.detail, detail) {
            continue;
        }
        let place = |detail: Option<&RolloutDetail>| {
            let row = &detail?.row;
            let place = (row.phase, row.step_index, row.message.clone());
            Some((place, row.current_hash.clone(), row.replicas))
        };
        let goes_on = place(screen.rollout()) != place(detail);
        let own = detail.map(|detail| detail.row.uid.clone());
        screen.uid = screen.uid.clone().or(own);
        screen.set_detail(detail.cloned().map(Box::new));
        screen.keep_in(window);
        if goes_on && detail.is_some() {
            screen.events_ticket = Some(next);
            let object = screen.object.clone();
            navigate::fetch(next, Fetch::Events { object }, out);
        }
        state.dirty |= number == top;
    }
}

fn is_shown<T: PartialEq>(shown: &Loaded<Option<Box<T>>>, arrived: Option<&T>) -> bool {
    shown.ready().map(Option::as_deref) == Some(arrived)
}

fn on_run(state: &mut State, ticket: Ticket, run: Option<&AnalysisRun>) {
    let window = state.window();
    let top = state.stack.len().saturating_sub(1);
    for (number, screen) in state.stack.iter_mut().enumerate() {
        if let Screen::Analysis(screen) = screen
            && screen.ticket == Some(ticket)
            && !is_shown(&screen.detail, run)
        {
            let own = run.map(|run| run.uid.clone());
            screen.uid = screen.uid.clone().or(own);
            screen.detail = Loaded::Ready(run.cloned().map(Box::new));
            let total = screen.run().map_or(0, |run| run.metrics.len());
            let position = screen.cursor.position;
            screen.cursor.move_to(position, window, total);
            state.dirty |= number == top;
        }
    }
}

fn on_alerts(state: &mut State, ticket: Ticket, board: &AlertBoard) {
    let window = state.window();
    let top = state.stack.len().saturating_sub(1);
    for (number, screen) in state.stack.iter_mut().enumerate() {
        if let Screen::Alerts(screen) = screen
            && screen.ticket == Some(ticket)
            && screen.board.ready() != Some(board)
        {
            screen.set_board(board.clone(), window);
            state.dirty |= number == top;
        }
    }
}

/// The usual duration is known to the table of runs alone.
fn on_pipeline_run(
    state: &mut State,
    ticket: Ticket,
    mut detail: Option<Box<RunDetail>>,
    out: &mut Effects,
) {
    let window = state.window();
    if let Some(detail) = &mut detail {
        let row = state.store.row(&detail.row.object);
        detail.row.usual = row.and_then(|row| row.run()?.usual);
    }
    let top = state.stack.len().saturating_sub(1);
    let mut shown = false;
    for (number, screen) in state.stack.iter_mut().enumerate() {
        if let Screen::Run(screen) = screen
            && screen.ticket == Some(ticket)
            && screen.detail != Loaded::Ready(detail.clone())
        {
            let own = detail.as_deref().map(|detail| detail.row.uid.clone());
            screen.uid = screen.uid.clone().or(own);
            screen.set_detail(detail.clone());
            screen.keep_in(window);
            shown |= number == top;
        }
    }
    state.dirty |= shown;
    // A Pod may have come for the node under the cursor.
    if shown && matches!(state.screen(), Screen::Run(screen) if screen.log_due.is_none()) {
        super::runs::show_log(state, out);
    }
}

fn on_flow(state: &mut State, ticket: Ticket, flow: &EventFlow) {
    let window = state.window();
    let top = state.stack.len().saturating_sub(1);
    for (number, screen) in state.stack.iter_mut().enumerate() {
        if let Screen::Flow(screen) = screen
            && screen.ticket == Some(ticket)
            && screen.flow.ready() != Some(flow)
        {
            screen.set_flow(flow.clone(), window);
            state.dirty |= number == top;
        }
    }
}

fn on_logs(state: &mut State, ticket: Ticket, lines: Vec<LogLine>, ended: Option<Text>) {
    let window = state.window();
    let found = state.stack.iter_mut().find_map(|screen| match screen {
        Screen::Logs(screen) if screen.ticket == Some(ticket) => Some(screen),
        Screen::Run(screen) => {
            let log = screen.log.as_mut().map(|log| &mut log.lines);
            log.filter(|lines| lines.ticket == Some(ticket))
        }
        Screen::Logs(_)
        | Screen::Applications(_)
        | Screen::Application(_)
        | Screen::Diff(_)
        | Screen::History(_)
        | Screen::Text(_)
        | Screen::Events(_)
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
        | Screen::Image(_)
        | Screen::Flow(_) => None,
    });
    let Some(screen) = found else { return };
    screen.push(lines);
    if ended.is_some() {
        screen.ended = ended;
    }
    if screen.autoscroll {
        screen.top = screen.len().saturating_sub(window);
    }
    state.dirty = true;
}

fn on_fetched(
    state: &mut State,
    ticket: Ticket,
    answer: Result<Answer, Finding>,
    out: &mut Effects,
) {
    state.dirty = true;
    if let Some((object, uid)) = state.tickets.edits.remove(&ticket) {
        match answer {
            Ok(Answer::Text { lines, .. }) => out.push(Effect::Edit {
                object,
                uid,
                text: lines.join("\n") + "\n",
            }),
            Ok(_) => state.refuse("the server's answer was no manifest", "try again"),
            Err(finding) => on_trouble(state, finding),
        }
        return;
    }
    if let Some(uid) = state.tickets.templates.remove(&ticket) {
        match answer {
            Ok(Answer::Template(template)) => super::runs::open_submit(state, *template, uid),
            Ok(_) => state.refuse("the server's answer was no template", "try again"),
            Err(finding) => on_trouble(state, finding),
        }
        return;
    }
    if Some(ticket) == state.tickets.plans {
        state.tickets.plans = None;
        match answer {
            Ok(Answer::ImagePlans(plans)) => super::set_image::open(state, plans),
            Ok(_) => state.refuse("the answer was no plan", "try again"),
            Err(finding) => on_trouble(state, finding),
        }
        return;
    }
    if Some(ticket) == state.tickets.kinds {
        if let Ok(Answer::Kinds(kinds)) = answer {
            state.kinds = kinds;
        }
        return;
    }
    let mut charts = state.stack.iter().filter_map(|screen| match screen {
        Screen::Charts(screen) => Some(screen),
        _ => None,
    });
    if charts.any(|screen| charts::awaits(screen, ticket)) {
        charts::on_fetched(state, ticket, answer, out);
        return;
    }
    answer_screen(state, ticket, answer);
}

/// Gives an answer to the screen that waits for it.
fn answer_screen(state: &mut State, ticket: Ticket, answer: Result<Answer, Finding>) {
    let is_contexts = Some(ticket) == state.tickets.contexts;
    let open = state.stack.iter_mut().find(|screen| awaits(screen, ticket));
    match (open, answer) {
        (Some(screen), Ok(Answer::Contexts(contexts))) => {
            if let Screen::Contexts(screen) = screen {
                screen.loaded = true;
                screen.problem = None;
            }
            state.contexts = contexts;
        }
        (None, Ok(Answer::Contexts(contexts))) if is_contexts => state.contexts = contexts,
        (Some(screen), Ok(answer)) => {
            super::objects::take_answer(screen, answer);
            super::moving::keep_cursor_visible(state);
        }
        (Some(screen), Err(finding)) => super::objects::take_failure(screen, finding),
        (None, Err(finding)) if is_contexts => on_trouble(state, finding),
        (None, _) => {}
    }
}

fn awaits(screen: &Screen, ticket: Ticket) -> bool {
    let own = match screen {
        Screen::Text(screen) => screen.ticket,
        Screen::Diff(screen) => screen.ticket,
        Screen::Events(screen) => screen.ticket,
        Screen::Contexts(screen) => screen.ticket,
        Screen::Rollout(screen) => screen.events_ticket,
        Screen::Dashboards(screen) => screen.ticket,
        Screen::Applications(_)
        | Screen::Application(_)
        | Screen::History(_)
        | Screen::Logs(_)
        | Screen::Namespaces(_)
        | Screen::Kind(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Analysis(_)
        | Screen::Charts(_)
        | Screen::Run(_)
        | Screen::Image(_)
        | Screen::Flow(_)
        | Screen::Alerts(_) => None,
    };
    own == Some(ticket)
}

fn on_trouble(state: &mut State, finding: Finding) {
    let hint = finding.hint.as_deref().unwrap_or_default().to_owned();
    match finding.severity {
        Severity::Info => state.note(finding.sentence.clone()),
        Severity::Warning | Severity::Error => state.refuse(finding.sentence.clone(), &hint),
    }
    // What nothing can be shown without is kept on screen, not only in a message that goes away.
    let troubles = &mut state.link.troubles;
    troubles.retain(|known| known.sentence != finding.sentence);
    troubles.push(finding);
    let excess = troubles.len().saturating_sub(20);
    troubles.drain(..excess);
}
