//! How a controller of the embedded platform reaches what speaks HTTP.
//!
//! Hosts that name a service of the cluster (`NAME.NAMESPACE`, also with `.svc` or
//! `.svc.cluster.local`, any port) for which a backend is registered are answered in the process by that
//! backend. Every other host is asked over the real network. An answer is read whole, up to a limit.

use super::apiserver::ApiServer;
use super::clock::PlatformClock;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, Uri};
use std::time::Duration;
use tower::ServiceExt as _;

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 32 * 1024 * 1024;
/// How long the real network may take when nobody says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The address names no host, or is no address.
    #[error("`{0}` is not the address of an HTTP server")]
    Address(String),
    /// The cluster's name service knows no such service, or nothing stands behind it.
    #[error("dial tcp: lookup {host}: no such host")]
    UnknownService {
        /// The host as it was asked for.
        host: String,
    },
    /// No answer came in time.
    #[error("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")]
    Timeout,
    /// The answer is longer than is read.
    #[error("the answer is longer than {LONGEST_ANSWER} bytes")]
    TooLong,
    /// The connection could not be made, or broke.
    #[error("{0}")]
    Broken(String),
}

/// The network as a pod of the platform sees it. Clones share it.
#[derive(Clone, Debug)]
pub struct Network {
    server: ApiServer,
    http: reqwest::Client,
    careless: Option<reqwest::Client>,
}

/// What may be different for one request.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// How long the answer may take: platform time inside the platform, real time outside.
    pub limit: Option<Duration>,
    /// Accepts any certificate.
    pub insecure: bool,
}

impl Network {
    /// Returns the network of a server's cluster; other hosts are asked through `http`.
    pub fn new(server: ApiServer, http: reqwest::Client) -> Self {
        let careless = client(true).ok();
        Self {
            server,
            http,
            careless,
        }
    }

    /// Returns the network of a server's cluster with a usual client for the real network.
    pub fn of(server: ApiServer) -> Result<Self, NetworkError> {
        let http = client(false).map_err(|error| NetworkError::Broken(full(&error)))?;
        Ok(Self::new(server, http))
    }

    /// Answers what is sent to a service of the cluster.
    pub fn serve(&self, namespace: &str, service: &str, router: axum::Router) {
        self.server.add_service_backend(namespace, service, router);
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NetworkError> {
        match self.backend(request.uri())? {
            Some(backend) => within_process(backend, request).await,
            None => outside(&self.http, request, PATIENCE).await,
        }
    }

    /// Sends a request in a certain manner; the platform's clock measures the time inside it.
    pub async fn send_in(
        &self,
        request: Request<Bytes>,
        manner: &Manner,
        clock: &PlatformClock,
    ) -> Result<Response<Bytes>, NetworkError> {
        let Some(backend) = self.backend(request.uri())? else {
            let client = self.careless.as_ref().filter(|_| manner.insecure);
            let limit = manner.limit.unwrap_or(PATIENCE);
            return outside(client.unwrap_or(&self.http), request, limit).await;
        };
        let answer = within_process(backend, request);
        let Some(limit) = manner.limit else {
            return answer.await;
        };
        tokio::select! {
            biased;
            answer = answer => answer,
            () = clock.sleep(limit) => Err(NetworkError::Timeout),
        }
    }

    /// Returns the backend of the service that an address names; none if it names none of the cluster.
    fn backend(&self, uri: &Uri) -> Result<Option<axum::Router>, NetworkError> {
        let Some(host) = uri.host() else {
            return Err(NetworkError::Address(uri.to_string()));
        };
        let Some(service) = Service::named(host) else {
            return Ok(None);
        };
        let backend = self.server.service_backend(service.namespace, service.name);
        match backend {
            None if service.certain => Err(NetworkError::UnknownService {
                host: host.to_owned(),
            }),
            backend => Ok(backend),
        }
    }
}

/// A host name that may be a service's.
#[derive(Debug, PartialEq, Eq)]
struct Service<'a> {
    name: &'a str,
    namespace: &'a str,
    /// The name can be nothing else.
    certain: bool,
}

impl<'a> Service<'a> {
    fn named(host: &'a str) -> Option<Self> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let parts: Vec<&str> = host.split('.').collect();
        let (name, namespace, certain) = match parts.as_slice() {
            [name, namespace] => (*name, *namespace, false),
            [name, namespace, "svc"] | [name, namespace, "svc", "cluster", "local"] => {
                (*name, *namespace, true)
            }
            _ => return None,
        };
        Some(Self {
            name,
            namespace,
            certain,
        })
    }
}

async fn within_process(
    backend: axum::Router,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, NetworkError> {
    let (mut parts, body) = request.into_parts();
    // A server sees the path; the host is in its header.
    if let Some(authority) = parts.uri.authority()
        && let Ok(value) = authority.as_str().parse()
    {
        parts.headers.entry(http::header::HOST).or_insert(value);
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path
        .parse()
        .map_err(|_not_a_path| NetworkError::Address(path.to_owned()))?;
    let response = match backend
        .oneshot(Request::from_parts(parts, Body::from(body)))
        .await
    {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, LONGEST_ANSWER).await;
    let bytes = bytes.map_err(|error| NetworkError::Broken(error.to_string()))?;
    Ok(Response::from_parts(parts, bytes))
}

async fn outside(
    client: &reqwest::Client,
    request: Request<Bytes>,
    limit: Duration,
) -> Result<Response<Bytes>, NetworkError> {
    let (parts, body) = request.into_parts();
    let sending = client
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .timeout(limit)
        .body(body)
        .send();
    let mut answer = sending.await.map_err(|error| broken(&error))?;
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        *headers = answer.headers().clone();
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() + chunk.len() > LONGEST_ANSWER {
            return Err(NetworkError::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    response
        .body(Bytes::from(bytes))
        .map_err(|error| NetworkError::Broken(error.to_string()))
}

fn broken(error: &reqwest::Error) -> NetworkError {
    if error.is_timeout() {
        return NetworkError::Timeout;
    }
    NetworkError::Broken(full(error))
}

/// Returns an error with what caused it: the outer sentence alone says only that something failed.
fn full(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

fn client(insecure: bool) -> reqwest::Result<reqwest::Client> {
    // Whoever came first has chosen; a client cannot be built before one is chosen.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::trace!("the TLS provider is chosen already");
    }
    reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(insecure)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::apiserver::ServerOptions;
    use axum::routing::get;
    use chrono::DateTime;

    fn network() -> (Network, PlatformClock) {
        let clock = PlatformClock::stepped(DateTime::UNIX_EPOCH);
        let server = ApiServer::start(ServerOptions::new(clock.clone()));
        let waiting = clock.clone();
        let router = axum::Router::new()
            .route("/hello", get(async |uri: Uri| format!("you asked {uri}")))
            .route(
                "/slow",
                get(async move || waiting.sleep(Duration::from_secs(60)).await),
            );
        server.add_service_backend("monitoring", "prometheus", router);
        (Network::of(server).expect("a network"), clock)
    }

    fn ask(address: &str) -> Request<Bytes> {
        Request::get(address).body(Bytes::new()).expect("a request")
    }

    #[test]
    fn a_service_has_three_names() {
        for host in [
            "web.shop",
            "web.shop.svc",
            "web.shop.svc.cluster.local",
            "web.shop.svc.cluster.local.",
        ] {
            let service = Service::named(host).expect("a service");
            assert_eq!((service.name, service.namespace), ("web", "shop"), "{host}");
        }
        for host in ["localhost", "a.b.c", "127.0.0.1", "a.b.pod.cluster.local"] {
            assert_eq!(Service::named(host), None, "{host}");
        }
    }

    #[tokio::test]
    async fn a_service_is_answered_in_the_process_whatever_the_port() {
        let (network, _) = network();

        let answer = network
            .send(ask("http://prometheus.monitoring.svc:9090/hello?a=1"))
            .await
            .expect("an answer");

        assert_eq!(answer.status(), 200);
        assert_eq!(answer.body().as_ref(), b"you asked /hello?a=1");
    }

    #[tokio::test]
    async fn a_service_that_nobody_stands_behind_is_not_asked_outside() {
        let (network, _) = network();

        let error = network
            .send(ask("http://nobody.monitoring.svc.cluster.local/"))
            .await
            .expect_err("nobody answers");

        assert_eq!(
            error.to_string(),
            "dial tcp: lookup nobody.monitoring.svc.cluster.local: no such host"
        );
    }

    #[tokio::test]
    async fn patience_ends_by_platform_time() {
        let (network, clock) = network();
        let manner = Manner {
            limit: Some(Duration::from_secs(30)),
            insecure: false,
        };
        let asking = {
            let clock = clock.clone();
            tokio::spawn(async move {
                let request = ask("http://prometheus.monitoring/slow");
                network.send_in(request, &manner, &clock).await
            })
        };
        tokio::task::yield_now().await;

        while !asking.is_finished() {
            clock.step(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }

        let answer = asking.await.expect("no panic");
        assert!(matches!(answer, Err(NetworkError::Timeout)), "{answer:?}");
    }
}
