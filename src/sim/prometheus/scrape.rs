//! Scraping: read all targets, store what they say, end what they do not say any more.

use super::exposition::{self, Exposition};
use super::labels::{Labels, NAME};
use super::promql::ABSENT;
use super::store::{Appended, Store};
use super::target::{LastScrape, Scraped, Target};
use super::{Core, read, write};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a target may take to answer, in real time.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads all targets and stores their samples at one time.
pub(super) async fn scrape(core: &Core, at: i64) {
    let targets: Vec<Target> = read(&core.targets)
        .iter()
        .map(|scraped| scraped.target.clone())
        .collect();
    let answers = futures::future::join_all(targets.iter().map(ask)).await;
    for (target, (answer, took)) in targets.iter().zip(answers) {
        settle(core, target, answer, (at, took));
    }
    let oldest = at - core.options.retention.as_millis() as i64;
    write(&core.store).forget_before(oldest);
}

async fn ask(target: &Target) -> (Result<Exposition, String>, Duration) {
    // Real time, whatever the platform's clock says.
    let started = Instant::now();
    let answer = match tokio::time::timeout(TIMEOUT, (target.read)()).await {
        Ok(answer) => answer.and_then(|text| exposition::parse(&text)),
        Err(_) => Err("context deadline exceeded".to_owned()),
    };
    (answer, started.elapsed())
}

/// Stores the answer of one target.
fn settle(
    core: &Core,
    target: &Target,
    answer: Result<Exposition, String>,
    (at, took): (i64, Duration),
) {
    let mut targets = write(&core.targets);
    let Some(scraped) = targets
        .iter_mut()
        .find(|scraped| scraped.target.is(&target.job, &target.instance))
    else {
        return;
    };
    let own = target.own_labels();
    let (error, exposition) = match answer {
        Ok(exposition) => (None, exposition),
        Err(error) => (Some(error), Exposition::default()),
    };
    let mut store = write(&core.store);
    let (seen, added) = keep(&mut store, target, &own, &exposition, at);
    for gone in scraped.series.difference(&seen) {
        store.append(gone, at, ABSENT);
    }
    scraped.series = seen;
    let count = exposition.samples.len() as f64;
    let up = if error.is_none() { 1.0 } else { 0.0 };
    for (name, value) in [
        ("up", up),
        ("scrape_duration_seconds", took.as_secs_f64()),
        ("scrape_samples_scraped", count),
        ("scrape_samples_post_metric_relabeling", count),
        ("scrape_series_added", added as f64),
    ] {
        store.append(&own.with(NAME, name), at, value);
    }
    drop(store);
    scraped.last = Some(LastScrape { at, took, error });
    drop(targets);
    let mut metadata = write(&core.metadata);
    for (name, entry) in exposition.metadata {
        metadata.insert(name, entry);
    }
}

/// Stores samples; returns the series that live by this scrape, and how many are new.
fn keep(
    store: &mut Store,
    target: &Target,
    own: &Labels,
    exposition: &Exposition,
    at: i64,
) -> (HashSet<Labels>, usize) {
    let mut seen = HashSet::with_capacity(exposition.samples.len());
    let mut added = 0;
    for sample in &exposition.samples {
        let labels = joined(&sample.labels, own, target.honor_labels);
        let taken = store.append(&labels, sample.at.unwrap_or(at), sample.value);
        added += usize::from(taken == Appended::NewSeries);
        // A sample with a time of its own does not end when it is not repeated.
        if sample.at.is_none() && taken != Appended::TooMany {
            seen.insert(labels);
        }
    }
    (seen, added)
}

/// Adds the target's own labels to those of a sample.
fn joined(sample: &Labels, own: &Labels, honor_labels: bool) -> Labels {
    let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    if honor_labels {
        pairs.extend(own.iter().cloned());
        pairs.extend(sample.iter().cloned());
        return Labels::new(pairs);
    }
    for (name, value) in sample.iter() {
        let clashes = !own.get(name).is_empty();
        let name = if clashes {
            format!("exported_{name}").into()
        } else {
            Arc::clone(name)
        };
        pairs.push((name, Arc::clone(value)));
    }
    pairs.extend(own.iter().cloned());
    Labels::new(pairs)
}

/// Ends all series of a target that is scraped no more.
pub(super) fn end(core: &Core, scraped: &Scraped, at: i64) {
    let mut store = write(&core.store);
    let own = scraped.target.own_labels();
    let by_scraping = [
        "up",
        "scrape_duration_seconds",
        "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling",
        "scrape_series_added",
    ];
    for name in by_scraping {
        store.append(&own.with(NAME, name), at, ABSENT);
    }
    for labels in &scraped.series {
        store.append(labels, at, ABSENT);
    }
}
