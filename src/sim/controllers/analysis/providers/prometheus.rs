//! Measures by PromQL, through the HTTP API of a Prometheus.
//!
//! Follows Argo Rollouts' `metricproviders/prometheus/prometheus.go` and, in the words of its errors,
//! `client_golang/api/prometheus/v1/api.go`.

use super::{Found, Providers, authorization, go_float, headers, text};
use crate::domain::clock::Clock;
use crate::sim::controllers::analysis::condition::{self, Value};
use crate::sim::controllers::analysis::duration;
use crate::sim::network::Manner;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, Uri};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: i64 = 30;

/// Asks for a value, or for a range of them.
pub(super) async fn measure(providers: &Providers, told: &Json) -> Result<Found, String> {
    let address = address(told)?;
    let now = providers.clock.now();
    let query = text(told, "query");
    let (path, form) = match told.get("rangeQuery").filter(|range| range.is_object()) {
        Some(range) => ("query_range", range_form(query, range, now)?),
        None => (
            "query",
            vec![("query", query.to_owned()), ("time", unix(now))],
        ),
    };
    let url = format!("{address}/api/v1/{path}");
    let seconds = told
        .get("timeout")
        .and_then(Json::as_i64)
        .unwrap_or(PATIENCE);
    let seconds = u64::try_from(seconds)
        .map_err(|_negative| "prometheus timeout should not be negative".to_owned())?;
    let manner = Manner {
        limit: Some(Duration::from_secs(seconds)),
        insecure: told.get("insecure") == Some(&Json::Bool(true)),
    };
    let mut answer = ask(providers, told, (Method::POST, &url), &form, &manner).await?;
    // A proxy that lets nothing be posted may let the same be read.
    if matches!(answer.status().as_u16(), 405 | 501) {
        answer = ask(providers, told, (Method::GET, &url), &form, &manner).await?;
    }
    read(&answer)
}

fn address(told: &Json) -> Result<&str, String> {
    let address = text(told, "address");
    if address.is_empty() {
        return Err("prometheus address is not configured".to_owned());
    }
    let uri: Option<Uri> = address.parse().ok();
    if uri.is_none_or(|uri| uri.scheme().is_none() || uri.host().is_none()) {
        return Err("prometheus address is not is url format".to_owned());
    }
    Ok(address.trim_end_matches('/'))
}

type Form = Vec<(&'static str, String)>;

fn range_form(query: &str, range: &Json, now: DateTime<Utc>) -> Result<Form, String> {
    let time = |field: &str| {
        condition::time_of(text(range, field), now)
            .map(unix)
            .map_err(|error| {
                format!("failed to parse rangeQuery.{field} as time expression: {error}")
            })
    };
    let step = duration::go(text(range, "step"))
        .map_err(|error| format!("failed to parse rangeQuery.step as duration: {error}"))?;
    Ok(vec![
        ("query", query.to_owned()),
        ("start", time("start")?),
        ("end", time("end")?),
        ("step", go_float(step.num_milliseconds() as f64 / 1e3)),
    ])
}

fn unix(time: DateTime<Utc>) -> String {
    go_float(time.timestamp_millis() as f64 / 1e3)
}

async fn ask(
    providers: &Providers,
    told: &Json,
    (method, url): (Method, &str),
    form: &Form,
    manner: &Manner,
) -> Result<Response<Bytes>, String> {
    let fields: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let fields = fields.join("&");
    let what = match method.as_str() {
        "GET" => format!("Get \"{url}\""),
        _ => format!("Post \"{url}\""),
    };
    let (address, body) = if method == Method::GET {
        (format!("{url}?{fields}"), Bytes::new())
    } else {
        (url.to_owned(), Bytes::from(fields))
    };
    let mut request = Request::builder()
        .method(method)
        .uri(address)
        .body(body)
        .map_err(|error| format!("{what}: {error}"))?;
    *request.headers_mut() = headers(told)?;
    if let Some(value) = authorization(providers, told).await? {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    if let Ok(form_type) = "application/x-www-form-urlencoded".parse() {
        request.headers_mut().insert(CONTENT_TYPE, form_type);
    }
    let answer = providers
        .network
        .send_in(request, manner, &providers.clock)
        .await;
    answer.map_err(|error| format!("{what}: {error}"))
}

/// Encodes a value of a form.
pub(super) fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn read(answer: &Response<Bytes>) -> Result<Found, String> {
    let status = answer.status();
    let says_why = matches!(status.as_u16(), 400 | 422 | 500 | 503);
    if !status.is_success() && !says_why {
        let code = status.as_u16();
        return Err(match code {
            400..=499 => format!("client_error: client error: {code}"),
            500..=599 => format!("server_error: server error: {code}"),
            code => format!("bad_response: bad response code {code}"),
        });
    }
    let body: Json = serde_json::from_slice(answer.body()).map_err(|error| {
        if status.is_server_error() {
            return format!("server_error: server error: {}", status.as_u16());
        }
        format!("bad_response: {error}")
    })?;
    if text(&body, "status") != "success" {
        return Err(format!(
            "{}: {}",
            text(&body, "errorType"),
            text(&body, "error")
        ));
    }
    if !status.is_success() {
        return Err("bad_response: inconsistent body for response code".to_owned());
    }
    let data = body.get("data").unwrap_or(&Json::Null);
    let (result, value) = values(data)?;
    Ok(Found {
        result,
        value,
        metadata: warnings(&body),
    })
}

fn values(data: &Json) -> Result<(Value, String), String> {
    let result = data.get("result").unwrap_or(&Json::Null);
    let series = || result.as_array().into_iter().flatten();
    let numbers: Vec<f64> = match text(data, "resultType") {
        "scalar" => {
            let number = sample(result)?;
            return Ok((Value::Float(number), go_float(number)));
        }
        "vector" => series()
            .map(|one| sample(one.get("value").unwrap_or(&Json::Null)))
            .collect::<Result<_, _>>()?,
        "matrix" => series()
            .flat_map(|one| {
                one.get("values")
                    .and_then(Json::as_array)
                    .into_iter()
                    .flatten()
            })
            .map(sample)
            .collect::<Result<_, _>>()?,
        _ => return Err("Prometheus metric type not supported".to_owned()),
    };
    let texts: Vec<String> = numbers.iter().copied().map(go_float).collect();
    Ok((Value::floats(&numbers), format!("[{}]", texts.join(","))))
}

/// Reads `[time, "value"]`.
fn sample(pair: &Json) -> Result<f64, String> {
    let text = pair.get(1).and_then(Json::as_str);
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("bad_response: `{pair}` is not a sample"))
}

fn warnings(body: &Json) -> BTreeMap<String, String> {
    let warnings: Vec<String> = body
        .get("warnings")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .map(|warning| format!("\"{warning}\""))
        .collect();
    if warnings.is_empty() {
        return BTreeMap::new();
    }
    BTreeMap::from([("warnings".to_owned(), warnings.join(", "))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn answer(status: u16, body: Json) -> Response<Bytes> {
        let text = body.as_str().map(str::to_owned);
        let bytes = Bytes::from(text.unwrap_or_else(|| body.to_string()));
        Response::builder()
            .status(status)
            .body(bytes)
            .expect("a response")
    }

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn success(kind: &str, result: Json) -> Json {
        json!({"status": "success", "data": {"resultType": kind, "result": result}})
    }

    #[test]
    fn every_type_of_answer_becomes_a_result_and_its_text() {
        for (kind, result, wanted, text) in [
            (
                "vector",
                json!([{"metric": {}, "value": [1, "0.99"]}, {"metric": {}, "value": [1, "NaN"]}]),
                None,
                "[0.99,NaN]",
            ),
            ("vector", json!([]), Some(Value::floats(&[])), "[]"),
            (
                "scalar",
                json!([1, "+Inf"]),
                Some(Value::Float(f64::INFINITY)),
                "+Inf",
            ),
            (
                "matrix",
                json!([{"metric": {}, "values": [[1, "1"], [2, "2.5"]]}]),
                Some(Value::floats(&[1.0, 2.5])),
                "[1,2.5]",
            ),
        ] {
            let found = read(&answer(200, success(kind, result))).expect("a value");
            assert_eq!(found.value, text);
            if let Some(wanted) = wanted {
                assert_eq!(found.result, wanted);
            }
        }
    }

    #[test]
    fn refusals_read_as_those_of_upstreams_client() {
        let error =
            |kind: &str, why: &str| json!({"status": "error", "errorType": kind, "error": why});
        for (status, body, wanted) in [
            (
                400,
                error("bad_data", "1:3: parse error"),
                "bad_data: 1:3: parse error",
            ),
            (
                422,
                error("execution", "many-to-many"),
                "execution: many-to-many",
            ),
            (
                503,
                error("timeout", "query timed out"),
                "timeout: query timed out",
            ),
            (
                503,
                json!("<html>no</html>"),
                "server_error: server error: 503",
            ),
            (
                502,
                json!("<html>no</html>"),
                "server_error: server error: 502",
            ),
            (
                404,
                json!("404 page not found"),
                "client_error: client error: 404",
            ),
            (302, json!(""), "bad_response: bad response code 302"),
            (
                200,
                success("string", json!([1, "x"])),
                "Prometheus metric type not supported",
            ),
        ] {
            let refused = read(&answer(status, body)).expect_err("an error");
            assert_eq!(refused, wanted);
        }
    }

    #[test]
    fn an_address_has_to_be_a_url() {
        assert_eq!(
            address(&json!({})),
            Err("prometheus address is not configured".to_owned())
        );
        for wrong in ["prometheus", "prometheus:9090", "/x"] {
            assert_eq!(
                address(&json!({"address": wrong})),
                Err("prometheus address is not is url format".to_owned()),
                "{wrong}"
            );
        }
        assert_eq!(
            address(&json!({"address": "http://a:1/p/"})),
            Ok("http://a:1/p")
        );
    }

    #[test]
    fn a_range_is_reckoned_from_now() {
        let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1);
        let range = json!({"start": "now() - duration('30m')", "end": "now()", "step": "1m"});

        let form = range_form("up", &range, now).expect("a range");

        let values: Vec<&str> = form.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["up", "1800", "3600", "60"]);
        assert_eq!(encoded("a b+c/ü"), "a%20b%2Bc%2F%C3%BC");
    }
}
