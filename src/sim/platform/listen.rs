//! Opens a loopback port for each server.

use super::endpoints::{
    EventSourceEndpoint, GitEndpoint, GitHubEndpoint, HarborEndpoint, KubernetesEndpoint,
    ServerEndpoint, WebhookEndpoint, write_private,
};
use super::monitoring::Monitoring;
use super::parts::Parts;
use super::{Endpoints, SimError, repositories};
use crate::sim::actions;
use crate::sim::apiserver::ApiServer;
use crate::sim::controllers::events::ArgoEvents;
use crate::sim::git::{GitServer, http::router as git_router};
use crate::sim::harbor::{ADMIN, Harbor};
use crate::sim::scenario::Scenario;
use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// What is to be reached from outside.
pub(super) struct Servers<'s> {
    pub(super) server: &'s ApiServer,
    pub(super) event_sources: Vec<EventPort>,
    pub(super) door: Door,
    pub(super) git: &'s GitServer,
    pub(super) receiver: Router,
    pub(super) secret: String,
    pub(super) parts: Parts,
    pub(super) seed: u64,
}

/// Opens the ports; the folder holds the kubeconfig and is removed with the platform.
pub(super) async fn open(
    address: SocketAddr,
    servers: Servers<'_>,
    stop: &CancellationToken,
) -> Result<(Endpoints, tempfile::TempDir), SimError> {
    let access = repositories::access(servers.seed);
    let git = serve(
        address,
        git_router(servers.git.clone(), access.clone()),
        stop,
    )
    .await?;
    let webhook = serve(address, servers.receiver, stop).await?;
    let token = servers.parts.actions.token();
    let github = serve(address, actions::router(servers.parts.actions), stop).await?;
    let mut event_sources = Vec::new();
    for port in &servers.event_sources {
        let bound = serve(address, port.router(servers.server), stop).await?;
        event_sources.push(port.endpoint(bound));
    }
    let mut endpoints = Endpoints {
        event_sources,
        github: Some(GitHubEndpoint {
            url: format!("http://{github}"),
            token,
        }),
        harbor: None,
        registry: None,
        prometheus: None,
        alertmanager: None,
        metrics: None,
        kubernetes: servers.door.endpoint.clone(),
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
    if let Some(harbor) = &servers.parts.harbor {
        let door = (address, &servers.door);
        let endpoint = open_harbor(servers.server, harbor, door, stop).await?;
        endpoints.registry = Some(ServerEndpoint {
            url: endpoint.url.clone(),
        });
        endpoints.harbor = Some(endpoint);
    }
    if let Some(monitoring) = servers.parts.monitoring {
        open_monitoring(&mut endpoints, monitoring, (address, stop)).await?;
    }
    Ok((endpoints, servers.door.folder))
}

/// Opens Harbor and its registry on one port, with a certificate of the platform's authority.
async fn open_harbor(
    server: &ApiServer,
    harbor: &Harbor,
    (address, door): (SocketAddr, &Door),
    stop: &CancellationToken,
) -> Result<HarborEndpoint, SimError> {
    let router = harbor.router(true);
    let bound = server
        .listen_for(
            with_any_port(address),
            (harbor.host(), router),
            stop.clone(),
        )
        .await
        .map_err(|error| SimError::ListenTls(error.to_string()))?;
    let authority = door.folder.path().join("ca.crt");
    write_private(&authority, &door.ca_pem)?;
    let robots = harbor.robots().into_iter();
    Ok(HarborEndpoint {
        url: format!("https://{bound}"),
        registry: harbor.host().to_owned(),
        username: ADMIN.to_owned(),
        password: harbor.admin_password(),
        robots: robots.collect(),
        certificate_authority: authority.display().to_string(),
    })
}

async fn open_monitoring(
    endpoints: &mut Endpoints,
    monitoring: Monitoring,
    (address, stop): (SocketAddr, &CancellationToken),
) -> Result<(), SimError> {
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
    Ok(())
}

/// A port of an EventSource, which gets a port of its own outside.
#[derive(Clone, Debug)]
pub(super) struct EventPort {
    namespace: String,
    name: String,
    port: u16,
    paths: Vec<String>,
}

/// Lists the ports of the EventSources that a scenario starts with.
pub(super) fn event_ports(scenario: &Scenario) -> Vec<EventPort> {
    let text = |object: &Value, pointer: &str| {
        let found = object.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let mut ports: Vec<EventPort> = Vec::new();
    let sources = scenario.manifests.iter();
    for source in sources.filter(|object| object["kind"] == "EventSource") {
        let namespace = text(source, "/metadata/namespace");
        let name = text(source, "/metadata/name");
        for (port, path) in ArgoEvents::ports(source) {
            let known = ports
                .iter_mut()
                .find(|one| (&one.namespace, &one.name, one.port) == (&namespace, &name, port));
            match known {
                Some(known) => known.paths.push(path),
                None => ports.push(EventPort {
                    namespace: namespace.clone(),
                    name: name.clone(),
                    port,
                    paths: vec![path],
                }),
            }
        }
    }
    ports
}

impl EventPort {
    /// Passes requests on to the Service, as if they had come to its port.
    fn router(&self, server: &ApiServer) -> Router {
        let (server, own) = (server.clone(), self.clone());
        let service = ArgoEvents::service(&own.name);
        Router::new().fallback(move |mut request: Request| async move {
            let host = format!("{service}.{}.svc:{}", own.namespace, own.port);
            if let Ok(host) = HeaderValue::try_from(host) {
                request.headers_mut().insert(header::HOST, host);
            }
            match server.service_backend(&own.namespace, &service) {
                Some(backend) => backend.oneshot(request).await.into_response(),
                None => {
                    let why = format!(
                        "the EventSource `{}/{}` is not ready\n",
                        own.namespace, own.name
                    );
                    (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
                }
            }
        })
    }

    fn endpoint(&self, bound: SocketAddr) -> EventSourceEndpoint {
        EventSourceEndpoint {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            port: self.port,
            url: format!("http://{bound}"),
            paths: self.paths.clone(),
        }
    }
}

/// The API server's open port.
pub(super) struct Door {
    endpoint: KubernetesEndpoint,
    /// What pods are told to trust.
    pub(super) ca_pem: String,
    folder: tempfile::TempDir,
}

/// Opens the API server's port first: controllers hand its certificate to pods. A port that was
/// given is this one.
pub(super) async fn open_kubernetes(
    address: SocketAddr,
    server: &ApiServer,
) -> Result<Door, SimError> {
    let listening = server
        .listen_tls(address)
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

/// Each server has a port of its own, so a given one cannot be shared: it is the API server's.
fn with_any_port(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), 0)
}
