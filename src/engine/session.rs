//! One connection to one context: what every task of it shares.

use super::EngineOptions;
use super::discovery::Kinds;
use super::fault::Fault;
use super::platform::Link;
use super::protocol::{Connection, ContextInfo, Generation, Scope, SourceName, Update};
use super::resource::Resource;
use super::transport::{Call, send, send_json};
use crate::domain::clock::Clock;
use crate::domain::finding::Finding;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text};
use crate::domain::status::Freshness;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::{RwLock, mpsc, watch};

/// Counts the user's wishes to try again and to list again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wake {
    pub(super) retries: u64,
    pub(super) reloads: u64,
}

/// A connection. Tasks hold it by `Arc`; it ends with them.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) generation: Generation,
    pub(super) context: ContextInfo,
    /// Made anew when the user asks to try again and the server was out of reach.
    pub(super) link: watch::Sender<Link>,
    pub(super) cluster: Cluster,
    pub(super) scope: Scope,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) updates: mpsc::Sender<Update>,
    pub(super) options: EngineOptions,
    pub(super) wake: watch::Receiver<Wake>,
    pub(super) facts: watch::Sender<Connection>,
    pub(super) kinds: RwLock<Option<Arc<Kinds>>>,
    pub(super) reachable: AtomicBool,
    /// Milliseconds of platform time since when the server has not answered; zero while it does.
    pub(super) away_since: AtomicI64,
    /// Answers to access reviews: kind, namespace, `verb/subresource`.
    pub(super) access: RwLock<HashMap<Right, bool>>,
    pub(super) metrics: super::metrics::Hub,
    pub(super) registries: super::registries::Hub,
    pub(super) github: super::github::Hub,
    /// Rollouts on which an intent is being sent.
    pub(super) in_flight: tokio::sync::Mutex<std::collections::HashSet<ObjectRef>>,
}

/// What an access review was about.
pub(super) type Right = (GroupKind, Option<Text>, String);

impl Session {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Returns the client of the moment.
    pub(super) fn client(&self) -> kube::Client {
        self.link.borrow().client.clone()
    }

    /// Returns the platform time at which a real wait ends.
    pub(super) fn after(&self, wait: Duration) -> DateTime<Utc> {
        let speed = self.clock.speed().max(0.01);
        self.now() + TimeDelta::from_std(wait.mul_f64(speed)).unwrap_or_default()
    }

    pub(super) async fn send(&self, call: Call) -> Result<Bytes, Fault> {
        send(&self.client(), call).await
    }

    pub(super) async fn send_json(&self, call: Call) -> Result<Value, Fault> {
        send_json(&self.client(), call).await
    }

    /// Reports something to the cockpit; a cockpit that is gone needs no report.
    pub(super) async fn report(&self, update: Update) {
        if self.updates.send(update).await.is_err() {
            tracing::debug!("nobody listens any more");
        }
    }

    pub(super) async fn report_freshness(&self, source: SourceName, freshness: Freshness) {
        let generation = self.generation;
        self.report(Update::Freshness {
            generation,
            source,
            freshness,
        })
        .await;
    }

    /// The server answered: says so when it was away.
    pub(super) async fn reached(&self) {
        self.away_since.store(0, Ordering::Relaxed);
        if !self.reachable.swap(true, Ordering::Relaxed) {
            self.report_freshness(SourceName::Kubernetes, Freshness::Live)
                .await;
        }
    }

    /// Returns since when the server has not answered: since now, when it did until now.
    pub(super) fn away_since(&self) -> DateTime<Utc> {
        let now = self.now();
        let before = self.away_since.compare_exchange(
            0,
            now.timestamp_millis(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        let known = before.err().and_then(DateTime::from_timestamp_millis);
        known.unwrap_or(now)
    }

    /// Returns the state of a source after a fault that passes, which is asked again after a wait.
    pub(super) fn stale(&self, fault: &Fault, since: DateTime<Utc>, wait: Duration) -> Freshness {
        let reason = if let Fault::Unreachable(why) = fault {
            format!("{}: {why}", self.context.server)
        } else {
            fault.to_string()
        };
        Freshness::Stale {
            since,
            retry_at: self.after(wait),
            reason: reason.into(),
        }
    }

    /// The server did not answer.
    pub(super) async fn unreached(&self, freshness: Freshness) {
        self.reachable.store(false, Ordering::Relaxed);
        self.report_freshness(SourceName::Kubernetes, freshness)
            .await;
    }

    /// Changes what is known of the server and reports it when it is new.
    pub(super) async fn learn(&self, change: impl FnOnce(&mut Connection)) {
        let changed = self.facts.send_if_modified(|facts| {
            let before = facts.clone();
            change(facts);
            *facts != before
        });
        if changed {
            let connection = self.facts.borrow().clone();
            let generation = self.generation;
            self.report(Update::Connection {
                generation,
                connection,
            })
            .await;
        }
    }

    /// Returns where a kind is served: from our table, else by discovery.
    pub(super) async fn resource(&self, kind: &GroupKind) -> Result<Resource, Fault> {
        match Resource::known(kind) {
            Some(resource) => Ok(resource),
            None => self.discovered(kind).await,
        }
    }

    /// Returns where the server says a kind is served.
    pub(super) async fn discovered(&self, kind: &GroupKind) -> Result<Resource, Fault> {
        let kinds = self.kinds().await?;
        if let Some(resource) = kinds.resource(kind) {
            return Ok(resource);
        }
        // It may have been installed a moment ago.
        let kinds = self.rediscovered().await?;
        kinds
            .resource(kind)
            .ok_or_else(|| Fault::NotFound(format!("the server does not know the kind `{kind}`")))
    }

    /// Returns the kinds of the server, asked once.
    pub(super) async fn kinds(&self) -> Result<Arc<Kinds>, Fault> {
        if let Some(kinds) = &*self.kinds.read().await {
            return Ok(Arc::clone(kinds));
        }
        self.rediscovered().await
    }

    /// Asks for the kinds of the server again.
    pub(super) async fn rediscovered(&self) -> Result<Arc<Kinds>, Fault> {
        let kinds = Arc::new(Kinds::discover(&self.client()).await?);
        *self.kinds.write().await = Some(Arc::clone(&kinds));
        Ok(kinds)
    }

    /// Reads one object.
    pub(super) async fn object(&self, object: &ObjectRef) -> Result<Value, Fault> {
        if super::github::has(&object.kind) {
            return super::github::object(self, object).await;
        }
        let resource = self.resource(&object.kind).await?;
        self.send_json(Call::get(resource.object(object))).await
    }

    /// Reads one object, or says what could not be read.
    pub(super) async fn object_or_finding(&self, object: &ObjectRef) -> Result<Value, Finding> {
        let read = self.object(object).await;
        read.map_err(|fault| {
            let doing = format!("cannot read {} `{}`", object.kind, object.path());
            fault.into_finding(&doing).about(object.clone())
        })
    }

    /// Names an object of this cluster.
    pub(super) fn object_ref(&self, kind: GroupKind, namespace: &str, name: &str) -> ObjectRef {
        ObjectRef {
            cluster: self.cluster.clone(),
            kind,
            namespace: (!namespace.is_empty()).then(|| Text::from(namespace)),
            name: name.into(),
        }
    }
}
