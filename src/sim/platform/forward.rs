//! A Prometheus elsewhere that stands in for the embedded one.
//!
//! Requests go to it as they came and its answers come back as they are, streamed. When it cannot
//! be reached, the answer is an error in the form of its own API, with a sentence.

use super::SimError;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::json;
use std::time::Duration;

/// How long a connection may take, and the silence between two pieces of an answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const READ_LIMIT: Duration = Duration::from_secs(120);

/// Headers that are about one connection, not about the message (RFC 9110, 7.6.1).
const OF_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

#[derive(Clone, Debug)]
struct Elsewhere {
    /// Without a slash at its end.
    base: String,
    client: reqwest::Client,
}

/// Returns a router that sends everything to the server at `url`.
pub(super) fn router(url: &str) -> Result<Router, SimError> {
    let failed = |message: String| SimError::Prometheus(format!("`{url}`: {message}"));
    let parsed = reqwest::Url::parse(url).map_err(|error| failed(error.to_string()))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        return Err(failed(
            "give an address such as http://127.0.0.1:9090".to_owned(),
        ));
    }
    // Whoever came first has chosen; a client cannot be built before one is chosen.
    let _chosen = rustls::crypto::ring::default_provider()
        .install_default()
        .is_ok();
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(READ_LIMIT)
        .redirect(reqwest::redirect::Policy::none())
        .no_gzip()
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let elsewhere = Elsewhere {
        base: url.trim_end_matches('/').to_owned(),
        client,
    };
    Ok(Router::new().fallback(forward).with_state(elsewhere))
}

async fn forward(State(elsewhere): State<Elsewhere>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = without_connection(&parts.headers);
    headers.remove(header::HOST);
    // The length is the stream's own matter, unless there is nothing to send.
    headers.remove(header::CONTENT_LENGTH);
    let sending = elsewhere
        .client
        .request(parts.method, format!("{}{path}", elsewhere.base))
        .headers(headers)
        .body(reqwest::Body::wrap_stream(body.into_data_stream()));
    match sending.send().await {
        Ok(answer) => {
            let (status, headers) = (answer.status(), without_connection(answer.headers()));
            let body = Body::from_stream(answer.bytes_stream());
            (status, headers, body).into_response()
        }
        Err(error) => refusal(&elsewhere.base, &error),
    }
}

fn without_connection(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for name in OF_CONNECTION {
        kept.remove(name);
    }
    kept
}

fn refusal(base: &str, error: &reqwest::Error) -> Response {
    let (status, sentence) = if error.is_timeout() {
        let sentence = format!("the Prometheus at {base} does not answer in time");
        (StatusCode::SERVICE_UNAVAILABLE, sentence)
    } else {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let sentence =
            format!("the Prometheus at {base} cannot be reached: {cause}; is it running?");
        (StatusCode::BAD_GATEWAY, sentence)
    };
    let body = json!({"status": "error", "errorType": "unavailable", "error": sentence});
    (status, axum::Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use tower::ServiceExt as _;

    async fn ask(router: &Router, request: Request) -> (StatusCode, HeaderMap, String) {
        let answer = router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (parts.status, parts.headers, text)
    }

    #[tokio::test]
    async fn requests_and_answers_pass_unchanged() {
        let real = Router::new()
            .route(
                "/base/api/v1/query",
                get(async |uri: http::Uri| (StatusCode::UNPROCESSABLE_ENTITY, uri.to_string())),
            )
            .route(
                "/base/echo",
                post(async |body: String| ([("x-own", "1")], body)),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move { axum::serve(listener, real).await });
        let proxy = router(&format!("http://{address}/base/")).expect("a proxy");

        let query = Request::get("/api/v1/query?query=up%7B%7D").body(Body::empty());
        let (status, _, text) = ask(&proxy, query.expect("a request")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(text, "/base/api/v1/query?query=up%7B%7D");
        let echo = Request::post("/echo").body(Body::from("query=up"));
        let (status, headers, text) = ask(&proxy, echo.expect("a request")).await;
        assert_eq!((status, text.as_str()), (StatusCode::OK, "query=up"));
        assert!(headers.contains_key("x-own"));
        serving.abort();
    }

    #[tokio::test]
    async fn a_server_that_is_down_is_named() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let proxy = router(&format!("http://{address}")).expect("a proxy");

        let query = Request::get("/api/v1/query?query=up").body(Body::empty());
        let (status, _, text) = ask(&proxy, query.expect("a request")).await;

        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert!(
            text.contains(&address.to_string()) && text.contains("is it running?"),
            "{text}"
        );
        assert!(router("ftp://x").is_err());
        assert!(router("nonsense").is_err());
    }
}
