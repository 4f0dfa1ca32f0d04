//! Registries: what they have, joined with what runs. Harbor and plain ones, live and embedded.
//!
//! Nothing is polled that nobody looks at. What several subscriptions want is read once; a registry
//! that does not answer makes its own source stale and stops no other.

mod account;
mod copy;
mod cves;
mod describe;
mod detail;
mod directory;
mod fleet;
mod harbor;
mod join;
mod lists;
mod oci;
mod registry;
mod repository;
mod route;
mod standings;
mod stock;
mod survey;
mod updates;
mod why;

pub(super) use account::{Account, configured};
pub(super) use describe::describe;
pub(super) use detail::run as image;
pub(super) use harbor::{repository_path, split};
pub(super) use registry::{Registry, Trouble};
pub(super) use route::{Asked, Reply, Route, UNTRUSTED};
pub(super) use standings::{Following, Standings};
pub(super) use why::why;

use super::protocol::{Delta, Rows, SourceName, Ticket, Update};
use super::session::Session;
use crate::domain::image::{
    RegistryRow, cves_kind, images_kind, projects_kind, repository_of, robots_kind,
};
use crate::domain::image_update::updates_kind;
use crate::domain::object::{GroupKind, ObjectRef, Text, Uid};
use crate::domain::status::Freshness;
use directory::Directory;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use stock::Memory;
use tokio::sync::{Mutex, watch};

/// How often lists of registries are read again, in the platform's time.
pub(super) const BETWEEN_LOOKS: chrono::TimeDelta = chrono::TimeDelta::seconds(30);
/// How long the list of registries is good, in real time.
const DIRECTORY_GOOD_FOR: Duration = Duration::from_secs(120);

/// What the subscriptions of one connection share.
#[derive(Debug, Default)]
pub(super) struct Hub {
    directory: Mutex<Option<Known>>,
    memory: Memory,
    /// Counts changes that were made from here.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Known {
    directory: Arc<Directory>,
    hosts: BTreeSet<Text>,
    at: tokio::time::Instant,
    retries: u64,
}

impl Hub {
    /// Returns the registries; found anew when the user asks to, when images name further hosts,
    /// and now and then.
    async fn directory(&self, session: &Session, hosts: &BTreeSet<Text>) -> Arc<Directory> {
        // Held while they are found, so that several who look at once find them once.
        let mut known = self.directory.lock().await;
        let wake = *session.wake.borrow();
        if let Some(known) = &*known
            && known.directory.reloads == wake.reloads
            && known.retries == wake.retries
            && known.at.elapsed() < DIRECTORY_GOOD_FOR
            && known.hosts.is_superset(hosts)
        {
            return Arc::clone(&known.directory);
        }
        let mut all = hosts.clone();
        if let Some(known) = &*known {
            all.extend(known.hosts.iter().cloned());
        }
        self.memory.forget_lists().await;
        let directory = Arc::new(directory::find(session, &all).await);
        *known = Some(Known {
            directory: Arc::clone(&directory),
            hosts: all,
            at: tokio::time::Instant::now(),
            retries: wake.retries,
        });
        directory
    }

    /// Returns the registry of a host.
    pub(super) async fn registry(&self, session: &Session, host: &str) -> Option<Arc<Registry>> {
        let hosts = BTreeSet::from([Text::from(host)]);
        let directory = self.directory(session, &hosts).await;
        directory.of_host(host).cloned()
    }

    /// Returns whether a host is that of a registry that is asked.
    pub(super) async fn knows(&self, host: &str) -> bool {
        let known = self.directory.lock().await;
        let directory = known.as_ref().map(|known| &known.directory);
        directory.is_some_and(|directory| directory.of_host(host).is_some())
    }

    /// Something was changed: lists are read again.
    pub(super) async fn changed(&self) {
        self.memory.forget_lists().await;
        self.changes.send_modify(|count| *count += 1);
    }

    /// Lists are too old, although nobody has changed anything.
    async fn forget_lists(&self) {
        self.memory.forget_lists().await;
    }
}

/// Serves the table of a kind of registries.
///
/// Of tables that are read page by page, `wanted` says how many rows somebody wants to see.
pub(super) async fn rows(
    session: Arc<Session>,
    ticket: Ticket,
    kind: GroupKind,
    wanted: watch::Receiver<usize>,
) {
    if kind == images_kind() {
        survey::images(session, ticket).await;
    } else if kind == cves_kind() {
        cves::run(session, ticket).await;
    } else if kind == updates_kind() {
        updates::updates(session, ticket).await;
    } else if kind == projects_kind() {
        lists::projects(session, ticket).await;
    } else if kind == robots_kind() {
        lists::robots(session, ticket).await;
    } else if repository_of(&kind).is_some() {
        repository::run(session, (ticket, kind), wanted).await;
    } else {
        lists::registries(session, ticket).await;
    }
}

/// Waits for the next look: a span of the platform's time, a wish to try again, or a change that was
/// made from here. Returns false when the engine ends.
async fn wait(session: &Session, span: chrono::TimeDelta) -> bool {
    let mut changes = session.registries.changes.subscribe();
    tokio::select! {
        going = super::metrics::wait(session, span) => going,
        changed = changes.changed() => changed.is_ok(),
    }
}

/// Sends a table whole at first, and then only what changed.
struct Sender {
    session: Arc<Session>,
    ticket: Ticket,
    kind: GroupKind,
    sent: HashMap<ObjectRef, RegistryRow>,
    begun: bool,
    told: Option<Freshness>,
}

impl Sender {
    fn new(session: &Arc<Session>, ticket: Ticket, kind: GroupKind) -> Self {
        Self {
            session: Arc::clone(session),
            ticket,
            kind,
            sent: HashMap::new(),
            begun: false,
            told: None,
        }
    }

    async fn freshness(&mut self, freshness: Freshness) {
        if self.told.as_ref() == Some(&freshness) {
            return;
        }
        self.told = Some(freshness.clone());
        let source = SourceName::Kind(self.kind.clone());
        self.session.report_freshness(source, freshness).await;
    }

    /// Sends what differs from what was sent before.
    async fn send(&mut self, rows: Vec<RegistryRow>) {
        let mut sent = HashMap::with_capacity(rows.len());
        let mut changed = Vec::new();
        for row in rows {
            let object = row.object().clone();
            if self.sent.remove(&object).as_ref() != Some(&row) {
                changed.push(row.clone());
            }
            sent.insert(object, row);
        }
        let gone = self.sent.drain();
        let removed: Vec<(ObjectRef, Uid)> = gone
            .map(|(object, row)| (object, row.uid().clone()))
            .collect();
        self.sent = sent;
        let reset = !self.begun;
        self.begun = true;
        if !reset && changed.is_empty() && removed.is_empty() {
            return;
        }
        let (generation, ticket) = (self.session.generation, self.ticket);
        let delta = Delta {
            kind: self.kind.clone(),
            reset,
            rows: Rows::Registry(changed),
            removed,
        };
        self.session
            .report(Update::Delta {
                generation,
                ticket,
                delta,
            })
            .await;
    }
}

/// How current a table is that several registries feed: live as long as one answers.
fn freshness_of(troubles: &[Trouble], answered: usize, session: &Session) -> Freshness {
    let Some(first) = troubles.first().filter(|_| answered == 0) else {
        return Freshness::Live;
    };
    let reason = Text::from(first.sentence.as_str());
    match first.kind {
        registry::Kind::NeedsCredentials => Freshness::NeedsCredentials { reason },
        registry::Kind::Forbidden => Freshness::Forbidden { reason },
        registry::Kind::Absent => Freshness::Absent { reason },
        registry::Kind::Passing | registry::Kind::Conflict | registry::Kind::Refused => {
            Freshness::Stale {
                since: session.now(),
                retry_at: session.now() + BETWEEN_LOOKS,
                reason,
            }
        }
    }
}

/// What is said where there is no registry to ask.
fn no_registry() -> Freshness {
    Freshness::Absent {
        reason: "no registry is known: no Service is labelled `app=harbor,component=core`, and the configuration has no `[[registry]]`".into(),
    }
}
