//! Asks a server on behalf of a template of kind `http` (`workflow/executor/http`).

use super::node::Phase;
use super::substitute::{Values, holds};
use super::template::Http;
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::network::{Manner, Network};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response};
use serde_json::Value;
use std::time::Duration;

const PATIENCE: u64 = 30;

/// Returns phase, message and body of what a server answers.
pub(super) async fn ask(
    network: &Network,
    clock: &PlatformClock,
    http: &Http,
) -> (Phase, String, String) {
    let failed = |why: String| (Phase::Failed, why, String::new());
    let method = match http.method.as_str() {
        "" => "GET",
        method => method,
    };
    let mut request = Request::builder().method(method).uri(&http.url);
    for header in &http.headers {
        let name = header
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let value = header
            .get("value")
            .and_then(Value::as_str)
            .unwrap_or_default();
        request = request.header(name, value);
    }
    let request = match request.body(Bytes::from(http.body.clone())) {
        Ok(request) => request,
        Err(error) => return failed(error.to_string()),
    };
    let seconds = http
        .timeout_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    let manner = Manner {
        limit: Some(Duration::from_secs(seconds.unwrap_or(PATIENCE))),
        insecure: false,
    };
    let answer = match network.send_in(request, &manner, clock).await {
        Ok(answer) => answer,
        Err(error) => return failed(error.to_string()),
    };
    judge(http, &answer, clock.now())
}

/// Says whether an answer is what the template wants.
fn judge(http: &Http, answer: &Response<Bytes>, now: DateTime<Utc>) -> (Phase, String, String) {
    let code = answer.status();
    let body = String::from_utf8_lossy(answer.body()).into_owned();
    let is_fine = if http.success_condition.is_empty() {
        Ok(code.is_success())
    } else {
        let values = Values::from([
            ("response.statusCode".to_owned(), code.as_u16().to_string()),
            ("response.body".to_owned(), body.clone()),
        ]);
        let condition = http
            .success_condition
            .replace("response.statusCode", "int(response.statusCode)");
        holds(&condition, &values, now)
    };
    match is_fine {
        Ok(true) => (Phase::Succeeded, String::new(), body),
        Ok(false) if http.success_condition.is_empty() => (
            Phase::Failed,
            format!("received non-2xx response code: {}", code.as_u16()),
            body,
        ),
        Ok(false) => (
            Phase::Failed,
            format!(
                "successCondition '{}' evaluated false",
                http.success_condition
            ),
            body,
        ),
        Err(why) => (Phase::Error, why, body),
    }
}
