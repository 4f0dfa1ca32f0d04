//! One rendered frame without a terminal: `tiphys snapshot`.
//!
//! The same state, the same update and the same drawing as the cockpit; only keys and the
//! terminal are missing.

use super::effects::{Outcome, hand_over};
use super::{Options, next_updates};
use crate::app::effect::Effect;
use crate::app::msg::Msg;
use crate::app::now::Now;
use crate::app::state::State;
use crate::app::update::{settle, update};
use crate::engine::EngineHandle;
use color_eyre::eyre::{Result, eyre};
use ratatui::buffer::Buffer;
use std::time::Duration;
use tokio::time::Instant;

/// Which frame.
#[derive(Clone, Debug)]
pub struct SnapshotOptions {
    /// What to show, as typed after `:`; for example `app argocd/guestbook` or `pods shop`.
    pub line: String,
    pub size: (u16, u16),
    /// Run at least this long before the frame is taken.
    pub after: Duration,
    /// Give up after this long, and show what there is.
    pub patience: Duration,
}

/// Returns the frame once what it shows has arrived, or when patience ends.
///
/// # Errors
/// When the line is not understood.
pub async fn snapshot(
    options: &Options,
    wanted: &SnapshotOptions,
    mut engine: Option<EngineHandle>,
) -> Result<Buffer> {
    let started = Instant::now();
    let now = || Now {
        platform: options.clock.now(),
        real: started.elapsed(),
    };
    let mut state = options.state();
    state.size = wanted.size;
    feed(&mut state, Msg::Start, now(), engine.as_ref());
    let until = started + wanted.patience;
    wait(&mut state, &mut engine, until, &now, |state| {
        state.link.connection.is_some() && !state.is_loading()
    })
    .await;
    if !wanted.line.trim().is_empty() {
        feed(
            &mut state,
            Msg::Obey(wanted.line.clone()),
            now(),
            engine.as_ref(),
        );
        if let Some(problem) = state.toasts.shown().last().filter(|_| state.refused_line) {
            return Err(eyre!("{}", problem.text));
        }
    }
    let not_before = started + wanted.after;
    wait(&mut state, &mut engine, until, &now, |state| {
        !state.is_loading() && Instant::now() >= not_before
    })
    .await;
    Ok(render(&mut state, options, wanted.size, now()))
}

/// Takes in what the engine reports until `done`, or until the time is over.
async fn wait(
    state: &mut State,
    engine: &mut Option<EngineHandle>,
    until: Instant,
    now: &impl Fn() -> Now,
    done: impl Fn(&State) -> bool,
) {
    while !done(state) && state.link.nothing.is_none() && Instant::now() < until {
        let breath = Instant::now() + Duration::from_millis(50);
        let updates = tokio::time::timeout_at(breath.min(until), next_updates(engine.as_mut()));
        match updates.await {
            Ok(Some(updates)) => {
                for report in updates {
                    feed(state, Msg::Update(Box::new(report)), now(), engine.as_ref());
                }
                settle(state, now());
            }
            Ok(None) => return,
            Err(_elapsed) => {}
        }
    }
}

fn feed(state: &mut State, msg: Msg, now: Now, engine: Option<&EngineHandle>) {
    for effect in update(state, msg, now) {
        if let Effect::Engine(request) = effect
            && let Outcome::Message(msg) = hand_over(engine, request)
        {
            let ignored = update(state, msg, now);
            debug_assert!(ignored.is_empty(), "a refusal asks for nothing");
        }
    }
}

fn render(state: &mut State, options: &Options, size: (u16, u16), now: Now) -> Buffer {
    if matches!(
        &state.overlay,
        Some(crate::app::overlays::Overlay::Secret(_))
    ) {
        // A secret is for the terminal alone.
        state.overlay = None;
    }
    state.toasts = crate::app::overlays::Toasts::default();
    state.now = now;
    settle(state, now);
    let area = ratatui::layout::Rect::new(0, 0, size.0, size.1);
    // The first frame tells how much fits; the second shows it.
    for _ in 0..2 {
        let mut buffer = Buffer::empty(area);
        let viewports = crate::ui::draw_on(state, &options.theme, area, &mut buffer);
        if viewports == state.viewports {
            return buffer;
        }
        update(state, Msg::Viewports(viewports), now);
    }
    crate::ui::draw_buffer(state, &options.theme, size)
}
