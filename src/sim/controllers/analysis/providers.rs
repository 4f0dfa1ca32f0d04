//! Where measurements come from.
//!
//! Prometheus, web and job are asked as Argo Rollouts' `metricproviders/` ask them; any other provider
//! answers with an error that says so.

mod job;
mod jsonpath;
mod prometheus;
mod web;

pub(super) use job::{forget_jobs, owner_of_job};

use super::condition::Value;
use super::metric::Metric;
use super::model::{AnalysisRun, Measurement, Phase};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::runtime::Writer;
use crate::sim::controllers::runtime::time::api_time;
use crate::sim::network::Network;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use k8s_openapi::api::batch::v1::Job;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What providers work with.
#[derive(Debug)]
pub(super) struct Providers {
    pub(super) network: Network,
    pub(super) clock: PlatformClock,
    pub(super) jobs: Writer<Job>,
}

/// What a provider has found out.
#[derive(Debug)]
struct Found {
    result: Value,
    /// The value as text.
    value: String,
    metadata: BTreeMap<String, String>,
}

impl Providers {
    /// Begins a measurement, and mostly ends it too.
    pub(super) async fn measure(&self, run: &AnalysisRun, metric: &Metric) -> Measurement {
        let mut measurement = Measurement {
            started_at: Some(api_time(self.clock.now())),
            ..Measurement::default()
        };
        let found = match metric.provider() {
            ("prometheus", told) => prometheus::measure(self, told).await,
            ("web", told) => web::measure(self, told).await,
            ("job", told) => return job::begin(self, run, metric, told, measurement).await,
            (name, _) => Err(format!(
                "the provider `{name}` is not part of this platform; use prometheus, web or job"
            )),
        };
        let judged = found.and_then(|found| {
            measurement.metadata = found.metadata;
            let phase = metric.judge(&found.result, self.clock.now())?;
            measurement.value = found.value;
            Ok(phase)
        });
        match judged {
            Ok(phase) => measurement.phase = phase,
            Err(message) => fail(&mut measurement, message),
        }
        measurement.finished_at = Some(api_time(self.clock.now()));
        measurement
    }

    /// Goes on with a measurement that is under way.
    pub(super) fn resume(&self, run: &AnalysisRun, begun: Measurement) -> Measurement {
        job::resume(self, run, begun)
    }

    /// Ends a measurement that is under way.
    pub(super) async fn terminate(&self, run: &AnalysisRun, begun: Measurement) -> Measurement {
        job::terminate(self, run, begun).await
    }
}

/// Returns what is told about all measurements of a metric.
pub(super) fn metadata(metric: &Metric) -> BTreeMap<String, String> {
    let (name, told) = metric.provider();
    let query = told.get("query").and_then(Json::as_str).unwrap_or_default();
    if name != "prometheus" || query.is_empty() {
        return BTreeMap::new();
    }
    BTreeMap::from([("ResolvedPrometheusQuery".to_owned(), query.to_owned())])
}

fn fail(measurement: &mut Measurement, message: String) {
    measurement.phase = Phase::Error;
    measurement.message = message;
}

fn text<'a>(json: &'a Json, field: &str) -> &'a str {
    json.get(field).and_then(Json::as_str).unwrap_or_default()
}

/// Reads `headers` as templates list them.
fn headers(told: &Json) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for header in told
        .get("headers")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        let (key, value) = (text(header, "key"), text(header, "value"));
        let name: HeaderName = key
            .parse()
            .map_err(|_not_a_name| format!("`{key}` is not the name of a header"))?;
        let value: HeaderValue = value.parse().map_err(|_not_a_value| {
            format!("the value of the header `{key}` has letters that no header may have")
        })?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Returns the header that the authentication asks for, if it asks for any.
async fn authorization(providers: &Providers, told: &Json) -> Result<Option<HeaderValue>, String> {
    let told = told.get("authentication").unwrap_or(&Json::Null);
    let given = |part: &str, field: &str| {
        let part = told.get(part).unwrap_or(&Json::Null);
        text(part, field).to_owned()
    };
    let credentials = if !given("basicAuth", "username").is_empty() {
        let both = format!(
            "{}:{}",
            given("basicAuth", "username"),
            given("basicAuth", "password")
        );
        format!("Basic {}", STANDARD.encode(both))
    } else if !given("oauth2", "tokenUrl").is_empty() {
        let token = web::token(providers, told.get("oauth2").unwrap_or(&Json::Null)).await?;
        format!("Bearer {token}")
    } else if !given("sigv4", "region").is_empty() {
        return Err("authentication by sigv4 is not part of this platform".to_owned());
    } else {
        return Ok(None);
    };
    let value = credentials.parse();
    value
        .map(Some)
        .map_err(|_not_a_value| "the credentials have letters that no header may have".to_owned())
}

/// Spells a number as Go's `strconv.FormatFloat(v, 'f', -1, 64)` does.
fn go_float(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        let sign = if number > 0.0 { '+' } else { '-' };
        format!("{sign}Inf")
    } else {
        number.to_string()
    }
}
