//! Kubernetes Events as upstream's recorder writes them.
//!
//! An event that repeats raises `count` and `lastTimestamp` of the one that is there (client-go
//! `tools/record/events_cache.go`). Events go away an hour of platform time after they were last
//! seen, as they do on a real API server. Recording never blocks: when the writer cannot keep up,
//! further events are dropped, as upstream does.

use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::runtime::time::api_time;
use crate::sim::controllers::runtime::{Informer, Runtime, Watched};
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use std::collections::{BTreeSet, HashMap};
use tokio::sync::mpsc;

const WAITING_ROOM: usize = 8192;
const TIME_TO_LIVE: TimeDelta = TimeDelta::hours(1);

/// Starts the writer of events. Clones share it.
#[derive(Clone, Debug)]
pub struct Events {
    sender: mpsc::Sender<Occurrence>,
    clock: PlatformClock,
}

/// Records events in the name of one component.
#[derive(Clone, Debug)]
pub struct Recorder {
    events: Events,
    component: &'static str,
    host: Option<String>,
}

/// What an event says about an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Said {
    component: &'static str,
    host: Option<String>,
    about: About,
    warning: bool,
    reason: String,
    message: String,
}

/// The object an event is about, as far as it identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct About {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
    uid: String,
    resource_version: String,
    field_path: Option<String>,
}

impl About {
    /// Names an object whose kind is known at compile time.
    pub fn object<K: Watched<DynamicType = ()>>(object: &K) -> Self {
        Self::kind(object, &())
    }

    /// Names an object of an informer's kind.
    pub fn of<K: Watched>(object: &K, informer: &Informer<K>) -> Self {
        Self::kind(object, informer.kind())
    }

    fn kind<K: Watched>(object: &K, kind: &K::DynamicType) -> Self {
        let meta = object.meta();
        Self {
            api_version: K::api_version(kind).into_owned(),
            kind: K::kind(kind).into_owned(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone().unwrap_or_default(),
            field_path: None,
        }
    }

    /// Points at a part of the object, such as `spec.containers{web}`.
    #[must_use]
    pub fn at(mut self, field_path: String) -> Self {
        self.field_path = Some(field_path);
        self
    }
}

#[derive(Debug)]
struct Occurrence {
    said: Said,
    at: DateTime<Utc>,
}

impl Events {
    /// Starts writing events through the runtime's client.
    pub fn start(runtime: &Runtime) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_ROOM);
        let scribe = Scribe {
            client: runtime.client().clone(),
            clock: runtime.clock().clone(),
            known: HashMap::new(),
            expiries: BTreeSet::new(),
            written: 0,
        };
        runtime.spawn(scribe.run(receiver));
        Self {
            sender,
            clock: runtime.clock().clone(),
        }
    }

    /// Returns a recorder in the name of a component.
    pub fn recorder(&self, component: &'static str) -> Recorder {
        Recorder {
            events: self.clone(),
            component,
            host: None,
        }
    }
}

impl Recorder {
    /// Returns the same recorder speaking from a host.
    #[must_use]
    pub fn on_host(&self, host: &str) -> Self {
        Self {
            host: Some(host.to_owned()),
            ..self.clone()
        }
    }

    /// Records that something normal happened to an object.
    pub fn normal(&self, about: About, reason: &str, message: impl Into<String>) {
        self.record(
            about,
            false,
            (reason, message.into()),
            self.events.clock.now(),
        );
    }

    /// Records that something went wrong with an object.
    pub fn warning(&self, about: About, reason: &str, message: impl Into<String>) {
        self.record(
            about,
            true,
            (reason, message.into()),
            self.events.clock.now(),
        );
    }

    /// Records what happened at a platform time that may have passed.
    pub fn record(
        &self,
        about: About,
        warning: bool,
        (reason, message): (&str, String),
        at: DateTime<Utc>,
    ) {
        let said = Said {
            component: self.component,
            host: self.host.clone(),
            about,
            warning,
            reason: reason.to_owned(),
            message,
        };
        if self
            .events
            .sender
            .try_send(Occurrence { said, at })
            .is_err()
        {
            tracing::debug!("an event was dropped: too many at once");
        }
    }
}

/// What is known of an event that was written.
#[derive(Debug)]
struct Written {
    name: String,
    count: i32,
    last: DateTime<Utc>,
}

struct Scribe {
    client: kube::Client,
    clock: PlatformClock,
    known: HashMap<Said, Written>,
    expiries: BTreeSet<(DateTime<Utc>, String, String)>,
    written: i64,
}

impl Scribe {
    async fn run(mut self, mut receiver: mpsc::Receiver<Occurrence>) {
        loop {
            let expiry = self.expiries.first().map(|(last, ..)| *last + TIME_TO_LIVE);
            let clock = self.clock.clone();
            let expired = async move {
                match expiry {
                    Some(due) => clock.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                occurrence = receiver.recv() => match occurrence {
                    Some(occurrence) => self.write(occurrence).await,
                    None => return,
                },
                () = expired => self.expire().await,
            }
        }
    }

    async fn write(&mut self, Occurrence { mut said, at }: Occurrence) {
        let version = std::mem::take(&mut said.about.resource_version);
        let outcome = match self.known.get(&said) {
            Some(known) => {
                let count = known.count + 1;
                self.raise(&said, count, at).await
            }
            None => self.create(&said, version.clone(), at).await,
        };
        if let Err(error) = outcome {
            // Deleted by someone, or its namespace is going away: a new one if that is possible.
            let retried = if self.forget(&said) {
                self.create(&said, version, at).await
            } else {
                Err(error)
            };
            if let Err(error) = retried {
                tracing::debug!("an event was not written: {error}");
            }
        }
    }

    async fn raise(&mut self, said: &Said, count: i32, at: DateTime<Utc>) -> kube::Result<()> {
        let Some(known) = self.known.get_mut(said) else {
            return Ok(());
        };
        let patch = serde_json::json!({"count": count, "lastTimestamp": api_time(at)});
        let namespace = event_namespace(&said.about);
        Api::<Event>::namespaced(self.client.clone(), namespace)
            .patch(
                &known.name,
                &PatchParams {
                    field_manager: Some(said.component.into()),
                    ..PatchParams::default()
                },
                &Patch::Merge(&patch),
            )
            .await?;
        self.expiries
            .remove(&(known.last, namespace.to_owned(), known.name.clone()));
        known.count = count;
        known.last = at;
        self.expiries
            .insert((at, namespace.to_owned(), known.name.clone()));
        Ok(())
    }

    async fn create(
        &mut self,
        said: &Said,
        version: String,
        at: DateTime<Utc>,
    ) -> kube::Result<()> {
        self.written += 1;
        let nanos = at.timestamp_nanos_opt().unwrap_or_default();
        let name = format!("{}.{:x}", said.about.name, nanos.wrapping_add(self.written));
        let namespace = event_namespace(&said.about).to_owned();
        let event = event(
            said,
            version,
            at,
            ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
        );
        let params = PostParams {
            field_manager: Some(said.component.into()),
            ..PostParams::default()
        };
        Api::<Event>::namespaced(self.client.clone(), &namespace)
            .create(&params, &event)
            .await?;
        self.expiries.insert((at, namespace, name.clone()));
        let written = Written {
            name,
            count: 1,
            last: at,
        };
        self.known.insert(said.clone(), written);
        Ok(())
    }

    fn forget(&mut self, said: &Said) -> bool {
        let Some(known) = self.known.remove(said) else {
            return false;
        };
        let namespace = event_namespace(&said.about).to_owned();
        self.expiries.remove(&(known.last, namespace, known.name));
        true
    }

    async fn expire(&mut self) {
        let limit = self.clock.now() - TIME_TO_LIVE;
        while let Some((last, namespace, name)) = self.expiries.pop_first() {
            if last > limit {
                self.expiries.insert((last, namespace, name));
                break;
            }
            let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
            if let Err(error) = api.delete(&name, &DeleteParams::default()).await {
                tracing::debug!("an expired event stays: {error}");
            }
        }
        self.known.retain(|_, known| known.last > limit);
    }
}

/// Events about cluster-scoped objects live in `default`.
fn event_namespace(about: &About) -> &str {
    if about.namespace.is_empty() {
        "default"
    } else {
        &about.namespace
    }
}

fn event(said: &Said, version: String, at: DateTime<Utc>, metadata: ObjectMeta) -> Event {
    let about = said.about.clone();
    let some = |text: String| (!text.is_empty()).then_some(text);
    Event {
        metadata,
        involved_object: ObjectReference {
            api_version: some(about.api_version),
            kind: some(about.kind),
            namespace: some(about.namespace),
            name: some(about.name),
            uid: some(about.uid),
            resource_version: some(version),
            field_path: about.field_path,
        },
        reason: Some(said.reason.clone()),
        message: Some(said.message.clone()),
        type_: Some(if said.warning { "Warning" } else { "Normal" }.to_owned()),
        source: Some(EventSource {
            component: Some(said.component.to_owned()),
            host: said.host.clone(),
        }),
        reporting_component: Some(said.component.to_owned()),
        reporting_instance: Some(said.host.clone().unwrap_or_default()),
        first_timestamp: Some(api_time(at)),
        last_timestamp: Some(api_time(at)),
        count: Some(1),
        ..Event::default()
    }
}
