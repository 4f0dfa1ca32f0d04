//! The table of one repository: the newest artifacts at once, older ones when somebody wants them,
//! each with where it runs.
//!
//! The first page comes before it is known what runs. Further pages are read one after the other,
//! and only as many as are wanted.

use super::directory::Directory;
use super::fleet::{Change, Fleet};
use super::harbor::PAGE;
use super::join::{Running, Stocks, join};
use super::registry::{Registry, Trouble};
use super::stock::{Depth, Kept, Stock, unresolved};
use super::{BETWEEN_LOOKS, Sender, freshness_of, no_registry};
use crate::domain::image::{Reference, RegistryRow, repository_of};
use crate::domain::object::{GroupKind, Text};
use crate::domain::status::Freshness;
use crate::engine::metrics::real;
use crate::engine::protocol::{Ticket, Update};
use crate::engine::session::Session;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How long changes of Pods are gathered.
const GATHERED: Duration = Duration::from_millis(250);
/// How many pages are read at most.
const PAGES: usize = 100;

struct Table {
    session: Arc<Session>,
    ticket: Ticket,
    sender: Sender,
    /// Host and path.
    key: (Text, Text),
    fleet: Fleet,
    directory: Arc<Directory>,
    /// The first page, with what runs.
    stock: Option<Arc<Stock>>,
    /// The pages after it.
    pages: Vec<Kept>,
    /// How many pages were read, the first one too.
    read: usize,
    /// How many artifacts were said to be there.
    told: Option<u64>,
}

/// What the table waits for.
enum News {
    /// Other Pods, or their end.
    Pods,
    /// More rows are wanted.
    More,
    /// It is time to look again, or the user asks to.
    Look,
    Over,
}

/// Serves the table until it is unsubscribed.
pub(super) async fn run(
    session: Arc<Session>,
    (ticket, kind): (Ticket, GroupKind),
    mut wanted: watch::Receiver<usize>,
) {
    let named = repository_of(&kind).and_then(Reference::parse);
    let mut sender = Sender::new(&session, ticket, kind);
    sender.freshness(Freshness::Connecting).await;
    let Some(named) = named else {
        return sender.freshness(no_registry()).await;
    };
    let (changes, mut inbox) = mpsc::channel(64);
    let mut table = Table {
        ticket,
        sender,
        key: (named.host, named.repository),
        fleet: Fleet::new(&session),
        directory: Arc::default(),
        stock: None,
        pages: Vec::new(),
        read: 0,
        told: None,
        session: Arc::clone(&session),
    };
    let tasks = Fleet::watch(&session, &changes).await;
    drop(changes);
    table.look(&wanted).await;
    loop {
        match table.wait(&mut inbox, &mut wanted).await {
            News::Pods => table.look_for_pods().await,
            News::More => table.look_further(&wanted).await,
            News::Look => {
                session.registries.forget_lists().await;
                table.look(&wanted).await;
            }
            News::Over => break,
        }
    }
    drop(tasks);
}

impl Table {
    async fn registry(&mut self) -> Option<Arc<Registry>> {
        let hosts = BTreeSet::from([Text::clone(&self.key.0)]);
        let hub = &self.session.registries;
        self.directory = hub.directory(&self.session, &hosts).await;
        self.directory.of_host(&self.key.0).cloned()
    }

    /// Reads what is shown from the beginning.
    async fn look(&mut self, wanted: &watch::Receiver<usize>) {
        let outcome = self.read_anew(wanted).await;
        self.settle(outcome).await;
    }

    async fn read_anew(&mut self, wanted: &watch::Receiver<usize>) -> Result<(), Trouble> {
        let before = (std::mem::take(&mut self.pages), self.read);
        let outcome = self.read_again(before.1).await;
        if outcome.is_err() {
            (self.pages, self.read) = before;
        }
        outcome?;
        let wanted = *wanted.borrow();
        self.read_wanted(wanted).await
    }

    /// Reads as many pages as were there. What was shown stays on the screen meanwhile.
    async fn read_again(&mut self, pages: usize) -> Result<(), Trouble> {
        self.read = 1;
        self.read_first().await?;
        if pages <= 1 {
            self.send().await;
        }
        while self.read < pages && self.read_page().await? {}
        Ok(())
    }

    /// Shows what runs now; what no page has is looked up.
    async fn look_for_pods(&mut self) {
        if self.stock.is_none() {
            return;
        }
        let outcome = self.read_first().await;
        self.settle(outcome).await;
    }

    async fn look_further(&mut self, wanted: &watch::Receiver<usize>) {
        let wanted = *wanted.borrow();
        let outcome = self.read_wanted(wanted).await;
        self.settle(outcome).await;
    }

    async fn settle(&mut self, outcome: Result<(), Trouble>) {
        let freshness = match outcome {
            Ok(()) => {
                self.send().await;
                Freshness::Live
            }
            Err(trouble) => freshness_of(&[trouble], 0, &self.session),
        };
        self.sender.freshness(freshness).await;
    }

    async fn read_first(&mut self) -> Result<(), Trouble> {
        let Some(registry) = self.registry().await else {
            let mut unasked = Trouble::unasked(&self.key.0);
            unasked.sentence = format!("{}; {}", unasked.sentence, unasked.hint);
            return Err(unasked);
        };
        let wanted = self.fleet.wanted_of(&self.key);
        let place = (&*registry, &self.key.1);
        let hub = &self.session.registries;
        let stock = hub.stock(&self.session, place, (&wanted, Depth::Rows));
        let stock = stock.await?;
        self.read = self.read.max(1);
        self.tell(stock.total).await;
        self.stock = Some(stock);
        Ok(())
    }

    /// Reads pages until there are as many rows as are wanted, and shows each at once.
    async fn read_wanted(&mut self, wanted: usize) -> Result<(), Trouble> {
        while self.read * PAGE < wanted && self.read_page().await? {
            self.send().await;
            let rows = self.sender.sent.len();
            self.sender.freshness(Freshness::Loading { rows }).await;
        }
        Ok(())
    }

    /// Reads the next page; returns whether there was one.
    async fn read_page(&mut self) -> Result<bool, Trouble> {
        let Some(registry) = self.registry().await else {
            return Ok(false);
        };
        let all = self.told.unwrap_or(u64::MAX);
        if self.read >= PAGES || (self.read * PAGE) as u64 >= all {
            return Ok(false);
        }
        if !registry.is_harbor() {
            return Ok(self.name_more(&registry));
        }
        let (repository, page) = (Text::clone(&self.key.1), self.read + 1);
        let found = registry.artifacts(&self.session, &repository, page).await?;
        self.tell(found.total).await;
        let any = !found.artifacts.is_empty();
        self.read = page;
        self.pages
            .extend(found.artifacts.into_iter().map(Kept::new));
        Ok(any)
    }

    /// Tags of a plain registry are all known by name; rows are made of as many as are wanted.
    fn name_more(&mut self, registry: &Registry) -> bool {
        let place = (registry, &*self.key.1);
        let tags = self.stock.iter().flat_map(|stock| &stock.more_tags);
        let next: Vec<Kept> = tags
            .skip(self.pages.len())
            .take(PAGE)
            .map(|tag| unresolved(&self.session, place, tag))
            .collect();
        self.read += 1;
        let any = !next.is_empty();
        self.pages.extend(next);
        any
    }

    /// Says how many artifacts there are in all.
    async fn tell(&mut self, total: Option<u64>) {
        if self.told == total {
            return;
        }
        self.told = total;
        let (generation, ticket) = (self.session.generation, self.ticket);
        let total = total.and_then(|total| usize::try_from(total).ok());
        let update = Update::Extent {
            generation,
            ticket,
            total,
        };
        self.session.report(update).await;
    }

    async fn send(&mut self) {
        let Some(stock) = &self.stock else { return };
        let stock = stock.followed_by(&self.pages);
        let stocks = Stocks::from([(self.key.clone(), Ok(Arc::new(stock)))]);
        let running = Running {
            fleet: &self.fleet,
            cluster: &self.session.cluster,
            only: Some(&self.key),
        };
        let all = stocks.values().flatten().flat_map(|stock| stock.rows());
        let rows = join(&running, &self.directory, &stocks, all).into_iter();
        let rows = rows.map(|row| RegistryRow::Image(Box::new(row)));
        self.sender.send(rows.collect()).await;
    }

    async fn wait(
        &mut self,
        inbox: &mut mpsc::Receiver<Change>,
        wanted: &mut watch::Receiver<usize>,
    ) -> News {
        let mut wake = self.session.wake.clone();
        drop(wake.borrow_and_update());
        let mut changes = self.session.registries.changes.subscribe();
        let until = Instant::now() + real(&self.session, BETWEEN_LOOKS * 2);
        let mut due: Option<Instant> = None;
        loop {
            let end = due.unwrap_or(until).min(until);
            let over = |going: bool, news: News| if going { news } else { News::Over };
            tokio::select! {
                change = inbox.recv() => {
                    let Some(change) = change else { return News::Over };
                    self.fleet.apply(change);
                    // Until the first lists are there, nothing can be said.
                    if self.fleet.is_complete() {
                        due.get_or_insert(Instant::now() + GATHERED);
                    }
                }
                changed = wanted.changed() => return over(changed.is_ok(), News::More),
                changed = wake.changed() => return over(changed.is_ok(), News::Look),
                changed = changes.changed() => return over(changed.is_ok(), News::Look),
                () = tokio::time::sleep_until(end) => {
                    return if end < until { News::Pods } else { News::Look };
                }
            }
        }
    }
}
