//! Metrics of a run: the spec's wishes joined with the status's measurements.

use super::{phase, span};
use crate::api::convert::loose::{Loose, at};
use crate::domain::analysis::{
    AnalysisPhase, Counts, Limits, Measurement, MetricResult, thresholds_in,
};
use crate::domain::object::Text;
use serde_json::Value;

/// Every metric of the spec in its order, then those that only the status knows.
pub(super) fn metrics(value: &Value, loose: &mut Loose) -> Vec<MetricResult> {
    let wanted = loose.list(value, &["spec", "metrics"]);
    let results = loose.list(value, &["status", "metricResults"]);
    let name_of = |one: &Value| at(one, &["name"]).and_then(Value::as_str).map(Text::from);
    let mut metrics = Vec::new();
    for spec in wanted {
        let result = results.iter().find(|one| name_of(one) == name_of(spec));
        metrics.push(metric(spec, result, loose));
    }
    for result in results {
        if !wanted.iter().any(|spec| name_of(spec) == name_of(result)) {
            metrics.push(metric(&Value::Null, Some(result), loose));
        }
    }
    metrics
}

fn metric(spec: &Value, result: Option<&Value>, loose: &mut Loose) -> MetricResult {
    let nothing = Value::Null;
    let result = result.unwrap_or(&nothing);
    let name = match loose.text(spec, &["name"]) {
        name if name.is_empty() => loose.text(result, &["name"]),
        name => name,
    };
    let (provider, query, address) = provider(spec, loose);
    let resolved = at(result, &["metadata", "ResolvedPrometheusQuery"]).and_then(Value::as_str);
    let success = loose.text(spec, &["successCondition"]);
    let failure = loose.text(spec, &["failureCondition"]);
    let mut thresholds = thresholds_in(&success, true);
    thresholds.extend(thresholds_in(&failure, false));
    MetricResult {
        name,
        phase: if result.is_null() {
            AnalysisPhase::Pending
        } else {
            phase(result, &["phase"], loose)
        },
        message: loose.text(result, &["message"]),
        provider,
        query: resolved.map_or(query, Text::from),
        address,
        success_condition: success,
        failure_condition: failure,
        thresholds,
        interval: span(spec, &["interval"]),
        limits: limits(spec),
        measurements: measurements(result, loose),
        counts: counts(result, loose),
        dry_run: loose.flag(result, &["dryRun"]).unwrap_or(false),
    }
}

fn provider(spec: &Value, loose: &mut Loose) -> (Text, Text, Text) {
    let members = at(spec, &["provider"]).and_then(Value::as_object);
    let Some((name, body)) = members.and_then(|members| members.iter().next()) else {
        return ("".into(), "".into(), "".into());
    };
    if name == "plugin" {
        let plugin = body.as_object().and_then(|plugins| plugins.keys().next());
        let plugin = plugin.map_or(name.as_str(), String::as_str);
        return (plugin.into(), "".into(), "".into());
    }
    let query = if body.get("query").is_some_and(Value::is_string) {
        loose.text(body, &["query"])
    } else {
        "".into()
    };
    let address = ["address", "url", "endpoint"]
        .into_iter()
        .find_map(|field| at(body, &[field])?.as_str());
    (
        name.as_str().into(),
        query,
        address.unwrap_or_default().into(),
    )
}

/// Numbers, or numbers in strings: arguments are filled in as text.
fn whole(spec: &Value, field: &str) -> Option<i64> {
    match at(spec, &[field])? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn limits(spec: &Value) -> Limits {
    // Argo Rollouts `EffectiveCount`: without an interval once, with one for ever.
    let count = match (whole(spec, "count"), at(spec, &["interval"])) {
        (Some(count), _) if count > 0 => u32::try_from(count).ok(),
        (_, None) => Some(1),
        (_, Some(_)) => None,
    };
    let limit = |field: &str, default: u32| match whole(spec, field) {
        Some(number) => u32::try_from(number).ok(),
        None => Some(default),
    };
    Limits {
        count,
        failure: limit("failureLimit", 0),
        inconclusive: limit("inconclusiveLimit", 0),
        consecutive_error: limit("consecutiveErrorLimit", 4),
        consecutive_success: limit("consecutiveSuccessLimit", 0).unwrap_or(0),
    }
}

fn counts(result: &Value, loose: &mut Loose) -> Counts {
    let mut count = |field: &str| loose.count(result, &[field]).unwrap_or(0);
    Counts {
        total: count("count"),
        successful: count("successful"),
        failed: count("failed"),
        inconclusive: count("inconclusive"),
        error: count("error"),
        consecutive_error: count("consecutiveError"),
        consecutive_success: count("consecutiveSuccess"),
    }
}

fn measurements(result: &Value, loose: &mut Loose) -> Vec<Measurement> {
    let measurements = loose.list(result, &["measurements"]);
    let measurements = measurements.iter().map(|one| {
        let value = loose.text(one, &["value"]);
        Measurement {
            phase: phase(one, &["phase"], loose),
            started: loose.time(one, &["startedAt"]),
            finished: loose.time(one, &["finishedAt"]),
            number: first_number(&value),
            value,
            message: loose.text(one, &["message"]),
        }
    });
    measurements.collect()
}

/// Returns the first number of `[0.993]`, `0.993` or `{"x":0.993}`.
fn first_number(value: &str) -> Option<f64> {
    let is_part = |letter: char| letter.is_ascii_digit() || ".+-eE".contains(letter);
    let mut words = value.split(|letter: char| !is_part(letter));
    let number = words.find_map(|word| word.parse::<f64>().ok())?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_found_in_what_providers_answer() {
        assert_eq!(first_number("[0.993]"), Some(0.993));
        assert_eq!(first_number("182"), Some(182.0));
        assert_eq!(first_number("[1e-3,2]"), Some(0.001));
        assert_eq!(first_number("[NaN]"), None);
        assert_eq!(first_number("[]"), None);
        assert_eq!(first_number("{\"ok\":true}"), None);
    }

    #[test]
    fn how_often_is_measured_follows_count_and_interval() {
        assert_eq!(limits(&json!({})), Limits::default());
        assert_eq!(limits(&json!({"interval": "10s"})).count, None);
        assert_eq!(
            limits(&json!({"interval": "10s", "count": "3"})).count,
            Some(3)
        );
        assert_eq!(limits(&json!({"failureLimit": -1})).failure, None);
    }
}
