//! The service proxy: requests below a service's `proxy` go to the router registered for it.
//!
//! The port that is asked for is the Service's own, by number or name, and is told to the backend
//! in `Host`: one backend may stand behind several ports.

use super::call::Call;
use super::error::ApiError;
use super::store::Key;
use axum::body::Body;
use axum::response::Response;
use http::header::HOST;
use http::{HeaderValue, Request, Uri};
use serde_json::Value;
use tower::ServiceExt;

/// Passes a request on to the service's backend.
pub(super) async fn pass(call: &Call, mut request: Request<Body>) -> Result<Response, ApiError> {
    let (service, port) = name_and_port(&call.path.name);
    let key = Key::new(&call.path.namespace, service);
    let found = call.core.require(&call.kind, &key);
    if let Ok(found) = &found {
        let number = port_of(found.value().get("spec"), port).map_err(|why| {
            let why = why.unwrap_or_else(|| no_endpoints(&call.path.name));
            unavailable(why.replace("{service}", service))
        })?;
        let host = number.map(|number| format!("{service}.{}.svc:{number}", call.path.namespace));
        if let Some(Ok(host)) = host.map(HeaderValue::try_from) {
            request.headers_mut().insert(HOST, host);
        }
    }
    let Some(backend) = call.core.backend(&call.path.namespace, service) else {
        found?;
        return Err(unavailable(no_endpoints(&call.path.name)));
    };
    *request.uri_mut() = inner_uri(request.uri())?;
    match backend.oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

fn no_endpoints(asked: &str) -> String {
    format!("no endpoints available for service \"{asked}\"")
}

fn unavailable(why: String) -> ApiError {
    ApiError::new(503, "ServiceUnavailable", why)
}

/// Reads `[scheme:]name[:port]`.
fn name_and_port(text: &str) -> (&str, &str) {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [_, name, port] | [name, port] => (name, port),
        [name, ..] => (name, ""),
        [] => (text, ""),
    }
}

/// Returns the number of a Service's port that is asked for by number or name; none is asked for
/// without either. The error is what there is to say when it has no such number.
fn port_of(spec: Option<&Value>, asked: &str) -> Result<Option<u64>, Option<String>> {
    let ports = spec.and_then(|spec| spec.get("ports")?.as_array());
    let mut ports = ports.into_iter().flatten();
    let number = |port: &Value| port.get("port").and_then(Value::as_u64);
    if asked.is_empty() {
        return Ok(None);
    }
    if let Ok(wanted) = asked.parse::<u64>() {
        let mut numbers = ports.filter_map(number);
        let why = || format!("no service port {wanted} found for service \"{{service}}\"");
        if numbers.any(|port| port == wanted) {
            return Ok(Some(wanted));
        }
        return Err(Some(why()));
    }
    let named = ports.find(|port| port.get("name").and_then(Value::as_str) == Some(asked));
    named.and_then(number).map(Some).ok_or(None)
}

fn inner_uri(uri: &Uri) -> Result<Uri, ApiError> {
    let path = uri
        .path()
        .split_once("/proxy")
        .map_or("/", |(_, rest)| rest);
    let path = if path.is_empty() { "/" } else { path };
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    text.parse()
        .map_err(|error| ApiError::bad_request(format!("not a path: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_port_are_no_part_of_the_name() {
        let name = "argocd-server";
        assert_eq!(name_and_port("argocd-server"), (name, ""));
        assert_eq!(name_and_port("argocd-server:http"), (name, "http"));
        assert_eq!(name_and_port("https:argocd-server:443"), (name, "443"));
    }

    #[test]
    fn a_port_is_one_of_the_service() {
        let spec = serde_json::json!({"ports": [{"name": "web", "port": 80}, {"port": 8443}]});
        let of = |asked: &str| port_of(Some(&spec), asked);

        assert_eq!(
            (of(""), of("web"), of("8443")),
            (Ok(None), Ok(Some(80)), Ok(Some(8443)))
        );
        assert_eq!(of("grpc"), Err(None));
        let why = of("9090").expect_err("no such port");
        assert!(why.is_some_and(|why| why.starts_with("no service port 9090")));
    }

    #[test]
    fn what_follows_proxy_is_the_path() {
        let uri = "/api/v1/namespaces/a/services/b/proxy/api/x?y=1"
            .parse()
            .expect("a path");
        assert_eq!(inner_uri(&uri).expect("a path").to_string(), "/api/x?y=1");
    }
}
