//! What a repository has, as far as it matters for what runs: the newest artifacts, and those whose
//! digest a node reports.
//!
//! What a digest names never changes and is kept; what changes (tags, scans) is read again when it
//! is older than [`GOOD_FOR`].

use super::Hub;
use super::harbor::ArtifactPage;
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

/// One artifact that is known.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) row: ArtifactRow,
    pub(super) members: Vec<Digest>,
}

/// A repository's artifacts, the newest first.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    pub(super) artifacts: Vec<Kept>,
    /// How many the registry has in all, where it counts.
    pub(super) total: Option<u64>,
    /// Digests and tags that were asked for.
    asked: BTreeSet<Text>,
    read_at: Instant,
}

impl Stock {
    /// Returns the artifacts as matching wants them.
    pub(super) fn shelf(&self) -> Vec<Artifact> {
        let kept = self.artifacts.iter();
        kept.map(|one| Artifact {
            digest: one.row.digest.clone(),
            members: one.members.clone(),
            tags: one.row.tags.clone(),
            pushed: one.row.pushed.or(one.row.built),
        })
        .collect()
    }

    fn has(&self, digest: &Digest) -> bool {
        self.artifacts
            .iter()
            .any(|one| one.row.digest.as_ref() == Some(digest) || one.members.contains(digest))
    }

    fn answers(&self, wanted: &[Reference]) -> bool {
        wanted
            .iter()
            .flat_map(keys)
            .all(|key| self.asked.contains(&key))
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
        if reports.len() >= KEPT / 4 {
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
        wanted: &[Reference],
    ) -> Result<Arc<Stock>, Trouble> {
        let key = (Text::clone(&registry.host), Text::clone(repository));
        let known = self.memory.stocks.lock().await.get(&key).cloned();
        if let Some(known) = &known
            && known.read_at.elapsed() < GOOD_FOR
            && known.answers(wanted)
        {
            return Ok(Arc::clone(known));
        }
        let mut stock = if registry.is_harbor() {
            let page = registry.artifacts(session, repository, 1).await?;
            of_harbor(
                session,
                (registry, repository),
                (page, wanted),
                &self.memory,
            )
            .await?
        } else {
            of_distribution(session, (registry, repository), wanted, &self.memory).await?
        };
        stock.asked.extend(wanted.iter().flat_map(keys));
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

fn kept(read: ArtifactRead) -> Kept {
    let platforms = read.platforms.into_iter();
    Kept {
        members: platforms.map(|platform| platform.digest).collect(),
        row: read.row,
    }
}

async fn of_harbor(
    session: &Session,
    (registry, repository): (&Registry, &Text),
    (page, wanted): (ArtifactPage, &[Reference]),
    memory: &Memory,
) -> Result<Stock, Trouble> {
    let mut stock = Stock {
        artifacts: page.artifacts.into_iter().map(kept).collect(),
        total: page.total,
        asked: BTreeSet::new(),
        read_at: Instant::now(),
    };
    for reference in wanted {
        let tag = reference.tag_or_latest();
        let tagged = |stock: &Stock| {
            tag.is_some_and(|tag| {
                stock
                    .artifacts
                    .iter()
                    .any(|one| one.row.tags.iter().any(|own| &**own == tag))
            })
        };
        // A tag of an old artifact is not on the first page.
        if let Some(tag) = tag
            && !tagged(&stock)
            && stock
                .total
                .is_none_or(|total| total as usize > stock.artifacts.len())
            && let Some(read) = registry.artifact(session, repository, tag).await?
            && read
                .row
                .digest
                .as_ref()
                .is_none_or(|digest| !stock.has(digest))
        {
            stock.artifacts.push(kept(read));
        }
        let Some(digest) = &reference.digest else {
            continue;
        };
        if stock.has(digest) {
            continue;
        }
        if let Some(read) = registry
            .artifact(session, repository, digest.text())
            .await?
        {
            stock.artifacts.push(kept(read));
        } else if let Some(tag) = tag {
            by_config(session, (registry, repository), (&mut stock, tag), memory).await;
        }
    }
    Ok(stock)
}

/// A digest that no manifest has may be that of a configuration: those of the tag are looked up.
async fn by_config(
    session: &Session,
    (registry, repository): (&Registry, &str),
    (stock, tag): (&mut Stock, &str),
    memory: &Memory,
) {
    let named = stock
        .artifacts
        .iter_mut()
        .find(|one| one.row.tags.iter().any(|own| &**own == tag));
    let Some(named) = named else { return };
    let Some(digest) = named.row.digest.clone() else {
        return;
    };
    let configs = configs_of(session, (registry, repository), &digest, memory).await;
    named.members.extend(configs.unwrap_or_default());
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
    wanted: &[Reference],
    memory: &Memory,
) -> Result<Stock, Trouble> {
    let place = (registry, &**repository);
    let tags = registry.tags(session, repository).await?;
    let mut stock = Stock {
        artifacts: Vec::new(),
        total: Some(tags.len() as u64),
        asked: BTreeSet::new(),
        read_at: Instant::now(),
    };
    let newest = tags.iter().find(|tag| !tag::is_technical(tag)).cloned();
    let wanted_tags: BTreeSet<Text> = wanted
        .iter()
        .filter_map(|one| one.tag_or_latest().map(Text::from))
        .chain(newest)
        .collect();
    let mut found: HashMap<Digest, usize> = HashMap::new();
    for tag in &wanted_tags {
        let Some(digest) = registry.digest_of(session, repository, tag).await? else {
            if tags.contains(tag) {
                stock.artifacts.push(unresolved(session, place, tag));
            }
            continue;
        };
        let at = add(session, place, (&mut stock, &mut found, memory), &digest).await?;
        if let Some(one) = at.and_then(|at| stock.artifacts.get_mut(at)) {
            one.row.tags.push(Text::clone(tag));
        }
    }
    for reference in wanted {
        let Some(digest) = &reference.digest else {
            continue;
        };
        if !stock.has(digest) {
            let _at = add(session, place, (&mut stock, &mut found, memory), digest).await?;
        }
        if !stock.has(digest)
            && let Some(tag) = reference.tag_or_latest()
        {
            by_config(session, place, (&mut stock, tag), memory).await;
        }
    }
    for one in &mut stock.artifacts {
        one.row.tags.sort_by(|a, b| tag::newest_first(a, b));
    }
    let rest = tags.iter().filter(|tag| !wanted_tags.contains(*tag));
    for tag in rest.filter(|tag| !tag::is_technical(tag)).take(LISTED) {
        stock.artifacts.push(unresolved(session, place, tag));
    }
    Ok(stock)
}

fn unresolved(session: &Session, (registry, repository): (&Registry, &str), tag: &Text) -> Kept {
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
    (stock, found, memory): (&mut Stock, &mut HashMap<Digest, usize>, &Memory),
    digest: &Digest,
) -> Result<Option<usize>, Trouble> {
    if let Some(at) = found.get(digest) {
        return Ok(Some(*at));
    }
    let Some(read) = manifest(session, place, digest, memory).await? else {
        return Ok(None);
    };
    let mut one = of_manifest(session, place, &read, memory).await?;
    let signed = place.0.referrers(session, place.1, digest).await;
    one.row.signed = signed
        .ok()
        .map(|found| found.iter().any(Accessory::is_signature));
    let at = stock.artifacts.len();
    stock.artifacts.push(one);
    found.insert(digest.clone(), at);
    Ok(Some(at))
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
