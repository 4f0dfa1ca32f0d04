//! The table of vulnerabilities in what runs: which of them hits which Application.
//!
//! Reports are read a few at a time, those on the worst images first, and the table fills meanwhile.
//! Of each report only what the table says is kept.

use super::fleet::Fleet;
use super::survey::{Survey, all, begin, gather, read_report, report_name};
use super::{BETWEEN_LOOKS, Sender};
use crate::domain::image::{
    Affected, ArtifactRow, CveRow, Place, RegistryRow, Report, Severity, cves_kind, registry_object,
};
use crate::domain::object::{Text, Uid};
use crate::domain::status::Freshness;
use crate::engine::metrics::real;
use crate::engine::protocol::Ticket;
use crate::engine::session::Session;
use futures::FutureExt as _;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Serves the table of vulnerabilities in what runs.
pub(super) async fn run(session: Arc<Session>, ticket: Ticket) {
    let mut sender = Sender::new(&session, ticket, cves_kind());
    sender.freshness(Freshness::Connecting).await;
    let (changes, mut inbox) = mpsc::channel(64);
    let mut survey = Survey::new(&session, None);
    let tasks = Fleet::watch(&session, &changes).await;
    drop(changes);
    if !begin(&mut survey, &mut inbox).await {
        return;
    }
    let mut distilled = Distilled::default();
    loop {
        survey.look().await;
        // The first time the table fills while reports come; later it changes at once.
        let shown = (!sender.begun).then_some(&mut sender);
        let rows = cve_rows(&mut survey, &mut distilled, shown).await;
        let nothing_known = rows.is_empty().then(|| unscanned(&survey)).flatten();
        sender.send(rows).await;
        let freshness = nothing_known.unwrap_or_else(|| survey.freshness());
        sender.freshness(freshness).await;
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

/// No vulnerability is known because no scan is: that is not the same as being well.
fn unscanned(survey: &Survey) -> Option<Freshness> {
    let rows = survey.rows();
    let running = || rows.iter().filter(|row| !row.places.is_empty());
    let count = running().count();
    let scanned = running().any(|row| row.scan.summary().is_some());
    (count > 0 && !scanned).then(|| Freshness::Absent {
        reason: format!(
            "no scan is known of any of the {count} images that run; `:registries` says which registries are asked, and as whom"
        )
        .into(),
    })
}

/// What the table of vulnerabilities needs of reports, each word kept once: whole reports of
/// hundreds of images would take more memory than all the rest.
#[derive(Default)]
struct Distilled {
    words: HashSet<Text>,
    /// By the name of the report.
    reports: HashMap<Text, Arc<[Hit]>>,
    said: HashMap<Text, (Text, Vec<Text>)>,
}

/// A vulnerability of an image.
struct Hit {
    id: Text,
    severity: Severity,
    score: Option<u16>,
    affected: Affected,
}

impl Distilled {
    fn word(&mut self, text: &Text) -> Text {
        if let Some(known) = self.words.get(text) {
            return Text::clone(known);
        }
        self.words.insert(Text::clone(text));
        Text::clone(text)
    }

    fn take_in(&mut self, name: Text, report: &Report) -> Arc<[Hit]> {
        let mut hits = Vec::with_capacity(report.vulnerabilities.len());
        for one in &report.vulnerabilities {
            let hit = Hit {
                id: self.word(&one.id),
                severity: one.severity,
                score: one.score.map(|score| (score * 10.0).round() as u16),
                affected: Affected {
                    package: self.word(&one.package),
                    version: self.word(&one.version),
                    fix: self.word(&one.fix),
                },
            };
            if !self.said.contains_key(&hit.id) {
                let said = (Text::clone(&one.description), one.links.clone());
                self.said.insert(Text::clone(&hit.id), said);
            }
            hits.push(hit);
        }
        let hits: Arc<[Hit]> = hits.into();
        self.reports.insert(name, Arc::clone(&hits));
        hits
    }

    /// Forgets what no image has any more.
    fn keep(&mut self, names: &HashSet<Text>) {
        self.reports.retain(|name, _| names.contains(name));
    }
}

/// How many reports are read before what they say is shown.
const BATCH: usize = 32;

async fn cve_rows(
    survey: &mut Survey,
    distilled: &mut Distilled,
    mut shown: Option<&mut Sender>,
) -> Vec<RegistryRow> {
    let mut rows = survey.rows();
    rows.retain(|row| {
        let found = row.scan.summary().is_some_and(|summary| summary.total > 0);
        found && !row.places.is_empty()
    });
    // What is worst is known first.
    rows.sort_by_cached_key(|row| {
        let worst = row.scan.summary().map(|summary| summary.severity);
        (std::cmp::Reverse(worst), row.object.clone())
    });
    let names = rows.iter().filter_map(report_name).collect();
    distilled.keep(&names);
    let mut found: BTreeMap<Text, CveRow> = BTreeMap::new();
    for batch in rows.chunks(BATCH) {
        let known = distilled.reports.len();
        for (row, hits) in hits_of(survey, distilled, batch).await {
            gather_cves(&survey.session, (row, &hits), (distilled, &mut found));
        }
        if let Some(sender) = &mut shown
            && distilled.reports.len() > known
        {
            let rows = finished(found.clone());
            let count = rows.len();
            sender.send(rows).await;
            sender.freshness(Freshness::Loading { rows: count }).await;
        }
    }
    finished(found)
}

/// Reads the reports on some images, those that are not known yet.
async fn hits_of<'r>(
    survey: &mut Survey,
    distilled: &mut Distilled,
    batch: &'r [ArtifactRow],
) -> Vec<(&'r ArtifactRow, Arc<[Hit]>)> {
    let mut hits = Vec::new();
    let mut asked = Vec::new();
    for row in batch {
        let Some(name) = report_name(row) else {
            continue;
        };
        if let Some(known) = distilled.reports.get(&name) {
            hits.push((row, Arc::clone(known)));
        } else if let Some(registry) = survey.directory.of_host(&row.registry).cloned() {
            let session = Arc::clone(&survey.session);
            asked.push(
                async move { (row, name, read_report(&session, &registry, row).await) }.boxed(),
            );
        }
    }
    for (row, name, answer) in all(asked).await {
        match answer {
            Ok(Some(report)) => hits.push((row, distilled.take_in(name, &report))),
            Ok(None) => {}
            Err(trouble) => survey.troubles.push(trouble),
        }
    }
    hits
}

fn finished(found: BTreeMap<Text, CveRow>) -> Vec<RegistryRow> {
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
    (row, hits): (&ArtifactRow, &[Hit]),
    (distilled, found): (&Distilled, &mut BTreeMap<Text, CveRow>),
) {
    let mut own: BTreeSet<&Text> = BTreeSet::new();
    let title: Text = row.title().into();
    let places: Vec<Arc<Place>> = row.places.iter().cloned().map(Arc::new).collect();
    for one in hits {
        let entry = found.entry(Text::clone(&one.id)).or_insert_with(|| {
            let (description, links) = distilled.said.get(&one.id).cloned().unwrap_or_default();
            CveRow {
                object: registry_object(&session.cluster, cves_kind(), "", &one.id),
                uid: Uid(Text::clone(&one.id)),
                severity: one.severity,
                score: None,
                packages: Vec::new(),
                images: Vec::new(),
                places: Vec::new(),
                description,
                links,
            }
        });
        entry.severity = entry.severity.max(one.severity);
        entry.score = entry.score.max(one.score);
        entry.packages.push(one.affected.clone());
        // One vulnerability may be in several packages of an image.
        if own.insert(&one.id) {
            let image = (row.object.clone(), Text::clone(&title));
            entry.images.push(image);
            entry.places.extend(places.iter().map(Arc::clone));
        }
    }
}

/// Reads the vulnerabilities once, for reports.
pub(super) async fn once(session: &Arc<Session>) -> Vec<RegistryRow> {
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
    cve_rows(&mut survey, &mut Distilled::default(), None).await
}
