//! How a registry or a git server is reached, and one exchange with it.
//!
//! By URL, or through the API server's service proxy. There is no cookie jar: with a cookie Harbor
//! would ask for CSRF tokens. A certificate that is not trusted is refused and said; it is never
//! skipped. Redirects are followed by hand, because object stores must not see our account.

use crate::domain::object::Text;
use crate::domain::servers::{Login, without_user};
use crate::engine::fault::Fault;
use crate::engine::outside::{client_with, service_proxy};
use crate::engine::session::Session;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::BodyExt as _;
use std::time::Duration;

/// How long one answer may take. A busy Harbor takes its time for health and lists.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer that is read; reports of vulnerabilities may be several megabytes.
const LONGEST: usize = 24 * 1024 * 1024;
/// The same for repositories of git.
const LARGE_PATIENCE: Duration = Duration::from_secs(120);
const LARGE_LONGEST: usize = 256 * 1024 * 1024;
const REDIRECTS: usize = 4;

/// The way to a registry.
#[derive(Debug)]
pub(in crate::engine) enum Route {
    /// Path of the service proxy on the API server.
    Proxy {
        base: String,
        name: Text,
    },
    Url {
        http: reqwest::Client,
        base: String,
    },
}

/// What is sent.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Asked {
    pub(super) method: Method,
    /// From the root of the server, with its query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    limits: Limits,
}

/// How long an answer may take, and how long it may be.
#[derive(Clone, Copy, Debug)]
struct Limits {
    patience: Duration,
    longest: usize,
}

impl Asked {
    pub(in crate::engine) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            limits: Limits {
                patience: PATIENCE,
                longest: LONGEST,
            },
        }
    }

    /// Waits longer and takes more: the answer is a repository.
    pub(in crate::engine) fn large(mut self) -> Self {
        self.limits = Limits {
            patience: LARGE_PATIENCE,
            longest: LARGE_LONGEST,
        };
        self
    }

    pub(in crate::engine) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn accept(mut self, types: &'static str) -> Self {
        self.headers
            .insert(header::ACCEPT, HeaderValue::from_static(types));
        self
    }

    pub(super) fn json(mut self, body: &serde_json::Value) -> Self {
        let kind = HeaderValue::from_static("application/json");
        self.headers.insert(header::CONTENT_TYPE, kind);
        self.body = body.to_string().into();
        self
    }

    /// Sends bytes as they are.
    pub(in crate::engine) fn bytes(mut self, media_type: &str, body: Bytes) -> Self {
        if let Ok(kind) = HeaderValue::from_str(media_type) {
            self.headers.insert(header::CONTENT_TYPE, kind);
        }
        self.body = body;
        self
    }

    /// Logs in with this header.
    pub(in crate::engine) fn authorised(mut self, value: Option<HeaderValue>) -> Self {
        match value {
            Some(value) => drop(self.headers.insert(header::AUTHORIZATION, value)),
            None => drop(self.headers.remove(header::AUTHORIZATION)),
        }
        self
    }
}

/// A whole answer, whatever its code.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Reply {
    pub(in crate::engine) code: u16,
    pub(super) headers: HeaderMap,
    pub(in crate::engine) body: Bytes,
    /// Where the answer came from, when the same server sent us on.
    pub(in crate::engine) moved_to: Option<String>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub(in crate::engine) fn is_good(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

impl Route {
    /// Through the API server, to `NAMESPACE/NAME:PORT`.
    pub(in crate::engine) fn proxy(namespace: &str, service: &str) -> Self {
        Self::Proxy {
            base: service_proxy(namespace, service),
            name: format!("{namespace}/{service}").into(),
        }
    }

    /// By a URL, with the certificates that its owner trusts.
    pub(in crate::engine) fn url(address: &str, login: &Login) -> Result<Self, Fault> {
        Ok(Self::Url {
            http: http_client(login)?,
            base: address.trim_end_matches('/').to_owned(),
        })
    }

    /// Returns what people see of it.
    pub(in crate::engine) fn name(&self) -> Text {
        match self {
            Self::Proxy { name, .. } => format!("service {name}").into(),
            Self::Url { base, .. } => without_user(base).into(),
        }
    }

    /// Returns the path that stands before every path that is asked for.
    pub(in crate::engine) fn prefix(&self) -> String {
        match self {
            Self::Proxy { .. } => String::new(),
            Self::Url { base, .. } => {
                let path = reqwest::Url::parse(base).map(|url| url.path().to_owned());
                path.unwrap_or_default().trim_end_matches('/').to_owned()
            }
        }
    }

    /// Returns whether the API server stands between.
    pub(in crate::engine) fn is_proxy(&self) -> bool {
        matches!(self, Self::Proxy { .. })
    }

    /// Sends a request and reads the whole answer.
    pub(in crate::engine) async fn send(
        &self,
        session: &Session,
        asked: Asked,
    ) -> Result<Reply, Fault> {
        let patience = asked.limits.patience;
        let answer = async {
            match self {
                Self::Proxy { base, .. } => by_proxy(session, base, asked).await,
                Self::Url { http, base } => by_url(http, base, asked).await,
            }
        };
        let waited = tokio::time::timeout(patience, answer).await;
        waited.unwrap_or_else(|_elapsed| {
            let seconds = patience.as_secs();
            Err(Fault::Unreachable(format!("no answer for {seconds} s")))
        })
    }

    /// Returns the path of a `Link`, which may be whole, or may name the proxy on the way.
    pub(super) fn path_of(&self, link: &str) -> String {
        let without_host = match link.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
            None => link,
        };
        let prefix = match self {
            Self::Proxy { base, .. } => base.as_str(),
            Self::Url { .. } => "",
        };
        let path = without_host.strip_prefix(prefix).unwrap_or(without_host);
        // Harbor writes the query of its links unescaped.
        path.replace(' ', "%20")
    }
}

async fn by_proxy(session: &Session, base: &str, asked: Asked) -> Result<Reply, Fault> {
    let longest = asked.limits.longest;
    let mut request = http::Request::builder()
        .method(asked.method)
        .uri(format!("{base}{}", asked.path))
        .body(kube::client::Body::from(asked.body.to_vec()))
        .map_err(|error| Fault::Refused(format!("`{}` is no path: {error}", asked.path)))?;
    *request.headers_mut() = asked.headers;
    let response = session.client().send(request).await;
    let response = response.map_err(|error| Fault::from_client(&error))?;
    let (parts, body) = response.into_parts();
    let chunks = body.into_data_stream();
    let body = read(chunks, longest, |error| Fault::from_client(&error)).await?;
    Ok(Reply {
        code: parts.status.as_u16(),
        headers: parts.headers,
        body,
        moved_to: None,
    })
}

async fn by_url(http: &reqwest::Client, base: &str, asked: Asked) -> Result<Reply, Fault> {
    let mut url = reqwest::Url::parse(&format!("{base}{}", asked.path))
        .map_err(|error| Fault::Refused(format!("`{}` is no address: {error}", asked.path)))?;
    let mut headers = asked.headers;
    let asked_of = url.clone();
    for _ in 0..=REDIRECTS {
        let request = http
            .request(asked.method.clone(), url.clone())
            .headers(headers.clone())
            .body(asked.body.clone());
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let code = response.status().as_u16();
        let target = response.headers().get(header::LOCATION);
        let target = target.and_then(|value| value.to_str().ok());
        let next = target.and_then(|target| url.join(target).ok());
        if let (301..=308, Some(next), true) = (code, next, asked.method == Method::GET) {
            if next.host_str() != url.host_str() || next.port() != url.port() {
                drop(headers.remove(header::AUTHORIZATION));
            }
            url = next;
            continue;
        }
        let headers = response.headers().clone();
        let body = read(response.bytes_stream(), asked.limits.longest, |error| {
            unreachable(&error)
        })
        .await?;
        let is_same = url.origin() == asked_of.origin() && url != asked_of;
        return Ok(Reply {
            code,
            headers,
            body,
            moved_to: is_same.then(|| url.path().to_owned()),
        });
    }
    Err(Fault::Unreadable(String::from(
        "it sends us from one address to the next",
    )))
}

async fn read<E>(
    chunks: impl Stream<Item = Result<Bytes, E>>,
    longest: usize,
    fault: impl Fn(E) -> Fault,
) -> Result<Bytes, Fault> {
    let mut chunks = std::pin::pin!(chunks);
    let mut body = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(&fault)?);
        if body.len() > longest {
            let most = longest / (1024 * 1024);
            return Err(Fault::Unreadable(format!(
                "the answer is longer than {most} MiB and was not read"
            )));
        }
    }
    Ok(body.freeze())
}

/// Explains a request that got no answer; the address, which may carry a password, is left out.
fn unreachable(error: &reqwest::Error) -> Fault {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(cause) = next {
        if let Some(tls) = hidden_tls(cause) {
            return Fault::Unreachable(tls);
        }
        last = cause.to_string();
        next = cause.source();
    }
    // Some layers keep the words of a TLS error only.
    if last.contains("certificate") {
        return Fault::Unreachable(format!("{UNTRUSTED} ({last})"));
    }
    Fault::Unreachable(if error.is_timeout() {
        String::from("no answer in time")
    } else {
        last
    })
}

/// Finds a TLS error, which may hide inside an `io::Error`.
fn hidden_tls(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    let inner = cause
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let tls = cause.downcast_ref::<rustls::Error>().or(inner)?;
    if let rustls::Error::InvalidCertificate(reason) = tls {
        return Some(format!("{UNTRUSTED} ({reason:?})"));
    }
    Some(format!("TLS failed: {tls}"))
}

/// How the sentence about a certificate begins that nobody vouches for.
pub(in crate::engine) const UNTRUSTED: &str = "its certificate is not trusted";

fn http_client(login: &Login) -> Result<reqwest::Client, Fault> {
    // How long an answer may take is watched over by whoever asks; a token server is elsewhere.
    client_with(login, |builder| {
        builder
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_below_the_same_root() {
        let proxy = Route::proxy("harbor", "harbor-core:80");
        assert_eq!(&*proxy.name(), "service harbor/harbor-core:80");
        assert_eq!(
            proxy.path_of("/api/v2.0/projects?page=2&q=a b"),
            "/api/v2.0/projects?page=2&q=a%20b"
        );
        assert_eq!(
            proxy
                .path_of("/api/v1/namespaces/harbor/services/harbor-core:80/proxy/v2/_catalog?n=1"),
            "/v2/_catalog?n=1"
        );
        assert_eq!(
            proxy.path_of("https://r.io/v2/a/tags/list?last=b"),
            "/v2/a/tags/list?last=b"
        );
    }
}
