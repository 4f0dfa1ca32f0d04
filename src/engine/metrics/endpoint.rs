//! Where a metrics server is, and one request to it.
//!
//! By URL, or through the API server's service proxy when only the cluster can reach it. What is
//! not configured is discovered: by the label `app.kubernetes.io/name`, else by the names that
//! the usual installations have. A proxy needs `get services/proxy`, so GET is used as long as
//! the query fits into a line.

use super::Server;
use crate::domain::globs;
use crate::domain::servers::{Login, MetricsOptions, without_user};
use crate::engine::facts::{items, number, text};
use crate::engine::fault::Fault;
use crate::engine::outside::{ask, headers, http_client, service_proxy};
use crate::engine::session::Session;
use crate::engine::transport::{Answer, Call, exchange, segment};
use http::{HeaderMap, Method, header};
use serde_json::Value;

/// Longer queries are sent in the body: proxies refuse long lines.
const LINE: usize = 1_500;

/// A server that can be asked.
#[derive(Debug)]
pub(super) struct Endpoint {
    route: Route,
    /// As people know it.
    pub(super) name: String,
}

#[derive(Debug)]
enum Route {
    /// Path of the service proxy on the API server.
    Proxy(String),
    Url {
        http: reqwest::Client,
        base: String,
        headers: HeaderMap,
    },
}

/// What is sent.
#[derive(Debug)]
pub(super) enum Question<'q> {
    Get(&'q [(&'q str, String)]),
    /// A long GET may become this.
    Form(&'q [(&'q str, String)]),
    Json(Method, &'q Value),
    Delete,
}

impl Endpoint {
    /// Finds the server: as configured for the context, else by discovery.
    pub(super) async fn find(session: &Session, server: Server) -> Result<Self, Fault> {
        let configured = session.options.metrics.iter().find(|one| {
            globs::matches(&one.context, &session.context.name) && address(one, server).is_some()
        });
        if let Some(options) = configured
            && let Some(address) = address(options, server)
        {
            return by_address(address, &options.login);
        }
        discovered(session, server).await
    }

    /// Sends a question and returns code, content type and body.
    pub(super) async fn ask(
        &self,
        session: &Session,
        path: &str,
        question: Question<'_>,
    ) -> Result<Answer, Fault> {
        match &self.route {
            Route::Proxy(base) => {
                let call = call(format!("{base}{path}"), question);
                exchange(&session.client(), call).await
            }
            Route::Url {
                http,
                base,
                headers,
            } => {
                let request = request(http, format!("{base}{path}"), question);
                ask(request.headers(headers.clone())).await
            }
        }
    }
}

fn address(options: &MetricsOptions, server: Server) -> Option<&str> {
    match server {
        Server::Prometheus => options.prometheus.as_deref(),
        Server::Alertmanager => options.alertmanager.as_deref(),
    }
}

/// Writes parameters as a form does.
fn form(parameters: &[(&str, String)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", segment(name), segment(value)))
        .collect();
    pairs.join("&")
}

fn call(path: String, question: Question<'_>) -> Call {
    match question {
        Question::Get(parameters) => {
            let query = form(parameters);
            if query.len() > LINE {
                return Call::new(Method::POST, path).form(query);
            }
            let mark = if query.is_empty() { "" } else { "?" };
            Call::get(format!("{path}{mark}{query}"))
        }
        Question::Form(parameters) => Call::new(Method::POST, path).form(form(parameters)),
        Question::Json(method, body) => {
            Call::new(method, path).body(crate::engine::transport::JSON, body)
        }
        Question::Delete => Call::new(Method::DELETE, path),
    }
}

fn request(http: &reqwest::Client, url: String, question: Question<'_>) -> reqwest::RequestBuilder {
    let typed = |request: reqwest::RequestBuilder, kind: &'static str, body: String| {
        request.header(header::CONTENT_TYPE, kind).body(body)
    };
    let urlencoded = "application/x-www-form-urlencoded";
    match question {
        Question::Get(parameters) => {
            let query = form(parameters);
            if query.len() > LINE {
                return typed(http.post(url), urlencoded, query);
            }
            let mark = if query.is_empty() { "" } else { "?" };
            http.get(format!("{url}{mark}{query}"))
        }
        Question::Form(parameters) => typed(http.post(url), urlencoded, form(parameters)),
        Question::Json(method, body) => typed(
            http.request(method, url),
            crate::engine::transport::JSON,
            body.to_string(),
        ),
        Question::Delete => http.delete(url),
    }
}

fn by_address(address: &str, login: &Login) -> Result<Endpoint, Fault> {
    if !address.contains("://") {
        let (namespace, service) = address.split_once('/').ok_or_else(|| {
            Fault::Refused(format!(
                "`{address}` is neither a URL nor NAMESPACE/NAME:PORT"
            ))
        })?;
        return Ok(proxied(namespace, service));
    }
    Ok(Endpoint {
        route: Route::Url {
            http: http_client(login)?,
            base: address.trim_end_matches('/').to_owned(),
            headers: headers(login)?,
        },
        name: without_user(address),
    })
}

fn proxied(namespace: &str, service: &str) -> Endpoint {
    Endpoint {
        route: Route::Proxy(service_proxy(namespace, service)),
        name: format!("{namespace}/{service}"),
    }
}

/// Services that the usual installations make, `NAMESPACE/NAME`.
fn usual(server: Server) -> &'static [(&'static str, &'static str)] {
    match server {
        Server::Prometheus => &[
            ("monitoring", "prometheus"),
            ("monitoring", "prometheus-operated"),
            ("monitoring", "prometheus-k8s"),
            ("monitoring", "prometheus-server"),
            ("prometheus", "prometheus-server"),
            ("istio-system", "prometheus"),
        ],
        Server::Alertmanager => &[
            ("monitoring", "alertmanager"),
            ("monitoring", "alertmanager-operated"),
            ("monitoring", "alertmanager-main"),
            ("monitoring", "prometheus-alertmanager"),
            ("prometheus", "prometheus-alertmanager"),
        ],
    }
}

async fn discovered(session: &Session, server: Server) -> Result<Endpoint, Fault> {
    let word = server.word();
    let scopes = ["/api/v1/services", "/api/v1/namespaces/monitoring/services"];
    for scope in scopes {
        let path = format!("{scope}?labelSelector=app.kubernetes.io%2Fname%3D{word}");
        match session.send_json(Call::get(path)).await {
            Ok(list) => {
                if let Some(found) = best(items(&list, &["items"]), server) {
                    return Ok(found);
                }
                break;
            }
            Err(fault @ (Fault::Unreachable(_) | Fault::Unauthorized(_))) => return Err(fault),
            Err(fault) => tracing::debug!(%fault, "services cannot be listed there"),
        }
    }
    for (namespace, name) in usual(server) {
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
        if let Ok(service) = session.send_json(Call::get(path)).await
            && let Some(found) = best(std::slice::from_ref(&service), server)
        {
            return Ok(found);
        }
    }
    Err(Fault::NotFound(format!(
        "no Service is labelled `app.kubernetes.io/name={word}`, and none of the usual ones is there"
    )))
}

/// Chooses among Services: one with an address of its own before a headless one.
fn best(services: &[Value], server: Server) -> Option<Endpoint> {
    let mut found: Vec<(bool, String, String)> = services
        .iter()
        .filter_map(|service| {
            let name = text(service, &["metadata", "name"]);
            let port = port_of(service, server)?;
            let headless = text(service, &["spec", "clusterIP"]) == "None";
            let namespace = text(service, &["metadata", "namespace"]);
            let secure = text(port, &["name"]) == "https" || number(port, &["port"]) == 443;
            let scheme = if secure { "https:" } else { "" };
            let service = format!("{scheme}{name}:{}", number(port, &["port"]));
            Some((headless, namespace.to_owned(), service))
        })
        .collect();
    found.sort();
    let (_, namespace, service) = found.first()?;
    Some(proxied(namespace, service))
}

fn port_of(service: &Value, server: Server) -> Option<&Value> {
    let ports = items(service, &["spec", "ports"]);
    let usual = server.port();
    let by_number = ports.iter().find(|port| number(port, &["port"]) == usual);
    let names = ["web", "http-web", "http", "https"];
    let by_name = || {
        ports
            .iter()
            .find(|port| names.contains(&text(port, &["name"])))
    };
    let only = match ports {
        [only] => Some(only),
        _ => None,
    };
    by_number.or_else(by_name).or(only)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(name: &str, ip: &str, ports: &Value) -> Value {
        json!({"metadata": {"namespace": "monitoring", "name": name},
            "spec": {"clusterIP": ip, "ports": ports}})
    }

    #[test]
    fn a_service_with_an_address_and_the_usual_port_is_chosen() {
        let services = [
            service("operated", "None", &json!([{"port": 9090, "name": "web"}])),
            service(
                "main",
                "10.0.0.1",
                &json!([{"port": 8080, "name": "reloader"}, {"port": 9090}]),
            ),
        ];
        let found = best(&services, Server::Prometheus).expect("one");
        assert_eq!(found.name, "monitoring/main:9090");

        let odd = [service(
            "tls",
            "10.0.0.1",
            &json!([{"port": 443, "name": "https"}]),
        )];
        let found = best(&odd, Server::Alertmanager).expect("one");
        assert_eq!(found.name, "monitoring/https:tls:443");
    }
}
