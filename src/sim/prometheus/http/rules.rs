//! Rules and the alerts they raise.

use super::params::{Params, invalid};
use super::series::labels_json;
use super::targets::time;
use super::{Shared, answer};
use crate::sim::prometheus::number::exponent;
use crate::sim::prometheus::rules::{ActiveAlert, Group, Kind, Phase, Rule};
use crate::sim::prometheus::{QueryError, read};
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

/// `GET /api/v1/rules`
pub(super) async fn rules(State(core): Shared, params: Params) -> Result<Response, QueryError> {
    let kind = params.get("type").to_lowercase();
    if !matches!(kind.as_str(), "" | "alert" | "record") {
        return Err(invalid("type", &format!("not supported value \"{kind}\"")));
    }
    let names: Vec<&str> = params.all("rule_name[]").collect();
    let files: Vec<&str> = params.all("file[]").collect();
    let groups: Vec<&str> = params.all("rule_group[]").collect();
    let with_alerts = params.get("exclude_alerts") != "true";
    let any = |wanted: &[&str], value: &str| wanted.is_empty() || wanted.contains(&value);
    let wanted = |rule: &&Rule| {
        let of_kind = match &rule.kind {
            Kind::Recording { .. } => kind != "alert",
            Kind::Alerting { .. } => kind != "record",
        };
        of_kind && any(&names, name(rule))
    };
    let mut data = Vec::new();
    for group in read(&core.rules).iter() {
        if !any(&files, &group.file) || !any(&groups, &group.name) {
            continue;
        }
        let rules: Vec<Value> = group
            .rules
            .iter()
            .filter(wanted)
            .map(|rule| rule_json(rule, with_alerts))
            .collect();
        let narrowed = !names.is_empty() || !kind.is_empty();
        if !narrowed || !rules.is_empty() {
            data.push(group_json(group, &rules));
        }
    }
    Ok(answer::success(&json!({ "groups": data })))
}

fn name(rule: &Rule) -> &str {
    match &rule.kind {
        Kind::Recording { name } | Kind::Alerting { name, .. } => name,
    }
}

fn group_json(group: &Group, rules: &[Value]) -> Value {
    let took: f64 = group.rules.iter().map(|rule| rule.took.as_secs_f64()).sum();
    json!({
        "name": group.name,
        "file": group.file,
        "rules": rules,
        "interval": group.interval.as_secs_f64(),
        "limit": group.limit,
        "evaluationTime": took,
        "lastEvaluation": evaluated(group.last),
    })
}

fn evaluated(at: Option<i64>) -> String {
    at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), time)
}

fn rule_json(rule: &Rule, with_alerts: bool) -> Value {
    let health = match (&rule.error, rule.last) {
        (Some(_), _) => "err",
        (None, Some(_)) => "ok",
        (None, None) => "unknown",
    };
    let mut out = json!({
        "name": name(rule),
        "query": rule.query,
        "health": health,
        "evaluationTime": rule.took.as_secs_f64(),
        "lastEvaluation": evaluated(rule.last),
    });
    if let Some(error) = &rule.error {
        out["lastError"] = json!(error);
    }
    match &rule.kind {
        Kind::Recording { .. } => {
            out["type"] = json!("recording");
            if !rule.labels.is_empty() {
                out["labels"] = map(&rule.labels);
            }
        }
        Kind::Alerting {
            hold,
            keep_firing,
            annotations,
            active,
            ..
        } => {
            out["type"] = json!("alerting");
            out["state"] = json!(state(active));
            out["duration"] = json!(hold.as_secs_f64());
            out["keepFiringFor"] = json!(keep_firing.as_secs_f64());
            out["labels"] = map(&rule.labels);
            out["annotations"] = map(annotations);
            let alerts: Vec<Value> = live(active)
                .filter(|_| with_alerts)
                .map(alert_json)
                .collect();
            out["alerts"] = json!(alerts);
        }
    }
    out
}

fn map(pairs: &[(String, String)]) -> Value {
    let pairs: Map<String, Value> = pairs
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    Value::Object(pairs)
}

fn live(active: &[ActiveAlert]) -> impl Iterator<Item = &ActiveAlert> {
    active.iter().filter(|alert| alert.phase != Phase::Resolved)
}

/// The state of a rule is the worst of its alerts.
fn state(active: &[ActiveAlert]) -> &'static str {
    let firing = live(active).find(|alert| alert.phase == Phase::Firing);
    firing
        .or_else(|| live(active).next())
        .map_or("inactive", ActiveAlert::state)
}

fn alert_json(alert: &ActiveAlert) -> Value {
    let mut out = json!({
        "labels": labels_json(&alert.labels),
        "annotations": map(&alert.annotations),
        "state": alert.state(),
        "activeAt": time(alert.active_at),
        "value": exponent(alert.value),
    });
    if let Some(since) = alert.kept_since {
        out["keepFiringSince"] = json!(time(since));
    }
    out
}

/// `GET /api/v1/alerts`
pub(super) async fn alerts(State(core): Shared) -> Response {
    let rules = read(&core.rules);
    let alerts: Vec<Value> = rules
        .iter()
        .flat_map(|group| &group.rules)
        .flat_map(|rule| match &rule.kind {
            Kind::Recording { .. } => Vec::new(),
            Kind::Alerting { active, .. } => live(active).map(alert_json).collect(),
        })
        .collect();
    answer::success(&json!({ "alerts": alerts }))
}
