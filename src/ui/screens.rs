//! One file for each screen of the cockpit, and the way to the right one.

pub mod alerts;
pub mod analysis;
pub mod application;
pub mod charts;
pub mod contexts;
pub mod dashboards;
pub mod diff;
pub mod events;
pub mod flow;
pub mod help;
pub mod history;
mod image;
mod images;
pub mod ledger;
pub mod logs;
pub mod nothing;
pub mod rollout;
pub mod run;
pub mod runs;
pub mod state_of;
pub mod table;
pub mod text;

use crate::app::screens::Screen;
use crate::app::state::State;
use crate::ui::canvas::Canvas;
use ratatui::layout::Rect;

/// What a screen found out while it was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visible {
    /// Rows of the list or text that fit.
    pub rows: u16,
    /// Columns inside the border.
    pub columns: u16,
}

/// Draws the screen that is shown.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> Visible {
    let needs_platform = !matches!(
        state.screen(),
        Screen::Help(_) | Screen::Contexts(_) | Screen::Ledger(_)
    );
    if let Some(finding) = state.link.nothing.as_ref().filter(|_| needs_platform) {
        return nothing::draw(canvas, area, finding, state);
    }
    match state.screen() {
        Screen::Applications(screen) | Screen::Namespaces(screen) | Screen::Kind(screen) => {
            table::draw(canvas, area, screen, state)
        }
        Screen::Application(screen) => application::draw(canvas, area, screen, state),
        Screen::Diff(screen) => diff::draw(canvas, area, screen, state),
        Screen::History(screen) => history::draw(canvas, area, screen, state),
        Screen::Text(screen) => text::draw(canvas, area, screen, state),
        Screen::Events(screen) => events::draw(canvas, area, screen, state),
        Screen::Logs(screen) => logs::draw(canvas, area, screen, state),
        Screen::Contexts(screen) => contexts::draw(canvas, area, screen, state),
        Screen::Help(screen) => help::draw(canvas, area, screen),
        Screen::Ledger(screen) => ledger::draw(canvas, area, screen, state),
        Screen::Rollout(screen) => rollout::draw(canvas, area, screen, state),
        Screen::Analysis(screen) => analysis::draw(canvas, area, screen, state),
        Screen::Charts(screen) => charts::draw(canvas, area, screen, state),
        Screen::Alerts(screen) => alerts::draw(canvas, area, screen, state),
        Screen::Dashboards(screen) => dashboards::draw(canvas, area, screen, state),
        Screen::Run(screen) => run::draw(canvas, area, screen, state),
        Screen::Image(screen) => image::draw(canvas, area, screen, state),
        Screen::Flow(screen) => flow::draw(canvas, area, screen, state),
    }
}
