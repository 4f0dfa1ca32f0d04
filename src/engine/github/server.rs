//! Where GitHub's API is, and one request to it.
//!
//! By URL with a token, or as a Service of the cluster through the API server's proxy. The proxy
//! takes `Authorization` for itself, so a Service is one that logs in on its own.

use crate::domain::globs;
use crate::domain::servers::{GitHubOptions, without_user};
use crate::engine::facts::{items, number, text};
use crate::engine::fault::Fault;
use crate::engine::outside::{ask, headers, http_client, service_proxy};
use crate::engine::session::Session;
use crate::engine::transport::{Answer, Call, exchange};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::Value;

const PUBLIC: &str = "https://api.github.com";
/// What a Service that serves the API is labelled with.
const LABEL: &str = "app.kubernetes.io/name=github-api";
const VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");
const MEDIA: &str = "application/vnd.github+json";

/// A server that can be asked.
#[derive(Debug)]
pub(super) struct Server {
    route: Route,
    /// As people know it.
    pub(super) name: String,
    pub(super) repositories: Vec<String>,
    pub(super) has_token: bool,
}

#[derive(Debug)]
enum Route {
    Proxy(String),
    Url {
        http: reqwest::Client,
        base: String,
        headers: HeaderMap,
    },
}

impl Server {
    /// Finds the server: as configured for the context, else a Service of the cluster.
    pub(super) async fn find(session: &Session) -> Result<Self, Fault> {
        let mut configured = session.options.github.iter();
        let configured = configured.find(|one| globs::matches(&one.context, &session.context.name));
        match configured {
            Some(options) => Self::configured(options),
            None => discovered(session).await,
        }
    }

    fn configured(options: &GitHubOptions) -> Result<Self, Fault> {
        let address = options.url.as_deref().unwrap_or(PUBLIC);
        let route = match (address.contains("://"), address.split_once('/')) {
            (false, Some((namespace, service))) => Route::Proxy(service_proxy(namespace, service)),
            (false, None) => {
                let reason = format!("`{address}` is neither a URL nor NAMESPACE/NAME:PORT");
                return Err(Fault::Refused(reason));
            }
            (true, _) => Route::Url {
                http: http_client(&options.login)?,
                base: address.trim_end_matches('/').to_owned(),
                headers: with_ours(headers(&options.login)?),
            },
        };
        Ok(Self {
            // The proxy's Service logs in by itself.
            has_token: options.login.bearer_token.is_some() || matches!(route, Route::Proxy(_)),
            route,
            name: without_user(address),
            repositories: options.repositories.clone(),
        })
    }

    /// Sends a request; with a mark, only a changed answer has a body.
    pub(super) async fn ask(
        &self,
        session: &Session,
        (method, path): (Method, &str),
        mark: Option<&str>,
    ) -> Result<Answer, Fault> {
        match &self.route {
            Route::Proxy(base) => {
                let mut call = Call::new(method, format!("{base}{path}"))
                    .accept(MEDIA)
                    .with_header(HeaderName::from_static(VERSION.0), VERSION.1);
                if let Some(mark) = mark {
                    call = call.with_header(header::IF_NONE_MATCH, mark);
                }
                exchange(&session.client(), call).await
            }
            Route::Url {
                http,
                base,
                headers,
            } => {
                let request = http.request(method, format!("{base}{path}"));
                let request = request.headers(headers.clone());
                ask(match mark {
                    Some(mark) => request.header(header::IF_NONE_MATCH, mark),
                    None => request,
                })
                .await
            }
        }
    }
}

fn with_ours(mut headers: HeaderMap) -> HeaderMap {
    let agent = concat!("tiphys/", env!("CARGO_PKG_VERSION"));
    for (name, value) in [
        (header::USER_AGENT, agent),
        (header::ACCEPT, MEDIA),
        (HeaderName::from_static(VERSION.0), VERSION.1),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

async fn discovered(session: &Session) -> Result<Server, Fault> {
    let selector = crate::engine::transport::segment(LABEL);
    let path = format!("/api/v1/services?labelSelector={selector}");
    let list = match session.send_json(Call::get(path)).await {
        Ok(list) => list,
        Err(fault @ (Fault::Unreachable(_) | Fault::Unauthorized(_))) => return Err(fault),
        Err(_) => Value::Null,
    };
    let nowhere = || {
        Fault::NotFound(
            "GitHub is not configured: name `repositories` in `[[github]]`, or in `TIPHYS_GITHUB_REPOSITORIES`"
                .to_owned(),
        )
    };
    let service = items(&list, &["items"]).first().ok_or_else(nowhere)?;
    let (namespace, name) = (
        text(service, &["metadata", "namespace"]),
        text(service, &["metadata", "name"]),
    );
    let port = items(service, &["spec", "ports"]).first();
    let port = port.map_or(80, |port| number(port, &["port"]));
    Ok(Server {
        route: Route::Proxy(service_proxy(namespace, &format!("{name}:{port}"))),
        name: format!("{namespace}/{name}"),
        repositories: Vec::new(),
        has_token: true,
    })
}
