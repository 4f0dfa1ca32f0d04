//! AnalysisRuns: measures what templates describe, judges the measurements, and says how it went.
//!
//! Follows Argo Rollouts' `analysis/` and `utils/analysis/`. What is measured is asked of providers
//! (Prometheus, web, job); how values are judged is written in a small language of conditions.
//! What the measurements add up to (`assessment`) is pure, and so is all that reads a template.

pub mod arguments;
mod assessment;
pub(super) mod condition;
mod controller;
pub(super) mod duration;
mod metric;
pub mod model;
mod providers;
pub mod templates;

pub use controller::Analyses;
