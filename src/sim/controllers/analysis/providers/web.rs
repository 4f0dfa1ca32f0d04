//! Measures by a value in a JSON answer.
//!
//! Follows Argo Rollouts' `metricproviders/webmetric/webmetric.go`.

use super::prometheus::encoded;
use super::{Found, Providers, authorization, headers, jsonpath, text};
use crate::sim::controllers::analysis::condition::Value;
use crate::sim::network::Manner;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: u64 = 10;

/// Asks for a document and takes a value out of it.
pub(super) async fn measure(providers: &Providers, told: &Json) -> Result<Found, String> {
    let url = text(told, "url");
    let request = request(providers, told, url).await?;
    let verb = match request.method().as_str() {
        "POST" => "Post",
        "PUT" => "Put",
        _ => "Get",
    };
    let seconds = told.get("timeoutSeconds").and_then(Json::as_u64);
    let manner = Manner {
        limit: Some(Duration::from_secs(
            seconds.filter(|seconds| *seconds > 0).unwrap_or(PATIENCE),
        )),
        insecure: told.get("insecure") == Some(&Json::Bool(true)),
    };
    let answer = providers
        .network
        .send_in(request, &manner, &providers.clock)
        .await
        .map_err(|error| format!("{verb} \"{url}\": {error}"))?;
    read(&answer, text(told, "jsonPath"))
}

async fn request(providers: &Providers, told: &Json, url: &str) -> Result<Request<Bytes>, String> {
    let method = match text(told, "method") {
        "" | "GET" => Method::GET,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        other => {
            return Err(format!(
                "`{other}` is not a method of WebMetric: GET, POST or PUT"
            ));
        }
    };
    let json = told.get("jsonBody").filter(|body| !body.is_null());
    let body = match (text(told, "body"), json) {
        ("", None) => None,
        (_, Some(_)) if !text(told, "body").is_empty() => {
            return Err(
                "use either Body or JSONBody; both cannot exists for WebMetric payload".to_owned(),
            );
        }
        (_, Some(json)) => Some(json.to_string()),
        (body, None) => Some(body.to_owned()),
    };
    if body.is_some() && method == Method::GET {
        return Err(
            "Body/JSONBody can only be used with POST or PUT WebMetric Method types".to_owned(),
        );
    }
    let mut request = Request::builder()
        .method(method)
        .uri(url)
        .body(Bytes::from(body.unwrap_or_default()))
        .map_err(|error| format!("parse \"{url}\": {error}"))?;
    if json.is_some()
        && let Ok(json_type) = "application/json".parse()
    {
        request.headers_mut().insert(CONTENT_TYPE, json_type);
    }
    request.headers_mut().extend(headers(told)?);
    if let Some(value) = authorization(providers, told).await? {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    Ok(request)
}

fn read(answer: &Response<Bytes>, path: &str) -> Result<Found, String> {
    let status = answer.status();
    if !status.is_success() {
        return Err(format!(
            "received non 2xx response code: {}",
            status.as_u16()
        ));
    }
    let body: Json = serde_json::from_slice(answer.body())
        .map_err(|error| format!("Could not parse JSON body: {error}"))?;
    let found = jsonpath::find(&body, path)?;
    Ok(Found {
        result: Value::from_json(&found),
        value: found.to_string(),
        metadata: BTreeMap::new(),
    })
}

/// Asks for a token by client credentials (RFC 6749, section 4.4).
pub(super) async fn token(providers: &Providers, told: &Json) -> Result<String, String> {
    let url = text(told, "tokenUrl");
    let wrong = |why: String| format!("cannot fetch token from `{url}`: {why}");
    let scopes = told.get("scopes").and_then(Json::as_array);
    let scopes: Vec<&str> = scopes
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    let mut form = "grant_type=client_credentials".to_owned();
    if !scopes.is_empty() {
        form = format!("{form}&scope={}", encoded(&scopes.join(" ")));
    }
    let both = format!(
        "{}:{}",
        encoded(text(told, "clientId")),
        encoded(text(told, "clientSecret"))
    );
    let request = Request::post(url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(both)))
        .body(Bytes::from(form))
        .map_err(|error| wrong(error.to_string()))?;
    let manner = Manner {
        limit: Some(Duration::from_secs(PATIENCE)),
        insecure: false,
    };
    let answer = providers
        .network
        .send_in(request, &manner, &providers.clock)
        .await;
    let answer = answer.map_err(|error| wrong(error.to_string()))?;
    if !answer.status().is_success() {
        return Err(wrong(format!("the server answers {}", answer.status())));
    }
    let body: Json =
        serde_json::from_slice(answer.body()).map_err(|error| wrong(error.to_string()))?;
    match text(&body, "access_token") {
        "" => Err(wrong("server response missing access_token".to_owned())),
        token => Ok(token.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Response<Bytes> {
        Response::builder()
            .status(status)
            .body(Bytes::from_static(body.as_bytes()))
            .expect("a response")
    }

    #[test]
    fn the_value_is_where_the_path_says() {
        let body = r#"{"data": {"ok": true, "rate": 0.5}}"#;

        let whole = read(&answer(200, body), "").expect("a value");
        let part = read(&answer(200, body), "{$.data.rate}").expect("a value");

        assert_eq!(whole.value, r#"{"data":{"ok":true,"rate":0.5}}"#);
        assert_eq!(
            (part.value.as_str(), part.result),
            ("0.5", Value::Float(0.5))
        );
    }

    #[test]
    fn an_answer_without_a_value_is_an_error() {
        for (answer, wanted) in [
            (answer(500, "{}"), "received non 2xx response code: 500"),
            (
                answer(200, "{}"),
                "Could not find JSONPath in body: rate is not found",
            ),
        ] {
            assert_eq!(read(&answer, "{$.rate}").expect_err("an error"), wanted);
        }
        let refused = read(&answer(200, "<html>"), "").expect_err("an error");
        assert!(
            refused.starts_with("Could not parse JSON body: "),
            "{refused}"
        );
    }
}
