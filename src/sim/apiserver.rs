//! The embedded Kubernetes API server.
//!
//! It keeps objects in memory and serves them by the Kubernetes protocol: in the process over a
//! duplex stream ([`ApiServer::client`]) and, when asked, over TLS. `store` keeps bytes and a log
//! of changes, `handler` turns requests into calls, `write` is the one way into the store.
//! Controllers are not here: they are clients like any other.

mod accept;
mod admission;
pub mod apply;
mod auth;
mod body;
mod bootstrap;
mod builtin;
mod call;
mod core;
pub mod crd;
mod crds;
mod delete;
mod discovery;
mod error;
mod events;
mod handler;
mod json;
mod kinds;
mod lifecycle;
mod logs;
mod names;
pub mod openapi;
mod patch;
mod read;
mod request;
pub mod schema;
mod selector;
mod store;
pub mod strategic;
mod subresources;
mod table;
mod transport;
mod watch;
mod write;

pub use self::auth::User;
pub use self::logs::{LogRequest, PodLogs};
pub use self::store::LogLimits;

use self::core::Core;
use self::handler::{Front, Identity};
use crate::sim::clock::PlatformClock;
use std::sync::Arc;

/// How a server is started.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The platform's time, for all timestamps.
    pub clock: PlatformClock,
    /// What `/version` reports, such as `v1.33.4`.
    pub version: String,
    /// The seed of uids and generated names.
    pub seed: u64,
    /// How much of the past watches and later pages of lists can reach.
    pub log: LogLimits,
}

impl ServerOptions {
    /// The usual options with the given clock.
    pub fn new(clock: PlatformClock) -> Self {
        Self {
            clock,
            version: "v1.33.4".to_owned(),
            seed: 0x7469_7068_7973,
            log: LogLimits::default(),
        }
    }
}

/// A running server; clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct ApiServer {
    core: Arc<Core>,
}

impl ApiServer {
    /// Starts a server with the namespaces that every cluster has.
    ///
    /// Must be called inside a tokio runtime.
    pub fn start(options: ServerOptions) -> Self {
        let core = Core::new(options.clock, options.version, options.seed, options.log);
        let server = Self {
            core: Arc::new(core),
        };
        bootstrap::fill(&server.core);
        server
    }

    /// Makes a client in the process that may do everything, under the given user name.
    pub fn client(&self, user: &str) -> kube::Client {
        self.client_as(User::admin(user))
    }

    /// Makes a client in the process for a user who may do what the RBAC objects grant.
    pub fn client_as(&self, user: User) -> kube::Client {
        transport::client(self.router_as(user))
    }

    /// Returns a router that treats every request as the administrator's.
    pub fn router(&self) -> axum::Router {
        self.router_as(User::admin("system:admin"))
    }

    fn router_as(&self, user: User) -> axum::Router {
        handler::router(Front {
            core: Arc::clone(&self.core),
            identity: Identity::Known(user),
        })
    }

    /// Sets who supplies the logs of containers.
    pub fn set_pod_logs(&self, logs: Arc<dyn PodLogs>) {
        self.core.set_logs(logs);
    }

    /// Answers requests through the service proxy of `namespace/service` with a router.
    pub fn add_service_backend(&self, namespace: &str, service: &str, router: axum::Router) {
        self.core.add_backend(namespace, service, router);
    }
}
