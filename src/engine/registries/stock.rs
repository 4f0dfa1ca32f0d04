//! What a repository has, as far as it matters for what runs: the newest artifacts, and those whose
//! digest a node reports.
//!
//! What a digest names never changes and is kept; what changes (tags, scans) is read again when it
//! is older than [`GOOD_FOR`].

use super::Hub;
use super::oci::Resolved;
use super::registry::{Registry, Trouble};
use crate::api::convert::harbor::ArtifactRead;
use crate::api::convert::oci::{Config, Manifest};
use crate::domain::image::{
    Accessory, Artifact, ArtifactRow, Digest, Platform, Reference, Report, tag,
};
use crate::domain::object::{Text, Uid};
use crate::engine::session::Session;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a list of tags and scans is good, in real time.
pub(super) const GOOD_FOR: Duration = Duration::from_secs(25);
/// How many tags of a plain registry become rows of their own.
const LISTED: usize = 500;
/// How many things are kept by digest.
const KEPT: usize = 2_000;
/// How many whole reports are kept.
const REPORTS: usize = 16;

/// How much is kept of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    /// Digests, tags and times; rows only of what was asked for.
    Names,
    /// A row of each artifact.
    Rows,
}

/// One artifact that is known.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) row: ArtifactRow,
    pub(super) members: Vec<Digest>,
}

impl Kept {
    pub(super) fn new(read: ArtifactRead) -> Self {
        let platforms = read.platforms.into_iter();
        Self {
            members: platforms.map(|platform| platform.digest).collect(),
            row: read.row,
        }
    }

    /// Returns it as matching wants it.
    fn artifact(&self) -> Artifact {
        Artifact {
            digest: self.row.digest.clone(),
            members: self.members.clone(),
            tags: self.row.tags.clone(),
            pushed: self.row.pushed.or(self.row.built),
        }
    }
}

/// A repository's artifacts, the newest first. What follows are older ones that were asked for.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    /// As matching wants them.
    pub(super) shelf: Vec<Artifact>,
    /// The row of each, as far as rows are kept.
    rows: Vec<Option<Box<ArtifactRow>>>,
    /// How many the registry has in all, where it counts.
    pub(super) total: Option<u64>,
    /// Tags that are known by name only and have no row.
    pub(super) more_tags: Vec<Text>,
    depth: Depth,
    /// Digests and tags that were asked for.
    asked: BTreeSet<Text>,
    read_at: Instant,
}

impl Stock {
    fn new(total: Option<u64>, depth: Depth) -> Self {
        Self {
            shelf: Vec::new(),
            rows: Vec::new(),
            total,
            more_tags: Vec::new(),
            depth,
            asked: BTreeSet::new(),
            read_at: Instant::now(),
        }
    }

    fn push(&mut self, one: Kept) {
        self.shelf.push(one.artifact());
        self.rows.push(Some(Box::new(one.row)));
    }

    /// Returns the row of an artifact, if it is kept.
    pub(super) fn row(&self, at: usize) -> Option<&ArtifactRow> {
        self.rows.get(at)?.as_deref()
    }

    /// Returns the rows that are kept.
    pub(super) fn rows(&self) -> impl Iterator<Item = &ArtifactRow> {
        self.rows.iter().flatten().map(|row| &**row)
    }

    /// Returns the same with further pages of the registry's list behind.
    pub(super) fn followed_by(&self, pages: &[Kept]) -> Self {
        let mut all = self.clone();
        for one in pages {
            let known = one.row.digest.as_ref().is_some_and(|own| all.has(own));
            if !known {
                all.push(one.clone());
            }
        }
        all
    }

    fn find(&self, digest: &Digest) -> Option<usize> {
        self.shelf.iter().position(|one| one.contains(digest))
    }

    fn tagged(&self, tag: &str) -> Option<usize> {
        let has = |one: &Artifact| one.tags.iter().any(|own| &**own == tag);
        self.shelf.iter().position(has)
    }

    fn has(&self, digest: &Digest) -> bool {
        self.find(digest).is_some()
    }

    fn answers(&self, wanted: &[Reference]) -> bool {
        wanted
            .iter()
            .flat_map(keys)
            .all(|key| self.asked.contains(&key))
    }

    /// Drops the rows that nobody asked for.
    fn slim(&mut self) {
        let asked = &self.asked;
        for (one, row) in self.shelf.iter().zip(&mut self.rows) {
            let named = one.tags.iter().any(|tag| asked.contains(tag));
            let mut digests = one.members.iter().chain(&one.digest);
            if !named && !digests.any(|digest| asked.contains(digest.text())) {
                *row = None;
            }
        }
    }
}

/// What a reference asks for: its tag and its digest.
fn keys(reference: &Reference) -> Vec<Text> {
    let tag = reference.tag_or_latest().map(Text::from);
    let digest = reference.digest.as_ref().map(|one| Text::clone(one.text()));
    tag.into_iter().chain(digest).collect()
}

/// What is known by digest, and lists that are young enough.
#[derive(Debug, Default)]
pub(super) struct Memory {
    stocks: Mutex<HashMap<(Text, Text), Arc<Stock>>>,
    manifests: Mutex<HashMap<Digest, Resolved>>,
    configs: Mutex<HashMap<Digest, Config>>,
    reports: Mutex<HashMap<Text, Arc<Report>>>,
}

impl Memory {
    /// Forgets lists, so that the next look reads them again; what digests name stays.
    pub(super) async fn forget_lists(&self) {
        self.stocks.lock().await.clear();
    }

    pub(super) async fn report(&self, id: &Text) -> Option<Arc<Report>> {
        self.reports.lock().await.get(id).cloned()
    }

    pub(super) async fn keep_report(&self, id: Text, report: Arc<Report>) {
        let mut reports = self.reports.lock().await;
        // A report may be of megabytes; those of the image that is looked at are enough.
        if reports.len() >= REPORTS {
            reports.clear();
        }
        reports.insert(id, report);
    }
}

impl Hub {
    /// Returns what a repository has; `wanted` are the references of containers.
    pub(super) async fn stock(
        &self,
        session: &Session,
        (registry, repository): (&Registry, &Text),
        (wanted, depth): (&[Reference], Depth),
    ) -> Result<Arc<Stock>, Trouble> {
        let key = (Text::clone(&registry.host), Text::clone(repository));
        let known = self.memory.stocks.lock().await.get(&key).cloned();
        let known = known.filter(|one| one.read_at.elapsed() < GOOD_FOR && one.depth >= depth);
        if let Some(known) = &known
            && known.answers(wanted)
        {
            return Ok(Arc::clone(known));
        }
        let place = (registry, repository);
        let mut stock = if registry.is_harbor() {
            // What is asked for besides does not make the list old.
            let mut stock = match known {
                Some(known) => (*known).clone(),
                None => first_page(session, place, depth).await?,
            };
            add_wanted(session, place, (&mut stock, wanted), &self.memory).await?;
            stock
        } else {
            of_distribution(session, place, (wanted, depth), &self.memory).await?
        };
        stock.asked.extend(wanted.iter().flat_map(keys));
        if stock.depth == Depth::Names {
            stock.slim();
        }
        let stock = Arc::new(stock);
        let mut stocks = self.memory.stocks.lock().await;
        stocks.insert(key, Arc::clone(&stock));
        Ok(stock)
    }

    /// Reads a manifest by digest once and for all.
    pub(super) async fn manifest(
        &self,
        session: &Session,
        (registry, repository): (&Registry, &str),
        digest: &Digest,
    ) -> Result<Option<Resolved>, Trouble> {
        manifest(session, (registry, repository), digest, &self.memory).await
    }

    /// Reads the configuration of an image once and for all.
    pub(super) async fn config(
        &self,
        session: &Session,
        (registry, repository): (&Registry, &str),
        (digest, sizes): (&Digest, &[u64]),
    ) -> Result<Option<Config>, Trouble> {
        config(
            session,
            (registry, repository),
            (digest, sizes),
            &self.memory,
        )
        .await
    }
}

async fn manifest(
    session: &Session,
    (registry, repository): (&Registry, &str),
    digest: &Digest,
    memory: &Memory,
) -> Result<Option<Resolved>, Trouble> {
    let known = memory.manifests.lock().await.get(digest).cloned();
    if known.is_some() {
        return Ok(known);
    }
    let read = registry.resolve(session, repository, digest.text()).await?;
    if let Some(read) = &read {
        let mut manifests = memory.manifests.lock().await;
        if manifests.len() >= KEPT {
            manifests.clear();
        }
        manifests.insert(digest.clone(), read.clone());
    }
    Ok(read)
}

async fn config(
    session: &Session,
    (registry, repository): (&Registry, &str),
    (digest, sizes): (&Digest, &[u64]),
    memory: &Memory,
) -> Result<Option<Config>, Trouble> {
    let known = memory.configs.lock().await.get(digest).cloned();
    if known.is_some() {
        return Ok(known);
    }
    let read = registry
        .config(session, repository, (digest, sizes))
        .await?;
    if let Some(read) = &read {
        let mut configs = memory.configs.lock().await;
        if configs.len() >= KEPT {
            configs.clear();
        }
        configs.insert(digest.clone(), read.clone());
    }
    Ok(read)
}

/// Reads the newest artifacts of a repository.
async fn first_page(
    session: &Session,
    (registry, repository): (&Registry, &Text),
    depth: Depth,
) -> Result<Stock, Trouble> {
    let page = registry.artifacts(session, repository, 1).await?;
    let mut stock = Stock::new(page.total, depth);
    for read in page.artifacts {
        stock.push(Kept::new(read));
    }
    Ok(stock)
}

/// Looks up what containers run and the list does not show: older artifacts, and digests of
/// platforms and configurations.
async fn add_wanted(
    session: &Session,
    (registry, repository): (&Registry, &Text),
    (stock, wanted): (&mut Stock, &[Reference]),
    memory: &Memory,
) -> Result<(), Trouble> {
    let is_whole = stock
        .total
        .is_some_and(|total| total as usize <= stock.shelf.len());
    for reference in wanted {
        let tag = reference.tag_or_latest();
        if let Some(tag) = tag {
            let known = stock.tagged(tag);
            let is_lacking = match known {
                Some(at) => stock.row(at).is_none(),
                // A tag of an old artifact is not on the first page.
                None => !is_whole,
            };
            if is_lacking && let Some(read) = registry.artifact(session, repository, tag).await? {
                stock.take_in(known, read);
            }
        }
        let Some(digest) = &reference.digest else {
            continue;
        };
        let known = stock.find(digest);
        if known.is_some_and(|at| stock.row(at).is_some()) {
            continue;
        }
        let read = registry.artifact(session, repository, digest.text());
        match (read.await?, known, tag) {
            (Some(read), known, _) => stock.take_in(known, read),
            (None, None, Some(tag)) => {
                by_config(session, (registry, repository), (stock, tag), memory).await;
            }
            (None, Some(_), _) | (None, None, None) => {}
        }
    }
    Ok(())
}

impl Stock {
    /// Takes in what was asked for: anew, or in the place where its row was dropped.
    fn take_in(&mut self, known: Option<usize>, read: ArtifactRead) {
        let own = read.row.digest.as_ref();
        let same = |at: &usize| {
            let there = self.shelf.get(*at).and_then(|one| one.digest.as_ref());
            own.is_some() && there == own
        };
        // Asked for by the digest of a platform, another artifact may answer.
        let at = known.filter(same).or_else(|| self.find(own?));
        match at.and_then(|at| self.rows.get_mut(at)) {
            Some(row) => *row = Some(Box::new(read.row)),
            None => self.push(Kept::new(read)),
        }
    }
}

/// A digest that no manifest has may be that of a configuration: those of the tag are looked up.
async fn by_config(
    session: &Session,
    (registry, repository): (&Registry, &str),
    (stock, tag): (&mut Stock, &str),
    memory: &Memory,
) {
    let Some(at) = stock.tagged(tag) else { return };
    let digest = stock.shelf.get(at).and_then(|one| one.digest.clone());
    let Some(digest) = digest else { return };
    let configs = configs_of(session, (registry, repository), &digest, memory).await;
    if let Some(one) = stock.shelf.get_mut(at) {
        one.members.extend(configs.unwrap_or_default());
    }
}

/// Returns the digests of the configurations behind a manifest, those of all platforms.
async fn configs_of(
    session: &Session,
    place: (&Registry, &str),
    digest: &Digest,
    memory: &Memory,
) -> Result<Vec<Digest>, Trouble> {
    let Some(first) = manifest(session, place, digest, memory).await? else {
        return Ok(Vec::new());
    };
    match first.manifest {
        Manifest::Image { config, .. } => Ok(vec![config.digest]),
        Manifest::Index(platforms) => {
            let mut found = Vec::new();
            for platform in platforms {
                let child = manifest(session, place, &platform.digest, memory).await?;
                if let Some(Manifest::Image { config, .. }) = child.map(|one| one.manifest) {
                    found.push(config.digest);
                }
            }
            Ok(found)
        }
    }
}

async fn of_distribution(
    session: &Session,
    (registry, repository): (&Registry, &Text),
    (wanted, depth): (&[Reference], Depth),
    memory: &Memory,
) -> Result<Stock, Trouble> {
    let place = (registry, &**repository);
    let tags = registry.tags(session, repository).await?;
    let mut stock = Stock::new(Some(tags.len() as u64), depth);
    let newest = tags.iter().find(|tag| !tag::is_technical(tag)).cloned();
    let wanted_tags: BTreeSet<Text> = wanted
        .iter()
        .filter_map(|one| one.tag_or_latest().map(Text::from))
        .chain(newest)
        .collect();
    for tag in &wanted_tags {
        let Some(digest) = registry.digest_of(session, repository, tag).await? else {
            if tags.contains(tag) {
                stock.push(unresolved(session, place, tag));
            }
            continue;
        };
        if let Some(at) = add(session, place, (&mut stock, memory), &digest).await? {
            stock.name(at, tag);
        }
    }
    for reference in wanted {
        let Some(digest) = &reference.digest else {
            continue;
        };
        if !stock.has(digest) {
            let _at = add(session, place, (&mut stock, memory), digest).await?;
        }
        if !stock.has(digest)
            && let Some(tag) = reference.tag_or_latest()
        {
            by_config(session, place, (&mut stock, tag), memory).await;
        }
    }
    let rest = tags.into_iter().filter(|tag| !wanted_tags.contains(tag));
    let mut rest: Vec<Text> = rest.filter(|tag| !tag::is_technical(tag)).collect();
    let later = rest.split_off(rest.len().min(LISTED));
    for tag in &rest {
        stock.push(unresolved(session, place, tag));
    }
    stock.more_tags = later;
    Ok(stock)
}

impl Stock {
    /// Adds a tag that was resolved to an artifact.
    fn name(&mut self, at: usize, tag: &Text) {
        let (Some(one), Some(Some(row))) = (self.shelf.get_mut(at), self.rows.get_mut(at)) else {
            return;
        };
        one.tags.push(Text::clone(tag));
        one.tags.sort_by(|a, b| tag::newest_first(a, b));
        row.tags.clone_from(&one.tags);
    }
}

/// Makes the row of a tag that was not looked up.
pub(super) fn unresolved(
    session: &Session,
    (registry, repository): (&Registry, &str),
    tag: &Text,
) -> Kept {
    let reference = Reference {
        host: Text::clone(&registry.host),
        repository: repository.into(),
        tag: Some(Text::clone(tag)),
        digest: None,
    };
    Kept {
        row: ArtifactRow::unknown(&session.cluster, &reference),
        members: Vec::new(),
    }
}

/// Adds what a digest names; returns where it is, unless it is not there.
async fn add(
    session: &Session,
    place: (&Registry, &str),
    (stock, memory): (&mut Stock, &Memory),
    digest: &Digest,
) -> Result<Option<usize>, Trouble> {
    let is_it = |one: &Artifact| one.digest.as_ref() == Some(digest);
    if let Some(at) = stock.shelf.iter().position(is_it) {
        return Ok(Some(at));
    }
    let Some(read) = manifest(session, place, digest, memory).await? else {
        return Ok(None);
    };
    let mut one = of_manifest(session, place, &read, memory).await?;
    let signed = place.0.referrers(session, place.1, digest).await;
    one.row.signed = signed
        .ok()
        .map(|found| found.iter().any(Accessory::is_signature));
    stock.push(one);
    Ok(Some(stock.shelf.len() - 1))
}

async fn of_manifest(
    session: &Session,
    place: (&Registry, &str),
    read: &Resolved,
    memory: &Memory,
) -> Result<Kept, Trouble> {
    let (registry, repository) = place;
    let reference = Reference {
        host: Text::clone(&registry.host),
        repository: repository.into(),
        tag: None,
        digest: Some(read.digest.clone()),
    };
    let mut row = ArtifactRow::unknown(&session.cluster, &reference);
    row.uid = Uid(Text::clone(read.digest.text()));
    let mut members = Vec::new();
    let image = match &read.manifest {
        Manifest::Index(platforms) => {
            row.platforms = platforms.iter().map(|one| Text::clone(&one.name)).collect();
            members.extend(platforms.iter().map(|one| one.digest.clone()));
            match first_platform(platforms) {
                Some(first) => manifest(session, place, &first.digest, memory).await?,
                None => None,
            }
        }
        Manifest::Image { .. } => Some(read.clone()),
    };
    if let Some(Manifest::Image {
        config: of, layers, ..
    }) = image.map(|one| one.manifest)
    {
        members.push(of.digest.clone());
        let sizes: Vec<u64> = layers.iter().map(|layer| layer.size).collect();
        row.size = Some(of.size + sizes.iter().sum::<u64>());
        if let Some(config) = config(session, place, (&of.digest, &sizes), memory).await? {
            row.built = config.created;
            if row.platforms.is_empty() && !config.platform.is_empty() {
                row.platforms.push(config.platform);
            }
        }
    }
    Ok(Kept { row, members })
}

/// Returns the platform whose size and labels stand for all: linux/amd64 when there is one.
pub(super) fn first_platform(platforms: &[Platform]) -> Option<&Platform> {
    let usual = platforms.iter().find(|one| &*one.name == "linux/amd64");
    usual.or_else(|| platforms.first())
}
