//! The one loop that scrapes and evaluates rules, on the platform's clock.
//!
//! One loop, so that rules at a time always see the scrape of that time, whoever steps the clock.

use super::{Core, Prometheus, rules, scrape};
use crate::domain::clock::Clock;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Starts the loop.
pub(super) fn start(prometheus: &Prometheus, stop: CancellationToken) {
    let core = Arc::clone(&prometheus.0);
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = drive(&core) => {}
        }
    });
}

async fn drive(core: &Core) {
    let clock = core.options.clock.clone();
    let mut next_scrape = millis(clock.now());
    let mut next_rules = next_scrape;
    loop {
        let due = next_scrape.min(next_rules);
        clock.sleep_until(time(due)).await;
        let now = millis(clock.now());
        if next_scrape <= due {
            let at = latest(next_scrape, core.options.scrape_interval, now);
            scrape::scrape(core, at).await;
            next_scrape = at + span(core.options.scrape_interval);
        }
        if next_rules <= due {
            let tick = rules::tick(core);
            let at = latest(next_rules, tick, now);
            rules::evaluate(core, at);
            next_rules = at + span(tick);
        }
        // Evaluating does not wait for anything by itself.
        tokio::task::yield_now().await;
    }
}

/// Returns the last due time that is not after `now`: missed ones are not caught up.
fn latest(due: i64, interval: Duration, now: i64) -> i64 {
    let interval = span(interval);
    due + (now - due).max(0) / interval * interval
}

fn span(interval: Duration) -> i64 {
    (interval.as_millis() as i64).max(1)
}

fn millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_times_are_skipped_not_caught_up() {
        let interval = Duration::from_secs(15);

        assert_eq!(latest(0, interval, 3), 0);
        assert_eq!(latest(0, interval, 100_000), 90_000);
    }
}
