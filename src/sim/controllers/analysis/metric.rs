//! A metric whose arguments are put in, and the rules that make it valid. Pure.
//!
//! Follows `ValidateMetrics` in Argo Rollouts' `utils/analysis/factory.go`, in its words.

use super::condition::{self, Value};
use super::duration;
use super::model::{Phase, Rule};
use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Errors in a row that are borne when nothing is said.
const CONSECUTIVE_ERRORS: i64 = 4;

/// What is measured, how often, and how it is judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) interval: Option<TimeDelta>,
    pub(super) initial_delay: Option<TimeDelta>,
    pub(super) failure_limit: i64,
    pub(super) inconclusive_limit: i64,
    pub(super) consecutive_error_limit: i64,
    /// 0: off.
    pub(super) consecutive_success_limit: i64,
    pub(super) provider: Json,
    count: i64,
    success: String,
    failure: String,
}

impl Metric {
    /// Reads a metric; a duration that is none makes it invalid.
    pub(super) fn read(json: &Json) -> Result<Self, String> {
        let text = |field: &str| {
            let text = json.get(field).and_then(Json::as_str);
            text.unwrap_or_default().to_owned()
        };
        let number = |field: &str| json.get(field).and_then(whole);
        let span = |field: &str, what: &str| {
            let span = text(field);
            if span.is_empty() {
                return Ok(None);
            }
            let span = duration::go(&span);
            span.map(Some)
                .map_err(|error| format!("invalid {what} string: {error}"))
        };
        Ok(Self {
            name: text("name"),
            interval: span("interval", "interval")?,
            initial_delay: span("initialDelay", "startDelay")?,
            count: number("count").unwrap_or_default(),
            failure_limit: number("failureLimit").unwrap_or_default(),
            inconclusive_limit: number("inconclusiveLimit").unwrap_or_default(),
            consecutive_error_limit: number("consecutiveErrorLimit").unwrap_or(CONSECUTIVE_ERRORS),
            consecutive_success_limit: number("consecutiveSuccessLimit").unwrap_or_default(),
            success: text("successCondition"),
            failure: text("failureCondition"),
            provider: json.get("provider").cloned().unwrap_or_default(),
        })
    }

    /// Returns how many measurements are to be taken; none for no end.
    pub(super) fn effective_count(&self) -> Option<i64> {
        match (self.count, self.interval) {
            (0, None) => Some(1),
            (0, Some(_)) => None,
            (count, _) => Some(count),
        }
    }

    /// Returns the name of the provider and what it is told.
    pub(super) fn provider(&self) -> (&str, &Json) {
        let named = self.provider.as_object();
        let first = named.and_then(|map| map.iter().find(|(_, told)| !told.is_null()));
        first.map_or(("", &Json::Null), |(name, told)| (name.as_str(), told))
    }

    /// Judges a result.
    pub(super) fn judge(&self, result: &Value, now: DateTime<Utc>) -> Result<Phase, String> {
        let holds = |condition: &str, which: &str| {
            if condition.is_empty() {
                return Ok(None);
            }
            let outcome = condition::holds(condition, result, now);
            outcome.map(Some).map_err(|error| {
                let why = if result.is_missing() {
                    "metric result is nil or empty: no data returned from the metric provider"
                } else {
                    error.as_str()
                };
                format!("could not evaluate {which} \"{condition}\": {why}")
            })
        };
        let success = holds(&self.success, "successCondition")?;
        let failure = holds(&self.failure, "failureCondition")?;
        Ok(match (success, failure) {
            (_, Some(true)) | (Some(false), None) => Phase::Failed,
            (Some(false), Some(false)) => Phase::Inconclusive,
            (Some(true), _) | (None, Some(false) | None) => Phase::Successful,
        })
    }

    fn validate(&self) -> Result<(), String> {
        let refuse = |why: &str| Err(why.to_owned());
        if self.count > 0 {
            for (limit, name) in [
                (self.failure_limit, "failureLimit"),
                (self.inconclusive_limit, "inconclusiveLimit"),
                (self.consecutive_success_limit, "consecutiveSuccessLimit"),
            ] {
                if self.count < limit {
                    return Err(format!("count must be >= {name}"));
                }
            }
        }
        if self.count > 1 && self.interval.is_none() {
            return refuse("interval must be specified when count > 1");
        }
        // -1 lets a metric fail as often as it will.
        if self.failure_limit < -1 {
            return refuse("failureLimit must be >= 0");
        }
        for (limit, name) in [
            (self.inconclusive_limit, "inconclusiveLimit"),
            (self.consecutive_error_limit, "consecutiveErrorLimit"),
            (self.consecutive_success_limit, "consecutiveSuccessLimit"),
        ] {
            if limit < 0 {
                return Err(format!("{name} must be >= 0"));
            }
        }
        let providers = self.provider.as_object();
        let count = providers.map_or(0, |map| map.values().filter(|told| !told.is_null()).count());
        match count {
            0 => refuse("no provider specified"),
            1 => Ok(()),
            _ => refuse("multiple providers specified"),
        }
    }
}

/// Reads a number that may be written as text; what is no number is 0, as upstream has it.
fn whole(json: &Json) -> Option<i64> {
    match json {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => Some(text.parse().unwrap_or_default()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Reads the metrics of a run and refuses what upstream refuses.
pub(super) fn read_all(metrics: &[Json]) -> Result<Vec<Metric>, String> {
    if metrics.is_empty() {
        return Err("no metrics specified".to_owned());
    }
    let mut read: Vec<Metric> = Vec::new();
    for (index, json) in metrics.iter().enumerate() {
        let metric = Metric::read(json).map_err(|why| format!("metrics[{index}]: {why}"))?;
        if read.iter().any(|known| known.name == metric.name) {
            let name = metric.name;
            return Err(format!("metrics[{index}]: duplicate name '{name}'"));
        }
        metric
            .validate()
            .map_err(|why| format!("metrics[{index}]: {why}"))?;
        read.push(metric);
    }
    Ok(read)
}

/// Returns which metrics the rules match; the last rule that matches counts.
pub(super) fn matched<'a>(
    rules: &'a [Rule],
    metrics: &[Metric],
    what: &str,
) -> Result<BTreeMap<String, &'a Rule>, String> {
    let mut found = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        let pattern = Regex::new(&rule.metric_name).ok();
        let matches = |metric: &&Metric| {
            let pattern = pattern.as_ref();
            pattern.is_some_and(|pattern| pattern.is_match(&metric.name))
        };
        let mut any = false;
        for metric in metrics.iter().filter(matches) {
            found.insert(metric.name.clone(), rule);
            any = true;
        }
        if !any {
            return Err(format!(
                "{what}[{index}]: Rule didn't match any metric name(s)"
            ));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn metric(extra: Json) -> Json {
        let mut metric = json!({"name": "rate", "provider": {"prometheus": {"query": "up"}}});
        json_patch::merge(&mut metric, &extra);
        metric
    }

    fn refused(metrics: &[Json]) -> String {
        read_all(metrics).expect_err("it is refused")
    }

    #[test]
    fn mistakes_are_refused_in_upstreams_words() {
        for (extra, wanted) in [
            (
                json!({"count": 1, "failureLimit": 2}),
                "count must be >= failureLimit",
            ),
            (
                json!({"count": "1", "inconclusiveLimit": 2}),
                "count must be >= inconclusiveLimit",
            ),
            (
                json!({"count": 2}),
                "interval must be specified when count > 1",
            ),
            (
                json!({"interval": "5"}),
                "invalid interval string: time: missing unit in duration \"5\"",
            ),
            (
                json!({"initialDelay": "x"}),
                "invalid startDelay string: time: invalid duration \"x\"",
            ),
            (json!({"failureLimit": -2}), "failureLimit must be >= 0"),
            (
                json!({"inconclusiveLimit": -1}),
                "inconclusiveLimit must be >= 0",
            ),
            (
                json!({"consecutiveErrorLimit": -1}),
                "consecutiveErrorLimit must be >= 0",
            ),
            (
                json!({"provider": {"prometheus": null}}),
                "no provider specified",
            ),
            (
                json!({"provider": {"web": {"url": "http://x"}}}),
                "multiple providers specified",
            ),
        ] {
            assert_eq!(refused(&[metric(extra)]), format!("metrics[0]: {wanted}"));
        }
        assert_eq!(refused(&[]), "no metrics specified");
        let twice = [metric(json!({})), metric(json!({}))];
        assert_eq!(refused(&twice), "metrics[1]: duplicate name 'rate'");
    }

    #[test]
    fn the_count_depends_on_the_interval() {
        let count = |extra: Json| {
            Metric::read(&metric(extra))
                .expect("it is good")
                .effective_count()
        };

        assert_eq!(count(json!({})), Some(1));
        assert_eq!(count(json!({"interval": "1m"})), None);
        assert_eq!(count(json!({"interval": "1m", "count": "3"})), Some(3));
    }

    #[test]
    fn both_conditions_leave_room_for_doubt() {
        let judge = |extra: Json, value: f64| {
            let metric = Metric::read(&metric(extra)).expect("it is good");
            metric.judge(&Value::floats(&[value]), DateTime::UNIX_EPOCH)
        };
        let good = json!({"successCondition": "result[0] >= 0.9"});
        let bad = json!({"failureCondition": "result[0] < 0.5"});
        let both =
            json!({"successCondition": "result[0] >= 0.9", "failureCondition": "result[0] < 0.5"});
        for (extra, value, wanted) in [
            (good.clone(), 0.95, Phase::Successful),
            (good, 0.7, Phase::Failed),
            (bad.clone(), 0.7, Phase::Successful),
            (bad, 0.3, Phase::Failed),
            (both.clone(), 0.95, Phase::Successful),
            (both.clone(), 0.7, Phase::Inconclusive),
            (both, 0.3, Phase::Failed),
            (json!({}), 0.0, Phase::Successful),
        ] {
            assert_eq!(judge(extra.clone(), value), Ok(wanted), "{extra} {value}");
        }
    }

    #[test]
    fn a_condition_that_cannot_be_evaluated_says_which_and_why() {
        let metric = Metric::read(&metric(json!({"successCondition": "result[0] > 1"})));
        let metric = metric.expect("it is good");

        let empty = metric.judge(&Value::floats(&[]), DateTime::UNIX_EPOCH);
        let wrong = metric.judge(&Value::Bool(true), DateTime::UNIX_EPOCH);

        assert_eq!(
            empty,
            Err("could not evaluate successCondition \"result[0] > 1\": metric result is nil or empty: no data returned from the metric provider".to_owned())
        );
        assert_eq!(
            wrong,
            Err(
                "could not evaluate successCondition \"result[0] > 1\": cannot fetch 0 from bool"
                    .to_owned()
            )
        );
    }

    #[test]
    fn rules_match_by_regular_expression_and_have_to_match_something() {
        let metrics = read_all(&[metric(json!({})), metric(json!({"name": "latency"}))]);
        let metrics = metrics.expect("they are good");
        let rule = |name: &str| {
            [Rule {
                metric_name: name.to_owned(),
                limit: 3,
            }]
        };

        assert_eq!(
            matched(&rule("la.*"), &metrics, "dryRun")
                .expect("one")
                .len(),
            1
        );
        assert_eq!(
            matched(&rule(".*"), &metrics, "dryRun").expect("two").len(),
            2
        );
        assert_eq!(
            matched(&rule("none"), &metrics, "dryRun").expect_err("nothing"),
            "dryRun[0]: Rule didn't match any metric name(s)"
        );
    }
}
