//! A Prometheus and its Alertmanager, in the process.
//!
//! Series are scraped from targets on the platform's clock or appended, queries are evaluated by
//! our own engine, rules run, and both HTTP APIs answer as the real servers do.
//! Nothing here decides what the metrics are: `sim::traffic` and the platform do.

mod alertmanager;
mod drive;
pub mod exposition;
pub mod histogram;
mod http;
pub mod labels;
pub mod matcher;
pub mod number;
mod options;
pub mod promql;
mod query;
mod rules;
mod scrape;
pub mod store;
mod target;

pub use options::{PrometheusOptions, Semantics};
pub use query::{QueryError, QueryErrorKind, QueryRange};
pub use target::{ReadMetrics, Target};

use crate::domain::clock::Clock;
use alertmanager::Alertmanager;
use chrono::{DateTime, Utc};
use exposition::Metadata;
use labels::Labels;
use promql::{Outcome, Sample};
use rules::Group;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use store::{Appended, Store};
use target::Scraped;
use tokio_util::sync::CancellationToken;

/// How many series there may be: what a demonstration never needs, and memory always stands.
const MOST_SERIES: usize = 100_000;

/// The embedded Prometheus. Clones share series, rules and alerts.
#[derive(Clone)]
pub struct Prometheus(Arc<Core>);

struct Core {
    options: PrometheusOptions,
    started: DateTime<Utc>,
    store: RwLock<Store>,
    targets: RwLock<Vec<Scraped>>,
    rules: RwLock<Vec<Group>>,
    metadata: RwLock<BTreeMap<String, Metadata>>,
    alertmanager: Alertmanager,
}

impl Prometheus {
    /// Makes a server without series, targets and rules.
    pub fn new(options: PrometheusOptions) -> Self {
        Self(Arc::new(Core {
            started: options.clock.now(),
            store: RwLock::new(Store::new(MOST_SERIES)),
            targets: RwLock::default(),
            rules: RwLock::default(),
            metadata: RwLock::default(),
            alertmanager: Alertmanager::new(&options),
            options,
        }))
    }

    /// Stores one sample, a number or a native histogram, for backfilling; returns whether it was taken.
    ///
    /// A sample is refused when its series already has a younger one, or there are too many series.
    /// `__name__` is one of the labels.
    pub fn append(&self, labels: &[(&str, &str)], at_ms: i64, sample: impl Into<Sample>) -> bool {
        let taken = write(&self.0.store).append(&Labels::of(labels), at_ms, sample);
        matches!(taken, Appended::NewSeries | Appended::Taken)
    }

    /// Stores the samples of an exposition at one time; those with a time of their own keep it.
    ///
    /// # Errors
    /// The text cannot be read; then nothing is stored.
    pub fn append_text(&self, text: &str, at_ms: i64) -> Result<usize, String> {
        let read = exposition::parse(text)?;
        let mut store = write(&self.0.store);
        let taken = read.samples.iter().filter(|sample| {
            let taken = store.append(&sample.labels, sample.at.unwrap_or(at_ms), sample.value);
            matches!(taken, Appended::NewSeries | Appended::Taken)
        });
        Ok(taken.count())
    }

    /// Adds what is to be scraped; a target of the same job and instance is replaced.
    pub fn add_target(&self, target: Target) {
        self.remove_target(&target.job, &target.instance);
        write(&self.0.targets).push(Scraped {
            target,
            last: None,
            series: HashSet::new(),
        });
    }

    /// Stops scraping a target; its series become stale.
    pub fn remove_target(&self, job: &str, instance: &str) {
        let mut targets = write(&self.0.targets);
        let Some(at) = targets
            .iter()
            .position(|scraped| scraped.target.is(job, instance))
        else {
            return;
        };
        let gone = targets.remove(at);
        drop(targets);
        scrape::end(&self.0, &gone, self.0.now());
    }

    /// Loads a rule file; a file of the same name is replaced.
    ///
    /// # Errors
    /// All mistakes of the file; then none of its rules are loaded.
    pub fn load_rules(&self, file_name: &str, text: &str) -> Result<(), Vec<String>> {
        rules::load(&self.0, file_name, text)
    }

    /// Scrapes and evaluates rules until told to stop; the first time is now.
    pub fn start(&self, stop: &CancellationToken) {
        drive::start(self, stop.clone());
    }

    /// Scrapes all targets once, and evaluates the rules that are due, now.
    pub async fn tick(&self) {
        let now = self.0.now();
        scrape::scrape(&self.0, now).await;
        rules::evaluate(&self.0, now);
    }

    /// Evaluates a query at one time.
    ///
    /// # Errors
    /// The query cannot be read or evaluated.
    pub fn query_instant(&self, query: &str, at_ms: i64) -> Result<Outcome, QueryError> {
        let expr = promql::parse(query)?;
        self.0.evaluate_instant(&expr, at_ms)
    }

    /// Evaluates a query at all times of a range.
    ///
    /// # Errors
    /// The query or the range cannot be read or evaluated.
    pub fn query_range(&self, query: &str, range: QueryRange) -> Result<Outcome, QueryError> {
        let expr = promql::parse(query)?;
        self.0.evaluate_range(&expr, range)
    }

    /// Returns the Prometheus HTTP API, at `/`.
    pub fn router(&self) -> axum::Router {
        http::router(self)
    }

    /// Returns the Alertmanager HTTP API, below `/api/v2`.
    pub fn alertmanager_router(&self) -> axum::Router {
        alertmanager::router(self)
    }

    /// Returns how this server was set up.
    pub fn options(&self) -> &PrometheusOptions {
        &self.0.options
    }
}

impl Core {
    fn now(&self) -> i64 {
        self.options.clock.now().timestamp_millis()
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
