//! One open image: its row with every place, its build, what accompanies it, and its report.
//!
//! It arrives in steps: what is known at once, then the layers, then the report, which may be long.

use super::BETWEEN_LOOKS;
use super::fleet::Fleet;
use super::oci::Resolved;
use super::registry::{Registry, Trouble};
use super::stock::first_platform;
use super::survey::{Survey, begin, gather, report_on};
use crate::api::convert::oci::Manifest;
use crate::domain::finding::{Finding, Severity};
use crate::domain::image::{
    ArtifactDetail, ArtifactRow, Digest, Reference, ReportState, Scan, image_object, image_of,
};
use crate::domain::object::{ObjectRef, Text};
use crate::engine::metrics::real;
use crate::engine::protocol::{Ticket, Update};
use crate::engine::session::Session;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How many other artifacts of the repository are told.
const SIBLINGS: usize = 100;

/// Follows one image until it is unsubscribed.
pub(in crate::engine) async fn run(session: Arc<Session>, ticket: Ticket, object: ObjectRef) {
    let Some(reference) = image_of(&object) else {
        return report(&session, ticket, None).await;
    };
    let (changes, mut inbox) = mpsc::channel(64);
    let mut survey = Survey::new(&session, Some(reference.clone()));
    let tasks = Fleet::watch(&session, &changes).await;
    drop(changes);
    if !begin(&mut survey, &mut inbox).await {
        return;
    }
    let mut sent: Option<ArtifactDetail> = None;
    loop {
        survey.look().await;
        let first = sent.is_none();
        let mut steps = Steps {
            session: &session,
            ticket,
            first,
        };
        let detail = read(&survey, &reference, &mut steps).await;
        if first || sent != detail {
            sent.clone_from(&detail);
            report(&session, ticket, detail.map(Box::new)).await;
        }
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

/// Reads an image once, for reports.
pub(super) async fn once(session: &Arc<Session>, reference: &Reference) -> Option<ArtifactDetail> {
    let (changes, mut inbox) = mpsc::channel(64);
    let mut survey = Survey::new(session, Some(reference.clone()));
    let tasks = Fleet::watch(session, &changes).await;
    drop(changes);
    let begun = begin(&mut survey, &mut inbox).await;
    drop(tasks);
    if !begun {
        return None;
    }
    survey.look().await;
    let mut steps = Steps {
        session,
        ticket: Ticket(0),
        first: false,
    };
    read(&survey, reference, &mut steps).await
}

async fn report(session: &Session, ticket: Ticket, detail: Option<Box<ArtifactDetail>>) {
    let generation = session.generation;
    session
        .report(Update::Image {
            generation,
            ticket,
            detail,
        })
        .await;
}

/// Shows what is there already while more is read, the first time.
struct Steps<'s> {
    session: &'s Session,
    ticket: Ticket,
    first: bool,
}

impl Steps<'_> {
    async fn show(&self, detail: &ArtifactDetail) {
        if self.first {
            report(self.session, self.ticket, Some(Box::new(detail.clone()))).await;
        }
    }
}

async fn read(
    survey: &Survey,
    reference: &Reference,
    steps: &mut Steps<'_>,
) -> Option<ArtifactDetail> {
    let session = &survey.session;
    let key = (
        Text::clone(&reference.host),
        Text::clone(&reference.repository),
    );
    let stock = survey.stocks.get(&key);
    let row = row_of(survey, reference)?;
    let mut detail = ArtifactDetail::of(row);
    let registry = survey.directory.of_host(&reference.host);
    if let Some(Ok(stock)) = stock {
        let others = stock.rows();
        let others = others.filter(|other| other.digest != detail.row.digest);
        detail.siblings = others.take(SIBLINGS).cloned().collect();
        detail.of_siblings = stock.total;
    }
    let (Some(registry), Some(digest)) = (registry, detail.row.digest.clone()) else {
        detail.report = ReportState::Absent("no registry can be asked about it".into());
        return Some(detail);
    };
    steps.show(&detail).await;
    let outcome = if registry.is_harbor() {
        of_harbor(session, registry, (&mut detail, &digest)).await
    } else {
        of_distribution(session, registry, (&mut detail, &digest)).await
    };
    if let Err(trouble) = outcome {
        detail.findings.push(trouble.finding());
    }
    steps.show(&detail).await;
    add_report(session, registry, &mut detail).await;
    Some(detail)
}

/// Returns the row with its places. An image that runs nowhere is in the stock alone; one that was
/// named by its tag is found by it.
fn row_of(survey: &Survey, reference: &Reference) -> Option<ArtifactRow> {
    let rows = survey.rows();
    let object = image_object(&survey.session.cluster, reference);
    let key = (
        Text::clone(&reference.host),
        Text::clone(&reference.repository),
    );
    if let Some(row) = rows.iter().find(|row| row.object == object) {
        return Some(row.clone());
    }
    let stock = survey
        .stocks
        .get(&key)
        .and_then(|stock| stock.as_ref().ok());
    let tag = reference.tag_or_latest();
    let found = stock.and_then(|stock| {
        let at = stock.shelf.iter().position(|one| match &reference.digest {
            Some(digest) => one.contains(digest),
            None => tag.is_some_and(|tag| one.tags.iter().any(|own| &**own == tag)),
        });
        stock.row(at?)
    })?;
    let running = rows.iter().find(|row| row.object == found.object);
    let mut row = running.unwrap_or(found).clone();
    if row.states.is_empty() {
        row.states = crate::domain::image::content_states(&row.scan, row.signed);
    }
    Some(row)
}

async fn of_harbor(
    session: &Session,
    registry: &Registry,
    (detail, digest): (&mut ArtifactDetail, &Digest),
) -> Result<(), Trouble> {
    let repository = Text::clone(&detail.row.repository);
    let read = registry
        .artifact(session, &repository, digest.text())
        .await?;
    let Some(read) = read else { return Ok(()) };
    let (places, states) = (
        std::mem::take(&mut detail.row.places),
        std::mem::take(&mut detail.row.states),
    );
    let newest = Text::clone(&detail.row.newest);
    detail.row = ArtifactRow {
        states,
        newest,
        places,
        ..read.row
    };
    detail.media_type = read.media_type;
    detail.platforms = read.platforms;
    detail.labels = read.labels;
    detail.accessories = read.accessories;
    detail.sbom = read.sbom.or_else(|| {
        let own = detail.accessories.iter().find(|one| one.is_sbom());
        own.map(|one| Text::clone(&one.digest))
    });
    if detail.accessories.is_empty() {
        let more = registry
            .accessories(session, &repository, digest.text())
            .await;
        detail.accessories = more.unwrap_or_default();
    }
    // An index has no build of its own: that of its first platform stands for it.
    let built = first_platform(&detail.platforms).map_or(digest, |one| &one.digest);
    if detail.labels.is_empty()
        && built != digest
        && let Some(child) = registry
            .artifact(session, &repository, built.text())
            .await?
    {
        detail.labels = child.labels;
    }
    let built = built.clone();
    match registry.history(session, &repository, built.text()).await {
        Ok(history) => detail.history = history,
        Err(trouble) => tracing::debug!(%trouble.sentence, "no build history"),
    }
    add_layers(session, registry, (detail, &built)).await;
    Ok(())
}

/// The sizes of layers are in the manifest; an account that may not pull does without them.
async fn add_layers(
    session: &Session,
    registry: &Registry,
    (detail, digest): (&mut ArtifactDetail, &Digest),
) {
    let repository = Text::clone(&detail.row.repository);
    let hub = &session.registries;
    let read = hub.manifest(session, (registry, &repository), digest).await;
    let Ok(Some(Resolved {
        manifest: Manifest::Image { layers, .. },
        ..
    })) = read
    else {
        return;
    };
    let mut sizes = layers.iter().map(|layer| layer.size);
    for step in detail.history.iter_mut().filter(|step| !step.empty) {
        step.size = sizes.next();
    }
}

async fn of_distribution(
    session: &Session,
    registry: &Registry,
    (detail, digest): (&mut ArtifactDetail, &Digest),
) -> Result<(), Trouble> {
    let repository = Text::clone(&detail.row.repository);
    let place = (registry, &*repository);
    let hub = &session.registries;
    let Some(read) = hub.manifest(session, place, digest).await? else {
        return Ok(());
    };
    detail.media_type = read.media_type.as_str().into();
    let image = match &read.manifest {
        Manifest::Index(platforms) => {
            detail.platforms.clone_from(platforms);
            match first_platform(platforms) {
                Some(first) => hub.manifest(session, place, &first.digest).await?,
                None => None,
            }
        }
        Manifest::Image { .. } => Some(read),
    };
    if let Some(Manifest::Image { config, layers, .. }) = image.map(|one| one.manifest) {
        let sizes: Vec<u64> = layers.iter().map(|layer| layer.size).collect();
        let config = hub
            .config(session, place, (&config.digest, &sizes))
            .await?
            .unwrap_or_default();
        detail.labels = config.labels;
        detail.history = config.history;
    }
    detail.accessories = registry.referrers(session, &repository, digest).await?;
    let sbom = detail
        .accessories
        .iter()
        .find(|one| one.kind.starts_with("sbom"));
    detail.sbom = sbom.map(|one| Text::clone(&one.digest));
    Ok(())
}

async fn add_report(session: &Session, registry: &Registry, detail: &mut ArtifactDetail) {
    let absent = |why: &str| ReportState::Absent(why.into());
    detail.report = match &detail.row.scan {
        Scan::Untold => absent("this registry does not scan"),
        Scan::Impossible => absent("there is no scanner for such an artifact"),
        Scan::Never => absent("it was never scanned; ask for a scan"),
        Scan::Running { percent } => {
            ReportState::Absent(format!("the scan is at {percent}%").into())
        }
        Scan::Failed { status } => {
            ReportState::Absent(format!("the last scan ended as {status}").into())
        }
        Scan::Done(_) => match report_on(session, registry, &detail.row).await {
            Ok(Some(report)) => ReportState::Ready(Box::new((*report).clone())),
            Ok(None) => absent("the registry has no report"),
            Err(trouble) => {
                let reason = Text::from(trouble.sentence.as_str());
                detail.findings.push(trouble.finding());
                ReportState::Absent(reason)
            }
        },
    };
    add_mended(session, registry, detail).await;
    if detail.report.report().is_some_and(|report| report.cut) {
        let sentence = "the report is longer than is kept; its mildest entries are left out";
        detail.findings.push(Finding::new(Severity::Info, sentence));
    }
}

/// Which vulnerabilities a change to the newest artifact would mend.
async fn add_mended(session: &Session, registry: &Registry, detail: &mut ArtifactDetail) {
    let Some(own) = detail.report.report() else {
        return;
    };
    let newest = Text::clone(&detail.row.newest);
    if newest.is_empty() {
        return;
    }
    let successor = detail
        .siblings
        .iter()
        .find(|row| row.tags.contains(&newest));
    let Some(successor) = successor else { return };
    let Ok(Some(other)) = report_on(session, registry, successor).await else {
        return;
    };
    let mended = own.without(&other).into_iter();
    let mended = mended.map(|one| (Text::clone(&one.id), Text::clone(&one.package)));
    detail.mended = Some((newest, mended.collect()));
}
