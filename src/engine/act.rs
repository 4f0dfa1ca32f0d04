//! placeholder
use super::session::Session;
use crate::domain::intent::{Intent, IntentId};
use std::sync::Arc;
pub(super) async fn run(_session: Arc<Session>, _id: IntentId, _intent: Intent, _dry_run: bool) {}
