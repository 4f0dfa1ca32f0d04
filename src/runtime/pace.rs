//! When to draw and when to wake up.

use crate::app::now::Now;
use crate::app::schedule::next_deadline;
use crate::app::state::State;
use std::time::Duration;

/// The time between two frames that nobody asked for by a key, on average.
const FRAME: Duration = Duration::from_millis(50);
/// After a rest so much of that time is given in advance: a connection is shown in four frames, on
/// a slow machine in seven, and the first rows come at once after them.
const ADVANCE: Duration = Duration::from_millis(400);
/// The least time between two frames that only make ages older.
const AGES: Duration = Duration::from_millis(500);

/// Remembers how much of the frame budget is used, and the last tick.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The frames so far are paid for when this time has come.
    paid_at: Duration,
    ticked_at: Duration,
}

impl Pace {
    pub(super) fn drawn(&mut self, now: Now) {
        self.paid_at = self.paid_at.max(now.real) + FRAME;
    }

    pub(super) fn ticked(&mut self, now: Now) {
        self.ticked_at = now.real;
    }

    /// Returns whether the frame budget allows a frame now.
    pub(super) fn frame_is_due(&self, now: Now) -> bool {
        now.real >= self.next_frame()
    }

    fn next_frame(&self) -> Duration {
        self.paid_at.saturating_sub(ADVANCE)
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
        let frame = (state.dirty || state.unsettled).then(|| self.next_frame());
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

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn at(milliseconds: u64) -> Now {
        Now {
            platform: DateTime::UNIX_EPOCH,
            real: Duration::from_millis(milliseconds),
        }
    }

    #[test]
    fn first_frames_come_at_once_and_a_stream_of_them_is_slowed_down() {
        let mut pace = Pace::default();
        let mut frames = Vec::new();

        for millisecond in 0..1000 {
            if pace.frame_is_due(at(millisecond)) {
                pace.drawn(at(millisecond));
                frames.push(millisecond);
            }
        }

        assert_eq!(frames.iter().filter(|at| **at < 10).count(), 9);
        let late = frames.iter().filter(|at| **at >= 500).count();
        assert_eq!(late, 10, "twenty a second");
    }
}
