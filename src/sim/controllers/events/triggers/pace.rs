//! How fast a trigger fires at most (`rateLimit`).
//!
//! As upstream's limiter does it (`go.uber.org/ratelimit`): firings stand evenly apart, a second's,
//! minute's or hour's part each, and after a rest up to ten may come at once. One that is too early
//! waits; none is dropped.

use super::Shot;
use crate::domain::clock::Clock as _;
use crate::sim::clock::PlatformClock;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::collections::HashMap;
use tokio::sync::Mutex;

/// How many firings may be made up for after a rest.
const SLACK: i32 = 10;

/// When triggers were last allowed to fire, by the sensor's uid and the trigger's name.
#[derive(Debug, Default)]
pub(in crate::sim::controllers::events) struct Pace(
    Mutex<HashMap<(String, String), DateTime<Utc>>>,
);

impl Pace {
    /// Waits until a trigger may fire.
    pub(super) async fn wait(&self, shot: &Shot, clock: &PlatformClock) {
        let Some(apart) = apart(&shot.trigger) else {
            return;
        };
        let uid = shot.sensor.metadata.uid.clone().unwrap_or_default();
        let now = clock.now();
        let turn = {
            let mut last = self.0.lock().await;
            let key = (uid, shot.name().to_owned());
            let turn = turn(last.get(&key).copied(), apart, now);
            last.insert(key, turn);
            turn
        };
        if let Ok(span) = (turn - now).to_std() {
            clock.sleep(span).await;
        }
    }
}

/// Returns when the next firing may be.
fn turn(last: Option<DateTime<Utc>>, apart: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
    match last {
        None => now,
        Some(last) => (last + apart).max(now - apart * SLACK),
    }
}

/// Returns how far firings stand apart; none without a limit.
fn apart(trigger: &Value) -> Option<TimeDelta> {
    let limit = trigger.get("rateLimit").filter(|one| one.is_object())?;
    let number = limit.get("requestsPerUnit").and_then(Value::as_i64);
    let number = number.filter(|number| *number > 0)?;
    let unit = match limit.get("unit").and_then(Value::as_str) {
        Some("Minute") => TimeDelta::minutes(1),
        Some("Hour") => TimeDelta::hours(1),
        // Upstream's default.
        Some(_) | None => TimeDelta::seconds(1),
    };
    Some(TimeDelta::milliseconds(unit.num_milliseconds() / number))
}

/// Returns what is wrong with a limit.
pub(super) fn mistake(trigger: &Value) -> Option<&'static str> {
    let limit = trigger.get("rateLimit").filter(|one| one.is_object())?;
    let number = limit.get("requestsPerUnit").and_then(Value::as_i64);
    if number.is_none_or(|number| number <= 0) {
        return Some("rateLimit needs `requestsPerUnit` above 0");
    }
    let unit = limit
        .get("unit")
        .and_then(Value::as_str)
        .unwrap_or("Second");
    let is_known = matches!(unit, "Second" | "Minute" | "Hour");
    (!is_known).then_some("rateLimit's `unit` is Second, Minute or Hour")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn firings_stand_apart_and_a_rest_is_made_up_for() {
        let trigger = json!({"rateLimit": {"unit": "Minute", "requestsPerUnit": 6}});
        let apart = apart(&trigger).expect("a limit");
        let at = |second: i64| DateTime::UNIX_EPOCH + TimeDelta::seconds(1_000 + second);

        assert_eq!(apart, TimeDelta::seconds(10));
        assert_eq!(turn(None, apart, at(0)), at(0));
        assert_eq!(turn(Some(at(0)), apart, at(1)), at(10));
        assert_eq!(turn(Some(at(0)), apart, at(500)), at(400), "ten at once");
    }

    #[test]
    fn wrong_limits_are_told() {
        let why = |limit: Value| mistake(&json!({"rateLimit": limit}));
        assert_eq!(why(json!({"unit": "Hour", "requestsPerUnit": 1})), None);
        assert!(why(json!({"unit": "Hour"})).is_some());
        assert!(why(json!({"unit": "Day", "requestsPerUnit": 1})).is_some());
        assert_eq!(mistake(&json!({})), None);
    }
}
