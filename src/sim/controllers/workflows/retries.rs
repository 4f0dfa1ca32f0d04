//! Decides whether a template is tried again (`operator.go`, `processNodeRetries`).

use super::node::{NodeStatus, Phase};
use super::operate::Operation;
use super::substitute::{Values, holds};
use super::suspend::span;
use super::template::{Backoff, RetryStrategy};
use crate::sim::controllers::runtime::time::utc;
use chrono::{DateTime, TimeDelta, Utc};

/// What is to be done with a node of retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Go on with the attempt that runs, or begin one.
    Attempt,
    /// The time for the next attempt has not come.
    Wait,
    Done,
}

impl Operation<'_> {
    pub(super) fn process_retries(&mut self, name: &str, strategy: &RetryStrategy) -> Verdict {
        let Some(node) = self.node(name).cloned() else {
            return Verdict::Attempt;
        };
        let count = self.attempts(&node).len() as i64;
        let Some(last) = self.last_attempt(&node).cloned() else {
            return Verdict::Attempt;
        };
        if !last.is_fulfilled() {
            return Verdict::Attempt;
        }
        let end = |operation: &mut Self, phase: Phase, message: &str| {
            operation.mark(name, phase, message);
            Verdict::Done
        };
        if !last.phase.is_bad() {
            self.set_message(name, "");
            return end(self, Phase::Succeeded, "");
        }
        if self.is_shutting_down() {
            let message = format!("Stopped with strategy '{}'", self.spec.shutdown);
            return end(self, last.phase, &message);
        }
        if let Some(deadline) = self.deadline().filter(|_| self.is_overdue()) {
            let message = format!("retry exceeded workflow deadline {deadline}");
            return end(self, last.phase, &message);
        }
        if let Some(backoff) = &strategy.backoff {
            match self.back_off(&node, &last, (backoff, strategy.limit, count)) {
                Ok(None) => self.set_message(name, ""),
                Ok(Some(message)) => {
                    self.set_message(name, &message);
                    return Verdict::Wait;
                }
                Err(message) => return end(self, last.phase, &message),
            }
        }
        if !retries_phase(strategy, last.phase) {
            return end(self, last.phase, &last.message);
        }
        if strategy.limit.is_some_and(|limit| count > limit) {
            return end(self, last.phase, "No more retries left");
        }
        if !strategy.expression.is_empty() {
            let values = self.retry_values(&node);
            match holds(&strategy.expression, &values, self.now) {
                Ok(true) => {}
                Ok(false) => {
                    return end(
                        self,
                        last.phase,
                        "retryStrategy.expression evaluated to false",
                    );
                }
                Err(why) => return end(self, Phase::Error, &why),
            }
        }
        Verdict::Attempt
    }

    /// Returns what is said while waiting; none: the wait is over; an error: waiting is in vain.
    fn back_off(
        &mut self,
        node: &NodeStatus,
        last: &NodeStatus,
        (backoff, limit, count): (&Backoff, Option<i64>, i64),
    ) -> Result<Option<String>, String> {
        let time = |at: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
            at.as_ref().map_or(self.now, utc)
        };
        let end = if backoff.max_duration.is_empty() {
            None
        } else {
            let first = self
                .attempts(node)
                .first()
                .map(|first| time(&first.started_at));
            let end = first.unwrap_or(self.now) + span(&backoff.max_duration)?;
            if self.now > end {
                return Err("Max duration limit exceeded".to_owned());
            }
            Some(end)
        };
        if backoff.duration.is_empty() {
            return Err("no base duration specified for retryStrategy".to_owned());
        }
        let wait = wait_before(backoff, count)?;
        let until: DateTime<Utc> = time(&last.finished_at) + wait;
        if end.is_some_and(|end| until > end) {
            return Err("Backoff would exceed max duration limit".to_owned());
        }
        if self.now < until && limit.is_none_or(|limit| count <= limit) {
            self.look_at(until);
            return Ok(Some(format!("Backoff for {}", spelled(wait))));
        }
        Ok(None)
    }

    /// Returns what an attempt and the strategy's expression may refer to.
    pub(super) fn retry_values(&self, node: &NodeStatus) -> Values {
        let attempts = self.attempts(node);
        let mut values = Values::from([("retries".to_owned(), attempts.len().to_string())]);
        let last = attempts.iter().rev().find(|one| one.is_fulfilled());
        let (code, status, seconds, message) = match last {
            None => ("0".to_owned(), String::new(), 0, String::new()),
            Some(last) => {
                let outputs = last.outputs.as_ref();
                let code = outputs.and_then(|outputs| outputs.exit_code.clone());
                let seconds = match (&last.started_at, &last.finished_at) {
                    (Some(start), Some(end)) => (utc(end) - utc(start)).num_seconds(),
                    _ => 0,
                };
                (
                    code.unwrap_or_else(|| "-1".to_owned()),
                    last.phase.word().to_owned(),
                    seconds,
                    last.message.clone(),
                )
            }
        };
        values.insert("lastRetry.exitCode".to_owned(), code);
        values.insert("lastRetry.status".to_owned(), status);
        values.insert("lastRetry.duration".to_owned(), seconds.to_string());
        values.insert("lastRetry.message".to_owned(), message);
        values
    }
}

fn retries_phase(strategy: &RetryStrategy, phase: Phase) -> bool {
    let policy = match (
        strategy.retry_policy.as_str(),
        strategy.expression.is_empty(),
    ) {
        ("", true) => "OnFailure",
        ("", false) => "Always",
        (policy, _) => policy,
    };
    match policy {
        "Always" => true,
        "OnError" => phase == Phase::Error,
        "OnFailure" => phase == Phase::Failed,
        _ => false,
    }
}

fn wait_before(backoff: &Backoff, count: i64) -> Result<TimeDelta, String> {
    let base = span(&backoff.duration)?;
    let factor = backoff.factor.filter(|factor| *factor > 0);
    let times = factor.map_or(1.0, |factor| {
        (factor as f64).powi(i32::try_from(count - 1).unwrap_or(i32::MAX))
    });
    let millis = (base.num_milliseconds() as f64 * times).min(1e12);
    let wait = TimeDelta::milliseconds(millis as i64);
    if backoff.cap.is_empty() {
        return Ok(wait);
    }
    Ok(wait.min(span(&backoff.cap)?))
}

/// Writes a span as upstream's `humanize.Duration` does.
fn spelled(span: TimeDelta) -> String {
    let seconds = span.num_seconds();
    match seconds {
        0..60 => format!("{seconds} seconds"),
        60..3600 => format!("{} minutes {} seconds", seconds / 60, seconds % 60),
        _ => format!("{} hours {} minutes", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_by_the_factor_up_to_the_cap() {
        let backoff = Backoff {
            duration: "1".into(),
            factor: Some(2),
            cap: "5".into(),
            ..Backoff::default()
        };
        let waits: Vec<i64> = (1..6)
            .map(|count| wait_before(&backoff, count).expect("a span").num_seconds())
            .collect();

        assert_eq!(waits, [1, 2, 4, 5, 5]);
        assert_eq!(spelled(TimeDelta::seconds(240)), "4 minutes 0 seconds");
    }
}
