//! A Prometheus and its Alertmanager, in the process.
//!
//! Series are scraped from targets on the platform's clock or appended, queries are evaluated by
//! our own engine, rules run, and both HTTP APIs answer as the real servers do.
//! Nothing here decides what the metrics are: `sim::traffic` and the platform do.

mod options;
mod target;

pub use options::{PrometheusOptions, Semantics};
pub use target::{ReadMetrics, Target};

use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The embedded Prometheus. Clones share series, rules and alerts.
#[derive(Clone)]
pub struct Prometheus(Arc<Core>);

struct Core {
    options: PrometheusOptions,
}

impl Prometheus {
    /// Makes a server without series, targets and rules.
    pub fn new(options: PrometheusOptions) -> Self {
        Self(Arc::new(Core { options }))
    }

    /// Stores one sample, for backfilling; returns whether it was taken.
    ///
    /// A sample is refused when the series already has a younger one or its time is past retention.
    /// `__name__` is one of the labels.
    pub fn append(&self, _labels: &[(&str, &str)], _at_ms: i64, _value: f64) -> bool {
        true
    }

    /// Adds what is to be scraped; a target of the same job and instance is replaced.
    pub fn add_target(&self, _target: Target) {}

    /// Stops scraping a target; its series become stale.
    pub fn remove_target(&self, _job: &str, _instance: &str) {}

    /// Loads a rule file; a file of the same name is replaced.
    ///
    /// # Errors
    /// All mistakes of the file; then none of its rules are loaded.
    pub fn load_rules(&self, _file_name: &str, _text: &str) -> Result<(), Vec<String>> {
        Ok(())
    }

    /// Scrapes and evaluates rules until told to stop.
    pub fn start(&self, _stop: &CancellationToken) {}

    /// Returns the Prometheus HTTP API, at `/`.
    pub fn router(&self) -> axum::Router {
        axum::Router::new()
    }

    /// Returns the Alertmanager HTTP API, below `/api/v2`.
    pub fn alertmanager_router(&self) -> axum::Router {
        axum::Router::new()
    }

    /// Returns how this server was set up.
    pub fn options(&self) -> &PrometheusOptions {
        &self.0.options
    }
}
