//! Turns EventSources and Sensors of Argo Events, EventListeners of Tekton Triggers, and webhooks
//! that a receiver kept, into [`domain::event_flow`](crate::domain::event_flow).
//!
//! Field meanings: Argo Events `pkg/apis/events/v1alpha1`, Tekton Triggers
//! `pkg/apis/triggers/v1beta1`. Their schemas are open, so every kind of event is read alike.

use super::loose::{Loose, Meta, at};
use super::run_template::scalar;
use crate::domain::event_flow::{
    Dependency, Endpoint, EventSource, Listener, Readiness, Sensor, SensorTrigger, SourceEvent,
    Webhook, event_source_kind, sensor_kind,
};
use crate::domain::object::{Cluster, GroupKind, Text};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// The kind of an EventListener.
pub fn listener_kind() -> GroupKind {
    GroupKind::new("triggers.tekton.dev", "EventListener")
}

/// Members of an EventSource's spec that are no events.
const NO_EVENTS: [&str; 5] = ["template", "service", "eventBusName", "replicas", "filter"];

fn members(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), value))
}

fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    let found = at(value, path).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value, path: &[&str]) -> Text {
    scalar(at(value, path))
}

fn or(text: Text, other: &str) -> Text {
    if text.is_empty() { other.into() } else { text }
}

/// Reads one EventSource.
pub fn event_source(value: &Value, cluster: &Cluster) -> EventSource {
    let meta = Meta::read(value, cluster, &event_source_kind(), &mut Loose::default());
    let kinds = members(at(value, &["spec"])).filter(|(kind, _)| !NO_EVENTS.contains(kind));
    let events = kinds.flat_map(|(kind, events)| {
        members(Some(events)).map(move |(name, event)| SourceEvent {
            name: name.into(),
            kind: kind.into(),
            what: what(kind, event),
            endpoint: endpoint(event),
        })
    });
    EventSource {
        bus: or(text(value, &["spec", "eventBusName"]), "default"),
        events: events.collect(),
        ready: readiness(value),
        object: meta.object,
        uid: meta.uid,
    }
}

/// A webhook event, or one of a forge that comes by a webhook.
fn endpoint(event: &Value) -> Option<Endpoint> {
    let hook = at(event, &["webhook"]).unwrap_or(event);
    let port = text(hook, &["port"]).parse().ok()?;
    Some(Endpoint {
        port,
        path: or(text(hook, &["endpoint"]), "/"),
        method: or(text(hook, &["method"]), "POST"),
        secret: secret(event),
    })
}

/// The Secret that senders sign payloads with (GitHub's form), as name and key.
fn secret(event: &Value) -> Option<(Text, Text)> {
    let named = |field: &str| text(event, &["webhookSecret", field]);
    (!named("name").is_empty()).then(|| (named("name"), named("key")))
}

fn what(kind: &str, event: &Value) -> Text {
    if let Some(endpoint) = endpoint(event) {
        return format!("{} :{}{}", endpoint.method, endpoint.port, endpoint.path).into();
    }
    match kind {
        "calendar" => {
            let schedule = text(event, &["schedule"]);
            if schedule.is_empty() {
                format!("every {}", text(event, &["interval"])).into()
            } else {
                schedule
            }
        }
        "resource" => {
            let types = list(event, &["eventTypes"]).iter();
            let types: Vec<String> = types.map(|one| scalar(Some(one)).to_string()).collect();
            let resource = text(event, &["resource"]);
            format!("{resource} {}", types.join(",")).trim().into()
        }
        _ => {
            let place = ["url", "topic", "queue", "subject", "bucket"];
            let found = place.iter().map(|name| text(event, &[name]));
            found
                .into_iter()
                .find(|one| !one.is_empty())
                .unwrap_or_else(|| "".into())
        }
    }
}

fn readiness(value: &Value) -> Readiness {
    let conditions = list(value, &["status", "conditions"]);
    if conditions.is_empty() {
        return Readiness::Unknown;
    }
    let bad = conditions
        .iter()
        .find(|one| &*text(one, &["status"]) != "True");
    match bad {
        None => Readiness::Ready,
        Some(one) => {
            let kind = text(one, &["type"]);
            let words = [text(one, &["reason"]), text(one, &["message"])];
            let words: Vec<&str> = words
                .iter()
                .map(|word| &**word)
                .filter(|word| !word.is_empty())
                .collect();
            let words = words.join(": ");
            let words = if words.is_empty() {
                String::from("no reason given")
            } else {
                words
            };
            Readiness::NotReady(format!("{kind}: {words}").into())
        }
    }
}

/// Reads one Sensor.
pub fn sensor(value: &Value, cluster: &Cluster) -> Sensor {
    let meta = Meta::read(value, cluster, &sensor_kind(), &mut Loose::default());
    let dependencies: Vec<Dependency> = list(value, &["spec", "dependencies"])
        .iter()
        .map(dependency)
        .collect();
    let triggers = list(value, &["spec", "triggers"]).iter();
    let triggers = triggers.map(|one| trigger(one, &dependencies)).collect();
    Sensor {
        bus: or(text(value, &["spec", "eventBusName"]), "default"),
        dependencies,
        triggers,
        ready: readiness(value),
        object: meta.object,
        uid: meta.uid,
    }
}

fn dependency(value: &Value) -> Dependency {
    Dependency {
        name: text(value, &["name"]),
        source: text(value, &["eventSourceName"]),
        event: text(value, &["eventName"]),
        filters: filters(value),
    }
}

/// Filters in words.
fn filters(value: &Value) -> Vec<Text> {
    let mut words: Vec<Text> = Vec::new();
    for one in list(value, &["filters", "data"]) {
        let values = list(one, &["value"]).iter();
        let values: Vec<String> = values.map(|one| scalar(Some(one)).to_string()).collect();
        let comparator = or(text(one, &["comparator"]), "=");
        let path = text(one, &["path"]);
        words.push(format!("{path} {comparator} {}", values.join(" or ")).into());
    }
    for one in list(value, &["filters", "exprs"]) {
        words.push(text(one, &["expr"]));
    }
    for (name, one) in members(at(value, &["filters", "context"])) {
        words.push(format!("{name} = {}", scalar(Some(one))).into());
    }
    if let Some(time) = at(value, &["filters", "time"]) {
        words.push(
            format!(
                "from {} to {}",
                text(time, &["start"]),
                text(time, &["stop"])
            )
            .into(),
        );
    }
    if at(value, &["filters", "script"]).is_some() {
        words.push("a script agrees".into());
    }
    words
}

fn trigger(value: &Value, dependencies: &[Dependency]) -> SensorTrigger {
    let conditions = text(value, &["template", "conditions"]);
    let mut named = members(at(value, &["template"]))
        .filter(|(name, _)| !["name", "conditions", "conditionsReset"].contains(name));
    let (kind, body) = named.next().unwrap_or(("", &Value::Null));
    let operation = text(body, &["operation"]);
    let what = match kind {
        "http" => format!("http {}", text(body, &["url"])),
        _ => format!("{kind} {operation}"),
    };
    let resource = at(body, &["source", "resource"]);
    let makes = resource.map_or_else(String::new, |made| {
        let name = text(made, &["metadata", "name"]);
        let stem = text(made, &["metadata", "generateName"]);
        let name = if name.is_empty() {
            format!("{stem}…")
        } else {
            name.to_string()
        };
        format!("{} {name}", text(made, &["kind"]))
    });
    let uses = dependencies.iter().map(|one| Text::clone(&one.name));
    let uses = uses.filter(|name| conditions.is_empty() || names(&conditions, name));
    let parameters = list(value, &["parameters"])
        .iter()
        .chain(list(body, &["parameters"]));
    SensorTrigger {
        name: text(value, &["template", "name"]),
        what: what.trim().into(),
        uses: uses.collect(),
        conditions,
        makes: makes.into(),
        parameters: parameters.map(parameter).collect(),
    }
}

/// Whether a condition names a dependency, as a whole word.
fn names(conditions: &str, name: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    conditions
        .split(|letter| !is_part(letter))
        .any(|word| word == name)
}

fn parameter(value: &Value) -> Text {
    let from = [
        "dataKey",
        "dataTemplate",
        "contextKey",
        "contextTemplate",
        "value",
    ];
    let from = from.iter().map(|name| text(value, &["src", name]));
    let from = from
        .into_iter()
        .find(|one| !one.is_empty())
        .unwrap_or_else(|| "".into());
    format!("{from} → {}", text(value, &["dest"])).into()
}

/// Reads one EventListener.
pub fn listener(value: &Value, cluster: &Cluster) -> Listener {
    let meta = Meta::read(value, cluster, &listener_kind(), &mut Loose::default());
    let triggers = list(value, &["spec", "triggers"]).iter().map(|one| {
        let name = text(one, &["name"]);
        let name = if name.is_empty() {
            text(one, &["triggerRef"])
        } else {
            name
        };
        let interceptors = list(one, &["interceptors"]).iter();
        let words: Vec<String> = interceptors.map(interceptor).collect();
        (name, words.join(", ").into())
    });
    Listener {
        address: text(value, &["status", "address", "url"]),
        triggers: triggers.collect(),
        ready: readiness(value),
        object: meta.object,
        uid: meta.uid,
    }
}

fn interceptor(value: &Value) -> String {
    let name = text(value, &["ref", "name"]);
    let params = list(value, &["params"]).iter().filter_map(|one| {
        let value = at(one, &["value"])?;
        let is_told = matches!(&*text(one, &["name"]), "filter" | "eventTypes");
        is_told.then(|| scalar(Some(value)).to_string())
    });
    let params: Vec<String> = params.collect();
    format!("{name} {}", params.join(" ")).trim().to_owned()
}

/// Reads the webhooks that a receiver kept, newest first.
pub fn webhooks(value: &Value) -> Vec<Webhook> {
    let items = value.as_array().map(Vec::as_slice);
    let items = items.unwrap_or_else(|| list(value, &["items"]));
    let mut read: Vec<Webhook> = items.iter().map(webhook).collect();
    read.sort_by(|left, right| right.at.cmp(&left.at).then_with(|| right.id.cmp(&left.id)));
    read
}

fn webhook(value: &Value) -> Webhook {
    let request = at(value, &["request"]);
    let of_request = |name: &str| scalar(request.and_then(|request| at(request, &[name])));
    let headers: Vec<(Text, Text)> = members(request.and_then(|one| at(one, &["headers"])))
        .map(|(name, value)| (name.into(), first(value)))
        .collect();
    let header = |wanted: &str| {
        let found = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map_or_else(|| "".into(), |(_, value)| Text::clone(value))
    };
    let named = ["x-github-event", "x-gitea-event", "x-gitlab-event"];
    let named = named.iter().map(|name| header(name));
    let named = named.into_iter().find(|one| !one.is_empty());
    let source = text(value, &["eventSource"]);
    let event = text(value, &["event"]);
    let to = if event.is_empty() {
        Text::clone(&source)
    } else {
        format!("{source}/{event}").into()
    };
    let code: u16 = of_request("status").parse().unwrap_or_default();
    let consequences = list(value, &["consequences"]);
    let (outcome, dropped) = outcome_of(consequences, (code, &of_request("answer")));
    let payload = match request {
        Some(_) => of_request("body"),
        None => scalar(at(value, &["data"])),
    };
    let time = text(value, &["at"]);
    Webhook {
        id: text(value, &["id"]),
        at: DateTime::parse_from_rfc3339(&time)
            .ok()
            .map(|at| at.with_timezone(&Utc)),
        to,
        method: of_request("method"),
        path: of_request("path"),
        event: named.unwrap_or_else(|| text(value, &["kind"])),
        code,
        outcome,
        dropped,
        payload: pretty(&payload),
        headers,
    }
}

/// What an event came to, in words, and whether nothing came of it.
fn outcome_of(consequences: &[Value], (code, answer): (u16, &str)) -> (Vec<Text>, bool) {
    if code >= 300 {
        return (vec![answer.into()], true);
    }
    if consequences.is_empty() {
        return (vec!["nobody listens to it".into()], false);
    }
    let told = consequences.iter().map(|one| {
        let sensor = text(one, &["sensor"]);
        let of = text(one, &["of"]);
        let why = text(one, &["why"]);
        let colon = if why.is_empty() { "" } else { ": " };
        let words = match &*text(one, &["outcome"]) {
            "fired" => {
                let made = at(one, &["object"]);
                let made = made.map(|made| {
                    let (kind, name) = (text(made, &["kind"]), text(made, &["name"]));
                    format!(" and made {kind} {name}")
                });
                format!("{sensor}/{of} fired{}", made.unwrap_or_default())
            }
            "dropped" => format!("{sensor}/{of} dropped it{colon}{why}"),
            "waiting" => format!("{sensor}/{of} waits for other events{colon}{why}"),
            other => format!("{sensor}/{of} {other}{colon}{why}"),
        };
        words.into()
    });
    let went_on = consequences
        .iter()
        .any(|one| matches!(&*text(one, &["outcome"]), "fired" | "waiting"));
    (told.collect(), !went_on)
}

/// JSON on several lines; anything else as it is.
fn pretty(payload: &Text) -> Text {
    let read: Result<Value, _> = serde_json::from_str(payload);
    match read {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => {
            let text = serde_json::to_string_pretty(&value);
            text.map_or_else(|_| Text::clone(payload), Into::into)
        }
        Ok(_) | Err(_) => Text::clone(payload),
    }
}

/// A header's value, or the first of several.
fn first(value: &Value) -> Text {
    match value.as_array() {
        Some(values) => scalar(values.first()),
        None => scalar(Some(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster() -> Cluster {
        Cluster("test".into())
    }

    #[test]
    fn a_source_tells_its_events_and_whether_it_is_ready() {
        let value = json!({"metadata": {"name": "git", "namespace": "ci"},
            "spec": {"service": {"ports": []}, "eventBusName": "", "webhook": {"push": {
                "endpoint": "/push", "port": "12000", "method": "POST"}},
              "github": {"hub": {"webhook": {"endpoint": "/hub", "port": 12001}}},
              "calendar": {"nightly": {"schedule": "0 3 * * *"}}},
            "status": {"conditions": [{"type": "SourcesProvided", "status": "True"},
                {"type": "Deployed", "status": "False", "reason": "EventBusNotFound"}]}});

        let source = event_source(&value, &cluster());

        let mut events: Vec<String> = source
            .events
            .iter()
            .map(|one| format!("{} {}", one.name, one.what))
            .collect();
        events.sort();
        assert_eq!(
            events,
            [
                "hub POST :12001/hub",
                "nightly 0 3 * * *",
                "push POST :12000/push"
            ]
        );
        assert_eq!(source.ready.words(), "Deployed: EventBusNotFound");
    }

    #[test]
    fn a_sensor_tells_filters_conditions_and_what_it_makes() {
        let value = json!({"metadata": {"name": "ci", "namespace": "ci"}, "spec": {
            "dependencies": [
                {"name": "push", "eventSourceName": "git", "eventName": "push", "filters": {"data": [
                    {"path": "body.ref", "type": "string", "value": ["refs/heads/main"]}]}},
                {"name": "tick", "eventSourceName": "git", "eventName": "nightly"}],
            "triggers": [{"template": {"name": "build", "conditions": "push", "argoWorkflow": {
                "operation": "submit", "source": {"resource": {"kind": "Workflow",
                    "metadata": {"generateName": "ci-"}}},
                "parameters": [{"src": {"dependencyName": "push", "dataKey": "body.after"},
                    "dest": "spec.arguments.parameters.0.value"}]}}}]}});

        let sensor = sensor(&value, &cluster());

        assert_eq!(
            sensor.dependencies[0].filters,
            ["body.ref = refs/heads/main".into()]
        );
        let trigger = &sensor.triggers[0];
        assert_eq!(
            (&*trigger.what, &*trigger.makes),
            ("argoWorkflow submit", "Workflow ci-…")
        );
        assert_eq!(trigger.uses, ["push".into()]);
        assert_eq!(
            &*trigger.parameters[0],
            "body.after → spec.arguments.parameters.0.value"
        );
    }

    #[test]
    fn webhooks_come_newest_first_with_what_became_of_them() {
        let read = webhooks(&json!({"items": [
            {"id": "r00001", "at": "2026-01-01T00:00:00Z", "eventSource": "git", "event": "push",
             "kind": "webhook", "request": {"status": 200, "headers": {"x-github-event": "push"}},
             "consequences": [{"sensor": "ci", "of": "build", "outcome": "fired",
                "object": {"kind": "Workflow", "name": "ci-1"}}]},
            {"id": "r00002", "at": "2026-01-01T00:00:05Z", "eventSource": "git", "kind": "webhook",
             "request": {"status": 401, "answer": "bad signature", "body": "{\"a\":1}"}},
            {"id": "r00003", "at": "2026-01-01T00:00:09Z", "eventSource": "git", "kind": "calendar",
             "consequences": [{"sensor": "ci", "of": "tick", "outcome": "dropped", "why": "no"}]}]}));

        let told: Vec<(&str, &str, bool)> = read
            .iter()
            .map(|one| (&*one.id, &*one.event, one.dropped))
            .collect();
        assert_eq!(
            told,
            [
                ("r00003", "calendar", true),
                ("r00002", "webhook", true),
                ("r00001", "push", false)
            ]
        );
        assert_eq!(&*read[0].outcome[0], "ci/tick dropped it: no");
        assert_eq!(&*read[1].outcome[0], "bad signature");
        assert_eq!(&*read[1].payload, "{\n  \"a\": 1\n}");
        assert_eq!(
            &*read[2].outcome[0],
            "ci/build fired and made Workflow ci-1"
        );
    }
}
