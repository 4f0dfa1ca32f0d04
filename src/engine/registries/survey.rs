//! The table of images: what runs, looked up in its registries.
//!
//! Pods are watched; registries are asked when something new runs, and every half minute while the
//! table is open.

use super::directory::Directory;
use super::fleet::{Change, Fleet};
use super::join::{Running, Stocks, join};
use super::registry::{Registry, Trouble};
use super::stock::Depth;
use super::{BETWEEN_LOOKS, Sender, freshness_of, no_registry};
use crate::domain::image::{ArtifactRow, Reference, RegistryRow, Report, images_kind};
use crate::domain::object::Text;
use crate::domain::status::Freshness;
use crate::engine::metrics::real;
use crate::engine::protocol::Ticket;
use crate::engine::session::Session;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use std::collections::BTreeSet;
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
        let running = Running {
            fleet: &self.fleet,
            cluster: &self.session.cluster,
            only: None,
        };
        join(&running, &self.directory, &self.stocks, self.newest.iter())
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
        // Where one image is looked at, its neighbours are shown as well.
        let depth = match self.only {
            Some(_) => Depth::Rows,
            None => Depth::Names,
        };
        let mut asked = Vec::new();
        for (key, references) in wanted {
            let Some(registry) = directory.of_host(&key.0).cloned() else {
                continue;
            };
            let session = Arc::clone(&self.session);
            asked.push(
                async move {
                    let place = (&*registry, &key.1);
                    let wanted = (references.as_slice(), depth);
                    let stock = session.registries.stock(&session, place, wanted).await;
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

    pub(super) fn freshness(&self) -> Freshness {
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
pub(super) async fn all<T>(asked: Vec<BoxFuture<'_, T>>) -> Vec<T> {
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

/// Names the report on an artifact; another scan makes another report.
pub(super) fn report_name(row: &ArtifactRow) -> Option<Text> {
    let (summary, digest) = (row.scan.summary()?, row.digest.as_ref()?);
    Some(format!("{}|{digest}|{:?}", summary.report, summary.ended).into())
}

/// Reads the report on an artifact, once for each scan.
pub(super) async fn report_on(
    session: &Session,
    registry: &Registry,
    row: &ArtifactRow,
) -> Result<Option<Arc<Report>>, Trouble> {
    let Some(name) = report_name(row) else {
        return Ok(None);
    };
    let memory = &session.registries.memory;
    if let Some(known) = memory.report(&name).await {
        return Ok(Some(known));
    }
    let read = read_report(session, registry, row).await?;
    let Some(report) = read.map(Arc::new) else {
        return Ok(None);
    };
    memory.keep_report(name, Arc::clone(&report)).await;
    Ok(Some(report))
}

pub(super) async fn read_report(
    session: &Session,
    registry: &Registry,
    row: &ArtifactRow,
) -> Result<Option<Report>, Trouble> {
    let Some(digest) = &row.digest else {
        return Ok(None);
    };
    let read = registry.report(session, &row.repository, digest.text());
    Ok(read.await?.ok())
}
