//! The set of servers behind the engine: a live cluster or the embedded platform.
//!
//! [`Platform`] is all that tells the two apart, and it is chosen in `main` alone.

use super::protocol::ContextInfo;
use crate::domain::clock::Clock;
use crate::domain::finding::Finding;
use crate::domain::object::Text;
use futures::future::BoxFuture;
use std::sync::Arc;

/// Opens connections to the contexts it knows.
pub trait Platform: Send + Sync + std::fmt::Debug {
    /// Lists the contexts; an unreadable kubeconfig is a [`Finding`].
    fn contexts(&self) -> Result<Vec<ContextInfo>, Finding>;

    /// Makes a client for a context (`None`: the current one). No request has been sent yet.
    fn connect(&self, context: Option<Text>) -> BoxFuture<'static, Result<Link, Finding>>;

    /// The clock that timestamps of this platform are to be read by.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Everything that is wrong with the configuration of this platform, used or not.
    fn mistakes(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// A client for one context.
#[derive(Clone)]
pub struct Link {
    pub client: kube::Client,
    pub context: ContextInfo,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
