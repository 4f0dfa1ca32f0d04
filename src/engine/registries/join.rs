//! Joins what runs with what registries have: one row an artifact, with every place where it runs.

use super::directory::Directory;
use super::fleet::Fleet;
use super::registry::Trouble;
use super::stock::Stock;
use crate::api::convert::pod_images::ContainerImage;
use crate::domain::finding::{Finding, Severity};
use crate::domain::image::{
    ArtifactRow, Digest, ImageState, Place, Shelf, Standing, content_states, judge,
};
use crate::domain::object::{Cluster, ObjectRef, Text};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What is known of repositories, by host and path.
pub(super) type Stocks = BTreeMap<(Text, Text), Result<Arc<Stock>, Trouble>>;

struct Joined<'a> {
    cluster: &'a Cluster,
    directory: &'a Directory,
    stocks: &'a Stocks,
    judged: HashMap<(Text, Option<Digest>), Standing>,
    rows: BTreeMap<ObjectRef, ArtifactRow>,
}

/// What runs, of everything or of one repository.
pub(super) struct Running<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) cluster: &'a Cluster,
    /// Host and path of the repository that alone counts.
    pub(super) only: Option<&'a (Text, Text)>,
}

/// Makes the rows; `newest` are artifacts to show although they may run nowhere.
pub(super) fn join<'a>(
    running: &Running<'a>,
    directory: &'a Directory,
    stocks: &'a Stocks,
    newest: impl Iterator<Item = &'a ArtifactRow>,
) -> Vec<ArtifactRow> {
    let fleet = running.fleet;
    let mut joined = Joined {
        cluster: running.cluster,
        directory,
        stocks,
        judged: HashMap::new(),
        rows: BTreeMap::new(),
    };
    for row in newest {
        joined.rows.insert(row.object.clone(), row.clone());
    }
    for pod in fleet.pods() {
        let application = fleet.application_of(pod);
        let counts = |one: &&ContainerImage| {
            let wanted = &one.running.wanted;
            running.only.is_none_or(|(host, repository)| {
                wanted.host == *host && wanted.repository == *repository
            })
        };
        for one in pod.containers.iter().filter(counts) {
            joined.add(one, application.as_ref());
        }
    }
    let mut rows: Vec<ArtifactRow> = joined.rows.into_values().collect();
    mark_mixed(&mut rows);
    for row in &mut rows {
        finish(row);
    }
    rows
}

impl Joined<'_> {
    fn add(&mut self, one: &ContainerImage, application: Option<&ObjectRef>) {
        let wanted = &one.running.wanted;
        let key = (Text::clone(&wanted.host), Text::clone(&wanted.repository));
        let standing = self.standing(&key, one);
        let mut place = Place {
            application: application.cloned(),
            ..one.place.clone()
        };
        let (row, newest) = match &standing {
            Some(standing) => {
                place.states.clone_from(&standing.states);
                let stock = self.stocks.get(&key).and_then(|stock| stock.as_ref().ok());
                let newest = standing.newest.filter(|at| Some(*at) != standing.artifact);
                let newest = newest.and_then(|at| stock?.shelf.get(at)?.tags.first().cloned());
                let row = standing.artifact.and_then(|at| stock?.row(at).cloned());
                (row, newest)
            }
            None => {
                if self.directory.looked {
                    place.states.push(ImageState::Unknown);
                }
                (None, None)
            }
        };
        let unknown = || {
            let digest = one.running.digest().cloned();
            let tag = wanted.tag_or_latest().map(Text::from);
            let mut row = ArtifactRow::unknown(self.cluster, &wanted.at(tag, digest));
            row.findings.extend(self.why_unknown(&key));
            row
        };
        let row = row.unwrap_or_else(unknown);
        let known = self.rows.entry(row.object.clone()).or_insert(row);
        if let Some(newest) = newest {
            known.newest = newest;
        }
        known.places.push(place);
    }

    fn standing(&mut self, key: &(Text, Text), one: &ContainerImage) -> Option<Standing> {
        let stock = self.stocks.get(key)?.as_ref().ok()?;
        let artifacts = stock.shelf.as_slice();
        let memo = (Text::clone(&one.place.image), one.running.digest().cloned());
        if let Some(known) = self.judged.get(&memo) {
            return Some(known.clone());
        }
        let shelf = Shelf {
            artifacts,
            complete: true,
        };
        let standing = judge(&one.running, shelf);
        self.judged.insert(memo, standing.clone());
        Some(standing)
    }

    fn why_unknown(&self, key: &(Text, Text)) -> Option<Finding> {
        let (host, repository) = key;
        match self.stocks.get(key) {
            Some(Err(trouble)) => Some(trouble.finding()),
            Some(Ok(stock)) if stock.shelf.is_empty() => {
                let sentence = format!("`{host}` has no repository `{repository}`");
                Some(Finding::new(Severity::Warning, sentence).with_hint(
                    "the account may not see it, or the image was loaded into the node by hand",
                ))
            }
            Some(Ok(_)) => {
                let sentence = format!(
                    "`{host}/{repository}` no longer has what runs: a Pod on another node could not pull it"
                );
                Some(
                    Finding::new(Severity::Error, sentence)
                        .with_hint("roll out an image that is there, or push it again"),
                )
            }
            None if self.directory.looked && self.directory.of_host(host).is_none() => {
                let unasked = Trouble::unasked(host);
                Some(Finding::new(Severity::Info, unasked.sentence).with_hint(unasked.hint))
            }
            None => None,
        }
    }
}

/// Marks places whose workload runs different content under one reference.
fn mark_mixed(rows: &mut [ArtifactRow]) {
    let mut seen: HashMap<(ObjectRef, Text, Text), (usize, bool)> = HashMap::new();
    let key = |place: &Place| {
        (
            place.workload.clone(),
            Text::clone(&place.container),
            Text::clone(&place.image),
        )
    };
    for (at, row) in rows.iter().enumerate() {
        for place in &row.places {
            let entry = seen.entry(key(place)).or_insert((at, false));
            entry.1 |= entry.0 != at;
        }
    }
    let any = seen.values().any(|(_, mixed)| *mixed);
    if !any {
        return;
    }
    for place in rows.iter_mut().flat_map(|row| &mut row.places) {
        if seen.get(&key(place)).is_some_and(|(_, mixed)| *mixed) {
            place.states.push(ImageState::Mixed);
            place.states.sort();
        }
    }
}

fn finish(row: &mut ArtifactRow) {
    let mut states: Vec<ImageState> = row
        .places
        .iter()
        .flat_map(|place| place.states.iter().cloned())
        .chain(content_states(&row.scan, row.signed))
        .collect();
    states.sort();
    states.dedup();
    row.states = states;
}
