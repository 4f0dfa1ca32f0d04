//! The controller of EventSources: their status, their pods, their doors, and the events that come
//! by themselves (calendars and changes of objects).

use super::conditions::{Unmet, status};
use super::hub::Hub;
use super::ledger::received;
use super::model::{Declared, Event, EventSource, KNOWN_SOURCES, bus_of, declared, list, text};
use super::receiver::{Door, port_of};
use super::workloads::{self, Role};
use crate::domain::clock::Clock as _;
use crate::sim::controllers::analysis::duration;
use crate::sim::controllers::cronjob::schedule::Schedule;
use crate::sim::controllers::runtime::{
    Change, Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer,
};
use crate::sim::network::Network;
use chrono::{DateTime, SecondsFormat, Utc};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use kube::api::{ApiResource, DynamicObject};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

const MANAGER: &str = "eventsource-controller";

/// An event of an EventSource.
type EventKey = (ObjectKey, String);

pub(super) struct Sources {
    sources: Writer<EventSource>,
    deployments: Writer<Deployment>,
    services: Writer<Service>,
    hub: Arc<Hub>,
    network: Network,
    runtime: Runtime,
    /// When the calendars fired last, or were first seen.
    fired: RwLock<BTreeMap<EventKey, DateTime<Utc>>>,
    /// The kinds of objects that are watched for an event already.
    watched: RwLock<BTreeSet<(EventKey, String)>>,
}

impl Sources {
    pub(super) fn start(runtime: &Runtime, hub: Arc<Hub>, network: Network) {
        let queue = runtime.queue();
        hub.sources.feed(&queue, |change| [change.key()]);
        let all = hub.sources.clone();
        hub.buses.feed(&queue, move |change| {
            let sources = all.in_namespace(&change.key().namespace);
            sources
                .iter()
                .map(|one| ObjectKey::of(&**one))
                .collect::<Vec<_>>()
        });
        let deployments = runtime.informer::<Deployment>();
        let services = runtime.informer::<Service>();
        deployments.required_by(&queue);
        services.required_by(&queue);
        let controller = Self {
            sources: hub.sources.writer(MANAGER),
            deployments: deployments.writer(MANAGER),
            services: services.writer(MANAGER),
            hub,
            network,
            runtime: runtime.clone(),
            fired: RwLock::default(),
            watched: RwLock::default(),
        };
        runtime.run(controller, queue);
    }

    /// Fires the calendars that are due; returns when the next one is.
    fn keep_calendars(&self, source: &EventSource, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let key = ObjectKey::of(source);
        let mut next = None;
        for event in declared(&source.spec).filter(|one| one.kind == "calendar") {
            let place = (key.clone(), event.name.to_owned());
            let mut fired = self.fired.write().unwrap_or_else(PoisonError::into_inner);
            let last = *fired.entry(place.clone()).or_insert(now);
            let Some(due) = after(event.spec, last) else {
                continue;
            };
            let due = if due <= now {
                fired.insert(place, now);
                drop(fired);
                let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
                let metadata = event.spec.get("metadata").cloned().unwrap_or_default();
                let data = json!({"eventTime": time, "metadata": metadata});
                publish(&self.hub, source, (event.kind, event.name), data);
                after(event.spec, now)
            } else {
                Some(due)
            };
            next = next.into_iter().chain(due).min();
        }
        next
    }

    /// Watches the kinds of objects whose changes are events.
    fn watch(&self, source: &EventSource) {
        for event in declared(&source.spec).filter(|one| one.kind == "resource") {
            let part = |field: &str| text(event.spec, field).to_owned();
            let (group, version, plural) = (part("group"), part("version"), part("resource"));
            let place = (ObjectKey::of(source), event.name.to_owned());
            let kind = format!("{group}/{version}/{plural}");
            let mut watched = self.watched.write().unwrap_or_else(PoisonError::into_inner);
            if !watched.insert((place.clone(), kind.clone())) {
                continue;
            }
            let api_version = match group.as_str() {
                "" => version.clone(),
                group => format!("{group}/{version}"),
            };
            let resource = ApiResource {
                group,
                version,
                api_version,
                kind: plural.clone(),
                plural,
            };
            let objects = self.runtime.informer_of::<DynamicObject>(resource);
            let (hub, since) = (self.hub.clone(), self.hub.now());
            objects.on_change(move |change| on_change(&hub, &place, &kind, (change, since)));
        }
    }

    async fn make_pods(&self, source: &EventSource) -> Result<(), ReconcileError> {
        let uid = source.metadata.uid.as_deref().unwrap_or_default();
        if self.deployments.informer().owned_by(uid).is_empty() {
            let replicas = source.spec.get("replicas").and_then(Value::as_i64);
            let deployment =
                workloads::deployment(source, Role::EventSource, replicas.unwrap_or(1));
            workloads::made(self.deployments.create(&deployment).await)?;
        }
        let wanted = source.spec.get("service").filter(|one| one.is_object());
        if let Some(wanted) = wanted
            && self.services.informer().owned_by(uid).is_empty()
        {
            let service = workloads::service(source, &service_name(source), wanted);
            workloads::made(self.services.create(&service).await)?;
        }
        Ok(())
    }

    /// Opens the way in to an EventSource by the name of its Service.
    fn open(&self, source: &EventSource) {
        let listens = declared(&source.spec).any(|one| one.door().is_some());
        if listens {
            let door = Door {
                hub: self.hub.clone(),
                source: ObjectKey::of(source),
                port: None,
            };
            let namespace = source.namespace().unwrap_or_default();
            self.network
                .serve(&namespace, &service_name(source), door.router());
        }
    }
}

fn service_name(source: &EventSource) -> String {
    super::ArgoEvents::service(&source.name_any())
}

/// Returns when a calendar falls due after a time.
fn after(spec: &Value, last: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (schedule, interval) = (text(spec, "schedule"), text(spec, "interval"));
    if !schedule.is_empty() {
        return Schedule::parse(schedule).ok()?.next(last);
    }
    let span = duration::go(interval).ok()?;
    (span > chrono::TimeDelta::zero()).then(|| last + span)
}

/// Publishes an event that came by itself, and notes it.
fn publish(hub: &Hub, source: &EventSource, (kind, name): (&str, &str), data: Value) {
    let (namespace, own) = (source.namespace().unwrap_or_default(), source.name_any());
    let id = hub.new_id();
    let mut note = received(&namespace, &own, hub.now());
    kind.clone_into(&mut note.kind);
    name.clone_into(&mut note.event);
    note.event_id = Some(id.clone());
    note.data = Some(data.clone());
    hub.ledger.note(note);
    let event = Event {
        id,
        kind: kind.to_owned(),
        source: own,
        subject: name.to_owned(),
        namespace,
        bus: bus_of(&source.spec).to_owned(),
        at: hub.now(),
        data,
    };
    if let Err(why) = hub.publish(event) {
        tracing::warn!(
            source = source.name_any(),
            event = name,
            why,
            "an event could not be published"
        );
    }
}

/// Tells of a change, if the EventSource still asks for it.
fn on_change(
    hub: &Hub,
    (key, name): &EventKey,
    kind: &str,
    (change, since): (&Change<DynamicObject>, DateTime<Utc>),
) {
    let Some(source) = hub.sources.get(key) else {
        return;
    };
    let Some(event) =
        declared(&source.spec).find(|one| one.kind == "resource" && one.name == name.as_str())
    else {
        return;
    };
    let part = |field: &str| text(event.spec, field);
    let named = format!("{}/{}/{}", part("group"), part("version"), part("resource"));
    let Some(object) = change.object() else {
        return;
    };
    let what = match (&change.old, &change.new) {
        (None, Some(_)) => "ADD",
        (Some(_), Some(_)) => "UPDATE",
        (_, None) => "DELETE",
    };
    let kinds = list(event.spec, "eventTypes");
    let asked = kinds.is_empty() || kinds.iter().any(|one| one == what);
    if named != kind || !asked || !is_wanted(event.spec, object, since) {
        return;
    }
    let metadata = event.spec.get("metadata").cloned().unwrap_or_default();
    let data = json!({
        "type": what, "body": &**object, "group": part("group"), "version": part("version"),
        "resource": part("resource"), "metadata": metadata,
    });
    publish(hub, &source, (event.kind, event.name), data);
}

fn is_wanted(spec: &Value, object: &DynamicObject, since: DateTime<Utc>) -> bool {
    let namespace = text(spec, "namespace");
    let filter = spec.get("filter").unwrap_or(&Value::Null);
    let late = object
        .metadata
        .creation_timestamp
        .as_ref()
        .is_some_and(|time| crate::sim::controllers::runtime::time::utc(time) >= since);
    let after_start = filter.get("afterStart").and_then(Value::as_bool) == Some(true);
    let labels = list(filter, "labels").iter().all(|wanted| {
        let found = object.labels().get(text(wanted, "key")).map(String::as_str);
        let equal = found == Some(text(wanted, "value"));
        equal == (text(wanted, "operation") != "!=")
    });
    let fields = list(filter, "fields").iter().all(|wanted| {
        let whole = serde_json::to_value(object).unwrap_or_default();
        let found = super::path::get(&whole, text(wanted, "key"));
        let equal = found.as_ref().map(super::path::text).as_deref() == Some(text(wanted, "value"));
        equal == (text(wanted, "operation") != "!=")
    });
    (namespace.is_empty() || object.namespace().as_deref() == Some(namespace))
        && object.name_any().starts_with(text(filter, "prefix"))
        && (late || !after_start)
        && labels
        && fields
}

/// Returns what is wrong with what an EventSource declares.
fn mistake(spec: &Value) -> Option<Unmet> {
    let wrong = |message: String| Some(Unmet::new("InvalidEventSource", message));
    let mut any = false;
    for event in declared(spec) {
        any = true;
        if !KNOWN_SOURCES.contains(&event.kind) {
            let message = format!(
                "events of the kind `{}` do not come on the embedded platform; {} do",
                event.kind,
                KNOWN_SOURCES.join(", ")
            );
            return Some(Unmet::new("NotSimulated", message));
        }
        if let Some(message) = mistake_in(&event) {
            return wrong(format!("event `{}`: {message}", event.name));
        }
    }
    if any {
        None
    } else {
        wrong("no event source is defined".to_owned())
    }
}

fn mistake_in(event: &Declared<'_>) -> Option<String> {
    if let Some(door) = event.door() {
        if text(door, "endpoint").is_empty() {
            return Some("endpoint can't be empty".to_owned());
        }
        return port_of(door)
            .is_none()
            .then(|| "port can't be empty".to_owned());
    }
    match event.kind {
        "calendar" => {
            let (schedule, interval) = (text(event.spec, "schedule"), text(event.spec, "interval"));
            match (schedule, interval) {
                ("", "") => Some("must have either schedule or interval".to_owned()),
                ("", interval) => duration::go(interval).err(),
                (schedule, _) => Schedule::parse(schedule).err(),
            }
        }
        "resource" => {
            let missing = ["version", "resource"]
                .into_iter()
                .find(|field| text(event.spec, field).is_empty());
            missing.map(|field| format!("{field} must be specified"))
        }
        _ => None,
    }
}

impl Controller for Sources {
    type Key = ObjectKey;
    const NAME: &'static str = "eventsources";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let found = self.sources.informer().get(key);
        let Some(source) = found.filter(|one| one.metadata.deletion_timestamp.is_none()) else {
            let mut fired = self.fired.write().unwrap_or_else(PoisonError::into_inner);
            fired.retain(|(owner, _), _| owner != key);
            return Ok(Requeue::OnChange);
        };
        let now = self.hub.clock.now();
        let provided = mistake(&source.spec);
        let bus = self.hub.bus(&key.namespace, bus_of(&source.spec));
        let mut next = None;
        let deployed = match (&provided, bus) {
            (Some(_), _) => None,
            (None, Err((reason, message))) => Some(Err(Unmet::new(reason, message))),
            (None, Ok(())) => {
                self.make_pods(&source).await?;
                self.open(&source);
                self.watch(&source);
                next = self.keep_calendars(&source, now);
                Some(Ok(()))
            }
        };
        let provided = provided.map_or(Ok(()), Err);
        let verdicts = [("SourcesProvided", Some(provided)), ("Deployed", deployed)];
        let new = status(&source.status, source.metadata.generation, &verdicts, now);
        self.sources
            .update_status(&source, &source.status, &new)
            .await?;
        Ok(Requeue::OnChange.or_at(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_come_is_said() {
        let why = |spec: Value| mistake(&spec).map_or(String::new(), |unmet| unmet.message);
        assert_eq!(
            why(json!({"webhook": {"push": {"endpoint": "/push", "port": "12000"}}})),
            ""
        );
        assert_eq!(
            why(json!({"webhook": {"push": {"endpoint": "/push"}}})),
            "event `push`: port can't be empty"
        );
        assert!(why(json!({"kafka": {"a": {}}})).contains("do not come on the embedded platform"));
        assert_eq!(
            why(json!({"eventBusName": "x"})),
            "no event source is defined"
        );
        assert!(why(json!({"calendar": {"a": {"schedule": "bad"}}})).starts_with("event `a`: "));
        assert_eq!(why(json!({"calendar": {"a": {"interval": "10s"}}})), "");
    }
}
