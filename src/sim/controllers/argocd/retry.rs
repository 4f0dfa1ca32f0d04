//! When a failed operation is tried again, and how often self-heal may try.
//!
//! Arithmetic of Argo CD `RetryStrategy.NextRetryAt` and the controller's self-heal back-off
//! (defaults 2 s, factor 3, at most 300 s).

use super::{durations, json};
use chrono::TimeDelta;
use serde_json::Value;

/// `retry` of an operation or a sync policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often to try again; below zero without end.
    pub limit: i64,
    duration: TimeDelta,
    factor: i64,
    longest: TimeDelta,
    /// Take the newest revision of the branch with each try.
    pub refresh: bool,
}

impl Retry {
    /// Reads a retry policy; an absent one never tries again.
    pub fn read(value: Option<&Value>) -> Result<Self, String> {
        let nothing = Value::Null;
        let value = value.unwrap_or(&nothing);
        let span = |name: &str, default: i64| match json::text(value, &["backoff", name]) {
            "" => Ok(TimeDelta::seconds(default)),
            given => durations::parse(given),
        };
        Ok(Self {
            limit: json::integer(value, &["limit"]).unwrap_or_default(),
            duration: span("duration", 5)?,
            factor: json::integer(value, &["backoff", "factor"]).unwrap_or(2),
            longest: span("maxDuration", 180)?,
            refresh: json::flag(value, &["refresh"]),
        })
    }

    /// Returns whether another try may follow after `tried` retries.
    pub fn allows(&self, tried: i64) -> bool {
        self.limit < 0 || tried < self.limit
    }

    /// Returns how long to wait before retry number `tried` (counted from zero).
    pub fn delay(&self, tried: i64) -> TimeDelta {
        power(self.duration, self.factor, tried).min(self.longest)
    }
}

/// Returns how long self-heal has to wait after its last attempt.
pub fn self_heal_delay(attempts: i64) -> TimeDelta {
    if attempts == 0 {
        return TimeDelta::zero();
    }
    power(TimeDelta::seconds(2), 3, attempts - 1).min(TimeDelta::seconds(300))
}

fn power(base: TimeDelta, factor: i64, exponent: i64) -> TimeDelta {
    let mut span = base;
    for _ in 0..exponent.clamp(0, 64) {
        span = i32::try_from(factor)
            .ok()
            .and_then(|factor| span.checked_mul(factor))
            .unwrap_or(TimeDelta::MAX);
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn delays_double_from_five_seconds_to_three_minutes() {
        let retry = Retry::read(Some(&json!({"limit": 5}))).expect("it reads");

        let seconds: Vec<_> = (0..7)
            .map(|tried| retry.delay(tried).num_seconds())
            .collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 180]);
    }

    #[test]
    fn a_policy_sets_its_own_steps() {
        let retry = Retry::read(Some(&json!({"limit": -1, "backoff":
            {"duration": "1s", "factor": 3, "maxDuration": "1m"}})))
        .expect("it reads");

        let seconds: Vec<_> = (0..6)
            .map(|tried| retry.delay(tried).num_seconds())
            .collect();
        assert_eq!(seconds, [1, 3, 9, 27, 60, 60]);
        assert!(retry.allows(1000));
        assert_eq!(retry.delay(i64::MAX).num_seconds(), 60);
    }

    #[test]
    fn without_a_policy_nothing_is_tried_again() {
        assert!(!Retry::read(None).expect("it reads").allows(0));
        assert!(Retry::read(Some(&json!({"backoff": {"duration": "soon"}}))).is_err());
    }

    #[test]
    fn self_heal_waits_longer_each_time() {
        let seconds: Vec<_> = (0..8).map(|n| self_heal_delay(n).num_seconds()).collect();

        assert_eq!(seconds, [0, 2, 6, 18, 54, 162, 300, 300]);
    }
}
