//! The tables of images and of vulnerabilities: what runs, looked up in its registries.
//!
//! Pods are watched; registries are asked when something new runs, and every half minute while the
//! table is open.

use super::directory::Directory;
use super::fleet::{Change, Fleet};
use super::join::{Stocks, join};
use super::registry::{Registry, Trouble};
use super::{BETWEEN_LOOKS, Sender, freshness_of, no_registry};
use crate::domain::image::{
    Affected, ArtifactRow, CveRow, Reference, RegistryRow, Report, cves_kind, images_kind,
    registry_object,
};
use crate::domain::object::{Text, Uid};
use crate::domain::status::Freshness;
use crate::engine::metrics::real;
use crate::engine::protocol::Ticket;
use crate::engine::session::Session;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long changes of Pods are gathered.
const GATHERED: Duration = Duration::from_millis(250);
const AT_ONCE: usize = 4;

/// What runs, and what its registries have of it.
pub(super) struct Survey {
    pub(super) session: Arc<Session>,
    pub(super) fleet: Fleet,
    pub(super) directory: Arc<Directory>,
    pub(super) stocks: Stocks,
    newest: Vec<ArtifactRow>,
    pub(super) troubles: Vec<Trouble>,
    /// Asks about this image's repository alone.
    only: Option<Reference>,
}

impl Survey {
    pub(super) fn new(session: &Arc<Session>, only: Option<Reference>) -> Self {
        Self {
            only,
            session: Arc::clone(session),
            fleet: Fleet::new(session),
            directory: Arc::default(),
            stocks: Stocks::new(),
            newest: Vec::new(),
            troubles: Vec::new(),
        }
    }

    pub(super) fn rows(&self) -> Vec<ArtifactRow> {
        let fleet = (&self.fleet, &self.session.cluster);
        join(fleet, &self.directory, &self.stocks, &self.newest)
    }

    /// Asks the registries about everything that runs. What cannot be had this time stays as it was.
    pub(super) async fn look(&mut self) {
        let mut wanted = self.fleet.wanted();
        if let Some(only) = &self.only {
            let key = (Text::clone(&only.host), Text::clone(&only.repository));
            wanted.retain(|known, _| *known == key);
            wanted.entry(key).or_default().push(only.clone());
        }
        let hosts: BTreeSet<Text> = wanted.keys().map(|(host, _)| Text::clone(host)).collect();
        let hub = &self.session.registries;
        self.directory = hub.directory(&self.session, &hosts).await;
        let directory = Arc::clone(&self.directory);
        let mut asked = Vec::new();
        for (key, references) in wanted {
            let Some(registry) = directory.of_host(&key.0).cloned() else {
                continue;
            };
            let session = Arc::clone(&self.session);
            asked.push(
                async move {
                    let place = (&*registry, &key.1);
                    let stock = session.registries.stock(&session, place, &references).await;
                    (key, stock)
                }
                .boxed(),
            );
        }
        let answers = all(asked).await;
        self.troubles = self
            .directory
            .broken
            .iter()
            .map(|(_, trouble)| trouble.clone())
            .collect();
        let mut stocks = Stocks::new();
        for (key, answer) in answers {
            let before = self.stocks.remove(&key);
            let kept = match (answer, before) {
                (Err(trouble), Some(Ok(before))) => {
                    self.troubles.push(trouble);
                    Ok(before)
                }
                (Err(trouble), _) => {
                    self.troubles.push(trouble.clone());
                    Err(trouble)
                }
                (Ok(stock), _) => Ok(stock),
            };
            stocks.insert(key, kept);
        }
        self.stocks = stocks;
    }

    /// Reads the newest artifact of every repository of every Harbor.
    async fn look_around(&mut self) {
        let mut newest = Vec::new();
        let directory = Arc::clone(&self.directory);
        for registry in directory.registries.iter().filter(|one| one.is_harbor()) {
            match newest_of(&self.session, registry).await {
                Ok(rows) => newest.extend(rows),
                Err(trouble) => {
                    self.troubles.push(trouble);
                    let kept = self
                        .newest
                        .iter()
                        .filter(|row| row.registry == registry.host);
                    newest.extend(kept.cloned());
                }
            }
        }
        self.newest = newest;
    }

    fn freshness(&self) -> Freshness {
        let pods = self.fleet.freshness();
        if pods != Freshness::Live {
            return pods;
        }
        if self.directory.registries.is_empty() && self.troubles.is_empty() {
            return if self.stocks.is_empty() && self.fleet.pods().is_empty() {
                no_registry()
            } else {
                Freshness::Live
            };
        }
        let answered = self.stocks.values().filter(|stock| stock.is_ok()).count();
        freshness_of(&self.troubles, answered + self.newest.len(), &self.session)
    }
}

async fn newest_of(session: &Session, registry: &Registry) -> Result<Vec<ArtifactRow>, Trouble> {
    let projects = registry.projects(session).await?;
    let mut asked = Vec::new();
    for project in projects.iter().filter(|project| project.repositories > 0) {
        asked.push(registry.newest_of(session, &project.object.name).boxed());
    }
    let answers = all(asked).await;
    let mut rows = Vec::new();
    for answer in answers {
        match answer {
            Ok(read) => rows.extend(read.into_iter().map(|one| one.row)),
            // Older versions have no such list; a project may be closed to us.
            Err(trouble) => tracing::debug!(%trouble.sentence, "the newest are not known"),
        }
    }
    Ok(rows)
}

/// Carries several requests out, a few at once.
async fn all<T>(asked: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    futures::stream::iter(asked)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// Gathers what changes until it is time to show it. Returns whether to go on, and whether the
/// registries are to be asked even if nothing new runs.
pub(super) async fn gather(
    survey: &mut Survey,
    inbox: &mut mpsc::Receiver<Change>,
    until: Instant,
) -> (bool, bool) {
    let mut wake = survey.session.wake.clone();
    drop(wake.borrow_and_update());
    let mut changes = survey.session.registries.changes.subscribe();
    let mut due: Option<Instant> = None;
    loop {
        let end = due.unwrap_or(until).min(until);
        tokio::select! {
            change = inbox.recv() => match change {
                Some(change) => {
                    let news = !matches!(change, Change::Freshness(..));
                    survey.fleet.apply(change);
                    if news {
                        due.get_or_insert(Instant::now() + GATHERED);
                    }
                }
                None => return (false, false),
            },
            changed = wake.changed() => return (changed.is_ok(), true),
            changed = changes.changed() => return (changed.is_ok(), true),
            () = tokio::time::sleep_until(end) => return (true, end >= until),
        }
    }
}

/// Waits for the first lists.
pub(super) async fn begin(survey: &mut Survey, inbox: &mut mpsc::Receiver<Change>) -> bool {
    while !survey.fleet.is_complete() {
        match inbox.recv().await {
            Some(change) => survey.fleet.apply(change),
            None => return false,
        }
    }
    true
}

fn image_rows(survey: &Survey) -> Vec<RegistryRow> {
    let rows = survey.rows().into_iter();
    rows.map(|row| RegistryRow::Image(Box::new(row))).collect()
}

/// Serves the table of images.
pub(super) async fn images(session: Arc<Session>, ticket: Ticket) {
    let mut sender = Sender::new(&session, ticket, images_kind());
    sender.freshness(Freshness::Connecting).await;
    let (changes, mut inbox) = mpsc::channel(64);
    let mut survey = Survey::new(&session, None);
    let tasks = Fleet::watch(&session, &changes).await;
    drop(changes);
    if !begin(&mut survey, &mut inbox).await {
        return;
    }
    // What runs is known before any registry has answered.
    let rows = image_rows(&survey);
    let count = rows.len();
    sender.send(rows).await;
    sender.freshness(Freshness::Loading { rows: count }).await;
    let mut look_around = true;
    loop {
        survey.look().await;
        sender.send(image_rows(&survey)).await;
        if look_around {
            survey.look_around().await;
            sender.send(image_rows(&survey)).await;
        }
        sender.freshness(survey.freshness()).await;
        let until = Instant::now() + real(&session, BETWEEN_LOOKS);
        let (going, all) = gather(&mut survey, &mut inbox, until).await;
        if !going {
            break;
        }
        if all {
            session.registries.forget_lists().await;
        }
        look_around = all;
    }
    drop(tasks);
}

/// Serves the table of vulnerabilities in what runs.
pub(super) async fn cves(session: Arc<Session>, ticket: Ticket) {
    let mut sender = Sender::new(&session, ticket, cves_kind());
    sender.freshness(Freshness::Connecting).await;
    let (changes, mut inbox) = mpsc::channel(64);
    let mut survey = Survey::new(&session, None);
    let tasks = Fleet::watch(&session, &changes).await;
    drop(changes);
    if !begin(&mut survey, &mut inbox).await {
        return;
    }
    loop {
        survey.look().await;
        let rows = cve_rows(&mut survey).await;
        sender.send(rows).await;
        sender.freshness(survey.freshness()).await;
        let until = Instant::now() + real(&session, BETWEEN_LOOKS);
        let (going, all) = gather(&mut survey, &mut inbox, until).await;
        if !going {
            break;
        }
        if all {
            session.registries.forget_lists().await;
        }
    }
    drop(tasks);
}

/// Reads the report on an artifact, once for each scan.
pub(super) async fn report_on(
    session: &Session,
    registry: &Registry,
    row: &ArtifactRow,
) -> Result<Option<Arc<Report>>, Trouble> {
    let (Some(summary), Some(digest)) = (row.scan.summary(), &row.digest) else {
        return Ok(None);
    };
    let memory = &session.registries.memory;
    let id: Text = format!("{}|{digest}|{:?}", summary.report, summary.ended).into();
    if let Some(known) = memory.report(&id).await {
        return Ok(Some(known));
    }
    let read = registry
        .report(session, &row.repository, digest.text())
        .await?;
    let Ok(report) = read else { return Ok(None) };
    let report = Arc::new(report);
    memory.keep_report(id, Arc::clone(&report)).await;
    Ok(Some(report))
}

async fn cve_rows(survey: &mut Survey) -> Vec<RegistryRow> {
    let rows = survey.rows();
    let session = Arc::clone(&survey.session);
    let directory = Arc::clone(&survey.directory);
    let hit = rows.iter().filter(|row| {
        let found = row.scan.summary().is_some_and(|summary| summary.total > 0);
        found && !row.places.is_empty()
    });
    let mut asked = Vec::new();
    for row in hit {
        let Some(registry) = directory.of_host(&row.registry).cloned() else {
            continue;
        };
        let session = Arc::clone(&session);
        asked.push(async move { (row, report_on(&session, &registry, row).await) }.boxed());
    }
    let answers = all(asked).await;
    let mut found: BTreeMap<Text, CveRow> = BTreeMap::new();
    for (row, answer) in answers {
        match answer {
            Ok(Some(report)) => gather_cves(&session, (row, &report), &mut found),
            Ok(None) => {}
            Err(trouble) => survey.troubles.push(trouble),
        }
    }
    let rows = found.into_values().map(|mut row| {
        row.packages.sort();
        row.packages.dedup();
        row.images.sort();
        row.images.dedup();
        row.places
            .sort_by(|a, b| (&a.pod, &a.container).cmp(&(&b.pod, &b.container)));
        RegistryRow::Cve(Box::new(row))
    });
    rows.collect()
}

fn gather_cves(
    session: &Session,
    (row, report): (&ArtifactRow, &Report),
    found: &mut BTreeMap<Text, CveRow>,
) {
    let mut own: BTreeSet<&Text> = BTreeSet::new();
    for one in &report.vulnerabilities {
        let entry = found.entry(Text::clone(&one.id)).or_insert_with(|| CveRow {
            object: registry_object(&session.cluster, cves_kind(), "", &one.id),
            uid: Uid(Text::clone(&one.id)),
            severity: one.severity,
            score: None,
            packages: Vec::new(),
            images: Vec::new(),
            places: Vec::new(),
            description: Text::clone(&one.description),
            links: one.links.clone(),
        });
        entry.severity = entry.severity.max(one.severity);
        let score = one.score.map(|score| (score * 10.0).round() as u16);
        entry.score = entry.score.max(score);
        entry.packages.push(Affected {
            package: Text::clone(&one.package),
            version: Text::clone(&one.version),
            fix: Text::clone(&one.fix),
        });
        // One vulnerability may be in several packages of an image.
        if own.insert(&one.id) {
            entry.images.push((row.object.clone(), row.title().into()));
            entry.places.extend(row.places.iter().cloned());
        }
    }
}

/// Reads the vulnerabilities once, for reports.
pub(super) async fn cves_once(session: &Arc<Session>) -> Vec<RegistryRow> {
    let (changes, mut inbox) = mpsc::channel(64);
    let mut survey = Survey::new(session, None);
    let tasks = Fleet::watch(session, &changes).await;
    drop(changes);
    let begun = begin(&mut survey, &mut inbox).await;
    drop(tasks);
    if !begun {
        return Vec::new();
    }
    survey.look().await;
    cve_rows(&mut survey).await
}
