//! placeholder
use super::protocol::{Answer, Fetch};
use super::session::Session;
use crate::domain::finding::{Finding, Severity};
use std::sync::Arc;
pub(super) async fn answer(_session: &Arc<Session>, _what: Fetch) -> Result<Answer, Finding> {
    Err(Finding::new(Severity::Error, "not yet"))
}

pub(super) const MASK: &str = "••••••••";
