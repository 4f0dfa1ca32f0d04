//! The service proxy: requests below a service's `proxy` go to the router registered for it.

use super::call::Call;
use super::error::ApiError;
use super::store::Key;
use axum::body::Body;
use axum::response::Response;
use http::{Request, Uri};
use tower::ServiceExt;

/// Passes a request on to the service's backend.
pub(super) async fn pass(call: &Call, mut request: Request<Body>) -> Result<Response, ApiError> {
    let service = service_name(&call.path.name).to_owned();
    let Some(backend) = call.core.backend(&call.path.namespace, &service) else {
        call.core
            .require(&call.kind, &Key::new(&call.path.namespace, &service))?;
        return Err(ApiError::new(
            503,
            "ServiceUnavailable",
            format!("no endpoints available for service \"{}\"", call.path.name),
        ));
    };
    *request.uri_mut() = inner_uri(request.uri())?;
    match backend.oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// Takes scheme and port off `[scheme:]name[:port]`.
fn service_name(text: &str) -> &str {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [_, name, _] | [name, ..] => name,
        [] => text,
    }
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
        assert_eq!(service_name("argocd-server"), "argocd-server");
        assert_eq!(service_name("argocd-server:http"), "argocd-server");
        assert_eq!(service_name("https:argocd-server:443"), "argocd-server");
    }

    #[test]
    fn what_follows_proxy_is_the_path() {
        let uri = "/api/v1/namespaces/a/services/b/proxy/api/x?y=1"
            .parse()
            .expect("a path");
        assert_eq!(inner_uri(&uri).expect("a path").to_string(), "/api/x?y=1");
    }
}
