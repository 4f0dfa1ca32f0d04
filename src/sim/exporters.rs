//! What the platform's own parts say of themselves in metrics: Argo CD, Argo Rollouts, the cluster.
//!
//! Each exporter reads watched caches when it is asked and keeps nothing else, except counters
//! that only a watch can count. Names and labels are upstream's.

mod argocd;
mod cluster;
mod projected;
mod rollouts;

pub use argocd::ArgoCdExporter;
pub use cluster::ClusterExporter;
pub use rollouts::RolloutsExporter;
