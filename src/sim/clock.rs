//! Platform time: real time sped up, or stepped by a test.
//!
//! All stored timestamps and all waiting inside the embedded platform go by this clock, so a
//! test can step hours in milliseconds and a demo can run faster than life.

use crate::domain::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The embedded platform's clock. Clones share the time.
#[derive(Clone, Debug)]
pub struct PlatformClock(Arc<Mode>);

#[derive(Debug)]
enum Mode {
    Running {
        start: DateTime<Utc>,
        real_start: tokio::time::Instant,
        speed: f64,
    },
    Stepped {
        now: watch::Sender<DateTime<Utc>>,
    },
}

impl PlatformClock {
    /// Starts at `start` and runs `speed` times as fast as real time (at least 0.01).
    pub fn running(start: DateTime<Utc>, speed: f64) -> Self {
        let real_start = tokio::time::Instant::now();
        Self(Arc::new(Mode::Running {
            start,
            real_start,
            speed: speed.max(0.01),
        }))
    }

    /// Stands still at `start` until [`PlatformClock::step`].
    pub fn stepped(start: DateTime<Utc>) -> Self {
        Self(Arc::new(Mode::Stepped {
            now: watch::Sender::new(start),
        }))
    }

    /// Moves a stepped clock forward and wakes who waited for it; a running clock ignores it.
    pub fn step(&self, by: Duration) {
        if let Mode::Stepped { now } = &*self.0 {
            now.send_modify(|time| *time += delta(by));
        }
    }

    /// Waits for a span of platform time.
    pub async fn sleep(&self, span: Duration) {
        self.sleep_until(self.now() + delta(span)).await;
    }

    /// Waits until the platform's time is `until` or later.
    pub async fn sleep_until(&self, until: DateTime<Utc>) {
        match &*self.0 {
            Mode::Running { speed, .. } => {
                let span = (until - self.now()).to_std().unwrap_or_default();
                tokio::time::sleep(span.div_f64(*speed)).await;
            }
            Mode::Stepped { now } => {
                // The sender lives in `self`, so waiting can only end by reaching the time.
                let reached = now
                    .subscribe()
                    .wait_for(|time| *time >= until)
                    .await
                    .is_ok();
                debug_assert!(reached, "the clock outlives its sleepers");
            }
        }
    }
}

impl Clock for PlatformClock {
    fn now(&self) -> DateTime<Utc> {
        match &*self.0 {
            Mode::Running {
                start,
                real_start,
                speed,
            } => *start + delta(real_start.elapsed().mul_f64(*speed)),
            Mode::Stepped { now } => *now.borrow(),
        }
    }

    fn speed(&self) -> f64 {
        match &*self.0 {
            Mode::Running { speed, .. } => *speed,
            Mode::Stepped { .. } => 0.0,
        }
    }
}

fn delta(span: Duration) -> TimeDelta {
    TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stepped_clock_wakes_sleepers_only_when_their_time_has_come() {
        let clock = PlatformClock::stepped(DateTime::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock
                    .sleep_until(DateTime::UNIX_EPOCH + TimeDelta::seconds(10))
                    .await;
                clock.now()
            }
        });
        tokio::task::yield_now().await;

        clock.step(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());

        clock.step(Duration::from_secs(2));
        let woken_at = sleeper.await.expect("the sleeper ends");
        assert_eq!(woken_at, DateTime::UNIX_EPOCH + TimeDelta::seconds(11));
    }

    #[tokio::test(start_paused = true)]
    async fn running_clock_passes_faster_by_its_speed() {
        let clock = PlatformClock::running(DateTime::UNIX_EPOCH, 60.0);

        tokio::time::advance(Duration::from_secs(2)).await;

        assert_eq!(clock.now(), DateTime::UNIX_EPOCH + TimeDelta::minutes(2));
    }
}
