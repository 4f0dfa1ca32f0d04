//! Logs of a Pod, or of everything below an object.

use super::{Visible, state_of};
use crate::app::screens::{LogsScreen, Screen};
use crate::app::state::State;
use crate::domain::object::ObjectRef;
use crate::domain::pipeline::{NodeKind, RunNode};
use crate::ui::canvas::{Boxed, Canvas, Span, indented, span};
use crate::ui::glyph;
use crate::ui::theme::Role;
use crate::ui::widgets::log::Log;
use crate::ui::widgets::notice::Notice;
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &LogsScreen,
    state: &State,
) -> Visible {
    let boxed = Boxed {
        title: title(screen, state),
        corner: corner(screen),
        foot: foot(screen),
        ..Boxed::default()
    };
    let inside = if screen.full {
        area
    } else {
        canvas.boxed(area, &boxed)
    };
    if screen.is_empty() {
        nothing_to_show(screen, state).draw(canvas, inside);
    } else {
        let log = Log {
            offset: screen.top,
            left: screen.left,
            wrap: screen.wrap,
            timestamps: screen.timestamps,
            origins: true,
            search: screen
                .filter
                .strip_prefix('!')
                .map_or(&*screen.filter, |_| ""),
        };
        log.draw(canvas, indented(inside, 1), screen.len(), |index| {
            screen.line(index)
        });
    }
    Visible {
        rows: inside.height,
        columns: inside.width,
    }
}

fn nothing_to_show(screen: &LogsScreen, state: &State) -> Notice<'static> {
    if screen.total() > 0 {
        return state_of::all_hidden(screen.total(), "lines", state);
    }
    match (&screen.ended, screen.started) {
        (Some(why), _) => Notice {
            headline: vec![span(Role::Muted, "No lines.")],
            sentences: vec![why.to_string()],
            tries: state_of::key(state, crate::app::commands::Command::Back, "go back")
                .into_iter()
                .collect(),
        },
        (None, true) => Notice {
            headline: vec![span(Role::Muted, "No lines so far; new ones appear here.")],
            ..Notice::default()
        },
        (None, false) => state_of::loading(&format!("Waiting for {}", screen.object.name)),
    }
}

fn title(screen: &LogsScreen, state: &State) -> Vec<Span<'static>> {
    let object = &screen.object;
    let (kind, name) = match job_of(object, state) {
        Some(job) => (job.kind.word(), &job.label),
        None => (&*object.kind.kind, &object.name),
    };
    let mut spans = vec![
        span(Role::Title, " Logs "),
        span(Role::Muted, format!("{kind} ")),
        span(Role::Strong, name.to_string()),
    ];
    if let Some(container) = &screen.options.container {
        spans.push(span(Role::Text, format!(" {container}")));
    }
    if screen.options.previous {
        spans.push(span(Role::Warning, " before the last restart"));
    }
    if !screen.filter.is_empty() {
        spans.push(span(Role::Filter, format!(" /{}", screen.filter)));
    }
    spans.push(span(Role::Text, " "));
    spans
}

/// Returns the job that a log is of: its object is only a number.
fn job_of<'a>(object: &ObjectRef, state: &'a State) -> Option<&'a RunNode> {
    state.stack.iter().find_map(|below| {
        let Screen::Run(run) = below else { return None };
        let mut nodes = run.run()?.nodes.iter();
        nodes.find(|node| node.kind == NodeKind::Job && node.pod.as_ref() == Some(object))
    })
}

fn corner(screen: &LogsScreen) -> Vec<Span<'static>> {
    let state = match (&screen.ended, screen.autoscroll) {
        (Some(_), _) => span(Role::Muted, " ended "),
        (None, true) => span(Role::Info, format!(" {} following ", glyph::HEALTHY)),
        (None, false) => span(Role::Warning, format!(" {} paused ", glyph::SUSPENDED)),
    };
    let count = if screen.len() == screen.total() {
        format!(" {} lines ", screen.total())
    } else {
        format!(" {} of {} lines ", screen.len(), screen.total())
    };
    vec![span(Role::Muted, count), state]
}

fn foot(screen: &LogsScreen) -> Vec<Span<'static>> {
    match &screen.ended {
        Some(why) if !screen.is_empty() => vec![span(Role::Muted, format!(" {why} "))],
        Some(_) | None => Vec::new(),
    }
}
