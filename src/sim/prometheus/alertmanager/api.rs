//! The v2 API (`api/v2/openapi.yaml` of Alertmanager).

use super::filter::Filter;
use super::silence::Refusal;
use super::{Alert, times};
use crate::sim::prometheus::labels::Labels;
use crate::sim::prometheus::matcher::whole;
use crate::sim::prometheus::{Core, Prometheus};
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The only receiver.
const RECEIVER: &str = "default";
/// The labels by which alerts are grouped.
const GROUPED_BY: [&str; 2] = ["alertname", "namespace"];
/// How long an alert lives that says nothing of its end, in milliseconds.
const RESOLVED_AFTER: i64 = 5 * 60_000;

type Shared = State<Arc<Core>>;

pub(super) fn router(prometheus: &Prometheus) -> Router {
    Router::new()
        .route("/api/v2/status", get(status))
        .route("/api/v2/receivers", get(receivers))
        .route("/api/v2/alerts", get(alerts).post(post_alerts))
        .route("/api/v2/alerts/groups", get(groups))
        .route("/api/v2/silences", get(silences).post(post_silence))
        .route("/api/v2/silence/{id}", get(silence).delete(expire))
        .route("/-/healthy", get(async || "OK"))
        .route("/-/ready", get(async || "OK"))
        .with_state(Arc::clone(&prometheus.0))
}

async fn status(State(core): Shared) -> Json<Value> {
    let config = format!(
        "route:\n  receiver: {RECEIVER}\n  group_by: [{}]\nreceivers:\n- name: {RECEIVER}\n",
        GROUPED_BY.join(", ")
    );
    Json(json!({
        "cluster": { "status": "disabled", "peers": [] },
        "versionInfo": {
            "version": "0.28.1",
            "revision": "embedded",
            "branch": "HEAD",
            "buildUser": "tiphys",
            "buildDate": "",
            "goVersion": "",
        },
        "config": { "original": config },
        "uptime": times::text(core.started.timestamp_millis()),
    }))
}

async fn receivers() -> Json<Value> {
    Json(json!([{ "name": RECEIVER }]))
}

/// What a request for alerts asks for.
struct Wanted {
    filter: Filter,
    active: bool,
    silenced: bool,
    receiver: bool,
}

fn wanted(query: Option<&str>) -> Result<Wanted, Refusal> {
    let fields = super::super::http::form::decode(query.unwrap_or_default());
    let flag = |name: &str| {
        fields
            .iter()
            .rfind(|(field, _)| field == name)
            .is_none_or(|(_, value)| value != "false")
    };
    let filters = fields
        .iter()
        .filter(|(field, _)| field == "filter")
        .map(|(_, value)| value.as_str());
    let receiver = fields.iter().find(|(field, _)| field == "receiver");
    let receiver = match receiver {
        Some((_, pattern)) => whole(pattern)
            .map_err(|error| {
                (
                    400,
                    json!(format!("failed to parse receiver param: {error}")),
                )
            })?
            .is_match(RECEIVER),
        None => true,
    };
    Ok(Wanted {
        filter: Filter::read(filters).map_err(|error| (400, json!(error)))?,
        active: flag("active"),
        silenced: flag("silenced"),
        receiver,
    })
}

/// Returns the alerts that are asked for, with their labels.
fn found(core: &Core, wanted: &Wanted) -> Vec<(Labels, Value)> {
    let now = core.now();
    let manager = &core.alertmanager;
    let mut out = Vec::new();
    for (fingerprint, alert) in manager.alerts(now) {
        if !wanted.receiver || !wanted.filter.accepts(&alert.labels) {
            continue;
        }
        let silenced_by = manager.silenced_by(&alert.labels, now);
        let hidden = if silenced_by.is_empty() {
            !wanted.active
        } else {
            !wanted.silenced
        };
        if !hidden {
            out.push((
                alert.labels.clone(),
                alert_json(fingerprint, &alert, &silenced_by),
            ));
        }
    }
    out
}

fn alert_json(fingerprint: u64, alert: &Alert, silenced_by: &[String]) -> Value {
    let state = if silenced_by.is_empty() {
        "active"
    } else {
        "suppressed"
    };
    json!({
        "annotations": alert.annotations,
        "endsAt": times::text(alert.ends_at),
        "fingerprint": format!("{fingerprint:016x}"),
        "receivers": [{ "name": RECEIVER }],
        "startsAt": times::text(alert.starts_at),
        "status": { "inhibitedBy": [], "mutedBy": [], "silencedBy": silenced_by, "state": state },
        "updatedAt": times::text(alert.updated_at),
        "generatorURL": alert.generator_url,
        "labels": labels_json(&alert.labels),
    })
}

fn labels_json(labels: &Labels) -> Map<String, Value> {
    labels
        .iter()
        .map(|(name, value)| (name.to_string(), json!(&**value)))
        .collect()
}

async fn alerts(State(core): Shared, RawQuery(query): RawQuery) -> Response {
    match wanted(query.as_deref()) {
        Ok(wanted) => {
            let found: Vec<Value> = found(&core, &wanted)
                .into_iter()
                .map(|(_, alert)| alert)
                .collect();
            Json(found).into_response()
        }
        Err(refusal) => refuse(refusal),
    }
}

async fn groups(State(core): Shared, RawQuery(query): RawQuery) -> Response {
    let wanted = match wanted(query.as_deref()) {
        Ok(wanted) => wanted,
        Err(refusal) => return refuse(refusal),
    };
    let mut groups: BTreeMap<Labels, Vec<Value>> = BTreeMap::new();
    for (labels, alert) in found(&core, &wanted) {
        let group = labels.filtered(|name| GROUPED_BY.contains(&name));
        groups.entry(group).or_default().push(alert);
    }
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|(labels, alerts)| {
            json!({
                "alerts": alerts,
                "labels": labels_json(&labels),
                "receiver": { "name": RECEIVER },
                "routeLabels": {},
            })
        })
        .collect();
    Json(groups).into_response()
}

async fn post_alerts(State(core): Shared, body: Bytes) -> Response {
    let Ok(alerts) = serde_json::from_slice::<Vec<Value>>(&body) else {
        return refuse((
            400,
            json!({ "code": 400, "message": "parsing alerts body failed: not a list of alerts" }),
        ));
    };
    let now = core.now();
    for alert in alerts {
        match posted(&alert, now) {
            Ok(alert) => core.alertmanager.receive_one(alert),
            Err(message) => return refuse((400, json!(message))),
        }
    }
    StatusCode::OK.into_response()
}

fn posted(alert: &Value, now: i64) -> Result<Alert, String> {
    let texts = |name: &str| -> BTreeMap<String, String> {
        let object = alert.get(name).and_then(Value::as_object);
        let pairs = object.into_iter().flatten();
        pairs
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect()
    };
    let labels = texts("labels");
    let labels = Labels::new(
        labels
            .iter()
            .map(|(n, v)| (n.as_str().into(), v.as_str().into())),
    );
    if labels.is_empty() {
        return Err("at least one label pair required".to_owned());
    }
    let time = |name: &str| {
        alert
            .get(name)
            .and_then(Value::as_str)
            .and_then(times::parse)
            .filter(|time| *time > 0)
    };
    let starts_at = time("startsAt").unwrap_or(now);
    let ends_at = time("endsAt").unwrap_or(now + RESOLVED_AFTER);
    if ends_at < starts_at {
        return Err("start time must be before end time".to_owned());
    }
    Ok(Alert {
        labels,
        annotations: texts("annotations"),
        starts_at,
        ends_at,
        updated_at: now,
        generator_url: alert
            .get("generatorURL")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    })
}

async fn silences(State(core): Shared, RawQuery(query): RawQuery) -> Response {
    let fields = super::super::http::form::decode(query.as_deref().unwrap_or_default());
    let filters = fields
        .iter()
        .filter(|(field, _)| field == "filter")
        .map(|(_, value)| value.as_str());
    let filter = match Filter::read(filters) {
        Ok(filter) => filter,
        Err(error) => return refuse((400, json!(error))),
    };
    let shown = |state: &&str| {
        !fields
            .iter()
            .any(|(name, value)| name == state && value == "false")
    };
    let states: Vec<&str> = ["active", "pending", "expired"]
        .into_iter()
        .filter(shown)
        .collect();
    Json(
        core.alertmanager
            .silences(filter.matchers(), &states, core.now()),
    )
    .into_response()
}

async fn silence(State(core): Shared, Path(id): Path<String>) -> Response {
    match core.alertmanager.silence(&id, core.now()) {
        Some(silence) => Json(silence).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn post_silence(State(core): Shared, body: Bytes) -> Response {
    let Ok(wanted) = serde_json::from_slice::<Value>(&body) else {
        return refuse((
            400,
            json!({ "code": 400, "message": "parsing silence body failed: not a silence" }),
        ));
    };
    match core.alertmanager.write_silence(&wanted, core.now()) {
        Ok(id) => Json(json!({ "silenceID": id })).into_response(),
        Err(refusal) => refuse(refusal),
    }
}

async fn expire(State(core): Shared, Path(id): Path<String>) -> Response {
    match core.alertmanager.expire(&id, core.now()) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refuse(refusal),
    }
}

fn refuse((status, body): Refusal) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}
