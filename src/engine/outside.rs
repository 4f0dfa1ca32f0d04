//! Servers that are not the API server: asked by URL with a login, or through the service proxy.
//!
//! What is common to all of them is here; what they say is read by whoever asks. No error carries
//! an address or a login, because both may hold a password.

use super::fault::Fault;
use super::transport::{Answer, segment};
use crate::domain::servers::Login;
use bytes::Bytes;
use http::header;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(35);

/// Returns the path below which the API server passes requests on to a Service, such as
/// `https:name:443`.
pub(super) fn service_proxy(namespace: &str, service: &str) -> String {
    format!(
        "/api/v1/namespaces/{}/services/{}/proxy",
        segment(namespace),
        segment(service)
    )
}

/// Sends a request and returns the answer as it is, refusals included.
pub(super) async fn ask(request: reqwest::RequestBuilder) -> Result<Answer, Fault> {
    let unreachable = |error: reqwest::Error| Fault::Unreachable(causes(&error.without_url()));
    let response = request.send().await.map_err(unreachable)?;
    let code = response.status().as_u16();
    let headers = response.headers().clone();
    let body: Bytes = response.bytes().await.map_err(unreachable)?;
    Ok(Answer::new(code, headers, body))
}

/// The error and what caused it, without the address, which may carry a password.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}

/// Makes a client that knows the certificates of a login, and whose answers come in time.
pub(super) fn http_client(login: &Login) -> Result<reqwest::Client, Fault> {
    client_with(login, |builder| builder.timeout(TIMEOUT))
}

/// Makes a client that knows the certificates of a login, as it is to behave besides.
pub(super) fn client_with(
    login: &Login,
    manner: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, Fault> {
    // Somebody may have chosen one already: theirs is as good.
    let _chosen = rustls::crypto::ring::default_provider().install_default();
    let mut builder = manner(reqwest::Client::builder());
    let read = |path: &std::path::Path| {
        std::fs::read(path)
            .map_err(|error| Fault::Refused(format!("cannot read `{}`: {error}", path.display())))
    };
    let refused =
        |error: reqwest::Error| Fault::Refused(format!("the login cannot be used: {error}"));
    if let Some(path) = &login.certificate_authority {
        let certificates = reqwest::Certificate::from_pem_bundle(&read(path)?).map_err(refused)?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(path) = &login.client_certificate {
        let mut pem = read(path)?;
        if let Some(key) = &login.client_key {
            pem.push(b'\n');
            pem.extend(read(key)?);
        }
        builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(refused)?);
    }
    builder.build().map_err(refused)
}

/// Returns the headers that log in.
pub(super) fn headers(login: &Login) -> Result<HeaderMap, Fault> {
    login_headers(login)
        .map_err(|error| Fault::Refused(format!("a header cannot be used: {error}")))
}

fn login_headers(login: &Login) -> Result<HeaderMap, http::Error> {
    let mut headers = HeaderMap::new();
    let mut secret = |name: HeaderName, text: &str| -> Result<(), http::Error> {
        let mut value = HeaderValue::from_str(text)?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    };
    if let Some(token) = &login.bearer_token {
        let text = format!("Bearer {}", token.reveal());
        secret(header::AUTHORIZATION, &text)?;
    } else if let Some(user) = &login.username {
        use base64::Engine as _;
        let password = login.password.as_ref().map_or("", |secret| secret.reveal());
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        secret(header::AUTHORIZATION, &format!("Basic {pair}"))?;
    }
    for (name, value) in &login.headers {
        secret(name.parse::<HeaderName>()?, value.reveal())?;
    }
    Ok(headers)
}
