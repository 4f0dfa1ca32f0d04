//! Opens a loopback port for each server.

use super::endpoints::{
    GitEndpoint, KubernetesEndpoint, ServerEndpoint, WebhookEndpoint, write_private,
};
use super::monitoring::Monitoring;
use super::{Endpoints, SimError};
use crate::sim::apiserver::ApiServer;
use crate::sim::git::{GitServer, http::Access, http::router as git_router};
use crate::sim::rng::Seed;
use axum::Router;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const GIT_USER: &str = "tiphys";

/// What is to be reached from outside.
pub(super) struct Servers<'s> {
    pub(super) door: Door,
    pub(super) git: &'s GitServer,
    pub(super) receiver: Router,
    pub(super) secret: String,
    pub(super) monitoring: Option<Monitoring>,
    pub(super) seed: u64,
}

/// Opens the ports; the folder holds the kubeconfig and is removed with the platform.
pub(super) async fn open(
    address: SocketAddr,
    servers: Servers<'_>,
    stop: &CancellationToken,
) -> Result<(Endpoints, tempfile::TempDir), SimError> {
    let access = Access {
        username: GIT_USER.to_owned(),
        password: Seed(servers.seed).stream(&["git", "password"]).hex(24),
    };
    let git = serve(
        address,
        git_router(servers.git.clone(), access.clone()),
        stop,
    )
    .await?;
    let webhook = serve(address, servers.receiver, stop).await?;
    let mut endpoints = Endpoints {
        prometheus: None,
        alertmanager: None,
        metrics: None,
        kubernetes: servers.door.endpoint,
        git: GitEndpoint {
            url: format!("http://{git}"),
            username: access.username,
            password: access.password,
            repositories: servers.git.repositories(),
        },
        webhook: WebhookEndpoint {
            url: format!("http://{webhook}/api/webhook"),
            secret: servers.secret,
        },
    };
    if let Some(monitoring) = servers.monitoring {
        let at = async |router| {
            let bound = serve(address, router, stop).await?;
            Ok::<_, SimError>(format!("http://{bound}"))
        };
        let prometheus = match monitoring.elsewhere {
            Some(url) => url,
            None => at(monitoring.prometheus).await?,
        };
        let metrics = at(monitoring.metrics).await?;
        endpoints.prometheus = Some(ServerEndpoint { url: prometheus });
        endpoints.alertmanager = Some(ServerEndpoint {
            url: at(monitoring.alertmanager).await?,
        });
        endpoints.metrics = Some(ServerEndpoint {
            url: format!("{metrics}/metrics"),
        });
    }
    Ok((endpoints, servers.door.folder))
}

/// The API server's open port.
pub(super) struct Door {
    endpoint: KubernetesEndpoint,
    /// What pods are told to trust.
    pub(super) ca_pem: String,
    folder: tempfile::TempDir,
}

/// Opens the API server's port first: controllers hand its certificate to pods.
pub(super) async fn open_kubernetes(
    address: SocketAddr,
    server: &ApiServer,
) -> Result<Door, SimError> {
    let listening = server
        .listen_tls(with_any_port(address))
        .await
        .map_err(|error| SimError::ListenTls(error.to_string()))?;
    let folder = tempfile::Builder::new()
        .prefix("tiphys-")
        .tempdir()
        .map_err(|source| SimError::Write {
            path: std::env::temp_dir().display().to_string(),
            source,
        })?;
    let kubeconfig = folder.path().join("kubeconfig");
    write_private(&kubeconfig, &server.kubeconfig(&listening))?;
    let endpoint = KubernetesEndpoint {
        server: format!("https://{}", listening.addr),
        kubeconfig: kubeconfig.display().to_string(),
    };
    Ok(Door {
        endpoint,
        ca_pem: listening.ca_pem,
        folder,
    })
}

/// Serves until the platform stops; the port is open when this returns.
async fn serve(
    address: SocketAddr,
    router: Router,
    stop: &CancellationToken,
) -> Result<SocketAddr, SimError> {
    let refused = |source| SimError::Listen { address, source };
    let listener = TcpListener::bind(with_any_port(address))
        .await
        .map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    let stop = stop.clone();
    tokio::spawn(async move {
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::warn!(%error, "a server of the embedded platform ended");
        }
    });
    Ok(bound)
}

/// Each server has a port of its own, so a given one cannot be shared: it is left to the first.
fn with_any_port(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), 0)
}
