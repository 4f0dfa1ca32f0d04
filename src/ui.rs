//! Draws the state; changes nothing.
//!
//! [`draw`] turns a [`State`] and a [`Theme`] into cells. Only what is visible is built, so that
//! a frame costs the same with ten rows and with ten thousand. Text that came from a server goes
//! through [`text::harmless`] in the one place that writes cells, [`canvas::Canvas`].

pub mod canvas;
pub mod chrome;
pub mod export;
pub mod glyph;
pub mod overlays;
pub mod screens;
pub mod text;
pub mod theme;
pub mod widgets;

use crate::app::screens::Screen;
use crate::app::state::State;
use crate::app::viewports::Viewports;
use canvas::{Canvas, centred, row_of};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use theme::{Role, Theme};

/// Below this size there is only a message.
pub const SMALLEST: (u16, u16) = (40, 10);

/// Draws one frame and reports what fits.
pub fn draw(state: &State, theme: &Theme, frame: &mut Frame<'_>) -> Viewports {
    let area = frame.area();
    draw_on(state, theme, area, frame.buffer_mut())
}

/// Draws into a buffer; [`draw`] without a terminal.
pub fn draw_on(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) -> Viewports {
    let mut canvas = Canvas { buffer, theme };
    let viewports = if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        draw_too_small(&mut canvas, area);
        Viewports::default()
    } else {
        draw_all(&mut canvas, area, state)
    };
    if theme.ascii {
        glyph::to_ascii(buffer);
    }
    viewports
}

/// Draws into a new buffer.
pub fn draw_buffer(state: &State, theme: &Theme, (columns, rows): (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, columns, rows);
    let mut buffer = Buffer::empty(area);
    draw_on(state, theme, area, &mut buffer);
    buffer
}

fn draw_all(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> Viewports {
    let parts = chrome::divide(area, state.settings.header, is_full(state.screen()));
    chrome::header::draw(canvas, parts.header, state);
    let visible = screens::draw(canvas, parts.body, state);
    chrome::why::draw(canvas, parts.why, state);
    chrome::footer::draw(canvas, parts.footer, state);
    let inside = Rect::new(
        parts.body.x,
        parts.body.y,
        parts.body.width,
        parts.body.height.saturating_sub(1),
    );
    chrome::toasts::draw(canvas, inside, state.toasts.shown());
    let overlay_rows = match &state.overlay {
        Some(overlay) => overlays::draw(canvas, &parts, overlay),
        None => 0,
    };
    Viewports {
        rows: visible.rows,
        columns: visible.columns,
        overlay_rows,
    }
}

fn is_full(screen: &Screen) -> bool {
    match screen {
        Screen::Text(screen) => screen.full,
        Screen::Logs(screen) => screen.full,
        Screen::Applications(_)
        | Screen::Application(_)
        | Screen::Diff(_)
        | Screen::History(_)
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
        | Screen::Run(_)
        | Screen::Image(_)
        | Screen::Flow(_) => false,
    }
}

fn draw_too_small(canvas: &mut Canvas<'_>, area: Rect) {
    let lines = [
        ("Window too small".to_owned(), Role::Strong),
        (
            format!(
                "{}×{}, needs {}×{}",
                area.width, area.height, SMALLEST.0, SMALLEST.1
            ),
            Role::Muted,
        ),
    ];
    let width = lines.iter().map(|(line, _)| text::width(line)).max();
    let width = width.unwrap_or_default() as u16;
    let place = centred(area, width, lines.len() as u16);
    for (at, (line, role)) in lines.iter().enumerate() {
        canvas.put(row_of(place, at as u16), line, *role);
    }
}
