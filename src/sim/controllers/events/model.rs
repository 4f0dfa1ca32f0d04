//! EventBuses, EventSources and Sensors as the wire has them.
//!
//! Follows Argo Events' `pkg/apis/events/v1alpha1`. Specs are kept as they are written; what a
//! part needs of them it reads when it needs it.

use chrono::{DateTime, SecondsFormat, Utc};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The bus that is meant when none is named.
const DEFAULT_BUS: &str = "default";

macro_rules! kind {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $plural:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, Serialize)]
        pub struct $name {
            pub metadata: ObjectMeta,
            #[serde(default)]
            pub spec: Value,
            #[serde(default)]
            pub status: Value,
        }

        impl Resource for $name {
            type DynamicType = ();
            type Scope = NamespaceResourceScope;

            fn kind((): &()) -> Cow<'_, str> {
                $kind.into()
            }

            fn group((): &()) -> Cow<'_, str> {
                "argoproj.io".into()
            }

            fn version((): &()) -> Cow<'_, str> {
                "v1alpha1".into()
            }

            fn plural((): &()) -> Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

kind!(
    /// Carries events from their sources to sensors.
    EventBus, "EventBus", "eventbus"
);
kind!(
    /// Where events come from.
    EventSource, "EventSource", "eventsources"
);
kind!(
    /// What is done when events have come.
    Sensor, "Sensor", "sensors"
);

/// Returns a text of an object, empty where there is none.
pub(super) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Returns a list of an object, empty where there is none.
pub(super) fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    let found = value.get(field).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

/// Returns the name of the bus that an EventSource or Sensor uses.
pub(super) fn bus_of(spec: &Value) -> &str {
    match text(spec, "eventBusName") {
        "" => DEFAULT_BUS,
        name => name,
    }
}

/// The kinds of sources that events really come from here.
pub(super) const KNOWN_SOURCES: [&str; 4] = ["webhook", "github", "calendar", "resource"];

/// Fields of an EventSource that are no kind of source.
const OTHER_FIELDS: [&str; 5] = [
    "eventBusName",
    "template",
    "service",
    "replicas",
    "priorityClassName",
];

/// One event that an EventSource declares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared<'s> {
    /// Such as `webhook`.
    pub(super) kind: &'s str,
    pub(super) name: &'s str,
    pub(super) spec: &'s Value,
}

/// Lists the events that an EventSource declares, of whatever kind.
pub(super) fn declared(spec: &Value) -> impl Iterator<Item = Declared<'_>> {
    let sections = spec.as_object().into_iter().flatten();
    let sections = sections.filter(|(kind, _)| !OTHER_FIELDS.contains(&kind.as_str()));
    sections.flat_map(|(kind, events)| {
        let events = events.as_object().into_iter().flatten();
        events.map(move |(name, spec)| Declared { kind, name, spec })
    })
}

impl<'s> Declared<'s> {
    /// Returns what says on which port and path the event is received, for kinds that listen.
    pub(super) fn door(&self) -> Option<&'s Value> {
        match self.kind {
            "webhook" => Some(self.spec),
            "github" => self.spec.get("webhook"),
            _ => None,
        }
    }
}

/// An event on its way, as CloudEvents describe it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: String,
    /// The kind of source, such as `webhook`.
    pub kind: String,
    /// The EventSource's name.
    pub source: String,
    /// The event's name in it.
    pub subject: String,
    pub namespace: String,
    pub bus: String,
    pub at: DateTime<Utc>,
    pub data: Value,
}

impl Event {
    /// Returns everything but the data.
    pub(super) fn context(&self) -> Value {
        json!({
            "id": self.id,
            "source": self.source,
            "specversion": "1.0",
            "type": self.kind,
            "datacontenttype": "application/json",
            "subject": self.subject,
            "time": self.at.to_rfc3339_opts(SecondsFormat::Secs, true),
        })
    }
}
