//! The tables of projects, robot accounts and registries.

use super::directory::Directory;
use super::fleet::{Change, Fleet};
use super::registry::{Kind, Registry, Trouble};
use super::{BETWEEN_LOOKS, Sender, freshness_of, no_registry, wait};
use crate::domain::finding::{Finding, Severity};
use crate::domain::image::{
    Flavour, ProjectRow, RegistryHealth, RegistryRow, cves_kind, projects_kind, registries_kind,
    registry_object, robots_kind,
};
use crate::domain::image_update::updates_kind;
use crate::domain::object::{GroupKind, ObjectRef, Text, Uid};
use crate::domain::status::Freshness;
use crate::engine::protocol::Ticket;
use crate::engine::session::Session;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc;

async fn directory(session: &Session) -> Arc<Directory> {
    let none = BTreeSet::new();
    session.registries.directory(session, &none).await
}

fn harbors(directory: &Directory) -> impl Iterator<Item = &Arc<Registry>> {
    directory.registries.iter().filter(|one| one.is_harbor())
}

/// What is said where no registry has projects and accounts.
fn no_harbor(directory: &Directory) -> Freshness {
    if directory.registries.is_empty() {
        return no_registry();
    }
    Freshness::Absent {
        reason:
            "none of the registries is a Harbor; others have neither projects nor robot accounts"
                .into(),
    }
}

/// Serves the table of projects.
pub(super) async fn projects(session: Arc<Session>, ticket: Ticket) {
    let mut sender = Sender::new(&session, ticket, projects_kind());
    sender.freshness(Freshness::Connecting).await;
    loop {
        let directory = directory(&session).await;
        let (mut rows, mut troubles, mut answered) = (Vec::new(), Vec::new(), 0);
        for registry in harbors(&directory) {
            match registry.projects(&session).await {
                Ok(found) => {
                    answered += 1;
                    let found = found.into_iter();
                    rows.extend(found.map(|row| RegistryRow::Project(Box::new(row))));
                }
                Err(trouble) => troubles.push(trouble),
            }
        }
        if !deliver(
            &mut sender,
            &session,
            rows,
            (&directory, &troubles, answered),
        )
        .await
        {
            return;
        }
    }
}

/// Serves the table of robot accounts.
pub(super) async fn robots(session: Arc<Session>, ticket: Ticket) {
    let mut sender = Sender::new(&session, ticket, robots_kind());
    sender.freshness(Freshness::Connecting).await;
    loop {
        let directory = directory(&session).await;
        let (mut rows, mut troubles, mut answered) = (Vec::new(), Vec::new(), 0);
        for registry in harbors(&directory) {
            match robots_of(&session, registry).await {
                Ok(found) => {
                    answered += 1;
                    rows.extend(found);
                }
                Err(trouble) => troubles.push(trouble),
            }
        }
        if !deliver(
            &mut sender,
            &session,
            rows,
            (&directory, &troubles, answered),
        )
        .await
        {
            return;
        }
    }
}

async fn robots_of(session: &Session, registry: &Registry) -> Result<Vec<RegistryRow>, Trouble> {
    let projects = registry.projects(session).await?;
    let named: Vec<(i64, Text)> = projects
        .iter()
        .map(|row: &ProjectRow| (row.id, Text::clone(&row.object.name)))
        .collect();
    let found = registry.robots(session, &named).await?;
    let rows = found
        .into_iter()
        .map(|row| RegistryRow::Robot(Box::new(row)));
    Ok(rows.collect())
}

/// Sends rows, says how current they are, and waits for the next look.
async fn deliver(
    sender: &mut Sender,
    session: &Arc<Session>,
    rows: Vec<RegistryRow>,
    (directory, troubles, answered): (&Directory, &[Trouble], usize),
) -> bool {
    let freshness = if answered == 0 && troubles.is_empty() {
        no_harbor(directory)
    } else {
        freshness_of(troubles, answered, session)
    };
    // After a failure what was shown stays, and is said to be old.
    if freshness == Freshness::Live || !sender.begun {
        sender.send(rows).await;
    }
    sender.freshness(freshness).await;
    wait(session, BETWEEN_LOOKS).await
}

/// Serves the table of registries: those that are asked, and the hosts that are only named.
pub(super) async fn registries(session: Arc<Session>, ticket: Ticket) {
    let mut sender = Sender::new(&session, ticket, registries_kind());
    sender.freshness(Freshness::Connecting).await;
    let (changes, mut inbox) = mpsc::channel(64);
    let mut fleet = Fleet::new(&session);
    let tasks = Fleet::watch(&session, &changes).await;
    drop(changes);
    while !fleet.is_complete() {
        match inbox.recv().await {
            Some(change) => fleet.apply(change),
            None => return,
        }
    }
    loop {
        while let Ok(change) = inbox.try_recv() {
            fleet.apply(change);
        }
        let rows = health_rows(&session, &fleet).await;
        sender.send(rows).await;
        sender.freshness(Freshness::Live).await;
        let going = tokio::select! {
            going = wait(&session, BETWEEN_LOOKS) => going,
            going = drain(&mut fleet, &mut inbox) => going,
        };
        if !going {
            break;
        }
    }
    drop(tasks);
}

/// Takes changes in, so that the watches are not held up; ends with them only.
async fn drain(fleet: &mut Fleet, inbox: &mut mpsc::Receiver<Change>) -> bool {
    while let Some(change) = inbox.recv().await {
        fleet.apply(change);
    }
    false
}

async fn health_rows(session: &Session, fleet: &Fleet) -> Vec<RegistryRow> {
    let mut in_use: BTreeMap<Text, u32> = BTreeMap::new();
    for (host, _) in fleet.wanted().into_keys() {
        *in_use.entry(host).or_default() += 1;
    }
    let hosts: BTreeSet<Text> = in_use.keys().cloned().collect();
    let directory = session.registries.directory(session, &hosts).await;
    let mut rows = Vec::new();
    for registry in &directory.registries {
        let repositories = in_use.remove(&registry.host).unwrap_or_default();
        rows.push(health_of(session, registry, repositories).await);
    }
    for (host, trouble) in &directory.broken {
        let mut row = unasked(session, host, in_use.remove(host).unwrap_or_default());
        row.findings.push(trouble.finding());
        rows.push(row);
    }
    for (host, repositories) in in_use {
        let mut row = unasked(session, &host, repositories);
        row.findings.push(why_unasked(&host));
        rows.push(row);
    }
    let rows = rows.into_iter();
    rows.map(|row| RegistryRow::Registry(Box::new(row)))
        .collect()
}

/// Says that a host is not asked, and how to change that.
fn why_unasked(host: &str) -> Finding {
    let Trouble { sentence, hint, .. } = Trouble::unasked(host);
    Finding::new(Severity::Info, sentence).with_hint(hint)
}

/// Makes the row of a host that images name and nobody has configured.
pub(super) fn named_only(session: &Session, object: &ObjectRef) -> Option<RegistryRow> {
    let is_host = object.kind == registries_kind();
    is_host.then(|| {
        let mut row = unasked(session, &object.name, 0);
        row.findings.push(why_unasked(&object.name));
        RegistryRow::Registry(Box::new(row))
    })
}

fn unasked(session: &Session, host: &str, repositories: u32) -> RegistryHealth {
    RegistryHealth {
        object: registry_object(&session.cluster, registries_kind(), "", host),
        uid: Uid(host.into()),
        flavour: Flavour::Unasked,
        address: "".into(),
        version: "".into(),
        account: "".into(),
        account_from: "".into(),
        healthy: None,
        components: Vec::new(),
        read_only: false,
        storage: None,
        repositories,
        findings: Vec::new(),
    }
}

async fn health_of(session: &Session, registry: &Registry, repositories: u32) -> RegistryHealth {
    let mut row = unasked(session, &registry.host, repositories);
    row.flavour = registry.flavour;
    row.address = registry.route.name();
    row.account = Text::clone(&registry.account.name);
    row.account_from = Text::clone(&registry.account.from);
    row.version = Text::clone(&registry.info.version);
    row.read_only = registry.info.read_only;
    let outcome = if registry.is_harbor() {
        registry.health(session).await
    } else {
        ping(session, registry).await.map(|()| (None, Vec::new()))
    };
    match outcome {
        Ok((healthy, components)) => {
            row.healthy = healthy;
            row.components = components;
        }
        Err(trouble) => row.findings.push(trouble.finding()),
    }
    if registry.is_harbor() && row.findings.is_empty() {
        match registry.logs_in(session).await {
            Ok(()) => row.storage = registry.volumes(session).await,
            Err(trouble) => row.findings.push(trouble.finding()),
        }
    }
    row
}

async fn ping(session: &Session, registry: &Registry) -> Result<(), Trouble> {
    let asked = super::route::Asked::get("/v2/");
    let reply = registry.exchange(session, asked).await;
    let outcome = match reply {
        // It asks who we are: it is there.
        Ok(reply) if reply.is_good() || reply.code == 401 => Ok(()),
        Ok(reply) => Err(registry.trouble_of(&reply)),
        Err(trouble) => Err(trouble),
    };
    registry.book(session, outcome).await
}

impl Registry {
    /// Finds out whether the account is good: a wrong password is no error by itself, the request
    /// just goes on as nobody's. A robot is refused with 412 where a user would be told who he is.
    async fn logs_in(&self, session: &Session) -> Result<(), Trouble> {
        if self.account.is_nobody() {
            return match &self.without_account {
                Some(problem) => Err(Trouble::new(
                    Kind::NeedsCredentials,
                    format!("`{}`: {problem}", self.host),
                    "correct `[[registry]]` in the configuration",
                )),
                None => Ok(()),
            };
        }
        let asked = super::route::Asked::get(format!("{}/users/current", super::harbor::API));
        let asked = asked.authorised(self.account.basic());
        let reply = self.exchange(session, asked).await?;
        let outcome = match reply.code {
            200..=299 | 412 => Ok(()),
            _ => Err(self.trouble_of(&reply)),
        };
        self.book(session, outcome).await
    }
}

/// Reads the rows of a kind once, for reports.
pub(super) async fn rows_once(
    session: &Arc<Session>,
    kind: &GroupKind,
) -> Result<Vec<RegistryRow>, Finding> {
    let directory = directory(session).await;
    let mut rows = Vec::new();
    // One registry that fails does not hide what the others have.
    let mut trouble = None;
    for registry in &directory.registries {
        if *kind == registries_kind() {
            let row = health_of(session, registry, 0).await;
            rows.push(RegistryRow::Registry(Box::new(row)));
        } else if *kind == robots_kind() && registry.is_harbor() {
            match robots_of(session, registry).await {
                Ok(found) => rows.extend(found),
                Err(failed) => trouble = trouble.or(Some(failed)),
            }
        } else if *kind == projects_kind() && registry.is_harbor() {
            match registry.projects(session).await {
                Ok(found) => {
                    let found = found.into_iter();
                    rows.extend(found.map(|row| RegistryRow::Project(Box::new(row))));
                }
                Err(failed) => trouble = trouble.or(Some(failed)),
            }
        }
    }
    if let Some(trouble) = trouble.filter(|_| rows.is_empty()) {
        return Err(trouble.finding());
    }
    if *kind == cves_kind() {
        rows = super::cves::once(session).await;
    } else if *kind == updates_kind() {
        rows = super::updates::once(session).await;
    }
    Ok(rows)
}
