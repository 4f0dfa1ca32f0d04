//! placeholder
use super::protocol::{LogOptions, Ticket};
use super::session::Session;
use crate::domain::object::ObjectRef;
use std::sync::Arc;
pub(super) async fn run(_s: Arc<Session>, _t: Ticket, _o: ObjectRef, _p: LogOptions) {}
