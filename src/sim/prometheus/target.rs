//! What is scraped, and what became of it.

use super::labels::Labels;
use futures::future::BoxFuture;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Reads the metrics of a target as text; an error is what the target page shows.
pub type ReadMetrics = Arc<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// One scraped endpoint.
#[derive(Clone)]
pub struct Target {
    /// The scrape job, also the label `job`.
    pub job: String,
    /// The address, also the label `instance`.
    pub instance: String,
    /// Further labels of every series of this target.
    pub labels: Vec<(String, String)>,
    /// Whether labels in the text win over the target's own; otherwise they become `exported_…`.
    pub honor_labels: bool,
    /// Reads the text.
    pub read: ReadMetrics,
}

impl Target {
    /// Returns the labels that every series of this target has.
    pub(super) fn own_labels(&self) -> Labels {
        let further = self
            .labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let own = [
            ("job", self.job.as_str()),
            ("instance", self.instance.as_str()),
        ];
        let pairs: Vec<(&str, &str)> = further.chain(own).collect();
        Labels::of(&pairs)
    }

    pub(super) fn is(&self, job: &str, instance: &str) -> bool {
        self.job == job && self.instance == instance
    }
}

/// A target and how its last scrape went.
pub(super) struct Scraped {
    pub(super) target: Target,
    pub(super) last: Option<LastScrape>,
    /// The series of the last scrape: those that do not come again end.
    pub(super) series: HashSet<Labels>,
}

/// How a scrape went.
#[derive(Clone, Debug)]
pub(super) struct LastScrape {
    pub(super) at: i64,
    pub(super) took: Duration,
    pub(super) error: Option<String>,
}
