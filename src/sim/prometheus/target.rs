//! What is scraped.

use futures::future::BoxFuture;
use std::sync::Arc;

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
