//! When to draw and when to wake up.

use crate::app::now::Now;
use crate::app::schedule::next_deadline;
use crate::app::state::State;
use std::time::Duration;

/// The least time between two frames that nobody asked for by a key.
const FRAME: Duration = Duration::from_millis(50);
/// The least time between two frames that only make ages older.
const AGES: Duration = Duration::from_millis(500);

/// Remembers the last frame and the last tick.
#[derive(Debug, Default)]
pub(super) struct Pace {
    drawn_at: Option<Duration>,
    ticked_at: Duration,
}

impl Pace {
    pub(super) fn drawn(&mut self, now: Now) {
        self.drawn_at = Some(now.real);
    }

    pub(super) fn ticked(&mut self, now: Now) {
        self.ticked_at = now.real;
    }

    /// Returns whether the frame budget allows a frame now.
    pub(super) fn frame_is_due(&self, now: Now) -> bool {
        self.drawn_at.is_none_or(|drawn| now.real >= drawn + FRAME)
    }

    /// Returns whether something on screen changes by itself by now.
    pub(super) fn tick_is_due(state: &State, now: Now) -> bool {
        let deadline = next_deadline(state);
        deadline.real.is_some_and(|real| real <= now.real)
            || deadline
                .platform
                .is_some_and(|platform| platform <= now.platform)
    }

    /// Returns how long to sleep; `None` until something happens.
    pub(super) fn wake_in(&self, state: &State, now: Now, speed: f64) -> Option<Duration> {
        let frame = (state.dirty || state.unsettled)
            .then(|| self.drawn_at.map_or(Duration::ZERO, |drawn| drawn + FRAME));
        let deadline = next_deadline(state);
        // A stepped clock does not pass by itself: who steps it makes things happen.
        let ages = deadline.platform.filter(|_| speed > 0.0).map(|at| {
            let span = (at - now.platform).to_std().unwrap_or_default();
            let real = now.real + span.div_f64(speed) + Duration::from_millis(1);
            real.max(self.ticked_at + AGES)
        });
        let wake = [frame, ages, deadline.real].into_iter().flatten().min();
        wake.map(|wake| wake.saturating_sub(now.real))
    }
}

/// Sleeps, or for ever.
pub(super) async fn sleep(span: Option<Duration>) {
    match span {
        Some(span) => tokio::time::sleep(span).await,
        None => std::future::pending().await,
    }
}
