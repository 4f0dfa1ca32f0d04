//! Describe, YAML and why: a text with a search.

use super::{Visible, state_of};
use crate::app::screens::{Loaded, TextScreen, TextSource};
use crate::app::state::State;
use crate::ui::canvas::{Boxed, Canvas, Span, span};
use crate::ui::theme::Role;
use crate::ui::widgets::viewer::{Syntax, Viewer};
use ratatui::layout::Rect;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    screen: &TextScreen,
    state: &State,
) -> Visible {
    let boxed = Boxed {
        title: title(screen),
        corner: corner(screen),
        ..Boxed::default()
    };
    let inside = if screen.full {
        area
    } else {
        canvas.boxed(area, &boxed)
    };
    match &screen.content {
        Loaded::Waiting => {
            let what = format!("Reading {}", screen.source.object().name);
            state_of::loading(&what).draw(canvas, inside);
        }
        Loaded::Failed(finding) => state_of::failed(finding, state).draw(canvas, inside),
        Loaded::Ready(lines) => {
            let found = screen.search.found.get(screen.search.current);
            let viewer = Viewer {
                syntax: syntax(&screen.source),
                offset: screen.top,
                left: screen.left,
                wrap: screen.wrap,
                search: &screen.search.text,
                current: found.copied(),
            };
            viewer.draw(canvas, padded(inside), lines.len(), |index| {
                lines.get(index).map_or("", |line| line)
            });
        }
    }
    Visible {
        rows: inside.height,
        columns: padded(inside).width,
    }
}

fn padded(area: Rect) -> Rect {
    Rect::new(
        area.x + 1.min(area.width),
        area.y,
        area.width.saturating_sub(1),
        area.height,
    )
}

// `kubectl describe` is close enough to YAML to be coloured as such.
fn syntax(source: &TextSource) -> Syntax {
    match source {
        TextSource::Yaml { .. } | TextSource::Describe(_) => Syntax::Yaml,
        TextSource::Why(_) => Syntax::Plain,
    }
}

fn title(screen: &TextScreen) -> Vec<Span<'static>> {
    let object = screen.source.object();
    let word = match &screen.source {
        TextSource::Yaml { .. } => " YAML ",
        TextSource::Describe(_) => " Describe ",
        TextSource::Why(_) => " Why ",
    };
    let mut spans = vec![
        span(Role::Title, word),
        span(Role::Muted, format!("{} ", object.kind.kind)),
        span(Role::Strong, object.name.to_string()),
    ];
    if let Some(namespace) = &object.namespace {
        spans.push(span(Role::Muted, format!(" ({namespace})")));
    }
    if let TextSource::Yaml {
        reveal_secrets: true,
        ..
    } = screen.source
    {
        spans.push(span(Role::Warning, " values shown"));
    }
    if !screen.search.text.is_empty() {
        spans.push(span(Role::Filter, format!(" /{}", screen.search.text)));
    }
    spans.push(span(Role::Text, " "));
    spans
}

fn corner(screen: &TextScreen) -> Vec<Span<'static>> {
    let Some(lines) = screen.content.ready() else {
        return Vec::new();
    };
    let search = &screen.search;
    let text = if search.text.is_empty() {
        format!(" {} lines ", lines.len())
    } else if search.found.is_empty() {
        " not found ".to_owned()
    } else {
        format!(" {} of {} found ", search.current + 1, search.found.len())
    };
    vec![span(Role::Muted, text)]
}
