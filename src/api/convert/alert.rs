//! Turns alerts of Prometheus and alerts and silences of Alertmanager into
//! [`domain::alert`](crate::domain::alert).
//!
//! Shapes: Prometheus `docs/querying/api.md`, Alertmanager `api/v2/openapi.yaml`.

use super::metric::{labels, number};
use crate::domain::alert::{
    Alert, AlertBoard, AlertState, Matcher, Silence, SilenceState, severity_rank,
};
use crate::domain::object::Text;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Joins what both servers say. An alert that both know is one; Alertmanager's labels may be more,
/// because Prometheus adds its external ones on the way.
pub fn board(prometheus: &[Alert], alertmanager: Vec<Alert>, silences: Vec<Silence>) -> AlertBoard {
    let mut alerts = alertmanager;
    for own in prometheus {
        let same = alerts
            .iter_mut()
            .find(|known| own.labels.iter().all(|label| known.labels.contains(label)));
        match same {
            Some(known) => known.value = own.value,
            None => alerts.push(own.clone()),
        }
    }
    alerts.sort_by(|a, b| {
        let key = |one: &Alert| (one.state, severity_rank(one.severity()));
        let names = || a.name().cmp(b.name()).then_with(|| a.labels.cmp(&b.labels));
        key(a).cmp(&key(b)).then_with(names)
    });
    let mut silences = silences;
    silences.sort_by(|a, b| a.state.cmp(&b.state).then_with(|| b.ends.cmp(&a.ends)));
    AlertBoard {
        alerts,
        silences,
        notes: Vec::new(),
    }
}

fn text(value: &Value, field: &str) -> Text {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .into()
}

fn time(value: &Value, field: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(value.get(field)?.as_str()?).ok()?;
    Some(at.with_timezone(&Utc))
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value
        .get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn texts(value: &Value, field: &str) -> Vec<Text> {
    list(value, field)
        .filter_map(Value::as_str)
        .map(Text::from)
        .collect()
}

/// Reads `data.alerts` of Prometheus.
pub fn prometheus_alerts(data: &Value) -> Vec<Alert> {
    let alerts = list(data, "alerts").filter(|one| text(one, "state").as_ref() != "inactive");
    alerts
        .map(|one| {
            let labels = labels(one.get("labels"));
            let firing = text(one, "state").as_ref() == "firing";
            Alert {
                fingerprint: fingerprint(&labels),
                annotations: annotations(one),
                state: if firing {
                    AlertState::Firing
                } else {
                    AlertState::Pending
                },
                since: time(one, "activeAt"),
                value: one.get("value").and_then(Value::as_str).and_then(number),
                silenced_by: Vec::new(),
                inhibited_by: Vec::new(),
                receivers: Vec::new(),
                expression: "".into(),
                delivered: false,
                labels,
            }
        })
        .collect()
}

fn annotations(one: &Value) -> crate::domain::metric::Labels {
    labels(one.get("annotations"))
}

/// Prometheus gives none; the labels are what an alert is known by.
fn fingerprint(labels: &crate::domain::metric::Labels) -> Text {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for (name, value) in labels {
        for byte in name
            .bytes()
            .chain([0xff])
            .chain(value.bytes())
            .chain([0xff])
        {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}").into()
}

/// Returns the expression of a rule, as its page in Prometheus is addressed: `…/graph?g0.expr=up%3D%3D0`.
fn expression(generator: &str) -> Text {
    let query = generator.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(name, _)| name == "g0.expr");
    found.map_or_else(|| "".into(), |(_, value)| Text::from(&*value))
}

/// Reads the list of Alertmanager's alerts.
pub fn alertmanager_alerts(body: &Value) -> Vec<Alert> {
    let alerts = body.as_array().into_iter().flatten();
    alerts
        .map(|one| {
            let status = one.get("status").unwrap_or(&Value::Null);
            let suppressed = text(status, "state").as_ref() == "suppressed";
            let receivers = list(one, "receivers").map(|receiver| text(receiver, "name"));
            Alert {
                fingerprint: text(one, "fingerprint"),
                labels: labels(one.get("labels")),
                annotations: annotations(one),
                state: if suppressed {
                    AlertState::Suppressed
                } else {
                    AlertState::Firing
                },
                since: time(one, "startsAt"),
                value: None,
                silenced_by: texts(status, "silencedBy"),
                inhibited_by: texts(status, "inhibitedBy"),
                receivers: receivers.collect(),
                expression: expression(&text(one, "generatorURL")),
                delivered: true,
            }
        })
        .collect()
}

/// Reads the list of Alertmanager's silences.
pub fn silences(body: &Value) -> Vec<Silence> {
    body.as_array().into_iter().flatten().map(silence).collect()
}

/// Reads one silence.
pub fn silence(one: &Value) -> Silence {
    let state = one.get("status").map(|status| text(status, "state"));
    let matchers = list(one, "matchers").map(|matcher| {
        let flag = |field: &str| matcher.get(field).and_then(Value::as_bool);
        Matcher {
            name: text(matcher, "name"),
            value: text(matcher, "value"),
            regex: flag("isRegex").unwrap_or(false),
            equal: flag("isEqual").unwrap_or(true),
        }
    });
    Silence {
        id: text(one, "id"),
        state: match state.as_deref() {
            Some("expired") => SilenceState::Expired,
            Some("pending") => SilenceState::Pending,
            Some(_) | None => SilenceState::Active,
        },
        matchers: matchers.collect(),
        starts: time(one, "startsAt"),
        ends: time(one, "endsAt"),
        created_by: text(one, "createdBy"),
        comment: text(one, "comment"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_expression_of_a_rule_is_read_from_its_address() {
        let of = |address: &str| expression(address).to_string();
        let known = "http://prometheus:9090/graph?g0.expr=sum%28rate%28errors%5B1m%5D%29%29+%3E+0.5&g0.tab=1";
        assert_eq!(of(known), "sum(rate(errors[1m])) > 0.5");
        assert_eq!(of("http://prometheus:9090/alerts"), "");
        assert_eq!(of(""), "");
    }

    #[test]
    fn an_alert_that_both_servers_know_is_one() {
        let from_prometheus = prometheus_alerts(&json!({"alerts": [
            {"labels": {"alertname": "Slow", "severity": "page"}, "annotations": {"summary": "s"},
             "state": "firing", "activeAt": "2026-01-01T00:00:00Z", "value": "2e+00"},
            {"labels": {"alertname": "Soon"}, "state": "pending", "value": "1"}]}));
        let delivered = alertmanager_alerts(&json!([
            {"labels": {"alertname": "Slow", "severity": "page", "cluster": "eu"},
             "fingerprint": "f", "status": {"state": "suppressed", "silencedBy": ["x"]},
             "receivers": [{"name": "team"}]}]));

        let board = board(&from_prometheus, delivered, Vec::new());

        assert_eq!(board.alerts.len(), 2);
        let slow = board
            .alerts
            .iter()
            .find(|one| one.name() == "Slow")
            .expect("it is there");
        assert_eq!(
            (slow.state, slow.value),
            (AlertState::Suppressed, Some(2.0))
        );
        assert_eq!(slow.silenced_by, ["x".into()]);
        assert_eq!(from_prometheus[0].summary(), "s");
    }
}
