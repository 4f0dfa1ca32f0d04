//! The embedded Kubernetes API server.
//!
//! It keeps objects in memory and serves them by the Kubernetes protocol: in the process over a
//! duplex stream ([`ApiServer::client`]) and, when asked, over TLS. `store` keeps bytes and a log
//! of changes, `handler` turns requests into calls, `write` is the one way into the store.
//! Controllers are not here: they are clients like any other.

mod accept;
mod admission;
mod allocate;
pub mod apply;
mod auth;
mod body;
mod bootstrap;
mod builtin;
mod call;
mod collector;
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
mod pods;
mod protobuf;
mod proxy;
mod rbac;
mod read;
mod request;
mod reviews;
mod rules;
mod scale;
pub mod schema;
mod selector;
mod store;
pub mod strategic;
mod subresources;
mod table;
mod tls;
mod transport;
mod watch;
mod write;

pub use self::auth::User;
pub use self::logs::{LogRequest, PodLogs};
pub use self::store::LogLimits;
pub use self::tls::{ListenError, Listening};

use self::core::Core;
use self::handler::{Front, Identity};
use crate::sim::clock::PlatformClock;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

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
        tokio::spawn(collector::run(Arc::downgrade(&server.core)));
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

    /// Returns what answers for a service, if a backend was added for it.
    pub(super) fn service_backend(&self, namespace: &str, service: &str) -> Option<axum::Router> {
        self.core.backend(namespace, service)
    }

    /// Opens a door over TLS on `addr` (port 0: the system chooses) with a token for everything.
    pub async fn listen_tls(&self, addr: SocketAddr) -> Result<Listening, ListenError> {
        tls::listen(&self.core, addr).await
    }

    /// Opens a TLS port for another server of the platform, with a certificate of the same
    /// authority in the name of `server`'s first part.
    pub async fn listen_for(
        &self,
        addr: SocketAddr,
        server: (&str, axum::Router),
        stop: CancellationToken,
    ) -> Result<SocketAddr, ListenError> {
        tls::listen_for(&self.core, addr, server, stop).await
    }

    /// Writes a kubeconfig that uses the token of a door.
    pub fn kubeconfig(&self, listening: &Listening) -> String {
        tls::kubeconfig(listening, &serde_json::json!({ "token": listening.token }))
    }

    /// Writes a kubeconfig for a user who is known by a client certificate made here.
    pub fn kubeconfig_with_certificate(
        &self,
        listening: &Listening,
        user: User,
    ) -> Result<String, ListenError> {
        let authority = self.core.authority()?;
        let (certificate, key, bytes) = tls::client_certificate(&authority, &user)?;
        self.core.know_certificate(bytes, user);
        let credentials = serde_json::json!({
            "client-certificate-data": STANDARD.encode(certificate),
            "client-key-data": STANDARD.encode(key),
        });
        Ok(tls::kubeconfig(listening, &credentials))
    }

    /// Makes a bearer token for a user; what they may do is decided by their groups and RBAC.
    pub fn issue_token(&self, user: User) -> String {
        self.core.issue_token(user, None)
    }
}
