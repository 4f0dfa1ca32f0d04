//! The engine: everything that waits for a server.
//!
//! It watches, acts, follows logs and supervises. The rest of the program speaks to it only
//! through [`protocol`]; it never sees a screen and never reads a key.

mod act;
mod backoff;
mod connect;
mod discovery;
mod facts;
mod fault;
mod fetch;
mod git;
mod github;
pub mod live;
mod logs;
mod metrics;
mod outside;
mod paced;
mod pipelines;
pub mod platform;
mod pods;
pub mod protocol;
mod registries;
mod resource;
mod rollout;
mod session;
mod supervisor;
mod topics;
mod transport;
mod tree;
mod watch;

use crate::domain::servers::{GitHubOptions, GitOptions, MetricsOptions, RegistryOptions};
use platform::Platform;
use protocol::{Request, Update};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How the engine is to behave for the whole run.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Refuse every intent that changes anything; dry runs included, reads allowed.
    pub read_only: bool,
    /// Who is named in `operation.initiatedBy`; the user of the kubeconfig when absent.
    pub username: Option<String>,
    /// Where Argo CD runs.
    pub argocd_namespace: String,
    /// Session token for argocd-server, when the user has one.
    pub argocd_token: Option<String>,
    /// Where metrics servers are; those that are not named are discovered.
    pub metrics: Vec<MetricsOptions>,
    /// Registries, with their accounts; a Harbor in the cluster is discovered.
    pub registries: Vec<RegistryOptions>,
    /// Git servers that commits are pushed to; Argo CD's own Secrets serve where none is named.
    pub git: Vec<GitOptions>,
    /// Where runs of GitHub Actions are read; discovered in the cluster when nothing is named.
    pub github: Vec<GitHubOptions>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            read_only: false,
            username: None,
            argocd_namespace: String::from("argocd"),
            argocd_token: None,
            metrics: Vec::new(),
            registries: Vec::new(),
            git: Vec::new(),
            github: Vec::new(),
        }
    }
}

/// The two ends of a running engine. It stops when `requests` is dropped.
#[derive(Debug)]
pub struct EngineHandle {
    /// Bounded; the cockpit uses `try_send`.
    pub requests: mpsc::Sender<Request>,
    /// Bounded; row changes are coalesced while it is full.
    pub updates: mpsc::Receiver<Update>,
}

/// Starts the engine on the current tokio runtime.
pub fn start(platform: Arc<dyn Platform>, options: EngineOptions) -> EngineHandle {
    let (requests, request_queue) = mpsc::channel(256);
    let (update_queue, updates) = mpsc::channel(256);
    drop(tokio::spawn(supervisor::run(
        platform,
        options,
        request_queue,
        update_queue,
    )));
    EngineHandle { requests, updates }
}
