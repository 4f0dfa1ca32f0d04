//! From an event to what it caused: EventSources, Sensors, their triggers, and webhooks received.
//!
//! Specs say what listens to what; labels on made objects say what really happened.

use super::finding::Finding;
use super::kind::ARGO;
use super::object::{GroupKind, ObjectRef, Text, Uid};
use super::status::Health;
use chrono::{DateTime, Utc};

/// Returns the kind of EventSources.
pub fn event_source_kind() -> GroupKind {
    GroupKind::new(ARGO, "EventSource")
}

/// Returns the kind of Sensors.
pub fn sensor_kind() -> GroupKind {
    GroupKind::new(ARGO, "Sensor")
}

/// Everything between an event and a run, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventFlow {
    pub sources: Vec<EventSource>,
    pub sensors: Vec<Sensor>,
    /// EventListeners of Tekton Triggers.
    pub listeners: Vec<Listener>,
    /// What triggers made, newest first.
    pub made: Vec<Made>,
    /// Newest first.
    pub webhooks: Vec<Webhook>,
    /// When webhooks cannot be read, because the platform keeps none: why.
    pub without_webhooks: Option<Text>,
    pub findings: Vec<Finding>,
}

/// One EventSource.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSource {
    pub object: ObjectRef,
    pub uid: Uid,
    pub bus: Text,
    pub events: Vec<SourceEvent>,
    pub ready: Readiness,
}

/// One event of an EventSource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEvent {
    pub name: Text,
    /// `webhook`, `calendar`, `resource`, `gitlab` …
    pub kind: Text,
    /// What it listens to: `POST :12000/push`, a schedule, a kind.
    pub what: Text,
    /// It has an endpoint that a test event can be sent to.
    pub endpoint: Option<Endpoint>,
}

/// Where a webhook event listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub port: u16,
    pub path: Text,
    pub method: Text,
    /// Name and key of the Secret that payloads are signed with.
    pub secret: Option<(Text, Text)>,
}

/// Whether all conditions are true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// Nobody has said anything yet.
    Unknown,
    /// Reason and message of the first condition that is not true.
    NotReady(Text),
}

impl Readiness {
    /// Returns the health that stands for it.
    pub fn health(&self) -> Health {
        match self {
            Self::Ready => Health::Healthy,
            Self::Unknown => Health::Progressing,
            Self::NotReady(_) => Health::Degraded,
        }
    }

    /// Returns a word or two.
    pub fn words(&self) -> &str {
        match self {
            Self::Ready => "ready",
            Self::Unknown => "not known yet",
            Self::NotReady(why) => why,
        }
    }
}

/// One Sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    pub object: ObjectRef,
    pub uid: Uid,
    pub bus: Text,
    pub dependencies: Vec<Dependency>,
    pub triggers: Vec<SensorTrigger>,
    pub ready: Readiness,
}

/// What a Sensor waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub name: Text,
    pub source: Text,
    pub event: Text,
    /// Filters in words, such as `body.ref = refs/heads/main`.
    pub filters: Vec<Text>,
}

/// What a Sensor does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorTrigger {
    pub name: Text,
    /// `argoWorkflow submit`, `k8s create`, `http`.
    pub what: Text,
    /// Condition over dependencies; empty is all of them.
    pub conditions: Text,
    /// The names of dependencies it goes by.
    pub uses: Vec<Text>,
    /// What it makes: a kind and a name or a template; empty when it makes nothing.
    pub makes: Text,
    /// Parameters in words: `body.after → spec.arguments.parameters.0.value`.
    pub parameters: Vec<Text>,
}

/// One EventListener.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    pub object: ObjectRef,
    pub uid: Uid,
    pub address: Text,
    /// Names of its triggers, with their interceptors in words.
    pub triggers: Vec<(Text, Text)>,
    pub ready: Readiness,
}

/// An object that a trigger made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub object: ObjectRef,
    pub uid: Uid,
    /// Sensor or EventListener.
    pub by: Text,
    pub trigger: Text,
    pub at: Option<DateTime<Utc>>,
    pub phase: super::pipeline::Phase,
    pub revision: Text,
}

/// A webhook that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Names it when it is to be delivered once more.
    pub id: Text,
    pub at: Option<DateTime<Utc>>,
    /// EventSource and event, or an EventListener.
    pub to: Text,
    pub method: Text,
    pub path: Text,
    /// What GitHub or Gitea call it: `push`.
    pub event: Text,
    /// Status of the answer.
    pub code: u16,
    /// What became of it: accepted, or why not; each trigger or filter on a line.
    pub outcome: Vec<Text>,
    /// Whether a filter or a check dropped it.
    pub dropped: bool,
    pub headers: Vec<(Text, Text)>,
    pub payload: Text,
}

impl EventFlow {
    /// Returns the Sensors that listen to an event of a source.
    pub fn listening<'flow>(
        &'flow self,
        source: &'flow EventSource,
        event: &'flow str,
    ) -> impl Iterator<Item = (&'flow Sensor, &'flow Dependency)> {
        let here = source.object.namespace.as_ref();
        self.sensors
            .iter()
            .filter(move |sensor| sensor.object.namespace.as_ref() == here)
            .flat_map(|sensor| sensor.dependencies.iter().map(move |one| (sensor, one)))
            .filter(move |(_, one)| *one.source == *source.object.name && *one.event == *event)
    }

    /// Returns what a trigger made, newest first.
    pub fn made_by<'flow>(
        &'flow self,
        by: &'flow str,
        trigger: &'flow str,
    ) -> impl Iterator<Item = &'flow Made> {
        self.made
            .iter()
            .filter(move |made| *made.by == *by && *made.trigger == *trigger)
    }

    /// Returns dependencies whose source or event nobody has.
    pub fn unmet(&self) -> Vec<(&Sensor, &Dependency)> {
        let mut unmet = Vec::new();
        for sensor in &self.sensors {
            for one in &sensor.dependencies {
                let known = self.sources.iter().any(|source| {
                    source.object.namespace == sensor.object.namespace
                        && source.object.name == one.source
                        && source.events.iter().any(|event| event.name == one.event)
                });
                if !known {
                    unmet.push((sensor, one));
                }
            }
        }
        unmet
    }
}
